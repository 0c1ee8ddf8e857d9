/* What belongs to nobody is found by walking what exists: each kind planted once behind the
 * runtime's back, since by its front door there are none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "actors/event_engine.h"
#include "actors/supervisor.h"
#include "runtime/orphans.h"
#include "runtime/system.h"

enum { BUSY = TRP_USER_FIRST, LEAVE };

static struct trp_system *the_system;

/* Takes one of everything, and leaves it to the runtime to give it back. */
static enum trp_err busy(struct trp_self *self) {
  struct trp_subscribe wish = {.event = TRP_TICK};
  struct trp_ref engine = trp_whereis(self, "event_engine");
  enum trp_err err = trp_timer_start(self, TRP_NS_PER_S * 60, 0, 0, NULL);
  if (err == TRP_OK) err = trp_watch(self, "other", NULL);
  if (err == TRP_OK) err = trp_monitor(self, engine, NULL);
  if (err == TRP_OK) err = trp_send(self, engine, TRP_SUBSCRIBE, &wish, sizeof wish);
  if (err == TRP_OK) {
    err = trp_ask(self, trp_whereis(self, "other"), BUSY, NULL, 0, TRP_NS_PER_S * 60, NULL);
  }
  return err;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->token != 0) return TRP_OK; /* is never answered */
  if (msg->type == BUSY) return busy(self);
  if (msg->type == LEAVE) trp_exit(self);
  return TRP_OK;
}

static const struct trp_kind kind = {.name = "busy", .receive = receive};

static int open_system(void **state) {
  (void)state;
  const struct trp_restart_policy mortal = {.restart = TRP_TEMPORARY};
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind},
      {.name = "event_engine", .kind = &trp_event_engine_kind, .supervisor = "supervisor"},
      {.name = "other", .kind = &kind, .supervisor = "supervisor"},
      {.name = "mayfly", .kind = &kind, .supervisor = "supervisor", .restart = mortal},
      {.name = "phoenix",
       .kind = &kind,
       .supervisor = "supervisor",
       .restart = {.intensity = 1000, .backoff_min_ms = 1, .backoff_max_ms = 1}}};
  const struct trp_system_options options = {.name = "orphans", .log_fd = -1, .allow_faults = true};
  assert_int_equal(trp_system_new(&the_system, &options), TRP_OK);
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    assert_int_equal(trp_system_add(the_system, &specs[i]), TRP_OK);
  }
  return trp_system_start(the_system, NULL, 0) == TRP_OK ? 0 : -1;
}

static int close_system(void **state) {
  (void)state;
  trp_system_destroy(&the_system);
  return 0;
}

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

static void tell(const char *name, uint16_t type) {
  struct trp_ref who = trp_system_whereis(the_system, name);
  (void)!trp_system_send(the_system, who, type, NULL, 0);
}

static struct trp_actor *actor(const char *name) { return trp_system_find_named(the_system, name); }

static void await_state(const char *name, enum trp_actor_state state) {
  for (int i = 0; i < 5000 && trp_actor_state(actor(name)) != state; i++) nap();
  assert_int_equal(trp_actor_state(actor(name)), state);
}

static struct trp_orphans look(void) {
  struct trp_orphans found;
  trp_system_orphans(the_system, &found);
  return found;
}

/* ---- none ---- */

static void an_actor_that_ends_leaves_no_orphan(void **state) {
  (void)state;
  tell("mayfly", BUSY);
  for (int i = 0; i < 2000 && actor("event_engine")->held[TRP_RES_SUBSCRIPTION] == 0; i++) nap();
  assert_int_equal(actor("event_engine")->held[TRP_RES_SUBSCRIPTION], 1);
  tell("mayfly", LEAVE);
  await_state("mayfly", TRP_ACTOR_DOWN);
  struct trp_orphans found = look();
  for (int i = 0; i < 2000 && found.counts[TRP_ORPHAN_SUBSCRIPTION] > 0; i++) {
    nap(); /* the engine hears of it in a moment */
    found = look();
  }
  for (int k = 0; k < TRP_ORPHAN_KINDS; k++) assert_int_equal(found.counts[k], 0);
}

/* Looked at all the time while somebody with one of everything dies and comes back. */
static void nobody_is_orphaned_for_a_moment_while_one_crashes_again_and_again(void **state) {
  (void)state;
  const struct trp_fault panic = {.text = "panic"};
  uint64_t looks = 0;
  for (uint64_t crashes = 0; crashes < 200; crashes++) {
    struct trp_ref who = trp_system_whereis(the_system, "phoenix");
    if (trp_ref_is_nobody(who)) {
      crashes--;
      nap();
      continue;
    }
    tell("phoenix", BUSY);
    (void)!trp_system_send(the_system, who, TRP_FAULT, &panic, sizeof panic);
    while (trp_ref_equal(who, trp_system_whereis(the_system, "phoenix"))) {
      struct trp_orphans found = look();
      looks++;
      found.counts[TRP_ORPHAN_SUBSCRIPTION] = 0; /* may be on its way back, see orphans.h */
      if (trp_orphans_total(&found) != 0) {
        fail_msg("of %s: %d timers, %d asks, %d monitors, %d others", found.owner,
                 (int)found.counts[TRP_ORPHAN_TIMER], (int)found.counts[TRP_ORPHAN_ASK],
                 (int)found.counts[TRP_ORPHAN_MONITOR], (int)found.counts[TRP_ORPHAN_OTHER]);
      }
    }
  }
  assert_true(looks > 0);
}

/* ---- planted ---- */

static void expect_one(enum trp_orphan kind_of) {
  struct trp_orphans found = look();
  for (int k = 0; k < TRP_ORPHAN_KINDS; k++) {
    assert_int_equal(found.counts[k], k == (int)kind_of ? 1 : 0);
  }
  assert_string_equal(found.owner, "mayfly");
}

static void a_timer_of_the_dead_is_found(void **state) {
  (void)state;
  tell("mayfly", LEAVE);
  await_state("mayfly", TRP_ACTOR_DOWN);
  trp_held(actor("mayfly"), TRP_RES_TIMER, 1);
  expect_one(TRP_ORPHAN_TIMER);
  trp_held(actor("mayfly"), TRP_RES_TIMER, -1);
  trp_held(actor("mayfly"), TRP_RES_SOCKET, 1);
  expect_one(TRP_ORPHAN_OTHER);
  trp_held(actor("mayfly"), TRP_RES_SOCKET, -1);
}

static void a_monitor_of_the_dead_is_found(void **state) {
  (void)state;
  tell("mayfly", LEAVE);
  await_state("mayfly", TRP_ACTOR_DOWN);
  struct trp_watch *watch = trp_watch_open(actor("mayfly"), actor("other"), 0);
  assert_non_null(watch);
  expect_one(TRP_ORPHAN_MONITOR);
  trp_lane_unqueue(trp_lane_take(&actor("mayfly")->lane));
  trp_watch_close(watch);
}

static void an_ask_of_the_dead_is_found(void **state) {
  (void)state;
  uint64_t asker = trp_system_whereis(the_system, "mayfly").bits;
  tell("mayfly", LEAVE);
  await_state("mayfly", TRP_ACTOR_DOWN);
  struct trp_ask *ask = trp_ask_open(&the_system->asks);
  assert_non_null(ask);
  assert_int_equal(look().counts[TRP_ORPHAN_ASK], 0); /* as if asked from outside */
  atomic_store(&ask->asker_ref, asker);
  expect_one(TRP_ORPHAN_ASK);
  trp_ask_close(&the_system->asks, ask);
  assert_int_equal(look().counts[TRP_ORPHAN_ASK], 0);
}

static void a_subscription_of_the_dead_is_found(void **state) {
  (void)state;
  uint32_t from = actor("event_engine")->index, to = actor("mayfly")->index;
  tell("mayfly", LEAVE);
  await_state("mayfly", TRP_ACTOR_DOWN);
  assert_int_equal(trp_graph_add(&the_system->graph, from, to, true), TRP_OK);
  expect_one(TRP_ORPHAN_SUBSCRIPTION);
  trp_graph_remove(&the_system->graph, from, to);
}

#define WITH_SYSTEM(test) cmocka_unit_test_setup_teardown(test, open_system, close_system)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_SYSTEM(an_actor_that_ends_leaves_no_orphan),
      WITH_SYSTEM(nobody_is_orphaned_for_a_moment_while_one_crashes_again_and_again),
      WITH_SYSTEM(a_timer_of_the_dead_is_found),
      WITH_SYSTEM(a_monitor_of_the_dead_is_found),
      WITH_SYSTEM(an_ask_of_the_dead_is_found),
      WITH_SYSTEM(a_subscription_of_the_dead_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
