/* supervisor.h - brings children back: one for one, with intensity, backoff and escalation.
 *
 * The children are the actors whose spec names this one as supervisor; each brings its own policy.
 * A first restart is at once; those that follow wait, doubling, with jitter, up to a cap; a stable
 * stretch forgives. More crashes than the intensity allows in the window, and the supervisor crashes
 * itself: its own supervisor decides then, and a root's death is a stop with an account.
 *
 * Every crash, restart and end is also handed to the event engine (the actor named in the options),
 * and kept until it can be, so that subscribers hear of the engine's own death too.
 *
 * Takes CHILD_COMMAND ("stop", "restart") and answers with RESULT. */
#ifndef TRP_ACTORS_SUPERVISOR_H
#define TRP_ACTORS_SUPERVISOR_H

#include "runtime/troupe.h"

enum trp_strategy {
  TRP_ONE_FOR_ONE /* the one that died is restarted, nobody else; more to come */
};

/* The args of the kind; NULL: all defaults. */
struct trp_supervisor_options {
  enum trp_strategy strategy;
  const char *events; /* the event engine's name; NULL: events go nowhere */
};

extern const struct trp_kind trp_supervisor_kind;

#endif
