/* ledger.h - reads and sums the accounts of actors. The rules of balance are in troupe.h.
 *
 * Thread: any; exact only for an actor that rests. */
#ifndef TRP_RUNTIME_LEDGER_H
#define TRP_RUNTIME_LEDGER_H

#include "runtime/actor.h"

void trp_ledger_read(struct trp_actor *actor, struct trp_ledger *out);
void trp_ledger_add(struct trp_ledger *sum, const struct trp_ledger *ledger);

#endif
