#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "adapters/backlog.h"

static struct trp_backlog backlog;

static int make(void **state) {
  (void)state;
  trp_backlog_init(&backlog, 100);
  return 0;
}

static int drop(void **state) {
  (void)state;
  trp_backlog_fini(&backlog);
  return 0;
}

static void quote(uint32_t symbol, double bid) {
  struct trp_quote q = {.symbol = symbol, .bid = bid};
  assert_int_equal(trp_backlog_quote(&backlog, &q), TRP_OK);
}

static void the_newest_quote_of_each_symbol_waits_in_the_order_of_the_first(void **state) {
  (void)state;
  struct trp_backlog_row row;
  quote(7, 1);
  quote(3, 2);
  quote(7, 3);
  quote(7, 4);
  assert_int_equal(backlog.stats.conflated, 2);
  assert_true(trp_backlog_take(&backlog, &row));
  assert_true(row.symbol == 7 && row.quote_waits && row.quote.bid == 4);
  quote(7, 5); /* not conflated: that one was taken */
  assert_true(trp_backlog_take(&backlog, &row));
  assert_true(row.symbol == 3 && row.quote.bid == 2 && !row.book_waits && row.last_trade == 0);
  assert_true(trp_backlog_take(&backlog, &row));
  assert_true(row.symbol == 7 && row.quote.bid == 5);
  assert_false(trp_backlog_take(&backlog, &row));
  assert_int_equal(backlog.stats.conflated, 2);
}

static void what_was_let_go_is_known_by_its_ends(void **state) {
  (void)state;
  struct trp_backlog_row row;
  for (uint64_t id = 100; id < 110; id++)
    assert_int_equal(trp_backlog_trade(&backlog, 1, id), TRP_OK);
  assert_int_equal(trp_backlog_book(&backlog, 1), TRP_OK);
  assert_int_equal(trp_backlog_book(&backlog, 1), TRP_OK);
  assert_true(trp_backlog_find(&backlog, 1)->book_waits);
  assert_null(trp_backlog_find(&backlog, 2));
  assert_true(trp_backlog_take(&backlog, &row));
  assert_true(row.first_trade == 100 && row.last_trade == 109 && row.book_waits);
  assert_false(row.quote_waits);
  assert_int_equal(backlog.stats.trades, 10);
  assert_int_equal(backlog.stats.books, 2);
}

static void more_symbols_than_its_bound_are_refused(void **state) {
  (void)state;
  for (uint32_t i = 1; i <= 100; i++) quote(i, 1);
  struct trp_quote q = {.symbol = 101};
  assert_int_equal(trp_backlog_quote(&backlog, &q), TRP_LIMIT);
  assert_int_equal(trp_backlog_book(&backlog, 101), TRP_LIMIT);
  assert_int_equal(trp_backlog_trade(&backlog, 101, 1), TRP_LIMIT);
  quote(100, 2); /* who is in it may be replaced */
  trp_backlog_clear(&backlog);
  assert_int_equal(trp_backlog_quote(&backlog, &q), TRP_OK);
  assert_int_equal(backlog.stats.conflated, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(
          the_newest_quote_of_each_symbol_waits_in_the_order_of_the_first, make, drop),
      cmocka_unit_test_setup_teardown(what_was_let_go_is_known_by_its_ends, make, drop),
      cmocka_unit_test_setup_teardown(more_symbols_than_its_bound_are_refused, make, drop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
