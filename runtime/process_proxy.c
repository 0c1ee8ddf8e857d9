/* process_proxy.c - the kind that stands in a slot for an actor in a process: it forwards what
 * comes, does what the actor asks for in the slot's name, and dies of its death.
 *
 * Letters: so many may be with the process; each is acknowledged after its turn. What has not been
 * when the process dies is dead(link), apart from what its counter in the page says was handled.
 * Waiting inside a turn is bounded, and only at the two ends of a life: for the process to start,
 * and for it to end. Frames are taken while it waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "runtime/deadline.h"
#include "runtime/process_slot.h"
#include "runtime/system.h"

enum { PAIRINGS_MAX = 1 << 16 };

static struct trp_process *of(struct trp_self *self) { return self->actor->process; }

/* ---- pairings ---- */

static bool pair(struct trp_process *p, struct trp_pairing **list, uint64_t here, uint64_t there) {
  if (p->pairings == PAIRINGS_MAX) return false;
  struct trp_pairing *pairing = malloc(sizeof *pairing);
  if (pairing == NULL) return false;
  *pairing = (struct trp_pairing){.next = *list, .here = here, .there = there};
  *list = pairing;
  p->pairings++;
  return true;
}

static void unpair(struct trp_process *p, struct trp_pairing **at) {
  struct trp_pairing *pairing = *at;
  *at = pairing->next;
  free(pairing);
  p->pairings--;
}

static struct trp_pairing **by_here(struct trp_pairing **list, uint64_t here) {
  while (*list != NULL && (*list)->here != here) list = &(*list)->next;
  return list;
}

static struct trp_pairing **by_there(struct trp_pairing **list, uint64_t there) {
  while (*list != NULL && (*list)->there != there) list = &(*list)->next;
  return list;
}

/* ---- dying ---- */

static void crash(struct trp_process *p, struct trp_crash *why) {
  if (why->error == TRP_OK) why->error = TRP_PROCESS_DIED;
  trp_life_crash_now(p->actor, why);
}

/* It died, and had not said so before. */
static void crash_of_death(struct trp_process *p) {
  struct trp_crash why = {.cause = TRP_CAUSE_SIGNAL};
  if (p->stuck) {
    why.cause = TRP_CAUSE_STUCK;
  } else {
    trp_process_copy_stack(p);
  }
  if (p->status < 0 || WIFEXITED(p->status)) why.cause = TRP_CAUSE_EXIT;
  if (p->status >= 0 && WIFSIGNALED(p->status)) why.signal = WTERMSIG(p->status);
  trp_process_obituary(p, why.reason, sizeof why.reason);
  crash(p, &why);
}

/* Its life ended over there, and the record of it is in the page. */
static void end_as_it_did(struct trp_process *p) {
  const struct trp_crash *record = &p->page->crash;
  if (!p->page->actor.farewell.crashed) {
    trp_exit(&p->actor->self);
    return;
  }
  struct trp_crash why = {.cause = record->cause, .error = record->error};
  memcpy(why.reason, record->reason, sizeof why.reason);
  why.reason[sizeof why.reason - 1] = '\0';
  trp_process_copy_stack(p);
  crash(p, &why);
}

static void fail(struct trp_process *p, const char *reason) {
  struct trp_crash why = {.cause = TRP_CAUSE_START};
  snprintf(why.reason, sizeof why.reason, "%s", reason);
  crash(p, &why);
}

/* ---- frames that come ---- */

static void settle(struct trp_process *p, uint64_t handled) {
  uint64_t there = trp_process_in_link(p);
  uint64_t n = handled > p->handled ? handled - p->handled : 0;
  if (n > there) n = there; /* whoever says so writes astray */
  p->handled += n;
  atomic_store_explicit(&p->in_link, there - n, memory_order_release);
  trp_count(&p->actor->handled, n);
}

static void hold(struct trp_self *self, bool *held, bool wanted) {
  if (wanted && !*held) trp_stop_hold(self);
  if (!wanted && *held) trp_stop_release(self);
  *held = wanted;
}

static void take_status(struct trp_self *self, const struct trp_frame_head *head) {
  struct trp_process *p = of(self);
  hold(self, &p->owing, head->b != 0);
  if (head->c != 0) hold(self, &p->pill_pending, false);
  settle(p, head->a);
}

static void answer(struct trp_process *p, uint64_t token, const struct trp_msg *msg) {
  struct trp_frame_head head = {.kind = TRP_FRAME_ANSWER,
                                .type = msg->type,
                                .bytes = msg->bytes,
                                .a = token,
                                .b = msg->from.bits};
  (void)trp_link_send(p->link, &head, msg->body, true);
}

static void refuse_ask(struct trp_process *p, uint64_t token, enum trp_err err) {
  struct trp_ask_failed failed = {.status = (uint32_t)err};
  answer(p, token,
         &(struct trp_msg){.type = TRP_ASK_FAILED, .bytes = sizeof failed, .body = &failed});
}

static void do_ask(struct trp_self *self, const struct trp_frame *frame) {
  struct trp_process *p = of(self);
  const struct trp_frame_head *head = &frame->head;
  uint64_t correlation = 0;
  enum trp_err err = trp_ask(self, (struct trp_ref){head->a}, head->type, frame->body, head->bytes,
                             head->c, &correlation);
  if (err == TRP_OK && !pair(p, &p->asks, correlation, head->b)) {
    trp_ask_cancel(self, correlation);
    err = TRP_LIMIT;
  }
  if (err != TRP_OK) refuse_ask(p, head->b, err);
}

static void do_cancel(struct trp_self *self, uint64_t token) {
  struct trp_process *p = of(self);
  struct trp_pairing **at = by_there(&p->asks, token);
  if (*at == NULL) return;
  trp_ask_cancel(self, (*at)->here);
  unpair(p, at);
}

static void do_watch(struct trp_self *self, const struct trp_frame *frame) {
  struct trp_process *p = of(self);
  char name[TRP_NAME_MAX + 1];
  uint64_t id = 0;
  snprintf(name, sizeof name, "%.*s",
           (int)(frame->head.bytes <= TRP_NAME_MAX ? frame->head.bytes : TRP_NAME_MAX),
           (const char *)frame->body);
  enum trp_err err = frame->head.kind == TRP_FRAME_WATCH
                         ? trp_watch(self, name, &id)
                         : trp_monitor(self, (struct trp_ref){frame->head.b}, &id);
  if (err == TRP_OK && !pair(p, &p->watches, id, frame->head.a)) trp_demonitor(self, id);
}

static void do_demonitor(struct trp_self *self, uint64_t id) {
  struct trp_process *p = of(self);
  struct trp_pairing **at = by_there(&p->watches, id);
  if (*at == NULL) return;
  trp_demonitor(self, (*at)->here);
  unpair(p, at);
}

static void do_log(struct trp_self *self, const struct trp_frame *frame) {
  const char *event = frame->body;
  size_t bytes = frame->head.bytes, event_bytes = strnlen(event, bytes) + 1;
  if (event_bytes >= bytes || frame->head.a >= TRP_LOG_NONE) return;
  trp_log(self, (enum trp_log_level)frame->head.a, event, "%.*s", (int)(bytes - event_bytes),
          event + event_bytes);
}

static void do_stop(struct trp_self *self, const struct trp_frame *frame) {
  char reason[160];
  snprintf(reason, sizeof reason, "%.*s",
           (int)(frame->head.bytes < sizeof reason ? frame->head.bytes : sizeof reason),
           frame->head.bytes > 0 ? (const char *)frame->body : "");
  const char *given = reason[0] != '\0' ? reason : NULL;
  if (frame->head.a != 0) trp_system_stop_now(trp_self_system(self), given);
  if (frame->head.a == 0) trp_system_stop(trp_self_system(self), given);
}

/* What it does to others; an error is counted where it arose, at the receiver. */
static void do_call(struct trp_self *self, const struct trp_frame *frame) {
  const struct trp_frame_head *head = &frame->head;
  struct trp_ref first = {head->a}, second = {head->b};
  const void *body = head->bytes > 0 ? frame->body : NULL;
  switch (head->kind) {
    case TRP_FRAME_SEND:
      (void)!trp_send(self, first, head->type, body, head->bytes);
      break;
    case TRP_FRAME_ASK:
      do_ask(self, frame);
      break;
    case TRP_FRAME_CANCEL:
      do_cancel(self, head->a);
      break;
    case TRP_FRAME_REPLY:
      (void)trp_reply(self, head->a, head->type, body, head->bytes);
      break;
    case TRP_FRAME_WATCH:
    case TRP_FRAME_MONITOR:
      do_watch(self, frame);
      break;
    case TRP_FRAME_DEMONITOR:
      do_demonitor(self, head->a);
      break;
    case TRP_FRAME_EDGE_ADD:
      (void)trp_edge_add(self, first, second);
      break;
    case TRP_FRAME_EDGE_REMOVE:
      trp_edge_remove(self, first, second);
      break;
    case TRP_FRAME_LOG:
      if (head->bytes > 0) do_log(self, frame);
      break;
    case TRP_FRAME_JOURNAL:
      if (head->bytes <= TRP_BODY_MAX) trp_journal(self, head->type, body, head->bytes);
      break;
    case TRP_FRAME_STOP:
      do_stop(self, frame);
      break;
    default:
      break;
  }
}

/* `all`: also while something of it waits for room elsewhere. */
static void take_frames(struct trp_self *self, bool all) {
  struct trp_process *p = of(self);
  struct trp_frame frame;
  while (p->link != NULL && (all || trp_outbox_depth(self) == 0)) {
    if (!trp_link_take(p->link, &frame)) return;
    switch (frame.head.kind) {
      case TRP_FRAME_STARTED:
        p->started = true;
        break;
      case TRP_FRAME_STATUS:
        take_status(self, &frame.head);
        break;
      case TRP_FRAME_ENDED:
        settle(p, frame.head.a);
        p->ended = true;
        break;
      default:
        do_call(self, &frame);
    }
  }
}

/* From nng's threads. */
static void news_of_link(void *arg) {
  struct trp_process *p = arg;
  trp_actor_signal(p->actor, TRP_SIGNAL_READY);
  if (atomic_load_explicit(&p->waiting, memory_order_seq_cst)) p->loop.wake(&p->loop);
}

/* ---- a turn that does not return ---- */

static bool is_stuck(struct trp_process *p, uint64_t now) {
  uint64_t turns = atomic_load_explicit(&p->page->actor.turns, memory_order_relaxed);
  if ((turns & 1) == 0 || turns != p->seen_turns) {
    p->seen_turns = turns;
    p->seen_ns = now;
    return false;
  }
  return now - p->seen_ns >= trp_spec_of(p->actor)->turn_limit_ms * TRP_NS_PER_MS;
}

bool trp_process_has_news(struct trp_process *p, uint64_t *look_ns) {
  if (p->exited || p->pidfd < 0 || !p->started) return false;
  if (p->actor->self.outbox.count == 0 && trp_link_has_frames(p->link)) return true;
  /* A stop has deadlines of its own. */
  if (p->stuck || trp_actor_state(p->actor) != TRP_ACTOR_RUNNING) return false;
  uint64_t now = trp_deadline_now_ns();
  if (is_stuck(p, now)) return true;
  *look_ns = now + trp_spec_of(p->actor)->turn_limit_ms * TRP_NS_PER_MS / 4;
  return false;
}

/* ---- the kind ---- */

/* Waits until the flag is set; false where its life ends otherwise or the time is over. */
static bool wait_for(struct trp_self *self, const bool *flag, uint64_t until_ns) {
  struct trp_process *p = of(self);
  for (;;) {
    take_frames(self, true);
    if (*flag) return true;
    if (trp_process_reap(p)) {
      take_frames(self, true);
      return *flag;
    }
    if (p->ended && !p->dismissed) return false;
    if (trp_deadline_left_ns(until_ns) == 0) return false;
    trp_process_wait(p, until_ns);
  }
}

/* Somewhat less than the handshake allows, so that the account of a silent one is its own. */
static uint64_t start_deadline(struct trp_self *self) {
  uint64_t ns = trp_spec_of(self->actor)->start_timeout_ms * TRP_NS_PER_MS;
  return trp_deadline_in(ns - ns / 8);
}

static void start_failed(struct trp_process *p) {
  if (p->ended) end_as_it_did(p);
  if (p->ended || p->exited) crash_of_death(p);
  char reason[96];
  snprintf(reason, sizeof reason, "its process %d stayed silent at its start", trp_process_pid(p));
  fail(p, reason);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)state;
  (void)args;
  struct trp_process *p = of(self);
  char why[160];
  uint64_t until = start_deadline(self);
  p->stack[0] = '\0';
  if (trp_process_spawn(p, why, sizeof why) != TRP_OK) fail(p, why);
  if (!wait_for(self, &p->ready, until)) start_failed(p);
  struct trp_link_options link = {.path = p->path, .news = news_of_link, .arg = p};
  if (trp_link_open(&p->link, &link) != TRP_OK) fail(p, "its process cannot be dialled");
  /* Whichever comes first; the other flag tells that it was not this one. */
  bool up = wait_for(self, &p->started, until);
  trp_process_unlink(p);
  if (!up) start_failed(p);
  p->seen_ns = trp_deadline_now_ns();
  return TRP_OK;
}

static void look_at_room(struct trp_self *self, uint64_t more) {
  struct trp_process *p = of(self);
  uint64_t there = trp_process_in_link(p) + more;
  self->hands_full = there >= TRP_PROCESS_WINDOW || trp_link_is_tight(p->link, UINT32_MAX);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  struct trp_process *p = of(self);
  struct trp_frame_head head = {.type = msg->type, .bytes = msg->bytes};
  if (msg->correlation != 0) {
    struct trp_pairing **at = by_here(&p->asks, msg->correlation);
    if (*at == NULL) return TRP_OK;
    answer(p, (*at)->there, msg);
    unpair(p, at);
    return TRP_OK;
  }
  if (!self->data_in_hand) { /* of what the control lane brings, it has asked for watches alone */
    struct trp_up up = {0};
    struct trp_down down = {0};
    bool is_up = msg->type == TRP_UP;
    if (is_up) up = *trp_msg_up(msg);
    if (!is_up) down = *trp_msg_down(msg);
    struct trp_pairing **at = by_here(&p->watches, is_up ? up.monitor : down.monitor);
    if (*at == NULL) return TRP_OK;
    up.monitor = down.monitor = (*at)->there;
    head.kind = TRP_FRAME_NEWS;
    (void)trp_link_send(p->link, &head, is_up ? (void *)&up : (void *)&down, true);
    return TRP_OK;
  }
  head.kind = TRP_FRAME_LETTER;
  head.a = msg->from.bits;
  head.b = msg->token;
  enum trp_err err = trp_link_send(p->link, &head, msg->body, true);
  look_at_room(self, 1);
  /* Closed: its death is about to be seen, and the letter is on the account of the dead. */
  return err == TRP_CLOSED ? TRP_OK : err;
}

static enum trp_err ready(struct trp_self *self, void *state) {
  (void)state;
  struct trp_process *p = of(self);
  bool dead = trp_process_reap(p); /* before the frames: what it sent while it lived is taken */
  take_frames(self, dead);
  if (p->ended) {
    end_as_it_did(p);
    return TRP_OK;
  }
  if (dead) crash_of_death(p);
  bool running = trp_actor_state(self->actor) == TRP_ACTOR_RUNNING;
  if (running && !p->stuck && is_stuck(p, trp_deadline_now_ns())) {
    trp_process_ask_stack(p);
    p->stuck = true;
    (void)trp_process_kill(p);
  }
  look_at_room(self, 0);
  return TRP_OK;
}

static void stop(struct trp_self *self, void *state) {
  (void)state;
  struct trp_process *p = of(self);
  struct trp_frame_head head = {.kind = TRP_FRAME_PILL, .a = trp_stop_deadline_ns(self)};
  hold(self, &p->pill_pending, true);
  (void)trp_link_send(p->link, &head, NULL, true);
}

/* ---- the end ---- */

/* An end that it is told of, and waited for. */
static void end_orderly(struct trp_self *self) {
  struct trp_process *p = of(self);
  struct trp_frame_head head = {.kind = TRP_FRAME_END};
  uint64_t budget_ns = trp_spec_of(self->actor)->budget_ms * TRP_NS_PER_MS;
  /* In a stop of all the coordinator kills it at its hard deadline, which comes before this. */
  uint64_t patience_ns = self->alone ? budget_ns / 4 : budget_ns;
  (void)trp_link_send(p->link, &head, NULL, true);
  bool ended = wait_for(self, &p->ended, trp_deadline_in(patience_ns));
  if (ended && !p->page->actor.farewell.cleanup_failed) return;
  self->actor->farewell.cleanup_failed = true;
  if (ended) return;
  self->actor->farewell.killed = !p->exited || WTERMSIG(p->status) == SIGKILL;
}

/* It has said all it had to say, or never will. */
static void make_die(struct trp_self *self) {
  const uint64_t leave_ns = 500 * TRP_NS_PER_MS, die_ns = 5 * TRP_NS_PER_S;
  struct trp_process *p = of(self);
  static const bool never = false;
  if (p->pidfd < 0) return;
  if (p->ended) {
    trp_process_say(p, TRP_WORD_LEAVE);
    p->dismissed = true;
    (void)wait_for(self, &never, trp_deadline_in(leave_ns));
  }
  if (p->exited) return;
  (void)trp_process_kill(p);
  (void)wait_for(self, &never, trp_deadline_in(die_ns));
  if (p->exited) return;
  trp_log(self, TRP_LOG_ERROR, "process.left", "pid=%d reason=\"it was killed and does not die\"",
          trp_process_pid(p));
  trp_process_disown(p);
}

static void account(struct trp_self *self, enum trp_end_reason reason) {
  struct trp_actor *a = self->actor;
  struct trp_process *p = a->process;
  enum trp_loss why = p->ended && reason == TRP_END_STOPPED  ? TRP_LOST_DEADLINE
                      : p->ended && reason == TRP_END_EXITED ? TRP_LOST_EXIT
                                                             : TRP_LOST_LINK;
  if (p->page != NULL) {
    settle(p, atomic_load_explicit(&p->page->actor.handled, memory_order_relaxed));
  }
  uint64_t lost = trp_process_in_link(p);
  atomic_store_explicit(&p->in_link, 0, memory_order_release);
  trp_count(&a->dead[why], lost);
  a->farewell.dropped += lost;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)state;
  struct trp_process *p = of(self);
  bool lives = p->started && !p->ended && !p->exited;
  if (lives && reason != TRP_END_CRASHED) end_orderly(self);
  make_die(self);
  account(self, reason);
  while (p->asks != NULL) unpair(p, &p->asks);
  while (p->watches != NULL) unpair(p, &p->watches);
  trp_process_clear(p);
}

const struct trp_kind trp_process_proxy = {.name = "process",
                                           .start = start,
                                           .receive = receive,
                                           .ready = ready,
                                           .stop = stop,
                                           .end = end};
