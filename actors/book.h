/* book.h - an order book of one symbol: sorted price levels, a side each.
 *
 * A data structure, not an actor: adapters and actors embed it. (struct trp_book is the message, so
 * the structure itself is the ladder.) A level is named by its price as
 * the double that the text rounds to (the same text gives the same double). A size of 0 removes.
 * Each side lies sorted in one array with the best level last, so that a change near the top, the
 * common case, moves few bytes. Arrays grow by doubling up to the bound and are kept from then on:
 * steady state allocates nothing. At the bound the worst level gives way to a better one and is
 * counted as clipped.
 *
 * Thread: the owner's. */
#ifndef TRP_ACTORS_BOOK_H
#define TRP_ACTORS_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"
#include "proto/messages.h"

#define TRP_SIDE_BID 1u
#define TRP_SIDE_ASK 2u

struct trp_ladder_entry {
  double price;
  double size;
};

struct trp_ladder_side {
  struct trp_ladder_entry *entries; /* worst first, best last */
  uint32_t count;
  uint32_t capacity;
};

struct trp_ladder {
  struct trp_ladder_side bids, asks;
  uint32_t levels_max; /* a side */
  uint64_t clipped;    /* levels that did not fit */
};

/* An empty book that holds nothing yet; levels_max 0: 10,000 a side. */
void trp_ladder_init(struct trp_ladder *ladder, uint32_t levels_max);
void trp_ladder_fini(struct trp_ladder *ladder);

/* Empties it and keeps its memory. */
void trp_ladder_clear(struct trp_ladder *ladder);

/* Sets one level: size 0 removes. Errors: NO_MEMORY; INVALID (a side that is none, a price or size
 * that is negative, infinite or not a number). */
TRP_MUST_USE enum trp_err trp_ladder_set(struct trp_ladder *ladder, const struct trp_level *level);

/* Replaces everything with these levels, in any order. Errors as set; then the book is empty. */
TRP_MUST_USE enum trp_err trp_ladder_load(struct trp_ladder *ladder, const struct trp_level *levels,
                                          size_t count);

/* The best level of a side, price and size 0 where it has none. */
struct trp_ladder_entry trp_ladder_best_bid(const struct trp_ladder *ladder);
struct trp_ladder_entry trp_ladder_best_ask(const struct trp_ladder *ladder);

/* Is the best bid at or above the best ask? */
bool trp_ladder_crossed(const struct trp_ladder *ladder);

/* Copies the levels out, each side best first, bids before asks, at most `max`; returns how many.
 */
size_t trp_ladder_copy(const struct trp_ladder *ladder, struct trp_level *out, size_t max);

#endif
