/* mailbox_threads_test.c - mailboxes under real threads: four senders, an owner that sleeps, closes
 * and reopens, and a stranger who shuts and notifies. Nothing is lost, nothing comes twice, nothing
 * reaches another incarnation than was meant, and each sender's letters keep their order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/blob.h"
#include "runtime/mailbox.h"

enum {
  SENDERS = 4,
  LETTERS = 20000, /* of each sender */
  INCARNATIONS_MAX = 2048,
  BLOB_EVERY = 64,
  BATCH_MAX = 4,
  NOTES = 40,      /* and incarnations kept back for them */
  SLEEP_MAX_S = 20 /* longer and a wake-up was lost */
};

/* What a letter says about itself; a whole slot, or in a blob. */
struct body {
  uint64_t incarnation, sender, number;
};

struct sender {
  struct arena *arena;
  uint64_t id;
  uint64_t accepted[INCARNATIONS_MAX + 1], displaced[INCARNATIONS_MAX + 1];
  uint64_t displaced_wrong; /* letters given back that cannot have been inside */
};

struct arena {
  struct trp_mailbox mailbox;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool woken, note, finished; /* under the lock */
  struct sender senders[SENDERS];
  uint64_t received[INCARNATIONS_MAX + 1], last[SENDERS]; /* the owner's, like those below */
  uint64_t incarnation, chance, sleeps;
  const char *fault; /* the first thing that the owner saw and must never see */
};

static uint64_t draw(uint64_t *chance, uint64_t bound) {
  *chance = *chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (*chance >> 33) % bound;
}

static void wake(struct arena *arena) {
  pthread_mutex_lock(&arena->lock);
  arena->woken = true;
  pthread_cond_signal(&arena->changed);
  pthread_mutex_unlock(&arena->lock);
}

/* ---- senders -------------------------------------------------------------------------------- */

static void fill(struct trp_letter *letter, const struct body *body) {
  *letter = (struct trp_letter){.type = 1024, .inline_bytes = sizeof *body};
  if (body->number % BLOB_EVERY != 0) {
    memcpy(letter->body.bytes, body, sizeof *body);
    return;
  }
  letter->inline_bytes = TRP_LETTER_BLOB;
  letter->body.blob = trp_blob_new(body, sizeof *body);
}

/* Reads a letter and releases what it holds. */
static struct body read_and_release(const struct trp_letter *letter) {
  struct body body;
  bool blob = letter->inline_bytes == TRP_LETTER_BLOB;
  memcpy(&body, blob ? letter->body.blob->body : letter->body.bytes, sizeof body);
  if (blob) trp_blob_release(letter->body.blob);
  return body;
}

static void release_all(const struct trp_letter *letters, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (letters[i].inline_bytes == TRP_LETTER_BLOB) trp_blob_release(letters[i].body.blob);
}

static void *send_letters(void *arg) {
  struct sender *me = arg;
  struct trp_mailbox *mailbox = &me->arena->mailbox;
  uint64_t chance = me->id;
  bool ring = mailbox->evict == NULL;
  for (uint64_t number = 1; number <= LETTERS;) {
    uint32_t count = ring ? 1 + (uint32_t)draw(&chance, BATCH_MAX) : 1;
    if (count > LETTERS - number + 1) count = (uint32_t)(LETTERS - number + 1);
    uint64_t incarnation = trp_mailbox_incarnation(mailbox);
    struct trp_letter letters[BATCH_MAX];
    for (uint32_t i = 0; i < count; i++)
      fill(&letters[i], &(struct body){incarnation, me->id, number + i});

    struct trp_put result;
    bool outside = me->id % 2 == 1;
    if (mailbox->ops->put(mailbox, incarnation, outside, letters, count, &result) != TRP_OK) {
      release_all(letters, count);
      sched_yield();
      continue;
    }
    number += count;
    me->accepted[incarnation] += count;
    if (result.wake) wake(me->arena);
    if (!result.displaced) continue;
    me->displaced[incarnation]++;
    me->displaced_wrong += read_and_release(&result.out).incarnation != incarnation;
  }
  return NULL;
}

/* ---- the owner ------------------------------------------------------------------------------ */

static void must(struct arena *arena, bool held, const char *fault) {
  if (!held && arena->fault == NULL) arena->fault = fault;
}

static bool take_one(struct arena *arena) {
  const struct trp_letter *letter = arena->mailbox.ops->peek(&arena->mailbox);
  if (letter == NULL) return false;
  struct body body = read_and_release(letter);
  arena->mailbox.ops->pop(&arena->mailbox);
  must(arena, body.sender < SENDERS, "a letter from nobody");
  must(arena, body.incarnation == arena->incarnation, "a letter meant for another incarnation");
  bool in_order = body.number > arena->last[body.sender % SENDERS];
  must(arena, in_order, "a letter twice or out of its sender's order");
  arena->last[body.sender % SENDERS] = body.number;
  arena->received[arena->incarnation]++;
  return true;
}

static void reopen(struct arena *arena) {
  struct trp_mailbox *mailbox = &arena->mailbox;
  if (draw(&arena->chance, 2) == 0 || !mailbox->ops->close_if_empty(mailbox))
    mailbox->ops->close(mailbox);
  while (!mailbox->ops->drained(mailbox))
    if (!take_one(arena)) sched_yield();
  mailbox->ops->open(mailbox, ++arena->incarnation);
}

/* Sleeps until woken or noted; true: all senders have finished. */
static bool rest(struct arena *arena) {
  bool parked = arena->mailbox.ops->park(&arena->mailbox);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += SLEEP_MAX_S;
  pthread_mutex_lock(&arena->lock);
  int err = 0;
  while (parked && !arena->woken && !arena->note && err == 0)
    err = pthread_cond_timedwait(&arena->changed, &arena->lock, &until);
  bool note = arena->note, finished = arena->finished;
  arena->woken = arena->note = false;
  pthread_mutex_unlock(&arena->lock);
  if (parked) trp_mailbox_unpark(&arena->mailbox);
  arena->sleeps += parked;
  must(arena, err != ETIMEDOUT, "a wake-up was lost");
  if (note && !finished) reopen(arena); /* lets in again whom the stranger shut out */
  return finished;
}

static void *own(void *arg) {
  struct arena *arena = arg;
  for (bool finished = false; !finished;) {
    uint64_t turn = 1 + draw(&arena->chance, 600);
    while (turn > 0 && take_one(arena)) turn--;
    if (turn > 0 && draw(&arena->chance, 64) != 0)
      finished = rest(arena);
    else if (arena->incarnation < INCARNATIONS_MAX - NOTES)
      reopen(arena);
  }
  arena->mailbox.ops->close(&arena->mailbox);
  while (take_one(arena)) {
  }
  return NULL;
}

/* ---- the test ------------------------------------------------------------------------------- */

static void note(struct arena *arena, bool finished) {
  pthread_mutex_lock(&arena->lock);
  arena->note = true;
  arena->finished = finished;
  pthread_mutex_unlock(&arena->lock);
  if (trp_mailbox_unpark(&arena->mailbox)) wake(arena);
}

static void check_accounts(struct arena *arena) {
  uint64_t accepted = 0, displaced = 0, received = 0;
  for (uint64_t i = 0; i <= INCARNATIONS_MAX; i++) {
    uint64_t in = 0, out = 0;
    for (uint64_t s = 0; s < SENDERS; s++) {
      in += arena->senders[s].accepted[i];
      out += arena->senders[s].displaced[i];
    }
    assert_int_equal(in, arena->received[i] + out);
    accepted += in;
    displaced += out;
    received += arena->received[i];
  }
  for (uint64_t s = 0; s < SENDERS; s++) assert_int_equal(arena->senders[s].displaced_wrong, 0);
  struct trp_mailbox_totals totals;
  trp_mailbox_totals(&arena->mailbox, &totals);
  assert_int_equal(accepted, SENDERS * LETTERS);
  assert_int_equal(totals.accepted, accepted);
  assert_int_equal(totals.taken, received);
  assert_int_equal(totals.evicted + totals.conflated, displaced);
  assert_int_equal(trp_blob_live(), 0);
  print_message("%lu incarnations, %lu sleeps, %lu displaced\n", (unsigned long)arena->incarnation,
                (unsigned long)arena->sleeps, (unsigned long)displaced);
}

static uint64_t sender_and_slot(uint16_t type, const void *body, size_t bytes) {
  (void)type;
  struct body read;
  if (bytes < sizeof read) return 0;
  memcpy(&read, body, sizeof read);
  return 1 + read.sender; /* a key a sender: its newest wins */
}

static void run(enum trp_policy policy, uint32_t capacity) {
  static struct arena arena; /* too large for some stacks */
  memset(&arena, 0, sizeof arena);
  struct trp_mailbox_options options = {
      .capacity = capacity, .policy = policy, .key = sender_and_slot};
  assert_int_equal(trp_mailbox_init(&arena.mailbox, &options), TRP_OK);
  pthread_mutex_init(&arena.lock, NULL);
  pthread_cond_init(&arena.changed, NULL);
  arena.mailbox.ops->open(&arena.mailbox, arena.incarnation = 1);

  pthread_t owner, senders[SENDERS];
  assert_int_equal(pthread_create(&owner, NULL, own, &arena), 0);
  for (uint64_t i = 0; i < SENDERS; i++) {
    arena.senders[i].arena = &arena;
    arena.senders[i].id = i;
    assert_int_equal(pthread_create(&senders[i], NULL, send_letters, &arena.senders[i]), 0);
  }
  for (int i = 0; i < NOTES; i++) {
    trp_mailbox_shut(&arena.mailbox);
    note(&arena, false); /* makes the owner reopen, which lets the outside in again */
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  }
  for (int i = 0; i < SENDERS; i++) pthread_join(senders[i], NULL);
  note(&arena, true);
  pthread_join(owner, NULL);

  if (arena.fault != NULL) fail_msg("%s", arena.fault);
  check_accounts(&arena);
  arena.mailbox.ops->fini(&arena.mailbox);
  pthread_mutex_destroy(&arena.lock);
  pthread_cond_destroy(&arena.changed);
}

static void a_small_ring_loses_nothing(void **state) {
  (void)state;
  run(TRP_REJECT, 4);
}

static void a_large_ring_loses_nothing(void **state) {
  (void)state;
  run(TRP_WAIT, 256);
}

static void an_evicting_mailbox_gives_back_what_it_drops(void **state) {
  (void)state;
  run(TRP_DROP_OLDEST, 16);
}

static void a_conflating_mailbox_gives_back_what_it_replaces(void **state) {
  (void)state;
  run(TRP_CONFLATE, 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_small_ring_loses_nothing),
      cmocka_unit_test(a_large_ring_loses_nothing),
      cmocka_unit_test(an_evicting_mailbox_gives_back_what_it_drops),
      cmocka_unit_test(a_conflating_mailbox_gives_back_what_it_replaces),
  };
  return cmocka_run_group_tests_name("mailbox: threads", tests, NULL, NULL);
}
