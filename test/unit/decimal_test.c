#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/decimal.h"

static uint64_t seed = 42;

static uint64_t chance(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static enum trp_err parse(const char *text, struct trp_decimal *out) {
  return trp_decimal_parse(text, strlen(text), out);
}

/* Bit for bit, so that the sign of zero counts. */
static void assert_reads_like_strtod(const char *text) {
  struct trp_decimal decimal;
  double expected = strtod(text, NULL);
  assert_int_equal(parse(text, &decimal), TRP_OK);
  if (memcmp(&decimal.value, &expected, sizeof expected) != 0)
    fail_msg("%s reads %.17g instead of %.17g", text, decimal.value, expected);
}

static void what_exchanges_send_reads_correctly_rounded(void **state) {
  (void)state;
  static const char *const texts[] = {"63704.00000000",
                                      "0.00000637",
                                      "4.77471000",
                                      "0",
                                      "0.0",
                                      "-0",
                                      "98494969448.12345678",
                                      "1",
                                      "0.1",
                                      "9007199254740993",
                                      "123456789012345678901234567890",
                                      "1e22",
                                      "1e23",
                                      "1E-5",
                                      "5e-324",
                                      "2.2250738585072014e-308",
                                      "0.30000000000000004",
                                      "179769313486231570000e288",
                                      "1e-400",
                                      "12.5e+3"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) assert_reads_like_strtod(texts[i]);
}

static void any_digits_read_like_strtod(void **state) {
  (void)state;
  for (int i = 0; i < 200000; i++) {
    char text[64];
    unsigned long long whole = chance() >> (chance() % 64), fraction = chance() >> (chance() % 64);
    snprintf(text, sizeof text, "%llu.%0*llu", whole, (int)(1 + chance() % 24), fraction);
    assert_reads_like_strtod(text);
    snprintf(text, sizeof text, "%llue%d", whole, (int)(chance() % 80) - 40);
    assert_reads_like_strtod(text);
  }
}

/* Lengths on either side of the eight that are read at once, and of the fifteen that are taken. */
static void the_quick_way_takes_short_ones_and_reads_them_alike(void **state) {
  (void)state;
  uint32_t taken = 0;
  for (int i = 0; i < 200000; i++) {
    char text[64];
    size_t whole = 1 + chance() % 17, fraction = chance() % 12, size = 0;
    for (size_t k = 0; k < whole; k++) text[size++] = (char)('0' + chance() % 10);
    if (fraction > 0) text[size++] = '.';
    for (size_t k = 0; k < fraction; k++) text[size++] = (char)('0' + chance() % 10);
    memcpy(text + size, "\"0", 3); /* what follows is no part of it */
    double value;
    const char *end = trp_decimal_scan(text, text + size + 2, &value);
    bool plain = whole + fraction <= 15 && (whole == 1 || text[0] != '0');
    assert_int_equal(plain, end != NULL);
    if (end == NULL) continue;
    taken++;
    assert_ptr_equal(text + size, end);
    double expected = strtod(text, NULL);
    if (memcmp(&value, &expected, sizeof value) != 0) fail_msg("%s reads %.17g", text, value);
  }
  assert_true(taken > 50000);
}

static void the_quick_way_leaves_the_rest_to_the_careful_one(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      ".5",
                                      "5.",
                                      "-1",
                                      "01",
                                      "1e5",
                                      "1.5E3",
                                      "1234567890123456",
                                      "1.234567890123456",
                                      "x",
                                      ":2345678",
                                      "/2345678"};
  double value;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    assert_null(trp_decimal_scan(texts[i], texts[i] + strlen(texts[i]), &value));
  }
  static const char neighbours[] = "1234567:"; /* the byte behind '9' among eight */
  assert_ptr_equal(neighbours + 7, trp_decimal_scan(neighbours, neighbours + 8, &value));
  assert_true(value == 1234567);
}

static void more_than_fifteen_significant_digits_are_told(void **state) {
  (void)state;
  struct trp_decimal decimal;
  assert_int_equal(parse("123456789012345", &decimal), TRP_OK);
  assert_false(decimal.inexact);
  assert_int_equal(parse("1234567.89012345", &decimal), TRP_OK);
  assert_false(decimal.inexact);
  assert_int_equal(parse("1234567.890123456", &decimal), TRP_OK);
  assert_true(decimal.inexact);
  assert_int_equal(parse("12345678901.0000000000", &decimal), TRP_OK);
  assert_false(decimal.inexact);
  assert_int_equal(parse("0.00000000000000000001", &decimal), TRP_OK);
  assert_false(decimal.inexact);
  assert_int_equal(parse("1000000000000000000000001", &decimal), TRP_OK);
  assert_true(decimal.inexact);
}

static void what_is_no_number_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"",      "-",   "+1",   ".5",   "5.",  "1e",   "1e+",
                                      "01",    "0x1", "1 ",   " 1",   "nan", "inf",  "1,5",
                                      "1.2.3", "--1", "1e5.", "1e5e", "e5",  "\xff", "1_000"};
  struct trp_decimal decimal;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (parse(texts[i], &decimal) != TRP_MALFORMED) fail_msg("'%s' was taken", texts[i]);
}

static void what_is_too_long_or_too_large_is_refused(void **state) {
  (void)state;
  struct trp_decimal decimal;
  char text[TRP_DECIMAL_MAX + 2];
  memset(text, '1', sizeof text);
  assert_int_equal(trp_decimal_parse(text, TRP_DECIMAL_MAX, &decimal), TRP_OK);
  assert_int_equal(trp_decimal_parse(text, TRP_DECIMAL_MAX + 1, &decimal), TRP_TOO_BIG);
  assert_int_equal(parse("1e309", &decimal), TRP_TOO_BIG);
  assert_int_equal(parse("1e99999999999999999999", &decimal), TRP_TOO_BIG);
}

static void what_is_printed_reads_back_the_same_and_is_short(void **state) {
  (void)state;
  char text[TRP_DECIMAL_TEXT_MAX];
  for (int i = 0; i < 100000; i++) {
    uint64_t bits = chance();
    double value;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    size_t length = trp_decimal_print(text, value);
    assert_int_equal(length, strlen(text));
    assert_true(strtod(text, NULL) == value);
  }
  trp_decimal_print(text, 0.3521);
  assert_string_equal(text, "0.3521");
  trp_decimal_print(text, 672);
  assert_string_equal(text, "672");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_exchanges_send_reads_correctly_rounded),
      cmocka_unit_test(any_digits_read_like_strtod),
      cmocka_unit_test(the_quick_way_takes_short_ones_and_reads_them_alike),
      cmocka_unit_test(the_quick_way_leaves_the_rest_to_the_careful_one),
      cmocka_unit_test(more_than_fifteen_significant_digits_are_told),
      cmocka_unit_test(what_is_no_number_is_refused),
      cmocka_unit_test(what_is_too_long_or_too_large_is_refused),
      cmocka_unit_test(what_is_printed_reads_back_the_same_and_is_short),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
