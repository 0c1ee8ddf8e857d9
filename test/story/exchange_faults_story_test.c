/* The embedded exchange's faults that last, its forced closes and its limits, in all dialects: each
 * fault bites while it lasts, and ends. */
#include "test/story/trading_floor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_dialect.h"

#define MEXC_DEALS "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"
#define MEXC_DEPTH "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"

static const char *ask(const char *question) {
  static struct trp_result result;
  result = floor_ask(TRP_OPERATOR, question);
  assert_int_equal(TRP_OK, result.status);
  return result.text;
}

static void a_half_open_connection_is_dead_until_it_is_cut_and_newcomers_fare_well(void **state) {
  (void)state;
  floor_begin();
  floor_fault("half-open:3000");
  floor_run_ms(50); /* what was on its way */
  floor_order("say {\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}");
  assert_int_equal(0, floor_frames_in(2800));
  assert_int_equal(0, trading_floor.seen.closed);
  floor_order("ws " FLOOR_STREAM);
  floor_run_ms(1000);
  assert_int_equal(2, trading_floor.seen.opened);
  assert_int_equal(1, trading_floor.seen.closed);
  assert_int_equal(0, trading_floor.seen.proper);
  assert_int_equal(1, trading_floor.stats.cut);
  assert_true(floor_frames_in(1000) > 15);
  floor_close();
}

static void a_stop_does_not_wait_for_who_is_half_open(void **state) {
  (void)state;
  floor_begin();
  floor_fault("half-open:600000");
  trp_system_stop(trading_floor.system, "test");
  assert_int_equal(TRP_OK, trp_system_wait(trading_floor.system, 3 * TRP_NS_PER_S));
  assert_int_equal(1, trading_floor.stats.cut);
  floor_close();
}

static void garbage_takes_the_place_of_some_frames(void **state) {
  (void)state;
  floor_begin();
  floor_fault("garbage:3000");
  floor_run_ms(3100);
  assert_true(trading_floor.seen.junk > 10);
  uint32_t junk = trading_floor.seen.junk;
  uint32_t holes = trading_floor.seen.holes;
  assert_true(holes > 0); /* what is unreadable is missing */
  floor_run_ms(2000);
  assert_int_equal(junk, trading_floor.seen.junk);
  assert_true(trading_floor.seen.holes <= holes + 1);
  assert_int_equal(0, trading_floor.seen.closed);
  floor_close();
}

static void reordered_frames_come_late_and_none_is_lost(void **state) {
  (void)state;
  floor_begin();
  floor_fault("reorder:3000");
  floor_run_ms(3200);
  assert_true(trading_floor.seen.returns > 2);
  assert_int_equal(trading_floor.seen.returns, trading_floor.seen.holes);
  uint32_t returns = trading_floor.seen.returns;
  floor_run_ms(2000);
  assert_int_equal(returns, trading_floor.seen.returns);
  assert_int_equal(returns, trading_floor.seen.holes);
  floor_close();
}

static void duplicated_frames_come_twice(void **state) {
  (void)state;
  floor_begin();
  floor_fault("duplicate:3000");
  floor_run_ms(3100);
  uint32_t repeats = trading_floor.seen.repeats;
  assert_true(repeats > 2);
  floor_run_ms(2000);
  assert_int_equal(repeats, trading_floor.seen.repeats);
  assert_int_equal(0, trading_floor.seen.holes);
  floor_close();
}

static void requests_are_refused_with_the_time_that_is_left(void **state) {
  (void)state;
  static const struct {
    const struct trp_exchange_dialect *dialect;
    const char *path;
    uint32_t retry_after_s; /* of a 429: Gate.io has no such header */
  } cases[] = {{&trp_exchange_binance, "http /api/v3/ping", 3},
               {&trp_exchange_gateio, "http /api/v4/spot/time", 0},
               {&trp_exchange_mexc, "http /api/v3/ping", 3}};
  static const char *const faults[] = {"429:3000", "418:3000"};
  for (size_t i = 0; i < 6; i++) {
    floor_build(&(struct trp_exchange_options){.dialect = cases[i / 2].dialect});
    floor_fault(faults[i % 2]);
    floor_order(cases[i / 2].path);
    floor_run_ms(100);
    assert_int_equal(i % 2 == 0 ? 429 : 418, trading_floor.seen.status);
    assert_int_equal(i % 2 == 0 ? cases[i / 2].retry_after_s : 3, trading_floor.seen.retry_after_s);
    floor_run_ms(3000);
    floor_order(cases[i / 2].path);
    floor_run_ms(100);
    assert_int_equal(200, trading_floor.seen.status);
    floor_close();
  }
}

static void a_shutdown_is_announced_and_closes_those_who_were_there(void **state) {
  (void)state;
  floor_begin();
  floor_run_ms(20);
  floor_fault("shutdown:2000");
  floor_run_ms(5); /* before the next frame of data */
  floor_order("ws " FLOOR_STREAM);
  assert_true(floor_frames_in(1900) > 40); /* both hear */
  assert_int_equal(0, trading_floor.seen.closed);
  floor_run_ms(500);
  assert_int_equal(1, trading_floor.seen.closed);
  assert_int_equal(1, trading_floor.seen.proper);
  assert_int_equal(1001, trading_floor.seen.code);
  assert_int_equal(1, trading_floor.stats.expired);
  assert_true(floor_frames_in(1000) > 15);
  assert_int_equal(1, trading_floor.seen.closed);
  floor_close();
}

/* Nobody subscribed, so that the notice is all there is to hear. */
static void each_dialect_announces_in_its_own_words(void **state) {
  (void)state;
  static const struct {
    const struct trp_exchange_dialect *dialect;
    const char *open, *notice;
  } cases[] = {
      {&trp_exchange_binance, "ws /ws", "{\"e\":\"serverShutdown\",\"E\":1700000"},
      {&trp_exchange_binance, "ws /stream", "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":"},
      {&trp_exchange_gateio, "ws /ws/v4/", "\"result\":{\"type\":\"upgrade\",\"msg\":\""},
      {&trp_exchange_mexc, "ws /ws", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    floor_build(&(struct trp_exchange_options){.dialect = cases[i].dialect});
    floor_order(cases[i].open);
    floor_run_ms(200);
    floor_fault("shutdown:1000");
    floor_run_ms(500);
    assert_int_equal(cases[i].notice != NULL, trading_floor.seen.frames);
    assert_true(cases[i].notice == NULL ||
                strstr(trading_floor.seen.last, cases[i].notice) != NULL);
    floor_run_ms(1000);
    assert_int_equal(1, trading_floor.seen.proper);
    floor_close();
  }
}

static void a_connection_is_closed_when_it_has_lived_long_enough(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.quotes_per_s = 20, .lifetime_ms = 5000});
  floor_order("ws " FLOOR_STREAM);
  floor_run_ms(4900);
  assert_int_equal(0, trading_floor.seen.closed);
  floor_run_ms(500);
  assert_int_equal(1, trading_floor.seen.proper);
  assert_int_equal(1, trading_floor.stats.expired);
  floor_close();
  floor_begin();
  floor_fault("expire");
  floor_run_ms(500);
  assert_int_equal(1, trading_floor.seen.proper);
  assert_int_equal(1001, trading_floor.seen.code);
  floor_close();
}

/* ---- limits ---- */

static void mexc_closes_who_subscribes_to_nothing_or_hears_nothing(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.dialect = &trp_exchange_mexc});
  floor_order("ws /ws");
  floor_run_ms(29000);
  assert_int_equal(0, trading_floor.seen.closed);
  floor_run_ms(2000);
  assert_int_equal(1, trading_floor.seen.proper);
  floor_order("ws /ws");
  floor_run_ms(100);
  floor_order("say {\"method\":\"SUBSCRIPTION\",\"params\":[\"" MEXC_DEPTH "\"]}");
  floor_run_ms(40000);
  assert_int_equal(1, trading_floor.seen.closed);
  assert_true(trading_floor.seen.binary > 300);
  (void)ask("halt");
  floor_run_ms(50000);
  floor_order("say {\"method\":\"PING\"}");
  floor_run_ms(50000);
  assert_int_equal(1, trading_floor.seen.closed);
  assert_non_null(strstr(trading_floor.seen.last, "PONG"));
  floor_run_ms(12000);
  assert_int_equal(2, trading_floor.seen.closed);
  assert_int_equal(2, trading_floor.seen.proper);
  floor_close();
}

static void mexc_takes_a_hundred_messages_a_second(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.dialect = &trp_exchange_mexc});
  floor_order("ws /ws");
  floor_run_ms(100);
  for (int i = 0; i < 100; i++) {
    floor_order("say {\"method\":\"PING\"}");
    floor_run_ms(1);
  }
  floor_run_ms(100);
  assert_int_equal(0, trading_floor.seen.closed);
  floor_order("say {\"method\":\"PING\"}");
  floor_run_ms(500);
  assert_int_equal(1, trading_floor.stats.limited);
  assert_int_equal(1008, trading_floor.seen.code);
  floor_close();
}

static void gate_takes_any_number_of_messages(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.dialect = &trp_exchange_gateio});
  floor_order("ws /ws/v4/");
  floor_run_ms(100);
  for (int i = 0; i < 300; i++) {
    floor_order("say {\"time\":1700000000,\"channel\":\"spot.ping\"}");
    floor_run_ms(1);
  }
  floor_run_ms(100);
  assert_int_equal(300, trading_floor.seen.frames);
  assert_int_equal(0, trading_floor.seen.closed);
  floor_close();
}

static void an_address_may_connect_only_so_often(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.attempts_max = 5});
  for (int i = 0; i < 8; i++) {
    floor_order("ws /ws");
    floor_run_ms(100);
  }
  assert_int_equal(5, trading_floor.stats.accepted);
  assert_int_equal(3, trading_floor.stats.refused);
  floor_run_ms(300000);
  floor_order("ws /ws");
  floor_run_ms(100);
  assert_int_equal(6, trading_floor.stats.accepted);
  floor_close();
}

static void who_breaks_limits_again_and_again_is_kept_out_for_a_while(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.quotes_per_s = 20});
  for (int i = 0; i < 11; i++) {
    floor_order("ws /nowhere");
    floor_run_ms(200);
  }
  assert_int_equal(11, trading_floor.stats.limited);
  floor_order("ws /ws");
  floor_run_ms(200);
  assert_int_equal(1, trading_floor.stats.refused);
  floor_run_ms(120000);
  floor_order("ws /ws");
  floor_run_ms(200);
  assert_int_equal(12, trading_floor.stats.accepted);
  floor_close();
}

/* ---- the truth ---- */

static void a_halted_market_can_be_compared_with_what_was_told(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.quotes_per_s = 20});
  floor_order("ws /ws/btcusdt@bookTicker");
  floor_run_ms(1500);
  (void)ask("halt");
  floor_run_ms(1100);
  assert_int_equal(0, floor_frames_in(3000));
  char expected[192];
  char quote[192];
  snprintf(quote, sizeof quote, "%s", ask("quote BTCUSDT"));
  double bid = strtod(strstr(quote, " bid=") + 5, NULL);
  double told = strtod(strstr(trading_floor.seen.last, "\"b\":\"") + 5, NULL);
  assert_true(bid > 0 && bid == told);
  snprintf(expected, sizeof expected, "%s", ask("book BTCUSDT"));
  assert_memory_equal("id=1", expected, 4);
  assert_non_null(strstr(expected, " hash="));
  floor_run_ms(5000);
  assert_string_equal(expected, ask("book BTCUSDT"));
  (void)ask("resume");
  assert_true(floor_frames_in(1000) > 10);
  assert_string_not_equal(expected, ask("book BTCUSDT"));
  assert_int_equal(TRP_INVALID, floor_ask(TRP_OPERATOR, "quote NOSUCH").status);
  floor_close();
}

/* ---- schedules ---- */

/* What happened in 20 s of faults drawn from a seed. */
static uint64_t mixed(const char *fault) {
  floor_begin();
  floor_fault(fault);
  assert_non_null(strstr(ask("faults"), "mixed:20000"));
  for (int i = 0; i < 40; i++) {
    floor_run_ms(500);
    if (trading_floor.seen.opened == trading_floor.seen.closed) {
      floor_order("ws " FLOOR_STREAM);
    }
  }
  floor_run_ms(10);
  assert_string_equal("none", ask("faults"));
  uint64_t told = trading_floor.stats.frames_sent * 1000 + trading_floor.stats.cut;
  floor_order("ws " FLOOR_STREAM);
  floor_run_ms(500);
  assert_true(floor_frames_in(1000) > 15);
  floor_close();
  return told;
}

static void a_schedule_of_faults_is_its_seeds_and_ends(void **state) {
  (void)state;
  uint64_t first = mixed("mixed:7:20000");
  assert_true(first == mixed("mixed:7:20000"));
  assert_true(first != mixed("mixed:8:20000"));
}

static void binary_frames_are_spoiled_too(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.dialect = &trp_exchange_mexc, .quotes_per_s = 200});
  floor_order("ws /ws");
  floor_run_ms(100);
  floor_order("say {\"method\":\"SUBSCRIPTION\",\"params\":[\"" MEXC_DEALS "\"]}");
  floor_run_ms(1000);
  assert_true(trading_floor.seen.binary > 10);
  assert_int_equal(0, trading_floor.seen.junk);
  floor_fault("garbage:2000");
  floor_run_ms(2100);
  uint32_t junk = trading_floor.seen.junk;
  assert_true(junk > 5);
  floor_run_ms(1000);
  assert_int_equal(junk, trading_floor.seen.junk);
  floor_close();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_half_open_connection_is_dead_until_it_is_cut_and_newcomers_fare_well),
      cmocka_unit_test(a_stop_does_not_wait_for_who_is_half_open),
      cmocka_unit_test(garbage_takes_the_place_of_some_frames),
      cmocka_unit_test(reordered_frames_come_late_and_none_is_lost),
      cmocka_unit_test(duplicated_frames_come_twice),
      cmocka_unit_test(requests_are_refused_with_the_time_that_is_left),
      cmocka_unit_test(a_shutdown_is_announced_and_closes_those_who_were_there),
      cmocka_unit_test(each_dialect_announces_in_its_own_words),
      cmocka_unit_test(a_connection_is_closed_when_it_has_lived_long_enough),
      cmocka_unit_test(mexc_closes_who_subscribes_to_nothing_or_hears_nothing),
      cmocka_unit_test(mexc_takes_a_hundred_messages_a_second),
      cmocka_unit_test(gate_takes_any_number_of_messages),
      cmocka_unit_test(an_address_may_connect_only_so_often),
      cmocka_unit_test(who_breaks_limits_again_and_again_is_kept_out_for_a_while),
      cmocka_unit_test(a_halted_market_can_be_compared_with_what_was_told),
      cmocka_unit_test(a_schedule_of_faults_is_its_seeds_and_ends),
      cmocka_unit_test(binary_frames_are_spoiled_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
