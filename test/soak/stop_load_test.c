/* A hundred stops of a system with a hundred feeds streaming: 95 within a second, all by their
 * deadline plus 10 ms, nothing left and every ledger balanced. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/fleet_stops.h"

static void ninety_five_of_a_hundred_stops_under_load_end_within_a_second(void **state) {
  (void)state;
  struct fleet_stops stops = fleet_stops_run(100, 100);
  assert_in_range(stops.within_a_second, 95, 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ninety_five_of_a_hundred_stops_under_load_end_within_a_second),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
