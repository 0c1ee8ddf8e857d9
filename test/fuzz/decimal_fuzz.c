/* Bytes as a decimal text. What is taken must be what strtod reads, and print and read back to the
 * same bits; what strtod would not read whole must not be taken. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/decimal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth) {
  if (!truth) abort();
}

/* Half of the bytes are made into what numbers consist of, or nearly all inputs would be refused.
 */
static void spell(const uint8_t *data, size_t size, char *out) {
  static const char letters[] = "0123456789012345678901234567.eE+-";
  for (size_t i = 0; i < size; i++)
    out[i] = data[i] < 0x80 ? letters[data[i] % (sizeof letters - 1)] : (char)data[i];
  out[size] = '\0';
}

/* The beginning that the quick way takes is a number by the careful one, and the same. */
static void check_scan(const char *text, size_t size) {
  struct trp_decimal decimal;
  double value;
  const char *end = trp_decimal_scan(text, text + size, &value);
  if (end == NULL) return;
  demand(trp_decimal_parse(text, (size_t)(end - text), &decimal) == TRP_OK && !decimal.inexact);
  demand(memcmp(&value, &decimal.value, sizeof value) == 0);
}

static void check(const char *text, size_t size) {
  check_scan(text, size);
  struct trp_decimal decimal, again;
  char printed[TRP_DECIMAL_TEXT_MAX];
  if (trp_decimal_parse(text, size, &decimal) != TRP_OK) return;
  char *end;
  double expected = strtod(text, &end);
  demand(end == text + size && isfinite(decimal.value));
  demand(memcmp(&expected, &decimal.value, sizeof expected) == 0);
  size_t length = trp_decimal_print(printed, decimal.value);
  demand(trp_decimal_parse(printed, length, &again) == TRP_OK);
  demand(memcmp(&again.value, &decimal.value, sizeof expected) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char text[TRP_DECIMAL_MAX + 16];
  if (size >= sizeof text) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  check(text, size);
  spell(data, size, text);
  check(text, size);
  return 0;
}
