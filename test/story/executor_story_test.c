/* The executor in simulation: the same promises in virtual time, where jobs run in its own turns.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "actors/executor.h"
#include "actors/supervisor.h"
#include "runtime/report.h"
#include "runtime/sim.h"

enum { SUBMIT = TRP_USER_FIRST, CLIENTS = 3, JOBS_MAX = 256, PENDING = -1 };

/* A job and what became of it. */
struct shot {
  struct trp_job job;
  uint64_t timeout_ns, correlation, at_ns;
  int status;
  uint32_t runs, releases, answers, turn; /* turn: the how-manieth to run */
  bool panics;
};

static struct trp_system *the_system;
static struct shot shots[JOBS_MAX];
static uint32_t shot_count, ran;

static enum trp_err count_run(void *arg, struct trp_job_context *context) {
  struct shot *shot = arg;
  shot->runs++;
  shot->turn = ++ran;
  assert_false(trp_job_cancelled(context));
  CHECK(!shot->panics);
  return TRP_OK;
}

static void count_release(void *arg) { ((struct shot *)arg)->releases++; }

static enum trp_err client_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == SUBMIT) {
    struct shot *shot = &shots[*(const uint32_t *)msg->body];
    enum trp_err err = trp_executor_submit(self, trp_whereis(self, "executor"), &shot->job,
                                           shot->timeout_ns, &shot->correlation);
    if (err == TRP_OK) return TRP_OK;
    count_release(shot); /* it is still ours */
    shot->answers++;
    shot->status = (int)err;
  }
  for (uint32_t i = 0; msg->correlation != 0 && i < shot_count; i++) {
    if (shots[i].correlation != msg->correlation) continue;
    const struct trp_result *result = trp_msg_result(msg);
    shots[i].status = (int)(result != NULL ? result->status : trp_msg_ask_failed(msg)->status);
    shots[i].at_ns = trp_now_ns(self);
    shots[i].answers++;
  }
  return TRP_OK;
}

static const struct trp_kind client_kind = {.name = "client", .receive = client_receive};

static const char *const names[CLIENTS] = {"ann", "ben", "cat"};
static const struct trp_executor_options four = {.queue_max = 4, .job_limit_ms = 1000};

static void add(const char *name, const struct trp_kind *kind, const char *supervisor,
                const void *args) {
  const struct trp_spec spec = {.name = name,
                                .kind = kind,
                                .supervisor = supervisor,
                                .args = args,
                                .restart = {.intensity = 1000, .backoff_max_ms = 100}};
  assert_int_equal(trp_system_add(the_system, &spec), TRP_OK);
}

static void open_stage_with(uint64_t seed, bool edges) {
  memset(shots, 0, sizeof shots);
  shot_count = ran = 0;
  const struct trp_system_options how = {.name = "busy",
                                         .sched = TRP_SCHED_SIM,
                                         .seed = seed,
                                         .allow_faults = true,
                                         .quiet_report = true};
  assert_int_equal(trp_system_new(&the_system, &how), TRP_OK);
  add("supervisor", &trp_supervisor_kind, NULL, NULL);
  add("executor", &trp_executor_kind, "supervisor", &four);
  for (int i = 0; i < CLIENTS; i++) {
    add(names[i], &client_kind, "supervisor", NULL);
    if (edges) assert_int_equal(trp_system_edge(the_system, names[i], "executor"), TRP_OK);
  }
  assert_int_equal(trp_system_start(the_system, NULL, 0), TRP_OK);
}

static void open_stage(uint64_t seed) { open_stage_with(seed, true); }

/* Each job had one outcome, and its arg has been given back once. */
static void close_stage_with(enum trp_verdict worst) {
  trp_system_stop(the_system, "the story ends");
  assert_int_equal(trp_system_wait(the_system, 60 * TRP_NS_PER_S), TRP_OK);
  assert_in_range(trp_system_report(the_system)->verdict, TRP_VERDICT_CLEAN, worst);
  for (uint32_t i = 0; i < shot_count; i++) {
    assert_int_equal(shots[i].answers, 1);
    assert_int_equal(shots[i].releases, 1);
    assert_in_range(shots[i].runs, 0, 1);
  }
  trp_system_destroy(&the_system);
}

static void close_stage(void) { close_stage_with(TRP_VERDICT_CLEAN); }

static void run_ms(uint64_t ms) { trp_sim_run_for(the_system, ms * TRP_NS_PER_MS); }

static struct shot *shoot(const char *client, uint64_t timeout_ms) {
  uint32_t i = shot_count++;
  assert_true(i < JOBS_MAX);
  struct shot *shot = &shots[i];
  shot->job =
      (struct trp_job){.name = "job", .run = count_run, .release = count_release, .arg = shot};
  shot->timeout_ns = timeout_ms * TRP_NS_PER_MS;
  shot->status = PENDING;
  struct trp_ref who = trp_system_whereis(the_system, client);
  assert_int_equal(trp_system_send(the_system, who, SUBMIT, &i, sizeof i), TRP_OK);
  return shot;
}

static void fault(const char *who, const char *text) {
  struct trp_fault body = {.text = ""};
  snprintf(body.text, sizeof body.text, "%s", text);
  struct trp_ref ref = trp_system_whereis(the_system, who);
  if (trp_ref_is_nobody(ref)) return;
  assert_int_equal(trp_system_send(the_system, ref, TRP_FAULT, &body, sizeof body), TRP_OK);
}

static void stall_executor(uint64_t ms) {
  trp_sim_stall(the_system, trp_system_whereis(the_system, "executor"), ms * TRP_NS_PER_MS);
}

/* ---- stories ---- */

static void jobs_run_in_the_order_of_submitting(void **state) {
  (void)state;
  open_stage(1);
  for (int i = 0; i < 4; i++) shoot("ann", 1000);
  run_ms(10);
  for (uint32_t i = 0; i < 4; i++) {
    assert_int_equal(shots[i].status, TRP_OK);
    assert_int_equal(shots[i].turn, i + 1);
  }
  close_stage();
}

static void a_job_that_is_late_when_its_turn_comes_is_not_run(void **state) {
  (void)state;
  open_stage(1);
  stall_executor(300);
  struct shot *late = shoot("ann", 200), *patient = shoot("ann", 400);
  uint64_t begin = trp_system_now_ns(the_system);
  run_ms(500);
  assert_int_equal(late->status, TRP_TIMEOUT);
  assert_int_equal(late->runs, 0);
  assert_int_equal(late->at_ns - begin, 200 * TRP_NS_PER_MS);
  assert_int_equal(patient->status, TRP_OK);
  close_stage();
}

/* Also where no edge keeps the executor open until the submitters have closed. */
static void a_stop_still_runs_what_was_submitted(void **state) {
  (void)state;
  for (int edges = 0; edges < 2; edges++) {
    open_stage_with(1, edges != 0);
    stall_executor(300);
    for (int i = 0; i < 4; i++) shoot("ben", 1000);
    run_ms(1);
    close_stage();
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(shots[i].status, TRP_OK);
  }
}

static void a_job_of_an_executor_that_died_is_not_lost_and_not_run_twice(void **state) {
  (void)state;
  open_stage(1);
  struct shot *bad = shoot("ann", 1000);
  bad->panics = true;
  run_ms(1);
  assert_int_equal(bad->status, TRP_DEAD);
  stall_executor(50);
  fault("executor", "panic"); /* which comes before what is submitted now */
  struct shot *unclaimed = shoot("ben", 1000);
  run_ms(1000);
  assert_int_equal(unclaimed->status, TRP_DEAD);
  assert_int_equal(unclaimed->runs, 0);
  struct shot *good = shoot("cat", 1000);
  run_ms(10);
  assert_int_equal(good->status, TRP_OK);
  close_stage();
}

static void storm(uint64_t seed) {
  open_stage(seed);
  while (shot_count < JOBS_MAX) {
    uint64_t chance = trp_sim_random(the_system);
    const char *who = names[chance % CLIENTS];
    struct shot *shot = shoot(who, 1 + (chance >> 8) % 100);
    shot->panics = (chance >> 16) % 30 == 0;
    if ((chance >> 24) % 30 == 0) fault("executor", "panic");
    if ((chance >> 32) % 10 == 0) stall_executor(50);
    if ((chance >> 40) % 4 == 0) run_ms((chance >> 48) % 40);
  }
  if (seed % 2 == 0) run_ms(500);
  close_stage_with(TRP_VERDICT_LATE); /* a crash may meet the stop */
}

static void whatever_happens_each_job_has_one_outcome(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 50; seed++) storm(seed);
}

static void one_seed_is_one_execution(void **state) {
  (void)state;
  static struct shot first[JOBS_MAX];
  storm(7);
  uint32_t first_ran = ran;
  memcpy(first, shots, sizeof first);
  storm(7);
  assert_int_equal(ran, first_ran);
  assert_in_range(ran, 1, JOBS_MAX - 1);
  assert_memory_equal(shots, first, sizeof first);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(jobs_run_in_the_order_of_submitting),
      cmocka_unit_test(a_job_that_is_late_when_its_turn_comes_is_not_run),
      cmocka_unit_test(a_stop_still_runs_what_was_submitted),
      cmocka_unit_test(a_job_of_an_executor_that_died_is_not_lost_and_not_run_twice),
      cmocka_unit_test(whatever_happens_each_job_has_one_outcome),
      cmocka_unit_test(one_seed_is_one_execution),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
