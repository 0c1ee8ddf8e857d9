/* system_suite_lives.c - how a life ends: by panic, error or failed CHECK in every function of a
 * kind, by trp_exit, by the pill; and that end() runs once for each start. */
#include <string.h>

#include "test/conformance/system_suite.h"

enum how { FINE, PANICS, CHECKS, FAILS, LEAVES };
enum where { START, RECEIVE, READY, STOP, END };

enum also { SECOND_START_FAILS = 1, FIRST_END_PANICS = 2 };

/* number[0]: where, number[1]: how, number[2]: in which incarnation; number[3]: what also. */
struct state {
  struct world *w;
};

/* Not inlined: its name is looked for in the stack. */
__attribute__((noinline)) static enum trp_err misbehave(struct trp_self *self, struct world *w,
                                                        enum where where) {
  static const char *const names[] = {"start", "receive", "ready", "stop", "end"};
  world_say(w, "<%s %llu>", names[where], (unsigned long long)trp_self_incarnation(self));
  uint64_t also = w->number[3], incarnation = trp_self_incarnation(self);
  if (where == START && incarnation == 2 && (also & SECOND_START_FAILS)) return TRP_PROTOCOL;
  if (where == END && incarnation == 1 && (also & FIRST_END_PANICS)) trp_panic("panic in end");
  if (w->number[0] != where || w->number[2] != incarnation) return TRP_OK;
  switch ((enum how)w->number[1]) {
    case FINE:
      break;
    case PANICS:
      trp_panic("panic in %s", names[where]);
    case CHECKS:
      CHECK(where > END);
      break;
    case FAILS:
      return TRP_PROTOCOL;
    case LEAVES:
      trp_exit(self);
      break;
  }
  return TRP_OK;
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct state *s = state;
  memcpy(&s->w, &args, sizeof args);
  return misbehave(self, s->w, START);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)msg;
  return misbehave(self, ((struct state *)state)->w, RECEIVE);
}

static enum trp_err ready(struct trp_self *self, void *state) {
  return misbehave(self, ((struct state *)state)->w, READY);
}

static void stop(struct trp_self *self, void *state) {
  (void)misbehave(self, ((struct state *)state)->w, STOP);
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  static const char *const names[] = {"stopped", "exited", "crashed"};
  struct world *w = ((struct state *)state)->w;
  world_say(w, "<%s>", names[reason]);
  (void)misbehave(self, w, END);
}

static const struct trp_kind fragile = {.name = "fragile",
                                        .state_bytes = sizeof(struct state),
                                        .start = start,
                                        .receive = receive,
                                        .ready = ready,
                                        .stop = stop,
                                        .end = end};

/* Its supervisor tells what it hears, and restarts it once. */
static enum trp_err supervise(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  const struct trp_thread_crashed *crashed = trp_msg_thread_crashed(msg);
  if (msg->type == TRP_CHILD_STARTED) world_say(s->w, "<child started>");
  if (msg->type == TRP_CHILD_ENDED) world_say(s->w, "<child ended>");
  if (crashed == NULL) return TRP_OK;
  world_say(s->w, "<crashed %s %llu cause=%u %s lost=%llu>", crashed->name,
            (unsigned long long)crashed->incarnation, crashed->cause, crashed->reason,
            (unsigned long long)crashed->lost);
  bool inside = crashed->cause == TRP_CAUSE_PANIC; /* an error leaves the function before */
  if (crashed->stack[0] == '\0') world_say(s->w, "<no stack>");
  if (inside && strstr(crashed->stack, "misbehave") == NULL) world_say(s->w, "<no stack>");
  if (crashed->incarnation > 1) return TRP_OK;
  return trp_child_restart(self, (struct trp_ref){crashed->ref});
}

static enum trp_err start_supervising(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  return TRP_OK;
}

static const struct trp_kind supervisor = {.name = "supervisor",
                                           .never_pooled = true,
                                           .state_bytes = sizeof(struct state),
                                           .start = start_supervising,
                                           .receive = supervise};

static void open_family(struct world *w, void **state, enum where where, enum how how,
                        uint64_t incarnation) {
  world_open(w, state);
  w->number[0] = where;
  w->number[1] = how;
  w->number[2] = incarnation;
  world_add(w, &(struct trp_spec){.name = "parent", .kind = &supervisor});
  world_add(w, &(struct trp_spec){.name = "child", .kind = &fragile, .supervisor = "parent"});
}

static void provoke(struct world *w, enum where where) {
  if (where == RECEIVE) world_tell(w, "child", 1);
  if (where == READY) trp_notify(w->system, world_find(w, "child"));
}

static void crash_and_return(void **state, enum where where, enum how how, const char *told) {
  static struct world w;
  open_family(&w, state, where, how, 1);
  world_start(&w);
  provoke(&w, where);
  world_await(&w, told);
  world_await(&w, "<start 2>");
  struct trp_ref old = {world_find(&w, "child").bits - 1};
  uint64_t x = 1;
  assert_int_equal(trp_system_send(w.system, old, WORD, &x, sizeof x), TRP_DEAD);
  world_tell(&w, "child", 1);
  world_await(&w, "<receive 2>");
  world_stop(&w);
  assert_false(world_said(&w, "<no stack>"));
  assert_int_equal(world_count(&w, "<end 1>"), 1);
  assert_int_equal(world_count(&w, "<end 2>"), 1);
  assert_true(world_place(&w, "<crashed><end 1>") < world_place(&w, "<start 2>"));
  assert_int_equal(world_actor(&w, "child").restarts, 1);
  world_close(&w);
}

static void a_panic_in_receive_is_a_crash(void **state) {
  crash_and_return(state, RECEIVE, PANICS, "<crashed child 1 cause=2 panic in receive lost=1>");
}

static void a_failed_check_in_receive_is_a_crash(void **state) {
  crash_and_return(state, RECEIVE, CHECKS, "<crashed child 1 cause=2 CHECK(where > END) failed");
}

static void an_error_from_receive_is_a_crash(void **state) {
  crash_and_return(state, RECEIVE, FAILS,
                   "<crashed child 1 cause=1 the other side broke the protocol lost=1>");
}

static void a_panic_in_ready_is_a_crash(void **state) {
  crash_and_return(state, READY, PANICS, "<crashed child 1 cause=2 panic in ready lost=0>");
}

static void an_error_from_ready_is_a_crash(void **state) {
  crash_and_return(state, READY, FAILS, "<crashed child 1 cause=1");
}

/* ---- start ---- */

static void fail_first_start(void **state, enum how how, const char *why) {
  static struct world w;
  char failure[256];
  open_family(&w, state, START, how, 1);
  assert_int_equal(trp_system_start(w.system, failure, sizeof failure), TRP_START_FAILED);
  assert_non_null(strstr(failure, "child"));
  assert_non_null(strstr(failure, why));
  const struct trp_report *report = world_wait(&w);
  assert_string_equal(world_verdict(report, "child")->verdict, "failed to start");
  assert_string_equal(world_verdict(report, "parent")->verdict, "clean");
  assert_int_equal(world_count(&w, "<end 1>"), 1);
  assert_int_equal(world_count(&w, "<crashed>"), 1);
  world_close(&w);
}

static void an_error_from_the_first_start_unwinds_the_system(void **state) {
  fail_first_start(state, FAILS, "broke the protocol");
}

static void a_panic_in_the_first_start_unwinds_the_system(void **state) {
  fail_first_start(state, PANICS, "panic in start");
}

static void a_restart_that_fails_is_told_to_the_supervisor(void **state) {
  static struct world w;
  open_family(&w, state, RECEIVE, PANICS, 1);
  w.number[3] = SECOND_START_FAILS;
  world_start(&w);
  world_tell(&w, "child", 1);
  world_await(&w, "<crashed child 2 cause=5 the other side broke the protocol");
  assert_int_equal(world_count(&w, "<child started>"), 1);
  assert_int_equal(world_count(&w, "<end 2>"), 1);
  assert_int_equal(world_actor(&w, "child").state, TRP_ACTOR_DOWN);
  world_stop(&w);
  world_close(&w);
}

/* ---- stop and end ---- */

static void crash_at_the_end(void **state, enum where where, enum how how, const char *verdict) {
  static struct world w;
  open_family(&w, state, where, how, 1);
  world_start(&w);
  const struct trp_report *report = world_stop(&w);
  assert_string_equal(world_verdict(report, "child")->verdict, verdict);
  assert_string_equal(world_verdict(report, "parent")->verdict, "clean");
  assert_int_equal(report->verdict, TRP_VERDICT_LATE);
  assert_int_equal(world_count(&w, "<end 1>"), 1);
  assert_int_equal(world_count(&w, "<stop 1>"), 1);
  world_close(&w);
}

static void a_panic_in_stop_is_recorded_and_the_others_go_on(void **state) {
  crash_at_the_end(state, STOP, PANICS, "crashed");
}

static void a_panic_in_end_is_recorded_and_the_others_go_on(void **state) {
  crash_at_the_end(state, END, PANICS, "clean-up failed");
}

static void a_panic_in_end_does_not_hide_the_crash_before_it(void **state) {
  static struct world w;
  open_family(&w, state, RECEIVE, PANICS, 1);
  w.number[3] = FIRST_END_PANICS;
  world_start(&w);
  world_tell(&w, "child", 1);
  world_await(&w, "<start 2>");
  assert_true(world_said(&w, "<crashed child 1 cause=2 panic in receive"));
  assert_int_equal(world_count(&w, "<end 1>"), 1);
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

/* ---- leaving ---- */

static enum trp_err leave(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct world *w = ((struct state *)state)->w;
  world_say(w, "<turn %u>", msg->type);
  if (msg->type == WORD) {
    for (int i = 0; i < 3; i++) {
      enum trp_err err = trp_timer_start(self, 0, 0, 0, NULL);
      if (err != TRP_OK) return err;
    }
  }
  if (msg->type == TRP_TIMER) trp_exit(self);
  return TRP_OK;
}

static void who_leaves_takes_no_turn_more(void **state) {
  static const struct trp_kind leaver = {.name = "leaver",
                                         .state_bytes = sizeof(struct state),
                                         .start = start,
                                         .receive = leave,
                                         .end = end};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "parent", .kind = &supervisor});
  world_add(&w, &(struct trp_spec){.name = "leaver", .kind = &leaver, .supervisor = "parent"});
  world_start(&w);
  world_tell(&w, "leaver", 1);
  world_await(&w, "<child ended>");
  assert_int_equal(world_count(&w, "<turn 1>"), 1);
  assert_int_equal(world_count(&w, "<exited><end 1>"), 1);
  uint64_t x = 1;
  struct trp_ref old = world_actor(&w, "leaver").ref;
  assert_int_equal(trp_system_send(w.system, old, WORD, &x, sizeof x), TRP_DEAD);
  assert_true(trp_ref_is_nobody(world_find(&w, "leaver")));
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static void a_roots_normal_end_is_a_stop_without_blame(void **state) {
  static struct world w;
  open_family(&w, state, RECEIVE, LEAVES, 1);
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &fragile});
  world_start(&w);
  world_tell(&w, "root", 1);
  const struct trp_report *report = world_wait(&w);
  assert_string_equal(report->reason, "root root ended");
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static void a_roots_crash_is_a_stop_with_an_account(void **state) {
  static struct world w;
  open_family(&w, state, RECEIVE, PANICS, 1);
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &fragile});
  world_start(&w);
  world_tell(&w, "root", 1);
  const struct trp_report *report = world_wait(&w);
  assert_string_equal(report->reason, "root root crashed");
  assert_int_equal(report->verdict, TRP_VERDICT_GAVE_UP);
  assert_true(report->gave_up);
  assert_int_equal(report->ledger.dead[TRP_LOST_IN_HAND], 1);
  world_close(&w);
}

static void a_root_that_leaves_in_its_start_is_a_stop_and_no_failure_to_start(void **state) {
  static struct world w;
  char failure[256];
  world_open(&w, state);
  w.number[0] = START;
  w.number[1] = LEAVES;
  w.number[2] = 1;
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &fragile});
  enum trp_err err = trp_system_start(w.system, failure, sizeof failure);
  assert_true(err == TRP_OK || err == TRP_STOPPED);
  assert_string_equal(failure, "");
  assert_int_equal(world_wait(&w)->verdict, TRP_VERDICT_CLEAN);
  assert_false(world_said(&w, "<receive"));
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_panic_in_receive_is_a_crash),
    cmocka_unit_test(a_failed_check_in_receive_is_a_crash),
    cmocka_unit_test(an_error_from_receive_is_a_crash),
    cmocka_unit_test(a_panic_in_ready_is_a_crash),
    cmocka_unit_test(an_error_from_ready_is_a_crash),
    cmocka_unit_test(an_error_from_the_first_start_unwinds_the_system),
    cmocka_unit_test(a_panic_in_the_first_start_unwinds_the_system),
    cmocka_unit_test(a_restart_that_fails_is_told_to_the_supervisor),
    cmocka_unit_test(a_panic_in_stop_is_recorded_and_the_others_go_on),
    cmocka_unit_test(a_panic_in_end_is_recorded_and_the_others_go_on),
    cmocka_unit_test(a_panic_in_end_does_not_hide_the_crash_before_it),
    cmocka_unit_test(who_leaves_takes_no_turn_more),
    cmocka_unit_test(a_roots_normal_end_is_a_stop_without_blame),
    cmocka_unit_test(a_roots_crash_is_a_stop_with_an_account),
    cmocka_unit_test(a_root_that_leaves_in_its_start_is_a_stop_and_no_failure_to_start),
};
SUITE(suite_lives, "lives", tests);
