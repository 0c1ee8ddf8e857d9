/* fault_sweep_test.c - a small but complete system is started, run and stopped again and again; the
 * first time its first allocation fails, then the second, and so on until none is left to fail; and
 * the same with its system calls, over both schedulers.
 *
 * After each: the start succeeded or failed with a clear error; nothing hangs; the stop ended with
 * an account that balances and in which nothing is left; no block of memory, thread or descriptor
 * remains. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/event_engine.h"
#include "actors/publisher.h"
#include "actors/subscriber.h"
#include "actors/supervisor.h"
#include "runtime/deadline.h"
#include "runtime/report.h"
#include "runtime/sim.h"
#include "test/conformance/fault_sweep.h"

enum { GO = TRP_USER_FIRST, QUESTION, EVENT, LARGE = 300, SWEEP_S = 20, GUARD_S = 30 };
#define MS TRP_NS_PER_MS

/* ---- where it was when the process died ---- */

static char where[160];

static void last_words(int signal_number) {
  static const char words[] = "the process died while sweeping ";
  (void)!write(STDERR_FILENO, words, sizeof words - 1);
  (void)!write(STDERR_FILENO, where, strlen(where));
  const char *name = sweep_victim();
  (void)!write(STDERR_FILENO, name, strlen(name));
  (void)!write(STDERR_FILENO, "\n", 1);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

/* ---- the company ---- */

struct busy {
  struct trp_subscriber subscriber;
  struct trp_publisher publisher;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct busy *b = state;
  (void)args;
  enum trp_err err = trp_subscriber_start(self, &b->subscriber, "engine");
  if (err == TRP_OK) err = trp_publisher_start(self, &b->publisher, "engine");
  if (err == TRP_OK) err = trp_subscriber_add(self, &b->subscriber, EVENT, 0);
  return err == TRP_OK ? trp_timer_start(self, MS, MS, 0, NULL) : err;
}

static enum trp_err act(struct trp_self *self, struct busy *b) {
  static const char large[LARGE];
  bool first = strcmp(trp_self_name(self), "first") == 0;
  struct trp_ref other = trp_whereis(self, first ? "second" : "first");
  enum trp_err err = TRP_OK;
  trp_publish(self, &b->publisher, EVENT, large, sizeof large);
  if (trp_ref_is_nobody(other)) return TRP_OK;
  (void)!trp_send(self, other, EVENT, large, sizeof large);
  (void)!trp_ask(self, other, QUESTION, large, sizeof large, 5 * MS, &(uint64_t){0});
  (void)!trp_edge_add(self, trp_self_ref(self), other);
  err = trp_monitor(self, other, NULL);
  return err == TRP_OK ? trp_link(self, other) : err;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct busy *b = state;
  bool mine = trp_subscriber_take(self, &b->subscriber, msg);
  if (trp_publisher_take(self, &b->publisher, msg) || mine) return TRP_OK;
  static const char large[LARGE];
  if (msg->token != 0) (void)!trp_reply(self, msg->token, EVENT, large, sizeof large);
  if (msg->type == TRP_TIMER && trp_self_incarnation(self) < 4) return act(self, b);
  return TRP_OK;
}

static const struct trp_kind busy = {
    .name = "busy", .state_bytes = sizeof(struct busy), .start = start, .receive = receive};

/* In a process of its own, where the sweep has one; it lives only to be spawned and killed. */
static enum trp_err idle(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

static const struct trp_kind apart = {.name = "apart", .receive = idle};
static const struct trp_kind *const placed_kinds[] = {&apart, NULL};
static bool with_process;

static uint64_t key(uint16_t type, const void *body, size_t bytes) {
  (void)body;
  return type == EVENT && bytes == LARGE;
}

static enum trp_err build(struct trp_system *system, bool threads) {
  static const struct trp_supervisor_options options = {.events = "engine"};
  const struct trp_restart_policy policy = {.intensity = 50, .backoff_max_ms = 2};
  const struct trp_spec specs[] = {
      {.name = "root", .kind = &trp_supervisor_kind, .args = &options},
      {.name = "engine", .kind = &trp_event_engine_kind, .supervisor = "root", .restart = policy},
      {.name = "first",
       .kind = &busy,
       .supervisor = "root",
       .restart = policy,
       .door = threads,
       .mailbox = {.capacity = 64, .policy = TRP_WAIT}},
      {.name = "second",
       .kind = &busy,
       .supervisor = "root",
       .restart = policy,
       .mailbox = {.capacity = 64, .policy = TRP_CONFLATE, .key = key}},
  };
  enum trp_err err = TRP_OK;
  for (size_t i = 0; i < sizeof specs / sizeof *specs && err == TRP_OK; i++) {
    err = trp_system_add(system, &specs[i]);
  }
  const struct trp_spec placed = {.name = "apart",
                                  .kind = &apart,
                                  .supervisor = "root",
                                  .restart = policy,
                                  .placement = TRP_PROCESS};
  if (err == TRP_OK && with_process) err = trp_system_add(system, &placed);
  return err == TRP_OK ? trp_system_edge(system, "first", "second") : err;
}

/* ---- one run ---- */

static void pass(struct trp_system *system, bool threads, uint64_t ms) {
  struct timespec nap = {.tv_nsec = (long)ms * 1000000};
  if (threads) {
    nanosleep(&nap, NULL);
  } else {
    trp_sim_run_for(system, ms * MS);
  }
}

static void run_while_it_lasts(struct trp_system *system, bool threads) {
  struct trp_fault fault = {.text = "panic"};
  pass(system, threads, 6);
  if (with_process) { /* its next life begins while all goes on, or the stop comes first */
    struct trp_ref who = trp_system_whereis(system, "apart");
    (void)!trp_system_send(system, who, TRP_FAULT, &fault, sizeof fault);
    pass(system, threads, 40);
  }
  (void)!trp_system_send(system, trp_system_whereis(system, "engine"), TRP_FAULT, &fault,
                         sizeof fault);
  pass(system, threads, 3);
  (void)!trp_system_ask(system, trp_system_whereis(system, "second"), QUESTION, NULL, 0, MS, NULL,
                        NULL, NULL);
  pass(system, threads, 3);
}

static void check_account(struct trp_system *system) {
  const struct trp_report *report = trp_system_report(system);
  assert_non_null(report);
  assert_true(report->balanced);
  for (size_t i = 0; i < report->actor_count; i++) {
    const struct trp_report_actor *a = &report->actors[i];
    if (a->abandoned) fail_msg("%s%s failed: %s is abandoned", where, sweep_victim(), a->name);
  }
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    if (report->left_behind[r] != 0) fail_msg("%s%s: %d is left", where, sweep_victim(), r);
  }
}

static void run_once(bool threads) {
  struct trp_system_options options = {
      .name = "sweep",
      .sched = threads ? TRP_SCHED_THREADS : TRP_SCHED_SIM,
      .seed = 1,
      .budget_ms = 5000,
      .actors_max = 8,
      .allow_faults = true,
      .log_fd = -1,
  };
  struct trp_system *system = NULL;
  char failure[256] = "";
  enum trp_err err = trp_system_new(&system, &options);
  assert_true((err == TRP_OK) == (system != NULL));
  if (err == TRP_OK) err = build(system, threads);
  if (err == TRP_OK) {
    err = trp_system_start(system, failure, sizeof failure);
    if (err == TRP_START_FAILED) assert_true(strlen(failure) > 0);
    if (err == TRP_OK) run_while_it_lasts(system, threads);
    trp_system_stop(system, "swept");
    /* By another error there was nobody yet who could have started it. */
    if (err == TRP_OK || err == TRP_START_FAILED || err == TRP_STOPPED) {
      assert_int_equal(trp_system_wait(system, 10 * TRP_NS_PER_S), TRP_OK);
      check_account(system);
    }
  }
  trp_system_destroy(&system);
}

/* ---- what is left ---- */

static unsigned entries(const char *path) {
  DIR *folder = opendir(path);
  unsigned count = 0;
  assert_non_null(folder);
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

struct left {
  int64_t blocks;
  unsigned threads, descriptors;
};

static struct left look(void) {
  return (struct left){.blocks = sweep_blocks(),
                       .threads = entries("/proc/self/task"),
                       .descriptors = entries("/proc/self/fd")};
}

/* A joined thread may be seen by the kernel's list for a moment yet, and a library closes what it
 * had open for a process in a thread of its own. */
static struct left look_until(const struct left *before) {
  struct left now = look();
  for (int i = 0; i < 200 && (now.threads > before->threads ||
                              now.descriptors > before->descriptors || now.blocks > before->blocks);
       i++) {
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    now = look();
  }
  return now;
}

static void check_left(const struct left *before) {
  struct left now = look_until(before);
  if (now.blocks == before->blocks && now.threads == before->threads &&
      now.descriptors == before->descriptors) {
    return;
  }
  fail_msg("%s%s left %lld blocks, %d threads, %d descriptors", where, sweep_victim(),
           (long long)(now.blocks - before->blocks), (int)(now.threads - before->threads),
           (int)(now.descriptors - before->descriptors));
}

/* ---- the sweep ---- */

static void sweep(enum sweep_kind kind, bool threads, bool lasting, uint64_t calls_min,
                  uint64_t stride) {
  static const char *const kinds[] = {"allocation", "system call"};
  run_once(threads); /* what is made once and kept */
  struct left before = look();
  run_once(threads);
  before = look_until(&before);
  uint64_t until = trp_deadline_in(SWEEP_S * TRP_NS_PER_S), n = 1, last = 0;
  for (bool failed = true; failed && trp_deadline_left_ns(until) > 0; n += stride) {
    snprintf(where, sizeof where, "%s %llu%s, %s: ", kinds[kind], (unsigned long long)n,
             lasting ? " and all after it" : "", threads ? "threads" : "simulation");
    alarm(GUARD_S);
    sweep_arm(kind, n, lasting);
    run_once(threads);
    failed = sweep_disarm();
    if (failed) last = n;
    check_left(&before);
  }
  alarm(0);
  bool done = trp_deadline_left_ns(until) > 0;
  print_message("  %sswept %llu calls%s\n", where, (unsigned long long)last,
                done ? "" : ", and then the time was over");
  assert_true(!done || last >= calls_min); /* else the calls do not come by here any more */
}

static void the_nth_allocation_fails_in_simulation(void **state) {
  (void)state;
  sweep(SWEEP_MEMORY, false, false, 100, 1);
}

static void all_allocations_from_the_nth_on_fail_in_simulation(void **state) {
  (void)state;
  sweep(SWEEP_MEMORY, false, true, 100, 1);
}

static void the_nth_allocation_fails_with_threads(void **state) {
  (void)state;
  sweep(SWEEP_MEMORY, true, false, 100, 1);
}

static void the_nth_system_call_fails_with_threads(void **state) {
  (void)state;
  sweep(SWEEP_SYSTEM, true, false, 5, 1);
}

static void all_system_calls_from_the_nth_on_fail_with_threads(void **state) {
  (void)state;
  sweep(SWEEP_SYSTEM, true, true, 5, 1);
}

static void the_nth_system_call_of_a_placed_actor_fails(void **state) {
  (void)state;
  with_process = true;
  sweep(SWEEP_SYSTEM, true, false, 10, 1);
}

static void every_third_allocation_of_a_placed_actor_fails(void **state) {
  (void)state;
  with_process = true;
  sweep(SWEEP_MEMORY, true, false, 100, 3); /* a run takes 60 ms */
}

static int without_process(void **state) {
  (void)state;
  with_process = false;
  return 0;
}

int main(void) {
  trp_process_host(placed_kinds);
  static const int fatal[] = {SIGABRT, SIGSEGV, SIGALRM};
  for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], last_words);
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_nth_allocation_fails_in_simulation),
      cmocka_unit_test(all_allocations_from_the_nth_on_fail_in_simulation),
      cmocka_unit_test(the_nth_allocation_fails_with_threads),
      cmocka_unit_test(the_nth_system_call_fails_with_threads),
      cmocka_unit_test(all_system_calls_from_the_nth_on_fail_with_threads),
      cmocka_unit_test_teardown(the_nth_system_call_of_a_placed_actor_fails, without_process),
      cmocka_unit_test_teardown(every_third_allocation_of_a_placed_actor_fails, without_process),
  };
  return cmocka_run_group_tests_name("fault sweep", tests, NULL, NULL);
}
