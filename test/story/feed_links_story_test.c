/* A feed over several streams: the exchange here takes one symbol a connection. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/symbol_table.h"
#include "test/story/feed_world.h"

static struct trp_dialect narrow;

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  return trp_feed_start(self, state, args, &narrow);
}

static const struct trp_kind narrow_kind = TRP_FEED_KIND("narrow_feed", start);

static void begin_live(uint64_t seed) {
  narrow = trp_binance_dialect;
  narrow.streams_per_link = 3;
  world_begin(&(struct world_options){
      .seed = seed, .feed_kind = &narrow_kind, .symbols_max = 3, .streams_at_once = 3});
  assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
  assert_int_equal(2, world_streams());
}

static bool matches(void *symbol) { return world.phase == TRP_FEED_LIVE && world_matches(symbol); }

static void a_symbol_more_is_a_stream_more_and_one_less_is_one_less(void **state) {
  (void)state;
  char sol[] = "SOLUSDT";
  begin_live(1);
  assert_true(world_settles(2000));
  assert_int_equal(TRP_OK, world_command("subscribe", sol, 1000));
  assert_true(trp_sim_run_until(world.system, matches, sol, 5 * TRP_NS_PER_S));
  assert_int_equal(3, world_streams());
  assert_int_equal(TRP_OK, world_command("unsubscribe", "SOLUSDT.BINANCE", 1000));
  world_run_ms(2000);
  assert_int_equal(2, world_streams());
  assert_int_equal(TRP_FEED_LIVE, world.phase);
  assert_true(world_settles(2000));
  world_end();
  assert_int_equal(3, world.stats.accepted);
  assert_int_equal(3, world.stats.closes_proper);
  assert_int_equal(0, world.stats.closes_improper);
}

static void streams_that_are_lost_are_dialled_each_by_itself(void **state) {
  (void)state;
  for (uint64_t seed = 2; seed < 12; seed++) {
    begin_live(seed);
    trp_simhub_drop(world.hub, NULL);
    world_run_ms(1000);
    assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
    assert_true(world_settles(2000));
    assert_int_equal(2, world_streams());
    assert_int_equal(4, world.spy.attempt_count);
    world_end();
  }
}

/* What of a snapshot is under way for a symbol of another stream goes on. */
static void a_stream_that_ends_leaves_the_other_live(void **state) {
  (void)state;
  begin_live(12);
  assert_true(world_settles(2000));
  struct keeper_row *btc = feed_keeper_row(&world.keeper, trp_symbol_find("BTCUSDT.BINANCE"));
  uint64_t quotes = btc->quotes;
  world.feed.net->ops->ws_close(world.feed.net, world.spy.link, 1000, "a story", 1000);
  world_run_ms(100);
  assert_int_equal(TRP_FEED_SYNCING, world.phase);
  assert_true(world_until_phase(TRP_FEED_LIVE, 3000));
  assert_true(world_settles(2000));
  assert_true(btc->quotes > quotes);
  assert_int_equal(3, world.spy.attempt_count);
  world_end();
}

static void a_disconnect_waits_for_all_of_them(void **state) {
  (void)state;
  for (uint64_t seed = 20; seed < 30; seed++) {
    begin_live(seed);
    assert_int_equal(TRP_OK, world_command("disconnect", NULL, 2000));
    assert_int_equal(0, world_streams());
    assert_int_equal(TRP_FEED_STOPPED, world.phase);
    assert_int_equal(0, world_held("binance", TRP_RES_SOCKET));
    assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
    assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
    world_clerk("disconnect", NULL);
    world_run_ms(seed % 3);
    world_end(); /* a stop in the midst of it */
    assert_int_equal(4, world.stats.closes_proper);
    assert_int_equal(0, world.stats.closes_improper);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(a_symbol_more_is_a_stream_more_and_one_less_is_one_less,
                                world_tell_trace),
      cmocka_unit_test_teardown(streams_that_are_lost_are_dialled_each_by_itself, world_tell_trace),
      cmocka_unit_test_teardown(a_stream_that_ends_leaves_the_other_live, world_tell_trace),
      cmocka_unit_test_teardown(a_disconnect_waits_for_all_of_them, world_tell_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
