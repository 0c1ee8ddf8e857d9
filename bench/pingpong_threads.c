/* pingpong_threads.c - the round trip of a message between two actors, each on its own thread: once
 * as usual, where who has nothing to do looks around a while before it sleeps, and once where it
 * sleeps at once. */
#include "bench/rally.h"

int main(int argc, char **argv) {
  uint64_t rounds = rally_open(argc, argv);
  struct trp_system_options options = bench_quiet("pingpong_threads");
  bench_say("spinning", "us", rally_measure(&options, TRP_THREAD, RALLY_PLAIN, rounds));
  options.no_spin = true;
  bench_say("parked", "us", rally_measure(&options, TRP_THREAD, RALLY_PLAIN, rounds));
  return 0;
}
