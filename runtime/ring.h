/* ring.h - the memory of a ring mailbox, and the store from which the pool's mailboxes take it on
 * their first mail and to which they give it back when they have none.
 *
 * A ring remembers where it is: `delta` is what is to be added to a mailbox's position to get the
 * ring's own, so that a ring that was given back empty serves the next mailbox as it is, whatever
 * position that one has reached.
 *
 * The addresses of a store's rings stay good while the store lives: a sender that was overtaken may
 * still look at one (it finds out in the gate word before it writes). Synchronisation: the store's
 * lock for take and give; attached bytes may be read by any thread. */
#ifndef TRP_RUNTIME_RING_H
#define TRP_RUNTIME_RING_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/letter.h"

struct trp_mailbox;

enum {
  TRP_RING_POSITION_BITS = 19,
  TRP_RING_SIZES = 18,                /* capacities of 1 to 2^17 */
  TRP_RING_KEPT_BYTES = 4 * 1048576,  /* so much may stay with mailboxes that are idle for long */
  TRP_RING_TIGHT_BYTES = 64 * 1048576 /* above it rings go back whenever a mailbox is empty */
};
#define TRP_RING_POSITION_MASK ((UINT32_C(1) << TRP_RING_POSITION_BITS) - 1)

struct trp_ring {
  _Atomic uint32_t mask;        /* capacity - 1; zero while its memory is with the kernel */
  _Atomic uint32_t delta;       /* written while no mailbox has it */
  struct trp_ring *next, *prev; /* in its chunk's unused ones, or in the store's attached ones */
  struct trp_ring_chunk *chunk; /* NULL: of its own */
  struct trp_mailbox *owner;    /* while attached */
  uint64_t seen;                /* of the owner's mail, when the store last looked */
  alignas(64) struct trp_letter slots[];
};

/* A ring of its own, to be freed with free. NULL without memory. */
struct trp_ring *trp_ring_new(uint32_t capacity);

struct trp_ring_store {
  pthread_mutex_t lock;
  struct trp_ring_chunk *chunks[TRP_RING_SIZES]; /* by the logarithm of the capacity */
  struct trp_ring_chunk *roomy[TRP_RING_SIZES];  /* of them, those with unused rings */
  struct trp_ring *attached, *look;              /* the last first; where to look for idle ones */
  _Atomic size_t attached_bytes;                 /* of rings that mailboxes have */
};

void trp_ring_store_init(struct trp_ring_store *store);
void trp_ring_store_fini(struct trp_ring_store *store);

/* Under the store's lock. `position`: where the mailbox is, which the ring is set to. NULL without
 * memory. */
struct trp_ring *trp_ring_take(struct trp_ring_store *store, struct trp_mailbox *owner,
                               uint32_t capacity, uint64_t position);
/* Empty, the mailbox being at `position`. */
void trp_ring_give(struct trp_ring_store *store, struct trp_ring *ring, uint64_t position);

/* Where more is attached than may stay with idle mailboxes: of the next `max` rings the owners
 * whose mail has not moved since they were looked at last. They are to be told (trp_mailbox.tidy).
 * *round: all have been looked at. Thread: one. */
size_t trp_ring_store_idle(struct trp_ring_store *store, struct trp_mailbox **out, size_t max,
                           bool *round);

/* More is attached than may stay with idle mailboxes. Thread: any. */
static inline bool trp_ring_store_is_full(struct trp_ring_store *store) {
  return atomic_load_explicit(&store->attached_bytes, memory_order_relaxed) > TRP_RING_KEPT_BYTES;
}

/* Gives the memory of chunks of which nothing is attached back to the kernel; they stay where they
 * are, and are set up anew when they are needed. Thread: any. */
void trp_ring_store_trim(struct trp_ring_store *store);

/* So much is attached that none may be kept. Thread: any. */
static inline bool trp_ring_store_is_tight(struct trp_ring_store *store) {
  return atomic_load_explicit(&store->attached_bytes, memory_order_relaxed) > TRP_RING_TIGHT_BYTES;
}

static inline uint32_t trp_ring_wrap(uint64_t position) {
  return (uint32_t)position & TRP_RING_POSITION_MASK;
}

#endif
