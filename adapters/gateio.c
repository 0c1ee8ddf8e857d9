#include "adapters/gateio.h"

#include <string.h>

#include "adapters/gateio_wire.h"

#define PAIRS_A_TEXT 100
#define OBU_FEW 50
#define OBU_MANY 400

_Static_assert(TRP_DIALECT_SYMBOL_MAX == TRP_GATEIO_SYMBOL_MAX, "the same bound");

/* ---- saying ------------------------------------------------------------------------------- */

static enum trp_gateio_channel channel_of(enum trp_stream stream) {
  switch (stream) {
    case TRP_STREAM_QUOTES:
      return TRP_GATEIO_BOOK_TICKER;
    case TRP_STREAM_TRADES:
      return TRP_GATEIO_TRADES;
    case TRP_STREAM_DEPTH:
      return TRP_GATEIO_ORDER_BOOK_UPDATE;
    case TRP_STREAM_TICKERS:
      return TRP_GATEIO_TICKERS;
    case TRP_STREAM_BOOK:
      return TRP_GATEIO_OBU;
  }
  return TRP_GATEIO_NO_CHANNEL;
}

static void request_begin(struct trp_dialect_request *request) {
  trp_gateio_request_begin(&request->text, request->text.text, request->text.capacity,
                           channel_of(request->first), request->subscribe);
}

static bool request_add(struct trp_dialect_request *request, enum trp_stream stream,
                        const char *symbol) {
  uint32_t most = request->first == TRP_STREAM_DEPTH ? 1 : PAIRS_A_TEXT;
  if (stream != request->first || request->text.streams == most) return false;
  trp_gateio_request_add(&request->text, channel_of(stream), symbol,
                         request->depth >= OBU_MANY ? OBU_MANY : OBU_FEW);
  return true;
}

static bool request_end(struct trp_dialect_request *request) {
  return trp_gateio_request_end(&request->text, request->id, (uint64_t)request->time_s);
}

static void ping(struct trp_wire_text *text, int64_t time_s) {
  text->full = !trp_gateio_ping(text->text, text->capacity, (uint64_t)time_s);
  text->size = strlen(text->text);
}

/* 200 requests in 10 s for each endpoint, whatever their limit. */
static uint32_t snapshot_weight(uint32_t limit) {
  (void)limit;
  return 1;
}

/* ---- hearing ------------------------------------------------------------------------------ */

static enum trp_err parser_new(void **parser) {
  struct trp_gateio_parser *made = NULL;
  enum trp_err err = trp_gateio_parser_new(&made);
  *parser = made;
  return err;
}

static void parser_destroy(void **parser) {
  struct trp_gateio_parser *made = *parser;
  trp_gateio_parser_destroy(&made);
  *parser = NULL;
}

static const char *parse_reason(const void *parser) { return trp_gateio_parse_reason(parser); }

/* "Alert sub ob.BTC_USDT.50" is the complaint about a subscription that stands already. */
static void translate_error(const struct trp_gateio_event *event, struct trp_heard *heard) {
  bool stands = strncmp(event->error.text, "Alert sub", strlen("Alert sub")) == 0;
  heard->kind = stands ? TRP_HEARD_ACK : TRP_HEARD_REFUSED;
  heard->answer.id = event->error.id;
  heard->answer.code = event->error.code;
  heard->answer.text = event->error.text;
}

static void translate(const struct trp_gateio_event *event, struct trp_heard *heard) {
  switch (event->kind) {
    case TRP_GATEIO_QUOTE:
      heard->kind = TRP_HEARD_QUOTE;
      heard->quote = event->quote;
      break;
    case TRP_GATEIO_TRADE:
      heard->kind = TRP_HEARD_TRADE;
      heard->trade = event->trade;
      break;
    case TRP_GATEIO_DEPTH:
      heard->kind = event->full ? TRP_HEARD_WHOLE : TRP_HEARD_DIFF;
      heard->depth = event->depth;
      break;
    case TRP_GATEIO_ACK:
      heard->kind = TRP_HEARD_ACK;
      heard->answer.id = event->ack.id;
      break;
    case TRP_GATEIO_ERROR:
      translate_error(event, heard);
      break;
    case TRP_GATEIO_PONG:
      heard->kind = TRP_HEARD_PONG;
      break;
    case TRP_GATEIO_UPGRADE:
      heard->kind = TRP_HEARD_ENDING;
      heard->answer.text = "the server announced an upgrade";
      break;
    case TRP_GATEIO_OTHER:
      if (event->channel == TRP_GATEIO_TICKERS && event->symbol[0] != '\0')
        heard->kind = TRP_HEARD_ALIVE;
      break;
  }
}

static void tell(const struct trp_gateio_event *event, trp_hear_fn *hear, void *arg) {
  struct trp_heard heard = {.kind = TRP_HEARD_OTHER,
                            .symbol = event->symbol,
                            .exchange_us = event->exchange_us,
                            .inexact = event->inexact};
  translate(event, &heard);
  hear(arg, &heard);
}

static enum trp_err parse(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                          void *arg) {
  struct trp_gateio_event event;
  enum trp_err err = trp_gateio_parse(parser, bytes, size, &event);
  if (err == TRP_OK) tell(&event, hear, arg);
  return err;
}

static enum trp_err parse_snapshot(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                                   void *arg) {
  struct trp_gateio_event event;
  enum trp_err err = trp_gateio_parse_snapshot(parser, bytes, size, &event);
  if (err == TRP_OK) tell(&event, hear, arg);
  return err;
}

static enum trp_err parse_listing(void *parser, const void *bytes, size_t size,
                                  trp_listed_fn *listed, void *arg) {
  return trp_gateio_parse_listing(parser, bytes, size, listed, arg);
}

/* Codes of the stream are positive and few; in HTTP the label stands for them, which the parser
 * does not keep, so the words decide and then the status. */
static enum trp_error_class classify(int64_t code, const char *text) {
  enum { SERVER_SIDE = 3, AUTH_FAILED = 4 };
  if (code == SERVER_SIDE) return TRP_CLASS_TRANSIENT;
  if (code == AUTH_FAILED) return TRP_CLASS_AUTH;
  if (strstr(text, "unknown currency") != NULL || strstr(text, "nvalid currency") != NULL)
    return TRP_CLASS_FATAL;
  return TRP_CLASS_COUNT;
}

/* ---- the tables --------------------------------------------------------------------------- */

const struct trp_dialect trp_gateio_dialect = {
    .name = "gateio",
    .venue = ".GATEIO",
    .example = "BTC_USDT",
    .ws_base = "wss://api.gateio.ws",
    .http_base = "https://api.gateio.ws",
    .streams = TRP_STREAM_QUOTES | TRP_STREAM_TRADES | TRP_STREAM_DEPTH | TRP_STREAM_TICKERS |
               TRP_STREAM_BOOK,
    .streams_usual = TRP_STREAM_QUOTES | TRP_STREAM_TRADES | TRP_STREAM_DEPTH,
    .streams_per_link = 4096, /* it sets no limit, so we do */
    .symbols_usual = 1024,
    .texts_per_s = 20, /* likewise */
    .heartbeat_ms = 30000,
    .ping_ms = 10000,
    .rule = TRP_DEPTH_OVERLAPS,
    .snapshot_limit = 100,
    .snapshot_max = 1000,
    .weight_per_min = 600, /* of 200 in 10 s */
    .limit_wait_s = 10,
    .ban_wait_s = 120,
    .symbol_valid = trp_gateio_symbol_valid,
    .symbol_plain = trp_gateio_symbol_plain,
    .stream_url = trp_gateio_stream_url,
    .snapshot_url = trp_gateio_book_url,
    .snapshot_weight = snapshot_weight,
    .request_begin = request_begin,
    .request_add = request_add,
    .request_end = request_end,
    .ping = ping,
    .parser_new = parser_new,
    .parser_destroy = parser_destroy,
    .parse = parse,
    .parse_snapshot = parse_snapshot,
    .parse_reason = parse_reason,
    .classify = classify,
    .quote_ids = TRP_IDS_RISE, /* ids of the book, here as in its snapshots */
    .trade_ids = TRP_IDS_RISE,
    .listing_url = trp_gateio_listing_url,
    .listing_weight = 1,
    .parse_listing = parse_listing,
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  return trp_feed_start(self, state, args, &trp_gateio_dialect);
}

const struct trp_kind trp_gateio_feed_kind = TRP_FEED_KIND("gateio_feed", start);
