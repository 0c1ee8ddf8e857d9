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
 *   bits 20..0   position of the next claim (ring only), modulo 2^21
 *
 * Synchronisation: put, depth, gate reads: any thread. peek, pop, park, drain, open, close_*: the
 * owner's thread (or whoever owns a slot without a running thread). shut and unpark: any thread. */
#ifndef TRP_RUNTIME_MAILBOX_H
#define TRP_RUNTIME_MAILBOX_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/troupe.h"

struct trp_blob;

enum {
  TRP_GATE_POSITION_BITS = 21,
  TRP_LETTER_BLOB = 0xff, /* letter.inline_bytes: the body is a blob */
  TRP_LETTER_ASK = 1,     /* letter.flags: `from` is an ask token */
  TRP_LETTER_DOOR = 2,    /* letter.flags: came through the nng door */
  TRP_LETTER_VOID = 4     /* letter.flags: claimed but given up; skipped by the owner, uncounted */
};
#define TRP_GATE_POSITION_MASK ((UINT64_C(1) << TRP_GATE_POSITION_BITS) - 1)
#define TRP_GATE_PARKED (UINT64_C(1) << 21)
#define TRP_GATE_SHUT (UINT64_C(1) << 22)
#define TRP_GATE_CLOSED (UINT64_C(1) << 23)
#define TRP_GATE_INCARNATION_SHIFT 24

/* One message in a slot: 64 bytes, a cache line. */
struct trp_letter {
  _Atomic uint32_t sequence; /* the ring's own: position when free, position + 1 when full */
  uint16_t type;
  uint8_t inline_bytes; /* 0..48, or TRP_LETTER_BLOB */
  uint8_t flags;
  uint64_t from; /* the sender's reference, or the token of an ask */
  union {
    alignas(8) unsigned char bytes[TRP_INLINE_BYTES];
    struct trp_blob *blob; /* one reference, owned by the letter */
  } body;
};
_Static_assert(sizeof(struct trp_letter) == 64, "a letter is a cache line");

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
   * incarnation, or closed). For the evicting mailbox count is 1. Thread: any. */
  enum trp_err (*put)(struct trp_mailbox *mailbox, uint64_t incarnation, bool outside,
                      const struct trp_letter *letters, uint32_t count, struct trp_put *result);
  /* The oldest letter, NULL where none is published. Stays until pop. Thread: owner. */
  const struct trp_letter *(*peek)(struct trp_mailbox *mailbox);
  /* Removes the letter last peeked (the caller releases its blob). Thread: owner. */
  void (*pop)(struct trp_mailbox *mailbox);
  /* Sets PARKED if nothing waits; false where mail has come. Thread: owner. */
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
  struct trp_letter *slots;
  uint32_t mask; /* capacity - 1 */
  enum trp_policy policy;
  trp_key_fn *key;
  struct trp_evict *evict;           /* mailbox_evict.c's own; NULL in a ring */
  alignas(64) _Atomic uint64_t head; /* owner's line: messages taken out so far, all incarnations;
                                        written by the owner only */
  _Atomic uint64_t voided;           /* of them claimed but given up, not counted as accepted */
  _Atomic uint64_t depth_max;        /* sampled by the owner at peek and by who reads depth */
  uint64_t sample_at;                /* the ring's own: the head at which peek samples again */
};

/* Sets up a closed, empty mailbox with incarnation 0. `options` with defaults filled in by the
 * callee. Errors: INVALID, NO_MEMORY. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_mailbox_init(struct trp_mailbox *mailbox,
                                           const struct trp_mailbox_options *options);

/* Refuses outside senders from now on. Thread: any. */
void trp_mailbox_shut(struct trp_mailbox *mailbox);

/* Clears PARKED; true where it was set: the caller must wake the owner. Thread: any. */
bool trp_mailbox_unpark(struct trp_mailbox *mailbox);

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
