/* What is asked of Binance by HTTP beside snapshots: quotes of many symbols, trades by their ids,
 * and the list of symbols. */
#include <string.h>

#include "adapters/binance_parser.h"
#include "adapters/json_levels.h"
#include "adapters/json_listing.h"

/* ---- URLs --------------------------------------------------------------------------------- */

bool trp_binance_tickers_url(char *out, size_t size, const char *http_base,
                             const char *const *symbols, uint32_t count) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, http_base);
  trp_wire_put(&url, "/api/v3/ticker/bookTicker?symbols=");
  trp_wire_put_encoded(&url, "[\"");
  for (uint32_t i = 0; i < count; i++) {
    if (i != 0) trp_wire_put_encoded(&url, "\",\"");
    trp_wire_put_encoded(&url, symbols[i]);
  }
  trp_wire_put_encoded(&url, "\"]");
  return !url.full;
}

bool trp_binance_trades_url(char *out, size_t size, const char *http_base, const char *symbol,
                            uint64_t from_id, uint32_t limit) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, http_base);
  trp_wire_put(&url, "/api/v3/aggTrades?symbol=");
  trp_wire_put_encoded(&url, symbol);
  trp_wire_put(&url, "&limit=");
  trp_wire_put_u64(&url, limit);
  if (from_id != 0) trp_wire_put(&url, "&fromId=");
  if (from_id != 0) trp_wire_put_u64(&url, from_id);
  return !url.full;
}

/* What each account may do with a symbol is the better part of the body, and of no use here. */
bool trp_binance_listing_url(char *out, size_t size, const char *http_base) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, http_base);
  trp_wire_put(&url, "/api/v3/exchangeInfo?showPermissionSets=false");
  return !url.full;
}

/* ---- trades ------------------------------------------------------------------------------- */

enum member { M_ID = 1, M_PRICE = 2, M_SIZE = 4, M_TIME = 8, M_MAKER = 16, M_ALL = 31 };

struct trades {
  trp_binance_ticker_fn *each;
  void *arg;
  struct trp_binance_event event;
  uint32_t seen;
  uint64_t time;
};

static void take_number(struct trades *t, enum member member, double *out,
                        const struct trp_json_value *value) {
  struct trp_decimal decimal;
  if (!trp_json_to_decimal(value, &decimal)) return;
  *out = decimal.value;
  t->event.inexact += decimal.inexact;
  t->seen |= member;
}

static void take_id(struct trades *t, enum member member, uint64_t *out,
                    const struct trp_json_value *value) {
  if (value->kind == TRP_JSON_NUMBER && trp_json_to_u64(value, out)) t->seen |= member;
}

/* A trade is whole at its closing bracket. */
static bool give_trade(struct trades *t) {
  if (t->seen != M_ALL) return false;
  t->event.exchange_us = trp_binance_time_us(t->time);
  t->each(t->arg, &t->event);
  t->seen = t->event.inexact = 0;
  return true;
}

static bool visit_trade(void *arg, const struct trp_json_value *value) {
  struct trades *t = arg;
  struct trp_wire_trade *trade = &t->event.trade;
  if (value->kind == TRP_JSON_OBJECT_END) return give_trade(t);
  if (strncmp(value->path, "[].", 3) != 0) return true;
  const char *name = value->path + 3;
  if (strcmp(name, "a") == 0) take_id(t, M_ID, &trade->id, value);
  if (strcmp(name, "T") == 0) take_id(t, M_TIME, &t->time, value);
  if (strcmp(name, "p") == 0) take_number(t, M_PRICE, &trade->price, value);
  if (strcmp(name, "q") == 0) take_number(t, M_SIZE, &trade->size, value);
  if (strcmp(name, "m") == 0 && (value->kind == TRP_JSON_TRUE || value->kind == TRP_JSON_FALSE)) {
    trade->taker_sold = value->kind == TRP_JSON_TRUE;
    t->seen |= M_MAKER;
  }
  return true;
}

enum trp_err trp_binance_parse_trades(struct trp_binance_parser *parser, const void *bytes,
                                      size_t size, trp_binance_ticker_fn *each, void *arg) {
  struct trades trades = {.each = each, .arg = arg, .event = {.kind = TRP_BINANCE_TRADE}};
  trades.event.trade.aggregate = true;
  enum trp_err err = trp_json_walk(bytes, size, visit_trade, &trades, &parser->reason);
  if (err != TRP_CANCELLED) return err;
  parser->reason = "an aggTrade with a member missing or bad";
  return TRP_MALFORMED;
}

/* ---- the list ----------------------------------------------------------------------------- */

enum trp_err trp_binance_parse_listing(struct trp_binance_parser *parser, const void *bytes,
                                       size_t size, void (*each)(void *arg, const char *symbol),
                                       void *arg) {
  return trp_json_listing(bytes, size, "symbols[].symbol", each, arg, &parser->reason);
}
