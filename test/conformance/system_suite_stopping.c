/* system_suite_stopping.c - the stop follows the graph, loses nothing it need not, and ends by its
 * deadline. */
#include <string.h>

#include "actors/supervisor.h"
#include "test/conformance/system_suite.h"

enum { HOPS = 200, BUDGET_MS = 1500, SHORT_MS = 400, HOLD = WORD + 16, LINK, UNLINK, LEAVE };

struct state {
  struct world *w;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  return TRP_OK;
}

static struct world *world_in(void *state) { return ((struct state *)state)->w; }

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  world_say(world_in(state), "<%s over>", trp_self_name(self));
}

/* Passes each number on to ref[1], where it is not the last. */
static enum trp_err pass_on(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct world *w = world_in(state);
  if (msg->type == HOLD) trp_stop_hold(self);
  if (msg->type == LINK) return trp_edge_add(self, trp_self_ref(self), w->ref[1]);
  if (msg->type == UNLINK) trp_edge_remove(self, trp_self_ref(self), w->ref[1]);
  if (msg->type == LEAVE) trp_exit(self);
  if (msg->type != WORD) return TRP_OK;
  w->number[0]++;
  if (trp_ref_equal(trp_self_ref(self), w->ref[1])) return TRP_OK;
  enum trp_err err = trp_send(self, w->ref[1], WORD, msg->body, msg->bytes);
  if (err != TRP_OK) world_say(w, "<not passed on: %s>", trp_err_name(err));
  return TRP_OK;
}

static const struct trp_kind passer = {.name = "passer",
                                       .state_bytes = sizeof(struct state),
                                       .start = start,
                                       .receive = pass_on,
                                       .end = end,
                                       .ready = world_ready};

static void open_line_for(struct world *w, void **state, bool declared, uint32_t budget_ms) {
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "last", .kind = &passer, .budget_ms = budget_ms});
  world_add(w, &(struct trp_spec){.name = "first", .kind = &passer, .budget_ms = budget_ms});
  if (declared) assert_int_equal(trp_system_edge(w->system, "first", "last"), TRP_OK);
  world_start(w);
  w->ref[1] = world_find(w, "last");
}

static void open_line(struct world *w, void **state, bool declared) {
  open_line_for(w, state, declared, BUDGET_MS);
}

static void order(struct world *w, const char *name, uint16_t type) {
  assert_int_equal(trp_system_send(w->system, world_find(w, name), type, NULL, 0), TRP_OK);
}

static void what_was_sent_before_the_stop_is_handled_to_the_end_of_the_line(void **state) {
  static struct world w;
  open_line(&w, state, true);
  world_freeze(&w, "first");
  for (uint64_t i = 0; i < 50; i++) world_tell(&w, "first", i);
  trp_system_stop(w.system, "now");
  world_await_pill(&w, "first");
  world_thaw(&w, "first");
  const struct trp_report *report = world_stop(&w);
  assert_int_equal(w.number[0], 100);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_in_range(world_verdict(report, "first")->drained, 49, 50); /* one before it looks up */
  assert_int_equal(world_verdict(report, "last")->drained, 50);
  assert_true(world_place(&w, "<first over>") < world_place(&w, "<last over>"));
  assert_string_equal(report->reason, "now");
  world_close(&w);
}

static void the_doors_close_to_the_outside_at_once(void **state) {
  static struct world w;
  open_line_for(&w, state, true, SHORT_MS);
  order(&w, "first", HOLD);
  world_await_handled(&w, "first", 1);
  trp_system_stop(w.system, "now");
  trp_system_stop(w.system, "again");
  world_await_pill(&w, "last");
  uint64_t x = 1;
  assert_int_equal(trp_system_send(w.system, w.ref[1], WORD, &x, sizeof x), TRP_STOPPED);
  assert_string_equal(trp_system_state(w.system), "stopping");
  const struct trp_report *report = world_wait(&w);
  assert_int_equal(report->ledger.refused[TRP_REFUSED_STOPPED], 1);
  assert_string_equal(report->reason, "now");
  world_close(&w);
}

static void who_holds_is_cut_short_at_its_deadline_and_the_next_is_not_late_for_it(void **state) {
  static struct world w;
  open_line_for(&w, state, true, SHORT_MS);
  order(&w, "first", HOLD);
  world_await_handled(&w, "first", 1);
  const struct trp_report *report = world_stop(&w);
  assert_string_equal(world_verdict(report, "first")->verdict, "late");
  assert_string_equal(world_verdict(report, "last")->verdict, "clean");
  assert_int_equal(report->verdict, TRP_VERDICT_LATE);
  assert_true(report->elapsed_ns >= SHORT_MS * MS);
  world_close(&w);
}

static void stopping_now_drops_what_waits_and_counts_it(void **state) {
  static struct world w;
  open_line(&w, state, true);
  world_freeze(&w, "first");
  for (uint64_t i = 0; i < 50; i++) world_tell(&w, "first", i);
  trp_system_stop_now(w.system, "at once");
  world_await_cut(&w, "first");
  world_thaw(&w, "first");
  const struct trp_report *report = world_wait(&w);
  assert_string_equal(world_verdict(report, "first")->verdict, "dropped on order");
  assert_in_range(world_verdict(report, "first")->dropped, 49, 50); /* one before it looks up */
  assert_in_range(report->ledger.dead[TRP_LOST_DEADLINE], 49, 51);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

/* ---- holding ---- */

static void hold_and_close(struct trp_self *self, void *state) {
  world_say(world_in(state), "<stop>");
  trp_stop_hold(self);
}

static enum trp_err release_when_told(struct trp_self *self, void *state) {
  world_say(world_in(state), "<released, %s deadline>",
            trp_stop_deadline_ns(self) != TRP_FOREVER ? "with" : "without");
  trp_stop_release(self);
  return TRP_OK;
}

static void a_held_actor_closes_when_it_is_released(void **state) {
  static const struct trp_kind holder = {.name = "holder",
                                         .state_bytes = sizeof(struct state),
                                         .start = start,
                                         .receive = pass_on,
                                         .ready = release_when_told,
                                         .stop = hold_and_close,
                                         .end = end};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "holder", .kind = &holder});
  world_start(&w);
  struct trp_ref holding = world_find(&w, "holder");
  trp_system_stop(w.system, "now");
  world_await(&w, "<stop>");
  world_pass(&w, 20);
  assert_false(world_said(&w, "<holder over>"));
  assert_int_equal(world_actor(&w, "holder").state, TRP_ACTOR_DRAINING);
  trp_notify(w.system, holding);
  assert_int_equal(world_wait(&w)->verdict, TRP_VERDICT_CLEAN);
  assert_true(world_said(&w, "<released, with deadline>"));
  world_close(&w);
}

/* ---- edges made while running ---- */

static void a_subscription_is_an_edge(void **state) {
  static struct world w;
  open_line(&w, state, false);
  order(&w, "first", LINK);
  world_await_handled(&w, "first", 1);
  world_freeze(&w, "first");
  for (uint64_t i = 0; i < 20; i++) world_tell(&w, "first", i);
  trp_system_stop(w.system, "now");
  world_await_pill(&w, "first");
  world_thaw(&w, "first");
  world_stop(&w);
  assert_int_equal(w.number[0], 40);
  assert_true(world_place(&w, "<first over>") < world_place(&w, "<last over>"));
  world_close(&w);
}

static void an_edge_taken_back_holds_nobody(void **state) {
  static struct world w;
  open_line(&w, state, false);
  order(&w, "first", LINK);
  order(&w, "first", LINK);
  order(&w, "first", UNLINK);
  order(&w, "first", UNLINK);
  world_await_handled(&w, "first", 4);
  world_freeze(&w, "first");
  trp_system_stop(w.system, "now");
  world_await(&w, "<last over>");
  world_thaw(&w, "first");
  world_stop(&w);
  world_close(&w);
}

static void an_edge_ends_with_the_life_that_made_it(void **state) {
  static const struct trp_supervisor_options options = {.strategy = TRP_ONE_FOR_ONE};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &trp_supervisor_kind, .args = &options});
  world_add(&w, &(struct trp_spec){.name = "last", .kind = &passer});
  world_add(&w, &(struct trp_spec){.name = "first", .kind = &passer, .supervisor = "root"});
  world_start(&w);
  w.ref[1] = world_find(&w, "last");
  order(&w, "first", LINK);
  order(&w, "first", LEAVE);
  while (world_actor(&w, "first").restarts == 0) world_pass(&w, 1);
  world_freeze(&w, "first");
  trp_system_stop(w.system, "now");
  world_await(&w, "<last over>"); /* it does not wait for who no longer sends to it */
  world_thaw(&w, "first");
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

/* ---- cycles ---- */

/* Sends a number, one less, round the ring: ref[0] to ref[2]. */
static enum trp_err round_the_ring(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct world *w = world_in(state);
  uint64_t left = word_of(msg);
  w->number[0]++;
  if (left == 0) return TRP_OK;
  left--;
  size_t i = 0;
  while (!trp_ref_equal(w->ref[i], trp_self_ref(self))) i++;
  enum trp_err err = trp_send(self, w->ref[(i + 1) % 3], WORD, &left, sizeof left);
  if (err != TRP_OK) world_say(w, "<lost: %s>", trp_err_name(err));
  return TRP_OK;
}

static void a_cycle_closes_together_when_nothing_goes_round_in_it_any_more(void **state) {
  static const char *const names[] = {"a", "b", "c"};
  static const struct trp_kind ring = {.name = "ring",
                                       .state_bytes = sizeof(struct state),
                                       .start = start,
                                       .receive = round_the_ring,
                                       .end = end};
  static struct world w;
  world_open(&w, state);
  for (int i = 0; i < 3; i++) world_add(&w, &(struct trp_spec){.name = names[i], .kind = &ring});
  for (int i = 0; i < 3; i++) {
    assert_int_equal(trp_system_edge(w.system, names[i], names[(i + 1) % 3]), TRP_OK);
  }
  world_start(&w);
  for (int i = 0; i < 3; i++) w.ref[i] = world_find(&w, names[i]);
  for (int i = 0; i < 3; i++) world_tell(&w, names[i], HOPS);
  const struct trp_report *report = world_stop(&w);
  assert_int_equal(w.number[0], 3 * (HOPS + 1));
  assert_int_equal(report->ledger.handled, 3 * (HOPS + 1));
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_false(world_said(&w, "<lost"));
  world_close(&w);
}

/* ---- before and while starting ---- */

static void a_stop_before_the_start_is_latched(void **state) {
  static struct world w;
  char failure[64] = "untouched";
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "never", .kind = &passer});
  trp_system_stop(w.system, "early");
  assert_int_equal(trp_system_start(w.system, failure, sizeof failure), TRP_STOPPED);
  assert_string_equal(failure, "");
  assert_string_equal(world_verdict(world_wait(&w), "never")->verdict, "not started");
  world_close(&w);
}

static enum trp_err stop_all(struct trp_self *self, void *state, const void *args) {
  start(self, state, args);
  trp_system_stop(trp_self_system(self), "from a start");
  return TRP_OK;
}

static void a_stop_from_inside_a_start_unwinds_in_reverse(void **state) {
  static const struct trp_kind stopper = {.name = "stopper",
                                          .state_bytes = sizeof(struct state),
                                          .start = stop_all,
                                          .receive = pass_on,
                                          .end = end};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "one", .kind = &passer});
  world_add(&w, &(struct trp_spec){.name = "two", .kind = &passer});
  world_add(&w, &(struct trp_spec){.name = "three", .kind = &stopper});
  world_add(&w, &(struct trp_spec){.name = "four", .kind = &passer});
  assert_int_equal(trp_system_start(w.system, NULL, 0), TRP_STOPPED);
  const struct trp_report *report = world_wait(&w);
  assert_string_equal(w.diary, "<three over><two over><one over>");
  assert_string_equal(world_verdict(report, "four")->verdict, "not started");
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static void a_system_without_actors_starts_and_stops(void **state) {
  static struct world w;
  world_open(&w, state);
  world_start(&w);
  assert_int_equal(trp_system_start(w.system, NULL, 0), TRP_WRONG_STATE);
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static void destroying_stops(void **state) {
  static struct world w;
  open_line(&w, state, true);
  for (uint64_t i = 0; i < 50; i++) world_tell(&w, "first", i);
  world_close(&w);
  assert_non_null(strstr(w.diary, "<first over><last over>"));
  assert_int_equal(w.number[0], 100);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_sent_before_the_stop_is_handled_to_the_end_of_the_line),
    cmocka_unit_test(the_doors_close_to_the_outside_at_once),
    cmocka_unit_test(who_holds_is_cut_short_at_its_deadline_and_the_next_is_not_late_for_it),
    cmocka_unit_test(stopping_now_drops_what_waits_and_counts_it),
    cmocka_unit_test(a_held_actor_closes_when_it_is_released),
    cmocka_unit_test(a_subscription_is_an_edge),
    cmocka_unit_test(an_edge_taken_back_holds_nobody),
    cmocka_unit_test(an_edge_ends_with_the_life_that_made_it),
    cmocka_unit_test(a_cycle_closes_together_when_nothing_goes_round_in_it_any_more),
    cmocka_unit_test(a_stop_before_the_start_is_latched),
    cmocka_unit_test(a_stop_from_inside_a_start_unwinds_in_reverse),
    cmocka_unit_test(a_system_without_actors_starts_and_stops),
    cmocka_unit_test(destroying_stops),
};
SUITE(suite_stopping, "stopping", tests);
