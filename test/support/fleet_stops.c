#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/fleet_stops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/support/fleet.h"
#include "test/support/process.h"

enum { STOPS_MAX = 1000, BUDGET_MS = 5000, LIVE_MS = 20000, STREAM_MS = 100, QUOTES_PER_S = 100 };

static const uint64_t LATE_NS = 10 * TRP_NS_PER_MS; /* beyond the deadline, at most */

static int compare(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return (a > b) - (a < b);
}

/* All are LIVE and events flow; how many a second. */
static uint64_t until_streaming(uint32_t feeds, uint32_t stop) {
  uint32_t live = fleet_until_live(LIVE_MS * process_slowness());
  if (live < feeds) fail_msg("before stop %u: %u of %u feeds are live", stop, live, feeds);
  uint64_t before = fleet_events(), began = fleet_now_ns();
  fleet_nap_ms(STREAM_MS + stop * 37 % STREAM_MS); /* not always at the same point of a second */
  uint64_t events = fleet_events() - before, took_ms = (fleet_now_ns() - began) / TRP_NS_PER_MS;
  if (events == 0) fail_msg("before stop %u: nothing streams", stop);
  return events * 1000 / (took_ms + 1);
}

static struct fleet_stop stop_once(uint32_t feeds, uint32_t stop, uint64_t *events_per_s) {
  fleet_begin(&(struct fleet_options){
      .feeds = feeds, .quotes_per_s = QUOTES_PER_S, .budget_ms = BUDGET_MS});
  *events_per_s = until_streaming(feeds, stop);
  struct fleet_stop s = fleet_end();
  if (!s.stopped) fail_msg("stop %u did not end", stop);
  return s;
}

static void print(const struct fleet_stops *s, uint32_t feeds) {
  printf(
      "  %u stops with %u feeds streaming %llu events/s: %u within 1 s, %u by the deadline plus 10 "
      "ms, %u with"
      " nothing left, %u with balanced ledgers; median %.1f ms, p99 %.1f ms, longest %.1f ms\n",
      s->stops, feeds, (unsigned long long)s->events_per_s, s->within_a_second, s->by_deadline,
      s->left_nothing, s->balanced, (double)s->median_ns / 1e6, (double)s->p99_ns / 1e6,
      (double)s->longest_ns / 1e6);
  fflush(stdout);
}

static void note(struct fleet_stops *s, const struct fleet_stop *one, uint32_t stop) {
  bool by_deadline = one->elapsed_ns <= BUDGET_MS * TRP_NS_PER_MS + LATE_NS;
  bool nothing = fleet_left_nothing(one);
  s->stops++;
  s->within_a_second += one->waited_ns <= TRP_NS_PER_S;
  s->by_deadline += by_deadline;
  s->balanced += one->balanced;
  s->left_nothing += nothing;
  if (by_deadline && nothing && one->balanced) return;
  printf("  stop %u: %s, %.1f ms, %s, threads %+ld, descriptors %+ld, orphans %llu; %s\n", stop,
         one->verdict, (double)one->elapsed_ns / 1e6, one->balanced ? "balanced" : "unbalanced",
         one->threads, one->descriptors, (unsigned long long)one->orphans, one->trouble);
}

struct fleet_stops fleet_stops_run(uint32_t count, uint32_t feeds) {
  static uint64_t took[STOPS_MAX];
  struct fleet_stops s = {0};
  assert_in_range(count, 1, STOPS_MAX);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t events_per_s;
    struct fleet_stop one = stop_once(feeds, i, &events_per_s);
    s.events_per_s += events_per_s / count;
    took[i] = one.waited_ns;
    note(&s, &one, i);
  }
  qsort(took, count, sizeof *took, compare);
  s.median_ns = took[count / 2];
  s.p99_ns = took[(count * 99 + 99) / 100 - 1];
  s.longest_ns = took[count - 1];
  print(&s, feeds);
  assert_int_equal(s.by_deadline, count);
  assert_int_equal(s.left_nothing, count);
  assert_int_equal(s.balanced, count);
  return s;
}
