/* Everything together for a long time: lives of a fleet to which anything happens, stops while a
 * hundred feeds stream, crashes and restarts, round after round; and what the process holds after
 * each round, with the growth an hour and the verdict that the thread monitor would give.
 *
 * TRP_SOAK_S says for how many seconds (240), TRP_SEED repeats the orders. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/thread_monitor_growth.h"
#include "runtime/fdcount.h"
#include "test/support/chaos.h"
#include "test/support/crash_cycles.h"
#include "test/support/feed_rig.h"
#include "test/support/fleet.h"
#include "test/support/fleet_stops.h"

enum { SECONDS = 240, ROUND_MS = 3000, FEEDS = 12, STREAMING = 60, CRASHES = 300, ROUNDS_MIN = 16 };

static uint64_t resident_bytes(void) {
  unsigned long long resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%*u %llu", &resident) != 1) resident = 0;
  if (file != NULL) fclose(file);
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void play_a_round(uint64_t seed) {
  struct chaos_account account = {0};
  chaos_run(seed, ROUND_MS, FEEDS, &account);
  (void)fleet_stops_run(1, STREAMING);
  crash_cycles_begin();
  (void)crash_cycles_run(CRASHES, CRASHES);
  crash_cycles_end();
}

static struct trp_growth_sample sample_now(uint32_t round) {
  struct trp_growth_sample sample = {.at_ns = fleet_now_ns()};
  malloc_trim(0); /* what is free is no growth */
  sample.figures[TRP_GROWTH_MEMORY] = resident_bytes();
  sample.figures[TRP_GROWTH_DESCRIPTORS] = trp_fd_count();
  sample.figures[TRP_GROWTH_THREADS] = trp_task_count();
  printf("  round %u: resident %" PRIu64 " KiB, heap %zu bytes, descriptors %" PRIu64
         ", threads %" PRIu64 "\n",
         round, sample.figures[TRP_GROWTH_MEMORY] / 1024, rig_heap_bytes(),
         sample.figures[TRP_GROWTH_DESCRIPTORS], sample.figures[TRP_GROWTH_THREADS]);
  fflush(stdout);
  return sample;
}

static void print(const struct trp_growth_verdict *v, double hours) {
  for (int f = 0; f < TRP_GROWTH_ACTORS; f++) {
    printf("  %s: %s, from %" PRIu64 " to %" PRIu64 ", %+" PRId64 " an hour (over %.2f h)\n",
           trp_growth_figure_text((enum trp_growth_figure)f), trp_growth_trend_text(v->trend[f]),
           v->from[f], v->to[f], v->per_hour[f], hours);
  }
}

static void after_everything_again_and_again_nothing_has_grown(void **state) {
  (void)state;
  const char *given = getenv("TRP_SOAK_S");
  uint64_t seconds = given != NULL ? strtoull(given, NULL, 10) : SECONDS;
  uint64_t seed = chaos_seed(), began = fleet_now_ns(), until = began + seconds * TRP_NS_PER_S;
  struct trp_growth growth = {.window_ns = ROUNDS_MIN,
                              .percent = 10,
                              .amounts = {2u << 20, 1, 1, 1}}; /* the window counts rounds */
  struct trp_growth_verdict verdict = {.any = false};
  trp_growth_begin(&growth, 1, 0);
  bool judged = false;
  play_a_round(seed++); /* what is made once and kept is there from now on */
  for (uint32_t round = 1; !judged || fleet_now_ns() < until; round++) {
    play_a_round(seed++);
    struct trp_growth_sample sample = sample_now(round);
    judged = trp_growth_add(&growth, &sample, &verdict);
  }
  print(&verdict, (double)(fleet_now_ns() - began) / 3600e9);
  for (int f = 0; f < TRP_GROWTH_ACTORS; f++) {
    if (verdict.trend[f] == TRP_GROWTH_GROWING) {
      fail_msg("%s grow", trp_growth_figure_text((enum trp_growth_figure)f));
    }
  }
}

int main(int argc, char **argv) {
  (void)argc;
  rig_exact_heap(argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(after_everything_again_and_again_nothing_has_grown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
