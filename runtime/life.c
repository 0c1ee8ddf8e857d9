/* life.c - an incarnation begins, ends, crashes; and who is told.
 *
 * The slot keeps door, loop, thread and account. Whatever the end, the order is the same: admission
 * closes, mail left becomes dead letters, the author's end() runs, what the incarnation held is
 * released, and only then do watchers, askers and supervisor hear of it: when they do, the old
 * incarnation is gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/actor.h"
#include "runtime/blob.h"
#include "runtime/check.h"
#include "runtime/door.h"
#include "runtime/sched.h"
#include "runtime/thread.h"

static void set_state(struct trp_actor *a, enum trp_actor_state state) {
  /* release: pairs with the acquire in trp_actor_state. */
  atomic_store_explicit(&a->state, (int)state, memory_order_release);
}

static void post_report(struct trp_actor *child) {
  if (child->supervisor != NULL) trp_actor_post(child->supervisor, &child->report_node);
}

static void report(struct trp_actor *child, uint32_t what) {
  pthread_mutex_lock(&child->lock);
  child->report |= what;
  pthread_mutex_unlock(&child->lock);
  post_report(child);
}

/* The state and what is told of it in one, so that a supervisor's new incarnation, which has those
 * that are down told again, hears of an end neither twice nor not at all. */
static void go_down(struct trp_actor *a, enum trp_actor_state state, uint32_t what) {
  atomic_store_explicit(&a->order_due_ns, 0, memory_order_relaxed);
  pthread_mutex_lock(&a->lock);
  a->report |= what;
  set_state(a, state);
  pthread_mutex_unlock(&a->lock);
}

/* ---- beginning ---- */

static void reset(struct trp_actor *a, void *memory) {
  struct trp_self *self = &a->self;
  ASSERT(self->watches == NULL && self->asks == NULL && self->outbox.count == 0);
  self->actor = a;
  self->memory = memory;
  self->holds = 0;
  self->in_turn = self->exiting = self->alone = self->released = self->data_in_hand = false;
  self->end_called = false;
  pthread_mutex_lock(&a->lock);
  self->incarnation = ++a->life;
  a->alive = true;
  a->up = false;
  pthread_mutex_unlock(&a->lock);
}

/* A new incarnation of a supervisor learns again which children wait for its decision. */
static void report_children_again(struct trp_actor *a) {
  struct trp_system *system = a->system;
  uint32_t count = atomic_load_explicit(&system->actor_count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) {
    struct trp_actor *child = system->actors[i];
    if (child->supervisor != a) continue;
    pthread_mutex_lock(&child->lock); /* see go_down */
    bool down = trp_actor_state(child) == TRP_ACTOR_DOWN;
    bool crashed = down && child->farewell.crashed;
    if (down) child->report |= crashed ? TRP_REPORT_CRASHED : TRP_REPORT_ENDED;
    pthread_mutex_unlock(&child->lock);
    if (down) post_report(child);
  }
}

static void announce_up(struct trp_actor *a) {
  pthread_mutex_lock(&a->lock);
  a->up = true;
  pthread_mutex_unlock(&a->lock);
  uint64_t since = atomic_load_explicit(&a->down_since_ns, memory_order_relaxed);
  if (a->self.incarnation > 1) {
    trp_count(&a->restarts, 1);
    struct trp_actor_restarted event = {
        .ref = trp_actor_ref(a, a->self.incarnation).bits,
        .incarnation = a->self.incarnation,
        .restarts = atomic_load_explicit(&a->restarts, memory_order_relaxed),
        .down_ns = trp_now_ns(&a->self) - since};
    snprintf(event.name, sizeof event.name, "%s", a->name);
    trp_system_journal_put(a->system, a->name, TRP_ACTOR_RESTARTED, &event, sizeof event);
    trp_system_log(a->system, a->name, TRP_LOG_INFO, "actor.restarted",
                   "incarnation=%llu down_us=%llu", (unsigned long long)a->self.incarnation,
                   (unsigned long long)(event.down_ns / 1000));
  }
  trp_watch_announce(a);
  report(a, TRP_REPORT_STARTED);
}

void trp_life_begin(struct trp_actor *a) {
  const struct trp_kind *kind = a->spec.kind;
  void *memory = calloc(1, kind->state_bytes > 0 ? kind->state_bytes : 1);
  reset(a, memory);
  memset(&a->farewell, 0, sizeof a->farewell);
  set_state(a, TRP_ACTOR_STARTING);
  a->mailbox.ops->open(&a->mailbox, a->self.incarnation);
  /* Opening clears the gate's flags; a stop that shut it meanwhile has set `stopping` before. */
  if (atomic_load_explicit(&a->system->stopping, memory_order_seq_cst)) {
    trp_mailbox_shut(&a->mailbox);
  }
  enum trp_err err = memory == NULL ? TRP_NO_MEMORY : TRP_OK;
  if (err == TRP_OK && kind->start != NULL) {
    trp_turn_begin(a);
    err = kind->start(&a->self, memory, a->spec.args);
    trp_turn_end(a);
  }
  if (err != TRP_OK) {
    a->crash.stack.depth = 0;
    trp_crash_note(a, TRP_CAUSE_START, err, trp_err_text(err));
    trp_life_crash(a);
    return;
  }
  atomic_store_explicit(&a->order_due_ns, 0, memory_order_relaxed); /* published by the state */
  set_state(a, TRP_ACTOR_RUNNING);
  announce_up(a);
  report_children_again(a);
  if (a->door != NULL) trp_door_resume(a->door);
  trp_coordinator_tell(a);
}

/* ---- ending ---- */

static void run_end(struct trp_actor *a, enum trp_end_reason reason) {
  if (a->spec.kind->end == NULL || a->self.memory == NULL || a->self.end_called) return;
  a->self.end_called = true;         /* a thread that exits in end() comes by here again */
  struct trp_crash first = a->crash; /* a second failure must not hide it */
  if (setjmp(a->self.boundary) != 0) {
    trp_turn_end(a);
    a->farewell.cleanup_failed = true;
    trp_system_log(a->system, a->name, TRP_LOG_ERROR, "actor.cleanup_failed", "reason=\"%s\"",
                   a->crash.reason);
    if (reason != TRP_END_CRASHED) return;
    pthread_mutex_lock(&a->lock);
    a->crash = first;
    pthread_mutex_unlock(&a->lock);
    return;
  }
  trp_turn_begin(a);
  a->spec.kind->end(&a->self, a->self.memory, reason);
  trp_turn_end(a);
}

static void drop_in_hand(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  if (self->hand.inline_bytes == TRP_LETTER_BLOB) trp_blob_release(self->hand.body.blob);
  self->hand.inline_bytes = 0;
  if (!self->data_in_hand) return;
  self->data_in_hand = false;
  const struct trp_letter *letter = a->mailbox.ops->peek(&a->mailbox);
  struct trp_letter copy;
  memcpy(&copy, letter, sizeof copy);
  a->mailbox.ops->pop(&a->mailbox);
  trp_count(&a->dead[TRP_LOST_IN_HAND], 1);
  trp_letter_release(a->system, &copy, TRP_DEAD);
}

static void release_asks(struct trp_actor *a) {
  while (a->self.asks != NULL) {
    struct trp_ask *ask = a->self.asks;
    trp_ask_forget(&a->self, ask);
    if (!trp_ask_abandon(&a->system->asks, ask)) trp_ask_wait_filled(ask);
  }
}

/* After watches are closed and asks forgotten, what is in the lane belongs to nobody but children,
 * whose reports wait in their own blocks. */
static void release_lane(struct trp_actor *a) {
  for (;;) {
    struct trp_node *node = a->self.taken != NULL ? a->self.taken : trp_lane_take(&a->lane);
    if (node == NULL) return;
    a->self.taken = node->next;
    trp_lane_unqueue(node);
    if (node->kind == TRP_NODE_ASK) {
      trp_ask_close(&a->system->asks, (struct trp_ask *)node);
    } else if (node->kind == TRP_NODE_WATCH) {
      free(node);
    }
  }
}

static void release(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  trp_held(a, TRP_RES_TIMER, -(int64_t)trp_timers_count(&self->timers, TRP_TIMER_USER));
  trp_timers_fini(&self->timers);
  while (self->watches != NULL) trp_watch_close(self->watches);
  release_asks(a);
  release_lane(a);
  trp_outbox_drop(a, TRP_REFUSED_STOPPED);
  free(self->memory);
  self->memory = NULL;
  self->holds = 0;
}

/* From here on the world may know. */
static void announce_end(struct trp_actor *a, enum trp_err reason) {
  pthread_mutex_lock(&a->lock);
  a->alive = a->up = false;
  a->last_reason = reason;
  for (struct trp_ask *ask = a->asked; ask != NULL; ask = ask->of_target_next) {
    trp_ask_fail(a->system, trp_ask_token(ask), TRP_DEAD);
  }
  pthread_mutex_unlock(&a->lock);
  /* After alive is false: see trp_edge_add, which looks at it after adding. */
  trp_graph_drop_dynamic(&a->system->graph, a->index);
  trp_outbox_made_room(a); /* who waits for room here learns that there will be none */
  trp_watch_announce(a);
}

void trp_life_end(struct trp_actor *a, enum trp_end_reason reason, enum trp_err err) {
  static const enum trp_loss loss_of[] = {[TRP_END_STOPPED] = TRP_LOST_DEADLINE,
                                          [TRP_END_EXITED] = TRP_LOST_EXIT,
                                          [TRP_END_CRASHED] = TRP_LOST_CRASH};
  struct trp_farewell *farewell = &a->farewell;
  bool alone = a->self.alone;
  a->mailbox.ops->close(&a->mailbox);
  drop_in_hand(a);
  uint64_t dead_before = atomic_load_explicit(&a->dead[loss_of[reason]], memory_order_relaxed);
  trp_mail_bury(a, loss_of[reason]);
  farewell->dropped =
      atomic_load_explicit(&a->dead[loss_of[reason]], memory_order_relaxed) - dead_before;
  if (farewell->asked_ns != 0) {
    farewell->drained = atomic_load_explicit(&a->handled, memory_order_relaxed) - farewell->drained;
  }
  run_end(a, reason);
  release(a);
  farewell->closed_ns = trp_env_now_ns(&a->system->env);
  farewell->crashed = reason == TRP_END_CRASHED;
  atomic_store_explicit(&a->down_since_ns, farewell->closed_ns, memory_order_relaxed);

  bool root = a->supervisor == NULL;
  bool stopping = atomic_load_explicit(&a->system->stopping, memory_order_seq_cst);
  bool never_ran = a->crash.cause == TRP_CAUSE_START && a->self.incarnation == 1;
  bool gone = root || stopping || (reason == TRP_END_CRASHED && never_ran);
  bool told = !gone || alone;
  announce_end(a, err);
  go_down(a, gone ? TRP_ACTOR_GONE : TRP_ACTOR_DOWN,
          !told                       ? 0
          : reason == TRP_END_CRASHED ? TRP_REPORT_CRASHED
                                      : TRP_REPORT_ENDED);
  if (root && !stopping && !never_ran)
    trp_system_root_died(a->system, a, reason == TRP_END_CRASHED);
  if (told) post_report(a);
  trp_coordinator_tell(a);
}

/* ---- crashing ---- */

void trp_crash_note(struct trp_actor *a, enum trp_crash_cause cause, enum trp_err error,
                    const char *reason) {
  pthread_mutex_lock(&a->lock);
  a->crash.cause = cause;
  a->crash.error = error;
  a->crash.signal = 0;
  a->crash.tid = atomic_load_explicit(&a->tid, memory_order_relaxed);
  if (reason != a->crash.reason) {
    snprintf(a->crash.reason, sizeof a->crash.reason, "%s", reason);
  }
  if (a->crash.stack.depth == 0) trp_stack_capture(&a->crash.stack, 1);
  pthread_mutex_unlock(&a->lock);
}

static void fill_crashed(struct trp_actor *a, struct trp_thread_crashed *body) {
  memset(body, 0, sizeof *body);
  struct trp_stack stack;
  pthread_mutex_lock(&a->lock);
  const struct trp_crash *crash = &a->crash;
  body->ref = trp_actor_ref(a, a->life).bits;
  body->incarnation = a->life;
  body->lost = crash->lost;
  body->tid = crash->tid;
  body->cause = (uint32_t)crash->cause;
  body->signal = crash->signal;
  body->error = (uint32_t)crash->error;
  snprintf(body->reason, sizeof body->reason, "%s", crash->reason);
  stack = crash->stack;
  pthread_mutex_unlock(&a->lock);
  snprintf(body->name, sizeof body->name, "%s", a->name);
  trp_stack_text(&stack, body->stack, sizeof body->stack);
}

void trp_life_crash(struct trp_actor *a) {
  if (a->self.in_turn) trp_turn_end(a);
  bool starting = trp_actor_state(a) == TRP_ACTOR_STARTING;
  if (starting) a->crash.cause = TRP_CAUSE_START;
  a->mailbox.ops->close(&a->mailbox); /* what is counted now as lost is all there will be */
  a->crash.lost = a->mailbox.ops->depth(&a->mailbox);
  struct trp_thread_crashed body;
  fill_crashed(a, &body);
  trp_system_log(a->system, a->name, TRP_LOG_ERROR, "thread.crashed",
                 "incarnation=%llu reason=\"%s\" lost=%llu stack=\"%s\"",
                 (unsigned long long)body.incarnation, body.reason, (unsigned long long)body.lost,
                 body.stack);
  trp_system_journal_put(a->system, a->name, TRP_THREAD_CRASHED, &body, sizeof body);
  trp_life_end(a, TRP_END_CRASHED, a->crash.error != TRP_OK ? a->crash.error : TRP_PANIC);
}

/* ---- reporting ---- */

static bool take_report(struct trp_actor *child, uint32_t what) {
  pthread_mutex_lock(&child->lock);
  bool set = (child->report & what) != 0;
  child->report &= ~what;
  pthread_mutex_unlock(&child->lock);
  return set;
}

static void tell(struct trp_actor *supervisor, uint16_t type, const void *body, size_t bytes) {
  struct trp_msg msg = {.type = type, .bytes = (uint32_t)bytes, .body = body};
  trp_turn_deliver(supervisor, &msg);
}

void trp_life_report(struct trp_actor *supervisor, struct trp_actor *child) {
  pthread_mutex_lock(&child->lock);
  uint64_t life = child->life;
  pthread_mutex_unlock(&child->lock);
  /* Each bit is taken just before its message, so that a crash of the supervisor in one turn does
   * not lose the next. */
  if (take_report(child, TRP_REPORT_STARTED)) {
    struct trp_child_started body = {
        .ref = trp_actor_ref(child, life).bits,
        .incarnation = life,
        .restarts = atomic_load_explicit(&child->restarts, memory_order_relaxed)};
    snprintf(body.name, sizeof body.name, "%s", child->name);
    tell(supervisor, TRP_CHILD_STARTED, &body, sizeof body);
  }
  if (take_report(child, TRP_REPORT_CRASHED)) {
    struct trp_thread_crashed body;
    fill_crashed(child, &body);
    tell(supervisor, TRP_THREAD_CRASHED, &body, sizeof body);
  }
  if (take_report(child, TRP_REPORT_ENDED)) {
    struct trp_child_ended body = {.ref = trp_actor_ref(child, life).bits, .incarnation = life};
    snprintf(body.name, sizeof body.name, "%s", child->name);
    tell(supervisor, TRP_CHILD_ENDED, &body, sizeof body);
  }
}
