/* ask.c - a question with a deadline to another actor, and its answer: from asking to having it. */
#include "bench/rally.h"

int main(int argc, char **argv) {
  uint64_t rounds = rally_open(argc, argv);
  struct trp_system_options options = bench_quiet("ask");
  bench_say("round_trip", "us", rally_measure(&options, TRP_POOL, RALLY_ASKS, rounds));
  return 0;
}
