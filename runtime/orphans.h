/* orphans.h - looks for what belongs to nobody: timers, asks, subscriptions, monitors and other
 * holdings whose owner's incarnation has ended. There should never be any; this is how one knows.
 *
 * What exists is walked, not what was counted: every record of an ask, every watch listed at its
 * target, every dynamic edge of the graph; of timers and of what authors account for, what each
 * ended actor still holds. An incarnation gives everything back before its actor is seen as down,
 * so whatever is found is an orphan at that moment; only a subscription that is being given back
 * may show in one look and not in the next: who keeps it has not heard of the subscriber's end yet,
 * or who just added its edge is taking it back.
 *
 * Thread: any. Costs a short lock per actor, one for the graph and one for the asks. */
#ifndef TRP_RUNTIME_ORPHANS_H
#define TRP_RUNTIME_ORPHANS_H

#include "runtime/troupe.h"

enum trp_orphan {
  TRP_ORPHAN_TIMER,
  TRP_ORPHAN_ASK,
  TRP_ORPHAN_SUBSCRIPTION, /* a dynamic edge, or one that is accounted for without an edge */
  TRP_ORPHAN_MONITOR,      /* watches too */
  TRP_ORPHAN_OTHER,        /* threads, descriptors, sockets, processes */
  TRP_ORPHAN_KINDS
};

struct trp_orphans {
  uint64_t counts[TRP_ORPHAN_KINDS];
  char owner[TRP_NAME_MAX + 1]; /* of the first that was found */
};

void trp_system_orphans(struct trp_system *system, struct trp_orphans *out);

uint64_t trp_orphans_total(const struct trp_orphans *orphans);
const char *trp_orphan_text(enum trp_orphan kind);

#endif
