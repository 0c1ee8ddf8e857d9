#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/listing.h"

static void an_edit_is_a_byte_more_less_other_or_swapped(void **state) {
  (void)state;
  assert_int_equal(trp_edit_distance("", ""), 0);
  assert_int_equal(trp_edit_distance("", "ABC"), 3);
  assert_int_equal(trp_edit_distance("ABC", ""), 3);
  assert_int_equal(trp_edit_distance("BTCUSDT", "BTCUSDT"), 0);
  assert_int_equal(trp_edit_distance("BTCUSD", "BTCUSDT"), 1);
  assert_int_equal(trp_edit_distance("BTCUUSDT", "BTCUSDT"), 1);
  assert_int_equal(trp_edit_distance("BTCUSDC", "BTCUSDT"), 1);
  assert_int_equal(trp_edit_distance("BTCUSTD", "BTCUSDT"), 1); /* swapped */
  assert_int_equal(trp_edit_distance("XBTUSD", "BTCUSDT"), 3);
  assert_int_equal(trp_edit_distance("kitten", "sitting"), 3);
  assert_int_equal(trp_edit_distance("CA", "ABC"), 3); /* what was swapped is not edited again */
}

static void texts_beyond_its_bound_are_looked_at_up_to_there(void **state) {
  (void)state;
  char longer[200];
  memset(longer, 'A', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  assert_int_equal(trp_edit_distance(longer, ""), TRP_LISTING_NAME_MAX);
  assert_int_equal(trp_edit_distance(longer, longer), 0);
}

static void a_name_that_lacks_has_a_nearest(void **state) {
  (void)state;
  struct trp_listing listing = {0};
  static const char *const names[] = {"SOLUSDT", "ETHUSDT", "BTCUSDT", "BTCEUR"};
  for (size_t i = 0; i < 4; i++) trp_listing_add(&listing, names[i]);
  assert_false(trp_listing_lacks(&listing, "NOPE")); /* not sealed: who knows */
  trp_listing_seal(&listing);
  for (size_t i = 0; i < 4; i++) assert_false(trp_listing_lacks(&listing, names[i]));
  assert_true(trp_listing_lacks(&listing, "BTCUSTD"));
  assert_true(trp_listing_lacks(&listing, "btcusdt"));
  assert_string_equal(trp_listing_nearest(&listing, "BTCUSTD"), "BTCUSDT");
  assert_string_equal(trp_listing_nearest(&listing, "BTCEURO"), "BTCEUR");
  assert_string_equal(trp_listing_nearest(&listing, "SOLUSD"), "SOLUSDT");
  trp_listing_fini(&listing);
  assert_null(trp_listing_nearest(&listing, "BTCUSDT"));
}

static void a_list_that_is_empty_or_cut_proves_nothing(void **state) {
  (void)state;
  struct trp_listing listing = {0};
  trp_listing_seal(&listing);
  assert_false(trp_listing_lacks(&listing, "BTCUSDT"));
  trp_listing_fini(&listing);
  trp_listing_add(&listing, "BTCUSDT");
  trp_listing_add(&listing, "A-NAME-OF-MORE-BYTES-THAN-ANY-EXCHANGE-HAS-EVER-GIVEN");
  trp_listing_seal(&listing);
  assert_true(listing.cut);
  assert_false(trp_listing_lacks(&listing, "NOPE"));
  trp_listing_fini(&listing);
}

static void thousands_are_kept_up_to_its_bound(void **state) {
  (void)state;
  struct trp_listing listing = {0};
  char name[16];
  for (uint32_t i = 0; i < TRP_LISTING_NAMES_MAX; i++) {
    snprintf(name, sizeof name, "S%u", i * 7919 % TRP_LISTING_NAMES_MAX);
    trp_listing_add(&listing, name);
  }
  trp_listing_seal(&listing);
  assert_false(listing.cut);
  assert_false(trp_listing_lacks(&listing, "S65535"));
  assert_true(trp_listing_lacks(&listing, "S65536"));
  trp_listing_add(&listing, "ONE-MORE");
  assert_true(listing.cut);
  trp_listing_fini(&listing);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_edit_is_a_byte_more_less_other_or_swapped),
      cmocka_unit_test(texts_beyond_its_bound_are_looked_at_up_to_there),
      cmocka_unit_test(a_name_that_lacks_has_a_nearest),
      cmocka_unit_test(a_list_that_is_empty_or_cut_proves_nothing),
      cmocka_unit_test(thousands_are_kept_up_to_its_bound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
