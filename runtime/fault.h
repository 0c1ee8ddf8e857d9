/* fault.h - acts out FAULT messages where the system was started with allow_faults: the operator's
 * way to see that crashes, stalls and exits are survived. Verbs: panic, exit, error, stall:MS;
 * others are the actor's own and go on to its receive. Thread: owner, inside the turn. */
#ifndef TRP_RUNTIME_FAULT_H
#define TRP_RUNTIME_FAULT_H

#include "runtime/actor.h"

enum trp_err trp_fault_obey(struct trp_actor *actor, const struct trp_msg *msg, bool *acted);

static inline enum trp_err trp_fault_act(struct trp_actor *actor, const struct trp_msg *msg,
                                         bool *acted) {
  if (msg->type != TRP_FAULT) return TRP_OK;
  return trp_fault_obey(actor, msg, acted);
}

#endif
