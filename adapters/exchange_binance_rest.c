/* The REST side: a table of routes, each with its weight and its answer. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_binance.h"
#include "runtime/troupe.h"

enum {
  LIMIT_DEPTH = 100,
  LIMIT_DEPTH_MAX = 5000,
  LIMIT_TRADES = 500,
  LIMIT_TRADES_MAX = 1000,
};

/* ---- refusals -------------------------------------------------------------------------------- */

static void fail(struct trp_exchange_call *call, uint16_t status, int code, const char *what) {
  call->response->status = status;
  trp_exchange_text_clear(call->body);
  trp_exchange_text_add(call->body, "{\"code\":%d,\"msg\":\"%s\"}", code, what);
}

static void refuse_crowd(struct trp_exchange_call *call, bool banned) {
  char what[256];
  uint64_t until_ms = call->wall_ms + call->retry_after_s * UINT64_C(1000);
  trp_exchange_call_header(call, "Retry-After: %" PRIu32 "\r\n", call->retry_after_s);
  if (banned) {
    snprintf(what, sizeof what,
             "Way too much request weight used; IP banned until %" PRIu64
             ". Please use WebSocket Streams for live updates to avoid bans.",
             until_ms);
  } else {
    snprintf(what, sizeof what,
             "Too much request weight used; current limit is %u request weight per 1 MINUTE. "
             "Please use WebSocket Streams for live updates to avoid polling the API.",
             call->limit_max != 0 ? call->limit_max : TRP_EXCHANGE_WEIGHT_MAX);
  }
  fail(call, banned ? 418 : 429, -1003, what);
}

static const char *legal_range(const char *parameter) {
  return strncmp(parameter, "symbol", 6) == 0 ? "[A-Z0-9-_.]" : "[0-9]";
}

/* What is put into a text here is a parameter's name, of ours. */
void trp_exchange_binance_refuse(struct trp_exchange_call *call, enum trp_exchange_problem problem,
                                 const char *what) {
  char text[160];
  switch (problem) {
    case TRP_EXCHANGE_NO_ROUTE:
      fail(call, 404, -1000, "Not found.");
      return;
    case TRP_EXCHANGE_MISSING:
      snprintf(text, sizeof text,
               "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", what);
      fail(call, 400, -1102, text);
      return;
    case TRP_EXCHANGE_ILLEGAL:
      snprintf(text, sizeof text,
               "Illegal characters found in parameter '%s'; legal range is '^%s{1,20}$'.", what,
               legal_range(what));
      fail(call, 400, -1100, text);
      return;
    case TRP_EXCHANGE_RANGE:
      snprintf(text, sizeof text, "Data sent for parameter '%s' is not valid.", what);
      fail(call, 400, -1130, text);
      return;
    case TRP_EXCHANGE_UNKNOWN:
      fail(call, 400, -1121, "Invalid symbol.");
      return;
    case TRP_EXCHANGE_CROWDED:
      fail(call, 400, -1101, "Too many parameters; expected fewer symbols.");
      return;
    case TRP_EXCHANGE_LATE:
      fail(call, 400, -1021, "Timestamp for this request is outside of the recvWindow.");
      return;
    case TRP_EXCHANGE_UNSIGNED:
      fail(call, 401, -2014, "API-key format invalid.");
      return;
    case TRP_EXCHANGE_TOO_MANY:
    case TRP_EXCHANGE_BANNED:
      refuse_crowd(call, problem == TRP_EXCHANGE_BANNED);
      return;
    case TRP_EXCHANGE_UNAVAILABLE:
      fail(call, 503, -1016, "This service is no longer available.");
      return;
    case TRP_EXCHANGE_BROKEN:
      break;
  }
  fail(call, 500, -1000, "An unknown error occurred while processing the request.");
}

/* ---- answers --------------------------------------------------------------------------------- */

static void do_ping(struct trp_exchange_call *call) { trp_exchange_text_add(call->body, "{}"); }

static void do_time(struct trp_exchange_call *call) {
  trp_exchange_text_add(call->body, "{\"serverTime\":%" PRIu64 "}", call->wall_ms);
}

/* How the exchange describes a symbol. */
static void describe(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  trp_exchange_text_add(
      call->body,
      "{\"symbol\":\"%s\",\"status\":\"TRADING\",\"baseAsset\":\"%s\",\"baseAssetPrecision\":8,"
      "\"quoteAsset\":\"%s\",\"quotePrecision\":8,\"quoteAssetPrecision\":8,"
      "\"orderTypes\":[\"LIMIT\",\"LIMIT_MAKER\",\"MARKET\"],\"icebergAllowed\":true,"
      "\"ocoAllowed\":true,\"isSpotTradingAllowed\":true,\"isMarginTradingAllowed\":false,"
      "\"filters\":[{\"filterType\":\"PRICE_FILTER\"",
      listed->name, listed->base, listed->quote);
  trp_exchange_call_pair(call, "minPrice", listed->tick);
  trp_exchange_call_pair(call, "maxPrice", 1000000 * (int64_t)TRP_WALK_UNIT);
  trp_exchange_call_pair(call, "tickSize", listed->tick);
  trp_exchange_text_add(call->body, "},{\"filterType\":\"LOT_SIZE\"");
  trp_exchange_call_pair(call, "minQty", listed->step);
  trp_exchange_call_pair(call, "maxQty", 9000000 * (int64_t)TRP_WALK_UNIT);
  trp_exchange_call_pair(call, "stepSize", listed->step);
  trp_exchange_text_add(
      call->body,
      "},{\"filterType\":\"NOTIONAL\",\"minNotional\":\"5.00000000\",\"applyMinToMarket\":true,"
      "\"maxNotional\":\"9000000.00000000\",\"applyMaxToMarket\":false,\"avgPriceMins\":5}],"
      "\"permissions\":[],\"permissionSets\":[[\"SPOT\"]]}");
}

static void do_exchange_info(struct trp_exchange_call *call) {
  struct trp_exchange_choice choice;
  if (!trp_exchange_call_choose(call, "symbol", "symbols", &choice)) {
    return;
  }
  trp_exchange_text_add(call->body,
                        "{\"timezone\":\"UTC\",\"serverTime\":%" PRIu64
                        ",\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":"
                        "\"MINUTE\",\"intervalNum\":1,\"limit\":%d}],\"exchangeFilters\":[],"
                        "\"symbols\":[",
                        call->wall_ms, TRP_EXCHANGE_WEIGHT_MAX);
  for (uint32_t i = 0; i < choice.count; i++) {
    struct trp_exchange_listed listed;
    trp_exchange_listed_at(call->market, choice.index[i], false, &listed);
    trp_exchange_text_raw(call->body, ",", i > 0);
    describe(call, &listed);
  }
  trp_exchange_text_add(call->body, "]}");
}

static void do_depth(struct trp_exchange_call *call) {
  struct trp_exchange_listed listed;
  uint32_t limit;
  if (!trp_exchange_call_symbol(call, "symbol", &listed) ||
      !trp_exchange_call_number(call, "limit", LIMIT_DEPTH, LIMIT_DEPTH_MAX, false, &limit)) {
    return;
  }
  if (call->market->walk != NULL) {
    call->body->failed |=
        !trp_exchange_binance_depth(call->body, call->market->walk, listed.index, limit);
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

static void recorded_ticker(struct trp_exchange_call *call, const char *symbol) {
  char text[4][32];
  trp_exchange_recorded_best(call->market, symbol, text);
  trp_exchange_text_add(call->body,
                        "{\"symbol\":\"%s\",\"bidPrice\":\"%s\",\"bidQty\":\"%s\",\"askPrice\":\""
                        "%s\",\"askQty\":\"%s\"}",
                        symbol, text[0], text[1], text[2], text[3]);
}

static void book_ticker(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  if (call->market->walk == NULL) {
    recorded_ticker(call, listed->name);
    return;
  }
  struct trp_walk_quote best = trp_walk_best(call->market->walk, listed->index);
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed->name);
  trp_exchange_call_pair(call, "bidPrice", best.bid);
  trp_exchange_call_pair(call, "bidQty", best.bid_size);
  trp_exchange_call_pair(call, "askPrice", best.ask);
  trp_exchange_call_pair(call, "askQty", best.ask_size);
  trp_exchange_text_add(call->body, "}");
}

static void price(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  struct trp_walk_day day = {0};
  if (call->market->walk != NULL) {
    day = trp_walk_day(call->market->walk, listed->index);
  }
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed->name);
  trp_exchange_call_pair(call, "price", day.last);
  trp_exchange_text_add(call->body, "}");
}

static void day_ticker(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  struct trp_walk_day day = {0};
  struct trp_walk_quote best = {0};
  if (call->market->walk != NULL) {
    day = trp_walk_day(call->market->walk, listed->index);
    best = trp_walk_best(call->market->walk, listed->index);
  }
  double change = day.open != 0 ? (double)(day.last - day.open) / (double)day.open * 100 : 0;
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed->name);
  trp_exchange_call_pair(call, "priceChange", day.last - day.open);
  trp_exchange_text_add(call->body, ",\"priceChangePercent\":\"%.3f\"", change);
  trp_exchange_call_pair(
      call, "weightedAvgPrice",
      day.volume > 0 ? (int64_t)llround(day.quote_volume / day.volume * TRP_WALK_UNIT) : day.last);
  trp_exchange_call_pair(call, "prevClosePrice", day.open);
  trp_exchange_call_pair(call, "lastPrice", day.last);
  trp_exchange_call_pair(call, "bidPrice", best.bid);
  trp_exchange_call_pair(call, "bidQty", best.bid_size);
  trp_exchange_call_pair(call, "askPrice", best.ask);
  trp_exchange_call_pair(call, "askQty", best.ask_size);
  trp_exchange_call_pair(call, "openPrice", day.open);
  trp_exchange_call_pair(call, "highPrice", day.high);
  trp_exchange_call_pair(call, "lowPrice", day.low);
  trp_exchange_text_add(call->body,
                        ",\"volume\":\"%.8f\",\"quoteVolume\":\"%.8f\",\"openTime\":%" PRIu64
                        ",\"closeTime\":%" PRIu64 ",\"firstId\":%" PRIu64 ",\"lastId\":%" PRIu64
                        ",\"count\":%" PRIu64 "}",
                        day.volume, day.quote_volume, call->wall_ms - 86400000, call->wall_ms,
                        day.first_trade, day.first_trade + day.trades - 1, day.trades);
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

static void trade(struct trp_exchange_call *call, const struct trp_walk_trade *t, bool aggregate) {
  trp_exchange_text_add(call->body, "{\"%s\":%" PRIu64, aggregate ? "a" : "id", t->id);
  trp_exchange_call_pair(call, aggregate ? "p" : "price", t->price);
  trp_exchange_call_pair(call, aggregate ? "q" : "qty", t->size);
  if (aggregate) {
    trp_exchange_text_add(call->body, ",\"f\":%" PRIu64 ",\"l\":%" PRIu64, t->id, t->id);
  } else {
    double worth = (double)t->price / TRP_WALK_UNIT * ((double)t->size / TRP_WALK_UNIT);
    trp_exchange_text_add(call->body, ",\"quoteQty\":\"%.8f\"", worth);
  }
  trp_exchange_text_add(call->body, ",\"%s\":%" PRIu64 ",\"%s\":%s,\"%s\":true}",
                        aggregate ? "T" : "time", (call->market->wall_ns + t->at_ns) / 1000000,
                        aggregate ? "m" : "isBuyerMaker", t->buyer_is_maker ? "true" : "false",
                        aggregate ? "M" : "isBestMatch");
}

/* The newest of what is remembered, or those from an id on: from the oldest that is remembered
 * where the id is older, and none where it has not come yet. */
static const struct trp_walk_trade *pick(const struct trp_walk_trade *list, uint32_t there,
                                         const uint64_t *from_id, uint32_t limit, uint32_t *count) {
  uint32_t first = there > limit ? there - limit : 0;
  if (from_id != NULL)
    for (first = 0; first < there && list[first].id < *from_id;) first++;
  *count = there - first < limit ? there - first : limit;
  return list + first;
}

static void trades(struct trp_exchange_call *call, bool aggregate) {
  struct trp_exchange_listed listed;
  struct trp_walk_trade list[TRP_WALK_TRADES_MAX];
  uint32_t limit, count, there = 0;
  uint64_t from_id;
  bool from = false;
  if (!trp_exchange_call_symbol(call, "symbol", &listed) ||
      !trp_exchange_call_number(call, "limit", LIMIT_TRADES, LIMIT_TRADES_MAX, false, &limit) ||
      (aggregate && !trp_exchange_call_id(call, "fromId", &from, &from_id))) {
    return;
  }
  if (call->market->walk != NULL) {
    there = trp_walk_trades(call->market->walk, listed.index, list, TRP_WALK_TRADES_MAX);
  }
  const struct trp_walk_trade *chosen = pick(list, there, from ? &from_id : NULL, limit, &count);
  trp_exchange_text_add(call->body, "[");
  for (uint32_t i = 0; i < count; i++) {
    trp_exchange_text_raw(call->body, ",", i > 0);
    trade(call, &chosen[i], aggregate);
  }
  trp_exchange_text_add(call->body, "]");
}

static void do_agg_trades(struct trp_exchange_call *call) { trades(call, true); }
static void do_trades(struct trp_exchange_call *call) { trades(call, false); }

/* ---- weights and routes ------------------------------------------------------------------------
 */

static const struct trp_exchange_route routes[] = {
    {"ping", do_ping, 1, 1, false},
    {"time", do_time, 1, 1, false},
    {"exchangeInfo", do_exchange_info, 20, 20, false},
    {"depth", do_depth, 5, 5, false},
    {"ticker/bookTicker", do_book_ticker, 2, 4, false},
    {"ticker/price", do_price, 2, 4, false},
    {"ticker/24hr", do_day_ticker, 2, 80, false},
    {"aggTrades", do_agg_trades, 4, 4, false},
    {"trades", do_trades, 25, 25, false},
    {"account", trp_exchange_call_signed, 20, 20, true},
    {"order", trp_exchange_call_signed, 4, 4, true},
    {"openOrders", trp_exchange_call_signed, 6, 80, true},
    {"myTrades", trp_exchange_call_signed, 20, 20, true},
};

static uint32_t weigh(const struct trp_exchange_call *call,
                      const struct trp_exchange_route *route) {
  char text[32];
  if (route->run == do_depth) {
    unsigned long limit = trp_exchange_call_parameter(call, "limit", text, sizeof text)
                              ? strtoul(text, NULL, 10)
                              : LIMIT_DEPTH;
    return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
  }
  return trp_exchange_call_parameter(call, "symbol", text, sizeof text) ? route->weight
                                                                        : route->weight_all;
}

void trp_exchange_binance_rest(struct trp_exchange_call *call) {
  static const struct trp_exchange_budget budget = {
      .window_ms = 60000, .max = TRP_EXCHANGE_WEIGHT_MAX, .bans = true};
  const struct trp_exchange_route *route =
      trp_exchange_call_route(call, "/api/v3/", routes, sizeof routes / sizeof routes[0]);
  if (route == NULL) {
    return;
  }
  bool within = trp_exchange_call_charge(call, &budget, 0, weigh(call, route));
  trp_exchange_call_header(call, "X-MBX-USED-WEIGHT-1M: %" PRIu32 "\r\n", call->meter->used[0]);
  if (within) {
    route->run(call);
  }
}
