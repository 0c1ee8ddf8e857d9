/* JSON: its grammar, its strings, its numbers, its bounds, and where it is written to. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/json.h"

static char buffer[4096];

static struct trp_json begin(void) {
  struct trp_json json;
  trp_json_init(&json, buffer, sizeof buffer, NULL, NULL);
  return json;
}

static void write_report(struct trp_json *json) {
  trp_json_object_begin(json, NULL);
  trp_json_string(json, "verdict", "clean");
  trp_json_u64(json, "elapsed_ms", UINT64_MAX);
  trp_json_i64(json, "least", INT64_MIN);
  trp_json_i64(json, "one", 1);
  trp_json_bool(json, "balanced", true);
  trp_json_bool(json, "late", false);
  trp_json_string(json, "stack", NULL);
  trp_json_object_begin(json, "empty");
  trp_json_object_end(json);
  trp_json_array_begin(json, "actors");
  for (uint64_t i = 0; i < 2; i++) {
    trp_json_object_begin(json, NULL);
    trp_json_u64(json, "n", i);
    trp_json_object_end(json);
  }
  trp_json_array_begin(json, NULL);
  trp_json_array_end(json);
  trp_json_u64(json, NULL, 0);
  trp_json_array_end(json);
  trp_json_f64(json, "price", 0.1);
  trp_json_object_end(json);
}

static const char report[] =
    "{\"verdict\":\"clean\",\"elapsed_ms\":18446744073709551615,\"least\":-9223372036854775808,"
    "\"one\":1,\"balanced\":true,\"late\":false,\"stack\":null,\"empty\":{},"
    "\"actors\":[{\"n\":0},{\"n\":1},[],0],\"price\":0.1}";

static void objects_arrays_and_values_nest(void **state) {
  (void)state;
  struct trp_json json = begin();
  write_report(&json);
  assert_int_equal(trp_json_finish(&json), TRP_OK);
  assert_string_equal(buffer, report);
  assert_int_equal(json.used, sizeof report - 1);
}

static void an_object_a_line_is_possible(void **state) {
  (void)state;
  struct trp_json json = begin();
  for (int i = 0; i < 2; i++) {
    trp_json_object_begin(&json, NULL);
    trp_json_i64(&json, "i", -i);
    trp_json_object_end(&json);
    trp_json_newline(&json);
  }
  assert_int_equal(trp_json_finish(&json), TRP_OK);
  assert_string_equal(buffer, "{\"i\":0}\n{\"i\":-1}\n");
}

static const char *quoted(const char *text) {
  struct trp_json json = begin();
  trp_json_string(&json, NULL, text);
  assert_int_equal(trp_json_finish(&json), TRP_OK);
  return buffer;
}

static void strings_are_escaped(void **state) {
  (void)state;
  assert_string_equal(quoted(""), "\"\"");
  assert_string_equal(quoted("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
  assert_string_equal(quoted("\n\r\t\b\x01\x1f\x7f"), "\"\\n\\r\\t\\u0008\\u0001\\u001f\\u007f\"");
}

static void what_is_no_utf8_is_replaced(void **state) {
  (void)state;
  assert_string_equal(quoted("\xc3\xa9 \xe5\xb8\x81 \xf0\x9f\x98\x80"),
                      "\"\xc3\xa9 \xe5\xb8\x81 \xf0\x9f\x98\x80\"");
  assert_string_equal(quoted("\xef\xbf\xbf \xf4\x8f\xbf\xbf"), "\"\xef\xbf\xbf \xf4\x8f\xbf\xbf\"");
  assert_string_equal(quoted("\x80"), "\"\\ufffd\"");
  assert_string_equal(quoted("\xc3"), "\"\\ufffd\"");                       /* cut */
  assert_string_equal(quoted("\xe5\xb8"), "\"\\ufffd\\ufffd\"");            /* cut */
  assert_string_equal(quoted("\xc0\x80"), "\"\\ufffd\\ufffd\"");            /* overlong */
  assert_string_equal(quoted("\xe0\x9f\xbf"), "\"\\ufffd\\ufffd\\ufffd\""); /* overlong */
  assert_string_equal(quoted("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
  assert_string_equal(quoted("\xf0\x8f\xbf\xbf"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
  assert_string_equal(quoted("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
  assert_string_equal(quoted("\xffz"), "\"\\ufffdz\"");
}

static void numbers_read_back_to_the_same_value(void **state) {
  (void)state;
  const double values[] = {0.0,     -0.0,    1.0 / 3, 0.1,      67123.45,          1e-8, 1e22,
                           DBL_MAX, DBL_MIN, 5e-324,  -2.5e-10, 123456789012345.0, 0.3,  0.1 + 0.2};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    struct trp_json json = begin();
    trp_json_f64(&json, NULL, values[i]);
    assert_int_equal(trp_json_finish(&json), TRP_OK);
    double back = strtod(buffer, NULL);
    assert_memory_equal(&back, &values[i], sizeof back);
  }
  struct trp_json json = begin();
  trp_json_array_begin(&json, NULL);
  trp_json_f64(&json, NULL, (double)NAN);
  trp_json_f64(&json, NULL, -(double)INFINITY);
  trp_json_array_end(&json);
  assert_int_equal(trp_json_finish(&json), TRP_OK);
  assert_string_equal(buffer, "[null,null]");
}

static void a_buffer_too_small_is_an_error_and_never_overrun(void **state) {
  (void)state;
  for (size_t capacity = 1; capacity <= sizeof report; capacity++) {
    memset(buffer, '#', sizeof buffer);
    struct trp_json json;
    trp_json_init(&json, buffer, capacity, NULL, NULL);
    write_report(&json);
    assert_int_equal(trp_json_finish(&json), capacity < sizeof report - 1 ? TRP_TOO_BIG : TRP_OK);
    size_t kept = capacity < sizeof report - 1 ? capacity : sizeof report - 1;
    assert_memory_equal(buffer, report, kept);
    assert_int_equal(buffer[capacity], '#');
  }
}

struct sink {
  char text[1024];
  size_t bytes;
  int calls, fail_from; /* the call that fails, and all later ones; 0: none */
};

static enum trp_err take(void *arg, const char *data, size_t bytes) {
  struct sink *sink = arg;
  sink->calls++;
  if (sink->fail_from != 0 && sink->calls >= sink->fail_from) return TRP_SYSTEM;
  memcpy(sink->text + sink->bytes, data, bytes);
  sink->bytes += bytes;
  sink->text[sink->bytes] = '\0';
  return TRP_OK;
}

static void a_small_buffer_is_emptied_as_often_as_needed(void **state) {
  (void)state;
  for (size_t capacity = 1; capacity <= 64; capacity++) {
    struct sink sink = {.bytes = 0};
    struct trp_json json;
    trp_json_init(&json, buffer, capacity, take, &sink);
    write_report(&json);
    assert_int_equal(trp_json_finish(&json), TRP_OK);
    assert_string_equal(sink.text, report);
  }
}

static void the_first_failure_is_kept_and_silences_the_rest(void **state) {
  (void)state;
  struct sink sink = {.fail_from = 2};
  struct trp_json json;
  trp_json_init(&json, buffer, 16, take, &sink);
  write_report(&json);
  assert_int_equal(trp_json_finish(&json), TRP_SYSTEM);
  assert_int_equal(sink.calls, 2);
  assert_int_equal(sink.bytes, 16);
}

static enum trp_err write_to(int fd) {
  struct trp_json_file file = {.fd = fd, .deadline_ns = trp_deadline_in(2000000000)};
  struct trp_json json;
  trp_json_init(&json, buffer, 32, trp_json_flush_file, &file);
  write_report(&json);
  return trp_json_finish(&json);
}

static void a_report_goes_to_a_file_and_a_full_device_is_told(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(write_to(ends[1]), TRP_OK);
  char back[sizeof report] = "";
  assert_int_equal(read(ends[0], back, sizeof report - 1), sizeof report - 1);
  assert_string_equal(back, report);
  close(ends[0]);
  assert_int_equal(write_to(ends[1]), TRP_CLOSED);
  close(ends[1]);
  int full = open("/dev/full", O_WRONLY);
  assert_true(full >= 0);
  assert_int_equal(write_to(full), TRP_SYSTEM);
  close(full);
}

/* ---- what only a programmer can do wrong ---- */

static void key_outside_an_object(struct trp_json *json) { trp_json_u64(json, "key", 1); }
static void no_key_in_an_object(struct trp_json *json) {
  trp_json_object_begin(json, NULL);
  trp_json_u64(json, NULL, 1);
}
static void wrong_end(struct trp_json *json) {
  trp_json_object_begin(json, NULL);
  trp_json_array_end(json);
}
static void end_without_begin(struct trp_json *json) { trp_json_object_end(json); }
static void never_closed(struct trp_json *json) {
  trp_json_array_begin(json, NULL);
  enum trp_err err = trp_json_finish(json);
  (void)err;
}
static void too_deep(struct trp_json *json) {
  for (int i = 0; i <= TRP_JSON_DEPTH_MAX; i++) trp_json_array_begin(json, NULL);
}
static void two_values(struct trp_json *json) {
  trp_json_u64(json, NULL, 1);
  trp_json_u64(json, NULL, 2);
}
static void nothing_wrong(struct trp_json *json) {
  for (int i = 0; i < TRP_JSON_DEPTH_MAX; i++) trp_json_array_begin(json, NULL);
  for (int i = 0; i < TRP_JSON_DEPTH_MAX; i++) trp_json_array_end(json);
}

/* A failed assertion ends the process: so in one of its own. */
static int survives(void (*mistake)(struct trp_json *json)) {
  pid_t child = fork();
  if (child == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    close(2);
    struct trp_json json = begin();
    mistake(&json);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_wrong_nesting_is_a_programmers_error(void **state) {
  (void)state;
  assert_true(survives(nothing_wrong));
  assert_false(survives(key_outside_an_object));
  assert_false(survives(no_key_in_an_object));
  assert_false(survives(wrong_end));
  assert_false(survives(end_without_begin));
  assert_false(survives(never_closed));
  assert_false(survives(too_deep));
  assert_false(survives(two_values));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(objects_arrays_and_values_nest),
      cmocka_unit_test(an_object_a_line_is_possible),
      cmocka_unit_test(strings_are_escaped),
      cmocka_unit_test(what_is_no_utf8_is_replaced),
      cmocka_unit_test(numbers_read_back_to_the_same_value),
      cmocka_unit_test(a_buffer_too_small_is_an_error_and_never_overrun),
      cmocka_unit_test(a_small_buffer_is_emptied_as_often_as_needed),
      cmocka_unit_test(the_first_failure_is_kept_and_silences_the_rest),
      cmocka_unit_test(a_report_goes_to_a_file_and_a_full_device_is_told),
      cmocka_unit_test(a_wrong_nesting_is_a_programmers_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
