/* The thread monitor under the simulated scheduler: mail that waits for a turn. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/event_engine.h"
#include "actors/subscriber.h"
#include "actors/thread_monitor.h"
#include "runtime/sim.h"
#include "runtime/system.h"

enum { WORK = TRP_USER_FIRST, INACTIVE_MS = 1000 };

struct stage {
  struct trp_system *system;
  struct trp_ref worker, monitor;
  uint32_t worked;
  uint32_t heard; /* ACTOR_INACTIVE, by way of the engine */
  struct trp_actor_inactive last;
};

struct worker {
  struct stage *stage;
};

static enum trp_err worker_start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(&((struct worker *)state)->stage, args, sizeof(struct stage *));
  return TRP_OK;
}

static enum trp_err worker_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  if (msg->type == WORK) ((struct worker *)state)->stage->worked++;
  return TRP_OK;
}

static const struct trp_kind worker_kind = {.name = "worker",
                                            .state_bytes = sizeof(struct worker),
                                            .start = worker_start,
                                            .receive = worker_receive};

struct listener {
  struct stage *stage;
  struct trp_subscriber subscriber;
};

static enum trp_err listener_start(struct trp_self *self, void *state, const void *args) {
  struct listener *l = state;
  memcpy(&l->stage, args, sizeof l->stage);
  enum trp_err err = trp_subscriber_start(self, &l->subscriber, "event_engine");
  return err != TRP_OK ? err : trp_subscriber_add(self, &l->subscriber, TRP_ACTOR_INACTIVE, 0);
}

static enum trp_err listener_receive(struct trp_self *self, void *state,
                                     const struct trp_msg *msg) {
  struct listener *l = state;
  if (trp_subscriber_take(self, &l->subscriber, msg)) return TRP_OK;
  const struct trp_actor_inactive *body = trp_msg_actor_inactive(msg);
  if (body == NULL) return TRP_OK;
  l->stage->last = *body;
  l->stage->heard++;
  return TRP_OK;
}

static const struct trp_kind listener_kind = {.name = "listener",
                                              .state_bytes = sizeof(struct listener),
                                              .start = listener_start,
                                              .receive = listener_receive};

static const struct trp_thread_monitor_options options = {.interval_ms = 100,
                                                          .report_ms = 2000,
                                                          .inactive_ms = INACTIVE_MS,
                                                          .events = "event_engine",
                                                          .no_process_figures = true};

static void add(struct stage *stage, const char *name, const struct trp_kind *kind,
                const void *args) {
  const struct trp_spec spec = {.name = name, .kind = kind, .args = args};
  assert_int_equal(trp_system_add(stage->system, &spec), TRP_OK);
}

/* The stage is an actor's argument by its address, kept here for the system's life. */
static struct stage *current;

static void open_stage(struct stage *stage, uint64_t seed) {
  memset(stage, 0, sizeof *stage);
  current = stage;
  const struct trp_system_options how = {
      .name = "monitored", .sched = TRP_SCHED_SIM, .seed = seed, .quiet_report = true};
  assert_int_equal(trp_system_new(&stage->system, &how), TRP_OK);
  add(stage, "event_engine", &trp_event_engine_kind, NULL);
  add(stage, "listener", &listener_kind, &current);
  add(stage, "thread_monitor", &trp_thread_monitor_kind, &options);
  add(stage, "worker", &worker_kind, &current);
  assert_int_equal(trp_system_start(stage->system, NULL, 0), TRP_OK);
  stage->worker = trp_system_whereis(stage->system, "worker");
  stage->monitor = trp_system_whereis(stage->system, "thread_monitor");
}

static void run_ms(struct stage *stage, uint64_t ms) {
  trp_sim_run_for(stage->system, ms * TRP_NS_PER_MS);
}

static void send_work(struct stage *stage) {
  assert_int_equal(trp_system_send(stage->system, stage->worker, WORK, NULL, 0), TRP_OK);
}

static size_t traced(struct stage *stage, const char *text) {
  size_t count = 0;
  const char *at = trp_log_trace(stage->system->log, NULL);
  while ((at = strstr(at, text)) != NULL) {
    at++;
    count++;
  }
  return count;
}

static size_t journalled(struct stage *stage, uint16_t type) {
  size_t count = 0;
  struct trp_journal_entry entry = {.sequence = 0};
  while (trp_system_journal_next(stage->system, entry.sequence, &entry, NULL, 0)) {
    count += entry.type == type;
  }
  return count;
}

/* ---- the stories ---- */

static void mail_without_a_turn_is_told_once_and_again_after_recovery(void **state) {
  (void)state;
  struct stage stage;
  open_stage(&stage, 1);
  for (uint32_t round = 1; round <= 2; round++) {
    trp_sim_stall(stage.system, stage.worker, 5 * TRP_NS_PER_S);
    send_work(&stage);
    run_ms(&stage, INACTIVE_MS - 10);
    assert_int_equal(stage.heard, round - 1);
    run_ms(&stage, 210);
    assert_int_equal(stage.heard, round);
    run_ms(&stage, 3000); /* still waiting, and not told again */
    assert_int_equal(stage.heard, round);
    assert_int_equal(stage.worked, round - 1);
    assert_int_equal(traced(&stage, "actor.recovered actor=worker was=inactive"), round - 1);
    run_ms(&stage, 2000);
    assert_int_equal(stage.worked, round);
    assert_int_equal(traced(&stage, "actor.recovered actor=worker was=inactive"), round);
  }
  assert_string_equal(stage.last.name, "worker");
  assert_int_equal(stage.last.ref, stage.worker.bits);
  assert_int_equal(stage.last.depth, 1);
  assert_in_range(stage.last.idle_ms, INACTIVE_MS, INACTIVE_MS + 200);
  assert_int_equal(journalled(&stage, TRP_ACTOR_INACTIVE), 2);
  assert_int_equal(traced(&stage, "thread_monitor actor.inactive actor=worker"), 2);
  trp_system_destroy(&stage.system);
}

static void an_idle_actor_is_not_inactive_and_nor_is_one_that_just_got_mail(void **state) {
  (void)state;
  struct stage stage;
  open_stage(&stage, 2);
  run_ms(&stage, 10 * INACTIVE_MS);
  /* Its last turn is long past, its mail is young. */
  trp_sim_stall(stage.system, stage.worker, INACTIVE_MS / 2 * TRP_NS_PER_MS);
  send_work(&stage);
  run_ms(&stage, 3 * INACTIVE_MS);
  assert_int_equal(stage.worked, 1);
  assert_int_equal(stage.heard, 0);
  assert_int_equal(journalled(&stage, TRP_ACTOR_INACTIVE), 0);
  trp_system_destroy(&stage.system);
}

static void what_the_engine_cannot_hear_yet_stands_in_the_journal(void **state) {
  (void)state;
  struct stage stage;
  open_stage(&stage, 3);
  run_ms(&stage, 50);
  struct trp_ref engine = trp_system_whereis(stage.system, "event_engine");
  trp_sim_stall(stage.system, engine, 5 * TRP_NS_PER_S);
  trp_sim_stall(stage.system, stage.worker, 5 * TRP_NS_PER_S);
  send_work(&stage);
  run_ms(&stage, INACTIVE_MS + 500);
  assert_int_equal(journalled(&stage, TRP_ACTOR_INACTIVE), 1);
  run_ms(&stage, INACTIVE_MS + 500); /* by now the engine itself has let mail wait */
  assert_int_equal(journalled(&stage, TRP_ACTOR_INACTIVE), 2);
  assert_int_equal(stage.heard, 0);
  run_ms(&stage, 3000);
  assert_int_equal(stage.heard, 2);
  assert_string_equal(stage.last.name, "event_engine");
  trp_system_destroy(&stage.system);
}

static void ask(struct stage *stage, const char *word, struct trp_result *result) {
  struct trp_operator order = {.text = ""};
  snprintf(order.text, sizeof order.text, "%s", word);
  uint16_t type = 0;
  size_t bytes = sizeof *result;
  memset(result, 0, sizeof *result);
  assert_int_equal(trp_system_ask(stage->system, stage->monitor, TRP_OPERATOR, &order, sizeof order,
                                  TRP_NS_PER_S, &type, result, &bytes),
                   TRP_OK);
  assert_int_equal(type, TRP_RESULT);
  assert_int_equal(bytes, sizeof *result);
}

static void a_report_is_answered_and_logged_regularly(void **state) {
  (void)state;
  struct stage stage;
  struct trp_result result;
  open_stage(&stage, 4);
  trp_sim_stall(stage.system, stage.worker, 4 * TRP_NS_PER_S);
  send_work(&stage);
  run_ms(&stage, 3500);
  ask(&stage, "report", &result);
  assert_int_equal(result.status, TRP_OK);
  assert_non_null(strstr(result.text, "actors=4 running=4 stalled=0 inactive=1 depth="));
  ask(&stage, "dance", &result);
  assert_int_equal(result.status, TRP_INVALID);
  assert_int_equal(traced(&stage, "monitor.report actors=4"), 1);
  run_ms(&stage, 4000);
  assert_int_equal(traced(&stage, "monitor.report actors=4"), 3);
  trp_system_destroy(&stage.system);
}

static char *trace_of(uint64_t seed) {
  struct stage stage;
  open_stage(&stage, seed);
  trp_sim_stall(stage.system, stage.worker, 3 * TRP_NS_PER_S);
  send_work(&stage);
  run_ms(&stage, 5000);
  char *trace = strdup(trp_log_trace(stage.system->log, NULL));
  trp_system_destroy(&stage.system);
  return trace;
}

static void the_process_does_not_show_in_a_simulated_execution(void **state) {
  (void)state;
  char *first = trace_of(5);
  char *ballast = malloc(32 << 20);
  FILE *descriptor = fopen("/dev/null", "r");
  assert_true(ballast != NULL && descriptor != NULL);
  memset(ballast, 1, 32 << 20);
  char *second = trace_of(5);
  assert_string_equal(first, second);
  assert_null(strstr(first, "memory_kib"));
  fclose(descriptor);
  free(ballast);
  free(first);
  free(second);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mail_without_a_turn_is_told_once_and_again_after_recovery),
      cmocka_unit_test(an_idle_actor_is_not_inactive_and_nor_is_one_that_just_got_mail),
      cmocka_unit_test(what_the_engine_cannot_hear_yet_stands_in_the_journal),
      cmocka_unit_test(a_report_is_answered_and_logged_regularly),
      cmocka_unit_test(the_process_does_not_show_in_a_simulated_execution),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
