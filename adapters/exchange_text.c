#include "adapters/exchange_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_walk.h"

/* Room for `more` bytes and a NUL behind what is there. */
static bool make_room(struct trp_exchange_text *text, size_t more) {
  if (text->failed || more >= TRP_EXCHANGE_TEXT_MAX - text->size) {
    text->failed = true;
    return false;
  }
  size_t needed = text->size + more + 1;
  if (needed <= text->capacity) {
    return true;
  }
  size_t capacity = text->capacity != 0 ? text->capacity : 512;
  while (capacity < needed) {
    capacity *= 2;
  }
  char *bytes = realloc(text->bytes, capacity);
  if (bytes == NULL) {
    text->failed = true;
    return false;
  }
  text->bytes = bytes;
  text->capacity = capacity;
  return true;
}

void trp_exchange_text_add(struct trp_exchange_text *text, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int size = vsnprintf(NULL, 0, format, list);
  va_end(list);
  if (size < 0 || !make_room(text, (size_t)size)) {
    text->failed = true;
    return;
  }
  va_start(list, format);
  vsnprintf(text->bytes + text->size, (size_t)size + 1, format, list);
  va_end(list);
  text->size += (size_t)size;
}

void trp_exchange_text_raw(struct trp_exchange_text *text, const void *bytes, size_t size) {
  if (!make_room(text, size)) {
    return;
  }
  if (size > 0) {
    memcpy(text->bytes + text->size, bytes, size);
  }
  text->size += size;
  text->bytes[text->size] = '\0';
}

void trp_exchange_text_fixed(struct trp_exchange_text *text, int64_t value) {
  char digits[32];
  char *at = digits + sizeof digits;
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  for (int i = 0; i < 9 || rest != 0; i++) {
    if (i == 8) {
      *--at = '.';
    }
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  }
  if (value < 0) {
    *--at = '-';
  }
  trp_exchange_text_raw(text, at, (size_t)(digits + sizeof digits - at));
}

void trp_exchange_text_short(struct trp_exchange_text *text, int64_t value) {
  trp_exchange_text_fixed(text, value);
  while (!text->failed && text->bytes[text->size - 1] == '0') {
    text->size--;
  }
  if (!text->failed) {
    text->size -= text->bytes[text->size - 1] == '.';
    text->bytes[text->size] = '\0';
  }
}

void trp_exchange_text_levels(struct trp_exchange_text *text, const struct trp_walk_level *level,
                              uint32_t count, bool exact) {
  void (*number)(struct trp_exchange_text *, int64_t) =
      exact ? trp_exchange_text_fixed : trp_exchange_text_short;
  trp_exchange_text_raw(text, "[", 1);
  for (uint32_t i = 0; i < count; i++) {
    trp_exchange_text_raw(text, i == 0 ? "[\"" : ",[\"", i == 0 ? 2 : 3);
    number(text, level[i].price);
    trp_exchange_text_raw(text, "\",\"", 3);
    number(text, level[i].size);
    trp_exchange_text_raw(text, "\"]", 2);
  }
  trp_exchange_text_raw(text, "]", 1);
}

void trp_exchange_text_clear(struct trp_exchange_text *text) {
  text->size = 0;
  text->failed = false;
}

void trp_exchange_text_free(struct trp_exchange_text *text) {
  free(text->bytes);
  *text = (struct trp_exchange_text){0};
}

static int hex_digit(char c) {
  static const char digits[] = "0123456789abcdef";
  const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
  return at != NULL ? (int)(at - digits) : -1;
}

bool trp_exchange_unescape(const char *bytes, size_t size, char *out, size_t out_size) {
  size_t count = 0;
  bool good = true;
  for (size_t i = 0; i < size && good; i++) {
    char c = bytes[i];
    if (c == '%') {
      int high = i + 2 < size ? hex_digit(bytes[i + 1]) : -1;
      int low = i + 2 < size ? hex_digit(bytes[i + 2]) : -1;
      good = high >= 0 && low >= 0;
      c = good ? (char)(high * 16 + low) : '?';
      i += 2;
    }
    good = good && c != '\0' && count + 1 < out_size;
    if (good) {
      out[count++] = c;
    }
  }
  out[count] = '\0';
  return good;
}
