#include "runtime/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/actor.h"
#include "runtime/blob.h"
#include "runtime/door.h"
#include "runtime/host.h"
#include "runtime/system.h"

void trp_waiter_list(struct trp_actor *receiver, struct trp_waiter *waiter) {
  pthread_mutex_lock(&receiver->lock);
  if (!waiter->listed) {
    waiter->listed = true;
    waiter->prev = NULL;
    waiter->next = receiver->waiters;
    if (waiter->next != NULL) waiter->next->prev = waiter;
    receiver->waiters = waiter;
  }
  trp_mailbox_want_room(&receiver->mailbox); /* who waits looks for room once more after this */
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
  bool door = false;
  trp_mailbox_room_is_told(&receiver->mailbox); /* first: who lists itself from here on says so */
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

static bool make_box(struct trp_actor *sender) {
  struct trp_outbox *outbox = &sender->self.outbox;
  uint32_t room = trp_spec_of(sender)->outbox_max;
  if (outbox->box != NULL) return true;
  outbox->box = calloc(1, sizeof *outbox->box + room * sizeof outbox->box->parcel[0]);
  if (outbox->box == NULL) return false;
  for (uint32_t i = room; i-- > 0;) {
    outbox->box->parcel[i].next = outbox->box->unused;
    outbox->box->unused = &outbox->box->parcel[i];
  }
  return true;
}

enum trp_err trp_outbox_keep(struct trp_actor *sender, struct trp_ref to,
                             const struct trp_letter *letter) {
  struct trp_outbox *outbox = &sender->self.outbox;
  if (outbox->count == trp_spec_of(sender)->outbox_max) return TRP_OUTBOX_FULL;
  if (!make_box(sender)) return TRP_NO_MEMORY;
  struct trp_parcels *box = outbox->box;
  struct trp_parcel *parcel = box->unused;
  box->unused = parcel->next;
  parcel->to = to;
  parcel->next = NULL;
  memcpy(&parcel->letter, letter, sizeof parcel->letter);
  parcel->waiter = (struct trp_waiter){.sender = sender};
  parcel->was_listed = false;
  if (box->last != NULL) box->last->next = parcel;
  if (box->last == NULL) box->first = parcel;
  box->last = parcel;
  /* The flush at the end of this turn lists it at the receiver. */
  if (outbox->count++ > 0) return TRP_OK;
  atomic_fetch_or_explicit(&sender->signals, TRP_SIGNAL_ROOM, memory_order_relaxed);
  return TRP_OK;
}

bool trp_outbox_holds_for(const struct trp_actor *sender, struct trp_ref to) {
  if (sender->self.outbox.count == 0) return false;
  for (struct trp_parcel *p = sender->self.outbox.box->first; p != NULL; p = p->next) {
    if (trp_ref_equal(p->to, to)) return true;
  }
  return false;
}

uint32_t trp_outbox_depth(const struct trp_self *self) {
  struct trp_host *host = self->actor->system->host;
  return host != NULL ? trp_host_depth(host) : self->outbox.count;
}

/* True where an earlier parcel for the same receiver still waits: order is kept. */
static bool behind(const struct trp_parcels *box, const struct trp_parcel *parcel) {
  for (struct trp_parcel *p = box->first; p != parcel; p = p->next) {
    if (trp_ref_equal(p->to, parcel->to)) return true;
  }
  return false;
}

/* The letters of this parcel and of those right behind it that go the same way. */
static uint32_t gather(const struct trp_parcel *parcel, struct trp_letter *letters) {
  uint32_t count = 0;
  struct trp_ref to = parcel->to;
  for (; parcel != NULL && count < TRP_STAGE_ROOM && trp_ref_equal(parcel->to, to);
       parcel = parcel->next) {
    memcpy(&letters[count++], &parcel->letter, sizeof letters[0]);
  }
  return count;
}

/* How many of these are gone (delivered, or refused for good). */
static uint32_t try_letters(struct trp_actor *sender, struct trp_actor *to, struct trp_ref ref,
                            struct trp_letter *letters, uint32_t count) {
  enum trp_err err = TRP_OK;
  uint32_t gone = trp_stage_put(to, trp_ref_incarnation(ref), false, letters, count, &err);
  if (gone > 0 || err == TRP_FULL) return gone;
  for (uint32_t i = 0; i < count; i++) {
    trp_mail_refused(to, err);
    trp_letter_release(sender->system, &letters[i], err);
  }
  return count;
}

/* As many as can go from this parcel on; 0 where it has to wait, and it is listed then. */
static uint32_t send_or_list(struct trp_actor *sender, struct trp_parcel *parcel) {
  struct trp_letter letters[TRP_STAGE_ROOM];
  struct trp_actor *to = trp_actor_find(sender->system, parcel->to);
  uint32_t count = gather(parcel, letters);
  uint32_t gone = try_letters(sender, to, parcel->to, letters, count);
  if (gone == 0) {
    parcel->was_listed = true;
    trp_waiter_list(to, &parcel->waiter);
    gone = try_letters(sender, to, parcel->to, letters, count); /* room may have come before that */
  }
  if (gone > 0 && parcel->was_listed) trp_waiter_unlist(to, &parcel->waiter);
  return gone;
}

bool trp_outbox_flush(struct trp_actor *sender) {
  struct trp_outbox *outbox = &sender->self.outbox;
  struct trp_parcels *box = outbox->box;
  if (outbox->count == 0) return true;
  struct trp_parcel *last = NULL, *parcel = box->first;
  while (parcel != NULL) {
    uint32_t gone = behind(box, parcel) ? 0 : send_or_list(sender, parcel);
    if (gone == 0) {
      last = parcel;
      parcel = parcel->next;
      continue;
    }
    for (; gone > 0; gone--) {
      struct trp_parcel *next = parcel->next;
      if (last != NULL) last->next = next;
      if (last == NULL) box->first = next;
      parcel->next = box->unused;
      box->unused = parcel;
      outbox->count--;
      parcel = next;
    }
  }
  box->last = last;
  return outbox->count == 0;
}

void trp_outbox_drop(struct trp_actor *sender, enum trp_refusal why) {
  struct trp_outbox *outbox = &sender->self.outbox;
  struct trp_parcel *first = outbox->box != NULL ? outbox->box->first : NULL;
  for (struct trp_parcel *parcel = first; parcel != NULL; parcel = parcel->next) {
    struct trp_actor *to = trp_actor_find(sender->system, parcel->to);
    if (parcel->was_listed) trp_waiter_unlist(to, &parcel->waiter);
    atomic_fetch_add_explicit(&to->refused[why], 1, memory_order_relaxed);
    trp_letter_release(sender->system, &parcel->letter, TRP_STOPPED);
  }
  free(outbox->box);
  memset(outbox, 0, sizeof *outbox);
}
