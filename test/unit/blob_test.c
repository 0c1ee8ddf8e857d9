/* blob_test.c - shared bodies: counted, bounded, none left behind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/blob.h"
#include "runtime/troupe.h"

enum { HOLDERS = 4, ROUNDS = 20000 };

static void a_blob_copies_its_bytes(void **state) {
  (void)state;
  char text[] = "thirty-two levels of the book";
  struct trp_blob *blob = trp_blob_new(text, sizeof text);
  assert_non_null(blob);
  text[0] = 'x';
  assert_int_equal(blob->bytes, sizeof text);
  assert_string_equal((const char *)blob->body, "thirty-two levels of the book");
  assert_int_equal((uintptr_t)blob->body % 16, 0);
  trp_blob_release(blob);
  assert_int_equal(trp_blob_live(), 0);
}

static void a_blob_lives_until_its_last_reference_goes(void **state) {
  (void)state;
  struct trp_blob *blob = trp_blob_new("abc", 3);
  assert_ptr_equal(trp_blob_hold(blob), blob);
  trp_blob_release(blob);
  assert_int_equal(trp_blob_live(), 1);
  assert_memory_equal(blob->body, "abc", 3);
  trp_blob_release(blob);
  assert_int_equal(trp_blob_live(), 0);
}

static void an_empty_blob_and_a_null_one_are_fine(void **state) {
  (void)state;
  struct trp_blob *blob = trp_blob_new(NULL, 0);
  assert_non_null(blob);
  assert_int_equal(blob->bytes, 0);
  trp_blob_release(blob);
  trp_blob_release(NULL);
  assert_int_equal(trp_blob_live(), 0);
}

static void a_body_beyond_the_limit_is_refused(void **state) {
  (void)state;
  char *body = calloc(1, TRP_BODY_MAX);
  assert_non_null(body);
  assert_null(trp_blob_new(body, (size_t)TRP_BODY_MAX + 1));
  assert_null(trp_blob_new(body, SIZE_MAX));
  struct trp_blob *largest = trp_blob_new(body, TRP_BODY_MAX);
  assert_non_null(largest);
  trp_blob_release(largest);
  free(body);
  assert_int_equal(trp_blob_live(), 0);
}

static void *hold_and_release(void *arg) {
  struct trp_blob *blob = arg; /* with one reference of this thread's own */
  for (int i = 0; i < ROUNDS; i++) trp_blob_release(trp_blob_hold(blob));
  trp_blob_release(blob);
  return NULL;
}

static void holders_in_many_threads_free_it_once(void **state) {
  (void)state;
  struct trp_blob *blob = trp_blob_new("shared", 6);
  pthread_t threads[HOLDERS];
  for (int i = 0; i < HOLDERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, hold_and_release, trp_blob_hold(blob)), 0);
  trp_blob_release(blob);
  for (int i = 0; i < HOLDERS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(trp_blob_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_blob_copies_its_bytes),
      cmocka_unit_test(a_blob_lives_until_its_last_reference_goes),
      cmocka_unit_test(an_empty_blob_and_a_null_one_are_fine),
      cmocka_unit_test(a_body_beyond_the_limit_is_refused),
      cmocka_unit_test(holders_in_many_threads_free_it_once),
  };
  return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
