/* turn.c - what an actor does when it runs: signals first, then the control lane, timers, news of
 * the loop, the outbox, and last a batch of mail; then, when stopping, it tries to close.
 *
 * The order is the promise that control never waits behind data. A panic unwinds to the boundary
 * set in trp_actor_step, never through the runtime's own half-done work: a turn is entered and left
 * around the author's function alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/actor.h"
#include "runtime/blob.h"
#include "runtime/check.h"
#include "runtime/fault.h"
#include "runtime/host.h"
#include "runtime/process.h"
#include "runtime/sched.h"

enum { BATCH = 64 };

_Thread_local struct trp_turning trp_turning;

void trp_actor_nudge(struct trp_actor *a) {
  /* Both are read-modify-writes on what the sleeper exchanges before it looks again: see park. */
  if (trp_actor_unpark(a)) a->system->sched->ops->wake(a->system->sched, a);
}

void trp_actor_signal(struct trp_actor *a, uint32_t bits) {
  /* release: what was written before is seen by the step that takes the bit. */
  atomic_fetch_or_explicit(&a->signals, bits, memory_order_release);
  trp_actor_nudge(a);
}

void trp_actor_post(struct trp_actor *a, struct trp_node *node) {
  if (trp_lane_post(&a->lane, node)) trp_actor_nudge(a);
}

void trp_turn_begin(struct trp_actor *a, uint16_t what) {
  a->self.in_turn = true;
  trp_flight_turn(&a->recent, atomic_load_explicit(&a->turns, memory_order_relaxed) / 2, what);
  trp_count(&a->turns, 1);
}

void trp_turn_end(struct trp_actor *a) {
  if (trp_turning.stage.count > 0) trp_stage_flush(a);
  trp_count(&a->turns, 1);
  a->self.in_turn = false;
}

/* An error returned by the author's function is a crash, like a panic without the unwinding. */
static void after_turn(struct trp_actor *a, enum trp_err err) {
  trp_turn_end(a);
  if (err == TRP_OK) return;
  trp_crash_note(a, TRP_CAUSE_ERROR, err, trp_err_text(err), NULL);
  longjmp(*trp_turning.boundary, 1);
}

void trp_turn_deliver(struct trp_actor *a, const struct trp_msg *msg) {
  if (a->self.exiting) return; /* the turn that called trp_exit was the last */
  trp_turn_begin(a, msg->type);
  bool acted = false;
  /* A fault is acted out where the actor is. */
  enum trp_err err = a->process != NULL ? TRP_OK : trp_fault_act(a, msg, &acted);
  if (!acted) err = trp_spec_of(a)->kind->receive(&a->self, a->self.memory, msg);
  after_turn(a, err);
}

static bool ended(const struct trp_actor *a) {
  enum trp_actor_state state = trp_actor_state(a);
  return state != TRP_ACTOR_RUNNING && state != TRP_ACTOR_DRAINING;
}

static bool take_todo(struct trp_actor *a, uint32_t bit) {
  if ((a->self.todo & bit) == 0) return false;
  a->self.todo &= ~bit;
  return true;
}

/* ---- control ---- */

static void deliver_watch(struct trp_actor *a, struct trp_watch *watch) {
  if (watch->closed) {
    free(watch);
    return;
  }
  uint64_t id = watch->id;
  bool is_up;
  struct trp_down down;
  struct trp_up up;
  while (trp_watch_read(watch, &is_up, &down, &up)) {
    struct trp_msg msg = {.type = is_up ? TRP_UP : TRP_DOWN,
                          .bytes = is_up ? sizeof up : sizeof down,
                          .body = is_up ? (const void *)&up : (const void *)&down};
    trp_turn_deliver(a, &msg);
    /* The author may have ended the watch in that turn. */
    for (watch = a->self.watches; watch != NULL && watch->id != id;) watch = watch->mine_next;
    if (watch == NULL) return;
  }
}

static bool is_mine(const struct trp_self *self, const struct trp_ask *ask) {
  for (const struct trp_ask *a = self->asks; a != NULL; a = a->mine_next) {
    if (a == ask) return true;
  }
  return false;
}

static void deliver_answer(struct trp_actor *a, struct trp_ask *ask) {
  struct trp_self *self = &a->self;
  bool wanted = is_mine(self, ask);
  struct trp_asks *asks = &a->system->asks;
  if (!wanted) { /* cancelled while the answer was on its way */
    trp_ask_close(asks, ask);
    return;
  }
  uint64_t token = trp_ask_token(ask);
  trp_ask_forget(self, ask);
  trp_ask_wait_filled(ask);
  struct trp_letter *hand = &trp_turning.hand;
  memcpy(hand, &ask->answer, sizeof *hand);
  ask->answer.inline_bytes = 0; /* the blob is in hand now */
  trp_ask_close(asks, ask);
  struct trp_msg msg;
  trp_letter_open(hand, &msg);
  msg.correlation = token;
  trp_turn_deliver(a, &msg);
  if (hand->inline_bytes == TRP_LETTER_BLOB) trp_blob_release(hand->body.blob);
  hand->inline_bytes = 0;
}

/* Who is tied to one that crashed crashes with it, unless it traps, or is ending anyway: then its
 * mail is drained as ever. */
static void deliver_bond(struct trp_actor *a, struct trp_bond_end *end) {
  struct trp_down down;
  bool crashed;
  if (!trp_bond_read(end, &down, &crashed)) return;
  if (a->self.traps) {
    struct trp_msg msg = {.type = TRP_DOWN, .bytes = sizeof down, .body = &down};
    trp_turn_deliver(a, &msg);
  }
  if (a->self.traps || !crashed || a->self.exiting || trp_self_stopping(&a->self)) return;
  char reason[sizeof a->crash->reason];
  snprintf(reason, sizeof reason, "linked to %s, incarnation %llu, which died: %s", down.name,
           (unsigned long long)down.incarnation, trp_err_text((enum trp_err)down.reason));
  trp_crash_note(a, TRP_CAUSE_LINK, (enum trp_err)down.reason, reason, NULL);
  longjmp(*trp_turning.boundary, 1);
}

static void deliver_node(struct trp_actor *a, struct trp_node *node) {
  trp_lane_unqueue(node);
  switch (node->kind) {
    case TRP_NODE_WATCH:
      deliver_watch(a, (struct trp_watch *)node);
      break;
    case TRP_NODE_ASK:
      deliver_answer(a, (struct trp_ask *)node);
      break;
    case TRP_NODE_CHILD:
      trp_life_report(a, TRP_CHILD_OF_NODE(node));
      break;
    case TRP_NODE_BOND:
      deliver_bond(a, (struct trp_bond_end *)node);
      break;
    case TRP_NODE_NEWS:
      trp_host_deliver(a, node);
      break;
    case TRP_NODE_NOTICE:
      ASSERT(false);
      break;
  }
}

static void run_lane(struct trp_actor *a) {
  if (a->self.taken == NULL && !trp_lane_is_empty(&a->lane)) {
    a->self.taken = trp_lane_take(&a->lane);
  }
  while (a->self.taken != NULL && !ended(a)) {
    struct trp_node *node = a->self.taken;
    a->self.taken = node->next; /* kept in the block: a panic must not lose the rest */
    deliver_node(a, node);
  }
}

/* An actor that stops waits for its answers, but not until it is cut short for it: after a quarter
 * of the time it has they fail, and those asked later after a quarter of the rest. */
static void limit_asks(struct trp_actor *a) {
  uint64_t soft = trp_stop_deadline_ns(&a->self), now = trp_now_ns(&a->self);
  if (soft == TRP_FOREVER || soft < now + TRP_NS_PER_MS) return;
  struct trp_timer_entry entry = {.due_ns = now + (soft - now) / 4, .kind = TRP_TIMER_ASKS};
  (void)!trp_timers_add(&a->self.timers, entry, NULL); /* without it the deadline itself remains */
}

static void give_up_asks(struct trp_actor *a) {
  for (struct trp_ask *ask = a->self.asks; ask != NULL; ask = ask->mine_next) {
    trp_ask_fail(a->system, trp_ask_token(ask), TRP_STOPPED);
  }
  limit_asks(a);
}

static void run_timers(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  if (self->timers.count == 0) return;
  uint64_t now = trp_now_ns(self);
  struct trp_timer_entry due;
  for (int i = 0; i < BATCH && trp_timers_take_due(&self->timers, now, &due); i++) {
    if (due.kind == TRP_TIMER_ASK) trp_ask_fail(a->system, due.tag, TRP_TIMEOUT);
    if (due.kind == TRP_TIMER_CUT) trp_actor_signal(a, TRP_SIGNAL_CUT);
    if (due.kind == TRP_TIMER_ASKS) give_up_asks(a);
    if (due.kind != TRP_TIMER_USER) continue;
    struct trp_timer body = {.id = due.id, .tag = due.tag};
    struct trp_msg msg = {.type = TRP_TIMER, .bytes = sizeof body, .body = &body};
    if (due.period_ns == 0) trp_held(a, TRP_RES_TIMER, -1);
    trp_turn_deliver(a, &msg);
  }
}

static void run_ready(struct trp_actor *a) {
  if (!take_todo(a, TRP_SIGNAL_READY) || trp_spec_of(a)->kind->ready == NULL || a->self.exiting)
    return;
  trp_turn_begin(a, TRP_FLIGHT_READY);
  after_turn(a, trp_spec_of(a)->kind->ready(&a->self, a->self.memory));
}

/* ---- data ---- */

static bool has_control(struct trp_actor *a) {
  return atomic_load_explicit(&a->signals, memory_order_relaxed) != 0 ||
         !trp_lane_is_empty(&a->lane);
}

/* Once half the room is free: who waits then sends a good many before it has to wait again. Before
 * it sleeps the mailbox is empty, so nobody waits in vain. */
static void tell_of_room(struct trp_actor *a) {
  uint64_t capacity = atomic_load_explicit(&a->mailbox.mask, memory_order_relaxed) + UINT64_C(1);
  if (a->mailbox.ops->depth(&a->mailbox) <= capacity / 2) trp_outbox_made_room(a);
}

/* True where it found the mailbox empty: what comes after that look is seen by park. */
static bool run_mail(struct trp_actor *a) {
  bool empty = false;
  struct trp_mailbox *mailbox = &a->mailbox;
  int taken = 0;
  while (taken < BATCH && !a->self.exiting && a->self.outbox.count == 0 && !a->self.hands_full) {
    const struct trp_letter *letter = mailbox->ops->peek(mailbox);
    empty = letter == NULL;
    if (empty) break;
    taken++;
    struct trp_msg msg;
    trp_letter_open(letter, &msg);
    if (letter->flags & TRP_LETTER_FAR)
      trp_host_open(a->system->host, &msg);
    else if (msg.token != 0)
      msg.from = trp_ask_asker(&a->system->asks, msg.token);
    a->self.data_in_hand = true;
    trp_turn_deliver(a, &msg);
    a->self.data_in_hand = false;
    if (letter->inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letter->body.blob);
    mailbox->ops->pop(mailbox);
    if (a->process == NULL) trp_count(&a->handled, 1);
    if (a->process != NULL) trp_process_handed_over(a->process);
    if (has_control(a)) break;
  }
  if (trp_mailbox_room_is_wanted(mailbox)) tell_of_room(a);
  return empty;
}

/* ---- stopping ---- */

static void take_pill(struct trp_actor *a) {
  if (trp_actor_state(a) != TRP_ACTOR_RUNNING) return;
  a->farewell.asked_ns = trp_now_ns(&a->self);
  a->farewell.drained = atomic_load_explicit(&a->handled, memory_order_relaxed);
  trp_actor_set_state(a, TRP_ACTOR_DRAINING);
  trp_held(a, TRP_RES_TIMER, -(int64_t)trp_timers_count(&a->self.timers, TRP_TIMER_USER));
  trp_timers_remove_user(&a->self.timers);
  limit_asks(a);
  if (trp_spec_of(a)->kind->stop == NULL) return;
  trp_turn_begin(a, TRP_FLIGHT_STOP);
  trp_spec_of(a)->kind->stop(&a->self, a->self.memory);
  trp_turn_end(a);
}

/* No coordinator stands behind a stop of one actor alone: a timer of its own cuts it short. */
static void stop_alone(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  self->alone = self->released = true;
  a->mailbox.ops->close(&a->mailbox);
  struct trp_timer_entry entry = {
      .due_ns = trp_now_ns(self) + trp_spec_of(a)->budget_ms * TRP_NS_PER_MS,
      .kind = TRP_TIMER_CUT};
  if (!atomic_load_explicit(&a->system->stopping, memory_order_acquire)) {
    atomic_store_explicit(&a->stop_soft_ns, entry.due_ns, memory_order_relaxed);
  }
  if (trp_timers_add(&self->timers, entry, NULL) != TRP_OK) trp_actor_signal(a, TRP_SIGNAL_CUT);
  take_pill(a);
}

static void run_signals(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  /* A look first: the exchange costs more than all the rest of a short step. What is set after the
   * look is seen by park. acquire: pairs with the release in trp_actor_signal. */
  if (atomic_load_explicit(&a->signals, memory_order_relaxed) != 0) {
    self->todo |= atomic_exchange_explicit(&a->signals, 0, memory_order_acquire);
  }
  if (self->todo == 0) return;
  if (take_todo(a, TRP_SIGNAL_TIDY)) a->mailbox.tidy = true;
  if (take_todo(a, TRP_SIGNAL_CUT)) {
    take_pill(a);
    a->farewell.cut = true;
    trp_life_end(a, TRP_END_STOPPED, TRP_STOPPED);
    return;
  }
  if (take_todo(a, TRP_SIGNAL_ALONE)) stop_alone(a);
  if (take_todo(a, TRP_SIGNAL_PILL)) take_pill(a);
  if (take_todo(a, TRP_SIGNAL_RELEASE)) self->released = true;
  self->todo &= TRP_SIGNAL_READY; /* ROOM has done its work by waking; START is too late */
}

/* What this actor still owes: nothing, before it may close. The coordinator reads it for cycles. */
static uint64_t debts(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  uint64_t owed =
      (uint64_t)self->outbox.count + self->holds + (self->asks != NULL) + (self->taken != NULL);
  if (a->process != NULL) owed += trp_process_in_link(a->process);
  atomic_store_explicit(&a->debts, owed, memory_order_release);
  return owed;
}

static bool try_close(struct trp_actor *a) {
  struct trp_mailbox *mailbox = &a->mailbox;
  if (a->self.exiting) {
    trp_life_end(a, TRP_END_EXITED, TRP_OK);
    return true;
  }
  if (debts(a) > 0 || trp_actor_state(a) != TRP_ACTOR_DRAINING || !a->self.released) return false;
  bool empty =
      a->self.alone ? mailbox->ops->drained(mailbox) : mailbox->ops->close_if_empty(mailbox);
  if (!empty) return false;
  trp_life_end(a, TRP_END_STOPPED, TRP_OK);
  return true;
}

/* ---- the step ---- */

static enum trp_step step_between_lives(struct trp_actor *a) {
  struct trp_self *self = &a->self;
  self->todo |= atomic_exchange_explicit(&a->signals, 0, memory_order_acquire);
  if (take_todo(a, TRP_SIGNAL_LEAVE)) return TRP_STEP_LEAVE;
  if (trp_actor_state(a) == TRP_ACTOR_GONE) return a->spawned ? TRP_STEP_LEAVE : TRP_STEP_IDLE;
  /* A CUT may also be left over from a stop alone that ended in the very step of its deadline. */
  bool all_stop = atomic_load_explicit(&a->system->stopping, memory_order_acquire);
  if (all_stop && self->todo & (TRP_SIGNAL_PILL | TRP_SIGNAL_CUT)) {
    self->todo = 0;
    if (self->admitted) trp_life_retract(a);
    atomic_store_explicit(&a->state, TRP_ACTOR_GONE, memory_order_release);
    trp_coordinator_tell(a);
    return TRP_STEP_MORE;
  }
  bool start = take_todo(a, TRP_SIGNAL_START);
  self->todo &= TRP_SIGNAL_READY; /* the rest was meant for a life that is over */
  if (!start) return TRP_STEP_IDLE;
  trp_life_begin(a);
  return TRP_STEP_MORE;
}

enum trp_step trp_actor_step(struct trp_actor *a) {
  jmp_buf boundary;
  trp_turn_enter(a);
  trp_turning.boundary = &boundary;
  if (setjmp(boundary) != 0) { /* a panic, or an error, unwound to here */
    trp_life_crash(a);
    return TRP_STEP_MORE;
  }
  return trp_actor_step_within(a);
}

enum trp_step trp_actor_step_within(struct trp_actor *a) {
  if (ended(a)) return step_between_lives(a);
  run_signals(a);
  if (!ended(a)) run_lane(a);
  if (!ended(a)) run_timers(a);
  if (!ended(a)) run_ready(a);
  if (ended(a)) return TRP_STEP_MORE;
  bool blocked = a->self.outbox.count > 0 && !trp_outbox_flush(a);
  bool empty = !blocked && run_mail(a);
  if (a->self.outbox.count > 0) blocked = !trp_outbox_flush(a);
  if (a->system->host != NULL) trp_host_after_step(a, debts(a));
  if (try_close(a)) return TRP_STEP_MORE;
  blocked = blocked || a->self.hands_full;
  if (a->self.todo != 0 || a->self.taken != NULL || has_control(a)) return TRP_STEP_MORE;
  if (blocked || empty) return TRP_STEP_IDLE;
  return a->mailbox.ops->peek(&a->mailbox) != NULL ? TRP_STEP_MORE : TRP_STEP_IDLE;
}

bool trp_actor_park(struct trp_actor *a) {
  bool over = ended(a), blocked = a->self.outbox.count > 0 || a->self.hands_full || over;
  if (blocked) {
    atomic_exchange_explicit(&a->dozing, true, memory_order_acq_rel);
  } else if (!a->mailbox.ops->park(&a->mailbox)) {
    return false;
  }
  /* Between lives nobody reads the lane: what is in it waits for the next one, which a signal
   * begins. To stay awake for it would burn the processor for as long as a supervisor is down. */
  bool news = over ? atomic_load_explicit(&a->signals, memory_order_relaxed) != 0 : has_control(a);
  if (!news) return true;
  /* Where the mark has gone meanwhile, who took it away lets the actor run. */
  return blocked ? !atomic_exchange_explicit(&a->dozing, false, memory_order_acq_rel)
                 : !trp_mailbox_unpark(&a->mailbox);
}

bool trp_actor_unpark(struct trp_actor *a) {
  bool parked = trp_mailbox_unpark(&a->mailbox);
  return atomic_exchange_explicit(&a->dozing, false, memory_order_acq_rel) || parked;
}

uint64_t trp_actor_due_ns(struct trp_actor *a) { return trp_timers_next_ns(&a->self.timers); }
