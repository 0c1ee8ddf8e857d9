/* timer_test.c - the heap of an incarnation's timers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/timer.h"

static uint64_t add(struct trp_timers *t, uint64_t due, uint64_t period, uint64_t tag) {
  uint64_t id = 0;
  struct trp_timer_entry entry = {.due_ns = due, .period_ns = period, .tag = tag};
  assert_int_equal(trp_timers_add(t, entry, &id), TRP_OK);
  return id;
}

static uint64_t take(struct trp_timers *t, uint64_t now) {
  struct trp_timer_entry due;
  return trp_timers_take_due(t, now, &due) ? due.tag : 0;
}

static void timers_come_by_time_and_equals_by_age(void **state) {
  (void)state;
  struct trp_timers t = {0};
  uint64_t chance = 1;
  for (uint64_t i = 1; i <= 2000; i++) {
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    add(&t, (chance >> 33) % 50, 0, i);
  }
  uint64_t last_due = 0, last_id = 0;
  struct trp_timer_entry due;
  for (int n = 0; n < 2000; n++) {
    assert_true(trp_timers_take_due(&t, 50, &due));
    assert_true(due.due_ns > last_due || (due.due_ns == last_due && due.id > last_id));
    last_due = due.due_ns;
    last_id = due.id;
  }
  assert_false(trp_timers_take_due(&t, UINT64_MAX, &due));
  trp_timers_fini(&t);
}

static void nothing_comes_before_its_time(void **state) {
  (void)state;
  struct trp_timers t = {0};
  assert_true(trp_timers_next_ns(&t) == UINT64_MAX);
  add(&t, 10, 0, 1);
  assert_int_equal(trp_timers_next_ns(&t), 10);
  assert_int_equal(take(&t, 9), 0);
  assert_int_equal(take(&t, 10), 1);
  assert_int_equal(take(&t, 10), 0);
  trp_timers_fini(&t);
}

static void a_period_keeps_its_rhythm_and_makes_nothing_up(void **state) {
  (void)state;
  struct trp_timers t = {0};
  add(&t, 10, 10, 1);
  assert_int_equal(take(&t, 10), 1);
  assert_int_equal(trp_timers_next_ns(&t), 20);
  assert_int_equal(take(&t, 57), 1);
  assert_int_equal(take(&t, 57), 0);
  assert_int_equal(trp_timers_next_ns(&t), 60);
  assert_int_equal(take(&t, 60), 1);
  assert_int_equal(trp_timers_next_ns(&t), 70);
  trp_timers_fini(&t);
}

static void a_period_beyond_all_time_does_not_wrap(void **state) {
  (void)state;
  struct trp_timers t = {0};
  add(&t, 10, UINT64_MAX, 1);
  assert_int_equal(take(&t, 11), 1);
  assert_true(trp_timers_next_ns(&t) == UINT64_MAX);
  trp_timers_fini(&t);
}

static void any_of_many_may_be_cancelled(void **state) {
  (void)state;
  enum { MANY = 500 };
  struct trp_timers t = {0};
  uint64_t ids[MANY + 1];
  for (uint64_t i = 1; i <= MANY; i++) ids[i] = add(&t, (i * 7919) % 101, 0, i);
  for (uint64_t i = 1; i <= MANY; i += 2) assert_true(trp_timers_remove(&t, ids[i]));
  for (uint64_t i = 1; i <= MANY; i += 2) assert_false(trp_timers_remove(&t, ids[i]));
  assert_false(trp_timers_remove(&t, MANY + 77));
  uint64_t last = 0;
  struct trp_timer_entry due;
  for (int n = 0; n < MANY / 2; n++) {
    assert_true(trp_timers_take_due(&t, 1000, &due));
    assert_int_equal(due.tag % 2, 0);
    assert_true(due.due_ns >= last);
    last = due.due_ns;
  }
  assert_int_equal(t.count, 0);
  trp_timers_fini(&t);
}

static void the_users_go_with_the_pill_and_the_runtimes_own_stay(void **state) {
  (void)state;
  struct trp_timers t = {0};
  uint64_t id = 0;
  for (uint64_t i = 0; i < 20; i++) {
    struct trp_timer_entry ask = {.due_ns = 100 - i, .tag = i, .kind = TRP_TIMER_ASK};
    assert_int_equal(trp_timers_add(&t, ask, &id), TRP_OK);
    add(&t, i, i, i);
  }
  assert_false(trp_timers_remove(&t, id)); /* an ask's is not the user's to cancel */
  assert_int_equal(trp_timers_count(&t, TRP_TIMER_USER), 20);
  trp_timers_remove_user(&t);
  assert_int_equal(trp_timers_count(&t, TRP_TIMER_USER), 0);
  assert_int_equal(trp_timers_count(&t, TRP_TIMER_ASK), 20);
  assert_int_equal(trp_timers_next_ns(&t), 81);
  assert_true(trp_timers_remove_ask(&t, 19));
  assert_false(trp_timers_remove_ask(&t, 19));
  assert_int_equal(trp_timers_next_ns(&t), 82);
  trp_timers_fini(&t);
}

static void there_is_a_limit(void **state) {
  (void)state;
  struct trp_timers t = {0};
  for (uint64_t i = 0; i < TRP_TIMERS_MAX; i++) add(&t, i, 0, i);
  struct trp_timer_entry entry = {.due_ns = 1};
  assert_int_equal(trp_timers_add(&t, entry, NULL), TRP_LIMIT);
  trp_timers_fini(&t);
  assert_int_equal(trp_timers_add(&t, entry, NULL), TRP_OK);
  trp_timers_fini(&t);
}

static void an_id_is_never_used_again(void **state) {
  (void)state;
  struct trp_timers t = {0};
  uint64_t first = add(&t, 1, 0, 1);
  trp_timers_fini(&t); /* the end of an incarnation */
  assert_true(add(&t, 1, 0, 1) > first);
  trp_timers_fini(&t);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(timers_come_by_time_and_equals_by_age),
      cmocka_unit_test(nothing_comes_before_its_time),
      cmocka_unit_test(a_period_keeps_its_rhythm_and_makes_nothing_up),
      cmocka_unit_test(a_period_beyond_all_time_does_not_wrap),
      cmocka_unit_test(any_of_many_may_be_cancelled),
      cmocka_unit_test(the_users_go_with_the_pill_and_the_runtimes_own_stay),
      cmocka_unit_test(there_is_a_limit),
      cmocka_unit_test(an_id_is_never_used_again),
  };
  return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
