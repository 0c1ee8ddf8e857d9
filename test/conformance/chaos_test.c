/* Feeds are started, stopped, crashed and reconnected at random over the embedded exchange on
 * loopback; TRP_SEED repeats the orders. Seconds here, a minute in test/soak. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/chaos.h"

enum { DURATION_MS = 5000, FEEDS = 12 };

static void whatever_happens_for_seconds_the_system_recovers_and_leaves_nothing(void **state) {
  (void)state;
  struct chaos_account account = {0};
  chaos_run(chaos_seed(), DURATION_MS, FEEDS, &account);
  assert_true(account.lives > 0 && account.orders > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whatever_happens_for_seconds_the_system_recovers_and_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
