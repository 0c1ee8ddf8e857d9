/* decode.h - the inside of `troupe decode`, for its own files alone: decode.c (files, options,
 * lines), decode_books.c (what is printed, and the books that are kept for it), and one file a
 * dialect.
 *
 * A new dialect is a table like these and an entry in decode.c. Everything is called from the main
 * thread; a complaint is a few words for a person, NULL where there is none. */
#ifndef TRP_ADAPTERS_CLI_DECODE_H
#define TRP_ADAPTERS_CLI_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "actors/book.h"
#include "adapters/depth_book.h"
#include "adapters/wire.h"

/* Bytes of a symbol with its venue, or of a market's key; NUL too. */
#define TRP_DECODE_NAME_MAX 64

struct trp_decode_dialect {
  const char *name;
  bool frame_files; /* a file may be one frame, and there may be several */

  void *(*open)(void); /* NULL: no memory */
  void (*close)(void *state);

  /* One frame received, as it stood in a capture, or as a file of its own. */
  const char *(*line)(void *state, const char *text, size_t size);
  const char *(*file)(void *state, const void *bytes, size_t size); /* with frame_files */

  /* One HTTP response; those that are no snapshot are passed over. */
  const char *(*response)(void *state, const char *url, const char *body, size_t size);
};

extern const struct trp_decode_dialect trp_decode_binance, trp_decode_gateio, trp_decode_mexc;

/* ---- printing ------------------------------------------------------------------------------- */

/* Symbols come with their venue ("BTCUSDT.BINANCE"). */
void trp_decode_print_quote(const char *symbol, const struct trp_wire_quote *quote);

/* `id_text` instead of the id's number, where it is not NULL. */
void trp_decode_print_trade(const char *symbol, const struct trp_wire_trade *trade,
                            const char *id_text);
void trp_decode_print_book(const char *symbol, uint64_t seq, const struct trp_ladder *ladder);

/* ---- books ---------------------------------------------------------------------------------- */

struct trp_decode_books;

struct trp_decode_books *trp_decode_books_new(void); /* NULL: no memory */
void trp_decode_books_destroy(struct trp_decode_books **books);

/* Whose book: `key` is the dialect's own name for it, `symbol` the one printed. */
struct trp_decode_market {
  const char *key, *symbol;
  enum trp_depth_rule rule;
};

/* A diff: prints the book after each one applied, and a gap where continuity is lost. */
const char *trp_decode_books_diff(struct trp_decode_books *books,
                                  const struct trp_decode_market *market,
                                  const struct trp_wire_depth *diff);

/* A snapshot from elsewhere: taken when it fits the diffs, now or later. */
const char *trp_decode_books_snapshot(struct trp_decode_books *books,
                                      const struct trp_decode_market *market,
                                      const struct trp_wire_depth *snapshot);

/* A snapshot out of the same stream as the diffs: it is the book from here on, and is printed. */
const char *trp_decode_books_whole(struct trp_decode_books *books,
                                   const struct trp_decode_market *market,
                                   const struct trp_wire_depth *whole);

#endif
