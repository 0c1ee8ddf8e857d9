#include "adapters/listing.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

void trp_listing_fini(struct trp_listing *listing) {
  free(listing->names);
  *listing = (struct trp_listing){0};
}

static bool make_room(struct trp_listing *listing) {
  if (listing->count < listing->capacity) return true;
  uint32_t capacity = listing->capacity == 0 ? FIRST_CAPACITY : 2 * listing->capacity;
  if (capacity > TRP_LISTING_NAMES_MAX) return false;
  void *names = realloc(listing->names, capacity * sizeof *listing->names);
  if (names == NULL) return false;
  listing->names = names;
  listing->capacity = capacity;
  return true;
}

void trp_listing_add(struct trp_listing *listing, const char *name) {
  size_t length = strlen(name);
  if (length > TRP_LISTING_NAME_MAX || !make_room(listing)) {
    listing->cut = true;
    return;
  }
  memcpy(listing->names[listing->count++], name, length + 1);
}

static int compare(const void *a, const void *b) { return strcmp(a, b); }

void trp_listing_seal(struct trp_listing *listing) {
  if (listing->count != 0) qsort(listing->names, listing->count, sizeof *listing->names, compare);
  listing->sealed = true;
}

bool trp_listing_lacks(const struct trp_listing *listing, const char *name) {
  if (!listing->sealed || listing->cut || listing->count == 0) return false;
  return bsearch(name, listing->names, listing->count, sizeof *listing->names, compare) == NULL;
}

const char *trp_listing_nearest(const struct trp_listing *listing, const char *name) {
  const char *nearest = NULL;
  uint32_t least = UINT32_MAX;
  for (uint32_t i = 0; i < listing->count; i++) {
    uint32_t distance = trp_edit_distance(name, listing->names[i]);
    if (distance >= least) continue;
    least = distance;
    nearest = listing->names[i];
  }
  return nearest;
}

static uint32_t least_of(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Three rows of the usual table are enough: this one, the one above, and the one above that. */
uint32_t trp_edit_distance(const char *a, const char *b) {
  uint32_t rows[3][TRP_LISTING_NAME_MAX + 1];
  size_t n = strnlen(a, TRP_LISTING_NAME_MAX), m = strnlen(b, TRP_LISTING_NAME_MAX);
  for (uint32_t k = 0; k <= m; k++) rows[0][k] = k;
  for (uint32_t i = 1; i <= n; i++) {
    uint32_t *now = rows[i % 3];
    const uint32_t *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
    now[0] = i;
    for (uint32_t k = 1; k <= m; k++) {
      uint32_t replaced = above[k - 1] + (a[i - 1] != b[k - 1]);
      now[k] = least_of(replaced, least_of(above[k], now[k - 1]) + 1);
      if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
        now[k] = least_of(now[k], before[k - 2] + 1);
    }
  }
  return rows[n % 3][m];
}
