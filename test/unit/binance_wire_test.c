#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/binance_wire.h"

#define QUOTE                                                                                      \
  "{\"u\":98494969448,\"s\":\"BTCUSDT\",\"b\":\"63704.00000000\",\"B\":\"4.77471000\","            \
  "\"a\":\"63704.01000000\",\"A\":\"11.33198000\"}"
#define TRADE                                                                                      \
  "{\"e\":\"aggTrade\",\"E\":1633998523963,\"s\":\"NKNUSDT\",\"a\":15683430,"                      \
  "\"p\":\"0.35280000\",\"q\":\"58.00000000\",\"f\":19862790,\"l\":19862790,"                      \
  "\"T\":1633998523963,\"m\":false,\"M\":true}"
#define DEPTH                                                                                      \
  "{\"e\":\"depthUpdate\",\"E\":1633998512068,\"s\":\"NKNUSDT\",\"U\":499869750,"                  \
  "\"u\":499869752,\"b\":[[\"0.35130000\",\"6195.00000000\"],[\"0.3475\",\"0\"]],\"a\":[]}"

static struct trp_binance_parser *parser;

static int make_parser(void **state) {
  (void)state;
  return trp_binance_parser_new(&parser) == TRP_OK ? 0 : -1;
}

static int drop_parser(void **state) {
  (void)state;
  trp_binance_parser_destroy(&parser);
  trp_binance_parser_destroy(&parser);
  return 0;
}

static enum trp_err parse(const char *text, struct trp_binance_event *out) {
  return trp_binance_parse(parser, text, strlen(text), out);
}

static void assert_kind(const char *text, enum trp_binance_kind kind) {
  struct trp_binance_event event;
  enum trp_err err = parse(text, &event);
  if (err != TRP_OK) fail_msg("%s: %s", text, trp_binance_parse_reason(parser));
  if (event.kind != kind) fail_msg("%s: kind %d", text, event.kind);
}

static void assert_refused(const char *text, enum trp_err expected) {
  struct trp_binance_event event;
  enum trp_err err = parse(text, &event);
  if (err != expected) fail_msg("%s: %s", text, trp_err_name(err));
  assert_true(trp_binance_parse_reason(parser)[0] != '\0');
}

static void check_quote(const struct trp_binance_event *event) {
  assert_int_equal(event->kind, TRP_BINANCE_QUOTE);
  assert_string_equal(event->symbol, "BTCUSDT");
  assert_true(event->quote.update_id == 98494969448u);
  assert_true(event->quote.bid == 63704 && event->quote.bid_size == 4.77471);
  assert_true(event->quote.ask == 63704.01 && event->quote.ask_size == 11.33198);
  assert_int_equal(event->inexact, 0);
}

static void a_quote_is_read_raw_and_combined_by_scanner_and_parser(void **state) {
  (void)state;
  static const char *const forms[] = {
      QUOTE, "{\"stream\":\"btcusdt@bookTicker\",\"data\":" QUOTE "}",
      "{ \"data\" : " QUOTE ", \"stream\":\"btcusdt@bookTicker\" }"};
  for (size_t i = 0; i < 3; i++) {
    struct trp_binance_event event;
    bool scanned = trp_binance_scan_frame(parser, forms[i], strlen(forms[i]), &event);
    assert_int_equal(scanned, i < 2); /* the fast way is really taken */
    if (scanned) check_quote(&event);
    assert_int_equal(trp_binance_any_frame(parser, forms[i], strlen(forms[i]), &event), TRP_OK);
    check_quote(&event);
  }
}

static void a_quote_with_its_members_in_another_order_is_the_same_quote(void **state) {
  (void)state;
  struct trp_binance_event event;
  assert_int_equal(parse("{\"A\":\"11.33198\",\"a\":\"63704.01\",\"x\":{\"u\":5},\"B\":\"4.77471\","
                         "\"s\":\"BTCUSDT\",\"b\":\"63704\",\"u\":98494969448}",
                         &event),
                   TRP_OK);
  check_quote(&event);
}

static void a_trade_has_the_takers_side(void **state) {
  (void)state;
  struct trp_binance_event event;
  assert_int_equal(parse(TRADE, &event), TRP_OK);
  assert_int_equal(event.kind, TRP_BINANCE_TRADE);
  assert_true(event.trade.id == 15683430 && event.trade.aggregate);
  assert_true(event.trade.price == 0.3528 && event.trade.size == 58);
  assert_false(event.trade.taker_sold);
  assert_true(event.exchange_us == 1633998523963000);
  assert_int_equal(parse("{\"stream\":\"bnbbtc@trade\",\"data\":{\"e\":\"trade\",\"E\":"
                         "1672515782136,\"s\":\"BNBBTC\",\"t\":12345,\"p\":\"0.001\",\"q\":\"100\","
                         "\"b\":88,\"a\":50,\"T\":1672515782136,\"m\":true,\"M\":true}}",
                         &event),
                   TRP_OK);
  assert_int_equal(event.kind, TRP_BINANCE_TRADE);
  assert_true(event.trade.id == 12345 && event.trade.taker_sold && !event.trade.aggregate);
}

static void microseconds_are_known_by_their_size(void **state) {
  (void)state;
  struct trp_binance_event event;
  assert_int_equal(parse("{\"e\":\"trade\",\"E\":1672515782136789,\"s\":\"BNBBTC\",\"t\":1,"
                         "\"p\":\"0.001\",\"q\":\"100\",\"T\":1672515782136789,\"m\":true,"
                         "\"M\":true}",
                         &event),
                   TRP_OK);
  assert_true(event.exchange_us == 1672515782136789);
}

static void check_depth(const struct trp_binance_event *event) {
  assert_int_equal(event->kind, TRP_BINANCE_DEPTH);
  assert_true(event->depth.first_id == 499869750 && event->depth.final_id == 499869752);
  assert_int_equal(event->depth.count, 2);
  assert_true(event->depth.levels[0].price == 0.3513 && event->depth.levels[0].size == 6195);
  assert_int_equal(event->depth.levels[0].side, 1);
  assert_true(event->depth.levels[1].size == 0);
}

static void a_depth_update_brings_its_levels(void **state) {
  (void)state;
  struct trp_binance_event event;
  assert_true(trp_binance_scan_frame(parser, DEPTH, strlen(DEPTH), &event));
  check_depth(&event);
  assert_int_equal(trp_binance_any_frame(parser, DEPTH, strlen(DEPTH), &event), TRP_OK);
  check_depth(&event);
  assert_int_equal(parse("{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":1,\"u\":2,\"a\":[[\"2\","
                         "\"3\",[]]],\"b\":[]}",
                         &event),
                   TRP_OK);
  assert_int_equal(event.depth.count, 1);
  assert_int_equal(event.depth.levels[0].side, 2);
}

static void acknowledgements_and_errors_carry_their_id(void **state) {
  (void)state;
  struct trp_binance_event event;
  assert_int_equal(parse("{\"result\":null,\"id\":7}", &event), TRP_OK);
  assert_int_equal(event.kind, TRP_BINANCE_ACK);
  assert_int_equal(event.ack_id, 7);
  assert_int_equal(parse("{\"id\":8,\"result\":[\"btcusdt@trade\"]}", &event), TRP_OK);
  assert_int_equal(event.ack_id, 8);
  assert_int_equal(parse("{\"code\":2,\"msg\":\"Invalid request\"}", &event), TRP_OK);
  assert_int_equal(event.kind, TRP_BINANCE_ERROR);
  assert_true(event.error.code == 2 && event.error.id == 0);
  assert_string_equal(event.error.text, "Invalid request");
  assert_int_equal(
      parse("{\"error\":{\"code\":-1121,\"msg\":\"Invalid symbol.\"},\"id\":9}", &event), TRP_OK);
  assert_int_equal(event.kind, TRP_BINANCE_ERROR);
  assert_true(event.error.code == -1121 && event.error.id == 9);
}

static void a_shutdown_notice_is_known_in_both_forms(void **state) {
  (void)state;
  assert_kind("{\"e\":\"serverShutdown\",\"E\":1770123456789}", TRP_BINANCE_SHUTDOWN);
  assert_kind("{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1}}",
              TRP_BINANCE_SHUTDOWN);
}

static void streams_without_an_event_of_ours_are_passed_over(void **state) {
  (void)state;
  assert_kind(
      "{\"stream\":\"x@kline_1m\",\"data\":{\"e\":\"kline\",\"E\":1,\"s\":\"X\",\"k\":{\"t\":1,"
      "\"o\":\"1\"}}}",
      TRP_BINANCE_OTHER);
  assert_kind("{\"stream\":\"!miniTicker@arr\",\"data\":[{\"e\":\"24hrMiniTicker\",\"s\":\"X\"}]}",
              TRP_BINANCE_OTHER);
  assert_kind(
      "{\"stream\":\"x@depth5\",\"data\":{\"lastUpdateId\":160,\"bids\":[[\"1\",\"2\"]],"
      "\"asks\":[]}}",
      TRP_BINANCE_OTHER);
  assert_kind("{\"lastUpdateId\":160,\"bids\":[[\"1\",\"2\"]],\"asks\":[]}", TRP_BINANCE_OTHER);
  assert_kind("{\"e\":\"24hrTicker\",\"s\":\"X\",\"b\":\"1\",\"a\":\"2\",\"u\":3}",
              TRP_BINANCE_OTHER);
  assert_kind("[1,2]", TRP_BINANCE_OTHER);
  assert_kind("{}", TRP_BINANCE_OTHER);
}

static void a_known_event_with_something_missing_or_bad_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "{\"u\":1,\"s\":\"X\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\"}",
      "{\"u\":1,\"s\":\"X\",\"b\":\"-1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}",
      "{\"u\":1,\"s\":\"X\",\"b\":\"one\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}",
      "{\"u\":-1,\"s\":\"X\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}",
      "{\"u\":1,\"s\":\"\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}",
      "{\"u\":1,\"s\":\"A B\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}",
      "{\"u\":18446744073709551616,\"s\":\"X\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}",
      "{\"stream\":\"x@bookTicker\",\"data\":{}}",
      "{\"stream\":\"x@depth@100ms\",\"data\":{\"e\":\"other\"}}",
      "{\"e\":\"trade\",\"E\":1,\"s\":\"X\",\"t\":1,\"p\":\"1\",\"q\":\"1\",\"T\":1,\"m\":\"no\"}",
      "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":3,\"u\":2,\"b\":[],\"a\":[]}",
      "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":1,\"u\":2,\"b\":[]}",
      "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":1,\"u\":2,\"b\":[[\"1\"]],\"a\":[]}",
      "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":1,\"u\":2,\"b\":[[\"1\"],[\"1\",\"2\"]],"
      "\"a\":[]}",
      "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":1,\"u\":2,\"b\":[\"1\",\"2\"],\"a\":[]}",
      "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"X\",\"U\":1,\"u\":2,\"b\":[[\"1\",\"1e999\"]],\"a\":["
      "]}",
      "hello",
      "null"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_refused(bad[i], TRP_MALFORMED);
}

static void every_truncation_of_a_frame_is_refused(void **state) {
  (void)state;
  static const char *const whole[] = {"{\"stream\":\"btcusdt@bookTicker\",\"data\":" QUOTE "}",
                                      TRADE, DEPTH, "{\"result\":null,\"id\":7}"};
  for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
    for (size_t size = 0; size < strlen(whole[i]); size++) {
      struct trp_binance_event event;
      assert_int_equal(trp_binance_parse(parser, whole[i], size, &event), TRP_TRUNCATED);
    }
}

static void more_levels_than_a_side_may_have_are_refused(void **state) {
  (void)state;
  size_t level = strlen("[\"1\",\"2\"],");
  char *text = malloc(200 + (TRP_BINANCE_SIDE_MAX + 1) * level);
  for (int extra = 0; extra < 2; extra++) {
    struct trp_binance_event event;
    char *at = text + sprintf(text, "{\"lastUpdateId\":5,\"bids\":[");
    for (size_t i = 0; i < TRP_BINANCE_SIDE_MAX + (size_t)extra; i++)
      at += sprintf(at, "%s[\"1\",\"2\"]", i == 0 ? "" : ",");
    at += sprintf(at, "],\"asks\":[]}");
    enum trp_err err = trp_binance_parse_snapshot(parser, text, (size_t)(at - text), &event);
    assert_int_equal(err, extra == 0 ? TRP_OK : TRP_TOO_BIG);
    if (err == TRP_OK) assert_int_equal(event.depth.count, TRP_BINANCE_SIDE_MAX);
  }
  free(text);
}

static void a_snapshot_or_its_refusal_is_read(void **state) {
  (void)state;
  struct trp_binance_event event;
  const char *text =
      "{\"lastUpdateId\":1027024,\"bids\":[[\"4.00000000\",\"431.00000000\"]],"
      "\"asks\":[[\"4.00000200\",\"12.00000000\"]]}";
  assert_true(trp_binance_scan_snapshot(parser, text, strlen(text), &event));
  assert_int_equal(event.depth.final_id, 1027024);
  assert_int_equal(trp_binance_any_snapshot(parser, text, strlen(text), &event), TRP_OK);
  assert_int_equal(event.depth.final_id, 1027024);
  assert_int_equal(event.depth.count, 2);
  assert_true(event.depth.levels[1].price == 4.000002 && event.depth.levels[1].side == 2);
  text = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
  assert_int_equal(trp_binance_parse_snapshot(parser, text, strlen(text), &event), TRP_OK);
  assert_int_equal(event.kind, TRP_BINANCE_ERROR);
  assert_int_equal(trp_binance_parse_snapshot(parser, "<html>", 6, &event), TRP_MALFORMED);
  assert_int_equal(trp_binance_parse_snapshot(parser, "{\"bids\":[]}", 11, &event), TRP_MALFORMED);
}

static void count_ticker(void *arg, const struct trp_binance_event *event) {
  char *names = arg;
  strcat(names, event->symbol);
  strcat(names, " ");
  assert_true(event->quote.bid < event->quote.ask);
}

static void polled_tickers_come_alone_or_in_a_list(void **state) {
  (void)state;
#define TICKER(name)                                                                               \
  "{\"symbol\":\"" name                                                                            \
  "\",\"bidPrice\":\"4.0\",\"bidQty\":\"431.0\",\"askPrice\":\"4.1\","                             \
  "\"askQty\":\"9.0\"}"
  char names[64] = "";
  const char *one = TICKER("LTCBTC"), *two = "[" TICKER("A") "," TICKER("B") "]";
  assert_int_equal(trp_binance_parse_tickers(parser, one, strlen(one), count_ticker, names),
                   TRP_OK);
  assert_int_equal(trp_binance_parse_tickers(parser, two, strlen(two), count_ticker, names),
                   TRP_OK);
  assert_string_equal(names, "LTCBTC A B ");
  const char *bad = "[" TICKER("C") ",{\"symbol\":\"D\"}]";
  assert_int_equal(trp_binance_parse_tickers(parser, bad, strlen(bad), count_ticker, names),
                   TRP_MALFORMED);
}

static void note_trade(void *arg, const struct trp_binance_event *event) {
  char *out = arg;
  size_t used = strlen(out);
  assert_int_equal(event->kind, TRP_BINANCE_TRADE);
  assert_true(event->trade.price == 0.01633102 && event->trade.size == 4.70443515);
  assert_true(event->exchange_us == 1498793709153000 && event->trade.aggregate);
  snprintf(out + used, 64 - used, "%llu%c ", (unsigned long long)event->trade.id,
           event->trade.taker_sold ? 's' : 'b');
}

static void polled_trades_come_in_their_order(void **state) {
  (void)state;
#define AGG_TRADE(id, maker)                                                                       \
  "{\"a\":" id                                                                                     \
  ",\"p\":\"0.01633102\",\"q\":\"4.70443515\",\"f\":27781,\"l\":27781,"                            \
  "\"T\":1498793709153,\"m\":" maker ",\"M\":true}"
  char ids[64] = "";
  const char *two = "[" AGG_TRADE("26129", "true") "," AGG_TRADE("26130", "false") "]";
  assert_int_equal(trp_binance_parse_trades(parser, two, strlen(two), note_trade, ids), TRP_OK);
  assert_int_equal(trp_binance_parse_trades(parser, "[]", 2, note_trade, ids), TRP_OK);
  assert_string_equal(ids, "26129s 26130b ");
  const char *bad = "[" AGG_TRADE("1", "true") ",{\"a\":2,\"p\":\"1\"}]";
  assert_int_equal(trp_binance_parse_trades(parser, bad, strlen(bad), note_trade, ids),
                   TRP_MALFORMED);
  assert_string_equal(trp_binance_parse_reason(parser), "an aggTrade with a member missing or bad");
  assert_int_equal(trp_binance_parse_trades(parser, two, 100, note_trade, ids), TRP_TRUNCATED);
}

static void note_symbol(void *arg, const char *symbol) {
  char *out = arg;
  snprintf(out + strlen(out), 64 - strlen(out), "%s ", symbol);
}

static void the_list_names_each_symbol(void **state) {
  (void)state;
  char names[64] = "";
  const char *text =
      "{\"timezone\":\"UTC\",\"rateLimits\":[{\"limit\":6000}],\"symbols\":[{\"symbol\":\"ETHBTC\","
      "\"orderTypes\":[\"LIMIT\"],\"filters\":[{\"symbol\":\"no\"}]},{\"symbol\":\"LTCBTC\"}]}";
  assert_int_equal(trp_binance_parse_listing(parser, text, strlen(text), note_symbol, names),
                   TRP_OK);
  assert_string_equal(names, "ETHBTC LTCBTC ");
  assert_int_equal(trp_binance_parse_listing(parser, "{}", 2, note_symbol, names), TRP_MALFORMED);
  assert_string_equal(trp_binance_parse_reason(parser), "a listing without any symbol");
}

static void urls_of_polls_are_encoded_and_bounded(void **state) {
  (void)state;
  char url[200];
  const char *const symbols[] = {"A", "\xe5\xb8\x81USDT"};
  assert_true(trp_binance_tickers_url(url, sizeof url, "http://x", symbols, 2));
  assert_string_equal(url,
                      "http://x/api/v3/ticker/bookTicker?symbols="
                      "%5B%22A%22%2C%22%E5%B8%81USDT%22%5D");
  assert_false(trp_binance_tickers_url(url, 60, "http://x", symbols, 2));
  assert_true(trp_binance_trades_url(url, sizeof url, "http://x", "A", 7, 1000));
  assert_string_equal(url, "http://x/api/v3/aggTrades?symbol=A&limit=1000&fromId=7");
  assert_true(trp_binance_listing_url(url, sizeof url, "http://x"));
  assert_false(trp_binance_listing_url(url, 20, "http://x"));
}

static void numbers_beyond_fifteen_digits_are_counted(void **state) {
  (void)state;
  struct trp_binance_event event;
  const char *text =
      "{\"u\":1,\"s\":\"X\",\"b\":\"1.234567890123456789\",\"B\":\"1\",\"a\":"
      "\"2.234567890123456789\",\"A\":\"1\"}";
  assert_true(trp_binance_scan_frame(parser, text, strlen(text), &event));
  assert_int_equal(event.inexact, 2);
  assert_int_equal(trp_binance_any_frame(parser, text, strlen(text), &event), TRP_OK);
  assert_int_equal(event.inexact, 2);
}

static void requests_are_batched_and_bounded(void **state) {
  (void)state;
  char buffer[256];
  struct trp_wire_text request;
  trp_binance_request_begin(&request, buffer, sizeof buffer, true);
  trp_binance_request_add(&request, "BTCUSDT", TRP_BINANCE_STREAM_ALL);
  trp_binance_request_add(&request, "ETHBTC", TRP_BINANCE_STREAM_QUOTES);
  assert_true(trp_binance_request_end(&request, 3));
  assert_string_equal(
      buffer,
      "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\","
      "\"btcusdt@aggTrade\",\"btcusdt@depth@100ms\",\"ethbtc@bookTicker\"],\"id\":3}");
  assert_int_equal(request.size, strlen(buffer));
  trp_binance_request_begin(&request, buffer, 60, false);
  trp_binance_request_add(&request, "BTCUSDT", TRP_BINANCE_STREAM_ALL);
  assert_false(trp_binance_request_end(&request, 4));
}

static void urls_are_built_and_read_back(void **state) {
  (void)state;
  char url[256], symbol[TRP_BINANCE_SYMBOL_MAX + 1];
  assert_true(trp_binance_stream_url(url, sizeof url, "wss://stream.binance.com:9443"));
  assert_string_equal(url, "wss://stream.binance.com:9443/stream");
  assert_true(
      trp_binance_depth_url(url, sizeof url, "https://api.binance.com", "币安人生USDT", 1000));
  assert_string_equal(url,
                      "https://api.binance.com/api/v3/depth?symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%"
                      "E7%94%9FUSDT&limit=1000");
  assert_true(trp_binance_symbol_of_url(url, symbol, sizeof symbol));
  assert_string_equal(symbol, "币安人生USDT");
  assert_true(trp_binance_symbol_of_url("http://x/api/v3/depth?limit=5&symbol=A", symbol, 39));
  assert_string_equal(symbol, "A");
  assert_false(trp_binance_symbol_of_url("http://x/api/v3/depth?limit=5", symbol, 39));
  assert_false(trp_binance_symbol_of_url("http://x/api/v3/depth?symbol=%4", symbol, 39));
  assert_false(trp_binance_symbol_of_url("http://x/api/v3/trades?symbol=A", symbol, 39));
  assert_false(trp_binance_depth_url(url, 20, "https://api.binance.com", "A", 5));
}

static void symbols_that_could_break_out_of_a_text_are_invalid(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",    "A B", "A\"", "A\\", "A/B",
      "A.B", "A@B", "A\n", "A&B", "123456789012345678901234567890123456789"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_false(trp_binance_symbol_valid(bad[i]));
  assert_true(trp_binance_symbol_valid("1000SATSUSDT"));
  assert_true(trp_binance_symbol_valid("币安人生USDT"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_quote_is_read_raw_and_combined_by_scanner_and_parser),
      cmocka_unit_test(a_quote_with_its_members_in_another_order_is_the_same_quote),
      cmocka_unit_test(a_trade_has_the_takers_side),
      cmocka_unit_test(microseconds_are_known_by_their_size),
      cmocka_unit_test(a_depth_update_brings_its_levels),
      cmocka_unit_test(acknowledgements_and_errors_carry_their_id),
      cmocka_unit_test(a_shutdown_notice_is_known_in_both_forms),
      cmocka_unit_test(streams_without_an_event_of_ours_are_passed_over),
      cmocka_unit_test(a_known_event_with_something_missing_or_bad_is_refused),
      cmocka_unit_test(every_truncation_of_a_frame_is_refused),
      cmocka_unit_test(more_levels_than_a_side_may_have_are_refused),
      cmocka_unit_test(a_snapshot_or_its_refusal_is_read),
      cmocka_unit_test(polled_tickers_come_alone_or_in_a_list),
      cmocka_unit_test(polled_trades_come_in_their_order),
      cmocka_unit_test(the_list_names_each_symbol),
      cmocka_unit_test(urls_of_polls_are_encoded_and_bounded),
      cmocka_unit_test(numbers_beyond_fifteen_digits_are_counted),
      cmocka_unit_test(requests_are_batched_and_bounded),
      cmocka_unit_test(urls_are_built_and_read_back),
      cmocka_unit_test(symbols_that_could_break_out_of_a_text_are_invalid),
  };
  return cmocka_run_group_tests(tests, make_parser, drop_parser);
}
