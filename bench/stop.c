/* stop.c - idle actors, each on its own thread, are asked to stop: how long until all are gone;
 * once plain, once with an nng door each. */
#include "bench/crowd.h"

enum { ACTORS_MAX = 4000 };

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

static const struct trp_kind kind = {.name = "idler", .receive = receive};

static double gone_ms(uint64_t actors, bool doors) {
  struct trp_system *system = crowd_of(&kind, actors, doors, 0);
  double took_ms = (double)crowd_stop(system) / 1e6;
  trp_system_destroy(&system);
  return took_ms;
}

int main(int argc, char **argv) {
  uint64_t actors = 0;
  struct bench_param params[] = {
      {.name = "actors", .least = 1, .most = ACTORS_MAX, .value = &actors}};
  BENCH_OPEN(argc, argv, params);
  gone_ms(bench_warm(actors), false);
  bench_say("gone", "ms", gone_ms(actors, false));
  gone_ms(bench_warm(actors), true);
  bench_say("gone_doors", "ms", gone_ms(actors, true));
  return 0;
}
