/* outbox_test.c - parcels kept for full receivers: order, bound, who is listed where, and what is
 * counted when they are dropped. The actors here are blocks that nobody runs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/actor.h"
#include "runtime/blob.h"
#include "runtime/system.h"

enum { SENDER, NEAR, FAR, COUNT };

struct world {
  struct trp_system *system;
  struct trp_actor *actor[COUNT];
};

static enum trp_err ignore(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

static const struct trp_kind kind = {.name = "idle", .receive = ignore};

static int open_world(void **state) {
  static struct world w;
  static const char *const names[] = {"sender", "near", "far"};
  struct trp_system_options options = {.name = "outbox", .sched = TRP_SCHED_SIM, .log_fd = -1};
  assert_int_equal(trp_system_new(&w.system, &options), TRP_OK);
  for (int i = 0; i < COUNT; i++) {
    struct trp_spec spec = {.name = names[i],
                            .kind = &kind,
                            .mailbox = {.capacity = 2, .policy = TRP_WAIT},
                            .outbox_max = 4};
    assert_int_equal(trp_system_add(w.system, &spec), TRP_OK);
    w.actor[i] = trp_slots_at(&w.system->slots, (uint32_t)i);
    w.actor[i]->mailbox.ops->open(&w.actor[i]->mailbox, 1);
  }
  *state = &w;
  return 0;
}

static int close_world(void **state) {
  struct world *w = *state;
  trp_outbox_drop(w->actor[SENDER], TRP_REFUSED_STOPPED);
  for (int i = 0; i < COUNT; i++) {
    w->actor[i]->mailbox.ops->close(&w->actor[i]->mailbox);
    trp_mail_bury(w->actor[i], TRP_LOST_EXIT);
  }
  trp_system_destroy(&w->system);
  assert_int_equal(trp_blob_live(), 0);
  return 0;
}

static enum trp_err keep(struct world *w, int to, uint64_t number) {
  char large[100] = "";
  struct trp_letter letter;
  memcpy(large, &number, sizeof number);
  assert_int_equal(trp_letter_fill(&letter, TRP_USER_FIRST, large, sizeof large), TRP_OK);
  letter.from = 0;
  enum trp_err err = trp_outbox_keep(w->actor[SENDER], trp_actor_ref(w->actor[to], 1), &letter);
  if (err != TRP_OK) trp_blob_release(letter.body.blob);
  return err;
}

/* Takes the oldest mail out, as a turn would; 0 where there is none. */
static uint64_t take(struct world *w, int from) {
  struct trp_actor *a = w->actor[from];
  const struct trp_letter *letter = a->mailbox.ops->peek(&a->mailbox);
  if (letter == NULL) return 0;
  uint64_t number;
  memcpy(&number, letter->body.blob->body, sizeof number);
  trp_blob_release(letter->body.blob);
  a->mailbox.ops->pop(&a->mailbox);
  trp_count(&a->handled, 1);
  return number;
}

static uint32_t signals(struct world *w) { return atomic_exchange(&w->actor[SENDER]->signals, 0); }

static void parcels_go_in_order_as_far_as_there_is_room(void **state) {
  struct world *w = *state;
  for (uint64_t i = 1; i <= 4; i++) assert_int_equal(keep(w, NEAR, i), TRP_OK);
  assert_true(trp_outbox_holds_for(w->actor[SENDER], trp_actor_ref(w->actor[NEAR], 1)));
  assert_false(trp_outbox_holds_for(w->actor[SENDER], trp_actor_ref(w->actor[FAR], 1)));
  assert_false(trp_outbox_flush(w->actor[SENDER]));
  assert_int_equal(w->actor[SENDER]->self.outbox.count, 2);
  assert_int_equal(take(w, NEAR), 1);
  assert_false(trp_outbox_flush(w->actor[SENDER]));
  assert_int_equal(take(w, NEAR), 2);
  assert_true(trp_outbox_flush(w->actor[SENDER]));
  assert_int_equal(take(w, NEAR), 3);
  assert_int_equal(take(w, NEAR), 4);
  assert_int_equal(take(w, NEAR), 0);
}

static void a_full_receiver_does_not_hold_up_mail_to_another(void **state) {
  struct world *w = *state;
  assert_int_equal(keep(w, NEAR, 1), TRP_OK);
  assert_int_equal(keep(w, NEAR, 2), TRP_OK);
  assert_int_equal(keep(w, NEAR, 3), TRP_OK);
  assert_int_equal(keep(w, FAR, 4), TRP_OK);
  assert_false(trp_outbox_flush(w->actor[SENDER]));
  assert_int_equal(take(w, FAR), 4);
  assert_int_equal(w->actor[SENDER]->self.outbox.count, 1);
  assert_non_null(w->actor[NEAR]->waiters);
  assert_null(w->actor[FAR]->waiters);
}

static void room_is_told_to_who_waits_once(void **state) {
  struct world *w = *state;
  for (uint64_t i = 1; i <= 4; i++) assert_int_equal(keep(w, NEAR, i), TRP_OK);
  assert_false(trp_outbox_flush(w->actor[SENDER]));
  (void)signals(w);
  trp_outbox_made_room(w->actor[FAR]);
  assert_int_equal(signals(w), 0);
  trp_outbox_made_room(w->actor[NEAR]);
  assert_int_equal(signals(w), TRP_SIGNAL_ROOM);
  assert_null(w->actor[NEAR]->waiters);
  trp_outbox_made_room(w->actor[NEAR]);
  assert_int_equal(signals(w), 0);
}

static void the_bound_holds_and_is_free_again_after_the_flush(void **state) {
  struct world *w = *state;
  for (uint64_t i = 1; i <= 4; i++) assert_int_equal(keep(w, i % 2 ? NEAR : FAR, i), TRP_OK);
  assert_int_equal(keep(w, NEAR, 5), TRP_OUTBOX_FULL);
  assert_true(trp_outbox_flush(w->actor[SENDER]));
  assert_int_equal(keep(w, NEAR, 5), TRP_OK);
}

static void a_dead_receiver_frees_its_parcels_and_counts_them(void **state) {
  struct world *w = *state;
  for (uint64_t i = 1; i <= 4; i++) assert_int_equal(keep(w, NEAR, i), TRP_OK);
  assert_false(trp_outbox_flush(w->actor[SENDER]));
  w->actor[NEAR]->mailbox.ops->close(&w->actor[NEAR]->mailbox);
  assert_true(trp_outbox_flush(w->actor[SENDER]));
  assert_int_equal(atomic_load(&w->actor[NEAR]->refused[TRP_REFUSED_DEAD]), 2);
}

static void what_is_dropped_is_counted_and_unlisted(void **state) {
  struct world *w = *state;
  for (uint64_t i = 1; i <= 4; i++) assert_int_equal(keep(w, NEAR, i), TRP_OK);
  assert_false(trp_outbox_flush(w->actor[SENDER]));
  trp_outbox_drop(w->actor[SENDER], TRP_REFUSED_STOPPED);
  assert_int_equal(atomic_load(&w->actor[NEAR]->refused[TRP_REFUSED_STOPPED]), 2);
  assert_null(w->actor[NEAR]->waiters);
  assert_int_equal(w->actor[SENDER]->self.outbox.count, 0);
  assert_int_equal(keep(w, NEAR, 5), TRP_OK); /* and can be used anew */
}

/* A receiver that is full when two letters and then one are tried, twice over, and has room then.
 */
static unsigned looks;

static enum trp_err put_late(struct trp_mailbox *mailbox, uint64_t incarnation, bool outside,
                             const struct trp_letter *letters, uint32_t count,
                             struct trp_put *result) {
  if (++looks <= 4) return TRP_FULL;
  return trp_mailbox_ring_ops.put(mailbox, incarnation, outside, letters, count, result);
}

static void room_that_comes_in_the_middle_of_a_flush_does_not_change_the_order(void **state) {
  struct world *w = *state;
  struct trp_mailbox_ops ops = trp_mailbox_ring_ops;
  ops.put = put_late;
  looks = 0;
  w->actor[NEAR]->mailbox.ops = &ops;
  assert_int_equal(keep(w, NEAR, 1), TRP_OK);
  assert_int_equal(keep(w, NEAR, 2), TRP_OK);
  assert_false(trp_outbox_flush(w->actor[SENDER]));
  assert_true(trp_outbox_flush(w->actor[SENDER]));
  assert_int_equal(take(w, NEAR), 1);
  assert_int_equal(take(w, NEAR), 2);
  w->actor[NEAR]->mailbox.ops = &trp_mailbox_ring_ops;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
  static const struct CMUnitTest tests[] = {
      TEST(parcels_go_in_order_as_far_as_there_is_room),
      TEST(a_full_receiver_does_not_hold_up_mail_to_another),
      TEST(room_that_comes_in_the_middle_of_a_flush_does_not_change_the_order),
      TEST(room_is_told_to_who_waits_once),
      TEST(the_bound_holds_and_is_free_again_after_the_flush),
      TEST(a_dead_receiver_frees_its_parcels_and_counts_them),
      TEST(what_is_dropped_is_counted_and_unlisted),
  };
  return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
