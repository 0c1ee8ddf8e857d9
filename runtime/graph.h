/* graph.h - who sends data to whom: the edges, declared or subscribed, and the order of stopping
 * that follows from them.
 *
 * Declared edges stay; dynamic ones (a subscription) are counted and go with either end's
 * incarnation. Bounded by TRP_EDGES_MAX. Synchronisation: its own mutex. Thread: any. */
#ifndef TRP_RUNTIME_GRAPH_H
#define TRP_RUNTIME_GRAPH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/errors.h"

enum { TRP_EDGES_MAX = 262144 };

struct trp_edge {
  uint32_t from, to;
  bool declared;
  uint32_t dynamic;
};

struct trp_graph {
  pthread_mutex_t lock;
  struct trp_edge *edges;
  uint32_t count, room;
  _Atomic uint32_t dynamic_total; /* written under the lock */
};

void trp_graph_init(struct trp_graph *graph);
void trp_graph_fini(struct trp_graph *graph);

/* Errors: LIMIT, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_graph_add(struct trp_graph *graph, uint32_t from, uint32_t to,
                                        bool dynamic);
void trp_graph_remove(struct trp_graph *graph, uint32_t from, uint32_t to); /* one dynamic */
void trp_graph_drop_dynamic(struct trp_graph *graph, uint32_t actor);

/* The graph cut into components that stop together (a cycle is one), sources first. */
struct trp_order {
  uint32_t actors, components;
  uint32_t *component;    /* of each actor; numbered so that edges lead to higher numbers */
  uint32_t *members;      /* actors, grouped by component */
  uint32_t *members_from; /* components + 1 indices into members */
  bool *cyclic;           /* of each component: more than one member, or an edge to itself */
  struct trp_edge *edges; /* a copy, sorted by from */
  uint32_t edge_count;
  uint32_t *edges_from; /* actors + 1 indices into edges */
};

/* Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_graph_order(struct trp_graph *graph, uint32_t actors,
                                          struct trp_order *out);
void trp_order_fini(struct trp_order *order);

#endif
