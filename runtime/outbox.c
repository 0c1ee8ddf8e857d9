#include "runtime/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/actor.h"
#include "runtime/blob.h"
#include "runtime/door.h"

void trp_waiter_list(struct trp_actor *receiver, struct trp_waiter *waiter) {
  pthread_mutex_lock(&receiver->lock);
  if (!waiter->listed) {
    waiter->listed = true;
    waiter->prev = NULL;
    waiter->next = receiver->waiters;
    if (waiter->next != NULL) waiter->next->prev = waiter;
    receiver->waiters = waiter;
  }
  /* Who waits looks for room once more after this; the receiver looks here after making room. Both
   * exchange, so that whoever comes second sees what the first did before. */
  atomic_exchange_explicit(&receiver->room_wanted, 1, memory_order_acq_rel);
  pthread_mutex_unlock(&receiver->lock);
}

void trp_waiter_unlist(struct trp_actor *receiver, struct trp_waiter *waiter) {
  pthread_mutex_lock(&receiver->lock);
  if (waiter->listed) {
    if (waiter->prev != NULL) waiter->prev->next = waiter->next;
    if (waiter->prev == NULL) receiver->waiters = waiter->next;
    if (waiter->next != NULL) waiter->next->prev = waiter->prev;
    waiter->listed = false;
  }
  pthread_mutex_unlock(&receiver->lock);
}

void trp_outbox_made_room(struct trp_actor *receiver) {
  if (atomic_exchange_explicit(&receiver->room_wanted, 0, memory_order_acq_rel) == 0) return;
  bool door = false;
  pthread_mutex_lock(&receiver->lock);
  while (receiver->waiters != NULL) {
    struct trp_waiter *waiter = receiver->waiters;
    receiver->waiters = waiter->next;
    if (waiter->next != NULL) waiter->next->prev = NULL;
    waiter->listed = false;
    if (waiter->sender == NULL) {
      door = true;
    } else {
      trp_actor_signal(waiter->sender, TRP_SIGNAL_ROOM);
    }
  }
  pthread_mutex_unlock(&receiver->lock);
  if (door && receiver->door != NULL) trp_door_resume(receiver->door);
}

static struct trp_parcel *new_parcel(struct trp_actor *sender) {
  struct trp_outbox *outbox = &sender->self.outbox;
  uint32_t room = trp_spec_of(sender)->outbox_max;
  if (outbox->parcels == NULL) {
    outbox->parcels = calloc(room, sizeof *outbox->parcels);
    if (outbox->parcels == NULL) return NULL;
    for (uint32_t i = room; i-- > 0;) {
      outbox->parcels[i].next = outbox->unused;
      outbox->unused = &outbox->parcels[i];
    }
  }
  struct trp_parcel *parcel = outbox->unused;
  outbox->unused = parcel->next;
  return parcel;
}

enum trp_err trp_outbox_keep(struct trp_actor *sender, struct trp_ref to,
                             const struct trp_letter *letter) {
  struct trp_outbox *outbox = &sender->self.outbox;
  if (outbox->count == trp_spec_of(sender)->outbox_max) return TRP_OUTBOX_FULL;
  struct trp_parcel *parcel = new_parcel(sender);
  if (parcel == NULL) return TRP_NO_MEMORY;
  memset(parcel, 0, sizeof *parcel);
  parcel->to = to;
  memcpy(&parcel->letter, letter, sizeof parcel->letter);
  parcel->waiter.sender = sender;
  if (outbox->last != NULL) outbox->last->next = parcel;
  if (outbox->last == NULL) outbox->first = parcel;
  outbox->last = parcel;
  outbox->count++;
  /* The flush at the end of this turn lists it at the receiver. */
  atomic_fetch_or_explicit(&sender->signals, TRP_SIGNAL_ROOM, memory_order_relaxed);
  return TRP_OK;
}

bool trp_outbox_holds_for(const struct trp_actor *sender, struct trp_ref to) {
  for (struct trp_parcel *p = sender->self.outbox.first; p != NULL; p = p->next) {
    if (trp_ref_equal(p->to, to)) return true;
  }
  return false;
}

uint32_t trp_outbox_depth(const struct trp_self *self) { return self->outbox.count; }

/* True where an earlier parcel for the same receiver still waits: order is kept. */
static bool behind(const struct trp_outbox *outbox, const struct trp_parcel *parcel) {
  for (struct trp_parcel *p = outbox->first; p != parcel; p = p->next) {
    if (trp_ref_equal(p->to, parcel->to)) return true;
  }
  return false;
}

/* Tries one parcel; true where it is gone (delivered, or refused for good). */
static bool try_parcel(struct trp_actor *sender, struct trp_actor *to, struct trp_parcel *parcel) {
  enum trp_err err = trp_mail_put(to, trp_ref_incarnation(parcel->to), false, &parcel->letter);
  if (err == TRP_FULL) return false;
  if (err != TRP_OK) {
    trp_mail_refused(to, err);
    trp_letter_release(sender->system, &parcel->letter, err);
  }
  return true;
}

static bool send_or_list(struct trp_actor *sender, struct trp_parcel *parcel) {
  struct trp_actor *to = trp_actor_find(sender->system, parcel->to);
  if (!try_parcel(sender, to, parcel)) {
    trp_waiter_list(to, &parcel->waiter);
    if (!try_parcel(sender, to, parcel)) return false; /* room may have come before the listing */
  }
  trp_waiter_unlist(to, &parcel->waiter);
  return true;
}

bool trp_outbox_flush(struct trp_actor *sender) {
  struct trp_outbox *outbox = &sender->self.outbox;
  struct trp_parcel *last = NULL, *next;
  for (struct trp_parcel *parcel = outbox->first; parcel != NULL; parcel = next) {
    next = parcel->next;
    if (behind(outbox, parcel) || !send_or_list(sender, parcel)) {
      last = parcel;
      continue;
    }
    if (last != NULL) last->next = next;
    if (last == NULL) outbox->first = next;
    parcel->next = outbox->unused;
    outbox->unused = parcel;
    outbox->count--;
  }
  outbox->last = last;
  return outbox->count == 0;
}

void trp_outbox_drop(struct trp_actor *sender, enum trp_refusal why) {
  struct trp_outbox *outbox = &sender->self.outbox;
  for (struct trp_parcel *parcel = outbox->first; parcel != NULL; parcel = parcel->next) {
    struct trp_actor *to = trp_actor_find(sender->system, parcel->to);
    trp_waiter_unlist(to, &parcel->waiter);
    atomic_fetch_add_explicit(&to->refused[why], 1, memory_order_relaxed);
    trp_letter_release(sender->system, &parcel->letter, TRP_STOPPED);
  }
  free(outbox->parcels);
  memset(outbox, 0, sizeof *outbox);
}
