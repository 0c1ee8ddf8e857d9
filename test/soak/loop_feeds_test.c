/* A thousand feeds on two loops, against the embedded exchange in the same process: they connect,
 * stream and stop, and nothing is left. What it took is printed; beside it the same with fewer
 * feeds and a thread each. Resident memory counts both ends of each connection. Each has a process
 * to itself, so that the heap of one is no help to the next. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/dialect.h"
#include "runtime/fdcount.h"
#include "test/support/fleet.h"

enum { DESCRIPTORS = 16384, QUOTES_PER_S = 2, STREAM_MS = 5000 };

static uint64_t resident_bytes(void) {
  unsigned long long all = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  assert_non_null(file);
  assert_int_equal(2, fscanf(file, "%llu %llu", &all, &resident));
  fclose(file);
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double cpu_s(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void play(uint32_t feeds, uint32_t loops, uint32_t streams) {
  size_t threads = trp_task_count(), descriptors = trp_fd_count();
  uint64_t resident = resident_bytes(), began = fleet_now_ns();
  fleet_begin(&(struct fleet_options){.feeds = feeds,
                                      .loops = loops,
                                      .streams = streams,
                                      .quotes_per_s = QUOTES_PER_S,
                                      .budget_ms = 15000});
  assert_int_equal(feeds, fleet_until_live(60000));
  uint64_t connected = fleet_now_ns() - began;
  uint64_t events = fleet_events();
  double cpu = cpu_s();
  fleet_nap_ms(STREAM_MS);
  events = fleet_events() - events;
  cpu = cpu_s() - cpu;
  threads = trp_task_count() - threads;
  descriptors = trp_fd_count() - descriptors;
  uint64_t most = resident_bytes() - resident;
  malloc_trim(0); /* what the snapshots of all at once took and gave back */
  resident = resident_bytes() - resident;
  struct fleet_stop stop = fleet_end();
  printf(
      "  %u feeds%s, %u loops: %zu threads in all, %zu descriptors, %.0f KiB resident a feed (%.0f "
      "before the heap is trimmed), connected in %.2f s, %.0f events/s at %.0f %% of a core, "
      "stopped in %.0f ms\n",
      feeds, streams != 0 ? " of quotes alone" : "", loops, threads, descriptors,
      (double)resident / 1024 / feeds, (double)most / 1024 / feeds, (double)connected / 1e9,
      (double)events * 1000 / STREAM_MS, cpu * 100e3 / STREAM_MS, (double)stop.elapsed_ns / 1e6);
  fflush(stdout);
  assert_string_equal("", stop.trouble);
  assert_int_equal(feeds, fleet_exchange()->accepted); /* nobody had to come twice */
  assert_true(stop.balanced);
  assert_true(fleet_left_nothing(&stop));
  assert_true(events > (uint64_t)feeds * QUOTES_PER_S * STREAM_MS / 1000 / 2);
}

/* A failure in the child leaves it by cmocka's way, with another status. */
static void play_alone(uint32_t feeds, uint32_t loops, uint32_t streams) {
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  assert_int_not_equal(-1, child);
  if (child == 0) {
    play(feeds, loops, streams);
    _exit(0);
  }
  assert_int_equal(child, waitpid(child, &status, 0));
  assert_int_equal(0, status);
}

static void a_thousand_feeds_on_two_loops_connect_stream_and_leave_nothing(void **state) {
  (void)state;
  struct rlimit limit;
  assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &limit));
  rlim_t wanted = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = wanted;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
  }
  rlim_t fit = (limit.rlim_cur - 200) / 2; /* two ends a connection, requests that come and go */
  if (fit < FLEET_FEEDS_MAX) printf("  descriptors allow %lu feeds only\n", (unsigned long)fit);
  uint32_t many = fit < FLEET_FEEDS_MAX ? (uint32_t)fit : FLEET_FEEDS_MAX;
  play_alone(100, 0, 0);
  play_alone(100, 2, 0);
  play_alone(many, 2, 0);
  play_alone(many, 2, TRP_STREAM_QUOTES);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_thousand_feeds_on_two_loops_connect_stream_and_leave_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
