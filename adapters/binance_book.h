/* binance_book.h - one symbol's local book: a ladder, and the rules that keep it continuous.
 *
 * The exchange's rules for a local book: keep diffs while the snapshot is fetched; a snapshot older
 * than the first kept diff is of no use, fetch again; drop diffs that end at or before the
 * snapshot; every further diff must begin at or before the book's id + 1. A diff that begins later
 * is a gap: the book is dropped, and the rebuilding starts with that very diff.
 *
 * What is kept is bounded (events and levels); beyond the bound the oldest half is let go, and the
 * snapshot must then be newer. Memory of the kept diffs is returned once the book is synced.
 *
 * Thread: the owner's. */
#ifndef TRP_ADAPTERS_BINANCE_BOOK_H
#define TRP_ADAPTERS_BINANCE_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/book.h"
#include "adapters/binance_wire.h"

#define TRP_BINANCE_KEPT_EVENTS 1024
#define TRP_BINANCE_KEPT_LEVELS 65536

enum trp_binance_step {
  TRP_STEP_APPLIED,  /* the book has moved to the diff's final id */
  TRP_STEP_OLD,      /* the book was already there */
  TRP_STEP_KEPT,     /* no snapshot yet: kept for later */
  TRP_STEP_GAP,      /* continuity is lost: `expected` says what should have come; kept */
  TRP_STEP_NO_MEMORY /* the book is dropped */
};

/* A diff that waits for its snapshot. */
struct trp_binance_kept {
  uint64_t first_id, final_id;
  uint32_t from, count; /* in the book's `levels` */
};

struct trp_binance_book {
  struct trp_ladder ladder;
  bool synced;
  uint64_t id;       /* synced: of the last diff applied, or of the snapshot */
  uint64_t expected; /* after a gap: the first id that is missing */
  struct trp_binance_kept *events;
  uint32_t kept, next; /* events kept; the next to be replayed */
  struct trp_level *levels;
  uint32_t level_count, level_capacity;
};

/* levels_max 0: the ladder's default. */
void trp_binance_book_init(struct trp_binance_book *book, uint32_t levels_max);
void trp_binance_book_fini(struct trp_binance_book *book);

/* Forgets book and kept diffs: the connection is gone. */
void trp_binance_book_reset(struct trp_binance_book *book);

/* Takes a diff. */
enum trp_binance_step trp_binance_book_diff(struct trp_binance_book *book,
                                            const struct trp_binance_depth *diff);

/* Takes a snapshot; then replay. Errors: GAP (older than the first kept diff: fetch again; nothing
 * has changed), NO_MEMORY, INVALID (a level; the book is dropped). */
TRP_MUST_USE enum trp_err trp_binance_book_snapshot(struct trp_binance_book *book,
                                                    const struct trp_binance_depth *snapshot);

/* Applies the next kept diff that is newer than the book; false where none is left. `diff` is
 * borrowed until the next call. */
bool trp_binance_book_replay(struct trp_binance_book *book, struct trp_binance_depth *diff);

/* Is a snapshot of that id new enough for what is kept? */
bool trp_binance_book_fits(const struct trp_binance_book *book, uint64_t snapshot_id);

#endif
