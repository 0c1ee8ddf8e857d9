/* phrase_test.c - bounded texts are cut, never overrun, and always terminated. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/phrase.h"

static void pieces_are_put_together(void **state) {
  (void)state;
  char text[64];
  struct trp_phrase p;
  trp_phrase_init(&p, text, sizeof text);
  assert_string_equal(text, "");
  trp_phrase_text(&p, "n=");
  trp_phrase_u64(&p, UINT64_MAX);
  trp_phrase_char(&p, ' ');
  trp_phrase_hex(&p, 0);
  trp_phrase_char(&p, ' ');
  trp_phrase_seconds(&p, 12000345678u);
  assert_string_equal(text, "n=18446744073709551615 0x0 12.000345");
  assert_int_equal(p.length, strlen(text));
}

static void what_does_not_fit_is_cut(void **state) {
  (void)state;
  char text[8] = "xxxxxxx";
  struct trp_phrase p;
  trp_phrase_init(&p, text, 5);
  trp_phrase_text(&p, "abc");
  trp_phrase_hex(&p, 255);
  assert_string_equal(text, "abc0");
  assert_int_equal(p.length, 4);
  assert_memory_equal(text + 5, "xx", 2);
  trp_phrase_init(&p, text, 1);
  trp_phrase_u64(&p, 7);
  assert_string_equal(text, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pieces_are_put_together),
      cmocka_unit_test(what_does_not_fit_is_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
