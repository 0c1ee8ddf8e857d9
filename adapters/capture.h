/* capture.h - reads a recording of exchange traffic, line by line.
 *
 *   URL <-> TIME           a connection was opened
 *   URL <- TIME: TEXT      a frame was sent
 *   TIME: TEXT             a frame was received
 *   URL -> TIME: BODY      an HTTP response
 *
 * TIME is seconds since 1970 with a fraction. Blank lines are passed over; a carriage return at a
 * line's end is dropped. A line that is none of these, or too long, is given as BAD with a reason,
 * and reading goes on behind it.
 *
 * Ownership: the file is borrowed; a line is borrowed until the next call. Thread: the owner's. */
#ifndef TRP_ADAPTERS_CAPTURE_H
#define TRP_ADAPTERS_CAPTURE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/errors.h"

#define TRP_CAPTURE_LINE_MAX (8u << 20)

enum trp_capture_kind {
  TRP_CAPTURE_END = 0,
  TRP_CAPTURE_OPENED,
  TRP_CAPTURE_SENT,
  TRP_CAPTURE_RECEIVED,
  TRP_CAPTURE_RESPONSE,
  TRP_CAPTURE_BAD
};

struct trp_capture_line {
  enum trp_capture_kind kind;
  uint64_t number;  /* of the line, from 1 */
  uint64_t at_ns;   /* since 1970 */
  const char *url;  /* "" in RECEIVED */
  const char *text; /* NUL-terminated behind `size` bytes; "" in OPENED */
  size_t size;
  const char *reason; /* BAD: why */
};

struct trp_capture; /* opaque */

/* Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_capture_new(struct trp_capture **out, FILE *file);
void trp_capture_destroy(struct trp_capture **capture); /* NULL is fine */

/* The next line; END at the end of the file. Errors: NO_MEMORY, SYSTEM (reading failed). */
TRP_MUST_USE enum trp_err trp_capture_next(struct trp_capture *capture,
                                           struct trp_capture_line *out);

#endif
