/* The ways in which a feed gets its events, and from one to another: streaming, polling, the
 * breaker between the two, and a connection's successor. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/mexc.h"
#include "test/story/feed_world.h"
#include "test/story/seeds.h"

#define PROBE_MS 5000

static struct keeper_row *row(const char *symbol) {
  return feed_keeper_row(&world.keeper, trp_symbol_find(symbol));
}

static struct trp_feed_state ask_state(void) {
  struct trp_feed_query query = {0};
  struct trp_feed_state state = {0};
  size_t size = sizeof state;
  uint16_t type;
  assert_int_equal(TRP_OK, trp_system_ask(world.system, trp_system_whereis(world.system, "binance"),
                                          TRP_FEED_QUERY, &query, sizeof query, TRP_NS_PER_S, &type,
                                          &state, &size));
  return state;
}

static void refuse_streams(bool refused) {
  struct trp_simhub_conditions refuses = trp_simhub_calm();
  refuses.door = TRP_SIMHUB_REFUSES;
  world_conditions(STREAM_HOST, refused ? &refuses : NULL);
  if (refused) trp_simhub_drop(world.hub, STREAM_HOST);
}

static void no_trade_is_missed_or_repeated(void) {
  for (uint32_t i = 0; i < world.keeper.count; i++) {
    assert_int_equal(0, world.keeper.rows[i].skipped);
    assert_int_equal(0, world.keeper.rows[i].repeated);
  }
}

/* ---- polling ---- */

static void polling_brings_a_quote_a_second_and_never_dials(void **state) {
  (void)state;
  world_begin(&(struct world_options){.seed = 1, .mode = TRP_FEED_POLL});
  world_run_ms(60000);
  assert_int_equal(TRP_FEED_POLLING, world.phase);
  assert_int_equal(0, world.spy.attempt_count);
  static const char *const names[] = {"BTCUSDT.BINANCE", "ETHUSDT.BINANCE"};
  for (int i = 0; i < 2; i++) {
    assert_in_range(row(names[i])->quotes, 60, 80);
    assert_in_range(row(names[i])->pause_ns, 1, TRP_NS_PER_S);
    assert_int_equal(row(names[i])->polled, row(names[i])->quotes + row(names[i])->trades);
    assert_true(row(names[i])->trades > 10);
  }
  no_trade_is_missed_or_repeated();
  struct trp_feed_state now = ask_state();
  assert_int_equal(TRP_FEED_POLL, now.mode);
  assert_string_equal("polls over HTTP: 2 symbols", now.reason);
  assert_int_equal(0, world.stats.limited);
  assert_int_equal(TRP_OK, world_command("disconnect", NULL, 1000));
  assert_int_equal(0, world_held("binance", TRP_RES_SOCKET));
  uint64_t requests = world.spy.requests;
  world_run_ms(5000);
  assert_int_equal(requests, world.spy.requests);
  world_end();
}

static void a_poll_that_is_not_answered_is_stale_in_time(void **state) {
  (void)state;
  struct trp_simhub_conditions hole = trp_simhub_calm();
  hole.door = TRP_SIMHUB_BLACK_HOLE;
  world_begin(&(struct world_options){.seed = 2, .mode = TRP_FEED_POLL});
  assert_true(world_until_phase(TRP_FEED_POLLING, 1000));
  world_run_ms(5000);
  world_conditions(API_HOST, &hole);
  world_run_ms(3200);
  assert_int_equal(TRP_FEED_STALE, world.phase);
  world_conditions(API_HOST, NULL);
  assert_true(world_until_phase(TRP_FEED_POLLING, 6000));
  world_end();
}

/* ---- the breaker ---- */

static void five_failures_open_the_breaker_and_it_polls_until_the_stream_is_back(void **state) {
  (void)state;
  for (uint64_t seed = 10; seed < 20; seed++) {
    world_begin(&(struct world_options){
        .seed = seed, .automatic = true, .probe_ms = PROBE_MS, .quotes_per_s = 50});
    assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
    world_run_ms(1000);
    refuse_streams(true);
    uint32_t before = world.spy.attempt_count;
    assert_true(world_until_phase(TRP_FEED_POLLING, 20000));
    assert_int_equal(before + 4, world.spy.attempt_count); /* with the loss, five */
    assert_int_equal(TRP_FEED_POLL, ask_state().mode);
    assert_non_null(strstr(ask_state().reason, "the breaker is open"));
    uint64_t polled = row("BTCUSDT.BINANCE")->polled;
    world_run_ms(20000);
    assert_int_equal(before + 4 + 3, world.spy.attempt_count); /* a probe each time */
    assert_int_equal(TRP_FEED_POLLING, world.phase);
    assert_true(row("BTCUSDT.BINANCE")->polled >= polled + 20);
    refuse_streams(false);
    assert_true(world_until_phase(TRP_FEED_LIVE, PROBE_MS + 1000));
    polled = row("ETHUSDT.BINANCE")->polled;
    assert_int_equal(TRP_FEED_STREAM, ask_state().mode);
    assert_true(world_settles(2000));
    world_run_ms(10000);
    assert_in_range(row("ETHUSDT.BINANCE")->polled - polled, 0, 200); /* trades, to the join */
    polled = row("ETHUSDT.BINANCE")->polled;
    world_run_ms(10000);
    assert_int_equal(polled, row("ETHUSDT.BINANCE")->polled);
    assert_true(row("BTCUSDT.BINANCE")->trades > 100);
    no_trade_is_missed_or_repeated();
    world_end();
  }
}

static void a_mexc_feed_polls_while_the_breaker_is_open_and_streams_again(void **state) {
  (void)state;
  for (uint64_t seed = 20; seed < 25; seed++) {
    world_begin(&(struct world_options){.seed = seed,
                                        .automatic = true,
                                        .probe_ms = PROBE_MS,
                                        .quotes_per_s = 50,
                                        .heartbeat_ms = 45000, /* its pings are 15 s apart */
                                        .check_symbols = true,
                                        .feed_kind = &trp_mexc_feed_kind,
                                        .dialect = &trp_exchange_mexc});
    assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
    world_run_ms(1000);
    assert_int_equal(TRP_INVALID, world_command("subscribe", "BTCUSTD", 1000));
    refuse_streams(true);
    assert_true(world_until_phase(TRP_FEED_POLLING, 20000));
    assert_int_equal(TRP_FEED_POLL, ask_state().mode);
    uint64_t polled = row("BTCUSDT.MEXC")->polled, trades = row("BTCUSDT.MEXC")->trades;
    world_run_ms(20000);
    assert_int_equal(TRP_FEED_POLLING, world.phase);
    assert_in_range(row("BTCUSDT.MEXC")->polled - polled, 18, 28);
    assert_int_equal(trades, row("BTCUSDT.MEXC")->trades); /* those are not polled */
    refuse_streams(false);
    assert_true(world_until_phase(TRP_FEED_LIVE, PROBE_MS + 1000));
    assert_int_equal(TRP_FEED_STREAM, ask_state().mode);
    assert_true(world_settles(2000));
    polled = row("ETHUSDT.MEXC")->polled;
    world_run_ms(10000);
    assert_int_equal(polled, row("ETHUSDT.MEXC")->polled);
    assert_true(row("BTCUSDT.MEXC")->trades > trades);
    assert_true(world_settles(2000));
    assert_int_equal(0, world.stats.limited);
    world_end();
  }
}

static void a_limit_is_obeyed_by_the_next_incarnation_too(void **state) {
  (void)state;
  struct trp_simhub_conditions limit = trp_simhub_calm();
  limit.answer_status = 418;
  limit.answer_retry_s = 30;
  world_begin(&(struct world_options){.seed = 30, .mode = TRP_FEED_POLL});
  world_run_ms(3000);
  world_conditions(API_HOST, &limit);
  world_run_ms(2000);
  world_conditions(API_HOST, NULL);
  uint64_t told = world_now_ms(), requests = world.spy.requests;
  world_fault("binance", "panic");
  world_run_ms(27000);
  assert_int_equal(requests, world.spy.requests);
  assert_int_equal(TRP_FEED_STALE, world.phase);
  world_run_ms(6000);
  assert_true(world.spy.requests > requests);
  assert_true(world.spy.last_request_ns > told * TRP_NS_PER_MS);
  assert_int_equal(TRP_FEED_POLLING, world.phase);
  world_end();
}

static void a_stream_s_limit_is_obeyed_by_the_next_incarnation_too(void **state) {
  (void)state;
  struct trp_simhub_conditions limit = trp_simhub_calm();
  limit.answer_status = 429;
  limit.answer_retry_s = 20;
  world_begin(&(struct world_options){.seed = 31, .stay_disconnected = true});
  world_conditions(STREAM_HOST, &limit);
  assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
  world_run_ms(1000);
  world_conditions(STREAM_HOST, NULL);
  world_fault("binance", "panic");
  world_run_ms(500);
  assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
  world_run_ms(17500);
  assert_int_equal(1, world.spy.attempt_count);
  assert_true(world_until_phase(TRP_FEED_LIVE, 3000));
  world_end();
}

/* ---- successors ---- */

static void a_connection_is_renewed_before_it_ends_and_nothing_is_missed(void **state) {
  (void)state;
  for (uint64_t seed = 40; seed < 50; seed++) {
    world_begin(&(struct world_options){
        .seed = seed, .renew_s = 10, .streams_at_once = 2, .quotes_per_s = 100});
    assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
    assert_true(world_settles(2000));
    uint64_t requests = world.spy.requests, snapshots = row("BTCUSDT.BINANCE")->snapshots;
    uint32_t states = world.keeper.state_count;
    world_run_ms(60000);
    assert_in_range(world.spy.attempt_count, 5, 7);
    assert_int_equal(requests, world.spy.requests); /* its books went on, too */
    assert_int_equal(snapshots, row("BTCUSDT.BINANCE")->snapshots);
    assert_int_equal(states, world.keeper.state_count); /* LIVE all the time */
    assert_int_equal(0, world.keeper.feed_gaps);
    assert_true(row("BTCUSDT.BINANCE")->pause_ns < TRP_NS_PER_S / 2);
    no_trade_is_missed_or_repeated();
    world_run_ms(2500); /* between two renewals */
    assert_int_equal(1, world_streams());
    assert_true(world_settles(2000));
    world_end();
    assert_int_equal(0, world.stats.closes_improper);
  }
}

static void a_successor_that_fails_leaves_the_connection_and_is_tried_again(void **state) {
  (void)state;
  struct trp_simhub_conditions refuses = trp_simhub_calm();
  refuses.door = TRP_SIMHUB_REFUSES;
  world_begin(&(struct world_options){.seed = 50, .renew_s = 10, .streams_at_once = 2});
  assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
  world_conditions(STREAM_HOST, &refuses);
  world_run_ms(25000);
  assert_int_equal(TRP_FEED_LIVE, world.phase);
  assert_in_range(world.spy.attempt_count, 3, 6);
  world_conditions(STREAM_HOST, NULL);
  world_run_ms(7000); /* the next try, and the old one is released */
  assert_int_equal(1, world_streams());
  assert_int_equal(0, world.keeper.feed_gaps);
  no_trade_is_missed_or_repeated();
  assert_true(world_settles(2000));
  world_end();
}

/* ---- consumers that lag ---- */

static void begin_busy(uint64_t seed) {
  world_begin(&(struct world_options){
      .seed = seed, .quotes_per_s = 1000, .heartbeat_ms = 60000, .stale_ms = 60000});
  assert_true(world_until_phase(TRP_FEED_LIVE, 1000));
  world_run_ms(500);
}

static void stall_consumer(uint64_t seconds) {
  trp_sim_stall(world.system, trp_system_whereis(world.system, "consumer"), seconds * TRP_NS_PER_S);
}

static void quotes_conflate_while_a_consumer_lags_and_nothing_else_is_lost(void **state) {
  (void)state;
  begin_busy(70);
  stall_consumer(4);
  world_run_ms(6000);
  assert_true(ask_state().conflated > 100);
  assert_int_equal(0, world.keeper.feed_gaps);
  assert_int_equal(0, world.keeper.event_gaps);
  no_trade_is_missed_or_repeated();
  assert_true(world_settles(3000));
  uint64_t conflated = ask_state().conflated;
  world_run_ms(2000);
  assert_int_equal(conflated, ask_state().conflated);
  world_end();
}

static void a_consumer_that_lags_for_long_hears_of_gaps_and_has_whole_books_again(void **state) {
  (void)state;
  begin_busy(71);
  uint64_t requests = world.spy.requests, snapshots = row("BTCUSDT.BINANCE")->snapshots;
  stall_consumer(30);
  world_run_ms(32000);
  assert_true(world_settles(3000));
  uint64_t skipped = 0;
  for (uint32_t i = 0; i < world.keeper.count; i++) {
    skipped += world.keeper.rows[i].skipped;
    assert_int_equal(0, world.keeper.rows[i].repeated);
  }
  assert_true(skipped > 0);
  assert_int_equal(skipped, world.keeper.feed_gaps); /* each was told */
  assert_int_equal(0, world.keeper.event_gaps);
  assert_true(row("BTCUSDT.BINANCE")->snapshots > snapshots);
  assert_int_equal(requests, world.spy.requests); /* the feed had the books */
  assert_int_equal(1, world.spy.attempt_count);   /* and the exchange a reader */
  world_end();
  assert_int_equal(0, world.stats.slow);
}

/* ---- symbols ---- */

static void a_symbol_that_there_is_not_is_told_with_the_nearest(void **state) {
  (void)state;
  static const char *const symbols[] = {"BTCUSDT", "ETHUSTD", NULL};
  world_begin(&(struct world_options){.seed = 60, .symbols = symbols, .check_symbols = true});
  world_run_ms(2000);
  assert_int_equal(TRP_FEED_LIVE, world.phase);
  struct trp_feed_state now = ask_state();
  assert_int_equal(TRP_INVALID, now.error);
  assert_string_equal(
      "1 of 2 symbols in sync, 1 refused: no symbol ETHUSTD; the nearest is ETHUSDT", now.reason);
  assert_true(row("BTCUSDT.BINANCE")->quotes > 0);

  struct trp_feed_command command = {.verb = "subscribe", .symbol = "SOLUSD"};
  struct trp_result result;
  size_t size = sizeof result;
  uint16_t type;
  assert_int_equal(TRP_OK, trp_system_ask(world.system, trp_system_whereis(world.system, "binance"),
                                          TRP_FEED_COMMAND, &command, sizeof command, TRP_NS_PER_S,
                                          &type, &result, &size));
  assert_int_equal(TRP_INVALID, result.status);
  assert_string_equal("no symbol SOLUSD; the nearest is SOLUSDT", result.text);
  assert_int_equal(TRP_OK, world_command("subscribe", "SOLUSDT", 1000));
  world_end();
}

static void streaming_does_not_wait_for_the_list(void **state) {
  (void)state;
  struct trp_simhub_conditions limit = trp_simhub_calm();
  limit.answer_status = 503;
  world_begin(
      &(struct world_options){.seed = 61, .check_symbols = true, .stay_disconnected = true});
  world_conditions(API_HOST, &limit);
  assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
  world_run_ms(3000);
  assert_true(row("BTCUSDT.BINANCE")->quotes > 0);
  world_conditions(API_HOST, NULL);
  assert_true(world_until_phase(TRP_FEED_LIVE, 10000));
  world_run_ms(10000);
  assert_int_equal(TRP_INVALID, world_command("subscribe", "BTCUSTD", 1000)); /* it came later */
  world_end();
}

#define STORY(name) cmocka_unit_test_teardown(name, seeds_tell)

int main(void) {
  const struct CMUnitTest tests[] = {
      STORY(polling_brings_a_quote_a_second_and_never_dials),
      STORY(a_poll_that_is_not_answered_is_stale_in_time),
      STORY(five_failures_open_the_breaker_and_it_polls_until_the_stream_is_back),
      STORY(a_mexc_feed_polls_while_the_breaker_is_open_and_streams_again),
      STORY(a_limit_is_obeyed_by_the_next_incarnation_too),
      STORY(a_stream_s_limit_is_obeyed_by_the_next_incarnation_too),
      STORY(a_connection_is_renewed_before_it_ends_and_nothing_is_missed),
      STORY(a_successor_that_fails_leaves_the_connection_and_is_tried_again),
      STORY(quotes_conflate_while_a_consumer_lags_and_nothing_else_is_lost),
      STORY(a_consumer_that_lags_for_long_hears_of_gaps_and_has_whole_books_again),
      STORY(a_symbol_that_there_is_not_is_told_with_the_nearest),
      STORY(streaming_does_not_wait_for_the_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
