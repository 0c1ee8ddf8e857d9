/* The dialect read with LEJP: members in any order, unknown ones passed over. Values are gathered
 * first and judged when the text has ended, because "stream" may come after its "data". */
#include <string.h>

#include "adapters/binance_parser.h"
#include "adapters/json_levels.h"

/* The members that may make an event, as bits of what was seen. */
enum field {
  F_STREAM,
  F_EVENT,
  F_SYMBOL,
  F_FIRST_ID,
  F_FINAL_ID,
  F_TIME,
  F_TRADED,
  F_BID,
  F_BID_SIZE,
  F_ASK,
  F_ASK_SIZE,
  F_PRICE,
  F_SIZE,
  F_AGGREGATE_ID,
  F_TRADE_ID,
  F_MAKER,
  F_RESULT,
  F_ID,
  F_CODE,
  F_TEXT,
  F_ERROR,
  F_COUNT
};

#define SEEN(field) (1u << (field))

struct gather {
  struct trp_binance_parser *parser;
  uint32_t seen;
  uint32_t bad; /* seen with a value of the wrong kind or out of range */
  char stream[96], event[24], symbol[TRP_BINANCE_SYMBOL_MAX + 1], text[128];
  double number[F_COUNT];
  uint64_t integer[F_COUNT];
  int64_t code;
  bool maker;
  uint32_t inexact_of; /* fields whose number is inexact */
  struct trp_json_levels book;
  trp_binance_ticker_fn *each; /* tickers only */
  void *each_arg;
};

static void take_text(struct gather *gather, enum field field, const struct trp_json_value *value,
                      char *out, size_t size) {
  gather->seen |= SEEN(field);
  if (value->kind != TRP_JSON_TEXT || value->size >= size) {
    gather->bad |= SEEN(field);
    return;
  }
  memcpy(out, value->text, value->size + 1);
}

static void take_integer(struct gather *gather, enum field field,
                         const struct trp_json_value *value) {
  gather->seen |= SEEN(field);
  if (value->kind != TRP_JSON_NUMBER || !trp_json_to_u64(value, &gather->integer[field]))
    gather->bad |= SEEN(field);
}

static void take_decimal(struct gather *gather, enum field field,
                         const struct trp_json_value *value) {
  struct trp_decimal decimal;
  gather->seen |= SEEN(field);
  if (!trp_json_to_decimal(value, &decimal)) {
    gather->bad |= SEEN(field);
    return;
  }
  gather->number[field] = decimal.value;
  if (decimal.inexact) gather->inexact_of |= SEEN(field);
}

/* Is this a level, of the side's array by this name? */
static bool visit_sides(struct gather *gather, const char *path, const char *bids, const char *asks,
                        const struct trp_json_value *value) {
  return trp_json_levels_take(&gather->book, path, bids, 1, value) ||
         trp_json_levels_take(&gather->book, path, asks, 2, value);
}

/* ---- frames ------------------------------------------------------------------------------- */

/* The members with one-letter names, of the data itself. */
static void visit_letter(struct gather *gather, char letter, const struct trp_json_value *value) {
  switch (letter) {
    case 'e':
      take_text(gather, F_EVENT, value, gather->event, sizeof gather->event);
      break;
    case 's':
      take_text(gather, F_SYMBOL, value, gather->symbol, sizeof gather->symbol);
      break;
    case 'U':
      take_integer(gather, F_FIRST_ID, value);
      break;
    case 'u':
      take_integer(gather, F_FINAL_ID, value);
      break;
    case 'E':
      take_integer(gather, F_TIME, value);
      break;
    case 'T':
      take_integer(gather, F_TRADED, value);
      break;
    case 't':
      take_integer(gather, F_TRADE_ID, value);
      break;
    case 'b':
      take_decimal(gather, F_BID, value);
      break;
    case 'B':
      take_decimal(gather, F_BID_SIZE, value);
      break;
    case 'a': /* a quote's ask, or the id of an aggregate trade */
      take_decimal(gather, F_ASK, value);
      take_integer(gather, F_AGGREGATE_ID, value);
      break;
    case 'A':
      take_decimal(gather, F_ASK_SIZE, value);
      break;
    case 'p':
      take_decimal(gather, F_PRICE, value);
      break;
    case 'q':
      take_decimal(gather, F_SIZE, value);
      break;
    case 'm':
      gather->seen |= SEEN(F_MAKER);
      gather->maker = value->kind == TRP_JSON_TRUE;
      if (value->kind != TRP_JSON_TRUE && value->kind != TRP_JSON_FALSE)
        gather->bad |= SEEN(F_MAKER);
      break;
    default:
      break;
  }
}

static void take_code(struct gather *gather, const struct trp_json_value *value) {
  bool negative = value->text[0] == '-';
  struct trp_json_value digits = *value;
  digits.text += negative;
  uint64_t number;
  gather->seen |= SEEN(F_CODE);
  if (value->kind != TRP_JSON_NUMBER || !trp_json_to_u64(&digits, &number) || number > INT64_MAX)
    gather->bad |= SEEN(F_CODE);
  else
    gather->code = negative ? -(int64_t)number : (int64_t)number;
}

/* A person reads it: what is too long is cut. */
static void take_message(struct gather *gather, const struct trp_json_value *value) {
  size_t size = value->size < sizeof gather->text ? value->size : sizeof gather->text - 1;
  memcpy(gather->text, value->text, size);
  gather->text[size] = '\0';
  gather->seen |= SEEN(F_TEXT);
}

/* Answers to requests, and errors. */
static void visit_answer(struct gather *gather, const struct trp_json_value *value) {
  const char *path = value->path;
  bool nested = strncmp(path, "error.", 6) == 0;
  const char *name = nested ? path + 6 : path;
  if (nested) gather->seen |= SEEN(F_ERROR);
  if (strcmp(name, "code") == 0)
    take_code(gather, value);
  else if (strcmp(name, "msg") == 0)
    take_message(gather, value);
  else if (strcmp(path, "id") == 0) {
    gather->seen |= SEEN(F_ID);
    if (!trp_json_to_u64(value, &gather->integer[F_ID])) gather->integer[F_ID] = 0;
  } else if (strncmp(path, "result", 6) == 0 && (path[6] == '\0' || path[6] == '['))
    gather->seen |= SEEN(F_RESULT);
}

static bool visit_frame(void *arg, const struct trp_json_value *value) {
  struct gather *gather = arg;
  if (value->kind == TRP_JSON_OBJECT_END) return true;
  const char *path = value->path;
  if (strcmp(path, "stream") == 0)
    take_text(gather, F_STREAM, value, gather->stream, sizeof gather->stream);
  bool wrapped = strncmp(path, "data.", 5) == 0;
  const char *name = wrapped ? path + 5 : path;
  if (visit_sides(gather, name, "b", "a", value)) return !gather->book.too_many;
  if (name[0] != '\0' && name[1] == '\0')
    visit_letter(gather, name[0], value);
  else if (!wrapped)
    visit_answer(gather, value);
  return true;
}

/* ---- judging what was gathered ------------------------------------------------------------ */

static bool has(const struct gather *gather, uint32_t fields) {
  return (gather->seen & fields) == fields && (gather->bad & fields) == 0;
}

static enum trp_err refuse(struct gather *gather, const char *reason) {
  gather->parser->reason = reason;
  return TRP_MALFORMED;
}

static bool give_symbol(const struct gather *gather, struct trp_binance_event *out) {
  memcpy(out->symbol, gather->symbol, sizeof out->symbol);
  return has(gather, SEEN(F_SYMBOL)) && trp_binance_symbol_valid(out->symbol);
}

/* The exchange's time, where it sends one at all. */
static bool give_time(const struct gather *gather, struct trp_binance_event *out) {
  if ((gather->seen & SEEN(F_TIME)) == 0) return true;
  if (!has(gather, SEEN(F_TIME)) || gather->integer[F_TIME] > INT64_MAX) return false;
  out->exchange_us = trp_binance_time_us(gather->integer[F_TIME]);
  return true;
}

static uint32_t count_inexact(const struct gather *gather, uint32_t fields) {
  return (uint32_t)__builtin_popcount(gather->inexact_of & fields);
}

static enum trp_err judge_quote(struct gather *gather, struct trp_binance_event *out) {
  uint32_t prices = SEEN(F_BID) | SEEN(F_BID_SIZE) | SEEN(F_ASK) | SEEN(F_ASK_SIZE);
  if (!has(gather, prices | SEEN(F_FINAL_ID)) || !give_symbol(gather, out) ||
      !give_time(gather, out))
    return refuse(gather, "a bookTicker with a member missing or bad");
  out->kind = TRP_BINANCE_QUOTE;
  out->inexact = count_inexact(gather, prices);
  out->quote = (struct trp_wire_quote){.update_id = gather->integer[F_FINAL_ID],
                                       .bid = gather->number[F_BID],
                                       .bid_size = gather->number[F_BID_SIZE],
                                       .ask = gather->number[F_ASK],
                                       .ask_size = gather->number[F_ASK_SIZE]};
  return TRP_OK;
}

static enum trp_err judge_trade(struct gather *gather, struct trp_binance_event *out,
                                bool aggregate) {
  enum field id = aggregate ? F_AGGREGATE_ID : F_TRADE_ID;
  uint32_t prices = SEEN(F_PRICE) | SEEN(F_SIZE);
  if (!has(gather, prices | SEEN(id) | SEEN(F_MAKER)) || !give_symbol(gather, out) ||
      !give_time(gather, out))
    return refuse(gather, "a trade with a member missing or bad");
  out->kind = TRP_BINANCE_TRADE;
  out->inexact = count_inexact(gather, prices);
  out->trade = (struct trp_wire_trade){.id = gather->integer[id],
                                       .price = gather->number[F_PRICE],
                                       .size = gather->number[F_SIZE],
                                       .taker_sold = gather->maker,
                                       .aggregate = aggregate};
  return TRP_OK;
}

static enum trp_err give_levels(struct gather *gather, struct trp_binance_event *out) {
  const struct trp_json_levels *book = &gather->book;
  if (!book->seen[1] || !book->seen[2] || !trp_json_levels_good(book))
    return refuse(gather, "a book with a side missing or a bad level");
  out->kind = TRP_BINANCE_DEPTH;
  out->inexact = book->inexact;
  out->depth.levels = book->levels;
  out->depth.count = book->count;
  return TRP_OK;
}

static enum trp_err judge_depth(struct gather *gather, struct trp_binance_event *out) {
  if (!has(gather, SEEN(F_FIRST_ID) | SEEN(F_FINAL_ID)) || !give_symbol(gather, out) ||
      !give_time(gather, out) || gather->integer[F_FIRST_ID] > gather->integer[F_FINAL_ID])
    return refuse(gather, "a depthUpdate with a member missing or bad");
  out->depth = (struct trp_wire_depth){.first_id = gather->integer[F_FIRST_ID],
                                       .final_id = gather->integer[F_FINAL_ID]};
  return give_levels(gather, out);
}

static enum trp_err judge_error(struct gather *gather, struct trp_binance_event *out) {
  out->kind = TRP_BINANCE_ERROR;
  out->error.id = gather->integer[F_ID];
  out->error.code = gather->code;
  memcpy(out->error.text, gather->text, sizeof out->error.text);
  return TRP_OK;
}

/* Does a stream of this name carry what we have an event for? (@depth20 does not, @depth does.) */
static bool known_stream(const char *stream) {
  const char *at = strchr(stream, '@');
  if (at == NULL) return false;
  return strcmp(at, "@bookTicker") == 0 || strcmp(at, "@aggTrade") == 0 ||
         strcmp(at, "@trade") == 0 || strcmp(at, "@depth") == 0 || strncmp(at, "@depth@", 7) == 0;
}

static enum trp_err judge_frame(struct gather *gather, struct trp_binance_event *out) {
  const char *event = gather->event;
  if (has(gather, SEEN(F_EVENT))) {
    if (strcmp(event, "depthUpdate") == 0) return judge_depth(gather, out);
    if (strcmp(event, "aggTrade") == 0) return judge_trade(gather, out, true);
    if (strcmp(event, "trade") == 0) return judge_trade(gather, out, false);
    if (strcmp(event, "bookTicker") == 0) return judge_quote(gather, out);
    if (strcmp(event, "serverShutdown") == 0) out->kind = TRP_BINANCE_SHUTDOWN;
  } else if ((gather->seen & SEEN(F_EVENT)) == 0) {
    uint32_t quote = SEEN(F_FINAL_ID) | SEEN(F_SYMBOL) | SEEN(F_BID) | SEEN(F_ASK);
    if ((gather->seen & quote) == quote) return judge_quote(gather, out);
  }
  if (out->kind == TRP_BINANCE_SHUTDOWN) return TRP_OK;
  if (has(gather, SEEN(F_STREAM)) && known_stream(gather->stream))
    return refuse(gather, "a known stream with data of another shape");
  if ((gather->seen & SEEN(F_STREAM)) != 0) return TRP_OK;
  if ((gather->seen & SEEN(F_ERROR)) != 0 || has(gather, SEEN(F_CODE) | SEEN(F_TEXT)))
    return judge_error(gather, out);
  if (has(gather, SEEN(F_RESULT) | SEEN(F_ID))) {
    out->kind = TRP_BINANCE_ACK;
    out->ack_id = gather->integer[F_ID];
  }
  return TRP_OK;
}

static struct gather begin(struct trp_binance_parser *parser) {
  return (struct gather){.parser = parser,
                         .book = {.levels = parser->levels, .side_max = TRP_BINANCE_SIDE_MAX}};
}

/* Walks and says whether the rest may be judged. */
static enum trp_err walk(struct gather *gather, const void *bytes, size_t size,
                         trp_json_visit_fn *visit) {
  enum trp_err err = trp_json_walk(bytes, size, visit, gather, &gather->parser->reason);
  if (gather->book.too_many) {
    gather->parser->reason = "more levels than a side may have";
    return TRP_TOO_BIG;
  }
  return err;
}

enum trp_err trp_binance_any_frame(struct trp_binance_parser *parser, const void *bytes,
                                   size_t size, struct trp_binance_event *out) {
  struct gather gather = begin(parser);
  *out = (struct trp_binance_event){.kind = TRP_BINANCE_OTHER};
  enum trp_err err = walk(&gather, bytes, size, visit_frame);
  return err != TRP_OK ? err : judge_frame(&gather, out);
}

/* ---- REST --------------------------------------------------------------------------------- */

static bool visit_snapshot(void *arg, const struct trp_json_value *value) {
  struct gather *gather = arg;
  if (value->kind == TRP_JSON_OBJECT_END) return true;
  if (visit_sides(gather, value->path, "bids", "asks", value)) return !gather->book.too_many;
  if (strcmp(value->path, "lastUpdateId") == 0)
    take_integer(gather, F_FINAL_ID, value);
  else
    visit_answer(gather, value);
  return true;
}

enum trp_err trp_binance_any_snapshot(struct trp_binance_parser *parser, const void *bytes,
                                      size_t size, struct trp_binance_event *out) {
  struct gather gather = begin(parser);
  *out = (struct trp_binance_event){.kind = TRP_BINANCE_OTHER};
  enum trp_err err = walk(&gather, bytes, size, visit_snapshot);
  if (err != TRP_OK) return err;
  if (has(&gather, SEEN(F_CODE) | SEEN(F_TEXT))) return judge_error(&gather, out);
  if (!has(&gather, SEEN(F_FINAL_ID))) return refuse(&gather, "a snapshot without lastUpdateId");
  out->depth = (struct trp_wire_depth){.first_id = gather.integer[F_FINAL_ID],
                                       .final_id = gather.integer[F_FINAL_ID]};
  return give_levels(&gather, out);
}

static bool give_ticker(struct gather *gather) {
  struct trp_binance_event event = {.kind = TRP_BINANCE_OTHER};
  gather->seen |= SEEN(F_FINAL_ID); /* REST sends no id: it stays 0 */
  if (judge_quote(gather, &event) != TRP_OK) return false;
  gather->each(gather->each_arg, &event);
  gather->seen = gather->bad = gather->inexact_of = 0;
  return true;
}

static bool visit_ticker(void *arg, const struct trp_json_value *value) {
  struct gather *gather = arg;
  bool listed = strncmp(value->path, "[].", 3) == 0;
  const char *name = listed ? value->path + 3 : value->path;
  if (value->kind == TRP_JSON_OBJECT_END) return give_ticker(gather);
  if (strcmp(name, "symbol") == 0)
    take_text(gather, F_SYMBOL, value, gather->symbol, sizeof gather->symbol);
  else if (strcmp(name, "bidPrice") == 0)
    take_decimal(gather, F_BID, value);
  else if (strcmp(name, "bidQty") == 0)
    take_decimal(gather, F_BID_SIZE, value);
  else if (strcmp(name, "askPrice") == 0)
    take_decimal(gather, F_ASK, value);
  else if (strcmp(name, "askQty") == 0)
    take_decimal(gather, F_ASK_SIZE, value);
  return true;
}

enum trp_err trp_binance_any_tickers(struct trp_binance_parser *parser, const void *bytes,
                                     size_t size, trp_binance_ticker_fn *each, void *arg) {
  struct gather gather = begin(parser);
  gather.each = each;
  gather.each_arg = arg;
  enum trp_err err = walk(&gather, bytes, size, visit_ticker);
  return err == TRP_CANCELLED ? TRP_MALFORMED : err;
}
