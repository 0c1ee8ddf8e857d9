#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/book.h"

#define PRICES 200

static uint64_t seed = 7;

static uint64_t chance(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static enum trp_err set(struct trp_ladder *ladder, uint32_t side, double price, double size) {
  return trp_ladder_set(ladder, &(struct trp_level){.price = price, .size = size, .side = side});
}

/* The dullest book there is: a size for every price. */
struct model {
  double size[3][PRICES];
};

static void compare(const struct trp_ladder *ladder, const struct model *model) {
  static struct trp_level levels[2 * PRICES];
  size_t n = trp_ladder_copy(ladder, levels, 2 * PRICES), at = 0;
  for (int price = PRICES - 1; price >= 0; price--)
    if (model->size[1][price] > 0) {
      assert_true(levels[at].price == price && levels[at].side == 1);
      assert_true(levels[at++].size == model->size[1][price]);
    }
  assert_int_equal(ladder->bids.count, at);
  for (int price = 0; price < PRICES; price++)
    if (model->size[2][price] > 0) {
      assert_true(levels[at].price == price && levels[at].side == 2);
      assert_true(levels[at++].size == model->size[2][price]);
    }
  assert_int_equal(n, at);
}

static void any_updates_leave_what_a_dull_model_holds(void **state) {
  (void)state;
  struct trp_ladder ladder;
  struct model model = {{{0}}};
  trp_ladder_init(&ladder, 0);
  for (int i = 0; i < 20000; i++) {
    uint32_t side = 1 + (uint32_t)(chance() % 2);
    int price = (int)(chance() % PRICES);
    double size = (double)(chance() % 3);
    model.size[side][price] = size;
    assert_int_equal(set(&ladder, side, price, size), TRP_OK);
    if (i % 50 == 0) compare(&ladder, &model);
  }
  compare(&ladder, &model);
  trp_ladder_fini(&ladder);
}

static void the_best_of_an_empty_side_is_nothing(void **state) {
  (void)state;
  struct trp_ladder ladder;
  trp_ladder_init(&ladder, 0);
  assert_true(trp_ladder_best_bid(&ladder).size == 0);
  assert_int_equal(set(&ladder, TRP_SIDE_BID, 5, 0), TRP_OK);
  assert_int_equal(ladder.bids.count, 0);
  assert_false(trp_ladder_crossed(&ladder));
  trp_ladder_fini(&ladder);
}

static void a_crossed_book_is_told(void **state) {
  (void)state;
  struct trp_ladder ladder;
  trp_ladder_init(&ladder, 0);
  assert_int_equal(set(&ladder, TRP_SIDE_BID, 10, 1), TRP_OK);
  assert_int_equal(set(&ladder, TRP_SIDE_ASK, 11, 1), TRP_OK);
  assert_false(trp_ladder_crossed(&ladder));
  assert_int_equal(set(&ladder, TRP_SIDE_BID, 11, 1), TRP_OK);
  assert_true(trp_ladder_crossed(&ladder));
  trp_ladder_fini(&ladder);
}

static void at_the_bound_the_worst_level_gives_way(void **state) {
  (void)state;
  struct trp_ladder ladder;
  trp_ladder_init(&ladder, 3);
  for (int price = 1; price <= 5; price++)
    assert_int_equal(set(&ladder, TRP_SIDE_BID, price, 1), TRP_OK);
  assert_int_equal(set(&ladder, TRP_SIDE_BID, 0.5, 1), TRP_OK);
  assert_int_equal(ladder.bids.count, 3);
  assert_int_equal(ladder.clipped, 3);
  struct trp_level levels[3];
  assert_int_equal(trp_ladder_copy(&ladder, levels, 3), 3);
  assert_true(levels[0].price == 5 && levels[2].price == 3);
  assert_int_equal(trp_ladder_copy(&ladder, levels, 1), 1);
  trp_ladder_fini(&ladder);
}

static void a_snapshot_replaces_everything(void **state) {
  (void)state;
  struct trp_ladder ladder;
  const struct trp_level levels[] = {{.price = 10, .size = 1, .side = 1},
                                     {.price = 9, .size = 2, .side = 1},
                                     {.price = 11, .size = 3, .side = 2}};
  trp_ladder_init(&ladder, 0);
  assert_int_equal(set(&ladder, TRP_SIDE_ASK, 1, 1), TRP_OK);
  assert_int_equal(trp_ladder_load(&ladder, levels, 3), TRP_OK);
  assert_int_equal(ladder.bids.count, 2);
  assert_true(trp_ladder_best_bid(&ladder).price == 10);
  assert_true(trp_ladder_best_ask(&ladder).size == 3);
  trp_ladder_fini(&ladder);
}

static void levels_that_are_none_are_refused(void **state) {
  (void)state;
  struct trp_ladder ladder;
  trp_ladder_init(&ladder, 0);
  assert_int_equal(set(&ladder, 0, 1, 1), TRP_INVALID);
  assert_int_equal(set(&ladder, 3, 1, 1), TRP_INVALID);
  assert_int_equal(set(&ladder, TRP_SIDE_BID, -1, 1), TRP_INVALID);
  assert_int_equal(set(&ladder, TRP_SIDE_BID, 1, -1), TRP_INVALID);
  assert_int_equal(set(&ladder, TRP_SIDE_BID, NAN, 1), TRP_INVALID);
  assert_int_equal(set(&ladder, TRP_SIDE_BID, 1, INFINITY), TRP_INVALID);
  const struct trp_level bad[] = {{.price = 1, .size = 1, .side = 1}, {.side = 9}};
  assert_int_equal(trp_ladder_load(&ladder, bad, 2), TRP_INVALID);
  assert_int_equal(ladder.bids.count, 0);
  trp_ladder_fini(&ladder);
}

static void a_book_that_has_its_size_allocates_no_more(void **state) {
  (void)state;
  struct trp_ladder ladder;
  trp_ladder_init(&ladder, 0);
  for (int price = 0; price < 1000; price++)
    assert_int_equal(set(&ladder, TRP_SIDE_BID, price, 1), TRP_OK);
  const void *before = ladder.bids.entries;
  trp_ladder_clear(&ladder);
  for (int price = 0; price < 1000; price++)
    assert_int_equal(set(&ladder, TRP_SIDE_BID, price, 1), TRP_OK);
  assert_ptr_equal(before, ladder.bids.entries);
  trp_ladder_fini(&ladder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_updates_leave_what_a_dull_model_holds),
      cmocka_unit_test(the_best_of_an_empty_side_is_nothing),
      cmocka_unit_test(a_crossed_book_is_told),
      cmocka_unit_test(at_the_bound_the_worst_level_gives_way),
      cmocka_unit_test(a_snapshot_replaces_everything),
      cmocka_unit_test(levels_that_are_none_are_refused),
      cmocka_unit_test(a_book_that_has_its_size_allocates_no_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
