/* json_levels.h - what the dialects read out of any JSON alike: numbers, and the levels of a book.
 *
 * For visitors of trp_json_walk (json_lejp.h). Levels are [["price","size"],..] under some path, a
 * side each; they are gathered into an array of the caller, within its bound, and judged when the
 * text has ended. Thread: the owner's. */
#ifndef TRP_ADAPTERS_JSON_LEVELS_H
#define TRP_ADAPTERS_JSON_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/decimal.h"
#include "adapters/json_lejp.h"
#include "proto/messages.h"

/* Digits alone, at most UINT64_MAX. The kind is the caller's to look at. */
bool trp_json_to_u64(const struct trp_json_value *value, uint64_t *out);

/* A price or a size: text, or (leniently) a number; never negative. */
bool trp_json_to_decimal(const struct trp_json_value *value, struct trp_decimal *out);

struct trp_json_levels {
  struct trp_level *levels; /* room for 2 * side_max */
  uint32_t side_max;
  uint32_t count;
  uint32_t inexact;
  uint32_t sides[3];      /* levels of side 1 and 2 */
  bool seen[3], bad[3];   /* the side came; something in it was wrong */
  bool too_many;          /* more than side_max: stop walking */
  struct trp_level *open; /* one whose price came and whose size has not */
};

/* Is the value at `path` of the level array `name`? Takes it if so. More members of a level than
 * two are passed over. */
bool trp_json_levels_take(struct trp_json_levels *levels, const char *path, const char *name,
                          uint32_t side, const struct trp_json_value *value);

/* Did nothing go wrong, in a side or between the two? */
bool trp_json_levels_good(const struct trp_json_levels *levels);

#endif
