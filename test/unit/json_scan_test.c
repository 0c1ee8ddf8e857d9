#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/json_lejp.h"
#include "adapters/json_scan.h"

static struct trp_json_scan scan_of(const char *text) {
  return (struct trp_json_scan){.at = text, .end = text + strlen(text)};
}

static bool reads_u64(const char *text, uint64_t *out) {
  struct trp_json_scan scan = scan_of(text);
  return trp_json_scan_u64(&scan, out) && scan.at == scan.end;
}

static void whole_numbers_are_read_to_the_last_bit(void **state) {
  (void)state;
  uint64_t value;
  assert_true(reads_u64("0", &value));
  assert_int_equal(value, 0);
  assert_true(reads_u64("18446744073709551615", &value));
  assert_true(value == UINT64_MAX);
  assert_false(reads_u64("18446744073709551616", &value));
  assert_false(reads_u64("184467440737095516150", &value));
  assert_false(reads_u64("01", &value));
  assert_false(reads_u64("-1", &value));
  assert_false(reads_u64("", &value));
}

static void a_quoted_decimal_is_read_and_counted(void **state) {
  (void)state;
  double value;
  uint32_t inexact = 0;
  struct trp_json_scan scan = scan_of("\"0.35210000\"");
  assert_true(trp_json_scan_decimal(&scan, &value, &inexact));
  assert_true(value == 0.3521);
  assert_int_equal(inexact, 0);
  scan = scan_of("\"1.23456789012345678\"");
  assert_true(trp_json_scan_decimal(&scan, &value, &inexact));
  assert_int_equal(inexact, 1);
  static const char *const bad[] = {"0.3",  "\"0.3",  "\"-1\"", "\"1e5\"",
                                    "\"\"", "\"1.\"", "\" 1\""};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    scan = scan_of(bad[i]);
    assert_false(trp_json_scan_decimal(&scan, &value, &inexact));
  }
}

static void a_text_that_does_not_fit_or_is_not_plain_is_a_no(void **state) {
  (void)state;
  char out[5];
  struct trp_json_scan scan = scan_of("\"ABCD\"");
  assert_true(trp_json_scan_text(&scan, out, sizeof out));
  assert_string_equal(out, "ABCD");
  static const char *const bad[] = {"\"ABCDE\"", "\"\"", "\"A\\u0042\"", "\"A B\"", "\"AB", "AB\""};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    scan = scan_of(bad[i]);
    assert_false(trp_json_scan_text(&scan, out, sizeof out));
  }
}

/* ---- the walk ------------------------------------------------------------------------------- */

struct seen {
  char trace[2 * TRP_JSON_TEXT_MAX];
  uint32_t stop_after;
};

static bool note(void *arg, const struct trp_json_value *value) {
  static const char letter[] = "NTF#S{}[";
  struct seen *seen = arg;
  size_t used = strlen(seen->trace);
  snprintf(seen->trace + used, sizeof seen->trace - used, "%c%s=%s@%u.%u ", letter[value->kind],
           value->kind == TRP_JSON_OBJECT_END ? "" : value->path, value->text, value->depth,
           value->index);
  return seen->stop_after == 0 || --seen->stop_after != 0;
}

static enum trp_err walk(const char *text, struct seen *seen, const char **reason) {
  *seen = (struct seen){.stop_after = 0};
  return trp_json_walk(text, strlen(text), note, seen, reason);
}

static void every_value_comes_with_its_path_and_index(void **state) {
  (void)state;
  struct seen seen;
  const char *reason;
  assert_int_equal(walk(" {\"a\":{\"b\":[[\"1\",2],[]]},\"c\":null} ", &seen, &reason), TRP_OK);
  assert_string_equal(seen.trace,
                      "{=@0.0 {a=@1.0 [a.b[]=@2.0 [a.b[][]=@3.0 Sa.b[][]=1@4.0 #a.b[][]=2@4.1 "
                      "[a.b[][]=@3.1 }=@1.0 Nc=@1.0 }=@0.0 ");
}

static void escapes_are_resolved_and_long_texts_cut(void **state) {
  (void)state;
  struct seen seen;
  const char *reason;
  assert_int_equal(walk("{\"a\":\"\\u5e01\\n\\\"\"}", &seen, &reason), TRP_OK);
  assert_non_null(strstr(seen.trace, "Sa=\xe5\xb8\x81\n\"@"));
  char text[TRP_JSON_TEXT_MAX + 200] = "{\"a\":\"";
  size_t long_size = TRP_JSON_TEXT_MAX + 100;
  memset(text + 6, 'x', long_size);
  strcpy(text + 6 + long_size, "\"}");
  assert_int_equal(walk(text, &seen, &reason), TRP_OK);
  assert_int_equal(strspn(strchr(seen.trace, 'x'), "x"), TRP_JSON_TEXT_MAX);
}

static void what_ends_early_is_told_apart_from_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum trp_err err;
  } cases[] = {{"", TRP_TRUNCATED},
               {"{\"a\":1", TRP_TRUNCATED},
               {"{\"a", TRP_TRUNCATED},
               {"[[]", TRP_TRUNCATED},
               {"{\"a\":1}x", TRP_MALFORMED},
               {"{\"a\":1,}", TRP_MALFORMED},
               {"[1,]", TRP_MALFORMED},
               {"{\"a\":}", TRP_MALFORMED},
               {"[}", TRP_MALFORMED},
               {"5", TRP_MALFORMED},
               {"{\"a\":tru}", TRP_MALFORMED},
               {"#x\n{}", TRP_MALFORMED},
               {"{\"a\":\"\t\"}", TRP_MALFORMED},
               {"{} {}", TRP_MALFORMED},
               {"[[[[[1]]]]]", TRP_MALFORMED},
               {"{\"a\":01x}", TRP_MALFORMED},
               {"{}", TRP_OK},
               {"[]", TRP_OK},
               {"[{},{}]\n", TRP_OK},
               {"{\"a\":[{}]}", TRP_OK}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct seen seen;
    const char *reason = NULL;
    enum trp_err err = walk(cases[i].text, &seen, &reason);
    if (err != cases[i].err)
      fail_msg("%s: %s (%s)", cases[i].text, trp_err_name(err), reason != NULL ? reason : "");
    if (err != TRP_OK) assert_non_null(reason);
  }
}

static void a_visitor_can_stop_the_walk(void **state) {
  (void)state;
  struct seen seen = {.stop_after = 2};
  const char *reason;
  assert_int_equal(trp_json_walk("{\"a\":1,\"b\":2}", 13, note, &seen, &reason), TRP_CANCELLED);
  assert_string_equal(seen.trace, "{=@0.0 #a=1@1.0 ");
}

static void a_very_long_key_does_no_harm(void **state) {
  (void)state;
  char text[2048] = "{\"";
  memset(text + 2, 'k', 1500);
  strcpy(text + 1502, "\":{\"k\":1}}");
  struct seen seen;
  const char *reason;
  enum trp_err err = walk(text, &seen, &reason);
  assert_true(err == TRP_OK || err == TRP_MALFORMED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whole_numbers_are_read_to_the_last_bit),
      cmocka_unit_test(a_quoted_decimal_is_read_and_counted),
      cmocka_unit_test(a_text_that_does_not_fit_or_is_not_plain_is_a_no),
      cmocka_unit_test(every_value_comes_with_its_path_and_index),
      cmocka_unit_test(escapes_are_resolved_and_long_texts_cut),
      cmocka_unit_test(what_ends_early_is_told_apart_from_what_is_wrong),
      cmocka_unit_test(a_visitor_can_stop_the_walk),
      cmocka_unit_test(a_very_long_key_does_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
