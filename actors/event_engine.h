/* event_engine.h - takes events from whoever sends them and gives them to whoever subscribed.
 *
 * Every message it gets that is not its own business is an event: it goes to the subscribers of its
 * type, of its symbol (the field of that name), and of everything, each subscriber once, in the
 * order in which they subscribed; since all events pass one mailbox, all subscribers see one order.
 * A subscription belongs to its subscriber and goes with it; it is an edge of the graph, so that
 * stopping follows it. A TICK comes from the engine's own clock.
 *
 * Who is subscribed it also shows on its board (event_routes.h), at each change, before it answers:
 * a publisher may look there and deliver by itself, without the engine's mailbox in between. Such a
 * publisher's events keep their order for each subscriber; two publishers' may come to two
 * subscribers in different orders.
 *
 * SUBSCRIBE, UNSUBSCRIBE: by send, or by ask (answer: RESULT). OPERATOR "stats", asked: RESULT.
 * actors/subscriber.h and actors/publisher.h are the other side of it, over its death too. */
#ifndef TRP_ACTORS_EVENT_ENGINE_H
#define TRP_ACTORS_EVENT_ENGINE_H

#include "runtime/troupe.h"

/* The args of the kind; NULL: all defaults. */
struct trp_event_engine_options {
  uint32_t tick_ms;           /* 1,000 */
  uint32_t subscriptions_max; /* 65,536 */
};

extern const struct trp_kind trp_event_engine_kind;

#endif
