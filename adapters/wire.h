/* wire.h - what the exchanges' dialects have in common: the contents of their events, and the
 * building of the texts and URLs that a client sends.
 *
 * A dialect (binance_wire.h, gateio_wire.h, mexc_wire.h) turns frames into events of its own whose
 * quotes, trades and depth are these, so that books, printing and adapters are written once.
 *
 * Ownership: everything is a plain value or borrowed; nothing here allocates. Thread: any. */
#ifndef TRP_ADAPTERS_WIRE_H
#define TRP_ADAPTERS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/messages.h"

struct trp_wire_quote {
  uint64_t update_id; /* 0 where the exchange sends none */
  double bid, bid_size, ask, ask_size;
};

struct trp_wire_trade {
  uint64_t id;
  double price, size;
  bool taker_sold;
  bool aggregate; /* the id is of several fills at once */
};

/* One change of a book, or a whole book (then first_id == final_id). Levels lie in arrival order
 * with their side; size 0 removes. */
struct trp_wire_depth {
  uint64_t first_id, final_id;
  const struct trp_level *levels;
  uint32_t count;
};

/* ---- texts ---------------------------------------------------------------------------------- */

/* A text built piece by piece in a buffer of the caller, NUL-terminated at every moment. */
struct trp_wire_text {
  char *text;
  size_t size, capacity;
  uint32_t streams; /* for whoever builds: items so far */
  bool full;        /* something did not fit; the text is not usable */
};

void trp_wire_text_begin(struct trp_wire_text *out, char *buffer, size_t capacity);
void trp_wire_put(struct trp_wire_text *out, const char *text);
void trp_wire_put_u64(struct trp_wire_text *out, uint64_t number);

/* Percent-encoded but for what RFC 3986 section 2.3 leaves unreserved. */
void trp_wire_put_encoded(struct trp_wire_text *out, const char *text);

/* Finds NAME=VALUE in the query of a URL whose path has `path`; percent-decoded into `out`. false:
 * there is none, it is not encoded well, or it does not fit. */
bool trp_wire_url_parameter(const char *url, const char *path, const char *name, char *out,
                            size_t size);

/* Is this 1..max bytes without space, control, quote, backslash and what a URL or a channel gives a
 * meaning? (Not only ASCII: exchanges list symbols in Chinese.) */
bool trp_wire_symbol_valid(const char *symbol, size_t max);

#endif
