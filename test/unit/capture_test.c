#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/capture.h"

static FILE *file;
static struct trp_capture *capture;

static void open_text(const char *text) {
  file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
  assert_non_null(file);
  assert_int_equal(trp_capture_new(&capture, file), TRP_OK);
}

static int close_text(void **state) {
  (void)state;
  trp_capture_destroy(&capture);
  trp_capture_destroy(&capture);
  if (file != NULL) fclose(file);
  file = NULL;
  return 0;
}

static struct trp_capture_line next(void) {
  struct trp_capture_line line;
  assert_int_equal(trp_capture_next(capture, &line), TRP_OK);
  return line;
}

static void the_four_kinds_of_lines_are_told_apart(void **state) {
  (void)state;
  open_text(
      "wss://x/stream?a=b <-> 1633998511.159679\n"
      "wss://x/ <- 1633998512: {\"method\":\"SUBSCRIBE\"}\n"
      "1633998512.0633569: {\"a\": 1}\r\n"
      "\n  \n"
      "https://x/depth -> 1633998512.1234567891: {}");
  struct trp_capture_line line = next();
  assert_int_equal(line.kind, TRP_CAPTURE_OPENED);
  assert_string_equal(line.url, "wss://x/stream?a=b");
  assert_true(line.at_ns == 1633998511159679000u);
  line = next();
  assert_int_equal(line.kind, TRP_CAPTURE_SENT);
  assert_string_equal(line.text, "{\"method\":\"SUBSCRIBE\"}");
  line = next();
  assert_int_equal(line.kind, TRP_CAPTURE_RECEIVED);
  assert_string_equal(line.text, "{\"a\": 1}");
  assert_int_equal(line.size, 8);
  assert_true(line.at_ns == 1633998512063356900u);
  line = next();
  assert_int_equal(line.kind, TRP_CAPTURE_RESPONSE);
  assert_int_equal(line.number, 6);
  assert_true(line.at_ns == 1633998512123456789u);
  assert_string_equal(line.text, "{}");
  assert_int_equal(next().kind, TRP_CAPTURE_END);
  assert_int_equal(next().kind, TRP_CAPTURE_END);
}

static void a_bad_line_has_a_number_and_a_reason_and_reading_goes_on(void **state) {
  (void)state;
  open_text(
      "hello\n"
      "1633998512 {}\n"
      "99999999999999999999999: {}\n"
      "wss://x <-> soon\n"
      "wss://x <-> 12 13\n"
      "wss://x => 12: {}\n"
      "wss://x <- 12 {}\n"
      "1: fine\n");
  for (uint64_t number = 1; number <= 7; number++) {
    struct trp_capture_line line = next();
    assert_int_equal(line.kind, TRP_CAPTURE_BAD);
    assert_int_equal(line.number, number);
    assert_true(line.reason[0] != '\0');
  }
  assert_int_equal(next().kind, TRP_CAPTURE_RECEIVED);
}

static void a_line_beyond_the_bound_is_bad_and_read_past(void **state) {
  (void)state;
  size_t long_size = TRP_CAPTURE_LINE_MAX + 1;
  char *text = malloc(long_size + 16);
  memset(text, 'x', long_size);
  strcpy(text + long_size, "\n2: after\n");
  memcpy(text, "1: ", 3);
  open_text(text);
  struct trp_capture_line line = next();
  assert_int_equal(line.kind, TRP_CAPTURE_BAD);
  assert_string_equal(line.reason, "longer than the limit");
  line = next();
  assert_int_equal(line.kind, TRP_CAPTURE_RECEIVED);
  assert_string_equal(line.text, "after");
  assert_int_equal(line.number, 2);
  assert_int_equal(next().kind, TRP_CAPTURE_END);
  close_text(NULL);
  memcpy(text + TRP_CAPTURE_LINE_MAX, "\n", 2);
  open_text(text);
  line = next();
  assert_int_equal(line.kind, TRP_CAPTURE_RECEIVED);
  assert_int_equal(line.size, TRP_CAPTURE_LINE_MAX - 3);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(the_four_kinds_of_lines_are_told_apart, close_text),
      cmocka_unit_test_teardown(a_bad_line_has_a_number_and_a_reason_and_reading_goes_on,
                                close_text),
      cmocka_unit_test_teardown(a_line_beyond_the_bound_is_bad_and_read_past, close_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
