/* JSON out of a checked value. The walk recurses, at most TRP_DEPTH_MAX deep. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/value.h"

struct sink {
  trp_json_write *write;
  void *to;
  bool ok; /* latched: after a refusal nothing more is written */
};

static void put(struct sink *sink, const char *text, size_t bytes) {
  if (sink->ok && bytes > 0) sink->ok = sink->write(sink->to, text, bytes);
}

static void put_word(struct sink *sink, const char *word) { put(sink, word, strlen(word)); }

/* The two-character escape of a character, NULL where it has none. */
static const char *short_escape(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return NULL;
  }
}

static void put_text(struct sink *sink, const char *text, size_t bytes) {
  size_t from = 0; /* what needs no escape goes out in one piece */
  put(sink, "\"", 1);
  for (size_t i = 0; i < bytes; i++) {
    unsigned char c = (unsigned char)text[i];
    const char *escape = short_escape(text[i]);
    if (escape == NULL && c >= 0x20 && c != 0x7f) continue;
    put(sink, text + from, i - from);
    from = i + 1;
    if (escape != NULL) {
      put_word(sink, escape);
    } else {
      char hex[8];
      put(sink, hex, (size_t)snprintf(hex, sizeof hex, "\\u%04x", c));
    }
  }
  put(sink, text + from, bytes - from);
  put(sink, "\"", 1);
}

/* The locale's decimal point, which may be several bytes, becomes a '.'. */
static size_t unlocalise(const char *text, char *out) {
  size_t used = 0;
  for (; *text != '\0'; text++) {
    if (strchr("0123456789+-eE", *text) != NULL) {
      out[used++] = *text;
    } else if (used == 0 || out[used - 1] != '.') {
      out[used++] = '.';
    }
  }
  out[used] = '\0';
  return used;
}

size_t trp_json_double(double number, char *out) {
  char text[40];
  if (!isfinite(number)) {
    memcpy(out, "null", 5);
    return 4;
  }
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, number);
    if (strtod(text, NULL) == number) break; /* 17 digits always do */
  }
  return unlocalise(text, out);
}

static void put_value(struct sink *sink, const struct trp_value *value);

static void put_array(struct sink *sink, const struct trp_value *array) {
  struct trp_walk walk;
  struct trp_value element;
  const char *before = "[";
  trp_walk_init(&walk, array);
  while (sink->ok && trp_walk_next(&walk, &element)) {
    put_word(sink, before);
    put_value(sink, &element);
    before = ",";
  }
  put_word(sink, array->count == 0 ? "[]" : "]");
}

static void put_map(struct sink *sink, const struct trp_value *map) {
  struct trp_walk walk;
  struct trp_value key;
  struct trp_value value;
  const char *before = "{";
  trp_walk_init(&walk, map);
  while (sink->ok && trp_walk_pair(&walk, &key, &value)) {
    put_word(sink, before);
    put_value(sink, &key);
    put_word(sink, ":");
    put_value(sink, &value);
    before = ",";
  }
  put_word(sink, map->count == 0 ? "{}" : "}");
}

static void put_value(struct sink *sink, const struct trp_value *value) {
  char number[40];
  switch (value->kind) {
    case TRP_VALUE_NIL:
      put_word(sink, "null");
      break;
    case TRP_VALUE_BOOL:
      put_word(sink, value->as.truth ? "true" : "false");
      break;
    case TRP_VALUE_UNSIGNED:
      put(sink, number, (size_t)snprintf(number, sizeof number, "%" PRIu64, value->as.u64));
      break;
    case TRP_VALUE_NEGATIVE:
      put(sink, number, (size_t)snprintf(number, sizeof number, "%" PRId64, value->as.i64));
      break;
    case TRP_VALUE_DOUBLE:
      put(sink, number, trp_json_double(value->as.f64, number));
      break;
    case TRP_VALUE_TEXT:
      put_text(sink, value->as.text, value->count);
      break;
    case TRP_VALUE_ARRAY:
      put_array(sink, value);
      break;
    case TRP_VALUE_MAP:
      put_map(sink, value);
      break;
  }
}

enum trp_err trp_value_json(const struct trp_value *value, trp_json_write *write, void *to) {
  struct sink sink = {write, to, true};
  put_value(&sink, value);
  return sink.ok ? TRP_OK : TRP_SYSTEM;
}

bool trp_json_to_file(void *file, const char *text, size_t bytes) {
  return fwrite(text, 1, bytes, file) == bytes;
}
