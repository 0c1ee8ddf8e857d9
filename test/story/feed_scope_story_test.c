/* A feed connected for a C scope: however the scope is left, the feed is disconnected then and what
 * it sent is handled, within the time that was given. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "adapters/feed_scope.h"
#include "test/story/feed_world.h"

static const char *const way[] = {"event_engine", "consumer", NULL};

static const struct trp_feed_scope_options usual = {.feed = "binance", .drain = way};

static void begin(uint64_t seed) {
  world_begin(&(struct world_options){.seed = seed, .stay_disconnected = true});
}

/* Disconnected, and nothing is on its way any more. */
static void is_over(void) {
  uint64_t events = world.keeper.events;
  assert_int_equal(TRP_FEED_STOPPED, world.phase);
  assert_int_equal(0, world_streams());
  assert_int_equal(0, world_held("binance", TRP_RES_SOCKET));
  world_run_ms(500);
  assert_true(world.keeper.events == events);
}

static void within_the_scope_it_is_live_and_behind_it_over(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed < 10; seed++) {
    begin(seed);
    for (int i = 0; i < 3; i++) {
      uint64_t before = world.keeper.events;
      {
        TRP_FEED_SCOPE feed = trp_feed_scope(world.system, &usual);
        assert_int_equal(TRP_OK, feed.err);
        assert_int_equal(TRP_FEED_LIVE, feed.state.state);
        assert_true(world_stream_stands());
        world_run_ms(1000);
        assert_int_equal(TRP_OK, trp_feed_scope_look(&feed));
        assert_true(feed.state.updates > 0);
      }
      assert_true(world.keeper.events > before);
      is_over();
    }
    world_end();
    assert_int_equal(3, world.stats.closes_proper);
  }
}

static enum trp_err leaves_early(void) {
  TRP_FEED_SCOPE feed = trp_feed_scope(world.system, &usual);
  if (feed.err == TRP_OK) return TRP_CANCELLED;
  return feed.err;
}

static void a_return_from_within_disconnects_too(void **state) {
  (void)state;
  begin(20);
  assert_int_equal(TRP_CANCELLED, leaves_early());
  is_over();
  world_end();
}

static void a_feed_that_does_not_come_up_says_why_and_is_disconnected(void **state) {
  (void)state;
  begin(21);
  world_conditions(STREAM_HOST, &(struct trp_simhub_conditions){.resolve_fails = true});
  uint64_t before = world_now_ms();
  {
    TRP_FEED_SCOPE feed = trp_feed_scope(
        world.system,
        &(struct trp_feed_scope_options){.feed = "binance", .drain = way, .live_ms = 2000});
    assert_int_equal(TRP_TIMEOUT, feed.err);
    assert_int_equal(TRP_RESOLVE, feed.state.error);
    assert_in_range(world_now_ms() - before, 2000, 2100);
  }
  is_over();
  world_end();
}

static void a_slow_consumer_is_waited_for(void **state) {
  (void)state;
  begin(22);
  struct trp_feed_scope feed = trp_feed_scope(world.system, &usual);
  assert_int_equal(TRP_OK, feed.err);
  trp_sim_stall(world.system, trp_system_whereis(world.system, "consumer"), 2 * TRP_NS_PER_S);
  world_run_ms(1000);
  assert_int_equal(TRP_OK, trp_feed_scope_end(&feed));
  is_over();
  assert_int_equal(TRP_OK, trp_feed_scope_end(&feed)); /* twice is fine */
  world_end();
}

static void what_does_not_come_to_rest_is_told_in_time(void **state) {
  (void)state;
  begin(23);
  struct trp_feed_scope feed = trp_feed_scope(world.system, &usual);
  assert_int_equal(TRP_OK, feed.err);
  trp_sim_stall(world.system, trp_system_whereis(world.system, "consumer"), 8 * TRP_NS_PER_S);
  world_run_ms(1000);
  uint64_t before = world_now_ms();
  assert_int_equal(TRP_TIMEOUT, trp_feed_scope_end(&feed));
  assert_in_range(world_now_ms() - before, 3000, 3100);
  assert_int_equal(TRP_FEED_STOPPED, world.phase);
  world_run_ms(6000);
  world_end();
}

/* A feed that gets no turn answers nothing: connecting and leaving are bounded all the same. */
static void a_feed_that_hangs_holds_nobody_up(void **state) {
  (void)state;
  begin(24);
  trp_sim_stall(world.system, trp_system_whereis(world.system, "binance"), 20 * TRP_NS_PER_S);
  uint64_t before = world_now_ms();
  {
    TRP_FEED_SCOPE feed = trp_feed_scope(
        world.system,
        &(struct trp_feed_scope_options){.feed = "binance", .live_ms = 1000, .close_ms = 500});
    assert_int_equal(TRP_TIMEOUT, feed.err);
  }
  assert_in_range(world_now_ms() - before, 1500, 1700);
  world_run_ms(22000); /* it hears both then, one after the other */
  assert_int_equal(TRP_FEED_STOPPED, world.phase);
  assert_int_equal(0, world_streams());
  world_end();
}

static void a_feed_that_dies_within_the_scope_is_over_too(void **state) {
  (void)state;
  for (uint64_t seed = 30; seed < 40; seed++) {
    begin(seed);
    struct trp_feed_scope feed = trp_feed_scope(world.system, &usual);
    assert_int_equal(TRP_OK, feed.err);
    world_fault("binance", "panic");
    world_run_ms(seed % 3);
    assert_int_equal(TRP_OK, trp_feed_scope_end(&feed));
    is_over();
    world_end();
  }
}

static void a_feed_that_is_not_there_is_told(void **state) {
  (void)state;
  begin(25);
  TRP_FEED_SCOPE feed =
      trp_feed_scope(world.system, &(struct trp_feed_scope_options){.feed = "kraken"});
  assert_int_equal(TRP_NO_ACTOR, feed.err);
  assert_int_equal(TRP_OK, trp_feed_scope_end(&feed));
  TRP_FEED_SCOPE nothing = trp_feed_scope(world.system, &(struct trp_feed_scope_options){0});
  assert_int_equal(TRP_INVALID, nothing.err);
  world_end();
}

static void a_system_that_stops_meanwhile_is_a_good_end(void **state) {
  (void)state;
  begin(26);
  struct trp_feed_scope feed = trp_feed_scope(world.system, &usual);
  assert_int_equal(TRP_OK, feed.err);
  trp_system_stop(world.system, "meanwhile");
  world_run_ms(2000);
  assert_int_equal(TRP_OK, trp_feed_scope_end(&feed));
  world_end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(within_the_scope_it_is_live_and_behind_it_over, world_tell_trace),
      cmocka_unit_test_teardown(a_return_from_within_disconnects_too, world_tell_trace),
      cmocka_unit_test_teardown(a_feed_that_does_not_come_up_says_why_and_is_disconnected,
                                world_tell_trace),
      cmocka_unit_test_teardown(a_slow_consumer_is_waited_for, world_tell_trace),
      cmocka_unit_test_teardown(what_does_not_come_to_rest_is_told_in_time, world_tell_trace),
      cmocka_unit_test_teardown(a_feed_that_hangs_holds_nobody_up, world_tell_trace),
      cmocka_unit_test_teardown(a_feed_that_dies_within_the_scope_is_over_too, world_tell_trace),
      cmocka_unit_test_teardown(a_feed_that_is_not_there_is_told, world_tell_trace),
      cmocka_unit_test_teardown(a_system_that_stops_meanwhile_is_a_good_end, world_tell_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
