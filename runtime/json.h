/* json.h - writes JSON (RFC 8259) piece by piece into a caller's buffer: for reports, which must be
 * written when nothing else may work any more.
 *
 * No memory, no locks: async-signal-safe apart from trp_json_f64 (snprintf), if the flush is. The
 * buffer is emptied through `flush` whenever it is full; without one it must hold everything. The
 * first failure is kept and silences the rest, so that only trp_json_finish need be looked at.
 * Inside an object every value has its key, elsewhere NULL; that, and the nesting, is asserted.
 * Bytes that are not UTF-8 become U+FFFD, so the result is always valid. Thread: owner. */
#ifndef TRP_RUNTIME_JSON_H
#define TRP_RUNTIME_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

enum { TRP_JSON_DEPTH_MAX = 32 };

typedef enum trp_err trp_json_flush_fn(void *arg, const char *data, size_t bytes);

/* Embedded, on the stack too; its fields are json.c's own. */
struct trp_json {
  char *buffer;
  size_t capacity, used;
  trp_json_flush_fn *flush;
  void *arg;
  enum trp_err error;
  uint32_t depth;
  bool started;     /* something stands at the present level */
  uint32_t objects; /* by depth: 1 object, 0 array */
};

/* `flush` may be NULL. */
void trp_json_init(struct trp_json *json, char *buffer, size_t capacity, trp_json_flush_fn *flush,
                   void *arg);

void trp_json_object_begin(struct trp_json *json, const char *key);
void trp_json_object_end(struct trp_json *json);
void trp_json_array_begin(struct trp_json *json, const char *key);
void trp_json_array_end(struct trp_json *json);

void trp_json_string(struct trp_json *json, const char *key, const char *value); /* NULL: null */
void trp_json_u64(struct trp_json *json, const char *key, uint64_t value);
void trp_json_i64(struct trp_json *json, const char *key, int64_t value);
void trp_json_bool(struct trp_json *json, const char *key, bool value);
/* The shortest digits that read back to the same value; NaN and infinities become null. */
void trp_json_f64(struct trp_json *json, const char *key, double value);

/* A line's end, between values at the top level (an object a line). */
void trp_json_newline(struct trp_json *json);

/* Flushes what is left; asserts that everything is closed. Without a flush the buffer holds
 * json->used bytes and, where there is room, a NUL. Errors: TOO_BIG (no flush, buffer full), or
 * flush's. */
TRP_MUST_USE enum trp_err trp_json_finish(struct trp_json *json);

/* A flush that writes to a descriptor until a deadline (trp_write_all); arg is a trp_json_file. */
struct trp_json_file {
  int fd;
  uint64_t deadline_ns; /* CLOCK_MONOTONIC */
};
enum trp_err trp_json_flush_file(void *arg, const char *data, size_t bytes);

#endif
