#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "adapters/backoff.h"

#define S_NS 1000000000ull

static void the_first_attempt_is_at_once_and_the_rest_double_up_to_the_cap(void **state) {
  (void)state;
  struct trp_backoff backoff;
  trp_backoff_init(&backoff, NULL);
  assert_int_equal(trp_backoff_next_ms(&backoff, 99), 0);
  uint32_t expected = 500;
  for (int i = 0; i < 100; i++) {
    uint32_t delay = trp_backoff_next_ms(&backoff, (uint64_t)i * 7919);
    assert_in_range(delay, expected / 2, expected);
    expected = expected * 2 < 30000 ? expected * 2 : 30000;
  }
}

static void jitter_stays_below_the_cap_and_reaches_both_ends(void **state) {
  (void)state;
  struct trp_backoff backoff;
  trp_backoff_init(&backoff, &(struct trp_backoff_options){.min_ms = 100, .max_ms = 100});
  (void)trp_backoff_next_ms(&backoff, 0);
  assert_int_equal(trp_backoff_next_ms(&backoff, 0), 50);
  assert_int_equal(trp_backoff_next_ms(&backoff, 50), 100);
}

static void only_a_stable_connection_is_forgiven(void **state) {
  (void)state;
  struct trp_backoff backoff;
  trp_backoff_init(&backoff, NULL);
  (void)trp_backoff_next_ms(&backoff, 0);
  trp_backoff_up(&backoff, 0);
  trp_backoff_down(&backoff, 10 * S_NS - 1);
  assert_int_not_equal(trp_backoff_next_ms(&backoff, 0), 0);
  trp_backoff_up(&backoff, 20 * S_NS);
  trp_backoff_down(&backoff, 30 * S_NS);
  assert_int_equal(trp_backoff_next_ms(&backoff, 0), 0);
  trp_backoff_down(&backoff, 90 * S_NS); /* it never stood: nothing is forgiven */
  assert_int_not_equal(trp_backoff_next_ms(&backoff, 0), 0);
}

static void a_reset_starts_afresh(void **state) {
  (void)state;
  struct trp_backoff backoff;
  trp_backoff_init(&backoff, NULL);
  for (int i = 0; i < 5; i++) (void)trp_backoff_next_ms(&backoff, 0);
  trp_backoff_reset(&backoff);
  assert_int_equal(trp_backoff_next_ms(&backoff, 0), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_attempt_is_at_once_and_the_rest_double_up_to_the_cap),
      cmocka_unit_test(jitter_stays_below_the_cap_and_reaches_both_ends),
      cmocka_unit_test(only_a_stable_connection_is_forgiven),
      cmocka_unit_test(a_reset_starts_afresh),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
