/* json_scan.h - a cursor that checks JSON against a shape known beforehand.
 *
 * Not a parser: each step says whether exactly this comes next, and any "no" means that the whole
 * text goes to LEJP (json_lejp.h) instead. So a step may be narrow (no whitespace, no escapes,
 * ASCII only) but must never accept what a parser would refuse or read differently; a differential
 * fuzzer holds the two equal. A step that says no leaves the cursor anywhere.
 *
 * Pure; the text is borrowed. Thread: any. */
#ifndef TRP_ADAPTERS_JSON_SCAN_H
#define TRP_ADAPTERS_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/messages.h"

struct trp_json_scan {
  const char *at;
  const char *end;
};

/* Exactly these bytes. */
static inline bool trp_json_scan_bytes(struct trp_json_scan *scan, const char *bytes, size_t size) {
  if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, bytes, size) != 0) return false;
  scan->at += size;
  return true;
}

/* Exactly this string literal; its length is known to the compiler, so this is a few compares. */
#define TRP_JSON_SCAN(scan, literal) trp_json_scan_bytes((scan), "" literal, sizeof(literal) - 1)

/* Is the next byte `c`? Takes it if so. */
static inline bool trp_json_scan_byte(struct trp_json_scan *scan, char c) {
  if (scan->at == scan->end || *scan->at != c) return false;
  scan->at++;
  return true;
}

/* A number without sign, fraction and leading zeros, at most UINT64_MAX. */
bool trp_json_scan_u64(struct trp_json_scan *scan, uint64_t *out);

/* true or false. */
bool trp_json_scan_bool(struct trp_json_scan *scan, bool *out);

/* A quoted decimal without sign ("0.35210000"); adds 1 to *inexact where it has more than 15
 * significant digits. */
bool trp_json_scan_decimal(struct trp_json_scan *scan, double *out, uint32_t *inexact);

/* A quoted text of [A-Za-z0-9_@!.-], 1 to size - 1 bytes; NUL-terminated into `out`. */
bool trp_json_scan_text(struct trp_json_scan *scan, char *out, size_t size);

/* The same, only looked past. */
bool trp_json_scan_skip_text(struct trp_json_scan *scan, size_t size_max);

/* Levels of a book, gathered over both sides. */
struct trp_json_scan_levels {
  struct trp_level *levels; /* room for 2 * side_max */
  uint32_t side_max;
  uint32_t count;
  uint32_t *inexact; /* counted up as by trp_json_scan_decimal */
};

/* [["price","size"],..] behind its opening bracket, at most side_max of them. */
bool trp_json_scan_side(struct trp_json_scan *scan, struct trp_json_scan_levels *into,
                        uint32_t side);

#endif
