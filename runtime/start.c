/* start.c - the start: one actor after the other, each by a handshake with a deadline. An actor
 * that fails or stays silent is named, and what had started is unwound in reverse. */
#include <stdio.h>

#include "runtime/coordinator.h"
#include "runtime/door.h"
#include "runtime/sched.h"

static void fail(struct trp_coordinator *c, struct trp_actor *a, const char *how) {
  struct trp_system *system = c->system;
  char why[160];
  snprintf(why, sizeof why, "actor %s %s", a->name, how);
  pthread_mutex_lock(&system->reason_lock);
  snprintf(system->failure, sizeof system->failure, "%s", why);
  pthread_mutex_unlock(&system->reason_lock);
  trp_system_log(system, a->name, TRP_LOG_ERROR, "start.failed", "reason=\"%s\"", why);
  atomic_store_explicit(&system->gave_up, true, memory_order_release);
  trp_system_stop(system, why);
}

static bool tell_to_start(struct trp_coordinator *c, struct trp_actor *a) {
  struct trp_sched *sched = c->system->sched;
  enum trp_err err = TRP_OK;
  if (trp_spec_of(a)->door) err = trp_door_open(a);
  if (err == TRP_OK) err = sched->ops->attach(sched, a);
  if (err != TRP_OK) {
    char how[96];
    snprintf(how, sizeof how, "cannot start: %s", trp_err_text(err));
    fail(c, a, how);
    return false;
  }
  c->actors[a->index].attached = true;
  c->waiting = true;
  c->start_due_ns =
      trp_env_now_ns(&c->system->env) + trp_spec_of(a)->start_timeout_ms * TRP_NS_PER_MS;
  trp_actor_signal(a, TRP_SIGNAL_START);
  return true;
}

static uint64_t hear(struct trp_coordinator *c, struct trp_actor *a) {
  enum trp_actor_state state = trp_actor_state(a);
  pthread_mutex_lock(&a->lock);
  /* Else it ran, and a root's end is a stop. */
  bool failed = trp_crash_cause(a) == TRP_CAUSE_START;
  char how[256];
  snprintf(how, sizeof how, "failed to start: %s", failed ? a->crash->reason : "");
  pthread_mutex_unlock(&a->lock);
  if (state == TRP_ACTOR_GONE && failed) {
    fail(c, a, how);
    return 0;
  }
  if (state != TRP_ACTOR_NEW && state != TRP_ACTOR_STARTING) {
    c->waiting = false;
    c->next++;
    return 0;
  }
  if (trp_env_now_ns(&c->system->env) < c->start_due_ns) return c->start_due_ns;
  snprintf(how, sizeof how, "stayed silent for %u ms at its start",
           trp_spec_of(a)->start_timeout_ms);
  fail(c, a, how);
  return 0;
}

/* Who is spawned meanwhile comes after all that were added, and has been started by its spawner. */
static bool all_have_started(struct trp_coordinator *c) {
  struct trp_slots *slots = &c->system->slots;
  if (c->next == atomic_load_explicit(&slots->count, memory_order_acquire)) return true;
  return trp_slots_at(slots, c->next)->spawned;
}

uint64_t trp_start_step(struct trp_coordinator *c) {
  struct trp_system *system = c->system;
  if (all_have_started(c)) {
    trp_system_set_state(system, TRP_STAGE_RUNNING);
    return 0;
  }
  struct trp_actor *a = trp_slots_at(&system->slots, c->next);
  if (!c->waiting && !tell_to_start(c, a)) return 0;
  return hear(c, a);
}
