/* The dialect read with LEJP: members in any order, unknown ones passed over. Values are gathered
 * first and judged when the text has ended, because "channel" may come after its "result". */
#include <string.h>

#include "adapters/gateio_parser.h"
#include "adapters/json_levels.h"

/* The members that may make an event, as bits of what was seen. */
enum field {
  F_CHANNEL,
  F_EVENT,
  F_ID,
  F_TYPE,
  F_STATUS,
  F_ERROR,
  F_CODE,
  F_MESSAGE,
  F_LABEL,
  F_NAME, /* of the symbol, or of an obu stream */
  F_TIME,
  F_FULL,
  F_FIRST_ID,
  F_FINAL_ID,
  F_BID,
  F_BID_SIZE,
  F_ASK,
  F_ASK_SIZE,
  F_TRADE_ID,
  F_SECONDS,
  F_CREATED,
  F_SIDE,
  F_SIZE,
  F_PRICE,
  F_COUNT
};

#define SEEN(field) (1u << (field))
#define TEXT_MAX 160

/* What a member's value must be. */
enum form { SHORT_TEXT, LONG_TEXT, INTEGER, DECIMAL, FLAG, MS_TEXT, THERE };

struct member {
  const char *path;
  enum field field;
  enum form form;
};

static const struct member frame_members[] = {{"channel", F_CHANNEL, SHORT_TEXT},
                                              {"event", F_EVENT, SHORT_TEXT},
                                              {"id", F_ID, INTEGER},
                                              {"type", F_TYPE, SHORT_TEXT},
                                              {"error", F_ERROR, THERE},
                                              {"error.code", F_CODE, INTEGER},
                                              {"error.message", F_MESSAGE, LONG_TEXT},
                                              {"result.type", F_TYPE, SHORT_TEXT},
                                              {"result.status", F_STATUS, SHORT_TEXT},
                                              {"result.s", F_NAME, SHORT_TEXT},
                                              {"result.currency_pair", F_NAME, SHORT_TEXT},
                                              {"result.t", F_TIME, INTEGER},
                                              {"result.full", F_FULL, FLAG},
                                              {"result.U", F_FIRST_ID, INTEGER},
                                              {"result.u", F_FINAL_ID, INTEGER},
                                              {"result.b", F_BID, DECIMAL},
                                              {"result.B", F_BID_SIZE, DECIMAL},
                                              {"result.a", F_ASK, DECIMAL},
                                              {"result.A", F_ASK_SIZE, DECIMAL},
                                              {"result.id", F_TRADE_ID, INTEGER},
                                              {"result.create_time", F_SECONDS, INTEGER},
                                              {"result.create_time_ms", F_CREATED, MS_TEXT},
                                              {"result.side", F_SIDE, SHORT_TEXT},
                                              {"result.amount", F_SIZE, DECIMAL},
                                              {"result.price", F_PRICE, DECIMAL},
                                              {NULL, F_COUNT, THERE}};

static const struct member snapshot_members[] = {{"id", F_FINAL_ID, INTEGER},
                                                 {"update", F_TIME, INTEGER},
                                                 {"label", F_LABEL, SHORT_TEXT},
                                                 {"message", F_MESSAGE, LONG_TEXT},
                                                 {NULL, F_COUNT, THERE}};

struct gather {
  struct trp_gateio_parser *parser;
  const struct member *members;
  const char *bids, *asks; /* the paths of the sides */
  uint32_t seen;
  uint32_t bad;        /* seen with a value of the wrong kind or out of range */
  uint32_t inexact_of; /* fields whose number is inexact */
  char text[F_COUNT][48];
  char message[TEXT_MAX];
  double number[F_COUNT];
  uint64_t integer[F_COUNT];
  int64_t created_us;
  bool full;
  struct trp_json_levels book;
};

/* ---- taking values ------------------------------------------------------------------------ */

static bool take_text(char *out, size_t size, const struct trp_json_value *value) {
  if (value->kind != TRP_JSON_TEXT || value->size >= size) return false;
  memcpy(out, value->text, value->size + 1);
  return true;
}

/* A person reads it: what is too long is cut. */
static bool take_message(struct gather *gather, const struct trp_json_value *value) {
  size_t size = value->size < TEXT_MAX ? value->size : TEXT_MAX - 1;
  memcpy(gather->message, value->text, size);
  gather->message[size] = '\0';
  return value->kind == TRP_JSON_TEXT;
}

static bool take_decimal(struct gather *gather, enum field field,
                         const struct trp_json_value *value) {
  struct trp_decimal decimal;
  if (!trp_json_to_decimal(value, &decimal)) return false;
  gather->number[field] = decimal.value;
  if (decimal.inexact) gather->inexact_of |= SEEN(field);
  return true;
}

/* Ids are numbers in frames and texts in REST. */
static bool is_scalar(const struct trp_json_value *value) {
  return (value->kind == TRP_JSON_NUMBER || value->kind == TRP_JSON_TEXT) && !value->cut;
}

static bool take_form(struct gather *gather, const struct member *member,
                      const struct trp_json_value *value) {
  enum field field = member->field;
  switch (member->form) {
    case SHORT_TEXT:
      return take_text(gather->text[field], sizeof gather->text[field], value);
    case LONG_TEXT:
      return take_message(gather, value);
    case INTEGER:
      return is_scalar(value) && trp_json_to_u64(value, &gather->integer[field]);
    case DECIMAL:
      return take_decimal(gather, field, value);
    case FLAG:
      gather->full = value->kind == TRP_JSON_TRUE;
      return gather->full || value->kind == TRP_JSON_FALSE;
    case MS_TEXT:
      return is_scalar(value) && trp_gateio_take_time(value->text, &gather->created_us);
    case THERE:
      break;
  }
  return true;
}

static bool visit(void *arg, const struct trp_json_value *value) {
  struct gather *gather = arg;
  if (value->kind == TRP_JSON_OBJECT_END || value->kind == TRP_JSON_NULL) return true;
  if (trp_json_levels_take(&gather->book, value->path, gather->bids, 1, value) ||
      trp_json_levels_take(&gather->book, value->path, gather->asks, 2, value))
    return !gather->book.too_many;
  for (const struct member *member = gather->members; member->path != NULL; member++) {
    if (strcmp(value->path, member->path) != 0) continue;
    gather->seen |= SEEN(member->field);
    if (take_form(gather, member, value))
      gather->bad &= ~SEEN(member->field);
    else
      gather->bad |= SEEN(member->field);
    break;
  }
  return true;
}

/* ---- judging what was gathered ------------------------------------------------------------ */

static bool has(const struct gather *gather, uint32_t fields) {
  return (gather->seen & fields) == fields && (gather->bad & fields) == 0;
}

static bool is_text(const struct gather *gather, enum field field, const char *text) {
  return has(gather, SEEN(field)) && strcmp(gather->text[field], text) == 0;
}

static enum trp_err refuse(struct gather *gather, const char *reason) {
  gather->parser->reason = reason;
  return TRP_MALFORMED;
}

static uint32_t count_inexact(const struct gather *gather, uint32_t fields) {
  return (uint32_t)__builtin_popcount(gather->inexact_of & fields);
}

static bool give_symbol(const struct gather *gather, struct trp_gateio_event *out) {
  if (!has(gather, SEEN(F_NAME))) return false;
  if (out->channel == TRP_GATEIO_OBU) return trp_gateio_take_obu_name(gather->text[F_NAME], out);
  size_t length = strlen(gather->text[F_NAME]);
  if (length > TRP_GATEIO_SYMBOL_MAX) return false;
  memcpy(out->symbol, gather->text[F_NAME], length + 1);
  return trp_gateio_symbol_valid(out->symbol);
}

/* The exchange's time in milliseconds, where it sends one at all. */
static bool give_time(const struct gather *gather, struct trp_gateio_event *out) {
  if ((gather->seen & SEEN(F_TIME)) == 0) return true;
  return has(gather, SEEN(F_TIME)) &&
         trp_gateio_time_us(gather->integer[F_TIME], &out->exchange_us);
}

static enum trp_err judge_quote(struct gather *gather, struct trp_gateio_event *out) {
  uint32_t prices = SEEN(F_BID) | SEEN(F_BID_SIZE) | SEEN(F_ASK) | SEEN(F_ASK_SIZE);
  if (!has(gather, prices | SEEN(F_FINAL_ID)) || !give_symbol(gather, out) ||
      !give_time(gather, out))
    return refuse(gather, "a book_ticker with a member missing or bad");
  out->kind = TRP_GATEIO_QUOTE;
  out->inexact = count_inexact(gather, prices);
  out->quote = (struct trp_wire_quote){.update_id = gather->integer[F_FINAL_ID],
                                       .bid = gather->number[F_BID],
                                       .bid_size = gather->number[F_BID_SIZE],
                                       .ask = gather->number[F_ASK],
                                       .ask_size = gather->number[F_ASK_SIZE]};
  return TRP_OK;
}

/* Milliseconds with a fraction, else whole seconds. */
static bool give_created(const struct gather *gather, struct trp_gateio_event *out) {
  if ((gather->seen & SEEN(F_CREATED)) != 0) {
    out->exchange_us = gather->created_us;
    return has(gather, SEEN(F_CREATED));
  }
  if ((gather->seen & SEEN(F_SECONDS)) == 0) return true;
  return has(gather, SEEN(F_SECONDS)) &&
         !__builtin_mul_overflow(gather->integer[F_SECONDS], 1000000u, &out->exchange_us);
}

static enum trp_err judge_trade(struct gather *gather, struct trp_gateio_event *out) {
  uint32_t prices = SEEN(F_PRICE) | SEEN(F_SIZE);
  bool sold = is_text(gather, F_SIDE, "sell");
  if (!has(gather, prices | SEEN(F_TRADE_ID)) || !(sold || is_text(gather, F_SIDE, "buy")) ||
      !give_symbol(gather, out) || !give_created(gather, out))
    return refuse(gather, "a trade with a member missing or bad");
  out->kind = TRP_GATEIO_TRADE;
  out->inexact = count_inexact(gather, prices);
  out->trade = (struct trp_wire_trade){.id = gather->integer[F_TRADE_ID],
                                       .price = gather->number[F_PRICE],
                                       .size = gather->number[F_SIZE],
                                       .taker_sold = sold};
  return TRP_OK;
}

static void give_depth(const struct gather *gather, struct trp_gateio_event *out, bool full) {
  uint64_t final_id = gather->integer[F_FINAL_ID];
  out->kind = TRP_GATEIO_DEPTH;
  out->inexact = gather->book.inexact;
  out->full = full;
  out->depth = (struct trp_wire_depth){.first_id = full ? final_id : gather->integer[F_FIRST_ID],
                                       .final_id = final_id,
                                       .levels = gather->book.levels,
                                       .count = gather->book.count};
}

/* A side that is absent (or null) did not change. */
static enum trp_err judge_depth(struct gather *gather, struct trp_gateio_event *out) {
  bool full = gather->full;
  if (!has(gather, SEEN(F_FINAL_ID) | (full ? 0 : SEEN(F_FIRST_ID))) ||
      (gather->bad & SEEN(F_FULL)) != 0 || !give_symbol(gather, out) || !give_time(gather, out) ||
      (!full && gather->integer[F_FIRST_ID] > gather->integer[F_FINAL_ID]))
    return refuse(gather, "a book update with a member missing or bad");
  if (!trp_json_levels_good(&gather->book)) return refuse(gather, "a book with a bad level");
  give_depth(gather, out, full);
  return TRP_OK;
}

static enum trp_err judge_update(struct gather *gather, struct trp_gateio_event *out) {
  switch (out->channel) {
    case TRP_GATEIO_BOOK_TICKER:
      return judge_quote(gather, out);
    case TRP_GATEIO_TRADES:
      return judge_trade(gather, out);
    case TRP_GATEIO_ORDER_BOOK_UPDATE:
    case TRP_GATEIO_OBU:
      return judge_depth(gather, out);
    case TRP_GATEIO_TICKERS: /* no event: only whose it is */
      if (!give_symbol(gather, out)) out->symbol[0] = '\0';
      return TRP_OK;
    default:
      return TRP_OK;
  }
}

static enum trp_err give_error(const struct gather *gather, struct trp_gateio_event *out) {
  uint64_t code = has(gather, SEEN(F_CODE)) ? gather->integer[F_CODE] : 0;
  out->kind = TRP_GATEIO_ERROR;
  out->error.id = has(gather, SEEN(F_ID)) ? gather->integer[F_ID] : 0;
  out->error.code = code <= INT64_MAX ? (int64_t)code : 0;
  memcpy(out->error.text, gather->message, sizeof out->error.text);
  return TRP_OK;
}

static enum trp_err judge_frame(struct gather *gather, struct trp_gateio_event *out) {
  if (has(gather, SEEN(F_CHANNEL))) out->channel = trp_gateio_channel_of(gather->text[F_CHANNEL]);
  bool subscribed = is_text(gather, F_EVENT, "subscribe");
  bool answer = subscribed || is_text(gather, F_EVENT, "unsubscribe");
  uint32_t error = SEEN(F_ERROR) | SEEN(F_CODE) | SEEN(F_MESSAGE);
  if (is_text(gather, F_TYPE, "upgrade")) {
    out->kind = TRP_GATEIO_UPGRADE;
    return TRP_OK;
  }
  if ((gather->seen & error) != 0) return give_error(gather, out);
  if (answer && (gather->seen & SEEN(F_STATUS)) != 0 && !is_text(gather, F_STATUS, "success"))
    return give_error(gather, out);
  if (is_text(gather, F_CHANNEL, "spot.pong")) {
    out->kind = TRP_GATEIO_PONG;
  } else if (answer) {
    out->kind = TRP_GATEIO_ACK;
    out->ack.id = has(gather, SEEN(F_ID)) ? gather->integer[F_ID] : 0;
    out->ack.subscribe = subscribed;
  } else if (is_text(gather, F_EVENT, "update")) {
    return judge_update(gather, out);
  }
  return TRP_OK;
}

static enum trp_err walk(struct gather *gather, const void *bytes, size_t size) {
  enum trp_err err = trp_json_walk(bytes, size, visit, gather, &gather->parser->reason);
  if (!gather->book.too_many) return err;
  gather->parser->reason = "more levels than a side may have";
  return TRP_TOO_BIG;
}

enum trp_err trp_gateio_any_frame(struct trp_gateio_parser *parser, const void *bytes, size_t size,
                                  struct trp_gateio_event *out) {
  struct gather gather = {.parser = parser,
                          .members = frame_members,
                          .bids = "result.b",
                          .asks = "result.a",
                          .book = {.levels = parser->levels, .side_max = TRP_GATEIO_SIDE_MAX}};
  *out = (struct trp_gateio_event){.kind = TRP_GATEIO_OTHER};
  enum trp_err err = walk(&gather, bytes, size);
  return err != TRP_OK ? err : judge_frame(&gather, out);
}

enum trp_err trp_gateio_any_snapshot(struct trp_gateio_parser *parser, const void *bytes,
                                     size_t size, struct trp_gateio_event *out) {
  struct gather gather = {.parser = parser,
                          .members = snapshot_members,
                          .bids = "bids",
                          .asks = "asks",
                          .book = {.levels = parser->levels, .side_max = TRP_GATEIO_SIDE_MAX}};
  *out = (struct trp_gateio_event){.kind = TRP_GATEIO_OTHER};
  enum trp_err err = walk(&gather, bytes, size);
  if (err != TRP_OK) return err;
  if (has(&gather, SEEN(F_LABEL))) return give_error(&gather, out);
  if (!has(&gather, SEEN(F_FINAL_ID)) || !give_time(&gather, out))
    return refuse(&gather, "a snapshot without an id");
  if (!gather.book.seen[1] || !gather.book.seen[2] || !trp_json_levels_good(&gather.book))
    return refuse(&gather, "a snapshot with a side missing or a bad level");
  give_depth(&gather, out, true);
  return TRP_OK;
}
