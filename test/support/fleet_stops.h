/* fleet_stops.h - stops a fleet that streams, again and again: how many stops ended within a
 * second, whether all did by their deadline, what was left, and whether the ledgers balanced.
 *
 * Figures are printed; whatever the promise forbids is a failure of cmocka's. Thread: the test's.
 */
#ifndef TRP_TEST_SUPPORT_FLEET_STOPS_H
#define TRP_TEST_SUPPORT_FLEET_STOPS_H

#include <stdint.h>

struct fleet_stops {
  uint32_t stops, within_a_second, by_deadline, balanced, left_nothing;
  uint64_t median_ns, p99_ns, longest_ns;
  uint64_t events_per_s; /* that streamed when it was stopped, the mean */
};

/* `count` stops of so many feeds. On a machine that does other work the share within a second is
 * for the caller to judge; all else is judged here. */
struct fleet_stops fleet_stops_run(uint32_t count, uint32_t feeds);

#endif
