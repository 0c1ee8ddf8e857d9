#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/gateio_wire.h"

#define UPDATE(channel, result)                                                                    \
  "{\"time\":1654029559,\"channel\":\"" channel "\",\"event\":\"update\",\"result\":" result "}"
#define QUOTE                                                                                      \
  UPDATE("spot.book_ticker",                                                                       \
         "{\"t\":1654029559473,\"u\":6765708346,\"s\":\"BTC_USDT\",\"b\":\"31738.93\","            \
         "\"B\":\"2.3039\",\"a\":\"31738.94\",\"A\":\"0.335\"}")
#define TRADE                                                                                      \
  UPDATE("spot.trades",                                                                            \
         "{\"id\":816995772,\"create_time\":1619093543,\"create_time_ms\":"                        \
         "\"1619093543708.2642\",\"side\":\"sell\",\"currency_pair\":\"DIS_USDT\","                \
         "\"amount\":\"0.2010000000\",\"price\":\"121.5800000000\"}")
#define DEPTH                                                                                      \
  UPDATE("spot.order_book_update",                                                                 \
         "{\"t\":1682689045398,\"e\":\"depthUpdate\",\"E\":1682689045,\"s\":\"BTC_USDT\","         \
         "\"U\":13934528633,\"u\":13934528634,\"b\":[[\"29291.4\",\"0.5124\"],[\"29290\",\"0\"]]," \
         "\"a\":[]}")
#define FULL                                                                                       \
  "{\"channel\":\"spot.obu\",\"result\":{\"t\":1754006400261,\"full\":true,\"s\":"                 \
  "\"ob.BTC_USDT.400\",\"u\":25847113075,\"b\":[[\"3\",\"1\"]],\"a\":[[\"4\",\"2\"]]},"            \
  "\"time_ms\":1754006400300,\"event\":\"update\"}"
#define DELTA                                                                                      \
  "{\"channel\":\"spot.obu\",\"result\":{\"t\":1786541318151,\"s\":\"ob.BTC_USDT.50\","            \
  "\"u\":39106162816,\"U\":39106162813,\"b\":[[\"63915.2\",\"0.022796\"]]},\"time_ms\":1,"         \
  "\"event\":\"update\"}"

static struct trp_gateio_parser *parser;

static int make_parser(void **state) {
  (void)state;
  return trp_gateio_parser_new(&parser) == TRP_OK ? 0 : -1;
}

static int drop_parser(void **state) {
  (void)state;
  trp_gateio_parser_destroy(&parser);
  trp_gateio_parser_destroy(&parser);
  return 0;
}

static void parse(const char *text, struct trp_gateio_event *out) {
  if (trp_gateio_parse(parser, text, strlen(text), out) != TRP_OK)
    fail_msg("%s: %s", text, trp_gateio_parse_reason(parser));
}

static void assert_kind(const char *text, enum trp_gateio_kind kind) {
  struct trp_gateio_event event;
  parse(text, &event);
  if (event.kind != kind) fail_msg("%s: kind %d", text, event.kind);
}

static void assert_refused(const char *text) {
  struct trp_gateio_event event;
  enum trp_err err = trp_gateio_parse(parser, text, strlen(text), &event);
  if (err != TRP_MALFORMED) fail_msg("%s: %s", text, trp_err_name(err));
  assert_true(trp_gateio_parse_reason(parser)[0] != '\0');
}

/* Reads a usual frame both ways: the scanner must know it, and LEJP must agree about the rest. */
static void both_ways(const char *text, void (*check)(const struct trp_gateio_event *event)) {
  struct trp_gateio_event event;
  assert_true(trp_gateio_scan_frame(parser, text, strlen(text), &event));
  check(&event);
  assert_int_equal(trp_gateio_any_frame(parser, text, strlen(text), &event), TRP_OK);
  check(&event);
}

/* ---- events --------------------------------------------------------------------------------- */

static void check_quote(const struct trp_gateio_event *event) {
  assert_int_equal(event->kind, TRP_GATEIO_QUOTE);
  assert_string_equal(event->symbol, "BTC_USDT");
  assert_true(event->exchange_us == 1654029559473000);
  assert_true(event->quote.update_id == 6765708346);
  assert_true(event->quote.bid == 31738.93 && event->quote.bid_size == 2.3039);
  assert_true(event->quote.ask == 31738.94 && event->quote.ask_size == 0.335);
}

static void a_book_ticker_is_a_quote(void **state) {
  (void)state;
  struct trp_gateio_event event;
  both_ways(QUOTE, check_quote);
  parse(
      "{\"result\":{\"A\":\"0.335\",\"x\":{\"u\":5},\"a\":\"31738.94\",\"B\":\"2.3039\","
      "\"b\":\"31738.93\",\"s\":\"BTC_USDT\",\"u\":6765708346,\"t\":1654029559473},"
      "\"event\":\"update\", \"channel\":\"spot.book_ticker\"}",
      &event);
  check_quote(&event);
}

static void a_ticker_has_no_sizes_and_is_no_quote(void **state) {
  (void)state;
  assert_kind(UPDATE("spot.tickers",
                     "{\"currency_pair\":\"BTC_USDT\",\"last\":\"64043.9\",\"lowest_ask\":"
                     "\"64043.9\",\"highest_bid\":\"64043.8\"}"),
              TRP_GATEIO_OTHER);
}

static void check_trade(const struct trp_gateio_event *event) {
  assert_int_equal(event->kind, TRP_GATEIO_TRADE);
  assert_string_equal(event->symbol, "DIS_USDT");
  assert_true(event->exchange_us == 1619093543708264);
  assert_true(event->trade.id == 816995772 && event->trade.taker_sold);
  assert_true(event->trade.price == 121.58 && event->trade.size == 0.201);
}

static void a_trade_has_the_takers_side_and_its_time_to_the_microsecond(void **state) {
  (void)state;
  struct trp_gateio_event event;
  both_ways(TRADE, check_trade);
  parse(UPDATE("spot.trades",
               "{\"id\":2,\"id_market\":7,\"create_time\":1619093543,\"create_time_ms\":"
               "\"1619093543708\",\"side\":\"buy\",\"currency_pair\":\"A_B\",\"amount\":\"1\","
               "\"price\":\"2\",\"range\":\"7-7\"}"),
        &event);
  assert_true(event.exchange_us == 1619093543708000 && !event.trade.taker_sold);
  parse(UPDATE("spot.trades",
               "{\"id\":2,\"create_time\":1619093543,\"side\":\"buy\",\"currency_pair\":\"A_B\","
               "\"amount\":\"1\",\"price\":\"2\"}"),
        &event);
  assert_true(event.exchange_us == 1619093543000000);
}

static void check_depth(const struct trp_gateio_event *event) {
  assert_int_equal(event->kind, TRP_GATEIO_DEPTH);
  assert_int_equal(event->channel, TRP_GATEIO_ORDER_BOOK_UPDATE);
  assert_true(event->exchange_us == 1682689045398000 && !event->full);
  assert_true(event->depth.first_id == 13934528633 && event->depth.final_id == 13934528634);
  assert_int_equal(event->depth.count, 2);
  assert_true(event->depth.levels[0].price == 29291.4 && event->depth.levels[0].size == 0.5124);
  assert_true(event->depth.levels[0].side == 1 && event->depth.levels[1].size == 0);
}

static void an_order_book_update_brings_its_levels(void **state) {
  (void)state;
  both_ways(DEPTH, check_depth);
}

static void check_full(const struct trp_gateio_event *event) {
  assert_int_equal(event->kind, TRP_GATEIO_DEPTH);
  assert_int_equal(event->channel, TRP_GATEIO_OBU);
  assert_string_equal(event->symbol, "BTC_USDT");
  assert_true(event->full && event->obu_levels == 400 && event->depth.count == 2);
  assert_true(event->depth.first_id == 25847113075 && event->depth.final_id == 25847113075);
}

static void check_delta(const struct trp_gateio_event *event) {
  assert_true(!event->full && event->obu_levels == 50 && event->depth.count == 1);
  assert_true(event->depth.first_id == 39106162813 && event->depth.final_id == 39106162816);
  assert_true(event->depth.levels[0].side == 1 && event->depth.levels[0].price == 63915.2);
}

static void an_obu_is_full_or_a_delta_and_may_lack_a_side(void **state) {
  (void)state;
  struct trp_gateio_event event;
  both_ways(FULL, check_full);
  both_ways(DELTA, check_delta);
  parse(UPDATE("spot.obu",
               "{\"t\":1,\"full\":false,\"s\":\"ob.A_B.50\",\"u\":4,\"U\":3,\"b\":null,"
               "\"a\":[[\"1\",\"2\"]]}"),
        &event);
  assert_true(!event.full && event.depth.count == 1 && event.depth.levels[0].side == 2);
  parse(UPDATE("spot.obu", "{\"t\":1,\"s\":\"ob.A_B.50\",\"u\":4,\"U\":3}"), &event);
  assert_int_equal(event.depth.count, 0);
}

/* ---- answers and notices -------------------------------------------------------------------- */

static void acknowledgements_old_and_new_are_known(void **state) {
  (void)state;
  struct trp_gateio_event event;
  parse(
      "{\"time\":1786539989,\"time_ms\":1786539989162,\"id\":7,\"conn_id\":\"86f3e47ebac290b8\","
      "\"trace_id\":\"4828\",\"channel\":\"spot.trades\",\"event\":\"subscribe\",\"payload\":["
      "\"BTC_USDT\"],\"result\":{\"status\":\"success\"},\"requestId\":\"4828\"}",
      &event);
  assert_int_equal(event.kind, TRP_GATEIO_ACK);
  assert_true(event.ack.id == 7 && event.ack.subscribe && event.channel == TRP_GATEIO_TRADES);
  parse(
      "{\"time\":1619093532,\"channel\":\"spot.order_book_update\",\"event\":\"unsubscribe\","
      "\"error\":null,\"result\":{\"status\":\"success\"}}",
      &event);
  assert_int_equal(event.kind, TRP_GATEIO_ACK);
  assert_true(event.ack.id == 0 && !event.ack.subscribe);
}

static void a_refusal_carries_code_and_message(void **state) {
  (void)state;
  struct trp_gateio_event event;
  parse(
      "{\"time\":1,\"id\":3,\"channel\":\"spot.obu\",\"event\":\"subscribe\",\"error\":{\"code\":2,"
      "\"message\":\"Alert sub ob.BTC_USDT.400\"},\"result\":{\"status\":\"fail\"}}",
      &event);
  assert_int_equal(event.kind, TRP_GATEIO_ERROR);
  assert_true(event.error.id == 3 && event.error.code == 2);
  assert_string_equal(event.error.text, "Alert sub ob.BTC_USDT.400");
  assert_kind(
      "{\"time\":1,\"channel\":\"\",\"event\":\"\",\"error\":{\"code\":1,\"message\":\"x\"},"
      "\"result\":null}",
      TRP_GATEIO_ERROR);
  assert_kind(
      "{\"channel\":\"spot.trades\",\"event\":\"subscribe\",\"result\":{\"status\":\"fail\"}}",
      TRP_GATEIO_ERROR);
}

static void pongs_and_upgrade_notices_are_known(void **state) {
  (void)state;
  assert_kind(
      "{\"time\":1545404023,\"channel\":\"spot.pong\",\"event\":\"\",\"error\":null,\"result\":"
      "null}",
      TRP_GATEIO_PONG);
  assert_kind(
      "{\"time\":1780992412,\"time_ms\":1780992412642,\"channel\":\"spot.system\",\"event\":"
      "\"update\",\"result\":{\"type\":\"upgrade\",\"msg\":\"Please reconnect.\"}}",
      TRP_GATEIO_UPGRADE);
  assert_kind("{\"type\":\"upgrade\",\"msg\":\"The connection will soon be closed\"}",
              TRP_GATEIO_UPGRADE);
}

static void what_we_have_no_event_for_is_passed_over(void **state) {
  (void)state;
  assert_kind(UPDATE("spot.candlesticks", "{\"t\":\"1619093520\",\"v\":\"0\",\"a\":\"x\"}"),
              TRP_GATEIO_OTHER);
  assert_kind(UPDATE("spot.order_book", "{\"t\":1,\"bids\":[[\"1\",\"2\"]],\"asks\":[]}"),
              TRP_GATEIO_OTHER);
  assert_kind(UPDATE("spot.balances", "[{\"currency\":\"USDT\"}]"), TRP_GATEIO_OTHER);
  assert_kind("{}", TRP_GATEIO_OTHER);
  assert_kind("[1]", TRP_GATEIO_OTHER);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void an_update_with_something_missing_or_bad_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      UPDATE("spot.book_ticker", "{\"u\":1,\"s\":\"A_B\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\"}"),
      UPDATE("spot.book_ticker",
             "{\"u\":1,\"s\":\"AB\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}"),
      UPDATE("spot.book_ticker",
             "{\"u\":1,\"s\":\"A_B\",\"b\":\"-1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}"),
      UPDATE("spot.book_ticker",
             "{\"t\":\"soon\",\"u\":1,\"s\":\"A_B\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\","
             "\"A\":\"1\"}"),
      UPDATE("spot.book_ticker", "null"),
      UPDATE("spot.trades",
             "{\"id\":2,\"side\":\"none\",\"currency_pair\":\"A_B\",\"amount\":\"1\",\"price\":"
             "\"2\"}"),
      UPDATE("spot.trades",
             "{\"id\":2,\"create_time_ms\":\"12x\",\"side\":\"buy\",\"currency_pair\":\"A_B\","
             "\"amount\":\"1\",\"price\":\"2\"}"),
      UPDATE("spot.order_book_update", "{\"s\":\"A_B\",\"u\":2,\"b\":[],\"a\":[]}"),
      UPDATE("spot.order_book_update", "{\"s\":\"A_B\",\"U\":3,\"u\":2,\"b\":[],\"a\":[]}"),
      UPDATE("spot.order_book_update", "{\"s\":\"A_B\",\"U\":1,\"u\":2,\"b\":[[\"1\"]],\"a\":[]}"),
      UPDATE("spot.order_book_update",
             "{\"s\":\"A_B\",\"U\":1,\"u\":2,\"b\":[\"1\",\"2\"],\"a\":[]}"),
      UPDATE("spot.obu", "{\"s\":\"BTC_USDT\",\"U\":1,\"u\":2}"),
      UPDATE("spot.obu", "{\"s\":\"ob.BTC_USDT\",\"U\":1,\"u\":2}"),
      UPDATE("spot.obu", "{\"s\":\"ob.BTC_USDT.x\",\"U\":1,\"u\":2}"),
      UPDATE("spot.obu", "{\"s\":\"ob.BTC_USDT.50\",\"u\":2}"),
      UPDATE("spot.obu", "{\"s\":\"ob.BTC_USDT.50\",\"full\":1,\"U\":1,\"u\":2}"),
      "hello"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_refused(bad[i]);
}

static void every_truncation_of_a_frame_is_refused(void **state) {
  (void)state;
  static const char *const whole[] = {QUOTE, TRADE, DEPTH, FULL, DELTA};
  for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
    for (size_t size = 0; size < strlen(whole[i]); size++) {
      struct trp_gateio_event event;
      assert_int_equal(trp_gateio_parse(parser, whole[i], size, &event), TRP_TRUNCATED);
    }
}

static void more_levels_than_a_side_may_have_are_refused(void **state) {
  (void)state;
  char *text = malloc(200 + (TRP_GATEIO_SIDE_MAX + 1) * strlen("[\"1\",\"2\"],"));
  for (int extra = 0; extra < 2; extra++) {
    struct trp_gateio_event event;
    char *at = text + sprintf(text, "{\"id\":5,\"asks\":[");
    for (size_t i = 0; i < TRP_GATEIO_SIDE_MAX + (size_t)extra; i++)
      at += sprintf(at, "%s[\"1\",\"2\"]", i == 0 ? "" : ",");
    at += sprintf(at, "],\"bids\":[]}");
    enum trp_err err = trp_gateio_parse_snapshot(parser, text, (size_t)(at - text), &event);
    assert_int_equal(err, extra == 0 ? TRP_OK : TRP_TOO_BIG);
  }
  free(text);
}

static void a_snapshot_or_its_refusal_is_read(void **state) {
  (void)state;
  struct trp_gateio_event event;
  const char *text =
      "{\"id\":123456,\"current\":1623898993123,\"update\":1623898993121,\"asks\":[[\"1.52\","
      "\"1.151\"]],\"bids\":[[\"1.17\",\"201.863\"]]}";
  assert_int_equal(trp_gateio_parse_snapshot(parser, text, strlen(text), &event), TRP_OK);
  assert_int_equal(event.kind, TRP_GATEIO_DEPTH);
  assert_true(event.full && event.depth.final_id == 123456 && event.depth.count == 2);
  assert_true(event.exchange_us == 1623898993121000);
  assert_true(event.depth.levels[0].side == 2 && event.depth.levels[1].price == 1.17);
  text = "{\"label\":\"INVALID_CURRENCY_PAIR\",\"message\":\"Invalid currency pair\"}";
  assert_int_equal(trp_gateio_parse_snapshot(parser, text, strlen(text), &event), TRP_OK);
  assert_int_equal(event.kind, TRP_GATEIO_ERROR);
  assert_string_equal(event.error.text, "Invalid currency pair");
  text = "{\"asks\":[],\"bids\":[]}"; /* asked for without ids */
  assert_int_equal(trp_gateio_parse_snapshot(parser, text, strlen(text), &event), TRP_MALFORMED);
  assert_int_equal(trp_gateio_parse_snapshot(parser, "<html>", 6, &event), TRP_MALFORMED);
}

/* ---- what a client sends -------------------------------------------------------------------- */

static void requests_name_their_channel_and_symbols(void **state) {
  (void)state;
  char buffer[200];
  struct trp_wire_text request;
  trp_gateio_request_begin(&request, buffer, sizeof buffer, TRP_GATEIO_TRADES, true);
  trp_gateio_request_add(&request, TRP_GATEIO_TRADES, "BTC_USDT", 0);
  trp_gateio_request_add(&request, TRP_GATEIO_TRADES, "ETH_USDT", 0);
  assert_true(trp_gateio_request_end(&request, 5, 1545404023));
  assert_string_equal(buffer,
                      "{\"channel\":\"spot.trades\",\"event\":\"subscribe\",\"payload\":["
                      "\"BTC_USDT\",\"ETH_USDT\"],\"id\":5,\"time\":1545404023}");
  trp_gateio_request_begin(&request, buffer, sizeof buffer, TRP_GATEIO_OBU, false);
  trp_gateio_request_add(&request, TRP_GATEIO_OBU, "BTC_USDT", 50);
  assert_true(trp_gateio_request_end(&request, 6, 1));
  assert_non_null(strstr(buffer, "\"unsubscribe\",\"payload\":[\"ob.BTC_USDT.50\"]"));
  trp_gateio_request_begin(&request, buffer, sizeof buffer, TRP_GATEIO_ORDER_BOOK_UPDATE, true);
  trp_gateio_request_add(&request, TRP_GATEIO_ORDER_BOOK_UPDATE, "BTC_USDT", 0);
  assert_true(trp_gateio_request_end(&request, 6, 1));
  assert_non_null(strstr(buffer, "\"payload\":[\"BTC_USDT\",\"100ms\"]"));
  trp_gateio_request_begin(&request, buffer, 60, TRP_GATEIO_TRADES, true);
  trp_gateio_request_add(&request, TRP_GATEIO_TRADES, "BTC_USDT", 0);
  assert_false(trp_gateio_request_end(&request, 5, 1));
  assert_true(trp_gateio_ping(buffer, sizeof buffer, 1545404023));
  assert_string_equal(buffer, "{\"time\":1545404023,\"channel\":\"spot.ping\"}");
}

static void urls_and_symbols_are_built_and_read_back(void **state) {
  (void)state;
  char url[200], symbol[TRP_GATEIO_SYMBOL_MAX + 1];
  assert_true(trp_gateio_stream_url(url, sizeof url, "wss://api.gateio.ws"));
  assert_string_equal(url, "wss://api.gateio.ws/ws/v4/");
  assert_true(trp_gateio_book_url(url, sizeof url, "https://api.gateio.ws", "BTC_USDT", 100));
  assert_string_equal(url,
                      "https://api.gateio.ws/api/v4/spot/order_book?currency_pair=BTC_USDT"
                      "&limit=100&with_id=true");
  assert_true(trp_gateio_symbol_of_url(url, symbol, sizeof symbol));
  assert_string_equal(symbol, "BTC_USDT");
  assert_false(trp_gateio_symbol_of_url("http://x/api/v4/spot/order_book?limit=1", symbol, 39));
  assert_false(trp_gateio_book_url(url, 40, "https://api.gateio.ws", "BTC_USDT", 100));
  trp_gateio_symbol_plain(symbol, "BTC_USDT");
  assert_string_equal(symbol, "BTCUSDT");
  assert_true(trp_gateio_symbol_valid("BTC3L_USDT"));
  assert_false(trp_gateio_symbol_valid("BTCUSDT"));
  assert_false(trp_gateio_symbol_valid("_USDT"));
  assert_false(trp_gateio_symbol_valid("BTC_"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_book_ticker_is_a_quote),
      cmocka_unit_test(a_ticker_has_no_sizes_and_is_no_quote),
      cmocka_unit_test(a_trade_has_the_takers_side_and_its_time_to_the_microsecond),
      cmocka_unit_test(an_order_book_update_brings_its_levels),
      cmocka_unit_test(an_obu_is_full_or_a_delta_and_may_lack_a_side),
      cmocka_unit_test(acknowledgements_old_and_new_are_known),
      cmocka_unit_test(a_refusal_carries_code_and_message),
      cmocka_unit_test(pongs_and_upgrade_notices_are_known),
      cmocka_unit_test(what_we_have_no_event_for_is_passed_over),
      cmocka_unit_test(an_update_with_something_missing_or_bad_is_refused),
      cmocka_unit_test(every_truncation_of_a_frame_is_refused),
      cmocka_unit_test(more_levels_than_a_side_may_have_are_refused),
      cmocka_unit_test(a_snapshot_or_its_refusal_is_read),
      cmocka_unit_test(requests_name_their_channel_and_symbols),
      cmocka_unit_test(urls_and_symbols_are_built_and_read_back),
  };
  return cmocka_run_group_tests(tests, make_parser, drop_parser);
}
