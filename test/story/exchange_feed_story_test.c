/* Each of the exchange's faults against a feed that lives through it: after the fault has ended,
 * the consumer's view becomes the exchange's truth again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "actors/feed_state.h"
#include "test/story/feed_world.h"

enum {
  HEARTBEAT_MS = 1500,
  BACKOFF_MS = 1000,
  RETRY_AFTER_MS = 3000, /* the longest that a refusal of these faults asks for */
  SETTLE_MS = 5000,
  SEEDS = 10,
  MIXED_MS = 20000
};

/* A dead stream is noticed by its heartbeat, closed within a second and dialled after the backoff.
 */
static const uint64_t MAY_WAIT_MS = HEARTBEAT_MS + 1000 + BACKOFF_MS + RETRY_AFTER_MS;

static void begin(uint64_t seed) {
  world_begin(&(struct world_options){.seed = seed,
                                      .quotes_per_s = 20,
                                      .heartbeat_ms = HEARTBEAT_MS,
                                      .backoff_max_ms = BACKOFF_MS});
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  assert_true(world_settles(5000));
}

static void each_fault_is_lived_through(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t ms;
  } faults[] = {{"drop", 0},
                {"expire", 0},
                {"gap", 0},
                {"stall:2000", 2000},
                {"silence:2000", 2000},
                {"half-open:3000", 3000},
                {"refuse:2000", 2000},
                {"garbage:3000", 3000},
                {"reorder:3000", 3000},
                {"duplicate:3000", 3000},
                {"429:3000", 3000},
                {"418:3000", 3000},
                {"shutdown:1000", 1000}};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    begin(i + 1);
    world_fault("exchange", faults[i].text);
    world_run_ms(faults[i].ms);
    if (!world_settles(MAY_WAIT_MS + SETTLE_MS)) {
      fail_msg("no truth after %s", faults[i].text);
    }
    assert_null(world.broken);
    world_end();
  }
}

static void faults_on_top_of_each_other_are_lived_through(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    char text[64];
    begin(seed);
    snprintf(text, sizeof text, "mixed:%" PRIu64 ":%d", seed, MIXED_MS);
    world_fault("exchange", text);
    world_run_ms(MIXED_MS);
    if (!world_settles(MAY_WAIT_MS + SETTLE_MS)) {
      fail_msg("no truth after %s", text);
    }
    assert_null(world.broken);
    world_end();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(each_fault_is_lived_through, world_tell_trace),
      cmocka_unit_test_teardown(faults_on_top_of_each_other_are_lived_through, world_tell_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
