/* deadline.c - how punctually a system is left whose actors do not stop.
 *
 * An actor that never returns from its turn: how long after the hard deadline trp_system_wait
 * returns, alone so many times, and once in a crowd of innocents. An abandoned actor's thread
 * sleeps on until the program ends, and what it may still touch is leaked on purpose. */
#include "bench/crowd.h"

enum {
  GET_STUCK = TRP_USER_FIRST,
  BUDGET_MS = 100,
  CROWD_BUDGET_MS = 300,
  ACTORS_MAX = 4000,
  STOPS_MAX = 1000
};

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  while (msg->type == GET_STUCK) bench_sleep_ns(3600 * TRP_NS_PER_S);
  return TRP_OK;
}

static const struct trp_kind kind = {.name = "idler", .receive = receive};

/* Milliseconds from the hard deadline until the system has been left. */
static double late_ms(uint64_t actors, uint64_t stuck, uint32_t budget_ms) {
  struct trp_system *system = crowd_of(&kind, actors, false, budget_ms);
  for (uint64_t i = 0; i < stuck; i++) {
    const char *name = bench_name("idler", i * (actors / stuck));
    bench_must(trp_system_send(system, trp_system_whereis(system, name), GET_STUCK, NULL, 0), name);
  }
  bench_sleep_ns(10 * TRP_NS_PER_MS); /* until they are */
  double took_ms = (double)crowd_stop(system) / 1e6;
  trp_system_destroy(&system);
  return took_ms - budget_ms;
}

int main(int argc, char **argv) {
  uint64_t actors = 0, stuck = 0, stops = 0;
  struct bench_param params[] = {
      {.name = "actors", .least = 1, .most = ACTORS_MAX, .value = &actors},
      {.name = "stuck", .least = 1, .most = ACTORS_MAX, .value = &stuck},
      {.name = "stops", .least = 1, .most = STOPS_MAX, .value = &stops}};
  BENCH_OPEN(argc, argv, params);
  if (stuck > actors) bench_must(TRP_INVALID, "more are stuck than there are");
  double *lone = calloc(stops, sizeof *lone);
  if (lone == NULL) bench_must(TRP_NO_MEMORY, "times");
  for (uint64_t i = 0; i < stops; i++) lone[i] = late_ms(1, 1, BUDGET_MS);
  bench_say("late_p50", "ms", statistics_quantile(lone, stops, 0.5));
  bench_say("late_p99", "ms", statistics_quantile(lone, stops, 0.99));
  free(lone);
  bench_say("late_in_crowd", "ms", late_ms(actors, stuck, CROWD_BUDGET_MS));
  fflush(stdout);
  return 0;
}
