/* Stories of the protocol machine with Gate.io's dialect (machine_hands.h), and a recording of the
 * real exchange where it is there. In a trace a text is + or - (subscribe, unsubscribe), its
 * channel and its payload, or "ping". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/capture.h"
#include "adapters/gateio.h"
#include "test/unit/machine_hands.h"

#define CAPTURE "../shared/data/gateio/capture-2021-04.ws.txt"
#define SNAPSHOTS "../shared/data/gateio/capture-2021-04.http.txt"

#define WALL_S 1700000000ull

static const char *describe(const char *text) {
  static char out[600];
  char channel[256], payload[256];
  hands_cut(channel, text, "\"channel\":\"spot.", '"');
  hands_cut(payload, text, "\"payload\":[", ']');
  bool leave = strstr(text, "\"unsubscribe\"") != NULL;
  snprintf(out, sizeof out, "%s%s%s",
           strcmp(channel, "ping") == 0 ? ""
           : leave                      ? "-"
                                        : "+",
           channel, payload);
  return out;
}

static int make(void **state) {
  (void)state;
  hands_make(&trp_gateio_dialect, describe);
  trp_machine_wall(hands.machine, hands.now, (int64_t)(WALL_S * 1000000));
  return 0;
}

static int drop(void **state) {
  (void)state;
  hands_drop();
  return 0;
}

static void make_streams(uint32_t streams) {
  hands_make_with(&(struct trp_machine_options){.streams = streams});
  trp_machine_wall(hands.machine, hands.now, (int64_t)(WALL_S * 1000000));
}

/* ---- hands ---------------------------------------------------------------------------------- */

static void open_it(void) { trp_machine_opened(hands.machine, 0, hands.now); }

__attribute__((format(printf, 1, 2))) static void frame(const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  hands_frame(text);
}

static void answer(const char *channel, const char *event, uint64_t id) {
  frame(
      "{\"time\":1,\"id\":%llu,\"channel\":\"spot.%s\",\"event\":\"%s\",\"payload\":[\"BTC_USDT\"],"
      "\"result\":{\"status\":\"success\"}}",
      (unsigned long long)id, channel, event);
}

static void ack(uint64_t id) { answer("trades", "subscribe", id); }

static void refuse(uint64_t id, const char *text) {
  frame(
      "{\"time\":1,\"id\":%llu,\"channel\":\"spot.obu\",\"event\":\"subscribe\","
      "\"error\":{\"code\":2,\"message\":\"%s\"},\"result\":{\"status\":\"fail\"}}",
      (unsigned long long)id, text);
}

static void quote(const char *symbol, uint64_t id) {
  frame(
      "{\"time\":1,\"channel\":\"spot.book_ticker\",\"event\":\"update\",\"result\":{\"t\":"
      "1699999999000,\"u\":%llu,\"s\":\"%s\",\"b\":\"1.5\",\"B\":\"2\",\"a\":\"1.6\",\"A\":\"3\"}}",
      (unsigned long long)id, symbol);
}

static void ticker(const char *symbol) {
  frame(
      "{\"time\":1,\"channel\":\"spot.tickers\",\"event\":\"update\",\"result\":{\"currency_pair\":"
      "\"%s\",\"last\":\"1.5\",\"lowest_ask\":\"1.6\",\"highest_bid\":\"1.5\"}}",
      symbol);
}

static void diff(const char *symbol, uint64_t first, uint64_t final) {
  frame(
      "{\"time\":1,\"channel\":\"spot.order_book_update\",\"event\":\"update\",\"result\":{\"t\":"
      "1699999999000,\"e\":\"depthUpdate\",\"E\":1,\"s\":\"%s\",\"U\":%llu,\"u\":%llu,"
      "\"b\":[[\"1.5\",\"2\"]],\"a\":[]}}",
      symbol, (unsigned long long)first, (unsigned long long) final);
}

static void snapshot(const char *symbol, uint64_t id) {
  char text[160];
  snprintf(text, sizeof text,
           "{\"id\":%llu,\"current\":1,\"update\":1,\"asks\":[[\"1.6\",\"1\"]],"
           "\"bids\":[[\"1.5\",\"1\"],[\"1.4\",\"1\"]]}",
           (unsigned long long)id);
  trp_machine_http_response(hands.machine, hands.now, symbol, 200, 0, text, strlen(text));
}

/* A whole book of 50 levels as spot.obu sends it, and its updates. */
static void obu_whole(uint64_t id) {
  frame(
      "{\"channel\":\"spot.obu\",\"result\":{\"t\":1699999999000,\"full\":true,"
      "\"s\":\"ob.BTC_USDT.50\",\"u\":%llu,\"b\":[[\"1.5\",\"1\"]],\"a\":[[\"1.6\",\"1\"]]},"
      "\"time_ms\":1,\"event\":\"update\"}",
      (unsigned long long)id);
}

static void obu_diff(uint64_t first, uint64_t final) {
  frame(
      "{\"channel\":\"spot.obu\",\"result\":{\"t\":1699999999000,\"s\":\"ob.BTC_USDT.50\","
      "\"u\":%llu,\"U\":%llu,\"b\":[[\"1.4\",\"1\"]]},\"time_ms\":1,\"event\":\"update\"}",
      (unsigned long long) final, (unsigned long long)first);
}

/* ---- stories -------------------------------------------------------------------------------- */

static void each_channel_has_a_text_and_each_book_one_of_its_own(void **state) {
  (void)state;
  hands_want("BTC_USDT");
  hands_want("ETH_USDT");
  open_it();
  hands_expect(
      ">+book_ticker\"BTC_USDT\",\"ETH_USDT\" >+trades\"BTC_USDT\",\"ETH_USDT\" "
      ">+order_book_update\"BTC_USDT\",\"100ms\" "
      ">+order_book_update\"ETH_USDT\",\"100ms\" =SYNCING ");
  assert_string_equal(hands.last_text,
                      "{\"channel\":\"spot.order_book_update\",\"event\":\"subscribe\",\"payload\":"
                      "[\"ETH_USDT\",\"100ms\"],\"id\":4,\"time\":1700000000}");
}

static void a_pair_is_subscribed_when_all_its_channels_are(void **state) {
  (void)state;
  hands_want("BTC_USDT");
  open_it();
  hands_forget();
  ack(2);
  ack(3);
  hands_expect("");
  diff("BTC_USDT", 90, 95);
  ack(1);
  hands_expect("!subscribed:BTCUSDT ");
  hands_pass_ms(100);
  hands_expect("?BTC_USDT ");
  assert_string_equal(hands.last_url,
                      "https://api.gateio.ws/api/v4/spot/order_book?currency_pair=BTC_USDT"
                      "&limit=100&with_id=true");
  snapshot("BTC_USDT", 93);
  hands_expect("BBTCUSDT:1@93(3) BBTCUSDT:2@95(1) !synced:BTCUSDT =LIVE ");
  diff("BTC_USDT", 94, 96); /* may overlap */
  diff("BTC_USDT", 99, 99);
  hands_expect("BBTCUSDT:2@96(1) gap:BTCUSDT:97..99 =SYNCING ");
}

static void the_house_knows_a_pair_without_its_underscore(void **state) {
  (void)state;
  uint32_t number;
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "BTC_USDT", &number), TRP_OK);
  assert_string_equal(trp_symbol_name(number), "BTCUSDT.GATEIO");
  assert_string_equal(trp_machine_symbol_named(hands.machine, "BTCUSDT.GATEIO"), "BTC_USDT");
  assert_null(trp_machine_symbol_named(hands.machine, "ETHUSDT.GATEIO"));
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "BTCUSDT", NULL), TRP_INVALID);
  /* Another pair that would have the same name: nobody could tell their quotes apart. */
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "BTCU_SDT", NULL), TRP_INVALID);
}

static void quotes_come_from_book_ticker_and_tickers_are_signs_of_life(void **state) {
  (void)state;
  make_streams(TRP_STREAM_QUOTES | TRP_STREAM_TICKERS);
  hands_want("BTC_USDT");
  open_it();
  hands_expect(">+book_ticker\"BTC_USDT\" >+tickers\"BTC_USDT\" =SYNCING ");
  ack(1);
  ack(2);
  hands_expect("!subscribed:BTCUSDT =LIVE ");
  quote("BTC_USDT", 7);
  hands_expect("QBTCUSDT@7 ");
  assert_int_equal(hands.last_quote.exchange_offset_us, 1000000);
  for (int i = 0; i < 20; i++) {
    ticker("BTC_USDT");
    hands_pass_ms(1000);
  }
  hands_expect(">ping >ping ");
  hands_pass_ms(9900);
  assert_non_null(strstr(hands.trace, "!stale:BTCUSDT"));
  assert_int_equal(trp_machine_stats(hands.machine)->quotes, 1);
}

static void a_trade_is_given_out(void **state) {
  (void)state;
  hands_want("DIS_USDT");
  open_it();
  hands_forget();
  frame(
      "{\"time\":1,\"channel\":\"spot.trades\",\"event\":\"update\",\"result\":{\"id\":816995772,"
      "\"create_time\":1,\"create_time_ms\":\"1619093543708.2642\",\"side\":\"sell\","
      "\"currency_pair\":\"DIS_USDT\",\"amount\":\"0.2\",\"price\":\"121.58\"}}");
  hands_expect("TDISUSDT@816995772 ");
  assert_true(hands.last_trade.side == 2 && hands.last_trade.price == 121.58);
}

static void data_of_an_obu_comes_before_its_acknowledgement(void **state) {
  (void)state;
  make_streams(TRP_STREAM_BOOK);
  hands_want("BTC_USDT");
  open_it();
  hands_expect(">+obu\"ob.BTC_USDT.50\" =SYNCING ");
  obu_whole(100);
  obu_diff(101, 103);
  hands_expect("BBTCUSDT:1@100(2) !synced:BTCUSDT BBTCUSDT:2@103(1) ");
  ack(1);
  hands_expect("!subscribed:BTCUSDT =LIVE ");
  obu_diff(104, 104);
  hands_expect("BBTCUSDT:2@104(1) ");
  assert_int_equal(trp_machine_snapshots_in_flight(hands.machine), 0);
}

static void a_gap_in_an_obu_is_mended_by_subscribing_anew(void **state) {
  (void)state;
  make_streams(TRP_STREAM_BOOK);
  hands_want("BTC_USDT");
  open_it();
  ack(1);
  obu_whole(100);
  hands_forget();
  obu_diff(101, 101);
  obu_diff(101, 102); /* an obu may not overlap */
  hands_expect("BBTCUSDT:2@101(1) gap:BTCUSDT:102..101 =SYNCING ");
  hands_pass_ms(1000);
  hands_expect(">-obu\"ob.BTC_USDT.50\" ");
  obu_diff(103, 103); /* what still comes of the old subscription */
  answer("obu", "unsubscribe", 2);
  hands_pass_ms(100);
  hands_expect(">+obu\"ob.BTC_USDT.50\" ");
  obu_whole(110);
  hands_expect("BBTCUSDT:1@110(2) !synced:BTCUSDT ");
  ack(3);
  hands_expect("!subscribed:BTCUSDT =LIVE ");
  assert_int_equal(trp_machine_stats(hands.machine)->gaps, 1);
}

static void an_obu_without_its_first_book_is_subscribed_anew(void **state) {
  (void)state;
  hands_make_with(&(struct trp_machine_options){
      .streams = TRP_STREAM_BOOK, .snapshot_timeout_ms = 5000, .snapshot_limit = 400});
  hands_want("BTC_USDT");
  open_it();
  ack(1);
  hands_expect(">+obu\"ob.BTC_USDT.400\" =SYNCING !subscribed:BTCUSDT ");
  hands_pass_ms(6000);
  hands_expect("!nosnap:BTCUSDT >-obu\"ob.BTC_USDT.400\" ");
}

static void a_subscription_that_stands_already_is_as_good_as_acknowledged(void **state) {
  (void)state;
  make_streams(TRP_STREAM_BOOK);
  hands_want("BTC_USDT");
  open_it();
  hands_forget();
  refuse(1, "Alert sub ob.BTC_USDT.50");
  hands_expect("!subscribed:BTCUSDT ");
}

static void an_unknown_pair_is_refused_for_good_and_found_among_others(void **state) {
  (void)state;
  make_streams(TRP_STREAM_QUOTES);
  hands_want("BTC_USDT");
  hands_want("GIBBERISH_USD");
  open_it();
  hands_forget();
  refuse(1, "unknown currency pair GIBBERISH_USD");
  hands_pass_ms(100);
  hands_expect(">+book_ticker\"BTC_USDT\" >+book_ticker\"GIBBERISH_USD\" ");
  ack(2);
  refuse(3, "unknown currency pair GIBBERISH_USD");
  hands_expect("!subscribed:BTCUSDT !refused:GIBBERISHUSD =LIVE ");
  assert_string_equal(hands.told_reason, "1 of 2 symbols in sync, 1 refused");
  hands_pass_ms(9000);
  hands_expect("");
}

static void pings_go_out_and_without_any_answer_the_connection_is_dead(void **state) {
  (void)state;
  open_it();
  hands_forget();
  hands_pass_ms(10000);
  hands_expect(">ping ");
  assert_string_equal(hands.last_text, "{\"time\":1700000010,\"channel\":\"spot.ping\"}");
  frame("{\"time\":1,\"channel\":\"spot.pong\",\"event\":\"\",\"error\":null,\"result\":null}");
  assert_int_equal(trp_machine_stats(hands.machine)->pongs, 1);
  hands_pass_ms(29900);
  hands_expect(">ping >ping ");
  hands_pass_ms(200);
  hands_expect("RECONNECT(transient:no frame for longer than the heartbeat) ");
}

static void an_upgrade_notice_asks_for_a_reconnect_once(void **state) {
  (void)state;
  open_it();
  hands_forget();
  for (int i = 0; i < 2; i++)
    frame(
        "{\"time\":1,\"channel\":\"spot.system\",\"event\":\"update\",\"result\":{\"type\":"
        "\"upgrade\",\"msg\":\"The connection will soon be closed for a service upgrade.\"}}");
  hands_expect("RECONNECT(transient:the server announced an upgrade) ");
  assert_int_equal(trp_machine_stats(hands.machine)->endings, 2);
}

static void too_many_requests_wait_as_long_as_the_exchange_counts(void **state) {
  (void)state;
  const char *body =
      "{\"label\":\"TOO_MANY_REQUESTS\",\"message\":\"Request Rate limit Exceeded\"}";
  hands_want("BTC_USDT");
  open_it();
  for (uint64_t id = 1; id <= 3; id++) ack(id);
  hands_pass_ms(100);
  trp_machine_http_response(hands.machine, hands.now, "BTC_USDT", 429, 0, body, strlen(body));
  hands_forget();
  hands_pass_ms(9800);
  assert_null(strchr(hands.trace, '?'));
  hands_pass_ms(1000);
  assert_non_null(strstr(hands.trace, "?BTC_USDT "));
  assert_int_equal(trp_machine_stats(hands.machine)->errors[TRP_CLASS_RATE_LIMIT], 1);
}

static void errors_have_classes(void **state) {
  (void)state;
  const struct trp_dialect *gate = &trp_gateio_dialect;
  assert_int_equal(trp_dialect_classify(gate, 4, "Authentication fail", 0), TRP_CLASS_AUTH);
  assert_int_equal(trp_dialect_classify(gate, 3, "", 0), TRP_CLASS_TRANSIENT);
  assert_int_equal(trp_dialect_classify(gate, 2, "unknown currency pair X_Y", 0), TRP_CLASS_FATAL);
  assert_int_equal(trp_dialect_classify(gate, 1, "invalid body", 0), TRP_CLASS_PROTOCOL);
  assert_int_equal(trp_dialect_classify(gate, 0, NULL, 429), TRP_CLASS_RATE_LIMIT);
  assert_int_equal(trp_dialect_classify(gate, 0, "Invalid currency pair", 400), TRP_CLASS_FATAL);
}

static void the_two_kinds_of_books_exclude_each_other(void **state) {
  (void)state;
  struct trp_machine *none;
  struct trp_machine_options both = {.streams = TRP_STREAM_DEPTH | TRP_STREAM_BOOK};
  assert_int_equal(trp_machine_new(&none, &trp_gateio_dialect, &both, &hands_outputs), TRP_INVALID);
}

/* ---- the recording -------------------------------------------------------------------------- */

struct tape {
  FILE *file;
  struct trp_capture *capture;
  struct trp_capture_line line;
};

static void wind(struct tape *tape) {
  assert_int_equal(trp_capture_next(tape->capture, &tape->line), TRP_OK);
  assert_int_not_equal(tape->line.kind, TRP_CAPTURE_BAD);
}

static bool load(struct tape *tape, const char *path) {
  tape->file = fopen(path, "r");
  if (tape->file == NULL) return false;
  assert_int_equal(trp_capture_new(&tape->capture, tape->file), TRP_OK);
  wind(tape);
  return true;
}

static void unload(struct tape *tape) {
  trp_capture_destroy(&tape->capture);
  fclose(tape->file);
}

static void pair_of(const char *url, char symbol[256]) {
  hands_cut(symbol, url, "currency_pair=", '&');
}

/* Wants every pair that the recording has a snapshot of, and acknowledges what is asked. */
static uint32_t want_recorded(void) {
  struct tape tape = {0};
  char symbol[256];
  uint32_t count = 0;
  if (!load(&tape, SNAPSHOTS)) return 0;
  for (; tape.line.kind != TRP_CAPTURE_END; wind(&tape)) {
    pair_of(tape.line.url, symbol);
    hands_want(symbol);
    count++;
  }
  unload(&tape);
  return count;
}

static void play(struct tape *frames, struct tape *bodies) {
  const struct trp_capture_line *frame_line = &frames->line, *body = &bodies->line;
  char symbol[256];
  while (frame_line->kind != TRP_CAPTURE_END || body->kind != TRP_CAPTURE_END) {
    bool http = frame_line->kind == TRP_CAPTURE_END ||
                (body->kind != TRP_CAPTURE_END && body->at_ns < frame_line->at_ns);
    uint64_t at = http ? body->at_ns : frame_line->at_ns;
    while (hands.now + TRP_MACHINE_TICK_MS * MS < at) hands_pass_ms(TRP_MACHINE_TICK_MS);
    hands_forget();
    if (http) {
      pair_of(body->url, symbol);
      trp_machine_http_response(hands.machine, at, symbol, 200, 0, body->text, body->size);
    } else if (frame_line->kind == TRP_CAPTURE_RECEIVED) {
      trp_machine_frame(hands.machine, 0, at, (int64_t)(at / 1000), frame_line->text,
                        frame_line->size);
    }
    wind(http ? bodies : frames);
  }
}

static void recorded_books_are_rebuilt_without_a_gap(void **state) {
  (void)state;
  struct tape frames = {0}, bodies = {0};
  if (!load(&frames, CAPTURE)) {
    print_message("  no recording at " CAPTURE ": skipped\n");
    skip();
  }
  assert_true(load(&bodies, SNAPSHOTS));
  hands_make_with(&(struct trp_machine_options){.snapshots_at_once = 100,
                                                .snapshot_timeout_ms = 600000,
                                                .stale_ms = 600000,
                                                .stale_max_ms = 600000});
  hands.now = frames.line.at_ns;
  uint32_t count = want_recorded();
  open_it();
  for (uint64_t id = 1; id <= 2 + count; id++) ack(id);
  play(&frames, &bodies);
  const struct trp_machine_stats *stats = trp_machine_stats(hands.machine);
  char reason[TRP_MACHINE_REASON_BYTES], expected[TRP_MACHINE_REASON_BYTES];
  trp_machine_reason(hands.machine, reason);
  snprintf(expected, sizeof expected, "%u of %u symbols in sync", count, count);
  print_message("  %s: %llu books, %llu trades of %llu frames\n", reason,
                (unsigned long long)stats->books, (unsigned long long)stats->trades,
                (unsigned long long)stats->frames);
  assert_string_equal(reason, expected);
  assert_int_equal(stats->snapshots, count);
  assert_true(stats->gaps == 0 && stats->crossed == 0 && stats->bad_frames == 0);
  assert_true(stats->trades > 0 && stats->books > count);
  assert_int_equal(stats->snapshots_too_old + stats->snapshot_failures, 0);
  unload(&frames);
  unload(&bodies);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void) {
  const struct CMUnitTest tests[] = {
      STORY(each_channel_has_a_text_and_each_book_one_of_its_own),
      STORY(a_pair_is_subscribed_when_all_its_channels_are),
      STORY(the_house_knows_a_pair_without_its_underscore),
      STORY(quotes_come_from_book_ticker_and_tickers_are_signs_of_life),
      STORY(a_trade_is_given_out),
      STORY(data_of_an_obu_comes_before_its_acknowledgement),
      STORY(a_gap_in_an_obu_is_mended_by_subscribing_anew),
      STORY(an_obu_without_its_first_book_is_subscribed_anew),
      STORY(a_subscription_that_stands_already_is_as_good_as_acknowledged),
      STORY(an_unknown_pair_is_refused_for_good_and_found_among_others),
      STORY(pings_go_out_and_without_any_answer_the_connection_is_dead),
      STORY(an_upgrade_notice_asks_for_a_reconnect_once),
      STORY(too_many_requests_wait_as_long_as_the_exchange_counts),
      STORY(errors_have_classes),
      STORY(the_two_kinds_of_books_exclude_each_other),
      STORY(recorded_books_are_rebuilt_without_a_gap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
