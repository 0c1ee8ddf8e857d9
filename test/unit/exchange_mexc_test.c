/* The MEXC dialect as the embedded exchange speaks it. Binary payloads are read by the adapter's
 * own parser, which was written from the other side, and make books that must be the market's. */
#include "test/unit/exchange_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/depth_book.h"
#include "adapters/exchange_mexc.h"
#include "adapters/mexc_wire.h"

#define RECORDED "../shared/data/mexc/aggre_deals_100ms_BTCUSDT_20260925.bin"
#define DEALS "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"
#define TICKER "spot@public.aggre.bookTicker.v3.api.pb@100ms@BTCUSDT"
#define DEPTH "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"
#define SUBSCRIBE(names) "{\"method\":\"SUBSCRIPTION\",\"params\":[" names "]}"

static struct bench bench;
static struct trp_mexc_parser *parser;

static int set_up(void **state) {
  (void)state;
  bench_open(&bench, &trp_exchange_mexc);
  return trp_mexc_parser_new(&parser) == TRP_OK ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  trp_mexc_parser_destroy(&parser);
  bench_close(&bench);
  return 0;
}

static enum trp_mexc_kind kind_of(const char *answer) {
  struct trp_mexc_event event;
  assert_int_equal(TRP_OK, trp_mexc_parse(parser, answer, strlen(answer), &event));
  return event.kind;
}

/* ---- requests ---- */

static void there_is_one_path(void **state) {
  (void)state;
  static const char *const wrong[] = {"/", "/ws/", "/ws/x", "/stream", "/wsx"};
  struct trp_exchange_session session;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(TRP_INVALID, trp_exchange_mexc.open(&session, &bench.market, wrong[i], 0));
  }
  assert_int_equal(TRP_OK, trp_exchange_mexc.open(&session, &bench.market, "/ws?listenKey=a", 0));
}

static void an_acknowledgement_repeats_the_channels(void **state) {
  (void)state;
  const char *answer = bench_ask(&bench, SUBSCRIBE("\"" DEALS "\",\"" TICKER "\""));
  assert_string_equal("{\"id\":0,\"code\":0,\"msg\":\"" DEALS "," TICKER "\"}", answer);
  assert_int_equal(TRP_MEXC_ACK, kind_of(answer));
  assert_int_equal(2, bench.session.count);
  (void)bench_ask(&bench, SUBSCRIBE("\"" DEALS "\""));
  assert_int_equal(2, bench.session.count);
  answer = bench_ask(&bench, "{\"method\":\"UNSUBSCRIPTION\",\"params\":[\"" DEALS "\"],\"id\":9}");
  assert_string_equal("{\"id\":9,\"code\":0,\"msg\":\"" DEALS "\"}", answer);
  assert_int_equal(1, bench.session.count);
}

static void a_refusal_has_code_0_too_and_says_so_in_its_text(void **state) {
  (void)state;
  static const char *const names[] = {
      "spot@public.bookTicker.v3.api@BTCUSDT", /* of the JSON days */
      "spot@public.aggre.deals.v3.api.pb@100ms@NOSUCH",
      "spot@public.aggre.deals.v3.api.pb@7ms@BTCUSDT",
      "spot@public.limit.depth.v3.api.pb@BTCUSDT@7"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char request[160];
    char expected[200];
    snprintf(request, sizeof request, "{\"method\":\"SUBSCRIPTION\",\"params\":[\"%s\"]}",
             names[i]);
    snprintf(
        expected, sizeof expected,
        "{\"id\":0,\"code\":0,\"msg\":\"Not Subscribed successfully! [%s].  Reason\xef\xbc\x9a "
        "Blocked! \"}",
        names[i]);
    const char *answer = bench_ask(&bench, request);
    assert_string_equal(expected, answer);
    assert_int_equal(TRP_MEXC_REFUSED, kind_of(answer));
  }
  assert_int_equal(0, bench.session.count);
}

static void what_is_good_in_a_request_is_done_and_the_rest_refused(void **state) {
  (void)state;
  char text[512];
  bench_say(&bench, SUBSCRIBE("\"a\",\"" DEALS "\",\"b\""));
  assert_int_equal(2, bench.answers.count);
  assert_int_equal(TRP_MEXC_ACK, kind_of(bench_answer(&bench, 0, text, sizeof text)));
  assert_non_null(strstr(bench_answer(&bench, 1, text, sizeof text), "[a,b]"));
  assert_int_equal(1, bench.session.count);
}

static void a_connection_has_30_subscriptions_and_no_more(void **state) {
  (void)state;
  static const char *const kinds[] = {"spot@public.aggre.bookTicker.v3.api.pb@100ms@%s",
                                      "spot@public.aggre.bookTicker.v3.api.pb@10ms@%s",
                                      "spot@public.aggre.deals.v3.api.pb@100ms@%s",
                                      "spot@public.aggre.deals.v3.api.pb@10ms@%s",
                                      "spot@public.aggre.depth.v3.api.pb@100ms@%s",
                                      "spot@public.aggre.depth.v3.api.pb@10ms@%s",
                                      "spot@public.limit.depth.v3.api.pb@%s@5",
                                      "spot@public.limit.depth.v3.api.pb@%s@10"};
  static const char *const symbols[] = {"BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT"};
  for (uint32_t i = 0; i < 32; i++) {
    char request[160];
    int head = snprintf(request, sizeof request, "{\"method\":\"SUBSCRIPTION\",\"params\":[\"");
    const char *gap = strstr(kinds[i % 8], "%s");
    snprintf(request + head, sizeof request - (size_t)head, "%.*s%s%s\"]}",
             (int)(gap - kinds[i % 8]), kinds[i % 8], symbols[i / 8], gap + 2);
    assert_int_equal(i < 30 ? TRP_MEXC_ACK : TRP_MEXC_REFUSED, kind_of(bench_ask(&bench, request)));
  }
  assert_int_equal(30, bench.session.count);
}

static void pings_and_nonsense_are_answered(void **state) {
  (void)state;
  static const char *const pings[] = {"{\"method\":\"PING\"}", "{\"method\":\"ping\"}"};
  for (size_t i = 0; i < 2; i++) {
    assert_string_equal("{\"id\":0,\"code\":0,\"msg\":\"PONG\"}", bench_ask(&bench, pings[i]));
  }
  static const char *const nonsense[] = {"",
                                         "x",
                                         "{}",
                                         "{\"method\":\"DANCE\"}",
                                         "{\"method\":\"SUBSCRIPTION\"}",
                                         "{\"method\":\"SUBSCRIPTION\",\"params\":{\"a\":1}}"};
  for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
    assert_int_equal(TRP_MEXC_ERROR, kind_of(bench_ask(&bench, nonsense[i])));
  }
}

/* ---- events ---- */

struct followed {
  struct trp_depth_book book; /* of BTCUSDT */
  uint32_t quotes, trades, depths, tops, gaps, wrong;
};

static bool same_quote(const struct trp_wire_quote *quote, const struct trp_walk_quote *truth) {
  return quote->bid == (double)truth->bid / TRP_WALK_UNIT &&
         quote->bid_size == (double)truth->bid_size / TRP_WALK_UNIT &&
         quote->ask == (double)truth->ask / TRP_WALK_UNIT &&
         quote->ask_size == (double)truth->ask_size / TRP_WALK_UNIT;
}

static void look_at(struct followed *seen, const struct trp_walk_event *event, bool batch,
                    const void *bytes, size_t size) {
  struct trp_mexc_event parsed;
  struct trp_walk_quote best = trp_walk_best(bench.market.walk, 0);
  if (trp_mexc_parse(parser, bytes, size, &parsed) != TRP_OK) {
    fail_msg("%s", trp_mexc_parse_reason(parser));
  }
  assert_string_equal("BTCUSDT", parsed.symbol);
  seen->wrong += parsed.exchange_us != (int64_t)((BENCH_WALL_NS + event->at_ns) / BENCH_MS * 1000);
  if (parsed.kind == TRP_MEXC_QUOTES) {
    const struct trp_walk_quote *truth = event->kind == TRP_WALK_QUOTE ? &event->quote : &best;
    seen->quotes++;
    seen->wrong += parsed.quote_count != 1 || !same_quote(&parsed.quotes[0], truth) ||
                   parsed.quotes[0].update_id != (batch ? 0 : truth->id);
  } else if (parsed.kind == TRP_MEXC_TRADES) {
    seen->trades++;
    seen->wrong += parsed.trade_count != 1 ||
                   parsed.trades[0].trade.price != (double)event->trade.price / TRP_WALK_UNIT ||
                   parsed.trades[0].trade.taker_sold != event->trade.buyer_is_maker ||
                   parsed.trades[0].trade.id != event->trade.id * 2;
  } else if (parsed.kind == TRP_MEXC_DEPTH) {
    seen->depths++;
    seen->gaps += trp_depth_book_diff(&seen->book, &parsed.depth) == TRP_STEP_GAP;
  } else if (parsed.kind == TRP_MEXC_TOP) {
    seen->tops++;
    seen->wrong += parsed.depth.final_id != best.id || parsed.depth.count % 10 != 0;
  } else {
    seen->wrong++;
  }
}

static void tell(void *arg, const struct trp_walk_event *event) {
  struct followed *seen = arg;
  struct trp_exchange_text text = {0};
  uint32_t channel;
  for (uint32_t i = 0;
       event->symbol == 0 && (channel = trp_exchange_mexc_channel(event, i)) != TRP_REPLAY_NONE;
       i++) {
    char name[TRP_EXCHANGE_NAME_MAX + 1];
    trp_exchange_mexc_channel_name(bench.market.walk, channel, name, sizeof name);
    assert_int_equal(channel, trp_exchange_mexc_channel_find(bench.market.walk, name));
    if (strstr(name, "aggre.depth.v3.api.pb@10ms") != NULL) {
      continue; /* the same updates once more */
    }
    trp_exchange_text_clear(&text);
    trp_exchange_mexc_tell(&bench.market, channel, event, 0, &text);
    assert_false(text.failed);
    look_at(seen, event, strstr(name, "batch") != NULL, text.bytes, text.size);
  }
  trp_exchange_text_free(&text);
}

static void take_snapshot(struct followed *seen) {
  struct trp_mexc_event event;
  trp_depth_book_init(&seen->book, TRP_DEPTH_CHAINED, 0);
  assert_int_equal(200, bench_get(&bench, "/api/v3/depth?symbol=BTCUSDT&limit=5000"));
  assert_int_equal(TRP_OK,
                   trp_mexc_parse_snapshot(parser, bench.body.bytes, bench.body.size, &event));
  assert_int_equal(TRP_OK, trp_depth_book_snapshot(&seen->book, &event.depth));
}

static void every_payload_reads_back_and_the_book_is_the_markets(void **state) {
  (void)state;
  struct followed seen = {0};
  trp_walk_advance(bench.market.walk, 1050 * BENCH_MS, NULL, NULL);
  take_snapshot(&seen);
  for (uint64_t at = 1100; at <= 21000; at += 100) {
    trp_walk_advance(bench.market.walk, at * BENCH_MS, tell, &seen);
    assert_true(bench_same_book(&bench, 0, &seen.book.ladder, TRP_WALK_LADDER));
  }
  assert_int_equal(0, seen.wrong);
  assert_int_equal(0, seen.gaps);
  assert_true(seen.quotes > 600);
  assert_true(seen.trades > 50);
  assert_true(seen.depths > 150);
  assert_true(seen.tops > 450);
  trp_walk_gap(bench.market.walk);
  trp_walk_advance(bench.market.walk, 21100 * BENCH_MS, tell, &seen);
  assert_int_equal(1, seen.gaps);
  trp_depth_book_fini(&seen.book);
}

/* ---- REST ---- */

static void rest_answers_in_the_shapes_of_the_exchange(void **state) {
  (void)state;
  static const struct {
    const char *path, *start, *part;
  } cases[] = {
      {"/api/v3/ping", "{}", ""},
      {"/api/v3/time", "{\"serverTime\":1700000002000}", ""},
      {"/api/v3/defaultSymbols", "{\"code\":200,\"data\":[\"BTCUSDT\",\"ETHUSDT\"", "\"msg\":null"},
      {"/api/v3/exchangeInfo", "{\"timezone\":\"CST\"", "\"symbol\":\"ETHUSDT\",\"status\":\"1\""},
      {"/api/v3/depth?symbol=BTCUSDT&limit=5", "{\"lastUpdateId\":", "\"asks\":[[\""},
      {"/api/v3/trades?symbol=BTCUSDT", "[{\"id\":null,\"price\":\"", "\"isBuyerMaker\":"},
      {"/api/v3/aggTrades?symbol=BTCUSDT", "[{\"a\":null,\"p\":\"", "\"f\":null,\"l\":null"},
      {"/api/v3/ticker/24hr?symbol=BTCUSDT", "{\"symbol\":\"BTCUSDT\"", "\"count\":null"},
      {"/api/v3/ticker/price", "[{\"symbol\":\"BTCUSDT\",\"price\":\"", "\"ETHUSDT\""},
      {"/api/v3/ticker/bookTicker?symbol=BTCUSDT", "{\"symbol\":\"BTCUSDT\",\"bidPrice\":\"", ""},
      {"/api/v1/contract/detail", "{\"success\":true,\"code\":0,\"data\":[]}", ""},
  };
  trp_walk_advance(bench.market.walk, 2000 * BENCH_MS, NULL, NULL);
  bench.now_ns = 2000 * BENCH_MS;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(200, bench_get(&bench, cases[i].path));
    bench_starts(&bench, cases[i].start);
    assert_non_null(strstr(bench.body.bytes, cases[i].part));
  }
}

static void rest_refuses_with_codes(void **state) {
  (void)state;
  static const struct {
    const char *path;
    uint16_t status;
    const char *start;
  } cases[] = {
      {"/api/v3/depth?symbol=NOSUCH", 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}"},
      {"/api/v3/depth", 400, "{\"code\":700004,"},
      {"/api/v3/depth?symbol=BTCUSDT&limit=x", 400, "{\"code\":700008,"},
      {"/api/v3/account?timestamp=1699999990000", 400, "{\"code\":700003,"},
      {"/api/v3/account?timestamp=1699999990000&recvWindow=60000", 400, "{\"code\":10072,"},
      {"/api/v3/account?timestamp=1700000002000", 400, "{\"code\":700003,"},
      {"/api/v3/account", 400, "{\"code\":700003,"},
      {"/api/v3/nothing", 404, "{\"code\":404,"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(cases[i].status, bench_get(&bench, cases[i].path));
    bench_starts(&bench, cases[i].start);
  }
}

static void who_ignores_a_429_is_banned_and_longer_each_time(void **state) {
  (void)state;
  const char *path = "/api/v3/ping";
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 500; i++) {
      assert_int_equal(200, bench_get(&bench, path));
    }
    for (int i = 0; i < 10; i++) {
      assert_int_equal(429, bench_get(&bench, path));
      assert_string_equal("Retry-After: 10\r\n", bench.response.extra);
    }
    assert_int_equal(200, bench_get(&bench, "/api/v3/time")); /* each endpoint for itself */
    assert_int_equal(418, bench_get(&bench, path));
    assert_string_equal(round == 0 ? "Retry-After: 120\r\n" : "Retry-After: 240\r\n",
                        bench.response.extra);
    assert_int_equal(418, bench_get(&bench, "/api/v3/time")); /* but a ban is an address's */
    bench.now_ns += UINT64_C(110000) * BENCH_MS;
    assert_int_equal(418, bench_get(&bench, path));
    bench.now_ns += UINT64_C(10000) * BENCH_MS;
  }
}

/* ---- recordings ---- */

/* A capture with one real frame as hex, and one that is broken. */
static void a_recorded_frame_is_played_byte_by_byte(void **state) {
  (void)state;
  FILE *real = fopen(RECORDED, "re");
  if (real == NULL) {
    print_message("skipped: %s is not here\n", RECORDED);
    skip();
  }
  unsigned char bytes[1024];
  size_t size = fread(bytes, 1, sizeof bytes, real);
  fclose(real);
  char path[] = "/tmp/troupe-mexc-XXXXXX";
  FILE *file = fdopen(mkstemp(path), "w");
  fputs("1.5: hex:0a0\n1.5: {\"id\":0,\"code\":0,\"msg\":\"PONG\"}\n2.0: hex:", file);
  for (size_t i = 0; i < size; i++) {
    fprintf(file, "%02x", bytes[i]);
  }
  fputs("\n", file);
  fclose(file);
  struct bench played = {.dialect = &trp_exchange_mexc};
  char why[256];
  assert_int_equal(TRP_OK, trp_replay_open(&played.market.replay,
                                           &(struct trp_replay_options){
                                               .capture = path, .grammar = &trp_replay_mexc},
                                           why, sizeof why));
  unlink(path);
  assert_int_equal(2, trp_replay_skipped(played.market.replay));
  assert_string_equal("BTCUSDT", trp_replay_symbol(played.market.replay, 0));
  assert_int_equal(TRP_MEXC_ACK, kind_of(bench_ask(&played, SUBSCRIBE("\"" DEALS "\""))));
  assert_int_equal(TRP_MEXC_REFUSED, kind_of(bench_ask(&played, SUBSCRIBE("\"" DEPTH "\""))));
  struct trp_replay_frame frame =
      trp_replay_frame(played.market.replay, &played.session.subs[0].cursor);
  assert_true(frame.binary);
  assert_int_equal(size, frame.size);
  assert_memory_equal(bytes, frame.bytes, size);
  trp_replay_close(&played.market.replay);
  bench_close(&played);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(there_is_one_path),
      TEST(an_acknowledgement_repeats_the_channels),
      TEST(a_refusal_has_code_0_too_and_says_so_in_its_text),
      TEST(what_is_good_in_a_request_is_done_and_the_rest_refused),
      TEST(a_connection_has_30_subscriptions_and_no_more),
      TEST(pings_and_nonsense_are_answered),
      TEST(every_payload_reads_back_and_the_book_is_the_markets),
      TEST(rest_answers_in_the_shapes_of_the_exchange),
      TEST(rest_refuses_with_codes),
      TEST(who_ignores_a_429_is_banned_and_longer_each_time),
      TEST(a_recorded_frame_is_played_byte_by_byte),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
