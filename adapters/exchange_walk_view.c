/* Views: the best levels of a book, and how they change from one telling to the next. */
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_walk_book.h"

/* The small views and the large ones. */
static uint32_t kind_of(uint32_t depth) { return depth > 100; }

/* The newest update that a DEPTH event has told. */
static uint64_t told(const struct trp_walk_book *book) {
  return book->fast.first != 0 ? book->fast.first - 1 : book->id;
}

/* What is before what, from the best outwards. */
static bool better(bool bid, int64_t a, int64_t b) { return bid ? a > b : a < b; }

/* Merges the two sides, which are sorted; how many levels differ. */
static uint32_t compare(bool bid, const struct trp_walk_level *old, uint32_t old_count,
                        const struct trp_walk_level *new, uint32_t new_count,
                        struct trp_walk_level *out) {
  uint32_t count = 0;
  uint32_t i = 0;
  uint32_t j = 0;
  while (i < old_count || j < new_count) {
    if (j == new_count || (i < old_count && better(bid, old[i].price, new[j].price))) {
      out[count++] = (struct trp_walk_level){.price = old[i++].price};
    } else if (i == old_count || better(bid, new[j].price, old[i].price)) {
      out[count++] = new[j++];
    } else {
      if (old[i].size != new[j].size) {
        out[count++] = new[j];
      }
      i++;
      j++;
    }
  }
  return count;
}

static void renew(const struct trp_walk *walk, uint32_t symbol, uint32_t depth,
                  struct trp_walk_view *view) {
  struct trp_walk_level now[TRP_WALK_VIEW_MAX];
  for (int bid = 0; bid < 2; bid++) {
    uint32_t count = trp_walk_levels(walk, symbol, bid, now, depth);
    view->changes[bid] =
        compare(bid, view->levels[bid], view->count[bid], now, count, view->changed[bid]);
    memcpy(view->levels[bid], now, count * sizeof *now);
    view->count[bid] = count;
  }
  view->since = view->id;
  view->id = walk->books[symbol]->id;
}

static struct trp_walk_view *view_of(struct trp_walk *walk, uint32_t symbol, uint32_t depth) {
  struct trp_walk_view **view = &walk->books[symbol]->views[kind_of(depth)];
  if (*view == NULL) {
    *view = calloc(1, sizeof **view);
  }
  return *view;
}

const struct trp_walk_view *trp_walk_view(struct trp_walk *walk, uint32_t symbol, uint32_t depth) {
  struct trp_walk_view *view = view_of(walk, symbol, depth);
  /* Later than what was told: it was made anew for somebody a moment ago. */
  if (view != NULL && view->id < told(walk->books[symbol])) {
    renew(walk, symbol, depth, view);
  }
  return view;
}

const struct trp_walk_view *trp_walk_view_step(struct trp_walk *walk, uint32_t symbol,
                                               uint32_t depth) {
  struct trp_walk_view *view = view_of(walk, symbol, depth);
  if (view != NULL) {
    renew(walk, symbol, depth, view);
  }
  return view;
}
