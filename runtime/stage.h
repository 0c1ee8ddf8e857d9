/* stage.h - the sends of a turn to one receiver under TRP_WAIT, kept together until the turn's end:
 * one claim, one wake.
 *
 * One a thread, empty between turns. It holds letters for one receiver at a time; a send to
 * another, an ask, or a full stage lets them go at once, so the order of what one actor sends to
 * another is kept. What finds no room then waits in the sender's outbox, whose room was looked at
 * before: a send that was said to be well is not lost for want of it. Thread: owner. */
#ifndef TRP_RUNTIME_STAGE_H
#define TRP_RUNTIME_STAGE_H

#include "runtime/letter.h"

struct trp_actor;

enum { TRP_STAGE_ROOM = 128 };

struct trp_stage_letters {
  uint32_t count;
  struct trp_ref to;
  struct trp_actor *receiver;
  struct trp_letter letters[TRP_STAGE_ROOM];
};

/* Where the next letter to this receiver is to be filled in; NULL where it cannot be kept here. It
 * counts with trp_stage_add. */
struct trp_letter *trp_stage_next(struct trp_actor *sender, struct trp_actor *receiver,
                                  struct trp_ref to);
void trp_stage_add(void);

/* As many of these as fit, half of them, half of those ...: how many went; 0 with the reason in
 * *err. One claim and one wake. Into a ring alone. */
uint32_t trp_stage_put(struct trp_actor *receiver, uint64_t incarnation, bool outside,
                       const struct trp_letter *letters, uint32_t count, enum trp_err *err);

/* Lets go what is there, in the name of the actor whose turn it is. */
void trp_stage_flush(struct trp_actor *sender);

#endif
