/* Ten minutes of all faults, drawn from a seed, for each exchange's feed with the times and limits
 * that it has in earnest. All the while:
 *
 *   a feed that says LIVE has heard of each symbol within the staleness limit
 *   attempts to connect stay under the backoff's bound
 *   the exchange, which counts by its documented limits, never counts one broken
 *
 * and when the faults have ended the consumer's view is the exchange's truth again within five
 * seconds beyond what the feed rightly waits for: its current backoff, and what a refusal told it.
 *
 *   TRP_SEED=n ./long_faults_story_test    that seed alone; TRP_SEEDS=n: 1 to n */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "test/story/markets.h"
#include "test/story/seeds.h"

enum {
  SEEDS = 8,
  PATIENCE_S = 20,
  FAULTS_MS = 600000,
  LOOK_MS = 100,        /* how often it is looked at */
  STALE_MS = 10000,     /* the feed's own limit.. */
  STALE_SLACK_MS = 500, /* ..and a tick of its clock, and the way to the keeper */
  SETTLE_MS = 5000,
  RETRY_AFTER_MS = 3000, /* the longest that these faults' refusals ask for */
  PROBE_MS = 30100,      /* from a lost stream to the breaker's probe, and a tick */
  WINDOW_MS = 60000,
  EAGER_BACKOFF_MS = 2000,
  EAGER_ATTEMPTS = 60, /* a second apart, where the backoff is longest and chance shortens it */
  WINDOW_ATTEMPTS = 16 /* ten of an unstable minute, and one after each 10 s that were stable */
};

/* ---- silence ---- */

struct silence { /* of a symbol */
  uint64_t heard, since_ms;
};

static uint64_t heard_of(uint32_t i) {
  const struct keeper_row *row = i < world.keeper.count ? &world.keeper.rows[i] : NULL;
  return row != NULL ? row->quotes + row->trades + row->updates + row->snapshots : 0;
}

static void nobody_is_silent_unseen(struct silence *silences, bool anew) {
  for (uint32_t i = 0; i < world.keeper.count; i++) {
    struct silence *s = &silences[i];
    if (anew || heard_of(i) != s->heard || world.phase != TRP_FEED_LIVE)
      *s = (struct silence){heard_of(i), world_now_ms()};
    if (world_now_ms() - s->since_ms > STALE_MS + STALE_SLACK_MS)
      fail_msg("at %" PRIu64 " ms: %s is silent since %" PRIu64 " ms, and the feed says LIVE",
               world_now_ms(), trp_symbol_name(world.keeper.rows[i].symbol), s->since_ms);
  }
}

/* ---- attempts ---- */

/* Successors apart: who is told that a stream will end dials the next at once, one a notice. */
static uint32_t reconnects(uint64_t from_ms, uint64_t to_ms) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < world.spy.attempt_count; i++)
    n += !world.spy.successor[i] && world.spy.attempts[i] >= from_ms &&
         world.spy.attempts[i] < to_ms;
  return n;
}

static uint32_t most_in_a_window(void) {
  uint32_t most = 0;
  for (uint32_t i = 0; i < world.spy.attempt_count; i++) {
    uint32_t n = reconnects(world.spy.attempts[i], world.spy.attempts[i] + WINDOW_MS);
    most = n > most ? n : most;
  }
  return most;
}

/* ---- after the faults ---- */

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Until when the feed rightly waits: for its next attempt or probe of the stream, and for the time
 * that a refusal told it, or that it takes where refusals tell none. */
static uint64_t may_wait_until(const struct market *market, uint64_t ended_ms) {
  uint64_t polite_ms = ended_ms + later(RETRY_AFTER_MS, market->limit_wait_ms);
  uint64_t probe_ms = world.phase == TRP_FEED_POLLING ? world.spy.ended_ms + PROBE_MS : 0;
  return later(polite_ms, later(probe_ms, world.backoff_until_ms));
}

static uint64_t settles_after(const struct market *market, uint64_t ended_ms) {
  uint64_t until_ms = 0;
  while (!world_settles(LOOK_MS)) {
    until_ms = later(until_ms, may_wait_until(market, ended_ms)); /* an attempt may lie behind */
    if (world_now_ms() > until_ms + SETTLE_MS)
      fail_msg("%s: %s %" PRIu64 " ms after the faults, which it could wait for %" PRIu64 " ms",
               market->exchange->name, trp_feed_state_text(world.phase), world_now_ms() - ended_ms,
               until_ms - ended_ms);
  }
  return world_now_ms() - ended_ms;
}

struct toll {
  uint64_t worlds, worst_ms, attempts, most;
};

static void ten_minutes(const struct market *market, uint64_t seed, struct toll *toll) {
  struct world_options options = market_options(market, seed);
  struct silence silences[KEEPER_ROWS_MAX] = {0};
  char text[64];
  options.usual_times = true;
  options.automatic = seed % 2 == 0; /* every other one polls while its breaker is open.. */
  bool eager = seed / 2 % 2 == 0;    /* ..and of each sort every other one is back soon for more */
  options.backoff_max_ms = eager ? EAGER_BACKOFF_MS : 0;
  options.streams_at_once = 2; /* who is told of a close has the next stream before it */
  world_begin(&options);
  assert_true(world_settles(10000));
  nobody_is_silent_unseen(silences, true);
  snprintf(text, sizeof text, "mixed:%" PRIu64 ":%d", seed, FAULTS_MS);
  world_fault("exchange", text);
  for (uint64_t end = world_now_ms() + FAULTS_MS; world_now_ms() < end;) {
    world_run_ms(LOOK_MS);
    nobody_is_silent_unseen(silences, false);
  }
  uint64_t took = settles_after(market, world_now_ms());
  uint32_t most = most_in_a_window();
  if (most > (eager ? EAGER_ATTEMPTS : WINDOW_ATTEMPTS)) fail_msg("%u attempts in a minute", most);
  assert_int_equal(0, world.stats.limited);
  toll->worlds++;
  assert_true(world.spy.attempt_count < WORLD_ATTEMPTS_MAX);
  toll->attempts += reconnects(0, UINT64_MAX);
  toll->worst_ms = took > toll->worst_ms ? took : toll->worst_ms;
  toll->most = most > toll->most ? most : toll->most;
  world_end();
}

static void live_ten_minutes(const struct market *market) {
  struct toll toll = {0};
  struct seeds seeds = seeds_begin(SEEDS, PATIENCE_S);
  while (seeds_next(&seeds)) ten_minutes(market, seeds.seed, &toll);
  printf("  %s: %" PRIu64 " times; the truth again within %" PRIu64 " ms; %" PRIu64
         " attempts, %" PRIu64 " in the worst minute\n",
         market->exchange->name, toll.worlds, toll.worst_ms, toll.attempts, toll.most);
}

static void ten_minutes_of_faults_of_binance_end_in_the_truth(void **state) {
  (void)state;
  live_ten_minutes(&markets[0]);
}

static void ten_minutes_of_faults_of_gateio_end_in_the_truth(void **state) {
  (void)state;
  live_ten_minutes(&markets[1]);
}

static void ten_minutes_of_faults_of_mexc_end_in_the_truth(void **state) {
  (void)state;
  live_ten_minutes(&markets[2]);
}

/* ---- one by one ---- */

static void a_server_that_hangs_up_at_once_is_dialled_ten_times_a_minute_at_most(void **state) {
  (void)state;
  for (uint64_t i = 0; i < MARKETS * 5; i++) {
    struct world_options options = market_options(&markets[i % MARKETS], i + 1);
    options.ws_base = FLAKY_URL;
    options.usual_times = true;
    world_begin(&options);
    world.flaky.hang_up_ms = 50;
    world_run_ms(WINDOW_MS);
    assert_in_range(world.spy.attempt_count, 5, 10);
    world_run_ms(WINDOW_MS);
    assert_in_range(world.spy.attempt_count, 6, 15); /* from then on every 15 to 30 s */
    world_end();
  }
}

static void a_feed_that_falls_silent_is_stale_within_its_limit(void **state) {
  (void)state;
  for (uint64_t i = 0; i < MARKETS * 3; i++) {
    struct world_options options = market_options(&markets[i % MARKETS], i + 1);
    options.usual_times = true;
    world_begin(&options);
    assert_true(world_settles(10000));
    world_run_ms(2000);
    world_fault("exchange", "silence:60000");
    world_run_ms(STALE_MS - LOOK_MS * 3);
    assert_int_equal(TRP_FEED_LIVE, world.phase);
    assert_true(world_until_phase(TRP_FEED_STALE, LOOK_MS * 3 + STALE_SLACK_MS));
    assert_true(world_streams() == 1); /* the socket is open all the while */
    world_end();
  }
}

static int clear(void **state) {
  (void)seeds_tell(state);
  return world_tell_trace(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(ten_minutes_of_faults_of_binance_end_in_the_truth, clear),
      cmocka_unit_test_teardown(ten_minutes_of_faults_of_gateio_end_in_the_truth, clear),
      cmocka_unit_test_teardown(ten_minutes_of_faults_of_mexc_end_in_the_truth, clear),
      cmocka_unit_test_teardown(
          a_server_that_hangs_up_at_once_is_dialled_ten_times_a_minute_at_most, clear),
      cmocka_unit_test_teardown(a_feed_that_falls_silent_is_stale_within_its_limit, clear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
