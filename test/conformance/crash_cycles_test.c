/* Ten thousand crashes and restarts in threads leave what a thousand leave: by a panic, by an
 * exited thread, by an error returned, in turn. Under a sanitizer or valgrind, where heap bytes
 * cannot be counted this way, there are fewer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "test/support/crash_cycles.h"
#include "test/support/feed_rig.h"
#include "test/support/process.h"

enum { FORGOTTEN_BYTES = 1000 };

static void ten_thousand_crashes_leave_what_a_thousand_leave(void **state) {
  (void)state;
  uint32_t few = process_slowness() > 1 ? 60 : 1000;
  crash_cycles_begin();
  struct crash_sample after_few = crash_cycles_run(few, few);
  struct crash_sample after_many = crash_cycles_run(9 * few, 10 * few);
  const char *difference = crash_difference(&after_few, &after_many);
  if (difference != NULL) fail_msg("%s differ", difference);
  assert_int_equal(0, after_many.orphans);
  crash_cycles_end();
}

static void one_forgotten_piece_of_memory_is_noticed(void **state) {
  (void)state;
  crash_cycles_begin();
  struct crash_sample before = crash_cycles_run(30, 30);
  bool exact = before.heap_bytes != 0; /* else the planted leak is one to a sanitizer, too */
  struct crash_sample after = exact ? crash_cycles_forgetful(30, 60) : before;
  crash_cycles_end();
  if (!exact) {
    print_message("  heap bytes cannot be told here: skipped\n");
    skip();
  }
  assert_string_equal("heap bytes", crash_difference(&before, &after));
  assert_true(after.heap_bytes > before.heap_bytes + FORGOTTEN_BYTES / 2);
}

int main(int argc, char **argv) {
  (void)argc;
  rig_exact_heap(argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ten_thousand_crashes_leave_what_a_thousand_leave),
      cmocka_unit_test(one_forgotten_piece_of_memory_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
