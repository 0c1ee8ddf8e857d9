/* The harness: statistics, the table's own consistency, lines, comparisons, promises, axes, and the
 * running of programs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/harness_panel.h"
#include "bench/harness_peers.h"
#include "bench/harness_questions.h"
#include "bench/harness_results.h"
#include "bench/harness_run.h"
#include "bench/harness_text.h"
#include "bench/statistics.h"
#include "test/support/process.h"

static struct harness_results results;

static int forget(void **state) {
  (void)state;
  memset(&results, 0, sizeof results);
  return 0;
}

static const struct harness_question *question(const char *name) {
  const struct harness_question *q = harness_question_named(name);
  assert_non_null(q);
  return q;
}

/* Three runs around a value. */
static void measured(const char *bench, const char *system, const char *metric, double value) {
  const struct harness_question *q = question(bench);
  const char *unit = harness_metric_named(q, metric)->unit;
  assert_null(harness_results_add(&results, q, system, metric, unit, value * 1.5));
  assert_null(harness_results_add(&results, q, system, metric, unit, value));
  assert_null(harness_results_add(&results, q, system, metric, unit, value / 2));
}

static const struct harness_result *ours(const char *bench, const char *metric) {
  const struct harness_result *r =
      harness_results_find(&results, question(bench), metric, HARNESS_OURS);
  assert_non_null(r);
  return r;
}

/* ---- statistics ---- */

static void a_median_lies_in_the_middle_whatever_the_order(void **state) {
  (void)state;
  double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2}, one[] = {7};
  assert_float_equal(statistics_median(odd, 3), 5, 0);
  assert_float_equal(statistics_median(even, 4), 2.5, 1e-12);
  assert_float_equal(statistics_median(one, 1), 7, 0);
  assert_true(isnan(statistics_median(one, 0)));
}

static void a_quantile_is_between_its_neighbours_in_proportion(void **state) {
  (void)state;
  double values[] = {50, 10, 40, 20, 30};
  assert_float_equal(statistics_quantile(values, 5, 0), 10, 0);
  assert_float_equal(statistics_quantile(values, 5, 1), 50, 0);
  assert_float_equal(statistics_quantile(values, 5, 0.9), 46, 1e-9);
}

static void the_statistics_of_a_result_leave_its_runs_in_their_order(void **state) {
  (void)state;
  measured("count", "go", "messages", 10);
  const struct harness_result *r =
      harness_results_find(&results, question("count"), "messages", "go");
  struct harness_statistics s = harness_statistics_of(r);
  assert_float_equal(s.median, 10, 0);
  assert_float_equal(s.min, 5, 0);
  assert_float_equal(s.max, 15, 0);
  assert_float_equal(s.spread, 1, 1e-12);
  assert_float_equal(r->values[0], 15, 0);
}

/* ---- the table ---- */

static void check_metric(const struct harness_question *q, const struct harness_metric *m) {
  assert_non_null(m->unit);
  assert_non_null(m->sentence);
  assert_ptr_equal(harness_metric_named(q, m->name), m);
  const struct harness_metric *base = harness_metric_named(q, harness_metric_against(m));
  assert_non_null(base);
  assert_null(base->against);
  assert_string_equal(base->unit, m->unit);
  assert_int_equal(base->more_is_better, m->more_is_better);
  assert_true(m->system == NULL || m->against != NULL);
  if (m->promise.kind == HARNESS_PROMISE_KEEPS) {
    const struct harness_question *of = harness_question_named(m->promise.of);
    assert_non_null(of);
    assert_non_null(harness_metric_named(of, m->name));
  }
}

static void the_table_agrees_with_itself(void **state) {
  (void)state;
  const struct harness_question *q;
  size_t count = 0;
  for (; (q = harness_question_at(count)) != NULL; count++) {
    assert_ptr_equal(harness_question_named(q->name), q); /* no name twice */
    assert_non_null(q->sentence);
    assert_true(harness_metric_count(q) > 0);
    for (size_t i = 0; i < harness_metric_count(q); i++) check_metric(q, &q->metrics[i]);
  }
  assert_true(count > 15);
}

static void changed_parameters_take_the_place_of_the_tables(void **state) {
  (void)state;
  char args[HARNESS_PARAMS_MAX];
  const struct harness_question *q = question("fanin");
  assert_true(harness_question_args(q, "", args, sizeof args));
  assert_string_equal(args, q->params);
  assert_true(harness_question_args(q, "rounds=3 messages=7", args, sizeof args));
  assert_string_equal(args, "producers=4 messages=7 payload=48");
  assert_true(harness_question_args(q, "essages=7 payload=1", args, sizeof args));
  assert_string_equal(args, "producers=4 messages=4000000 payload=1");
  assert_false(harness_question_args(q, "", args, 12));
}

/* ---- lines ---- */

static void a_line_of_the_contract_is_read(void **state) {
  (void)state;
  struct harness_line line;
  assert_true(harness_line_read("{\"metric\":\"m\",\"unit\":\"msg/s\",\"value\":1.23e7}", &line));
  assert_string_equal(line.metric, "m");
  assert_string_equal(line.unit, "msg/s");
  assert_float_equal(line.value, 1.23e7, 0);
  assert_true(harness_line_read("{\"value\": -5, \"unit\": \"%\", \"metric\": \"idle\"}", &line));
  assert_float_equal(line.value, -5, 0);
}

static void anything_else_is_no_line(void **state) {
  (void)state;
  static const char *const lines[] = {
      "",
      "{}",
      "messages 12",
      "{\"metric\":\"m\",\"unit\":\"us\"}",
      "{\"metric\":\"m\",\"value\":1}",
      "{\"metric\":\"m\",\"unit\":\"us\",\"value\":nan}",
      "{\"metric\":\"m\",\"unit\":\"us\",\"value\":1e999}",
      "{\"metric\":\"m\",\"unit\":\"us\",\"value\":12x}",
      "{\"metric\":\"m\",\"unit\":\"us\",\"value\":\"1\"}",
      "{\"metric\":\"\",\"unit\":\"us\",\"value\":1}",
      "{\"metric\":\"m\",\"unit\":\"us\",\"value\":1",
      "{\"metric\":\"a name far longer than any metric of the table\",\"unit\":\"us\",\"value\":1}",
  };
  struct harness_line line;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    if (harness_line_read(lines[i], &line)) fail_msg("read: %s", lines[i]);
  }
}

static void a_figure_that_the_table_does_not_know_is_refused(void **state) {
  (void)state;
  const struct harness_question *q = question("count");
  assert_non_null(harness_results_add(&results, q, "go", "bogus", "msg/s", 1));
  assert_non_null(harness_results_add(&results, q, "go", "messages", "us", 1));
  assert_non_null(harness_results_add(&results, q, "go", "messages", "msg/s", 0));
  assert_int_equal(results.count, 0);
}

/* ---- comparing ---- */

static void the_best_peer_is_the_one_with_the_best_median(void **state) {
  (void)state;
  measured("count", "go", "messages", 10);
  measured("count", "erlang", "messages", 8);
  measured("count", HARNESS_OURS, "messages", 60);
  measured("count", HARNESS_OURS, "one_by_one", 12);
  measured("pingpong", "go", "round_trip", 10);
  measured("pingpong", "erlang", "round_trip", 8);
  measured("pingpong", HARNESS_OURS, "round_trip", 4);
  const struct harness_result *r = ours("count", "messages");
  assert_string_equal(harness_results_best_peer(&results, r->question, r->metric)->system, "go");
  assert_float_equal(harness_results_ratio(&results, r), 6, 1e-9);
  r = ours("count", "one_by_one"); /* the peers' metric has another name */
  assert_float_equal(harness_results_ratio(&results, r), 1.2, 1e-9);
  r = ours("pingpong", "round_trip"); /* less is better */
  assert_string_equal(harness_results_best_peer(&results, r->question, r->metric)->system,
                      "erlang");
  assert_float_equal(harness_results_ratio(&results, r), 2, 1e-9);
}

static void what_our_program_measures_beside_counts_as_the_peers(void **state) {
  (void)state;
  measured("tick_path", HARNESS_OURS, "bare_p50", 65);
  measured("tick_path", HARNESS_OURS, "p50", 80);
  const struct harness_result *r = ours("tick_path", "p50");
  const struct harness_result *peer = harness_results_best_peer(&results, r->question, r->metric);
  assert_non_null(peer);
  assert_string_equal(peer->system, "libwebsockets");
  assert_int_equal(harness_results_verdict(&results, r), HARNESS_KEPT); /* 15 beyond */
}

static void promises_are_kept_at_their_mark_and_broken_beyond(void **state) {
  (void)state;
  measured("count", HARNESS_OURS, "messages", 50);
  assert_int_equal(harness_results_verdict(&results, ours("count", "messages")), HARNESS_UNKNOWN);
  measured("count", "go", "messages", 10);
  assert_int_equal(harness_results_verdict(&results, ours("count", "messages")), HARNESS_KEPT);
  measured("count", HARNESS_OURS, "one_by_one", 12.9);
  assert_int_equal(harness_results_verdict(&results, ours("count", "one_by_one")), HARNESS_BROKEN);
  measured("door", HARNESS_OURS, "single", 3.1);
  assert_int_equal(harness_results_verdict(&results, ours("door", "single")), HARNESS_BROKEN);
  measured("door", HARNESS_OURS, "coalesced_1024", 10e6);
  assert_int_equal(harness_results_verdict(&results, ours("door", "coalesced_1024")), HARNESS_KEPT);
  measured("fanin", HARNESS_OURS, "messages", 100);
  measured("fanin_64", HARNESS_OURS, "messages", 89);
  assert_int_equal(harness_results_verdict(&results, ours("fanin_64", "messages")), HARNESS_BROKEN);
  measured("big", HARNESS_OURS, "messages", 1);
  assert_int_equal(harness_results_verdict(&results, ours("big", "messages")), HARNESS_UNPROMISED);
}

/* ---- reading ---- */

static void figures_have_three_digits_that_count(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *unit, *text;
  } cases[] = {
      {11.6e6, "msg/s", "11.6 M msg/s"}, {0.0523, "us", "0.052 \u00b5s"}, {1010, "B", "1010 B"},
      {13400, "msg/s", "13.4 k msg/s"},  {2.5, "ms", "2.50 ms"},          {-0.027, "%", "-0.027 %"},
      {123456789, "", "123 M"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[HARNESS_FIGURE_MAX];
    harness_figure(text, sizeof text, cases[i].value, cases[i].unit);
    assert_string_equal(text, cases[i].text);
  }
}

static void a_panel_has_peers_and_our_ways_of_sending_the_best_first(void **state) {
  (void)state;
  static struct harness_panel panels[HARNESS_PANELS_MAX];
  measured("count", HARNESS_OURS, "messages", 60);
  measured("count", HARNESS_OURS, "one_by_one", 8);
  measured("count", "go", "messages", 10);
  measured("restart", HARNESS_OURS, "error_p50", 100);
  measured("restart", HARNESS_OURS, "error_p99", 300);
  assert_int_equal(harness_panels_make(&results, panels, HARNESS_PANELS_MAX), 2);
  assert_int_equal(panels[0].count, 3);
  assert_string_equal(panels[0].rows[0].label, "troupe");
  assert_string_equal(panels[0].rows[1].label, "go");
  assert_string_equal(panels[0].rows[2].label, "troupe, one by one");
  assert_true(panels[1].alone);
  assert_string_equal(panels[1].rows[1].label, "error p99");
}

static void an_axis_holds_everything_and_marks_whole_decades(void **state) {
  (void)state;
  static struct harness_panel panels[HARNESS_PANELS_MAX];
  measured("ring", HARNESS_OURS, "hops", 60e6);
  measured("ring", "go", "hops", 1e5);
  assert_int_equal(harness_panels_make(&results, panels, HARNESS_PANELS_MAX), 1);
  struct harness_axis axis = harness_panel_axis(&results, &panels[0]);
  assert_true(axis.low < 5e4 && axis.high > 90e6);
  assert_float_equal(harness_axis_place(&axis, axis.low), 0, 0);
  assert_float_equal(harness_axis_place(&axis, axis.high), 1, 1e-9);
  assert_float_equal(harness_axis_place(&axis, sqrt(axis.low * axis.high)), 0.5, 1e-9);
  size_t marks = 0;
  for (double at = harness_axis_next(&axis, 0); at > 0; at = harness_axis_next(&axis, at)) {
    assert_float_equal(log10(at), round(log10(at)), 1e-9);
    marks++;
  }
  assert_int_equal(marks, 4); /* 100 k, 1 M, 10 M, 100 M */
}

static void lists_have_whole_names(void **state) {
  (void)state;
  assert_true(harness_list_has(NULL, "go"));
  assert_true(harness_list_has("erlang,go", "go"));
  assert_false(harness_list_has("golang,ergo", "go"));
  assert_false(harness_list_has("", "go"));
}

/* ---- running ---- */

static struct harness_run run;

static bool run_shell(const char *script, unsigned timeout_s) {
  char args[HARNESS_PATH_MAX];
  const char *path = process_path("script");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(script, file);
  fclose(file);
  snprintf(args, sizeof args, "%s rounds=7", path);
  bool fine = harness_run_program(
      &(struct harness_command){.program = "/bin/sh", .args = args, .timeout_s = timeout_s}, &run);
  return fine;
}

static void a_program_gets_its_parameters_and_its_lines_are_read(void **state) {
  (void)state;
  assert_true(run_shell("echo '{\"metric\":\"m\",\"unit\":\"us\",\"value\":'${1#rounds=}'}'", 20));
  assert_int_equal(run.count, 1);
  assert_float_equal(run.lines[0].value, 7, 0);
}

static void a_program_that_fails_is_told_by_its_last_words(void **state) {
  (void)state;
  assert_false(run_shell("echo first >&2; echo 'no socket' >&2; exit 3", 20));
  assert_string_equal(run.trouble, "exit status 3: no socket");
  assert_false(run_shell("echo hello", 20));
  assert_string_equal(run.trouble, "not a line of the contract: hello");
  assert_false(run_shell("exit 0", 20));
  assert_string_equal(run.trouble, "said nothing");
}

/* Gone, or dead and not yet buried by whoever inherited it. */
static bool is_dead(long pid) {
  char path[64], state;
  snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  const char *text = process_read(path), *behind = strrchr(text, ')');
  return behind == NULL || sscanf(behind + 1, " %c", &state) != 1 || state == 'Z' || state == 'X';
}

static void a_program_that_hangs_is_ended_with_its_children(void **state) {
  (void)state;
  assert_false(run_shell("sleep 60 & echo $!; sleep 60", 1));
  assert_int_equal(run.status, -1);
  assert_string_equal(run.trouble, "no end within 1 s");
  long child = strtol(run.said, NULL, 10);
  assert_true(child > 1);
  unsigned long until_ms = process_now_ms() + 5000;
  while (!is_dead(child) && process_now_ms() < until_ms) process_nap(5);
  assert_true(is_dead(child));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_median_lies_in_the_middle_whatever_the_order),
      cmocka_unit_test(a_quantile_is_between_its_neighbours_in_proportion),
      cmocka_unit_test_setup(the_statistics_of_a_result_leave_its_runs_in_their_order, forget),
      cmocka_unit_test(the_table_agrees_with_itself),
      cmocka_unit_test(changed_parameters_take_the_place_of_the_tables),
      cmocka_unit_test(a_line_of_the_contract_is_read),
      cmocka_unit_test(anything_else_is_no_line),
      cmocka_unit_test_setup(a_figure_that_the_table_does_not_know_is_refused, forget),
      cmocka_unit_test_setup(the_best_peer_is_the_one_with_the_best_median, forget),
      cmocka_unit_test_setup(what_our_program_measures_beside_counts_as_the_peers, forget),
      cmocka_unit_test_setup(promises_are_kept_at_their_mark_and_broken_beyond, forget),
      cmocka_unit_test(figures_have_three_digits_that_count),
      cmocka_unit_test_setup(a_panel_has_peers_and_our_ways_of_sending_the_best_first, forget),
      cmocka_unit_test_setup(an_axis_holds_everything_and_marks_whole_decades, forget),
      cmocka_unit_test(lists_have_whole_names),
      cmocka_unit_test(a_program_gets_its_parameters_and_its_lines_are_read),
      cmocka_unit_test(a_program_that_fails_is_told_by_its_last_words),
      cmocka_unit_test(a_program_that_hangs_is_ended_with_its_children),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
