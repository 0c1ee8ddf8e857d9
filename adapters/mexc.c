#include "adapters/mexc.h"

#include <string.h>

#include "adapters/mexc_wire.h"

_Static_assert(TRP_DIALECT_SYMBOL_MAX == TRP_MEXC_SYMBOL_MAX, "the same bound");

/* ---- saying ------------------------------------------------------------------------------- */

static enum trp_mexc_stream channel_of(enum trp_stream stream) {
  if (stream == TRP_STREAM_TRADES) return TRP_MEXC_STREAM_TRADES;
  return stream == TRP_STREAM_DEPTH ? TRP_MEXC_STREAM_DEPTH : TRP_MEXC_STREAM_QUOTES;
}

static void request_begin(struct trp_dialect_request *request) {
  trp_mexc_request_begin(&request->text, request->text.text, request->text.capacity,
                         request->subscribe);
}

/* One a text: mexc.h says why. */
static bool request_add(struct trp_dialect_request *request, enum trp_stream stream,
                        const char *symbol) {
  if (request->text.streams != 0) return false;
  trp_mexc_request_add(&request->text, channel_of(stream), symbol);
  return true;
}

static bool request_end(struct trp_dialect_request *request) {
  return trp_mexc_request_end(&request->text);
}

static bool names(const char *text, enum trp_stream stream, const char *symbol) {
  char channel[TRP_MEXC_CHANNEL_MAX];
  return trp_mexc_channel(channel, sizeof channel, channel_of(stream), symbol) &&
         trp_mexc_text_names(text, channel);
}

static void ping(struct trp_wire_text *text, int64_t time_s) {
  (void)time_s;
  trp_wire_put(text, TRP_MEXC_PING);
}

/* 500 requests in 10 s for each endpoint, whatever their limit. */
static uint32_t snapshot_weight(uint32_t limit) {
  (void)limit;
  return 1;
}

/* ---- hearing ------------------------------------------------------------------------------ */

static enum trp_err parser_new(void **parser) {
  struct trp_mexc_parser *made = NULL;
  enum trp_err err = trp_mexc_parser_new(&made);
  *parser = made;
  return err;
}

static void parser_destroy(void **parser) {
  struct trp_mexc_parser *made = *parser;
  trp_mexc_parser_destroy(&made);
  *parser = NULL;
}

static const char *parse_reason(const void *parser) { return trp_mexc_parse_reason(parser); }

static void tell_quotes(const struct trp_mexc_event *event, struct trp_heard *heard,
                        trp_hear_fn *hear, void *arg) {
  heard->kind = TRP_HEARD_QUOTE;
  for (uint32_t i = 0; i < event->quote_count; i++) {
    heard->quote = event->quotes[i];
    hear(arg, heard);
    heard->inexact = 0; /* the frame's, told with its first */
  }
}

static void tell_trades(const struct trp_mexc_event *event, struct trp_heard *heard,
                        trp_hear_fn *hear, void *arg) {
  heard->kind = TRP_HEARD_TRADE;
  for (uint32_t i = 0; i < event->trade_count; i++) {
    heard->trade = event->trades[i].trade;
    heard->exchange_us = event->trades[i].exchange_us;
    hear(arg, heard);
    heard->inexact = 0;
  }
}

/* Answers name channels; what names none is about the oldest request, as far as anybody knows. */
static void take_answer(const struct trp_mexc_event *event, enum trp_heard_kind kind,
                        struct trp_heard *heard) {
  heard->kind = kind;
  heard->answer.code = event->answer.code;
  heard->answer.text = event->answer.text;
  if (event->kind != TRP_MEXC_ERROR) heard->answer.names = event->answer.text;
}

/* `depth` is what the ids of a book mean here: a diff's of a frame, a whole book's of a body. */
static void tell(const struct trp_mexc_event *event, enum trp_heard_kind depth, trp_hear_fn *hear,
                 void *arg) {
  struct trp_heard heard = {.kind = TRP_HEARD_OTHER,
                            .symbol = event->symbol,
                            .exchange_us = event->exchange_us,
                            .inexact = event->inexact};
  switch (event->kind) {
    case TRP_MEXC_QUOTES:
      tell_quotes(event, &heard, hear, arg);
      return;
    case TRP_MEXC_TRADES:
      tell_trades(event, &heard, hear, arg);
      return;
    case TRP_MEXC_DEPTH:
      heard.kind = depth;
      heard.depth = event->depth;
      break;
    case TRP_MEXC_ACK:
      take_answer(event, TRP_HEARD_ACK, &heard);
      break;
    case TRP_MEXC_REFUSED:
    case TRP_MEXC_ERROR:
      take_answer(event, TRP_HEARD_REFUSED, &heard);
      break;
    case TRP_MEXC_PONG:
      heard.kind = TRP_HEARD_PONG;
      break;
    case TRP_MEXC_TOP: /* a few levels: nothing to build a book from */
    case TRP_MEXC_OTHER:
      break;
  }
  hear(arg, &heard);
}

static enum trp_err parse(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                          void *arg) {
  struct trp_mexc_event event;
  enum trp_err err = trp_mexc_parse(parser, bytes, size, &event);
  if (err == TRP_OK) tell(&event, TRP_HEARD_DIFF, hear, arg);
  return err;
}

static enum trp_err parse_snapshot(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                                   void *arg) {
  struct trp_mexc_event event;
  enum trp_err err = trp_mexc_parse_snapshot(parser, bytes, size, &event);
  if (err == TRP_OK) tell(&event, TRP_HEARD_WHOLE, hear, arg);
  return err;
}

/* ---- by HTTP ------------------------------------------------------------------------------ */

struct heard_by {
  trp_hear_fn *hear;
  void *arg;
};

static void each(void *arg, const struct trp_mexc_event *event) {
  const struct heard_by *by = arg;
  tell(event, TRP_HEARD_WHOLE, by->hear, by->arg);
}

/* Of one symbol or of all: there is no list of names. */
static bool poll_url(char *out, size_t size, const char *http_base, const char *const *symbols,
                     uint32_t count) {
  return trp_mexc_tickers_url(out, size, http_base, count == 1 ? symbols[0] : NULL);
}

static uint32_t poll_weight(uint32_t count) {
  (void)count;
  return 1;
}

static enum trp_err parse_poll(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                               void *arg) {
  struct heard_by by = {.hear = hear, .arg = arg};
  return trp_mexc_parse_tickers(parser, bytes, size, each, &by);
}

static enum trp_err parse_listing(void *parser, const void *bytes, size_t size,
                                  trp_listed_fn *listed, void *arg) {
  return trp_mexc_parse_listing(parser, bytes, size, listed, arg);
}

/* ---- errors ------------------------------------------------------------------------------- */

/* In the stream the code says nothing, and "Blocked" is what is said of a channel that we may not
 * have or that there is not. */
static enum trp_error_class classify(int64_t code, const char *text) {
  if (strstr(text, "Blocked") != NULL) return TRP_CLASS_FATAL;
  switch (code) {
    case 429: /* too many requests, in the body too */
      return TRP_CLASS_RATE_LIMIT;
    case 10072:  /* key */
    case 700002: /* signature */
      return TRP_CLASS_AUTH;
    case -1121: /* invalid symbol */
    case 10007: /* bad symbol */
      return TRP_CLASS_FATAL;
    case 500:    /* internal error */
    case 503:    /* unavailable */
    case 700003: /* timestamp */
      return TRP_CLASS_TRANSIENT;
    default:
      return TRP_CLASS_COUNT;
  }
}

/* ---- the tables --------------------------------------------------------------------------- */

const struct trp_dialect trp_mexc_dialect = {
    .name = "mexc",
    .venue = ".MEXC",
    .example = "BTCUSDT",
    .ws_base = "wss://wbs-api.mexc.com",
    .http_base = "https://api.mexc.com",
    .streams = TRP_STREAM_QUOTES | TRP_STREAM_TRADES | TRP_STREAM_DEPTH,
    .streams_usual = TRP_STREAM_QUOTES | TRP_STREAM_TRADES | TRP_STREAM_DEPTH,
    .streams_per_link = TRP_MEXC_SUBSCRIPTIONS_MAX,
    .symbols_usual = 320, /* three streams each: ten a connection, on all that there may be */
    .texts_per_s = 50,    /* half of what the exchange allows */
    .closes_idle = true,  /* after 30 s */
    .heartbeat_ms = 45000,
    .ping_ms = 15000,
    .rule = TRP_DEPTH_CHAINED,
    .snapshot_limit = 1000,
    .snapshot_max = 5000,
    .weight_per_min = 1500, /* of 500 in 10 s */
    .limit_wait_s = 600,
    .ban_wait_s = 600,
    .symbol_valid = trp_mexc_symbol_valid,
    .stream_url = trp_mexc_stream_url,
    .snapshot_url = trp_mexc_depth_url,
    .snapshot_weight = snapshot_weight,
    .request_begin = request_begin,
    .request_add = request_add,
    .request_end = request_end,
    .names = names,
    .ping = ping,
    .parser_new = parser_new,
    .parser_destroy = parser_destroy,
    .parse = parse,
    .parse_snapshot = parse_snapshot,
    .parse_reason = parse_reason,
    .classify = classify,
    .life_s = 24 * 3600,
    .quote_ids = TRP_IDS_RISE, /* versions of the book */
    /* Nothing says that a trade's id rises, and a trade whose id does not would be dropped as a
     * repeat; over HTTP it is null. So trades are neither compared nor polled. */
    .trade_ids = TRP_IDS_NONE,
    .poll_symbols = 320, /* all of them */
    .poll_url = poll_url,
    .poll_weight = poll_weight,
    .parse_poll = parse_poll,
    .listing_url = trp_mexc_listing_url,
    .listing_weight = 10,
    .parse_listing = parse_listing,
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  return trp_feed_start(self, state, args, &trp_mexc_dialect);
}

const struct trp_kind trp_mexc_feed_kind = TRP_FEED_KIND("mexc_feed", start);
