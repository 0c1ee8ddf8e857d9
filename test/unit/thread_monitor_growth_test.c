/* What counts as growth: floors of the window's ends, a share and an amount. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/thread_monitor_growth.h"
#include "runtime/troupe.h"

enum { SAMPLES = 40, MIB = 1 << 20 };

static struct trp_growth new_growth(void) {
  struct trp_growth growth = {.window_ns = SAMPLES * TRP_NS_PER_S, .percent = 10};
  growth.amounts[TRP_GROWTH_MEMORY] = 8 * MIB;
  growth.amounts[TRP_GROWTH_DESCRIPTORS] = 16;
  trp_growth_begin(&growth, TRP_NS_PER_S, 0);
  return growth;
}

/* The i-th sample, one a second, of `memory` and `descriptors`; true where there is a verdict. */
static bool add(struct trp_growth *growth, int i, uint64_t memory, uint64_t descriptors,
                struct trp_growth_verdict *verdict) {
  uint64_t seconds = (uint64_t)i + 1;
  struct trp_growth_sample sample = {.at_ns = seconds * TRP_NS_PER_S};
  sample.figures[TRP_GROWTH_MEMORY] = memory;
  sample.figures[TRP_GROWTH_DESCRIPTORS] = descriptors;
  assert_true(trp_growth_is_due(growth, sample.at_ns));
  bool full = trp_growth_add(growth, &sample, verdict);
  assert_false(trp_growth_is_due(growth, sample.at_ns));
  return full;
}

static void a_steady_rise_is_growth_with_its_rate_per_hour(void **state) {
  (void)state;
  struct trp_growth growth = new_growth();
  struct trp_growth_verdict verdict;
  for (int i = 0; i < SAMPLES - 1; i++) {
    assert_false(add(&growth, i, (uint64_t)(100 + i) * MIB, 50, &verdict));
  }
  assert_true(add(&growth, SAMPLES - 1, (100 + SAMPLES - 1) * MIB, 50, &verdict));
  assert_true(verdict.any && verdict.trend[TRP_GROWTH_MEMORY] == TRP_GROWTH_GROWING);
  assert_int_equal(verdict.trend[TRP_GROWTH_DESCRIPTORS], TRP_GROWTH_STEADY);
  assert_int_equal(verdict.from[TRP_GROWTH_MEMORY], 100 * MIB);
  assert_int_equal(verdict.to[TRP_GROWTH_MEMORY], 130 * MIB);
  assert_in_range(verdict.per_hour[TRP_GROWTH_MEMORY], 3599ll * MIB, 3601ll * MIB);
}

static void a_burst_that_passes_is_no_growth(void **state) {
  (void)state;
  struct trp_growth growth = new_growth();
  struct trp_growth_verdict verdict = {.any = true};
  for (int i = 0; i < SAMPLES; i++) {
    uint64_t memory = i >= SAMPLES - 8 && i < SAMPLES - 2 ? 900 : 100;
    add(&growth, i, memory * MIB, memory, &verdict);
  }
  assert_false(verdict.any);
}

static void a_rise_must_exceed_the_share_and_the_amount(void **state) {
  (void)state;
  struct trp_growth growth = new_growth();
  struct trp_growth_verdict verdict;
  /* Memory: 9 MiB of 1,000 is less than a tenth. Descriptors: 15 of 10 are fewer than 16. */
  for (int i = 0; i < SAMPLES; i++) {
    bool late = i >= SAMPLES / 2;
    add(&growth, i, (late ? 1009u : 1000u) * MIB, late ? 25 : 10, &verdict);
  }
  assert_false(verdict.any);
}

static void the_window_slides_and_begins_anew_once_emptied(void **state) {
  (void)state;
  struct trp_growth growth = new_growth();
  struct trp_growth_verdict verdict;
  int i = 0;
  for (; i < 3 * SAMPLES; i++) add(&growth, i, 100 * MIB, 10, &verdict);
  assert_false(verdict.any);
  bool found = false;
  for (int end = i + SAMPLES; i < end && !found; i++) {
    found = add(&growth, i, 100 * MIB, 100, &verdict) && verdict.any;
  }
  assert_true(found && verdict.trend[TRP_GROWTH_DESCRIPTORS] == TRP_GROWTH_GROWING);
  trp_growth_empty(&growth);
  for (int end = i + SAMPLES - 1; i < end; i++) {
    assert_false(add(&growth, i, 100 * MIB, 100, &verdict));
  }
}

static void a_window_too_short_for_its_interval_is_made_longer(void **state) {
  (void)state;
  struct trp_growth growth = {.window_ns = TRP_NS_PER_S};
  trp_growth_begin(&growth, TRP_NS_PER_S, 0);
  assert_int_equal(growth.wanted, TRP_GROWTH_SAMPLES_MIN);
  assert_int_equal(growth.window_ns, TRP_GROWTH_SAMPLES_MIN * TRP_NS_PER_S);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_steady_rise_is_growth_with_its_rate_per_hour),
      cmocka_unit_test(a_burst_that_passes_is_no_growth),
      cmocka_unit_test(a_rise_must_exceed_the_share_and_the_amount),
      cmocka_unit_test(the_window_slides_and_begins_anew_once_emptied),
      cmocka_unit_test(a_window_too_short_for_its_interval_is_made_longer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
