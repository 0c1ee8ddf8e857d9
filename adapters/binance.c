#include "adapters/binance.h"

#include "adapters/binance_wire.h"

/* Three streams a symbol, so that a text holds whole symbols. */
#define STREAMS_A_TEXT 198

_Static_assert(TRP_STREAM_QUOTES == TRP_BINANCE_STREAM_QUOTES &&
                   TRP_STREAM_TRADES == TRP_BINANCE_STREAM_TRADES &&
                   TRP_STREAM_DEPTH == TRP_BINANCE_STREAM_DEPTH,
               "the same bits");
_Static_assert(TRP_DIALECT_SYMBOL_MAX == TRP_BINANCE_SYMBOL_MAX, "the same bound");

/* ---- saying ------------------------------------------------------------------------------- */

static void request_begin(struct trp_dialect_request *request) {
  trp_binance_request_begin(&request->text, request->text.text, request->text.capacity,
                            request->subscribe);
}

static bool request_add(struct trp_dialect_request *request, enum trp_stream stream,
                        const char *symbol) {
  if (request->text.streams == STREAMS_A_TEXT) return false;
  trp_binance_request_add(&request->text, symbol, stream);
  return true;
}

static bool request_end(struct trp_dialect_request *request) {
  return trp_binance_request_end(&request->text, request->id);
}

/* ---- hearing ------------------------------------------------------------------------------ */

static enum trp_err parser_new(void **parser) {
  struct trp_binance_parser *made = NULL;
  enum trp_err err = trp_binance_parser_new(&made);
  *parser = made;
  return err;
}

static void parser_destroy(void **parser) {
  struct trp_binance_parser *made = *parser;
  trp_binance_parser_destroy(&made);
  *parser = NULL;
}

static const char *parse_reason(const void *parser) { return trp_binance_parse_reason(parser); }

static void translate(const struct trp_binance_event *event, enum trp_heard_kind depth,
                      struct trp_heard *heard) {
  switch (event->kind) {
    case TRP_BINANCE_QUOTE:
      heard->kind = TRP_HEARD_QUOTE;
      heard->quote = event->quote;
      break;
    case TRP_BINANCE_TRADE:
      heard->kind = TRP_HEARD_TRADE;
      heard->trade = event->trade;
      break;
    case TRP_BINANCE_DEPTH:
      heard->kind = depth;
      heard->depth = event->depth;
      break;
    case TRP_BINANCE_ACK:
      heard->kind = TRP_HEARD_ACK;
      heard->answer.id = event->ack_id;
      break;
    case TRP_BINANCE_ERROR:
      heard->kind = TRP_HEARD_REFUSED;
      heard->answer.id = event->error.id;
      heard->answer.code = event->error.code;
      heard->answer.text = event->error.text;
      break;
    case TRP_BINANCE_SHUTDOWN:
      heard->kind = TRP_HEARD_ENDING;
      heard->answer.text = "the server announced its shutdown";
      break;
    case TRP_BINANCE_OTHER:
      break;
  }
}

static void tell(const struct trp_binance_event *event, enum trp_heard_kind depth,
                 trp_hear_fn *hear, void *arg) {
  struct trp_heard heard = {.kind = TRP_HEARD_OTHER,
                            .symbol = event->symbol,
                            .exchange_us = event->exchange_us,
                            .inexact = event->inexact};
  translate(event, depth, &heard);
  hear(arg, &heard);
}

static enum trp_err parse(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                          void *arg) {
  struct trp_binance_event event;
  enum trp_err err = trp_binance_parse(parser, bytes, size, &event);
  if (err == TRP_OK) tell(&event, TRP_HEARD_DIFF, hear, arg);
  return err;
}

static enum trp_err parse_snapshot(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                                   void *arg) {
  struct trp_binance_event event;
  enum trp_err err = trp_binance_parse_snapshot(parser, bytes, size, &event);
  if (err == TRP_OK) tell(&event, TRP_HEARD_WHOLE, hear, arg);
  return err;
}

/* ---- by HTTP ------------------------------------------------------------------------------ */

#define TRADES_AT_ONCE 1000

struct heard_by {
  trp_hear_fn *hear;
  void *arg;
};

static void each(void *arg, const struct trp_binance_event *event) {
  const struct heard_by *by = arg;
  tell(event, TRP_HEARD_WHOLE, by->hear, by->arg);
}

static bool poll_url(char *out, size_t size, const char *http_base, const char *const *symbols,
                     uint32_t count) {
  return count == 1 ? trp_binance_ticker_url(out, size, http_base, symbols[0])
                    : trp_binance_tickers_url(out, size, http_base, symbols, count);
}

static uint32_t poll_weight(uint32_t count) { return count == 1 ? 2 : 4; }

static enum trp_err parse_poll(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                               void *arg) {
  struct heard_by by = {.hear = hear, .arg = arg};
  return trp_binance_parse_tickers(parser, bytes, size, each, &by);
}

static bool trades_url(char *out, size_t size, const char *http_base, const char *symbol,
                       uint64_t from_id) {
  uint32_t limit = from_id != 0 ? TRADES_AT_ONCE : 1;
  return trp_binance_trades_url(out, size, http_base, symbol, from_id, limit);
}

static enum trp_err parse_trades(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                                 void *arg) {
  struct heard_by by = {.hear = hear, .arg = arg};
  return trp_binance_parse_trades(parser, bytes, size, each, &by);
}

static enum trp_err parse_listing(void *parser, const void *bytes, size_t size,
                                  trp_listed_fn *listed, void *arg) {
  return trp_binance_parse_listing(parser, bytes, size, listed, arg);
}

/* ---- errors ------------------------------------------------------------------------------- */

static enum trp_error_class classify(int64_t code, const char *text) {
  (void)text;
  switch (code) {
    case -1003: /* too many requests */
    case -1015: /* too many orders */
      return TRP_CLASS_RATE_LIMIT;
    case -1002: /* unauthorized */
    case -1022: /* signature */
    case -2014: /* key format */
    case -2015: /* key, address or rights */
      return TRP_CLASS_AUTH;
    case -1121: /* invalid symbol */
    case -1122: /* invalid symbol status */
      return TRP_CLASS_FATAL;
    case -1000: /* unknown */
    case -1001: /* disconnected */
    case -1006: /* unexpected response */
    case -1007: /* timeout */
    case -1008: /* overloaded */
    case -1016: /* shutting down */
    case -1021: /* timestamp */
      return TRP_CLASS_TRANSIENT;
    default:
      return TRP_CLASS_COUNT;
  }
}

/* ---- the tables --------------------------------------------------------------------------- */

const struct trp_dialect trp_binance_dialect = {
    .name = "binance",
    .venue = ".BINANCE",
    .example = "BTCUSDT",
    .ws_base = "wss://stream.binance.com:9443",
    .http_base = "https://api.binance.com",
    .streams = TRP_STREAM_QUOTES | TRP_STREAM_TRADES | TRP_STREAM_DEPTH,
    .streams_usual = TRP_STREAM_QUOTES | TRP_STREAM_TRADES | TRP_STREAM_DEPTH,
    .streams_per_link = 1024,
    .symbols_usual = 341, /* three streams each: one connection's */
    .texts_per_s = 4,     /* the exchange cuts at more than 5 */
    .pongs_count = true,
    .heartbeat_ms = 60000, /* it pings every 20 s */
    .rule = TRP_DEPTH_OVERLAPS,
    .snapshot_limit = 1000, /* weight 50; 5,000 levels weigh 250 */
    .snapshot_max = 5000,
    .weight_per_min = 3000, /* of the address's 6,000 */
    .limit_wait_s = 60,
    .ban_wait_s = 120,
    .symbol_valid = trp_binance_symbol_valid,
    .stream_url = trp_binance_stream_url,
    .snapshot_url = trp_binance_depth_url,
    .snapshot_weight = trp_binance_depth_weight,
    .request_begin = request_begin,
    .request_add = request_add,
    .request_end = request_end,
    .parser_new = parser_new,
    .parser_destroy = parser_destroy,
    .parse = parse,
    .parse_snapshot = parse_snapshot,
    .parse_reason = parse_reason,
    .classify = classify,
    .life_s = 24 * 3600,
    .quote_ids = TRP_IDS_RISE,
    .trade_ids = TRP_IDS_COUNT,
    .poll_symbols = 64,
    .poll_url = poll_url,
    .poll_weight = poll_weight,
    .parse_poll = parse_poll,
    .trades_url = trades_url,
    .trades_weight = 4,
    .trades_limit = TRADES_AT_ONCE,
    .parse_trades = parse_trades,
    .listing_url = trp_binance_listing_url,
    .listing_weight = 20,
    .parse_listing = parse_listing,
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  return trp_feed_start(self, state, args, &trp_binance_dialect);
}

const struct trp_kind trp_binance_feed_kind = TRP_FEED_KIND("binance_feed", start);
