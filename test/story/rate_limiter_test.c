/* The rate limiter in virtual time: the rate over long stretches, order, weights, and waits that
 * end by a deadline, a cancel, a death or a stop. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/rate_limiter.h"
#include "actors/supervisor.h"
#include "runtime/report.h"
#include "runtime/sim.h"

enum { ORDER = TRP_USER_FIRST, CLIENTS = 4, RECORDS_MAX = 20000, ASKS_MAX = 64 };

enum verb { TAKE, CANCEL_ALL, KEEP_ASKING };

/* From the test to a client: TAKE once; KEEP_ASKING: random weights up to this, for ever. */
struct order {
  enum verb verb;
  uint32_t weight;
  uint64_t timeout_ns;
};

/* An ask that ended: how, and when. */
struct record {
  uint32_t client, weight, status;
  uint64_t at_ns;
};

static struct world {
  struct trp_system *system;
  struct record records[RECORDS_MAX];
  uint32_t record_count;
} world;

/* ---- clients ---- */

struct client {
  uint32_t number, outstanding, keep;
  uint64_t timeout_ns;
  struct {
    uint64_t correlation;
    uint32_t weight;
  } asks[ASKS_MAX];
};

static void note(struct trp_self *self, const struct client *c, uint32_t weight, uint32_t status) {
  assert_true(world.record_count < RECORDS_MAX);
  world.records[world.record_count++] = (struct record){
      .client = c->number, .weight = weight, .status = status, .at_ns = trp_now_ns(self)};
}

static void ask_for(struct trp_self *self, struct client *c, uint32_t weight, uint64_t timeout_ns) {
  assert_true(c->outstanding < ASKS_MAX);
  uint64_t correlation = 0;
  struct trp_ref limiter = trp_whereis(self, "limiter");
  enum trp_err err = trp_rate_take(self, limiter, weight, timeout_ns, &correlation);
  if (err != TRP_OK) {
    note(self, c, weight, (uint32_t)err);
    return;
  }
  c->asks[c->outstanding].correlation = correlation;
  c->asks[c->outstanding++].weight = weight;
}

static void ask_anew(struct trp_self *self, struct client *c) {
  if (c->keep == 0 || trp_self_stopping(self)) return;
  ask_for(self, c, 1 + (uint32_t)(trp_random(self) % c->keep), c->timeout_ns);
}

static void on_order(struct trp_self *self, struct client *c, const struct order *order) {
  switch (order->verb) {
    case TAKE:
      ask_for(self, c, order->weight, order->timeout_ns);
      break;
    case KEEP_ASKING:
      c->keep = order->weight;
      c->timeout_ns = order->timeout_ns;
      for (int i = 0; i < 3; i++) ask_anew(self, c);
      break;
    case CANCEL_ALL:
      for (uint32_t i = 0; i < c->outstanding; i++) {
        trp_ask_cancel(self, c->asks[i].correlation);
        note(self, c, c->asks[i].weight, TRP_CANCELLED);
      }
      c->outstanding = 0;
      for (int i = 0; i < 3; i++) ask_anew(self, c);
      break;
  }
}

static void on_answer(struct trp_self *self, struct client *c, const struct trp_msg *msg) {
  uint32_t i = 0;
  while (i < c->outstanding && c->asks[i].correlation != msg->correlation) i++;
  assert_true(i < c->outstanding); /* each ask ends once */
  const struct trp_result *result = trp_msg_result(msg);
  const struct trp_ask_failed *failed = trp_msg_ask_failed(msg);
  note(self, c, c->asks[i].weight, result != NULL ? result->status : failed->status);
  c->asks[i] = c->asks[--c->outstanding];
  uint32_t status = world.records[world.record_count - 1].status;
  bool refused = status != TRP_OK && status != TRP_TIMEOUT;
  if (!refused) ask_anew(self, c);
  if (refused && c->keep > 0) {
    (void)!trp_timer_start(self, TRP_NS_PER_S / 10, 0, 0, NULL); /* and asks anew then */
  }
}

static enum trp_err client_start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  ((struct client *)state)->number = *(const uint32_t *)args;
  return TRP_OK;
}

static enum trp_err client_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  if (msg->correlation != 0) on_answer(self, state, msg);
  if (msg->type == ORDER) on_order(self, state, msg->body);
  if (msg->type == TRP_TIMER) ask_anew(self, state);
  return TRP_OK;
}

static const struct trp_kind client_kind = {.name = "client",
                                            .state_bytes = sizeof(struct client),
                                            .start = client_start,
                                            .receive = client_receive};

/* ---- the stage ---- */

static const char *const client_names[CLIENTS] = {"ann", "ben", "cat", "dan"};
static const uint32_t client_numbers[CLIENTS] = {0, 1, 2, 3};
static const struct trp_rate_limiter_options ten_a_second = {.rate = 10, .queue_max = 8};

static void add(const char *name, const struct trp_kind *kind, const char *supervisor,
                const void *args) {
  const struct trp_spec spec = {.name = name,
                                .kind = kind,
                                .supervisor = supervisor,
                                .args = args,
                                .restart = {.intensity = 1000}};
  assert_int_equal(trp_system_add(world.system, &spec), TRP_OK);
}

static void open_stage(const struct trp_rate_limiter_options *options, uint64_t seed) {
  memset(&world, 0, sizeof world);
  const struct trp_system_options how = {.name = "limited",
                                         .sched = TRP_SCHED_SIM,
                                         .seed = seed,
                                         .allow_faults = true,
                                         .quiet_report = true};
  assert_int_equal(trp_system_new(&world.system, &how), TRP_OK);
  add("supervisor", &trp_supervisor_kind, NULL, NULL);
  add("limiter", &trp_rate_limiter_kind, "supervisor", options);
  for (int i = 0; i < CLIENTS; i++) {
    add(client_names[i], &client_kind, "supervisor", &client_numbers[i]);
    assert_int_equal(trp_system_edge(world.system, client_names[i], "limiter"), TRP_OK);
  }
  assert_int_equal(trp_system_start(world.system, NULL, 0), TRP_OK);
}

/* Nothing may remain of any story. */
static void close_stage(void) {
  trp_system_stop(world.system, "the story ends");
  assert_int_equal(trp_system_wait(world.system, 60 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(world.system);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  trp_system_destroy(&world.system);
}

static void run_ms(uint64_t ms) { trp_sim_run_for(world.system, ms * TRP_NS_PER_MS); }

static void tell(const char *name, uint16_t type, const void *body, size_t bytes) {
  struct trp_ref who = trp_system_whereis(world.system, name);
  assert_int_equal(trp_system_send(world.system, who, type, body, bytes), TRP_OK);
}

/* Told and heard: who is told next comes next. */
static void order(const char *name, enum verb verb, uint32_t weight, uint64_t timeout_ms) {
  struct order order = {.verb = verb,
                        .weight = weight,
                        .timeout_ns = timeout_ms == 0 ? TRP_FOREVER : timeout_ms * TRP_NS_PER_MS};
  tell(name, ORDER, &order, sizeof order);
  run_ms(1);
}

static void fault(const char *name, const char *what) {
  struct trp_fault body = {.text = ""};
  snprintf(body.text, sizeof body.text, "%s", what);
  tell(name, TRP_FAULT, &body, sizeof body);
}

static void ask_limiter(uint16_t type, const void *body, size_t size, struct trp_result *result) {
  uint16_t answer = 0;
  size_t bytes = sizeof *result;
  memset(result, 0, sizeof *result);
  struct trp_ref limiter = trp_system_whereis(world.system, "limiter");
  assert_int_equal(trp_system_ask(world.system, limiter, type, body, size, TRP_NS_PER_S, &answer,
                                  result, &bytes),
                   TRP_OK);
  assert_int_equal(answer, TRP_RESULT);
}

static void expect_stats(const char *words) {
  struct trp_operator word = {.text = "stats"};
  struct trp_result result;
  ask_limiter(TRP_OPERATOR, &word, sizeof word, &result);
  if (strstr(result.text, words) == NULL) fail_msg("no \"%s\" in \"%s\"", words, result.text);
}

static uint64_t now_ms(void) { return trp_system_now_ns(world.system) / TRP_NS_PER_MS; }

static void expect_record(uint32_t i, uint32_t client, enum trp_err status) {
  assert_true(i < world.record_count);
  assert_int_equal(world.records[i].client, client);
  assert_int_equal(world.records[i].status, status);
}

static uint64_t record_ms(uint32_t i) { return world.records[i].at_ns / TRP_NS_PER_MS; }

/* Everything that is there is taken: what is asked next must wait. */
static void empty_the_bucket(void) {
  order("dan", TAKE, 10, 0);
  expect_record(0, 3, TRP_OK);
}

/* Over no stretch of time is more granted than burst + rate * t. */
static void expect_rate(uint64_t rate, uint64_t burst) {
  /* With g(i) the weight granted before record i: g(j+1) - g(i) <= burst + rate * (t(j) - t(i)) for
   * all i <= j; so the least of g(i) * s - rate * t(i) so far is all that must be kept. */
  int64_t granted = 0, least = INT64_MAX;
  for (uint32_t j = 0; j < world.record_count; j++) {
    const struct record *r = &world.records[j];
    if (r->status != TRP_OK) continue;
    int64_t flowed = (int64_t)(rate * r->at_ns);
    int64_t before = granted * (int64_t)TRP_NS_PER_S - flowed;
    if (before < least) least = before;
    granted += r->weight;
    int64_t stretch = granted * (int64_t)TRP_NS_PER_S - flowed - least;
    assert_true(stretch <= (int64_t)(burst * TRP_NS_PER_S));
  }
}

static uint64_t granted_weight(void) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < world.record_count; i++) {
    if (world.records[i].status == TRP_OK) sum += world.records[i].weight;
  }
  return sum;
}

/* ---- stories ---- */

static void the_rate_is_kept_over_an_hour_and_nothing_of_it_is_lost(void **state) {
  (void)state;
  static const struct trp_rate_limiter_options options = {.rate = 7, .burst = 12};
  open_stage(&options, 1);
  uint64_t begin = trp_system_now_ns(world.system);
  for (int i = 0; i < CLIENTS; i++) order(client_names[i], KEEP_ASKING, 5, 0);
  trp_sim_run_for(world.system, 3600 * TRP_NS_PER_S);
  expect_rate(7, 12);
  /* All that flowed in has been given out but for what the first in the queue still waits for. */
  uint64_t flowed = 12 + 7 * (trp_system_now_ns(world.system) - begin) / TRP_NS_PER_S;
  assert_in_range(granted_weight(), flowed - 5, flowed);
  close_stage();
}

static void a_period_may_be_longer_than_a_second(void **state) {
  (void)state;
  static const struct trp_rate_limiter_options options = {.rate = 1, .period_ms = 3000, .burst = 2};
  open_stage(&options, 1);
  uint64_t begin = now_ms();
  for (int i = 0; i < 4; i++) order("ann", TAKE, 1, 0);
  run_ms(10000);
  assert_int_equal(world.record_count, 4);
  assert_int_equal(record_ms(1), begin + 1);
  assert_int_equal(record_ms(2), begin + 3000);
  assert_int_equal(record_ms(3), begin + 6000);
  close_stage();
}

static void a_light_request_does_not_overtake_a_heavy_one(void **state) {
  (void)state;
  open_stage(&ten_a_second, 1);
  empty_the_bucket();
  uint64_t begin = record_ms(0);
  order("ann", TAKE, 8, 0);
  order("ben", TAKE, 1, 0);
  order("ann", TAKE, 1, 0);
  run_ms(790);
  assert_int_equal(world.record_count, 1);
  run_ms(2000);
  assert_int_equal(world.record_count, 4);
  expect_record(1, 0, TRP_OK);
  expect_record(2, 1, TRP_OK);
  expect_record(3, 0, TRP_OK);
  assert_int_equal(record_ms(1), begin + 800);
  assert_int_equal(record_ms(2), begin + 900);
  assert_int_equal(record_ms(3), begin + 1000);
  close_stage();
}

static void what_could_never_be_granted_is_refused_at_once(void **state) {
  (void)state;
  open_stage(&ten_a_second, 1);
  order("ann", TAKE, 11, 0);
  order("ann", TAKE, 0, 0);
  expect_record(0, 0, TRP_INVALID);
  expect_record(1, 0, TRP_INVALID);
  struct trp_result result;
  ask_limiter(TRP_RATE_TAKE, "?", 1, &result);
  assert_int_equal(result.status, TRP_INVALID);
  ask_limiter(TRP_QUOTE, NULL, 0, &result);
  assert_int_equal(result.status, TRP_UNKNOWN_TYPE);
  expect_stats("level=10 waiting=0 granted=0 weight=0 gone=0 full=0 invalid=3");
  close_stage();
}

static void a_full_queue_says_so_at_once_until_somebody_leaves_it(void **state) {
  (void)state;
  open_stage(&ten_a_second, 1);
  empty_the_bucket();
  order("ann", TAKE, 10, 0);
  for (int i = 0; i < 7; i++) order("ben", TAKE, 1, 0);
  uint64_t begin = now_ms();
  order("cat", TAKE, 1, 0);
  expect_record(1, 2, TRP_FULL);
  assert_int_equal(record_ms(1), begin);
  order("ben", CANCEL_ALL, 0, 0);
  uint32_t before = world.record_count;
  order("cat", TAKE, 1, 0);
  assert_int_equal(world.record_count, before);
  expect_stats("waiting=2 granted=1 weight=10 gone=7 full=1");
  close_stage();
}

/* ben waits behind ann, who gives up in a while; nothing is spent for her. */
static void let_ann_leave(uint64_t timeout_ms) {
  open_stage(&ten_a_second, 1);
  empty_the_bucket();
  order("ann", TAKE, 10, timeout_ms);
  order("ben", TAKE, 2, 0);
  run_ms(300);
  if (timeout_ms == 0) assert_int_equal(world.record_count, 1);
}

/* About 3 tokens have flowed in until ann left, of which ben gets his 2 at once. */
static void expect_ben_served(uint64_t left_ms) {
  run_ms(15);
  uint32_t last = world.record_count - 1;
  expect_record(last, 1, TRP_OK);
  assert_in_range(record_ms(last), left_ms, left_ms + 10);
  expect_stats("level=1 waiting=0 granted=2 weight=12 gone=1");
  close_stage();
}

static void a_wait_that_times_out_leaves_the_queue_and_costs_nothing(void **state) {
  (void)state;
  let_ann_leave(295);
  expect_record(1, 0, TRP_TIMEOUT);
  expect_ben_served(record_ms(1));
}

static void a_cancelled_wait_leaves_the_queue_and_costs_nothing(void **state) {
  (void)state;
  let_ann_leave(0);
  order("ann", CANCEL_ALL, 0, 0);
  expect_ben_served(now_ms() - 1);
}

static void the_wait_of_a_dead_actor_leaves_the_queue_and_costs_nothing(void **state) {
  (void)state;
  let_ann_leave(0);
  fault("ann", "panic");
  expect_ben_served(now_ms());
}

static void a_stop_ends_all_waits_at_once(void **state) {
  (void)state;
  static const struct trp_rate_limiter_options slow = {.rate = 1, .period_ms = 3600000};
  open_stage(&slow, 1);
  for (int i = 0; i < CLIENTS; i++) {
    order(client_names[i], TAKE, 1, 0);
    order(client_names[i], TAKE, 1, 0);
  }
  assert_int_equal(world.record_count, 1);
  uint64_t begin = now_ms();
  close_stage();
  assert_int_equal(world.record_count, 2 * CLIENTS);
  for (uint32_t i = 1; i < world.record_count; i++) {
    assert_int_equal(world.records[i].status, TRP_STOPPED);
    assert_int_equal(record_ms(i), begin);
  }
}

static void a_stop_of_the_limiter_alone_ends_all_waits_too(void **state) {
  (void)state;
  open_stage(&ten_a_second, 1);
  empty_the_bucket();
  for (int i = 0; i < CLIENTS; i++) order(client_names[i], TAKE, 10, 0);
  struct trp_child_command command = {.verb = "stop", .name = "limiter"};
  tell("supervisor", TRP_CHILD_COMMAND, &command, sizeof command);
  run_ms(1);
  assert_int_equal(world.record_count, 1 + CLIENTS);
  for (uint32_t i = 1; i <= CLIENTS; i++) {
    assert_int_equal(world.records[i].status, TRP_STOPPED);
  }
  close_stage();
}

static void a_limiter_that_comes_back_begins_empty(void **state) {
  (void)state;
  open_stage(&ten_a_second, 1);
  order("ann", TAKE, 10, 0);
  order("ben", TAKE, 10, 0);
  fault("limiter", "panic");
  run_ms(1);
  expect_record(1, 1, TRP_DEAD);
  order("cat", TAKE, 5, 0);
  assert_int_equal(world.record_count, 2);
  run_ms(600);
  expect_record(2, 2, TRP_OK);
  assert_in_range(record_ms(2) - record_ms(1), 500, 510);
  close_stage();
}

/* ---- seeds ---- */

enum { BACKOFF_MS = 5000 }; /* the longest: whom a second longer finds is alive */

static void crash(const char *who) {
  fault(who, "panic");
  run_ms(BACKOFF_MS + 1000);
  if (strcmp(who, "limiter") != 0) order(who, KEEP_ASKING, 9, 200);
}

/* Clients ask, give up, cancel and crash at random, and so does the limiter. */
static void storm(uint64_t seed) {
  static const struct trp_rate_limiter_options options = {.rate = 40, .burst = 9, .queue_max = 10};
  open_stage(&options, seed);
  for (int i = 0; i < CLIENTS; i++) order(client_names[i], KEEP_ASKING, 9, i == 0 ? 0 : 400);
  for (int i = 0; i < 60; i++) {
    const char *who = client_names[trp_sim_random(world.system) % CLIENTS];
    switch (trp_sim_random(world.system) % 16) {
      case 0:
        crash("limiter");
        break;
      case 1:
        crash(who);
        break;
      case 2:
        order(who, CANCEL_ALL, 0, 0);
        break;
      default:
        order(who, TAKE, 1, 50);
        break;
    }
    run_ms(trp_sim_random(world.system) % 1000);
  }
  expect_rate(40, 9);
  assert_true(granted_weight() > 500);
  close_stage();
}

static void the_rate_holds_whatever_happens(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 30; seed++) storm(seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_rate_is_kept_over_an_hour_and_nothing_of_it_is_lost),
      cmocka_unit_test(a_period_may_be_longer_than_a_second),
      cmocka_unit_test(a_light_request_does_not_overtake_a_heavy_one),
      cmocka_unit_test(what_could_never_be_granted_is_refused_at_once),
      cmocka_unit_test(a_full_queue_says_so_at_once_until_somebody_leaves_it),
      cmocka_unit_test(a_wait_that_times_out_leaves_the_queue_and_costs_nothing),
      cmocka_unit_test(a_cancelled_wait_leaves_the_queue_and_costs_nothing),
      cmocka_unit_test(the_wait_of_a_dead_actor_leaves_the_queue_and_costs_nothing),
      cmocka_unit_test(a_stop_ends_all_waits_at_once),
      cmocka_unit_test(a_stop_of_the_limiter_alone_ends_all_waits_too),
      cmocka_unit_test(a_limiter_that_comes_back_begins_empty),
      cmocka_unit_test(the_rate_holds_whatever_happens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
