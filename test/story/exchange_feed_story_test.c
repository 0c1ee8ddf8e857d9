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
#include "adapters/gateio.h"
#include "adapters/mexc.h"
#include "test/story/feed_world.h"

enum {
  HEARTBEAT_MS = 1500,
  BACKOFF_MS = 1000,
  GATEIO_WINDOW_MS = 10000,
  RETRY_AFTER_MS = 3000, /* the longest that a refusal of these faults asks for */
  SETTLE_MS = 5000,
  SEEDS = 30,
  MIXED_MS = 20000,
  GATEIO_LEVELS = 10 /* its snapshots are short, and what lies behind them is not told */
};

/* A dead stream is noticed by its heartbeat, closed within a second and dialled after the backoff.
 */
static const uint64_t MAY_WAIT_MS = HEARTBEAT_MS + 1000 + BACKOFF_MS + RETRY_AFTER_MS;

/* Gate.io's 429 does not say for how long; its feed then waits as long as a window lasts. */
static const uint64_t GATEIO_MAY_WAIT_MS = HEARTBEAT_MS + 1000 + BACKOFF_MS + GATEIO_WINDOW_MS;

static void begin_gateio(uint64_t seed) {
  static const char *const symbols[] = {"BTC_USDT", "ETH_USDT", NULL};
  world_begin(&(struct world_options){.seed = seed,
                                      .quotes_per_s = 20,
                                      .heartbeat_ms = HEARTBEAT_MS,
                                      .backoff_max_ms = BACKOFF_MS,
                                      .streams_at_once = 2, /* a shutdown brings a successor */
                                      .feed_kind = &trp_gateio_feed_kind,
                                      .dialect = &trp_exchange_gateio,
                                      .symbols = symbols,
                                      .levels_compared = GATEIO_LEVELS});
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  assert_true(world_settles(5000));
}

static void begin(uint64_t seed) {
  world_begin(&(struct world_options){.seed = seed,
                                      .quotes_per_s = 20,
                                      .heartbeat_ms = HEARTBEAT_MS,
                                      .backoff_max_ms = BACKOFF_MS,
                                      .streams_at_once = 2});
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  assert_true(world_settles(5000));
}

/* Polls where its breaker opens, checks its symbols, and renews its connection all the time. */
static void begin_automatic(uint64_t seed) {
  world_begin(&(struct world_options){.seed = seed,
                                      .quotes_per_s = 20,
                                      .heartbeat_ms = HEARTBEAT_MS,
                                      .backoff_max_ms = BACKOFF_MS,
                                      .automatic = true,
                                      .check_symbols = true,
                                      .probe_ms = BACKOFF_MS,
                                      .renew_s = 4,
                                      .streams_at_once = 2});
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  assert_true(world_settles(5000));
}

/* Polls and renews like the one before, but trades are not polled and have no ids to compare. */
static void begin_mexc(uint64_t seed) {
  world_begin(&(struct world_options){.seed = seed,
                                      .quotes_per_s = 20,
                                      .heartbeat_ms = HEARTBEAT_MS,
                                      .backoff_max_ms = BACKOFF_MS,
                                      .automatic = true,
                                      .check_symbols = true,
                                      .probe_ms = BACKOFF_MS,
                                      .renew_s = 4,
                                      .streams_at_once = 2,
                                      .feed_kind = &trp_mexc_feed_kind,
                                      .dialect = &trp_exchange_mexc});
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  assert_true(world_settles(5000));
}

static void live_through_each_fault(void (*begin_world)(uint64_t seed), uint64_t may_wait_ms) {
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
    begin_world(i + 1);
    world_fault("exchange", faults[i].text);
    world_run_ms(faults[i].ms);
    if (!world_settles(may_wait_ms + SETTLE_MS)) {
      fail_msg("no truth after %s", faults[i].text);
    }
    assert_null(world.broken);
    world_end();
  }
}

static void each_fault_is_lived_through(void **state) {
  (void)state;
  live_through_each_fault(begin, MAY_WAIT_MS);
}

static void each_fault_is_lived_through_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_each_fault(begin_automatic, MAY_WAIT_MS);
}

static void each_fault_of_gateio_is_lived_through(void **state) {
  (void)state;
  live_through_each_fault(begin_gateio, GATEIO_MAY_WAIT_MS);
}

static void each_fault_of_mexc_is_lived_through_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_each_fault(begin_mexc, MAY_WAIT_MS);
}

static void live_through_mixed_faults(void (*begin_world)(uint64_t seed), uint64_t may_wait_ms) {
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    char text[64];
    begin_world(seed);
    snprintf(text, sizeof text, "mixed:%" PRIu64 ":%d", seed, MIXED_MS);
    world_fault("exchange", text);
    world_run_ms(MIXED_MS);
    if (!world_settles(may_wait_ms + SETTLE_MS)) {
      fail_msg("no truth after %s", text);
    }
    assert_null(world.broken);
    world_end();
  }
}

static void faults_on_top_of_each_other_are_lived_through(void **state) {
  (void)state;
  live_through_mixed_faults(begin, MAY_WAIT_MS);
}

static void faults_on_top_of_each_other_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_mixed_faults(begin_automatic, MAY_WAIT_MS);
}

static void faults_of_gateio_on_top_of_each_other_are_lived_through(void **state) {
  (void)state;
  live_through_mixed_faults(begin_gateio, GATEIO_MAY_WAIT_MS);
}

static void faults_of_mexc_on_top_of_each_other_are_lived_through(void **state) {
  (void)state;
  live_through_mixed_faults(begin_mexc, MAY_WAIT_MS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(each_fault_is_lived_through, world_tell_trace),
      cmocka_unit_test_teardown(each_fault_is_lived_through_with_polling_and_renewals,
                                world_tell_trace),
      cmocka_unit_test_teardown(faults_on_top_of_each_other_with_polling_and_renewals,
                                world_tell_trace),
      cmocka_unit_test_teardown(each_fault_of_gateio_is_lived_through, world_tell_trace),
      cmocka_unit_test_teardown(faults_on_top_of_each_other_are_lived_through, world_tell_trace),
      cmocka_unit_test_teardown(faults_of_gateio_on_top_of_each_other_are_lived_through,
                                world_tell_trace),
      cmocka_unit_test_teardown(each_fault_of_mexc_is_lived_through_with_polling_and_renewals,
                                world_tell_trace),
      cmocka_unit_test_teardown(faults_of_mexc_on_top_of_each_other_are_lived_through,
                                world_tell_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
