#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "adapters/breaker.h"

#define S 1000000000ull

static struct trp_breaker breaker;

static int make(void **state) {
  (void)state;
  trp_breaker_init(&breaker, NULL);
  return 0;
}

/* Failures one second apart, from `second` on. */
static bool fails(uint32_t times, uint64_t second) {
  bool opened = false;
  for (uint32_t i = 0; i < times; i++) opened = trp_breaker_failed(&breaker, (second + i) * S);
  return opened;
}

static void five_failures_in_a_minute_open_it(void **state) {
  (void)state;
  assert_false(fails(4, 100));
  assert_true(trp_breaker_allows(&breaker, 104 * S));
  assert_true(fails(1, 160)); /* a minute after the first */
  assert_int_equal(breaker.state, TRP_BREAKER_OPEN);
  assert_false(trp_breaker_allows(&breaker, 160 * S));
  assert_int_equal(breaker.opens, 1);
}

static void failures_further_apart_do_not(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 100; i++) assert_false(fails(1, 1000 + 16 * i));
  assert_int_equal(breaker.state, TRP_BREAKER_CLOSED);
  assert_false(fails(3, 2640));
  assert_true(fails(1, 2643)); /* with the last one of before */
}

static void after_half_a_minute_it_lets_a_probe_through(void **state) {
  (void)state;
  fails(5, 100);
  assert_false(trp_breaker_allows(&breaker, 134 * S - 1));
  assert_true(trp_breaker_allows(&breaker, 134 * S));
  assert_int_equal(breaker.state, TRP_BREAKER_HALF_OPEN);
  assert_true(trp_breaker_allows(&breaker, 135 * S)); /* a probe may be several connections */
  assert_false(fails(1, 140));                        /* it was open before */
  assert_int_equal(breaker.state, TRP_BREAKER_OPEN);
  assert_false(fails(1, 141)); /* the second connection of the same probe: no longer wait */
  assert_false(trp_breaker_allows(&breaker, 170 * S - 1));
  assert_true(trp_breaker_allows(&breaker, 170 * S));
  assert_int_equal(breaker.opens, 1);
}

static void success_closes_it_and_forgets_the_failures(void **state) {
  (void)state;
  fails(5, 100);
  assert_true(trp_breaker_allows(&breaker, 134 * S));
  trp_breaker_succeeded(&breaker);
  assert_int_equal(breaker.state, TRP_BREAKER_CLOSED);
  assert_false(fails(4, 135));
  assert_true(fails(1, 139));
  assert_int_equal(breaker.opens, 2);
}

static void its_limits_are_options(void **state) {
  (void)state;
  trp_breaker_init(
      &breaker, &(struct trp_breaker_options){.failures = 2, .window_ms = 1000, .probe_ms = 5000});
  assert_false(fails(1, 10));
  assert_false(fails(1, 12));
  assert_true(fails(1, 13));
  assert_false(trp_breaker_allows(&breaker, 17 * S));
  assert_true(trp_breaker_allows(&breaker, 18 * S));
  trp_breaker_init(&breaker, &(struct trp_breaker_options){.failures = 1000});
  assert_false(fails(31, 100));
  assert_true(fails(1, 131));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(five_failures_in_a_minute_open_it, make),
      cmocka_unit_test_setup(failures_further_apart_do_not, make),
      cmocka_unit_test_setup(after_half_a_minute_it_lets_a_probe_through, make),
      cmocka_unit_test_setup(success_closes_it_and_forgets_the_failures, make),
      cmocka_unit_test_setup(its_limits_are_options, make),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
