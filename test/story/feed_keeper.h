/* feed_keeper.h - a consumer for the feed's tests that keeps whole books and misses nothing.
 *
 * It follows the books' snapshots and updates level by level. Where it hears of a gap between the
 * feed and itself, or its subscriptions had to be restored, its books are in doubt: it asks the
 * feed to tell them again, after its own SUBSCRIBE is on its way. What it knows lies with the
 * test. */
#ifndef TRP_TEST_STORY_FEED_KEEPER_H
#define TRP_TEST_STORY_FEED_KEEPER_H

#include "actors/book.h"
#include "actors/feed_state.h"
#include "runtime/troupe.h"

enum { KEEPER_ROWS_MAX = 16, KEEPER_STATES_MAX = 512 };

struct keeper_row {
  uint32_t symbol;
  struct trp_ladder ladder;
  bool whole; /* the ladder is the exchange's, as of `sequence` */
  uint64_t sequence;
  struct trp_quote quote;
  uint64_t quotes, trades, snapshots, updates;
  uint64_t disorder;           /* updates that went back */
  uint64_t polled;             /* quotes and trades that say so */
  uint64_t quote_ns, pause_ns; /* when the last quote came, and the longest wait for one */
  uint64_t trade_id;           /* of the last trade.. */
  uint64_t skipped, repeated;  /* ..and how often it did not follow upon the one before */
};

struct keeper {
  struct keeper_row rows[KEEPER_ROWS_MAX];
  uint32_t count;
  uint64_t event_gaps, lost; /* how often; how many events in all */
  uint64_t feed_gaps;
  uint32_t gap_symbols[64]; /* of the first FEED_GAPs */
  uint32_t restored;
  uint64_t events;
  struct {
    uint64_t at_ns;
    uint32_t phase; /* enum trp_feed_phase */
  } states[KEEPER_STATES_MAX];
  uint32_t state_count;
};

/* `args` is a struct keeper *. */
extern const struct trp_kind feed_keeper_kind;

/* The row of a symbol's number, NULL where nothing of it came. */
struct keeper_row *feed_keeper_row(struct keeper *keeper, uint32_t symbol);

void feed_keeper_fini(struct keeper *keeper);

#endif
