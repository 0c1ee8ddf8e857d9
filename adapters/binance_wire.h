/* binance_wire.h - the Binance spot dialect on the wire: frames and REST bodies to events, and the
 * texts and URLs that a client sends.
 *
 * A frame goes to a scanner written for the known shapes (binance_scan.c); whatever that does not
 * recognise at once goes to LEJP (binance_any.c), which takes members in any order, with
 * whitespace, escapes and unknown members. The two give equal events; a differential fuzzer holds
 * them to it. Combined streams ({"stream":..,"data":{..}}) and raw ones are both understood.
 *
 * Ownership: an event and its levels are borrowed from the parser until its next call. Everything
 * is bounded: symbol, levels a side, text lengths. Thread: the owner's. */
#ifndef TRP_ADAPTERS_BINANCE_WIRE_H
#define TRP_ADAPTERS_BINANCE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/wire.h"
#include "proto/errors.h"

#define TRP_BINANCE_SYMBOL_MAX 38 /* bytes: with ".BINANCE" it fits a 48-byte field */
#define TRP_BINANCE_SIDE_MAX 5000 /* levels a side, in a snapshot or in one update */
#define TRP_BINANCE_FRAME_MAX (8u << 20)

enum trp_binance_kind {
  TRP_BINANCE_OTHER = 0, /* well formed, and nothing we have an event for */
  TRP_BINANCE_QUOTE,     /* <symbol>@bookTicker */
  TRP_BINANCE_TRADE,     /* <symbol>@aggTrade or <symbol>@trade */
  TRP_BINANCE_DEPTH,     /* <symbol>@depth, @depth@100ms */
  TRP_BINANCE_ACK,       /* {"result":..,"id":n} */
  TRP_BINANCE_ERROR,     /* {"code":..,"msg":..} bare or under "error" */
  TRP_BINANCE_SHUTDOWN   /* serverShutdown: connect anew, this connection ends soon */
};

struct trp_binance_event {
  enum trp_binance_kind kind;
  char symbol[TRP_BINANCE_SYMBOL_MAX + 1]; /* as the exchange writes it: "BTCUSDT" */
  int64_t exchange_us;                     /* the exchange's own time; 0 where it sends none */
  uint32_t inexact; /* numbers with more than 15 significant digits in this event */
  union {
    struct trp_wire_quote quote;
    struct trp_wire_trade trade;
    struct trp_wire_depth depth;
    uint64_t ack_id; /* 0: the id was null or no number */
    struct {
      uint64_t id; /* of the request refused; 0 where the exchange does not say */
      int64_t code;
      char text[128];
    } error;
  };
};

struct trp_binance_parser; /* holds the levels of the event in hand: about 240 KB */

/* Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_binance_parser_new(struct trp_binance_parser **out);
void trp_binance_parser_destroy(struct trp_binance_parser **parser); /* NULL is fine */

/* Reads one frame. Errors: MALFORMED (no JSON, or a known stream with a member missing or of the
 * wrong kind), TRUNCATED (JSON that ends early), TOO_BIG (more levels than a side may have). */
TRP_MUST_USE enum trp_err trp_binance_parse(struct trp_binance_parser *parser, const void *bytes,
                                            size_t size, struct trp_binance_event *out);

/* What was wrong with the last frame or body that was refused, for a person; never NULL. */
const char *trp_binance_parse_reason(const struct trp_binance_parser *parser);

/* Reads the body of GET /api/v3/depth as a DEPTH event without symbol, or of an error as an ERROR
 * event. Errors as trp_binance_parse. */
TRP_MUST_USE enum trp_err trp_binance_parse_snapshot(struct trp_binance_parser *parser,
                                                     const void *bytes, size_t size,
                                                     struct trp_binance_event *out);

/* Reads the body of GET /api/v3/ticker/bookTicker, one object or an array: calls `each` with a
 * QUOTE event whose update_id is 0 for every symbol. Errors as trp_binance_parse; what came before
 * the error was delivered. */
typedef void trp_binance_ticker_fn(void *arg, const struct trp_binance_event *event);
TRP_MUST_USE enum trp_err trp_binance_parse_tickers(struct trp_binance_parser *parser,
                                                    const void *bytes, size_t size,
                                                    trp_binance_ticker_fn *each, void *arg);

/* Reads the body of GET /api/v3/aggTrades: calls `each` with a TRADE event without symbol for every
 * one, in their order. Errors as trp_binance_parse_tickers. */
TRP_MUST_USE enum trp_err trp_binance_parse_trades(struct trp_binance_parser *parser,
                                                   const void *bytes, size_t size,
                                                   trp_binance_ticker_fn *each, void *arg);

/* Reads the body of GET /api/v3/exchangeInfo: calls `each` with every symbol. Errors as
 * trp_binance_parse; MALFORMED too where there is no symbol. */
TRP_MUST_USE enum trp_err trp_binance_parse_listing(struct trp_binance_parser *parser,
                                                    const void *bytes, size_t size,
                                                    void (*each)(void *arg, const char *symbol),
                                                    void *arg);

/* The scanner and LEJP by themselves, for the differential fuzzer and the benchmark. The scanner
 * says false for whatever is not exactly a shape it knows. */
bool trp_binance_scan_frame(struct trp_binance_parser *parser, const void *bytes, size_t size,
                            struct trp_binance_event *out);
bool trp_binance_scan_snapshot(struct trp_binance_parser *parser, const void *bytes, size_t size,
                               struct trp_binance_event *out);
TRP_MUST_USE enum trp_err trp_binance_any_frame(struct trp_binance_parser *parser,
                                                const void *bytes, size_t size,
                                                struct trp_binance_event *out);
TRP_MUST_USE enum trp_err trp_binance_any_snapshot(struct trp_binance_parser *parser,
                                                   const void *bytes, size_t size,
                                                   struct trp_binance_event *out);
TRP_MUST_USE enum trp_err trp_binance_any_tickers(struct trp_binance_parser *parser,
                                                  const void *bytes, size_t size,
                                                  trp_binance_ticker_fn *each, void *arg);

/* ---- what a client sends -------------------------------------------------------------------- */

/* Is this a symbol as the exchange writes it: 1..38 bytes without space, control, quote, backslash,
 * dot, slash, '@'? (Not only ASCII: the exchange lists symbols in Chinese.) */
bool trp_binance_symbol_valid(const char *symbol);

/* What a SUBSCRIBE or UNSUBSCRIBE text asks for; it is built symbol by symbol. */
#define TRP_BINANCE_STREAM_QUOTES 1u
#define TRP_BINANCE_STREAM_TRADES 2u
#define TRP_BINANCE_STREAM_DEPTH 4u
#define TRP_BINANCE_STREAM_ALL 7u

/* Bytes that one symbol adds at most: three streams with names, quotes and commas. */
#define TRP_BINANCE_REQUEST_SYMBOL_BYTES (3u * (TRP_BINANCE_SYMBOL_MAX + 20u))
#define TRP_BINANCE_REQUEST_FRAME_BYTES 64u /* the rest of the text */

void trp_binance_request_begin(struct trp_wire_text *request, char *buffer, size_t capacity,
                               bool subscribe);
void trp_binance_request_add(struct trp_wire_text *request, const char *symbol, uint32_t streams);
/* false: it did not fit. After true, text and size are the message (NUL-terminated too). */
bool trp_binance_request_end(struct trp_wire_text *request, uint64_t id);

/* URLs; false where `size` is too small. `ws_base` as "wss://stream.binance.com:9443", `http_base`
 * as "https://api.binance.com". */
bool trp_binance_stream_url(char *out, size_t size, const char *ws_base);
bool trp_binance_depth_url(char *out, size_t size, const char *http_base, const char *symbol,
                           uint32_t limit);
bool trp_binance_ticker_url(char *out, size_t size, const char *http_base, const char *symbol);

bool trp_binance_tickers_url(char *out, size_t size, const char *http_base,
                             const char *const *symbols, uint32_t count);
bool trp_binance_listing_url(char *out, size_t size, const char *http_base);
/* from_id 0: the newest `limit` of them. */
bool trp_binance_trades_url(char *out, size_t size, const char *http_base, const char *symbol,
                            uint64_t from_id, uint32_t limit);

/* The request weight of a depth snapshot with that limit. */
uint32_t trp_binance_depth_weight(uint32_t limit);

/* The symbol of a URL with "/api/v3/depth?..symbol=X", percent-decoded; false where there is none.
 */
bool trp_binance_symbol_of_url(const char *url, char *out, size_t size);

#endif
