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
#include "runtime/directory.h"
#include "runtime/door.h"
#include "runtime/process.h"
#include "runtime/sched.h"
#include "runtime/thread.h"

void trp_actor_set_state(struct trp_actor *a, enum trp_actor_state state) {
  atomic_store_explicit(&a->given_up, false, memory_order_relaxed); /* it moves after all */
  /* release: pairs with the acquire in trp_actor_state. */
  atomic_store_explicit(&a->state, (int)state, memory_order_release);
  if (a->spawned) return; /* they come and go by the million, and would displace all else */
  struct trp_flight_event event = {.at_ns = trp_env_now_ns(&a->system->env),
                                   .state = (uint16_t)state,
                                   .incarnation = a->self.incarnation};
  memcpy(event.system, a->system->name, sizeof event.system);
  memcpy(event.actor, a->name, sizeof event.actor);
  trp_flight_note(&event);
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
  if (a->spawned && what == 0) { /* nobody supervises what it does next: there is nothing next */
    trp_actor_set_state(a, state);
    return;
  }
  pthread_mutex_lock(&a->lock);
  a->report |= what;
  trp_actor_set_state(a, state);
  pthread_mutex_unlock(&a->lock);
}

/* Under the lock, where `alive` changes. */
static void list_alive(struct trp_actor *a) {
  struct trp_directory *directory = a->system->directory;
  if (directory == NULL) return;
  trp_directory_put(directory, a->index, a->alive ? trp_actor_ref(a, a->life) : TRP_NOBODY);
}

/* ---- beginning ---- */

static void reset(struct trp_actor *a, void *memory) {
  struct trp_self *self = &a->self;
  ASSERT(self->watches == NULL && self->asks == NULL && self->outbox.count == 0);
  self->actor = a;
  self->memory = memory;
  self->holds = 0;
  self->in_turn = self->exiting = self->alone = self->released = self->data_in_hand = false;
  self->traps = false;
  self->end_called = self->hands_full = false;
  pthread_mutex_lock(&a->lock);
  self->incarnation = ++a->life;
  a->alive = true;
  a->up = false;
  a->report &= ~(uint32_t)TRP_REPORT_NOTED;
  list_alive(a);
  pthread_mutex_unlock(&a->lock);
  trp_bonds_open(a);
}

/* A new incarnation of a supervisor learns again which children wait for its decision. */
static void report_children_again(struct trp_actor *a) {
  if (!atomic_load_explicit(&a->has_children, memory_order_relaxed)) return;
  struct trp_slots *slots = &a->system->slots;
  uint32_t count = atomic_load_explicit(&slots->count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) {
    struct trp_actor *child = trp_slots_at(slots, i);
    if (child->spawned || child->supervisor != a) continue;
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

bool trp_life_admit(struct trp_actor *a) {
  size_t bytes = trp_spec_of(a)->kind->state_bytes;
  void *memory = calloc(1, bytes > 0 ? bytes : 1);
  reset(a, memory);
  memset(&a->farewell, 0, sizeof a->farewell);
  trp_actor_set_state(a, TRP_ACTOR_STARTING);
  a->mailbox.ops->open(&a->mailbox, a->self.incarnation);
  a->self.admitted = true;
  /* Opening clears the gate's flags; a stop that shut it meanwhile has set `stopping` before. */
  if (atomic_load_explicit(&a->system->stopping, memory_order_seq_cst)) {
    trp_mailbox_shut(&a->mailbox);
  }
  return memory != NULL;
}

static enum trp_err run_start(struct trp_actor *a) {
  const struct trp_kind *kind = trp_spec_of(a)->kind;
  if (a->self.memory == NULL) return TRP_NO_MEMORY;
  if (kind->start == NULL) return TRP_OK;
  trp_turn_begin(a, TRP_FLIGHT_START);
  enum trp_err err = kind->start(&a->self, a->self.memory, a->args);
  trp_turn_end(a);
  return err;
}

void trp_life_begin(struct trp_actor *a) {
  if (!a->self.admitted) (void)trp_life_admit(a); /* without memory: run_start says so */
  a->self.admitted = false;
  enum trp_err err = run_start(a);
  if (err != TRP_OK) {
    trp_crash_note(a, TRP_CAUSE_START, err, trp_err_text(err), NULL);
    trp_life_crash(a);
    return;
  }
  atomic_store_explicit(&a->order_due_ns, 0, memory_order_relaxed); /* published by the state */
  trp_actor_set_state(a, TRP_ACTOR_RUNNING);
  if (a->spawned) { /* nobody waits for its handshake, and nobody could follow it before */
    if (a->anonymous) return;
    pthread_mutex_lock(&a->lock);
    a->up = true;
    pthread_mutex_unlock(&a->lock);
    trp_watch_announce(a);
    return;
  }
  announce_up(a);
  report_children_again(a);
  if (a->door != NULL) trp_door_resume(a->door);
  trp_coordinator_tell(a);
}

/* ---- ending ---- */

static void run_end(struct trp_actor *a, enum trp_end_reason reason) {
  if (trp_spec_of(a)->kind->end == NULL || a->self.memory == NULL || a->self.end_called) return;
  a->self.end_called = true; /* a thread that exits in end() comes by here again */
  struct trp_crash first;    /* a second failure must not hide it */
  if (reason == TRP_END_CRASHED) first = *a->crash;
  jmp_buf here, *outer = trp_turning.boundary;
  trp_turning.boundary = &here;
  if (setjmp(here) == 0) {
    trp_turn_begin(a, TRP_FLIGHT_END);
    trp_spec_of(a)->kind->end(&a->self, a->self.memory, reason);
    trp_turn_end(a);
  } else {
    trp_turn_end(a);
    a->farewell.cleanup_failed = true;
    trp_system_log(a->system, a->name, TRP_LOG_ERROR, "actor.cleanup_failed", "reason=\"%s\"",
                   a->crash->reason);
    pthread_mutex_lock(&a->lock);
    if (reason == TRP_END_CRASHED) *a->crash = first;
    pthread_mutex_unlock(&a->lock);
  }
  trp_turning.boundary = outer;
}

static void drop_in_hand(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  struct trp_letter *hand = &trp_turning.hand;
  if (hand->inline_bytes == TRP_LETTER_BLOB) trp_blob_release(hand->body.blob);
  hand->inline_bytes = 0;
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

static bool take_report(struct trp_actor *child, uint32_t what) {
  pthread_mutex_lock(&child->lock);
  bool set = (child->report & what) != 0;
  child->report &= ~what;
  pthread_mutex_unlock(&child->lock);
  return set;
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
    } else if (node->kind == TRP_NODE_CHILD && TRP_CHILD_OF_NODE(node)->spawned) {
      (void)take_report(TRP_CHILD_OF_NODE(node), TRP_REPORT_CRASHED); /* it is in the journal */
      trp_spawned_release(TRP_CHILD_OF_NODE(node));
    } else if (node->kind == TRP_NODE_BOND) {
      (void)trp_bond_read((struct trp_bond_end *)node, NULL, NULL); /* closed: it says nothing */
    }
  }
}

static void release(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  trp_held(a, TRP_RES_TIMER, -(int64_t)trp_timers_count(&self->timers, TRP_TIMER_USER));
  trp_timers_fini(&self->timers);
  while (self->watches != NULL) trp_watch_close(self->watches);
  release_asks(a);
  trp_bonds_close(a);
  trp_board_take_down(a);
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
  list_alive(a);
  for (struct trp_ask *ask = a->asked; ask != NULL; ask = ask->of_target_next) {
    trp_ask_fail(a->system, trp_ask_token(ask), TRP_DEAD);
  }
  bool watched = a->watchers != NULL; /* who comes later sees that it is over */
  pthread_mutex_unlock(&a->lock);
  /* After alive is false: see trp_edge_add, which looks at it after adding. */
  trp_graph_drop_dynamic(&a->system->graph, a->index);
  /* Who waits for room here learns that there will be none; who lists itself from now on is told
   * so by the closed gate. */
  if (trp_mailbox_room_is_wanted(&a->mailbox)) trp_outbox_made_room(a);
  if (watched) trp_watch_announce(a);
  trp_bonds_announce(a, reason, a->farewell.crashed);
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
  bool root = a->supervisor == NULL;
  bool stopping = atomic_load_explicit(&a->system->stopping, memory_order_seq_cst);
  farewell->crashed = reason == TRP_END_CRASHED;
  /* Nobody asks when a spawned one left that left in peace. */
  if (!a->spawned || stopping || farewell->crashed) {
    farewell->closed_ns = trp_env_now_ns(&a->system->env);
    atomic_store_explicit(&a->down_since_ns, farewell->closed_ns, memory_order_relaxed);
  }
  bool never_ran = trp_crash_cause(a) == TRP_CAUSE_START && a->self.incarnation == 1;
  bool gone = root || stopping || a->spawned || (reason == TRP_END_CRASHED && never_ran);
  /* Of a spawned one nobody has to decide anything: only its crash is told. */
  bool told = a->spawned ? reason == TRP_END_CRASHED : !gone || alone;
  if (a->spawned && told) trp_spawned_hold(a);
  announce_end(a, err);
  go_down(a, gone ? TRP_ACTOR_GONE : TRP_ACTOR_DOWN,
          !told                       ? 0
          : reason == TRP_END_CRASHED ? TRP_REPORT_CRASHED
                                      : TRP_REPORT_ENDED);
  if (root && !stopping && !never_ran)
    trp_system_root_died(a->system, a, reason == TRP_END_CRASHED);
  if (told) post_report(a);
  if (!a->spawned || stopping) trp_coordinator_tell(a);
}

/* The stop's pill came before its start: what it was sent is dead, and it has never lived. */
void trp_life_retract(struct trp_actor *a) {
  a->self.admitted = false;
  a->mailbox.ops->close(&a->mailbox);
  trp_mail_bury(a, TRP_LOST_DEADLINE);
  release(a);
  announce_end(a, TRP_STOPPED);
}

/* ---- crashing ---- */

/* Made at the first crash: most actors never need one. Without memory for it the crash is told all
 * the same, with details that another in the same need may overwrite. Under the lock. */
static struct trp_crash *crash_record(struct trp_actor *a) {
  if (a->crash == NULL) a->crash = calloc(1, sizeof *a->crash);
  if (a->crash == NULL) a->crash = &a->system->spare_crash;
  return a->crash;
}

void trp_crash_note(struct trp_actor *a, enum trp_crash_cause cause, enum trp_err error,
                    const char *reason, const struct trp_stack *stack) {
  pthread_mutex_lock(&a->lock);
  struct trp_crash *crash = crash_record(a);
  crash->cause = cause;
  crash->error = error;
  crash->signal = 0;
  crash->tid = atomic_load_explicit(&a->tid, memory_order_relaxed);
  snprintf(crash->reason, sizeof crash->reason, "%s", reason);
  if (stack != NULL) crash->stack = *stack;
  if (stack == NULL) trp_stack_capture(&crash->stack, 1);
  pthread_mutex_unlock(&a->lock);
}

void trp_life_crash_now(struct trp_actor *a, const struct trp_crash *crash) {
  ASSERT(a->self.in_turn);
  trp_crash_note(a, crash->cause, crash->error, crash->reason, &crash->stack);
  a->crash->signal = crash->signal;
  longjmp(*trp_turning.boundary, 1);
}

static void fill_crashed(struct trp_actor *a, struct trp_thread_crashed *body) {
  memset(body, 0, sizeof *body);
  struct trp_stack stack;
  pthread_mutex_lock(&a->lock);
  const struct trp_crash *crash = a->crash;
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
  if (a->process == NULL) trp_stack_text(&stack, body->stack, sizeof body->stack);
  if (a->process == NULL) return;
  snprintf(body->stack, sizeof body->stack, "%s", trp_process_stack_text(a->process));
}

void trp_life_crash(struct trp_actor *a) {
  if (a->self.in_turn) trp_turn_end(a);
  bool starting = trp_actor_state(a) == TRP_ACTOR_STARTING;
  if (starting) a->crash->cause = TRP_CAUSE_START;
  a->mailbox.ops->close(&a->mailbox); /* what is counted now as lost is all there will be */
  uint64_t in_link = a->process != NULL ? trp_process_in_link(a->process) : 0;
  a->crash->lost = a->mailbox.ops->depth(&a->mailbox) + in_link;
  struct trp_thread_crashed body;
  fill_crashed(a, &body);
  trp_system_log(a->system, a->name, TRP_LOG_ERROR, "thread.crashed",
                 "incarnation=%llu reason=\"%s\" lost=%llu stack=\"%s\"",
                 (unsigned long long)body.incarnation, body.reason, (unsigned long long)body.lost,
                 body.stack);
  trp_system_journal_put(a->system, a->name, TRP_THREAD_CRASHED, &body, sizeof body);
  trp_life_end(a, TRP_END_CRASHED, a->crash->error != TRP_OK ? a->crash->error : TRP_PANIC);
}

void trp_life_give_up(struct trp_actor *a, const char *stack) {
  struct trp_thread_crashed body = {.cause = TRP_CAUSE_STUCK, .error = TRP_TIMEOUT};
  atomic_store_explicit(&a->given_up, true, memory_order_relaxed);
  pthread_mutex_lock(&a->lock);
  body.ref = trp_actor_ref(a, a->life).bits;
  body.incarnation = a->life;
  pthread_mutex_unlock(&a->lock);
  body.tid = atomic_load_explicit(&a->tid, memory_order_relaxed);
  snprintf(body.name, sizeof body.name, "%s", a->name);
  snprintf(body.reason, sizeof body.reason, "its turn does not return: given up");
  if (stack != NULL) {
    snprintf(body.stack, sizeof body.stack, "%s", stack);
  } else {
    trp_system_stack(a->system, trp_actor_ref(a, 0), body.stack, sizeof body.stack);
  }
  trp_system_journal_put(a->system, a->name, TRP_THREAD_CRASHED, &body, sizeof body);
}

/* ---- reporting ---- */

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
    if (child->spawned) trp_spawned_release(child); /* before the turn, which may not return here */
    tell(supervisor, TRP_THREAD_CRASHED, &body, sizeof body);
  }
  if (take_report(child, TRP_REPORT_ENDED)) {
    struct trp_child_ended body = {.ref = trp_actor_ref(child, life).bits, .incarnation = life};
    snprintf(body.name, sizeof body.name, "%s", child->name);
    tell(supervisor, TRP_CHILD_ENDED, &body, sizeof body);
  }
}
