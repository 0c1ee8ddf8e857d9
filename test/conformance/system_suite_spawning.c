/* system_suite_spawning.c - actors made while the system runs: reachable at once, gone without a
 * trace, told of when they crash, and stopped with the others. */
#include <string.h>
#include <time.h>

#include "runtime/blob.h"
#include "runtime/system.h"
#include "test/conformance/system_suite.h"

enum { CRASH = ANSWER + 1, LEAVE, SPAWN, STAY };

struct state {
  struct world *w;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  ((struct state *)state)->w->number[1]++;
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  ((struct state *)state)->w->number[2]++;
}

static enum trp_err live(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  if (msg->type == CRASH) trp_panic("told to");
  if (msg->type == LEAVE) trp_exit(self);
  s->w->number[0]++;
  return TRP_OK;
}

static const struct trp_kind child = {.name = "child",
                                      .state_bytes = sizeof(struct state),
                                      .start = start,
                                      .receive = live,
                                      .end = end};

static struct trp_spec child_spec(struct world *w) {
  struct trp_spec spec = {
      .kind = &child, .args = w, .mailbox = {.capacity = 4}, .placement = TRP_POOL};
  spec.restart.restart = TRP_TEMPORARY;
  return spec;
}

/* Spawns as many as it is told to, sends each one letter and lets it leave. */
static enum trp_err spawn_some(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  if (msg->type == TRP_THREAD_CRASHED) {
    world_say(s->w, "<crash of %s: %s>", trp_msg_thread_crashed(msg)->name,
              trp_msg_thread_crashed(msg)->reason);
    return TRP_OK;
  }
  if (msg->type != SPAWN && msg->type != STAY) return TRP_OK;
  struct trp_spec spec = child_spec(s->w);
  for (uint64_t i = 0; i < word_of(msg); i++) {
    struct trp_ref ref;
    enum trp_err err = trp_spawn(self, &spec, &ref);
    if (err == TRP_STOPPED) return TRP_OK; /* all stop */
    if (err != TRP_OK) return err;
    err = trp_send(self, ref, WORD, NULL, 0);
    if (err == TRP_OK && msg->type == SPAWN) err = trp_send(self, ref, LEAVE, NULL, 0);
    if (err == TRP_DEAD) return TRP_OK; /* all stop: it has closed already */
    if (err != TRP_OK) return err;
    s->w->ref[0] = ref;
  }
  return TRP_OK;
}

static const struct trp_kind parent = {.name = "parent",
                                       .never_pooled = true,
                                       .state_bytes = sizeof(struct state),
                                       .start = start,
                                       .receive = spawn_some};

static void open(struct world *w, void **state) {
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "parent", .kind = &parent});
  world_start(w);
}

static void tell(struct world *w, struct trp_ref to, uint16_t type, uint64_t number) {
  assert_int_equal(trp_system_send(w->system, to, type, &number, sizeof number), TRP_OK);
}

static void await(struct world *w, int which, uint64_t number) {
  for (int ms = 0; ms < 5000 && w->number[which] < number; ms++) world_pass(w, 1);
  assert_int_equal(w->number[which], number);
}

static void what_is_spawned_hears_what_it_is_sent_at_once(void **state) {
  static struct world w;
  open(&w, state);
  struct trp_spec spec = child_spec(&w);
  struct trp_ref ref;
  assert_int_equal(trp_system_spawn(w.system, &spec, &ref), TRP_OK);
  tell(&w, ref, WORD, 1);
  await(&w, 0, 1);
  const struct trp_report *report = world_stop(&w);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_int_equal(w.number[2], 1);
  assert_string_equal(world_verdict(report, "1 spawned")->verdict, "clean");
  world_close(&w);
}

static void slots_of_those_that_left_serve_the_next(void **state) {
  enum { EACH = 200, ROUNDS = 5 };
  static struct world w;
  open(&w, state);
  for (uint64_t round = 1; round <= ROUNDS; round++) {
    tell(&w, world_find(&w, "parent"), SPAWN, EACH);
    await(&w, 2, round * EACH);
    world_pass(&w, 5); /* the slot is free a little after its actor's end */
  }
  assert_int_equal(w.number[1], 1 + EACH * ROUNDS);
  assert_true(trp_system_actor_count(w.system) < 1 + EACH * ROUNDS);
  const struct trp_report *report = world_stop(&w);
  assert_int_equal(report->ledger.handled, (2 * EACH + 1) * ROUNDS);
  world_close(&w);
}

static void mail_to_one_that_left_is_refused_although_its_slot_is_used_again(void **state) {
  static struct world w;
  open(&w, state);
  struct trp_spec spec = child_spec(&w);
  struct trp_ref old, young;
  assert_int_equal(trp_system_spawn(w.system, &spec, &old), TRP_OK);
  tell(&w, old, LEAVE, 0);
  await(&w, 2, 1);
  for (int ms = 0; ms < 5000; ms++) {
    world_pass(&w, 1);
    assert_int_equal(trp_system_spawn(w.system, &spec, &young), TRP_OK);
    if (young.bits >> 40 == old.bits >> 40) break;
  }
  assert_int_equal(young.bits >> 40, old.bits >> 40);
  assert_true(young.bits != old.bits);
  assert_int_equal(trp_system_send(w.system, old, WORD, NULL, 0), TRP_DEAD);
  tell(&w, young, WORD, 0);
  await(&w, 0, 2);
  world_stop(&w);
  world_close(&w);
}

static void a_crash_of_a_spawned_one_is_told_its_supervisor(void **state) {
  static struct world w;
  open(&w, state);
  tell(&w, world_find(&w, "parent"), STAY, 1);
  await(&w, 0, 1);
  tell(&w, w.ref[0], CRASH, 0);
  world_await(&w, "<crash of spawned-1: told to>");
  tell(&w, world_find(&w, "parent"), SPAWN, 3); /* and the parent lives on */
  await(&w, 0, 1 + 2 * 3);
  world_stop(&w);
  world_close(&w);
}

static void a_name_keeps_its_slot_and_is_free_again_after_its_actors_end(void **state) {
  static struct world w;
  open(&w, state);
  struct trp_spec spec = child_spec(&w);
  spec.name = "job";
  struct trp_ref first, again;
  assert_int_equal(trp_system_spawn(w.system, &spec, &first), TRP_OK);
  assert_int_equal(trp_system_spawn(w.system, &spec, &again), TRP_EXISTS);
  assert_true(trp_ref_equal(world_find(&w, "job"), first));
  tell(&w, first, LEAVE, 0);
  await(&w, 2, 1);
  enum trp_err err = TRP_EXISTS;
  for (int ms = 0; ms < 5000 && err == TRP_EXISTS; ms++) {
    world_pass(&w, 1);
    err = trp_system_spawn(w.system, &spec, &again);
  }
  assert_int_equal(err, TRP_OK);
  assert_int_equal(again.bits >> 40, first.bits >> 40);
  world_stop(&w);
  world_close(&w);
}

static void what_cannot_be_spawned_is_refused(void **state) {
  static struct world w;
  world_open(&w, state);
  struct trp_spec spec = child_spec(&w);
  assert_int_equal(trp_system_spawn(w.system, &spec, NULL), TRP_NO_ACTOR);
  world_add(&w, &(struct trp_spec){.name = "parent", .kind = &parent});
  assert_int_equal(trp_system_spawn(w.system, &spec, NULL), TRP_WRONG_STATE);
  world_start(&w);
  struct trp_spec wrong = spec;
  wrong.restart.restart = TRP_PERMANENT;
  assert_int_equal(trp_system_spawn(w.system, &wrong, NULL), TRP_INVALID);
  wrong = spec;
  wrong.placement = TRP_THREAD;
  assert_int_equal(trp_system_spawn(w.system, &wrong, NULL), TRP_INVALID);
  wrong = spec;
  wrong.mailbox.policy = TRP_DROP_OLDEST;
  assert_int_equal(trp_system_spawn(w.system, &wrong, NULL), TRP_INVALID);
  wrong = spec;
  wrong.supervisor = "nobody";
  assert_int_equal(trp_system_spawn(w.system, &wrong, NULL), TRP_NO_ACTOR);
  wrong = spec;
  wrong.name = "Not A Name";
  assert_int_equal(trp_system_spawn(w.system, &wrong, NULL), TRP_INVALID);
  world_stop(&w);
  assert_int_equal(trp_system_spawn(w.system, &spec, NULL), TRP_STOPPED);
  world_close(&w);
}

static void a_stop_amid_spawning_accounts_for_everybody(void **state) {
  static struct world w;
  for (int round = 0; round < 20; round++) {
    open(&w, state);
    tell(&w, world_find(&w, "parent"), STAY, 500);
    world_pass(&w, (uint64_t)round % 3);
    const struct trp_report *report = world_stop(&w);
    assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
    assert_true(w.number[2] >= w.number[1] - 1); /* the parent has no end of its own */
    world_close(&w);
  }
}

static void the_bound_of_actors_holds_for_spawned_ones_too(void **state) {
  static struct world w;
  world_open_with(&w, state, &(struct trp_system_options){.budget_ms = 5000, .actors_max = 4});
  world_add(&w, &(struct trp_spec){.name = "parent", .kind = &parent});
  world_start(&w);
  struct trp_spec spec = child_spec(&w);
  for (int i = 0; i < 3; i++) assert_int_equal(trp_system_spawn(w.system, &spec, NULL), TRP_OK);
  assert_int_equal(trp_system_spawn(w.system, &spec, NULL), TRP_LIMIT);
  world_stop(&w);
  world_close(&w);
}

enum { EARLY = 16 };

/* The first half leaves in its start, the second fails in it. */
static enum trp_err early_start(struct trp_self *self, void *state, const void *args) {
  enum trp_err err = start(self, state, args);
  trp_exit(self);
  return ((struct state *)state)->w->number[1] > EARLY / 2 ? TRP_INJECTED : err;
}

static const struct trp_kind early = {.name = "early",
                                      .state_bytes = sizeof(struct state),
                                      .start = early_start,
                                      .receive = live,
                                      .end = end};

static enum trp_err spawn_at_start(struct trp_self *self, void *state, const void *args) {
  memcpy(state, &args, sizeof args);
  struct trp_spec spec = child_spec(((struct state *)state)->w);
  spec.kind = &early;
  enum trp_err err = TRP_OK;
  for (int i = 0; i < EARLY && err == TRP_OK; i++) err = trp_spawn(self, &spec, NULL);
  return err;
}

static const struct trp_kind early_parent = {.name = "early_parent",
                                             .never_pooled = true,
                                             .state_bytes = sizeof(struct state),
                                             .start = spawn_at_start,
                                             .receive = spawn_some};

/* Its start takes as long as the spawned ones live, where there is more than one thread. */
static enum trp_err slow_start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  const struct world *w = args;
  memcpy(state, &args, sizeof args);
  for (int ms = 0; ms < 2000 && w->sched == TRP_SCHED_THREADS && w->number[2] < EARLY; ms++) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return TRP_OK;
}

static const struct trp_kind slow = {
    .name = "slow", .state_bytes = sizeof(struct state), .start = slow_start, .receive = live};

static void those_spawned_while_the_system_starts_begin_and_end_once(void **state) {
  static const char *const names[] = {"slow0", "slow1", "slow2", "slow3"};
  struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "parent", .kind = &early_parent});
  for (int i = 0; i < 4; i++) {
    world_add(&w, &(struct trp_spec){.name = names[i], .kind = &slow, .supervisor = "parent"});
  }
  world_start(&w); /* the failed start of a spawned one is a crash, told, and no failure of all */
  await(&w, 2, EARLY);
  assert_int_equal(w.number[1], EARLY);
  tell(&w, world_find(&w, "parent"), SPAWN, EARLY);
  await(&w, 0, 2 * EARLY);
  const struct trp_report *report = world_stop(&w);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_int_equal(world_count(&w, "<crash of "), EARLY / 2);
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_spawned_hears_what_it_is_sent_at_once),
    cmocka_unit_test(slots_of_those_that_left_serve_the_next),
    cmocka_unit_test(mail_to_one_that_left_is_refused_although_its_slot_is_used_again),
    cmocka_unit_test(a_crash_of_a_spawned_one_is_told_its_supervisor),
    cmocka_unit_test(a_name_keeps_its_slot_and_is_free_again_after_its_actors_end),
    cmocka_unit_test(what_cannot_be_spawned_is_refused),
    cmocka_unit_test(a_stop_amid_spawning_accounts_for_everybody),
    cmocka_unit_test(the_bound_of_actors_holds_for_spawned_ones_too),
    cmocka_unit_test(those_spawned_while_the_system_starts_begin_and_end_once),
};
SUITE(suite_spawning, "spawning", tests);
