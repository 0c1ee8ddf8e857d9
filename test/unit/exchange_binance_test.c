/* The Binance dialect as the embedded exchange speaks it: what clients say, what they get. The
 * payloads are also read by the adapter's own parser, which was written from the other side. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/binance_wire.h"
#include "adapters/exchange_binance.h"
#include "adapters/json_lejp.h"

#define MS 1000000ull
#define WALL_NS 1700000000000000000ull

static struct trp_exchange_market market;
static struct trp_exchange_text text; /* of the last answer */

static int set_up(void **state) {
  (void)state;
  market = (struct trp_exchange_market){.wall_ns = WALL_NS};
  return trp_walk_new(&market.walk, &(struct trp_walk_options){.seed = 11}) == TRP_OK ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  trp_walk_destroy(&market.walk);
  trp_exchange_text_free(&text);
  return 0;
}

static bool any_value(void *arg, const struct trp_json_value *value) {
  (void)arg;
  (void)value;
  return true;
}

static void assert_json(void) {
  const char *reason;
  assert_false(text.failed);
  assert_int_equal(TRP_OK, trp_json_walk(text.bytes, text.size, any_value, NULL, &reason));
}

static const char *say(struct trp_exchange_session *session, const char *request) {
  trp_exchange_text_clear(&text);
  trp_exchange_binance_handle(session, &market, request, strlen(request), 0, &text);
  assert_json();
  return text.bytes;
}

static struct trp_exchange_session connected(const char *path) {
  struct trp_exchange_session session;
  assert_int_equal(TRP_OK, trp_exchange_binance_open(&session, &market, path, 0));
  return session;
}

/* ---- connecting ---- */

static void each_form_of_the_url_is_understood(void **state) {
  (void)state;
  static const struct {
    const char *path;
    bool combined;
    uint32_t count;
    const char *last;
  } forms[] = {
      {"/ws", false, 0, ""},
      {"/ws/", false, 0, ""},
      {"/ws/btcusdt@bookTicker", false, 1, "btcusdt@bookTicker"},
      {"/ws/btcusdt@bookTicker/ethusdt@trade", false, 2, "ethusdt@trade"},
      {"/ws/0", false, 1, "0"},
      {"/stream/ws", false, 0, ""},
      {"/stream/ws/7", false, 1, "7"},
      {"/stream", true, 0, ""},
      {"/stream/", true, 0, ""},
      {"/stream?streams=btcusdt@depth@100ms", true, 1, "btcusdt@depth@100ms"},
      {"/stream?timeUnit=X&streams=a@trade/b@trade/c@trade&x=y", true, 3, "c@trade"},
      {"/stream?streams=btcusdt%40bookTicker", true, 1, "btcusdt@bookTicker"},
      {"/stream?streams=a@trade/a@trade", true, 1, "a@trade"},
  };
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    struct trp_exchange_session session = connected(forms[i].path);
    assert_int_equal(forms[i].combined, session.combined);
    assert_int_equal(forms[i].count, session.count);
    if (session.count > 0) {
      assert_string_equal(forms[i].last, session.subs[session.count - 1].name);
    }
    trp_exchange_subs_fini(&session);
  }
}

static void other_paths_and_bad_names_are_refused(void **state) {
  (void)state;
  static const char *const paths[] = {
      "/",        "",          "/wsx",    "/streams",   "/stream/x", "/api/v3/ping",
      "/ws/a\"b", "/ws/a%0ab", "/ws/a%4", "/ws/a%zz@x", "/ws/%00"};
  struct trp_exchange_session session;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    assert_int_equal(TRP_INVALID, trp_exchange_binance_open(&session, &market, paths[i], 0));
    assert_null(session.subs);
  }
}

static void a_connection_has_room_for_1024_streams_and_no_more(void **state) {
  (void)state;
  char *path = calloc(1, 32 * 1024);
  assert_non_null(path);
  size_t size = (size_t)sprintf(path, "/stream?streams=");
  for (int i = 0; i < TRP_EXCHANGE_STREAMS_MAX; i++) {
    size += (size_t)sprintf(path + size, "s%04d@trade/", i);
  }
  struct trp_exchange_session session = connected(path);
  assert_int_equal(TRP_EXCHANGE_STREAMS_MAX, session.count);
  assert_string_equal(
      "{\"code\":2,\"msg\":\"Invalid request: too many parameters\",\"id\":1}",
      say(&session, "{\"method\":\"SUBSCRIBE\",\"params\":[\"x@trade\"],\"id\":1}"));
  assert_string_equal(
      "{\"result\":null,\"id\":2}",
      say(&session, "{\"method\":\"SUBSCRIBE\",\"params\":[\"s0001@trade\"],\"id\":2}"));
  trp_exchange_subs_fini(&session);
  sprintf(path + size, "x@trade");
  assert_int_equal(TRP_LIMIT, trp_exchange_binance_open(&session, &market, path, 0));
  free(path);
}

/* ---- requests ---- */

static void subscriptions_come_and_go_and_are_listed(void **state) {
  (void)state;
  struct trp_exchange_session session = connected("/ws");
  uint32_t ticker = trp_exchange_binance_channel_find(market.walk, "btcusdt@bookTicker");
  uint32_t depth = trp_exchange_binance_channel_find(market.walk, "ethusdt@depth@100ms");
  assert_int_not_equal(TRP_REPLAY_NONE, ticker);
  assert_int_not_equal(TRP_REPLAY_NONE, depth);
  assert_string_equal("{\"result\":[],\"id\":3}",
                      say(&session, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":3}"));
  assert_string_equal("{\"result\":null,\"id\":1}",
                      say(&session,
                          "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\","
                          "\"ethusdt@depth@100ms\",\"0\"],\"id\":1}"));
  assert_true(trp_exchange_hears(&session, ticker));
  assert_true(trp_exchange_hears(&session, depth));
  assert_string_equal(
      "{\"result\":[\"btcusdt@bookTicker\",\"ethusdt@depth@100ms\",\"0\"],\"id\":\"x-1\"}",
      say(&session, "{\"id\":\"x-1\",\"method\":\"LIST_SUBSCRIPTIONS\"}"));
  assert_string_equal("{\"result\":null,\"id\":-5}",
                      say(&session,
                          " {\"params\" : [ \"btcusdt@bookTicker\", \"never@had\" ] , "
                          "\"method\":\"UNSUBSCRIBE\",\"id\":-5}\r\n"));
  assert_false(trp_exchange_hears(&session, ticker));
  assert_true(trp_exchange_hears(&session, depth));
  assert_string_equal("{\"result\":[\"ethusdt@depth@100ms\",\"0\"],\"id\":null}",
                      say(&session, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":null}"));
  trp_exchange_subs_fini(&session);
}

static void the_combined_property_is_got_and_set(void **state) {
  (void)state;
  struct trp_exchange_session session = connected("/ws/btcusdt@trade");
  assert_string_equal(
      "{\"result\":false,\"id\":1}",
      say(&session, "{\"method\":\"GET_PROPERTY\",\"params\":[\"combined\"],\"id\":1}"));
  assert_string_equal(
      "{\"result\":null,\"id\":2}",
      say(&session, "{\"method\":\"SET_PROPERTY\",\"params\":[\"combined\",true],\"id\":2}"));
  assert_true(session.combined);
  assert_string_equal(
      "{\"result\":true,\"id\":3}",
      say(&session, "{\"method\":\"GET_PROPERTY\",\"params\":[\"combined\"],\"id\":3}"));
  assert_string_equal(
      "{\"code\":0,\"msg\":\"Unknown property\",\"id\":4}",
      say(&session, "{\"method\":\"GET_PROPERTY\",\"params\":[\"colour\"],\"id\":4}"));
  assert_string_equal(
      "{\"code\":1,\"msg\":\"Invalid value type: expected Boolean\",\"id\":5}",
      say(&session, "{\"method\":\"SET_PROPERTY\",\"params\":[\"combined\",\"yes\"],\"id\":5}"));
  assert_string_equal(
      "{\"code\":2,\"msg\":\"Invalid request: property name must be a string\",\"id\":6}",
      say(&session, "{\"method\":\"SET_PROPERTY\",\"params\":[7,true],\"id\":6}"));
  assert_true(session.combined);
  trp_exchange_subs_fini(&session);
}

static void wrong_requests_get_the_documented_errors(void **state) {
  (void)state;
  static const struct {
    const char *request, *start, *tail;
  } cases[] = {
      {"", "{\"code\":3,\"msg\":\"Invalid JSON: ", "\"}"},
      {"hello", "{\"code\":3,\"msg\":\"Invalid JSON: expected value at line 1 column 1", "\"}"},
      {"{\"method\":\"SUBSCRIBE\"", "{\"code\":3,\"msg\":\"Invalid JSON: EOF", "\"}"},
      {"{\"method\":\"SUBSCRIBE\"}x", "{\"code\":3,\"msg\":\"Invalid JSON: ", "\"}"},
      {"{\"method\":\"BUY \\\"IT\",\"id\":9}",
       "{\"code\":2,\"msg\":\"Invalid request: unknown variant `BUY??IT`, expected one of "
       "`SUBSCRIBE`, ",
       "\"id\":9}"},
      {"{\"params\":[\"a@b\"],\"id\":9}",
       "{\"code\":2,\"msg\":\"Invalid request: missing field `method` at line 1 column ",
       "\"id\":9}"},
      {"{\"method\":\"SUBSCRIBE\",\"id\":9}",
       "{\"code\":2,\"msg\":\"Invalid request: invalid stream\"", "\"id\":9}"},
      {"{\"method\":\"SUBSCRIBE\",\"params\":[3],\"id\":9}",
       "{\"code\":2,\"msg\":\"Invalid request: invalid stream\"", "\"id\":9}"},
      {"{\"method\":\"SUBSCRIBE\",\"params\":[\"a\\\"b\"],\"id\":9}",
       "{\"code\":2,\"msg\":\"Invalid request: invalid stream\"", "\"id\":9}"},
      {"{\"method\":\"SUBSCRIBE\",\"params\":{\"a\":1},\"id\":9}", "{\"code\":2,", "\"id\":9}"},
      {"{\"method\":\"SUBSCRIBE\",\"params\":[[\"a\"]],\"id\":9}", "{\"code\":2,", "\"id\":9}"},
      {"{\"method\":\"SUBSCRIBE\",\"params\":[\"a@b\"],\"id\":1.5}",
       "{\"code\":2,\"msg\":\"Invalid request: request ID must be an unsigned integer\"",
       "\"id\":null}"},
      {"{\"method\":\"SUBSCRIBE\",\"params\":[\"a@b\"],\"id\":\"a b\"}", "{\"code\":2,",
       "\"id\":null}"},
      {"{\"method\":\"SUBSCRIBE\",\"params\":[\"a@b\"],"
       "\"id\":\"1234567890123456789012345678901234567\"}",
       "{\"code\":2,", "\"id\":null}"},
      {"{\"method\":\"SUBSCRIBE\",\"params\":[\"a@b\"],\"id\":true}", "{\"code\":2,",
       "\"id\":null}"},
  };
  struct trp_exchange_session session = connected("/ws");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *reply = say(&session, cases[i].request);
    assert_memory_equal(cases[i].start, reply, strlen(cases[i].start));
    assert_string_equal(cases[i].tail, reply + strlen(reply) - strlen(cases[i].tail));
    assert_int_equal(0, session.count);
  }
  trp_exchange_subs_fini(&session);
}

static void a_subscription_is_taken_whole_or_not_at_all(void **state) {
  (void)state;
  struct trp_exchange_session session = connected("/ws/btcusdt@trade");
  char request[TRP_EXCHANGE_STREAMS_MAX * 16];
  size_t size = (size_t)sprintf(request, "{\"method\":\"SUBSCRIBE\",\"params\":[");
  for (int i = 0; i < TRP_EXCHANGE_STREAMS_MAX; i++) {
    size += (size_t)sprintf(request + size, "%s\"n%d@x\"", i > 0 ? "," : "", i);
  }
  sprintf(request + size, "],\"id\":1}");
  assert_non_null(strstr(say(&session, request), "too many parameters"));
  assert_int_equal(1, session.count);
  trp_exchange_subs_fini(&session);
}

/* ---- events ---- */

struct seen {
  struct trp_binance_parser *parser;
  uint32_t quotes, trades, depths, others, wrong;
};

static void check_depth(struct seen *seen, const struct trp_walk_event *event,
                        const struct trp_binance_event *parsed) {
  const struct trp_wire_depth *depth = &parsed->depth;
  seen->depths++;
  seen->wrong += depth->first_id != event->first || depth->final_id != event->last ||
                 depth->count != event->bid_count + event->ask_count;
  for (uint32_t i = 0; i < depth->count; i++) {
    bool bid = i < event->bid_count;
    const struct trp_walk_level *level = bid ? &event->bids[i] : &event->asks[i - event->bid_count];
    seen->wrong += depth->levels[i].side != (bid ? 1u : 2u) ||
                   depth->levels[i].price != (double)level->price / TRP_WALK_UNIT ||
                   depth->levels[i].size != (double)level->size / TRP_WALK_UNIT;
  }
}

static void check_parsed(struct seen *seen, const struct trp_walk_event *event,
                         const struct trp_binance_event *parsed) {
  const struct trp_walk_symbol *symbol = trp_walk_symbol(market.walk, event->symbol);
  int64_t at_us = (int64_t)((WALL_NS + event->at_ns) / MS * 1000);
  seen->wrong += strcmp(parsed->symbol, symbol->name) != 0;
  if (parsed->kind == TRP_BINANCE_QUOTE) {
    seen->quotes++;
    seen->wrong += parsed->quote.update_id != event->quote.id ||
                   parsed->quote.bid != (double)event->quote.bid / TRP_WALK_UNIT ||
                   parsed->quote.ask_size != (double)event->quote.ask_size / TRP_WALK_UNIT;
    return;
  }
  seen->wrong += parsed->exchange_us != at_us;
  if (parsed->kind == TRP_BINANCE_TRADE) {
    seen->trades++;
    seen->wrong += parsed->trade.id != event->trade.id ||
                   parsed->trade.price != (double)event->trade.price / TRP_WALK_UNIT ||
                   parsed->trade.taker_sold != event->trade.buyer_is_maker;
  } else if (parsed->kind == TRP_BINANCE_DEPTH) {
    check_depth(seen, event, parsed);
  }
}

static void tell_and_parse(void *arg, const struct trp_walk_event *event) {
  struct seen *seen = arg;
  uint32_t channel;
  for (uint32_t i = 0; (channel = trp_exchange_binance_channel(event, i)) != TRP_REPLAY_NONE; i++) {
    char name[TRP_EXCHANGE_NAME_MAX + 1];
    trp_exchange_binance_channel_name(market.walk, channel, name, sizeof name);
    assert_int_equal(channel, trp_exchange_binance_channel_find(market.walk, name));
    struct trp_exchange_text payload = {0};
    trp_exchange_binance_payload(&market, channel, event, &payload);
    trp_exchange_text_clear(&text);
    trp_exchange_binance_wrap(name, payload.bytes, payload.size, &text);
    trp_exchange_text_free(&payload);
    assert_json();
    struct trp_binance_event parsed;
    bool other = strstr(name, "icker") != NULL && strstr(name, "bookTicker") == NULL;
    if (other || strstr(name, "@depth5") || strstr(name, "@depth1") || strstr(name, "@depth2")) {
      seen->others++; /* no parser of ours reads tickers and partial depth */
      continue;
    }
    assert_int_equal(TRP_OK, trp_binance_parse(seen->parser, text.bytes, text.size, &parsed));
    check_parsed(seen, event, &parsed);
  }
}

static void every_payload_reads_back_to_the_event(void **state) {
  (void)state;
  struct seen seen = {0};
  assert_int_equal(TRP_OK, trp_binance_parser_new(&seen.parser));
  for (uint64_t at = 0; at <= 5000 * MS; at += 50 * MS) {
    trp_walk_advance(market.walk, at, tell_and_parse, &seen);
  }
  assert_int_equal(0, seen.wrong);
  assert_true(seen.quotes > 300);
  assert_true(seen.trades > 40);
  assert_true(seen.depths > 150);
  assert_true(seen.others > 150);
  trp_binance_parser_destroy(&seen.parser);
}

static void payloads_have_the_exact_shape_of_the_exchange(void **state) {
  (void)state;
  struct trp_walk_event quote = {
      .kind = TRP_WALK_QUOTE,
      .quote = {98494969448, 6370400000000, 477471000, 6370401000000, 1133198000}};
  trp_exchange_text_clear(&text);
  trp_exchange_binance_payload(&market, trp_exchange_binance_channel(&quote, 0), &quote, &text);
  assert_string_equal(
      "{\"u\":98494969448,\"s\":\"BTCUSDT\",\"b\":\"63704.00000000\",\"B\":"
      "\"4.77471000\",\"a\":\"63704.01000000\",\"A\":\"11.33198000\"}",
      text.bytes);
  struct trp_walk_event trade = {
      .kind = TRP_WALK_TRADE, .at_ns = 5 * MS, .trade = {7, 5 * MS, 35280000, 5800000000, false}};
  trp_exchange_text_clear(&text);
  trp_exchange_binance_payload(&market, trp_exchange_binance_channel(&trade, 0), &trade, &text);
  assert_string_equal(
      "{\"e\":\"aggTrade\",\"E\":1700000000005,\"s\":\"BTCUSDT\",\"a\":7,\"p\":"
      "\"0.35280000\",\"q\":\"58.00000000\",\"f\":7,\"l\":7,\"T\":1700000000005,"
      "\"m\":false,\"M\":true}",
      text.bytes);
  struct trp_walk_level bid = {35130000, 619500000000};
  struct trp_walk_event depth = {
      .kind = TRP_WALK_DEPTH, .first = 1, .last = 3, .bids = &bid, .bid_count = 1};
  trp_exchange_text_clear(&text);
  trp_exchange_binance_payload(&market, trp_exchange_binance_channel(&depth, 0), &depth, &text);
  assert_string_equal(
      "{\"e\":\"depthUpdate\",\"E\":1700000000000,\"s\":\"BTCUSDT\",\"U\":1,\"u\":"
      "3,\"b\":[[\"0.35130000\",\"6195.00000000\"]],\"a\":[]}",
      text.bytes);
}

/* ---- REST ---- */

static void assert_starts(const char *with) { assert_memory_equal(with, text.bytes, strlen(with)); }

static struct trp_exchange_meter meter;

static uint16_t get(const char *path) {
  struct trp_exchange_response response;
  trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET", path, 0, &response, &text);
  assert_json();
  return response.status;
}

static void rest_answers_in_the_shapes_of_the_exchange(void **state) {
  (void)state;
  meter = (struct trp_exchange_meter){0};
  assert_int_equal(200, get("/api/v3/ping"));
  assert_string_equal("{}", text.bytes);
  assert_int_equal(200, get("/api/v3/time"));
  assert_string_equal("{\"serverTime\":1700000000000}", text.bytes);
  assert_int_equal(200, get("/api/v3/exchangeInfo"));
  assert_non_null(strstr(text.bytes,
                         "{\"symbol\":\"ETHUSDT\",\"status\":\"TRADING\","
                         "\"baseAsset\":\"ETH\""));
  assert_int_equal(200, get("/api/v3/exchangeInfo?symbol=ETHUSDT"));
  assert_null(strstr(text.bytes, "BTCUSDT"));
  assert_int_equal(200, get("/api/v3/ticker/bookTicker?symbols=%5B%22BTCUSDT%22,%22SOLUSDT%22%5D"));
  assert_starts("[{\"symbol\":\"BTCUSDT\",\"bidPrice\":\"");
  assert_non_null(strstr(text.bytes, "\"symbol\":\"SOLUSDT\""));
  assert_int_equal(200, get("/api/v3/ticker/bookTicker?symbol=BTCUSDT"));
  assert_starts("{\"symbol\":\"BTCUSDT\",");
  assert_int_equal(200, get("/api/v3/ticker/24hr?symbol=BTCUSDT"));
  assert_int_equal(200, get("/api/v3/ticker/price"));
  for (uint64_t at = 0; at <= 2000 * MS; at += 100 * MS) {
    trp_walk_advance(market.walk, at, NULL, NULL);
  }
  assert_int_equal(200, get("/api/v3/aggTrades?symbol=BTCUSDT&limit=1"));
  assert_starts("[{\"a\":");
  assert_int_equal(200, get("/api/v3/trades?symbol=BTCUSDT&limit=1000"));
  assert_starts("[{\"id\":");
}

/* The id of the first trade in the answer; 0 where there is none. `*count` of them. */
static uint64_t first_trade(const char *query, uint32_t *count) {
  char path[160];
  snprintf(path, sizeof path, "/api/v3/aggTrades?symbol=BTCUSDT%s", query);
  assert_int_equal(200, get(path));
  *count = 0;
  for (const char *at = text.bytes; (at = strstr(at, "{\"a\":")) != NULL; at++) (*count)++;
  return *count != 0 ? strtoull(strstr(text.bytes, "\"a\":") + 4, NULL, 10) : 0;
}

static void aggregate_trades_are_the_newest_or_those_from_an_id_on(void **state) {
  (void)state;
  char query[80];
  uint32_t count, there;
  for (uint64_t at = 0; at <= 60000 * MS; at += 100 * MS) {
    trp_walk_advance(market.walk, at, NULL, NULL);
  }
  uint64_t oldest = first_trade("", &there);
  uint64_t newest = first_trade("&limit=1", &count);
  assert_int_equal(1, count);
  assert_true(there > 10);
  assert_int_equal(newest, oldest + there - 1);
  snprintf(query, sizeof query, "&limit=3&fromId=%llu", (unsigned long long)(oldest + 4));
  assert_int_equal(oldest + 4, first_trade(query, &count));
  assert_int_equal(3, count);
  snprintf(query, sizeof query, "&limit=1000&fromId=%llu", (unsigned long long)newest);
  assert_int_equal(newest, first_trade(query, &count));
  assert_int_equal(1, count);
  snprintf(query, sizeof query, "&limit=1000&fromId=%llu", (unsigned long long)(newest + 1));
  assert_int_equal(0, first_trade(query, &count));
  assert_starts("[]");
  assert_int_equal(oldest, first_trade("&limit=2&fromId=0", &count));
  assert_int_equal(2, count);
  assert_int_equal(400, get("/api/v3/aggTrades?symbol=BTCUSDT&fromId=one"));
  assert_starts("{\"code\":-1100,");
}

static void rest_depth_is_the_book_up_to_the_limit(void **state) {
  (void)state;
  struct trp_binance_parser *parser;
  struct trp_binance_event event;
  assert_int_equal(TRP_OK, trp_binance_parser_new(&parser));
  static const uint32_t limits[] = {5, 100, 1000, 5000};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    char path[80];
    snprintf(path, sizeof path, "/api/v3/depth?symbol=ETHUSDT&limit=%u", limits[i]);
    assert_int_equal(200, get(path));
    assert_int_equal(TRP_OK, trp_binance_parse_snapshot(parser, text.bytes, text.size, &event));
    struct trp_walk_quote best = trp_walk_best(market.walk, 1);
    assert_true(event.depth.final_id == best.id);
    assert_true(event.depth.levels[0].price == (double)best.bid / TRP_WALK_UNIT);
    assert_true(limits[i] > 1000 || event.depth.count == 2 * limits[i]);
    assert_true(event.depth.count > (i == 3 ? 2000u : 0u));
  }
  assert_int_equal(200, get("/api/v3/depth?symbol=ETHUSDT"));
  assert_int_equal(TRP_OK, trp_binance_parse_snapshot(parser, text.bytes, text.size, &event));
  assert_int_equal(200, event.depth.count);
  trp_binance_parser_destroy(&parser);
}

static void rest_refuses_with_the_documented_errors(void **state) {
  (void)state;
  static const struct {
    const char *path;
    uint16_t status;
    const char *start;
  } cases[] = {
      {"/api/v3/depth?symbol=NOSUCH", 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}"},
      {"/api/v3/depth", 400, "{\"code\":-1102,\"msg\":\"Mandatory parameter 'symbol' "},
      {"/api/v3/depth?symbol=", 400, "{\"code\":-1102,"},
      {"/api/v3/depth?symbol=btcusdt", 400, "{\"code\":-1100,"},
      {"/api/v3/depth?symbol=BTCUSDT&limit=x", 400, "{\"code\":-1100,"},
      {"/api/v3/depth?symbol=BTCUSDT&limit=0", 400, "{\"code\":-1130,"},
      {"/api/v3/trades?symbol=A\"B", 400, "{\"code\":-1100,"},
      {"/api/v3/ticker/bookTicker?symbols=[\"BTCUSDT\",\"XX\"]", 400, "{\"code\":-1121,"},
      {"/api/v3/nothing", 404, "{\"code\":"},
      {"/", 404, "{\"code\":"},
  };
  meter = (struct trp_exchange_meter){0};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(cases[i].status, get(cases[i].path));
    assert_starts(cases[i].start);
  }
}

static void weights_are_counted_and_limited_a_minute(void **state) {
  (void)state;
  struct trp_exchange_response response;
  meter = (struct trp_exchange_meter){.max = 300};
  static const struct {
    const char *path;
    const char *used;
  } cases[] = {{"/api/v3/ping", " 1\r\n"},
               {"/api/v3/depth?symbol=BTCUSDT&limit=1000", " 51\r\n"},
               {"/api/v3/exchangeInfo", " 71\r\n"},
               {"/api/v3/ticker/bookTicker?symbol=BTCUSDT", " 73\r\n"},
               {"/api/v3/ticker/bookTicker", " 77\r\n"},
               {"/api/v3/aggTrades?symbol=BTCUSDT", " 81\r\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET", cases[i].path, 0, &response,
                      &text);
    assert_int_equal(200, response.status);
    char expected[64];
    snprintf(expected, sizeof expected, "X-MBX-USED-WEIGHT-1M:%s", cases[i].used);
    assert_string_equal(expected, response.extra);
  }
  const char *heavy = "/api/v3/depth?symbol=BTCUSDT&limit=5000";
  trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET", heavy, 0, &response, &text);
  assert_int_equal(429, response.status);
  assert_starts("{\"code\":-1003,");
  assert_non_null(strstr(response.extra, "Retry-After: 40\r\n")); /* 20 s into its minute */
  trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET", heavy, 40000 * MS, &response,
                    &text);
  assert_int_equal(200, response.status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_form_of_the_url_is_understood),
      cmocka_unit_test(other_paths_and_bad_names_are_refused),
      cmocka_unit_test(a_connection_has_room_for_1024_streams_and_no_more),
      cmocka_unit_test(subscriptions_come_and_go_and_are_listed),
      cmocka_unit_test(the_combined_property_is_got_and_set),
      cmocka_unit_test(wrong_requests_get_the_documented_errors),
      cmocka_unit_test(a_subscription_is_taken_whole_or_not_at_all),
      cmocka_unit_test(every_payload_reads_back_to_the_event),
      cmocka_unit_test(payloads_have_the_exact_shape_of_the_exchange),
      cmocka_unit_test(rest_answers_in_the_shapes_of_the_exchange),
      cmocka_unit_test(aggregate_trades_are_the_newest_or_those_from_an_id_on),
      cmocka_unit_test(rest_depth_is_the_book_up_to_the_limit),
      cmocka_unit_test(rest_refuses_with_the_documented_errors),
      cmocka_unit_test(weights_are_counted_and_limited_a_minute),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
