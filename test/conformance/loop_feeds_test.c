/* loop_feeds_test.c - feeds that share two loops, on real sockets against the embedded exchange:
 * they connect, stream and stop with nothing left, and what becomes of one is no business of the
 * others. A thousand of them are test/soak/loop_feeds_test.c's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "runtime/thread.h"
#include "test/support/fleet.h"

enum { FEEDS = 40, LOOPS = 2, QUOTES_PER_S = 20, PATIENCE_MS = 20000 };

static void begin(void) {
  fleet_begin(&(struct fleet_options){.feeds = FEEDS,
                                      .loops = LOOPS,
                                      .quotes_per_s = QUOTES_PER_S,
                                      .budget_ms = 5000,
                                      .allow_faults = true});
  assert_int_equal(fleet_until_live(PATIENCE_MS), FEEDS);
}

/* `connections`: so many had the exchange, all told. */
static void end(uint64_t connections) {
  struct fleet_stop stop = fleet_end();
  assert_string_equal(stop.trouble, "");
  assert_true(stop.balanced);
  assert_true(fleet_left_nothing(&stop));
  assert_int_equal(fleet_exchange()->accepted, connections);
}

static unsigned io_threads(void) {
  struct trp_thread_info info;
  unsigned n = 0;
  for (size_t i = 0; trp_thread_at(i, &info); i++) n += strcmp(info.role, "io") == 0;
  return n;
}

/* Until so many events more have been handled. */
static void await_events(uint64_t more) {
  uint64_t wanted = fleet_events() + more;
  for (int ms = 0; ms < PATIENCE_MS && fleet_events() < wanted; ms++) fleet_nap_ms(1);
  assert_true(fleet_events() >= wanted);
}

static void feeds_on_shared_loops_connect_stream_and_leave_nothing(void **state) {
  (void)state;
  begin();
  assert_int_equal(io_threads(), LOOPS);
  await_events(10 * FEEDS);
  end(FEEDS);
  assert_int_equal(io_threads(), 0);
}

static uint64_t restarts(const char *name) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(fleet_system(), i, &info); i++) {
    if (strcmp(info.name, name) == 0) return info.restarts;
  }
  return 0;
}

/* Every feed but the first has the connection that it began with. */
static void assert_others_untouched(void) {
  for (uint32_t i = 1; i < FEEDS; i++) assert_int_equal(fleet_reconnects(i), 0);
}

static void a_crash_of_one_leaves_the_others_connections_alone(void **state) {
  (void)state;
  begin();
  for (unsigned i = 1; i <= 3; i++) {
    assert_int_equal(fleet_fault(fleet_feed(0), "panic"), TRP_OK);
    for (int ms = 0; ms < PATIENCE_MS && restarts(fleet_feed(0)) < i; ms++) fleet_nap_ms(1);
    assert_int_equal(fleet_until_live(PATIENCE_MS), FEEDS);
  }
  assert_others_untouched();
  await_events(2 * FEEDS);
  end(FEEDS + 3); /* it alone came anew */
}

static void one_that_disconnects_and_connects_leaves_the_others_alone(void **state) {
  (void)state;
  begin();
  for (int i = 0; i < 3; i++) {
    assert_int_equal(fleet_command(fleet_feed(0), "disconnect", PATIENCE_MS), TRP_OK);
    await_events(FEEDS);
    assert_int_equal(fleet_command(fleet_feed(0), "connect", PATIENCE_MS), TRP_OK);
    assert_int_equal(fleet_until_live(PATIENCE_MS), FEEDS);
  }
  assert_others_untouched();
  end(FEEDS + 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(feeds_on_shared_loops_connect_stream_and_leave_nothing),
      cmocka_unit_test(a_crash_of_one_leaves_the_others_connections_alone),
      cmocka_unit_test(one_that_disconnects_and_connects_leaves_the_others_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
