/* A system with 100 feeds streaming stops in time and leaves nothing; a few times here, a hundred
 * times in test/soak. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/fleet_stops.h"
#include "test/support/process.h"

static void a_hundred_feeds_that_stream_are_stopped_in_time_and_leave_nothing(void **state) {
  (void)state;
  bool slow = process_slowness() > 1;
  (void)fleet_stops_run(slow ? 1 : 3, slow ? 20 : 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hundred_feeds_that_stream_are_stopped_in_time_and_leave_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
