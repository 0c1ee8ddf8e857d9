/* outbox.h - messages that wait for room in a full mailbox under TRP_WAIT, kept by their sender.
 *
 * Bounded; in order for each receiver. While one waits the sender gets no data turn. The first
 * entry for a full receiver is listed there (under the receiver's lock); when room is made the
 * sender is signalled and flushes. Thread: owner; `made_room` by the receiver. */
#ifndef TRP_RUNTIME_OUTBOX_H
#define TRP_RUNTIME_OUTBOX_H

#include "runtime/mailbox.h"

struct trp_actor;

struct trp_waiter {         /* listed at the receiver, under its lock */
  struct trp_actor *sender; /* NULL: the receiver's own door */
  struct trp_waiter *next, *prev;
  bool listed;
};

struct trp_parcel {
  struct trp_ref to;
  struct trp_letter letter;
  struct trp_waiter waiter; /* the parcel never moves: it may be listed at the receiver */
  bool was_listed;          /* it has been, and may be still */
  struct trp_parcel *next;
};

/* Made at the first message that has to wait: most actors never have one. */
struct trp_parcels {
  struct trp_parcel *first, *last; /* those that wait, oldest first */
  struct trp_parcel *unused;
  struct trp_parcel parcel[];
};

struct trp_outbox {
  struct trp_parcels *box; /* NULL: none yet */
  uint32_t count;
};

/* Keeps a letter for later. Errors: OUTBOX_FULL, NO_MEMORY. Takes the blob on success only. */
TRP_MUST_USE enum trp_err trp_outbox_keep(struct trp_actor *sender, struct trp_ref to,
                                          const struct trp_letter *letter);
bool trp_outbox_holds_for(const struct trp_actor *sender, struct trp_ref to);

/* Sends what can be sent; true where nothing waits any more. */
bool trp_outbox_flush(struct trp_actor *sender);

/* Drops all (counted at the receivers as refused: `why`) and frees. */
void trp_outbox_drop(struct trp_actor *sender, enum trp_refusal why);

/* Wakes those who wait for room at this receiver. Thread: the receiver. */
void trp_outbox_made_room(struct trp_actor *receiver);

/* Lists or unlists a waiter at a receiver. */
void trp_waiter_list(struct trp_actor *receiver, struct trp_waiter *waiter);
void trp_waiter_unlist(struct trp_actor *receiver, struct trp_waiter *waiter);

#endif
