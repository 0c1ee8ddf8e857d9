/* mailbox_explore_test.c - claim, publish, close and reuse of the mailboxes, in orders of steps
 * that real threads hardly ever meet.
 *
 * The library's own sources are compiled here once more, with a point before each shared access.
 * Three senders, a stranger and the owner run as fibers; every seed is an execution, and in each of
 * them nothing is lost, doubled, reordered within a sender, torn out of its batch or delivered to
 * another incarnation; nobody sleeps while mail waits; what is shut stays shut.
 *
 * TRP_SEED=n replays one seed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test/explore/explorer.h"

#define TRP_EXPLORE
#define trp_mailbox_ring_ops trp_explored_ring_ops
#define trp_mailbox_evict_ops trp_explored_evict_ops
#define trp_evict_init trp_explored_evict_init
#define trp_evict_settle trp_explored_evict_settle
#define trp_evict_totals trp_explored_evict_totals
#define trp_mailbox_want_room trp_explored_want_room
#define trp_mailbox_room_is_told trp_explored_room_is_told
#define trp_mailbox_strip trp_explored_strip
#define trp_mailbox_init_small trp_explored_init_small
#define trp_mailbox_renew trp_explored_renew
#define trp_mailbox_init trp_explored_init
#define trp_mailbox_shut trp_explored_shut
#define trp_mailbox_unpark trp_explored_unpark
#define trp_mailbox_incarnation trp_explored_incarnation
#define trp_mailbox_is_closed trp_explored_is_closed
#define trp_mailbox_note_depth trp_explored_note_depth
#define trp_mailbox_totals trp_explored_totals
#define pthread_mutex_lock trp_explorer_lock
#include "runtime/mailbox.c"
#include "runtime/mailbox_evict.c"
#include "runtime/mailbox_ring.c"
#undef pthread_mutex_lock

enum {
  SEEDS = 20000,
  SECONDS_MAX = 10, /* of exploring each mailbox, for slow machines and valgrind */
  POINTS_MAX = 100000,
  SENDERS = 3,
  ROUNDS = 4, /* puts of each sender */
  TRIES = 6,  /* of each put */
  INCARNATIONS = 4
};

static struct world {
  struct trp_mailbox mailbox;
  bool batches;
  /* senders' and stranger's side */
  uint64_t accepted[INCARNATIONS + 1], displaced[INCARNATIONS + 1];
  uint32_t sending; /* senders and stranger that have not finished */
  bool parked, woken, note;
  uint64_t shut; /* the incarnation for which a shut has returned */
  /* the owner's side */
  uint64_t incarnation, received[INCARNATIONS + 1], last[SENDERS];
  uint64_t batch_sender, batch_left; /* of the batch that is coming out */
} world;

static void must(bool held, const char *otherwise) {
  if (!held) trp_explorer_fail(otherwise);
}

static void step(void) { trp_explore_point("test"); }

static void wake(void) {
  must(world.parked && !world.woken, "woke an owner that does not sleep, or twice");
  world.woken = true;
}

/* After a shut has returned no outside letter enters, also none of a put that had begun before. */
static void nothing_enters_what_is_shut(const char *where) {
  if (strcmp(where, "evict.put.placed") != 0 || trp_explorer_current() != 0) return;
  must(world.shut != trp_mailbox_incarnation(&world.mailbox), "placed after the shutting");
}

/* ---- senders and stranger ------------------------------------------------------------------- */

/* What a letter says about itself. */
struct body {
  uint64_t incarnation, sender, number, batch_left;
};

static enum trp_err put_batch(uint64_t sender, uint64_t number, uint32_t count) {
  struct trp_letter letters[2] = {0};
  uint64_t incarnation = trp_mailbox_incarnation(&world.mailbox);
  for (uint32_t i = 0; i < count; i++) {
    struct body body = {incarnation, sender, number + i, count - 1 - i};
    letters[i].type = 1024;
    letters[i].inline_bytes = sizeof body;
    memcpy(letters[i].body.bytes, &body, sizeof body);
  }
  step(); /* the incarnation may be over by now */
  bool outside = sender == 0;
  bool shut = outside && world.shut == incarnation;
  struct trp_put result;
  enum trp_err err =
      world.mailbox.ops->put(&world.mailbox, incarnation, outside, letters, count, &result);
  if (err != TRP_OK) {
    must(!result.wake && !result.displaced, "a refused put did something");
    return err;
  }
  must(!shut, "an outside sender got in after the shutting");
  world.accepted[incarnation] += count;
  if (result.wake) wake();
  if (!result.displaced) return TRP_OK;
  struct body body;
  memcpy(&body, result.out.body.bytes, sizeof body);
  must(body.incarnation == incarnation, "displaced a letter of another incarnation");
  world.displaced[incarnation]++;
  return TRP_OK;
}

static void send_some(void *arg) {
  uint64_t sender = (uint64_t)(uintptr_t)arg, number = 1;
  for (int round = 0; round < ROUNDS; round++) {
    uint32_t count = world.batches ? 1 + (uint32_t)trp_explorer_draw(2) : 1;
    for (int i = 0; i < TRIES && put_batch(sender, number, count) != TRP_OK; i++) step();
    number += count; /* what was refused leaves a gap */
  }
  world.sending--;
}

/* Shuts and notifies, as the coordinator of a stop does. */
static void disturb(void *arg) {
  (void)arg;
  for (int i = 0; i < 2; i++) {
    uint64_t before = trp_mailbox_incarnation(&world.mailbox);
    step();
    trp_mailbox_shut(&world.mailbox);
    if (trp_mailbox_incarnation(&world.mailbox) == before) world.shut = before;
    step();
    world.note = true;
    step();
    if (trp_mailbox_unpark(&world.mailbox)) wake();
  }
  world.sending--;
}

/* ---- the owner ------------------------------------------------------------------------------ */

static void check_letter(const struct trp_letter *letter) {
  struct body body;
  memcpy(&body, letter->body.bytes, sizeof body);
  must(letter->type == 1024 && letter->inline_bytes == sizeof body, "a torn letter");
  must(body.sender < SENDERS, "a letter from nobody");
  must(body.incarnation == world.incarnation, "a letter meant for another incarnation");
  must(body.number > world.last[body.sender], "a letter twice or out of its sender's order");
  must(world.batch_left == 0 ||
           (world.batch_sender == body.sender && world.batch_left == body.batch_left + 1),
       "a batch was torn");
  world.last[body.sender] = body.number;
  world.batch_sender = body.sender;
  world.batch_left = body.batch_left;
  world.received[world.incarnation]++;
}

static bool take_one(void) {
  const struct trp_letter *letter = world.mailbox.ops->peek(&world.mailbox);
  if (letter == NULL) return false;
  struct trp_letter before = *letter;
  check_letter(letter);
  step();
  must(memcmp(letter->body.bytes, before.body.bytes, sizeof before.body) == 0,
       "a letter changed in the owner's hand");
  world.mailbox.ops->pop(&world.mailbox);
  return true;
}

static void sleep_until_woken(void) {
  world.woken = false;
  world.parked = true; /* told before: from the parking on somebody may wake */
  if (!world.mailbox.ops->park(&world.mailbox)) {
    world.parked = false;
    return;
  }
  bool awake = world.note && trp_mailbox_unpark(&world.mailbox);
  while (!awake && !world.woken) {
    if (world.sending == 0) { /* nobody is left to wake: then nothing may wait */
      must(!world.note && world.mailbox.ops->depth(&world.mailbox) == 0, "sleeps while mail waits");
      must(trp_mailbox_unpark(&world.mailbox), "the bit went and nobody woke the owner");
      break;
    }
    step();
  }
  world.parked = world.note = false;
}

/* Closes one way or the other, drains, and checks that it stays so. */
static bool try_close(void) {
  struct trp_mailbox *mailbox = &world.mailbox;
  if (trp_explorer_draw(2) == 0) {
    if (!mailbox->ops->close_if_empty(mailbox)) return false;
    must(mailbox->ops->drained(mailbox), "closed as empty, yet not drained");
  } else {
    mailbox->ops->close(mailbox);
    while (!mailbox->ops->drained(mailbox))
      if (!take_one()) step();
  }
  step();
  must(mailbox->ops->peek(mailbox) == NULL, "mail after it was closed and drained");
  must(mailbox->ops->drained(mailbox), "drained no more");
  must(world.batch_left == 0, "the rest of a batch is missing");
  return true;
}

static void own(void *arg) {
  (void)arg;
  for (;;) {
    if (take_one()) continue;
    bool over = world.sending == 0;
    uint64_t choice = trp_explorer_draw(8);
    if (over || (choice == 0 && world.incarnation < INCARNATIONS)) {
      if (!try_close()) continue;
      if (over) return;
      world.mailbox.ops->open(&world.mailbox, ++world.incarnation);
    } else if (choice < 4) {
      sleep_until_woken();
    } else {
      step();
    }
  }
}

/* ---- one seed ------------------------------------------------------------------------------- */

static uint64_t no_key(uint16_t type, const void *body, size_t bytes) {
  (void)type, (void)body, (void)bytes;
  return 0;
}

/* A mailbox of the library that is operated by the code compiled here. */
static struct trp_ring_store *world_store; /* NULL: the mailbox has a ring of its own */

static void set_up_mailbox(enum trp_policy policy, uint32_t capacity) {
  struct trp_mailbox_options options = {.capacity = capacity, .policy = policy, .key = no_key};
  memset(&world, 0, sizeof world);
  enum trp_err err = world_store == NULL
                         ? trp_mailbox_init(&world.mailbox, &options)
                         : trp_mailbox_init_small(&world.mailbox, &options, world_store);
  assert_int_equal(err, TRP_OK);
  world.batches = world.mailbox.evict == NULL;
  world.mailbox.ops->open(&world.mailbox, world.incarnation = 1);
}

static const char *accounts(void) {
  uint64_t accepted = 0, received = 0;
  for (uint64_t i = 0; i <= INCARNATIONS; i++) {
    if (world.accepted[i] != world.received[i] + world.displaced[i]) return "letters were lost";
    accepted += world.accepted[i];
    received += world.received[i];
  }
  struct trp_mailbox_totals totals;
  trp_mailbox_totals(&world.mailbox, &totals);
  if (totals.accepted != accepted || totals.taken != received) return "the totals are wrong";
  if (totals.accepted != totals.taken + totals.evicted + totals.conflated) return "no balance";
  if (world.mailbox.depth_max > world.mailbox.mask + 1) return "deeper than its capacity";
  return NULL;
}

static const char *explore_seed(enum trp_policy policy, uint64_t seed) {
  trp_explorer_begin(seed);
  trp_explorer_trace(nothing_enters_what_is_shut);
  set_up_mailbox(policy, UINT32_C(2) << trp_explorer_draw(2));
  world.sending = SENDERS + 1;
  for (uintptr_t i = 0; i < SENDERS; i++) trp_explorer_spawn(send_some, (void *)i);
  trp_explorer_spawn(disturb, NULL);
  trp_explorer_spawn(own, NULL);
  const char *failure = trp_explorer_run(POINTS_MAX);
  if (failure == NULL) failure = accounts();
  if (failure != NULL) return failure;
  if (!trp_mailbox_is_closed(&world.mailbox)) world.mailbox.ops->close(&world.mailbox);
  trp_mailbox_strip(&world.mailbox);
  world.mailbox.ops->fini(&world.mailbox);
  return failure;
}

static void explore(enum trp_policy policy) {
  const char *given = getenv("TRP_SEED");
  uint64_t seed = given == NULL ? 1 : strtoull(given, NULL, 0);
  uint64_t end = given == NULL ? seed + SEEDS : seed + 1;
  time_t until = time(NULL) + SECONDS_MAX;
  uint64_t explored = 0;
  for (; seed < end && time(NULL) <= until; seed++, explored++) {
    const char *failure = explore_seed(policy, seed);
    if (failure != NULL) fail_msg("%s; replay with TRP_SEED=%" PRIu64, failure, seed);
  }
  print_message("%" PRIu64 " seeds\n", explored);
}

static void every_interleaving_of_the_ring_keeps_its_promises(void **state) {
  (void)state;
  explore(TRP_REJECT);
}

/* The ring comes with the first mail and goes at each sleep: a store that is always tight. */
static void every_interleaving_of_a_ring_that_comes_and_goes_keeps_its_promises(void **state) {
  (void)state;
  struct trp_ring_store store;
  trp_ring_store_init(&store);
  atomic_store(&store.attached_bytes, TRP_RING_TIGHT_BYTES + 1);
  world_store = &store;
  explore(TRP_REJECT);
  world_store = NULL;
  trp_ring_store_fini(&store);
}

static void every_interleaving_of_the_evicting_mailbox_keeps_its_promises(void **state) {
  (void)state;
  explore(TRP_DROP_OLDEST);
}

/* ---- a gate that has gone all the way round ------------------------------------------------- */

static void put_number(uint64_t number) {
  struct trp_letter letter = {.type = 1024, .from = number};
  struct trp_put result;
  assert_int_equal(world.mailbox.ops->put(&world.mailbox, 1, false, &letter, 1, &result), TRP_OK);
}

static void take_number(uint64_t number) {
  const struct trp_letter *letter = world.mailbox.ops->peek(&world.mailbox);
  assert_non_null(letter);
  assert_int_equal(letter->from, number);
  world.mailbox.ops->pop(&world.mailbox);
}

enum { ONCE_ROUND = 1 << TRP_GATE_POSITION_BITS, LATE = 1 << 30 };

static int steps;

/* The sender that is about to claim sleeps while 2^19 others' letters go through; the last two
 * still fill the ring when it goes on. */
static void steer(const char *where) {
  if (steps == 0 && strcmp(where, "ring.put.claim") == 0) {
    steps = 1;
    trp_explorer_watch(NULL);
    for (uint64_t i = 0; i < ONCE_ROUND; i++) {
      put_number(i);
      if (i >= 1 && i < ONCE_ROUND - 1) take_number(i - 1);
    }
    trp_explorer_watch(steer);
  } else if (steps == 1 && strcmp(where, "ring.put.await") == 0) {
    steps = 2;
    take_number(ONCE_ROUND - 2);
  }
}

static void a_claim_by_a_wrapped_gate_waits_for_its_slot(void **state) {
  (void)state;
  set_up_mailbox(TRP_REJECT, 2);
  steps = 0;
  trp_explorer_watch(steer);
  put_number(LATE);
  trp_explorer_watch(NULL);
  assert_int_equal(steps, 2); /* it waited, and the owner made room */
  take_number(ONCE_ROUND - 1);
  take_number(LATE);
  world.mailbox.ops->close(&world.mailbox);
  assert_true(world.mailbox.ops->drained(&world.mailbox));
  world.mailbox.ops->fini(&world.mailbox);
}

static void overtake(const char *where) {
  if (strcmp(where, "ring.put.look") != 0) return;
  trp_explorer_watch(NULL);
  put_number(1);
}

static void a_sender_that_is_overtaken_is_not_told_full(void **state) {
  (void)state;
  set_up_mailbox(TRP_REJECT, 4);
  trp_explorer_watch(overtake);
  put_number(2);
  take_number(1);
  take_number(2);
  world.mailbox.ops->close(&world.mailbox);
  world.mailbox.ops->fini(&world.mailbox);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_interleaving_of_the_ring_keeps_its_promises),
      cmocka_unit_test(every_interleaving_of_a_ring_that_comes_and_goes_keeps_its_promises),
      cmocka_unit_test(every_interleaving_of_the_evicting_mailbox_keeps_its_promises),
      cmocka_unit_test(a_sender_that_is_overtaken_is_not_told_full),
      cmocka_unit_test(a_claim_by_a_wrapped_gate_waits_for_its_slot),
  };
  return cmocka_run_group_tests_name("mailbox: explored", tests, NULL, NULL);
}
