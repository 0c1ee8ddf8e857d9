/* system_test.c - the system's suite, over real threads and in simulation. */
#include "test/conformance/system_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/stack.h"

enum { TESTS_MAX = 64 };

static int run(const struct suite *suite, const char *over, enum trp_sched_kind *sched) {
  struct CMUnitTest tests[TESTS_MAX];
  memset(tests, 0, sizeof tests);
  if (suite->count > TESTS_MAX) abort();
  for (size_t i = 0; i < suite->count; i++) {
    tests[i] = suite->tests[i];
    tests[i].initial_state = sched;
  }
  char name[128];
  snprintf(name, sizeof name, "%s, %s", suite->name, over);
  return _cmocka_run_group_tests(name, tests, suite->count, NULL, NULL);
}

int main(void) {
  static const struct suite *const suites[] = {&suite_mail,        &suite_waiting,  &suite_asks,
                                               &suite_timers,      &suite_watches,  &suite_lives,
                                               &suite_supervision, &suite_stopping, &suite_account};
  static enum trp_sched_kind threads = TRP_SCHED_THREADS, sim = TRP_SCHED_SIM;
  int failed = 0;
  for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
    failed += run(suites[i], "in simulation", &sim);
    failed += run(suites[i], "with threads", &threads);
  }
  return failed;
}
