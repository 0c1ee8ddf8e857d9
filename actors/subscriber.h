/* subscriber.h - an actor's side of its subscriptions: kept wished for, over the engine's deaths.
 *
 * Embed one in the actor's state, start it, hand it every UP and DOWN, and add what you want to
 * hear. When the engine comes back, all wishes are sent again, and the journal says RESTORED.
 * Thread: the owner's turns. */
#ifndef TRP_ACTORS_SUBSCRIBER_H
#define TRP_ACTORS_SUBSCRIBER_H

#include "runtime/troupe.h"

enum { TRP_WISHES_MAX = 64 };

struct trp_subscriber {
  uint64_t watch;
  struct trp_ref engine; /* TRP_NOBODY while it is down */
  struct trp_subscribe wishes[TRP_WISHES_MAX];
  uint32_t wish_count;
  uint32_t restored; /* how often all wishes were sent again */
  bool was_up;
};

/* Follows the engine of that name. Errors: NO_ACTOR, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_subscriber_start(struct trp_self *self, struct trp_subscriber *s,
                                               const char *engine);

/* Events of a type (0: all), of a symbol (0: all). Errors: LIMIT, and those of trp_send. */
TRP_MUST_USE enum trp_err trp_subscriber_add(struct trp_self *self, struct trp_subscriber *s,
                                             uint32_t event, uint32_t symbol);

/* Takes one back. Errors: NO_ACTOR (no such wish). */
enum trp_err trp_subscriber_remove(struct trp_self *self, struct trp_subscriber *s, uint32_t event,
                                   uint32_t symbol);

/* True where the message was the UP or DOWN of the engine. */
bool trp_subscriber_take(struct trp_self *self, struct trp_subscriber *s,
                         const struct trp_msg *msg);

#endif
