#include "adapters/gateio_wire.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/gateio_parser.h"
#include "adapters/json_listing.h"

#define BOOK_PATH "/api/v4/spot/order_book"

enum trp_err trp_gateio_parser_new(struct trp_gateio_parser **out) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return TRP_NO_MEMORY;
  (*out)->reason = "";
  return TRP_OK;
}

void trp_gateio_parser_destroy(struct trp_gateio_parser **parser) {
  free(*parser);
  *parser = NULL;
}

static enum trp_err too_big(struct trp_gateio_parser *parser) {
  parser->reason = "larger than the limit";
  return TRP_TOO_BIG;
}

enum trp_err trp_gateio_parse(struct trp_gateio_parser *parser, const void *bytes, size_t size,
                              struct trp_gateio_event *out) {
  if (size > TRP_GATEIO_FRAME_MAX) return too_big(parser);
  if (trp_gateio_scan_frame(parser, bytes, size, out)) return TRP_OK;
  return trp_gateio_any_frame(parser, bytes, size, out);
}

enum trp_err trp_gateio_parse_snapshot(struct trp_gateio_parser *parser, const void *bytes,
                                       size_t size, struct trp_gateio_event *out) {
  if (size > TRP_GATEIO_FRAME_MAX) return too_big(parser);
  return trp_gateio_any_snapshot(parser, bytes, size, out);
}

const char *trp_gateio_parse_reason(const struct trp_gateio_parser *parser) {
  return parser->reason != NULL ? parser->reason : "";
}

/* ---- pieces of frames --------------------------------------------------------------------- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool trp_gateio_take_obu_name(const char *name, struct trp_gateio_event *out) {
  const char *symbol = name + 3;
  const char *dot = strncmp(name, "ob.", 3) == 0 ? strchr(symbol, '.') : NULL;
  if (dot == NULL || (size_t)(dot - symbol) > TRP_GATEIO_SYMBOL_MAX) return false;
  memcpy(out->symbol, symbol, (size_t)(dot - symbol));
  out->symbol[dot - symbol] = '\0';
  const char *at = dot + 1;
  for (out->obu_levels = 0; is_digit(*at) && out->obu_levels < 100000; at++)
    out->obu_levels = out->obu_levels * 10 + (uint32_t)(*at - '0');
  return at != dot + 1 && *at == '\0' && trp_gateio_symbol_valid(out->symbol);
}

bool trp_gateio_take_time(const char *text, int64_t *out_us) {
  uint64_t ms = 0;
  int64_t us = 0, unit = 100;
  const char *at = text;
  for (; is_digit(*at); at++)
    if (__builtin_mul_overflow(ms, 10u, &ms) ||
        __builtin_add_overflow(ms, (uint64_t)(*at - '0'), &ms))
      return false;
  if (at == text) return false;
  if (*at == '.')
    for (at++; is_digit(*at); at++, unit /= 10) us += unit * (*at - '0');
  return *at == '\0' && trp_gateio_time_us(ms, out_us) &&
         !__builtin_add_overflow(*out_us, us, out_us);
}

/* ---- names -------------------------------------------------------------------------------- */

static const char *const channels[TRP_GATEIO_CHANNEL_COUNT] = {
    [TRP_GATEIO_NO_CHANNEL] = "",
    [TRP_GATEIO_BOOK_TICKER] = "spot.book_ticker",
    [TRP_GATEIO_TRADES] = "spot.trades",
    [TRP_GATEIO_TICKERS] = "spot.tickers",
    [TRP_GATEIO_ORDER_BOOK_UPDATE] = "spot.order_book_update",
    [TRP_GATEIO_OBU] = "spot.obu",
};

const char *trp_gateio_channel_name(enum trp_gateio_channel channel) {
  return (size_t)channel < TRP_GATEIO_CHANNEL_COUNT ? channels[channel] : "";
}

enum trp_gateio_channel trp_gateio_channel_of(const char *name) {
  for (int i = 1; i < TRP_GATEIO_CHANNEL_COUNT; i++)
    if (strcmp(channels[i], name) == 0) return (enum trp_gateio_channel)i;
  return TRP_GATEIO_NO_CHANNEL;
}

bool trp_gateio_symbol_valid(const char *symbol) {
  const char *underscore = strchr(symbol, '_');
  return trp_wire_symbol_valid(symbol, TRP_GATEIO_SYMBOL_MAX) && underscore != NULL &&
         underscore != symbol && symbol[strlen(symbol) - 1] != '_';
}

void trp_gateio_symbol_plain(char out[TRP_GATEIO_SYMBOL_MAX + 1], const char *symbol) {
  size_t n = 0;
  for (; *symbol != '\0' && n < TRP_GATEIO_SYMBOL_MAX; symbol++)
    if (*symbol != '_') out[n++] = *symbol;
  out[n] = '\0';
}

/* ---- requests ----------------------------------------------------------------------------- */

void trp_gateio_request_begin(struct trp_wire_text *request, char *buffer, size_t capacity,
                              enum trp_gateio_channel channel, bool subscribe) {
  trp_wire_text_begin(request, buffer, capacity);
  trp_wire_put(request, "{\"channel\":\"");
  trp_wire_put(request, trp_gateio_channel_name(channel));
  trp_wire_put(request, subscribe ? "\",\"event\":\"subscribe\",\"payload\":["
                                  : "\",\"event\":\"unsubscribe\",\"payload\":[");
}

void trp_gateio_request_add(struct trp_wire_text *request, enum trp_gateio_channel channel,
                            const char *symbol, uint32_t obu_levels) {
  trp_wire_put(request, request->streams++ == 0 ? "\"" : ",\"");
  if (channel == TRP_GATEIO_OBU) trp_wire_put(request, "ob.");
  trp_wire_put(request, symbol);
  if (channel == TRP_GATEIO_OBU) {
    trp_wire_put(request, ".");
    trp_wire_put_u64(request, obu_levels);
  }
  trp_wire_put(request, channel == TRP_GATEIO_ORDER_BOOK_UPDATE ? "\",\"100ms\"" : "\"");
}

bool trp_gateio_request_end(struct trp_wire_text *request, uint64_t id, uint64_t time_s) {
  trp_wire_put(request, "],\"id\":");
  trp_wire_put_u64(request, id);
  trp_wire_put(request, ",\"time\":");
  trp_wire_put_u64(request, time_s);
  trp_wire_put(request, "}");
  return !request->full;
}

bool trp_gateio_ping(char *out, size_t size, uint64_t time_s) {
  struct trp_wire_text text;
  trp_wire_text_begin(&text, out, size);
  trp_wire_put(&text, "{\"time\":");
  trp_wire_put_u64(&text, time_s);
  trp_wire_put(&text, ",\"channel\":\"spot.ping\"}");
  return !text.full;
}

/* ---- URLs --------------------------------------------------------------------------------- */

bool trp_gateio_stream_url(char *out, size_t size, const char *ws_base) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, ws_base);
  trp_wire_put(&url, "/ws/v4/");
  return !url.full;
}

bool trp_gateio_book_url(char *out, size_t size, const char *http_base, const char *symbol,
                         uint32_t limit) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, http_base);
  trp_wire_put(&url, BOOK_PATH "?currency_pair=");
  trp_wire_put_encoded(&url, symbol);
  trp_wire_put(&url, "&limit=");
  trp_wire_put_u64(&url, limit);
  trp_wire_put(&url, "&with_id=true");
  return !url.full;
}

bool trp_gateio_listing_url(char *out, size_t size, const char *http_base) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, http_base);
  trp_wire_put(&url, "/api/v4/spot/currency_pairs");
  return !url.full;
}

enum trp_err trp_gateio_parse_listing(struct trp_gateio_parser *parser, const void *bytes,
                                      size_t size, void (*each)(void *arg, const char *symbol),
                                      void *arg) {
  return trp_json_listing(bytes, size, "[].id", each, arg, &parser->reason);
}

bool trp_gateio_symbol_of_url(const char *url, char *out, size_t size) {
  return trp_wire_url_parameter(url, BOOK_PATH, "currency_pair", out, size) &&
         trp_gateio_symbol_valid(out);
}
