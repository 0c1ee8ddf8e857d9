/* mailbox_test.c - what every mailbox promises, run over both implementations and all policies,
 * then what is special to each. Long because the suite is one: its parts share the fixture. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/blob.h"
#include "runtime/mailbox.h"

enum { INCARNATION = 7, CAPACITY = 8 };

static enum trp_policy policy; /* of the run */

static bool refuses_when_full(void) { return policy == TRP_REJECT || policy == TRP_WAIT; }

/* The first eight bytes of the body are the key; 0 where a body is shorter. */
static uint64_t first_word(uint16_t type, const void *body, size_t bytes) {
  (void)type;
  uint64_t key = 0;
  if (bytes >= sizeof key) memcpy(&key, body, sizeof key);
  return key;
}

/* ---- fixture -------------------------------------------------------------------------------- */

static struct trp_mailbox mailbox;
static struct trp_put result;

static int set_up_with(uint32_t capacity) {
  struct trp_mailbox_options options = {.capacity = capacity, .policy = policy, .key = first_word};
  if (trp_mailbox_init(&mailbox, &options) != TRP_OK) return -1;
  mailbox.ops->open(&mailbox, INCARNATION);
  return 0;
}

static int set_up(void **state) {
  (void)state;
  return set_up_with(CAPACITY);
}

static int tear_down(void **state) {
  (void)state;
  mailbox.ops->close(&mailbox);
  for (const struct trp_letter *letter; (letter = mailbox.ops->peek(&mailbox)) != NULL;) {
    if (letter->inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letter->body.blob);
    mailbox.ops->pop(&mailbox);
  }
  struct trp_mailbox_totals totals;
  trp_mailbox_totals(&mailbox, &totals);
  bool balanced = totals.accepted == totals.taken + totals.evicted + totals.conflated;
  bool drained = mailbox.ops->drained(&mailbox);
  mailbox.ops->fini(&mailbox);
  return balanced && drained && trp_blob_live() == 0 ? 0 : -1;
}

static void set_up_again_with(uint32_t capacity) {
  assert_int_equal(tear_down(NULL), 0);
  assert_int_equal(set_up_with(capacity), 0);
}

/* A letter that carries `number` in `from` and in the last bytes of its body, and `key` first. */
static struct trp_letter letter_of(uint64_t key, uint64_t number) {
  struct trp_letter letter = {.type = 1024, .inline_bytes = TRP_INLINE_BYTES, .from = number};
  memcpy(letter.body.bytes, &key, sizeof key);
  memcpy(letter.body.bytes + TRP_INLINE_BYTES - sizeof number, &number, sizeof number);
  return letter;
}

static enum trp_err put_as(uint64_t incarnation, bool outside, uint64_t number) {
  struct trp_letter letter = letter_of(0, number);
  return mailbox.ops->put(&mailbox, incarnation, outside, &letter, 1, &result);
}

static enum trp_err put(uint64_t number) { return put_as(INCARNATION, false, number); }

static enum trp_err put_key(uint64_t key, uint64_t number) {
  struct trp_letter letter = letter_of(key, number);
  return mailbox.ops->put(&mailbox, INCARNATION, false, &letter, 1, &result);
}

/* Takes the oldest and checks that it is `number`, whole. */
static void expect(uint64_t number) {
  const struct trp_letter *letter = mailbox.ops->peek(&mailbox);
  assert_non_null(letter);
  assert_int_equal(letter->from, number);
  assert_memory_equal(letter->body.bytes + TRP_INLINE_BYTES - sizeof number, &number,
                      sizeof number);
  mailbox.ops->pop(&mailbox);
}

static void expect_empty(void) {
  assert_null(mailbox.ops->peek(&mailbox));
  assert_int_equal(mailbox.ops->depth(&mailbox), 0);
}

static struct trp_mailbox_totals totals(void) {
  struct trp_mailbox_totals out;
  trp_mailbox_totals(&mailbox, &out);
  return out;
}

/* ---- every mailbox -------------------------------------------------------------------------- */

static void a_new_mailbox_is_closed_and_empty(void **state) {
  (void)state;
  struct trp_mailbox fresh;
  struct trp_mailbox_options options = {.policy = policy, .key = first_word};
  assert_int_equal(trp_mailbox_init(&fresh, &options), TRP_OK);
  assert_int_equal(trp_mailbox_incarnation(&fresh), 0);
  assert_true(trp_mailbox_is_closed(&fresh));
  assert_true(fresh.ops->drained(&fresh));
  assert_null(fresh.ops->peek(&fresh));
  struct trp_letter letter = letter_of(0, 1);
  assert_int_equal(fresh.ops->put(&fresh, 0, false, &letter, 1, &result), TRP_DEAD);
  fresh.ops->fini(&fresh);
}

static void letters_come_out_whole_and_in_order(void **state) {
  (void)state;
  for (uint64_t round = 0; round < 5; round++) {
    for (uint64_t i = 0; i < CAPACITY; i++) assert_int_equal(put(round * 100 + i), TRP_OK);
    assert_int_equal(mailbox.ops->depth(&mailbox), CAPACITY);
    for (uint64_t i = 0; i < CAPACITY; i++) expect(round * 100 + i);
    expect_empty();
  }
  assert_int_equal(totals().accepted, 5 * CAPACITY);
  assert_int_equal(totals().taken, 5 * CAPACITY);
}

static void a_letter_keeps_type_flags_size_and_sender(void **state) {
  (void)state;
  struct trp_letter letter = {.type = 65535,
                              .inline_bytes = 3,
                              .flags = TRP_LETTER_ASK | TRP_LETTER_DOOR,
                              .from = UINT64_C(0xfedcba9876543210),
                              .body.bytes = "abc"};
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &letter, 1, &result), TRP_OK);
  const struct trp_letter *got = mailbox.ops->peek(&mailbox);
  assert_int_equal(got->type, 65535);
  assert_int_equal(got->inline_bytes, 3);
  assert_int_equal(got->flags, TRP_LETTER_ASK | TRP_LETTER_DOOR);
  assert_int_equal(got->from, UINT64_C(0xfedcba9876543210));
  assert_memory_equal(got->body.bytes, "abc", 3);
  mailbox.ops->pop(&mailbox);
}

static void a_peeked_letter_stays_until_it_is_popped(void **state) {
  (void)state;
  assert_int_equal(put(1), TRP_OK);
  const struct trp_letter *first = mailbox.ops->peek(&mailbox);
  assert_ptr_equal(mailbox.ops->peek(&mailbox), first);
  assert_int_equal(mailbox.ops->depth(&mailbox), 1);
  assert_int_equal(totals().taken, 0);
  assert_false(mailbox.ops->park(&mailbox));
  assert_false(mailbox.ops->close_if_empty(&mailbox));
  for (uint64_t i = 2; i < 3 * CAPACITY; i++) (void)put_key(i, i); /* nothing may touch it */
  assert_int_equal(first->from, 1);
  mailbox.ops->pop(&mailbox);
  assert_int_equal(totals().taken, 1);
}

static void a_put_into_another_incarnation_is_dead(void **state) {
  (void)state;
  assert_int_equal(put_as(INCARNATION - 1, false, 1), TRP_DEAD);
  assert_int_equal(put_as(INCARNATION + 1, false, 1), TRP_DEAD);
  assert_int_equal(put_as(INCARNATION - 1, true, 1), TRP_DEAD);
  expect_empty();
  assert_int_equal(totals().accepted, 0);
}

static void a_closed_mailbox_takes_nothing_and_keeps_what_it_has(void **state) {
  (void)state;
  assert_int_equal(put(1), TRP_OK);
  assert_int_equal(put(2), TRP_OK);
  mailbox.ops->close(&mailbox);
  assert_true(trp_mailbox_is_closed(&mailbox));
  assert_int_equal(put(3), TRP_DEAD);
  assert_int_equal(put_as(INCARNATION, true, 3), TRP_DEAD);
  assert_false(mailbox.ops->drained(&mailbox));
  expect(1);
  assert_false(mailbox.ops->drained(&mailbox));
  assert_non_null(mailbox.ops->peek(&mailbox));
  assert_false(mailbox.ops->drained(&mailbox)); /* the last is in hand */
  expect(2);
  assert_true(mailbox.ops->drained(&mailbox));
  assert_int_equal(totals().accepted, 2);
}

static void an_open_mailbox_is_never_drained(void **state) {
  (void)state;
  assert_false(mailbox.ops->drained(&mailbox));
}

static void a_mailbox_with_mail_does_not_close_as_empty(void **state) {
  (void)state;
  assert_int_equal(put(1), TRP_OK);
  assert_false(mailbox.ops->close_if_empty(&mailbox));
  assert_false(trp_mailbox_is_closed(&mailbox));
  assert_int_equal(put(2), TRP_OK);
  expect(1);
  expect(2);
  assert_true(mailbox.ops->close_if_empty(&mailbox));
  assert_true(trp_mailbox_is_closed(&mailbox));
  assert_int_equal(put(3), TRP_DEAD);
  assert_true(mailbox.ops->drained(&mailbox));
}

static void a_shut_mailbox_refuses_the_outside_and_takes_the_inside(void **state) {
  (void)state;
  assert_int_equal(put_as(INCARNATION, true, 1), TRP_OK);
  trp_mailbox_shut(&mailbox);
  assert_int_equal(put_as(INCARNATION, true, 2), TRP_STOPPED);
  assert_int_equal(put_as(INCARNATION, false, 3), TRP_OK);
  expect(1);
  expect(3);
  mailbox.ops->close(&mailbox);
  assert_int_equal(put_as(INCARNATION, true, 4), TRP_STOPPED);
  assert_int_equal(put_as(INCARNATION, false, 5), TRP_DEAD);
}

static void reopening_refuses_the_old_incarnations_mail(void **state) {
  (void)state;
  assert_int_equal(put(1), TRP_OK);
  trp_mailbox_shut(&mailbox);
  mailbox.ops->close(&mailbox);
  expect(1);
  mailbox.ops->open(&mailbox, INCARNATION + 1);
  assert_int_equal(trp_mailbox_incarnation(&mailbox), INCARNATION + 1);
  assert_false(trp_mailbox_is_closed(&mailbox));
  assert_int_equal(put(2), TRP_DEAD);
  assert_int_equal(put_as(INCARNATION + 1, true, 3), TRP_OK); /* opening also undoes the shutting */
  expect(3);
  expect_empty();
  assert_int_equal(totals().accepted, 2);
  assert_int_equal(totals().taken, 2);
}

static void an_incarnation_fills_its_forty_bits(void **state) {
  (void)state;
  const uint64_t last = (UINT64_C(1) << 40) - 1;
  mailbox.ops->close(&mailbox);
  mailbox.ops->open(&mailbox, last);
  assert_int_equal(trp_mailbox_incarnation(&mailbox), last);
  assert_int_equal(put_as(last, false, 1), TRP_OK);
  expect(1);
}

static void the_first_letter_wakes_a_parked_owner_and_only_the_first(void **state) {
  (void)state;
  assert_true(mailbox.ops->park(&mailbox));
  assert_int_equal(put(1), TRP_OK);
  assert_true(result.wake);
  assert_int_equal(put(2), TRP_OK);
  assert_false(result.wake);
  assert_false(trp_mailbox_unpark(&mailbox));
  expect(1);
  expect(2);
}

static void a_refused_put_wakes_nobody(void **state) {
  (void)state;
  assert_true(mailbox.ops->park(&mailbox));
  trp_mailbox_shut(&mailbox);
  assert_int_equal(put_as(INCARNATION, true, 1), TRP_STOPPED);
  assert_false(result.wake);
  assert_int_equal(put_as(INCARNATION + 1, false, 1), TRP_DEAD);
  assert_false(result.wake);
  assert_true(trp_mailbox_unpark(&mailbox));
}

static void an_owner_with_mail_does_not_park(void **state) {
  (void)state;
  assert_int_equal(put(1), TRP_OK);
  assert_false(mailbox.ops->park(&mailbox));
  assert_int_equal(put(2), TRP_OK);
  assert_false(result.wake);
}

static void unparking_tells_once_that_the_owner_slept(void **state) {
  (void)state;
  assert_false(trp_mailbox_unpark(&mailbox));
  assert_true(mailbox.ops->park(&mailbox));
  assert_true(mailbox.ops->park(&mailbox)); /* still parked */
  assert_true(trp_mailbox_unpark(&mailbox));
  assert_false(trp_mailbox_unpark(&mailbox));
  assert_int_equal(put(1), TRP_OK);
  assert_false(result.wake);
}

static void a_blob_travels_with_its_reference(void **state) {
  (void)state;
  struct trp_blob *blob = trp_blob_new("a body too large for a slot", 27);
  struct trp_letter letter = {.type = 1024, .inline_bytes = TRP_LETTER_BLOB, .body.blob = blob};
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &letter, 1, &result), TRP_OK);
  const struct trp_letter *got = mailbox.ops->peek(&mailbox);
  assert_int_equal(got->inline_bytes, TRP_LETTER_BLOB);
  assert_ptr_equal(got->body.blob, blob);
  trp_blob_release(got->body.blob);
  mailbox.ops->pop(&mailbox);
  assert_int_equal(trp_blob_live(), 0);
}

static void capacity_is_rounded_up_to_a_power_of_two(void **state) {
  (void)state;
  static const uint32_t asked_and_got[][2] = {
      {0, 1024}, {1, 2},    {2, 2},       {3, 4},          {5, 8},
      {64, 64},  {65, 128}, {1000, 1024}, {65537, 131072}, {131072, 131072}};
  for (size_t i = 0; i < sizeof asked_and_got / sizeof *asked_and_got; i++) {
    struct trp_mailbox sized;
    struct trp_mailbox_options options = {
        .capacity = asked_and_got[i][0], .policy = policy, .key = first_word};
    assert_int_equal(trp_mailbox_init(&sized, &options), TRP_OK);
    assert_int_equal(sized.mask + 1, asked_and_got[i][1]);
    sized.ops->fini(&sized);
  }
}

static void options_out_of_range_are_invalid(void **state) {
  (void)state;
  struct trp_mailbox refused;
  struct trp_mailbox_options too_large = {.capacity = 131073, .policy = policy, .key = first_word};
  assert_int_equal(trp_mailbox_init(&refused, &too_large), TRP_INVALID);
  struct trp_mailbox_options no_key = {.policy = TRP_CONFLATE};
  assert_int_equal(trp_mailbox_init(&refused, &no_key), TRP_INVALID);
  struct trp_mailbox_options no_policy = {.policy = (enum trp_policy)4, .key = first_word};
  assert_int_equal(trp_mailbox_init(&refused, &no_policy), TRP_INVALID);
}

static void the_high_water_mark_sees_a_burst(void **state) {
  (void)state;
  assert_true(mailbox.ops->park(&mailbox));
  for (uint64_t i = 0; i < 5; i++) assert_int_equal(put(i), TRP_OK);
  for (uint64_t i = 0; i < 5; i++) expect(i);
  assert_int_equal(mailbox.depth_max, 5);
  for (uint64_t i = 0; i < CAPACITY; i++) assert_int_equal(put(i), TRP_OK);
  assert_int_equal(mailbox.ops->depth(&mailbox), CAPACITY); /* who reads the depth samples too */
  assert_int_equal(mailbox.depth_max, CAPACITY);
}

static void totals_balance_through_incarnations(void **state) {
  (void)state;
  uint64_t accepted = 0, displaced = 0;
  for (uint64_t incarnation = INCARNATION; incarnation < INCARNATION + 50; incarnation++) {
    for (uint64_t i = 0; i < incarnation % 13; i++) {
      struct trp_letter letter = letter_of(i % 3, i);
      if (mailbox.ops->put(&mailbox, incarnation, false, &letter, 1, &result) != TRP_OK) continue;
      accepted++;
      displaced += result.displaced;
    }
    struct trp_mailbox_totals sum = totals();
    assert_int_equal(sum.accepted, accepted);
    assert_int_equal(sum.evicted + sum.conflated, displaced);
    assert_int_equal(sum.taken + displaced + mailbox.ops->depth(&mailbox), accepted);
    mailbox.ops->close(&mailbox);
    while (mailbox.ops->peek(&mailbox) != NULL) mailbox.ops->pop(&mailbox);
    assert_int_equal(totals().taken + displaced, accepted);
    mailbox.ops->open(&mailbox, incarnation + 1);
  }
}

static void a_full_mailbox_does_what_its_policy_says(void **state) {
  (void)state;
  for (uint64_t i = 0; i < CAPACITY; i++) assert_int_equal(put(i), TRP_OK);
  if (refuses_when_full()) {
    assert_int_equal(put(CAPACITY), TRP_FULL);
    assert_false(result.displaced);
    assert_int_equal(totals().accepted, CAPACITY);
    expect(0);
    assert_int_equal(put(CAPACITY), TRP_OK); /* there is room again */
  } else {
    assert_int_equal(put(CAPACITY), TRP_OK);
    assert_true(result.displaced);
    assert_int_equal(result.out.from, 0);
    assert_int_equal(totals().evicted, 1);
  }
  for (uint64_t i = 1; i <= CAPACITY; i++) expect(i);
  expect_empty();
}

static void a_full_mailbox_keeps_or_displaces_a_blob_but_never_loses_it(void **state) {
  (void)state;
  struct trp_blob *blob = trp_blob_new("x", 1);
  struct trp_letter letter = {.type = 1024, .inline_bytes = TRP_LETTER_BLOB, .body.blob = blob};
  if (refuses_when_full()) {
    for (uint64_t i = 0; i < CAPACITY; i++) assert_int_equal(put(i), TRP_OK);
    assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &letter, 1, &result), TRP_FULL);
    trp_blob_release(blob); /* still the sender's */
  } else {
    assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &letter, 1, &result), TRP_OK);
    for (uint64_t i = 0; i < CAPACITY; i++) assert_int_equal(put(i), TRP_OK);
    assert_true(result.displaced);
    assert_int_equal(result.out.inline_bytes, TRP_LETTER_BLOB);
    trp_blob_release(result.out.body.blob); /* the putter's now */
  }
  assert_int_equal(trp_blob_live(), 0);
}

/* ---- the ring alone ------------------------------------------------------------------------- */

static enum trp_err put_batch(uint64_t first, uint32_t count) {
  struct trp_letter letters[2 * CAPACITY];
  for (uint32_t i = 0; i < count; i++) letters[i] = letter_of(0, first + i);
  return mailbox.ops->put(&mailbox, INCARNATION, false, letters, count, &result);
}

static void a_batch_goes_in_whole_or_not_at_all(void **state) {
  (void)state;
  assert_int_equal(put_batch(0, 5), TRP_OK);
  assert_int_equal(put_batch(100, 4), TRP_FULL);
  assert_int_equal(mailbox.ops->depth(&mailbox), 5);
  assert_int_equal(put_batch(5, 3), TRP_OK);
  assert_int_equal(put_batch(100, 1), TRP_FULL);
  for (uint64_t i = 0; i < 8; i++) expect(i);
  for (uint64_t round = 0; round < 20; round++) { /* over the seam at every offset */
    assert_int_equal(put_batch(round, 7), TRP_OK);
    assert_int_equal(put_batch(100, 2), TRP_FULL);
    for (uint64_t i = 0; i < 7; i++) expect(round + i);
  }
  expect_empty();
}

static void a_batch_larger_than_the_ring_never_fits(void **state) {
  (void)state;
  assert_int_equal(put_batch(0, CAPACITY + 1), TRP_FULL);
  assert_int_equal(put_batch(0, 0), TRP_OK);
  assert_int_equal(put_batch(0, CAPACITY), TRP_OK);
  for (uint64_t i = 0; i < CAPACITY; i++) expect(i);
}

static void a_batch_wakes_a_parked_owner_once(void **state) {
  (void)state;
  assert_true(mailbox.ops->park(&mailbox));
  assert_int_equal(put_batch(0, 3), TRP_OK);
  assert_true(result.wake);
  assert_int_equal(put_batch(3, 3), TRP_OK);
  assert_false(result.wake);
}

static void a_full_mailbox_keeps_the_senders_message(void **state) {
  (void)state;
  for (uint64_t i = 0; i < CAPACITY; i++) assert_int_equal(put(i), TRP_OK);
  struct trp_letter letter = letter_of(0, 99), before = letter;
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &letter, 1, &result), TRP_FULL);
  assert_memory_equal(&letter, &before, sizeof letter);
}

static void a_voided_letter_is_skipped_and_not_counted(void **state) {
  (void)state;
  struct trp_letter given_up = letter_of(0, 50);
  given_up.flags = TRP_LETTER_VOID;
  assert_int_equal(put(1), TRP_OK);
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &given_up, 1, &result), TRP_OK);
  assert_int_equal(put(2), TRP_OK);
  expect(1);
  expect(2);
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &given_up, 1, &result), TRP_OK);
  expect_empty();
  assert_int_equal(totals().accepted, 2);
  assert_int_equal(totals().taken, 2);
}

/* More than two million letters: the ring's positions pass 2^21 and begin anew. */
static void positions_wrap_without_a_trace(void **state) {
  (void)state;
  static const uint32_t capacities[] = {2, 64};
  for (size_t c = 0; c < 2; c++) {
    set_up_again_with(capacities[c]);
    const uint64_t letters = (UINT64_C(1) << 21) + 5 * capacities[c] + 3;
    uint64_t taken = 0;
    for (uint64_t i = 0; i < letters; i++) {
      if (put(i) != TRP_OK) fail();
      if (i + 1 - taken < capacities[c]) continue; /* always nearly full */
      const struct trp_letter *letter = mailbox.ops->peek(&mailbox);
      if (letter == NULL || letter->from != taken) fail();
      mailbox.ops->pop(&mailbox);
      taken++;
    }
    assert_int_equal(mailbox.ops->depth(&mailbox), letters - taken);
    while (taken < letters) expect(taken++);
    expect_empty();
    assert_int_equal(totals().accepted, letters);
    assert_int_equal(totals().taken, letters);
    assert_true(mailbox.ops->park(&mailbox));
  }
}

/* ---- the evicting one alone ----------------------------------------------------------------- */

static void the_oldest_go_first_and_come_back_through_the_put(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 3 * CAPACITY; i++) {
    assert_int_equal(put(i), TRP_OK);
    assert_int_equal(result.displaced, i >= CAPACITY);
    if (result.displaced) assert_int_equal(result.out.from, i - CAPACITY);
  }
  assert_int_equal(totals().evicted, 2 * CAPACITY);
  assert_int_equal(mailbox.ops->depth(&mailbox), CAPACITY);
  for (uint64_t i = 2 * CAPACITY; i < 3 * CAPACITY; i++) expect(i);
}

static void the_newest_of_a_key_takes_the_place_of_the_waiting_one(void **state) {
  (void)state;
  assert_int_equal(put_key(11, 1), TRP_OK);
  assert_int_equal(put_key(22, 2), TRP_OK);
  assert_int_equal(put_key(11, 3), TRP_OK);
  assert_true(result.displaced);
  assert_int_equal(result.out.from, 1);
  assert_int_equal(totals().conflated, 1);
  assert_int_equal(mailbox.ops->depth(&mailbox), 2);
  expect(3); /* in the older one's place */
  expect(2);
  assert_int_equal(put_key(11, 4), TRP_OK); /* nothing of this key waits any more */
  assert_false(result.displaced);
  expect(4);
  expect_empty();
}

static void key_zero_never_conflates(void **state) {
  (void)state;
  assert_int_equal(put_key(0, 1), TRP_OK);
  assert_int_equal(put_key(0, 2), TRP_OK);
  assert_false(result.displaced);
  expect(1);
  expect(2);
}

static void types_conflate_apart(void **state) {
  (void)state;
  struct trp_letter quote = letter_of(5, 1), trade = letter_of(5, 2);
  quote.type = 1024;
  trade.type = 1025;
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &quote, 1, &result), TRP_OK);
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &trade, 1, &result), TRP_OK);
  assert_false(result.displaced);
  expect(1);
  expect(2);
}

static void an_ask_never_conflates(void **state) {
  (void)state;
  struct trp_letter ask = letter_of(5, 1);
  ask.flags = TRP_LETTER_ASK;
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &ask, 1, &result), TRP_OK);
  assert_int_equal(put_key(5, 2), TRP_OK);
  assert_false(result.displaced);
  assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &ask, 1, &result), TRP_OK);
  assert_false(result.displaced);
  expect(1);
  expect(2);
  expect(1);
}

static void what_is_in_hand_neither_conflates_nor_goes(void **state) {
  (void)state;
  assert_int_equal(put_key(5, 1), TRP_OK);
  const struct trp_letter *hand = mailbox.ops->peek(&mailbox);
  assert_int_equal(put_key(5, 2), TRP_OK);
  assert_false(result.displaced);
  assert_int_equal(put_key(5, 3), TRP_OK);
  assert_true(result.displaced);
  assert_int_equal(result.out.from, 2);
  assert_int_equal(hand->from, 1);
  assert_int_equal(totals().accepted, 3);
  assert_int_equal(totals().conflated, 1);
  assert_int_equal(mailbox.ops->depth(&mailbox), 2);
  expect(1);
  expect(3);
}

static void a_full_mailbox_conflates_before_it_evicts(void **state) {
  (void)state;
  for (uint64_t i = 1; i <= CAPACITY; i++) assert_int_equal(put_key(i, i), TRP_OK);
  assert_int_equal(put_key(4, 100), TRP_OK);
  assert_int_equal(result.out.from, 4);
  assert_int_equal(totals().conflated, 1);
  assert_int_equal(totals().evicted, 0);
  assert_int_equal(put_key(50, 50), TRP_OK);
  assert_int_equal(result.out.from, 1);
  assert_int_equal(totals().evicted, 1);
}

static void keys_of_blobs_are_read_from_their_bodies(void **state) {
  (void)state;
  const uint64_t body[8] = {77};
  for (uint64_t i = 0; i < 2; i++) {
    struct trp_letter letter = {.type = 1024,
                                .inline_bytes = TRP_LETTER_BLOB,
                                .from = i,
                                .body.blob = trp_blob_new(body, sizeof body)};
    assert_int_equal(mailbox.ops->put(&mailbox, INCARNATION, false, &letter, 1, &result), TRP_OK);
  }
  assert_true(result.displaced);
  assert_int_equal(result.out.from, 0);
  trp_blob_release(result.out.body.blob);
}

/* Against a plain model: what waits is a list; search it, replace or append, drop the first. */
static void conflating_agrees_with_a_plain_list(void **state) {
  (void)state;
  struct {
    uint64_t key, number;
  } list[CAPACITY] = {{0}};
  size_t count = 0;
  uint64_t chance = 1;
  for (uint64_t number = 1; number < 200000; number++) {
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    if (chance >> 62 == 0 && count > 0) {
      expect(list[0].number);
      memmove(list, list + 1, --count * sizeof *list);
      continue;
    }
    uint64_t key = (chance >> 33) % 14;
    size_t at = 0;
    while (at < count && (key == 0 || list[at].key != key)) at++;
    bool conflates = at < count, evicts = !conflates && count == CAPACITY;
    uint64_t displaced = conflates ? list[at].number : list[0].number;
    if (evicts) memmove(list, list + 1, --count * sizeof *list);
    if (!conflates) at = count++;
    list[at].key = key;
    list[at].number = number;
    assert_int_equal(put_key(key, number), TRP_OK);
    assert_int_equal(result.displaced, conflates || evicts);
    if (result.displaced) assert_int_equal(result.out.from, displaced);
  }
}

/* ---- running -------------------------------------------------------------------------------- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static int run_everything_for(enum trp_policy which, const char *name) {
  const struct CMUnitTest tests[] = {
      TEST(a_new_mailbox_is_closed_and_empty),
      TEST(letters_come_out_whole_and_in_order),
      TEST(a_letter_keeps_type_flags_size_and_sender),
      TEST(a_peeked_letter_stays_until_it_is_popped),
      TEST(a_put_into_another_incarnation_is_dead),
      TEST(a_closed_mailbox_takes_nothing_and_keeps_what_it_has),
      TEST(an_open_mailbox_is_never_drained),
      TEST(a_mailbox_with_mail_does_not_close_as_empty),
      TEST(a_shut_mailbox_refuses_the_outside_and_takes_the_inside),
      TEST(reopening_refuses_the_old_incarnations_mail),
      TEST(an_incarnation_fills_its_forty_bits),
      TEST(the_first_letter_wakes_a_parked_owner_and_only_the_first),
      TEST(a_refused_put_wakes_nobody),
      TEST(an_owner_with_mail_does_not_park),
      TEST(unparking_tells_once_that_the_owner_slept),
      TEST(a_blob_travels_with_its_reference),
      TEST(capacity_is_rounded_up_to_a_power_of_two),
      TEST(options_out_of_range_are_invalid),
      TEST(the_high_water_mark_sees_a_burst),
      TEST(totals_balance_through_incarnations),
      TEST(a_full_mailbox_does_what_its_policy_says),
      TEST(a_full_mailbox_keeps_or_displaces_a_blob_but_never_loses_it),
  };
  policy = which;
  return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

static int run_ring(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_batch_goes_in_whole_or_not_at_all),
      TEST(a_batch_larger_than_the_ring_never_fits),
      TEST(a_batch_wakes_a_parked_owner_once),
      TEST(a_full_mailbox_keeps_the_senders_message),
      TEST(a_voided_letter_is_skipped_and_not_counted),
      TEST(positions_wrap_without_a_trace),
  };
  policy = TRP_REJECT;
  return cmocka_run_group_tests_name("mailbox: the ring", tests, NULL, NULL);
}

static int run_evicting(void) {
  const struct CMUnitTest dropping[] = {
      TEST(the_oldest_go_first_and_come_back_through_the_put),
  };
  const struct CMUnitTest conflating[] = {
      TEST(the_newest_of_a_key_takes_the_place_of_the_waiting_one),
      TEST(key_zero_never_conflates),
      TEST(types_conflate_apart),
      TEST(an_ask_never_conflates),
      TEST(what_is_in_hand_neither_conflates_nor_goes),
      TEST(a_full_mailbox_conflates_before_it_evicts),
      TEST(keys_of_blobs_are_read_from_their_bodies),
      TEST(conflating_agrees_with_a_plain_list),
  };
  policy = TRP_DROP_OLDEST;
  int failed = cmocka_run_group_tests_name("mailbox: evicting", dropping, NULL, NULL);
  policy = TRP_CONFLATE;
  return failed + cmocka_run_group_tests_name("mailbox: conflating", conflating, NULL, NULL);
}

int main(void) {
  return run_everything_for(TRP_REJECT, "mailbox: reject") +
         run_everything_for(TRP_WAIT, "mailbox: wait") +
         run_everything_for(TRP_DROP_OLDEST, "mailbox: drop oldest") +
         run_everything_for(TRP_CONFLATE, "mailbox: conflate") + run_ring() + run_evicting();
}
