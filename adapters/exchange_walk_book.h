/* exchange_walk_book.h - the private half of exchange_walk.h: what a walk and its books are made
 * of.
 *
 * For exchange_walk.c, which plays, and exchange_walk_new.c, which makes. The ladder is one array
 * of sizes: ticks up to `bid` are bids, ticks from `ask` up are asks, and between them lies the
 * spread, empty. A book can therefore never cross. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_WALK_BOOK_H
#define TRP_ADAPTERS_EXCHANGE_WALK_BOOK_H

#include "adapters/exchange_walk.h"

#define TRP_WALK_FLUSH_NS 100000000ull
#define TRP_WALK_SECOND_NS 1000000000ull

/* Which levels changed since the last flush, a side each: a tick may have been both within one
 * interval. */
struct trp_walk_changes {
  uint64_t first, last; /* first 0: nothing */
  uint64_t bits[2][TRP_WALK_LADDER / 64];
};

#define TRP_WALK_VIEWS 2 /* depths of views */

struct trp_walk_book {
  struct trp_walk_symbol info;
  int64_t floor; /* the price of tick 0 */
  int64_t mean;  /* a usual size */
  uint64_t chance;
  uint64_t id;
  uint64_t due_ns;
  uint32_t bid, ask; /* ticks of the best */
  int64_t sizes[TRP_WALK_LADDER];
  struct trp_walk_changes fast, slow;
  uint64_t trade_id;
  uint64_t trade_count;
  struct trp_walk_trade trades[TRP_WALK_TRADES_MAX];
  struct trp_walk_day day;
  struct trp_walk_view *views[TRP_WALK_VIEWS]; /* at need */
};

struct trp_walk {
  uint64_t period_ns; /* mean time between two changes of a symbol */
  uint64_t clock_ns;
  uint64_t flush_ns, second_ns; /* the next points of the two grids */
  uint32_t count;
  struct trp_walk_book *books[TRP_WALK_SYMBOLS_MAX];
  struct trp_walk_level levels[2][TRP_WALK_LADDER];
};

/* A number of the book's own chance, below n. */
uint32_t trp_walk_draw_below(struct trp_walk_book *book, uint32_t n);

/* A size that is usual for the symbol, in whole steps, never 0. */
int64_t trp_walk_draw_size(struct trp_walk_book *book);

#endif
