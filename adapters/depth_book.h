/* depth_book.h - one symbol's local book: a ladder, and the rules that keep it continuous.
 *
 * The exchanges' rules for a local book are one: keep diffs while the snapshot is fetched; a
 * snapshot older than the first kept diff is of no use, fetch again; drop diffs that end at or
 * before the snapshot; every further diff must continue the book. What continues it is where they
 * differ (enum trp_depth_rule). A diff that does not is a gap: the book is dropped, and the
 * rebuilding starts with that very diff.
 *
 * What is kept is bounded (events and levels); beyond the bound the oldest half is let go, and the
 * snapshot must then be newer. Memory of the kept diffs is returned once the book is synced.
 *
 * Thread: the owner's. */
#ifndef TRP_ADAPTERS_DEPTH_BOOK_H
#define TRP_ADAPTERS_DEPTH_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/book.h"
#include "adapters/wire.h"

#define TRP_DEPTH_KEPT_EVENTS 1024
#define TRP_DEPTH_KEPT_LEVELS 65536

/* A diff that ends after the book's id continues it where its first id is.. */
enum trp_depth_rule {
  TRP_DEPTH_OVERLAPS, /* ..at most id + 1: Binance, and Gate's order_book_update */
  TRP_DEPTH_CHAINED,  /* ..id + 1, or less right behind a snapshot: MEXC */
  TRP_DEPTH_EXACT     /* ..id + 1: Gate's obu, whose snapshots come in the same stream */
};

enum trp_depth_step {
  TRP_STEP_APPLIED,  /* the book has moved to the diff's final id */
  TRP_STEP_OLD,      /* the book was already there */
  TRP_STEP_KEPT,     /* no snapshot yet: kept for later */
  TRP_STEP_GAP,      /* continuity is lost: `expected` says what should have come; kept */
  TRP_STEP_NO_MEMORY /* the book is dropped */
};

/* A diff that waits for its snapshot. */
struct trp_depth_kept {
  uint64_t first_id, final_id;
  uint32_t from, count; /* in the book's `levels` */
};

struct trp_depth_book {
  struct trp_ladder ladder;
  enum trp_depth_rule rule;
  bool synced;
  bool fresh;        /* synced: nothing applied since the snapshot */
  uint64_t id;       /* synced: of the last diff applied, or of the snapshot */
  uint64_t expected; /* after a gap: the first id that is missing */
  struct trp_depth_kept *events;
  uint32_t kept, next; /* events kept; the next to be replayed */
  struct trp_level *levels;
  uint32_t level_count, level_capacity;
};

/* levels_max 0: the ladder's default. */
void trp_depth_book_init(struct trp_depth_book *book, enum trp_depth_rule rule,
                         uint32_t levels_max);
void trp_depth_book_fini(struct trp_depth_book *book);

/* Forgets book and kept diffs: the connection is gone. */
void trp_depth_book_reset(struct trp_depth_book *book);

/* Takes a diff. */
enum trp_depth_step trp_depth_book_diff(struct trp_depth_book *book,
                                        const struct trp_wire_depth *diff);

/* Takes a snapshot; then replay. Errors: GAP (older than the first kept diff: fetch again; nothing
 * has changed), NO_MEMORY, INVALID (a level; the book is dropped). */
TRP_MUST_USE enum trp_err trp_depth_book_snapshot(struct trp_depth_book *book,
                                                  const struct trp_wire_depth *snapshot);

/* Applies the next kept diff that is newer than the book; false where none is left. `diff` is
 * borrowed until the next call. */
bool trp_depth_book_replay(struct trp_depth_book *book, struct trp_wire_depth *diff);

/* Is a snapshot of that id new enough for what is kept? */
bool trp_depth_book_fits(const struct trp_depth_book *book, uint64_t snapshot_id);

#endif
