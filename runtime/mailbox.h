/* mailbox.h - where an actor's mail waits: bounded, counted, many senders, one owner.
 *
 * Two implementations behind one table of operations and one conformance suite: a lock-free ring
 * (mailbox_ring.c: REJECT and WAIT) and an evicting one under a short bounded mutex
 * (mailbox_evict.c: DROP_OLDEST and CONFLATE). The slot owns the mailbox through all incarnations.
 *
 * The gate word says in one place who may put and where: a sender's compare-and-swap on it is
 * check, admission and claim in one step, so mail can never land in another incarnation than was
 * meant.
 *
 *   bits 63..24  incarnation (40)
 *   bit  23      CLOSED   nobody is admitted
 *   bit  22      SHUT     senders from outside the system are not admitted
 *   bit  21      PARKED   the owner sleeps; who clears the bit wakes it
 *   bit  20      BARE     there is no ring: who wants to put must first get one from the store
 *   bit  19      WANTED   somebody waits for room: the owner does not sleep before it has said so
 *   bits 18..0   position of the next claim (ring only), modulo 2^19
 *
 * Synchronisation: put, depth, gate reads: any thread. peek, pop, park, drain, open, close_*: the
 * owner's thread (or whoever owns a slot without a running thread). shut and unpark: any thread. */
#ifndef TRP_RUNTIME_MAILBOX_H
#define TRP_RUNTIME_MAILBOX_H

#include "runtime/ring.h"

enum { TRP_GATE_POSITION_BITS = TRP_RING_POSITION_BITS };
#define TRP_GATE_POSITION_MASK ((UINT64_C(1) << TRP_GATE_POSITION_BITS) - 1)
#define TRP_GATE_WANTED (UINT64_C(1) << 19)
#define TRP_GATE_BARE (UINT64_C(1) << 20)
#define TRP_GATE_PARKED (UINT64_C(1) << 21)
#define TRP_GATE_SHUT (UINT64_C(1) << 22)
#define TRP_GATE_CLOSED (UINT64_C(1) << 23)
#define TRP_GATE_INCARNATION_SHIFT 24

struct trp_mailbox;

/* What a put did beside succeeding or failing. */
struct trp_put {
  bool wake;      /* the owner was parked: the caller must wake it */
  bool displaced; /* `out` is a letter that was evicted or conflated away: the caller
                     releases what it holds (blob, ask) */
  struct trp_letter out;
};

struct trp_mailbox_ops {
  /* Copies `count` letters in, all or none, in order. Takes over their blobs on success only.
   * Errors: FULL (ring), STOPPED (shut or closed by stop, and `outside`), DEAD (another
   * incarnation, or closed), NO_MEMORY (for a ring). For the evicting mailbox count is 1. Thread:
   * any. */
  enum trp_err (*put)(struct trp_mailbox *mailbox, uint64_t incarnation, bool outside,
                      const struct trp_letter *letters, uint32_t count, struct trp_put *result);
  /* The oldest letter, NULL where none is published. Stays until pop. Thread: owner. */
  const struct trp_letter *(*peek)(struct trp_mailbox *mailbox);
  /* Removes the letter last peeked (the caller releases its blob). Thread: owner. */
  void (*pop)(struct trp_mailbox *mailbox);
  /* Sets PARKED if nothing waits; false where mail has come, or room is wanted. Thread: owner. */
  bool (*park)(struct trp_mailbox *mailbox);
  /* CLOSED if and only if nothing waits (or is claimed): closing and emptiness in one step.
   * Thread: owner. */
  bool (*close_if_empty)(struct trp_mailbox *mailbox);
  /* CLOSED at once. What is inside stays to be peeked and popped; letters claimed before are waited
   * for by peek's caller through drained(). Thread: owner or the slot's keeper. */
  void (*close)(struct trp_mailbox *mailbox);
  /* After close: true once nothing is inside and nothing is claimed. Thread: owner. */
  bool (*drained)(struct trp_mailbox *mailbox);
  /* Opens an empty closed mailbox for an incarnation. Thread: the slot's keeper. */
  void (*open)(struct trp_mailbox *mailbox, uint64_t incarnation);
  uint64_t (*depth)(struct trp_mailbox *mailbox); /* Thread: any; nearly true */
  void (*fini)(struct trp_mailbox *mailbox);      /* must be empty. Thread: the slot's keeper */
};

/* Embedded in the actor's block, which is type-stable. Three cache lines: the one that senders
 * fight for, the one that everybody only reads, and the one that the owner alone writes; so the
 * owner takes mail out without touching the senders' line. */
struct trp_mailbox {
  alignas(64) _Atomic uint64_t gate;             /* senders' line */
  alignas(64) const struct trp_mailbox_ops *ops; /* constant from init to fini */
  _Atomic(struct trp_ring *) ring;               /* the ring's; NULL while BARE */
  struct trp_ring_store *store; /* where it comes from; NULL: it has one of its own */
  struct trp_letter *slots;     /* the evicting one's */
  _Atomic uint32_t mask;        /* capacity - 1 */
  enum trp_policy policy;
  trp_key_fn *key;
  struct trp_evict *evict;           /* mailbox_evict.c's own; NULL in a ring */
  alignas(64) _Atomic uint64_t head; /* owner's line: messages taken out so far, all incarnations;
                                        written by the owner only */
  _Atomic uint64_t voided;           /* of them claimed but given up, not counted as accepted */
  _Atomic uint64_t depth_max;        /* sampled by the owner at peek and by who reads depth */
  uint64_t sample_at;                /* the ring's own: the head at which peek samples again */
  bool tidy;                         /* the ring goes back at the next sleep; the owner's */
};

/* Sets up a closed, empty mailbox with incarnation 0. `options` with defaults filled in by the
 * callee. Errors: INVALID, NO_MEMORY. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_mailbox_init(struct trp_mailbox *mailbox,
                                           const struct trp_mailbox_options *options);

/* The same, but a ring comes from the store with the first mail, and goes back when there is none
 * and the store is tight. */
TRP_MUST_USE enum trp_err trp_mailbox_init_small(struct trp_mailbox *mailbox,
                                                 const struct trp_mailbox_options *options,
                                                 struct trp_ring_store *store);

/* A closed and empty small ring mailbox gives its ring back, and gets other options of the same
 * kind. Errors: INVALID. Thread: the slot's keeper. */
TRP_MUST_USE enum trp_err trp_mailbox_renew(struct trp_mailbox *mailbox,
                                            const struct trp_mailbox_options *options);
void trp_mailbox_strip(struct trp_mailbox *mailbox); /* gives the ring back, if it has one */

/* Refuses outside senders from now on. Thread: any. */
void trp_mailbox_shut(struct trp_mailbox *mailbox);

/* Clears PARKED; true where it was set: the caller must wake the owner. Thread: any. */
bool trp_mailbox_unpark(struct trp_mailbox *mailbox);

/* Says that somebody waits for room, before looking for room once more. Thread: any. */
void trp_mailbox_want_room(struct trp_mailbox *mailbox);

/* True where somebody does, and has said so before the owner's last look. Thread: owner. */
static inline bool trp_mailbox_room_is_wanted(const struct trp_mailbox *mailbox) {
  /* Relaxed: seen late is no harm, park looks again. */
  return (atomic_load_explicit(&mailbox->gate, memory_order_relaxed) & TRP_GATE_WANTED) != 0;
}
void trp_mailbox_room_is_told(struct trp_mailbox *mailbox); /* takes the mark away */

uint64_t trp_mailbox_incarnation(const struct trp_mailbox *mailbox); /* Thread: any */
bool trp_mailbox_is_closed(const struct trp_mailbox *mailbox);       /* Thread: any */

/* Totals over all incarnations, for the ledger. accepted counts claims. Thread: any; exact once
 * the mailbox is closed and drained. */
struct trp_mailbox_totals {
  uint64_t accepted, taken, evicted, conflated;
};
void trp_mailbox_totals(struct trp_mailbox *mailbox, struct trp_mailbox_totals *out);

/* The two tables (for the conformance suite and trp_mailbox_init), and what mailbox.c and they
 * share. */
extern const struct trp_mailbox_ops trp_mailbox_ring_ops;
extern const struct trp_mailbox_ops trp_mailbox_evict_ops;
TRP_MUST_USE enum trp_err trp_evict_init(struct trp_mailbox *mailbox);
void trp_evict_settle(struct trp_mailbox *mailbox); /* waits until puts under way have ended */
void trp_evict_totals(struct trp_mailbox *mailbox, struct trp_mailbox_totals *out);
void trp_mailbox_note_depth(struct trp_mailbox *mailbox, uint64_t depth); /* raises depth_max */

#endif
