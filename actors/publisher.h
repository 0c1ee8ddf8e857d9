/* publisher.h - an actor's side of publishing: what could not be given on is counted, and told when
 * it can again.
 *
 * Embed one in the actor's state, start it, hand it every UP and DOWN. There are two ways:
 *
 * Through the engine's mailbox (trp_publisher_start): all subscribers of all such publishers see
 * one order. While the engine is down, or refuses, events are lost and counted; when it is back an
 * EVENT_GAP with the count goes before the next event, to all subscribers and into the journal.
 * What a dead engine had accepted and not given on is counted in its own ledger and THREAD_CRASHED;
 * so each death is a gap, even of 0 here.
 *
 * Direct (trp_publisher_start_direct): by the routes that the engine shows, straight into the
 * subscribers' mailboxes: one hop less. The order is kept for each subscriber, not between
 * publishers. A subscriber that waits holds back this publisher, not the engine. When the engine is
 * back, each of the EVENT_GAP's subscribers of before is told its own gap as soon as it is there
 * again, before it gets the next event: all that was published in between, for whomever; and once
 * more with each subscription of its that comes back later, for up to 10 s. An edge to the engine,
 * for stopping, is added. Ends with trp_publisher_end.
 *
 * Thread: the owner's turns. */
#ifndef TRP_ACTORS_PUBLISHER_H
#define TRP_ACTORS_PUBLISHER_H

#include "runtime/troupe.h"

/* A subscriber that is owed a gap until it is subscribed again as it was. */
struct trp_owed {
  struct trp_ref who;
  uint32_t before, now; /* its subscriptions: then, and when it was told last */
  uint64_t from;        /* so many events had been offered when it was cut off */
};

struct trp_publisher {
  uint64_t watch;
  struct trp_ref engine; /* TRP_NOBODY while it is down */
  uint64_t published;
  uint64_t lost;    /* since the last gap was told */
  enum trp_err why; /* of the first loss */
  bool died;        /* the engine has, since the last gap was told */

  bool direct;
  struct trp_view routes; /* what the engine shows */
  uint64_t offered;       /* events, given on or lost */
  uint64_t back_ns;       /* since when there are routes again */
  struct trp_owed *owed;  /* who was to hear of gaps when the routes were gone */
  uint32_t owed_count, owed_room;
};

/* Follows the engine of that name. Errors: NO_ACTOR, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_publisher_start(struct trp_self *self, struct trp_publisher *p,
                                              const char *engine);
TRP_MUST_USE enum trp_err trp_publisher_start_direct(struct trp_self *self, struct trp_publisher *p,
                                                     const char *engine);

/* In the actor's end(), also where start failed or never was. */
void trp_publisher_end(struct trp_publisher *p);

/* Asks the engine to catch up: after the answer (with this correlation, whatever it says) all who
 * had asked it to be subscribed before get what is published. 0, and nothing asked, where that is
 * so in any case: through the engine's mailbox, or while it is down. */
uint64_t trp_publisher_settle(struct trp_self *self, struct trp_publisher *p);

/* Publishes; a failure is counted here, so it needs no care of the caller's. */
void trp_publish(struct trp_self *self, struct trp_publisher *p, uint16_t type, const void *body,
                 size_t bytes);

/* True where the message was the UP or DOWN of the engine. */
bool trp_publisher_take(struct trp_self *self, struct trp_publisher *p, const struct trp_msg *msg);

#endif
