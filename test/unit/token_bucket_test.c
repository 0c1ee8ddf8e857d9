/* The token bucket: exact arithmetic at any times, bounds, and no overflow. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/token_bucket.h"
#include "runtime/troupe.h"

static struct trp_token_bucket new_bucket(uint32_t rate, uint32_t burst, bool filled) {
  struct trp_token_bucket bucket;
  assert_int_equal(trp_token_bucket_init(&bucket, rate, TRP_NS_PER_S, burst, filled, 0), TRP_OK);
  return bucket;
}

static void a_full_bucket_gives_its_burst_and_not_one_more(void **state) {
  (void)state;
  struct trp_token_bucket bucket = new_bucket(10, 25, true);
  assert_int_equal(trp_token_bucket_wait_ns(&bucket, 25), 0);
  trp_token_bucket_spend(&bucket, 25);
  assert_int_equal(trp_token_bucket_level(&bucket), 0);
  assert_int_equal(trp_token_bucket_wait_ns(&bucket, 1), TRP_NS_PER_S / 10);
  trp_token_bucket_flow(&bucket, 3600 * TRP_NS_PER_S);
  assert_int_equal(trp_token_bucket_level(&bucket), 25);
}

static void the_wait_ends_at_the_first_nanosecond_at_which_there_is_enough(void **state) {
  (void)state;
  struct trp_token_bucket bucket = new_bucket(3, 7, false); /* a third of a second is no integer */
  for (uint32_t weight = 1; weight <= 7; weight++) {
    uint64_t wait = trp_token_bucket_wait_ns(&bucket, weight);
    struct trp_token_bucket early = bucket, then = bucket;
    trp_token_bucket_flow(&early, wait - 1);
    trp_token_bucket_flow(&then, wait);
    assert_int_equal(trp_token_bucket_wait_ns(&early, weight), 1);
    assert_int_equal(trp_token_bucket_wait_ns(&then, weight), 0);
    trp_token_bucket_spend(&then, weight);
  }
}

static void looking_often_loses_nothing(void **state) {
  (void)state;
  struct trp_token_bucket bucket = new_bucket(7, 1000000, false), once = bucket;
  uint64_t now = 0, chance = 1;
  for (int i = 0; i < 100000; i++) {
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    now += chance >> 33 & 0xffff;
    trp_token_bucket_flow(&bucket, now);
  }
  trp_token_bucket_flow(&once, now);
  assert_int_equal(bucket.level, once.level);
  assert_int_equal(bucket.level, now * 7);
}

static void a_clock_that_steps_back_gives_and_takes_nothing(void **state) {
  (void)state;
  struct trp_token_bucket bucket = new_bucket(10, 10, false);
  trp_token_bucket_flow(&bucket, TRP_NS_PER_S / 2);
  uint64_t level = bucket.level;
  trp_token_bucket_flow(&bucket, TRP_NS_PER_S / 4);
  trp_token_bucket_flow(&bucket, TRP_NS_PER_S / 2);
  assert_int_equal(bucket.level, level);
}

static void the_largest_figures_do_not_overflow(void **state) {
  (void)state;
  struct trp_token_bucket bucket;
  assert_int_equal(
      trp_token_bucket_init(&bucket, UINT32_MAX, 2 * TRP_NS_PER_S, UINT32_MAX, false, 0), TRP_OK);
  assert_int_equal(trp_token_bucket_wait_ns(&bucket, UINT32_MAX), 2 * TRP_NS_PER_S);
  trp_token_bucket_flow(&bucket, UINT64_MAX);
  assert_int_equal(trp_token_bucket_level(&bucket), UINT32_MAX);
  trp_token_bucket_spend(&bucket, UINT32_MAX);
  assert_int_equal(bucket.level, 0);
}

static void what_could_never_work_is_refused(void **state) {
  (void)state;
  struct trp_token_bucket bucket;
  assert_int_equal(trp_token_bucket_init(&bucket, 0, 1, 1, true, 0), TRP_INVALID);
  assert_int_equal(trp_token_bucket_init(&bucket, 1, 0, 1, true, 0), TRP_INVALID);
  assert_int_equal(trp_token_bucket_init(&bucket, 1, 1, 0, true, 0), TRP_INVALID);
  assert_int_equal(trp_token_bucket_init(&bucket, 1, 3600 * TRP_NS_PER_S, UINT32_MAX, true, 0),
                   TRP_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_full_bucket_gives_its_burst_and_not_one_more),
      cmocka_unit_test(the_wait_ends_at_the_first_nanosecond_at_which_there_is_enough),
      cmocka_unit_test(looking_often_loses_nothing),
      cmocka_unit_test(a_clock_that_steps_back_gives_and_takes_nothing),
      cmocka_unit_test(the_largest_figures_do_not_overflow),
      cmocka_unit_test(what_could_never_work_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
