/* The feed's life in virtual time: how it connects, loses its stream, recovers, and disconnects. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/symbol_table.h"
#include "test/story/feed_world.h"
#include "test/story/seeds.h"

#define SECOND TRP_NS_PER_S

static void begin_live(uint64_t seed) {
  world_begin(&(struct world_options){.seed = seed});
  assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
}

static struct keeper_row *row(const char *symbol) {
  return feed_keeper_row(&world.keeper, trp_symbol_find(symbol));
}

/* ---- life ---- */

static void it_subscribes_goes_live_and_tells_the_truth(void **state) {
  (void)state;
  world_begin(&(struct world_options){.seed = 1});
  assert_true(world_until_phase(TRP_FEED_LIVE, 1000));
  assert_true(world_settles(2000));
  world_run_ms(10000);
  assert_true(row("BTCUSDT.BINANCE")->quotes > 50);
  assert_true(row("ETHUSDT.BINANCE")->trades > 0);
  assert_null(row("SOLUSDT.BINANCE"));
  assert_true(world_settles(2000));
  world_end();
  assert_int_equal(1, world.stats.accepted);
  assert_int_equal(1, world.stats.closes_proper);
  assert_int_equal(0, world.stats.closes_improper);
}

static void a_dropped_stream_is_dialled_at_once_and_its_subscriptions_are_restored(void **state) {
  (void)state;
  begin_live(2);
  assert_int_equal(TRP_OK, world_command("subscribe", "SOLUSDT", 1000));
  world_run_ms(1000);
  assert_non_null(row("SOLUSDT.BINANCE"));
  trp_simhub_drop(world.hub, NULL);
  uint64_t dropped = world_now_ms();
  world_run_ms(1500);
  assert_int_equal(2, world.spy.attempt_count);
  assert_in_range(world.spy.attempts[1], dropped, dropped + 5);
  uint64_t quotes = row("SOLUSDT.BINANCE")->quotes;
  assert_true(world_until_phase(TRP_FEED_LIVE, 1000));
  world_run_ms(1000);
  assert_true(world_settles(2000));
  assert_true(row("SOLUSDT.BINANCE")->quotes > quotes);
  world_end();
}

static void a_server_that_hangs_up_at_once_is_dialled_ten_times_a_minute_at_most(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    world_begin(&(struct world_options){.seed = seed, .ws_base = FLAKY_URL});
    world.flaky.hang_up_ms = 50;
    world_run_ms(60000);
    assert_in_range(world.spy.attempt_count, 5, 10);
    assert_true(world.spy.attempts[1] - world.spy.attempts[0] < 100); /* the first one at once */
    for (uint32_t i = 4; i < world.spy.attempt_count; i++) {
      uint64_t before = world.spy.attempts[i - 1] - world.spy.attempts[i - 2];
      uint64_t wait = world.spy.attempts[i] - world.spy.attempts[i - 1];
      assert_true(wait * 2 >= before && wait <= 30100);
    }
    world_end();
  }
}

static void a_refused_connection_backs_off_and_comes_back(void **state) {
  (void)state;
  struct trp_simhub_conditions refuses = trp_simhub_calm();
  refuses.door = TRP_SIMHUB_REFUSES;
  begin_live(3);
  world_conditions(STREAM_HOST, &refuses);
  trp_simhub_drop(world.hub, STREAM_HOST);
  world_run_ms(20000);
  assert_int_equal(TRP_FEED_BACKOFF, world.phase);
  assert_in_range(world.spy.attempt_count, 4, 9);
  world_conditions(STREAM_HOST, NULL);
  assert_true(world_until_phase(TRP_FEED_LIVE, 31000));
  assert_true(world_settles(2000));
  world_end();
}

/* What was asked for the sake of a stream ends with it. */
static void snapshots_in_flight_end_with_their_stream(void **state) {
  (void)state;
  struct trp_simhub_conditions hole = trp_simhub_calm(), refuses = trp_simhub_calm();
  hole.door = TRP_SIMHUB_BLACK_HOLE;
  refuses.door = TRP_SIMHUB_REFUSES;
  world_begin(&(struct world_options){.seed = 17, .stay_disconnected = true});
  world_conditions(API_HOST, &hole);
  assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
  world_run_ms(1000);
  assert_int_equal(3, world_held("binance", TRP_RES_SOCKET)); /* the stream, two snapshots */
  world_conditions(STREAM_HOST, &refuses);
  trp_simhub_drop(world.hub, STREAM_HOST);
  world_run_ms(100);
  assert_int_equal(TRP_FEED_BACKOFF, world.phase);
  assert_int_equal(0, world_held("binance", TRP_RES_SOCKET));
  assert_int_equal(0, world.feed.net->ops->live(world.feed.net));
  world_end();
}

static void a_black_hole_is_given_up_in_time(void **state) {
  (void)state;
  struct trp_simhub_conditions hole = trp_simhub_calm();
  hole.door = TRP_SIMHUB_BLACK_HOLE;
  begin_live(4);
  world_conditions(STREAM_HOST, &hole);
  trp_simhub_drop(world.hub, STREAM_HOST);
  world_run_ms(1900);
  assert_int_equal(2, world.spy.attempt_count);
  world_run_ms(200);
  assert_true(world.phase == TRP_FEED_BACKOFF || world.spy.attempt_count == 3);
  world_conditions(STREAM_HOST, NULL);
  assert_true(world_until_phase(TRP_FEED_LIVE, 6000));
  assert_true(world_settles(2000));
  world_end();
}

static void a_name_that_does_not_resolve_is_asked_for_again(void **state) {
  (void)state;
  struct trp_simhub_conditions fails = trp_simhub_calm();
  fails.resolve_fails = true;
  begin_live(5);
  world_conditions(STREAM_HOST, &fails);
  trp_simhub_drop(world.hub, STREAM_HOST);
  assert_true(world_until_phase(TRP_FEED_BACKOFF, 1000));
  world_run_ms(1000);
  world_conditions(STREAM_HOST, NULL);
  assert_true(world_until_phase(TRP_FEED_LIVE, 6000));
  world_end();
}

static void a_silent_feed_is_stale_within_its_limit_and_recovers(void **state) {
  (void)state;
  world_begin(&(struct world_options){.seed = 6, .heartbeat_ms = 60000});
  assert_true(world_until_phase(TRP_FEED_LIVE, 1000));
  world_run_ms(2000);
  assert_int_equal(TRP_OK, trp_simhub_silence(world.hub, NULL, 10 * SECOND, false));
  world_run_ms(1800);
  assert_int_equal(TRP_FEED_LIVE, world.phase);
  world_run_ms(1200); /* no symbol is quiet for long here: none has learned more patience */
  assert_int_equal(TRP_FEED_STALE, world.phase);
  world_run_ms(7100);
  assert_int_equal(TRP_FEED_LIVE, world.phase);
  assert_int_equal(1, world.spy.attempt_count); /* the stream was never given up */
  assert_true(world_settles(2000));
  world_end();
}

/* Of the seeds: a missed heartbeat that leaves the old connection running beside the new. */
static void a_missed_heartbeat_ends_the_old_connection_before_the_new(void **state) {
  (void)state;
  begin_live(7);
  trp_simhub_half_open(world.hub, STREAM_HOST);
  uint64_t lost = world_now_ms();
  assert_true(world_until_phase(TRP_FEED_STALE, 2500));
  assert_true(world_until_phase(TRP_FEED_BACKOFF, 3000)); /* heartbeat, then the close's second */
  assert_in_range(world_now_ms() - lost, 3900, 4300);
  assert_int_equal(0, world_held("binance", TRP_RES_SOCKET));
  assert_true(world_settles(3000)); /* the spy saw no overlap: see world_end */
  assert_int_equal(2, world.spy.attempt_count);
  world_end();
}

static void a_gap_rebuilds_one_symbol_and_no_other(void **state) {
  (void)state;
  begin_live(8);
  assert_true(world_settles(2000));
  uint64_t requests = world.spy.requests, others = row("BTCUSDT.BINANCE")->snapshots;
  world.spy.swallow = "\"ethusdt@depth@100ms\"";
  world_run_ms(1000);
  assert_null(world.spy.swallow);
  assert_true(world_settles(3000));
  assert_int_equal(requests + 1, world.spy.requests);
  assert_int_equal(1, world.keeper.feed_gaps);
  assert_int_equal(trp_symbol_find("ETHUSDT.BINANCE"), world.keeper.gap_symbols[0]);
  assert_int_equal(others, row("BTCUSDT.BINANCE")->snapshots);
  assert_int_equal(1, world.spy.attempt_count);
  world_fault("exchange", "gap"); /* now each of them, at once */
  world_run_ms(1000);
  assert_int_equal(3, world.keeper.feed_gaps);
  assert_true(world_settles(3000));
  assert_int_equal(requests + 3, world.spy.requests);
  world_end();
}

static void a_snapshot_that_is_limited_waits_as_long_as_it_was_told(void **state) {
  (void)state;
  static const uint16_t statuses[] = {429, 418};
  for (int i = 0; i < 2; i++) {
    struct trp_simhub_conditions limit = trp_simhub_calm();
    limit.answer_status = statuses[i];
    limit.answer_retry_s = 7;
    world_begin(&(struct world_options){.seed = 9, .stay_disconnected = true});
    world_conditions(API_HOST, &limit);
    assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
    world_run_ms(1000);
    uint64_t requests = world.spy.requests;
    assert_in_range(requests, 1, 2); /* two were on their way when the first answer came */
    world_conditions(API_HOST, NULL);
    world_run_ms(5500);
    assert_int_equal(requests, world.spy.requests);
    assert_int_equal(TRP_FEED_SYNCING, world.phase);
    assert_true(row("BTCUSDT.BINANCE")->quotes > 0); /* quotes need no book */
    assert_true(world_until_phase(TRP_FEED_LIVE, 3000));
    assert_true(world_settles(2000));
    world_end();
  }
}

static void a_handshake_that_is_limited_is_tried_again_after_its_time(void **state) {
  (void)state;
  struct trp_simhub_conditions limit = trp_simhub_calm();
  limit.answer_status = 429;
  limit.answer_retry_s = 20;
  world_begin(&(struct world_options){.seed = 10, .stay_disconnected = true});
  world_conditions(STREAM_HOST, &limit);
  assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
  world_run_ms(1000);
  world_conditions(STREAM_HOST, NULL);
  assert_int_equal(TRP_OK, world_command("disconnect", NULL, 1000)); /* is no way around it */
  assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
  world_run_ms(18000);
  assert_int_equal(1, world.spy.attempt_count);
  assert_int_equal(TRP_FEED_BACKOFF, world.phase);
  assert_true(world_until_phase(TRP_FEED_LIVE, 3000));
  world_end();
}

static void an_acknowledgement_that_never_comes_is_a_new_connection(void **state) {
  (void)state;
  world_begin(&(struct world_options){.seed = 11, .ws_base = FLAKY_URL});
  world_run_ms(1900);
  assert_int_equal(TRP_FEED_SYNCING, world.phase);
  world_run_ms(500);
  assert_int_equal(2, world.flaky.accepted);
  world_run_ms(57600);
  assert_in_range(world.spy.attempt_count, 5, 10);
  world_end();
}

/* ---- at run time ---- */

static void symbols_come_and_go_while_events_are_told(void **state) {
  (void)state;
  world_begin(&(struct world_options){.seed = 12, .quotes_per_s = 200});
  assert_true(world_until_phase(TRP_FEED_LIVE, 1000));
  for (int i = 0; i < 20; i++) {
    assert_int_equal(TRP_OK, world_command("subscribe", "SOLUSDT", 1000));
    world_run_ms(37 * (uint64_t)i);
    assert_int_equal(TRP_OK, world_command("unsubscribe", "SOLUSDT.BINANCE", 1000));
    world_run_ms(11 * (uint64_t)i);
  }
  assert_int_equal(TRP_INVALID, world_command("unsubscribe", "SOLUSDT", 1000));
  assert_int_equal(TRP_INVALID, world_command("subscribe", "SOL USDT", 1000));
  assert_int_equal(TRP_INVALID, world_command("subscribe", "SOLUSDT.GATE", 1000));
  world_run_ms(1000);
  uint64_t quotes = row("SOLUSDT.BINANCE")->quotes;
  assert_true(quotes > 0);
  world_run_ms(2000);
  assert_int_equal(quotes, row("SOLUSDT.BINANCE")->quotes);
  assert_true(world_settles(2000));
  assert_int_equal(1, world.spy.attempt_count);
  assert_int_equal(0, world.stats.limited); /* never more texts a second than allowed */
  world_end();
}

static void who_comes_late_asks_for_whole_books(void **state) {
  (void)state;
  begin_live(13);
  assert_true(world_settles(2000));
  uint64_t before = row("BTCUSDT.BINANCE")->snapshots, requests = world.spy.requests;
  world_fault("consumer", "panic");
  world_run_ms(1000);
  assert_true(world_settles(2000));
  assert_true(row("BTCUSDT.BINANCE")->snapshots > before);
  assert_int_equal(TRP_OK, world_command("refresh", "ETHUSDT", 1000));
  assert_int_equal(TRP_INVALID, world_command("refresh", "SOLUSDT", 1000));
  assert_int_equal(requests, world.spy.requests); /* the exchange was not asked */
  world_end();
}

static void what_the_engine_has_no_room_for_waits_and_is_not_lost(void **state) {
  (void)state;
  world_begin(&(struct world_options){
      .seed = 14, .quotes_per_s = 1000, .heartbeat_ms = 60000, .stale_ms = 60000});
  assert_true(world_until_phase(TRP_FEED_LIVE, 1000));
  trp_sim_stall(world.system, trp_system_whereis(world.system, "event_engine"), 4 * SECOND);
  world_run_ms(3900);
  assert_true(world_info("binance").depth < 10); /* not in its own mailbox either */
  world_run_ms(1000);
  trp_sim_stall(world.system, trp_system_whereis(world.system, "consumer"), 3 * SECOND);
  world_run_ms(4000);
  assert_int_equal(0, world.keeper.event_gaps);
  assert_int_equal(0, world.keeper.feed_gaps);
  assert_int_equal(1, world.spy.attempt_count);
  assert_true(world_settles(3000));
  world_end();
}

static void a_message_that_is_no_command_is_refused(void **state) {
  (void)state;
  begin_live(15);
  struct trp_ref feed = trp_system_whereis(world.system, "binance");
  assert_int_equal(TRP_OK, trp_system_send(world.system, feed, TRP_FEED_COMMAND, "conn", 4));
  assert_int_equal(TRP_INVALID, world_command("dance", NULL, 1000));
  assert_true(trp_ref_equal(feed, trp_system_whereis(world.system, "binance")));
  world_end();
}

/* ---- disconnecting ---- */

enum from { RESOLVING, CONNECTING, HANDSHAKING, LIVE, SNAPSHOT, HALF_OPEN, STALLED, BACKING_OFF };

static void come_to(enum from from) {
  struct trp_simhub_conditions bad = trp_simhub_calm();
  const char *host = from == SNAPSHOT ? API_HOST : STREAM_HOST;
  bad.resolve_ns = from == RESOLVING ? 1500 * TRP_NS_PER_MS : 0;
  bad.delay_min_ns = bad.delay_max_ns = from == CONNECTING ? 600 * TRP_NS_PER_MS : 100000;
  if (from == HANDSHAKING || from == SNAPSHOT) bad.door = TRP_SIMHUB_BLACK_HOLE;
  if (from == BACKING_OFF) bad.door = TRP_SIMHUB_REFUSES;
  if (from != LIVE && from != HALF_OPEN && from != STALLED) world_conditions(host, &bad);
  assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
  world_run_ms(from == BACKING_OFF ? 5000 : 500);
  if (from == HALF_OPEN) trp_simhub_half_open(world.hub, NULL);
  if (from == STALLED) world_fault("exchange", "stall:9000");
  world_run_ms(10);
}

static const uint32_t expected[] = {TRP_FEED_CONNECTING, TRP_FEED_CONNECTING, TRP_FEED_CONNECTING,
                                    TRP_FEED_LIVE,       TRP_FEED_SYNCING,    TRP_FEED_LIVE,
                                    TRP_FEED_LIVE,       TRP_FEED_BACKOFF};

static void a_disconnect_is_done_within_2_s_from_any_state(void **state) {
  (void)state;
  for (enum from from = RESOLVING; from <= BACKING_OFF; from++) {
    world_begin(&(struct world_options){.seed = 20 + from, .stay_disconnected = true});
    for (int round = 0; round < 2; round++) { /* and connects again, and so again */
      come_to(from);
      assert_int_equal(expected[from], world.phase);
      assert_int_equal(TRP_OK, world_command("disconnect", NULL, 2000));
      assert_int_equal(TRP_FEED_STOPPED, world.phase);
      assert_int_equal(0, world_held("binance", TRP_RES_SOCKET));
      assert_int_equal(1, world_held("binance", TRP_RES_TIMER)); /* its own tick */
      assert_int_equal(0, world_held("binance", TRP_RES_ASK));
      assert_int_equal(0, world.feed.net->ops->live(world.feed.net));
      world_conditions(STREAM_HOST, NULL);
      world_conditions(API_HOST, NULL);
      uint32_t attempts = world.spy.attempt_count;
      world_run_ms(61000);
      assert_int_equal(attempts, world.spy.attempt_count); /* a pending reconnect is no more */
      assert_int_equal(TRP_OK, world_command("disconnect", NULL, 100)); /* idempotent */
    }
    assert_int_equal(TRP_OK, world_command("connect", NULL, 1000));
    assert_true(world_until_phase(TRP_FEED_LIVE, 2000));
    assert_true(world_settles(2000));
    world_end();
  }
}

static void two_disconnects_at_once_both_return(void **state) {
  (void)state;
  for (enum from from = RESOLVING; from <= BACKING_OFF; from++) {
    world_begin(&(struct world_options){.seed = 40 + from, .stay_disconnected = true});
    come_to(from);
    world_clerk("disconnect", NULL);
    world_clerk("disconnect", NULL);
    world_clerk("connect", NULL);
    world_run_ms(2000);
    assert_int_equal(3, world.reply_count);
    for (uint32_t i = 0; i < 2; i++) {
      assert_int_equal(TRP_OK, world.replies[i].status);
      assert_in_range(world.replies[i].answered_ns - world.replies[i].asked_ns, 0, 2 * SECOND);
      assert_true(world.replies[i].answered_ns != 0);
    }
    /* The connect came after them: it was done, or told that it came too early. */
    bool busy = world.replies[2].status == TRP_BUSY;
    assert_true(busy || world.replies[2].status == TRP_OK);
    assert_true(busy == (world.phase == TRP_FEED_STOPPED));
    world_end();
  }
}

static void a_stop_is_clean_in_any_state_and_says_goodbye(void **state) {
  (void)state;
  for (enum from from = RESOLVING; from <= BACKING_OFF; from++) {
    world_begin(&(struct world_options){.seed = 60 + from, .stay_disconnected = true});
    come_to(from);
    world_end();
    bool stream = from == LIVE || from == SNAPSHOT || from == STALLED;
    if (from != HALF_OPEN) assert_int_equal(0, world.stats.closes_improper);
    if (from != HALF_OPEN) assert_int_equal(stream, world.stats.closes_proper);
  }
}

static void a_stop_while_it_disconnects_waits_for_the_close(void **state) {
  (void)state;
  for (uint64_t seed = 80; seed < 100; seed++) {
    begin_live(seed);
    world_clerk("disconnect", NULL);
    world_run_ms(seed % 2);
    world_end();
    assert_int_equal(1, world.stats.closes_proper);
    assert_int_equal(0, world.stats.closes_improper);
  }
}

static void a_feed_that_is_told_to_waits_for_connect(void **state) {
  (void)state;
  world_begin(&(struct world_options){.seed = 100, .stay_disconnected = true});
  world_run_ms(60000);
  assert_int_equal(0, world.spy.attempt_count);
  assert_int_equal(TRP_FEED_STOPPED, world.phase);
  world_end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(it_subscribes_goes_live_and_tells_the_truth, seeds_tell),
      cmocka_unit_test_teardown(
          a_dropped_stream_is_dialled_at_once_and_its_subscriptions_are_restored, seeds_tell),
      cmocka_unit_test_teardown(
          a_server_that_hangs_up_at_once_is_dialled_ten_times_a_minute_at_most, seeds_tell),
      cmocka_unit_test_teardown(a_refused_connection_backs_off_and_comes_back, seeds_tell),
      cmocka_unit_test_teardown(snapshots_in_flight_end_with_their_stream, seeds_tell),
      cmocka_unit_test_teardown(a_black_hole_is_given_up_in_time, seeds_tell),
      cmocka_unit_test_teardown(a_name_that_does_not_resolve_is_asked_for_again, seeds_tell),
      cmocka_unit_test_teardown(a_silent_feed_is_stale_within_its_limit_and_recovers, seeds_tell),
      cmocka_unit_test_teardown(a_missed_heartbeat_ends_the_old_connection_before_the_new,
                                seeds_tell),
      cmocka_unit_test_teardown(a_gap_rebuilds_one_symbol_and_no_other, seeds_tell),
      cmocka_unit_test_teardown(a_snapshot_that_is_limited_waits_as_long_as_it_was_told,
                                seeds_tell),
      cmocka_unit_test_teardown(a_handshake_that_is_limited_is_tried_again_after_its_time,
                                seeds_tell),
      cmocka_unit_test_teardown(an_acknowledgement_that_never_comes_is_a_new_connection,
                                seeds_tell),
      cmocka_unit_test_teardown(symbols_come_and_go_while_events_are_told, seeds_tell),
      cmocka_unit_test_teardown(who_comes_late_asks_for_whole_books, seeds_tell),
      cmocka_unit_test_teardown(what_the_engine_has_no_room_for_waits_and_is_not_lost, seeds_tell),
      cmocka_unit_test_teardown(a_message_that_is_no_command_is_refused, seeds_tell),
      cmocka_unit_test_teardown(a_disconnect_is_done_within_2_s_from_any_state, seeds_tell),
      cmocka_unit_test_teardown(two_disconnects_at_once_both_return, seeds_tell),
      cmocka_unit_test_teardown(a_stop_is_clean_in_any_state_and_says_goodbye, seeds_tell),
      cmocka_unit_test_teardown(a_stop_while_it_disconnects_waits_for_the_close, seeds_tell),
      cmocka_unit_test_teardown(a_feed_that_is_told_to_waits_for_connect, seeds_tell),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
