/* The journal: what it keeps, what it displaces, and that a reader notices what it missed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/journal.h"

static struct trp_journal *open_journal(uint32_t entries) {
  struct trp_journal *journal;
  if (trp_journal_new(&journal, entries) != TRP_OK) fail();
  return journal;
}

static void an_entry_comes_back_as_it_was_put(void **state) {
  (void)state;
  struct trp_journal *journal = open_journal(0);
  struct trp_journal_entry entry;
  char body[16] = "";
  assert_int_equal(trp_journal_last(journal), 0);
  assert_false(trp_journal_next(journal, 0, &entry, body, sizeof body));
  assert_int_equal(trp_journal_put(journal, 77, "binance", TRP_UP, "hello", 6), 1);
  assert_int_equal(trp_journal_put(journal, 78, "consumer", TRP_DOWN, NULL, 0), 2);
  assert_int_equal(trp_journal_last(journal), 2);
  assert_true(trp_journal_next(journal, 0, &entry, body, sizeof body));
  assert_int_equal(entry.sequence, 1);
  assert_int_equal(entry.at_ns, 77);
  assert_int_equal(entry.type, TRP_UP);
  assert_int_equal(entry.bytes, 6);
  assert_string_equal(entry.actor, "binance");
  assert_string_equal(body, "hello");
  assert_true(trp_journal_next(journal, 1, &entry, NULL, 0));
  assert_int_equal(entry.sequence, 2);
  assert_int_equal(entry.bytes, 0);
  assert_false(trp_journal_next(journal, 2, &entry, body, sizeof body));
  assert_false(trp_journal_next(journal, UINT64_MAX, &entry, body, sizeof body));
  trp_journal_destroy(&journal);
  trp_journal_destroy(&journal);
  assert_null(journal);
}

static void a_reader_that_is_late_sees_a_jump(void **state) {
  (void)state;
  struct trp_journal *journal = open_journal(4);
  struct trp_journal_entry entry;
  for (uint64_t i = 1; i <= 10; i++) {
    assert_int_equal(trp_journal_put(journal, i, "a", TRP_UP, &i, sizeof i), i);
  }
  uint64_t after = 2, expected = 7, body = 0;
  while (trp_journal_next(journal, after, &entry, &body, sizeof body)) {
    assert_int_equal(entry.sequence, expected++);
    assert_int_equal(body, entry.sequence);
    after = entry.sequence;
  }
  assert_int_equal(after, 10);
  trp_journal_destroy(&journal);
}

static void a_journal_of_one_keeps_the_last(void **state) {
  (void)state;
  struct trp_journal *journal = open_journal(1);
  struct trp_journal_entry entry;
  for (uint64_t i = 1; i <= 3; i++) trp_journal_put(journal, i, "a", TRP_UP, NULL, 0);
  assert_true(trp_journal_next(journal, 0, &entry, NULL, 0));
  assert_int_equal(entry.sequence, 3);
  trp_journal_destroy(&journal);
}

static void bodies_and_names_are_cut_at_their_bounds(void **state) {
  (void)state;
  struct trp_journal *journal = open_journal(0);
  struct trp_journal_entry entry;
  static char big[TRP_JOURNAL_BODY_MAX + 100], back[TRP_JOURNAL_BODY_MAX + 100];
  char name[100];
  memset(big, 'b', sizeof big);
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  trp_journal_put(journal, 1, name, TRP_UP, big, sizeof big);
  assert_true(trp_journal_next(journal, 0, &entry, back, sizeof back));
  assert_int_equal(entry.bytes, TRP_JOURNAL_BODY_MAX);
  assert_memory_equal(back, big, TRP_JOURNAL_BODY_MAX);
  assert_int_equal(back[TRP_JOURNAL_BODY_MAX], 0);
  assert_int_equal(strlen(entry.actor), TRP_NAME_MAX);
  memset(back, '#', sizeof back);
  assert_true(trp_journal_next(journal, 0, &entry, back, 10));
  assert_int_equal(back[9], 'b');
  assert_int_equal(back[10], '#');
  trp_journal_destroy(&journal);
}

/* Bodies of every size, far more than fit: what is still there is right, and the newest is. */
static void large_bodies_displace_old_entries_and_never_each_others_bytes(void **state) {
  (void)state;
  struct trp_journal *journal = open_journal(0);
  static unsigned char body[TRP_JOURNAL_BODY_MAX], back[TRP_JOURNAL_BODY_MAX];
  for (uint64_t i = 1; i <= 2000; i++) {
    size_t bytes = (i * 997) % (TRP_JOURNAL_BODY_MAX + 1);
    memset(body, (int)(i & 0xff), sizeof body);
    assert_int_equal(trp_journal_put(journal, i, "a", TRP_UP, body, bytes), i);
  }
  struct trp_journal_entry entry = {0};
  uint64_t first = 0, count = 0;
  for (uint64_t after = 0; trp_journal_next(journal, after, &entry, back, sizeof back); count++) {
    if (first == 0) first = entry.sequence;
    assert_int_equal(entry.sequence, first + count);
    assert_int_equal(entry.bytes, (entry.sequence * 997) % (TRP_JOURNAL_BODY_MAX + 1));
    for (size_t i = 0; i < entry.bytes; i++) {
      if (back[i] != (entry.sequence & 0xff)) fail_msg("entry %lu", (unsigned long)entry.sequence);
    }
    after = entry.sequence;
  }
  assert_int_equal(entry.sequence, 2000);
  assert_true(count > 400 && count < 500); /* 896 KiB of 2 KiB on average */
  trp_journal_destroy(&journal);
}

static void a_journal_too_large_is_invalid(void **state) {
  (void)state;
  struct trp_journal *journal = NULL;
  assert_int_equal(trp_journal_new(&journal, TRP_JOURNAL_ENTRIES_MAX + 1), TRP_INVALID);
  assert_null(journal);
}

struct writer {
  pthread_t thread;
  struct trp_journal *journal;
};

static void *put_many(void *arg) {
  const struct writer *self = arg;
  for (uint64_t i = 0; i < 2000; i++) {
    uint64_t body[2] = {i, ~i};
    trp_journal_put(self->journal, i, "writer", TRP_UP, body, sizeof body);
  }
  return NULL;
}

static void a_reader_beside_writers_sees_whole_entries_in_order(void **state) {
  (void)state;
  struct writer writers[3];
  struct trp_journal *journal = open_journal(64);
  for (int i = 0; i < 3; i++) {
    writers[i].journal = journal;
    pthread_create(&writers[i].thread, NULL, put_many, &writers[i]);
  }
  uint64_t after = 0, body[2];
  int torn = 0;
  struct trp_journal_entry entry;
  while (after < 6000) {
    if (!trp_journal_next(journal, after, &entry, body, sizeof body)) continue;
    torn += entry.sequence <= after || entry.bytes != sizeof body || body[0] != ~body[1];
    after = entry.sequence;
  }
  for (int i = 0; i < 3; i++) pthread_join(writers[i].thread, NULL);
  assert_int_equal(torn, 0);
  assert_int_equal(trp_journal_last(journal), 6000);
  trp_journal_destroy(&journal);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_entry_comes_back_as_it_was_put),
      cmocka_unit_test(a_reader_that_is_late_sees_a_jump),
      cmocka_unit_test(a_journal_of_one_keeps_the_last),
      cmocka_unit_test(bodies_and_names_are_cut_at_their_bounds),
      cmocka_unit_test(large_bodies_displace_old_entries_and_never_each_others_bytes),
      cmocka_unit_test(a_journal_too_large_is_invalid),
      cmocka_unit_test(a_reader_beside_writers_sees_whole_entries_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
