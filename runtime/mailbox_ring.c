/* mailbox_ring.c - the lock-free mailbox: bounded, many senders, one owner.
 *
 * Positions below are the ring's own: the mailbox's plus the ring's delta (ring.h).
 * Each slot carries a sequence: p while it is free for position p, p + 1 while it holds the letter
 * of position p; taking that letter out frees it for p + capacity. (Dmitry Vyukov's bounded queue;
 * here the tail is the gate word, so a claim is also admission to one incarnation.)
 *
 * A put: load the gate; refuse what it does not admit; look whether the last slot of the claim is
 * free (the owner frees in order, so then all are); move the position by a compare-and-swap; copy;
 * publish slot by slot. The owner looks at one slot a message and never writes the gate to take
 * mail out; a full ring is seen in the slot, so senders never read the owner's line.
 *
 * Positions and sequences are kept modulo 2^19. A sender that sleeps between looking and swapping
 * while an exact multiple of 2^19 letters go through finds the gate as it was, though the slot may
 * have been filled again meanwhile. Its swap then claims a position whose slot still holds a letter
 * of the lap before. So after the claim the slot is looked at again and waited for: the letter in
 * it is older, the owner takes it out first whether it runs, drains or is replaced, and no chain of
 * waiting actors closes into a ring (the one waited for took letters out after the waiting one had
 * looked, so it started its own put later). What is never done is overwrite it. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/explore.h"
#include "runtime/mailbox.h"

enum { SAMPLE_EVERY = 64, SPINS_BEFORE_YIELD = 128 };

static uint32_t wrap(uint64_t position) { return trp_ring_wrap(position); }

/* The ring's own position for the mailbox's. */
static uint32_t within(const struct trp_ring *ring, uint64_t position) {
  /* Relaxed: set before the ring was published; of a ring that was taken away it is not used. */
  return wrap(position + atomic_load_explicit(&ring->delta, memory_order_relaxed));
}

/* Relaxed: as the delta above; of a ring that was taken away any slot does. */
static uint32_t mask_of(const struct trp_ring *ring) {
  return atomic_load_explicit(&ring->mask, memory_order_relaxed);
}

static struct trp_letter *slot_at(struct trp_ring *ring, uint32_t own) {
  return &ring->slots[own & mask_of(ring)];
}

/* Acquire: partner is attach's release. NULL while BARE. */
static struct trp_ring *ring_of(struct trp_mailbox *mailbox) {
  return atomic_load_explicit(&mailbox->ring, memory_order_acquire);
}

static uint64_t taken_so_far(const struct trp_mailbox *mailbox) {
  return atomic_load_explicit(&mailbox->head, memory_order_relaxed); /* the owner's own word */
}

/* ---- a ring that comes and goes ---- */

/* Gets a bare mailbox a ring. Errors: NO_MEMORY. Thread: any. */
static enum trp_err attach(struct trp_mailbox *mailbox) {
  enum trp_err err = TRP_OK;
  pthread_mutex_lock(&mailbox->store->lock);
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_relaxed);
  /* Bare, so the position stands still: nobody can claim. */
  if ((gate & (TRP_GATE_BARE | TRP_GATE_CLOSED)) == TRP_GATE_BARE && ring_of(mailbox) == NULL) {
    uint32_t mask = atomic_load_explicit(&mailbox->mask, memory_order_relaxed);
    struct trp_ring *ring = trp_ring_take(mailbox->store, mailbox, mask + 1, gate);
    if (ring == NULL) err = TRP_NO_MEMORY;
    /* Release: its delta. Partner: ring_of. */
    if (ring != NULL) atomic_store_explicit(&mailbox->ring, ring, memory_order_release);
  }
  if (err == TRP_OK && ring_of(mailbox) != NULL) {
    atomic_fetch_and_explicit(&mailbox->gate, ~TRP_GATE_BARE, memory_order_release);
  }
  pthread_mutex_unlock(&mailbox->store->lock);
  return err;
}

/* The ring goes back. Under the store's lock, BARE set and the mailbox empty. */
static void give_back(struct trp_mailbox *mailbox) {
  struct trp_ring *ring = atomic_load_explicit(&mailbox->ring, memory_order_relaxed);
  if (ring == NULL) return;
  atomic_store_explicit(&mailbox->ring, NULL, memory_order_relaxed);
  trp_ring_give(mailbox->store, ring, taken_so_far(mailbox));
}

void trp_mailbox_strip(struct trp_mailbox *mailbox) {
  if (mailbox->store == NULL) return;
  pthread_mutex_lock(&mailbox->store->lock);
  ASSERT(trp_mailbox_is_closed(mailbox));
  atomic_fetch_or_explicit(&mailbox->gate, TRP_GATE_BARE, memory_order_relaxed);
  give_back(mailbox);
  pthread_mutex_unlock(&mailbox->store->lock);
}

/* ---- putting ---- */

/* FULL, where the slot of this position still holds a letter of the lap before; true in *stale
 * where others have claimed it since the gate was read. */
static enum trp_err look(struct trp_ring *ring, uint64_t position, bool *stale) {
  uint32_t own = within(ring, position);
  /* Acquire: the owner's reads of the old letters come before our writes. Partner: pop. */
  uint32_t sequence = atomic_load_explicit(&slot_at(ring, own)->sequence, memory_order_acquire);
  uint32_t ahead = wrap((uint64_t)sequence - own);
  *stale = ahead != 0;
  return ahead > TRP_GATE_POSITION_MASK / 2 ? TRP_FULL : TRP_OK;
}

/* Check, admission and claim in one step. A closed mailbox is STOPPED to who was shut out before
 * (the system stops: doors are shut first) and DEAD to everybody else. */
static enum trp_err claim(struct trp_mailbox *mailbox, uint64_t incarnation, bool outside,
                          uint32_t count, uint32_t *position, bool *wake) {
  TRP_INTERLEAVE("ring.put.begin");
  /* Acquire: partners are open (the incarnation's beginnings), close and shut (their reasons). */
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_acquire);
  for (;;) {
    if (gate >> TRP_GATE_INCARNATION_SHIFT != incarnation) return TRP_DEAD;
    if (outside && (gate & TRP_GATE_SHUT) != 0) return TRP_STOPPED;
    if ((gate & TRP_GATE_CLOSED) != 0) return TRP_DEAD;

    TRP_INTERLEAVE("ring.put.ring");
    struct trp_ring *ring = ring_of(mailbox);
    bool stale = ring == NULL || (gate & TRP_GATE_BARE) != 0;
    TRP_INTERLEAVE("ring.put.look");
    enum trp_err err = stale && (gate & TRP_GATE_BARE) != 0 ? attach(mailbox)
                       : stale                              ? TRP_OK
                                                            : look(ring, gate + count - 1, &stale);
    if (err == TRP_FULL && ring_of(mailbox) != ring) err = TRP_OK; /* it was another's ring */
    if (err != TRP_OK) return err;
    if (stale) {
      gate = atomic_load_explicit(&mailbox->gate, memory_order_acquire);
      continue;
    }

    TRP_INTERLEAVE("ring.put.claim");
    uint64_t claimed = (gate & ~(TRP_GATE_PARKED | TRP_GATE_POSITION_MASK)) | wrap(gate + count);
    /* Acquire: partner is park's release; who clears PARKED changes the word that the owner sleeps
     * on only after the owner has read it. */
    if (atomic_compare_exchange_weak_explicit(&mailbox->gate, &gate, claimed, memory_order_acquire,
                                              memory_order_acquire)) {
      *position = wrap(gate);
      *wake = (gate & TRP_GATE_PARKED) != 0;
      return TRP_OK;
    }
  }
}

/* Nearly always true at the first look: see the head of this file. */
static void await_free(struct trp_ring *ring, uint32_t own) {
  struct trp_letter *slot = slot_at(ring, own);
  /* Acquire: partner is pop. */
  for (uint32_t i = 0; atomic_load_explicit(&slot->sequence, memory_order_acquire) != own; i++) {
    TRP_INTERLEAVE("ring.put.await");
    if (i >= SPINS_BEFORE_YIELD) sched_yield();
  }
}

static enum trp_err ring_put(struct trp_mailbox *mailbox, uint64_t incarnation, bool outside,
                             const struct trp_letter *letters, uint32_t count,
                             struct trp_put *result) {
  result->wake = false;
  result->displaced = false;
  if (count == 0) return TRP_OK;
  /* Never fits: who batches splits. */
  if (count > atomic_load_explicit(&mailbox->mask, memory_order_relaxed) + 1) return TRP_FULL;

  uint32_t first = 0;
  enum trp_err err = claim(mailbox, incarnation, outside, count, &first, &result->wake);
  if (err != TRP_OK) return err;
  TRP_INTERLEAVE("ring.put.claimed");
  /* Once more: what was looked at may have been another's by then. From the claim to the letter's
   * being taken out the mailbox is not empty, so this one stays. */
  struct trp_ring *ring = ring_of(mailbox);
  await_free(ring, within(ring, (uint64_t)first + count - 1));

  for (uint32_t i = 0; i < count; i++) {
    uint32_t own = within(ring, first + i);
    struct trp_letter *slot = slot_at(ring, own);
    slot->type = letters[i].type;
    slot->inline_bytes = letters[i].inline_bytes;
    slot->flags = letters[i].flags;
    slot->from = letters[i].from;
    /* All of the body: three vector moves into a line we own beat a branch on what is used. */
    memcpy(&slot->body, &letters[i].body, sizeof slot->body);
    TRP_INTERLEAVE("ring.put.publish");
    /* Release: the letter is whole. Partner: peek. */
    atomic_store_explicit(&slot->sequence, wrap((uint64_t)own + 1), memory_order_release);
  }
  TRP_INTERLEAVE("ring.put.end");
  return TRP_OK;
}

static void sample_depth(struct trp_mailbox *mailbox, uint64_t head) {
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_relaxed);
  trp_mailbox_note_depth(mailbox, wrap(gate - head));
  mailbox->sample_at = head + SAMPLE_EVERY;
}

/* ---- taking out ---- */

static void free_head(struct trp_mailbox *mailbox, struct trp_ring *ring, struct trp_letter *slot,
                      uint64_t head) {
  TRP_INTERLEAVE("ring.pop.count");
  /* Release: partner is the acquire in depth and totals, which then read a position not behind. */
  atomic_store_explicit(&mailbox->head, head + 1, memory_order_release);
  TRP_INTERLEAVE("ring.pop.free");
  /* Release: our reads of the letter are over. Partners: claim and await_free. */
  uint32_t next_lap = wrap((uint64_t)within(ring, head) + mask_of(ring) + 1);
  atomic_store_explicit(&slot->sequence, next_lap, memory_order_release);
}

static const struct trp_letter *ring_peek(struct trp_mailbox *mailbox) {
  struct trp_ring *ring = ring_of(mailbox);
  if (ring == NULL) return NULL;
  for (;;) {
    uint64_t head = taken_so_far(mailbox);
    uint32_t own = within(ring, head);
    struct trp_letter *slot = slot_at(ring, own);
    TRP_INTERLEAVE("ring.peek");
    /* Acquire: partner is the publication in put. */
    uint32_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    if (sequence != wrap((uint64_t)own + 1)) return NULL;
    if (head >= mailbox->sample_at) sample_depth(mailbox, head);
    if ((slot->flags & TRP_LETTER_VOID) == 0) return slot;
    uint64_t voided = atomic_load_explicit(&mailbox->voided, memory_order_relaxed);
    atomic_store_explicit(&mailbox->voided, voided + 1, memory_order_relaxed);
    free_head(mailbox, ring, slot, head);
  }
}

static void ring_pop(struct trp_mailbox *mailbox) {
  uint64_t head = taken_so_far(mailbox);
  struct trp_ring *ring = ring_of(mailbox);
  uint32_t own = within(ring, head);
  struct trp_letter *slot = slot_at(ring, own);
  ASSERT(atomic_load_explicit(&slot->sequence, memory_order_relaxed) == wrap((uint64_t)own + 1));
  free_head(mailbox, ring, slot, head);
}

/* Sets `bits` if nothing waits nor is claimed, and none of `unless` is set: emptiness and the new
 * state in one step.
 * Acquire: partner is unpark's release. Release: partners are unpark and put (see there). */
static bool ring_set_if_empty(struct trp_mailbox *mailbox, uint64_t bits, uint64_t unless) {
  uint32_t head = wrap(taken_so_far(mailbox));
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_relaxed);
  do {
    if (wrap(gate) != head || (gate & unless) != 0) return false;
  } while (!atomic_compare_exchange_weak_explicit(&mailbox->gate, &gate, gate | bits,
                                                  memory_order_acq_rel, memory_order_relaxed));
  return true;
}

static bool park_bare(struct trp_mailbox *mailbox) {
  pthread_mutex_lock(&mailbox->store->lock);
  bool parked = ring_set_if_empty(mailbox, TRP_GATE_PARKED | TRP_GATE_BARE, TRP_GATE_WANTED);
  if (parked) give_back(mailbox);
  pthread_mutex_unlock(&mailbox->store->lock);
  return parked;
}

static bool ring_park(struct trp_mailbox *mailbox) {
  TRP_INTERLEAVE("ring.park");
  /* Before: from the parking on somebody else may be the owner. The first peek sees the burst. */
  mailbox->sample_at = taken_so_far(mailbox);
  bool tight = mailbox->store != NULL && (mailbox->tidy || trp_ring_store_is_tight(mailbox->store));
  mailbox->tidy = false;
  return tight ? park_bare(mailbox) : ring_set_if_empty(mailbox, TRP_GATE_PARKED, TRP_GATE_WANTED);
}

static bool ring_close_if_empty(struct trp_mailbox *mailbox) {
  TRP_INTERLEAVE("ring.close_if_empty");
  return ring_set_if_empty(mailbox, TRP_GATE_CLOSED, 0);
}

static void ring_close(struct trp_mailbox *mailbox) {
  TRP_INTERLEAVE("ring.close");
  /* Release: a sender that is refused sees why. Partner: the gate load in claim. */
  atomic_fetch_or_explicit(&mailbox->gate, TRP_GATE_CLOSED, memory_order_release);
}

static bool ring_drained(struct trp_mailbox *mailbox) {
  TRP_INTERLEAVE("ring.drained");
  /* Relaxed: once closed the position stands still, and head is the owner's own. */
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_relaxed);
  return (gate & TRP_GATE_CLOSED) != 0 && wrap(gate) == wrap(taken_so_far(mailbox));
}

static void ring_open(struct trp_mailbox *mailbox, uint64_t incarnation) {
  ASSERT(ring_drained(mailbox));
  ASSERT(incarnation <= UINT64_MAX >> TRP_GATE_INCARNATION_SHIFT);
  ASSERT(incarnation != trp_mailbox_incarnation(mailbox));
  TRP_INTERLEAVE("ring.open");
  mailbox->sample_at = taken_so_far(mailbox);
  uint64_t gate = incarnation << TRP_GATE_INCARNATION_SHIFT | wrap(taken_so_far(mailbox));
  if (ring_of(mailbox) == NULL) gate |= TRP_GATE_BARE;
  /* Release: who finds the new incarnation finds it set up; partner: the gate load in claim. A swap
   * rather than a store, so that it continues the release sequence of an unpark before it. */
  atomic_exchange_explicit(&mailbox->gate, gate, memory_order_acq_rel);
}

static uint64_t ring_depth(struct trp_mailbox *mailbox) {
  /* Head first, with acquire (partner: free_head), so that the position is not behind it. */
  uint64_t head = atomic_load_explicit(&mailbox->head, memory_order_acquire);
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_relaxed);
  uint64_t depth = wrap(gate - head);
  uint64_t capacity = atomic_load_explicit(&mailbox->mask, memory_order_relaxed) + UINT64_C(1);
  if (depth > capacity) depth = capacity; /* much came between the loads */
  trp_mailbox_note_depth(mailbox, depth);
  return depth;
}

static void ring_fini(struct trp_mailbox *mailbox) {
  ASSERT(ring_depth(mailbox) == 0);
  /* A store's ring is freed with the store. */
  if (mailbox->store == NULL) free(atomic_load_explicit(&mailbox->ring, memory_order_relaxed));
  atomic_store_explicit(&mailbox->ring, NULL, memory_order_relaxed);
}

const struct trp_mailbox_ops trp_mailbox_ring_ops = {
    .put = ring_put,
    .peek = ring_peek,
    .pop = ring_pop,
    .park = ring_park,
    .close_if_empty = ring_close_if_empty,
    .close = ring_close,
    .drained = ring_drained,
    .open = ring_open,
    .depth = ring_depth,
    .fini = ring_fini,
};
