/* The executor with real threads: jobs and their answers, bounds, deadlines, jobs that never
 * return, stops and crashes. Times are loose: the machine may be busy.
 *
 * Long because the jobs and the stage serve all of its tests. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "actors/executor.h"
#include "actors/supervisor.h"
#include "runtime/deadline.h"
#include "runtime/report.h"
#include "runtime/stack.h"
#include "runtime/thread.h"

enum { SUBMIT = TRP_USER_FIRST, CANCEL, SQUARE, SHOTS_MAX = 400, PATIENCE_S = 20, PENDING = -1 };
enum { ANY = -1 };

static struct trp_system *the_system;
static int log_fd = -1;

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- jobs ---- */

/* A job, its argument and what became of it. The test's for its whole length. */
struct shot {
  struct trp_job job;
  uint64_t timeout_ns;
  uint32_t number, ms;
  uint64_t correlation;     /* the client's */
  _Atomic int status;       /* of the answer; PENDING */
  _Atomic int type;         /* of the answer */
  _Atomic uint32_t value;   /* of a SQUARE */
  _Atomic uint32_t answers; /* must come to one */
  _Atomic int tid;          /* that ran it */
  _Atomic uint32_t runs, releases, released_at_answer;
  _Atomic bool saw_cancel;
  _Atomic bool submitted; /* or refused: the client has done with it */
};

static struct shot shots[SHOTS_MAX];
static _Atomic bool gate;         /* open */
static _Atomic int running, peak; /* jobs at once */

static int get(_Atomic int *value) { return atomic_load_explicit(value, memory_order_acquire); }
static uint32_t count_of(_Atomic uint32_t *value) {
  return atomic_load_explicit(value, memory_order_acquire);
}
static bool is_set(_Atomic bool *value) {
  return atomic_load_explicit(value, memory_order_acquire);
}
static void set(_Atomic bool *value, bool to) {
  atomic_store_explicit(value, to, memory_order_release);
}

static void enter(struct shot *shot) {
  atomic_fetch_add(&shot->runs, 1);
  atomic_store(&shot->tid, gettid());
  int now = atomic_fetch_add(&running, 1) + 1, before = get(&peak);
  while (now > before && !atomic_compare_exchange_weak(&peak, &before, now)) continue;
}

static void leave(void) { atomic_fetch_sub(&running, 1); }

static enum trp_err square(void *arg, struct trp_job_context *context) {
  struct shot *shot = arg;
  enter(shot);
  uint32_t answer = shot->number * shot->number;
  enum trp_err err = trp_job_answer(context, SQUARE, "wrong", 5);
  if (err == TRP_OK) err = trp_job_answer(context, SQUARE, &answer, sizeof answer);
  leave();
  return err;
}

static enum trp_err go_wrong(void *arg, struct trp_job_context *context) {
  enter(arg);
  enum trp_err err = trp_job_answer(context, SQUARE, NULL, 0);
  leave();
  return err == TRP_OK ? TRP_CONNECT : err;
}

/* Until the gate opens, whatever else happens. */
static enum trp_err wait_at_the_gate(void *arg, struct trp_job_context *context) {
  (void)context;
  enter(arg);
  while (!is_set(&gate)) sleep_ms(1);
  leave();
  return TRP_OK;
}

/* Takes its time, and ends early when told to. */
static enum trp_err take_time(void *arg, struct trp_job_context *context) {
  struct shot *shot = arg;
  enter(shot);
  uint64_t until = trp_deadline_in(shot->ms * TRP_NS_PER_MS);
  while (trp_deadline_left_ns(until) > 0 && !is_set(&shot->saw_cancel)) {
    sleep_ms(1);
    if (trp_job_cancelled(context)) set(&shot->saw_cancel, true);
  }
  leave();
  return is_set(&shot->saw_cancel) ? TRP_CANCELLED : TRP_OK;
}

static enum trp_err exit_the_thread(void *arg, struct trp_job_context *context) {
  (void)context;
  enter(arg);
  leave();
  pthread_exit(NULL);
}

static void release(void *arg) { atomic_fetch_add(&((struct shot *)arg)->releases, 1); }

/* ---- the client ---- */

static void note(struct shot *shot, int type, int status) {
  atomic_store(&shot->type, type);
  atomic_store(&shot->released_at_answer, count_of(&shot->releases));
  atomic_fetch_add(&shot->answers, 1);
  atomic_store_explicit(&shot->status, status, memory_order_release);
}

static struct shot *shot_of(uint64_t correlation) {
  for (int i = 0; i < SHOTS_MAX; i++) {
    if (shots[i].correlation == correlation) return &shots[i];
  }
  return NULL;
}

static void on_answer(const struct trp_msg *msg) {
  struct shot *shot = shot_of(msg->correlation);
  if (shot == NULL) return;
  int status = TRP_OK;
  if (msg->type == TRP_RESULT) status = (int)trp_msg_result(msg)->status;
  if (msg->type == TRP_ASK_FAILED) status = (int)trp_msg_ask_failed(msg)->status;
  if (msg->type == SQUARE && msg->bytes == sizeof(uint32_t)) {
    atomic_store(&shot->value, *(const uint32_t *)msg->body);
  }
  note(shot, msg->type, status);
}

static enum trp_err client_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  struct shot *shot = NULL;
  if (msg->correlation != 0) on_answer(msg);
  if (msg->type == SUBMIT || msg->type == CANCEL) memcpy(&shot, msg->body, sizeof shot);
  if (msg->type == SUBMIT) {
    struct trp_ref executor = trp_whereis(self, "executor");
    enum trp_err err =
        trp_executor_submit(self, executor, &shot->job, shot->timeout_ns, &shot->correlation);
    if (err != TRP_OK) {
      release(shot); /* it is still ours */
      note(shot, TRP_NONE, (int)err);
    }
    set(&shot->submitted, true);
  } else if (msg->type == CANCEL) {
    trp_ask_cancel(self, shot->correlation);
    if (get(&shot->status) == PENDING) note(shot, TRP_NONE, TRP_CANCELLED);
  }
  return TRP_OK;
}

static const struct trp_kind client_kind = {.name = "client", .receive = client_receive};

static void tell(uint16_t type, struct shot *shot) {
  struct trp_ref client = trp_system_whereis(the_system, "client");
  assert_int_equal(
      trp_system_send_wait(the_system, client, type, &shot, sizeof shot, PATIENCE_S * TRP_NS_PER_S),
      TRP_OK);
}

static struct shot *shoot(uint32_t i, const char *name,
                          enum trp_err (*run)(void *, struct trp_job_context *), uint32_t ms,
                          uint64_t timeout_ms) {
  struct shot *shot = &shots[i];
  shot->job = (struct trp_job){.name = name, .run = run, .release = release, .arg = shot};
  shot->number = i;
  shot->ms = ms;
  shot->timeout_ns = timeout_ms * TRP_NS_PER_MS;
  tell(SUBMIT, shot);
  return shot;
}

/* ---- the stage ---- */

/* With a `client_ms` the client has that long to stop, and no edge holds the executor for it. */
static void open_system_for(const struct trp_executor_options *options, uint32_t budget_ms,
                            uint32_t client_ms) {
  memset(shots, 0, sizeof shots);
  for (int i = 0; i < SHOTS_MAX; i++) atomic_store(&shots[i].status, PENDING);
  set(&gate, false);
  atomic_store(&running, 0);
  atomic_store(&peak, 0);
  log_fd = memfd_create("log", MFD_CLOEXEC);
  assert_true(log_fd >= 0);
  assert_int_equal(trp_stack_install(), TRP_OK);
  const struct trp_system_options how = {
      .name = "busy", .allow_faults = true, .log_fd = log_fd, .quiet_report = true};
  assert_int_equal(trp_system_new(&the_system, &how), TRP_OK);
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind},
      {.name = "executor",
       .kind = &trp_executor_kind,
       .supervisor = "supervisor",
       .args = options,
       .restart = {.intensity = 1000, .backoff_min_ms = 1, .backoff_max_ms = 1},
       .budget_ms = budget_ms},
      {.name = "client",
       .kind = &client_kind,
       .supervisor = "supervisor",
       .mailbox = {.policy = TRP_WAIT},
       .budget_ms = client_ms},
  };
  for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
    assert_int_equal(trp_system_add(the_system, &specs[i]), TRP_OK);
  }
  if (client_ms == 0) {
    assert_int_equal(trp_system_edge(the_system, "client", "executor"), TRP_OK);
  }
  assert_int_equal(trp_system_start(the_system, NULL, 0), TRP_OK);
}

static void open_system(const struct trp_executor_options *options, uint32_t budget_ms) {
  open_system_for(options, budget_ms, 0);
}

static const struct trp_report *stop_system(void) {
  trp_system_stop(the_system, "the test ends");
  assert_int_equal(trp_system_wait(the_system, PATIENCE_S * TRP_NS_PER_S), TRP_OK);
  return trp_system_report(the_system);
}

static void free_system(void) {
  trp_system_destroy(&the_system);
  trp_stack_uninstall();
  close(log_fd);
}

/* What a test that failed has left running is not the next one's. */
static int end_test(void **state) {
  (void)state;
  if (the_system == NULL) return 0;
  set(&gate, true);
  trp_system_stop_now(the_system, "its test has failed");
  (void)!trp_system_wait(the_system, PATIENCE_S * TRP_NS_PER_S);
  free_system();
  return 0;
}

/* Whatever was submitted had one outcome, and its argument has been given back once. */
static void expect_all_settled(void) {
  for (int i = 0; i < SHOTS_MAX; i++) {
    if (shots[i].job.run == NULL) continue;
    assert_int_equal(count_of(&shots[i].answers), 1);
    assert_int_equal(count_of(&shots[i].releases), 1);
    assert_in_range(count_of(&shots[i].runs), 0, 1);
  }
}

static void close_system(void) {
  assert_int_equal(stop_system()->verdict, TRP_VERDICT_CLEAN);
  expect_all_settled();
  free_system();
}

static bool soon(bool (*holds)(void *arg), void *arg) {
  uint64_t deadline = trp_deadline_in(PATIENCE_S * TRP_NS_PER_S);
  while (!holds(arg)) {
    if (trp_deadline_left_ns(deadline) == 0) return false;
    sleep_ms(1);
  }
  return true;
}

static bool is_answered(void *arg) { return get(&((struct shot *)arg)->status) != PENDING; }
static bool is_submitted(void *arg) { return is_set(&((struct shot *)arg)->submitted); }
static bool is_running(void *arg) { return count_of(&((struct shot *)arg)->runs) > 0; }
static bool is_released(void *arg) { return count_of(&((struct shot *)arg)->releases) > 0; }
static bool has_seen_cancel(void *arg) { return is_set(&((struct shot *)arg)->saw_cancel); }

static void expect_answer(struct shot *shot, int type, enum trp_err status) {
  assert_true(soon(is_answered, shot));
  assert_int_equal(get(&shot->status), status);
  if (type != ANY) assert_int_equal(get(&shot->type), type);
}

static void hold_a_thread(struct shot *shot) { assert_true(soon(is_running, shot)); }

/* How often the log says so. */
static size_t logged(const char *text) {
  static char all[1 << 20];
  ssize_t n = pread(log_fd, all, sizeof all - 1, 0);
  all[n > 0 ? n : 0] = '\0';
  size_t count = 0;
  for (const char *at = all; (at = strstr(at, text)) != NULL; at++) count++;
  return count;
}

static bool is_logged(void *arg) { return logged(arg) > 0; }
static bool is_logged_twice(void *arg) { return logged(arg) == 2; }

static void expect_logged(const char *text) {
  if (!soon(is_logged, (void *)(uintptr_t)text)) fail_msg("\"%s\" is not in the log", text);
}

/* On a machine that is very busy the thread may not answer in time; then its state is told. */
static void expect_stack_of(const char *function) {
  if (logged("stack=\"state=") == 0) expect_logged(function);
}

/* On the register of all threads. */
static bool are_so_many(void *count) {
  struct trp_thread_info info;
  int64_t found = 0;
  for (size_t i = 0; trp_thread_at(i, &info); i++) found += strcmp(info.owner, "executor") == 0;
  return found == *(int64_t *)count;
}

static int64_t threads_held(void) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(the_system, i, &info); i++) {
    if (strcmp(info.name, "executor") == 0) return info.held[TRP_RES_THREAD];
  }
  return -1;
}

static bool holds_so_many(void *arg) { return threads_held() == *(int64_t *)arg; }

static void expect_threads(int64_t count) {
  if (!soon(holds_so_many, &count)) fail_msg("threads: %lld", (long long)threads_held());
}

static bool has_ended(void *arg) {
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info); i++) {
    if (info.tid == get(&((struct shot *)arg)->tid)) return false;
  }
  return true;
}

static bool stats_have(void *words) {
  struct trp_operator word = {.text = "stats"};
  struct trp_result result = {.status = TRP_INVALID};
  uint16_t type = 0;
  size_t bytes = sizeof result;
  struct trp_ref executor = trp_system_whereis(the_system, "executor");
  assert_int_equal(trp_system_ask(the_system, executor, TRP_OPERATOR, &word, sizeof word,
                                  PATIENCE_S * TRP_NS_PER_S, &type, &result, &bytes),
                   TRP_OK);
  return strstr(result.text, words) != NULL;
}

static void expect_stats(const char *words) {
  if (!soon(stats_have, (void *)(uintptr_t)words)) fail_msg("\"%s\" is not in the stats", words);
}

static const struct trp_executor_options two_threads = {.threads = 2, .queue_max = 4};

/* ---- jobs and answers ---- */

static void a_jobs_own_answer_comes_after_its_arg_was_released(void **state) {
  (void)state;
  open_system(NULL, 0);
  for (uint32_t i = 0; i < 20; i++) shoot(i, "square", square, 0, 20000);
  for (uint32_t i = 0; i < 20; i++) {
    expect_answer(&shots[i], SQUARE, TRP_OK);
    assert_int_equal(count_of(&shots[i].value), i * i);
    assert_int_equal(count_of(&shots[i].released_at_answer), 1);
  }
  expect_stats("threads=2 running=0 queued=0 left=0 done=20 failed=0");
  close_system();
}

static void an_error_of_the_job_is_the_results_status(void **state) {
  (void)state;
  open_system(NULL, 0);
  expect_answer(shoot(0, "wrong", go_wrong, 0, 20000), TRP_RESULT, TRP_CONNECT);
  expect_answer(shoot(1, "time", take_time, 1, 20000), TRP_RESULT, TRP_OK);
  close_system();
}

static void no_more_jobs_run_at_once_than_there_are_threads(void **state) {
  (void)state;
  static const struct trp_executor_options three = {.threads = 3};
  open_system(&three, 0);
  for (uint32_t i = 0; i < 12; i++) shoot(i, "time", take_time, 20, 20000);
  for (uint32_t i = 0; i < 12; i++) expect_answer(&shots[i], TRP_RESULT, TRP_OK);
  assert_int_equal(get(&peak), 3);
  assert_int_equal(threads_held(), 3);
  close_system();
}

static void a_full_queue_says_so_at_once(void **state) {
  (void)state;
  open_system(&two_threads, 0);
  for (uint32_t i = 0; i < 2; i++) hold_a_thread(shoot(i, "gate", wait_at_the_gate, 0, 20000));
  for (uint32_t i = 2; i < 6; i++) shoot(i, "square", square, 0, 20000);
  struct shot *surplus = shoot(6, "square", square, 0, 20000);
  expect_answer(surplus, TRP_RESULT, TRP_FULL);
  assert_int_equal(get(&shots[2].status), PENDING);
  expect_stats("running=2 queued=4 left=0 done=0 failed=0 full=1");
  set(&gate, true);
  for (uint32_t i = 2; i < 6; i++) expect_answer(&shots[i], SQUARE, TRP_OK);
  assert_int_equal(count_of(&surplus->runs), 0);
  close_system();
}

static void a_ticket_that_nobody_wrote_is_refused(void **state) {
  (void)state;
  open_system(NULL, 0);
  uint64_t ticket = 4711;
  struct trp_result result = {.status = TRP_OK};
  uint16_t type = 0;
  size_t bytes = sizeof result;
  struct trp_ref executor = trp_system_whereis(the_system, "executor");
  assert_int_equal(trp_system_ask(the_system, executor, TRP_USER_FIRST, &ticket, sizeof ticket,
                                  PATIENCE_S * TRP_NS_PER_S, &type, &result, &bytes),
                   TRP_OK);
  assert_int_equal(result.status, TRP_INVALID);
  close_system();
}

/* ---- deadlines ---- */

static void a_queued_job_whose_deadline_passed_is_never_run(void **state) {
  (void)state;
  open_system(&two_threads, 0);
  for (uint32_t i = 0; i < 2; i++) hold_a_thread(shoot(i, "gate", wait_at_the_gate, 0, 20000));
  struct shot *late = shoot(2, "square", square, 0, 50);
  struct shot *patient = shoot(3, "square", square, 0, 20000);
  expect_answer(late, ANY, TRP_TIMEOUT); /* by the ask or by the executor: it is the same time */
  assert_true(soon(is_released, late));  /* the place is free before a thread is */
  set(&gate, true);
  expect_answer(patient, SQUARE, TRP_OK);
  assert_int_equal(count_of(&late->runs), 0);
  close_system();
}

static void a_job_at_the_limit_is_answered_and_sees_that_it_is_cancelled(void **state) {
  (void)state;
  static const struct trp_executor_options strict = {
      .threads = 1, .job_limit_ms = 300, .grace_ms = 20000};
  open_system(&strict, 0);
  struct shot *slow = shoot(0, "time", take_time, 20000, 20000);
  expect_answer(slow, TRP_RESULT, TRP_TIMEOUT);
  assert_true(soon(has_seen_cancel, slow));
  struct shot *deaf = shoot(1, "gate", wait_at_the_gate, 0, 20000);
  struct shot *queued = shoot(2, "square", square, 0, 20000);
  expect_answer(deaf, TRP_RESULT, TRP_TIMEOUT);
  expect_answer(queued, TRP_RESULT, TRP_TIMEOUT); /* it has waited for so long */
  assert_int_equal(count_of(&queued->runs), 0);
  set(&gate, true);
  expect_answer(shoot(3, "square", square, 0, 20000), SQUARE, TRP_OK);
  assert_int_equal(logged("executor.stuck"), 0);
  close_system();
}

static void whoever_waits_no_more_has_cancelled(void **state) {
  (void)state;
  static const struct trp_executor_options one = {.threads = 1};
  open_system(&one, 0);
  struct shot *runs = shoot(0, "time", take_time, 20000, 20000);
  hold_a_thread(runs);
  struct shot *waits = shoot(1, "square", square, 0, 20000);
  expect_stats("running=1 queued=1");
  tell(CANCEL, waits);
  tell(CANCEL, runs);
  assert_true(soon(has_seen_cancel, runs));
  assert_true(soon(is_released, waits));
  assert_int_equal(count_of(&waits->runs), 0);
  close_system();
}

/* ---- threads that do not come back ---- */

static void a_job_that_never_returns_is_named_and_its_thread_replaced(void **state) {
  (void)state;
  static const struct trp_executor_options one = {
      .threads = 1, .job_limit_ms = 400, .grace_ms = 50, .replacements_max = 1};
  open_system(&one, 0);
  expect_answer(shoot(0, "first", wait_at_the_gate, 0, 20000), TRP_RESULT, TRP_TIMEOUT);
  expect_logged("executor.stuck job=\"first\"");
  expect_stack_of("wait_at_the_gate");
  expect_threads(2);
  expect_answer(shoot(1, "square", square, 0, 20000), SQUARE, TRP_OK);
  /* The replacement is stuck too, and there is no other. */
  expect_answer(shoot(2, "second", wait_at_the_gate, 0, 20000), TRP_RESULT, TRP_TIMEOUT);
  expect_logged("executor.stuck job=\"second\"");
  expect_answer(shoot(3, "square", square, 0, 20000), TRP_RESULT, TRP_TIMEOUT);
  assert_int_equal(count_of(&shots[3].runs), 0);
  expect_stats("running=0 queued=0 left=2");
  assert_int_equal(threads_held(), 2);
  set(&gate, true);
  expect_threads(1);
  assert_true(soon(is_logged_twice, "executor.returned"));
  expect_answer(shoot(4, "square", square, 0, 20000), SQUARE, TRP_OK);
  close_system();
}

static void a_job_that_ends_its_thread_is_told_and_the_thread_replaced(void **state) {
  (void)state;
  static const struct trp_executor_options one = {.threads = 1};
  open_system(&one, 0);
  for (uint32_t i = 0; i < 5; i++) shoot(i, "exit", exit_the_thread, 0, 20000);
  for (uint32_t i = 0; i < 5; i++) expect_answer(&shots[i], TRP_RESULT, TRP_THREAD_EXIT);
  expect_answer(shoot(5, "square", square, 0, 20000), SQUARE, TRP_OK);
  expect_threads(1);
  struct trp_journal_entry entry = {.sequence = 0};
  struct trp_thread_crashed body;
  unsigned crashes = 0;
  while (trp_system_journal_next(the_system, entry.sequence, &entry, &body, sizeof body)) {
    if (entry.type != TRP_THREAD_CRASHED) continue;
    crashes++;
    assert_int_equal(body.cause, TRP_CAUSE_EXIT);
    assert_int_not_equal(body.tid, 0);
    assert_string_equal(body.name, "executor");
  }
  assert_int_equal(crashes, 5);
  close_system();
}

/* ---- stops ---- */

static void a_stop_runs_what_there_is_time_for(void **state) {
  (void)state;
  open_system(NULL, 0);
  for (uint32_t i = 0; i < 10; i++) shoot(i, "time", take_time, 20, 20000);
  assert_int_equal(stop_system()->verdict, TRP_VERDICT_CLEAN);
  for (uint32_t i = 0; i < 10; i++) expect_answer(&shots[i], TRP_RESULT, TRP_OK);
  expect_all_settled();
  free_system();
}

static void a_stop_cancels_what_there_is_no_time_for(void **state) {
  (void)state;
  open_system_for(&two_threads, 1000, 8000); /* whose asks would wait for 2 s */
  for (uint32_t i = 0; i < 2; i++) hold_a_thread(shoot(i, "time", take_time, 60000, 60000));
  for (uint32_t i = 2; i < 5; i++) shoot(i, "square", square, 0, 60000);
  expect_stats("running=2 queued=3");
  uint64_t begin = trp_deadline_now_ns();
  assert_int_equal(stop_system()->verdict, TRP_VERDICT_CLEAN);
  assert_in_range(trp_deadline_now_ns() - begin, TRP_NS_PER_S / 2, 5 * TRP_NS_PER_S);
  for (uint32_t i = 0; i < 2; i++) expect_answer(&shots[i], TRP_RESULT, TRP_CANCELLED);
  for (uint32_t i = 2; i < 5; i++) expect_answer(&shots[i], TRP_RESULT, TRP_STOPPED);
  expect_all_settled();
  free_system();
}

static void a_job_that_never_returns_is_abandoned_and_named_at_the_stop(void **state) {
  (void)state;
  open_system(&two_threads, 800);
  struct shot *stuck = shoot(0, "endless", wait_at_the_gate, 0, 60000);
  hold_a_thread(stuck);
  expect_answer(shoot(1, "square", square, 0, 20000), SQUARE, TRP_OK);
  const struct trp_report *report = stop_system();
  assert_int_equal(report->verdict, TRP_VERDICT_LEFT_BEHIND);
  assert_int_equal(report->left_behind[TRP_RES_THREAD], 1);
  for (size_t i = 0; i < report->actor_count; i++) {
    assert_string_equal(report->actors[i].verdict, "clean");
    assert_true(report->actors[i].elapsed_ns < report->actors[i].deadline_ns);
  }
  expect_logged("executor.abandoned job=\"endless\"");
  expect_stack_of("wait_at_the_gate");
  expect_answer(stuck, ANY, TRP_STOPPED);
  assert_int_equal(count_of(&stuck->releases), 0);
  free_system(); /* the thread outlives the system, and touches nothing of it */
  set(&gate, true);
  assert_true(soon(is_released, stuck));
  assert_true(soon(has_ended, stuck));
}

static void a_stop_that_drains_nothing_waits_for_nobody(void **state) {
  (void)state;
  open_system(&two_threads, 0);
  hold_a_thread(shoot(0, "time", take_time, 60000, 60000));
  hold_a_thread(shoot(1, "time", take_time, 60000, 60000));
  shoot(2, "square", square, 0, 60000);
  expect_stats("running=2 queued=1");
  uint64_t begin = trp_deadline_now_ns();
  trp_system_stop_now(the_system, "at once");
  assert_int_equal(trp_system_wait(the_system, PATIENCE_S * TRP_NS_PER_S), TRP_OK);
  assert_true(trp_deadline_now_ns() - begin < 3 * TRP_NS_PER_S);
  assert_int_equal(trp_system_report(the_system)->left_behind[TRP_RES_THREAD], 0);
  for (uint32_t i = 0; i < 3; i++) assert_int_equal(count_of(&shots[i].releases), 1);
  free_system();
}

/* ---- crashes ---- */

static void crash(void) {
  struct trp_fault fault = {.text = "panic"};
  struct trp_ref executor = trp_system_whereis(the_system, "executor");
  if (trp_ref_is_nobody(executor)) return;
  enum trp_err err = trp_system_send(the_system, executor, TRP_FAULT, &fault, sizeof fault);
  assert_true(err == TRP_OK || err == TRP_DEAD);
}

static bool is_there(void *arg) {
  (void)arg;
  return !trp_ref_is_nobody(trp_system_whereis(the_system, "executor"));
}

static void a_crash_of_the_executor_leaks_no_thread_and_no_job(void **state) {
  (void)state;
  open_system(&two_threads, 0);
  int64_t threads = 2;
  for (uint32_t round = 0; round < 5; round++) {
    uint32_t first = round * 5;
    struct trp_ref before = trp_system_whereis(the_system, "executor");
    for (uint32_t i = first; i < first + 2; i++) {
      hold_a_thread(shoot(i, "time", take_time, 60000, 60000));
    }
    for (uint32_t i = first + 2; i < first + 5; i++) shoot(i, "square", square, 0, 60000);
    /* They go by way of the client, which the crash would overtake. */
    for (uint32_t i = first; i < first + 5; i++) assert_true(soon(is_submitted, &shots[i]));
    crash();
    for (uint32_t i = first; i < first + 5; i++) {
      expect_answer(&shots[i], ANY, TRP_DEAD);
    }
    assert_true(soon(is_there, NULL));
    assert_false(trp_ref_equal(before, trp_system_whereis(the_system, "executor")));
    expect_threads(2);
  }
  expect_answer(shoot(100, "square", square, 0, 20000), SQUARE, TRP_OK);
  assert_true(soon(are_so_many, &threads));
  assert_int_equal(logged("executor.abandoned"), 0);
  close_system();
}

static void a_thread_that_outlives_its_incarnation_is_named_and_stays_counted(void **state) {
  (void)state;
  static const struct trp_executor_options one = {.threads = 1, .grace_ms = 50};
  open_system(&one, 0);
  struct shot *stuck = shoot(0, "endless", wait_at_the_gate, 0, 60000);
  hold_a_thread(stuck);
  crash();
  expect_answer(stuck, TRP_ASK_FAILED, TRP_DEAD);
  expect_logged("executor.abandoned job=\"endless\"");
  assert_true(soon(is_there, NULL));
  expect_answer(shoot(1, "square", square, 0, 20000), SQUARE, TRP_OK);
  assert_int_equal(threads_held(), 2);
  set(&gate, true);
  assert_true(soon(has_ended, stuck));
  const struct trp_report *report = stop_system();
  assert_int_equal(report->left_behind[TRP_RES_THREAD], 1);
  expect_all_settled();
  free_system();
}

/* ---- all at once ---- */

static void whatever_happens_each_job_has_one_outcome(void **state) {
  (void)state;
  static enum trp_err (*const runs[])(void *, struct trp_job_context *) = {
      square, go_wrong, take_time, take_time, exit_the_thread};
  static const struct trp_executor_options small = {.threads = 3, .queue_max = 16};
  open_system(&small, 0);
  unsigned chance = 1;
  for (uint32_t i = 0; i < SHOTS_MAX; i++) {
    unsigned what = (unsigned)rand_r(&chance);
    uint64_t timeout_ms = what % 3 == 0 ? 5 : 20000;
    shoot(i, "storm", runs[what / 3 % 5], 1 + what / 15 % 10, timeout_ms);
    if (what / 150 % 4 == 0) tell(CANCEL, &shots[(unsigned)rand_r(&chance) % (i + 1)]);
    if (what / 600 % 60 == 0) crash();
    if (what / 36000 % 8 == 0) sleep_ms(5);
  }
  for (uint32_t i = 0; i < SHOTS_MAX; i++) assert_true(soon(is_answered, &shots[i]));
  close_system();
}

#define ENDED(test) cmocka_unit_test_teardown(test, end_test)

int main(void) {
  const struct CMUnitTest tests[] = {
      ENDED(a_jobs_own_answer_comes_after_its_arg_was_released),
      ENDED(an_error_of_the_job_is_the_results_status),
      ENDED(no_more_jobs_run_at_once_than_there_are_threads),
      ENDED(a_full_queue_says_so_at_once),
      ENDED(a_ticket_that_nobody_wrote_is_refused),
      ENDED(a_queued_job_whose_deadline_passed_is_never_run),
      ENDED(a_job_at_the_limit_is_answered_and_sees_that_it_is_cancelled),
      ENDED(whoever_waits_no_more_has_cancelled),
      ENDED(a_job_that_never_returns_is_named_and_its_thread_replaced),
      ENDED(a_job_that_ends_its_thread_is_told_and_the_thread_replaced),
      ENDED(a_stop_runs_what_there_is_time_for),
      ENDED(a_stop_cancels_what_there_is_no_time_for),
      ENDED(a_job_that_never_returns_is_abandoned_and_named_at_the_stop),
      ENDED(a_stop_that_drains_nothing_waits_for_nobody),
      ENDED(a_crash_of_the_executor_leaks_no_thread_and_no_job),
      ENDED(a_thread_that_outlives_its_incarnation_is_named_and_stays_counted),
      ENDED(whatever_happens_each_job_has_one_outcome),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
