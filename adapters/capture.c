#include "adapters/capture.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST 4096

struct trp_capture {
  FILE *file;
  uint64_t number;
  char *buffer; /* the line in hand and a NUL */
  size_t size, capacity;
};

enum trp_err trp_capture_new(struct trp_capture **out, FILE *file) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return TRP_NO_MEMORY;
  (*out)->file = file;
  return TRP_OK;
}

void trp_capture_destroy(struct trp_capture **capture) {
  if (*capture == NULL) return;
  free((*capture)->buffer);
  free(*capture);
  *capture = NULL;
}

static bool make_room(struct trp_capture *capture) {
  if (capture->size + 1 < capture->capacity) return true;
  size_t capacity = capture->capacity == 0 ? BUFFER_FIRST : capture->capacity * 2;
  char *grown = realloc(capture->buffer, capacity);
  if (grown == NULL) return false;
  capture->buffer = grown;
  capture->capacity = capacity;
  return true;
}

/* Reads up to the line's end into the buffer; what is beyond the bound is read past. `*more` is
 * false at the end of the file, `*whole` where the line was too long. */
static enum trp_err read_line(struct trp_capture *capture, bool *more, bool *whole) {
  int c;
  capture->size = 0;
  *more = false;
  *whole = true;
  while ((c = getc_unlocked(capture->file)) != EOF) {
    *more = true;
    if (c == '\n') break;
    if (capture->size == TRP_CAPTURE_LINE_MAX) {
      *whole = false;
      continue;
    }
    if (!make_room(capture)) return TRP_NO_MEMORY;
    capture->buffer[capture->size++] = (char)c;
  }
  if (c == EOF && ferror(capture->file)) return TRP_SYSTEM;
  if (!make_room(capture)) return TRP_NO_MEMORY;
  if (capture->size != 0 && capture->buffer[capture->size - 1] == '\r') capture->size--;
  capture->buffer[capture->size] = '\0';
  return TRP_OK;
}

/* ---- the grammar -------------------------------------------------------------------------- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* TIME to nanoseconds; leaves *at behind it. Digits beyond nine of the fraction are dropped. */
static bool take_time(char **at, uint64_t *out) {
  uint64_t seconds = 0, nanoseconds = 0, unit = 100000000;
  char *p = *at;
  if (!is_digit(*p)) return false;
  for (; is_digit(*p); p++)
    if (__builtin_mul_overflow(seconds, 10u, &seconds) ||
        __builtin_add_overflow(seconds, (uint64_t)(*p - '0'), &seconds))
      return false;
  if (*p == '.')
    for (p++; is_digit(*p); p++, unit /= 10) nanoseconds += unit * (uint64_t)(*p - '0');
  *at = p;
  return !__builtin_mul_overflow(seconds, 1000000000u, out) &&
         !__builtin_add_overflow(*out, nanoseconds, out);
}

static void bad(struct trp_capture_line *out, const char *reason) {
  out->kind = TRP_CAPTURE_BAD;
  out->reason = reason;
}

/* ": TEXT" up to the end of the line. */
static void take_text(struct trp_capture *capture, char *at, enum trp_capture_kind kind,
                      struct trp_capture_line *out) {
  if (*at != ':') {
    bad(out, "no ':' behind the time");
    return;
  }
  at += at[1] == ' ' ? 2 : 1;
  out->kind = kind;
  out->text = at;
  out->size = (size_t)(capture->buffer + capture->size - at);
}

static enum trp_capture_kind kind_of_arrow(const char *arrow, size_t length) {
  if (length == 3 && memcmp(arrow, "<->", 3) == 0) return TRP_CAPTURE_OPENED;
  if (length == 2 && memcmp(arrow, "<-", 2) == 0) return TRP_CAPTURE_SENT;
  if (length == 2 && memcmp(arrow, "->", 2) == 0) return TRP_CAPTURE_RESPONSE;
  return TRP_CAPTURE_BAD;
}

/* URL, an arrow, TIME. */
static void take_url_line(struct trp_capture *capture, struct trp_capture_line *out) {
  char *url = capture->buffer;
  char *url_end = url + strcspn(url, " ");
  char *arrow = url_end + (*url_end == ' ');
  char *arrow_end = arrow + strcspn(arrow, " ");
  enum trp_capture_kind kind = kind_of_arrow(arrow, (size_t)(arrow_end - arrow));
  if (kind == TRP_CAPTURE_BAD) {
    bad(out, "neither a time nor a URL with an arrow");
    return;
  }
  char *at = arrow_end + (*arrow_end == ' ');
  if (!take_time(&at, &out->at_ns)) {
    bad(out, "no time behind the arrow");
    return;
  }
  *url_end = '\0';
  out->url = url;
  if (kind != TRP_CAPTURE_OPENED)
    take_text(capture, at, kind, out);
  else if (*at != '\0')
    bad(out, "something behind the time of an opening");
  else
    out->kind = TRP_CAPTURE_OPENED;
}

static bool is_blank(const struct trp_capture *capture) {
  return strspn(capture->buffer, " \t\r") == capture->size;
}

enum trp_err trp_capture_next(struct trp_capture *capture, struct trp_capture_line *out) {
  bool more, whole;
  do {
    enum trp_err err = read_line(capture, &more, &whole);
    if (err != TRP_OK) return err;
    capture->number += more;
  } while (more && whole && is_blank(capture));
  *out = (struct trp_capture_line){
      .number = capture->number, .url = "", .text = "", .reason = "", .kind = TRP_CAPTURE_END};
  char *at = capture->buffer;
  if (!more) return TRP_OK;
  if (!whole)
    bad(out, "longer than the limit");
  else if (!is_digit(*at))
    take_url_line(capture, out);
  else if (take_time(&at, &out->at_ns))
    take_text(capture, at, TRP_CAPTURE_RECEIVED, out);
  else
    bad(out, "a time out of range");
  return TRP_OK;
}
