/* The embedded exchange as an actor, in virtual time over the simulated net: sessions, limits,
 * the first faults that can be ordered, a crash, and the stop that sends close frames. */
#include "test/story/trading_floor.h"

#include <string.h>

/* ---- stories ---- */

static void a_stop_says_goodbye_with_close_frames(void **state) {
  (void)state;
  floor_begin();
  assert_int_equal(1, floor_sockets());
  trp_system_stop(trading_floor.system, "test");
  assert_int_equal(TRP_OK, trp_system_wait(trading_floor.system, 5 * TRP_NS_PER_S));
  assert_int_equal(1, trading_floor.seen.closed);
  assert_int_equal(1, trading_floor.seen.proper);
  assert_int_equal(1001, trading_floor.seen.code);
  assert_int_equal(1, trading_floor.stats.closes_proper);
  assert_int_equal(0, trading_floor.stats.closes_improper);
  assert_int_equal(0, trading_floor.stats.cut);
  assert_int_equal(0, floor_sockets());
  floor_close();
}

static void a_client_that_leaves_is_accounted_for(void **state) {
  (void)state;
  floor_begin();
  floor_order("close");
  floor_run_ms(1000);
  assert_int_equal(1, trading_floor.stats.closes_proper);
  assert_int_equal(0, floor_sockets());
  struct trp_result result = floor_ask(TRP_OPERATOR, "stats");
  assert_non_null(strstr(result.text, "port=9000 sessions=0 accepted=1 closes_proper=1 "));
  assert_int_equal(TRP_INVALID, floor_ask(TRP_OPERATOR, "what").status);
  floor_close();
}

static void pings_come_every_20_seconds_and_who_is_dead_is_cut(void **state) {
  (void)state;
  floor_begin();
  floor_run_ms(41000);
  assert_int_equal(2, trading_floor.seen.pings);
  assert_int_equal(0, trading_floor.stats.limited);
  trp_simhub_half_open(trading_floor.hub, NULL);
  floor_run_ms(85000);
  assert_int_equal(1, trading_floor.stats.limited + trading_floor.stats.slow);
  assert_int_equal(0, floor_sockets());
  floor_close();
}

static void a_drop_ends_every_connection_without_a_close_frame(void **state) {
  (void)state;
  floor_begin();
  floor_fault("drop");
  floor_run_ms(500);
  assert_int_equal(1, trading_floor.seen.closed);
  assert_int_equal(0, trading_floor.seen.proper);
  assert_int_equal(1006, trading_floor.seen.code);
  assert_int_equal(1, trading_floor.stats.cut);
  floor_order("ws " FLOOR_STREAM);
  floor_run_ms(1000);
  assert_int_equal(2, trading_floor.seen.opened);
  floor_close();
}

static void silence_sends_nothing_and_still_answers_http(void **state) {
  (void)state;
  floor_begin();
  floor_fault("silence:3000");
  floor_run_ms(10);
  assert_int_equal(0, floor_frames_in(2900));
  floor_order("http /api/v3/ping");
  floor_run_ms(50);
  assert_int_equal(1, trading_floor.seen.responses);
  assert_true(floor_frames_in(1500) > 20);
  assert_int_equal(0, trading_floor.seen.closed);
  assert_int_equal(1,
                   trading_floor.seen.holes > 0); /* what was not told is missing, as it would be */
  floor_close();
}

static void a_stall_reads_and_writes_nothing_for_its_time(void **state) {
  (void)state;
  floor_begin();
  floor_fault("stall:3000");
  floor_run_ms(10);
  floor_order("http /api/v3/ping");
  assert_int_equal(0, floor_frames_in(2900));
  assert_int_equal(0, trading_floor.seen.responses);
  assert_true(floor_frames_in(1500) > 20);
  assert_int_equal(1, trading_floor.seen.responses);
  assert_int_equal(0, trading_floor.seen.closed);
  floor_close();
}

static void a_stop_does_not_wait_for_a_stall(void **state) {
  (void)state;
  floor_begin();
  floor_fault("stall:600000");
  trp_system_stop(trading_floor.system, "test");
  assert_int_equal(TRP_OK, trp_system_wait(trading_floor.system, 3 * TRP_NS_PER_S));
  assert_int_equal(1, trading_floor.stats.closes_proper);
  floor_close();
}

static void a_gap_misses_one_update(void **state) {
  (void)state;
  floor_begin();
  floor_run_ms(1000);
  assert_int_equal(0, trading_floor.seen.holes);
  floor_fault("gap");
  floor_run_ms(1000);
  assert_int_equal(1, trading_floor.seen.holes);
  floor_close();
}

static void refusing_cuts_newcomers_and_keeps_who_is_there(void **state) {
  (void)state;
  floor_begin();
  floor_fault("refuse:2000");
  floor_order("ws " FLOOR_STREAM);
  floor_order("http /api/v3/ping");
  floor_run_ms(1900);
  assert_int_equal(2, trading_floor.stats.refused);
  assert_int_equal(0, trading_floor.seen.responses);
  assert_int_equal(0, trading_floor.stats.cut);
  assert_true(floor_frames_in(1000) > 15);
  floor_order("ws " FLOOR_STREAM);
  floor_run_ms(500);
  assert_int_equal(2, trading_floor.stats.accepted);
  floor_close();
}

static void an_unknown_fault_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {
      "dance", "silence", "silence:", "silence:x", "stall:12x", "refuse:99999999999"};
  floor_begin();
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    assert_int_equal(TRP_INVALID, floor_ask(TRP_FAULT, texts[i]).status);
  }
  assert_true(floor_frames_in(1000) > 15);
  floor_close();
}

static void more_than_five_messages_a_second_end_the_connection(void **state) {
  (void)state;
  floor_begin();
  for (int second = 0; second < 3; second++) {
    for (int i = 0; i < 5; i++) {
      floor_order("say {\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}");
    }
    floor_run_ms(1100);
  }
  assert_int_equal(15, trading_floor.seen.replies);
  assert_int_equal(0, trading_floor.stats.limited);
  for (int i = 0; i < 6; i++) {
    floor_order("say {\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":1}");
  }
  floor_run_ms(1000);
  assert_int_equal(1, trading_floor.stats.limited);
  assert_int_equal(20, trading_floor.seen.replies);
  assert_int_equal(1008, trading_floor.seen.code);
  assert_int_equal(1, trading_floor.seen.proper);
  floor_close();
}

static void a_client_that_does_not_read_is_cut(void **state) {
  (void)state;
  floor_build(&(struct trp_exchange_options){.quotes_per_s = 2000});
  floor_order("ws " FLOOR_STREAM);
  floor_run_ms(200);
  floor_order("hold");
  floor_run_ms(5000);
  assert_int_equal(1, trading_floor.stats.slow);
  assert_int_equal(1, trading_floor.stats.cut);
  assert_int_equal(0, floor_sockets());
  floor_close();
}

static void a_crash_leaves_the_address_and_the_account_to_the_next(void **state) {
  (void)state;
  floor_begin();
  struct trp_fault panic = {.text = "panic"};
  struct trp_ref before = trp_system_whereis(trading_floor.system, "exchange");
  assert_int_equal(TRP_OK,
                   trp_system_send(trading_floor.system, before, TRP_FAULT, &panic, sizeof panic));
  floor_run_ms(1000);
  assert_false(trp_ref_equal(before, trp_system_whereis(trading_floor.system, "exchange")));
  assert_int_equal(1, trading_floor.seen.closed);
  assert_int_equal(0, trading_floor.seen.proper);
  assert_int_equal(0, floor_sockets());
  floor_order("ws " FLOOR_STREAM);
  floor_run_ms(1000);
  assert_int_equal(2, trading_floor.seen.opened);
  assert_int_equal(2, trading_floor.stats.accepted);
  assert_int_equal(9000, trading_floor.stats.port);
  floor_close();
}

static void one_seed_is_one_run(void **state) {
  (void)state;
  uint64_t sent[2];
  uint64_t id[2];
  for (int i = 0; i < 2; i++) {
    floor_begin();
    floor_run_ms(5000);
    sent[i] = trading_floor.stats.frames_sent;
    id[i] = trading_floor.seen.depth_id;
    floor_close();
  }
  assert_true(sent[0] > 100);
  assert_true(sent[0] == sent[1]);
  assert_true(id[0] == id[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stop_says_goodbye_with_close_frames),
      cmocka_unit_test(a_client_that_leaves_is_accounted_for),
      cmocka_unit_test(pings_come_every_20_seconds_and_who_is_dead_is_cut),
      cmocka_unit_test(a_drop_ends_every_connection_without_a_close_frame),
      cmocka_unit_test(silence_sends_nothing_and_still_answers_http),
      cmocka_unit_test(a_stall_reads_and_writes_nothing_for_its_time),
      cmocka_unit_test(a_stop_does_not_wait_for_a_stall),
      cmocka_unit_test(a_gap_misses_one_update),
      cmocka_unit_test(refusing_cuts_newcomers_and_keeps_who_is_there),
      cmocka_unit_test(an_unknown_fault_is_refused),
      cmocka_unit_test(more_than_five_messages_a_second_end_the_connection),
      cmocka_unit_test(a_client_that_does_not_read_is_cut),
      cmocka_unit_test(a_crash_leaves_the_address_and_the_account_to_the_next),
      cmocka_unit_test(one_seed_is_one_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
