#include "runtime/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/write.h"

_Static_assert(TRP_JSON_DEPTH_MAX <= 32, "one bit of trp_json.objects a level");

void trp_json_init(struct trp_json *json, char *buffer, size_t capacity, trp_json_flush_fn *flush,
                   void *arg) {
  ASSERT(capacity > 0);
  *json = (struct trp_json){.buffer = buffer, .capacity = capacity, .flush = flush, .arg = arg};
}

static void empty_buffer(struct trp_json *json) {
  if (json->flush == NULL) {
    json->error = TRP_TOO_BIG;
    return;
  }
  json->error = json->flush(json->arg, json->buffer, json->used);
  json->used = 0;
}

static void put(struct trp_json *json, const char *text, size_t bytes) {
  while (bytes > 0 && json->error == TRP_OK) {
    size_t room = json->capacity - json->used;
    size_t part = bytes < room ? bytes : room;
    memcpy(json->buffer + json->used, text, part);
    json->used += part;
    text += part;
    bytes -= part;
    if (bytes > 0) empty_buffer(json);
  }
}

static void put_text(struct trp_json *json, const char *text) { put(json, text, strlen(text)); }

/* ---- strings ------------------------------------------------------------------------------ */

/* The length of the UTF-8 sequence at `s` (RFC 3629: no surrogates, nothing overlong, nothing above
 * U+10FFFF), 0 where it is none. The NUL at the end is no continuation, so it is never passed. */
static size_t utf8_length(const unsigned char *s) {
  if (s[0] < 0x80) return 1;
  size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
  for (size_t i = 1; i < length; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
  }
  if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
  if (s[0] == 0xed && s[1] > 0x9f) return 0;
  if (s[0] == 0xf0 && s[1] < 0x90) return 0;
  if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
  return length;
}

static void put_escaped(struct trp_json *json, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      put_text(json, "\\\"");
      break;
    case '\\':
      put_text(json, "\\\\");
      break;
    case '\n':
      put_text(json, "\\n");
      break;
    case '\t':
      put_text(json, "\\t");
      break;
    case '\r':
      put_text(json, "\\r");
      break;
    default:
      put(json, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
      break;
  }
}

static void put_string(struct trp_json *json, const char *text) {
  put(json, "\"", 1);
  for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
    size_t length = utf8_length(s);
    if (length == 0) {
      put_text(json, "\\ufffd");
      length = 1;
    } else if (*s < 0x20 || *s == 0x7f || *s == '"' || *s == '\\') {
      put_escaped(json, *s);
    } else {
      put(json, (const char *)s, length);
    }
    s += length;
  }
  put(json, "\"", 1);
}

/* ---- structure ---------------------------------------------------------------------------- */

static bool in_object(const struct trp_json *json) {
  return json->depth > 0 && (json->objects >> (json->depth - 1) & 1) != 0;
}

/* What stands before a value: a comma, a key. */
static void begin_value(struct trp_json *json, const char *key) {
  ASSERT((key != NULL) == in_object(json));
  ASSERT(json->depth > 0 || !json->started); /* one value, or one a line */
  if (json->started) put(json, ",", 1);
  json->started = true;
  if (key == NULL) return;
  put_string(json, key);
  put(json, ":", 1);
}

static void open_level(struct trp_json *json, const char *key, bool object) {
  begin_value(json, key);
  ASSERT(json->depth < TRP_JSON_DEPTH_MAX);
  uint32_t bit = UINT32_C(1) << json->depth++;
  json->objects = object ? json->objects | bit : json->objects & ~bit;
  json->started = false;
  put(json, object ? "{" : "[", 1);
}

static void close_level(struct trp_json *json, bool object) {
  ASSERT(json->depth > 0 && in_object(json) == object);
  json->depth--;
  json->started = true; /* the level outside holds at least this one */
  put(json, object ? "}" : "]", 1);
}

void trp_json_object_begin(struct trp_json *json, const char *key) { open_level(json, key, true); }
void trp_json_object_end(struct trp_json *json) { close_level(json, true); }
void trp_json_array_begin(struct trp_json *json, const char *key) { open_level(json, key, false); }
void trp_json_array_end(struct trp_json *json) { close_level(json, false); }

void trp_json_newline(struct trp_json *json) {
  ASSERT(json->depth == 0);
  put(json, "\n", 1);
  json->started = false;
}

enum trp_err trp_json_finish(struct trp_json *json) {
  ASSERT(json->depth == 0);
  if (json->error == TRP_OK && json->flush != NULL && json->used > 0) empty_buffer(json);
  if (json->flush == NULL && json->used < json->capacity) json->buffer[json->used] = '\0';
  return json->error;
}

/* ---- values ------------------------------------------------------------------------------- */

void trp_json_string(struct trp_json *json, const char *key, const char *value) {
  begin_value(json, key);
  if (value == NULL) {
    put_text(json, "null");
  } else {
    put_string(json, value);
  }
}

static void put_digits(struct trp_json *json, uint64_t value) {
  char digits[20], *first = digits + sizeof digits;
  do {
    *--first = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  put(json, first, (size_t)(digits + sizeof digits - first));
}

void trp_json_u64(struct trp_json *json, const char *key, uint64_t value) {
  begin_value(json, key);
  put_digits(json, value);
}

void trp_json_i64(struct trp_json *json, const char *key, int64_t value) {
  begin_value(json, key);
  if (value < 0) put(json, "-", 1);
  put_digits(json, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void trp_json_bool(struct trp_json *json, const char *key, bool value) {
  begin_value(json, key);
  put_text(json, value ? "true" : "false");
}

void trp_json_f64(struct trp_json *json, const char *key, double value) {
  begin_value(json, key);
  if (!isfinite(value)) {
    put_text(json, "null");
    return;
  }
  char text[32];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  char *comma = strchr(text, ','); /* the host may have set a locale */
  if (comma != NULL) *comma = '.';
  put_text(json, text);
}

enum trp_err trp_json_flush_file(void *arg, const char *data, size_t bytes) {
  const struct trp_json_file *file = arg;
  return trp_write_all(file->fd, data, bytes, file->deadline_ns);
}
