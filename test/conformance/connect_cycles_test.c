/* Connecting and disconnecting leaves nothing: equal figures after few and after many cycles. A
 * cycle takes about 2 ms, so that ten thousand fit here; under a sanitizer or valgrind, where heap
 * bytes cannot be counted this way, there are fewer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/connect_cycles.h"

static void ten_thousand_cycles_leave_what_a_thousand_leave(void **state) {
  (void)state;
  cycles_begin();
  struct rig_sample start = cycles_run(0, 0);
  uint32_t few = start.heap_bytes != 0 ? 1000 : 100;
  struct rig_sample after_few = cycles_run(few, few);
  cycles_equal(&start, &after_few);
  struct rig_sample after_many = cycles_run(9 * few, 10 * few);
  cycles_equal(&after_few, &after_many);
  rig_end();
  assert_int_equal(rig_exchange()->accepted, rig_exchange()->closes_proper);
}

static void one_forgotten_unsubscribe_is_noticed(void **state) {
  (void)state;
  cycles_begin();
  struct rig_sample before = cycles_run(50, 50);
  cycles_run_forgetful();
  struct rig_sample after = cycles_run(50, 101);
  assert_non_null(rig_difference(&before, &after));
  assert_int_equal(before.subscriptions + 1, after.subscriptions);
  assert_int_equal(before.held[TRP_RES_SUBSCRIPTION] + 1, after.held[TRP_RES_SUBSCRIPTION]);
  rig_end();
}

int main(int argc, char **argv) {
  (void)argc;
  rig_exact_heap(argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ten_thousand_cycles_leave_what_a_thousand_leave),
      cmocka_unit_test(one_forgotten_unsubscribe_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
