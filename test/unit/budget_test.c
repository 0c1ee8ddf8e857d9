/* budget_test.c - whether a stop fits is said with path, sum and limit, or refused where the
 * embedder wants that. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "runtime/budget.h"
#include "runtime/troupe.h"

static enum trp_err ignore(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

static const struct trp_kind idle = {.name = "idle", .receive = ignore};

/* first -> middle -> last of 100 ms each, which takes 375, and a short one beside them. */
static struct trp_system *line(struct trp_system_options options) {
  static const char *const names[] = {"last", "middle", "first", "beside"};
  struct trp_system *system = NULL;
  options.name = "line";
  options.sched = TRP_SCHED_SIM;
  options.log_fd = -1;
  assert_int_equal(trp_system_new(&system, &options), TRP_OK);
  for (int i = 0; i < 4; i++) {
    struct trp_spec spec = {.name = names[i], .kind = &idle, .budget_ms = i < 3 ? 100 : 10};
    assert_int_equal(trp_system_add(system, &spec), TRP_OK);
  }
  assert_int_equal(trp_system_edge(system, "first", "middle"), TRP_OK);
  assert_int_equal(trp_system_edge(system, "middle", "last"), TRP_OK);
  assert_int_equal(trp_system_edge(system, "beside", "last"), TRP_OK);
  return system;
}

static void expect(struct trp_system_options options, enum trp_err err, const char *words) {
  char sentence[512];
  struct trp_system *system = line(options);
  assert_int_equal(trp_system_check(system, sentence, sizeof sentence), err);
  if (strstr(sentence, words) == NULL) fail_msg("no '%s' in: %s", words, sentence);
  assert_non_null(strstr(sentence, "first 100 -> middle 100 -> last 100 ms"));
  assert_null(strstr(sentence, "beside"));
  trp_system_destroy(&system);
}

static void the_longest_path_is_named_with_its_sum_and_the_limit(void **state) {
  (void)state;
  expect((struct trp_system_options){.budget_ms = 375}, TRP_OK,
         "takes 375 ms with grace, which fits the 375 ms there are");
  expect((struct trp_system_options){.budget_ms = 374}, TRP_LIMIT,
         "takes 375 ms with grace, which does not fit the 374 ms there are");
}

static void a_budget_that_the_outer_limit_cuts_is_said_only_where_it_was_asked_for(void **state) {
  (void)state;
  expect((struct trp_system_options){.outer_limit_ms = 8000}, TRP_OK, "which fits the 6000 ms");
  expect((struct trp_system_options){.budget_ms = 6000, .outer_limit_ms = 8000}, TRP_OK,
         "which fits the 6000 ms");
  expect(
      (struct trp_system_options){.budget_ms = 6001, .outer_limit_ms = 8000}, TRP_LIMIT,
      "the budget asked for, 6001 ms, does not fit the outer limit of 8000 ms: it is cut to 6000");
}

static void there_is_time_for_the_account_within_any_outer_limit(void **state) {
  (void)state;
  assert_int_equal(trp_budget_within(15000, 0), 15000);
  assert_int_equal(trp_budget_within(15000, 20000), 15000);
  assert_int_equal(trp_budget_within(15000, 10000), 8000);
  assert_int_equal(trp_budget_within(15000, 4000), 2000);
  assert_int_equal(trp_budget_within(15000, 3000), 1500);
  assert_int_equal(trp_budget_within(15000, 1000), 500);
}

static void a_strict_start_is_refused_with_the_sentence_and_a_plain_one_is_not(void **state) {
  (void)state;
  char failure[512] = "";
  struct trp_system *system =
      line((struct trp_system_options){.budget_ms = 300, .strict_budget = true});
  assert_int_equal(trp_system_start(system, failure, sizeof failure), TRP_LIMIT);
  assert_non_null(strstr(failure, "does not fit the 300 ms there are: first 100"));
  assert_string_equal(trp_system_state(system), "new");
  trp_system_destroy(&system);
  system = line((struct trp_system_options){.budget_ms = 300});
  assert_int_equal(trp_system_start(system, failure, sizeof failure), TRP_OK);
  trp_system_destroy(&system);
}

static void a_cycle_counts_once_by_its_longest_member(void **state) {
  (void)state;
  char sentence[512];
  struct trp_system *system = line((struct trp_system_options){.budget_ms = 1000});
  assert_int_equal(trp_system_edge(system, "last", "beside"), TRP_OK);
  assert_int_equal(trp_system_check(system, sentence, sizeof sentence), TRP_OK);
  assert_non_null(strstr(sentence, "takes 375 ms"));
  assert_non_null(strstr(sentence, "first 100 -> middle 100 -> last 100 ms"));
  trp_system_destroy(&system);
}

static void a_sentence_too_long_for_its_place_is_cut(void **state) {
  (void)state;
  char sentence[40];
  struct trp_system *system = line((struct trp_system_options){.budget_ms = 374});
  assert_int_equal(trp_system_check(system, sentence, sizeof sentence), TRP_LIMIT);
  assert_int_equal(strlen(sentence), sizeof sentence - 1);
  trp_system_destroy(&system);
}

static void a_system_of_nobody_fits(void **state) {
  (void)state;
  char sentence[256];
  struct trp_system *system = NULL;
  struct trp_system_options options = {.name = "empty", .sched = TRP_SCHED_SIM, .log_fd = -1};
  assert_int_equal(trp_system_new(&system, &options), TRP_OK);
  assert_int_equal(trp_system_check(system, sentence, sizeof sentence), TRP_OK);
  assert_non_null(strstr(sentence, "no actors"));
  trp_system_destroy(&system);
}

/* ---- the environment ---- */

static void the_environment_fills_in_what_is_not_set(void **state) {
  (void)state;
  char why[256];
  struct trp_system_options options = {.budget_ms = 7};
  setenv("TRP_STOP_BUDGET_MS", "5000", 1);
  setenv("TRP_OUTER_LIMIT_MS", "9000", 1);
  assert_int_equal(trp_options_from_environment(&options, why, sizeof why), TRP_OK);
  assert_int_equal(options.budget_ms, 7);
  assert_int_equal(options.outer_limit_ms, 9000);
  options.budget_ms = 0;
  assert_int_equal(trp_options_from_environment(&options, why, sizeof why), TRP_OK);
  assert_int_equal(options.budget_ms, 5000);
  unsetenv("TRP_STOP_BUDGET_MS");
  unsetenv("TRP_OUTER_LIMIT_MS");
  options = (struct trp_system_options){0};
  assert_int_equal(trp_options_from_environment(&options, why, sizeof why), TRP_OK);
  assert_int_equal(options.budget_ms, 0);
}

static void a_bad_value_in_the_environment_is_named(void **state) {
  (void)state;
  static const char *const bad[] = {"",    "0",     "-1",       "5s",
                                    "1.5", " 5000", "86400001", "99999999999999999999999"};
  static const char *const variables[] = {"TRP_STOP_BUDGET_MS", "TRP_OUTER_LIMIT_MS"};
  char why[256];
  for (size_t v = 0; v < 2; v++) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
      struct trp_system_options options = {0};
      setenv(variables[v], bad[i], 1);
      assert_int_equal(trp_options_from_environment(&options, why, sizeof why), TRP_INVALID);
      assert_non_null(strstr(why, variables[v]));
      assert_non_null(strstr(why, bad[i]));
    }
    unsetenv(variables[v]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_longest_path_is_named_with_its_sum_and_the_limit),
      cmocka_unit_test(a_budget_that_the_outer_limit_cuts_is_said_only_where_it_was_asked_for),
      cmocka_unit_test(there_is_time_for_the_account_within_any_outer_limit),
      cmocka_unit_test(a_strict_start_is_refused_with_the_sentence_and_a_plain_one_is_not),
      cmocka_unit_test(a_cycle_counts_once_by_its_longest_member),
      cmocka_unit_test(a_sentence_too_long_for_its_place_is_cut),
      cmocka_unit_test(a_system_of_nobody_fits),
      cmocka_unit_test(the_environment_fills_in_what_is_not_set),
      cmocka_unit_test(a_bad_value_in_the_environment_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
