#include "adapters/binance_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/binance_parser.h"

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
  size_t size = 0;
  for (; symbol[size] != '\0'; size++)
    if ((unsigned char)symbol[size] <= ' ' || symbol[size] == 0x7f ||
        strchr("\"\\./@&?#%+", symbol[size]) != NULL)
      return false;
  return size != 0 && size <= TRP_BINANCE_SYMBOL_MAX;
}

/* Stream names are the symbol in lower case; only ASCII letters have one here. */
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* ---- requests ----------------------------------------------------------------------------- */

static void put(struct trp_binance_request *request, const char *text) {
  size_t length = strlen(text);
  if (request->full || length >= request->capacity - request->size) {
    request->full = true;
    return;
  }
  memcpy(request->text + request->size, text, length + 1);
  request->size += length;
}

static void put_stream(struct trp_binance_request *request, const char *symbol,
                       const char *suffix) {
  char name[TRP_BINANCE_SYMBOL_MAX + 1];
  size_t length = strnlen(symbol, TRP_BINANCE_SYMBOL_MAX);
  for (size_t i = 0; i < length; i++) name[i] = lower(symbol[i]);
  name[length] = '\0';
  put(request, request->streams++ == 0 ? "\"" : ",\"");
  put(request, name);
  put(request, suffix);
  put(request, "\"");
}

void trp_binance_request_begin(struct trp_binance_request *request, char *buffer, size_t capacity,
                               bool subscribe) {
  *request = (struct trp_binance_request){.text = buffer, .capacity = capacity};
  request->full = capacity == 0;
  put(request, subscribe ? "{\"method\":\"SUBSCRIBE\",\"params\":["
                         : "{\"method\":\"UNSUBSCRIBE\",\"params\":[");
}

void trp_binance_request_add(struct trp_binance_request *request, const char *symbol,
                             uint32_t streams) {
  if (streams & TRP_BINANCE_STREAM_QUOTES) put_stream(request, symbol, "@bookTicker");
  if (streams & TRP_BINANCE_STREAM_TRADES) put_stream(request, symbol, "@aggTrade");
  if (streams & TRP_BINANCE_STREAM_DEPTH) put_stream(request, symbol, "@depth@100ms");
}

bool trp_binance_request_end(struct trp_binance_request *request, uint64_t id) {
  char tail[32];
  snprintf(tail, sizeof tail, "],\"id\":%llu}", (unsigned long long)id);
  put(request, tail);
  return !request->full;
}

/* ---- URLs --------------------------------------------------------------------------------- */

/* Percent-encodes what is not unreserved (RFC 3986 section 2.3). */
static void encode(const char *text, char out[3 * TRP_BINANCE_SYMBOL_MAX + 1]) {
  size_t n = 0;
  for (size_t i = 0; i < TRP_BINANCE_SYMBOL_MAX && text[i] != '\0'; i++) {
    unsigned char c = (unsigned char)text[i];
    bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '.' || c == '_' || c == '~';
    if (plain)
      out[n++] = (char)c;
    else
      n += (size_t)snprintf(out + n, 4, "%%%02X", c);
  }
  out[n] = '\0';
}

static bool fits(int length, size_t size) { return length >= 0 && (size_t)length < size; }

bool trp_binance_stream_url(char *out, size_t size, const char *ws_base) {
  return fits(snprintf(out, size, "%s/stream", ws_base), size);
}

bool trp_binance_depth_url(char *out, size_t size, const char *http_base, const char *symbol,
                           uint32_t limit) {
  char encoded[3 * TRP_BINANCE_SYMBOL_MAX + 1];
  encode(symbol, encoded);
  return fits(snprintf(out, size, "%s/api/v3/depth?symbol=%s&limit=%u", http_base, encoded, limit),
              size);
}

bool trp_binance_ticker_url(char *out, size_t size, const char *http_base, const char *symbol) {
  char encoded[3 * TRP_BINANCE_SYMBOL_MAX + 1];
  encode(symbol, encoded);
  return fits(snprintf(out, size, "%s/api/v3/ticker/bookTicker?symbol=%s", http_base, encoded),
              size);
}

uint32_t trp_binance_depth_weight(uint32_t limit) {
  return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of a query's parameter up to '&' or the end, percent-decoded. */
static bool decode(const char *at, char *out, size_t size) {
  size_t n = 0;
  for (; *at != '\0' && *at != '&' && *at != '#'; at++) {
    char c = *at;
    if (c == '%') {
      if (hex(at[1]) < 0 || hex(at[2]) < 0) return false;
      c = (char)(hex(at[1]) * 16 + hex(at[2]));
      at += 2;
    }
    if (n + 1 >= size) return false;
    out[n++] = c;
  }
  out[n] = '\0';
  return trp_binance_symbol_valid(out);
}

bool trp_binance_symbol_of_url(const char *url, char *out, size_t size) {
  const char *query = strstr(url, "/api/v3/depth?");
  if (query == NULL || size == 0) return false;
  for (query = strchr(query, '?'); query != NULL; query = strchr(query, '&')) {
    query++;
    if (strncmp(query, "symbol=", 7) == 0) return decode(query + 7, out, size);
  }
  return false;
}
