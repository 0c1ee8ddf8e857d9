/* Stories of the protocol machine: what goes in by hand and clock, and the trace of what comes out.
 * In a trace: > a text sent, ? a snapshot asked for, Q quote, T trade, B book (kind@id), ! notice,
 * = feed state, gap, RECONNECT. Long because the stories share one set of hands. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/binance.h"

#define MS 1000000ull

static struct trp_machine *binance;
static uint64_t now;
static char trace[16384];
static char last_text[20000];
static char told_reason[TRP_MACHINE_REASON_BYTES];
static uint32_t texts, max_texts_in_a_second;
static uint64_t text_times[10000];
static enum trp_err send_result;
static struct trp_quote last_quote;
static struct trp_trade last_trade;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list arguments;
  size_t used = strlen(trace);
  va_start(arguments, format);
  vsnprintf(trace + used, sizeof trace - used, format, arguments);
  va_end(arguments);
}

static const char *symbol_text(uint32_t number) {
  static char text[64];
  snprintf(text, sizeof text, "%s", number != 0 ? trp_symbol_name(number) : "-");
  char *dot = strchr(text, '.');
  if (dot != NULL) *dot = '\0';
  return text;
}

static enum trp_err send_text(void *arg, uint32_t link, const char *text, size_t size) {
  (void)arg, (void)link;
  if (send_result != TRP_OK) return send_result;
  assert_int_equal(size, strlen(text));
  strcpy(last_text, text);
  text_times[texts++] = now;
  uint32_t lately = 0;
  for (uint32_t i = 0; i < texts; i++) lately += now - text_times[i] < 1000 * MS;
  if (lately > max_texts_in_a_second) max_texts_in_a_second = lately;
  say(">%s ", strstr(text, "UNSUB") != NULL ? "UNSUB" : "SUB");
  return TRP_OK;
}

static enum trp_err request_snapshot(void *arg, uint32_t link, const char *symbol,
                                     const char *url) {
  (void)arg, (void)link;
  assert_non_null(strstr(url, "/api/v3/depth?symbol="));
  say("?%s ", symbol);
  return TRP_OK;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)arg;
  last_quote = *quote;
  say("Q%s@%llu ", symbol_text(quote->symbol), (unsigned long long)update_id);
}

static void on_trade(void *arg, const struct trp_trade *trade) {
  (void)arg;
  last_trade = *trade;
  say("T%s@%llu ", symbol_text(trade->symbol), (unsigned long long)trade->id);
}

static void on_book(void *arg, const struct trp_book *book) {
  (void)arg;
  say("B%s:%u@%llu(%u) ", symbol_text(book->symbol), book->kind, (unsigned long long)book->sequence,
      book->levels_count);
}

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  (void)arg;
  say("gap:%s:%llu..%llu ", symbol_text(symbol), (unsigned long long)expected,
      (unsigned long long)got);
}

static void on_notice(void *arg, const struct trp_machine_notice *notice) {
  static const char *const text[] = {"subscribed", "gone",   "refused", "synced",  "stale",
                                     "fresh",      "nosnap", "bad",     "crossed", "complaint"};
  (void)arg;
  assert_non_null(notice->text);
  say("!%s:%s ", text[notice->kind], symbol_text(notice->symbol));
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  (void)arg;
  assert_non_null(reason);
  snprintf(told_reason, sizeof told_reason, "%s", reason);
  say("=%s ", trp_feed_state_text(state));
}

static void on_reconnect(void *arg, uint32_t link, enum trp_error_class error_class,
                         const char *reason) {
  (void)arg, (void)link;
  say("RECONNECT(%s:%s) ", trp_error_class_text(error_class), reason);
}

static const struct trp_machine_out outputs = {.send_text = send_text,
                                               .request_snapshot = request_snapshot,
                                               .quote = on_quote,
                                               .trade = on_trade,
                                               .book = on_book,
                                               .gap = on_gap,
                                               .notice = on_notice,
                                               .state = on_state,
                                               .reconnect = on_reconnect};

static void make_with(const struct trp_machine_options *options) {
  trp_machine_destroy(&binance);
  assert_int_equal(trp_machine_new(&binance, &trp_binance_dialect, options, &outputs), TRP_OK);
}

static int make(void **state) {
  (void)state;
  now = 1000 * 1000 * MS;
  trace[0] = '\0';
  texts = max_texts_in_a_second = 0;
  send_result = TRP_OK;
  make_with(NULL);
  return 0;
}

static int drop(void **state) {
  (void)state;
  trp_machine_destroy(&binance);
  trp_machine_destroy(&binance);
  return 0;
}

/* ---- hands ---------------------------------------------------------------------------------- */

/* The trace so far is this; a new one begins. */
static void expect(const char *expected) {
  assert_string_equal(trace, expected);
  trace[0] = '\0';
}

/* Asked for now, whatever was told. */
static void expect_reason(const char *expected) {
  char reason[TRP_MACHINE_REASON_BYTES];
  trp_machine_reason(binance, reason);
  assert_string_equal(reason, expected);
}

static void forget(void) { trace[0] = '\0'; }

static void pass_ms(uint64_t ms) {
  for (uint64_t end = now + ms * MS; now < end;) {
    now += TRP_MACHINE_TICK_MS * MS;
    trp_machine_tick(binance, now);
  }
}

static void frame(const char *text) {
  trp_machine_frame(binance, 0, now, 1700000000000000, text, strlen(text));
}

static void want(const char *symbol) {
  assert_int_equal(trp_machine_subscribe(binance, now, symbol, NULL), TRP_OK);
}

static void ack(uint64_t id) {
  char text[64];
  snprintf(text, sizeof text, "{\"result\":null,\"id\":%llu}", (unsigned long long)id);
  frame(text);
}

static void quote(const char *symbol, uint64_t id) {
  char text[256];
  snprintf(
      text, sizeof text,
      "{\"stream\":\"x@bookTicker\",\"data\":{\"u\":%llu,\"s\":\"%s\",\"b\":\"1.5\",\"B\":\"2\","
      "\"a\":\"1.6\",\"A\":\"3\"}}",
      (unsigned long long)id, symbol);
  frame(text);
}

static void diff(const char *symbol, uint64_t first, uint64_t final) {
  char text[256];
  snprintf(text, sizeof text,
           "{\"e\":\"depthUpdate\",\"E\":1699999999999,\"s\":\"%s\",\"U\":%llu,\"u\":%llu,"
           "\"b\":[[\"1.5\",\"%llu\"]],\"a\":[]}",
           symbol, (unsigned long long)first, (unsigned long long) final,
           (unsigned long long) final);
  frame(text);
}

static void snapshot(const char *symbol, uint64_t id) {
  char text[128];
  snprintf(text, sizeof text,
           "{\"lastUpdateId\":%llu,\"bids\":[[\"1.5\",\"1\"],[\"1.4\",\"1\"]],\"asks\":[[\"1.6\","
           "\"1\"]]}",
           (unsigned long long)id);
  trp_machine_http_response(binance, now, symbol, 200, 0, text, strlen(text));
}

/* One symbol, live, its book at id 100. */
static void go_live(const char *symbol) {
  want(symbol);
  trp_machine_opened(binance, 0, now);
  ack(1);
  pass_ms(100);
  snapshot(symbol, 100);
  assert_int_equal(trp_machine_state(binance), TRP_FEED_LIVE);
  forget();
}

/* ---- stories -------------------------------------------------------------------------------- */

static void a_symbol_goes_from_wanted_to_live(void **state) {
  (void)state;
  want("BTCUSDT");
  expect("");
  trp_machine_opened(binance, 0, now);
  expect(">SUB =SYNCING ");
  assert_string_equal(last_text,
                      "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\","
                      "\"btcusdt@aggTrade\",\"btcusdt@depth@100ms\"],\"id\":1}");
  ack(1);
  expect("!subscribed:BTCUSDT ");
  quote("BTCUSDT", 90);
  diff("BTCUSDT", 95, 101);
  diff("BTCUSDT", 102, 103);
  expect("QBTCUSDT@90 ");
  pass_ms(100);
  expect("?BTCUSDT ");
  snapshot("BTCUSDT", 101);
  expect("BBTCUSDT:1@101(3) BBTCUSDT:2@103(1) !synced:BTCUSDT =LIVE ");
  diff("BTCUSDT", 104, 104);
  expect("BBTCUSDT:2@104(1) ");
  assert_int_equal(trp_machine_stats(binance)->updates, 4);
}

static void data_before_the_acknowledgement_is_taken(void **state) {
  (void)state;
  want("BTCUSDT");
  trp_machine_opened(binance, 0, now);
  forget();
  diff("BTCUSDT", 95, 101);
  pass_ms(100);
  expect("?BTCUSDT ");
  quote("BTCUSDT", 1);
  expect("QBTCUSDT@1 ");
}

static void quotes_and_trades_carry_times_and_symbol_numbers(void **state) {
  (void)state;
  uint32_t number;
  assert_int_equal(trp_machine_subscribe(binance, now, "ETHBTC", &number), TRP_OK);
  assert_string_equal(trp_symbol_name(number), "ETHBTC.BINANCE");
  trp_machine_opened(binance, 0, now);
  quote("ETHBTC", 7);
  assert_int_equal(last_quote.symbol, number);
  assert_true(last_quote.recv_ns == now && last_quote.bid == 1.5 && last_quote.ask_size == 3);
  assert_int_equal(last_quote.exchange_offset_us, 0);
  frame(
      "{\"e\":\"aggTrade\",\"E\":1699999999000,\"s\":\"ETHBTC\",\"a\":5,\"p\":\"1\",\"q\":\"2\","
      "\"f\":1,\"l\":1,\"T\":1,\"m\":true,\"M\":true}");
  assert_int_equal(last_trade.exchange_offset_us, 1000000);
  assert_int_equal(last_trade.side, 2);
  assert_true(last_trade.id == 5 && last_trade.price == 1 && last_trade.size == 2);
}

static void a_gap_rebuilds_this_one_symbol(void **state) {
  (void)state;
  go_live("BTCUSDT");
  want("ETHBTC");
  pass_ms(100);
  ack(2);
  pass_ms(100);
  snapshot("ETHBTC", 50);
  forget();
  diff("BTCUSDT", 101, 102);
  diff("BTCUSDT", 110, 112);
  expect("BBTCUSDT:2@102(1) gap:BTCUSDT:103..110 =SYNCING ");
  diff("ETHBTC", 51, 51);
  expect("BETHBTC:2@51(1) ");
  pass_ms(1000);
  expect("?BTCUSDT ");
  snapshot("BTCUSDT", 111);
  expect("BBTCUSDT:1@111(3) BBTCUSDT:2@112(1) !synced:BTCUSDT =LIVE ");
  assert_int_equal(trp_machine_stats(binance)->gaps, 1);
}

static void a_snapshot_that_is_too_old_is_fetched_again(void **state) {
  (void)state;
  want("BTCUSDT");
  trp_machine_opened(binance, 0, now);
  ack(1);
  diff("BTCUSDT", 200, 201);
  pass_ms(100);
  forget();
  snapshot("BTCUSDT", 150);
  expect("");
  pass_ms(1000);
  expect("?BTCUSDT ");
  snapshot("BTCUSDT", 200);
  assert_int_equal(trp_machine_state(binance), TRP_FEED_LIVE);
  assert_int_equal(trp_machine_stats(binance)->snapshots_too_old, 1);
}

static void everything_wanted_is_asked_for_again_after_a_reconnect(void **state) {
  (void)state;
  go_live("BTCUSDT");
  trp_machine_closed(binance, 0, now);
  trp_machine_closed(binance, 0, now);
  expect("=CONNECTING ");
  assert_int_equal(trp_machine_snapshots_in_flight(binance), 0);
  want("ETHBTC");
  quote("BTCUSDT", 5); /* a late frame of the old connection */
  expect("");
  trp_machine_opened(binance, 0, now);
  expect(">SUB =SYNCING ");
  assert_non_null(strstr(last_text, "btcusdt@bookTicker"));
  assert_non_null(strstr(last_text, "ethbtc@bookTicker"));
  ack(2);
  expect("!subscribed:ETHBTC !subscribed:BTCUSDT ");
}

static void a_snapshot_of_the_old_connection_is_ignored(void **state) {
  (void)state;
  want("BTCUSDT");
  trp_machine_opened(binance, 0, now);
  ack(1);
  pass_ms(100);
  assert_int_equal(trp_machine_snapshots_in_flight(binance), 1);
  trp_machine_closed(binance, 0, now);
  trp_machine_opened(binance, 0, now);
  forget();
  snapshot("BTCUSDT", 100);
  trp_machine_http_failed(binance, now, "NOBODY", TRP_TIMEOUT);
  expect("");
}

static void a_request_that_is_not_acknowledged_asks_for_a_reconnect_once(void **state) {
  (void)state;
  want("BTCUSDT");
  trp_machine_opened(binance, 0, now);
  forget();
  pass_ms(4900);
  expect("");
  pass_ms(5000);
  expect("RECONNECT(transient:a request was not acknowledged in time) ");
}

static void one_bad_name_in_a_batch_is_found_and_the_rest_goes_on(void **state) {
  (void)state;
  want("GOOD");
  want("BAD");
  trp_machine_opened(binance, 0, now);
  forget();
  frame("{\"code\":2,\"msg\":\"Invalid request\",\"id\":1}");
  pass_ms(100);
  expect(">SUB >SUB ");
  ack(2);
  expect("!subscribed:GOOD ");
  frame("{\"error\":{\"code\":2,\"msg\":\"Invalid request\"},\"id\":3}");
  expect("!refused:BAD ");
  pass_ms(100);
  snapshot("GOOD", 1);
  forget();
  pass_ms(2000);
  expect(">SUB ");
  assert_non_null(strstr(last_text, "bad@"));
  assert_null(strstr(last_text, "good@"));
}

static void a_symbol_that_does_not_exist_is_not_asked_for_for_ever(void **state) {
  (void)state;
  want("NOSUCH");
  trp_machine_opened(binance, 0, now);
  frame("{\"code\":-1121,\"msg\":\"Invalid symbol.\",\"id\":1}");
  expect(">SUB =SYNCING !refused:NOSUCH =LIVE ");
  pass_ms(100000);
  assert_null(strstr(trace, ">SUB"));
}

static void a_snapshot_refused_for_good_is_not_asked_for_for_ever(void **state) {
  (void)state;
  want("NOSUCH");
  trp_machine_opened(binance, 0, now);
  ack(1);
  pass_ms(100);
  forget();
  const char *body = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
  trp_machine_http_response(binance, now, "NOSUCH", 400, 0, body, strlen(body));
  expect("!nosnap:NOSUCH =LIVE ");
  quote("NOSUCH", 1);
  diff("NOSUCH", 1, 2);
  pass_ms(5000);
  expect("QNOSUCH@1 ");
}

/* Nor is its silence anybody's worry. */
static void refused_symbols_are_counted_apart_and_the_feed_is_live_without_them(void **state) {
  (void)state;
  const char *body = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
  go_live("BTCUSDT");
  expect_reason("1 of 1 symbols in sync");
  want("NOSUCH");
  pass_ms(100);
  ack(2);
  pass_ms(100);
  expect_reason("1 of 2 symbols in sync");
  forget();
  trp_machine_http_response(binance, now, "NOSUCH", 400, 0, body, strlen(body));
  expect("!nosnap:NOSUCH =LIVE ");
  assert_string_equal(told_reason, "1 of 2 symbols in sync, 1 refused");
  for (int i = 0; i < 30; i++) {
    quote("BTCUSDT", 1);
    pass_ms(1000);
  }
  assert_null(strstr(trace, "="));
  assert_null(strstr(trace, "!stale"));
  assert_int_equal(trp_machine_unsubscribe(binance, now, "NOSUCH"), TRP_OK);
  expect_reason("1 of 1 symbols in sync");
  forget();
  pass_ms(100);
  assert_non_null(strstr(trace, "=LIVE "));
  assert_string_equal(told_reason, "1 of 1 symbols in sync");
}

static void a_refused_symbol_that_has_data_after_all_is_watched_again(void **state) {
  (void)state;
  const char *body = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
  want("LATE");
  trp_machine_opened(binance, 0, now);
  ack(1);
  pass_ms(100);
  trp_machine_http_response(binance, now, "LATE", 400, 0, body, strlen(body));
  quote("LATE", 1);
  forget();
  pass_ms(10100);
  expect("!stale:LATE =STALE ");
  assert_string_equal(told_reason, "1 of 1 symbols without data, 1 refused");
}

static void retry_after_is_obeyed_by_every_symbol(void **state) {
  (void)state;
  want("A");
  want("B");
  want("C");
  trp_machine_opened(binance, 0, now);
  ack(1);
  pass_ms(100);
  assert_non_null(strstr(trace, "?A ?B "));
  forget();
  trp_machine_http_response(binance, now, "A", 429, 7, "", 0);
  trp_machine_http_response(binance, now, "B", 429, 0, "{}", 2);
  expect("!nosnap:A !nosnap:B ");
  for (int i = 0; i < 59; i++) { /* 429 without Retry-After waits a minute */
    pass_ms(1000);
    quote("A", 1);
    quote("B", 1);
    quote("C", 1);
  }
  assert_null(strchr(trace, '?'));
  forget();
  pass_ms(1000);
  expect("?A ?B ");
  assert_int_equal(trp_machine_stats(binance)->errors[TRP_CLASS_RATE_LIMIT], 2);
}

static void snapshots_stay_within_the_weight_a_minute(void **state) {
  (void)state;
  make_with(&(struct trp_machine_options){.snapshots_at_once = 1000, .weight_per_min = 600});
  uint32_t count = 300;
  for (uint32_t i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof name, "S%u", i);
    want(name);
  }
  trp_machine_opened(binance, 0, now);
  pass_ms(1000);
  for (uint64_t id = 1; id <= 10; id++) ack(id);
  uint32_t asked = 0;
  for (int second = 0; second < 60; second++) {
    forget();
    pass_ms(1000);
    for (const char *at = trace; (at = strchr(at, '?')) != NULL; at++) asked++;
  }
  assert_in_range(asked, 12, 14); /* 600 a minute at 50 each, and ten seconds' worth at once */
}

static void texts_stay_below_the_limit_and_symbols_are_batched(void **state) {
  (void)state;
  for (uint32_t i = 0; i < trp_binance_dialect.symbols_usual; i++) {
    char name[16];
    snprintf(name, sizeof name, "SYM%u", i);
    want(name);
  }
  assert_int_equal(trp_machine_subscribe(binance, now, "ONEMORE", NULL), TRP_LIMIT);
  trp_machine_opened(binance, 0, now);
  assert_int_equal(texts, 4);
  pass_ms(900);
  assert_int_equal(texts, 4);
  trp_machine_pinged(binance, 0, now); /* its pong counts too */
  pass_ms(3000);
  assert_int_equal(texts, 6); /* 1,023 streams, at most 200 a text */
  for (int i = 0; i < 50; i++) {
    assert_int_equal(trp_machine_unsubscribe(binance, now, "SYM0"), TRP_OK);
    pass_ms(100);
    want("SYM0");
    pass_ms(100);
  }
  assert_true(max_texts_in_a_second <= 4);
}

static void unsubscribing_stops_data_at_once_and_symbols_can_come_back(void **state) {
  (void)state;
  go_live("BTCUSDT");
  assert_int_equal(trp_machine_unsubscribe(binance, now, "BTCUSDT"), TRP_OK);
  assert_int_equal(trp_machine_unsubscribe(binance, now, "BTCUSDT"), TRP_INVALID);
  assert_int_equal(trp_machine_symbols(binance), 0);
  quote("BTCUSDT", 1);
  expect("=LIVE "); /* for another reason: with no symbol */
  pass_ms(100);
  expect(">UNSUB ");
  want("BTCUSDT"); /* while the acknowledgement is under way */
  assert_string_equal(trp_machine_symbol(binance, 0), "BTCUSDT");
  ack(2);
  pass_ms(100);
  expect("=SYNCING >SUB ");
  assert_int_equal(trp_machine_unsubscribe(binance, now, "BTCUSDT"), TRP_OK);
  pass_ms(100);
  ack(3);
  ack(4);
  assert_null(trp_machine_symbol(binance, 0));
  assert_non_null(strstr(trace, "!gone:BTCUSDT"));
  assert_int_equal(trp_machine_stats(binance)->foreign_frames, 1);
}

static void wanting_twice_asks_once(void **state) {
  (void)state;
  want("BTCUSDT");
  want("BTCUSDT");
  assert_int_equal(trp_machine_symbols(binance), 1);
  assert_int_equal(trp_machine_subscribe(binance, now, "BTC USDT", NULL), TRP_INVALID);
}

static void silence_makes_the_feed_stale_and_data_makes_it_live_again(void **state) {
  (void)state;
  go_live("BTCUSDT");
  for (int i = 0; i < 98; i++) {
    trp_machine_pinged(binance, 0, now); /* pings are no data */
    pass_ms(100);
  }
  expect("");
  pass_ms(200);
  expect("!stale:BTCUSDT =STALE ");
  quote("BTCUSDT", 1);
  expect("!fresh:BTCUSDT QBTCUSDT@1 =LIVE ");
}

static void a_quiet_symbol_is_given_more_time(void **state) {
  (void)state;
  go_live("QUIET");
  for (int i = 0; i < 4; i++) {
    pass_ms(8000);
    quote("QUIET", 1);
  }
  forget();
  pass_ms(20000);
  expect("");
  pass_ms(5000);
  expect("!stale:QUIET =STALE ");
}

static void a_connection_where_nothing_has_data_is_given_up_with_growing_patience(void **state) {
  (void)state;
  go_live("BTCUSDT");
  for (int i = 0; i < 390; i++) {
    pass_ms(100);
    trp_machine_pinged(binance, 0, now);
  }
  expect("!stale:BTCUSDT =STALE ");
  for (int i = 0; i < 15; i++) {
    pass_ms(100);
    trp_machine_pinged(binance, 0, now);
  }
  expect("RECONNECT(transient:connected, and no symbol has data) ");
  trp_machine_closed(binance, 0, now);
  trp_machine_opened(binance, 0, now);
  ack(2);
  forget();
  for (int i = 0; i < 650; i++) {
    pass_ms(100);
    trp_machine_pinged(binance, 0, now);
  }
  assert_null(strstr(trace, "RECONNECT"));
}

static void without_any_frame_the_heartbeat_asks_for_a_reconnect(void **state) {
  (void)state;
  make_with(&(struct trp_machine_options){.stale_give_up_ms = 600000});
  go_live("BTCUSDT");
  pass_ms(59000);
  assert_null(strstr(trace, "RECONNECT"));
  pass_ms(1200);
  assert_non_null(strstr(trace, "RECONNECT(transient:no frame for longer than the heartbeat)"));
}

static void a_shutdown_notice_asks_for_a_reconnect(void **state) {
  (void)state;
  go_live("BTCUSDT");
  frame("{\"e\":\"serverShutdown\",\"E\":1770123456789}");
  frame("{\"e\":\"serverShutdown\",\"E\":1770123456789}");
  expect("RECONNECT(transient:the server announced its shutdown) ");
}

static void bad_frames_are_counted_and_too_many_end_the_connection(void **state) {
  (void)state;
  go_live("BTCUSDT");
  frame("{\"u\":");
  expect("!bad:- ");
  quote("BTCUSDT", 1);
  for (int i = 0; i < 50; i++) frame("rubbish");
  assert_non_null(strstr(trace, "RECONNECT(protocol:nothing but bad frames)"));
  assert_int_equal(trp_machine_stats(binance)->bad_frames, 51);
}

static void a_text_that_cannot_be_queued_is_sent_later(void **state) {
  (void)state;
  want("BTCUSDT");
  send_result = TRP_FULL;
  trp_machine_opened(binance, 0, now);
  expect("=SYNCING ");
  send_result = TRP_OK;
  pass_ms(100);
  expect(">SUB ");
}

static void a_snapshot_request_of_which_nothing_is_heard_is_asked_anew(void **state) {
  (void)state;
  make_with(&(struct trp_machine_options){.stale_ms = 60000});
  want("BTCUSDT");
  trp_machine_opened(binance, 0, now);
  ack(1);
  pass_ms(100);
  forget();
  pass_ms(17000);
  expect("!nosnap:BTCUSDT ?BTCUSDT ");
}

static void a_clear_forgets_everything_at_once(void **state) {
  (void)state;
  go_live("BTCUSDT");
  trp_machine_clear(binance);
  assert_int_equal(trp_machine_symbols(binance), 0);
  quote("BTCUSDT", 1);
  ack(1);
  expect("=LIVE "); /* for another reason: with no symbol */
}

static void a_crossed_book_is_refused_and_rebuilt(void **state) {
  (void)state;
  go_live("BTCUSDT");
  frame(
      "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":101,\"u\":101,\"b\":[[\"1.7\",\"1\"]]"
      ","
      "\"a\":[]}");
  expect("!crossed:BTCUSDT gap:BTCUSDT:101..101 =SYNCING ");
  pass_ms(1000);
  expect("?BTCUSDT ");
  snapshot("BTCUSDT", 101);
  expect("BBTCUSDT:1@101(3) !synced:BTCUSDT =LIVE ");
  diff("BTCUSDT", 102, 102);
  expect("BBTCUSDT:2@102(1) ");
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
  struct trp_machine_out lacking = outputs;
  lacking.gap = NULL;
  assert_int_equal(trp_machine_new(&none, &trp_binance_dialect, NULL, &lacking), TRP_INVALID);
  assert_int_equal(trp_machine_new(&none, &trp_binance_dialect,
                                   &(struct trp_machine_options){.texts_per_s = 9}, &outputs),
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
