/* The Gate.io dialect as the embedded exchange speaks it. Payloads are read by the adapter's own
 * parser, which was written from the other side, and make books that must be the market's. */
#include "test/unit/exchange_bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/depth_book.h"
#include "adapters/exchange_gateio.h"
#include "adapters/gateio_wire.h"

#define RECORDING "../shared/data/gateio/capture-2021-04.ws.txt"
#define SNAPSHOTS "../shared/data/gateio/capture-2021-04.http.txt"
#define ASK(channel, event, payload)                                                               \
  "{\"time\":1700000000,\"id\":3,\"channel\":\"" channel "\",\"event\":\"" event                   \
  "\",\"payload\":[" payload "]}"

static struct bench bench;
static struct trp_gateio_parser *parser;

static int set_up(void **state) {
  (void)state;
  bench_open(&bench, &trp_exchange_gateio);
  return trp_gateio_parser_new(&parser) == TRP_OK ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  trp_gateio_parser_destroy(&parser);
  bench_close(&bench);
  return 0;
}

/* ---- requests ---- */

static void there_is_one_path(void **state) {
  (void)state;
  static const char *const wrong[] = {"/", "/ws", "/ws/", "/ws/v4/x", "/stream", "/ws/v3/"};
  struct trp_exchange_session session;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(TRP_INVALID, trp_exchange_gateio.open(&session, &bench.market, wrong[i], 0));
  }
  assert_int_equal(TRP_OK, trp_exchange_gateio.open(&session, &bench.market, "/ws/v4/?a=b", 0));
}

static void an_acknowledgement_repeats_the_request(void **state) {
  (void)state;
  assert_string_equal(
      "{\"time\":1700000000,\"time_ms\":1700000000000,\"id\":3,\"conn_id\":\"538454127b096493\","
      "\"channel\":\"spot.tickers\",\"event\":\"subscribe\",\"payload\":[\"BTC_USDT\"],\"result\":{"
      "\"status\":\"success\"}}",
      bench_ask(&bench, ASK("spot.tickers", "subscribe", "\"BTC_USDT\"")));
  assert_int_equal(1, bench.session.count);
  (void)bench_ask(&bench, ASK("spot.tickers", "subscribe", "\"BTC_USDT\",\"ETH_USDT\""));
  (void)bench_ask(&bench, ASK("spot.order_book_update", "subscribe", "\"BTC_USDT\",\"100ms\""));
  (void)bench_ask(&bench, ASK("spot.order_book", "subscribe", "\"BTC_USDT\",\"20\",\"1000ms\""));
  assert_int_equal(4, bench.session.count);
  (void)bench_ask(&bench, ASK("spot.tickers", "unsubscribe", "\"BTC_USDT\""));
  assert_int_equal(3, bench.session.count);
  struct trp_gateio_event event;
  const char *ack = bench_ask(&bench, ASK("spot.trades", "subscribe", "\"BTC_USDT\""));
  assert_int_equal(TRP_OK, trp_gateio_parse(parser, ack, strlen(ack), &event));
  assert_int_equal(TRP_GATEIO_ACK, event.kind);
  assert_int_equal(3, event.ack.id);
}

static void wrong_requests_are_refused_by_code_and_change_nothing(void **state) {
  (void)state;
  static const struct {
    const char *request, *code, *message;
  } cases[] = {
      {ASK("spot.trades", "subscribe", "\"BTC_USDT\",\"GIBBERISH_USD\""), "\"code\":2",
       "unknown currency pair: GIBBERISH_USD"},
      {ASK("spot.trades", "subscribe", "\"BTCUSDT\""), "\"code\":2", "unknown currency pair"},
      {ASK("spot.nothing", "subscribe", "\"BTC_USDT\""), "\"code\":2", "unknown channel"},
      {ASK("spot.trades", "dance", "\"BTC_USDT\""), "\"code\":2", "unknown event"},
      {ASK("spot.trades", "subscribe", ""), "\"code\":2", "payload"},
      {ASK("spot.trades", "subscribe", "[\"BTC_USDT\"]"), "\"code\":2", "payload"},
      {ASK("spot.trades", "subscribe", "7"), "\"code\":2", "payload"},
      {ASK("spot.order_book_update", "subscribe", "\"BTC_USDT\",\"7ms\""), "\"code\":2", "7ms"},
      {ASK("spot.order_book", "subscribe", "\"BTC_USDT\",\"7\",\"100ms\""), "\"code\":2",
       "7,100ms"},
      {ASK("spot.obu", "subscribe", "\"BTC_USDT\""), "\"code\":2", "invalid argument"},
      {ASK("spot.obu", "subscribe", "\"ob.BTC_USDT.51\""), "\"code\":2", "51"},
      {ASK("spot.orders", "subscribe", "\"BTC_USDT\""), "\"code\":4", "Invalid key"},
      {"{\"time\":1699999939,\"channel\":\"spot.trades\",\"event\":\"subscribe\",\"payload\":["
       "\"BTC_USDT\"]}",
       "\"code\":2", "time"},
      {"{\"time\":1700000061,\"channel\":\"spot.trades\",\"event\":\"subscribe\",\"payload\":["
       "\"BTC_USDT\"]}",
       "\"code\":2", "time"},
      {"{\"channel\":\"spot.trades\",\"event\":\"subscribe\",\"payload\":[\"BTC_USDT\"]}",
       "\"code\":2", "time"},
      {"not json", "\"code\":1", "invalid request body"},
      {"{\"channel\":\"", "\"code\":1", "invalid request body"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *answer = bench_ask(&bench, cases[i].request);
    if (strstr(answer, cases[i].code) == NULL || strstr(answer, cases[i].message) == NULL ||
        strstr(answer, "\"status\":\"fail\"") == NULL) {
      fail_msg("%s is answered %s", cases[i].request, answer);
    }
    assert_int_equal(0, bench.session.count);
  }
}

static void a_time_within_a_minute_will_do(void **state) {
  (void)state;
  static const char *const times[] = {"1699999940", "1700000060"};
  for (size_t i = 0; i < 2; i++) {
    char text[160];
    snprintf(text, sizeof text,
             "{\"time\":%s,\"channel\":\"spot.trades\",\"event\":\"subscribe\",\"payload\":["
             "\"BTC_USDT\"]}",
             times[i]);
    assert_non_null(strstr(bench_ask(&bench, text), "success"));
  }
}

static void a_ping_is_answered_by_a_pong(void **state) {
  (void)state;
  assert_string_equal(
      "{\"time\":1700000000,\"time_ms\":1700000000000,\"channel\":\"spot.pong\","
      "\"event\":\"\",\"error\":null,\"result\":null}",
      bench_ask(&bench, "{\"time\":1545404023,\"channel\":\"spot.ping\"}"));
}

static void a_book_of_obu_comes_before_its_acknowledgement_and_only_once(void **state) {
  (void)state;
  char text[65536];
  struct trp_gateio_event event;
  bench_say(&bench, ASK("spot.obu", "subscribe", "\"ob.BTC_USDT.50\",\"ob.ETH_USDT.400\""));
  assert_int_equal(3, bench.answers.count);
  const char *full = bench_answer(&bench, 0, text, sizeof text);
  assert_int_equal(TRP_OK, trp_gateio_parse(parser, full, strlen(full), &event));
  assert_int_equal(TRP_GATEIO_DEPTH, event.kind);
  assert_true(event.full);
  assert_int_equal(50, event.obu_levels);
  assert_int_equal(100, event.depth.count);
  assert_null(strstr(full, "\"time\":"));
  full = bench_answer(&bench, 1, text, sizeof text);
  assert_int_equal(TRP_OK, trp_gateio_parse(parser, full, strlen(full), &event));
  assert_int_equal(800, event.depth.count);
  assert_non_null(strstr(bench_answer(&bench, 2, text, sizeof text), "success"));
  const char *again = bench_ask(&bench, ASK("spot.obu", "subscribe", "\"ob.BTC_USDT.50\""));
  assert_non_null(strstr(again, "\"code\":2,\"message\":\"Alert sub ob.BTC_USDT.50\""));
  assert_int_equal(2, bench.session.count);
}

/* ---- events ---- */

struct followed {
  struct trp_depth_book update, obu, obu_wide; /* of BTC_USDT */
  uint32_t quotes, trades, updates, obus, gaps, others, wrong;
  struct trp_walk_quote last;
};

static void follow(struct followed *seen, const struct trp_gateio_event *event) {
  struct trp_depth_book *book = event->channel == TRP_GATEIO_ORDER_BOOK_UPDATE ? &seen->update
                                : event->obu_levels == 50                      ? &seen->obu
                                                                               : &seen->obu_wide;
  if (event->full) {
    assert_int_equal(TRP_OK, trp_depth_book_snapshot(book, &event->depth));
    return;
  }
  enum trp_depth_step step = trp_depth_book_diff(book, &event->depth);
  seen->updates += event->channel == TRP_GATEIO_ORDER_BOOK_UPDATE;
  seen->obus += event->channel == TRP_GATEIO_OBU;
  seen->gaps += step == TRP_STEP_GAP;
}

static void look_at(struct followed *seen, const struct trp_walk_event *event, const char *text,
                    size_t size) {
  struct trp_gateio_event parsed;
  if (trp_gateio_parse(parser, text, size, &parsed) != TRP_OK) {
    fail_msg("%s: %.*s", trp_gateio_parse_reason(parser), (int)size, text);
  }
  if (parsed.kind == TRP_GATEIO_QUOTE) {
    seen->quotes++;
    seen->wrong += parsed.quote.update_id != event->quote.id ||
                   parsed.quote.bid != (double)event->quote.bid / TRP_WALK_UNIT ||
                   parsed.quote.ask_size != (double)event->quote.ask_size / TRP_WALK_UNIT;
  } else if (parsed.kind == TRP_GATEIO_TRADE) {
    seen->trades++;
    seen->wrong += parsed.trade.id != event->trade.id ||
                   parsed.trade.size != (double)event->trade.size / TRP_WALK_UNIT ||
                   parsed.trade.taker_sold != event->trade.buyer_is_maker ||
                   parsed.exchange_us != (int64_t)((BENCH_WALL_NS + event->at_ns) / 1000);
  } else if (parsed.kind == TRP_GATEIO_DEPTH) {
    follow(seen, &parsed);
  } else {
    seen->others++;
  }
}

static void tell(void *arg, const struct trp_walk_event *event) {
  struct followed *seen = arg;
  struct trp_exchange_text text = {0};
  uint32_t channel;
  for (uint32_t i = 0;
       event->symbol == 0 && (channel = trp_exchange_gateio_channel(event, i)) != TRP_REPLAY_NONE;
       i++) {
    if (!trp_exchange_hears(&bench.session, channel)) {
      continue;
    }
    trp_exchange_text_clear(&text);
    trp_exchange_gateio_tell(&bench.market, channel, event, 0, &text);
    assert_false(text.failed);
    if (text.size > 0) {
      look_at(seen, event, text.bytes, text.size);
    }
  }
  trp_exchange_text_free(&text);
}

static void subscribe_all(struct followed *seen) {
  char text[65536];
  struct trp_gateio_event event;
  trp_depth_book_init(&seen->update, TRP_DEPTH_OVERLAPS, 0);
  trp_depth_book_init(&seen->obu, TRP_DEPTH_EXACT, 0);
  trp_depth_book_init(&seen->obu_wide, TRP_DEPTH_EXACT, 0);
  (void)bench_ask(&bench, ASK("spot.book_ticker", "subscribe", "\"BTC_USDT\""));
  (void)bench_ask(&bench, ASK("spot.trades", "subscribe", "\"BTC_USDT\""));
  (void)bench_ask(&bench, ASK("spot.tickers", "subscribe", "\"BTC_USDT\""));
  (void)bench_ask(&bench, ASK("spot.order_book", "subscribe", "\"BTC_USDT\",\"5\",\"100ms\""));
  (void)bench_ask(&bench, ASK("spot.order_book_update", "subscribe", "\"BTC_USDT\",\"100ms\""));
  bench_say(&bench, ASK("spot.obu", "subscribe", "\"ob.BTC_USDT.50\",\"ob.BTC_USDT.400\""));
  for (uint32_t i = 0; i < 2; i++) {
    const char *full = bench_answer(&bench, i, text, sizeof text);
    assert_int_equal(TRP_OK, trp_gateio_parse(parser, full, strlen(full), &event));
    follow(seen, &event);
  }
  assert_int_equal(200, bench_get(&bench,
                                  "/api/v4/spot/order_book?currency_pair=BTC_USDT&limit="
                                  "1000&with_id=true"));
  assert_int_equal(TRP_OK,
                   trp_gateio_parse_snapshot(parser, bench.body.bytes, bench.body.size, &event));
  assert_int_equal(TRP_OK, trp_depth_book_snapshot(&seen->update, &event.depth));
}

static void forget_all(struct followed *seen) {
  trp_depth_book_fini(&seen->update);
  trp_depth_book_fini(&seen->obu);
  trp_depth_book_fini(&seen->obu_wide);
}

/* The subscription begins in the middle of a flush interval, and the price walks far. */
static void every_payload_reads_back_and_every_book_is_the_markets(void **state) {
  (void)state;
  struct followed seen = {0};
  for (uint64_t at = 0; at < 10050; at += 50) {
    trp_walk_advance(bench.market.walk, at * BENCH_MS, NULL, NULL);
  }
  subscribe_all(&seen);
  for (uint64_t at = 10100; at <= 70000; at += 100) {
    trp_walk_advance(bench.market.walk, at * BENCH_MS, tell, &seen);
    assert_true(bench_same_book(&bench, 0, &seen.update.ladder, 900));
    assert_true(bench_same_book(&bench, 0, &seen.obu.ladder, 50));
    assert_true(bench_same_book(&bench, 0, &seen.obu_wide.ladder, 400));
    assert_int_equal(50, seen.obu.ladder.bids.count);
  }
  assert_int_equal(0, seen.wrong);
  assert_int_equal(0, seen.gaps);
  assert_true(seen.quotes > 1000);
  assert_true(seen.trades > 100);
  assert_true(seen.updates > 500);
  assert_true(seen.obus > 1000);
  assert_true(seen.others > 500); /* tickers and small books are nothing we have an event for */
  forget_all(&seen);
}

static void a_gap_is_seen_by_everyone_who_keeps_a_book(void **state) {
  (void)state;
  struct followed seen = {0};
  subscribe_all(&seen);
  trp_walk_advance(bench.market.walk, 1000 * BENCH_MS, tell, &seen);
  assert_int_equal(0, seen.gaps);
  trp_walk_gap(bench.market.walk);
  trp_walk_advance(bench.market.walk, 1100 * BENCH_MS, tell, &seen);
  assert_int_equal(3, seen.gaps);
  forget_all(&seen);
}

static void an_upgrade_is_told_as_a_notice(void **state) {
  (void)state;
  struct trp_exchange_text text = {0};
  struct trp_gateio_event event;
  trp_exchange_gateio.notice(&bench.session, BENCH_WALL_NS, &text);
  assert_int_equal(TRP_OK, trp_gateio_parse(parser, text.bytes, text.size, &event));
  assert_int_equal(TRP_GATEIO_UPGRADE, event.kind);
  trp_exchange_text_free(&text);
}

/* ---- REST ---- */

static void rest_answers_in_the_shapes_of_the_exchange(void **state) {
  (void)state;
  static const struct {
    const char *path, *start, *part;
  } cases[] = {
      {"/api/v4/spot/time", "{\"server_time\":1700000000000}", ""},
      {"/api/v4/spot/currency_pairs", "[{\"id\":\"BTC_USDT\",\"base\":\"BTC\"", "\"ETH_USDT\""},
      {"/api/v4/spot/currency_pairs/ETH_USDT", "{\"id\":\"ETH_USDT\"", "\"precision\":2"},
      {"/api/v4/spot/currencies", "[{\"currency\":\"BTC\"", "\"currency\":\"USDT\""},
      {"/api/v4/spot/tickers?currency_pair=BTC_USDT",
       "[{\"currency_pair\":\"BTC_USDT\",\"last\":", "\"highest_bid\""},
      {"/api/v4/spot/tickers", "[{\"currency_pair\":\"BTC_USDT\"", "\"ETH_USDT\""},
      {"/api/v4/spot/order_book?currency_pair=BTC_USDT", "{\"current\":", "\"asks\":[[\""},
      {"/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=1&with_id=true", "{\"id\":", ""},
      {"/api/v4/spot/trades?currency_pair=BTC_USDT&limit=5", "[{\"id\":\"", "\"sequence_id\":\""},
      {"/api/v4/margin/currency_pairs", "[]", ""},
  };
  trp_walk_advance(bench.market.walk, 2000 * BENCH_MS, NULL, NULL);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(200, bench_get(&bench, cases[i].path));
    bench_starts(&bench, cases[i].start);
    assert_non_null(strstr(bench.body.bytes, cases[i].part));
  }
}

static void rest_refuses_by_label(void **state) {
  (void)state;
  static const struct {
    const char *path;
    uint16_t status;
    const char *start;
  } cases[] = {
      {"/api/v4/spot/order_book", 400, "{\"label\":\"MISSING_REQUIRED_PARAM\""},
      {"/api/v4/spot/order_book?currency_pair=FOO_USDT", 400,
       "{\"label\":\"INVALID_CURRENCY_PAIR\",\"message\":\"Invalid currency pair FOO_USDT\"}"},
      {"/api/v4/spot/currency_pairs/F%22O", 400, "{\"label\":\"INVALID_CURRENCY_PAIR\""},
      {"/api/v4/spot/tickers?currency_pair=btc_usdt", 400, "{\"label\":\"INVALID_PARAM_VALUE\""},
      {"/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=x", 400,
       "{\"label\":\"INVALID_PARAM_VALUE\""},
      {"/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=1001", 400,
       "{\"label\":\"INVALID_PARAM_VALUE\""},
      {"/api/v4/spot/accounts", 401, "{\"label\":\"MISSING_REQUIRED_HEADER\""},
      {"/api/v4/nothing", 404, "{\"label\":"},
      {"/api/v3/ping", 404, "{\"label\":"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(cases[i].status, bench_get(&bench, cases[i].path));
    bench_starts(&bench, cases[i].start);
  }
}

static void each_endpoint_has_200_requests_in_ten_seconds(void **state) {
  (void)state;
  for (int i = 0; i < 200; i++) {
    assert_int_equal(200, bench_get(&bench, "/api/v4/spot/time"));
  }
  assert_non_null(strstr(bench.response.extra, "X-Gate-RateLimit-Limit: 200\r\n"));
  assert_non_null(strstr(bench.response.extra, "X-Gate-RateLimit-Requests-Remain: 0\r\n"));
  for (int i = 0; i < 30; i++) { /* and no ban, however often */
    assert_int_equal(429, bench_get(&bench, "/api/v4/spot/time"));
  }
  bench_starts(&bench, "{\"label\":\"TOO_MANY_REQUESTS\"");
  assert_non_null(strstr(bench.response.extra, "X-Gate-RateLimit-Reset-Timestamp: 1700000010\r\n"));
  assert_int_equal(200, bench_get(&bench, "/api/v4/spot/currencies"));
  bench.now_ns = 10000 * BENCH_MS;
  assert_int_equal(200, bench_get(&bench, "/api/v4/spot/time"));
}

/* ---- recordings ---- */

static void a_real_recording_is_played_by_channel_and_pair(void **state) {
  (void)state;
  if (access(RECORDING, R_OK) != 0) {
    print_message("skipped: %s is not here\n", RECORDING);
    skip();
  }
  struct bench played = {.dialect = &trp_exchange_gateio, .market.wall_ns = BENCH_WALL_NS};
  char why[256];
  assert_int_equal(
      TRP_OK, trp_replay_open(
                  &played.market.replay,
                  &(struct trp_replay_options){
                      .capture = RECORDING, .snapshots = SNAPSHOTS, .grammar = &trp_replay_gateio},
                  why, sizeof why));
  const char *ack =
      bench_ask(&played, ASK("spot.order_book_update", "subscribe", "\"HAI_ETH\",\"100ms\""));
  assert_non_null(strstr(ack, "success"));
  assert_non_null(strstr(bench_ask(&played, ASK("spot.trades", "subscribe", "\"BTC_USDT\"")),
                         "unknown currency pair"));
  assert_int_equal(1, played.session.count);
  struct trp_replay_frame frame =
      trp_replay_frame(played.market.replay, &played.session.subs[0].cursor);
  struct trp_gateio_event event;
  assert_int_equal(TRP_OK, trp_gateio_parse(parser, frame.bytes, frame.size, &event));
  assert_int_equal(TRP_GATEIO_DEPTH, event.kind);
  assert_string_equal("HAI_ETH", event.symbol);
  uint64_t first = event.depth.first_id;
  assert_int_equal(200, bench_get(&played, "/api/v4/spot/order_book?currency_pair=HAI_ETH"));
  assert_int_equal(TRP_OK,
                   trp_gateio_parse_snapshot(parser, played.body.bytes, played.body.size, &event));
  assert_true(event.depth.final_id >= first);
  assert_int_equal(200, bench_get(&played, "/api/v4/spot/tickers?currency_pair=HAI_ETH"));
  bench_starts(&played, "[{\"currency_pair\":\"HAI_ETH\",\"last\":\"0.0001");
  trp_replay_close(&played.market.replay);
  bench_close(&played);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(there_is_one_path),
      TEST(an_acknowledgement_repeats_the_request),
      TEST(wrong_requests_are_refused_by_code_and_change_nothing),
      TEST(a_time_within_a_minute_will_do),
      TEST(a_ping_is_answered_by_a_pong),
      TEST(a_book_of_obu_comes_before_its_acknowledgement_and_only_once),
      TEST(every_payload_reads_back_and_every_book_is_the_markets),
      TEST(a_gap_is_seen_by_everyone_who_keeps_a_book),
      TEST(an_upgrade_is_told_as_a_notice),
      TEST(rest_answers_in_the_shapes_of_the_exchange),
      TEST(rest_refuses_by_label),
      TEST(each_endpoint_has_200_requests_in_ten_seconds),
      TEST(a_real_recording_is_played_by_channel_and_pair),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
