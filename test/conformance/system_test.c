/* system_test.c - the system's suite, over real threads, on the pool, on shared loops and in
 * simulation. */
#include "test/conformance/system_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/stack.h"

enum { TESTS_MAX = 64 };

static int run(const struct suite *suite, const struct over *over) {
  struct CMUnitTest tests[TESTS_MAX];
  memset(tests, 0, sizeof tests);
  if (suite->count > TESTS_MAX) abort();
  for (size_t i = 0; i < suite->count; i++) {
    tests[i] = suite->tests[i];
    tests[i].initial_state = (void *)over;
    tests[i].teardown_func = world_end;
  }
  char name[128];
  snprintf(name, sizeof name, "%s, %s", suite->name, over->title);
  return _cmocka_run_group_tests(name, tests, suite->count, NULL, NULL);
}

int main(void) {
  static const struct suite *const suites[] = {
      &suite_mail,     &suite_waiting,     &suite_asks,    &suite_timers,
      &suite_watches,  &suite_links,       &suite_lives,   &suite_supervision,
      &suite_stopping, &suite_stop_faults, &suite_account, &suite_spawning};
  static const struct over overs[] = {{"in simulation", TRP_SCHED_SIM, TRP_THREAD},
                                      {"in simulation, small", TRP_SCHED_SIM, TRP_POOL},
                                      {"in simulation, on loops", TRP_SCHED_SIM, TRP_IO},
                                      {"with threads", TRP_SCHED_THREADS, TRP_THREAD},
                                      {"on the pool", TRP_SCHED_THREADS, TRP_POOL},
                                      {"on loops", TRP_SCHED_THREADS, TRP_IO}};
  int failed = 0;
  for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
    for (size_t o = 0; o < sizeof overs / sizeof *overs; o++) failed += run(suites[i], &overs[o]);
  }
  return failed;
}
