/* storm_worker.c - what the actors of a storm do: everything that an actor may, drawn at random. */
#include <stdio.h>

#include "actors/subscriber.h"
#include "runtime/actor.h"
#include "test/story/storm.h"

/* ---- a worker ---- */

enum { KEPT = 4 };

struct worker {
  struct storm *s;
  uint32_t slot;
  uint64_t next_serial[WORKERS_MAX];
  uint64_t last_serial[WORKERS_MAX], last_from[WORKERS_MAX];
  uint64_t tokens[KEPT];
  uint32_t token_count;
  struct trp_subscriber subscriber;
  bool began, traps;
};

static uint64_t draw(struct trp_self *self, uint64_t bound) { return trp_random(self) % bound; }

/* A worker that lives, or one that has lived once. */
static struct trp_ref somebody(struct trp_self *self, struct worker *w) {
  if (draw(self, 8) == 0) return w->s->lives[draw(self, w->s->life_count)].ref;
  char name[16];
  snprintf(name, sizeof name, "w%u", (unsigned)draw(self, w->s->workers));
  return trp_whereis(self, name);
}

static uint32_t slot_of(const struct worker *w, struct trp_ref ref) {
  return trp_ref_index(ref) - w->s->first;
}

static void work(struct trp_self *self, struct worker *w, uint64_t hops) {
  struct {
    struct storm_work work;
    char more[80];
  } body = {{.hops = hops, .from = trp_self_ref(self).bits}, ""};
  struct trp_ref to = somebody(self, w);
  if (trp_ref_is_nobody(to)) return;
  body.work.to = to.bits;
  bool guest = slot_of(w, to) >= w->s->workers; /* nobody keeps count with guests */
  body.work.serial = guest ? 0 : ++w->next_serial[slot_of(w, to)];
  bool large = draw(self, 10) == 0;
  enum trp_err err = trp_send(self, to, STORM_WORK, &body, large ? sizeof body : sizeof body.work);
  storm_note(w->s, 1, to.bits, err);
}

static void question(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  struct trp_ref to = somebody(self, w);
  if (trp_ref_is_nobody(to) || s->ask_count == ASKS_MAX) return;
  struct storm_work body = {.to = to.bits, .from = trp_self_ref(self).bits};
  uint64_t timeout = draw(self, 50) * TRP_NS_PER_MS, correlation = 0;
  enum trp_err err = trp_ask(self, to, STORM_QUESTION, &body, sizeof body, timeout, &correlation);
  storm_note(s, 2, to.bits, err);
  if (err != TRP_OK) return;
  s->asks[s->ask_count++] = (struct storm_ask){.correlation = correlation,
                                               .deadline_ns = trp_now_ns(self) + timeout,
                                               .asker = trp_self_ref(self)};
  if (draw(self, 6) != 0) return;
  trp_ask_cancel(self, correlation);
  s->asks[s->ask_count - 1].done = true;
}

/* Its answer may be on its way already. */
static void cancel_some_ask(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  for (uint32_t i = s->ask_count; i-- > 0;) {
    struct storm_ask *ask = &s->asks[i];
    if (ask->done || !trp_ref_equal(ask->asker, trp_self_ref(self))) continue;
    trp_ask_cancel(self, ask->correlation);
    ask->done = true;
    return;
  }
}

static void monitor(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  struct trp_ref to = somebody(self, w);
  if (trp_ref_is_nobody(to) || s->monitor_count == MONITORS_MAX) return;
  struct storm_monitor *m = &s->monitors[s->monitor_count];
  *m = (struct storm_monitor){
      .watcher = trp_self_ref(self), .target = to, .since_ns = trp_now_ns(self)};
  if (trp_monitor(self, to, &m->id) == TRP_OK) s->monitor_count++;
}

static void end_some_monitor(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  if (s->monitor_count == 0) return;
  struct storm_monitor *m = &s->monitors[draw(self, s->monitor_count)];
  if (!trp_ref_equal(m->watcher, trp_self_ref(self))) return;
  trp_demonitor(self, m->id);
  m->done = true;
}

/* ---- timers, links, subscriptions ---- */

static void start_timer(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  if (s->timer_count == TIMERS_MAX) return;
  uint64_t delay = draw(self, 20) * TRP_NS_PER_MS;
  uint64_t period = draw(self, 4) == 0 ? (5 + draw(self, 20)) * TRP_NS_PER_MS : 0;
  struct storm_timer *t = &s->timers[s->timer_count];
  *t = (struct storm_timer){
      .owner = trp_self_ref(self), .due_ns = trp_now_ns(self) + delay, .period_ns = period};
  if (trp_timer_start(self, delay, period, s->timer_count, &t->id) == TRP_OK) s->timer_count++;
}

static void cancel_some_timer(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  for (uint32_t i = s->timer_count; i-- > 0;) {
    struct storm_timer *t = &s->timers[i];
    if (t->done || !trp_ref_equal(t->owner, trp_self_ref(self))) continue;
    trp_timer_cancel(self, t->id);
    t->done = true;
    if (draw(self, 2) == 0) return;
  }
}

static void on_timer(struct trp_self *self, struct worker *w, const struct trp_timer *timer) {
  struct storm_timer *t = &w->s->timers[timer->tag];
  uint64_t now = trp_now_ns(self);
  if (!trp_ref_equal(t->owner, trp_self_ref(self))) storm_fault(w->s, "a timer of another life");
  if (t->done) storm_fault(w->s, "a timer that is over or was cancelled");
  if (now < t->due_ns) storm_fault(w->s, "a timer before its time");
  t->done = t->period_ns == 0;
  t->due_ns = now + 1;
}

static void link_with(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  struct trp_ref me = trp_self_ref(self), to = somebody(self, w);
  if (trp_ref_is_nobody(to) || trp_ref_equal(to, me) || s->link_count == LINKS_MAX) return;
  bool known = storm_link_of(s, me, to) != NULL;
  if (trp_link(self, to) != TRP_OK || known) return;
  s->links[s->link_count++] = (struct storm_link){
      .a = me, .b = to, .since_ns = trp_now_ns(self), .dead = storm_is_over(s, to)};
}

static void unlink_some(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  struct trp_ref me = trp_self_ref(self);
  for (uint32_t i = s->link_count; i-- > 0;) {
    struct storm_link *l = &s->links[i];
    bool mine = trp_ref_equal(l->a, me) || trp_ref_equal(l->b, me);
    if (l->undone || !mine) continue;
    trp_unlink(self, trp_ref_equal(l->a, me) ? l->b : l->a);
    l->undone = true;
    return;
  }
}

static void on_link_down(struct trp_self *self, struct worker *w, const struct trp_down *down) {
  struct storm_link *l = storm_link_of(w->s, trp_self_ref(self), (struct trp_ref){down->ref});
  if (!w->traps) storm_fault(w->s, "told of a link's end without trapping");
  if (l == NULL) storm_fault(w->s, "told of no link's end");
  if (!storm_is_over(w->s, (struct trp_ref){down->ref})) {
    storm_fault(w->s, "told of the end of a linked one that lives");
  }
  if (l != NULL) l->told = true;
}

/* Who dies of a link had one, to somebody dead. */
static void check_death_by_link(struct trp_self *self, struct worker *w) {
  struct storm *s = w->s;
  struct trp_ref me = trp_self_ref(self);
  for (uint32_t i = 0; i < s->link_count; i++) {
    const struct storm_link *l = &s->links[i];
    bool mine = trp_ref_equal(l->a, me) || trp_ref_equal(l->b, me);
    if (l->undone || !mine) continue;
    if (storm_is_over(s, trp_ref_equal(l->a, me) ? l->b : l->a)) return;
  }
  storm_fault(s, "died of a link that there is not");
}

static void change_wishes(struct trp_self *self, struct worker *w) {
  struct trp_subscriber *sub = &w->subscriber;
  uint32_t event = STORM_EVENT + (uint32_t)draw(self, 3);
  enum trp_err err = draw(self, 3) > 0 && sub->wish_count < 8
                         ? trp_subscriber_add(self, sub, event, 0)
                         : trp_subscriber_remove(self, sub, event, 0);
  if (err == TRP_FULL) w->s->wishes_unsure = true; /* the engine has no room: nobody asks again */
  w->s->wishes[w->slot] = sub->wish_count;
}

static void invite(struct trp_self *self, struct worker *w) {
  struct trp_spec spec = {.kind = &storm_guest_kind,
                          .args = &w->s->me,
                          .placement = TRP_POOL,
                          .restart = {.restart = TRP_TEMPORARY},
                          .mailbox = {.capacity = 4, .policy = TRP_WAIT}};
  struct storm_work body = {.hops = 1};
  struct trp_ref guest = TRP_NOBODY;
  enum trp_err err = trp_spawn(self, &spec, &guest);
  storm_note(w->s, 12, guest.bits, err);
  body.to = guest.bits;
  if (err == TRP_OK) (void)!trp_send(self, guest, STORM_WORK, &body, sizeof body);
}

static void publish(struct trp_self *self) {
  uint64_t number = draw(self, 100);
  struct trp_ref engine = trp_whereis(self, "engine");
  if (trp_ref_is_nobody(engine)) return;
  (void)!trp_send(self, engine, (uint16_t)(STORM_EVENT + draw(self, 3)), &number, sizeof number);
}

static enum trp_err fail_somehow(struct trp_self *self, struct worker *w) {
  if (w->s->crash_count++ > 40) return TRP_OK;
  storm_note(w->s, 3, trp_self_ref(self).bits, 0);
  switch (draw(self, 4)) {
    case 0:
      trp_panic("a storm's panic");
    case 1:
      CHECK(w == NULL);
      break;
    case 2:
      trp_exit(self);
      return TRP_OK;
    default:
      break;
  }
  return TRP_INJECTED;
}

/* One of the things that may be done beside sending. */
static enum trp_err one_deed(struct trp_self *self, struct worker *w) {
  switch (draw(self, 24)) {
    case 0:
    case 1:
    case 2:
      question(self, w);
      break;
    case 3:
      monitor(self, w);
      break;
    case 4:
      end_some_monitor(self, w);
      break;
    case 5:
    case 6:
      start_timer(self, w);
      break;
    case 7:
      cancel_some_timer(self, w);
      break;
    case 8:
      (void)!trp_edge_add(self, trp_self_ref(self), somebody(self, w));
      break;
    case 9:
      trp_edge_remove(self, trp_self_ref(self), somebody(self, w));
      break;
    case 10:
      return draw(self, 4) == 0 ? fail_somehow(self, w) : TRP_OK;
    case 11:
      cancel_some_ask(self, w);
      break;
    case 12:
      if (draw(self, 3) == 0) link_with(self, w);
      break;
    case 13:
      unlink_some(self, w);
      break;
    case 14:
      w->traps = draw(self, 3) != 0;
      trp_trap_exits(self, w->traps);
      break;
    case 15:
      change_wishes(self, w);
      break;
    case 16:
      publish(self);
      break;
    case 17:
      invite(self, w);
      break;
    default:
      break;
  }
  return TRP_OK;
}

static enum trp_err act(struct trp_self *self, struct worker *w, uint64_t hops) {
  if (w->s->calm) return TRP_OK;
  enum trp_err err = one_deed(self, w);
  for (uint64_t n = draw(self, 3); err == TRP_OK && n > 0 && hops > 0; n--) work(self, w, hops - 1);
  return err;
}

/* ---- what it hears ---- */

static void check_work(struct trp_self *self, struct worker *w, const struct trp_msg *msg) {
  const struct storm_work *body = msg->body;
  if (body->to != trp_self_ref(self).bits) storm_fault(w->s, "mail reached another incarnation");
  if (body->from == 0 || msg->type != STORM_WORK) return;
  uint32_t from = slot_of(w, (struct trp_ref){body->from});
  if (w->s->mailbox[w->slot].policy == TRP_CONFLATE) return; /* the place of the older is kept */
  bool same = w->last_from[from] == body->from;
  if (body->from < w->last_from[from] || (same && body->serial <= w->last_serial[from])) {
    storm_fault(w->s, "mail of w%u to w%u lost its order", from, w->slot);
  }
  w->last_from[from] = body->from;
  w->last_serial[from] = body->serial;
}

static void on_question(struct trp_self *self, struct worker *w, uint64_t token) {
  struct storm_work body = {.token = token};
  struct trp_ref to;
  switch (draw(self, 4)) {
    case 0:
      break; /* never answered */
    case 1:
      if (w->token_count < KEPT) w->tokens[w->token_count++] = token;
      break;
    case 2:
      to = somebody(self, w);
      body.to = to.bits;
      if (!trp_ref_is_nobody(to)) (void)!trp_send(self, to, STORM_TOKEN, &body, sizeof body);
      break;
    default:
      trp_reply(self, token, STORM_ANSWER, &token, sizeof token);
  }
}

static void on_outcome(struct trp_self *self, struct worker *w, const struct trp_msg *msg) {
  struct storm *s = w->s;
  for (uint32_t i = 0; i < s->ask_count; i++) {
    struct storm_ask *ask = &s->asks[i];
    if (ask->correlation != msg->correlation) continue;
    if (!trp_ref_equal(ask->asker, trp_self_ref(self))) storm_fault(s, "an answer to another");
    if (ask->done) storm_fault(s, "a second outcome of ask %u", i);
    bool answer = msg->type == STORM_ANSWER;
    if (answer && *(const uint64_t *)msg->body != msg->correlation) storm_fault(s, "wrong answer");
    ask->done = true;
    return;
  }
  storm_fault(s, "an outcome of no ask");
}

static void on_down(struct trp_self *self, struct worker *w, const struct trp_down *down) {
  struct storm *s = w->s;
  if (down->monitor == 0) {
    on_link_down(self, w, down);
    return;
  }
  for (uint32_t i = 0; i < s->monitor_count; i++) {
    struct storm_monitor *m = &s->monitors[i];
    if (m->id != down->monitor || !trp_ref_equal(m->watcher, trp_self_ref(self))) continue;
    if (m->done) storm_fault(s, "monitor %u told twice, or after its end", i);
    if (m->target.bits != down->ref) storm_fault(s, "monitor %u told of another", i);
    if (!storm_is_over(s, m->target)) storm_fault(s, "monitor %u told of the living", i);
    m->done = true;
    return;
  }
  storm_fault(s, "a DOWN of no monitor");
}

/* ---- the kind ---- */

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct worker *w = state;
  const struct storm_args *a = args;
  struct storm *s = w->s = a->storm;
  w->slot = a->slot;
  if (!storm_life_begin(s, self)) return TRP_LIMIT;
  w->began = true;
  if (trp_subscriber_start(self, &w->subscriber, "engine") != TRP_OK) storm_fault(s, "no engine");
  bool again = trp_self_incarnation(self) > 1;
  if (again && !s->calm && draw(self, 8) == 0) return fail_somehow(self, w);
  return act(self, w, 2);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct worker *w = state;
  storm_note(w->s, 5, trp_self_ref(self).bits, msg->type);
  if (!w->began || storm_is_over(w->s, trp_self_ref(self)))
    storm_fault(w->s, "a turn outside of life");
  if (trp_subscriber_take(self, &w->subscriber, msg)) return TRP_OK;
  if (msg->correlation != 0) {
    on_outcome(self, w, msg);
    return act(self, w, 1);
  }
  switch (msg->type) {
    case STORM_WORK:
      check_work(self, w, msg);
      return act(self, w, ((const struct storm_work *)msg->body)->hops);
    case STORM_QUESTION:
      check_work(self, w, msg);
      on_question(self, w, msg->token);
      return act(self, w, 1);
    case STORM_TOKEN:
      trp_reply(self, ((const struct storm_work *)msg->body)->token, STORM_ANSWER,
                &((const struct storm_work *)msg->body)->token, sizeof(uint64_t));
      return TRP_OK;
    case TRP_TIMER:
      on_timer(self, w, trp_msg_timer(msg));
      if (w->token_count > 0) {
        uint64_t token = w->tokens[--w->token_count];
        trp_reply(self, token, STORM_ANSWER, &token, sizeof token);
      }
      return act(self, w, 1);
    case TRP_DOWN:
      on_down(self, w, trp_msg_down(msg));
      break;
    default:
      break;
  }
  return TRP_OK;
}

static enum trp_err ready(struct trp_self *self, void *state) {
  struct worker *w = state;
  if (trp_self_stopping(self) && draw(self, 2) == 0) trp_stop_hold(self);
  return act(self, w, 1);
}

static void stop(struct trp_self *self, void *state) {
  struct worker *w = state;
  struct storm_life *life = storm_life_of(w->s, trp_self_ref(self));
  storm_note(w->s, 6, trp_self_ref(self).bits, 0);
  life->stopping = true;
  if (draw(self, 12) == 0) trp_stop_hold(self); /* and never gives it back */
  if (draw(self, 20) == 0) (void)fail_somehow(self, w);
  work(self, w, 1);
  question(self, w);
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  struct worker *w = state;
  storm_life_end(w->s, self, reason);
  if (reason == TRP_END_CRASHED && trp_crash_cause(self->actor) == TRP_CAUSE_LINK) {
    check_death_by_link(self, w);
  }
  w->s->wishes[w->slot] = 0;
  if (draw(self, 4) == 0) work(self, w, 1);
  if (draw(self, 16) == 0) (void)fail_somehow(self, w);
}

const struct trp_kind storm_worker_kind = {.name = "worker",
                                           .state_bytes = sizeof(struct worker),
                                           .start = start,
                                           .receive = receive,
                                           .ready = ready,
                                           .stop = stop,
                                           .end = end};
