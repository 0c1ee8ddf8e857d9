/* event_routes.h - who subscribed to what, as the event engine shows it on its board: immutable,
 * one piece of memory, made by the engine at each change and read by publishers that deliver by
 * themselves.
 *
 * Subscriptions are grouped by type, in the order of subscribing within each; a walk gives each
 * subscriber of an event once. Thread: any; who holds the bytes. */
#ifndef TRP_ACTORS_EVENT_ROUTES_H
#define TRP_ACTORS_EVENT_ROUTES_H

#include "runtime/troupe.h"

enum {
  TRP_ROUTES_TYPES = 64, /* events with a list of their own: all of messages.def */
  TRP_ROUTES_LISTS = TRP_ROUTES_TYPES + 1, /* [0]: to everything; the last: all other types */
};

struct trp_route {
  struct trp_ref who;
  uint32_t event, symbol; /* 0: all */
  uint32_t again;         /* this subscriber may have had the event by another one already */
  uint32_t reserved;
};

struct trp_routes {
  uint32_t from[TRP_ROUTES_LISTS + 1]; /* where each list begins in `items` */
  uint32_t
      symbol_offset[TRP_ROUTES_TYPES]; /* of the field `symbol` in the body, 0: there is none */
  struct trp_route items[];
};

static inline uint32_t trp_routes_list(uint32_t event) {
  return event < TRP_ROUTES_TYPES ? event : TRP_ROUTES_TYPES;
}

/* Where each type has its symbol: TRP_ROUTES_TYPES offsets. */
void trp_routes_symbol_offsets(uint32_t *offsets);

/* The symbol of an event, 0 where it has none. */
uint32_t trp_routes_symbol(const uint32_t *offsets, uint32_t type, const void *body, size_t bytes);

struct trp_routes_walk {
  uint32_t type, symbol, at, end;
  bool of_all; /* in the list of those who subscribed to everything */
};

/* Over all subscribers of an event. */
void trp_routes_begin(const struct trp_routes *routes, struct trp_routes_walk *walk, uint32_t type,
                      uint32_t symbol);
bool trp_routes_next(const struct trp_routes *routes, struct trp_routes_walk *walk,
                     struct trp_ref *who);

#endif
