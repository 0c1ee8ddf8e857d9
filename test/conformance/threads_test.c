/* threads_test.c - what only real threads can show: threads that exit or never return, foreign
 * threads that send into a stop, a thousand restarts and hundreds of systems one after the other.
 * Long because all of it is played by one obedient kind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/supervisor.h"
#include "runtime/blob.h"
#include "runtime/fdcount.h"
#include "runtime/report.h"
#include "runtime/stack.h"
#include "runtime/thread.h"
#include "runtime/troupe.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
enum { WORD = TRP_USER_FIRST, EXIT, STUCK, STOP_ALL, EXIT_AT_END };
#define MS TRP_NS_PER_MS

static _Atomic uint64_t handled, started, ended;
static _Atomic bool stuck; /* let go at the end of the test that needs it */

static void nap(long ms) {
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
  while (nanosleep(&t, &t) != 0) continue;
}

__attribute__((noinline)) static void never_to_return(void) {
  while (atomic_load(&stuck)) nap(1);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  (void)args;
  *(bool *)state = false;
  started++;
  return TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  switch (msg->type) {
    case WORD:
      handled++;
      break;
    case EXIT:
      pthread_exit(NULL);
    case EXIT_AT_END:
      *(bool *)state = true;
      return TRP_PROTOCOL;
    case STUCK:
      never_to_return();
      break;
    case STOP_ALL:
      trp_system_stop(trp_self_system(self), "from inside a turn");
      break;
    default:
      break;
  }
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  ended++;
  if (*(bool *)state) pthread_exit(NULL);
}

static const struct trp_kind obedient = {
    .name = "obedient", .state_bytes = 8, .start = start, .receive = receive, .end = end};

static struct trp_system *open_system(uint32_t budget_ms) {
  struct trp_system *system = NULL;
  struct trp_system_options options = {
      .name = "threads", .log_fd = -1, .budget_ms = budget_ms, .allow_faults = true};
  assert_int_equal(trp_system_new(&system, &options), TRP_OK);
  handled = started = ended = 0;
  return system;
}

/* A budget is wide, but for one who is to be waited for until its deadline. */
static void add_for(struct trp_system *system, const char *name, const char *supervisor,
                    uint32_t budget_ms) {
  struct trp_spec spec = {.name = name,
                          .kind = &obedient,
                          .supervisor = supervisor,
                          .budget_ms = budget_ms,
                          .restart = {.intensity = 20, .backoff_min_ms = 1, .backoff_max_ms = 1}};
  if (supervisor == NULL) spec.kind = &trp_supervisor_kind;
  assert_int_equal(trp_system_add(system, &spec), TRP_OK);
}

static void add(struct trp_system *system, const char *name, const char *supervisor) {
  add_for(system, name, supervisor, 600);
}

static void tell(struct trp_system *system, const char *name, uint16_t type) {
  assert_int_equal(trp_system_send(system, trp_system_whereis(system, name), type, NULL, 0),
                   TRP_OK);
}

static void await_count(_Atomic uint64_t *count, uint64_t n) {
  for (int i = 0; i < 5000 && atomic_load(count) < n; i++) nap(1);
  assert_true(atomic_load(count) >= n);
}

static void await_threads(size_t count) {
  for (int i = 0; i < 5000 && trp_thread_count() != count; i++) nap(1);
  assert_int_equal(trp_thread_count(), count);
}

static const struct trp_report *stop(struct trp_system *system) {
  trp_system_stop(system, "the test is over");
  assert_int_equal(trp_system_wait(system, 10 * TRP_NS_PER_S), TRP_OK);
  return trp_system_report(system);
}

static const struct trp_report_actor *part(const struct trp_report *report, const char *name) {
  for (size_t i = 0; i < report->actor_count; i++) {
    if (strcmp(report->actors[i].name, name) == 0) return &report->actors[i];
  }
  fail_msg("no %s in the report", name);
  abort(); /* not reached: fail_msg leaves the test, which the compiler cannot know */
}

/* ---- threads that exit ---- */

static void a_thread_that_exits_in_a_turn_is_a_crash_and_is_replaced(void **state) {
  (void)state;
  struct trp_system *system = open_system(2000);
  add(system, "root", NULL);
  add(system, "child", "root");
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  size_t threads = trp_thread_count();
  for (uint64_t i = 1; i <= 5; i++) {
    tell(system, "child", EXIT);
    await_count(&started, 1 + i);
    tell(system, "child", WORD);
    await_count(&handled, i);
  }
  assert_int_equal(ended, 5);
  assert_int_equal(trp_thread_count(), threads); /* nobody stays on the register as a dead one */
  struct trp_journal_entry entry = {.sequence = 0};
  struct trp_thread_crashed body;
  unsigned crashes = 0;
  while (trp_system_journal_next(system, entry.sequence, &entry, &body, sizeof body)) {
    if (entry.type != TRP_THREAD_CRASHED) continue;
    crashes++;
    assert_int_equal(body.cause, TRP_CAUSE_EXIT);
    assert_int_equal(body.error, TRP_THREAD_EXIT);
    assert_int_not_equal(body.tid, 0);
  }
  assert_int_equal(crashes, 5);
  assert_int_equal(stop(system)->verdict, TRP_VERDICT_CLEAN);
  trp_system_destroy(&system);
}

static void a_thread_that_exits_in_end_ends_it_once(void **state) {
  (void)state;
  struct trp_system *system = open_system(2000);
  add(system, "root", NULL);
  add(system, "child", "root");
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  tell(system, "child", EXIT_AT_END);
  await_count(&started, 2);
  assert_int_equal(ended, 1);
  tell(system, "child", WORD);
  await_count(&handled, 1);
  assert_true(stop(system)->balanced);
  trp_system_destroy(&system);
}

static void a_thread_that_exits_while_stopping_is_accounted_for(void **state) {
  (void)state;
  struct trp_system *system = open_system(2000);
  add(system, "root", NULL);
  add(system, "child", "root");
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  for (int i = 0; i < 100; i++) tell(system, "child", WORD);
  tell(system, "child", EXIT);
  const struct trp_report *report = stop(system);
  assert_true(report->balanced);
  assert_int_equal(report->left_behind[TRP_RES_THREAD], 0);
  assert_int_equal(ended, started);
  trp_system_destroy(&system);
}

/* ---- stuck ---- */

static void a_stuck_actor_is_abandoned_at_its_deadline_and_named_with_its_stack(void **state) {
  (void)state;
  static struct trp_system *kept; /* leaked on purpose, and so still reachable */
  assert_int_equal(trp_stack_install(), TRP_OK);
  struct trp_system *system = kept = open_system(2000);
  atomic_store(&stuck, true);
  add(system, "root", NULL);
  add(system, "innocent", "root");
  add_for(system, "culprit", "root", 100);
  assert_int_equal(trp_system_edge(system, "culprit", "innocent"), TRP_OK);
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  tell(system, "culprit", STUCK);
  for (int i = 0; i < 10; i++) tell(system, "innocent", WORD);
  nap(20);
  const struct trp_report *report = stop(system);
  assert_int_equal(report->verdict, TRP_VERDICT_ABANDONED);
  assert_int_equal(trp_verdict_status(report->verdict), 1);
  assert_true(report->elapsed_ns >= 125 * MS);
  assert_true(report->elapsed_ns < 1500 * MS);
  assert_string_equal(part(report, "culprit")->verdict, "abandoned");
  if (strstr(part(report, "culprit")->stack, "never_to_return") == NULL) {
    fail_msg("stack: %s", part(report, "culprit")->stack);
  }
  assert_string_equal(part(report, "innocent")->verdict, "clean");
  struct trp_actor_info info;
  assert_true(trp_system_actor(system, 2, &info));
  assert_int_equal(info.state, TRP_ACTOR_STUCK);
  assert_string_equal(trp_actor_state_text(info.state), "stuck");
  assert_string_equal(part(report, "root")->verdict, "clean");
  assert_int_equal(handled, 10);
  assert_int_equal(report->left_behind[TRP_RES_THREAD], 1);
  assert_true(report->balanced);
  assert_int_equal(part(report, "culprit")->ledger.pending, 1);
  trp_system_destroy(&system);
  atomic_store(&stuck, false);
  for (int i = 0; i < 5000 && info.state == TRP_ACTOR_STUCK; i++) {
    nap(1);
    assert_true(trp_system_actor(kept, 2, &info));
  }
  assert_int_equal(info.state, TRP_ACTOR_GONE); /* it moves after all */
  await_count(&ended, 2); /* let go, it still ends by itself, in memory that was left to it */
  nap(50);
  trp_stack_uninstall();
  assert_non_null(kept);
}

static enum trp_actor_state state_of(struct trp_system *system, size_t i) {
  struct trp_actor_info info;
  assert_true(trp_system_actor(system, i, &info));
  return info.state;
}

static void await_state(struct trp_system *system, size_t i, enum trp_actor_state state) {
  for (int n = 0; n < 5000 && state_of(system, i) != state; n++) nap(1);
  assert_int_equal(state_of(system, i), state);
}

static void a_child_that_is_stuck_in_its_turn_is_shown_as_such_until_it_moves(void **state) {
  (void)state;
  assert_int_equal(trp_stack_install(), TRP_OK);
  struct trp_system *system = open_system(2000);
  struct trp_spec spec = {.name = "child",
                          .kind = &obedient,
                          .supervisor = "root",
                          .budget_ms = 50,
                          .turn_limit_ms = 50};
  struct trp_child_command order = {.verb = "restart", .name = "child"};
  struct trp_result result = {0};
  uint16_t type;
  size_t bytes = sizeof result;
  add(system, "root", NULL);
  assert_int_equal(trp_system_add(system, &spec), TRP_OK);
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  atomic_store(&stuck, true);
  tell(system, "child", STUCK);
  nap(20);
  assert_int_equal(trp_system_ask(system, trp_system_whereis(system, "root"), TRP_CHILD_COMMAND,
                                  &order, sizeof order, 10 * TRP_NS_PER_S, &type, &result, &bytes),
                   TRP_OK);
  assert_int_equal(result.status, TRP_TIMEOUT);
  assert_int_equal(state_of(system, 1), TRP_ACTOR_STUCK);
  struct trp_journal_entry entry = {.sequence = 0};
  struct trp_thread_crashed body;
  bool told = false;
  while (trp_system_journal_next(system, entry.sequence, &entry, &body, sizeof body)) {
    if (entry.type != TRP_THREAD_CRASHED) continue;
    told = true;
    assert_int_equal(body.cause, TRP_CAUSE_STUCK);
    assert_non_null(strstr(body.stack, "never_to_return"));
  }
  assert_true(told);
  atomic_store(&stuck, false);
  await_state(system, 1, TRP_ACTOR_RUNNING); /* it ended after all, and is restarted as ordered */
  await_count(&started, 2);
  assert_int_equal(stop(system)->verdict, TRP_VERDICT_CLEAN);
  trp_system_destroy(&system);
  trp_stack_uninstall();
}

/* ---- starting ---- */

static enum trp_err fail_to_start(struct trp_self *self, void *state, const void *args) {
  start(self, state, args);
  return TRP_CONNECT;
}

static enum trp_err sleep_at_start(struct trp_self *self, void *state, const void *args) {
  start(self, state, args);
  nap(150);
  return TRP_OK;
}

static enum trp_err exit_at_start(struct trp_self *self, void *state, const void *args) {
  start(self, state, args);
  pthread_exit(NULL);
}

static void fail_start(enum trp_err (*how)(struct trp_self *, void *, const void *),
                       const char *words, uint32_t timeout_ms) {
  static struct trp_kind kind;
  kind = obedient;
  kind.start = how;
  char failure[256] = "";
  struct trp_fd before[64], after[64];
  size_t fds = trp_fd_list(before, 64), threads = trp_thread_count();
  struct trp_system *system = open_system(3000);
  add(system, "root", NULL);
  add(system, "first", "root");
  struct trp_spec bad = {
      .name = "culprit", .kind = &kind, .supervisor = "root", .start_timeout_ms = timeout_ms};
  assert_int_equal(trp_system_add(system, &bad), TRP_OK);
  add(system, "last", "root");
  assert_int_equal(trp_system_start(system, failure, sizeof failure), TRP_START_FAILED);
  assert_non_null(strstr(failure, "culprit"));
  if (strstr(failure, words) == NULL) fail_msg("%s", failure);
  const struct trp_report *report = trp_system_report(system);
  assert_non_null(report);
  assert_string_equal(part(report, "last")->verdict, "not started");
  for (int r = 0; r < TRP_RES_COUNT; r++) assert_int_equal(report->left_behind[r], 0);
  assert_int_equal(started, ended);
  assert_int_equal(started, 2);
  trp_system_destroy(&system);
  assert_int_equal(trp_thread_count(), threads);
  assert_int_equal(trp_fd_list(after, 64), fds);
}

static void a_start_that_fails_unwinds_and_leaves_nothing(void **state) {
  (void)state;
  fail_start(fail_to_start, "could not connect", 5000);
}

static void a_start_that_stays_silent_unwinds_and_leaves_nothing(void **state) {
  (void)state;
  fail_start(sleep_at_start, "silent", 30);
}

static void a_start_whose_thread_exits_unwinds_and_leaves_nothing(void **state) {
  (void)state;
  fail_start(exit_at_start, "thread exited", 5000);
}

/* ---- stopping ---- */

static void a_turn_may_stop_the_system_it_is_in(void **state) {
  (void)state;
  struct trp_system *system = open_system(2000);
  add(system, "root", NULL);
  add(system, "child", "root");
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  tell(system, "child", STOP_ALL);
  assert_int_equal(trp_system_wait(system, 5 * TRP_NS_PER_S), TRP_OK);
  assert_string_equal(trp_system_report(system)->reason, "from inside a turn");
  assert_int_equal(trp_system_report(system)->verdict, TRP_VERDICT_CLEAN);
  trp_system_destroy(&system);
}

struct flood {
  struct trp_system *system;
  struct trp_ref to;
  uint64_t sent, refused;
  enum trp_err last;
};

static void *flood(void *arg) {
  struct flood *f = arg;
  (void)!trp_thread_register("flooder", "test");
  for (;;) {
    enum trp_err err = trp_system_send(f->system, f->to, WORD, NULL, 0);
    f->sent += err == TRP_OK;
    f->refused += err != TRP_OK;
    f->last = err;
    if (err != TRP_OK && err != TRP_FULL) break;
  }
  trp_thread_deregister();
  return NULL;
}

static void *stop_too(void *arg) {
  trp_system_stop(arg, "by one of two");
  (void)!trp_system_wait(arg, 5 * TRP_NS_PER_S);
  return NULL;
}

static void foreign_threads_that_send_into_a_stop_are_told_and_lose_nothing(void **state) {
  (void)state;
  enum { FLOODERS = 3, STOPPERS = 2 };
  struct trp_system *system = open_system(3000);
  add(system, "root", NULL);
  add(system, "child", "root");
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  struct flood floods[FLOODERS];
  pthread_t threads[FLOODERS], stoppers[STOPPERS];
  for (int i = 0; i < FLOODERS; i++) {
    floods[i] = (struct flood){.system = system, .to = trp_system_whereis(system, "child")};
    assert_int_equal(pthread_create(&threads[i], NULL, flood, &floods[i]), 0);
  }
  nap(30);
  for (int i = 0; i < STOPPERS; i++) {
    assert_int_equal(pthread_create(&stoppers[i], NULL, stop_too, system), 0);
  }
  uint64_t sent = 0;
  for (int i = 0; i < STOPPERS; i++) pthread_join(stoppers[i], NULL);
  for (int i = 0; i < FLOODERS; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(floods[i].last, TRP_STOPPED);
    sent += floods[i].sent;
  }
  assert_int_equal(trp_system_wait(system, 5 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(system);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_int_equal(handled, sent);
  assert_int_equal(part(report, "child")->ledger.handled, sent);
  trp_system_destroy(&system);
}

static void *start_it(void *arg) {
  (void)!trp_system_start(arg, NULL, 0);
  return NULL;
}

static void a_stop_while_starting_unwinds(void **state) {
  (void)state;
  static struct trp_kind slow;
  slow = obedient;
  slow.start = sleep_at_start;
  for (int round = 0; round < 4; round++) {
    struct trp_system *system = open_system(3000);
    add(system, "root", NULL);
    struct trp_spec spec = {.name = "slow", .kind = &slow, .supervisor = "root"};
    assert_int_equal(trp_system_add(system, &spec), TRP_OK);
    add(system, "last", "root");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, start_it, system), 0);
    nap(round * 20);
    const struct trp_report *report = stop(system);
    pthread_join(thread, NULL);
    assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
    assert_string_equal(part(report, "last")->verdict, "not started");
    assert_int_equal(started, ended);
    trp_system_destroy(&system);
  }
}

/* ---- many ---- */

static void several_systems_live_side_by_side(void **state) {
  (void)state;
  struct trp_system *systems[4];
  for (int i = 0; i < 4; i++) {
    systems[i] = open_system(2000);
    add(systems[i], "root", NULL);
    add(systems[i], "child", "root");
    assert_int_equal(trp_system_start(systems[i], NULL, 0), TRP_OK);
  }
  handled = 0;
  for (int n = 0; n < 100; n++) {
    for (int i = 0; i < 4; i++) tell(systems[i], "child", WORD);
  }
  await_count(&handled, 400);
  for (int i = 3; i >= 0; i--) {
    const struct trp_report *report = stop(systems[i]);
    assert_int_equal(report->ledger.handled, 100);
    assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
    trp_system_destroy(&systems[i]);
  }
}

static bool bare_metal(void) {
  const char *mode = getenv("TRP_MODE"); /* the sanitizers' heap is not libc's */
  return SANITIZED == 0 && (mode == NULL || strcmp(mode, "valgrind") != 0);
}

static void a_thousand_restarts_leave_the_heap_as_it_was(void **state) {
  (void)state;
  struct trp_system *system = NULL;
  struct trp_system_options options = {.name = "threads", .log_fd = -1, .budget_ms = 2000};
  assert_int_equal(trp_system_new(&system, &options), TRP_OK);
  struct trp_spec root = {.name = "root", .kind = &trp_supervisor_kind};
  struct trp_spec child = {.name = "child",
                           .kind = &obedient,
                           .supervisor = "root",
                           .restart = {.intensity = 31,
                                       .window_ms = 1,
                                       .backoff_min_ms = 1,
                                       .backoff_max_ms = 1,
                                       .stable_ms = 1}};
  assert_int_equal(trp_system_add(system, &root), TRP_OK);
  assert_int_equal(trp_system_add(system, &child), TRP_OK);
  started = ended = handled = 0;
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  size_t heap = 0, threads = 0, blobs = 0;
  int rounds = bare_metal() ? 1000 : 200;
  for (int i = 1; i <= rounds; i++) {
    uint64_t before = atomic_load(&started);
    tell(system, "child", i % 2 == 0 ? EXIT : EXIT_AT_END);
    await_count(&started, before + 1);
    if (i % 100 != 0) continue;
    nap(30); /* until the log's and the exited thread's last steps are over */
    size_t now = mallinfo2().uordblks;
    if (i > 100 && bare_metal()) {
      if (now > heap + 4096) fail_msg("%zu bytes after 100 restarts, %zu after %d", heap, now, i);
      await_threads(threads);
      assert_int_equal(trp_blob_live(), blobs);
    }
    if (i == 100) {
      heap = now;
      threads = trp_thread_count();
      blobs = trp_blob_live();
    }
    if (i == rounds) print_message("heap after 100 restarts %zu, after %d %zu\n", heap, i, now);
  }
  assert_true(stop(system)->balanced);
  trp_system_destroy(&system);
  assert_int_equal(started, ended);
}

static void hundreds_of_systems_leave_the_process_as_it_was(void **state) {
  (void)state;
  size_t heap = 0, threads = 0, fds = 0;
  int rounds = bare_metal() ? 300 : 40, settled = rounds / 3;
  for (int i = 1; i <= rounds; i++) {
    struct trp_system *system = open_system(2000);
    add(system, "root", NULL);
    add(system, "child", "root");
    assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
    for (int n = 0; n < 10; n++) tell(system, "child", WORD);
    trp_system_destroy(&system);
    assert_int_equal(handled, 10);
    struct trp_fd list[64];
    if (i == settled) {
      heap = mallinfo2().uordblks;
      threads = trp_thread_count();
      fds = trp_fd_list(list, 64);
    }
    if (i != rounds) continue;
    size_t now = mallinfo2().uordblks;
    print_message("heap after %d systems %zu, after %d %zu\n", settled, heap, i, now);
    if (bare_metal()) assert_true(now <= heap + 4096); /* not even 24 bytes a system */
    assert_int_equal(trp_thread_count(), threads);
    assert_int_equal(trp_fd_list(list, 64), fds);
  }
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_thread_that_exits_in_a_turn_is_a_crash_and_is_replaced),
      cmocka_unit_test(a_thread_that_exits_in_end_ends_it_once),
      cmocka_unit_test(a_thread_that_exits_while_stopping_is_accounted_for),
      cmocka_unit_test(a_start_that_fails_unwinds_and_leaves_nothing),
      cmocka_unit_test(a_start_that_stays_silent_unwinds_and_leaves_nothing),
      cmocka_unit_test(a_start_whose_thread_exits_unwinds_and_leaves_nothing),
      cmocka_unit_test(a_turn_may_stop_the_system_it_is_in),
      cmocka_unit_test(foreign_threads_that_send_into_a_stop_are_told_and_lose_nothing),
      cmocka_unit_test(a_stop_while_starting_unwinds),
      cmocka_unit_test(several_systems_live_side_by_side),
      cmocka_unit_test(a_thousand_restarts_leave_the_heap_as_it_was),
      cmocka_unit_test(hundreds_of_systems_leave_the_process_as_it_was),
      cmocka_unit_test(a_child_that_is_stuck_in_its_turn_is_shown_as_such_until_it_moves),
      cmocka_unit_test(a_stuck_actor_is_abandoned_at_its_deadline_and_named_with_its_stack),
  };
  return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
