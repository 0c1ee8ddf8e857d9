#include "adapters/json_scan.h"

#include "adapters/decimal.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '@' ||
         c == '!' || c == '.' || c == '-';
}

bool trp_json_scan_u64(struct trp_json_scan *scan, uint64_t *out) {
  const char *at = scan->at;
  if (at == scan->end || !is_digit(*at)) return false;
  if (*at == '0' && at + 1 != scan->end && is_digit(at[1])) return false;
  uint64_t value = 0;
  for (; at != scan->end && is_digit(*at); at++)
    if (__builtin_mul_overflow(value, 10u, &value) ||
        __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
      return false;
  scan->at = at;
  *out = value;
  return true;
}

bool trp_json_scan_bool(struct trp_json_scan *scan, bool *out) {
  *out = scan->at != scan->end && *scan->at == 't';
  return *out ? TRP_JSON_SCAN(scan, "true") : TRP_JSON_SCAN(scan, "false");
}

bool trp_json_scan_decimal(struct trp_json_scan *scan, double *out, uint32_t *inexact) {
  if (!trp_json_scan_byte(scan, '"')) return false;
  const char *first = scan->at;
  const char *at = trp_decimal_scan(first, scan->end, out);
  if (at != NULL) {
    scan->at = at;
    return trp_json_scan_byte(scan, '"');
  }
  at = first;
  while (at != scan->end && (is_digit(*at) || *at == '.')) at++;
  scan->at = at;
  struct trp_decimal decimal;
  if (trp_decimal_parse(first, (size_t)(at - first), &decimal) != TRP_OK) return false;
  *out = decimal.value;
  *inexact += decimal.inexact;
  return trp_json_scan_byte(scan, '"');
}

bool trp_json_scan_text(struct trp_json_scan *scan, char *out, size_t size) {
  const char *first = scan->at;
  if (!trp_json_scan_skip_text(scan, size - 1)) return false;
  size_t length = (size_t)(scan->at - first) - 2;
  memcpy(out, first + 1, length);
  out[length] = '\0';
  return true;
}

bool trp_json_scan_skip_text(struct trp_json_scan *scan, size_t size_max) {
  if (!trp_json_scan_byte(scan, '"')) return false;
  const char *first = scan->at;
  const char *at = first;
  while (at != scan->end && is_plain(*at)) at++;
  scan->at = at;
  size_t length = (size_t)(at - first);
  return length != 0 && length <= size_max && trp_json_scan_byte(scan, '"');
}

static bool scan_level(struct trp_json_scan *scan, struct trp_json_scan_levels *into,
                       uint32_t side) {
  struct trp_level *level = &into->levels[into->count++];
  *level = (struct trp_level){.side = side};
  return trp_json_scan_byte(scan, '[') &&
         trp_json_scan_decimal(scan, &level->price, into->inexact) &&
         trp_json_scan_byte(scan, ',') &&
         trp_json_scan_decimal(scan, &level->size, into->inexact) && trp_json_scan_byte(scan, ']');
}

bool trp_json_scan_side(struct trp_json_scan *scan, struct trp_json_scan_levels *into,
                        uint32_t side) {
  if (trp_json_scan_byte(scan, ']')) return true;
  for (uint32_t n = 0; n < into->side_max; n++) {
    if (!scan_level(scan, into, side)) return false;
    if (trp_json_scan_byte(scan, ']')) return true;
    if (!trp_json_scan_byte(scan, ',')) return false;
  }
  return false;
}
