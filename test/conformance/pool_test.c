/* pool_test.c - what only the pool can show: actors that never return do not hold up the others,
 * a thread that exits is replaced, nobody starves behind a flood, timers come while workers sleep,
 * and two that talk on one worker do it without a system call. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actors/supervisor.h"
#include "runtime/report.h"
#include "runtime/sched.h"
#include "runtime/system.h"
#include "runtime/thread.h"

enum { WORD = TRP_USER_FIRST, STUCK, EXIT, PING, TICK, SPREAD, WORKERS = 2 };
#define MS TRP_NS_PER_MS

static _Atomic uint64_t handled, started, rounds, ticks, worst_ns;
static _Atomic bool held; /* stuck ones are let go when it is cleared */

static void nap(long ms) {
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
  while (nanosleep(&t, &t) != 0) continue;
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  (void)state;
  (void)args;
  started++;
  return TRP_OK;
}

/* A ball with so many more hits to go, between the two whose references it carries. */
struct ball {
  uint64_t left;
  struct trp_ref other;
};

static enum trp_err hit(struct trp_self *self, const struct trp_msg *msg) {
  struct ball ball = *(const struct ball *)msg->body;
  if (ball.left-- == 0) {
    rounds++;
    return TRP_OK;
  }
  struct trp_ref to = ball.other;
  ball.other = trp_self_ref(self);
  return trp_send(self, to, PING, &ball, sizeof ball);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  switch (msg->type) {
    case WORD:
      handled++;
      return TRP_OK;
    case STUCK:
      while (held) nap(1);
      return TRP_OK;
    case EXIT:
      pthread_exit(NULL);
    case PING:
      return hit(self, msg);
    case TICK:
      return trp_timer_start(self, 2 * MS, 2 * MS, 0, NULL);
    case TRP_TIMER:
      ticks++;
      return TRP_OK;
    case SPREAD: { /* how long this letter was on its way */
      uint64_t late = trp_now_ns(self) - *(const uint64_t *)msg->body;
      if (late > worst_ns) worst_ns = late;
      handled++;
      return TRP_OK;
    }
    default:
      return TRP_OK;
  }
}

static const struct trp_kind kind = {.name = "pooled", .start = start, .receive = receive};

static struct trp_system *open_with(uint32_t actors, const struct trp_system_options *given) {
  handled = started = rounds = ticks = worst_ns = 0;
  struct trp_system_options options = *given;
  options.name = "pool";
  options.log_fd = -1;
  if (options.workers == 0) options.workers = WORKERS;
  if (options.budget_ms == 0) options.budget_ms = 2000;
  struct trp_system *system;
  assert_int_equal(trp_system_new(&system, &options), TRP_OK);
  struct trp_spec root = {.name = "root", .kind = &trp_supervisor_kind};
  assert_int_equal(trp_system_add(system, &root), TRP_OK);
  for (uint32_t i = 0; i < actors; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%u", i);
    struct trp_spec spec = {.name = name,
                            .kind = &kind,
                            .supervisor = "root",
                            .placement = TRP_POOL,
                            .budget_ms = 200,
                            .mailbox = {.policy = TRP_WAIT}};
    assert_int_equal(trp_system_add(system, &spec), TRP_OK);
  }
  assert_int_equal(trp_system_start(system, NULL, 0), TRP_OK);
  return system;
}

static struct trp_system *open(uint32_t actors) {
  return open_with(actors, &(struct trp_system_options){.budget_ms = 0});
}

static enum trp_verdict close(struct trp_system *system) {
  trp_system_stop(system, "the test is over");
  assert_int_equal(trp_system_wait(system, 10 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(system);
  assert_true(report->balanced);
  enum trp_verdict verdict = report->verdict;
  trp_system_destroy(&system);
  return verdict;
}

static void tell(struct trp_system *system, const char *name, uint16_t type, const void *body,
                 size_t bytes) {
  struct trp_ref to = trp_system_whereis(system, name);
  assert_int_equal(trp_system_send_wait(system, to, type, body, bytes, TRP_NS_PER_S), TRP_OK);
}

static bool await(_Atomic uint64_t *count, uint64_t n) {
  for (int ms = 0; ms < 5000 && *count < n; ms++) nap(1);
  return *count >= n;
}

/* ---- held up ---- */

static void actors_that_never_return_do_not_hold_up_the_others(void **state) {
  (void)state;
  struct trp_system *system = open(2 * WORKERS + 3);
  held = true;
  for (int i = 0; i < 2 * WORKERS; i++) { /* more than there are workers */
    char name[16];
    snprintf(name, sizeof name, "a%d", i);
    tell(system, name, STUCK, NULL, 0);
  }
  nap(20);
  for (int i = 0; i < 100; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%d", 2 * WORKERS + i % 3);
    tell(system, name, WORD, NULL, 0);
  }
  assert_true(await(&handled, 100));
  held = false; /* and those that were added wait as spares */
  for (int i = 0; i < 2 * WORKERS; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%d", i);
    tell(system, name, WORD, NULL, 0);
  }
  assert_true(await(&handled, 100 + 2 * WORKERS));
  assert_int_equal(close(system), TRP_VERDICT_CLEAN);
}

static void one_that_never_returns_is_abandoned_by_name_and_the_rest_is_clean(void **state) {
  (void)state;
  struct trp_system *system = open(3);
  held = true;
  tell(system, "a0", STUCK, NULL, 0);
  nap(20);
  trp_system_stop(system, "with one stuck");
  assert_int_equal(trp_system_wait(system, 5 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(system);
  assert_int_equal(report->verdict, TRP_VERDICT_ABANDONED);
  for (size_t i = 0; i < report->actor_count; i++) {
    bool stuck = strcmp(report->actors[i].name, "a0") == 0;
    assert_int_equal(report->actors[i].abandoned, stuck);
    if (!stuck) continue;
    /* On a machine that is very busy the thread may not answer in time; then its state is told. */
    const char *stack = report->actors[i].stack;
    assert_true(strstr(stack, "receive") != NULL || strstr(stack, "state=") != NULL);
  }
  trp_system_destroy(&system); /* leaks it on purpose: it is held until the process ends */
}

static void a_worker_whose_thread_exits_is_replaced(void **state) {
  (void)state;
  struct trp_system *system = open(3);
  for (uint64_t i = 1; i <= 2 * WORKERS; i++) {
    tell(system, "a0", EXIT, NULL, 0);
    assert_true(await(&started, 3 + i)); /* it is back */
    tell(system, "a1", WORD, NULL, 0);
    tell(system, "a2", WORD, NULL, 0);
    assert_true(await(&handled, 2 * i));
  }
  assert_int_equal(close(system), TRP_VERDICT_CLEAN);
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info); i++) assert_string_not_equal(info.role, "worker");
}

/* ---- fairness ---- */

static void *flood(void *arg) {
  struct trp_system *system = arg;
  struct trp_ref to = trp_system_whereis(system, "a0");
  while (held) {
    enum trp_err err = trp_system_send(system, to, WORD, NULL, 0);
    if (err == TRP_FULL) nap(0);
  }
  return NULL;
}

static void a_flooded_actor_does_not_starve_the_others(void **state) {
  (void)state;
  struct trp_system *system = open(8);
  pthread_t flooders[2];
  held = true;
  for (int i = 0; i < 2; i++) pthread_create(&flooders[i], NULL, flood, system);
  for (int i = 0; i < 200; i++) {
    char name[16];
    uint64_t now = trp_system_now_ns(system);
    snprintf(name, sizeof name, "a%d", 1 + i % 7);
    tell(system, name, SPREAD, &now, sizeof now);
    nap(1);
  }
  held = false;
  for (int i = 0; i < 2; i++) pthread_join(flooders[i], NULL);
  print_message("worst wait beside a flooded actor: %.3f ms\n", (double)worst_ns / 1e6);
  assert_true(worst_ns < TRP_NS_PER_S);
  assert_int_equal(close(system), TRP_VERDICT_CLEAN);
}

/* ---- waking ---- */

static void timers_come_to_actors_that_sleep(void **state) {
  (void)state;
  struct trp_system *system = open(4);
  for (int i = 0; i < 4; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%d", i);
    tell(system, name, TICK, NULL, 0);
  }
  assert_true(await(&ticks, 200));
  assert_int_equal(close(system), TRP_VERDICT_CLEAN);
}

static long switches(void) {
  char line[128];
  long count = 0, n;
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info); i++) {
    if (strcmp(info.role, "worker") != 0) continue;
    snprintf(line, sizeof line, "/proc/self/task/%d/status", info.tid);
    FILE *file = fopen(line, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
      if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1) count += n;
    }
    if (file != NULL) fclose(file);
  }
  return count;
}

static void two_that_talk_on_one_worker_make_no_system_call(void **state) {
  enum { HITS = 200000 };
  (void)state;
  struct trp_system *system = open(2);
  nap(30); /* all sleep */
  struct trp_pool_figures before, after;
  trp_pool_look(trp_sched_pool(system->sched), &before);
  long slept = switches();
  struct ball ball = {.left = HITS, .other = trp_system_whereis(system, "a1")};
  tell(system, "a0", PING, &ball, sizeof ball);
  assert_true(await(&rounds, 1));
  trp_pool_look(trp_sched_pool(system->sched), &after);
  assert_true(after.steps - before.steps >= HITS);
  /* A futex call is a wake or a park, and who parks switches. */
  assert_true(after.wakes - before.wakes < HITS / 1000);
  assert_true(after.parks - before.parks < HITS / 1000);
  const char *mode = getenv("TRP_MODE"); /* valgrind's threads take turns by switching */
  bool own_threads = mode == NULL || strcmp(mode, "valgrind") != 0;
  if (own_threads) assert_true(switches() - slept < HITS / 1000);
  assert_int_equal(close(system), TRP_VERDICT_CLEAN);
}

static void who_must_stand_alone_is_not_taken(void **state) {
  (void)state;
  struct trp_system_options options = {.name = "pool", .log_fd = -1};
  struct trp_system *system;
  assert_int_equal(trp_system_new(&system, &options), TRP_OK);
  struct trp_spec root = {.name = "root", .kind = &trp_supervisor_kind, .placement = TRP_POOL};
  assert_int_equal(trp_system_add(system, &root), TRP_INVALID);
  struct trp_spec pooled = {.name = "pooled", .kind = &kind, .placement = TRP_POOL};
  assert_int_equal(trp_system_add(system, &pooled), TRP_OK);
  struct trp_spec child = {.name = "child", .kind = &kind, .supervisor = "pooled"};
  assert_int_equal(trp_system_add(system, &child), TRP_INVALID);
  trp_system_destroy(&system);
  options.workers = TRP_WORKERS_MAX + 1;
  assert_int_equal(trp_system_new(&system, &options), TRP_INVALID);
}

static void without_spinning_it_works_as_well(void **state) {
  (void)state;
  struct trp_system *system = open_with(4, &(struct trp_system_options){.no_spin = true});
  for (int i = 0; i < 400; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%d", i % 4);
    tell(system, name, WORD, NULL, 0);
    if (i % 40 == 0) nap(1);
  }
  assert_true(await(&handled, 400));
  assert_int_equal(close(system), TRP_VERDICT_CLEAN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(actors_that_never_return_do_not_hold_up_the_others),
      cmocka_unit_test(a_worker_whose_thread_exits_is_replaced),
      cmocka_unit_test(a_flooded_actor_does_not_starve_the_others),
      cmocka_unit_test(timers_come_to_actors_that_sleep),
      cmocka_unit_test(two_that_talk_on_one_worker_make_no_system_call),
      cmocka_unit_test(who_must_stand_alone_is_not_taken),
      cmocka_unit_test(without_spinning_it_works_as_well),
      cmocka_unit_test(one_that_never_returns_is_abandoned_by_name_and_the_rest_is_clean),
  };
  return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
