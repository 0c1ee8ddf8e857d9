/* pingpong.c - Savina's ping-pong: the round trip of a message between two actors on the pool. */
#include "bench/rally.h"

int main(int argc, char **argv) {
  uint64_t rounds = rally_open(argc, argv);
  struct trp_system_options options = bench_quiet("pingpong");
  bench_say("round_trip", "us", rally_measure(&options, TRP_POOL, RALLY_PLAIN, rounds));
  return 0;
}
