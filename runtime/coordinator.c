#include "runtime/coordinator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/sched.h"
#include "runtime/thread.h"

struct trp_coordinator *trp_coordinator_new(struct trp_system *system) {
  struct trp_coordinator *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->system = system;
  c->actors = calloc(system->options.actors_max, sizeof *c->actors);
  c->closed = calloc(system->options.actors_max, sizeof *c->closed);
  c->cycles = calloc(system->options.actors_max, sizeof *c->cycles);
  trp_graph_init(&c->chain);
  bool memory = c->actors != NULL && c->closed != NULL && c->cycles != NULL;
  memory = memory && trp_plan_reserve(&c->spare, system->options.actors_max) == TRP_OK;
  if (!memory) trp_coordinator_destroy(&c);
  return c;
}

void trp_coordinator_destroy(struct trp_coordinator **coordinator) {
  struct trp_coordinator *c = *coordinator;
  if (c == NULL) return;
  *coordinator = NULL;
  trp_graph_fini(&c->chain);
  trp_plan_fini(&c->plan);
  trp_plan_fini(&c->spare);
  free(c->actors);
  free(c->closed);
  free(c->cycles);
  free(c);
}

void trp_coordinator_wake(struct trp_system *system) {
  system->sched->ops->wake_coordinator(system->sched);
}

void trp_coordinator_begin(struct trp_system *system) {
  atomic_store_explicit(&system->coordinator->begin_asked, true, memory_order_release);
  trp_coordinator_wake(system);
}

void trp_coordinator_tell(struct trp_actor *actor) {
  struct trp_system *system = actor->system;
  if (trp_lane_post(&system->coordinator->lane, &actor->notice)) trp_coordinator_wake(system);
}

void trp_coordinator_revive(struct trp_actor *actor) {
  atomic_fetch_or_explicit(&actor->signals, TRP_SIGNAL_START, memory_order_release);
  trp_coordinator_tell(actor);
}

static void no_thread_for(struct trp_coordinator *c, struct trp_actor *a, enum trp_err err) {
  trp_system_log(c->system, a->name, TRP_LOG_ERROR, "actor.no_thread", "error=%s",
                 trp_err_name(err));
  trp_system_stop(c->system, "no thread could be had for an actor");
}

/* Its crash is told in a moment, by the thread that takes the place of the lost one. */
static void bury_if_lost(struct trp_coordinator *c, struct trp_actor *a) {
  const struct trp_sched_ops *ops = c->system->sched->ops;
  /* acquire: pairs with trp_system_thread_lost. */
  if (!atomic_exchange_explicit(&a->thread_lost, false, memory_order_acquire)) return;
  bool exited = atomic_load_explicit(&a->thread_exited, memory_order_acquire);
  if (a->buried || exited || ops->bury == NULL) return;
  a->buried = true;
  enum trp_err err = ops->bury(c->system->sched, a);
  if (err != TRP_OK) no_thread_for(c, a, err);
}

/* A thread that exited by itself is joined, and where a new life is wanted, replaced. */
static void revive_if_asked(struct trp_coordinator *c, struct trp_actor *a) {
  if (!atomic_load_explicit(&a->thread_exited, memory_order_acquire)) return;
  struct trp_sched *sched = c->system->sched;
  uint32_t signals = atomic_load_explicit(&a->signals, memory_order_acquire);
  bool stopping = c->planned;
  if ((signals & TRP_SIGNAL_START) == 0 && !stopping) return;
  uint64_t now = trp_env_now_ns(&c->system->env);
  if (!sched->ops->detach(sched, a, now + TRP_NS_PER_S)) return;
  (void)trp_thread_forget(a->crash->tid); /* its death has been told as the actor's crash */
  atomic_store_explicit(&a->thread_exited, false, memory_order_release);
  a->buried = false;
  if (stopping) {
    atomic_store_explicit(&a->state, TRP_ACTOR_GONE, memory_order_release);
    return;
  }
  enum trp_err err = sched->ops->attach(sched, a);
  if (err != TRP_OK) {
    atomic_store_explicit(&a->thread_exited, true, memory_order_release); /* none to stop it */
    no_thread_for(c, a, err);
  }
}

static void take_notices(struct trp_coordinator *c) {
  struct trp_node *node = trp_lane_take(&c->lane);
  while (node != NULL) {
    struct trp_node *next = node->next;
    trp_lane_unqueue(node);
    struct trp_actor *a =
        (struct trp_actor *)(void *)((char *)node - offsetof(struct trp_actor, notice));
    bury_if_lost(c, a);
    revive_if_asked(c, a);
    if (c->planned) trp_stop_notice(c, a->index);
    node = next;
  }
}

static bool stop_asked(struct trp_system *system) {
  return atomic_load_explicit(&system->stop_asked, memory_order_acquire);
}

uint64_t trp_coordinator_step(struct trp_coordinator *c) {
  struct trp_system *system = c->system;
  take_notices(c);
  switch (trp_system_stage(system)) {
    case TRP_STAGE_NEW:
      if (!atomic_load_explicit(&c->begin_asked, memory_order_acquire)) return TRP_FOREVER;
      trp_system_set_state(system, TRP_STAGE_STARTING);
      return 0;
    case TRP_STAGE_STARTING:
      if (!stop_asked(system)) return trp_start_step(c);
      c->unwinding = true;
      trp_stop_begin(c);
      return 0;
    case TRP_STAGE_RUNNING:
      if (!stop_asked(system)) return TRP_FOREVER;
      trp_stop_begin(c);
      return 0;
    case TRP_STAGE_STOPPING:
      return trp_stop_step(c);
    case TRP_STAGE_STOPPED:
      return TRP_FOREVER;
  }
  return TRP_FOREVER;
}
