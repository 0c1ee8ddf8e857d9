/* gateio_wire.h - the Gate.io spot v4 dialect on the wire: frames and REST bodies to events, and
 * the texts and URLs that a client sends.
 *
 * As with Binance a scanner knows the usual shapes (gateio_scan.c), and LEJP (gateio_any.c) takes
 * everything else: members in any order, absent or unknown. A differential fuzzer holds them equal.
 *
 * Quotes come from spot.book_ticker alone: spot.tickers has no sizes and makes no event. Books come
 * from spot.order_book_update and a REST snapshot, or from spot.obu, which brings its own snapshots
 * ("full") and leaves out a side that did not change. Data may come before its acknowledgement.
 *
 * Ownership: an event and its levels are borrowed from the parser until its next call. Everything
 * is bounded: symbol, levels a side, text lengths. Thread: the owner's. */
#ifndef TRP_ADAPTERS_GATEIO_WIRE_H
#define TRP_ADAPTERS_GATEIO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/wire.h"
#include "proto/errors.h"

#define TRP_GATEIO_SYMBOL_MAX 38 /* bytes, the underscore included */
#define TRP_GATEIO_SIDE_MAX 5000 /* levels a side, in a snapshot or in one update */
#define TRP_GATEIO_FRAME_MAX (8u << 20)

enum trp_gateio_kind {
  TRP_GATEIO_OTHER = 0, /* well formed, and nothing we have an event for */
  TRP_GATEIO_QUOTE,     /* spot.book_ticker */
  TRP_GATEIO_TRADE,     /* spot.trades */
  TRP_GATEIO_DEPTH,     /* spot.order_book_update, spot.obu, or a REST snapshot */
  TRP_GATEIO_ACK,       /* of a subscribe or an unsubscribe */
  TRP_GATEIO_ERROR,     /* "error":{..}, a status of "fail", or REST's {"label":..} */
  TRP_GATEIO_PONG,      /* spot.pong */
  TRP_GATEIO_UPGRADE    /* "type":"upgrade": connect anew, this connection ends soon */
};

enum trp_gateio_channel {
  TRP_GATEIO_NO_CHANNEL = 0, /* none of ours, or none at all */
  TRP_GATEIO_BOOK_TICKER,
  TRP_GATEIO_TRADES,
  TRP_GATEIO_TICKERS,
  TRP_GATEIO_ORDER_BOOK_UPDATE,
  TRP_GATEIO_OBU,
  TRP_GATEIO_CHANNEL_COUNT
};

struct trp_gateio_event {
  enum trp_gateio_kind kind;
  enum trp_gateio_channel channel;
  char symbol[TRP_GATEIO_SYMBOL_MAX + 1]; /* as the exchange writes it: "BTC_USDT" */
  int64_t exchange_us;                    /* the exchange's own time; 0 where it sends none */
  uint32_t inexact; /* numbers with more than 15 significant digits in this event */
  union {
    struct trp_wire_quote quote;
    struct trp_wire_trade trade;
    struct {
      struct trp_wire_depth depth;
      bool full;           /* obu and REST: the levels are the whole book */
      uint32_t obu_levels; /* obu: 50 or 400; each is a book of its own */
    };
    struct {
      uint64_t id; /* of the request; 0 where the exchange does not say */
      bool subscribe;
    } ack;
    struct {
      uint64_t id;
      int64_t code; /* 0 in REST */
      char text[160];
    } error;
  };
};

struct trp_gateio_parser; /* holds the levels of the event in hand: about 240 KB */

/* Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_gateio_parser_new(struct trp_gateio_parser **out);
void trp_gateio_parser_destroy(struct trp_gateio_parser **parser); /* NULL is fine */

/* Reads one frame. Errors: MALFORMED (no JSON, or an update of a channel of ours with a member
 * missing or of the wrong kind), TRUNCATED (JSON that ends early), TOO_BIG (more levels than a side
 * may have). */
TRP_MUST_USE enum trp_err trp_gateio_parse(struct trp_gateio_parser *parser, const void *bytes,
                                           size_t size, struct trp_gateio_event *out);

/* What was wrong with the last frame or body that was refused, for a person; never NULL. */
const char *trp_gateio_parse_reason(const struct trp_gateio_parser *parser);

/* Reads the body of GET /api/v4/spot/order_book (with_id=true) as a full DEPTH event without
 * symbol, or of an error as an ERROR event. Errors as trp_gateio_parse. */
TRP_MUST_USE enum trp_err trp_gateio_parse_snapshot(struct trp_gateio_parser *parser,
                                                    const void *bytes, size_t size,
                                                    struct trp_gateio_event *out);

/* The scanner and LEJP by themselves, for the differential fuzzer and the benchmark. The scanner
 * says false for whatever is not exactly a shape it knows. */
bool trp_gateio_scan_frame(struct trp_gateio_parser *parser, const void *bytes, size_t size,
                           struct trp_gateio_event *out);
TRP_MUST_USE enum trp_err trp_gateio_any_frame(struct trp_gateio_parser *parser, const void *bytes,
                                               size_t size, struct trp_gateio_event *out);
TRP_MUST_USE enum trp_err trp_gateio_any_snapshot(struct trp_gateio_parser *parser,
                                                  const void *bytes, size_t size,
                                                  struct trp_gateio_event *out);

/* ---- symbols -------------------------------------------------------------------------------- */

/* Is this a pair as the exchange writes it: valid (wire.h), with an underscore within? */
bool trp_gateio_symbol_valid(const char *symbol);

/* The symbol without its underscore: "BTC_USDT" is "BTCUSDT" to everyone else. */
void trp_gateio_symbol_plain(char out[TRP_GATEIO_SYMBOL_MAX + 1], const char *symbol);

/* ---- what a client sends -------------------------------------------------------------------- */

/* A subscribe or unsubscribe text, built symbol by symbol in a buffer of the caller: begin, add,
 * end. order_book_update takes one symbol a text; `obu_levels` (50 or 400) counts for obu alone. */
void trp_gateio_request_begin(struct trp_wire_text *request, char *buffer, size_t capacity,
                              enum trp_gateio_channel channel, bool subscribe);
void trp_gateio_request_add(struct trp_wire_text *request, enum trp_gateio_channel channel,
                            const char *symbol, uint32_t obu_levels);
/* `time_s` must be within 60 s of the exchange's clock. false: it did not fit. */
bool trp_gateio_request_end(struct trp_wire_text *request, uint64_t id, uint64_t time_s);

/* A spot.ping; false where `size` is too small. */
bool trp_gateio_ping(char *out, size_t size, uint64_t time_s);

/* URLs; false where `size` is too small. `ws_base` as "wss://api.gateio.ws", `http_base` as
 * "https://api.gateio.ws". */
bool trp_gateio_stream_url(char *out, size_t size, const char *ws_base);
bool trp_gateio_book_url(char *out, size_t size, const char *http_base, const char *symbol,
                         uint32_t limit);

/* The list of pairs: its URL, and its body, of which `each` gets every pair. Errors of the latter
 * as trp_gateio_parse; MALFORMED too where there is none. */
bool trp_gateio_listing_url(char *out, size_t size, const char *http_base);
TRP_MUST_USE enum trp_err trp_gateio_parse_listing(struct trp_gateio_parser *parser,
                                                   const void *bytes, size_t size,
                                                   void (*each)(void *arg, const char *symbol),
                                                   void *arg);

/* The symbol of a URL with "/api/v4/spot/order_book?..currency_pair=X"; false where there is none.
 */
bool trp_gateio_symbol_of_url(const char *url, char *out, size_t size);

/* The name on the wire ("spot.trades") and back; NO_CHANNEL has the name "". */
const char *trp_gateio_channel_name(enum trp_gateio_channel channel);
enum trp_gateio_channel trp_gateio_channel_of(const char *name);

#endif
