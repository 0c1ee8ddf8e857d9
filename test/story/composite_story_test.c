/* Parts that need one another: whatever order they are told in, they start after what they need and
 * close before it, and what cannot be is told before anything was added. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/composite.h"
#include "runtime/report.h"
#include "runtime/sim.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct trp_system *the_system;
static char story[1024], why[256];

static void tell(const char *what, const char *name) {
  size_t used = strlen(story);
  snprintf(story + used, sizeof story - used, "%s%s ", what, name);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)state;
  tell("+", trp_self_name(self));
  return args != NULL ? TRP_REFUSED : TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self, (void)state, (void)msg;
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)state, (void)reason;
  tell("-", trp_self_name(self));
}

static const struct trp_kind teller = {
    .name = "teller", .start = start, .receive = receive, .end = end};

static struct trp_spec spec(const char *name) {
  return (struct trp_spec){.name = name, .kind = &teller};
}

static void make(uint64_t seed) {
  story[0] = '\0';
  assert_int_equal(
      TRP_OK, trp_system_new(&the_system, &(struct trp_system_options){.name = "composite",
                                                                       .sched = TRP_SCHED_SIM,
                                                                       .seed = seed,
                                                                       .log_level = TRP_LOG_NONE}));
}

static enum trp_err add(const struct trp_part *parts, size_t count) {
  return trp_composite_add(the_system, parts, count, why, sizeof why);
}

static void run(void) {
  assert_int_equal(TRP_OK, trp_system_start(the_system, why, sizeof why));
  trp_sim_run_for(the_system, 10 * TRP_NS_PER_MS);
  trp_system_stop(the_system, "the story is over");
  assert_int_equal(TRP_OK, trp_system_wait(the_system, 2 * TRP_NS_PER_S));
  assert_int_equal(TRP_VERDICT_CLEAN, trp_system_report(the_system)->verdict);
}

static int drop(void **state) {
  (void)state;
  trp_system_destroy(&the_system);
  return 0;
}

static void parts_start_after_what_they_need_and_close_before_it(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed < 20; seed++) {
    make(seed);
    const struct trp_part parts[] = {{.spec = spec("feed"), .needs = NAMES("engine")},
                                     {.spec = spec("engine"), .needs = NAMES("book", "consumer")},
                                     {.spec = spec("book"), .needs = NAMES("consumer")},
                                     {.spec = spec("consumer")}};
    assert_int_equal(TRP_OK, add(parts, 4));
    run();
    assert_string_equal("+consumer +book +engine +feed -feed -engine -book -consumer ", story);
    drop(NULL);
  }
}

static void of_two_that_could_be_next_the_first_is(void **state) {
  (void)state;
  make(1);
  const struct trp_part parts[] = {{.spec = spec("c"), .needs = NAMES("b")},
                                   {.spec = spec("z")},
                                   {.spec = spec("a")},
                                   {.spec = spec("b")}};
  assert_int_equal(TRP_OK, add(parts, 4));
  assert_int_equal(TRP_OK, trp_system_start(the_system, why, sizeof why));
  assert_string_equal("+z +a +b +c ", story);
}

static void a_supervisor_comes_first_though_it_tells_one_of_its_own(void **state) {
  (void)state;
  make(2);
  struct trp_part parts[] = {{.spec = spec("engine")},
                             {.spec = spec("boss"), .tells = NAMES("engine")}};
  parts[0].spec.supervisor = "boss";
  assert_int_equal(TRP_OK, add(parts, 2));
  run();
  assert_string_equal("+boss +engine -boss -engine ", story);
}

static void a_composite_may_stand_on_what_is_there(void **state) {
  (void)state;
  make(3);
  const struct trp_spec engine = spec("engine");
  assert_int_equal(TRP_OK, trp_system_add(the_system, &engine));
  const struct trp_part parts[] = {{.spec = spec("feed"), .needs = NAMES("engine")}};
  assert_int_equal(TRP_OK, add(parts, 1));
  run();
  assert_string_equal("+engine +feed -feed -engine ", story);
}

static void one_that_does_not_start_unwinds_what_has_in_reverse(void **state) {
  (void)state;
  make(4);
  struct trp_part parts[] = {{.spec = spec("feed"), .needs = NAMES("engine")},
                             {.spec = spec("engine"), .needs = NAMES("consumer")},
                             {.spec = spec("consumer")}};
  parts[0].spec.args = parts; /* refuses */
  assert_int_equal(TRP_OK, add(parts, 3));
  assert_int_not_equal(TRP_OK, trp_system_start(the_system, why, sizeof why));
  assert_string_equal("+consumer +engine +feed -feed -engine -consumer ", story);
  assert_non_null(strstr(why, "feed"));
}

static void refused(const struct trp_part *parts, size_t count, enum trp_err err,
                    const char *expected) {
  make(5);
  assert_int_equal(err, add(parts, count));
  assert_string_equal(expected, why);
  assert_int_equal(0, trp_system_actor_count(the_system));
  drop(NULL);
}

static void what_cannot_be_is_told_and_nothing_is_added(void **state) {
  (void)state;
  const struct trp_part circle[] = {{.spec = spec("out"), .needs = NAMES("a")},
                                    {.spec = spec("a"), .needs = NAMES("b")},
                                    {.spec = spec("b"), .needs = NAMES("c")},
                                    {.spec = spec("c"), .needs = NAMES("a")}};
  refused(circle, 4, TRP_INVALID, "a circle: 'a' needs 'b' needs 'c' needs 'a'");
  const struct trp_part itself[] = {{.spec = spec("a"), .needs = NAMES("a")}};
  refused(itself, 1, TRP_INVALID, "a circle: 'a' needs 'a'");
  const struct trp_part nobody[] = {{.spec = spec("feed"), .needs = NAMES("engin")}};
  refused(nobody, 1, TRP_NO_ACTOR, "feed needs 'engin', which is no part and not in the system");
  const struct trp_part told[] = {{.spec = spec("feed"), .tells = NAMES("engin")}};
  refused(told, 1, TRP_NO_ACTOR, "feed tells 'engin', which is no part and not in the system");
  struct trp_part orphan[] = {{.spec = spec("feed")}};
  orphan[0].spec.supervisor = "boss";
  refused(orphan, 1, TRP_NO_ACTOR,
          "feed is supervised by 'boss', which is no part and not in the system");
  const struct trp_part twice[] = {{.spec = spec("a")}, {.spec = spec("a")}};
  refused(twice, 2, TRP_EXISTS, "there are two actors named 'a'");
  const struct trp_part nameless[] = {{.spec = spec(NULL)}};
  refused(nameless, 1, TRP_INVALID, "part 0 of the composite has no name");
  refused(nameless, 65, TRP_INVALID, "a composite has at most 64 parts, not 65");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(parts_start_after_what_they_need_and_close_before_it, drop),
      cmocka_unit_test_teardown(of_two_that_could_be_next_the_first_is, drop),
      cmocka_unit_test_teardown(a_supervisor_comes_first_though_it_tells_one_of_its_own, drop),
      cmocka_unit_test_teardown(a_composite_may_stand_on_what_is_there, drop),
      cmocka_unit_test_teardown(one_that_does_not_start_unwinds_what_has_in_reverse, drop),
      cmocka_unit_test_teardown(what_cannot_be_is_told_and_nothing_is_added, drop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
