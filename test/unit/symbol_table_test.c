#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"

#define THREADS 4
#define SHARED 500

static void a_name_has_one_number_for_ever(void **state) {
  (void)state;
  uint32_t number = trp_symbol_intern("BTCUSDT.BINANCE");
  assert_int_not_equal(number, 0);
  assert_int_equal(trp_symbol_intern("BTCUSDT.BINANCE"), number);
  assert_int_equal(trp_symbol_find("BTCUSDT.BINANCE"), number);
  assert_string_equal(trp_symbol_name(number), "BTCUSDT.BINANCE");
  assert_int_not_equal(trp_symbol_intern("BTCUSDT.GATE"), number);
}

static void nobodys_number_is_a_question_mark(void **state) {
  (void)state;
  assert_int_equal(trp_symbol_find("NEVERSEEN.BINANCE"), 0);
  assert_string_equal(trp_symbol_name(0), "?");
  assert_string_equal(trp_symbol_name(UINT32_MAX), "?");
  assert_string_equal(trp_symbol_name(trp_symbol_count() + 1), "?");
}

static void a_name_that_is_empty_or_too_long_is_refused(void **state) {
  (void)state;
  char name[TRP_SYMBOL_NAME_MAX + 2];
  memset(name, 'A', sizeof name);
  name[TRP_SYMBOL_NAME_MAX + 1] = '\0';
  assert_int_equal(trp_symbol_intern(name), 0);
  assert_int_equal(trp_symbol_find(name), 0);
  assert_int_equal(trp_symbol_intern(""), 0);
  name[TRP_SYMBOL_NAME_MAX] = '\0';
  assert_int_not_equal(trp_symbol_intern(name), 0);
}

static void *intern_shared(void *numbers) {
  for (uint32_t i = 0; i < SHARED; i++) {
    char name[24];
    snprintf(name, sizeof name, "SHARED%u", i);
    ((uint32_t *)numbers)[i] = trp_symbol_intern(name);
  }
  return NULL;
}

static void threads_agree_on_the_numbers(void **state) {
  (void)state;
  static uint32_t numbers[THREADS][SHARED];
  pthread_t threads[THREADS];
  uint32_t before = trp_symbol_count();
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, intern_shared, numbers[i]), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(trp_symbol_count(), before + SHARED);
  for (int i = 1; i < THREADS; i++) assert_memory_equal(numbers[0], numbers[i], sizeof numbers[0]);
}

/* Last: the table stays full. */
static void a_full_table_refuses_and_still_finds(void **state) {
  (void)state;
  char name[24];
  uint32_t i = 0, number;
  do {
    snprintf(name, sizeof name, "FULL%u", i++);
    number = trp_symbol_intern(name);
  } while (number != 0 && i <= TRP_SYMBOLS_MAX);
  assert_int_equal(trp_symbol_count(), TRP_SYMBOLS_MAX);
  assert_int_equal(trp_symbol_intern("ONEMORE"), 0);
  assert_string_equal(trp_symbol_name(trp_symbol_find("BTCUSDT.BINANCE")), "BTCUSDT.BINANCE");
  snprintf(name, sizeof name, "FULL%u", 1000u);
  assert_string_equal(trp_symbol_name(trp_symbol_find(name)), name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_has_one_number_for_ever),
      cmocka_unit_test(nobodys_number_is_a_question_mark),
      cmocka_unit_test(a_name_that_is_empty_or_too_long_is_refused),
      cmocka_unit_test(threads_agree_on_the_numbers),
      cmocka_unit_test(a_full_table_refuses_and_still_finds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
