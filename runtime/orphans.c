#include "runtime/orphans.h"

#include <stdio.h>
#include <string.h>

#include "runtime/system.h"

/* Ended, and not begun anew: STARTING may also be an order to begin, but then the old one is gone
 * as well. Nothing is released after this state is seen, see trp_life_end. */
static bool has_ended(const struct trp_actor *a) {
  enum trp_actor_state state = trp_actor_state(a);
  return state == TRP_ACTOR_DOWN || state == TRP_ACTOR_GONE;
}

/* The mailbox opens for a life after the one before has given everything back. */
static bool has_later_life(const struct trp_actor *a, uint64_t life) {
  return trp_mailbox_incarnation(&a->mailbox) > life;
}

static void count(struct trp_orphans *out, enum trp_orphan kind, uint64_t n,
                  const struct trp_actor *owner) {
  if (n == 0) return;
  out->counts[kind] += n;
  if (out->owner[0] == '\0') snprintf(out->owner, sizeof out->owner, "%s", owner->name);
}

static void look_at_holdings(struct trp_actor *a, struct trp_orphans *out) {
  static const enum trp_orphan kinds[TRP_RES_COUNT] = {
      [TRP_RES_THREAD] = TRP_ORPHAN_OTHER, [TRP_RES_DESCRIPTOR] = TRP_ORPHAN_OTHER,
      [TRP_RES_SOCKET] = TRP_ORPHAN_OTHER, [TRP_RES_TIMER] = TRP_ORPHAN_TIMER,
      [TRP_RES_ASK] = TRP_ORPHAN_ASK,      [TRP_RES_SUBSCRIPTION] = TRP_ORPHAN_SUBSCRIPTION,
      [TRP_RES_PROCESS] = TRP_ORPHAN_OTHER};
  int64_t held[TRP_RES_COUNT];
  uint64_t life = trp_mailbox_incarnation(&a->mailbox);
  if (!has_ended(a)) return;
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    held[r] = atomic_load_explicit(&a->held[r], memory_order_acquire);
  }
  if (!has_ended(a) || has_later_life(a, life)) return; /* it has come back meanwhile */
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    if (held[r] > 0) count(out, kinds[r], (uint64_t)held[r], a);
  }
}

static void look_at_watchers(struct trp_actor *target, struct trp_orphans *out) {
  pthread_mutex_lock(&target->lock);
  for (const struct trp_watch *w = target->watchers; w != NULL; w = w->of_target_next) {
    bool orphan = has_ended(w->watcher) || has_later_life(w->watcher, w->watcher_life);
    count(out, TRP_ORPHAN_MONITOR, orphan, w->watcher);
  }
  pthread_mutex_unlock(&target->lock);
}

static void look_at_edges(struct trp_system *system, struct trp_orphans *out) {
  pthread_mutex_lock(&system->graph.lock);
  for (uint32_t i = 0; i < system->graph.count; i++) {
    const struct trp_edge *edge = &system->graph.edges[i];
    if (edge->dynamic == 0) continue;
    const struct trp_actor *from = trp_slots_at(&system->slots, edge->from);
    const struct trp_actor *to = trp_slots_at(&system->slots, edge->to);
    if (has_ended(from) || has_ended(to)) {
      count(out, TRP_ORPHAN_SUBSCRIPTION, edge->dynamic, has_ended(to) ? to : from);
    }
  }
  pthread_mutex_unlock(&system->graph.lock);
}

/* A subscription is an edge, which goes with either end: what an actor still counts beyond its
 * edges belongs to subscribers that have gone. */
static void look_at_keeper(struct trp_system *system, const struct trp_actor *a,
                           struct trp_orphans *out) {
  int64_t held = atomic_load_explicit(&a->held[TRP_RES_SUBSCRIPTION], memory_order_acquire);
  if (held <= 0 || has_ended(a)) return;
  int64_t edges = 0;
  pthread_mutex_lock(&system->graph.lock);
  for (uint32_t i = 0; i < system->graph.count; i++) {
    if (system->graph.edges[i].from == a->index) edges += system->graph.edges[i].dynamic;
  }
  pthread_mutex_unlock(&system->graph.lock);
  if (held > edges) count(out, TRP_ORPHAN_SUBSCRIPTION, (uint64_t)(held - edges), a);
}

static void look_at_asks(struct trp_system *system, struct trp_orphans *out) {
  for (uint64_t index = 0;; index++) {
    struct trp_ask *ask = trp_ask_find(&system->asks, (index + 1) << 40);
    if (ask == NULL) return;
    uint64_t state;
    struct trp_ref asker = trp_ask_look(ask, &state);
    struct trp_actor *a = trp_actor_find(system, asker);
    if (a == NULL) continue; /* free, or asked from outside */
    bool orphan = has_ended(a) || has_later_life(a, trp_ref_incarnation(asker));
    uint64_t now;
    (void)trp_ask_look(ask, &now); /* still the same: it was not given back in between */
    count(out, TRP_ORPHAN_ASK, orphan && now == state, a);
  }
}

void trp_system_orphans(struct trp_system *system, struct trp_orphans *out) {
  *out = (struct trp_orphans){.owner = ""};
  uint32_t actors = (uint32_t)trp_system_actor_count(system);
  for (uint32_t i = 0; i < actors; i++) {
    look_at_holdings(trp_slots_at(&system->slots, i), out);
    look_at_watchers(trp_slots_at(&system->slots, i), out);
    look_at_keeper(system, trp_slots_at(&system->slots, i), out);
  }
  look_at_edges(system, out);
  look_at_asks(system, out);
}

uint64_t trp_orphans_total(const struct trp_orphans *orphans) {
  uint64_t total = 0;
  for (int k = 0; k < TRP_ORPHAN_KINDS; k++) total += orphans->counts[k];
  return total;
}

const char *trp_orphan_text(enum trp_orphan kind) {
  static const char *const texts[TRP_ORPHAN_KINDS] = {"timers", "asks", "subscriptions", "monitors",
                                                      "others"};
  return (size_t)kind < TRP_ORPHAN_KINDS ? texts[kind] : "?";
}
