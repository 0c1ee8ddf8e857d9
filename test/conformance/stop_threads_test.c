/* stop_threads_test.c - what only real threads can do to a stop: never return from its turn or from
 * the clean-up, exit there, and order it from many sides at once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "actors/supervisor.h"
#include "runtime/report.h"
#include "runtime/stack.h"
#include "runtime/troupe.h"

enum { WORD = TRP_USER_FIRST, STOP_ALL, CRASH };
/* The culprit is cut short when its upstream must have closed and its own budget is over. */
enum { BUDGET_MS = 100, CULPRIT_MS = 400, SOFT_MS = 125 + 400, HARD_MS = SOFT_MS + 100 };
#define MS TRP_NS_PER_MS

static _Atomic uint64_t started, ended;
static _Atomic bool held; /* let go at the end of the test that needs it */

static void nap(long ms) {
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
  while (nanosleep(&t, &t) != 0) continue;
}

__attribute__((noinline)) static void stay(void) {
  while (atomic_load(&held)) nap(1);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  (void)state;
  (void)args;
  started++;
  return TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == STOP_ALL) trp_system_stop(trp_self_system(self), "from a turn");
  return msg->type == CRASH ? TRP_INJECTED : TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)state;
  (void)reason;
  ended++;
}

static void stay_in_stop(struct trp_self *self, void *state) {
  (void)self;
  (void)state;
  stay();
  atomic_store(&held, false); /* so that this is no tail call */
}

static void stay_in_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  stay();
  end(self, state, reason);
}

static void exit_in_stop(struct trp_self *self, void *state) {
  (void)self;
  (void)state;
  pthread_exit(NULL);
}

static void nap_in_stop(struct trp_self *self, void *state) {
  (void)self;
  (void)state;
  nap((SOFT_MS + HARD_MS) / 2); /* past its soft deadline, within the grace that follows */
}

static enum trp_err nap_at_restart(struct trp_self *self, void *state, const void *args) {
  enum trp_err err = start(self, state, args);
  if (trp_self_incarnation(self) > 1) nap(60);
  return err;
}

static const struct trp_kind plain = {
    .name = "plain", .state_bytes = 8, .start = start, .receive = receive, .end = end};

/* root; first -> culprit -> last. */
static struct trp_system *open_line(const struct trp_kind *culprit) {
  static const struct trp_supervisor_options supervisor = {.strategy = TRP_ONE_FOR_ONE};
  const struct trp_restart_policy at_once = {.intensity = 50, .backoff_max_ms = 1};
  const struct trp_spec specs[] = {
      {.name = "root", .kind = &trp_supervisor_kind, .args = &supervisor},
      {.name = "last", .kind = &plain, .supervisor = "root", .budget_ms = BUDGET_MS},
      {.name = "culprit",
       .kind = culprit,
       .supervisor = "root",
       .restart = at_once,
       .budget_ms = CULPRIT_MS},
      {.name = "first", .kind = &plain, .supervisor = "root", .budget_ms = BUDGET_MS}};
  struct trp_system_options options = {.name = "stops", .log_fd = -1, .budget_ms = 4000};
  struct trp_system *system = NULL;
  started = ended = 0;
  assert_int_equal(trp_system_new(&system, &options), TRP_OK);
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    assert_int_equal(trp_system_add(system, &specs[i]), TRP_OK);
  }
  assert_int_equal(trp_system_edge(system, "first", "culprit"), TRP_OK);
  assert_int_equal(trp_system_edge(system, "culprit", "last"), TRP_OK);
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  return system;
}

static void tell(struct trp_system *system, const char *name, uint16_t type) {
  assert_int_equal(trp_system_send(system, trp_system_whereis(system, name), type, NULL, 0),
                   TRP_OK);
}

static const struct trp_report *stop(struct trp_system *system) {
  trp_system_stop(system, "the test is over");
  assert_int_equal(trp_system_wait(system, 10 * TRP_NS_PER_S), TRP_OK);
  return trp_system_report(system);
}

static const struct trp_report_actor *part(const struct trp_report *report, const char *name) {
  size_t i = 0;
  while (i < report->actor_count && strcmp(report->actors[i].name, name) != 0) i++;
  if (i == report->actor_count) fail_msg("no %s in the report", name);
  return &report->actors[i];
}

static void expect_innocent(const struct trp_report *report) {
  assert_string_equal(part(report, "root")->verdict, "clean");
  assert_string_equal(part(report, "first")->verdict, "clean");
  assert_string_equal(part(report, "last")->verdict, "clean");
}

/* ---- never to return ---- */

static void expect_abandoned(const struct trp_kind *kind, const char *where) {
  static struct trp_system *kept[2]; /* leaked on purpose, and so still reachable */
  static int count;
  assert_int_equal(trp_stack_install(), TRP_OK);
  atomic_store(&held, true);
  struct trp_system *system = kept[count++] = open_line(kind);
  const struct trp_report *report = stop(system);
  assert_string_equal(part(report, "culprit")->verdict, "abandoned");
  if (strstr(part(report, "culprit")->stack, where) == NULL) {
    fail_msg("stack: %s", part(report, "culprit")->stack);
  }
  expect_innocent(report);
  assert_int_equal(report->verdict, TRP_VERDICT_ABANDONED);
  assert_int_equal(trp_verdict_status(report->verdict), 1);
  assert_int_equal(report->left_behind[TRP_RES_THREAD], 1);
  assert_true(report->balanced);
  assert_true(report->elapsed_ns >= HARD_MS * MS);
  assert_true(report->elapsed_ns < 2000 * MS);
  trp_system_destroy(&system);
  atomic_store(&held, false);
  for (int i = 0; i < 5000 && atomic_load(&ended) < atomic_load(&started); i++) nap(1);
  nap(50);
  trp_stack_uninstall();
  assert_int_equal(ended, started); /* let go, it still ends by itself */
}

static void a_stall_in_the_stops_turn_is_abandoned_and_named_and_the_others_end(void **state) {
  (void)state;
  struct trp_kind kind = plain;
  kind.stop = stay_in_stop;
  expect_abandoned(&kind, "stay_in_stop");
}

static void a_stall_in_the_clean_up_is_abandoned_and_named_and_the_others_end(void **state) {
  (void)state;
  struct trp_kind kind = plain;
  kind.end = stay_in_end;
  expect_abandoned(&kind, "stay_in_end");
}

static void a_stall_that_ends_within_the_grace_is_late_and_no_more(void **state) {
  (void)state;
  struct trp_kind kind = plain;
  kind.stop = nap_in_stop;
  struct trp_system *system = open_line(&kind);
  const struct trp_report *report = stop(system);
  const char *verdict = part(report, "culprit")->verdict;
  /* A machine that is busy elsewhere may wake it only after the grace. */
  if (strcmp(verdict, "abandoned") == 0) skip();
  assert_string_equal(verdict, "late");
  expect_innocent(report);
  assert_int_equal(trp_verdict_status(report->verdict), 3);
  trp_system_destroy(&system);
}

static void a_thread_that_exits_in_the_stops_turn_is_a_crash_and_holds_nobody(void **state) {
  (void)state;
  struct trp_kind kind = plain;
  kind.stop = exit_in_stop;
  struct trp_system *system = open_line(&kind);
  const struct trp_report *report = stop(system);
  assert_string_equal(part(report, "culprit")->verdict, "crashed");
  expect_innocent(report);
  assert_int_equal(trp_verdict_status(report->verdict), 3);
  assert_int_equal(report->left_behind[TRP_RES_THREAD], 0);
  assert_int_equal(ended, started);
  trp_system_destroy(&system);
}

/* ---- from all sides ---- */

static void *order(void *system) {
  trp_system_stop(system, "from a thread");
  (void)!trp_system_wait(system, 5 * TRP_NS_PER_S);
  return NULL;
}

static void a_stop_from_turns_and_threads_at_once_is_one_stop(void **state) {
  (void)state;
  enum { ROUNDS = 10, THREADS = 4 };
  for (int round = 0; round < ROUNDS; round++) {
    struct trp_system *system = open_line(&plain);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
      if (i < 2)
        (void)!trp_system_send(system, trp_system_whereis(system, i ? "first" : "last"), STOP_ALL,
                               NULL, 0);
      assert_int_equal(pthread_create(&threads[i], NULL, order, system), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    const struct trp_report *report = stop(system);
    assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
    assert_true(strncmp(report->reason, "from a ", 7) == 0);
    assert_int_equal(ended, 3);
    trp_system_destroy(&system);
  }
}

static void a_stop_while_a_restart_is_in_its_start_waits_for_it_and_ends_it(void **state) {
  (void)state;
  struct trp_kind kind = plain;
  kind.start = nap_at_restart;
  struct trp_system *system = open_line(&kind);
  tell(system, "culprit", CRASH);
  for (int i = 0; i < 5000 && atomic_load(&started) < 4; i++) nap(1);
  const struct trp_report *report = stop(system);
  assert_int_equal(started, 4);
  assert_int_equal(ended, 4);
  assert_string_equal(part(report, "culprit")->verdict, "clean");
  expect_innocent(report);
  trp_system_destroy(&system);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stall_in_the_stops_turn_is_abandoned_and_named_and_the_others_end),
      cmocka_unit_test(a_stall_in_the_clean_up_is_abandoned_and_named_and_the_others_end),
      cmocka_unit_test(a_stall_that_ends_within_the_grace_is_late_and_no_more),
      cmocka_unit_test(a_thread_that_exits_in_the_stops_turn_is_a_crash_and_holds_nobody),
      cmocka_unit_test(a_stop_from_turns_and_threads_at_once_is_one_stop),
      cmocka_unit_test(a_stop_while_a_restart_is_in_its_start_waits_for_it_and_ends_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
