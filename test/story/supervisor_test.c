/* supervisor_test.c - stories of supervision in simulation: who is stopped, in which order who
 * comes back, who does not, and when it is given up. */
#include "test/story/family.h"

#include <stdio.h>
#include <string.h>

static const struct trp_restart_policy permanent = {.restart = TRP_PERMANENT};
static const struct trp_restart_policy transient = {.restart = TRP_TRANSIENT};
static const struct trp_restart_policy temporary = {.restart = TRP_TEMPORARY};
static const struct trp_restart_policy strict = {.intensity = 1, .backoff_max_ms = 60};

static struct family f;

/* root over sup over a, b and c. */
static void open_three(enum trp_strategy strategy, struct trp_restart_policy of_b) {
  family_open(&f, 7);
  family_add_supervisor(&f, "root", NULL, TRP_ONE_FOR_ONE, permanent, 2000);
  family_add_supervisor(&f, "sup", "root", strategy, permanent, 1000);
  family_add(&f, "a", "sup", permanent);
  family_add(&f, "b", "sup", of_b);
  family_add(&f, "c", "sup", permanent);
  family_start(&f);
}

static void stop_clean(void) {
  assert_int_equal(family_stop(&f)->verdict, TRP_VERDICT_CLEAN);
  family_close(&f);
}

/* ---- strategies ---- */

static void one_for_one_restarts_the_one_that_failed_and_nobody_else(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ONE, permanent);
  family_tell(&f, "b", CRASH);
  family_tells(&f, 10, "-b1 +b2 ");
  stop_clean();
}

static void one_for_all_stops_the_others_last_first_and_starts_all_in_order(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, permanent);
  family_tell(&f, "b", CRASH);
  family_tells(&f, 10, "-b1 -c1 -a1 +a2 +b2 +c2 ");
  stop_clean();
}

static void rest_for_one_takes_along_those_that_were_added_later(void **state) {
  (void)state;
  open_three(TRP_REST_FOR_ONE, permanent);
  family_tell(&f, "b", CRASH);
  family_tells(&f, 10, "-b1 -c1 +b2 +c2 ");
  family_tell(&f, "c", CRASH);
  family_tells(&f, 100, "-c2 +c3 ");
  family_tell(&f, "a", CRASH);
  family_tells(&f, 100, "-a1 -c3 -b2 +a2 +b3 +c4 ");
  stop_clean();
}

/* ---- who does not come back ---- */

static void a_temporary_child_that_was_stopped_for_a_sibling_stays_down(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, temporary);
  family_tell(&f, "a", CRASH);
  family_tells(&f, 10, "-a1 -c1 -b1 +a2 +c2 ");
  stop_clean();
}

static void the_crash_of_a_temporary_child_takes_nobody_along(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, temporary);
  family_tell(&f, "b", CRASH);
  family_tells(&f, 10, "-b1 ");
  family_tell(&f, "c", CRASH);
  family_tells(&f, 10, "-c1 -a1 +a2 +c2 ");
  stop_clean();
}

static void a_transient_child_that_ended_by_itself_is_left_out_of_the_group(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, transient);
  family_tell(&f, "a", CRASH); /* stopped for a sibling it does come back */
  family_tells(&f, 10, "-a1 -c1 -b1 +a2 +b2 +c2 ");
  family_tell(&f, "b", LEAVE);
  family_tells(&f, 10, "-b2 ");
  family_tell(&f, "c", CRASH);
  family_tells(&f, 10, "-c2 -a2 +a3 +c3 ");
  stop_clean();
}

static void a_permanent_child_that_ends_takes_its_group_along(void **state) {
  (void)state;
  open_three(TRP_REST_FOR_ONE, permanent);
  family_tell(&f, "b", LEAVE);
  family_tells(&f, 10, "-b1 -c1 +b2 +c2 ");
  stop_clean();
}

/* ---- orders ---- */

static void whom_an_operator_stopped_stays_down_until_ordered_back_alone(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, permanent);
  assert_int_equal(family_order(&f, "sup", "stop", "b"), TRP_OK);
  family_tells(&f, 10, "-b1 ");
  assert_int_equal(family_order(&f, "sup", "stop", "b"), TRP_WRONG_STATE);
  family_tell(&f, "c", CRASH);
  family_tells(&f, 10, "-c1 -a1 +a2 +c2 ");
  f.ordered = true;
  assert_int_equal(family_order(&f, "sup", "restart", "b"), TRP_OK);
  family_tells(&f, 10, "+b2 ");
  assert_int_equal(family_order(&f, "sup", "restart", "b"), TRP_OK);
  family_tells(&f, 10, "-b2 +b3 ");
  stop_clean();
}

static void an_order_to_stop_during_a_group_restart_leaves_that_one_out(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, permanent);
  family_manner(&f, "c")->holds = true;
  family_tell(&f, "b", CRASH);
  family_tells(&f, 50, "-b1 ");
  assert_int_equal(family_order(&f, "sup", "stop", "a"), TRP_OK);
  family_manner(&f, "c")->holds = false;
  assert_string_equal(f.diary, "-c1 -a1 ");
  family_tells(&f, 100, "-c1 -a1 +b2 +c2 ");
  stop_clean();
}

static void an_order_to_stop_one_that_waits_for_its_backoff_is_done_at_once(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ONE, permanent);
  family_manner(&f, "b")->early_crashes = 1;
  family_tell(&f, "b", CRASH);
  family_tells(&f, 5, "-b1 +b2 -b2 ");
  assert_int_equal(family_order(&f, "sup", "stop", "b"), TRP_OK);
  family_tells(&f, 1000, "");
  stop_clean();
}

static void a_supervisor_that_is_stopped_stops_its_children_first(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ONE, permanent);
  assert_int_equal(family_order(&f, "root", "stop", "sup"), TRP_OK);
  family_tells(&f, 10, "-c1 -b1 -a1 -sup1 ");
  assert_int_equal(family_order(&f, "root", "restart", "sup"), TRP_OK);
  family_tells(&f, 10, "+sup2 +a2 +b2 +c2 ");
  stop_clean();
}

static void a_stop_of_all_overtakes_a_supervisor_that_waits_for_its_children(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ONE, permanent);
  family_stall(&f, "c", 50 * MS);
  struct trp_child_command order = {.verb = "stop", .name = "sup"};
  assert_int_equal(trp_system_send(f.system, trp_system_whereis(f.system, "root"),
                                   TRP_CHILD_COMMAND, &order, sizeof order),
                   TRP_OK);
  family_tells(&f, 10, "");
  const struct trp_report *report = family_stop(&f);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_true(report->elapsed_ns < 100 * MS);
  family_close(&f);
}

/* ---- trouble during a group restart ---- */

static void who_does_not_stop_is_cut_short_by_its_budget_and_the_group_goes_on(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, permanent);
  family_manner(&f, "c")->holds = true;
  family_tell(&f, "b", CRASH);
  family_tells(&f, 95, "-b1 ");
  family_manner(&f, "c")->holds = false;
  family_tells(&f, 10, "-c1 -a1 +a2 +b2 +c2 ");
  stop_clean();
}

static void a_crash_while_stopping_counts_and_the_group_goes_on(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, permanent);
  family_manner(&f, "c")->crashes_stopping = true;
  family_tell(&f, "b", CRASH);
  family_tells(&f, 10, "-b1 -c1 -a1 +a2 +b2 +c2 ");
  family_manner(&f, "c")->crashes_stopping = false;
  family_tell(&f, "c", CRASH); /* its second in a row: with a backoff, for all */
  family_tells(&f, 10, "-c2 -b2 -a2 ");
  family_tells(&f, 50, "+a3 +b3 +c3 ");
  stop_clean();
}

static void a_start_that_fails_begins_the_group_restart_anew(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, permanent);
  family_manner(&f, "b")->failing_starts = 1;
  family_tell(&f, "a", CRASH);
  family_tells(&f, 10, "-a1 -c1 -b1 +a2 !b2 -b2 -a2 +a3 +b3 +c2 ");
  stop_clean();
}

static void nobody_comes_back_before_the_backoff_of_who_crashed_is_over(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, permanent);
  family_manner(&f, "c")->early_crashes = 1;
  family_tell(&f, "c", CRASH);
  family_tells(&f, 20, "-c1 -b1 -a1 +a2 +b2 +c2 -c2 -b2 -a2 ");
  family_tells(&f, 50, "+a3 +b3 +c3 ");
  stop_clean();
}

/* ---- escalation ---- */

static void one_that_gives_up_comes_back_and_puts_its_house_in_order(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ONE, strict);
  family_manner(&f, "b")->early_crashes = 1;
  family_tell(&f, "b", CRASH);
  family_tells(&f, 20, "-b1 +b2 -b2 -sup1 +sup2 -c1 -a1 +a2 +b3 +c2 ");
  stop_clean();
}

static void a_new_incarnation_stops_who_runs_and_starts_who_is_down(void **state) {
  (void)state;
  open_three(TRP_REST_FOR_ONE, temporary);
  family_tell(&f, "b", CRASH);
  family_tells(&f, 10, "-b1 ");
  family_break(&f, "sup");
  family_tells(&f, 10, "-sup1 +sup2 -c1 -a1 +a2 +b2 +c2 ");
  stop_clean();
}

static void a_supervisor_among_siblings_takes_its_own_children_along(void **state) {
  (void)state;
  family_open(&f, 3);
  family_add_supervisor(&f, "root", NULL, TRP_ONE_FOR_ALL, permanent, 2000);
  family_add(&f, "a", "root", permanent);
  family_add_supervisor(&f, "sup", "root", TRP_REST_FOR_ONE, permanent, 1000);
  family_add(&f, "x", "sup", permanent);
  family_add(&f, "y", "sup", permanent);
  family_start(&f);
  family_tell(&f, "a", CRASH);
  family_tells(&f, 20, "-a1 -y1 -x1 -sup1 +a2 +sup2 +x2 +y2 ");
  stop_clean();
}

static void a_supervisor_cut_short_leaves_its_children_to_end_and_the_next_waits(void **state) {
  (void)state;
  family_open(&f, 3);
  family_add_supervisor(&f, "root", NULL, TRP_ONE_FOR_ALL, permanent, 2000);
  family_add(&f, "a", "root", permanent);
  family_add_supervisor(&f, "sup", "root", TRP_ONE_FOR_ONE, permanent, 50);
  family_add(&f, "x", "sup", permanent);
  family_add(&f, "y", "sup", permanent);
  family_start(&f);
  family_manner(&f, "y")->holds = true; /* 100 ms, of which its supervisor has but 50 */
  family_tell(&f, "a", CRASH);
  family_tells(&f, 70, "-a1 -sup1 -x1 +a2 +sup2 ");
  family_manner(&f, "y")->holds = false;
  family_tells(&f, 50, "-y1 +x2 +y2 ");
  stop_clean();
}

static void three_generations_give_up_one_after_the_other_and_the_root_stops_all(void **state) {
  (void)state;
  family_open(&f, 5);
  family_add_supervisor(&f, "root", NULL, TRP_ONE_FOR_ONE, permanent, 2000);
  family_add_supervisor(&f, "mid", "root", TRP_ONE_FOR_ONE, strict, 1000);
  family_add_supervisor(&f, "low", "mid", TRP_ONE_FOR_ALL, strict, 1000);
  family_add(&f, "leaf", "low", strict);
  family_add(&f, "twin", "low", permanent);
  family_start(&f);
  family_manner(&f, "leaf")->early_crashes = 100;
  family_tell(&f, "leaf", CRASH);
  const struct trp_report *report = family_wait(&f);
  assert_int_equal(report->verdict, TRP_VERDICT_GAVE_UP);
  assert_int_equal(trp_verdict_status(report->verdict), 6);
  assert_string_equal(report->reason, "root root crashed");
  /* Two lives of each, and in each two of the one below. */
  assert_true(family_place(&f, "-leaf8") > family_place(&f, "+low4"));
  assert_true(family_place(&f, "+low4") > family_place(&f, "+mid2"));
  assert_false(family_said(&f, "+leaf9"));
  assert_false(family_said(&f, "+low5"));
  assert_false(family_said(&f, "+mid3"));
  family_close(&f);
}

static void a_spell_of_crashes_below_is_survived_by_the_generation_above(void **state) {
  (void)state;
  family_open(&f, 5);
  family_add_supervisor(&f, "root", NULL, TRP_ONE_FOR_ONE, permanent, 2000);
  family_add_supervisor(&f, "mid", "root", TRP_ONE_FOR_ONE, strict, 1000);
  family_add_supervisor(&f, "low", "mid", TRP_ONE_FOR_ONE, strict, 1000);
  family_add(&f, "leaf", "low", strict);
  family_start(&f);
  family_manner(&f, "leaf")->early_crashes = 4;
  family_tell(&f, "leaf", CRASH);
  family_pass(&f, TRP_NS_PER_S);
  assert_true(family_said(&f, "+mid2"));
  assert_int_equal(family_look(&f, "leaf").state, TRP_ACTOR_RUNNING);
  stop_clean();
}

/* ---- stuck children ---- */

static void a_stuck_sibling_is_waited_for_so_long_and_escalated(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ALL, permanent);
  family_stall(&f, "c", 3600 * TRP_NS_PER_S);
  family_tell(&f, "b", CRASH);
  family_tells(&f, 195, "-b1 "); /* its budget, and the limit of a turn */
  const struct trp_report *report = family_wait(&f);
  assert_int_equal(report->verdict, TRP_VERDICT_ABANDONED);
  assert_true(report->gave_up);
  assert_string_equal(report->reason, "root root crashed");
  assert_true(family_said(&f, "-sup1 +sup2 "));
  assert_false(family_said(&f, "+c2"));
  assert_false(family_said(&f, "+b2"));
  family_close(&f);
}

static void one_that_was_stuck_and_returns_ends_before_it_comes_back(void **state) {
  (void)state;
  open_three(TRP_REST_FOR_ONE, permanent);
  family_stall(&f, "c", 210 * MS);
  family_tell(&f, "b", CRASH);
  family_pass(&f, TRP_NS_PER_S);
  assert_true(family_place(&f, "+sup2") < family_place(&f, "-c1"));
  assert_true(family_place(&f, "-c1") < family_place(&f, "+b2"));
  assert_true(family_place(&f, "+b2") < family_place(&f, "+c2"));
  stop_clean();
}

static void an_operator_who_stops_a_stuck_child_is_told_and_nobody_else_suffers(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ONE, permanent);
  family_stall(&f, "c", 5 * TRP_NS_PER_S);
  assert_int_equal(family_order(&f, "sup", "restart", "c"), TRP_TIMEOUT);
  family_tell(&f, "b", CRASH);
  family_tells(&f, 1000, "-b1 +b2 ");
  family_tells(&f, 5000, "-c1 +c2 ");
  stop_clean();
}

static void a_start_that_never_returns_is_escalated(void **state) {
  (void)state;
  open_three(TRP_ONE_FOR_ONE, permanent);
  family_manner(&f, "b")->early_crashes = 1;
  family_tell(&f, "b", CRASH);
  family_tells(&f, 5, "-b1 +b2 -b2 ");
  /* Between its lives there is no reference that whereis would give. */
  trp_sim_stall(f.system, family_look(&f, "b").ref, 3600 * TRP_NS_PER_S);
  family_tells(&f, 110, "");
  assert_true(family_wait(&f)->gave_up);
  assert_false(family_said(&f, "b3"));
  family_close(&f);
}

static void a_temporary_supervisor_cannot_have_children(void **state) {
  (void)state;
  family_open(&f, 1);
  family_add_supervisor(&f, "root", NULL, TRP_ONE_FOR_ONE, permanent, 100);
  family_add_supervisor(&f, "sup", "root", TRP_ONE_FOR_ONE, temporary, 100);
  struct trp_spec orphan = {.name = "x", .kind = &trp_supervisor_kind, .supervisor = "sup"};
  assert_int_equal(trp_system_add(f.system, &orphan), TRP_INVALID);
  family_close(&f);
}

#define STORY(f_) cmocka_unit_test_teardown(f_, family_clear)

int main(void) {
  const struct CMUnitTest tests[] = {
      STORY(one_for_one_restarts_the_one_that_failed_and_nobody_else),
      STORY(one_for_all_stops_the_others_last_first_and_starts_all_in_order),
      STORY(rest_for_one_takes_along_those_that_were_added_later),
      STORY(a_temporary_child_that_was_stopped_for_a_sibling_stays_down),
      STORY(the_crash_of_a_temporary_child_takes_nobody_along),
      STORY(a_transient_child_that_ended_by_itself_is_left_out_of_the_group),
      STORY(a_permanent_child_that_ends_takes_its_group_along),
      STORY(whom_an_operator_stopped_stays_down_until_ordered_back_alone),
      STORY(an_order_to_stop_during_a_group_restart_leaves_that_one_out),
      STORY(an_order_to_stop_one_that_waits_for_its_backoff_is_done_at_once),
      STORY(a_supervisor_that_is_stopped_stops_its_children_first),
      STORY(a_stop_of_all_overtakes_a_supervisor_that_waits_for_its_children),
      STORY(who_does_not_stop_is_cut_short_by_its_budget_and_the_group_goes_on),
      STORY(a_crash_while_stopping_counts_and_the_group_goes_on),
      STORY(a_start_that_fails_begins_the_group_restart_anew),
      STORY(nobody_comes_back_before_the_backoff_of_who_crashed_is_over),
      STORY(one_that_gives_up_comes_back_and_puts_its_house_in_order),
      STORY(a_new_incarnation_stops_who_runs_and_starts_who_is_down),
      STORY(a_supervisor_among_siblings_takes_its_own_children_along),
      STORY(a_supervisor_cut_short_leaves_its_children_to_end_and_the_next_waits),
      STORY(three_generations_give_up_one_after_the_other_and_the_root_stops_all),
      STORY(a_spell_of_crashes_below_is_survived_by_the_generation_above),
      STORY(a_stuck_sibling_is_waited_for_so_long_and_escalated),
      STORY(one_that_was_stuck_and_returns_ends_before_it_comes_back),
      STORY(an_operator_who_stops_a_stuck_child_is_told_and_nobody_else_suffers),
      STORY(a_start_that_never_returns_is_escalated),
      STORY(a_temporary_supervisor_cannot_have_children),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
