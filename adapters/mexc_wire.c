#include "adapters/mexc_wire.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/json_listing.h"
#include "adapters/mexc_parser.h"

#define DEPTH_PATH "/api/v3/depth"

enum trp_err trp_mexc_parser_new(struct trp_mexc_parser **out) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return TRP_NO_MEMORY;
  (*out)->reason = "";
  return TRP_OK;
}

void trp_mexc_parser_destroy(struct trp_mexc_parser **parser) {
  free(*parser);
  *parser = NULL;
}

static enum trp_err too_big(struct trp_mexc_parser *parser) {
  parser->reason = "larger than the limit";
  return TRP_TOO_BIG;
}

enum trp_err trp_mexc_parse(struct trp_mexc_parser *parser, const void *bytes, size_t size,
                            struct trp_mexc_event *out) {
  *out = (struct trp_mexc_event){.kind = TRP_MEXC_OTHER};
  if (size > TRP_MEXC_FRAME_MAX) return too_big(parser);
  if (size != 0 && *(const char *)bytes == '{')
    return trp_mexc_text_frame(parser, bytes, size, out);
  return trp_mexc_binary_frame(parser, bytes, size, out);
}

enum trp_err trp_mexc_parse_snapshot(struct trp_mexc_parser *parser, const void *bytes, size_t size,
                                     struct trp_mexc_event *out) {
  *out = (struct trp_mexc_event){.kind = TRP_MEXC_OTHER};
  if (size > TRP_MEXC_BODY_MAX) return too_big(parser);
  return trp_mexc_text_snapshot(parser, bytes, size, out);
}

enum trp_err trp_mexc_parse_tickers(struct trp_mexc_parser *parser, const void *bytes, size_t size,
                                    trp_mexc_ticker_fn *each, void *arg) {
  if (size > TRP_MEXC_BODY_MAX) return too_big(parser);
  return trp_mexc_text_tickers(parser, bytes, size, each, arg);
}

enum trp_err trp_mexc_parse_listing(struct trp_mexc_parser *parser, const void *bytes, size_t size,
                                    void (*each)(void *arg, const char *symbol), void *arg) {
  return trp_json_listing(bytes, size, "symbols[].symbol", each, arg, &parser->reason);
}

const char *trp_mexc_parse_reason(const struct trp_mexc_parser *parser) {
  return parser->reason != NULL ? parser->reason : "";
}

bool trp_mexc_symbol_valid(const char *symbol) {
  return trp_wire_symbol_valid(symbol, TRP_MEXC_SYMBOL_MAX);
}

/* ---- requests ----------------------------------------------------------------------------- */

static void put_channel(struct trp_wire_text *out, enum trp_mexc_stream stream,
                        const char *symbol) {
  static const char *const names[] = {[TRP_MEXC_STREAM_QUOTES] = "bookTicker",
                                      [TRP_MEXC_STREAM_TRADES] = "deals",
                                      [TRP_MEXC_STREAM_DEPTH] = "depth"};
  trp_wire_put(out, "spot@public.aggre.");
  trp_wire_put(out, names[stream]);
  trp_wire_put(out, ".v3.api.pb@100ms@");
  trp_wire_put(out, symbol);
}

bool trp_mexc_channel(char *out, size_t size, enum trp_mexc_stream stream, const char *symbol) {
  struct trp_wire_text text;
  trp_wire_text_begin(&text, out, size);
  put_channel(&text, stream, symbol);
  return !text.full;
}

bool trp_mexc_text_names(const char *text, const char *channel) {
  size_t length = strlen(channel);
  if (length == 0) return false;
  for (const char *at = text; (at = strstr(at, channel)) != NULL; at++) {
    bool begins = at == text || strchr(",[ ", at[-1]) != NULL;
    if (begins && (at[length] == '\0' || strchr(",] ", at[length]) != NULL)) return true;
  }
  return false;
}

void trp_mexc_request_begin(struct trp_wire_text *request, char *buffer, size_t capacity,
                            bool subscribe) {
  trp_wire_text_begin(request, buffer, capacity);
  trp_wire_put(request, subscribe ? "{\"method\":\"SUBSCRIPTION\",\"params\":["
                                  : "{\"method\":\"UNSUBSCRIPTION\",\"params\":[");
}

void trp_mexc_request_add(struct trp_wire_text *request, enum trp_mexc_stream stream,
                          const char *symbol) {
  trp_wire_put(request, request->streams++ == 0 ? "\"" : ",\"");
  put_channel(request, stream, symbol);
  trp_wire_put(request, "\"");
}

bool trp_mexc_request_end(struct trp_wire_text *request) {
  trp_wire_put(request, "]}");
  return !request->full;
}

/* ---- URLs --------------------------------------------------------------------------------- */

bool trp_mexc_stream_url(char *out, size_t size, const char *ws_base) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, ws_base);
  trp_wire_put(&url, "/ws");
  return !url.full;
}

bool trp_mexc_depth_url(char *out, size_t size, const char *http_base, const char *symbol,
                        uint32_t limit) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, http_base);
  trp_wire_put(&url, DEPTH_PATH "?symbol=");
  trp_wire_put_encoded(&url, symbol);
  trp_wire_put(&url, "&limit=");
  trp_wire_put_u64(&url, limit);
  return !url.full;
}

bool trp_mexc_tickers_url(char *out, size_t size, const char *http_base, const char *symbol) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, http_base);
  trp_wire_put(&url, "/api/v3/ticker/bookTicker");
  if (symbol != NULL) trp_wire_put(&url, "?symbol=");
  if (symbol != NULL) trp_wire_put_encoded(&url, symbol);
  return !url.full;
}

bool trp_mexc_listing_url(char *out, size_t size, const char *http_base) {
  struct trp_wire_text url;
  trp_wire_text_begin(&url, out, size);
  trp_wire_put(&url, http_base);
  trp_wire_put(&url, "/api/v3/exchangeInfo");
  return !url.full;
}

bool trp_mexc_symbol_of_url(const char *url, char *out, size_t size) {
  return trp_wire_url_parameter(url, DEPTH_PATH, "symbol", out, size) && trp_mexc_symbol_valid(out);
}
