/* publisher.h - an actor's side of publishing: what the engine could not take is counted, and told
 * when it can again.
 *
 * Embed one in the actor's state, start it, hand it every UP and DOWN. While the engine is down, or
 * refuses, events are lost and counted; when it is back an EVENT_GAP with the count goes before the
 * next event, to all subscribers and into the journal. What a dead engine had accepted and not
 * given on is counted in its own ledger and THREAD_CRASHED; so each death is a gap, even of 0 here.
 * Thread: the owner's turns. */
#ifndef TRP_ACTORS_PUBLISHER_H
#define TRP_ACTORS_PUBLISHER_H

#include "runtime/troupe.h"

struct trp_publisher {
  uint64_t watch;
  struct trp_ref engine; /* TRP_NOBODY while it is down */
  uint64_t published;
  uint64_t lost;    /* since the last gap was told */
  enum trp_err why; /* of the first loss */
  bool died;        /* the engine has, since the last gap was told */
};

/* Follows the engine of that name. Errors: NO_ACTOR, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_publisher_start(struct trp_self *self, struct trp_publisher *p,
                                              const char *engine);

/* Publishes; a failure is counted here, so it needs no care of the caller's. */
void trp_publish(struct trp_self *self, struct trp_publisher *p, uint16_t type, const void *body,
                 size_t bytes);

/* True where the message was the UP or DOWN of the engine. */
bool trp_publisher_take(struct trp_self *self, struct trp_publisher *p, const struct trp_msg *msg);

#endif
