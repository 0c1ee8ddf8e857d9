#include "runtime/pulse.h"

#include <stdio.h>
#include <stdlib.h>

enum trp_err trp_pulse_init(struct trp_pulse *pulse, struct trp_system *system) {
  pulse->system = system;
  pulse->count = atomic_load_explicit(&system->slots.count, memory_order_acquire);
  pulse->marks = calloc((size_t)pulse->count + 1, sizeof *pulse->marks);
  return pulse->marks != NULL ? TRP_OK : TRP_NO_MEMORY;
}

void trp_pulse_fini(struct trp_pulse *pulse) {
  free(pulse->marks);
  pulse->marks = NULL;
}

static bool is_critical(const struct trp_actor *a) {
  return trp_spec_of(a)->critical || a->supervisor == NULL ||
         atomic_load_explicit(&a->has_children, memory_order_relaxed);
}

/* An end that was no crash is in order. */
static bool crashed(struct trp_actor *a) {
  pthread_mutex_lock(&a->lock);
  bool crash = trp_actor_state(a) == TRP_ACTOR_DOWN && a->last_reason != TRP_OK;
  pthread_mutex_unlock(&a->lock);
  return crash;
}

/* Something it should take a turn for. Mail may well wait while the outbox blocks it or it holds.
 */
static bool has_work(struct trp_actor *a) {
  if (atomic_load_explicit(&a->signals, memory_order_relaxed) != 0) return true;
  if (!trp_lane_is_empty(&a->lane)) return true;
  return atomic_load_explicit(&a->debts, memory_order_relaxed) == 0 &&
         a->mailbox.ops->depth(&a->mailbox) > 0;
}

/* What is wrong with it; NULL where nothing is. */
static const char *ails(struct trp_actor *a, struct trp_pulse_mark *mark, uint64_t now) {
  enum trp_actor_state state = trp_actor_state(a);
  uint64_t turns = atomic_load_explicit(&a->turns, memory_order_relaxed);
  bool in_turn = turns % 2 != 0, lives = state == TRP_ACTOR_RUNNING || state == TRP_ACTOR_DRAINING;
  if (state == TRP_ACTOR_STUCK) return "is stuck";
  if (crashed(a)) return "is down after a crash";
  bool first = mark->since_ns == 0;
  if (first || turns != mark->turns || (!in_turn && (!lives || !has_work(a)))) {
    *mark = (struct trp_pulse_mark){.turns = turns, .since_ns = now};
    return NULL;
  }
  if (now - mark->since_ns <= trp_spec_of(a)->turn_limit_ms * TRP_NS_PER_MS) return NULL;
  return in_turn ? "does not return from its turn" : "takes no turn although it should";
}

bool trp_pulse_beats(struct trp_pulse *pulse, char *why, size_t why_bytes) {
  struct trp_system *system = pulse->system;
  uint64_t now = trp_env_now_ns(&system->env);
  bool all = true;
  for (uint32_t i = 0; i < pulse->count; i++) {
    struct trp_actor *a = trp_slots_at(&system->slots, i);
    const char *ailing = ails(a, &pulse->marks[i], now); /* marked in any case */
    if (ailing == NULL || !all || !is_critical(a)) continue;
    snprintf(why, why_bytes, "actor %s %s", a->name, ailing);
    all = false;
  }
  return all;
}
