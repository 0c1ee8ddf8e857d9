/* sched.h - the seam between actors and what runs them. Two schedulers: real threads
 * (sched_threads.c: a thread each, the pool of pool.h, the shared loops of loops.h) and the
 * simulated one (sched_sim.c), in which every placement is alike.
 *
 * One conformance suite runs over all of them. */
#ifndef TRP_RUNTIME_SCHED_H
#define TRP_RUNTIME_SCHED_H

#include "runtime/pool.h"

struct trp_sched_ops {
  /* Gives the actor something to run on; from here the keeper runs it. Thread: coordinator. */
  enum trp_err (*attach)(struct trp_sched *sched, struct trp_actor *actor);
  /* Takes it back from an actor that has left or whose thread exited; waits at most until
   * `until_ns`, false where it does not come. Thread: coordinator. */
  bool (*detach)(struct trp_sched *sched, struct trp_actor *actor, uint64_t until_ns);
  /* The actor's thread has vanished without a word: has the actor crash as one whose thread exits
   * does. NULL where actors have no threads of their own. Thread: coordinator. */
  enum trp_err (*bury)(struct trp_sched *sched, struct trp_actor *actor);
  /* The actor has something to do. Called once for each clearing of PARKED. Thread: any. */
  void (*wake)(struct trp_sched *sched, struct trp_actor *actor);
  void (*wake_coordinator)(struct trp_sched *sched);
  /* Starts the coordinator. Thread: outside. */
  enum trp_err (*open)(struct trp_sched *sched);
  /* Waits until condition(arg) may have become true or until_ns; `word` changes with it.
   * Thread: outside. */
  void (*wait)(struct trp_sched *sched, _Atomic uint32_t *word, uint32_t seen, uint64_t until_ns);
  void (*notify)(struct trp_sched *sched, _Atomic uint32_t *word);
  /* Ends the coordinator's running, and the workers'; false where a thread did not end: what it may
   * touch must stay. Thread: outside. */
  bool (*close)(struct trp_sched *sched);
  void (*destroy)(struct trp_sched *sched);
};

struct trp_sched {
  const struct trp_sched_ops *ops;
  struct trp_system *system;
};

struct trp_sched *trp_sched_threads_new(struct trp_system *system);
struct trp_pool *trp_sched_pool(struct trp_sched *sched); /* of the real one */
struct trp_sched *trp_sched_sim_new(struct trp_system *system);

#endif
