#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "adapters/depth_book.h"

#define SIDE_MAX 5000

static struct trp_depth_book book;

static int make(void **state) {
  (void)state;
  trp_depth_book_init(&book, TRP_DEPTH_OVERLAPS, 0);
  return 0;
}

static int drop(void **state) {
  (void)state;
  trp_depth_book_fini(&book);
  return 0;
}

/* A diff that puts one bid at the price of its final id. */
static enum trp_depth_step diff(uint64_t first_id, uint64_t final_id) {
  const struct trp_level level = {.price = (double)final_id, .size = 1, .side = TRP_SIDE_BID};
  return trp_depth_book_diff(
      &book, &(struct trp_wire_depth){
                 .first_id = first_id, .final_id = final_id, .levels = &level, .count = 1});
}

static enum trp_err snapshot(uint64_t id) {
  return trp_depth_book_snapshot(&book, &(struct trp_wire_depth){.first_id = id, .final_id = id});
}

static void kept_diffs_are_replayed_from_the_one_that_straddles(void **state) {
  (void)state;
  struct trp_wire_depth out;
  assert_int_equal(diff(10, 12), TRP_STEP_KEPT);
  assert_int_equal(diff(13, 15), TRP_STEP_KEPT);
  assert_int_equal(diff(16, 18), TRP_STEP_KEPT);
  assert_int_equal(snapshot(14), TRP_OK);
  assert_true(trp_depth_book_replay(&book, &out));
  assert_int_equal(out.first_id, 13);
  assert_true(trp_depth_book_replay(&book, &out));
  assert_false(trp_depth_book_replay(&book, &out));
  assert_int_equal(book.id, 18);
  assert_int_equal(book.ladder.bids.count, 2);
  assert_null(book.events); /* what was kept is returned */
  assert_int_equal(diff(17, 18), TRP_STEP_OLD);
  assert_int_equal(diff(19, 19), TRP_STEP_APPLIED);
}

static void a_snapshot_older_than_the_first_kept_diff_is_of_no_use(void **state) {
  (void)state;
  assert_int_equal(diff(10, 12), TRP_STEP_KEPT);
  assert_int_equal(snapshot(8), TRP_GAP);
  assert_false(book.synced);
  assert_int_equal(snapshot(9), TRP_OK); /* 10 follows 9 */
}

static void a_snapshot_before_any_diff_waits_for_the_one_that_follows(void **state) {
  (void)state;
  struct trp_wire_depth out;
  assert_int_equal(snapshot(20), TRP_OK);
  assert_false(trp_depth_book_replay(&book, &out));
  assert_int_equal(diff(15, 20), TRP_STEP_OLD);
  assert_int_equal(diff(18, 23), TRP_STEP_APPLIED);
}

static void a_gap_drops_the_book_and_begins_with_the_diff_that_showed_it(void **state) {
  (void)state;
  struct trp_wire_depth out;
  assert_int_equal(snapshot(20), TRP_OK);
  assert_int_equal(diff(21, 22), TRP_STEP_APPLIED);
  assert_int_equal(diff(24, 25), TRP_STEP_GAP);
  assert_int_equal(book.expected, 23);
  assert_int_equal(book.ladder.bids.count, 0);
  assert_int_equal(diff(26, 26), TRP_STEP_KEPT);
  assert_int_equal(snapshot(22), TRP_GAP);
  assert_int_equal(snapshot(23), TRP_OK);
  while (trp_depth_book_replay(&book, &out)) continue;
  assert_int_equal(book.id, 26);
}

static void a_gap_among_kept_diffs_is_one_too(void **state) {
  (void)state;
  assert_int_equal(diff(10, 12), TRP_STEP_KEPT);
  assert_int_equal(diff(12, 12), TRP_STEP_OLD);
  assert_int_equal(diff(14, 15), TRP_STEP_GAP);
  assert_int_equal(book.expected, 13);
  assert_int_equal(book.kept, 1);
}

static void what_is_kept_is_bounded_and_the_newest_stays(void **state) {
  (void)state;
  struct trp_wire_depth out;
  for (uint64_t id = 1; id <= 5000; id++) assert_int_equal(diff(id, id), TRP_STEP_KEPT);
  assert_in_range(book.kept, 1, TRP_DEPTH_KEPT_EVENTS);
  assert_int_equal(snapshot(100), TRP_GAP);
  assert_int_equal(snapshot(4990), TRP_OK);
  uint32_t replayed = 0;
  while (trp_depth_book_replay(&book, &out)) {
    assert_true(out.levels[0].price == (double)out.final_id);
    replayed++;
  }
  assert_int_equal(replayed, 10);
}

static void diffs_of_many_levels_are_bounded_too(void **state) {
  (void)state;
  static struct trp_level levels[2 * SIDE_MAX];
  for (uint64_t id = 1; id <= 50; id++) {
    const struct trp_wire_depth wide = {
        .first_id = id, .final_id = id, .levels = levels, .count = 2 * SIDE_MAX};
    assert_int_equal(trp_depth_book_diff(&book, &wide), TRP_STEP_KEPT);
    assert_true(book.level_count <= TRP_DEPTH_KEPT_LEVELS);
  }
}

static void chained_diffs_may_overlap_the_snapshot_alone(void **state) {
  (void)state;
  book.rule = TRP_DEPTH_CHAINED;
  assert_int_equal(snapshot(20), TRP_OK);
  assert_int_equal(diff(15, 20), TRP_STEP_OLD);
  assert_int_equal(diff(18, 23), TRP_STEP_APPLIED);
  assert_int_equal(diff(24, 25), TRP_STEP_APPLIED);
  assert_int_equal(diff(25, 26), TRP_STEP_GAP);
  assert_int_equal(book.expected, 26);
  assert_int_equal(diff(26, 27), TRP_STEP_GAP); /* among those kept too */
  assert_int_equal(diff(28, 28), TRP_STEP_KEPT);
  assert_int_equal(snapshot(24), TRP_GAP);
  assert_int_equal(snapshot(26), TRP_OK);
}

static void exact_diffs_may_overlap_nothing(void **state) {
  (void)state;
  book.rule = TRP_DEPTH_EXACT;
  assert_int_equal(snapshot(20), TRP_OK);
  assert_int_equal(diff(21, 23), TRP_STEP_APPLIED);
  trp_depth_book_reset(&book);
  assert_int_equal(snapshot(20), TRP_OK);
  assert_int_equal(diff(19, 23), TRP_STEP_GAP);
  assert_int_equal(book.expected, 21);
  assert_int_equal(book.kept, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(kept_diffs_are_replayed_from_the_one_that_straddles, make,
                                      drop),
      cmocka_unit_test_setup_teardown(a_snapshot_older_than_the_first_kept_diff_is_of_no_use, make,
                                      drop),
      cmocka_unit_test_setup_teardown(a_snapshot_before_any_diff_waits_for_the_one_that_follows,
                                      make, drop),
      cmocka_unit_test_setup_teardown(a_gap_drops_the_book_and_begins_with_the_diff_that_showed_it,
                                      make, drop),
      cmocka_unit_test_setup_teardown(a_gap_among_kept_diffs_is_one_too, make, drop),
      cmocka_unit_test_setup_teardown(what_is_kept_is_bounded_and_the_newest_stays, make, drop),
      cmocka_unit_test_setup_teardown(diffs_of_many_levels_are_bounded_too, make, drop),
      cmocka_unit_test_setup_teardown(chained_diffs_may_overlap_the_snapshot_alone, make, drop),
      cmocka_unit_test_setup_teardown(exact_diffs_may_overlap_nothing, make, drop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
