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
  SYMBOLS_MAX = TRP_REPLAY_SYMBOLS_MAX /* of an answer */,
  LIST_SIZE = 4096 /* bytes of symbols= */
};

struct call {
  const struct trp_exchange_market *market;
  const char *query;
  uint64_t wall_ms;
  struct trp_exchange_response *response;
  struct trp_exchange_text *body;
};

/* A symbol in either kind of market. */
struct listed {
  const char *name;
  uint32_t walk; /* its number in the walk */
};

static void fail(struct call *call, uint16_t status, int code, const char *what) {
  call->response->status = status;
  trp_exchange_text_clear(call->body);
  trp_exchange_text_add(call->body, "{\"code\":%d,\"msg\":\"%s\"}", code, what);
}

/* ---- parameters ---------------------------------------------------------------------------- */

/* Copies the value of a parameter; false where it is absent. One that is malformed or too long is
 * cut there, and is then hardly a valid value of anything. */
static bool parameter(const struct call *call, const char *name, char *out, size_t size) {
  size_t n = strlen(name);
  const char *at = call->query;
  while (*at != '\0' && !(strncmp(at, name, n) == 0 && at[n] == '=')) {
    at += strcspn(at, "&");
    at += *at == '&';
  }
  if (*at == '\0') {
    return false;
  }
  at += n + 1;
  (void)trp_exchange_unescape(at, strcspn(at, "&"), out, size);
  return true;
}

static uint32_t listed_count(const struct call *call) {
  return call->market->walk != NULL ? trp_walk_symbol_count(call->market->walk)
                                    : trp_replay_symbol_count(call->market->replay);
}

static struct listed listed_at(const struct call *call, uint32_t i) {
  return (struct listed){.walk = i,
                         .name = call->market->walk != NULL
                                     ? trp_walk_symbol(call->market->walk, i)->name
                                     : trp_replay_symbol(call->market->replay, i)};
}

static bool find_listed(const struct call *call, const char *name, struct listed *out) {
  for (uint32_t i = 0; i < listed_count(call); i++) {
    *out = listed_at(call, i);
    if (strcmp(out->name, name) == 0) {
      return true;
    }
  }
  return false;
}

/* One named symbol, checked as the exchange does; false where the call has failed. */
static bool take_symbol(struct call *call, const char *name, struct listed *out) {
  size_t size = strlen(name);
  bool legal = size > 0 && size <= 20;
  for (size_t i = 0; i < size; i++) {
    legal = legal && ((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9') ||
                      strchr("-_.", name[i]) != NULL || (unsigned char)name[i] >= 0x80);
  }
  if (!legal) {
    fail(call, 400, -1100,
         "Illegal characters found in parameter 'symbol'; legal range is "
         "'^[A-Z0-9-_.]{1,20}$'.");
    return false;
  }
  if (!find_listed(call, name, out)) {
    fail(call, 400, -1121, "Invalid symbol.");
    return false;
  }
  return true;
}

static bool need_symbol(struct call *call, struct listed *out) {
  char name[32];
  if (!parameter(call, "symbol", name, sizeof name) || name[0] == '\0') {
    fail(call, 400, -1102,
         "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.");
    return false;
  }
  return take_symbol(call, name, out);
}

/* symbol=X, symbols=["X","Y"], or none: all. *single where the answer is one object. */
static bool choose_symbols(struct call *call, struct listed *out, uint32_t *count, bool *single) {
  char text[LIST_SIZE];
  *count = 0;
  *single = parameter(call, "symbol", text, sizeof text);
  if (!*single && !parameter(call, "symbols", text, sizeof text)) {
    for (uint32_t i = 0; i < listed_count(call) && i < SYMBOLS_MAX; i++) {
      out[(*count)++] = listed_at(call, i);
    }
    return true;
  }
  if (*single) {
    return take_symbol(call, text, &out[(*count)++]);
  }
  char *rest = NULL;
  for (char *name = strtok_r(text, "[]\", ", &rest); name != NULL;
       name = strtok_r(NULL, "[]\", ", &rest)) {
    if (*count == SYMBOLS_MAX) {
      fail(call, 400, -1101, "Too many parameters; expected fewer symbols.");
      return false;
    }
    if (!take_symbol(call, name, &out[(*count)++])) {
      return false;
    }
  }
  return true;
}

static bool take_limit(struct call *call, uint32_t usual, uint32_t max, uint32_t *out) {
  char text[24];
  *out = usual;
  if (!parameter(call, "limit", text, sizeof text)) {
    return true;
  }
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 20 || text[digits] != '\0') {
    fail(call, 400, -1100,
         "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.");
    return false;
  }
  unsigned long long n = digits > 9 ? max : strtoull(text, NULL, 10);
  if (n == 0) {
    fail(call, 400, -1130, "Data sent for parameter 'limit' is not valid.");
    return false;
  }
  *out = n > max ? max : (uint32_t)n;
  return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void pair(struct call *call, const char *key, int64_t value) {
  trp_exchange_text_add(call->body, ",\"%s\":\"", key);
  trp_exchange_text_fixed(call->body, value);
  trp_exchange_text_raw(call->body, "\"", 1);
}

static void do_ping(struct call *call) { trp_exchange_text_add(call->body, "{}"); }

static void do_time(struct call *call) {
  trp_exchange_text_add(call->body, "{\"serverTime\":%" PRIu64 "}", call->wall_ms);
}

/* How the exchange describes a symbol; of a recorded one only the name is known. */
static void describe(struct call *call, struct listed listed) {
  struct trp_walk_symbol info = {.base = "", .quote = "USDT", .tick = 1, .step = 1};
  if (call->market->walk != NULL) {
    info = *trp_walk_symbol(call->market->walk, listed.walk);
  } else {
    size_t size = strlen(listed.name);
    size_t tail = size > 4 && strcmp(listed.name + size - 4, "USDT") == 0 ? 4 : 3;
    size_t head = size > tail ? size - tail : size;
    snprintf(info.base, sizeof info.base, "%.*s", (int)head, listed.name);
    snprintf(info.quote, sizeof info.quote, "%s", listed.name + head);
  }
  trp_exchange_text_add(
      call->body,
      "{\"symbol\":\"%s\",\"status\":\"TRADING\",\"baseAsset\":\"%s\",\"baseAssetPrecision\":8,"
      "\"quoteAsset\":\"%s\",\"quotePrecision\":8,\"quoteAssetPrecision\":8,"
      "\"orderTypes\":[\"LIMIT\",\"LIMIT_MAKER\",\"MARKET\"],\"icebergAllowed\":true,"
      "\"ocoAllowed\":true,\"isSpotTradingAllowed\":true,\"isMarginTradingAllowed\":false,"
      "\"filters\":[{\"filterType\":\"PRICE_FILTER\"",
      listed.name, info.base, info.quote);
  pair(call, "minPrice", info.tick);
  pair(call, "maxPrice", 1000000 * (int64_t)TRP_WALK_UNIT);
  pair(call, "tickSize", info.tick);
  trp_exchange_text_add(call->body, "},{\"filterType\":\"LOT_SIZE\"");
  pair(call, "minQty", info.step);
  pair(call, "maxQty", 9000000 * (int64_t)TRP_WALK_UNIT);
  pair(call, "stepSize", info.step);
  trp_exchange_text_add(
      call->body,
      "},{\"filterType\":\"NOTIONAL\",\"minNotional\":\"5.00000000\",\"applyMinToMarket\":true,"
      "\"maxNotional\":\"9000000.00000000\",\"applyMaxToMarket\":false,\"avgPriceMins\":5}],"
      "\"permissions\":[],\"permissionSets\":[[\"SPOT\"]]}");
}

static void do_exchange_info(struct call *call) {
  struct listed listed[SYMBOLS_MAX];
  uint32_t count;
  bool single;
  if (!choose_symbols(call, listed, &count, &single)) {
    return;
  }
  trp_exchange_text_add(call->body,
                        "{\"timezone\":\"UTC\",\"serverTime\":%" PRIu64
                        ",\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":"
                        "\"MINUTE\",\"intervalNum\":1,\"limit\":%d}],\"exchangeFilters\":[],"
                        "\"symbols\":[",
                        call->wall_ms, TRP_EXCHANGE_WEIGHT_MAX);
  for (uint32_t i = 0; i < count; i++) {
    trp_exchange_text_raw(call->body, ",", i > 0);
    describe(call, listed[i]);
  }
  trp_exchange_text_add(call->body, "]}");
}

static void do_depth(struct call *call) {
  struct listed listed;
  uint32_t limit;
  if (!need_symbol(call, &listed) || !take_limit(call, LIMIT_DEPTH, LIMIT_DEPTH_MAX, &limit)) {
    return;
  }
  if (call->market->walk != NULL) {
    call->body->failed |=
        !trp_exchange_binance_depth(call->body, call->market->walk, listed.walk, limit);
    return;
  }
  size_t size;
  const char *snapshot = trp_replay_snapshot(call->market->replay, listed.name, &size);
  if (snapshot == NULL) {
    fail(call, 400, -1121, "Invalid symbol.");
    return;
  }
  trp_exchange_text_raw(call->body, snapshot, size);
}

/* The first level of a side of a recorded snapshot: "bids":[["PRICE","SIZE"] */
static void recorded_level(const char *body, size_t size, const char *side, char price[32],
                           char amount[32]) {
  snprintf(price, 32, "0.00000000");
  snprintf(amount, 32, "0.00000000");
  const char *at = memmem(body, size, side, strlen(side));
  if (at != NULL) {
    char text[80];
    size_t rest = (size_t)(body + size - at);
    snprintf(text, sizeof text, "%.*s", rest < 79 ? (int)rest : 79, at);
    sscanf(text + strlen(side), ":[[\"%31[0-9.]\",\"%31[0-9.]\"", price, amount);
  }
}

static void recorded_ticker(struct call *call, const char *symbol) {
  size_t size = 0;
  const char *body = trp_replay_snapshot(call->market->replay, symbol, &size);
  char text[4][32];
  recorded_level(body != NULL ? body : "", size, "\"bids\"", text[0], text[1]);
  recorded_level(body != NULL ? body : "", size, "\"asks\"", text[2], text[3]);
  trp_exchange_text_add(call->body,
                        "{\"symbol\":\"%s\",\"bidPrice\":\"%s\",\"bidQty\":\"%s\",\"askPrice\":\""
                        "%s\",\"askQty\":\"%s\"}",
                        symbol, text[0], text[1], text[2], text[3]);
}

static void book_ticker(struct call *call, struct listed listed) {
  if (call->market->walk == NULL) {
    recorded_ticker(call, listed.name);
    return;
  }
  struct trp_walk_quote best = trp_walk_best(call->market->walk, listed.walk);
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed.name);
  pair(call, "bidPrice", best.bid);
  pair(call, "bidQty", best.bid_size);
  pair(call, "askPrice", best.ask);
  pair(call, "askQty", best.ask_size);
  trp_exchange_text_add(call->body, "}");
}

static void price(struct call *call, struct listed listed) {
  struct trp_walk_day day = {0};
  if (call->market->walk != NULL) {
    day = trp_walk_day(call->market->walk, listed.walk);
  }
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed.name);
  pair(call, "price", day.last);
  trp_exchange_text_add(call->body, "}");
}

static void day_ticker(struct call *call, struct listed listed) {
  struct trp_walk_day day = {0};
  struct trp_walk_quote best = {0};
  if (call->market->walk != NULL) {
    day = trp_walk_day(call->market->walk, listed.walk);
    best = trp_walk_best(call->market->walk, listed.walk);
  }
  double change = day.open != 0 ? (double)(day.last - day.open) / (double)day.open * 100 : 0;
  trp_exchange_text_add(call->body, "{\"symbol\":\"%s\"", listed.name);
  pair(call, "priceChange", day.last - day.open);
  trp_exchange_text_add(call->body, ",\"priceChangePercent\":\"%.3f\"", change);
  pair(call, "weightedAvgPrice",
       day.volume > 0 ? (int64_t)llround(day.quote_volume / day.volume * TRP_WALK_UNIT) : day.last);
  pair(call, "prevClosePrice", day.open);
  pair(call, "lastPrice", day.last);
  pair(call, "bidPrice", best.bid);
  pair(call, "bidQty", best.bid_size);
  pair(call, "askPrice", best.ask);
  pair(call, "askQty", best.ask_size);
  pair(call, "openPrice", day.open);
  pair(call, "highPrice", day.high);
  pair(call, "lowPrice", day.low);
  trp_exchange_text_add(call->body,
                        ",\"volume\":\"%.8f\",\"quoteVolume\":\"%.8f\",\"openTime\":%" PRIu64
                        ",\"closeTime\":%" PRIu64 ",\"firstId\":%" PRIu64 ",\"lastId\":%" PRIu64
                        ",\"count\":%" PRIu64 "}",
                        day.volume, day.quote_volume, call->wall_ms - 86400000, call->wall_ms,
                        day.first_trade, day.first_trade + day.trades - 1, day.trades);
}

/* One object for symbol=, a list otherwise. */
static void tickers(struct call *call, void (*one)(struct call *call, struct listed listed)) {
  struct listed listed[SYMBOLS_MAX];
  uint32_t count;
  bool single;
  if (!choose_symbols(call, listed, &count, &single)) {
    return;
  }
  trp_exchange_text_raw(call->body, "[", !single);
  for (uint32_t i = 0; i < count; i++) {
    trp_exchange_text_raw(call->body, ",", i > 0);
    one(call, listed[i]);
  }
  trp_exchange_text_raw(call->body, "]", !single);
}

static void do_book_ticker(struct call *call) { tickers(call, book_ticker); }
static void do_price(struct call *call) { tickers(call, price); }
static void do_day_ticker(struct call *call) { tickers(call, day_ticker); }

static void trade(struct call *call, const struct trp_walk_trade *t, bool aggregate) {
  trp_exchange_text_add(call->body, "{\"%s\":%" PRIu64, aggregate ? "a" : "id", t->id);
  pair(call, aggregate ? "p" : "price", t->price);
  pair(call, aggregate ? "q" : "qty", t->size);
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

static void trades(struct call *call, bool aggregate) {
  struct listed listed;
  uint32_t limit;
  if (!need_symbol(call, &listed) || !take_limit(call, LIMIT_TRADES, LIMIT_TRADES_MAX, &limit)) {
    return;
  }
  struct trp_walk_trade list[TRP_WALK_TRADES_MAX];
  uint32_t max = limit < TRP_WALK_TRADES_MAX ? limit : TRP_WALK_TRADES_MAX;
  uint32_t count =
      call->market->walk != NULL ? trp_walk_trades(call->market->walk, listed.walk, list, max) : 0;
  trp_exchange_text_add(call->body, "[");
  for (uint32_t i = 0; i < count; i++) {
    trp_exchange_text_raw(call->body, ",", i > 0);
    trade(call, &list[i], aggregate);
  }
  trp_exchange_text_add(call->body, "]");
}

static void do_agg_trades(struct call *call) { trades(call, true); }
static void do_trades(struct call *call) { trades(call, false); }

/* ---- weights and routes ------------------------------------------------------------------------
 */

static const struct route {
  const char *path;
  void (*run)(struct call *call);
  uint32_t weight, weight_all; /* weight_all: without symbol= */
} routes[] = {
    {"ping", do_ping, 1, 1},
    {"time", do_time, 1, 1},
    {"exchangeInfo", do_exchange_info, 20, 20},
    {"depth", do_depth, 5, 5},
    {"ticker/bookTicker", do_book_ticker, 2, 4},
    {"ticker/price", do_price, 2, 4},
    {"ticker/24hr", do_day_ticker, 2, 80},
    {"aggTrades", do_agg_trades, 4, 4},
    {"trades", do_trades, 25, 25},
};

static uint32_t weigh(const struct call *call, const struct route *route) {
  char text[32];
  if (route->run == do_depth) {
    unsigned long limit =
        parameter(call, "limit", text, sizeof text) ? strtoul(text, NULL, 10) : LIMIT_DEPTH;
    return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
  }
  return parameter(call, "symbol", text, sizeof text) ? route->weight : route->weight_all;
}

static const struct route *find_route(const char *method, const char *path) {
  static const char base[] = "/api/v3/";
  if (strcmp(method, "GET") != 0 || strncmp(path, base, sizeof base - 1) != 0) {
    return NULL;
  }
  path += sizeof base - 1;
  size_t size = strcspn(path, "?");
  for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
    if (strlen(routes[i].path) == size && memcmp(routes[i].path, path, size) == 0) {
      return &routes[i];
    }
  }
  return NULL;
}

/* Counts the weight; over the limit the call is not run and has nothing but this answer. */
static bool charge(struct call *call, struct trp_exchange_weight *weight, uint32_t units) {
  uint64_t minute = call->wall_ms / 60000;
  uint32_t max = weight->max != 0 ? weight->max : TRP_EXCHANGE_WEIGHT_MAX;
  if (weight->minute != minute) {
    weight->minute = minute;
    weight->used = 0;
  }
  weight->used += units;
  int size = snprintf(call->response->extra, sizeof call->response->extra,
                      "X-MBX-USED-WEIGHT-1M: %u\r\n", weight->used);
  if (weight->used <= max) {
    return true;
  }
  snprintf(call->response->extra + size, sizeof call->response->extra - (size_t)size,
           "Retry-After: %" PRIu64 "\r\n", 60 - call->wall_ms / 1000 % 60);
  char what[224];
  snprintf(what, sizeof what,
           "Too much request weight used; current limit is %u request weight per 1 MINUTE. Please "
           "use WebSocket Streams for live updates to avoid polling the API.",
           max);
  fail(call, 429, -1003, what);
  return false;
}

void trp_exchange_binance_rest(const struct trp_exchange_market *market,
                               struct trp_exchange_weight *weight, const char *method,
                               const char *path, uint64_t now_ns,
                               struct trp_exchange_response *response,
                               struct trp_exchange_text *body) {
  *response = (struct trp_exchange_response){.status = 200};
  trp_exchange_text_clear(body);
  const char *question = strchr(path, '?');
  struct call call = {.market = market,
                      .query = question != NULL ? question + 1 : "",
                      .wall_ms = (market->wall_ns + now_ns) / 1000000,
                      .response = response,
                      .body = body};
  const struct route *route = find_route(method, path);
  if (route == NULL) {
    fail(&call, 404, -1000, "Not found.");
    return;
  }
  if (!charge(&call, weight, weigh(&call, route))) {
    return;
  }
  route->run(&call);
  if (body->failed) {
    fail(&call, 500, -1000, "An unknown error occurred while processing the request.");
  }
}
