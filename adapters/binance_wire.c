#include "adapters/binance_wire.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/binance_parser.h"

#define DEPTH_PATH "/api/v3/depth"

enum trp_err trp_binance_parser_new(struct trp_binance_parser **out) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return TRP_NO_MEMORY;
  (*out)->reason = "";
  return TRP_OK;
}

void trp_binance_parser_destroy(struct trp_binance_parser **parser) {
  free(*parser);
  *parser = NULL;
}

static enum trp_err too_big(struct trp_binance_parser *parser) {
  parser->reason = "larger than the limit";
  return TRP_TOO_BIG;
}

enum trp_err trp_binance_parse(struct trp_binance_parser *parser, const void *bytes, size_t size,
                               struct trp_binance_event *out) {
  if (size > TRP_BINANCE_FRAME_MAX) return too_big(parser);
  if (trp_binance_scan_frame(parser, bytes, size, out)) return TRP_OK;
  return trp_binance_any_frame(parser, bytes, size, out);
}

const char *trp_binance_parse_reason(const struct trp_binance_parser *parser) {
  return parser->reason != NULL ? parser->reason : "";
}

enum trp_err trp_binance_parse_snapshot(struct trp_binance_parser *parser, const void *bytes,
                                        size_t size, struct trp_binance_event *out) {
  if (size > TRP_BINANCE_FRAME_MAX) return too_big(parser);
  if (trp_binance_scan_snapshot(parser, bytes, size, out)) return TRP_OK;
  return trp_binance_any_snapshot(parser, bytes, size, out);
}

enum trp_err trp_binance_parse_tickers(struct trp_binance_parser *parser, const void *bytes,
                                       size_t size, trp_binance_ticker_fn *each, void *arg) {
  if (size > TRP_BINANCE_FRAME_MAX) return too_big(parser);
  return trp_binance_any_tickers(parser, bytes, size, each, arg);
}

/* ---- symbols ------------------------------------------------------------------------------ */

bool trp_binance_symbol_valid(const char *symbol) {
  return trp_wire_symbol_valid(symbol, TRP_BINANCE_SYMBOL_MAX);
}

/* Stream names are the symbol in lower case; only ASCII letters have one here. */
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* ---- requests ----------------------------------------------------------------------------- */

static void put_stream(struct trp_wire_text *request, const char *symbol, const char *suffix) {
  char name[TRP_BINANCE_SYMBOL_MAX + 1];
  size_t length = strnlen(symbol, TRP_BINANCE_SYMBOL_MAX);
  for (size_t i = 0; i < length; i++) name[i] = lower(symbol[i]);
  name[length] = '\0';
  trp_wire_put(request, request->streams++ == 0 ? "\"" : ",\"");
  trp_wire_put(request, name);
  trp_wire_put(request, suffix);
  trp_wire_put(request, "\"");
}

void trp_binance_request_begin(struct trp_wire_text *request, char *buffer, size_t capacity,
                               bool subscribe) {
  trp_wire_text_begin(request, buffer, capacity);
  trp_wire_put(request, subscribe ? "{\"method\":\"SUBSCRIBE\",\"params\":["
                                  : "{\"method\":\"UNSUBSCRIBE\",\"params\":[");
}

void trp_binance_request_add(struct trp_wire_text *request, const char *symbol, uint32_t streams) {
  if (streams & TRP_BINANCE_STREAM_QUOTES) put_stream(request, symbol, "@bookTicker");
  if (streams & TRP_BINANCE_STREAM_TRADES) put_stream(request, symbol, "@aggTrade");
  if (streams & TRP_BINANCE_STREAM_DEPTH) put_stream(request, symbol, "@depth@100ms");
}

bool trp_binance_request_end(struct trp_wire_text *request, uint64_t id) {
  trp_wire_put(request, "],\"id\":");
  trp_wire_put_u64(request, id);
  trp_wire_put(request, "}");
  return !request->full;
}

/* ---- URLs --------------------------------------------------------------------------------- */

static bool query_url(struct trp_wire_text *out, const char *base, const char *path,
                      const char *symbol) {
  trp_wire_put(out, base);
  trp_wire_put(out, path);
  trp_wire_put(out, "?symbol=");
  trp_wire_put_encoded(out, symbol);
  return !out->full;
}

bool trp_binance_stream_url(char *out, size_t size, const char *ws_base) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, ws_base);
  trp_wire_put(&url, "/stream");
  return !url.full;
}

bool trp_binance_depth_url(char *out, size_t size, const char *http_base, const char *symbol,
                           uint32_t limit) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  query_url(&url, http_base, DEPTH_PATH, symbol);
  trp_wire_put(&url, "&limit=");
  trp_wire_put_u64(&url, limit);
  return !url.full;
}

bool trp_binance_ticker_url(char *out, size_t size, const char *http_base, const char *symbol) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  return query_url(&url, http_base, "/api/v3/ticker/bookTicker", symbol);
}

uint32_t trp_binance_depth_weight(uint32_t limit) {
  return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
}

bool trp_binance_symbol_of_url(const char *url, char *out, size_t size) {
  return trp_wire_url_parameter(url, DEPTH_PATH, "symbol", out, size) &&
         trp_binance_symbol_valid(out);
}
