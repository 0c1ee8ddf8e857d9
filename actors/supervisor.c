#include "actors/supervisor.h"

#include <stdio.h>
#include <string.h>

#include "actors/supervisor_group.h"
#include "actors/supervisor_news.h"

static const uint64_t CLOSING_LOOK_NS = 10 * TRP_NS_PER_MS;
static const uint64_t TAG_CLOSING = UINT64_MAX; /* other tags are indices of children */

struct supervisor {
  struct trp_group group;
  struct trp_supervisor_news news;
  bool holding; /* its own end, until its children have ended */
};

static const char *const STRATEGIES[] = {[TRP_ONE_FOR_ONE] = "one_for_one",
                                         [TRP_REST_FOR_ONE] = "rest_for_one",
                                         [TRP_ONE_FOR_ALL] = "one_for_all"};

/* ---- failures ---- */

/* The ring holds as many crashes as are too many by one: is the oldest of them in the window? */
static bool too_many_crashes(struct trp_supervised *child, uint64_t now) {
  if (child->crashes_ns == NULL) return false;
  uint64_t places = (uint64_t)child->policy.intensity + 1;
  child->crashes_ns[child->crash_count++ % places] = now;
  if (child->crash_count < places) return false;
  return now - child->crashes_ns[child->crash_count % places] <=
         child->policy.window_ms * TRP_NS_PER_MS;
}

/* The first restart after a stable stretch is at once; then min, 2 min, 4 min ... up to max, and of
 * that a random half is taken off, so that children that died together do not come back together.
 */
static uint64_t backoff_ns(struct trp_self *self, const struct trp_supervised *child) {
  const struct trp_restart_policy *policy = &child->policy;
  if (child->in_a_row <= 1) return 0;
  uint64_t ms = policy->backoff_min_ms;
  for (uint32_t i = 2; i < child->in_a_row && ms < policy->backoff_max_ms; i++) ms *= 2;
  if (ms > policy->backoff_max_ms) ms = policy->backoff_max_ms;
  uint64_t ns = ms * TRP_NS_PER_MS;
  return ns / 2 + trp_random(self) % (ns / 2 + 1);
}

static void note_end(struct trp_self *self, struct trp_supervised *child, uint64_t ref) {
  const struct trp_restart_policy *policy = &child->policy;
  bool stable = child->started_ns != 0 &&
                trp_now_ns(self) - child->started_ns >= policy->stable_ms * TRP_NS_PER_MS;
  if (stable) child->in_a_row = 0;
  child->started_ns = 0;
  child->ref.bits = child->heard = ref;
  trp_supervised_disarm(self, child);
}

/* It ended although it is wanted: it comes back, after its backoff, and with whom it takes along.
 */
static enum trp_err fail(struct trp_self *self, struct supervisor *s,
                         struct trp_supervised *child) {
  child->in_a_row++;
  uint64_t wait = backoff_ns(self, child);
  trp_log(self, TRP_LOG_WARN, "child.restart", "child=%s in_ms=%llu crashes=%u strategy=%s",
          child->name, (unsigned long long)(wait / TRP_NS_PER_MS), child->in_a_row,
          STRATEGIES[s->group.strategy]);
  trp_group_doom_siblings(&s->group, child);
  if (wait > 0) {
    enum trp_err err =
        trp_timer_start(self, wait, 0, (uint64_t)(child - s->group.children), &child->timer);
    if (err != TRP_OK) return err;
    child->backoff = true;
  }
  return trp_group_settle(self, &s->group, child);
}

/* ---- what is heard of children ---- */

static enum trp_err on_crash(struct trp_self *self, struct supervisor *s,
                             const struct trp_msg *msg) {
  const struct trp_thread_crashed *crashed = trp_msg_thread_crashed(msg);
  struct trp_supervised *child = trp_group_find(&s->group, crashed->ref);
  trp_supervisor_news_tell(self, &s->news, (struct trp_ref){crashed->ref}, TRP_THREAD_CRASHED,
                           crashed, sizeof *crashed);
  if (child == NULL) return TRP_OK; /* a spawned one: it does not come back */
  note_end(self, child, crashed->ref);
  bool inherited = child->inherited;
  child->inherited = false;
  if (child->order == TRP_ORDER_STOP) {
    trp_supervised_answer(self, child, TRP_PANIC, "it crashed while it was stopping");
  }
  if (child->policy.restart == TRP_TEMPORARY && child->doom == TRP_DOOM_NONE) {
    child->wanted = false;
    trp_supervised_answer(self, child, TRP_PANIC, "it crashed, and is not restarted by itself");
  }
  if (inherited || !child->wanted || child->policy.restart == TRP_TEMPORARY) {
    return trp_group_settle(self, &s->group, child);
  }
  if (too_many_crashes(child, trp_now_ns(self))) {
    trp_log(self, TRP_LOG_ERROR, "supervisor.gave_up", "child=%s crashes=%u window_ms=%u",
            child->name, child->policy.intensity + 1, child->policy.window_ms);
    return TRP_GAVE_UP;
  }
  return fail(self, s, child);
}

static enum trp_err on_ended(struct trp_self *self, struct supervisor *s,
                             const struct trp_msg *msg) {
  const struct trp_child_ended *ended = trp_msg_child_ended(msg);
  struct trp_supervised *child = trp_group_find(&s->group, ended->ref);
  CHECK(child != NULL);
  trp_supervisor_news_tell(self, &s->news, (struct trp_ref){ended->ref}, TRP_CHILD_ENDED, ended,
                           sizeof *ended);
  note_end(self, child, ended->ref);
  bool told = child->doom != TRP_DOOM_NONE || child->inherited;
  child->inherited = false;
  if (child->order == TRP_ORDER_STOP) trp_supervised_answer(self, child, TRP_OK, "stopped");
  /* By itself: only a permanent one comes back, and that counts as a failure in a row. */
  if (!told && child->policy.restart != TRP_PERMANENT) {
    child->wanted = false;
    trp_supervised_answer(self, child, TRP_OK, "restarted, and it has ended by itself");
  }
  if (told || !child->wanted) return trp_group_settle(self, &s->group, child);
  return fail(self, s, child);
}

static enum trp_err on_started(struct trp_self *self, struct supervisor *s,
                               const struct trp_msg *msg) {
  const struct trp_child_started *started = trp_msg_child_started(msg);
  struct trp_supervised *child = trp_group_find(&s->group, started->ref);
  CHECK(child != NULL);
  child->ref.bits = started->ref;
  child->started_ns = trp_now_ns(self);
  trp_supervised_disarm(self, child);
  if (started->incarnation > 1) {
    struct trp_actor_restarted event = {
        .ref = started->ref, .incarnation = started->incarnation, .restarts = started->restarts};
    memcpy(event.name, started->name, sizeof event.name);
    trp_supervisor_news_tell(self, &s->news, TRP_NOBODY, TRP_ACTOR_RESTARTED, &event, sizeof event);
  }
  if (child->order == TRP_ORDER_RESTART && child->doom == TRP_DOOM_NONE) {
    trp_supervised_answer(self, child, TRP_OK, "restarted");
  }
  return trp_group_settle(self, &s->group, child);
}

/* ---- commands ---- */

static void refuse(struct trp_self *self, uint64_t token, enum trp_err status, const char *text) {
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", text);
  trp_reply(self, token, TRP_RESULT, &result, sizeof result);
}

static enum trp_err carry_out(struct trp_self *self, struct supervisor *s,
                              struct trp_supervised *child, bool restart, uint64_t token) {
  struct trp_child now;
  CHECK(trp_child_look(self, child->ref, &now));
  bool down = now.state == TRP_ACTOR_DOWN, was_wanted = child->wanted;
  bool not_there = now.state == TRP_ACTOR_NEW || now.state == TRP_ACTOR_GONE;
  if (not_there || (down && !restart && !was_wanted)) {
    refuse(self, token, TRP_WRONG_STATE, "it is not running");
    return TRP_OK;
  }
  if (child->backoff) trp_supervised_disarm(self, child);
  child->wanted = restart;
  child->order = restart ? TRP_ORDER_RESTART : TRP_ORDER_STOP;
  child->token = token;
  if (!down && child->doom == TRP_DOOM_NONE) child->doom = TRP_DOOM_ORDER;
  if (down && !restart) trp_supervised_answer(self, child, TRP_OK, "it was down and stays so");
  return trp_group_settle(self, &s->group, child);
}

static enum trp_err on_command(struct trp_self *self, struct supervisor *s,
                               const struct trp_msg *msg) {
  const struct trp_child_command *command = trp_msg_child_command(msg);
  if (command == NULL) return TRP_OK;
  struct trp_supervised *child = trp_group_find_named(&s->group, command->name);
  bool restart = strcmp(command->verb, "restart") == 0;
  if (child == NULL) {
    refuse(self, msg->token, TRP_NO_ACTOR, "no such child of this supervisor");
  } else if (child->order != TRP_ORDER_NONE) {
    refuse(self, msg->token, TRP_BUSY, "an earlier order is still being carried out");
  } else if (!restart && strcmp(command->verb, "stop") != 0) {
    refuse(self, msg->token, TRP_INVALID, "a child can be told to stop or to restart");
  } else {
    return carry_out(self, s, child, restart, msg->token);
  }
  return TRP_OK;
}

/* ---- the kind ---- */

static bool all_stop(struct trp_self *self) {
  return strcmp(trp_system_state(trp_self_system(self)), "stopping") == 0;
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  const struct trp_supervisor_options *options = args;
  struct supervisor *s = state;
  enum trp_strategy strategy = options != NULL ? options->strategy : TRP_ONE_FOR_ONE;
  CHECK((size_t)strategy < sizeof STRATEGIES / sizeof *STRATEGIES);
  enum trp_err err = trp_group_init(&s->group, self, strategy);
  if (err == TRP_OK && options != NULL && options->events != NULL) {
    err = trp_watch(self, options->events, NULL);
  }
  return err != TRP_OK ? err : trp_group_settle(self, &s->group, NULL);
}

static enum trp_err on_timer(struct trp_self *self, struct supervisor *s, uint64_t tag) {
  if (tag == TAG_CLOSING) return trp_group_settle(self, &s->group, NULL);
  struct trp_supervised *child = &s->group.children[tag];
  child->timer = 0;
  child->backoff = false;
  return trp_group_settle(self, &s->group, child);
}

static enum trp_err handle(struct trp_self *self, struct supervisor *s, const struct trp_msg *msg) {
  switch (msg->type) {
    case TRP_THREAD_CRASHED:
      return on_crash(self, s, msg);
    case TRP_CHILD_ENDED:
      return on_ended(self, s, msg);
    case TRP_CHILD_STARTED:
      return on_started(self, s, msg);
    case TRP_TIMER:
      return on_timer(self, s, ((const struct trp_timer *)msg->body)->tag);
    case TRP_UP:
      trp_supervisor_news_engine(self, &s->news, (struct trp_ref){trp_msg_up(msg)->ref});
      return TRP_OK;
    case TRP_DOWN:
      trp_supervisor_news_engine(self, &s->news, TRP_NOBODY);
      return TRP_OK;
    case TRP_CHILD_COMMAND:
      return on_command(self, s, msg);
    default:
      return TRP_OK; /* not for a supervisor */
  }
}

/* Stopped alone it may end when its children have, or when all stop: then they end by themselves.
 */
static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct supervisor *s = state;
  if (s->holding && all_stop(self)) s->group.closing = false;
  enum trp_err err = handle(self, s, msg);
  if (err != TRP_OK || !s->holding) return err;
  if (s->group.closing && !trp_group_is_down(&s->group)) return TRP_OK;
  s->holding = s->group.closing = false;
  trp_stop_release(self);
  return TRP_OK;
}

/* The steps follow in a turn of their own, whose failure is a crash; the look that repeats is for a
 * stop of all meanwhile, in which children end without telling. */
static void stop(struct trp_self *self, void *state) {
  struct supervisor *s = state;
  if (all_stop(self)) return;
  trp_group_close(&s->group);
  if (trp_timer_start(self, 0, CLOSING_LOOK_NS, TAG_CLOSING, NULL) != TRP_OK) return; /* see end */
  s->holding = true;
  trp_stop_hold(self);
}

/* Where time or a crash cut its closing short, those that are left are told to stop all at once. */
static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  struct supervisor *s = state;
  if (s->group.closing) trp_group_abandon(self, &s->group);
  trp_supervisor_news_fini(&s->news);
  trp_group_fini(&s->group);
}

const struct trp_kind trp_supervisor_kind = {.name = "supervisor",
                                             .never_pooled = true,
                                             .state_bytes = sizeof(struct supervisor),
                                             .start = start,
                                             .receive = receive,
                                             .stop = stop,
                                             .end = end};
