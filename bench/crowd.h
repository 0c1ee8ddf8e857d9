/* crowd.h - many idle actors and their end: for stop and deadline. */
#ifndef TRP_BENCH_CROWD_H
#define TRP_BENCH_CROWD_H

#include "bench/bench.h"

enum { CROWD_MAILBOX = 16 };

/* So many actors called idler0, idler1, ..., all started; a budget of 0: the default. */
static inline struct trp_system *crowd_of(const struct trp_kind *kind, uint64_t actors, bool doors,
                                          uint32_t budget_ms) {
  struct trp_system_options options = bench_quiet("crowd");
  options.budget_ms = budget_ms;
  struct trp_system *system = bench_system_of(&options);
  for (uint64_t i = 0; i < actors; i++) {
    bench_add(system, &(struct trp_spec){.name = bench_name("idler", i),
                                         .kind = kind,
                                         .mailbox.capacity = CROWD_MAILBOX,
                                         .door = doors});
  }
  bench_start(system);
  return system;
}

/* Stops and waits; the nanoseconds from the one to the return of the other. */
static inline uint64_t crowd_stop(struct trp_system *system) {
  uint64_t asked_ns = bench_now_ns();
  trp_system_stop(system, "the end of the measurement");
  bench_must(trp_system_wait(system, BENCH_PATIENCE_NS), "wait");
  return bench_now_ns() - asked_ns;
}

#endif
