#include "proto/text.h"

#include <stdint.h>
#include <string.h>

static bool continues(uint8_t byte) { return (byte & 0xc0) == 0x80; }

size_t trp_text_character(const char *text, size_t bytes) {
  const uint8_t *at = (const uint8_t *)text;
  if (bytes == 0 || at[0] == 0) return 0;
  if (at[0] < 0x80) return 1;
  if (bytes >= 2 && at[0] >= 0xc2 && at[0] <= 0xdf && continues(at[1])) return 2;
  if (bytes >= 3 && (at[0] & 0xf0) == 0xe0) {
    /* neither overlong forms nor surrogates */
    uint8_t low = at[0] == 0xe0 ? 0xa0 : 0x80;
    uint8_t high = at[0] == 0xed ? 0x9f : 0xbf;
    return at[1] >= low && at[1] <= high && continues(at[2]) ? 3 : 0;
  }
  if (bytes >= 4 && at[0] >= 0xf0 && at[0] <= 0xf4) {
    /* nothing overlong, nothing beyond U+10FFFF */
    uint8_t low = at[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = at[0] == 0xf4 ? 0x8f : 0xbf;
    return at[1] >= low && at[1] <= high && continues(at[2]) && continues(at[3]) ? 4 : 0;
  }
  return 0;
}

bool trp_text_valid(const char *text, size_t bytes) {
  while (bytes > 0) {
    size_t step = trp_text_character(text, bytes);
    if (step == 0) return false;
    text += step;
    bytes -= step;
  }
  return true;
}

void trp_text_repair(char *text, size_t bytes) {
  while (bytes > 0) {
    size_t step = trp_text_character(text, bytes);
    if (step == 0) {
      *text = '?';
      step = 1;
    }
    text += step;
    bytes -= step;
  }
}

/* The most bytes of the text, up to `max`, that do not end within a character. */
static size_t cut(const char *text, size_t bytes, size_t max) {
  size_t used = 0;
  while (used < bytes) {
    size_t step = trp_text_character(text + used, bytes - used);
    if (step == 0) step = 1;
    if (used + step > max) break;
    used += step;
  }
  return used;
}

size_t trp_text_copy(char *out, size_t size, const char *text) {
  size_t bytes = cut(text, strlen(text), size - 1);
  memmove(out, text, bytes);
  memset(out + bytes, 0, size - bytes);
  trp_text_repair(out, bytes);
  return bytes;
}
