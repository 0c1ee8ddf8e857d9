/* control.h - answers an operator: the state of the house, and orders to it (proto/protocol.md).
 *
 * Requests come by an edge (control_edge.h) and are taken one by one; no turn blocks. What somebody
 * else must answer is asked with a deadline and the request held: 0.5 s for a feed's state, 2.5 s
 * for a feed's command, 5 s for an order to the supervisor; so one actor that is stuck keeps nobody
 * from an answer. `watch` holds a request until the journal has something new.
 *
 * The answers to requests that acted are kept, in the slot's memory: a client that repeats gets the
 * same answer. A request over which an incarnation crashed is served again where that does no harm,
 * and otherwise answered with an error. */
#ifndef TRP_ACTORS_CONTROL_H
#define TRP_ACTORS_CONTROL_H

#include "actors/control_edge.h"
#include "runtime/troupe.h"

enum { TRP_CONTROL_FEEDS_MAX = 16 };

/* The args of the kind, not NULL. Borrowed for the system's life. */
struct trp_control_options {
  struct trp_control_edge *edge;
  const char *supervisor;   /* takes CHILD_COMMAND; NULL: such orders are refused */
  const char *const *feeds; /* names of actors that take FEED_QUERY and FEED_COMMAND */
  size_t feed_count;        /* up to TRP_CONTROL_FEEDS_MAX */
  const char *monitor;      /* the thread monitor's name, for the status; NULL: none is asked */
  bool allow_faults;
};

extern const struct trp_kind trp_control_kind;

#endif
