/* deadline.c - how punctually a system ends.
 *
 * An actor that never returns from its turn: how long after the hard deadline trp_system_wait
 * returns, alone and among a thousand that are innocent. And a thousand idle actors that are asked
 * to stop: how long until all are gone. An abandoned actor's thread sleeps on until the program
 * ends, and what it may still touch is leaked on purpose. */
#include <stdint.h>

#include "bench/bench.h"

enum {
  GET_STUCK = TRP_USER_FIRST,
  BUDGET_MS = 100,
  LONE_RUNS = 20,
  CROWD = 1000,
  CROWD_BUDGET_MS = 300,
  WITH_DOORS = 200,
  STUCK_IN_CROWD = 3
};

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  while (msg->type == GET_STUCK) bench_sleep_ns(3600 * TRP_NS_PER_S);
  return TRP_OK;
}

static const struct trp_kind kind = {.name = "idler", .receive = receive};

/* So many actors, all started. */
static struct trp_system *assemble(size_t actors, bool doors, uint32_t budget_ms) {
  struct trp_system *system = NULL;
  struct trp_system_options options = {.name = "deadline",
                                       .budget_ms = budget_ms,
                                       .log_level = TRP_LOG_NONE,
                                       .log_fd = -1,
                                       .quiet_report = true};
  bench_must(trp_system_new(&system, &options), "new");
  for (size_t i = 0; i < actors; i++) {
    char name[16];
    snprintf(name, sizeof name, "idler%zu", i);
    bench_add(system, &(struct trp_spec){
                          .name = name, .kind = &kind, .mailbox.capacity = 16, .door = doors});
  }
  bench_start(system);
  return system;
}

/* Stops and waits; the nanoseconds from the one to the return of the other. */
static uint64_t stop(struct trp_system *system) {
  uint64_t asked_ns = bench_now_ns();
  trp_system_stop(system, "the end of the measurement");
  bench_must(trp_system_wait(system, BENCH_PATIENCE_NS), "wait");
  return bench_now_ns() - asked_ns;
}

static double late_us(size_t actors, size_t stuck, uint32_t budget_ms) {
  struct trp_system *system = assemble(actors, false, budget_ms);
  for (size_t i = 0; i < stuck; i++) {
    char name[16];
    snprintf(name, sizeof name, "idler%zu", i * (actors / stuck));
    bench_must(trp_system_send(system, trp_system_whereis(system, name), GET_STUCK, NULL, 0), name);
  }
  bench_sleep_ns(10 * TRP_NS_PER_MS); /* until they are */
  double took_us = (double)stop(system) / 1e3;
  trp_system_destroy(&system);
  return took_us - budget_ms * 1e3;
}

static double gone_ms(size_t actors, bool doors) {
  struct trp_system *system = assemble(actors, doors, 0);
  double took_ms = (double)stop(system) / 1e6;
  trp_system_destroy(&system);
  return took_ms;
}

int main(int argc, char **argv) {
  struct bench bench = bench_open("deadline", argc, argv);
  double lone[LONE_RUNS], crowd[BENCH_RUNS], gone[BENCH_RUNS], doors[BENCH_RUNS];
  for (int i = 0; i < LONE_RUNS; i++) lone[i] = late_us(1, 1, BUDGET_MS);
  bench_say(&bench, "deadline.late", "us", lone, LONE_RUNS,
            "from the hard deadline to the return of wait, one stuck actor");
  for (int i = 0; i < BENCH_RUNS; i++) crowd[i] = late_us(CROWD, STUCK_IN_CROWD, CROWD_BUDGET_MS);
  bench_say(&bench, "deadline.late_in_crowd", "us", crowd, BENCH_RUNS,
            "the same with 3 stuck actors of 1,000");
  for (int i = 0; i < BENCH_RUNS; i++) gone[i] = gone_ms(CROWD, false);
  bench_say(&bench, "deadline.stop_1000", "ms", gone, BENCH_RUNS,
            "from stop to the return of wait, 1,000 idle actors");
  for (int i = 0; i < BENCH_RUNS; i++) doors[i] = gone_ms(WITH_DOORS, true);
  bench_say(&bench, "deadline.stop_200_doors", "ms", doors, BENCH_RUNS,
            "from stop to the return of wait, 200 idle actors with a door each");
  fflush(stdout);
  return 0;
}
