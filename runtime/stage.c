#include "runtime/stage.h"

#include "runtime/actor.h"
#include "runtime/sched.h"

static struct trp_stage_letters *here(void) { return &trp_turning.stage; }

/* Nothing is staged that an outbox could not take over. */
static bool outbox_has_room(struct trp_actor *sender, uint32_t letters) {
  return sender->self.outbox.count + letters <= trp_spec_of(sender)->outbox_max;
}

static bool begin(struct trp_actor *sender, struct trp_actor *receiver, struct trp_ref to) {
  struct trp_stage_letters *stage = here();
  if (stage->count > 0) trp_stage_flush(sender);
  if (trp_spec_of(receiver)->mailbox.policy != TRP_WAIT || receiver == sender) return false;
  /* Who is dead is told so at once; who dies until the turn's end is found out then. */
  uint64_t gate = atomic_load_explicit(&receiver->mailbox.gate, memory_order_relaxed);
  bool open = (gate & TRP_GATE_CLOSED) == 0 &&
              gate >> TRP_GATE_INCARNATION_SHIFT == trp_ref_incarnation(to);
  bool behind = sender->self.outbox.count > 0 && trp_outbox_holds_for(sender, to);
  if (!open || behind) return false;
  stage->to = to;
  stage->receiver = receiver;
  return true;
}

struct trp_letter *trp_stage_next(struct trp_actor *sender, struct trp_actor *receiver,
                                  struct trp_ref to) {
  struct trp_stage_letters *stage = here();
  bool goes_on = stage->count > 0 && stage->count < TRP_STAGE_ROOM && trp_ref_equal(stage->to, to);
  if (!goes_on && !begin(sender, receiver, to)) return NULL;
  if (outbox_has_room(sender, stage->count + 1)) return &stage->letters[stage->count];
  trp_stage_flush(sender);
  return NULL;
}

void trp_stage_add(void) { here()->count++; }

uint32_t trp_stage_put(struct trp_actor *receiver, uint64_t incarnation, bool outside,
                       const struct trp_letter *letters, uint32_t count, enum trp_err *err) {
  struct trp_put put;
  put.wake = false;
  for (; count > 0; count /= 2) {
    *err =
        receiver->mailbox.ops->put(&receiver->mailbox, incarnation, outside, letters, count, &put);
    if (*err != TRP_FULL) break;
  }
  if (*err != TRP_OK) return 0;
  if (put.wake) receiver->system->sched->ops->wake(receiver->system->sched, receiver);
  return count;
}

static void keep_or_refuse(struct trp_actor *sender, struct trp_stage_letters *stage,
                           struct trp_letter *letter, enum trp_err err) {
  if (err == TRP_FULL) err = trp_outbox_keep(sender, stage->to, letter);
  if (err == TRP_OK) return;
  trp_mail_refused(stage->receiver, err);
  trp_letter_release(sender->system, letter, err);
}

void trp_stage_flush(struct trp_actor *sender) {
  struct trp_stage_letters *stage = here();
  uint32_t count = stage->count, gone = 0;
  enum trp_err err = TRP_OK;
  stage->count = 0;
  while (gone < count && err == TRP_OK) {
    gone += trp_stage_put(stage->receiver, trp_ref_incarnation(stage->to), false,
                          &stage->letters[gone], count - gone, &err);
  }
  for (; gone < count; gone++) keep_or_refuse(sender, stage, &stage->letters[gone], err);
}
