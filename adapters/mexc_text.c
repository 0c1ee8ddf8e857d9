/* JSON texts, through LEJP: answers to requests, and REST. */
#include <string.h>

#include "adapters/json_levels.h"
#include "adapters/mexc_parser.h"

struct gather {
  struct trp_mexc_parser *parser;
  bool has_code, has_text, has_version;
  int64_t code;
  uint64_t id, version;
  int64_t time_ms;
  struct trp_json_levels book;
};

static void take_text(struct gather *gather, const struct trp_json_value *value) {
  memcpy(gather->parser->text, value->text, value->size + 1);
  gather->has_text = value->kind == TRP_JSON_TEXT;
}

static void take_code(struct gather *gather, const struct trp_json_value *value) {
  bool negative = value->text[0] == '-';
  struct trp_json_value digits = *value;
  uint64_t number;
  digits.text += negative;
  digits.size -= negative;
  gather->has_code = trp_json_to_u64(&digits, &number) && number <= INT64_MAX;
  if (gather->has_code) gather->code = negative ? -(int64_t)number : (int64_t)number;
}

static bool visit(void *arg, const struct trp_json_value *value) {
  struct gather *gather = arg;
  uint64_t number;
  if (value->kind == TRP_JSON_OBJECT_END) return true;
  if (trp_json_levels_take(&gather->book, value->path, "bids", 1, value) ||
      trp_json_levels_take(&gather->book, value->path, "asks", 2, value))
    return !gather->book.too_many;
  if (strcmp(value->path, "msg") == 0)
    take_text(gather, value);
  else if (strcmp(value->path, "code") == 0)
    take_code(gather, value);
  else if (strcmp(value->path, "id") == 0)
    gather->id = trp_json_to_u64(value, &number) ? number : 0;
  else if (strcmp(value->path, "lastUpdateId") == 0)
    gather->has_version = trp_json_to_u64(value, &gather->version);
  else if (strcmp(value->path, "timestamp") == 0 && trp_json_to_u64(value, &number))
    gather->time_ms = number <= INT64_MAX ? (int64_t)number : 0;
  return true;
}

static struct gather begin(struct trp_mexc_parser *parser) {
  return (struct gather){.parser = parser,
                         .book = {.levels = parser->levels, .side_max = TRP_MEXC_SIDE_MAX}};
}

static enum trp_err walk(struct gather *gather, const void *bytes, size_t size) {
  enum trp_err err = trp_json_walk(bytes, size, visit, gather, &gather->parser->reason);
  if (!gather->book.too_many) return err;
  gather->parser->reason = "more levels than a side may have";
  return TRP_TOO_BIG;
}

/* Nothing but channels, one or several. */
static bool only_channels(const char *text) {
  for (const char *at = text;; at++) {
    at += strspn(at, " ");
    if (strncmp(at, "spot@", strlen("spot@")) != 0) return false;
    at += strcspn(at, ", ![");
    if (*at != ',') return *at == '\0';
  }
}

/* The code is 0 whatever happened: the text decides. */
static enum trp_mexc_kind kind_of(const struct gather *gather) {
  const char *text = gather->parser->text;
  if (strcmp(text, "PONG") == 0) return TRP_MEXC_PONG;
  if (only_channels(text) && gather->code == 0) return TRP_MEXC_ACK;
  return strstr(text, "spot@") != NULL ? TRP_MEXC_REFUSED : TRP_MEXC_ERROR;
}

static void give_answer(const struct gather *gather, enum trp_mexc_kind kind,
                        struct trp_mexc_event *out) {
  out->kind = kind;
  out->answer.id = gather->id;
  out->answer.code = gather->code;
  out->answer.text = gather->parser->text;
}

enum trp_err trp_mexc_text_frame(struct trp_mexc_parser *parser, const void *bytes, size_t size,
                                 struct trp_mexc_event *out) {
  struct gather gather = begin(parser);
  enum trp_err err = walk(&gather, bytes, size);
  if (err == TRP_OK && gather.has_text) give_answer(&gather, kind_of(&gather), out);
  return err;
}

enum trp_err trp_mexc_text_snapshot(struct trp_mexc_parser *parser, const void *bytes, size_t size,
                                    struct trp_mexc_event *out) {
  struct gather gather = begin(parser);
  enum trp_err err = walk(&gather, bytes, size);
  if (err != TRP_OK) return err;
  if (gather.has_code && gather.has_text) {
    give_answer(&gather, TRP_MEXC_ERROR, out);
    return TRP_OK;
  }
  if (!gather.has_version || !gather.book.seen[1] || !gather.book.seen[2] ||
      !trp_json_levels_good(&gather.book)) {
    parser->reason = "a snapshot with a member missing or a bad level";
    return TRP_MALFORMED;
  }
  out->kind = TRP_MEXC_DEPTH;
  out->exchange_us = trp_mexc_time_us(gather.time_ms);
  out->inexact = gather.book.inexact;
  out->depth = (struct trp_wire_depth){.first_id = gather.version,
                                       .final_id = gather.version,
                                       .levels = gather.book.levels,
                                       .count = gather.book.count};
  return TRP_OK;
}

/* ---- tickers ------------------------------------------------------------------------------ */

struct tickers {
  struct gather answer; /* in case it is an error */
  trp_mexc_ticker_fn *each;
  void *arg;
  struct trp_mexc_event event;
  struct trp_wire_quote quote;
  uint32_t seen; /* enum member */
  bool bad;
};

enum member { M_SYMBOL = 1, M_BID = 2, M_BID_SIZE = 4, M_ASK = 8, M_ASK_SIZE = 16 };

static void next_ticker(struct tickers *t) {
  t->event = (struct trp_mexc_event){.kind = TRP_MEXC_QUOTES};
  t->quote = (struct trp_wire_quote){0};
  t->seen = 0;
}

/* What a symbol without orders has there is "", or null. */
static void take_number(struct tickers *t, enum member member, double *out,
                        const struct trp_json_value *value) {
  struct trp_decimal decimal;
  if (value->kind == TRP_JSON_NULL || (value->kind == TRP_JSON_TEXT && value->size == 0)) return;
  if (!trp_json_to_decimal(value, &decimal) || !(decimal.value >= 0)) {
    t->bad = true;
    return;
  }
  *out = decimal.value;
  t->event.inexact += decimal.inexact;
  t->seen |= member;
}

static void take_symbol(struct tickers *t, const struct trp_json_value *value) {
  if (value->kind != TRP_JSON_TEXT || !trp_mexc_symbol_valid(value->text)) return;
  memcpy(t->event.symbol, value->text, value->size + 1);
  t->seen |= M_SYMBOL;
}

/* The list is of all symbols: one that nobody can ask for, or that has no orders, is not worth the
 * others' quotes. */
static void give_ticker(struct tickers *t) {
  bool bid = (t->seen & M_BID) != 0 && (t->seen & M_BID_SIZE) != 0;
  bool ask = (t->seen & M_ASK) != 0 && (t->seen & M_ASK_SIZE) != 0;
  if (!bid) t->quote.bid = t->quote.bid_size = 0;
  if (!ask) t->quote.ask = t->quote.ask_size = 0;
  t->event.quotes = &t->quote;
  t->event.quote_count = 1;
  if ((t->seen & M_SYMBOL) != 0 && (bid || ask)) t->each(t->arg, &t->event);
}

static bool visit_ticker(void *arg, const struct trp_json_value *value) {
  struct tickers *t = arg;
  if (value->kind == TRP_JSON_OBJECT_END) {
    give_ticker(t);
    next_ticker(t);
    return true;
  }
  const char *name = value->path + (strncmp(value->path, "[].", 3) == 0 ? 3 : 0);
  if (strcmp(name, "symbol") == 0)
    take_symbol(t, value);
  else if (strcmp(name, "bidPrice") == 0)
    take_number(t, M_BID, &t->quote.bid, value);
  else if (strcmp(name, "bidQty") == 0)
    take_number(t, M_BID_SIZE, &t->quote.bid_size, value);
  else if (strcmp(name, "askPrice") == 0)
    take_number(t, M_ASK, &t->quote.ask, value);
  else if (strcmp(name, "askQty") == 0)
    take_number(t, M_ASK_SIZE, &t->quote.ask_size, value);
  else
    return visit(&t->answer, value);
  return !t->bad;
}

enum trp_err trp_mexc_text_tickers(struct trp_mexc_parser *parser, const void *bytes, size_t size,
                                   trp_mexc_ticker_fn *each, void *arg) {
  struct tickers tickers = {.answer = begin(parser), .each = each, .arg = arg};
  next_ticker(&tickers);
  enum trp_err err = trp_json_walk(bytes, size, visit_ticker, &tickers, &parser->reason);
  if (tickers.bad || err == TRP_CANCELLED) {
    parser->reason = "a bookTicker with a bad number";
    return TRP_MALFORMED;
  }
  if (err != TRP_OK || !tickers.answer.has_code || !tickers.answer.has_text) return err;
  struct trp_mexc_event refusal = {.kind = TRP_MEXC_OTHER};
  give_answer(&tickers.answer, TRP_MEXC_ERROR, &refusal);
  each(arg, &refusal);
  return TRP_OK;
}
