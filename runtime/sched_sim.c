/* sched_sim.c - the simulated scheduler: one thread, virtual time, an order drawn from the seed.
 *
 * Each step runs one of what is runnable: an actor's step, the coordinator, or a source that is
 * due. Where nothing is, time jumps to the next timer, deadline or source event. Candidates are
 * listed by index, never by address, so that one seed is one execution. */
#include "runtime/sim.h"

#include <stdlib.h>

#include "runtime/check.h"
#include "runtime/sched.h"

struct sim {
  struct trp_sched base;
  bool coordinator_runnable;
  uint64_t coordinator_due_ns;
  struct trp_sim_source *sources;
  void (*check)(void *arg);
  void *check_arg;
  bool stepping;
};

static struct sim *sim_of(struct trp_system *system) {
  ASSERT(system->options.sched == TRP_SCHED_SIM);
  return (struct sim *)system->sched;
}

static enum trp_err attach(struct trp_sched *sched, struct trp_actor *a) {
  (void)sched;
  a->sim_attached = a->sim_runnable = true;
  return TRP_OK;
}

static bool detach(struct trp_sched *sched, struct trp_actor *a, uint64_t until_ns) {
  (void)sched;
  (void)until_ns;
  a->sim_attached = false;
  return true;
}

static void wake(struct trp_sched *sched, struct trp_actor *a) {
  (void)sched;
  a->sim_runnable = true;
}

static void wake_coordinator(struct trp_sched *sched) {
  ((struct sim *)sched)->coordinator_runnable = true;
}

static enum trp_err open_sched(struct trp_sched *sched) {
  (void)sched;
  return TRP_OK;
}

static void notify(struct trp_sched *sched, _Atomic uint32_t *word) {
  (void)sched;
  (void)word;
}

static bool nothing(struct trp_sched *sched) {
  (void)sched;
  return true;
}

/* ---- choosing ---- */

static bool actor_can_run(const struct trp_actor *a, uint64_t now) {
  return a->sim_attached && a->sim_stalled_until_ns <= now &&
         (a->sim_runnable || trp_timers_next_ns(&a->self.timers) <= now);
}

/* When this actor would run if nothing else happens. */
static uint64_t actor_next_ns(const struct trp_actor *a) {
  if (!a->sim_attached) return TRP_FOREVER;
  uint64_t next = a->sim_runnable ? 0 : trp_timers_next_ns(&a->self.timers);
  return next < a->sim_stalled_until_ns ? a->sim_stalled_until_ns : next;
}

static void run_actor(struct trp_actor *a) {
  a->sim_runnable = false;
  enum trp_step step = trp_actor_step(a);
  trp_turn_enter(NULL);
  if (step == TRP_STEP_LEAVE) {
    a->sim_attached = false;
    if (a->spawned) trp_spawned_release(a);
    return;
  }
  if (step == TRP_STEP_MORE || !trp_actor_park(a)) a->sim_runnable = true;
}

static void run_coordinator(struct sim *sim) {
  sim->coordinator_runnable = false;
  sim->coordinator_due_ns = trp_coordinator_step(sim->base.system->coordinator);
}

/* Runs the k-th of what can run now; returns how many could (none is run where k is not below). */
static uint32_t run_kth(struct sim *sim, uint64_t now, uint32_t k) {
  struct trp_system *system = sim->base.system;
  uint32_t n = 0, count = atomic_load_explicit(&system->slots.count, memory_order_relaxed);
  if ((sim->coordinator_runnable || sim->coordinator_due_ns <= now) && n++ == k) {
    run_coordinator(sim);
    return n;
  }
  for (struct trp_sim_source *s = sim->sources; s != NULL; s = s->link) {
    if (s->next_ns(s) > now || n++ != k) continue;
    s->run(s, now);
    return n;
  }
  for (uint32_t i = 0; i < count; i++) {
    struct trp_actor *a = trp_slots_at(&system->slots, i);
    if (!actor_can_run(a, now) || n++ != k) continue;
    run_actor(a);
    return n;
  }
  return n;
}

static uint64_t next_event_ns(struct sim *sim) {
  struct trp_system *system = sim->base.system;
  uint64_t next = sim->coordinator_due_ns;
  uint32_t count = atomic_load_explicit(&system->slots.count, memory_order_relaxed);
  for (struct trp_sim_source *s = sim->sources; s != NULL; s = s->link) {
    uint64_t due = s->next_ns(s);
    if (due < next) next = due;
  }
  for (uint32_t i = 0; i < count; i++) {
    uint64_t due = actor_next_ns(trp_slots_at(&system->slots, i));
    if (due < next) next = due;
  }
  return next;
}

/* One step, not beyond `limit_ns`; false where nothing happens until then. */
static bool step_until(struct sim *sim, uint64_t limit_ns) {
  struct trp_env *env = &sim->base.system->env;
  ASSERT(!sim->stepping); /* a turn must not run the simulation it is part of */
  sim->stepping = true;
  uint32_t runnable = run_kth(sim, env->virtual_ns, UINT32_MAX);
  bool ran = runnable > 0;
  if (ran) {
    run_kth(sim, env->virtual_ns, (uint32_t)(trp_env_random(env) % runnable));
  } else {
    uint64_t next = next_event_ns(sim);
    if (next <= limit_ns && next != TRP_FOREVER) {
      env->virtual_ns = next;
      ran = true;
    }
  }
  sim->stepping = false;
  if (ran && sim->check != NULL) sim->check(sim->check_arg);
  return ran;
}

static void wait_word(struct trp_sched *sched, _Atomic uint32_t *word, uint32_t seen,
                      uint64_t until_ns) {
  struct sim *sim = (struct sim *)sched;
  struct trp_env *env = &sched->system->env;
  while (atomic_load_explicit(word, memory_order_relaxed) == seen && env->virtual_ns < until_ns) {
    if (step_until(sim, until_ns)) continue;
    /* Nothing will ever happen: an endless wait would be a hang, and in simulation that is a bug.
     */
    ASSERT(until_ns != TRP_FOREVER);
    env->virtual_ns = until_ns;
  }
}

static void destroy(struct trp_sched *sched) { free(sched); }

static const struct trp_sched_ops ops = {.attach = attach,
                                         .detach = detach,
                                         .wake = wake,
                                         .wake_coordinator = wake_coordinator,
                                         .open = open_sched,
                                         .wait = wait_word,
                                         .notify = notify,
                                         .close = nothing,
                                         .destroy = destroy};

struct trp_sched *trp_sched_sim_new(struct trp_system *system) {
  struct sim *sim = calloc(1, sizeof *sim);
  if (sim == NULL) return NULL;
  sim->base.ops = &ops;
  sim->base.system = system;
  sim->coordinator_due_ns = TRP_FOREVER;
  return &sim->base;
}

/* ---- driving ---- */

void trp_sim_add_source(struct trp_system *system, struct trp_sim_source *source) {
  struct sim *sim = sim_of(system);
  source->link = sim->sources;
  sim->sources = source;
}

bool trp_sim_step(struct trp_system *system) { return step_until(sim_of(system), TRP_FOREVER); }

void trp_sim_run_for(struct trp_system *system, uint64_t ns) {
  uint64_t until = system->env.virtual_ns + ns;
  while (system->env.virtual_ns <= until && step_until(sim_of(system), until)) continue;
  if (system->env.virtual_ns < until) system->env.virtual_ns = until;
}

bool trp_sim_run_until(struct trp_system *system, bool (*condition)(void *arg), void *arg,
                       uint64_t ns) {
  uint64_t until = system->env.virtual_ns + ns;
  while (!condition(arg)) {
    if (system->env.virtual_ns > until || !step_until(sim_of(system), until)) return condition(arg);
  }
  return true;
}

uint64_t trp_sim_random(struct trp_system *system) { return trp_env_random(&system->env); }

void trp_sim_on_step(struct trp_system *system, void (*check)(void *arg), void *arg) {
  sim_of(system)->check = check;
  sim_of(system)->check_arg = arg;
}

void trp_sim_stall(struct trp_system *system, struct trp_ref who, uint64_t ns) {
  struct trp_actor *a = trp_actor_find(system, who);
  if (a != NULL) a->sim_stalled_until_ns = system->env.virtual_ns + ns;
}
