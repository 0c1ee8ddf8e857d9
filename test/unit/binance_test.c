/* Stories of the protocol machine, with Binance's dialect: what goes in by hand and clock, and the
 * trace of what comes out (machine_hands.h). Long because the stories are many. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/binance.h"
#include "test/unit/machine_hands.h"

static const char *describe(const char *text) {
  return strstr(text, "UNSUB") != NULL ? "UNSUB" : "SUB";
}

static int make(void **state) {
  (void)state;
  hands_make(&trp_binance_dialect, describe);
  return 0;
}

static int drop(void **state) {
  (void)state;
  hands_drop();
  return 0;
}

/* ---- hands ---------------------------------------------------------------------------------- */

static void ack(uint64_t id) {
  char text[64];
  snprintf(text, sizeof text, "{\"result\":null,\"id\":%llu}", (unsigned long long)id);
  hands_frame(text);
}

static void quote(const char *symbol, uint64_t id) {
  char text[256];
  snprintf(
      text, sizeof text,
      "{\"stream\":\"x@bookTicker\",\"data\":{\"u\":%llu,\"s\":\"%s\",\"b\":\"1.5\",\"B\":\"2\","
      "\"a\":\"1.6\",\"A\":\"3\"}}",
      (unsigned long long)id, symbol);
  hands_frame(text);
}

static void diff(const char *symbol, uint64_t first, uint64_t final) {
  char text[256];
  snprintf(text, sizeof text,
           "{\"e\":\"depthUpdate\",\"E\":1699999999999,\"s\":\"%s\",\"U\":%llu,\"u\":%llu,"
           "\"b\":[[\"1.5\",\"%llu\"]],\"a\":[]}",
           symbol, (unsigned long long)first, (unsigned long long) final,
           (unsigned long long) final);
  hands_frame(text);
}

static void snapshot(const char *symbol, uint64_t id) {
  char text[128];
  snprintf(text, sizeof text,
           "{\"lastUpdateId\":%llu,\"bids\":[[\"1.5\",\"1\"],[\"1.4\",\"1\"]],\"asks\":[[\"1.6\","
           "\"1\"]]}",
           (unsigned long long)id);
  trp_machine_http_response(hands.machine, hands.now, symbol, 200, 0, text, strlen(text));
}

/* One symbol, live, its book at id 100. */
static void go_live(const char *symbol) {
  hands_want(symbol);
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  snapshot(symbol, 100);
  assert_int_equal(trp_machine_state(hands.machine), TRP_FEED_LIVE);
  hands_forget();
}

/* ---- stories -------------------------------------------------------------------------------- */

static void a_symbol_goes_from_wanted_to_live(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  hands_expect("");
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_expect(">SUB =SYNCING ");
  assert_string_equal(hands.last_text,
                      "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\","
                      "\"btcusdt@aggTrade\",\"btcusdt@depth@100ms\"],\"id\":1}");
  ack(1);
  hands_expect("!subscribed:BTCUSDT ");
  quote("BTCUSDT", 90);
  diff("BTCUSDT", 95, 101);
  diff("BTCUSDT", 102, 103);
  hands_expect("QBTCUSDT@90 ");
  hands_pass_ms(100);
  hands_expect("?BTCUSDT ");
  assert_string_equal(hands.last_url,
                      "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000");
  snapshot("BTCUSDT", 101);
  hands_expect("BBTCUSDT:1@101(3) BBTCUSDT:2@103(1) !synced:BTCUSDT =LIVE ");
  diff("BTCUSDT", 104, 104);
  hands_expect("BBTCUSDT:2@104(1) ");
  assert_int_equal(trp_machine_stats(hands.machine)->updates, 4);
}

static void data_before_the_acknowledgement_is_taken(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_forget();
  diff("BTCUSDT", 95, 101);
  hands_pass_ms(100);
  hands_expect("?BTCUSDT ");
  quote("BTCUSDT", 1);
  hands_expect("QBTCUSDT@1 ");
}

static void quotes_and_trades_carry_times_and_symbol_numbers(void **state) {
  (void)state;
  uint32_t number;
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "ETHBTC", &number), TRP_OK);
  assert_string_equal(trp_symbol_name(number), "ETHBTC.BINANCE");
  trp_machine_opened(hands.machine, 0, hands.now);
  quote("ETHBTC", 7);
  assert_int_equal(hands.last_quote.symbol, number);
  assert_true(hands.last_quote.recv_ns == hands.now && hands.last_quote.bid == 1.5 &&
              hands.last_quote.ask_size == 3);
  assert_int_equal(hands.last_quote.exchange_offset_us, 0);
  hands_frame(
      "{\"e\":\"aggTrade\",\"E\":1699999999000,\"s\":\"ETHBTC\",\"a\":5,\"p\":\"1\",\"q\":\"2\","
      "\"f\":1,\"l\":1,\"T\":1,\"m\":true,\"M\":true}");
  assert_int_equal(hands.last_trade.exchange_offset_us, 1000000);
  assert_int_equal(hands.last_trade.side, 2);
  assert_true(hands.last_trade.id == 5 && hands.last_trade.price == 1 &&
              hands.last_trade.size == 2);
}

static void a_gap_rebuilds_this_one_symbol(void **state) {
  (void)state;
  go_live("BTCUSDT");
  hands_want("ETHBTC");
  hands_pass_ms(100);
  ack(2);
  hands_pass_ms(100);
  snapshot("ETHBTC", 50);
  hands_forget();
  diff("BTCUSDT", 101, 102);
  diff("BTCUSDT", 110, 112);
  hands_expect("BBTCUSDT:2@102(1) gap:BTCUSDT:103..110 =SYNCING ");
  diff("ETHBTC", 51, 51);
  hands_expect("BETHBTC:2@51(1) ");
  hands_pass_ms(1000);
  hands_expect("?BTCUSDT ");
  snapshot("BTCUSDT", 111);
  hands_expect("BBTCUSDT:1@111(3) BBTCUSDT:2@112(1) !synced:BTCUSDT =LIVE ");
  assert_int_equal(trp_machine_stats(hands.machine)->gaps, 1);
}

static void a_snapshot_that_is_too_old_is_fetched_again(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  diff("BTCUSDT", 200, 201);
  hands_pass_ms(100);
  hands_forget();
  snapshot("BTCUSDT", 150);
  hands_expect("");
  hands_pass_ms(1000);
  hands_expect("?BTCUSDT ");
  snapshot("BTCUSDT", 200);
  assert_int_equal(trp_machine_state(hands.machine), TRP_FEED_LIVE);
  assert_int_equal(trp_machine_stats(hands.machine)->snapshots_too_old, 1);
}

static void everything_wanted_is_asked_for_again_after_a_reconnect(void **state) {
  (void)state;
  go_live("BTCUSDT");
  trp_machine_closed(hands.machine, 0, hands.now);
  trp_machine_closed(hands.machine, 0, hands.now);
  hands_expect("=CONNECTING ");
  assert_int_equal(trp_machine_snapshots_in_flight(hands.machine), 0);
  hands_want("ETHBTC");
  quote("BTCUSDT", 5); /* a late frame of the old connection */
  hands_expect("");
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_expect(">SUB =SYNCING ");
  assert_non_null(strstr(hands.last_text, "btcusdt@bookTicker"));
  assert_non_null(strstr(hands.last_text, "ethbtc@bookTicker"));
  ack(2);
  hands_expect("!subscribed:ETHBTC !subscribed:BTCUSDT ");
}

static void a_snapshot_of_the_old_connection_is_ignored(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  assert_int_equal(trp_machine_snapshots_in_flight(hands.machine), 1);
  trp_machine_closed(hands.machine, 0, hands.now);
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_forget();
  snapshot("BTCUSDT", 100);
  trp_machine_http_failed(hands.machine, hands.now, "NOBODY", TRP_TIMEOUT);
  hands_expect("");
}

static void a_request_that_is_not_acknowledged_asks_for_a_reconnect_once(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_forget();
  hands_pass_ms(4900);
  hands_expect("");
  hands_pass_ms(5000);
  hands_expect("RECONNECT(transient:a request was not acknowledged in time) ");
}

static void one_bad_name_in_a_batch_is_found_and_the_rest_goes_on(void **state) {
  (void)state;
  hands_want("GOOD");
  hands_want("BAD");
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_forget();
  hands_frame("{\"code\":2,\"msg\":\"Invalid request\",\"id\":1}");
  hands_pass_ms(100);
  hands_expect(">SUB >SUB ");
  ack(2);
  hands_expect("!subscribed:GOOD ");
  hands_frame("{\"error\":{\"code\":2,\"msg\":\"Invalid request\"},\"id\":3}");
  hands_expect("!refused:BAD ");
  hands_pass_ms(100);
  snapshot("GOOD", 1);
  hands_forget();
  hands_pass_ms(2000);
  hands_expect(">SUB ");
  assert_non_null(strstr(hands.last_text, "bad@"));
  assert_null(strstr(hands.last_text, "good@"));
}

static void a_symbol_that_does_not_exist_is_not_asked_for_for_ever(void **state) {
  (void)state;
  hands_want("NOSUCH");
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_frame("{\"code\":-1121,\"msg\":\"Invalid symbol.\",\"id\":1}");
  hands_expect(">SUB =SYNCING !refused:NOSUCH =LIVE ");
  hands_pass_ms(100000);
  assert_null(strstr(hands.trace, ">SUB"));
}

static void a_snapshot_refused_for_good_is_not_asked_for_for_ever(void **state) {
  (void)state;
  hands_want("NOSUCH");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  hands_forget();
  const char *body = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
  trp_machine_http_response(hands.machine, hands.now, "NOSUCH", 400, 0, body, strlen(body));
  hands_expect("!nosnap:NOSUCH =LIVE ");
  quote("NOSUCH", 1);
  diff("NOSUCH", 1, 2);
  hands_pass_ms(5000);
  hands_expect("QNOSUCH@1 ");
}

/* Nor is its silence anybody's worry. */
static void refused_symbols_are_counted_apart_and_the_feed_is_live_without_them(void **state) {
  (void)state;
  const char *body = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
  go_live("BTCUSDT");
  hands_expect_reason("1 of 1 symbols in sync");
  hands_want("NOSUCH");
  hands_pass_ms(100);
  ack(2);
  hands_pass_ms(100);
  hands_expect_reason("1 of 2 symbols in sync");
  hands_forget();
  trp_machine_http_response(hands.machine, hands.now, "NOSUCH", 400, 0, body, strlen(body));
  hands_expect("!nosnap:NOSUCH =LIVE ");
  assert_string_equal(hands.told_reason, "1 of 2 symbols in sync, 1 refused");
  for (int i = 0; i < 30; i++) {
    quote("BTCUSDT", 1);
    hands_pass_ms(1000);
  }
  assert_null(strstr(hands.trace, "="));
  assert_null(strstr(hands.trace, "!stale"));
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "NOSUCH"), TRP_OK);
  hands_expect_reason("1 of 1 symbols in sync");
  hands_forget();
  hands_pass_ms(100);
  assert_non_null(strstr(hands.trace, "=LIVE "));
  assert_string_equal(hands.told_reason, "1 of 1 symbols in sync");
}

static void a_refused_symbol_that_has_data_after_all_is_watched_again(void **state) {
  (void)state;
  const char *body = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
  hands_want("LATE");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  trp_machine_http_response(hands.machine, hands.now, "LATE", 400, 0, body, strlen(body));
  quote("LATE", 1);
  hands_forget();
  hands_pass_ms(10100);
  hands_expect("!stale:LATE =STALE ");
  assert_string_equal(hands.told_reason, "1 of 1 symbols without data, 1 refused");
}

static void retry_after_is_obeyed_by_every_symbol(void **state) {
  (void)state;
  hands_want("A");
  hands_want("B");
  hands_want("C");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  assert_non_null(strstr(hands.trace, "?A ?B "));
  hands_forget();
  trp_machine_http_response(hands.machine, hands.now, "A", 429, 7, "", 0);
  trp_machine_http_response(hands.machine, hands.now, "B", 429, 0, "{}", 2);
  hands_expect("!nosnap:A !nosnap:B ");
  for (int i = 0; i < 59; i++) { /* 429 without Retry-After waits a minute */
    hands_pass_ms(1000);
    quote("A", 1);
    quote("B", 1);
    quote("C", 1);
  }
  assert_null(strchr(hands.trace, '?'));
  hands_forget();
  hands_pass_ms(1000);
  hands_expect("?A ?B ");
  assert_int_equal(trp_machine_stats(hands.machine)->errors[TRP_CLASS_RATE_LIMIT], 2);
}

static void snapshots_stay_within_the_weight_a_minute(void **state) {
  (void)state;
  hands_make_with(&(struct trp_machine_options){.snapshots_at_once = 1000, .weight_per_min = 600});
  uint32_t count = 300;
  for (uint32_t i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof name, "S%u", i);
    hands_want(name);
  }
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_pass_ms(1000);
  for (uint64_t id = 1; id <= 10; id++) ack(id);
  uint32_t asked = 0;
  for (int second = 0; second < 60; second++) {
    hands_forget();
    hands_pass_ms(1000);
    for (const char *at = hands.trace; (at = strchr(at, '?')) != NULL; at++) asked++;
  }
  assert_in_range(asked, 12, 14); /* 600 a minute at 50 each, and ten seconds' worth at once */
}

static void texts_stay_below_the_limit_and_symbols_are_batched(void **state) {
  (void)state;
  for (uint32_t i = 0; i < trp_binance_dialect.symbols_usual; i++) {
    char name[16];
    snprintf(name, sizeof name, "SYM%u", i);
    hands_want(name);
  }
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "ONEMORE", NULL), TRP_LIMIT);
  trp_machine_opened(hands.machine, 0, hands.now);
  assert_int_equal(hands.texts, 4);
  hands_pass_ms(900);
  assert_int_equal(hands.texts, 4);
  trp_machine_pinged(hands.machine, 0, hands.now); /* its pong counts too */
  hands_pass_ms(3000);
  assert_int_equal(hands.texts, 6); /* 1,023 streams, at most 200 a text */
  for (int i = 0; i < 50; i++) {
    assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "SYM0"), TRP_OK);
    hands_pass_ms(100);
    hands_want("SYM0");
    hands_pass_ms(100);
  }
  assert_true(hands.max_texts_in_a_second <= 4);
}

static void unsubscribing_stops_data_at_once_and_symbols_can_come_back(void **state) {
  (void)state;
  go_live("BTCUSDT");
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "BTCUSDT"), TRP_OK);
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "BTCUSDT"), TRP_INVALID);
  assert_int_equal(trp_machine_symbols(hands.machine), 0);
  quote("BTCUSDT", 1);
  hands_expect("=LIVE "); /* for another reason: with no symbol */
  hands_pass_ms(100);
  hands_expect(">UNSUB ");
  hands_want("BTCUSDT"); /* while the acknowledgement is under way */
  assert_string_equal(trp_machine_symbol(hands.machine, 0), "BTCUSDT");
  ack(2);
  hands_pass_ms(100);
  hands_expect("=SYNCING >SUB ");
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "BTCUSDT"), TRP_OK);
  hands_pass_ms(100);
  ack(3);
  ack(4);
  assert_null(trp_machine_symbol(hands.machine, 0));
  assert_non_null(strstr(hands.trace, "!gone:BTCUSDT"));
  assert_int_equal(trp_machine_stats(hands.machine)->foreign_frames, 1);
}

static void wanting_twice_asks_once(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  hands_want("BTCUSDT");
  assert_int_equal(trp_machine_symbols(hands.machine), 1);
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "BTC USDT", NULL), TRP_INVALID);
}

static void silence_makes_the_feed_stale_and_data_makes_it_live_again(void **state) {
  (void)state;
  go_live("BTCUSDT");
  for (int i = 0; i < 98; i++) {
    trp_machine_pinged(hands.machine, 0, hands.now); /* pings are no data */
    hands_pass_ms(100);
  }
  hands_expect("");
  hands_pass_ms(200);
  hands_expect("!stale:BTCUSDT =STALE ");
  quote("BTCUSDT", 1);
  hands_expect("!fresh:BTCUSDT QBTCUSDT@1 =LIVE ");
}

static void a_quiet_symbol_is_given_more_time(void **state) {
  (void)state;
  go_live("QUIET");
  for (int i = 0; i < 4; i++) {
    hands_pass_ms(8000);
    quote("QUIET", 1);
  }
  hands_forget();
  hands_pass_ms(20000);
  hands_expect("");
  hands_pass_ms(5000);
  hands_expect("!stale:QUIET =STALE ");
}

static void a_connection_where_nothing_has_data_is_given_up_with_growing_patience(void **state) {
  (void)state;
  go_live("BTCUSDT");
  for (int i = 0; i < 390; i++) {
    hands_pass_ms(100);
    trp_machine_pinged(hands.machine, 0, hands.now);
  }
  hands_expect("!stale:BTCUSDT =STALE ");
  for (int i = 0; i < 15; i++) {
    hands_pass_ms(100);
    trp_machine_pinged(hands.machine, 0, hands.now);
  }
  hands_expect("RECONNECT(transient:connected, and no symbol has data) ");
  trp_machine_closed(hands.machine, 0, hands.now);
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(2);
  hands_forget();
  for (int i = 0; i < 650; i++) {
    hands_pass_ms(100);
    trp_machine_pinged(hands.machine, 0, hands.now);
  }
  assert_null(strstr(hands.trace, "RECONNECT"));
}

static void without_any_frame_the_heartbeat_asks_for_a_reconnect(void **state) {
  (void)state;
  hands_make_with(&(struct trp_machine_options){.stale_give_up_ms = 600000});
  go_live("BTCUSDT");
  hands_pass_ms(59000);
  assert_null(strstr(hands.trace, "RECONNECT"));
  hands_pass_ms(1200);
  assert_non_null(
      strstr(hands.trace, "RECONNECT(transient:no frame for longer than the heartbeat)"));
}

static void a_shutdown_notice_asks_for_a_reconnect(void **state) {
  (void)state;
  go_live("BTCUSDT");
  hands_frame("{\"e\":\"serverShutdown\",\"E\":1770123456789}");
  hands_frame("{\"e\":\"serverShutdown\",\"E\":1770123456789}");
  hands_expect("RECONNECT(transient:the server announced its shutdown) ");
}

static void bad_frames_are_counted_and_too_many_end_the_connection(void **state) {
  (void)state;
  go_live("BTCUSDT");
  hands_frame("{\"u\":");
  hands_expect("!bad:- ");
  quote("BTCUSDT", 1);
  for (int i = 0; i < 50; i++) hands_frame("rubbish");
  assert_non_null(strstr(hands.trace, "RECONNECT(protocol:nothing but bad frames)"));
  assert_int_equal(trp_machine_stats(hands.machine)->bad_frames, 51);
}

static void a_text_that_cannot_be_queued_is_sent_later(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  hands.send_result = TRP_FULL;
  trp_machine_opened(hands.machine, 0, hands.now);
  hands_expect("=SYNCING ");
  hands.send_result = TRP_OK;
  hands_pass_ms(100);
  hands_expect(">SUB ");
}

static void a_snapshot_request_of_which_nothing_is_heard_is_asked_anew(void **state) {
  (void)state;
  hands_make_with(&(struct trp_machine_options){.stale_ms = 60000});
  hands_want("BTCUSDT");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  hands_forget();
  hands_pass_ms(17000);
  hands_expect("!nosnap:BTCUSDT ?BTCUSDT ");
}

static void a_clear_forgets_everything_at_once(void **state) {
  (void)state;
  go_live("BTCUSDT");
  trp_machine_clear(hands.machine);
  assert_int_equal(trp_machine_symbols(hands.machine), 0);
  quote("BTCUSDT", 1);
  ack(1);
  hands_expect("=LIVE "); /* for another reason: with no symbol */
}

static void a_crossed_book_is_refused_and_rebuilt(void **state) {
  (void)state;
  go_live("BTCUSDT");
  hands_frame(
      "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":101,\"u\":101,\"b\":[[\"1.7\",\"1\"]]"
      ","
      "\"a\":[]}");
  hands_expect("!crossed:BTCUSDT gap:BTCUSDT:101..101 =SYNCING ");
  hands_pass_ms(1000);
  hands_expect("?BTCUSDT ");
  snapshot("BTCUSDT", 101);
  hands_expect("BBTCUSDT:1@101(3) !synced:BTCUSDT =LIVE ");
  diff("BTCUSDT", 102, 102);
  hands_expect("BBTCUSDT:2@102(1) ");
}

static enum trp_error_class class_of(int64_t code, uint16_t status) {
  return trp_dialect_classify(&trp_binance_dialect, code, "", status);
}

static void errors_have_classes(void **state) {
  (void)state;
  assert_int_equal(class_of(-1003, 429), TRP_CLASS_RATE_LIMIT);
  assert_int_equal(class_of(0, 418), TRP_CLASS_RATE_LIMIT);
  assert_int_equal(class_of(-2015, 401), TRP_CLASS_AUTH);
  assert_int_equal(class_of(-1121, 400), TRP_CLASS_FATAL);
  assert_int_equal(class_of(2, 0), TRP_CLASS_PROTOCOL);
  assert_int_equal(class_of(0, 503), TRP_CLASS_TRANSIENT);
  assert_int_equal(class_of(-1007, 400), TRP_CLASS_TRANSIENT);
}

static void outputs_and_limits_are_checked(void **state) {
  (void)state;
  struct trp_machine *none = NULL;
  struct trp_machine_out lacking = hands_outputs;
  lacking.gap = NULL;
  assert_int_equal(trp_machine_new(&none, &trp_binance_dialect, NULL, &lacking), TRP_INVALID);
  assert_int_equal(trp_machine_new(&none, &trp_binance_dialect,
                                   &(struct trp_machine_options){.texts_per_s = 9}, &hands_outputs),
                   TRP_INVALID);
  assert_null(none);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void) {
  const struct CMUnitTest tests[] = {
      STORY(a_symbol_goes_from_wanted_to_live),
      STORY(data_before_the_acknowledgement_is_taken),
      STORY(quotes_and_trades_carry_times_and_symbol_numbers),
      STORY(a_gap_rebuilds_this_one_symbol),
      STORY(a_snapshot_that_is_too_old_is_fetched_again),
      STORY(everything_wanted_is_asked_for_again_after_a_reconnect),
      STORY(a_snapshot_of_the_old_connection_is_ignored),
      STORY(a_request_that_is_not_acknowledged_asks_for_a_reconnect_once),
      STORY(one_bad_name_in_a_batch_is_found_and_the_rest_goes_on),
      STORY(a_symbol_that_does_not_exist_is_not_asked_for_for_ever),
      STORY(a_snapshot_refused_for_good_is_not_asked_for_for_ever),
      STORY(refused_symbols_are_counted_apart_and_the_feed_is_live_without_them),
      STORY(a_refused_symbol_that_has_data_after_all_is_watched_again),
      STORY(retry_after_is_obeyed_by_every_symbol),
      STORY(snapshots_stay_within_the_weight_a_minute),
      STORY(texts_stay_below_the_limit_and_symbols_are_batched),
      STORY(unsubscribing_stops_data_at_once_and_symbols_can_come_back),
      STORY(wanting_twice_asks_once),
      STORY(silence_makes_the_feed_stale_and_data_makes_it_live_again),
      STORY(a_quiet_symbol_is_given_more_time),
      STORY(a_connection_where_nothing_has_data_is_given_up_with_growing_patience),
      STORY(without_any_frame_the_heartbeat_asks_for_a_reconnect),
      STORY(a_shutdown_notice_asks_for_a_reconnect),
      STORY(bad_frames_are_counted_and_too_many_end_the_connection),
      STORY(a_text_that_cannot_be_queued_is_sent_later),
      STORY(a_snapshot_request_of_which_nothing_is_heard_is_asked_anew),
      STORY(a_clear_forgets_everything_at_once),
      STORY(a_crossed_book_is_refused_and_rebuilt),
      STORY(errors_have_classes),
      STORY(outputs_and_limits_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
