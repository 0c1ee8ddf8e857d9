/* system_suite_waiting.c - waiting for room: the outbox of an actor, and senders from outside. */
#include <stdio.h>
#include <string.h>

#include "test/conformance/system_suite.h"

struct state {
  struct world *w;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  return TRP_OK;
}

static enum trp_err tell_number(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  world_say(s->w, "<%s %llu>", trp_self_name(self), (unsigned long long)word_of(msg));
  return TRP_OK;
}

/* Sends as many numbers as it is told, from 1; a 0 it only notes. Its timer is control. */
static enum trp_err send_numbers(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  if (msg->type == TRP_TIMER) {
    world_say(s->w, "<timer>");
    return TRP_OK;
  }
  world_say(s->w, "<%s %llu>", trp_self_name(self), (unsigned long long)word_of(msg));
  for (uint64_t i = 1; i <= word_of(msg); i++) {
    enum trp_err err = trp_send(self, s->w->ref[0], WORD, &i, sizeof i);
    if (err != TRP_OK) world_say(s->w, "<%s>", trp_err_name(err));
  }
  if (word_of(msg) > 0) return trp_timer_start(self, MS, 0, 0, NULL);
  return TRP_OK;
}

static const struct trp_kind consumer = {.name = "consumer",
                                         .state_bytes = sizeof(struct state),
                                         .start = start,
                                         .receive = tell_number,
                                         .ready = world_ready};
static const struct trp_kind producer = {.name = "producer",
                                         .state_bytes = sizeof(struct state),
                                         .start = start,
                                         .receive = send_numbers};

static void open_pair(struct world *w, void **state, uint32_t outbox_max) {
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "to",
                                  .kind = &consumer,
                                  .mailbox = {.capacity = 4, .policy = TRP_WAIT},
                                  .budget_ms = 2000});
  world_add(w, &(struct trp_spec){
                   .name = "from", .kind = &producer, .outbox_max = outbox_max, .budget_ms = 400});
  assert_int_equal(trp_system_edge(w->system, "from", "to"), TRP_OK);
  world_start(w);
  w->ref[0] = world_find(w, "to");
  world_freeze(w, "to");
}

static void a_blocked_sender_takes_no_data_turn_but_control_runs(void **state) {
  static struct world w;
  open_pair(&w, state, 16);
  world_tell(&w, "from", 10);
  world_tell(&w, "from", 0);
  world_await(&w, "<timer>");
  world_pass(&w, 20);
  assert_false(world_said(&w, "<from 0>"));
  assert_false(world_said(&w, "<to"));
  world_thaw(&w, "to");
  world_await(&w, "<from 0>");
  world_await(&w, "<to 10>");
  assert_non_null(strstr(w.diary, "<to 4>"));
  for (unsigned i = 1; i < 10; i++) {
    char earlier[16], later[16];
    snprintf(earlier, sizeof earlier, "<to %u>", i);
    snprintf(later, sizeof later, "<to %u>", i + 1);
    assert_true(world_place(&w, earlier) < world_place(&w, later));
  }
  struct trp_ledger l = world_verdict(world_stop(&w), "to")->ledger;
  assert_int_equal(l.offered, 10);
  assert_int_equal(l.handled, 10);
  world_close(&w);
}

static void an_outbox_has_a_bound(void **state) {
  static struct world w;
  open_pair(&w, state, 3);
  world_tell(&w, "from", 10); /* 4 go in, 3 wait, 3 are refused */
  world_await(&w, "<timer>");
  assert_int_equal(world_count(&w, "<OUTBOX_FULL>"), 3);
  world_thaw(&w, "to");
  world_await(&w, "<to 7>");
  struct trp_ledger l = world_verdict(world_stop(&w), "to")->ledger;
  assert_int_equal(l.refused[TRP_REFUSED_OUTBOX], 3);
  assert_int_equal(l.handled, 7);
  world_close(&w);
}

static void what_still_waits_at_the_deadline_is_dropped_and_counted(void **state) {
  static struct world w;
  open_pair(&w, state, 16);
  world_tell(&w, "from", 10);
  world_await(&w, "<timer>");
  trp_system_stop(w.system, "while one waits");
  world_await_state(&w, "from", TRP_ACTOR_GONE); /* at its soft deadline */
  world_thaw(&w, "to");
  assert_int_equal(trp_system_wait(w.system, 5 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(w.system);
  assert_true(report->balanced);
  struct trp_ledger l = world_verdict(report, "to")->ledger;
  assert_int_equal(l.offered, 10);
  assert_int_equal(l.accepted, 4);
  assert_int_equal(l.refused[TRP_REFUSED_STOPPED], 6);
  assert_string_equal(world_verdict(report, "from")->verdict, "late");
  assert_int_equal(report->verdict, TRP_VERDICT_LATE);
  world_close(&w);
}

static enum trp_err die_at_two(struct trp_self *self, void *state, const struct trp_msg *msg) {
  if (word_of(msg) == 2) trp_panic("two is too much");
  return tell_number(self, state, msg);
}

static void the_receivers_death_frees_who_waits_for_it(void **state) {
  static const struct trp_kind mortal = {.name = "mortal",
                                         .state_bytes = sizeof(struct state),
                                         .start = start,
                                         .receive = die_at_two,
                                         .ready = world_ready};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &world_idle_kind});
  world_add(&w, &(struct trp_spec){.name = "to",
                                   .kind = &mortal,
                                   .supervisor = "root",
                                   .mailbox = {.capacity = 4, .policy = TRP_WAIT}});
  world_add(&w, &(struct trp_spec){.name = "from", .kind = &producer});
  world_start(&w);
  w.ref[0] = world_find(&w, "to");
  world_freeze(&w, "to");
  world_tell(&w, "from", 10);
  world_tell(&w, "from", 0);
  world_await(&w, "<timer>");
  assert_false(world_said(&w, "<from 0>"));
  world_thaw(&w, "to");
  world_await(&w, "<from 0>");
  struct trp_ledger l = world_verdict(world_stop(&w), "to")->ledger;
  assert_int_equal(l.handled, 1);
  assert_int_equal(l.dead[TRP_LOST_IN_HAND], 1);
  assert_int_equal(l.offered, 10);
  assert_int_equal(l.accepted + l.refused[TRP_REFUSED_DEAD], 10);
  world_close(&w);
}

static void a_sender_from_outside_may_wait_and_is_counted_once(void **state) {
  static struct world w;
  open_pair(&w, state, 16);
  uint64_t x = 0;
  for (x = 1; x <= 4; x++) {
    assert_int_equal(trp_system_send(w.system, w.ref[0], WORD, &x, sizeof x), TRP_OK);
  }
  assert_int_equal(trp_system_send(w.system, w.ref[0], WORD, &x, sizeof x), TRP_FULL);
  assert_int_equal(trp_system_send_wait(w.system, w.ref[0], WORD, &x, sizeof x, 20 * MS),
                   TRP_TIMEOUT);
  assert_int_equal(world_actor(&w, "to").ledger.refused[TRP_REFUSED_FULL], 2);
  world_thaw(&w, "to");
  assert_int_equal(trp_system_send_wait(w.system, w.ref[0], WORD, &x, sizeof x, 5 * TRP_NS_PER_S),
                   TRP_OK);
  struct trp_ledger l = world_verdict(world_stop(&w), "to")->ledger;
  assert_int_equal(l.offered, 7);
  assert_int_equal(l.handled, 5);
  assert_int_equal(trp_system_send_wait(w.system, w.ref[0], WORD, &x, sizeof x, TRP_NS_PER_S),
                   TRP_STOPPED);
  world_close(&w);
}

/* ---- under pressure ---- */

enum { ROUNDS = 500, A_ROUND = 8 };

static enum trp_err send_round(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)msg;
  struct world *w = ((struct state *)state)->w;
  for (int i = 0; i < A_ROUND; i++) {
    uint64_t next = ++w->number[0];
    if (trp_send(self, w->ref[0], WORD, &next, sizeof next) != TRP_OK) world_say(w, "<lost>");
  }
  return TRP_OK;
}

static enum trp_err expect_next(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  struct world *w = ((struct state *)state)->w;
  if (word_of(msg) != ++w->number[1]) world_say(w, "<out of order>");
  if (w->number[1] == ROUNDS * A_ROUND) world_say(w, "<all>");
  return TRP_OK;
}

static void order_is_kept_while_room_comes_and_goes(void **state) {
  static const struct trp_kind sender = {
      .name = "sender", .state_bytes = sizeof(struct state), .start = start, .receive = send_round};
  static const struct trp_kind expecter = {.name = "expecter",
                                           .state_bytes = sizeof(struct state),
                                           .start = start,
                                           .receive = expect_next};
  static struct world w;
  world_open(&w, state);
  world_add(&w,
            &(struct trp_spec){
                .name = "to", .kind = &expecter, .mailbox = {.capacity = 2, .policy = TRP_WAIT}});
  world_add(&w, &(struct trp_spec){.name = "from", .kind = &sender});
  world_start(&w);
  w.ref[0] = world_find(&w, "to");
  for (uint64_t i = 0; i < ROUNDS; i++) world_tell(&w, "from", i);
  world_await(&w, "<all>");
  assert_false(world_said(&w, "<out of order>"));
  assert_false(world_said(&w, "<lost>"));
  world_stop(&w);
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_blocked_sender_takes_no_data_turn_but_control_runs),
    cmocka_unit_test(an_outbox_has_a_bound),
    cmocka_unit_test(what_still_waits_at_the_deadline_is_dropped_and_counted),
    cmocka_unit_test(the_receivers_death_frees_who_waits_for_it),
    cmocka_unit_test(order_is_kept_while_room_comes_and_goes),
    cmocka_unit_test(a_sender_from_outside_may_wait_and_is_counted_once),
};
SUITE(suite_waiting, "waiting for room", tests);
