/* loops_test.c - actors that share an I/O loop and its thread (TRP_IO): who waits for whom, and
 * what the end of one means to the others. What all schedulers promise alike is system_test.c's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "actors/supervisor.h"
#include "actors/thread_monitor.h"
#include "runtime/report.h"
#include "runtime/stack.h"
#include "runtime/thread.h"
#include "test/support/quiet_loop.h"

enum { WORD = TRP_USER_FIRST, EXIT, VANISH, STUCK, FAIL, TO_ONESELF, BUSY_NS = 50000 };
#define MS TRP_NS_PER_MS

static struct quiet_loop quiet;
static struct trp_system *sys;
static _Atomic uint64_t handled, readied, started;
static _Atomic int turn_tid;
static _Atomic bool stuck;
static _Atomic uint64_t busy_until_ns; /* who talks to itself does so until then */

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void nap(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

__attribute__((noinline)) static void never_to_return(void) {
  while (atomic_load(&stuck)) nap(1);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  (void)state;
  (void)args;
  started++;
  return TRP_OK;
}

/* Two words for each one, until its time is over. */
static void talk_to_oneself(struct trp_self *self) {
  uint64_t began = now_ns();
  while (now_ns() < began + BUSY_NS) continue;
  for (int i = 0; i < 2 && now_ns() < busy_until_ns; i++) {
    (void)!trp_send(self, trp_self_ref(self), TO_ONESELF, NULL, 0);
  }
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  turn_tid = gettid();
  if (msg->type == WORD) handled++;
  if (msg->type == EXIT) pthread_exit(NULL);
  if (msg->type == VANISH) syscall(SYS_exit, 0);
  if (msg->type == STUCK) never_to_return();
  if (msg->type == TO_ONESELF) talk_to_oneself(self);
  return msg->type == FAIL ? TRP_PROTOCOL : TRP_OK;
}

static enum trp_err ready(struct trp_self *self, void *state) {
  (void)self;
  (void)state;
  readied++;
  return TRP_OK;
}

static const struct trp_kind obedient = {
    .name = "obedient", .start = start, .receive = receive, .ready = ready};

/* ---- the stage ---- */

static struct trp_spec spec_of(const char *name) {
  return (struct trp_spec){.name = name,
                           .kind = &obedient,
                           .placement = TRP_IO,
                           .loop = &quiet.loop,
                           .supervisor = "root",
                           .budget_ms = 1000, /* less, and a busy machine abandons somebody */
                           .turn_limit_ms = 100,
                           .restart = {.intensity = 50, .backoff_min_ms = 1, .backoff_max_ms = 1}};
}

static void begin(uint32_t budget_ms) {
  static const struct trp_thread_monitor_options often = {.interval_ms = 20};
  handled = readied = started = 0;
  quiet_loop_open(&quiet);
  struct trp_system_options options = {.name = "loops", .log_fd = -1, .budget_ms = budget_ms};
  assert_int_equal(trp_system_new(&sys, &options), TRP_OK);
  const struct trp_spec root = {.name = "root", .kind = &trp_supervisor_kind};
  const struct trp_spec monitor = {
      .name = "monitor", .kind = &trp_thread_monitor_kind, .args = &often, .supervisor = "root"};
  assert_int_equal(trp_system_add(sys, &root), TRP_OK);
  assert_int_equal(trp_system_add(sys, &monitor), TRP_OK);
  static const char *const names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++) {
    struct trp_spec spec = spec_of(names[i]);
    assert_int_equal(trp_system_add(sys, &spec), TRP_OK);
  }
  assert_int_equal(trp_system_start(sys, NULL, 0), TRP_OK);
}

static void tell(const char *name, uint16_t type) {
  assert_int_equal(trp_system_send(sys, trp_system_whereis(sys, name), type, NULL, 0), TRP_OK);
}

/* Such as has no name just now, too. */
static void tell_soon(const char *name, uint16_t type) {
  for (int i = 0; i < 5000; i++) {
    if (trp_system_send(sys, trp_system_whereis(sys, name), type, NULL, 0) == TRP_OK) return;
    nap(1);
  }
  fail_msg("%s does not come back", name);
}

static void await_count(_Atomic uint64_t *count, uint64_t wanted) {
  for (int i = 0; i < 5000 && *count < wanted; i++) nap(1);
  assert_int_equal(*count, wanted);
}

static const struct trp_report *stop(void) {
  trp_system_stop(sys, "the test is over");
  assert_int_equal(trp_system_wait(sys, 10 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(sys);
  assert_true(report->balanced);
  return report;
}

static void end_clean(void) {
  const struct trp_report *report = stop();
  for (size_t i = 0; i < report->actor_count; i++) {
    assert_string_equal(report->actors[i].verdict, "clean");
  }
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  trp_system_destroy(&sys);
  quiet_loop_close(&quiet);
  assert_null(quiet.loop.thread);
}

static const char *verdict_of(const struct trp_report *report, const char *name) {
  for (size_t i = 0; i < report->actor_count; i++) {
    if (strcmp(report->actors[i].name, name) == 0) return report->actors[i].verdict;
  }
  return "";
}

/* How many the journal has of a type, and of those how many name this actor. */
static unsigned told(uint16_t type, const char *actor, unsigned *of_it) {
  struct trp_journal_entry entry = {.sequence = 0};
  union {
    struct trp_actor_stalled stalled;
    struct trp_thread_crashed crashed;
  } body;
  unsigned count = 0;
  *of_it = 0;
  while (trp_system_journal_next(sys, entry.sequence, &entry, &body, sizeof body)) {
    if (entry.type != type) continue;
    count++;
    const char *name = type == TRP_ACTOR_STALLED ? body.stalled.name : body.crashed.name;
    *of_it += strcmp(name, actor) == 0;
  }
  return count;
}

static unsigned io_threads(void) {
  struct trp_thread_info info;
  unsigned n = 0;
  for (size_t i = 0; trp_thread_at(i, &info); i++) n += strcmp(info.role, "io") == 0;
  return n;
}

/* ---- sharing ---- */

static void actors_of_one_loop_run_in_one_thread_that_ends_with_the_last(void **state) {
  (void)state;
  int tid = 0;
  size_t threads = trp_thread_count();
  begin(2000);
  static const char *const names[] = {"a", "b", "c"};
  for (uint64_t i = 0; i < 3; i++) {
    tell(names[i], WORD);
    await_count(&handled, i + 1);
    assert_true(i == 0 || turn_tid == tid);
    tid = turn_tid;
  }
  assert_int_equal(quiet.tid, tid);
  assert_int_equal(io_threads(), 1);
  end_clean();
  assert_int_equal(io_threads(), 0);
  assert_int_equal(trp_thread_count(), threads);
}

static void a_notice_from_inside_the_loop_is_a_turn(void **state) {
  (void)state;
  begin(2000);
  trp_notify(sys, trp_system_whereis(sys, "b"));
  await_count(&readied, 1);
  end_clean();
}

static void notify_all(void *arg) {
  static _Thread_local int times;
  (void)arg;
  if (sys == NULL || ++times > 100) return;
  trp_notify(sys, trp_system_whereis(sys, "a"));
  trp_notify(sys, trp_system_whereis(sys, "c"));
}

static void notices_that_its_own_callbacks_give_wake_the_loop(void **state) {
  (void)state;
  begin(2000);
  quiet.served = notify_all; /* read by the loop's thread after the wake */
  quiet.loop.wake(&quiet.loop);
  for (int i = 0; i < 5000 && readied < 100; i++) nap(1);
  assert_true(readied >= 100); /* each run notifies two, and each notice makes another run */
  end_clean();
}

static void one_that_never_rests_leaves_its_neighbours_and_the_loop_their_share(void **state) {
  (void)state;
  begin(5000);
  atomic_store(&busy_until_ns, now_ns() + 5 * TRP_NS_PER_S);
  tell("a", TO_ONESELF);
  nap(20);
  uint64_t runs = quiet.runs, longest = 0;
  for (uint64_t i = 1; i <= 20; i++) {
    uint64_t began = now_ns();
    tell("b", WORD);
    await_count(&handled, i);
    if (now_ns() - began > longest) longest = now_ns() - began;
  }
  assert_true(quiet.runs > runs);
  assert_true(now_ns() < busy_until_ns); /* it was still at it */
  printf("  longest wait beside one that never rests: %.1f ms\n", (double)longest / 1e6);
  atomic_store(&busy_until_ns, 0);
  assert_int_not_equal(stop()->verdict, TRP_VERDICT_ABANDONED); /* its thread has ended */
  trp_system_destroy(&sys);
  quiet_loop_close(&quiet);
}

/* ---- ends of one ---- */

static void a_crash_of_one_is_no_business_of_the_others(void **state) {
  (void)state;
  begin(2000);
  for (uint64_t i = 1; i <= 10; i++) {
    tell_soon("a", FAIL);
    tell("b", WORD);
    await_count(&started, 3 + i);
    await_count(&handled, i);
  }
  end_clean();
}

/* How many lives of the others there were shows that they did not end. */
static void play_ends(uint16_t how, int times) {
  begin(2000);
  size_t threads = trp_thread_count();
  unsigned of_it;
  for (int i = 1; i <= times; i++) {
    tell_soon("a", how);
    tell("b", WORD);
    await_count(&started, 3 + (uint64_t)i);
    tell("c", WORD);
    await_count(&handled, 2 * (uint64_t)i);
  }
  assert_int_equal(told(TRP_THREAD_CRASHED, "a", &of_it), times);
  assert_int_equal(of_it, times);
  assert_int_equal(trp_thread_count(), threads);
  assert_int_equal(io_threads(), 1);
  end_clean();
}

static void a_thread_that_exits_in_a_turn_is_followed_by_another(void **state) {
  (void)state;
  play_ends(EXIT, 5);
}

static void a_thread_that_vanishes_in_a_turn_is_followed_by_another(void **state) {
  (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip(); /* a sanitizer keeps a record of each thread that a raw exit leaves behind */
#endif
  play_ends(VANISH, 3);
}

static void a_stalled_turn_stalls_its_neighbours_and_is_named(void **state) {
  (void)state;
  unsigned of_it = 0;
  assert_int_equal(trp_stack_install(), TRP_OK);
  begin(2000);
  atomic_store(&stuck, true);
  tell("a", STUCK);
  nap(20);
  tell("b", WORD);
  tell("c", WORD);
  for (int i = 0; i < 5000 && told(TRP_ACTOR_STALLED, "a", &of_it) == 0; i++) nap(1);
  assert_int_equal(of_it, 1);
  assert_int_equal(handled, 0); /* far longer than they would have needed */
  atomic_store(&stuck, false);
  await_count(&handled, 2);
  assert_int_equal(told(TRP_ACTOR_STALLED, "a", &of_it), 1); /* nobody else was blamed */
  end_clean();
  trp_stack_uninstall();
}

static void neighbours_of_one_that_never_returns_are_abandoned_in_its_name(void **state) {
  (void)state;
  static struct trp_system *kept; /* leaked on purpose, and so still reachable */
  assert_int_equal(trp_stack_install(), TRP_OK);
  begin(2000);
  kept = sys;
  atomic_store(&stuck, true);
  tell("b", STUCK);
  nap(20);
  const struct trp_report *report = stop();
  assert_int_equal(report->verdict, TRP_VERDICT_ABANDONED);
  assert_string_equal(verdict_of(report, "b"), "abandoned");
  assert_string_equal(verdict_of(report, "a"), "held up by b");
  assert_string_equal(verdict_of(report, "c"), "held up by b");
  assert_string_equal(verdict_of(report, "root"), "clean");
  trp_system_destroy(&sys);
  atomic_store(&stuck, false);
  struct trp_actor_info info;
  for (size_t i = 2; i < 5; i++) { /* let go, they end by themselves, in memory left to them */
    for (int n = 0; n < 5000; n++) {
      assert_true(trp_system_actor(kept, i, &info));
      if (info.state == TRP_ACTOR_GONE) break;
      nap(1);
    }
    assert_int_equal(info.state, TRP_ACTOR_GONE);
  }
  nap(50);
  trp_stack_uninstall();
}

/* ---- rules ---- */

static void what_shares_a_loop_names_one_and_supervises_nobody(void **state) {
  (void)state;
  quiet_loop_open(&quiet);
  struct trp_system_options options = {.name = "loops", .log_fd = -1};
  assert_int_equal(trp_system_new(&sys, &options), TRP_OK);
  struct trp_spec root = {.name = "root", .kind = &trp_supervisor_kind, .placement = TRP_IO};
  assert_int_equal(trp_system_add(sys, &root), TRP_INVALID);
  root.loop = &quiet.loop;
  assert_int_equal(trp_system_add(sys, &root), TRP_INVALID);
  root.loop = NULL;
  root.placement = TRP_THREAD;
  assert_int_equal(trp_system_add(sys, &root), TRP_OK);
  struct trp_spec child = spec_of("child"), grandchild = spec_of("grandchild");
  child.loop = NULL;
  assert_int_equal(trp_system_add(sys, &child), TRP_INVALID);
  child.loop = &quiet.loop;
  assert_int_equal(trp_system_add(sys, &child), TRP_OK);
  grandchild.supervisor = "child";
  assert_int_equal(trp_system_add(sys, &grandchild), TRP_INVALID);
  trp_system_destroy(&sys);
  quiet_loop_close(&quiet);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(actors_of_one_loop_run_in_one_thread_that_ends_with_the_last),
      cmocka_unit_test(a_notice_from_inside_the_loop_is_a_turn),
      cmocka_unit_test(notices_that_its_own_callbacks_give_wake_the_loop),
      cmocka_unit_test(one_that_never_rests_leaves_its_neighbours_and_the_loop_their_share),
      cmocka_unit_test(a_crash_of_one_is_no_business_of_the_others),
      cmocka_unit_test(a_thread_that_exits_in_a_turn_is_followed_by_another),
      cmocka_unit_test(a_thread_that_vanishes_in_a_turn_is_followed_by_another),
      cmocka_unit_test(a_stalled_turn_stalls_its_neighbours_and_is_named),
      cmocka_unit_test(what_shares_a_loop_names_one_and_supervises_nobody),
      cmocka_unit_test(neighbours_of_one_that_never_returns_are_abandoned_in_its_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
