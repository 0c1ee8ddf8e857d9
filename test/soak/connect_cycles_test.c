/* A hundred thousand connects and disconnects leave what ten thousand leave. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/connect_cycles.h"

static void a_hundred_thousand_cycles_leave_what_ten_thousand_leave(void **state) {
  (void)state;
  cycles_begin();
  struct rig_sample few = cycles_run(10000, 10000);
  struct rig_sample many = cycles_run(90000, 100000);
  cycles_equal(&few, &many);
  rig_end();
  assert_int_equal(rig_exchange()->accepted, rig_exchange()->closes_proper);
}

int main(int argc, char **argv) {
  (void)argc;
  rig_exact_heap(argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hundred_thousand_cycles_leave_what_ten_thousand_leave),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
