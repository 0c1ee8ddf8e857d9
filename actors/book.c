#include "actors/book.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX_DEFAULT 10000
#define CAPACITY_FIRST 64

void trp_ladder_init(struct trp_ladder *ladder, uint32_t levels_max) {
  *ladder = (struct trp_ladder){.levels_max = levels_max != 0 ? levels_max : LEVELS_MAX_DEFAULT};
}

void trp_ladder_fini(struct trp_ladder *ladder) {
  free(ladder->bids.entries);
  free(ladder->asks.entries);
  ladder->bids = ladder->asks = (struct trp_ladder_side){0};
}

void trp_ladder_clear(struct trp_ladder *ladder) {
  ladder->bids.count = 0;
  ladder->asks.count = 0;
}

/* Does price a stand nearer to the worst end than b? Bids rise towards the best, asks fall. */
static bool worse(double a, double b, uint32_t side) {
  return side == TRP_SIDE_BID ? a < b : a > b;
}

/* The place of the first entry that is not worse than the price. Changes gather at the best end, so
 * the search gallops from there before it halves. */
static uint32_t place_of(const struct trp_ladder_side *side, double price, uint32_t which) {
  uint32_t high = side->count;
  uint32_t step = 1;
  while (step <= high && !worse(side->entries[high - step].price, price, which)) {
    high -= step;
    step *= 2;
  }
  uint32_t low = step <= high ? high - step + 1 : 0;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (worse(side->entries[middle].price, price, which))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static enum trp_err grow(struct trp_ladder_side *side, uint32_t levels_max) {
  uint32_t capacity = side->capacity == 0 ? CAPACITY_FIRST : side->capacity * 2;
  if (capacity > levels_max) capacity = levels_max;
  void *grown = realloc(side->entries, capacity * sizeof *side->entries);
  if (grown == NULL) return TRP_NO_MEMORY;
  side->entries = grown;
  side->capacity = capacity;
  return TRP_OK;
}

static void remove_at(struct trp_ladder_side *side, uint32_t at) {
  side->count--;
  memmove(&side->entries[at], &side->entries[at + 1], (side->count - at) * sizeof *side->entries);
}

static enum trp_err insert_at(struct trp_ladder *ladder, struct trp_ladder_side *side, uint32_t at,
                              struct trp_ladder_entry entry) {
  if (side->count == ladder->levels_max) {
    ladder->clipped++;
    if (at == 0) return TRP_OK; /* the worst of all: it is the one that does not fit */
    remove_at(side, 0);
    at--;
  }
  if (side->count == side->capacity) {
    enum trp_err err = grow(side, ladder->levels_max);
    if (err != TRP_OK) return err;
  }
  memmove(&side->entries[at + 1], &side->entries[at], (side->count - at) * sizeof *side->entries);
  side->entries[at] = entry;
  side->count++;
  return TRP_OK;
}

enum trp_err trp_ladder_set(struct trp_ladder *ladder, const struct trp_level *level) {
  if (level->side != TRP_SIDE_BID && level->side != TRP_SIDE_ASK) return TRP_INVALID;
  if (!(level->price >= 0) || isinf(level->price) || !(level->size >= 0) || isinf(level->size))
    return TRP_INVALID;
  struct trp_ladder_side *side = level->side == TRP_SIDE_BID ? &ladder->bids : &ladder->asks;
  uint32_t at = place_of(side, level->price, level->side);
  bool there = at < side->count && !worse(level->price, side->entries[at].price, level->side);
  if (level->size > 0 && !there)
    return insert_at(ladder, side, at, (struct trp_ladder_entry){level->price, level->size});
  if (level->size > 0)
    side->entries[at].size = level->size;
  else if (there)
    remove_at(side, at);
  return TRP_OK;
}

enum trp_err trp_ladder_load(struct trp_ladder *ladder, const struct trp_level *levels,
                             size_t count) {
  trp_ladder_clear(ladder);
  /* Snapshots come best first, the order that costs most here: backwards it is all appending. */
  for (size_t i = count; i-- > 0;) {
    enum trp_err err = trp_ladder_set(ladder, &levels[i]);
    if (err != TRP_OK) {
      trp_ladder_clear(ladder);
      return err;
    }
  }
  return TRP_OK;
}

static struct trp_ladder_entry best(const struct trp_ladder_side *side) {
  return side->count != 0 ? side->entries[side->count - 1] : (struct trp_ladder_entry){0};
}

struct trp_ladder_entry trp_ladder_best_bid(const struct trp_ladder *ladder) {
  return best(&ladder->bids);
}

struct trp_ladder_entry trp_ladder_best_ask(const struct trp_ladder *ladder) {
  return best(&ladder->asks);
}

bool trp_ladder_crossed(const struct trp_ladder *ladder) {
  return ladder->bids.count != 0 && ladder->asks.count != 0 &&
         best(&ladder->bids).price >= best(&ladder->asks).price;
}

static size_t copy_side(const struct trp_ladder_side *side, uint32_t which, struct trp_level *out,
                        size_t max) {
  size_t n = 0;
  for (uint32_t i = side->count; i-- > 0 && n < max;)
    out[n++] = (struct trp_level){
        .price = side->entries[i].price, .size = side->entries[i].size, .side = which};
  return n;
}

size_t trp_ladder_copy(const struct trp_ladder *ladder, struct trp_level *out, size_t max) {
  size_t n = copy_side(&ladder->bids, TRP_SIDE_BID, out, max);
  return n + copy_side(&ladder->asks, TRP_SIDE_ASK, out + n, max - n);
}
