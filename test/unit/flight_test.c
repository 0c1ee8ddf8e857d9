/* flight_test.c - the flight recorder keeps the last events whole, whoever writes meanwhile. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/flight.h"

enum { WRITERS = 3, EACH = 20000 };

static void note(const char *actor, uint16_t type, uint64_t number) {
  struct trp_flight_event event = {.at_ns = number, .type = type, .incarnation = ~number};
  snprintf(event.system, sizeof event.system, "test");
  snprintf(event.actor, sizeof event.actor, "%s", actor);
  trp_flight_note(&event);
}

static void the_last_events_are_kept_and_the_older_ones_displaced(void **state) {
  (void)state;
  struct trp_flight_event event;
  uint64_t before = trp_flight_count();
  for (uint64_t i = 0; i < TRP_FLIGHT_EVENTS + 3; i++) note("one", TRP_DOWN, i);
  assert_int_equal(trp_flight_count(), before + TRP_FLIGHT_EVENTS + 3);
  for (uint64_t i = 0; i < 3; i++) assert_false(trp_flight_at(before + i, &event));
  for (uint64_t i = 3; i < TRP_FLIGHT_EVENTS + 3; i++) {
    assert_true(trp_flight_at(before + i, &event));
    assert_int_equal(event.at_ns, i);
    assert_int_equal(event.type, TRP_DOWN);
    assert_string_equal(event.actor, "one");
  }
  assert_false(trp_flight_at(before + TRP_FLIGHT_EVENTS + 3, &event));
}

static void *write_many(void *name) {
  for (uint64_t i = 0; i < EACH; i++) note(name, 0, i);
  return NULL;
}

static void what_is_read_beside_writers_is_one_event_and_not_two(void **state) {
  (void)state;
  static const char *const names[WRITERS] = {"first", "second", "third"};
  pthread_t threads[WRITERS];
  uint64_t until = trp_flight_count() + (uint64_t)WRITERS * EACH, read = 0;
  for (int i = 0; i < WRITERS; i++) {
    pthread_create(&threads[i], NULL, write_many, (void *)(uintptr_t)names[i]);
  }
  for (bool over = false; !over;) { /* once more after the last, where they were too fast */
    uint64_t count = trp_flight_count();
    over = count == until;
    for (uint64_t n = count > 8 ? count - 8 : 0; n < count; n++) {
      struct trp_flight_event event;
      if (!trp_flight_at(n, &event) || event.type != 0) continue;
      read++;
      assert_int_equal(event.incarnation, ~event.at_ns);
      assert_true(strcmp(event.actor, "first") == 0 || strcmp(event.actor, "second") == 0 ||
                  strcmp(event.actor, "third") == 0);
    }
  }
  for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
  assert_true(read > 0);
}

static void turns_are_named_by_message_or_by_function(void **state) {
  (void)state;
  struct trp_flight_turns turns = {0};
  for (uint64_t n = 0; n < TRP_FLIGHT_TURNS + 2; n++) trp_flight_turn(&turns, n, TRP_QUOTE);
  trp_flight_turn(&turns, TRP_FLIGHT_TURNS + 2, TRP_FLIGHT_STOP);
  assert_string_equal(trp_flight_turn_name(trp_flight_turn_at(&turns, 3)), "QUOTE");
  assert_string_equal(trp_flight_turn_name(trp_flight_turn_at(&turns, 2)), "stop()");
  assert_string_equal(trp_flight_turn_name(TRP_FLIGHT_END), "end()");
  assert_null(trp_flight_turn_name(TRP_USER_FIRST));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_last_events_are_kept_and_the_older_ones_displaced),
      cmocka_unit_test(what_is_read_beside_writers_is_one_event_and_not_two),
      cmocka_unit_test(turns_are_named_by_message_or_by_function),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
