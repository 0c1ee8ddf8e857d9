/* Which faults control lets pass, and what a fault that lasts may say. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "actors/control_fault.h"
#include "runtime/fault_text.h"

static void every_actor_takes_four_faults_and_an_exchange_more(void **state) {
  static const char *const faults[] = {
      "panic",     "exit",        "error",           "stall:250",   "drop",       "gap",   "expire",
      "silence:5", "refuse:5",    "garbage:5",       "half-open:5", "shutdown:5", "429:5", "418:5",
      "reorder:5", "duplicate:5", "mixed:7:86400000"};
  (void)state;
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    assert_true(trp_control_fault_known("exchange", faults[i]));
    assert_int_equal(trp_control_fault_known("feed", faults[i]), i < 4);
  }
}

static void nonsense_is_nobodys_fault(void **state) {
  static const char *const texts[] = {"",
                                      "dance",
                                      "Panic",
                                      "panic:10",
                                      "stall",
                                      "drop:1",
                                      "gap ",
                                      "silence",
                                      "error ",
                                      "refuse:",
                                      "refuse:0",
                                      "silence:x",
                                      "expire:1",
                                      "429",
                                      "mixed:5",
                                      "mixed::5",
                                      "mixed:x:5",
                                      "mixed:5:0",
                                      "mixed:99999999999999999999:5"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    assert_false(trp_control_fault_known("exchange", texts[i]));
    assert_false(trp_control_fault_known("feed", texts[i]));
  }
}

static void the_words_name_what_is_taken(void **state) {
  (void)state;
  assert_null(strstr(trp_control_faults("feed"), "drop"));
  assert_non_null(strstr(trp_control_faults("feed"), "stall:MS"));
  assert_non_null(strstr(trp_control_faults("exchange"), "silence:MS"));
}

static void a_time_is_digits_from_one_to_a_day(void **state) {
  static const char *const wrong[] = {"stall",
                                      "stall:",
                                      "stall:0",
                                      "stall:00",
                                      "stall:x",
                                      "stall:-1",
                                      "stall:+1",
                                      "stall: 1",
                                      "stall:1 ",
                                      "stall:1x",
                                      "stall:86400001",
                                      "stallx:1",
                                      "Stall:1",
                                      "stall:18446744073709551617",
                                      ""};
  uint64_t ms = 77;
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_false(trp_fault_timed(wrong[i], "stall", &ms));
    assert_int_equal(ms, 77);
  }
  assert_true(trp_fault_timed("stall:1", "stall", &ms));
  assert_int_equal(ms, 1);
  assert_true(trp_fault_timed("stall:86400000", "stall", &ms));
  assert_int_equal(ms, 86400000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_actor_takes_four_faults_and_an_exchange_more),
      cmocka_unit_test(nonsense_is_nobodys_fault),
      cmocka_unit_test(the_words_name_what_is_taken),
      cmocka_unit_test(a_time_is_digits_from_one_to_a_day),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
