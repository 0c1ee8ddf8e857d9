/* `troupe live-check` as its user sees it, against the embedded exchange on loopback: what it says,
 * and its exit status, where an exchange is live, is none of what was asked for, or is not there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/process.h"

enum { PATIENCE_MS = 10000 };

static struct process exchange;
static char ws_base[64], http_base[64];

static void serve(const char *dialect) {
  const char *args[] = {"exchange", "--dialect", dialect, "--listen", "127.0.0.1:0", NULL};
  process_start(&exchange, args);
  assert_true(process_wait_text(exchange.out, "/api/v", PATIENCE_MS * process_slowness()));
  const char *at = strstr(process_read(exchange.out), "listening on 127.0.0.1:");
  assert_non_null(at);
  unsigned long port = strtoul(at + strlen("listening on 127.0.0.1:"), NULL, 10);
  snprintf(ws_base, sizeof ws_base, "ws_base=ws://127.0.0.1:%lu", port);
  snprintf(http_base, sizeof http_base, "http_base=http://127.0.0.1:%lu", port);
}

static int begin(void **state) {
  (void)state;
  serve("binance");
  return 0;
}

static int end(void **state) {
  (void)state;
  process_end(&exchange);
  return 0;
}

static int check(const char *name, const char *seconds, const char *first, const char *second,
                 const char **out) {
  const char *args[] = {"live-check", "--exchange", name,       "--timeout", seconds,
                        "--option",   first,        "--option", second,      NULL};
  return process_run(args, out);
}

static void an_exchange_that_streams_is_live(void **state) {
  (void)state;
  static const char *const names[] = {"gateio", "mexc", "binance"};
  char expected[80];
  const char *out;
  for (int i = 0; i < 3; i++) {
    process_end(&exchange);
    serve(names[i]);
    assert_int_equal(0, check(names[i], "10", ws_base, http_base, &out));
    snprintf(expected, sizeof expected, "%-8s live: stream (no TLS), HTTP (no TLS), ", names[i]);
    assert_non_null(strstr(out, expected));
    assert_non_null(strstr(out, "1 of 1 symbols in sync"));
  }
}

static void an_exchange_whose_books_do_not_come_is_not_live(void **state) {
  (void)state;
  const char *out;
  assert_int_equal(1, check("binance", "2", ws_base, "http_base=http://127.0.0.1:1", &out));
  assert_non_null(strstr(out, "binance  not live: SYNCING: 0 of 1 symbols in sync"));
}

static void nobody_at_all_is_no_internet(void **state) {
  (void)state;
  const char *out;
  assert_int_equal(
      3, check("mexc", "1", "ws_base=ws://127.0.0.1:1", "http_base=http://127.0.0.1:1", &out));
  assert_non_null(strstr(out, "mexc     not reached: "));
  assert_non_null(strstr(out, "No exchange was reached: there is no internet here"));
}

/* A server without TLS where TLS is asked for: reached, and not to be trusted. */
static void without_a_certificate_nothing_is_live(void **state) {
  (void)state;
  const char *out;
  char secure[80];
  snprintf(secure, sizeof secure, "ws_base=wss%s", strchr(ws_base, ':'));
  assert_int_equal(1, check("binance", "2", secure, http_base, &out));
  assert_non_null(strstr(out, "binance  not live: "));
}

static void wrong_use_is_told(void **state) {
  (void)state;
  const char *out;
  assert_int_equal(2, check("kraken", "1", ws_base, http_base, &out));
  assert_int_equal(2, check("binance", "0", ws_base, http_base, &out));
  assert_int_equal(2, check("binance", "1", "ws_bse=1", http_base, &out));
  const char *help[] = {"live-check", "--help", NULL};
  assert_int_equal(0, process_run(help, &out));
  assert_non_null(strstr(out, "Exit status: 0"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_exchange_that_streams_is_live),
      cmocka_unit_test(an_exchange_whose_books_do_not_come_is_not_live),
      cmocka_unit_test(nobody_at_all_is_no_internet),
      cmocka_unit_test(without_a_certificate_nothing_is_live),
      cmocka_unit_test(wrong_use_is_told),
  };
  return cmocka_run_group_tests(tests, begin, end);
}
