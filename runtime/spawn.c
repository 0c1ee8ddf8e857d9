/* spawn.c - slots are made: before the start by trp_system_add, while the system runs by spawning,
 * and those of spawned actors are freed for the next.
 *
 * A spawned actor is admitted to its mailbox before it has run, so that its reference may be sent
 * to at once; its start() comes with its first step. Its slot has leases: its life, and its crash
 * report until its supervisor has taken it; the last to go frees the slot. A spawn that races the
 * stop is either refused, or came before the pill and gets one like everybody else. */
#include "runtime/check.h"
#include "runtime/coordinator.h"
#include "runtime/host.h"
#include "runtime/process.h"
#include "runtime/sched.h"

static bool is_ring(const struct trp_spec *spec) {
  return spec->mailbox.policy == TRP_REJECT || spec->mailbox.policy == TRP_WAIT;
}

/* With actors that it does not know, and that may keep it from running. */
static bool shares_a_thread(const struct trp_spec *spec) {
  return spec->placement == TRP_POOL || spec->placement == TRP_IO;
}

static enum trp_err check_spec(const struct trp_spec *spec, const struct trp_actor *supervisor) {
  if (spec->kind == NULL || spec->kind->receive == NULL) return TRP_INVALID;
  if (spec->listen != NULL && !spec->door) return TRP_INVALID;
  /* What must be able to act when others are stuck has a thread of its own. */
  if (shares_a_thread(spec) && spec->kind->never_pooled) return TRP_INVALID;
  if (spec->placement == TRP_POOL && spec->loop != NULL) return TRP_INVALID;
  if (spec->placement == TRP_IO && spec->loop == NULL) return TRP_INVALID;
  if (supervisor == NULL) return TRP_OK;
  if (shares_a_thread(trp_spec_of(supervisor))) return TRP_INVALID;
  if (supervisor->process != NULL) return TRP_INVALID; /* who is not here starts nobody here */
  /* A supervisor that does not come back would leave its children without one. */
  bool comes_back =
      supervisor->supervisor == NULL || trp_spec_of(supervisor)->restart.restart != TRP_TEMPORARY;
  return comes_back ? TRP_OK : TRP_INVALID;
}

/* A slot that was never used. Under the slots' lock. */
static enum trp_err make(struct trp_system *system, const struct trp_spec *spec,
                         struct trp_actor *supervisor, bool spawned, struct trp_actor **out) {
  struct trp_slots *slots = &system->slots;
  enum trp_err err = TRP_OK;
  struct trp_actor *a =
      system->host != NULL ? trp_host_block(system->host) : trp_slots_fresh(slots, &err);
  if (a == NULL) return err;
  const struct trp_spec *shared = trp_specs_share(&slots->specs, spec, &err);
  if (shared == NULL) return err;
  uint32_t index = atomic_load_explicit(&slots->count, memory_order_relaxed);
  err = trp_actor_init(a, system, index, shared, spec);
  if (err != TRP_OK) return err;
  a->supervisor = supervisor;
  a->spawned = spawned;
  if (supervisor != NULL) {
    atomic_store_explicit(&supervisor->has_children, true, memory_order_relaxed);
  }
  trp_slots_enter(slots, a);
  if (!a->anonymous) trp_slots_name(slots, a);
  *out = a;
  return TRP_OK;
}

/* One that is to be placed in a process is made of a spec that says what stands here for it. */
static enum trp_err make_placed(struct trp_system *system, const struct trp_spec *spec,
                                struct trp_actor *supervisor, struct trp_actor **out) {
  bool placed = spec->placement == TRP_PROCESS && system->options.sched == TRP_SCHED_THREADS;
  if (!placed) return make(system, spec, supervisor, false, out);
  struct trp_process *process;
  struct trp_spec own = *spec;
  enum trp_err err = trp_process_new(&process, system, &own);
  if (err == TRP_OK) err = make(system, &own, supervisor, false, out);
  if (err == TRP_OK) trp_process_join(process, *out);
  if (err != TRP_OK) trp_process_destroy(&process);
  return err;
}

enum trp_err trp_system_add(struct trp_system *system, const struct trp_spec *spec) {
  struct trp_slots *slots = &system->slots;
  if (trp_system_stage(system) != TRP_STAGE_NEW) return TRP_WRONG_STATE;
  if (!trp_is_name(spec->name)) return TRP_INVALID;
  pthread_mutex_lock(&slots->lock);
  struct trp_actor *supervisor = trp_slots_find(slots, spec->supervisor), *a;
  enum trp_err err = TRP_OK;
  if (trp_slots_find(slots, spec->name) != NULL) err = TRP_EXISTS;
  if (err == TRP_OK && spec->supervisor != NULL && supervisor == NULL) err = TRP_NO_ACTOR;
  if (err == TRP_OK) err = check_spec(spec, supervisor);
  if (err == TRP_OK) err = make_placed(system, spec, supervisor, &a);
  pthread_mutex_unlock(&slots->lock);
  return err;
}

/* ---- spawning ---- */

/* A slot used before, for another actor: incarnations and account go on. */
static enum trp_err reuse(struct trp_system *system, struct trp_actor *a,
                          const struct trp_spec *spec, struct trp_actor *supervisor) {
  enum trp_err err = TRP_OK;
  const struct trp_spec *shared = trp_specs_share(&system->slots.specs, spec, &err);
  if (shared == NULL) return err;
  a->supervisor = supervisor;
  return trp_actor_reuse(a, shared, spec->args);
}

/* A name keeps its slot, for who watches the name and for its account. */
static enum trp_err take_named(struct trp_system *system, const struct trp_spec *spec,
                               struct trp_actor *supervisor, struct trp_actor **out) {
  if (!trp_is_name(spec->name)) return TRP_INVALID;
  *out = trp_slots_find(&system->slots, spec->name);
  if (*out == NULL) return make(system, spec, supervisor, true, out);
  /* acquire: its last life is over; pairs with the release of the last lease. */
  bool free = (*out)->spawned && atomic_load_explicit(&(*out)->leases, memory_order_acquire) == 0;
  return free ? reuse(system, *out, spec, supervisor) : TRP_EXISTS;
}

static enum trp_err take(struct trp_system *system, const struct trp_spec *spec,
                         struct trp_actor *supervisor, struct trp_actor **out) {
  if (spec->name != NULL) return take_named(system, spec, supervisor, out);
  *out = trp_slots_take(&system->slots);
  if (*out == NULL) return make(system, spec, supervisor, true, out);
  enum trp_err err = reuse(system, *out, spec, supervisor);
  if (err != TRP_OK) trp_slots_give(&system->slots, *out);
  return err;
}

/* Gives back what a life used of the slot. Under the slots' lock. */
static void vacate(struct trp_actor *a) {
  trp_mailbox_strip(&a->mailbox);
  if (a->anonymous) trp_slots_give(&a->system->slots, a);
}

static enum trp_err admit(struct trp_system *system, const struct trp_spec *spec,
                          struct trp_actor *supervisor, struct trp_actor **out) {
  enum trp_err err = take(system, spec, supervisor, out);
  if (err != TRP_OK) return err;
  atomic_store_explicit(&(*out)->leases, 1, memory_order_relaxed); /* nobody else knows of it */
  if (trp_life_admit(*out)) return TRP_OK;
  atomic_store_explicit(&(*out)->leases, 0, memory_order_relaxed);
  vacate(*out);
  return TRP_NO_MEMORY;
}

/* No thread could be had for the pool: it has never lived. Until the attaching nobody else could
 * run it; a stop that has seen it waits for its end. */
static enum trp_err take_back(struct trp_actor *a, enum trp_err err) {
  trp_life_retract(a);
  /* release: the end is whole. Partner: the acquire in trp_actor_state. */
  atomic_store_explicit(&a->state, TRP_ACTOR_GONE, memory_order_release);
  atomic_store_explicit(&a->finished, 1, memory_order_release); /* partner: the scheduler's await */
  a->system->sched->ops->notify(a->system->sched, &a->finished);
  trp_coordinator_tell(a);
  trp_spawned_release(a);
  return err;
}

static enum trp_err spawn(struct trp_system *system, const struct trp_spec *spec,
                          struct trp_actor *supervisor, struct trp_ref *ref) {
  bool fit = spec->placement == TRP_POOL && is_ring(spec) && !spec->door &&
             spec->restart.restart == TRP_TEMPORARY;
  enum trp_err err = fit ? check_spec(spec, supervisor) : TRP_INVALID;
  if (err != TRP_OK) return err;
  struct trp_actor *a = NULL;
  pthread_mutex_lock(&system->slots.lock);
  enum trp_stage stage = trp_system_stage(system);
  if (stage == TRP_STAGE_NEW) err = TRP_WRONG_STATE;
  /* Set before the coordinator takes this lock to see who gets the pill: see trp_stop_begin. */
  if (atomic_load_explicit(&system->stopping, memory_order_seq_cst)) err = TRP_STOPPED;
  if (err == TRP_OK) err = admit(system, spec, supervisor, &a);
  pthread_mutex_unlock(&system->slots.lock);
  if (err != TRP_OK) return err;
  if (ref != NULL) *ref = trp_actor_ref(a, a->self.incarnation);
  atomic_fetch_or_explicit(&a->signals, TRP_SIGNAL_START, memory_order_relaxed);
  err = system->sched->ops->attach(system->sched, a);
  return err == TRP_OK ? TRP_OK : take_back(a, err);
}

/* Children of spawned actors belong to who stays. */
static struct trp_actor *who_stays(struct trp_actor *spawner) {
  if (spawner->spawned || shares_a_thread(trp_spec_of(spawner))) return spawner->supervisor;
  return spawner->supervisor != NULL ? spawner->supervisor : spawner;
}

enum trp_err trp_spawn(struct trp_self *self, const struct trp_spec *spec, struct trp_ref *ref) {
  struct trp_system *system = self->actor->system;
  struct trp_actor *supervisor = who_stays(self->actor);
  if (spec->supervisor != NULL) supervisor = trp_system_find_named(system, spec->supervisor);
  return supervisor == NULL ? TRP_NO_ACTOR : spawn(system, spec, supervisor, ref);
}

enum trp_err trp_system_spawn(struct trp_system *system, const struct trp_spec *spec,
                              struct trp_ref *ref) {
  struct trp_actor *supervisor = spec->supervisor != NULL
                                     ? trp_system_find_named(system, spec->supervisor)
                                     : trp_slots_at(&system->slots, 0);
  return supervisor == NULL ? TRP_NO_ACTOR : spawn(system, spec, supervisor, ref);
}

void trp_spawned_hold(struct trp_actor *a) {
  atomic_fetch_add_explicit(&a->leases, 1, memory_order_relaxed);
}

void trp_spawned_release(struct trp_actor *a) {
  struct trp_slots *slots = &a->system->slots;
  /* acq_rel: the last sees all that the others did. */
  uint32_t leases = atomic_fetch_sub_explicit(&a->leases, 1, memory_order_acq_rel);
  ASSERT(leases != 0);
  if (leases != 1) return;
  pthread_mutex_lock(&slots->lock);
  /* Once all stop, slots stay as they are: the account is made of them. */
  bool stopping = atomic_load_explicit(&a->system->stopping, memory_order_seq_cst);
  /* A name may have been taken again since, and be somebody's whose leases are new. */
  bool vacant = a->anonymous || atomic_load_explicit(&a->leases, memory_order_acquire) == 0;
  if (!stopping && vacant) vacate(a);
  pthread_mutex_unlock(&slots->lock);
}
