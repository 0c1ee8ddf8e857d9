/* json_lejp.h - any JSON text, walked value by value with libwebsockets' LEJP.
 *
 * The way for every shape that the scanner (json_scan.h) does not know. Nothing is allocated: a
 * visitor gets each value with its path ("data.b[][]"), and texts up to TRP_JSON_TEXT_MAX whole.
 *
 * LEJP is lenient here and there (comments, a comma before ']') and its stacks are small, so a look
 * over the whole text comes first: brackets balanced and at most TRP_JSON_DEPTH_MAX deep, texts
 * closed, nothing after the end. What ends early is told apart from what is wrong.
 *
 * Thread: any; nothing is shared. */
#ifndef TRP_ADAPTERS_JSON_LEJP_H
#define TRP_ADAPTERS_JSON_LEJP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

#define TRP_JSON_DEPTH_MAX 10
#define TRP_JSON_ARRAYS_MAX 4  /* arrays within arrays */
#define TRP_JSON_TEXT_MAX 4096 /* bytes of a value that a visitor sees whole: thirty channels */
#define TRP_JSON_SIZE_MAX (64u << 20)

enum trp_json_kind {
  TRP_JSON_NULL,
  TRP_JSON_TRUE,
  TRP_JSON_FALSE,
  TRP_JSON_NUMBER, /* its text */
  TRP_JSON_TEXT,   /* escapes resolved, UTF-8 */
  TRP_JSON_OBJECT, /* begins */
  TRP_JSON_OBJECT_END,
  TRP_JSON_ARRAY /* begins; its path ends in [] */
};

struct trp_json_value {
  enum trp_json_kind kind;
  uint32_t depth;   /* of brackets around it */
  uint32_t index;   /* in the innermost array, 0 outside arrays */
  const char *path; /* "" for the whole; meaningless at OBJECT_END */
  const char *text; /* NUL-terminated; "" where there is none */
  size_t size;
  bool cut; /* the text was longer than TRP_JSON_TEXT_MAX */
};

/* Looks at one value; false stops the walk. */
typedef bool trp_json_visit_fn(void *arg, const struct trp_json_value *value);

/* Walks the whole text. `*reason` gets a few words for a person on any error. Errors: MALFORMED,
 * TRUNCATED, TOO_BIG, CANCELLED (the visitor stopped it). */
TRP_MUST_USE enum trp_err trp_json_walk(const void *bytes, size_t size, trp_json_visit_fn *visit,
                                        void *arg, const char **reason);

#endif
