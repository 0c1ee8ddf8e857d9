/* mailbox_evict.c - the mailbox that never refuses for want of room: under a short, bounded mutex.
 *
 * DROP_OLDEST: a full mailbox evicts its oldest letter. CONFLATE: a letter whose key already waits
 * takes that letter's place, in the order too (so a busy key cannot starve itself by always moving
 * to the end); only a full mailbox without that key evicts. The displaced letter is handed to the
 * putter, who releases what it holds. Asks never conflate: each is answered or failed by itself.
 *
 * peek moves the oldest letter out of the ring into the owner's hand, so nothing can displace what
 * the owner reads. At every moment
 *     accepted = taken + evicted + conflated + waiting + (1 if one is in hand).
 *
 * Locking: the ring, the index and the counters are written under the lock; counters are atomic so
 * that statistics read them without it. In the gate, CLOSED and PARKED are set and the incarnation
 * changes under the lock; shut and unpark come from anywhere without it. The lock is held for one
 * copy in and at most one copy out, and the library never calls anybody's code under it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/blob.h"
#include "runtime/check.h"
#include "runtime/explore.h"
#include "runtime/mailbox.h"

struct trp_evict {
  alignas(64) pthread_mutex_t lock;
  uint32_t front;            /* the slot of the oldest */
  _Atomic uint32_t waiting;  /* in the ring */
  _Atomic uint64_t accepted; /* over all incarnations */
  _Atomic uint64_t evicted;
  _Atomic uint64_t conflated;
  uint64_t *keys;  /* of each slot; 0: conflates with nothing. NULL but for CONFLATE */
  uint32_t *index; /* open addressing, twice the capacity: slot + 1, or 0 */
  alignas(64) struct trp_letter hand; /* the owner's: what was peeked and not yet popped */
  _Atomic bool in_hand;               /* written by the owner */
};

/* ---- counters: one writer at a time, so a load and a store do ------------------------------- */

static void add(_Atomic uint64_t *counter, uint64_t n) {
  uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
  atomic_store_explicit(counter, before + n, memory_order_relaxed);
}

static uint32_t waiting(const struct trp_evict *evict) {
  return atomic_load_explicit(&evict->waiting, memory_order_relaxed);
}

static bool in_hand(const struct trp_evict *evict) {
  return atomic_load_explicit(&evict->in_hand, memory_order_relaxed);
}

static bool empty(const struct trp_evict *evict) { return waiting(evict) == 0 && !in_hand(evict); }

/* ---- the index: from type and key to slot, linear probing ----------------------------------- */

static uint32_t home(const struct trp_mailbox *mailbox, uint16_t type, uint64_t key) {
  uint64_t h = (key ^ (uint64_t)type << 48) * UINT64_C(0x9e3779b97f4a7c15);
  h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
  return (uint32_t)(h >> 32) & (2 * mailbox->mask + 1);
}

/* The cell that holds this type and key, or the empty one where it would go. Half of the cells are
 * empty, so the probe ends. */
static uint32_t cell_of(const struct trp_mailbox *mailbox, uint16_t type, uint64_t key) {
  const struct trp_evict *evict = mailbox->evict;
  uint32_t cell = home(mailbox, type, key);
  for (; evict->index[cell] != 0; cell = (cell + 1) & (2 * mailbox->mask + 1)) {
    uint32_t slot = evict->index[cell] - 1;
    if (evict->keys[slot] == key && mailbox->slots[slot].type == type) break;
  }
  return cell;
}

/* Empties a cell and moves back those behind it whose probe led across it. */
static void clear_cell(const struct trp_mailbox *mailbox, uint32_t hole) {
  const struct trp_evict *evict = mailbox->evict;
  uint32_t mask = 2 * mailbox->mask + 1;
  for (uint32_t cell = (hole + 1) & mask; evict->index[cell] != 0; cell = (cell + 1) & mask) {
    uint32_t slot = evict->index[cell] - 1;
    uint32_t from = home(mailbox, mailbox->slots[slot].type, evict->keys[slot]);
    if (((cell - from) & mask) < ((cell - hole) & mask))
      continue; /* its home lies after the hole */
    evict->index[hole] = evict->index[cell];
    hole = cell;
  }
  evict->index[hole] = 0;
}

static uint64_t key_of(const struct trp_mailbox *mailbox, const struct trp_letter *letter) {
  if (mailbox->evict->keys == NULL || (letter->flags & TRP_LETTER_ASK) != 0) return 0;
  if (letter->inline_bytes != TRP_LETTER_BLOB)
    return mailbox->key(letter->type, letter->body.bytes, letter->inline_bytes);
  return mailbox->key(letter->type, letter->body.blob->body, letter->body.blob->bytes);
}

/* ---- the ring, under the lock --------------------------------------------------------------- */

/* The oldest letter leaves the ring. */
static void remove_front(struct trp_mailbox *mailbox, struct trp_letter *out) {
  struct trp_evict *evict = mailbox->evict;
  struct trp_letter *oldest = &mailbox->slots[evict->front];
  if (evict->keys != NULL && evict->keys[evict->front] != 0)
    clear_cell(mailbox, cell_of(mailbox, oldest->type, evict->keys[evict->front]));
  *out = *oldest;
  evict->front = (evict->front + 1) & mailbox->mask;
  atomic_store_explicit(&evict->waiting, waiting(evict) - 1, memory_order_relaxed);
}

static void append(struct trp_mailbox *mailbox, const struct trp_letter *letter, uint64_t key) {
  struct trp_evict *evict = mailbox->evict;
  uint32_t slot = (evict->front + waiting(evict)) & mailbox->mask;
  mailbox->slots[slot] = *letter;
  atomic_store_explicit(&evict->waiting, waiting(evict) + 1, memory_order_relaxed);
  if (evict->keys == NULL) return;
  evict->keys[slot] = key;
  if (key != 0) evict->index[cell_of(mailbox, letter->type, key)] = slot + 1;
}

/* The same key waits: the newer letter takes its place. */
static bool conflate(struct trp_mailbox *mailbox, const struct trp_letter *letter, uint64_t key,
                     struct trp_put *result) {
  struct trp_evict *evict = mailbox->evict;
  if (key == 0) return false;
  uint32_t cell = cell_of(mailbox, letter->type, key);
  if (evict->index[cell] == 0) return false;
  struct trp_letter *older = &mailbox->slots[evict->index[cell] - 1];
  result->out = *older;
  result->displaced = true;
  *older = *letter;
  add(&evict->conflated, 1);
  return true;
}

static void place(struct trp_mailbox *mailbox, const struct trp_letter *letter, uint64_t key,
                  struct trp_put *result) {
  struct trp_evict *evict = mailbox->evict;
  add(&evict->accepted, 1);
  if (conflate(mailbox, letter, key, result)) return;
  if (waiting(evict) > mailbox->mask) {
    remove_front(mailbox, &result->out);
    result->displaced = true;
    add(&evict->evicted, 1);
  }
  append(mailbox, letter, key);
}

/* ---- operations ----------------------------------------------------------------------------- */

static void lock(struct trp_mailbox *mailbox) {
  TRP_INTERLEAVE("evict.lock");
  ASSERT(pthread_mutex_lock(&mailbox->evict->lock) == 0);
}

static void unlock(struct trp_mailbox *mailbox) {
  ASSERT(pthread_mutex_unlock(&mailbox->evict->lock) == 0);
  TRP_INTERLEAVE("evict.unlock");
}

static enum trp_err admit(uint64_t gate, uint64_t incarnation, bool outside) {
  if (gate >> TRP_GATE_INCARNATION_SHIFT != incarnation) return TRP_DEAD;
  if (outside && (gate & TRP_GATE_SHUT) != 0) return TRP_STOPPED;
  return (gate & TRP_GATE_CLOSED) != 0 ? TRP_DEAD : TRP_OK;
}

static enum trp_err evict_put(struct trp_mailbox *mailbox, uint64_t incarnation, bool outside,
                              const struct trp_letter *letters, uint32_t count,
                              struct trp_put *result) {
  ASSERT(count == 1);
  result->wake = false;
  result->displaced = false;
  uint64_t key = key_of(mailbox, letters); /* the user's code: before the lock */

  lock(mailbox);
  /* Acquire: partner is shut; the other bits and the incarnation are ordered by the lock. */
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_acquire);
  enum trp_err err = admit(gate, incarnation, outside);
  TRP_INTERLEAVE("evict.put.admitted");
  if (err == TRP_OK) {
    place(mailbox, letters, key, result);
    TRP_INTERLEAVE("evict.put.placed");
    /* PARKED is set under the lock only: where it is clear now it stays so until we are out. */
    if ((gate & TRP_GATE_PARKED) != 0) result->wake = trp_mailbox_unpark(mailbox);
  }
  unlock(mailbox);
  return err;
}

static const struct trp_letter *evict_peek(struct trp_mailbox *mailbox) {
  struct trp_evict *evict = mailbox->evict;
  if (in_hand(evict)) return &evict->hand;
  TRP_INTERLEAVE("evict.peek");
  if (waiting(evict) == 0) return NULL; /* a hint; park decides under the lock */
  lock(mailbox);
  uint32_t depth = waiting(evict);
  if (depth > 0) {
    remove_front(mailbox, &evict->hand);
    atomic_store_explicit(&evict->in_hand, true, memory_order_relaxed);
  }
  unlock(mailbox);
  if (depth == 0) return NULL;
  trp_mailbox_note_depth(mailbox, depth);
  return &evict->hand;
}

static void evict_pop(struct trp_mailbox *mailbox) {
  ASSERT(in_hand(mailbox->evict));
  uint64_t taken = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
  /* Release: partner is the acquire in totals, which then reads an `accepted` not behind. */
  atomic_store_explicit(&mailbox->head, taken + 1, memory_order_release);
  atomic_store_explicit(&mailbox->evict->in_hand, false, memory_order_relaxed);
}

/* Acquire and release: partners are unpark (what was set before it is seen after park) and put. */
static bool evict_set_if_empty(struct trp_mailbox *mailbox, uint64_t bits) {
  lock(mailbox);
  bool set = empty(mailbox->evict);
  if (set) atomic_fetch_or_explicit(&mailbox->gate, bits, memory_order_acq_rel);
  unlock(mailbox);
  return set;
}

static bool evict_park(struct trp_mailbox *mailbox) {
  /* It is never full; a door that waits for the next life says so here too. */
  if (trp_mailbox_room_is_wanted(mailbox)) return false;
  return evict_set_if_empty(mailbox, TRP_GATE_PARKED);
}

static bool evict_close_if_empty(struct trp_mailbox *mailbox) {
  return evict_set_if_empty(mailbox, TRP_GATE_CLOSED);
}

static void evict_close(struct trp_mailbox *mailbox) {
  lock(mailbox);
  /* Release: who reads the gate without the lock sees why. Partner: trp_mailbox_is_closed. */
  atomic_fetch_or_explicit(&mailbox->gate, TRP_GATE_CLOSED, memory_order_release);
  unlock(mailbox);
}

static bool evict_drained(struct trp_mailbox *mailbox) {
  /* Relaxed: the owner closed it under the lock, after which nothing comes in. */
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_relaxed);
  return (gate & TRP_GATE_CLOSED) != 0 && empty(mailbox->evict);
}

static void evict_open(struct trp_mailbox *mailbox, uint64_t incarnation) {
  ASSERT(evict_drained(mailbox));
  ASSERT(incarnation <= UINT64_MAX >> TRP_GATE_INCARNATION_SHIFT);
  ASSERT(incarnation != trp_mailbox_incarnation(mailbox));
  lock(mailbox);
  /* Release: partner is trp_mailbox_incarnation; a swap, to continue the release sequence of an
   * unpark before it. */
  atomic_exchange_explicit(&mailbox->gate, incarnation << TRP_GATE_INCARNATION_SHIFT,
                           memory_order_acq_rel);
  unlock(mailbox);
}

static uint64_t evict_depth(struct trp_mailbox *mailbox) {
  uint32_t depth = waiting(mailbox->evict);
  trp_mailbox_note_depth(mailbox, depth); /* as at peek: never above the capacity */
  return depth + (uint64_t)in_hand(mailbox->evict);
}

static void free_evict(struct trp_evict *evict) {
  free(evict->keys);
  free(evict->index);
  free(evict);
}

static void evict_fini(struct trp_mailbox *mailbox) {
  ASSERT(empty(mailbox->evict));
  ASSERT(pthread_mutex_destroy(&mailbox->evict->lock) == 0);
  free_evict(mailbox->evict);
  free(mailbox->slots);
  mailbox->evict = NULL;
  mailbox->slots = NULL;
}

const struct trp_mailbox_ops trp_mailbox_evict_ops = {
    .put = evict_put,
    .peek = evict_peek,
    .pop = evict_pop,
    .park = evict_park,
    .close_if_empty = evict_close_if_empty,
    .close = evict_close,
    .drained = evict_drained,
    .open = evict_open,
    .depth = evict_depth,
    .fini = evict_fini,
};

/* ---- for mailbox.c -------------------------------------------------------------------------- */

/* The holder never sleeps nor waits inside, so a waiter spins a little before it sleeps itself. */
static bool init_lock(pthread_mutex_t *mutex) {
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) != 0) return false;
  bool made = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP) == 0 &&
              pthread_mutex_init(mutex, &attributes) == 0;
  pthread_mutexattr_destroy(&attributes);
  return made;
}

enum trp_err trp_evict_init(struct trp_mailbox *mailbox) {
  size_t capacity = mailbox->mask + (size_t)1;
  struct trp_evict *evict = aligned_alloc(64, sizeof *evict);
  if (evict == NULL) return TRP_NO_MEMORY;
  memset(evict, 0, sizeof *evict);
  if (mailbox->policy == TRP_CONFLATE) {
    evict->keys = calloc(capacity, sizeof *evict->keys);
    evict->index = calloc(2 * capacity, sizeof *evict->index);
    if (evict->keys == NULL || evict->index == NULL) goto fail;
  }
  if (!init_lock(&evict->lock)) goto fail;
  mailbox->evict = evict;
  return TRP_OK;

fail:
  free_evict(evict);
  return TRP_NO_MEMORY;
}

void trp_evict_settle(struct trp_mailbox *mailbox) {
  lock(mailbox); /* a put that read the gate before has left the lock; the next one reads it anew */
  unlock(mailbox);
}

void trp_evict_totals(struct trp_mailbox *mailbox, struct trp_mailbox_totals *out) {
  struct trp_evict *evict = mailbox->evict;
  /* Acquire: partner is pop. What was taken is among the accepted then read. */
  out->taken = atomic_load_explicit(&mailbox->head, memory_order_acquire);
  out->evicted = atomic_load_explicit(&evict->evicted, memory_order_relaxed);
  out->conflated = atomic_load_explicit(&evict->conflated, memory_order_relaxed);
  out->accepted = atomic_load_explicit(&evict->accepted, memory_order_relaxed);
}
