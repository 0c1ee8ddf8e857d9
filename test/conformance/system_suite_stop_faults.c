/* system_suite_stop_faults.c - what goes wrong inside a stop is recorded and swept, and the others
 * go on: failures in the stop's turn and in the clean-up, restarts in flight, orders from
 * everywhere. */
#include <stdlib.h>
#include <string.h>

#include "actors/supervisor.h"
#include "runtime/sim.h"
#include "test/conformance/system_suite.h"

enum { CRASH = WORD + 16, STOP_ALL, STOP_NOW, MOMENTS = 40, BUDGET_MS = 1200 };
enum { STARTED, ENDED, HANDLED }; /* of the world's numbers */

struct state {
  struct world *w;
};

static struct world *world_in(void *state) { return ((struct state *)state)->w; }

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  world_in(state)->number[STARTED]++;
  return TRP_OK;
}

/* Passes words on to ref[1], where that is somebody else. */
static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct world *w = world_in(state);
  if (msg->type == CRASH) trp_panic("told to");
  if (msg->type == STOP_ALL) trp_system_stop(trp_self_system(self), "from a turn");
  if (msg->type == STOP_NOW) trp_system_stop_now(trp_self_system(self), "from a turn, at once");
  if (msg->type != WORD) return TRP_OK;
  w->number[HANDLED]++;
  if (trp_ref_is_nobody(w->ref[1]) || trp_ref_equal(trp_self_ref(self), w->ref[1])) return TRP_OK;
  return trp_send(self, w->ref[1], WORD, msg->body, msg->bytes);
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  world_in(state)->number[ENDED]++;
  world_say(world_in(state), "<%s over>", trp_self_name(self));
}

static void panic_in_stop(struct trp_self *self, void *state) {
  (void)self;
  (void)state;
  trp_panic("in the stop's turn");
}

static void panic_in_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  end(self, state, reason);
  trp_panic("in the clean-up");
}

static void stop_in_stop(struct trp_self *self, void *state) {
  (void)state;
  trp_system_stop(trp_self_system(self), "from the stop's turn");
}

static void stop_in_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  end(self, state, reason);
  trp_system_stop(trp_self_system(self), "from the clean-up");
}

static const struct trp_kind plain = {.name = "plain",
                                      .state_bytes = sizeof(struct state),
                                      .start = start,
                                      .receive = receive,
                                      .end = end,
                                      .ready = world_ready};

/* first -> culprit -> last, under no supervisor. */
static void open_line(struct world *w, void **state, const struct trp_kind *culprit) {
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "last", .kind = &plain, .budget_ms = BUDGET_MS});
  world_add(w, &(struct trp_spec){.name = "culprit", .kind = culprit, .budget_ms = BUDGET_MS});
  world_add(w, &(struct trp_spec){.name = "first", .kind = &plain, .budget_ms = BUDGET_MS});
  assert_int_equal(trp_system_edge(w->system, "first", "culprit"), TRP_OK);
  assert_int_equal(trp_system_edge(w->system, "culprit", "last"), TRP_OK);
  world_start(w);
  w->ref[1] = world_find(w, "last");
}

static void expect_line(struct world *w, const struct trp_report *report, const char *culprit) {
  assert_string_equal(world_verdict(report, "culprit")->verdict, culprit);
  assert_string_equal(world_verdict(report, "first")->verdict, "clean");
  assert_string_equal(world_verdict(report, "last")->verdict, "clean");
  assert_int_equal(w->number[STARTED], 3);
  assert_int_equal(w->number[ENDED], 3);
}

/* ---- failures inside the stop ---- */

static void a_crash_in_the_stops_turn_is_recorded_and_the_others_end_cleanly(void **state) {
  static struct trp_kind kind;
  kind = plain;
  static struct world w;
  kind.stop = panic_in_stop;
  open_line(&w, state, &kind);
  const struct trp_report *report = world_stop(&w);
  expect_line(&w, report, "crashed");
  assert_int_equal(report->verdict, TRP_VERDICT_LATE);
  assert_int_equal(trp_verdict_status(report->verdict), 3);
  assert_true(report->elapsed_ns < BUDGET_MS * MS); /* nobody waited for it until its deadline */
  world_close(&w);
}

static void mail_of_who_crashes_in_the_stops_turn_is_dead_and_accounted_for(void **state) {
  static struct trp_kind kind;
  kind = plain;
  static struct world w;
  kind.stop = panic_in_stop;
  open_line(&w, state, &kind);
  world_freeze(&w, "culprit");
  for (uint64_t i = 0; i < 20; i++) world_tell(&w, "culprit", i);
  trp_system_stop(w.system, "now");
  world_await_pill(&w, "culprit");
  world_thaw(&w, "culprit");
  const struct trp_report *report = world_wait(&w);
  expect_line(&w, report, "crashed");
  const struct trp_ledger *ledger = &world_verdict(report, "culprit")->ledger;
  assert_int_equal(ledger->accepted, 20);
  assert_int_equal(ledger->handled + ledger->dead[TRP_LOST_CRASH], 20);
  assert_true(ledger->dead[TRP_LOST_CRASH] > 0);
  world_close(&w);
}

static void a_crash_in_the_clean_up_is_recorded_and_the_others_end_cleanly(void **state) {
  static struct trp_kind kind;
  kind = plain;
  static struct world w;
  kind.end = panic_in_end;
  open_line(&w, state, &kind);
  for (uint64_t i = 0; i < 10; i++) world_tell(&w, "first", i);
  const struct trp_report *report = world_stop(&w);
  expect_line(&w, report, "clean-up failed");
  assert_int_equal(w.number[HANDLED], 20); /* by first and by last: its failure cost no mail */
  assert_int_equal(report->verdict, TRP_VERDICT_LATE);
  assert_int_equal(trp_verdict_status(report->verdict), 3);
  world_close(&w);
}

static void a_crash_in_both_is_told_as_the_first(void **state) {
  static struct trp_kind kind;
  kind = plain;
  static struct world w;
  kind.stop = panic_in_stop;
  kind.end = panic_in_end;
  open_line(&w, state, &kind);
  expect_line(&w, world_stop(&w), "crashed");
  world_close(&w);
}

static void a_crash_while_draining_loses_its_mail_and_holds_nobody(void **state) {
  static struct world w;
  open_line(&w, state, &plain);
  world_freeze(&w, "culprit");
  assert_int_equal(trp_system_send(w.system, world_find(&w, "culprit"), CRASH, NULL, 0), TRP_OK);
  for (uint64_t i = 0; i < 10; i++) world_tell(&w, "culprit", i);
  trp_system_stop(w.system, "now");
  world_await_pill(&w, "culprit");
  world_thaw(&w, "culprit");
  const struct trp_report *report = world_wait(&w);
  assert_string_equal(world_verdict(report, "culprit")->verdict, "crashed");
  assert_int_equal(world_verdict(report, "culprit")->ledger.dead[TRP_LOST_CRASH], 10);
  assert_int_equal(world_verdict(report, "culprit")->ledger.dead[TRP_LOST_IN_HAND], 1);
  assert_string_equal(world_verdict(report, "last")->verdict, "clean");
  world_close(&w);
}

/* ---- orders from everywhere ---- */

static void a_stop_from_a_turn_from_the_stop_and_from_the_clean_up_is_one_stop(void **state) {
  static struct trp_kind kind;
  kind = plain;
  static struct world w;
  kind.stop = stop_in_stop;
  kind.end = stop_in_end;
  open_line(&w, state, &kind);
  assert_int_equal(trp_system_send(w.system, w.ref[1], STOP_ALL, NULL, 0), TRP_OK);
  const struct trp_report *report = world_wait(&w);
  expect_line(&w, report, "clean");
  assert_string_equal(report->reason, "from a turn");
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  trp_system_stop(w.system, "once more");
  trp_system_stop_now(w.system, "and at once");
  world_pass(&w, 5);
  assert_string_equal(trp_system_report(w.system)->reason, "from a turn");
  world_close(&w);
}

static void an_order_to_drop_from_a_turn_ends_a_stop_that_drains(void **state) {
  static struct world w;
  open_line(&w, state, &plain);
  world_freeze(&w, "culprit");
  for (uint64_t i = 0; i < 20; i++) world_tell(&w, "culprit", i);
  assert_int_equal(trp_system_send(w.system, world_find(&w, "first"), STOP_NOW, NULL, 0), TRP_OK);
  trp_system_stop(w.system, "to be drained");
  world_await_cut(&w, "culprit");
  world_thaw(&w, "culprit");
  const struct trp_report *report = world_wait(&w);
  assert_string_equal(world_verdict(report, "culprit")->verdict, "dropped on order");
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_true(world_verdict(report, "culprit")->dropped >= 19);
  world_close(&w);
}

/* ---- restarts in flight ---- */

static const struct trp_supervisor_options supervisor = {.strategy = TRP_ONE_FOR_ONE};

static void open_house(struct world *w, void **state, uint32_t backoff_ms) {
  const struct trp_restart_policy policy = {
      .intensity = 50, .backoff_min_ms = backoff_ms, .backoff_max_ms = backoff_ms};
  const struct trp_spec root = {.name = "root", .kind = &trp_supervisor_kind, .args = &supervisor};
  const struct trp_spec child = {.name = "child",
                                 .kind = &plain,
                                 .supervisor = "root",
                                 .restart = policy,
                                 .budget_ms = BUDGET_MS};
  world_open(w, state);
  world_add(w, &root);
  world_add(w, &child);
  world_start(w);
}

static void crash_child(struct world *w) {
  assert_int_equal(trp_system_send(w->system, world_find(w, "child"), CRASH, NULL, 0), TRP_OK);
}

static void a_restart_that_waits_for_its_backoff_is_cancelled(void **state) {
  static struct world w;
  open_house(&w, state, 3000);
  crash_child(&w);
  while (world_actor(&w, "child").restarts < 1) world_pass(&w, 1); /* the first is at once */
  crash_child(&w);
  while (world_actor(&w, "child").state != TRP_ACTOR_DOWN) world_pass(&w, 1);
  const struct trp_report *report = world_stop(&w);
  assert_string_equal(world_verdict(report, "child")->verdict, "was down");
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_true(report->elapsed_ns < 1000 * MS);
  assert_int_equal(w.number[STARTED], 2);
  assert_int_equal(w.number[ENDED], 2);
  world_close(&w);
}

/* Some moment of a crash and its restart: so many steps, or in real time so many slices. */
static void pass_a_moment(struct world *w, int moment) {
  if (w->sched != TRP_SCHED_SIM) {
    for (volatile int spin = 0; spin < moment * 2000; spin++) continue;
    return;
  }
  for (int i = 0; i < moment; i++) (void)trp_sim_step(w->system);
}

static void a_stop_at_any_moment_of_a_restart_ends_every_life_that_began(void **state) {
  for (int moment = 0; moment < MOMENTS; moment++) {
    static struct world w;
    open_house(&w, state, 1);
    crash_child(&w);
    pass_a_moment(&w, moment);
    const struct trp_report *report = world_stop(&w);
    assert_int_equal(w.number[STARTED], w.number[ENDED]);
    assert_in_range(w.number[STARTED], 1, 2);
    /* Late where it crashed only after the pill. */
    assert_in_range(report->verdict, TRP_VERDICT_CLEAN, TRP_VERDICT_LATE);
    assert_true(report->elapsed_ns < 1000 * MS);
    world_close(&w);
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_crash_in_the_stops_turn_is_recorded_and_the_others_end_cleanly),
    cmocka_unit_test(mail_of_who_crashes_in_the_stops_turn_is_dead_and_accounted_for),
    cmocka_unit_test(a_crash_in_the_clean_up_is_recorded_and_the_others_end_cleanly),
    cmocka_unit_test(a_crash_in_both_is_told_as_the_first),
    cmocka_unit_test(a_crash_while_draining_loses_its_mail_and_holds_nobody),
    cmocka_unit_test(a_stop_from_a_turn_from_the_stop_and_from_the_clean_up_is_one_stop),
    cmocka_unit_test(an_order_to_drop_from_a_turn_ends_a_stop_that_drains),
    cmocka_unit_test(a_restart_that_waits_for_its_backoff_is_cancelled),
    cmocka_unit_test(a_stop_at_any_moment_of_a_restart_ends_every_life_that_began),
};
SUITE(suite_stop_faults, "stop_faults", tests);
