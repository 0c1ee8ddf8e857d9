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
#include "test/story/markets.h"

enum {
  HEARTBEAT_MS = 1500,
  BACKOFF_MS = 1000,
  RETRY_AFTER_MS = 3000, /* the longest that a refusal of these faults asks for */
  SETTLE_MS = 5000,
  SEEDS = 30,
  MIXED_MS = 20000,
  RENEW_S = 4
};

/* A dead stream is noticed by its heartbeat, closed within a second and dialled after the backoff.
 * Where a refusal does not say for how long, the feed waits as long as the exchange's window. */
static uint64_t settle_ms(const struct market *market) {
  uint64_t polite_ms = market->limit_wait_ms != 0 ? market->limit_wait_ms : RETRY_AFTER_MS;
  return HEARTBEAT_MS + 1000 + BACKOFF_MS + polite_ms + SETTLE_MS;
}

/* Automatic: it polls where its breaker opens, checks its symbols, and renews its connection all
 * the time. */
static void begin(const struct market *market, uint64_t seed, bool automatic) {
  struct world_options options = market_options(market, seed);
  options.quotes_per_s = 20;
  options.heartbeat_ms = HEARTBEAT_MS;
  options.backoff_max_ms = BACKOFF_MS;
  options.streams_at_once = 2; /* a shutdown brings a successor */
  options.automatic = options.check_symbols = automatic;
  options.renew_s = automatic ? RENEW_S : 0;
  options.probe_ms = automatic ? BACKOFF_MS : 0;
  world_begin(&options);
  assert_true(world_until_phase(TRP_FEED_LIVE, 5000));
  assert_true(world_settles(5000));
}

/* `ms`: how long it lasts. */
static void live_through(const struct market *market, const char *fault, uint64_t ms) {
  world_fault("exchange", fault);
  world_run_ms(ms);
  if (!world_settles(settle_ms(market)))
    fail_msg("%s: no truth after %s", market->exchange->name, fault);
  assert_null(world.broken);
  world_end();
}

static void live_through_each_fault(const struct market *market, bool automatic) {
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
    begin(market, i + 1, automatic);
    live_through(market, faults[i].text, faults[i].ms);
  }
}

static void live_through_mixed_faults(const struct market *market, bool automatic) {
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    char text[64];
    snprintf(text, sizeof text, "mixed:%" PRIu64 ":%d", seed, MIXED_MS);
    begin(market, seed, automatic);
    live_through(market, text, MIXED_MS);
  }
}

static void each_fault_of_binance_is_lived_through(void **state) {
  (void)state;
  live_through_each_fault(&markets[0], false);
}

static void faults_of_binance_on_top_of_each_other(void **state) {
  (void)state;
  live_through_mixed_faults(&markets[0], false);
}

static void each_fault_of_binance_is_lived_through_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_each_fault(&markets[0], true);
}

static void faults_of_binance_on_top_of_each_other_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_mixed_faults(&markets[0], true);
}

static void each_fault_of_gateio_is_lived_through(void **state) {
  (void)state;
  live_through_each_fault(&markets[1], false);
}

static void faults_of_gateio_on_top_of_each_other(void **state) {
  (void)state;
  live_through_mixed_faults(&markets[1], false);
}

static void each_fault_of_gateio_is_lived_through_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_each_fault(&markets[1], true);
}

static void faults_of_gateio_on_top_of_each_other_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_mixed_faults(&markets[1], true);
}

static void each_fault_of_mexc_is_lived_through(void **state) {
  (void)state;
  live_through_each_fault(&markets[2], false);
}

static void faults_of_mexc_on_top_of_each_other(void **state) {
  (void)state;
  live_through_mixed_faults(&markets[2], false);
}

static void each_fault_of_mexc_is_lived_through_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_each_fault(&markets[2], true);
}

static void faults_of_mexc_on_top_of_each_other_with_polling_and_renewals(void **state) {
  (void)state;
  live_through_mixed_faults(&markets[2], true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(each_fault_of_binance_is_lived_through, world_tell_trace),
      cmocka_unit_test_teardown(faults_of_binance_on_top_of_each_other, world_tell_trace),
      cmocka_unit_test_teardown(each_fault_of_binance_is_lived_through_with_polling_and_renewals,
                                world_tell_trace),
      cmocka_unit_test_teardown(faults_of_binance_on_top_of_each_other_with_polling_and_renewals,
                                world_tell_trace),
      cmocka_unit_test_teardown(each_fault_of_gateio_is_lived_through, world_tell_trace),
      cmocka_unit_test_teardown(faults_of_gateio_on_top_of_each_other, world_tell_trace),
      cmocka_unit_test_teardown(each_fault_of_gateio_is_lived_through_with_polling_and_renewals,
                                world_tell_trace),
      cmocka_unit_test_teardown(faults_of_gateio_on_top_of_each_other_with_polling_and_renewals,
                                world_tell_trace),
      cmocka_unit_test_teardown(each_fault_of_mexc_is_lived_through, world_tell_trace),
      cmocka_unit_test_teardown(faults_of_mexc_on_top_of_each_other, world_tell_trace),
      cmocka_unit_test_teardown(each_fault_of_mexc_is_lived_through_with_polling_and_renewals,
                                world_tell_trace),
      cmocka_unit_test_teardown(faults_of_mexc_on_top_of_each_other_with_polling_and_renewals,
                                world_tell_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
