/* The REST side. Each endpoint has a budget of its own, and every answer says what is left. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_gateio.h"
#include "adapters/exchange_request.h"
#include "runtime/troupe.h"

enum { LIMIT_BOOK = 10, LIMIT_BOOK_MAX = 1000, LIMIT_TRADES = 100, LIMIT_TRADES_MAX = 1000 };

static const struct trp_exchange_budget budget = {.window_ms = 10000, .max = 200};

/* ---- refusals ----------------------------------------------------------------------------------
 */

static void fail(struct trp_exchange_call *call, uint16_t status, const char *label,
                 const char *message, const char *what) {
  char text[160];
  snprintf(text, sizeof text, "%s%s", message, what);
  for (char *c = text; *c != '\0'; c++) {
    *c = trp_exchange_plain(*c) || strchr(" :,()/", *c) != NULL ? *c : '?';
  }
  call->response->status = status;
  trp_exchange_text_clear(call->body);
  trp_exchange_text_add(call->body, "{\"label\":\"%s\",\"message\":\"%s\"}", label, text);
}

void trp_exchange_gateio_refuse(struct trp_exchange_call *call, enum trp_exchange_problem problem,
                                const char *what) {
  switch (problem) {
    case TRP_EXCHANGE_NO_ROUTE:
      fail(call, 404, "NOT_FOUND", "Not found", "");
      return;
    case TRP_EXCHANGE_MISSING:
      fail(call, 400, "MISSING_REQUIRED_PARAM", "Missing required parameter: ", what);
      return;
    case TRP_EXCHANGE_ILLEGAL:
    case TRP_EXCHANGE_RANGE:
    case TRP_EXCHANGE_CROWDED:
      fail(call, 400, "INVALID_PARAM_VALUE", "Invalid value of parameter ", what);
      return;
    case TRP_EXCHANGE_UNKNOWN:
      fail(call, 400, "INVALID_CURRENCY_PAIR", "Invalid currency pair ", what);
      return;
    case TRP_EXCHANGE_LATE:
      fail(call, 403, "REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds 60",
           "");
      return;
    case TRP_EXCHANGE_UNSIGNED:
      fail(call, 401, "MISSING_REQUIRED_HEADER", "Missing required header: ", "KEY");
      return;
    case TRP_EXCHANGE_BANNED: /* which this exchange does not know: a fault says when it ends */
      trp_exchange_call_header(call, "Retry-After: %" PRIu32 "\r\n", call->retry_after_s);
      fail(call, 418, "TOO_MANY_REQUESTS", "Request Rate limit Exceeded", "");
      return;
    case TRP_EXCHANGE_TOO_MANY: /* without Retry-After, as documented */
      trp_exchange_call_header(call, "X-Gate-RateLimit-Reset-Timestamp: %" PRIu64 "\r\n",
                               call->wall_ms / 1000 + call->retry_after_s);
      fail(call, 429, "TOO_MANY_REQUESTS", "Request Rate limit Exceeded", "");
      return;
    case TRP_EXCHANGE_UNAVAILABLE:
      fail(call, 503, "SERVER_ERROR", "Service unavailable", "");
      return;
    case TRP_EXCHANGE_BROKEN:
      break;
  }
  fail(call, 500, "INTERNAL", "Internal server error", "");
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static void number(struct trp_exchange_call *call, const char *key, int64_t value) {
  trp_exchange_text_add(call->body, ",\"%s\":\"", key);
  trp_exchange_text_short(call->body, value);
  trp_exchange_text_raw(call->body, "\"", 1);
}

static void do_time(struct trp_exchange_call *call) {
  trp_exchange_text_add(call->body, "{\"server_time\":%" PRIu64 "}", call->wall_ms);
}

static void do_empty_list(struct trp_exchange_call *call) {
  trp_exchange_text_add(call->body, "[]");
}

/* How many decimals a step has. */
static int decimals(int64_t step) {
  int count = 8;
  while (count > 0 && step % 10 == 0) {
    step /= 10;
    count--;
  }
  return count;
}

static void describe(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  trp_exchange_text_add(call->body,
                        "{\"id\":\"%s\",\"base\":\"%s\",\"base_name\":\"%s\",\"quote\":\"%s\","
                        "\"quote_name\":\"%s\",\"fee\":\"0.2\"",
                        listed->name, listed->base, listed->base, listed->quote, listed->quote);
  number(call, "min_base_amount", listed->step);
  trp_exchange_text_add(call->body,
                        ",\"min_quote_amount\":\"3\",\"max_quote_amount\":\"5000000\","
                        "\"amount_precision\":%d,\"precision\":%d,\"trade_status\":\"tradable\","
                        "\"sell_start\":0,\"buy_start\":0,\"type\":\"normal\"}",
                        decimals(listed->step), decimals(listed->tick));
}

static void do_currency_pairs(struct trp_exchange_call *call) {
  trp_exchange_text_add(call->body, "[");
  for (uint32_t i = 0; i < trp_exchange_listed_count(call->market); i++) {
    struct trp_exchange_listed listed;
    trp_exchange_listed_at(call->market, i, true, &listed);
    trp_exchange_text_raw(call->body, ",", i > 0);
    describe(call, &listed);
  }
  trp_exchange_text_add(call->body, "]");
}

static void currency(struct trp_exchange_call *call, const char *name) {
  trp_exchange_text_add(call->body,
                        "%s{\"currency\":\"%s\",\"name\":\"%s\",\"delisted\":false,"
                        "\"withdraw_disabled\":false,\"withdraw_delayed\":false,"
                        "\"deposit_disabled\":false,\"trade_disabled\":false,\"chain\":\"%s\","
                        "\"chains\":[]}",
                        call->body->size > 1 ? "," : "", name, name, name);
}

/* Whether an earlier symbol has this asset, or this symbol itself twice. */
static bool was_told(const struct trp_exchange_call *call, uint32_t i, const char *asset,
                     bool quote) {
  struct trp_exchange_listed listed;
  for (uint32_t j = 0; j <= i; j++) {
    trp_exchange_listed_at(call->market, j, true, &listed);
    bool base_before = j < i || quote;
    if ((base_before && strcmp(listed.base, asset) == 0) ||
        (j < i && strcmp(listed.quote, asset) == 0)) {
      return true;
    }
  }
  return false;
}

static void do_currencies(struct trp_exchange_call *call) {
  trp_exchange_text_add(call->body, "[");
  for (uint32_t i = 0; i < trp_exchange_listed_count(call->market); i++) {
    struct trp_exchange_listed listed;
    trp_exchange_listed_at(call->market, i, true, &listed);
    if (!was_told(call, i, listed.base, false)) {
      currency(call, listed.base);
    }
    if (!was_told(call, i, listed.quote, true)) {
      currency(call, listed.quote);
    }
  }
  trp_exchange_text_add(call->body, "]");
}

static void recorded_ticker(struct trp_exchange_call *call, const char *pair) {
  char text[4][32];
  trp_exchange_recorded_best(call->market, pair, text);
  trp_exchange_text_add(call->body,
                        "{\"currency_pair\":\"%s\",\"last\":\"%s\",\"lowest_ask\":\"%s\","
                        "\"lowest_size\":\"%s\",\"highest_bid\":\"%s\",\"highest_size\":\"%s\","
                        "\"change_percentage\":\"0\",\"base_volume\":\"0\",\"quote_volume\":\"0\","
                        "\"high_24h\":\"%s\",\"low_24h\":\"%s\"}",
                        pair, text[0], text[2], text[3], text[0], text[1], text[2], text[0]);
}

static void ticker(struct trp_exchange_call *call, const struct trp_exchange_listed *listed) {
  if (call->market->walk == NULL) {
    recorded_ticker(call, listed->name);
    return;
  }
  struct trp_walk_day day = trp_walk_day(call->market->walk, listed->index);
  struct trp_walk_quote best = trp_walk_best(call->market->walk, listed->index);
  trp_exchange_text_add(call->body, "{\"currency_pair\":\"%s\"", listed->name);
  number(call, "last", day.last);
  number(call, "lowest_ask", best.ask);
  number(call, "lowest_size", best.ask_size);
  number(call, "highest_bid", best.bid);
  number(call, "highest_size", best.bid_size);
  trp_exchange_text_add(call->body,
                        ",\"change_percentage\":\"%.2f\",\"base_volume\":\"%.8f\","
                        "\"quote_volume\":\"%.8f\"",
                        (double)(day.last - day.open) / (double)day.open * 100.0, day.volume,
                        day.quote_volume);
  number(call, "high_24h", day.high);
  number(call, "low_24h", day.low);
  trp_exchange_text_raw(call->body, "}", 1);
}

static void do_tickers(struct trp_exchange_call *call) {
  struct trp_exchange_choice choice;
  if (!trp_exchange_call_choose(call, "currency_pair", NULL, &choice)) {
    return;
  }
  trp_exchange_text_add(call->body, "[");
  for (uint32_t i = 0; i < choice.count; i++) {
    struct trp_exchange_listed listed;
    trp_exchange_listed_at(call->market, choice.index[i], true, &listed);
    trp_exchange_text_raw(call->body, ",", i > 0);
    ticker(call, &listed);
  }
  trp_exchange_text_add(call->body, "]");
}

static void book(struct trp_exchange_call *call, uint32_t symbol, uint32_t limit, bool with_id) {
  struct trp_walk_level levels[LIMIT_BOOK_MAX];
  const struct trp_walk *walk = call->market->walk;
  trp_exchange_text_add(call->body, "{");
  if (with_id) {
    trp_exchange_text_add(call->body, "\"id\":%" PRIu64 ",", trp_walk_best(walk, symbol).id);
  }
  trp_exchange_text_add(call->body,
                        "\"current\":%" PRIu64 ",\"update\":%" PRIu64 ",\"asks\":", call->wall_ms,
                        call->wall_ms);
  trp_exchange_text_levels(call->body, levels, trp_walk_levels(walk, symbol, false, levels, limit),
                           false);
  trp_exchange_text_add(call->body, ",\"bids\":");
  trp_exchange_text_levels(call->body, levels, trp_walk_levels(walk, symbol, true, levels, limit),
                           false);
  trp_exchange_text_add(call->body, "}");
}

static void do_order_book(struct trp_exchange_call *call) {
  struct trp_exchange_listed listed;
  uint32_t limit;
  char with_id[8] = "";
  if (!trp_exchange_call_symbol(call, "currency_pair", &listed) ||
      !trp_exchange_call_number(call, "limit", LIMIT_BOOK, LIMIT_BOOK_MAX, true, &limit)) {
    return;
  }
  (void)trp_exchange_call_parameter(call, "with_id", with_id, sizeof with_id);
  if (call->market->walk != NULL) {
    book(call, listed.index, limit, strcmp(with_id, "true") == 0);
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

/* Everything is text here, and the newest comes first. */
static void do_trades(struct trp_exchange_call *call) {
  struct trp_exchange_listed listed;
  struct trp_walk_trade list[TRP_WALK_TRADES_MAX];
  uint32_t limit;
  if (!trp_exchange_call_symbol(call, "currency_pair", &listed) ||
      !trp_exchange_call_number(call, "limit", LIMIT_TRADES, LIMIT_TRADES_MAX, true, &limit)) {
    return;
  }
  uint32_t max = limit < TRP_WALK_TRADES_MAX ? limit : TRP_WALK_TRADES_MAX;
  uint32_t count =
      call->market->walk != NULL ? trp_walk_trades(call->market->walk, listed.index, list, max) : 0;
  trp_exchange_text_add(call->body, "[");
  for (uint32_t i = count; i-- > 0;) {
    uint64_t at_us = (call->market->wall_ns + list[i].at_ns) / 1000;
    trp_exchange_text_add(
        call->body,
        "%s{\"id\":\"%" PRIu64 "\",\"create_time\":\"%" PRIu64 "\",\"create_time_ms\":\"%" PRIu64
        ".%03u\",\"currency_pair\":\"%s\","
        "\"side\":\"%s\"",
        i + 1 < count ? "," : "", list[i].id, at_us / 1000000, at_us / 1000,
        (unsigned)(at_us % 1000), listed.name, list[i].buyer_is_maker ? "sell" : "buy");
    number(call, "amount", list[i].size);
    number(call, "price", list[i].price);
    trp_exchange_text_add(call->body, ",\"sequence_id\":\"%" PRIu64 "\"}", list[i].id);
  }
  trp_exchange_text_add(call->body, "]");
}

/* The time stamp is a header, which is not looked at where no key can be right. */
static void do_signed(struct trp_exchange_call *call) {
  call->refuse(call, TRP_EXCHANGE_UNSIGNED, "");
}

/* ---- routes ------------------------------------------------------------------------------------
 */

static const struct trp_exchange_route routes[] = {
    {"spot/time", do_time, 1, 1, false},
    {"spot/currencies", do_currencies, 1, 1, false},
    {"spot/currency_pairs", do_currency_pairs, 1, 1, false},
    {"spot/tickers", do_tickers, 1, 1, false},
    {"spot/order_book", do_order_book, 1, 1, false},
    {"spot/trades", do_trades, 1, 1, false},
    {"margin/currency_pairs", do_empty_list, 1, 1, false},
    {"spot/orders", do_signed, 1, 1, true},
    {"spot/accounts", do_signed, 1, 1, true},
    {"spot/my_trades", do_signed, 1, 1, true},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };
_Static_assert(ROUTES < TRP_EXCHANGE_COUNTERS_MAX, "a counter a route, and one for a single pair");

/* /api/v4/spot/currency_pairs/BTC_USDT; false where the path is another. */
static bool one_pair(struct trp_exchange_call *call) {
  static const char base[] = "/api/v4/spot/currency_pairs/";
  char name[40];
  struct trp_exchange_listed listed;
  if (strncmp(call->path, base, sizeof base - 1) != 0) {
    return false;
  }
  const char *at = call->path + sizeof base - 1;
  snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "?"), at);
  if (!trp_exchange_listed_find(call->market, name, true, &listed)) {
    call->refuse(call, TRP_EXCHANGE_UNKNOWN, name);
  } else if (trp_exchange_call_charge(call, &budget, ROUTES, 1)) {
    describe(call, &listed);
  }
  return true;
}

void trp_exchange_gateio_rest(struct trp_exchange_call *call) {
  if (one_pair(call)) {
    return;
  }
  const struct trp_exchange_route *route =
      trp_exchange_call_route(call, "/api/v4/", routes, ROUTES);
  if (route == NULL) {
    return;
  }
  uint32_t counter = (uint32_t)(route - routes);
  bool within = trp_exchange_call_charge(call, &budget, counter, 1);
  uint32_t used = call->meter->used[counter];
  uint32_t left = used < call->limit_max ? call->limit_max - used : 0;
  trp_exchange_call_header(call,
                           "X-Gate-RateLimit-Limit: %" PRIu32
                           "\r\n"
                           "X-Gate-RateLimit-Requests-Remain: %" PRIu32 "\r\n",
                           call->limit_max, left);
  if (within) {
    trp_exchange_call_header(call, "X-Gate-RateLimit-Reset-Timestamp: %" PRIu64 "\r\n",
                             (call->wall_ms / budget.window_ms + 1) * budget.window_ms / 1000);
    route->run(call);
  }
}
