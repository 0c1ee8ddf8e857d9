/* supervisor.h - brings children back, alone or with their siblings; with intensity, backoff and
 * escalation.
 *
 * The children are the actors whose spec names this one as supervisor; each brings its own policy.
 * Who failed and is restarted takes its siblings along as the strategy says: those are stopped,
 * last added first, one after the other, each within its budget; then all come back in the order of
 * adding, each when the one before runs. A crash meanwhile counts and begins that anew. A first
 * restart is at once; those that follow wait, doubling, with jitter, up to a cap; a stable stretch
 * forgives. Down for good: a temporary child that was stopped or ended, a transient one that ended
 * by itself, and whom an operator stopped; no restart of the siblings brings them back.
 *
 * Only a child's own crashes count, not that it was stopped for a sibling. More than the intensity
 * allows in the window, or a child that neither stops nor starts in its time (its turn does not
 * return, and it must not live twice), and the supervisor crashes itself with GAVE_UP: its own
 * supervisor decides then, and a root's death is a stop with an account. A new incarnation forgets
 * what was counted and brings every child into a known state: those that run are stopped, last
 * first, and all are started in order. A supervisor that is stopped alone stops its children first:
 * give it a budget for them all.
 *
 * Every crash, restart and end is also handed to the event engine (the actor named in the options),
 * see supervisor_news.h.
 *
 * Takes CHILD_COMMAND ("stop", "restart") for one child, whatever the strategy, and answers with
 * RESULT when it is done. */
#ifndef TRP_ACTORS_SUPERVISOR_H
#define TRP_ACTORS_SUPERVISOR_H

#include "runtime/troupe.h"

enum trp_strategy {
  TRP_ONE_FOR_ONE,  /* the one that failed is restarted, nobody else */
  TRP_REST_FOR_ONE, /* and those that were added after it */
  TRP_ONE_FOR_ALL   /* and all its siblings */
};

/* The args of the kind; NULL: all defaults. */
struct trp_supervisor_options {
  enum trp_strategy strategy;
  const char *events; /* the event engine's name; NULL: events go nowhere */
};

extern const struct trp_kind trp_supervisor_kind;

#endif
