/* lane.h - an actor's control lane: what is never dropped and never waits behind data.
 *
 * Whoever has a relation with an actor (a watch, an ask, a child record) carries the delivery node
 * in that relation, so posting allocates nothing and cannot fail; a node already queued is not
 * queued twice, its relation is simply looked at once more. Order among nodes is the order of
 * posting.
 *
 * Synchronisation: post by any thread; take by the owner alone. */
#ifndef TRP_RUNTIME_LANE_H
#define TRP_RUNTIME_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum trp_node_kind {
  TRP_NODE_WATCH,
  TRP_NODE_ASK,
  TRP_NODE_CHILD,
  TRP_NODE_BOND,
  TRP_NODE_NOTICE,
  TRP_NODE_NEWS
};

struct trp_node {
  struct trp_node *next;
  _Atomic bool queued; /* set by who posts, cleared by the owner before it looks at the relation */
  enum trp_node_kind kind;
};

struct trp_lane {
  _Atomic(struct trp_node *) newest;
};

/* True where the node was not queued before: the caller wakes the owner. Thread: any. */
bool trp_lane_post(struct trp_lane *lane, struct trp_node *node);

/* All nodes, oldest first, as a list that is now the caller's. Thread: owner. */
struct trp_node *trp_lane_take(struct trp_lane *lane);

/* Before a node's relation is looked at: from here on it may be posted again. Thread: owner. */
void trp_lane_unqueue(struct trp_node *node);

static inline bool trp_lane_is_empty(struct trp_lane *lane) {
  return atomic_load_explicit(&lane->newest, memory_order_relaxed) == NULL;
}

#endif
