#include "adapters/depth_book.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS_FIRST 256

void trp_depth_book_init(struct trp_depth_book *book, enum trp_depth_rule rule,
                         uint32_t levels_max) {
  *book = (struct trp_depth_book){.rule = rule};
  trp_ladder_init(&book->ladder, levels_max);
}

/* Lets go what is kept, and its memory. */
static void forget_kept(struct trp_depth_book *book) {
  free(book->events);
  free(book->levels);
  book->events = NULL;
  book->levels = NULL;
  book->kept = book->next = book->level_count = book->level_capacity = 0;
}

void trp_depth_book_fini(struct trp_depth_book *book) {
  forget_kept(book);
  trp_ladder_fini(&book->ladder);
}

void trp_depth_book_reset(struct trp_depth_book *book) {
  forget_kept(book);
  trp_ladder_clear(&book->ladder);
  book->synced = book->fresh = false;
  book->id = 0;
}

/* ---- keeping diffs ------------------------------------------------------------------------ */

static bool make_room(struct trp_depth_book *book, uint32_t count) {
  if (book->events == NULL) book->events = calloc(TRP_DEPTH_KEPT_EVENTS, sizeof *book->events);
  if (book->events == NULL) return false;
  uint32_t capacity = book->level_capacity != 0 ? book->level_capacity : LEVELS_FIRST;
  while (capacity - book->level_count < count) capacity *= 2;
  if (capacity == book->level_capacity) return true;
  struct trp_level *grown = realloc(book->levels, capacity * sizeof *grown);
  if (grown == NULL) return false;
  book->levels = grown;
  book->level_capacity = capacity;
  return true;
}

static void let_go_older_half(struct trp_depth_book *book) {
  uint32_t gone = (book->kept + 1) / 2;
  uint32_t from = gone < book->kept ? book->events[gone].from : book->level_count;
  book->kept -= gone;
  memmove(book->events, book->events + gone, book->kept * sizeof *book->events);
  book->level_count -= from;
  memmove(book->levels, book->levels + from, book->level_count * sizeof *book->levels);
  for (uint32_t i = 0; i < book->kept; i++) book->events[i].from -= from;
}

static enum trp_depth_step keep(struct trp_depth_book *book, const struct trp_wire_depth *diff) {
  while (book->kept != 0 && (book->kept == TRP_DEPTH_KEPT_EVENTS ||
                             book->level_count + diff->count > TRP_DEPTH_KEPT_LEVELS))
    let_go_older_half(book);
  if (!make_room(book, diff->count)) {
    trp_depth_book_reset(book);
    return TRP_STEP_NO_MEMORY;
  }
  if (diff->count != 0)
    memcpy(book->levels + book->level_count, diff->levels, diff->count * sizeof *diff->levels);
  book->events[book->kept++] = (struct trp_depth_kept){.first_id = diff->first_id,
                                                       .final_id = diff->final_id,
                                                       .from = book->level_count,
                                                       .count = diff->count};
  book->level_count += diff->count;
  return TRP_STEP_KEPT;
}

/* Keeps the diff as the first of a new stretch. */
static enum trp_depth_step begin_anew(struct trp_depth_book *book, uint64_t expected,
                                      const struct trp_wire_depth *diff) {
  trp_depth_book_reset(book);
  book->expected = expected;
  return keep(book, diff) == TRP_STEP_KEPT ? TRP_STEP_GAP : TRP_STEP_NO_MEMORY;
}

/* `expected`: the id behind the last one known. */
static bool continues(const struct trp_depth_book *book, uint64_t expected,
                      const struct trp_wire_depth *diff) {
  bool may_overlap = book->rule == TRP_DEPTH_OVERLAPS ||
                     (book->rule == TRP_DEPTH_CHAINED && book->synced && book->fresh);
  return diff->first_id == expected || (may_overlap && diff->first_id < expected);
}

static enum trp_depth_step keep_in_order(struct trp_depth_book *book,
                                         const struct trp_wire_depth *diff) {
  if (book->kept == 0) return keep(book, diff);
  uint64_t last = book->events[book->kept - 1].final_id;
  if (diff->final_id <= last) return TRP_STEP_OLD;
  if (!continues(book, last + 1, diff)) return begin_anew(book, last + 1, diff);
  return keep(book, diff);
}

/* ---- applying ----------------------------------------------------------------------------- */

static bool apply(struct trp_depth_book *book, const struct trp_wire_depth *diff) {
  for (uint32_t i = 0; i < diff->count; i++)
    if (trp_ladder_set(&book->ladder, &diff->levels[i]) != TRP_OK) return false;
  book->id = diff->final_id;
  book->fresh = false;
  return true;
}

enum trp_depth_step trp_depth_book_diff(struct trp_depth_book *book,
                                        const struct trp_wire_depth *diff) {
  if (!book->synced) return keep_in_order(book, diff);
  if (diff->final_id <= book->id) return TRP_STEP_OLD;
  if (!continues(book, book->id + 1, diff)) return begin_anew(book, book->id + 1, diff);
  if (apply(book, diff)) return TRP_STEP_APPLIED;
  trp_depth_book_reset(book);
  return TRP_STEP_NO_MEMORY;
}

bool trp_depth_book_fits(const struct trp_depth_book *book, uint64_t snapshot_id) {
  return book->kept == 0 || book->events[0].first_id <= snapshot_id + 1;
}

enum trp_err trp_depth_book_snapshot(struct trp_depth_book *book,
                                     const struct trp_wire_depth *snapshot) {
  if (!trp_depth_book_fits(book, snapshot->final_id)) return TRP_GAP;
  enum trp_err err = trp_ladder_load(&book->ladder, snapshot->levels, snapshot->count);
  if (err != TRP_OK) {
    trp_depth_book_reset(book);
    return err;
  }
  book->synced = book->fresh = true;
  book->id = snapshot->final_id;
  book->next = 0;
  return TRP_OK;
}

bool trp_depth_book_replay(struct trp_depth_book *book, struct trp_wire_depth *diff) {
  while (book->synced && book->next < book->kept) {
    uint32_t i = book->next++;
    if (book->events[i].final_id <= book->id) continue;
    *diff = (struct trp_wire_depth){.first_id = book->events[i].first_id,
                                    .final_id = book->events[i].final_id,
                                    .levels = book->levels + book->events[i].from,
                                    .count = book->events[i].count};
    if (apply(book, diff)) return true;
    trp_depth_book_reset(book);
  }
  if (book->kept != 0) forget_kept(book);
  return false;
}
