/* value.h - reading MessagePack that may be hostile, without allocating anything.
 *
 * trp_value_open looks once over the whole input before anything else does: no count and no length
 * beyond the bytes left, at most TRP_DEPTH_MAX containers inside each other, map keys are texts,
 * texts are UTF-8 without NUL, numbers are finite, and nothing of the format that the protocol does
 * not use (bin, ext, 0xc1). What it accepts can be walked without any further error.
 *
 * A value is a plain struct that looks into the input; it owns nothing and lives as long as those
 * bytes do. The work is linear in the input, times the depth where one walks every level. */
#ifndef TRP_PROTO_VALUE_H
#define TRP_PROTO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRP_DEPTH_MAX 16 /* containers inside each other */

enum trp_value_kind {
  TRP_VALUE_NIL,
  TRP_VALUE_BOOL,
  TRP_VALUE_UNSIGNED, /* any integer from 0 up, whatever its form on the wire */
  TRP_VALUE_NEGATIVE, /* an integer below 0 */
  TRP_VALUE_DOUBLE,
  TRP_VALUE_TEXT,
  TRP_VALUE_ARRAY,
  TRP_VALUE_MAP
};

struct trp_value {
  enum trp_value_kind kind;
  uint32_t count; /* bytes of a text, elements of an array, pairs of a map */
  union {
    bool truth;
    uint64_t u64;
    int64_t i64;
    double f64;
    const char *text;      /* not terminated */
    const uint8_t *inside; /* where the elements begin */
  } as;
  const uint8_t *end; /* of the input */
};

/* Checks one value at the start of the input and gives its head. *used gets the bytes of the whole
 * value; more input may follow. Errors, with *used 0: TRUNCATED, MALFORMED. Thread: any. */
TRP_MUST_USE enum trp_err trp_value_open(const void *in, size_t in_bytes, size_t *used,
                                         struct trp_value *value);

/* Reads one head, steps over it and over the bytes of a text, and checks no more than that: for who
 * knows what is to come, and goes the careful way where it does not. Errors: TRUNCATED, MALFORMED.
 * Thread: any. */
TRP_MUST_USE enum trp_err trp_value_head(const uint8_t **at, const uint8_t *end,
                                         struct trp_value *value);

/* A walk over the elements of an array, or over keys and values of a map in turn. */
struct trp_walk {
  const uint8_t *at;
  const uint8_t *end;
  uint64_t left;   /* elements to come */
  uint64_t inside; /* elements within the one given last, not yet stepped over */
};

/* Begins a walk; over anything but an array or a map it is empty. Thread: any. */
void trp_walk_init(struct trp_walk *walk, const struct trp_value *container);

/* The next element; false past the last. Thread: any. */
bool trp_walk_next(struct trp_walk *walk, struct trp_value *element);

/* The next key and value of a map; false past the last. Thread: any. */
bool trp_walk_pair(struct trp_walk *walk, struct trp_value *key, struct trp_value *value);

/* Whether a value is this text. Thread: any. */
bool trp_value_is_text(const struct trp_value *value, const char *text);

/* Copies a text, terminated, the rest of `out` zero. False where it is no text or does not fit.
 * Thread: any. */
bool trp_value_text(const struct trp_value *value, char *out, size_t size);

/* The value as a double: a double, or an integer that a double holds exactly. Thread: any. */
bool trp_value_f64(const struct trp_value *value, double *out);

/* The first value under a key; false where there is none, or no map. Thread: any. */
bool trp_value_find(const struct trp_value *map, const char *key, struct trp_value *out);

/* Conveniences for who reads a map: the member under `key`, or the fallback where it is missing or
 * of another kind. find_text leaves "" then. Thread: any. */
uint64_t trp_value_find_u64(const struct trp_value *map, const char *key, uint64_t fallback);
double trp_value_find_f64(const struct trp_value *map, const char *key, double fallback);
bool trp_value_find_bool(const struct trp_value *map, const char *key, bool fallback);
bool trp_value_find_text(const struct trp_value *map, const char *key, char *out, size_t size);

/* Takes a piece of output; false ends the writing. */
typedef bool trp_json_write(void *to, const char *text, size_t bytes);

/* Writes a value as JSON (RFC 8259) on one line without spaces: integers exact, doubles with the
 * fewest digits that read back the same, control characters escaped. Errors: SYSTEM where `write`
 * refused. Thread: any. */
TRP_MUST_USE enum trp_err trp_value_json(const struct trp_value *value, trp_json_write *write,
                                         void *to);

/* A trp_json_write for a FILE *. Thread: any. */
bool trp_json_to_file(void *file, const char *text, size_t bytes);

/* A double with the fewest digits that read back the same, in the C locale's form whatever the
 * locale, into out[32]; "null" where it is not finite. Returns its length. Thread: any. */
size_t trp_json_double(double number, char *out);

#ifdef __cplusplus
}
#endif
#endif
