/* Binary frames, through protobuf-c. It allocates for every message, text and unknown field, so it
 * is given one block to allocate from, emptied for every frame: nothing to free, nothing that a
 * hostile length could ask for beyond the block. */
#include <string.h>

#include "adapters/decimal.h"
#include "adapters/mexc.pb-c.h"
#include "adapters/mexc_parser.h"

/* ---- memory ------------------------------------------------------------------------------- */

static void *arena_alloc(void *arg, size_t size) {
  struct trp_mexc_parser *parser = arg;
  size_t room = TRP_MEXC_ARENA_BYTES - parser->arena_used;
  if (size > room || room - size < 15) {
    parser->arena_full = true;
    return NULL;
  }
  void *out = parser->arena + parser->arena_used;
  parser->arena_used += (size + 15) & ~(size_t)15;
  return out;
}

static void arena_free(void *arg, void *pointer) { (void)arg, (void)pointer; }

/* ---- values ------------------------------------------------------------------------------- */

static enum trp_err refuse(struct trp_mexc_parser *parser, const char *reason) {
  parser->reason = reason;
  return TRP_MALFORMED;
}

static enum trp_err too_big(struct trp_mexc_parser *parser, const char *reason) {
  parser->reason = reason;
  return TRP_TOO_BIG;
}

static bool take_decimal(const char *text, double *out, uint32_t *inexact) {
  struct trp_decimal decimal;
  if (trp_decimal_parse(text, strlen(text), &decimal) != TRP_OK || !(decimal.value >= 0))
    return false;
  *out = decimal.value;
  *inexact += decimal.inexact;
  return true;
}

/* The digits that a text begins with; `*end` is behind them. false: there are none, or too many. */
static bool take_digits(const char *text, uint64_t *out, const char **end) {
  uint64_t number = 0;
  const char *at = text;
  for (; *at >= '0' && *at <= '9'; at++)
    if (__builtin_mul_overflow(number, 10u, &number) ||
        __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
      return false;
  *out = number;
  *end = at;
  return at != text;
}

/* Versions are texts of digits. */
static bool take_version(const char *text, uint64_t *out) {
  const char *end;
  return take_digits(text, out, &end) && *end == '\0';
}

/* ---- quotes ------------------------------------------------------------------------------- */

/* A side is whole, or absent where the book has no orders on it. */
static bool take_side(const char *price, const char *size, double *price_out, double *size_out,
                      uint32_t *inexact) {
  if (price[0] == '\0' && size[0] == '\0') return true;
  return take_decimal(price, price_out, inexact) && take_decimal(size, size_out, inexact);
}

static bool take_quote(const Trp__Mexc__BookTicker *ticker, struct trp_wire_quote *out,
                       uint32_t *inexact) {
  *out = (struct trp_wire_quote){0};
  if (ticker->version[0] != '\0' && !take_version(ticker->version, &out->update_id)) return false;
  return (ticker->bid_price[0] != '\0' || ticker->ask_price[0] != '\0') &&
         take_side(ticker->bid_price, ticker->bid_quantity, &out->bid, &out->bid_size, inexact) &&
         take_side(ticker->ask_price, ticker->ask_quantity, &out->ask, &out->ask_size, inexact);
}

static enum trp_err give_quotes(struct trp_mexc_parser *parser, Trp__Mexc__BookTicker *const *items,
                                size_t count, struct trp_mexc_event *out) {
  if (count > TRP_MEXC_ITEMS_MAX) return too_big(parser, "more quotes than a frame may have");
  out->kind = TRP_MEXC_QUOTES;
  out->quotes = parser->quotes;
  out->quote_count = (uint32_t)count;
  for (size_t i = 0; i < count; i++)
    if (!take_quote(items[i], &parser->quotes[i], &out->inexact))
      return refuse(parser, "a bookTicker with a member missing or bad");
  return TRP_OK;
}

/* ---- trades ------------------------------------------------------------------------------- */

static bool take_trade(const Trp__Mexc__Deal *deal, struct trp_mexc_trade *out, uint32_t *inexact) {
  const char *end;
  *out = (struct trp_mexc_trade){.exchange_us = trp_mexc_time_us(deal->time),
                                 .id_text = deal->trade_id};
  out->trade.taker_sold = deal->trade_type == 2;
  out->trade.aggregate = true;
  if (!take_digits(deal->trade_id, &out->trade.id, &end)) out->trade.id = 0;
  return (deal->trade_type == 1 || deal->trade_type == 2) &&
         take_decimal(deal->price, &out->trade.price, inexact) &&
         take_decimal(deal->quantity, &out->trade.size, inexact);
}

static enum trp_err give_trades(struct trp_mexc_parser *parser, const Trp__Mexc__Deals *deals,
                                struct trp_mexc_event *out) {
  if (deals->n_items > TRP_MEXC_ITEMS_MAX)
    return too_big(parser, "more trades than a frame may have");
  out->kind = TRP_MEXC_TRADES;
  out->trades = parser->trades;
  out->trade_count = (uint32_t)deals->n_items;
  for (size_t i = 0; i < deals->n_items; i++)
    if (!take_trade(deals->items[i], &parser->trades[i], &out->inexact))
      return refuse(parser, "a trade with a member missing or bad");
  return TRP_OK;
}

/* ---- books -------------------------------------------------------------------------------- */

static enum trp_err take_levels(struct trp_mexc_parser *parser, Trp__Mexc__Level *const *items,
                                size_t count, uint32_t side, struct trp_mexc_event *out) {
  if (count > TRP_MEXC_SIDE_MAX) return too_big(parser, "more levels than a side may have");
  for (size_t i = 0; i < count; i++) {
    struct trp_level *level = &parser->levels[out->depth.count++];
    *level = (struct trp_level){.side = side};
    if (!take_decimal(items[i]->price, &level->price, &out->inexact) ||
        !take_decimal(items[i]->quantity, &level->size, &out->inexact))
      return refuse(parser, "a book with a bad level");
  }
  return TRP_OK;
}

static enum trp_err give_top(struct trp_mexc_parser *parser, const Trp__Mexc__LimitDepths *depths,
                             struct trp_mexc_event *out) {
  uint64_t version = 0;
  if (depths->version[0] != '\0' && !take_version(depths->version, &version))
    return refuse(parser, "a book with a bad version");
  out->kind = TRP_MEXC_TOP;
  out->depth =
      (struct trp_wire_depth){.first_id = version, .final_id = version, .levels = parser->levels};
  enum trp_err err = take_levels(parser, depths->bids, depths->n_bids, 1, out);
  return err != TRP_OK ? err : take_levels(parser, depths->asks, depths->n_asks, 2, out);
}

static enum trp_err give_depth(struct trp_mexc_parser *parser, const Trp__Mexc__AggreDepths *depths,
                               struct trp_mexc_event *out) {
  uint64_t from, to;
  if (!take_version(depths->from_version, &from) || !take_version(depths->to_version, &to) ||
      from > to)
    return refuse(parser, "a book update with bad versions");
  out->kind = TRP_MEXC_DEPTH;
  out->depth = (struct trp_wire_depth){.first_id = from, .final_id = to, .levels = parser->levels};
  enum trp_err err = take_levels(parser, depths->bids, depths->n_bids, 1, out);
  return err != TRP_OK ? err : take_levels(parser, depths->asks, depths->n_asks, 2, out);
}

/* ---- the frame ---------------------------------------------------------------------------- */

static enum trp_err give_body(struct trp_mexc_parser *parser, const Trp__Mexc__Push *push,
                              struct trp_mexc_event *out) {
  switch (push->body_case) {
    case TRP__MEXC__PUSH__BODY_AGGRE_BOOK_TICKER:
      return give_quotes(parser, &push->aggre_book_ticker, 1, out);
    case TRP__MEXC__PUSH__BODY_BOOK_TICKERS:
      return give_quotes(parser, push->book_tickers->items, push->book_tickers->n_items, out);
    case TRP__MEXC__PUSH__BODY_AGGRE_DEALS:
      return give_trades(parser, push->aggre_deals, out);
    case TRP__MEXC__PUSH__BODY_LIMIT_DEPTHS:
      return give_top(parser, push->limit_depths, out);
    case TRP__MEXC__PUSH__BODY_AGGRE_DEPTHS:
      return give_depth(parser, push->aggre_depths, out);
    default:
      return TRP_OK;
  }
}

enum trp_err trp_mexc_binary_frame(struct trp_mexc_parser *parser, const void *bytes, size_t size,
                                   struct trp_mexc_event *out) {
  ProtobufCAllocator allocator = {
      .alloc = arena_alloc, .free = arena_free, .allocator_data = parser};
  parser->arena_used = 0;
  parser->arena_full = false;
  const Trp__Mexc__Push *push = trp__mexc__push__unpack(&allocator, size, bytes);
  if (push == NULL && parser->arena_full)
    return too_big(parser, "needs more memory than a frame may");
  if (push == NULL) return refuse(parser, "no protobuf message of this schema");
  if (push->channel[0] == '\0') return refuse(parser, "a push without a channel");
  if (push->body_case == TRP__MEXC__PUSH__BODY__NOT_SET) return TRP_OK;
  if (!trp_mexc_symbol_valid(push->symbol)) return refuse(parser, "a push with no or a bad symbol");
  strcpy(out->symbol, push->symbol); /* as long as a valid one may be */
  out->exchange_us = trp_mexc_time_us(push->send_time != 0 ? push->send_time : push->create_time);
  return give_body(parser, push, out);
}
