/* listing.h - the symbols that an exchange has, and which of them a mistyped one may have meant.
 *
 * Fill it name by name, then seal it; it answers from then on. Bounds: names of NAME_MAX bytes,
 * NAMES_MAX of them; what is beyond is not taken, and `cut` says so: an incomplete list proves
 * nothing absent. Memory: what the names take, returned by fini. Thread: the owner's. */
#ifndef TRP_ADAPTERS_LISTING_H
#define TRP_ADAPTERS_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

#define TRP_LISTING_NAME_MAX 47 /* bytes */
#define TRP_LISTING_NAMES_MAX 65536

struct trp_listing {
  char (*names)[TRP_LISTING_NAME_MAX + 1]; /* sorted once sealed */
  uint32_t count, capacity;
  bool sealed;
  bool cut; /* a name did not fit, or memory is out */
};

/* A zeroed one is empty. fini leaves it so. */
void trp_listing_fini(struct trp_listing *listing);

/* Takes a name; twice the same is fine. Not after the seal. */
void trp_listing_add(struct trp_listing *listing, const char *name);
void trp_listing_seal(struct trp_listing *listing);

/* Sealed and complete, and without that name? */
bool trp_listing_lacks(const struct trp_listing *listing, const char *name);

/* The name with the least edit distance, the first of them in order; NULL where there is none.
 * Borrowed until fini. */
const char *trp_listing_nearest(const struct trp_listing *listing, const char *name);

/* How many single bytes must be inserted, removed, replaced, or swapped with their neighbour to
 * make one of the other (optimal string alignment). Texts are looked at up to NAME_MAX bytes. */
uint32_t trp_edit_distance(const char *a, const char *b);

#endif
