/* What the program says to a command line that it cannot take, and with which exit status: 2 for
 * wrong use, 1 for what is not the caller's fault. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/process.h"

enum { PATIENCE_MS = 10000, ARGS = 8 };

struct saying {
  const char *args[ARGS];
  const char *told; /* in its standard error */
};

/* Runs it to its end; its standard output must stay empty. */
static void expect(const struct saying *saying, int status) {
  struct process process = {0};
  process_start(&process, saying->args);
  assert_int_equal(process_wait(&process, PATIENCE_MS * process_slowness()), status);
  assert_string_equal(process_read(process.out), "");
  const char *told = process_read(process.err);
  if (strstr(told, saying->told) == NULL) fail_msg("no '%s' in: %s", saying->told, told);
  assert_int_equal(strstr(told, "--help") != NULL, status == 2);
}

static void wrong_use_is_named_and_help_is_offered(void **state) {
  (void)state;
  static const struct saying sayings[] = {
      {{"exchange", "--bogus"}, "troupe exchange: '--bogus' is no option"},
      {{"exchange", "--dialect"}, "troupe exchange: '--dialect' is no option, or lacks its value"},
      {{"exchange", "--rate", "0"}, "--rate takes a number from 1 to 100000, not '0'"},
      {{"exchange", "--seed", "-1"}, "--seed takes a number"},
      {{"exchange", "--speed", "nan"}, "--speed takes a number"},
      {{"exchange", "--dialect", "binance", "--listen", "somewhere:0"}, "not 'somewhere'"},
      {{"exchange", "--dialect", "binance", "--listen", "[::1]:0", "--capture", "/nonexistent"},
       "/nonexistent: No such file or directory"},
      {{"demo", "--bogus"}, "troupe demo: '--bogus' is no option"},
      {{"demo", "--rate", "0"}, "--rate takes a number from 1 to 100000, not '0'"},
      {{"demo", "--duration", "0"}, "--duration takes a number from 0.1"},
      {{"demo", "--symbols", "foo*"}, "not 'foo*'"},
      {{"demo", "--name", "a/b"}, "not 'a/b'"},
      {{"decode", "--bogus"}, "troupe decode: '--bogus' is no option"},
  };
  for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++) expect(&sayings[i], 2);
}

static void a_budget_that_is_no_number_is_wrong_use_wherever_it_stands(void **state) {
  (void)state;
  setenv("TRP_STOP_BUDGET_MS", "soon", 1);
  expect(&(struct saying){{"demo"}, "TRP_STOP_BUDGET_MS is 'soon' in the environment"}, 2);
  unsetenv("TRP_STOP_BUDGET_MS");
  setenv("TRP_OUTER_LIMIT_MS", "-5", 1);
  expect(&(struct saying){{"demo", "--check"}, "TRP_OUTER_LIMIT_MS is '-5'"}, 2);
  unsetenv("TRP_OUTER_LIMIT_MS");
  expect(&(struct saying){{"demo", "--outer-limit", "x"}, "--outer-limit takes a number"}, 2);
}

static void the_check_names_the_longest_way_to_stop(void **state) {
  (void)state;
  static const char path[] = " 2000 -> event_engine 2000 -> consumer 2000 ms";
  const char *out;
  assert_int_equal(process_run((const char *const[]){"demo", "--check", NULL}, &out), 0);
  assert_non_null(strstr(out, "it fits: "));
  assert_non_null(strstr(out, path));
  setenv("TRP_OUTER_LIMIT_MS", "9000", 1);
  assert_int_equal(process_run((const char *const[]){"demo", "--check", NULL}, &out), 2);
  unsetenv("TRP_OUTER_LIMIT_MS");
  assert_non_null(
      strstr(out, "takes 7500 ms with grace, which does not fit the 7000 ms there are"));
  assert_non_null(strstr(out, path));
}

static void a_strict_demo_that_could_not_stop_in_time_does_not_start(void **state) {
  (void)state;
  static const char *const args[] = {
      "demo", "--strict-budget", "--stop-budget", "3", "--name", "strict", "--duration", "1", NULL};
  struct process process = {0};
  setenv("XDG_RUNTIME_DIR", process_folder(), 1);
  process_start(&process, args);
  assert_int_equal(process_wait(&process, PATIENCE_MS * process_slowness()), 2);
  const char *told = process_read(process.err);
  assert_non_null(strstr(told, "could not be started: the longest way to stop takes 7500 ms"));
}

static void a_port_that_is_taken_is_no_wrong_use(void **state) {
  (void)state;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  char where[64];
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(fd, 1), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  snprintf(where, sizeof where, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
  expect(&(struct saying){{"exchange", "--dialect", "binance", "--listen", where},
                          "Address already in use"},
         1);
  close(fd);
}

static void help_is_had_by_its_short_name_too(void **state) {
  (void)state;
  const char *out;
  assert_int_equal(process_run((const char *const[]){"-h", NULL}, &out), 0);
  assert_non_null(strstr(out, "usage: troupe COMMAND"));
}

static void a_folder_is_no_capture(void **state) {
  (void)state;
  struct process process = {0};
  process_start(&process, (const char *const[]){"decode", "binance", "/", NULL});
  assert_int_equal(process_wait(&process, PATIENCE_MS * process_slowness()), 2);
  assert_string_equal(process_read(process.err), "troupe decode: /: Is a directory\n");
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  setenv("XDG_RUNTIME_DIR", process_folder(), 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_use_is_named_and_help_is_offered),
      cmocka_unit_test(a_budget_that_is_no_number_is_wrong_use_wherever_it_stands),
      cmocka_unit_test(the_check_names_the_longest_way_to_stop),
      cmocka_unit_test(a_strict_demo_that_could_not_stop_in_time_does_not_start),
      cmocka_unit_test(a_port_that_is_taken_is_no_wrong_use),
      cmocka_unit_test(help_is_had_by_its_short_name_too),
      cmocka_unit_test(a_folder_is_no_capture),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
