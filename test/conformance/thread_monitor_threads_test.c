/* The thread monitor among real threads: stalls with their stacks, foreign threads that die or fall
 * silent, strangers, growth. Times are loose: the machine may be busy. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "actors/supervisor.h"
#include "actors/thread_monitor.h"
#include "runtime/deadline.h"
#include "runtime/stack.h"

enum { VANISH = TRP_USER_FIRST, ORPHAN };
enum { LOOK_MS = 50, TURN_LIMIT_MS = 200, STALL_MS = 1500, PATIENCE_S = 20 };

static struct trp_system *the_system;
static int log_fd = -1;
static _Atomic uint32_t steady_ticks;

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- the cast ---- */

static enum trp_err steady_start(struct trp_self *self, void *state, const void *args) {
  (void)state;
  (void)args;
  return trp_timer_start(self, 0, 10 * TRP_NS_PER_MS, 0, NULL);
}

static enum trp_err steady_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  if (msg->type == TRP_TIMER) atomic_fetch_add_explicit(&steady_ticks, 1, memory_order_relaxed);
  return TRP_OK;
}

static _Atomic uint32_t idle_ends;

static uint32_t ends_seen(void) { return atomic_load_explicit(&idle_ends, memory_order_relaxed); }

static enum trp_err idle_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == VANISH) syscall(SYS_exit, 0); /* no destructor runs, and nobody is told */
  if (msg->type == ORPHAN) {
    trp_account(self, TRP_RES_SUBSCRIPTION, 2); /* and never gives them back */
    trp_exit(self);
  }
  return TRP_OK;
}

static void idle_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)state;
  (void)reason;
  atomic_fetch_add_explicit(&idle_ends, 1, memory_order_relaxed);
}

static const struct trp_kind steady_kind = {
    .name = "steady", .start = steady_start, .receive = steady_receive};
static const struct trp_kind idle_kind = {.name = "idle", .receive = idle_receive, .end = idle_end};

static const struct trp_thread_monitor_options options = {
    .interval_ms = LOOK_MS, .report_ms = 200, .beat_limit_ms = 300, .growth_window_ms = 1000};

static void add(const char *name, const struct trp_kind *kind, const char *supervisor,
                const void *args, enum trp_restart restart) {
  const struct trp_spec spec = {.name = name,
                                .kind = kind,
                                .supervisor = supervisor,
                                .args = args,
                                .turn_limit_ms = kind == &idle_kind ? TURN_LIMIT_MS : 0,
                                .restart = {.restart = restart, .intensity = 9}};
  assert_int_equal(trp_system_add(the_system, &spec), TRP_OK);
}

static int open_system(void **state) {
  (void)state;
  log_fd = memfd_create("log", MFD_CLOEXEC);
  if (log_fd < 0 || trp_stack_install() != TRP_OK) return -1;
  const struct trp_system_options how = {
      .name = "monitored", .allow_faults = true, .log_fd = log_fd, .quiet_report = true};
  assert_int_equal(trp_system_new(&the_system, &how), TRP_OK);
  atomic_store_explicit(&idle_ends, 0, memory_order_relaxed);
  add("supervisor", &trp_supervisor_kind, NULL, NULL, TRP_PERMANENT);
  add("thread_monitor", &trp_thread_monitor_kind, "supervisor", &options, TRP_PERMANENT);
  add("steady", &steady_kind, "supervisor", NULL, TRP_PERMANENT);
  add("victim", &idle_kind, "supervisor", NULL, TRP_PERMANENT);
  add("mayfly", &idle_kind, "supervisor", NULL, TRP_TEMPORARY);
  return trp_system_start(the_system, NULL, 0) == TRP_OK ? 0 : -1;
}

static int close_system(void **state) {
  (void)state;
  trp_system_destroy(&the_system);
  trp_stack_uninstall();
  close(log_fd);
  return 0;
}

static void order(const char *name, const char *fault) {
  struct trp_fault body = {.text = ""};
  snprintf(body.text, sizeof body.text, "%s", fault);
  struct trp_ref who = trp_system_whereis(the_system, name);
  assert_int_equal(trp_system_send(the_system, who, TRP_FAULT, &body, sizeof body), TRP_OK);
}

/* ---- what was said ---- */

/* How often the log says so. */
static size_t logged(const char *text) {
  static char all[1 << 20];
  ssize_t n = pread(log_fd, all, sizeof all - 1, 0);
  all[n > 0 ? n : 0] = '\0';
  size_t count = 0;
  for (const char *at = all; (at = strstr(at, text)) != NULL; at++) count++;
  return count;
}

static bool soon_logged_times(const char *text, size_t times) {
  uint64_t deadline = trp_deadline_in(PATIENCE_S * TRP_NS_PER_S);
  while (logged(text) < times) {
    if (trp_deadline_left_ns(deadline) == 0) return false;
    sleep_ms(10);
  }
  return true;
}

static bool soon_logged(const char *text) { return soon_logged_times(text, 1); }

/* How often the journal has this type; the last of them is copied. */
static size_t journalled(uint16_t type, void *body, size_t bytes) {
  size_t count = 0;
  struct trp_journal_entry entry = {.sequence = 0};
  char found[2048];
  while (trp_system_journal_next(the_system, entry.sequence, &entry, found, sizeof found)) {
    if (entry.type != type) continue;
    count++;
    memcpy(body, found, bytes);
  }
  return count;
}

static bool soon_journalled(uint16_t type, void *body, size_t bytes) {
  uint64_t deadline = trp_deadline_in(PATIENCE_S * TRP_NS_PER_S);
  while (journalled(type, body, bytes) == 0) {
    if (trp_deadline_left_ns(deadline) == 0) return false;
    sleep_ms(10);
  }
  return true;
}

static bool on_register_as(const char *name, int tid) {
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info); i++) {
    if (info.tid == tid && strcmp(info.name, name) == 0) return true;
  }
  return false;
}

static bool on_register(const char *name) {
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info); i++) {
    if (strcmp(info.name, name) == 0) return true;
  }
  return false;
}

/* ---- actors ---- */

static void a_stalled_turn_is_told_once_with_its_stack_while_others_work(void **state) {
  (void)state;
  struct trp_actor_stalled body;
  order("victim", "stall:1500");
  uint32_t before = atomic_load_explicit(&steady_ticks, memory_order_relaxed);
  assert_true(soon_journalled(TRP_ACTOR_STALLED, &body, sizeof body));
  assert_string_equal(body.name, "victim");
  assert_non_null(strstr(body.stack, "injected_stall"));
  assert_in_range(body.stalled_ms, TURN_LIMIT_MS, 2 * STALL_MS);
  assert_int_not_equal(body.tid, 0);
  assert_int_equal(body.ref, trp_system_whereis(the_system, "victim").bits);
  assert_true(soon_logged("actor.recovered actor=victim was=stalled"));
  uint32_t after = atomic_load_explicit(&steady_ticks, memory_order_relaxed);
  assert_true(after - before >= 5);
  sleep_ms(4 * LOOK_MS);
  assert_int_equal(journalled(TRP_ACTOR_STALLED, &body, sizeof body), 1);
  assert_int_equal(logged("actor.stalled actor=victim"), 1);
}

static void a_panic_out_of_a_stall_is_no_recovery(void **state) {
  (void)state;
  struct trp_actor_stalled stalled;
  struct trp_thread_crashed crashed;
  order("victim", "stall:1500");
  order("victim", "panic");
  assert_true(soon_journalled(TRP_ACTOR_STALLED, &stalled, sizeof stalled));
  assert_true(soon_journalled(TRP_THREAD_CRASHED, &crashed, sizeof crashed));
  assert_true(soon_logged("victim actor.restarted"));
  sleep_ms(4 * LOOK_MS);
  assert_int_equal(logged("actor.recovered"), 0);
}

/* ---- threads that vanish ---- */

static void send_plain(const char *name, uint16_t type) {
  struct trp_ref who = trp_system_whereis(the_system, name);
  assert_int_equal(trp_system_send(the_system, who, type, NULL, 0), TRP_OK);
}

static void an_actor_whose_thread_vanishes_has_crashed_and_comes_back(void **state) {
  (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  print_message("  a raw exit is more than a sanitizer can follow: skipped\n");
  skip();
#endif
  struct trp_thread_crashed body;
  for (size_t round = 1; round <= 3; round++) {
    send_plain("victim", VANISH);
    assert_true(soon_logged_times("victim actor.restarted", round));
    assert_int_equal(journalled(TRP_THREAD_CRASHED, &body, sizeof body), round);
    assert_string_equal(body.name, "victim");
    assert_int_equal(body.cause, TRP_CAUSE_EXIT);
    assert_int_equal(body.error, TRP_THREAD_EXIT);
    assert_int_not_equal(body.tid, 0);
    assert_false(on_register_as("victim", body.tid));
  }
  order("victim", "panic"); /* it hears: the new thread runs it */
  assert_true(soon_logged_times("victim actor.restarted", 4));
  assert_int_equal(ends_seen(), 4);
}

/* ---- orphans ---- */

static struct trp_monitor_report ask_report(void) {
  struct trp_monitor_query query = {0};
  struct trp_monitor_report report;
  uint16_t type = 0;
  size_t bytes = sizeof report;
  struct trp_ref monitor = trp_system_whereis(the_system, "thread_monitor");
  assert_int_equal(trp_system_ask(the_system, monitor, TRP_MONITOR_QUERY, &query, sizeof query,
                                  PATIENCE_S * TRP_NS_PER_S, &type, &report, &bytes),
                   TRP_OK);
  assert_int_equal(type, TRP_MONITOR_REPORT);
  return report;
}

static void what_a_dead_actor_still_holds_is_told(void **state) {
  (void)state;
  struct trp_monitor_report report = ask_report();
  assert_int_equal(report.orphan_timers + report.orphan_asks + report.orphan_subscriptions +
                       report.orphan_monitors + report.orphan_others,
                   0);
  send_plain("mayfly", ORPHAN);
  assert_true(soon_logged("monitor.orphans timers=0 asks=0 subscriptions=2"));
  assert_true(soon_logged("owner=mayfly"));
  assert_int_equal(ask_report().orphan_subscriptions, 2);
  sleep_ms(4 * LOOK_MS);
  assert_int_equal(logged("monitor.orphans"), 1);
}

/* ---- foreign threads ---- */

struct foreign {
  pthread_t thread;
  const char *name; /* registers under it; NULL: not at all */
  bool deregisters;
  _Atomic bool ready, beats, leave;
};

static void *foreign_main(void *arg) {
  struct foreign *f = arg;
  if (f->name == NULL) pthread_setname_np(pthread_self(), "stranger");
  if (f->name != NULL && trp_thread_register(f->name, "importer") != TRP_OK) return NULL;
  atomic_store_explicit(&f->ready, true, memory_order_release);
  while (!atomic_load_explicit(&f->leave, memory_order_acquire)) {
    if (atomic_load_explicit(&f->beats, memory_order_relaxed)) trp_thread_beat();
    sleep_ms(5);
  }
  if (f->deregisters) trp_thread_deregister();
  return NULL;
}

static void start_foreign(struct foreign *f) {
  assert_int_equal(pthread_create(&f->thread, NULL, foreign_main, f), 0);
  while (!atomic_load_explicit(&f->ready, memory_order_acquire)) sleep_ms(1);
}

static void join_foreign(struct foreign *f) {
  atomic_store_explicit(&f->leave, true, memory_order_release);
  pthread_join(f->thread, NULL);
}

static void a_foreign_thread_that_ends_without_deregistering_has_crashed(void **state) {
  (void)state;
  struct foreign polite = {.name = "polite", .beats = true, .deregisters = true};
  struct foreign rude = {.name = "rude", .beats = true};
  struct trp_thread_crashed body;
  start_foreign(&polite);
  start_foreign(&rude);
  join_foreign(&polite);
  join_foreign(&rude);
  assert_true(soon_journalled(TRP_THREAD_CRASHED, &body, sizeof body));
  assert_string_equal(body.name, "rude");
  assert_int_equal(body.cause, TRP_CAUSE_EXIT);
  assert_int_equal(body.error, TRP_THREAD_EXIT);
  assert_int_not_equal(body.tid, 0);
  assert_int_equal(body.ref, 0);
  assert_non_null(strstr(body.reason, "importer"));
  assert_false(on_register("rude"));
  sleep_ms(4 * LOOK_MS);
  assert_int_equal(journalled(TRP_THREAD_CRASHED, &body, sizeof body), 1);
}

static void a_foreign_thread_that_stops_beating_is_told_once_until_it_beats_again(void **state) {
  (void)state;
  struct foreign quiet = {.name = "quiet", .beats = true, .deregisters = true};
  struct trp_actor_stalled body;
  start_foreign(&quiet);
  atomic_store_explicit(&quiet.beats, false, memory_order_relaxed);
  assert_true(soon_journalled(TRP_ACTOR_STALLED, &body, sizeof body));
  assert_string_equal(body.name, "quiet");
  assert_non_null(strstr(body.stack, "foreign_main"));
  sleep_ms(4 * LOOK_MS);
  assert_int_equal(journalled(TRP_ACTOR_STALLED, &body, sizeof body), 1);
  atomic_store_explicit(&quiet.beats, true, memory_order_relaxed);
  assert_true(soon_logged("thread.recovered thread=\"quiet\""));
  join_foreign(&quiet);
}

static void a_thread_that_nobody_registered_is_logged_once(void **state) {
  (void)state;
  struct foreign stranger = {.name = NULL};
  start_foreign(&stranger);
  assert_true(soon_logged("thread.unknown"));
  sleep_ms(8 * LOOK_MS); /* two reports, each with a new look for strangers */
  assert_int_equal(logged("comm=\"stranger\""), 1);
  join_foreign(&stranger);
}

/* ---- figures ---- */

static void descriptors_that_pile_up_are_growth(void **state) {
  (void)state;
  int fds[64];
  assert_true(soon_logged("monitor.report")); /* so that the window begins without them */
  for (int i = 0; i < 64; i++) fds[i] = dup(log_fd);
  assert_true(soon_logged("monitor.growth what=descriptors"));
  assert_int_equal(logged("what=actors"), 0);
  for (int i = 0; i < 64; i++) close(fds[i]);
}

static void a_report_names_the_process_figures(void **state) {
  (void)state;
  struct trp_operator word = {.text = "report"};
  struct trp_result result = {.status = TRP_INVALID};
  uint16_t type = 0;
  size_t bytes = sizeof result;
  struct trp_ref monitor = trp_system_whereis(the_system, "thread_monitor");
  assert_int_equal(trp_system_ask(the_system, monitor, TRP_OPERATOR, &word, sizeof word,
                                  PATIENCE_S * TRP_NS_PER_S, &type, &result, &bytes),
                   TRP_OK);
  assert_int_equal(result.status, TRP_OK);
  unsigned threads = 0, unknown = 0;
  unsigned long long kib = 0;
  const char *at = strstr(result.text, " threads=");
  assert_non_null(at);
  assert_int_equal(sscanf(at, " threads=%u foreign=0 unknown=%u descriptors=%*u memory_kib=%llu",
                          &threads, &unknown, &kib),
                   3);
  assert_true(threads >= 5 && kib > 0);
  assert_true(soon_logged("thread_monitor monitor.report actors=5 running=5 stalled=0"));
}

#define MONITORED(test) cmocka_unit_test_setup_teardown(test, open_system, close_system)

int main(void) {
  const struct CMUnitTest tests[] = {
      MONITORED(a_stalled_turn_is_told_once_with_its_stack_while_others_work),
      MONITORED(a_panic_out_of_a_stall_is_no_recovery),
      MONITORED(an_actor_whose_thread_vanishes_has_crashed_and_comes_back),
      MONITORED(what_a_dead_actor_still_holds_is_told),
      MONITORED(a_foreign_thread_that_ends_without_deregistering_has_crashed),
      MONITORED(a_foreign_thread_that_stops_beating_is_told_once_until_it_beats_again),
      MONITORED(a_thread_that_nobody_registered_is_logged_once),
      MONITORED(descriptors_that_pile_up_are_growth),
      MONITORED(a_report_names_the_process_figures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
