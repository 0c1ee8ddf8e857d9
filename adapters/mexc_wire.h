/* mexc_wire.h - the MEXC spot v3 dialect on the wire: frames and REST bodies to events, and the
 * texts and URLs that a client sends.
 *
 * Data comes as binary protobuf (mexc.proto, read by protobuf-c in mexc_binary.c, unknown fields
 * skipped), answers come as JSON texts (mexc_text.c); the first byte tells them apart. An answer's
 * code is 0 also where the exchange refused, so its text alone decides what it is, and the channels
 * that it names are for the asker to compare.
 *
 * Ownership: an event and what it points to are borrowed from the parser until its next call.
 * Everything is bounded: symbol, levels a side, trades a frame, and the memory that protobuf-c may
 * take, which is one block of the parser's. Thread: the owner's. */
#ifndef TRP_ADAPTERS_MEXC_WIRE_H
#define TRP_ADAPTERS_MEXC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/wire.h"
#include "proto/errors.h"

#define TRP_MEXC_SYMBOL_MAX 38
#define TRP_MEXC_SIDE_MAX 5000  /* levels a side, in a snapshot or in one update */
#define TRP_MEXC_ITEMS_MAX 1024 /* trades, or quotes of a batch, in one frame */
#define TRP_MEXC_FRAME_MAX (1u << 20)
#define TRP_MEXC_BODY_MAX (8u << 20)  /* of a REST response */
#define TRP_MEXC_SUBSCRIPTIONS_MAX 30 /* a connection */

enum trp_mexc_kind {
  TRP_MEXC_OTHER = 0, /* well formed, and nothing we have an event for */
  TRP_MEXC_QUOTES,    /* aggre.bookTicker (one), bookTicker.batch */
  TRP_MEXC_TRADES,    /* aggre.deals */
  TRP_MEXC_DEPTH,     /* aggre.depth: from one version to another; REST: the whole book */
  TRP_MEXC_TOP,       /* limit.depth: the whole of a few levels */
  TRP_MEXC_ACK,       /* a text that is nothing but the channels asked for */
  TRP_MEXC_REFUSED,   /* a text that says that channels were not subscribed */
  TRP_MEXC_PONG,
  TRP_MEXC_ERROR /* any other text, and REST's errors */
};

struct trp_mexc_trade {
  struct trp_wire_trade trade; /* its id: the number that `id_text` begins with, or 0 */
  int64_t exchange_us;
  const char *id_text; /* "731..X0_731..X0"; "" where the exchange sent none */
};

struct trp_mexc_event {
  enum trp_mexc_kind kind;
  char symbol[TRP_MEXC_SYMBOL_MAX + 1];
  int64_t exchange_us; /* when the exchange sent it; 0 where it does not say */
  uint32_t inexact;    /* numbers with more than 15 significant digits in this event */
  union {
    struct {
      const struct trp_wire_quote *quotes; /* a side without orders has price and size 0 */
      uint32_t quote_count;
    };
    struct {
      const struct trp_mexc_trade *trades;
      uint32_t trade_count;
    };
    struct trp_wire_depth depth; /* ids are versions */
    struct {
      uint64_t id;
      int64_t code;
      const char *text;
    } answer; /* ACK, REFUSED, PONG, ERROR */
  };
};

struct trp_mexc_parser; /* about 4 MB of address space, touched as far as frames need it */

/* Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_mexc_parser_new(struct trp_mexc_parser **out);
void trp_mexc_parser_destroy(struct trp_mexc_parser **parser); /* NULL is fine */

/* Reads one frame, binary or text. Errors: MALFORMED (no protobuf of this schema, no JSON, or a
 * body of ours with a member missing or bad), TRUNCATED (JSON that ends early), TOO_BIG (more
 * levels, items or memory than the bounds). */
TRP_MUST_USE enum trp_err trp_mexc_parse(struct trp_mexc_parser *parser, const void *bytes,
                                         size_t size, struct trp_mexc_event *out);

/* What was wrong with the last frame or body that was refused, for a person; never NULL. */
const char *trp_mexc_parse_reason(const struct trp_mexc_parser *parser);

/* Reads the body of GET /api/v3/depth as a DEPTH event without symbol, or of an error as an ERROR
 * event. Errors as trp_mexc_parse. */
TRP_MUST_USE enum trp_err trp_mexc_parse_snapshot(struct trp_mexc_parser *parser, const void *bytes,
                                                  size_t size, struct trp_mexc_event *out);

/* Reads the body of GET /api/v3/ticker/bookTicker, one object or an array of all: calls `each` with
 * a QUOTES event of one quote without version for every symbol that has orders (a side that is not
 * told whole has price and size 0), or with an ERROR. Errors as trp_mexc_parse; what was given
 * before stands. */
typedef void trp_mexc_ticker_fn(void *arg, const struct trp_mexc_event *event);
TRP_MUST_USE enum trp_err trp_mexc_parse_tickers(struct trp_mexc_parser *parser, const void *bytes,
                                                 size_t size, trp_mexc_ticker_fn *each, void *arg);

/* Reads the body of GET /api/v3/exchangeInfo: calls `each` with every symbol. Errors as
 * trp_json_listing. */
TRP_MUST_USE enum trp_err trp_mexc_parse_listing(struct trp_mexc_parser *parser, const void *bytes,
                                                 size_t size,
                                                 void (*each)(void *arg, const char *symbol),
                                                 void *arg);

/* Is this a symbol as the exchange writes it? (wire.h) */
bool trp_mexc_symbol_valid(const char *symbol);

/* ---- what a client sends -------------------------------------------------------------------- */

enum trp_mexc_stream { TRP_MEXC_STREAM_QUOTES, TRP_MEXC_STREAM_TRADES, TRP_MEXC_STREAM_DEPTH };

#define TRP_MEXC_CHANNEL_MAX 96 /* bytes of a channel's name, NUL included */

/* The channel's name, as acknowledgements repeat it; false where `size` is too small. */
bool trp_mexc_channel(char *out, size_t size, enum trp_mexc_stream stream, const char *symbol);

/* Is the channel one of those that an answer's text names? */
bool trp_mexc_text_names(const char *text, const char *channel);

/* A SUBSCRIPTION or UNSUBSCRIPTION text, built channel by channel in a buffer of the caller. */
void trp_mexc_request_begin(struct trp_wire_text *request, char *buffer, size_t capacity,
                            bool subscribe);
void trp_mexc_request_add(struct trp_wire_text *request, enum trp_mexc_stream stream,
                          const char *symbol);
bool trp_mexc_request_end(struct trp_wire_text *request); /* false: it did not fit */

/* The application's own ping, answered with a PONG. */
#define TRP_MEXC_PING "{\"method\":\"PING\"}"

/* URLs; false where `size` is too small. `ws_base` as "wss://wbs-api.mexc.com", `http_base` as
 * "https://api.mexc.com". */
bool trp_mexc_stream_url(char *out, size_t size, const char *ws_base);
bool trp_mexc_depth_url(char *out, size_t size, const char *http_base, const char *symbol,
                        uint32_t limit);
bool trp_mexc_tickers_url(char *out, size_t size, const char *http_base,
                          const char *symbol); /* NULL: of all */
bool trp_mexc_listing_url(char *out, size_t size, const char *http_base);

/* The symbol of a URL with "/api/v3/depth?..symbol=X"; false where there is none. */
bool trp_mexc_symbol_of_url(const char *url, char *out, size_t size);

#endif
