/* seeds.h - the seeds that a storm is run under, and how a failing one is replayed.
 *
 * TRP_SEED=n: that seed alone. TRP_SEEDS=n: 1 to n, TRP_SEEDS=m-n: m to n, however long it takes.
 * Otherwise 1 to the test's own number, or fewer where time runs out first (under a sanitizer, on a
 * slow machine).
 *
 *   struct seeds seeds = seeds_begin(1000, 20);
 *   while (seeds_next(&seeds)) storm(seeds.seed);
 *
 * The test's teardown is seeds_tell, which says which seed failed, and of a storm's how to replay
 * it. A story with a loop of its own notes each seed, and 0 after the last. */
#ifndef TRP_TEST_SEEDS_H
#define TRP_TEST_SEEDS_H

#include <stdbool.h>
#include <stdint.h>

struct seeds {
  uint64_t seed, last, count; /* count: so many were begun */
  uint64_t until_ns;
  bool replay; /* one seed, given */
};

struct seeds seeds_begin(uint64_t count, uint64_t patience_s);
bool seeds_next(struct seeds *seeds);
bool seeds_replaying(void); /* a seed was given: say more */
void seeds_note(uint64_t seed);
int seeds_tell(void **state);

#endif
