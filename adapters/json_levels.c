#include "adapters/json_levels.h"

#include <string.h>

bool trp_json_to_u64(const struct trp_json_value *value, uint64_t *out) {
  uint64_t number = 0;
  for (const char *at = value->text; *at != '\0'; at++)
    if (*at < '0' || *at > '9' || __builtin_mul_overflow(number, 10u, &number) ||
        __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
      return false;
  *out = number;
  return value->size != 0;
}

bool trp_json_to_decimal(const struct trp_json_value *value, struct trp_decimal *out) {
  return (value->kind == TRP_JSON_TEXT || value->kind == TRP_JSON_NUMBER) && !value->cut &&
         trp_decimal_parse(value->text, value->size, out) == TRP_OK && out->value >= 0;
}

/* One value within a level. */
static void take_number(struct trp_json_levels *levels, uint32_t side,
                        const struct trp_json_value *value) {
  struct trp_decimal decimal;
  if (value->index > 1) return;
  if (!trp_json_to_decimal(value, &decimal) || (value->index == 0) != (levels->open == NULL)) {
    levels->bad[side] = true;
    return;
  }
  levels->inexact += decimal.inexact;
  if (value->index == 1) {
    levels->open->size = decimal.value;
    levels->open = NULL;
    return;
  }
  if (levels->sides[side]++ == levels->side_max) {
    levels->too_many = true;
    return;
  }
  levels->open = &levels->levels[levels->count++];
  *levels->open = (struct trp_level){.price = decimal.value, .side = side};
}

bool trp_json_levels_take(struct trp_json_levels *levels, const char *path, const char *name,
                          uint32_t side, const struct trp_json_value *value) {
  size_t length = strlen(name);
  if (strncmp(path, name, length) != 0) return false;
  const char *rest = path + length;
  if (strcmp(rest, "[]") != 0 && strcmp(rest, "[][]") != 0 && strcmp(rest, "[][][]") != 0)
    return false;
  levels->seen[side] = true;
  bool inner = rest[2] != '\0';
  if (value->kind == TRP_JSON_ARRAY || (inner && rest[4] != '\0')) return true;
  if (value->kind == TRP_JSON_OBJECT_END) return true;
  if (!inner)
    levels->bad[side] = true; /* a level that is no array */
  else
    take_number(levels, side, value);
  return true;
}

bool trp_json_levels_good(const struct trp_json_levels *levels) {
  return !levels->bad[1] && !levels->bad[2] && levels->open == NULL;
}
