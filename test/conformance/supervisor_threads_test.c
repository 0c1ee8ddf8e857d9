/* supervisor_threads_test.c - groups and trees of supervisors with real threads: crashes from
 * outside at any moment, never two lives at once, the order kept, and all up again at the end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actors/supervisor.h"
#include "runtime/report.h"

enum { CRASH = TRP_USER_FIRST, VANISH, FAMILIES = 3, MEMBERS = 4, BLOWS = 400 };
#define MS TRP_NS_PER_MS

static struct trp_system *sys;
static _Atomic int alive[FAMILIES][MEMBERS];
static _Atomic uint32_t twice, early, lives;

struct seat { /* a member's args */
  int family, place;
};
static struct seat seats[FAMILIES][MEMBERS];

struct member {
  const struct seat *seat;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  const struct seat *seat = args;
  ((struct member *)state)->seat = seat;
  if (atomic_fetch_add(&alive[seat->family][seat->place], 1) != 0) atomic_fetch_add(&twice, 1);
  for (int k = seat->place + 1; seat->family != TRP_ONE_FOR_ONE && k < MEMBERS; k++) {
    if (atomic_load(&alive[seat->family][k]) != 0) atomic_fetch_add(&early, 1);
  }
  atomic_fetch_add(&lives, 1);
  return TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  if (msg->type == CRASH) trp_panic("on order");
  if (msg->type == VANISH) pthread_exit(NULL);
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  const struct seat *seat = ((struct member *)state)->seat;
  atomic_fetch_sub(&alive[seat->family][seat->place], 1);
}

static const struct trp_kind member = {.name = "member",
                                       .state_bytes = sizeof(struct member),
                                       .start = start,
                                       .receive = receive,
                                       .end = end};

/* ---- the house: a root over three families, one of each strategy ---- */

static const struct trp_supervisor_options options[FAMILIES] = {
    {.strategy = TRP_ONE_FOR_ONE}, {.strategy = TRP_REST_FOR_ONE}, {.strategy = TRP_ONE_FOR_ALL}};
static const char *const heads[FAMILIES] = {"one", "rest", "all"};
static char names[FAMILIES][MEMBERS][16];

static void add(const struct trp_spec *spec) {
  assert_int_equal(trp_system_add(sys, spec), TRP_OK);
}

static void open_house(void) {
  static const struct trp_restart_policy patient = {
      .intensity = 4000, .backoff_min_ms = 1, .backoff_max_ms = 4};
  assert_int_equal(trp_system_new(&sys,
                                  &(struct trp_system_options){
                                      .name = "families", .log_fd = -1, .allow_faults = true}),
                   TRP_OK);
  add(&(struct trp_spec){.name = "root", .kind = &trp_supervisor_kind, .args = &options[0]});
  for (int f = 0; f < FAMILIES; f++) {
    add(&(struct trp_spec){.name = heads[f],
                           .kind = &trp_supervisor_kind,
                           .args = &options[f],
                           .supervisor = "root",
                           .restart = patient});
    for (int m = 0; m < MEMBERS; m++) {
      seats[f][m] = (struct seat){.family = f, .place = m};
      snprintf(names[f][m], sizeof names[f][m], "%s.%d", heads[f], m);
      add(&(struct trp_spec){.name = names[f][m],
                             .kind = &member,
                             .args = &seats[f][m],
                             .supervisor = heads[f],
                             .restart = patient});
    }
  }
  char failure[256];
  assert_int_equal(trp_system_start(sys, failure, sizeof failure), TRP_OK);
}

static void pass(uint64_t ns) { nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL); }

static bool all_up(void) {
  for (size_t i = 0; i < trp_system_actor_count(sys); i++) {
    struct trp_actor_info info;
    assert_true(trp_system_actor(sys, i, &info));
    if (info.state != TRP_ACTOR_RUNNING) return false;
  }
  return true;
}

/* Up and staying so: a group in the midst of its restart may look whole for a moment. */
static bool comes_to_rest(void) {
  for (int calm = 0, tries = 0; tries < 5000; tries++) {
    calm = all_up() ? calm + 1 : 0;
    if (calm == 50) return true;
    pass(MS);
  }
  return false;
}

static void blow(unsigned *seed) {
  int f = rand_r(seed) % FAMILIES, m = rand_r(seed) % MEMBERS, kind = rand_r(seed) % 20;
  bool at_head = kind == 0;
  struct trp_ref to = trp_system_whereis(sys, at_head ? heads[f] : names[f][m]);
  struct trp_fault fault = {.text = "panic"};
  /* Whoever is down is not reached: that is no concern here. */
  if (at_head) {
    (void)!trp_system_send(sys, to, TRP_FAULT, &fault, sizeof fault);
  } else {
    (void)!trp_system_send(sys, to, kind < 3 ? VANISH : CRASH, NULL, 0);
  }
}

static void families_come_back_in_order_and_never_twice_at_once(void **state) {
  (void)state;
  open_house();
  unsigned seed = 1;
  for (int i = 0; i < BLOWS; i++) {
    blow(&seed);
    if (rand_r(&seed) % 4 == 0) pass((uint64_t)(rand_r(&seed) % 3000) * 1000);
  }
  assert_true(comes_to_rest());
  trp_system_stop(sys, "the test is over");
  assert_int_equal(trp_system_wait(sys, 20 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(sys);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_int_equal(atomic_load(&twice), 0);
  assert_int_equal(atomic_load(&early), 0);
  printf("  %d blows, %u lives\n", BLOWS, atomic_load(&lives));
  trp_system_destroy(&sys);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(families_come_back_in_order_and_never_twice_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
