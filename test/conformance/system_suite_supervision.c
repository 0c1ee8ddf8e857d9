/* system_suite_supervision.c - the supervisor and the runtime beneath it: who comes back, after how
 * long, who does not, and when it gives up. */
#include <string.h>

#include "actors/supervisor.h"
#include "test/conformance/system_suite.h"

enum { CRASH = WORD + 16, LEAVE, HOLD, STOP_CHILD };

struct state {
  struct world *w;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  memcpy(state, &args, sizeof args);
  world_say(((struct state *)state)->w, "<%s %llu>", trp_self_name(self),
            (unsigned long long)trp_self_incarnation(self));
  return TRP_OK;
}

static enum trp_err obey(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct world *w = ((struct state *)state)->w;
  if (msg->type == CRASH) trp_panic("on order");
  if (msg->type == LEAVE) trp_exit(self);
  if (msg->type == HOLD) trp_stop_hold(self);
  if (msg->type == HOLD) world_say(w, "<held>");
  if (msg->type == TRP_THREAD_CRASHED) return TRP_GAVE_UP; /* where it is a supervisor itself */
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  world_say(((struct state *)state)->w, "<%s over>", trp_self_name(self));
}

static const struct trp_kind child = {.name = "child",
                                      .state_bytes = sizeof(struct state),
                                      .start = start,
                                      .receive = obey,
                                      .end = end};

static void open_family_for(struct world *w, void **state, struct trp_restart_policy policy,
                            uint32_t budget_ms) {
  static const struct trp_supervisor_options options = {.strategy = TRP_ONE_FOR_ONE};
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "root", .kind = &trp_supervisor_kind, .args = &options});
  world_add(w, &(struct trp_spec){.name = "child",
                                  .kind = &child,
                                  .supervisor = "root",
                                  .restart = policy,
                                  .budget_ms = budget_ms});
  world_start(w);
}

static void open_family(struct world *w, void **state, struct trp_restart_policy policy) {
  open_family_for(w, state, policy, 1500);
}

static void order(struct world *w, const char *name, uint16_t type) {
  assert_int_equal(trp_system_send(w->system, world_find(w, name), type, NULL, 0), TRP_OK);
}

static void await_down(struct world *w, const char *name) {
  for (int i = 0; i < 5000 && world_actor(w, name).state != TRP_ACTOR_DOWN; i++) world_pass(w, 1);
  assert_int_equal(world_actor(w, name).state, TRP_ACTOR_DOWN);
}

static void the_first_restart_is_at_once_and_later_ones_wait_longer(void **state) {
  static struct world w;
  open_family(
      &w, state,
      (struct trp_restart_policy){.intensity = 9, .backoff_min_ms = 40, .backoff_max_ms = 80});
  uint64_t waited[4];
  char born[] = "<child 2>";
  for (int i = 0; i < 4; i++, born[7]++) {
    uint64_t before = trp_system_now_ns(w.system);
    order(&w, "child", CRASH);
    world_await(&w, born);
    waited[i] = trp_system_now_ns(w.system) - before;
  }
  if (*(enum trp_sched_kind *)*state == TRP_SCHED_SIM) assert_true(waited[0] <= 2 * MS);
  for (int i = 1; i < 4; i++) assert_true(waited[i] >= (i == 1 ? 20 : 40) * MS);
  assert_int_equal(world_actor(&w, "child").restarts, 4);
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static void too_many_crashes_in_the_window_are_given_up_and_the_root_stops_all(void **state) {
  static struct world w;
  open_family(
      &w, state,
      (struct trp_restart_policy){.intensity = 2, .backoff_min_ms = 1, .backoff_max_ms = 1});
  order(&w, "child", CRASH);
  world_await(&w, "<child 2>");
  order(&w, "child", CRASH);
  world_await(&w, "<child 3>");
  order(&w, "child", CRASH);
  const struct trp_report *report = world_wait(&w);
  assert_int_equal(report->verdict, TRP_VERDICT_GAVE_UP);
  assert_string_equal(report->reason, "root root crashed");
  assert_false(world_said(&w, "<child 4>"));
  world_close(&w);
}

static void a_temporary_child_is_never_restarted(void **state) {
  static struct world w;
  open_family(&w, state, (struct trp_restart_policy){.restart = TRP_TEMPORARY});
  order(&w, "child", CRASH);
  await_down(&w, "child");
  world_pass(&w, 20);
  assert_false(world_said(&w, "<child 2>"));
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static void a_transient_child_comes_back_from_a_crash_but_not_from_its_end(void **state) {
  static struct world w;
  open_family(&w, state, (struct trp_restart_policy){.restart = TRP_TRANSIENT});
  order(&w, "child", CRASH);
  world_await(&w, "<child 2>");
  order(&w, "child", LEAVE);
  await_down(&w, "child");
  world_pass(&w, 20);
  assert_false(world_said(&w, "<child 3>"));
  world_stop(&w);
  world_close(&w);
}

static void a_permanent_child_comes_back_from_its_end_too(void **state) {
  static struct world w;
  open_family(&w, state, (struct trp_restart_policy){.restart = TRP_PERMANENT});
  order(&w, "child", LEAVE);
  world_await(&w, "<child 2>");
  world_stop(&w);
  world_close(&w);
}

static void the_old_incarnation_is_over_before_the_new_one_begins(void **state) {
  static struct world w;
  open_family(&w, state, (struct trp_restart_policy){.restart = TRP_PERMANENT});
  order(&w, "child", CRASH);
  world_await(&w, "<child 2>");
  assert_true(world_place(&w, "<child over>") < world_place(&w, "<child 2>"));
  world_stop(&w);
  world_close(&w);
}

/* ---- a family of three generations ---- */

static void a_middle_supervisor_that_gives_up_is_restarted_and_hears_of_its_children(void **state) {
  static struct world w;
  world_open(&w, state);
  static const struct trp_supervisor_options options = {.strategy = TRP_ONE_FOR_ONE};
  world_add_parent(
      &w, &(struct trp_spec){.name = "root", .kind = &trp_supervisor_kind, .args = &options});
  world_add_parent(
      &w, &(struct trp_spec){
              .name = "middle", .kind = &child, .supervisor = "root", .restart = {.intensity = 1}});
  world_add(&w, &(struct trp_spec){.name = "leaf", .kind = &child, .supervisor = "middle"});
  world_start(&w);
  order(&w, "leaf", CRASH); /* the middle one gives up whenever it hears of it: a vicious circle */
  const struct trp_report *report = world_wait(&w);
  assert_int_equal(report->verdict, TRP_VERDICT_GAVE_UP);
  assert_true(world_said(&w, "<middle 2>"));
  assert_false(world_said(&w, "<middle 3>"));
  assert_false(world_said(&w, "<leaf 2>"));
  world_close(&w);
}

/* An engine of a kind: it writes down whose crash it was told of. */
static enum trp_err listen(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  const struct trp_thread_crashed *crashed = trp_msg_thread_crashed(msg);
  if (crashed == NULL) return TRP_OK;
  world_say(((struct state *)state)->w, "<told of %s %llu>", crashed->name,
            (unsigned long long)crashed->incarnation);
  return TRP_OK;
}

static void a_crash_is_told_once_though_its_supervisor_gives_up_over_it(void **state) {
  static const struct trp_kind listener = {
      .name = "listener", .state_bytes = sizeof(struct state), .start = start, .receive = listen};
  static const struct trp_supervisor_options options = {.events = "engine"};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &trp_supervisor_kind, .args = &options});
  world_add(&w, &(struct trp_spec){.name = "engine", .kind = &listener, .supervisor = "root"});
  world_add(
      &w,
      &(struct trp_spec){
          .name = "middle", .kind = &trp_supervisor_kind, .args = &options, .supervisor = "root"});
  world_add(
      &w, &(struct trp_spec){
              .name = "leaf", .kind = &child, .supervisor = "middle", .restart = {.intensity = 1}});
  world_start(&w);
  order(&w, "leaf", CRASH);
  world_await(&w, "<leaf 2>");
  order(&w, "leaf", CRASH); /* too often: the middle one tells it, gives up, and hears it again */
  world_await(&w, "<leaf 3>");
  world_await(&w, "<told of middle 1>");
  order(&w, "leaf", CRASH);
  world_await(&w, "<told of leaf 3>");
  assert_int_equal(world_count(&w, "<told of leaf 1>"), 1);
  assert_int_equal(world_count(&w, "<told of leaf 2>"), 1);
  world_stop(&w);
  world_close(&w);
}

/* ---- orders ---- */

static enum trp_err command(struct world *w, const char *verb, uint64_t timeout_ns) {
  struct trp_child_command order = {.verb = ""};
  strcpy(order.verb, verb);
  strcpy(order.name, "child");
  uint16_t type = 0;
  struct trp_result result = {.status = TRP_PANIC};
  size_t bytes = sizeof result;
  enum trp_err err = trp_system_ask(w->system, world_find(w, "root"), TRP_CHILD_COMMAND, &order,
                                    sizeof order, timeout_ns, &type, &result, &bytes);
  return err != TRP_OK ? err : (enum trp_err)result.status;
}

static void the_crash_of_a_spawned_child_is_told_and_hurts_nobody(void **state) {
  static struct world w;
  open_family(&w, state, (struct trp_restart_policy){.restart = TRP_PERMANENT});
  struct trp_spec spec = {.name = "guest",
                          .kind = &child,
                          .args = &w,
                          .placement = TRP_POOL,
                          .restart = {.restart = TRP_TEMPORARY}};
  struct trp_ref guest;
  assert_int_equal(trp_system_spawn(w.system, &spec, &guest), TRP_OK);
  world_await(&w, "<guest 1>");
  assert_int_equal(trp_system_send(w.system, guest, CRASH, NULL, 0), TRP_OK);
  world_await(&w, "<guest over>");
  world_pass(&w, 10);
  assert_int_equal(world_actor(&w, "root").incarnation, 1);
  assert_int_equal(command(&w, "restart", TRP_NS_PER_S), TRP_OK); /* it minds its business */
  world_stop(&w);
  world_close(&w);
}

static void a_child_is_stopped_and_restarted_on_order(void **state) {
  static struct world w;
  open_family(&w, state, (struct trp_restart_policy){.restart = TRP_PERMANENT});
  assert_int_equal(command(&w, "stop", TRP_NS_PER_S), TRP_OK);
  assert_int_equal(world_actor(&w, "child").state, TRP_ACTOR_DOWN);
  assert_int_equal(command(&w, "stop", TRP_NS_PER_S), TRP_WRONG_STATE);
  assert_int_equal(command(&w, "restart", TRP_NS_PER_S), TRP_OK);
  assert_true(world_said(&w, "<child 2>"));
  assert_int_equal(command(&w, "restart", TRP_NS_PER_S), TRP_OK);
  assert_true(world_said(&w, "<child 3>"));
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static void a_child_that_does_not_stop_on_order_is_cut_short_within_its_budget(void **state) {
  enum { SHORT_MS = 200 };
  static struct world w;
  open_family_for(&w, state, (struct trp_restart_policy){.restart = TRP_PERMANENT}, SHORT_MS);
  order(&w, "child", HOLD);
  world_await(&w, "<held>");
  uint64_t before = trp_system_now_ns(w.system);
  assert_int_equal(command(&w, "stop", 2 * TRP_NS_PER_S), TRP_OK);
  assert_true(trp_system_now_ns(w.system) - before >= (SHORT_MS - 1) * MS);
  assert_true(world_said(&w, "<child over>"));
  world_stop(&w);
  world_close(&w);
}

static void a_stop_of_all_overtakes_the_stop_of_one(void **state) {
  static struct world w;
  open_family(&w, state, (struct trp_restart_policy){.restart = TRP_PERMANENT});
  struct trp_child_command order = {.verb = "stop", .name = "child"};
  assert_int_equal(
      trp_system_send(w.system, world_find(&w, "root"), TRP_CHILD_COMMAND, &order, sizeof order),
      TRP_OK);
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_restart_is_at_once_and_later_ones_wait_longer),
    cmocka_unit_test(too_many_crashes_in_the_window_are_given_up_and_the_root_stops_all),
    cmocka_unit_test(a_temporary_child_is_never_restarted),
    cmocka_unit_test(a_transient_child_comes_back_from_a_crash_but_not_from_its_end),
    cmocka_unit_test(a_permanent_child_comes_back_from_its_end_too),
    cmocka_unit_test(the_old_incarnation_is_over_before_the_new_one_begins),
    cmocka_unit_test(a_middle_supervisor_that_gives_up_is_restarted_and_hears_of_its_children),
    cmocka_unit_test(a_crash_is_told_once_though_its_supervisor_gives_up_over_it),
    cmocka_unit_test(the_crash_of_a_spawned_child_is_told_and_hurts_nobody),
    cmocka_unit_test(a_child_is_stopped_and_restarted_on_order),
    cmocka_unit_test(a_child_that_does_not_stop_on_order_is_cut_short_within_its_budget),
    cmocka_unit_test(a_stop_of_all_overtakes_the_stop_of_one),
};
SUITE(suite_supervision, "supervision", tests);
