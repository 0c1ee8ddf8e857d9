#include "runtime/mailbox.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/explore.h"

enum { CAPACITY_DEFAULT = 1024, CAPACITY_MIN = 2, CAPACITY_MAX = 131072 };

/* A sequence is told from its neighbours of two laps on either side by 19 bits. */
_Static_assert(4 * CAPACITY_MAX <= 1 << TRP_GATE_POSITION_BITS, "sequences stay unambiguous");
_Static_assert(TRP_GATE_WANTED == TRP_GATE_POSITION_MASK + 1, "the gate's fields adjoin");
_Static_assert(sizeof(struct trp_mailbox) == 192, "three cache lines");

static uint32_t round_up(uint32_t capacity) {
  if (capacity == 0) return CAPACITY_DEFAULT;
  uint32_t rounded = CAPACITY_MIN;
  while (rounded < capacity) rounded *= 2;
  return rounded;
}

static bool valid(const struct trp_mailbox_options *options) {
  if (options->capacity > CAPACITY_MAX) return false;
  switch (options->policy) {
    case TRP_REJECT:
    case TRP_WAIT:
    case TRP_DROP_OLDEST:
      return true;
    case TRP_CONFLATE:
      return options->key != NULL;
  }
  return false;
}

static bool is_ring(enum trp_policy policy) { return policy == TRP_REJECT || policy == TRP_WAIT; }

static void set_options(struct trp_mailbox *mailbox, const struct trp_mailbox_options *options,
                        uint32_t capacity) {
  /* Relaxed: it limits what is told of the depth, nothing else. */
  atomic_store_explicit(&mailbox->mask, capacity - 1, memory_order_relaxed);
  mailbox->policy = options->policy;
  mailbox->key = options->key;
}

enum trp_err trp_mailbox_init(struct trp_mailbox *mailbox,
                              const struct trp_mailbox_options *options) {
  memset(mailbox, 0, sizeof *mailbox);
  if (!valid(options)) return TRP_INVALID;

  uint32_t capacity = round_up(options->capacity);
  set_options(mailbox, options, capacity);
  atomic_init(&mailbox->gate, TRP_GATE_CLOSED);
  if (is_ring(options->policy)) {
    mailbox->ops = &trp_mailbox_ring_ops;
    atomic_init(&mailbox->ring, trp_ring_new(capacity));
    return mailbox->ring == NULL ? TRP_NO_MEMORY : TRP_OK;
  }
  mailbox->ops = &trp_mailbox_evict_ops;
  mailbox->slots = aligned_alloc(64, capacity * sizeof *mailbox->slots);
  enum trp_err err = mailbox->slots == NULL ? TRP_NO_MEMORY : trp_evict_init(mailbox);
  if (err == TRP_OK) return TRP_OK;
  free(mailbox->slots);
  memset(mailbox, 0, sizeof *mailbox);
  return err;
}

enum trp_err trp_mailbox_init_small(struct trp_mailbox *mailbox,
                                    const struct trp_mailbox_options *options,
                                    struct trp_ring_store *store) {
  if (!is_ring(options->policy)) return trp_mailbox_init(mailbox, options);
  memset(mailbox, 0, sizeof *mailbox);
  mailbox->store = store;
  mailbox->ops = &trp_mailbox_ring_ops;
  atomic_init(&mailbox->gate, TRP_GATE_CLOSED | TRP_GATE_BARE);
  return trp_mailbox_renew(mailbox, options);
}

enum trp_err trp_mailbox_renew(struct trp_mailbox *mailbox,
                               const struct trp_mailbox_options *options) {
  if (!valid(options) || !is_ring(options->policy)) return TRP_INVALID;
  uint32_t capacity = round_up(options->capacity);
  trp_mailbox_strip(mailbox);
  set_options(mailbox, options, capacity);
  return TRP_OK;
}

void trp_mailbox_shut(struct trp_mailbox *mailbox) {
  /* Release: a sender that is told STOPPED sees why. Partner: the gate load in put. */
  atomic_fetch_or_explicit(&mailbox->gate, TRP_GATE_SHUT, memory_order_release);
  TRP_INTERLEAVE("shut.settle");
  if (mailbox->evict != NULL) trp_evict_settle(mailbox);
}

bool trp_mailbox_unpark(struct trp_mailbox *mailbox) {
  /* Always a read-modify-write, also where the bit is clear. Its release pairs with the acquire of
   * park's: if the owner parks after this, it sees whatever the caller set before (a flag, a
   * delivery node) and does not sleep. Its acquire pairs with park's release: what the owner read
   * before it parked (the word it sleeps on) it read before we change it. */
  uint64_t before =
      atomic_fetch_and_explicit(&mailbox->gate, ~TRP_GATE_PARKED, memory_order_acq_rel);
  return (before & TRP_GATE_PARKED) != 0;
}

void trp_mailbox_want_room(struct trp_mailbox *mailbox) {
  /* Acquire: where the owner has parked before (its release), the room it made is seen by the look
   * that follows. Where it has not, it does not park before it has seen this. */
  atomic_fetch_or_explicit(&mailbox->gate, TRP_GATE_WANTED, memory_order_acq_rel);
}

void trp_mailbox_room_is_told(struct trp_mailbox *mailbox) {
  atomic_fetch_and_explicit(&mailbox->gate, ~TRP_GATE_WANTED, memory_order_acq_rel);
}

uint64_t trp_mailbox_incarnation(const struct trp_mailbox *mailbox) {
  /* Acquire: partner is open's release. */
  return atomic_load_explicit(&mailbox->gate, memory_order_acquire) >> TRP_GATE_INCARNATION_SHIFT;
}

bool trp_mailbox_is_closed(const struct trp_mailbox *mailbox) {
  /* Acquire: partner is close's release. */
  return (atomic_load_explicit(&mailbox->gate, memory_order_acquire) & TRP_GATE_CLOSED) != 0;
}

void trp_mailbox_note_depth(struct trp_mailbox *mailbox, uint64_t depth) {
  /* Relaxed: a statistic, ordered with nothing. */
  uint64_t max = atomic_load_explicit(&mailbox->depth_max, memory_order_relaxed);
  while (depth > max &&
         !atomic_compare_exchange_weak_explicit(&mailbox->depth_max, &max, depth,
                                                memory_order_relaxed, memory_order_relaxed)) {
  }
}

void trp_mailbox_totals(struct trp_mailbox *mailbox, struct trp_mailbox_totals *out) {
  if (mailbox->evict != NULL) {
    trp_evict_totals(mailbox, out);
    return;
  }
  /* Head first, with acquire (partner: pop's release of head), so that the position read after it
   * is not behind it: a letter was claimed before it was taken. */
  uint64_t head = atomic_load_explicit(&mailbox->head, memory_order_acquire);
  uint64_t voided = atomic_load_explicit(&mailbox->voided, memory_order_relaxed);
  uint64_t gate = atomic_load_explicit(&mailbox->gate, memory_order_relaxed);
  *out = (struct trp_mailbox_totals){
      .accepted = head + ((gate - head) & TRP_GATE_POSITION_MASK) - voided,
      .taken = head - voided,
  };
}
