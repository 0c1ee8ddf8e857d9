/* sim.h - drives a system under the simulated scheduler: one thread, virtual time, an order drawn
 * from the system's seed. One seed is one execution.
 *
 * trp_system_start, trp_system_wait and trp_system_ask work as everywhere: they run the simulation
 * until their condition holds or their (virtual) deadline passes. Everything here is for the one
 * thread that made the system. */
#ifndef TRP_RUNTIME_SIM_H
#define TRP_RUNTIME_SIM_H

#include "runtime/troupe.h"

/* A source of events beside actors and timers: a simulated network, a script of a test. */
struct trp_sim_source {
  /* When it next has something to do, TRP_FOREVER for never. */
  uint64_t (*next_ns)(struct trp_sim_source *source);
  /* Do one thing that is due at `now_ns`. */
  void (*run)(struct trp_sim_source *source, uint64_t now_ns);
  struct trp_sim_source *link; /* the scheduler's own */
};

/* Adds a source; it must outlive the system. */
void trp_sim_add_source(struct trp_system *system, struct trp_sim_source *source);

/* One step: a turn of one runnable actor, the coordinator or a source, drawn by the seed; where
 * nothing is runnable, time jumps to the next event. False where nothing will ever happen. */
bool trp_sim_step(struct trp_system *system);

/* Steps until virtual time has advanced by `ns` (or nothing will ever happen). */
void trp_sim_run_for(struct trp_system *system, uint64_t ns);

/* Steps until condition(arg), at most `ns` of virtual time; true where the condition holds. */
bool trp_sim_run_until(struct trp_system *system, bool (*condition)(void *arg), void *arg,
                       uint64_t ns);

/* Draws from the same chance as the scheduler. */
uint64_t trp_sim_random(struct trp_system *system);

/* The actor gets no turn for so long: a slow or stuck one. */
void trp_sim_stall(struct trp_system *system, struct trp_ref who, uint64_t ns);

/* Called after every step (invariants). NULL ends it. */
void trp_sim_on_step(struct trp_system *system, void (*check)(void *arg), void *arg);

#endif
