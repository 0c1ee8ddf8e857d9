/* pingpong_threads.c - the round trip of a message between two actors, each on its own thread,
 * which sleeps as soon as it has nothing to do: this measures the waking. */
#include "bench/rally.h"

int main(int argc, char **argv) {
  uint64_t rounds = rally_open(argc, argv);
  struct trp_system_options options = bench_quiet("pingpong_threads");
  bench_say("parked", "us", rally_measure(&options, TRP_THREAD, RALLY_PLAIN, rounds));
  return 0;
}
