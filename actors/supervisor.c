#include "actors/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHILDREN_MAX = 1024, BACKLOG_MAX = 64, CRASHES_MAX = 32 };

/* What a child was told to do by an operator, and who waits to hear that it has. */
enum order { ORDER_NONE, ORDER_STOP, ORDER_RESTART };

struct child {
  struct trp_child as; /* the runtime's view: reference, name, policy */
  uint64_t crashes_ns[CRASHES_MAX]; /* a ring of the last crashes, for the window */
  uint32_t crash_count;
  uint32_t in_a_row; /* crashes since it was last stable: the exponent of the backoff */
  uint64_t started_ns;
  uint64_t timer; /* a restart waits; 0: none */
  enum order order;
  uint64_t token; /* of the CHILD_COMMAND to answer */
};

/* An event that the engine could not take yet. */
struct event {
  uint16_t type;
  uint32_t bytes;
  void *body;
};

struct supervisor {
  struct child *children;
  uint32_t count;
  struct trp_ref engine;
  struct event backlog[BACKLOG_MAX]; /* oldest first */
  uint32_t backlog_count;
  uint64_t backlog_lost;
};

/* ---- events ---- */

static void forget_oldest(struct supervisor *s) {
  free(s->backlog[0].body);
  s->backlog_count--;
  memmove(&s->backlog[0], &s->backlog[1], s->backlog_count * sizeof s->backlog[0]);
}

static void keep(struct supervisor *s, uint16_t type, const void *body, size_t bytes) {
  if (s->backlog_count == BACKLOG_MAX) {
    forget_oldest(s);
    s->backlog_lost++;
  }
  void *copy = malloc(bytes);
  if (copy == NULL) {
    s->backlog_lost++;
    return;
  }
  memcpy(copy, body, bytes);
  s->backlog[s->backlog_count++] = (struct event){.type = type, .bytes = (uint32_t)bytes, .body = copy};
}

static void publish(struct trp_self *self, struct supervisor *s, uint16_t type, const void *body,
                    size_t bytes) {
  if (s->backlog_count == 0 && !trp_ref_is_nobody(s->engine) &&
      trp_send(self, s->engine, type, body, bytes) == TRP_OK) {
    return;
  }
  keep(s, type, body, bytes);
}

static void flush_backlog(struct trp_self *self, struct supervisor *s) {
  while (s->backlog_count > 0) {
    const struct event *e = &s->backlog[0];
    if (trp_send(self, s->engine, e->type, e->body, e->bytes) != TRP_OK) return;
    forget_oldest(s);
  }
}

/* ---- children ---- */

static struct child *find_by_ref(struct supervisor *s, uint64_t ref) {
  const uint64_t slot_mask = ~((UINT64_C(1) << 40) - 1); /* a child is its slot, in every life */
  for (uint32_t i = 0; i < s->count; i++) {
    if ((s->children[i].as.ref.bits & slot_mask) == (ref & slot_mask)) return &s->children[i];
  }
  return NULL;
}

static struct child *find_by_name(struct supervisor *s, const char *name) {
  for (uint32_t i = 0; i < s->count; i++) {
    if (strcmp(s->children[i].as.name, name) == 0) return &s->children[i];
  }
  return NULL;
}

static void answer(struct trp_self *self, struct child *child, enum trp_err status,
                   const char *text) {
  if (child->token == 0) return;
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", text);
  trp_reply(self, child->token, TRP_RESULT, &result, sizeof result);
  child->token = 0;
}

static uint32_t crashes_in_window(const struct child *child, uint64_t now) {
  uint64_t window = child->as.policy.window_ms * TRP_NS_PER_MS;
  uint32_t kept = child->crash_count < CRASHES_MAX ? child->crash_count : CRASHES_MAX;
  uint32_t n = 0;
  for (uint32_t i = 0; i < kept; i++) n += now - child->crashes_ns[i] <= window;
  return n;
}

/* The first restart after a stable stretch is at once; then min, 2 min, 4 min ... up to max, and of
 * that a random half is taken off, so that children that died together do not come back together. */
static uint64_t backoff_ns(struct trp_self *self, const struct child *child) {
  const struct trp_restart_policy *policy = &child->as.policy;
  if (child->in_a_row <= 1) return 0;
  uint64_t ms = policy->backoff_min_ms;
  for (uint32_t i = 2; i < child->in_a_row && ms < policy->backoff_max_ms; i++) ms *= 2;
  if (ms > policy->backoff_max_ms) ms = policy->backoff_max_ms;
  uint64_t ns = ms * TRP_NS_PER_MS;
  return ns / 2 + trp_random(self) % (ns / 2 + 1);
}

static enum trp_err restart_now(struct trp_self *self, struct child *child) {
  child->timer = 0;
  enum trp_err err = trp_child_restart(self, child->as.ref);
  if (err == TRP_OK || err == TRP_STOPPED) return TRP_OK;
  trp_log(self, TRP_LOG_ERROR, "child.not_restarted", "child=%s error=%s", child->as.name,
          trp_err_name(err));
  return TRP_OK;
}

static enum trp_err restart_later(struct trp_self *self, struct supervisor *s,
                                  struct child *child) {
  uint64_t wait = backoff_ns(self, child);
  trp_log(self, TRP_LOG_WARN, "child.restart", "child=%s in_ms=%llu crashes=%u", child->as.name,
          (unsigned long long)(wait / TRP_NS_PER_MS), child->in_a_row);
  if (wait == 0) return restart_now(self, child);
  return trp_timer_start(self, wait, 0, (uint64_t)(child - s->children), &child->timer);
}

static enum trp_err on_crash(struct trp_self *self, struct supervisor *s,
                             const struct trp_msg *msg) {
  const struct trp_thread_crashed *crashed = trp_msg_thread_crashed(msg);
  publish(self, s, TRP_THREAD_CRASHED, crashed, sizeof *crashed);
  struct child *child = find_by_ref(s, crashed->ref);
  CHECK(child != NULL);
  uint64_t now = trp_now_ns(self);
  child->as.ref.bits = crashed->ref;
  bool stable = child->started_ns != 0 &&
                now - child->started_ns >= child->as.policy.stable_ms * TRP_NS_PER_MS;
  child->in_a_row = stable ? 1 : child->in_a_row + 1;
  child->crashes_ns[child->crash_count++ % CRASHES_MAX] = now;
  if (child->order == ORDER_STOP) {
    child->order = ORDER_NONE;
    answer(self, child, TRP_PANIC, "it crashed while it was stopping");
    return TRP_OK;
  }
  if (child->as.policy.restart == TRP_TEMPORARY) return TRP_OK;
  if (crashes_in_window(child, now) > child->as.policy.intensity) {
    trp_log(self, TRP_LOG_ERROR, "supervisor.gave_up", "child=%s crashes=%u window_ms=%u",
            child->as.name, crashes_in_window(child, now), child->as.policy.window_ms);
    return TRP_GAVE_UP;
  }
  return restart_later(self, s, child);
}

static void on_started(struct trp_self *self, struct supervisor *s, const struct trp_msg *msg) {
  const struct trp_child_started *started = trp_msg_child_started(msg);
  struct child *child = find_by_ref(s, started->ref);
  CHECK(child != NULL);
  child->as.ref.bits = started->ref;
  child->started_ns = trp_now_ns(self);
  if (started->incarnation > 1) {
    struct trp_actor_restarted event = {.ref = started->ref,
                                        .incarnation = started->incarnation,
                                        .restarts = started->restarts};
    memcpy(event.name, started->name, sizeof event.name);
    publish(self, s, TRP_ACTOR_RESTARTED, &event, sizeof event);
  }
  if (child->order == ORDER_RESTART) {
    child->order = ORDER_NONE;
    answer(self, child, TRP_OK, "restarted");
  }
}

static enum trp_err on_ended(struct trp_self *self, struct supervisor *s,
                             const struct trp_msg *msg) {
  const struct trp_child_ended *ended = trp_msg_child_ended(msg);
  struct child *child = find_by_ref(s, ended->ref);
  CHECK(child != NULL);
  child->as.ref.bits = ended->ref;
  publish(self, s, TRP_CHILD_ENDED, ended, sizeof *ended);
  if (child->order == ORDER_STOP) {
    child->order = ORDER_NONE;
    answer(self, child, TRP_OK, "stopped");
    return TRP_OK;
  }
  if (child->order == ORDER_RESTART) return restart_now(self, child);
  /* It ended by itself: only a permanent one comes back, and that counts as a failure in a row. */
  if (child->as.policy.restart != TRP_PERMANENT) return TRP_OK;
  child->in_a_row++;
  return restart_later(self, s, child);
}

/* ---- commands ---- */

static void refuse(struct trp_self *self, uint64_t token, enum trp_err status, const char *text) {
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", text);
  trp_reply(self, token, TRP_RESULT, &result, sizeof result);
}

static void on_command(struct trp_self *self, struct supervisor *s, const struct trp_msg *msg) {
  const struct trp_child_command *command = trp_msg_child_command(msg);
  struct child *child = find_by_name(s, command->name);
  if (child == NULL) {
    refuse(self, msg->token, TRP_NO_ACTOR, "no such child of this supervisor");
    return;
  }
  if (child->order != ORDER_NONE) {
    refuse(self, msg->token, TRP_BUSY, "an earlier order is still being carried out");
    return;
  }
  bool restart = strcmp(command->verb, "restart") == 0;
  if (!restart && strcmp(command->verb, "stop") != 0) {
    refuse(self, msg->token, TRP_INVALID, "a child can be told to stop or to restart");
    return;
  }
  if (child->timer != 0) { /* it is down and waits for its backoff */
    trp_timer_cancel(self, child->timer);
    child->timer = 0;
  }
  enum trp_err err = trp_child_stop(self, child->as.ref);
  bool down = err == TRP_WRONG_STATE;
  if (down && restart) err = trp_child_restart(self, child->as.ref);
  if (err != TRP_OK) {
    refuse(self, msg->token, err, down ? "it is not running" : trp_err_text(err));
    return;
  }
  child->order = restart ? ORDER_RESTART : ORDER_STOP;
  child->token = msg->token;
}

/* ---- the kind ---- */

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  const struct trp_supervisor_options *options = args;
  struct supervisor *s = state;
  s->children = calloc(CHILDREN_MAX, sizeof *s->children);
  if (s->children == NULL) return TRP_NO_MEMORY;
  while (s->count < CHILDREN_MAX && trp_child_at(self, s->count, &s->children[s->count].as)) {
    s->count++;
  }
  struct trp_child more;
  if (trp_child_at(self, s->count, &more)) return TRP_LIMIT;
  if (options == NULL || options->events == NULL) return TRP_OK;
  return trp_watch(self, options->events, NULL);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct supervisor *s = state;
  switch (msg->type) {
    case TRP_THREAD_CRASHED: return on_crash(self, s, msg);
    case TRP_CHILD_ENDED: return on_ended(self, s, msg);
    case TRP_CHILD_STARTED: on_started(self, s, msg); break;
    case TRP_TIMER:
      return restart_now(self, &s->children[((const struct trp_timer *)msg->body)->tag]);
    case TRP_UP:
      s->engine.bits = trp_msg_up(msg)->ref;
      flush_backlog(self, s);
      break;
    case TRP_DOWN: s->engine = TRP_NOBODY; break;
    case TRP_CHILD_COMMAND: on_command(self, s, msg); break;
    default: break; /* not for a supervisor */
  }
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  struct supervisor *s = state;
  while (s->backlog_count > 0) forget_oldest(s);
  free(s->children);
}

const struct trp_kind trp_supervisor_kind = {.name = "supervisor",
                                             .state_bytes = sizeof(struct supervisor),
                                             .start = start,
                                             .receive = receive,
                                             .end = end};
