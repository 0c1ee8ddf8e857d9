/* The REST side: Binance's shapes with differences. Each endpoint has a budget of its own. Numbers
 * are short, trades have no ids, and a symbol's status is "1". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_mexc.h"
#include "runtime/troupe.h"

enum { LIMIT_DEPTH = 100, LIMIT_DEPTH_MAX = 5000, LIMIT_TRADES = 500, LIMIT_TRADES_MAX = 1000 };

static const struct trp_exchange_budget budget = {.window_ms = 10000, .max = 500, .bans = true};

/* ---- refusals ----------------------------------------------------------------------------------
 */

static void fail(struct trp_exchange_call *call, uint16_t status, int code, const char *what) {
  call->response->status = status;
  trp_exchange_text_clear(call->body);
  trp_exchange_text_add(call->body, "{\"code\":%d,\"msg\":\"%s\"}", code, what);
}

/* What is put into a text here is a parameter's name, of ours. */
void trp_exchange_mexc_refuse(struct trp_exchange_call *call, enum trp_exchange_problem problem,
                              const char *what) {
  char text[160];
  switch (problem) {
    case TRP_EXCHANGE_NO_ROUTE:
      fail(call, 404, 404, "Not Found");
      return;
    case TRP_EXCHANGE_MISSING:
      snprintf(text, sizeof text,
               "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", what);
      fail(call, 400, strcmp(what, "timestamp") == 0 ? 700003 : 700004, text);
      return;
    case TRP_EXCHANGE_ILLEGAL:
    case TRP_EXCHANGE_RANGE:
    case TRP_EXCHANGE_CROWDED:
      snprintf(text, sizeof text, "Illegal characters found in parameter '%s'.", what);
      fail(call, 400, 700008, text);
      return;
    case TRP_EXCHANGE_UNKNOWN:
      fail(call, 400, -1121, "Invalid symbol.");
      return;
    case TRP_EXCHANGE_LATE:
      fail(call, 400, 700003, "Timestamp for this request is outside of the recvWindow.");
      return;
    case TRP_EXCHANGE_UNSIGNED:
      fail(call, 400, 10072, "Api key info invalid");
      return;
    case TRP_EXCHANGE_TOO_MANY:
    case TRP_EXCHANGE_BANNED:
      trp_exchange_call_header(call, "Retry-After: %" PRIu32 "\r\n", call->retry_after_s);
      fail(call, problem == TRP_EXCHANGE_BANNED ? 418 : 429, 429, "Too Many Requests");
      return;
    case TRP_EXCHANGE_UNAVAILABLE:
      fail(call, 503, 503, "service not available, please try again");
      return;
    case TRP_EXCHANGE_BROKEN:
      break;
  }
  fail(call, 500, 500, "Internal error");
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static void number(struct trp_exchange_call *call, const char *key, int64_t value) {
  trp_exchange_text_add(call->body, ",\"%s\":\"", key);
  trp_exchange_text_short(call->body, value);
  trp_exchange_text_raw(call->body, "\"", 1);
}

static void do_ping(struct trp_exchange_call *call) { trp_exchange_text_add(call->body, "{}"); }

static void do_time(struct trp_exchange_call *call) {
  trp_exchange_text_add(call->body, "{\"serverTime\":%" PRIu64 "}", call->wall_ms);
}

static void do_default_symbols(struct trp_exchange_call *call) {
  trp_exchange_text_add(call->body, "{\"code\":200,\"data\":[");
  for (uint32_t i = 0; i < trp_exchange_listed_count(call->market); i++) {
    struct trp_exchange_listed listed;
    trp_exchange_listed_at(call->market, i, false, &listed);
    trp_exchange_text_add(call->body, "%s\"%s\"", i > 0 ? "," : "", listed.name);
  }
  trp_exchange_text_add(call->body, "],\"msg\":null}");
}

/* The futures side of the house, which is empty. */
static void do_contracts(struct trp_exchange_call *call) {
  trp_exchange_text_add(call->body, "{\"success\":true,\"code\":0,\"data\":[]}");
}

static int decimals(int64_t step) {
  int count = 8;
  while (count > 0 && step % 10 == 0) {
    step /= 10;
    count--;
  }
  return count;
}

static void describe(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  int base = decimals(listed->step);
  int quote = decimals(listed->tick);
  trp_exchange_text_add(
      call->body,
      "{\"symbol\":\"%s\",\"status\":\"1\",\"baseAsset\":\"%s\",\"baseAssetPrecision\":%d,"
      "\"quoteAsset\":\"%s\",\"quotePrecision\":%d,\"quoteAssetPrecision\":%d,"
      "\"baseCommissionPrecision\":%d,\"quoteCommissionPrecision\":%d,\"orderTypes\":[\"LIMIT\","
      "\"MARKET\",\"LIMIT_MAKER\"],\"isSpotTradingAllowed\":true,\"isMarginTradingAllowed\":false,"
      "\"quoteAmountPrecision\":\"1\"",
      listed->name, listed->base, base, listed->quote, quote, quote, base, quote);
  number(call, "baseSizePrecision", listed->step);
  trp_exchange_text_add(call->body,
                        ",\"permissions\":[\"SPOT\"],\"filters\":[],\"maxQuoteAmount\":\"2000000\","
                        "\"makerCommission\":\"0\",\"takerCommission\":\"0.0005\","
                        "\"tradeSideType\":1,\"fullName\":\"%s\"}",
                        listed->base);
}

static void do_exchange_info(struct trp_exchange_call *call) {
  struct trp_exchange_choice choice;
  if (!trp_exchange_call_choose(call, "symbol", "symbols", &choice)) {
    return;
  }
  trp_exchange_text_add(call->body,
                        "{\"timezone\":\"CST\",\"serverTime\":%" PRIu64
                        ",\"rateLimits\":[],\"exchangeFilters\":[],\"symbols\":[",
                        call->wall_ms);
  for (uint32_t i = 0; i < choice.count; i++) {
    struct trp_exchange_listed listed;
    trp_exchange_listed_at(call->market, choice.index[i], false, &listed);
    trp_exchange_text_raw(call->body, ",", i > 0);
    describe(call, &listed);
  }
  trp_exchange_text_add(call->body, "]}");
}

static void book(struct trp_exchange_call *call, uint32_t symbol, uint32_t limit) {
  uint32_t max = limit < TRP_WALK_LADDER ? limit : TRP_WALK_LADDER;
  const struct trp_walk *walk = call->market->walk;
  struct trp_walk_level *levels = calloc(max, sizeof *levels);
  if (levels == NULL) {
    call->body->failed = true;
    return;
  }
  trp_exchange_text_add(call->body,
                        "{\"lastUpdateId\":%" PRIu64 ",\"bids\":", trp_walk_best(walk, symbol).id);
  trp_exchange_text_levels(call->body, levels, trp_walk_levels(walk, symbol, true, levels, max),
                           false);
  trp_exchange_text_add(call->body, ",\"asks\":");
  trp_exchange_text_levels(call->body, levels, trp_walk_levels(walk, symbol, false, levels, max),
                           false);
  trp_exchange_text_add(call->body, ",\"timestamp\":%" PRIu64 "}", call->wall_ms);
  free(levels);
}

static void do_depth(struct trp_exchange_call *call) {
  struct trp_exchange_listed listed;
  uint32_t limit;
  if (!trp_exchange_call_symbol(call, "symbol", &listed) ||
      !trp_exchange_call_number(call, "limit", LIMIT_DEPTH, LIMIT_DEPTH_MAX, false, &limit)) {
    return;
  }
  if (call->market->walk != NULL) {
    book(call, listed.index, limit);
    return;
  }
  size_t size;
  const char *snapshot = trp_replay_snapshot(call->market->replay, listed.name, &size);
  if (snapshot == NULL) {
    call->refuse(call, TRP_EXCHANGE_UNKNOWN, listed.name);
    return;
  }
  trp_exchange_text_raw(call->body, snapshot, size);
}

static void trades(struct trp_exchange_call *call, bool aggregate) {
  struct trp_exchange_listed listed;
  struct trp_walk_trade list[TRP_WALK_TRADES_MAX];
  uint32_t limit;
  if (!trp_exchange_call_symbol(call, "symbol", &listed) ||
      !trp_exchange_call_number(call, "limit", LIMIT_TRADES, LIMIT_TRADES_MAX, false, &limit)) {
    return;
  }
  uint32_t max = limit < TRP_WALK_TRADES_MAX ? limit : TRP_WALK_TRADES_MAX;
  uint32_t count =
      call->market->walk != NULL ? trp_walk_trades(call->market->walk, listed.index, list, max) : 0;
  trp_exchange_text_add(call->body, "[");
  for (uint32_t i = 0; i < count; i++) {
    uint64_t at_ms = (call->market->wall_ns + list[i].at_ns) / TRP_NS_PER_MS;
    trp_exchange_text_add(call->body, "%s{\"%s\":null", i > 0 ? "," : "", aggregate ? "a" : "id");
    number(call, aggregate ? "p" : "price", list[i].price);
    number(call, aggregate ? "q" : "qty", list[i].size);
    if (aggregate) {
      trp_exchange_text_add(call->body, ",\"f\":null,\"l\":null");
    } else {
      double worth = (double)list[i].price / TRP_WALK_UNIT * ((double)list[i].size / TRP_WALK_UNIT);
      trp_exchange_text_add(call->body, ",\"quoteQty\":\"%.8f\"", worth);
    }
    const char *maker = list[i].buyer_is_maker ? "true" : "false";
    trp_exchange_text_add(call->body,
                          aggregate ? ",\"T\":%" PRIu64 ",\"m\":%s,\"M\":true}"
                                    : ",\"time\":%" PRIu64
                                      ",\"isBuyerMaker\":%s,\"isBestMatch\":true}",
                          at_ms, maker);
  }
  trp_exchange_text_add(call->body, "]");
}

static void do_trades(struct trp_exchange_call *call) { trades(call, false); }
static void do_agg_trades(struct trp_exchange_call *call) { trades(call, true); }

/* What a symbol's tickers are made of, in either market. */
static void look_at(struct trp_exchange_call *call, const struct trp_exchange_listed *listed,
                    struct trp_walk_quote *best, struct trp_walk_day *day) {
  *best = (struct trp_walk_quote){0};
  *day = (struct trp_walk_day){0};
  if (call->market->walk != NULL) {
    *best = trp_walk_best(call->market->walk, listed->index);
    *day = trp_walk_day(call->market->walk, listed->index);
  }
}

static void book_ticker(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  struct trp_walk_quote best;
  struct trp_walk_day day;
  if (call->market->walk == NULL) {
    char text[4][32];
    trp_exchange_recorded_best(call->market, listed->name, text);
    trp_exchange_text_add(call->body,
                          "{\"symbol\":\"%s\",\"bidPrice\":\"%s\",\"bidQty\":\"%s\",\"askPrice\":"
                          "\"%s\",\"askQty\":\"%s\"}",
                          listed->name, text[0], text[1], text[2], text[3]);
    return;
  }
  look_at(call, listed, &best, &day);
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed->name);
  number(call, "bidPrice", best.bid);
  number(call, "bidQty", best.bid_size);
  number(call, "askPrice", best.ask);
  number(call, "askQty", best.ask_size);
  trp_exchange_text_add(call->body, "}");
}

static void price(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  struct trp_walk_quote best;
  struct trp_walk_day day;
  look_at(call, listed, &best, &day);
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed->name);
  number(call, "price", day.last);
  trp_exchange_text_add(call->body, "}");
}

static void day_ticker(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  struct trp_walk_quote best;
  struct trp_walk_day day;
  look_at(call, listed, &best, &day);
  double change = day.open != 0 ? (double)(day.last - day.open) / (double)day.open : 0;
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed->name);
  number(call, "priceChange", day.last - day.open);
  trp_exchange_text_add(call->body, ",\"priceChangePercent\":\"%.8f\"", change);
  number(call, "prevClosePrice", day.open);
  number(call, "lastPrice", day.last);
  number(call, "bidPrice", best.bid);
  number(call, "bidQty", best.bid_size);
  number(call, "askPrice", best.ask);
  number(call, "askQty", best.ask_size);
  number(call, "openPrice", day.open);
  number(call, "highPrice", day.high);
  number(call, "lowPrice", day.low);
  trp_exchange_text_add(call->body,
                        ",\"volume\":\"%.8f\",\"quoteVolume\":\"%.8f\",\"openTime\":%" PRIu64
                        ",\"closeTime\":%" PRIu64 ",\"count\":null}",
                        day.volume, day.quote_volume, call->wall_ms - 86400000, call->wall_ms);
}

/* One object for symbol=, a list otherwise. */
static void tickers(struct trp_exchange_call *call,
                    void (*one)(struct trp_exchange_call *call,
                                const struct trp_exchange_listed *listed)) {
  struct trp_exchange_choice choice;
  if (!trp_exchange_call_choose(call, "symbol", "symbols", &choice)) {
    return;
  }
  trp_exchange_text_raw(call->body, "[", !choice.single);
  for (uint32_t i = 0; i < choice.count; i++) {
    struct trp_exchange_listed listed;
    trp_exchange_listed_at(call->market, choice.index[i], false, &listed);
    trp_exchange_text_raw(call->body, ",", i > 0);
    one(call, &listed);
  }
  trp_exchange_text_raw(call->body, "]", !choice.single);
}

static void do_book_ticker(struct trp_exchange_call *call) { tickers(call, book_ticker); }
static void do_price(struct trp_exchange_call *call) { tickers(call, price); }
static void do_day_ticker(struct trp_exchange_call *call) { tickers(call, day_ticker); }

/* ---- routes ------------------------------------------------------------------------------------
 */

static const struct trp_exchange_route routes[] = {
    {"v3/ping", do_ping, 1, 1, false},
    {"v3/time", do_time, 1, 1, false},
    {"v3/defaultSymbols", do_default_symbols, 1, 1, false},
    {"v3/exchangeInfo", do_exchange_info, 10, 10, false},
    {"v3/depth", do_depth, 1, 1, false},
    {"v3/trades", do_trades, 5, 5, false},
    {"v3/aggTrades", do_agg_trades, 1, 1, false},
    {"v3/ticker/24hr", do_day_ticker, 1, 40, false},
    {"v3/ticker/price", do_price, 1, 2, false},
    {"v3/ticker/bookTicker", do_book_ticker, 1, 1, false},
    {"v3/account", trp_exchange_call_signed, 10, 10, true},
    {"v3/order", trp_exchange_call_signed, 1, 1, true},
    {"v3/openOrders", trp_exchange_call_signed, 3, 3, true},
    {"v3/userDataStream", trp_exchange_call_signed, 1, 1, true},
    {"v3/capital/config/getall", trp_exchange_call_signed, 10, 10, true},
    {"v1/contract/detail", do_contracts, 1, 1, false},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };
_Static_assert(ROUTES <= TRP_EXCHANGE_COUNTERS_MAX, "a counter a route");

void trp_exchange_mexc_rest(struct trp_exchange_call *call) {
  char text[32];
  const struct trp_exchange_route *route = trp_exchange_call_route(call, "/api/", routes, ROUTES);
  if (route == NULL) {
    return;
  }
  bool one = trp_exchange_call_parameter(call, "symbol", text, sizeof text);
  if (trp_exchange_call_charge(call, &budget, (uint32_t)(route - routes),
                               one ? route->weight : route->weight_all)) {
    route->run(call);
  }
}
