#include "test/story/storm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/sim.h"
#include "runtime/system.h"

/* ---- the trace and the invariants ---- */

void storm_note(struct storm *s, uint64_t what, uint64_t a, uint64_t b) {
  const uint64_t words[] = {what, a, b, trp_system_now_ns(s->system)};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    s->hash = (s->hash ^ words[i]) * UINT64_C(0x100000001b3);
    s->hash ^= s->hash >> 29;
  }
}

void storm_fault(struct storm *s, const char *format, ...) {
  if (s->fault[0] != '\0') return;
  va_list args;
  va_start(args, format);
  vsnprintf(s->fault, sizeof s->fault, format, args);
  va_end(args);
}

struct storm_life *storm_life_of(struct storm *s, struct trp_ref ref) {
  for (uint32_t i = s->life_count; i-- > 0;) {
    if (trp_ref_equal(s->lives[i].ref, ref)) return &s->lives[i];
  }
  return NULL;
}

bool storm_life_begin(struct storm *s, struct trp_self *self) {
  struct trp_ref me = trp_self_ref(self), before = {me.bits - 1};
  storm_note(s, 4, me.bits, 0);
  if (trp_self_incarnation(self) > 1 && !storm_is_over(s, before)) {
    storm_fault(s, "two lives at once");
  }
  if (storm_life_of(s, me) != NULL) storm_fault(s, "a life began twice");
  if (s->life_count == LIVES_MAX) return false;
  s->lives[s->life_count++] = (struct storm_life){.ref = me};
  trp_account(self, TRP_RES_SUBSCRIPTION, 1);
  return true;
}

void storm_life_end(struct storm *s, struct trp_self *self, enum trp_end_reason reason) {
  struct storm_life *life = storm_life_of(s, trp_self_ref(self));
  storm_note(s, 7, trp_self_ref(self).bits, reason);
  if (life == NULL) return; /* there were too many */
  if (life->over) storm_fault(s, "a life ended twice");
  life->over = true;
  life->over_ns = trp_now_ns(self);
  life->crashed = reason == TRP_END_CRASHED;
  trp_account(self, TRP_RES_SUBSCRIPTION, -1);
}

bool storm_is_over(struct storm *s, struct trp_ref ref) {
  const struct storm_life *life = storm_life_of(s, ref);
  return life == NULL || life->over;
}

struct storm_link *storm_link_of(struct storm *s, struct trp_ref a, struct trp_ref b) {
  for (uint32_t i = 0; i < s->link_count; i++) {
    struct storm_link *l = &s->links[i];
    if (l->undone || l->told) continue;
    if (trp_ref_equal(l->a, a) && trp_ref_equal(l->b, b)) return l;
    if (trp_ref_equal(l->a, b) && trp_ref_equal(l->b, a)) return l;
  }
  return NULL;
}

/* Whether this one of a link should have died, or been told, by now. */
static bool link_is_unheard(struct storm *s, const struct storm_link *l, struct trp_ref one,
                            struct trp_ref other, uint64_t slack) {
  uint64_t now = trp_system_now_ns(s->system);
  const struct storm_life *life = storm_life_of(s, one), *dead = storm_life_of(s, other);
  if (life == NULL || life->over || life->stopping || dead == NULL || !dead->over) return false;
  if (!dead->crashed && !l->dead) return false; /* a quiet end */
  return now > dead->over_ns + slack && now > l->since_ns + slack;
}

static void check_timers_and_links(struct storm *s, uint64_t slack) {
  uint64_t now = trp_system_now_ns(s->system);
  for (uint32_t i = 0; i < s->timer_count; i++) {
    const struct storm_timer *t = &s->timers[i];
    const struct storm_life *life = storm_life_of(s, t->owner);
    bool lives = life != NULL && !life->over && !life->stopping; /* the pill cancels all */
    if (!t->done && lives && now > t->due_ns + t->period_ns + slack) {
      storm_fault(s, "timer %u never came", i);
    }
  }
  for (uint32_t i = 0; i < s->link_count; i++) {
    const struct storm_link *l = &s->links[i];
    if (l->undone || l->told) continue;
    if (link_is_unheard(s, l, l->a, l->b, slack) || link_is_unheard(s, l, l->b, l->a, slack)) {
      storm_fault(s, "link %u: one lives on", i);
    }
  }
}

/* Nobody who lives waits longer than its deadline, or than it takes to hear of an end. */
static void check_overdue(struct storm *s) {
  uint64_t now = trp_system_now_ns(s->system);
  uint64_t slack = s->longest_stall_ns + 200 * TRP_NS_PER_MS;
  for (uint32_t i = 0; i < s->ask_count; i++) {
    const struct storm_ask *ask = &s->asks[i];
    if (ask->done || now < ask->deadline_ns + slack || storm_is_over(s, ask->asker)) continue;
    storm_fault(s, "ask %u has no outcome", i);
  }
  for (uint32_t i = 0; i < s->monitor_count; i++) {
    const struct storm_monitor *m = &s->monitors[i];
    if (m->done || storm_is_over(s, m->watcher)) continue;
    const struct storm_life *target = storm_life_of(s, m->target);
    if (!target->over || now < target->over_ns + slack || now < m->since_ns + slack) continue;
    storm_fault(s, "monitor %u heard of no end", i);
  }
  check_timers_and_links(s, slack);
}

static void check_the_dead(struct storm *s, const struct trp_actor *a) {
  enum trp_actor_state state = trp_actor_state(a);
  if (state != TRP_ACTOR_DOWN && state != TRP_ACTOR_GONE) return;
  const struct trp_self *self = &a->self;
  if (self->watches != NULL) storm_fault(s, "%s is dead and watches", a->name);
  if (self->asks != NULL) storm_fault(s, "%s is dead and asks", a->name);
  if (self->timers.count > 0) storm_fault(s, "%s is dead and has timers", a->name);
  if (self->outbox.count > 0) storm_fault(s, "%s is dead and has mail to send", a->name);
  if (self->memory != NULL) storm_fault(s, "%s is dead and has memory", a->name);
  if (a->bonds != NULL) storm_fault(s, "%s is dead and linked", a->name);
}

void storm_check(void *storm) {
  struct storm *s = storm;
  struct trp_actor_info info;
  s->steps++;
  for (size_t i = 0; trp_system_actor(s->system, i, &info); i++) {
    if (!trp_ledger_balances(&info.ledger)) storm_fault(s, "%s is out of balance", info.name);
    if (info.held[TRP_RES_TIMER] < 0 || info.held[TRP_RES_ASK] < 0) {
      storm_fault(s, "%s holds less than nothing", info.name);
    }
    if (info.state == TRP_ACTOR_DOWN && info.held[TRP_RES_TIMER] + info.held[TRP_RES_ASK] != 0) {
      storm_fault(s, "%s holds something in death", info.name);
    }
  }
  for (size_t i = trp_system_actor_count(s->system); i-- > 0;) {
    check_the_dead(s, trp_slots_at(&s->system->slots, (uint32_t)i));
  }
  if (s->steps % 64 == 0) check_overdue(s);
}
