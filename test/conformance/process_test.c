/* process_test.c - an actor in a process of its own: the same author's functions, every way of
 * dying, the account that survives a kill, no orphans, and a stop that ends it for real. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/fdcount.h"
#include "test/support/placed.h"
#include "test/support/process.h"

#define MS TRP_NS_PER_MS
static const struct placed_args well = {0};

/* ---- it is the same actor ---- */

static void an_actor_in_a_process_is_itself_there(void **state) {
  (void)state;
  struct placed p;
  struct placed_hello hello;
  struct trp_actor_info info;
  placed_open(&p, NULL, &well);
  placed_hello(&p, &hello);
  placed_info(&p, &info);
  assert_int_not_equal(getpid(), hello.pid);
  assert_int_equal(info.pid, hello.pid);
  assert_string_equal("process", info.placement);
  assert_string_equal("placed", info.kind);
  assert_int_equal(placed_ref(&p).bits, hello.ref);
  assert_int_equal(1, hello.incarnation);
  assert_true(hello.named);
  const struct trp_report *report = placed_stop(&p);
  assert_int_equal(TRP_VERDICT_CLEAN, report->verdict);
  assert_int_equal(PLACED_EXIT, placed_news()); /* its end ran, and could still send */
  placed_close(&p);
}

static void what_a_terminal_sends_to_the_group_does_not_reach_it(void **state) {
  (void)state;
  struct placed p;
  struct placed_hello hello;
  placed_open(&p, NULL, &well);
  placed_hello(&p, &hello);
  assert_int_equal(hello.pid, hello.sid);
  assert_int_not_equal(getpgrp(), getpgid(hello.pid));
  placed_stop(&p);
  placed_close(&p);
}

static void await_news(uint16_t type) {
  unsigned long until = process_now_ms() + 5000 * process_slowness();
  while (placed_news() != type && process_now_ms() < until) process_nap(1);
  assert_int_equal(type, placed_news());
}

static void its_asks_watches_and_timers_work_from_there(void **state) {
  (void)state;
  struct placed p;
  struct trp_ref asker;
  size_t bytes = sizeof asker;
  placed_open(&p, NULL, &well);
  assert_int_equal(TRP_OK, trp_system_ask(p.system, placed_ref(&p), PLACED_ASK, NULL, 0,
                                          5 * TRP_NS_PER_S, NULL, &asker, &bytes));
  assert_int_equal(placed_ref(&p).bits, asker.bits); /* the witness saw the slot's name */
  placed_tell(&p, PLACED_WATCH, 0);
  await_news(TRP_UP);
  placed_tell(&p, PLACED_TIMER, 0);
  await_news(TRP_TIMER);
  assert_int_equal(TRP_OK, trp_system_send(p.system, trp_system_whereis(p.system, "witness"),
                                           PLACED_DIE, NULL, 0));
  await_news(TRP_UP); /* DOWN before it, which the witness was not there to hear */
  placed_stop(&p);
  placed_close(&p);
}

static void a_flood_goes_through_in_order_and_in_whole(void **state) {
  (void)state;
  enum { LETTERS = 20000, BLOCKS = 20, BLOCK = 300000 };
  static unsigned char block[BLOCK];
  struct placed p;
  placed_open(&p, NULL, &well);
  for (uint64_t i = 1; i <= LETTERS; i++) {
    placed_tell(&p, PLACED_COUNT, i);
    if (i % (LETTERS / BLOCKS) != 0) continue;
    assert_int_equal(TRP_OK, trp_system_send_wait(p.system, placed_ref(&p), PLACED_BLOCK, block,
                                                  BLOCK, 5 * TRP_NS_PER_S));
  }
  const struct trp_report *report = placed_stop(&p); /* drains */
  assert_int_equal(TRP_VERDICT_CLEAN, report->verdict);
  assert_int_equal(LETTERS, placed_witnessed());
  assert_int_equal((uint64_t)LETTERS * (LETTERS + 1) / 2, placed_witnessed_sum());
  assert_int_equal((uint64_t)BLOCKS * BLOCK, placed_witnessed_bytes());
  assert_true(placed_in_order());
  placed_close(&p);
}

static void one_that_ends_by_itself_comes_back_as_its_policy_says(void **state) {
  (void)state;
  struct placed p;
  struct placed_hello hello;
  placed_open(&p, NULL, &well);
  placed_tell(&p, PLACED_EXIT, 0);
  placed_await_life(&p, 2);
  placed_hello(&p, &hello);
  assert_int_equal(2, hello.incarnation);
  assert_int_equal(TRP_VERDICT_CLEAN, placed_stop(&p)->verdict);
  placed_close(&p);
}

static void it_can_ask_for_the_stop_of_all(void **state) {
  (void)state;
  struct placed p;
  placed_open(&p, NULL, &well);
  placed_tell(&p, PLACED_STOP, 0);
  assert_int_equal(TRP_OK, trp_system_wait(p.system, 10 * TRP_NS_PER_S));
  assert_string_equal("the placed one asked", trp_system_report(p.system)->reason);
  assert_int_equal(TRP_VERDICT_CLEAN, trp_system_report(p.system)->verdict);
  placed_close(&p);
}

/* ---- dying ---- */

static void each_death_is_a_crash_with_its_reason_and_a_restart(void **state) {
  (void)state;
  static const struct {
    enum placed_death how;
    enum trp_crash_cause cause;
    int signal;
    const char *reason, *stack;
  } deaths[] = {
      {PLACED_FAULT, TRP_CAUSE_SIGNAL, SIGSEGV, "SIGSEGV", "fault"},
      {PLACED_ABORT, TRP_CAUSE_SIGNAL, SIGABRT, "SIGABRT", "actor_receive"},
      {PLACED_PANIC, TRP_CAUSE_PANIC, 0, "on order", "actor_receive"},
      {PLACED_ERROR, TRP_CAUSE_ERROR, 0, "the other side broke the protocol", ""},
      {PLACED_STATUS, TRP_CAUSE_EXIT, 0, "status 3", ""},
      {PLACED_KILL, TRP_CAUSE_SIGNAL, SIGKILL, "SIGKILL", ""},
      {PLACED_LOOP, TRP_CAUSE_STUCK, SIGKILL, "did not return in", "hang"},
  };
  struct placed p;
  placed_open(&p, &(struct trp_spec){.turn_limit_ms = 300 * process_slowness()}, &well);
  for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
    struct trp_thread_crashed crashed;
    struct placed_hello hello;
    placed_tell(&p, PLACED_DIE, deaths[i].how);
    placed_await_crash(&p, &crashed);
    assert_int_equal(deaths[i].cause, crashed.cause);
    assert_int_equal(deaths[i].signal, crashed.signal);
    if (strstr(crashed.reason, deaths[i].reason) == NULL) fail_msg("%s", crashed.reason);
    /* A sanitizer may put the asking signal off until a call that a loop does not make. */
    bool put_off = deaths[i].how == PLACED_LOOP && strstr(crashed.stack, "state=") != NULL;
    bool there = put_off || strstr(crashed.stack, deaths[i].stack) != NULL;
    if (!there) fail_msg("stack: %s", crashed.stack);
    assert_int_equal(i + 1, crashed.incarnation);
    placed_hello(&p, &hello);
    assert_int_equal(i + 2, hello.incarnation);
    assert_int_equal(0, hello.counted);
  }
  assert_int_equal(TRP_VERDICT_CLEAN, placed_stop(&p)->verdict);
  placed_close(&p);
}

/* ---- out of memory ---- */

static bool write_to(const char *folder, const char *file, const char *text) {
  char path[160];
  snprintf(path, sizeof path, "%s/%s", folder, file);
  FILE *to = fopen(path, "w");
  if (to == NULL) return false;
  bool written = fputs(text, to) >= 0;
  return fclose(to) == 0 && written;
}

/* A control group of little memory; false where this user or this kernel has none to give. */
static bool make_group(char folder[96]) {
  static const struct {
    const char *root, *limit;
  } kinds[] = {{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
               {"/sys/fs/cgroup", "memory.max"}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    snprintf(folder, 96, "%s/troupe-test-%d", kinds[i].root, (int)getpid());
    if (mkdir(folder, 0700) != 0) continue;
    if (write_to(folder, kinds[i].limit, "67108864")) return true;
    rmdir(folder);
  }
  return false;
}

static void one_that_the_kernel_kills_for_memory_is_told_so(void **state) {
  (void)state;
  char group[96], pid[16];
  struct placed p;
  struct placed_hello hello;
  struct trp_thread_crashed crashed;
  if (process_slowness() > 1 || !make_group(group)) skip();
  placed_open(&p, NULL, &well);
  placed_hello(&p, &hello);
  snprintf(pid, sizeof pid, "%d", hello.pid);
  bool limited = write_to(group, "cgroup.procs", pid);
  if (limited) {
    placed_tell(&p, PLACED_DIE, PLACED_EAT);
    placed_await_crash(&p, &crashed);
    placed_await_life(&p, 2);
  }
  placed_stop(&p);
  placed_close(&p);
  rmdir(group);
  assert_true(limited);
  assert_int_equal(TRP_CAUSE_SIGNAL, crashed.cause);
  assert_int_equal(SIGKILL, crashed.signal);
  if (strstr(crashed.reason, "out of memory") == NULL) fail_msg("%s", crashed.reason);
}

static void mail_with_a_killed_process_is_lost_on_the_link_and_counted(void **state) {
  (void)state;
  enum { LETTERS = 2000, ROUNDS = 5 };
  struct placed p;
  struct trp_actor_info info;
  placed_open(&p, NULL, &well);
  for (uint64_t round = 0; round < ROUNDS; round++) {
    struct trp_thread_crashed crashed;
    struct placed_hello hello;
    placed_hello(&p, &hello);
    struct trp_ref ref = placed_ref(&p);
    for (uint64_t i = 0; i < LETTERS; i++) {
      if (i == LETTERS / 2) kill(hello.pid, SIGKILL);
      uint64_t number = round * LETTERS + i + 1;
      enum trp_err err = trp_system_send(p.system, ref, PLACED_COUNT, &number, sizeof number);
      assert_true(err == TRP_OK || err == TRP_FULL || err == TRP_DEAD);
    }
    placed_await_crash(&p, &crashed);
    assert_int_equal(SIGKILL, crashed.signal);
    placed_await_life(&p, round + 2);
    placed_info(&p, &info);
    assert_true(trp_ledger_balances(&info.ledger));
    assert_int_equal(0, info.ledger.pending);
    assert_true(info.ledger.handled >= placed_witnessed());
  }
  assert_true(info.ledger.dead[TRP_LOST_LINK] > 0);
  placed_stop(&p);
  placed_close(&p);
}

static void a_start_that_fails_faults_or_hangs_is_told_with_its_reason(void **state) {
  (void)state;
  static const struct {
    enum placed_start how;
    const char *reason;
  } starts[] = {{PLACED_START_FAILS, "refused"},
                {PLACED_START_FAULTS, "SIGSEGV"},
                {PLACED_START_HANGS, "stayed silent"}};
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    struct placed_args args = {.later = starts[i].how};
    struct trp_thread_crashed crashed;
    struct placed p;
    uint32_t timeout_ms = 1000 * process_slowness();
    placed_open(&p, &(struct trp_spec){.start_timeout_ms = timeout_ms}, &args);
    placed_tell(&p, PLACED_EXIT, 0); /* the next life starts so */
    placed_await_crash(&p, &crashed);
    assert_int_equal(TRP_CAUSE_START, crashed.cause);
    assert_int_equal(2, crashed.incarnation);
    if (strstr(crashed.reason, starts[i].reason) == NULL) fail_msg("%s", crashed.reason);
    trp_system_stop(p.system, "seen");
    assert_int_equal(TRP_OK, trp_system_wait(p.system, 20 * TRP_NS_PER_S));
    assert_true(trp_system_report(p.system)->balanced);
    placed_close(&p);
  }
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void a_killed_one_is_back_soon(void **state) {
  (void)state;
  enum { TIMES = 20 };
  double ms[TIMES];
  struct placed p;
  placed_open(&p, NULL, &well);
  for (int i = 0; i < TIMES; i++) {
    process_nap(3); /* up for longer than counts as stable: its restart is at once */
    ms[i] = placed_kill_and_wait(&p);
  }
  qsort(ms, TIMES, sizeof *ms, compare);
  printf("kill -9 to the next life's first answer: median %.1f ms, worst %.1f ms of %d\n",
         ms[TIMES / 2], ms[TIMES - 1], TIMES);
  assert_true(ms[TIMES / 2] < 200 * process_slowness());
  placed_stop(&p);
  placed_close(&p);
}

static void deaths_at_any_moment_of_a_start_leave_the_sockets_answering(void **state) {
  (void)state;
  const uint32_t times = process_slowness() > 1 ? 40 : 150;
  struct placed p;
  struct placed_hello hello;
  placed_open(&p, NULL, &well);
  assert_int_equal(times, placed_kill_at_start(&p, times));
  placed_hello(&p, &hello);
  assert_true(hello.incarnation > times / 2);
  placed_stop(&p);
  placed_close(&p);
}

/* ---- stopping ---- */

static void a_stuck_one_is_killed_at_the_hard_deadline(void **state) {
  (void)state;
  struct placed p;
  struct placed_hello hello;
  placed_open(&p, &(struct trp_spec){.turn_limit_ms = 60000, .budget_ms = 400}, &well);
  placed_hello(&p, &hello);
  placed_tell(&p, PLACED_DIE, PLACED_LOOP);
  process_nap(50);
  const struct trp_report *report = placed_stop(&p); /* nothing left behind, balanced */
  assert_int_equal(TRP_VERDICT_KILLED, report->verdict);
  assert_int_equal(1, trp_verdict_status(report->verdict));
  assert_int_not_equal(0, kill(hello.pid, 0));
  for (size_t i = 0; i < report->actor_count; i++) {
    const struct trp_report_actor *a = &report->actors[i];
    if (strcmp(a->name, "placed") != 0) continue;
    assert_string_equal("killed", a->verdict);
    assert_true(a->elapsed_ns >= 500 * MS); /* 400 and a quarter */
    assert_true(a->elapsed_ns < 500 * MS + 400 * MS * process_slowness());
    assert_int_equal(1, a->ledger.dead[TRP_LOST_LINK]);
  }
  placed_close(&p);
}

static void nothing_grows_with_the_number_of_deaths(void **state) {
  (void)state;
  struct placed p;
  placed_open(&p, NULL, &well);
  size_t before = 0, after = 0;
  for (uint64_t i = 1; i <= 30; i++) {
    placed_kill_and_wait(&p);
    if (i == 10) before = trp_fd_count();
    if (i == 30) after = trp_fd_count();
  }
  assert_int_equal(before, after);
  placed_stop(&p);
  placed_close(&p);
}

/* ---- orphans ---- */

extern char **environ;
static char *program;

/* This program again, as one that is killed. */
static const char VICTIM[] = "--victim";

__attribute__((noreturn)) static void be_victim(void) {
  struct placed p;
  struct placed_hello hello;
  placed_open(&p, NULL, &well);
  placed_hello(&p, &hello);
  printf("%d\n", hello.pid);
  fflush(stdout);
  for (;;) pause();
}

static pid_t start_victim(pid_t *placed) {
  char *argv[] = {program, (char *)(uintptr_t)VICTIM, NULL};
  int fds[2];
  pid_t pid;
  posix_spawn_file_actions_t files;
  assert_int_equal(0, pipe(fds));
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, fds[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  assert_int_equal(0, posix_spawn(&pid, program, &files, NULL, argv, environ));
  posix_spawn_file_actions_destroy(&files);
  close(fds[1]);
  FILE *from = fdopen(fds[0], "r");
  int said = 0;
  assert_int_equal(1, fscanf(from, "%d", &said));
  fclose(from);
  *placed = said;
  return pid;
}

/* One that nobody has reaped yet runs no more. */
static bool runs(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  const char *status = process_read(path);
  return status[0] != '\0' && strstr(status, "State:\tZ") == NULL &&
         strstr(status, "State:\tX") == NULL;
}

static void a_killed_parent_leaves_no_child(void **state) {
  (void)state;
  pid_t placed, victim = start_victim(&placed);
  assert_true(runs(placed));
  kill(victim, SIGKILL);
  assert_int_equal(victim, waitpid(victim, NULL, 0));
  unsigned long until = process_now_ms() + 1000;
  while (runs(placed) && process_now_ms() < until) process_nap(2);
  bool gone = !runs(placed);
  if (!gone) kill(placed, SIGKILL);
  assert_true(gone);
}

/* ---- what is refused ---- */

static enum trp_err nothing(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

static void what_cannot_be_placed_is_refused_when_it_is_added(void **state) {
  (void)state;
  static const struct trp_kind unknown = {.name = "unknown", .receive = nothing};
  struct trp_loop loop = {0};
  struct trp_system *system = NULL;
  const struct trp_system_options options = {.name = "house", .log_fd = -1};
  assert_int_equal(TRP_OK, trp_system_new(&system, &options));
  struct trp_spec spec = {.name = "one", .kind = &unknown, .placement = TRP_PROCESS};
  assert_int_equal(TRP_INVALID, trp_system_add(system, &spec));
  spec.kind = placed_kinds[0];
  spec.args = &options;
  assert_int_equal(TRP_INVALID, trp_system_add(system, &spec)); /* of how many bytes? */
  spec.args = NULL;
  spec.loop = &loop;
  assert_int_equal(TRP_INVALID, trp_system_add(system, &spec));
  spec.loop = NULL;
  assert_int_equal(TRP_OK, trp_system_add(system, &spec));
  const struct trp_spec child = {.name = "child", .kind = &unknown, .supervisor = "one"};
  assert_int_equal(TRP_INVALID, trp_system_add(system, &child));
  trp_system_destroy(&system);
}

static void in_simulation_it_is_a_plain_actor(void **state) {
  (void)state;
  static const struct trp_kind unhosted = {.name = "unhosted", .receive = nothing};
  const struct trp_system_options options = {
      .name = "house", .log_fd = -1, .sched = TRP_SCHED_SIM, .seed = 1};
  const struct trp_spec spec = {.name = "one", .kind = &unhosted, .placement = TRP_PROCESS};
  struct trp_system *system = NULL;
  struct trp_actor_info info;
  assert_int_equal(TRP_OK, trp_system_new(&system, &options));
  assert_int_equal(TRP_OK, trp_system_add(system, &spec));
  assert_int_equal(TRP_OK, trp_system_start(system, NULL, 0));
  assert_true(trp_system_actor(system, 0, &info));
  assert_int_equal(TRP_ACTOR_RUNNING, info.state);
  assert_int_equal(0, info.pid);
  trp_system_destroy(&system);
}

int main(int argc, char **argv) {
  trp_process_host(placed_kinds);
  program = argv[0];
  if (argc > 1 && strcmp(argv[1], VICTIM) == 0) be_victim();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_actor_in_a_process_is_itself_there),
      cmocka_unit_test(what_a_terminal_sends_to_the_group_does_not_reach_it),
      cmocka_unit_test(its_asks_watches_and_timers_work_from_there),
      cmocka_unit_test(a_flood_goes_through_in_order_and_in_whole),
      cmocka_unit_test(one_that_ends_by_itself_comes_back_as_its_policy_says),
      cmocka_unit_test(it_can_ask_for_the_stop_of_all),
      cmocka_unit_test(each_death_is_a_crash_with_its_reason_and_a_restart),
      cmocka_unit_test(one_that_the_kernel_kills_for_memory_is_told_so),
      cmocka_unit_test(mail_with_a_killed_process_is_lost_on_the_link_and_counted),
      cmocka_unit_test(a_start_that_fails_faults_or_hangs_is_told_with_its_reason),
      cmocka_unit_test(a_killed_one_is_back_soon),
      cmocka_unit_test(deaths_at_any_moment_of_a_start_leave_the_sockets_answering),
      cmocka_unit_test(a_stuck_one_is_killed_at_the_hard_deadline),
      cmocka_unit_test(nothing_grows_with_the_number_of_deaths),
      cmocka_unit_test(a_killed_parent_leaves_no_child),
      cmocka_unit_test(what_cannot_be_placed_is_refused_when_it_is_added),
      cmocka_unit_test(in_simulation_it_is_a_plain_actor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
