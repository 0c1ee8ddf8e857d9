#include "runtime/phrase.h"

void trp_phrase_init(struct trp_phrase *phrase, char *text, size_t bytes) {
  *phrase = (struct trp_phrase){.text = text, .bytes = bytes};
  text[0] = '\0';
}

void trp_phrase_char(struct trp_phrase *phrase, char c) {
  if (phrase->length + 1 >= phrase->bytes) return;
  phrase->text[phrase->length++] = c;
  phrase->text[phrase->length] = '\0';
}

void trp_phrase_text(struct trp_phrase *phrase, const char *text) {
  while (*text != '\0') trp_phrase_char(phrase, *text++);
}

static void put_number(struct trp_phrase *phrase, uint64_t value, unsigned base, int width) {
  char digits[20]; /* of 64 bits in base 10, the smaller of the two bases */
  int count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  while (width-- > count) trp_phrase_char(phrase, '0');
  while (count > 0) trp_phrase_char(phrase, digits[--count]);
}

void trp_phrase_u64(struct trp_phrase *phrase, uint64_t value) { put_number(phrase, value, 10, 1); }

void trp_phrase_hex(struct trp_phrase *phrase, uint64_t value) {
  trp_phrase_text(phrase, "0x");
  put_number(phrase, value, 16, 1);
}

void trp_phrase_seconds(struct trp_phrase *phrase, uint64_t ns) {
  put_number(phrase, ns / 1000000000u, 10, 1);
  trp_phrase_char(phrase, '.');
  put_number(phrase, ns % 1000000000u / 1000, 10, 6);
}
