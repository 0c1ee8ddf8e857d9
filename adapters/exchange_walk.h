/* exchange_walk.h - a market made of chance: order books that move by a seeded random walk.
 *
 * Each symbol has a book on a ladder of price ticks, an update id that grows by one with every
 * change, trades, and two accumulators of changed levels that are flushed on a grid (every 100 ms
 * and every second), as an exchange publishes depth. What it tells is consistent: a snapshot with
 * id n plus every flushed change after n is the book, and its best bid and offer are those of the
 * newest quote with an id not above it.
 *
 * Pure: no clock, no I/O; the same seed and options give the same events at the same times.
 * Prices and sizes are integers in units of 1e-8. The caller owns the walk; what an event points
 * to is borrowed for the call. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_WALK_H
#define TRP_ADAPTERS_EXCHANGE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

#define TRP_WALK_SYMBOLS_MAX 16
#define TRP_WALK_TRADES_MAX 256 /* trades remembered a symbol */
#define TRP_WALK_LADDER 4096    /* price ticks of a book */
#define TRP_WALK_VIEW_MAX 400
#define TRP_WALK_UNIT 100000000 /* 1.0 */
#define TRP_WALK_CATCH_UP_NS                                                                       \
  2000000000ull /* a walk further behind than this has slept: it jumps                             \
                 */

struct trp_walk;

struct trp_walk_options {
  uint64_t seed;         /* 0: 1 */
  const char *symbols;   /* "BTCUSDT,ETHUSDT"; NULL: five well-known ones. These two always exist */
  uint32_t quotes_per_s; /* changes of the best bid or offer a symbol: 20; at most 100,000 */
  uint64_t start_ns;     /* the time of the first advance */
};

struct trp_walk_symbol {
  char name[24];  /* "BTCUSDT" */
  char lower[24]; /* "btcusdt" */
  char base[16];
  char quote[16];
  int64_t tick; /* smallest price step */
  int64_t step; /* smallest size step */
};

struct trp_walk_quote {
  uint64_t id; /* the update that made it */
  int64_t bid, bid_size, ask, ask_size;
};

struct trp_walk_trade {
  uint64_t id;
  uint64_t at_ns;
  int64_t price, size;
  bool buyer_is_maker; /* the taker sold */
};

struct trp_walk_level {
  int64_t price, size; /* size 0: the level is gone */
};

struct trp_walk_day {
  int64_t open, high, low, last;
  double volume;       /* in 1.0 of the base asset */
  double quote_volume; /* in 1.0 of the quote asset */
  uint64_t trades;
  uint64_t first_trade;
};

enum trp_walk_event_kind {
  TRP_WALK_QUOTE = 1, /* the best bid or offer changed, in price or size */
  TRP_WALK_TRADE,
  TRP_WALK_DEPTH,      /* what changed in the last 100 ms */
  TRP_WALK_DEPTH_SLOW, /* what changed in the last second */
  TRP_WALK_SECOND      /* a second of a symbol is over: time for tickers */
};

struct trp_walk_event {
  enum trp_walk_event_kind kind;
  uint32_t symbol;
  uint64_t at_ns;
  struct trp_walk_quote quote;              /* QUOTE */
  struct trp_walk_trade trade;              /* TRADE */
  uint64_t first, last;                     /* DEPTH: ids of the first and the last change */
  const struct trp_walk_level *bids, *asks; /* DEPTH: from the best outwards */
  uint32_t bid_count, ask_count;
};

typedef void trp_walk_fn(void *arg, const struct trp_walk_event *event);

/* Errors: INVALID (a symbol's name, too many of them, the rate), NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_walk_new(struct trp_walk **out,
                                       const struct trp_walk_options *options);
void trp_walk_destroy(struct trp_walk **walk); /* takes it away; NULL is fine */

/* The next number of a chance that its caller owns. SplitMix64 (Steele, Lea, Flood: Fast splittable
 * pseudorandom number generators, 2014). */
uint64_t trp_walk_draw(uint64_t *state);

/* Plays everything due up to `now_ns`, in the order of time. */
void trp_walk_advance(struct trp_walk *walk, uint64_t now_ns, trp_walk_fn *fn, void *arg);

/* When the next thing is due; and the end of the running second, when every change has been told.
 */
uint64_t trp_walk_next_ns(const struct trp_walk *walk);
uint64_t trp_walk_second_ns(const struct trp_walk *walk);

/* Makes one change in every symbol that no depth event will tell: one update id is missing. */
void trp_walk_gap(struct trp_walk *walk);

uint32_t trp_walk_symbol_count(const struct trp_walk *walk);
const struct trp_walk_symbol *trp_walk_symbol(const struct trp_walk *walk, uint32_t symbol);

/* The symbol of a name ("BTCUSDT"); -1 where there is none. */
int32_t trp_walk_find(const struct trp_walk *walk, const char *name);

/* The best bid and offer now; `id` is the book's last update. */
struct trp_walk_quote trp_walk_best(const struct trp_walk *walk, uint32_t symbol);

/* Up to `max` levels of one side from the best outwards; how many there are. */
uint32_t trp_walk_levels(const struct trp_walk *walk, uint32_t symbol, bool bids,
                         struct trp_walk_level *out, uint32_t max);

/* Up to `max` of the newest trades, oldest first; how many there are. */
uint32_t trp_walk_trades(const struct trp_walk *walk, uint32_t symbol, struct trp_walk_trade *out,
                         uint32_t max);

/* The best levels of a book as they were last told to those who follow no more of it: after a
 * step, `changed` leads from the view before to this one (size 0: the level is gone from the view,
 * though perhaps not from the book). */
struct trp_walk_view {
  uint64_t id, since; /* the update that it shows, and the one that it showed before the step */
  uint32_t count[2], changes[2]; /* asks, bids */
  struct trp_walk_level levels[2][TRP_WALK_VIEW_MAX];
  struct trp_walk_level changed[2][2 * TRP_WALK_VIEW_MAX];
};

/* A view of that many levels a side (TRP_WALK_VIEW_MAX at most; two kinds a symbol): as it was last
 * told, or made anew where updates were told without it. NULL where memory is out. */
const struct trp_walk_view *trp_walk_view(struct trp_walk *walk, uint32_t symbol, uint32_t depth);

/* The view after a DEPTH event, with what changed. NULL as above. */
const struct trp_walk_view *trp_walk_view_step(struct trp_walk *walk, uint32_t symbol,
                                               uint32_t depth);

struct trp_walk_day trp_walk_day(const struct trp_walk *walk, uint32_t symbol);

#endif
