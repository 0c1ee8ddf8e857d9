#include "runtime/graph.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"

void trp_graph_init(struct trp_graph *graph) {
  memset(graph, 0, sizeof *graph);
  pthread_mutex_init(&graph->lock, NULL);
}

void trp_graph_fini(struct trp_graph *graph) {
  free(graph->edges);
  pthread_mutex_destroy(&graph->lock);
}

/* Under the lock. */
static struct trp_edge *find(struct trp_graph *graph, uint32_t from, uint32_t to) {
  for (uint32_t i = 0; i < graph->count; i++) {
    if (graph->edges[i].from == from && graph->edges[i].to == to) return &graph->edges[i];
  }
  return NULL;
}

static struct trp_edge *append(struct trp_graph *graph, uint32_t from, uint32_t to) {
  if (graph->count == graph->room) {
    uint32_t room = graph->room == 0 ? 16 : graph->room * 2;
    struct trp_edge *edges = realloc(graph->edges, room * sizeof *edges);
    if (edges == NULL) return NULL;
    graph->edges = edges;
    graph->room = room;
  }
  struct trp_edge *edge = &graph->edges[graph->count++];
  *edge = (struct trp_edge){.from = from, .to = to};
  return edge;
}

enum trp_err trp_graph_add(struct trp_graph *graph, uint32_t from, uint32_t to, bool dynamic) {
  enum trp_err err = TRP_OK;
  pthread_mutex_lock(&graph->lock);
  struct trp_edge *edge = find(graph, from, to);
  if (edge == NULL && graph->count == TRP_EDGES_MAX) err = TRP_LIMIT;
  if (edge == NULL && err == TRP_OK) {
    edge = append(graph, from, to);
    if (edge == NULL) err = TRP_NO_MEMORY;
  }
  if (err == TRP_OK && dynamic) {
    edge->dynamic++;
    atomic_fetch_add_explicit(&graph->dynamic_total, 1, memory_order_relaxed);
  }
  if (err == TRP_OK && !dynamic) edge->declared = true;
  pthread_mutex_unlock(&graph->lock);
  return err;
}

/* Under the lock: an edge that nobody wants any more goes; the last takes its place. */
static void sweep(struct trp_graph *graph, struct trp_edge *edge) {
  if (edge->declared || edge->dynamic > 0) return;
  *edge = graph->edges[--graph->count];
}

void trp_graph_remove(struct trp_graph *graph, uint32_t from, uint32_t to) {
  pthread_mutex_lock(&graph->lock);
  struct trp_edge *edge = find(graph, from, to);
  if (edge != NULL && edge->dynamic > 0) {
    edge->dynamic--;
    atomic_fetch_sub_explicit(&graph->dynamic_total, 1, memory_order_relaxed);
    sweep(graph, edge);
  }
  pthread_mutex_unlock(&graph->lock);
}

void trp_graph_drop_dynamic(struct trp_graph *graph, uint32_t actor) {
  /* Without the lock: an edge to this actor was added before its death could be seen (its lock), or
   * is taken back by who added it. */
  if (atomic_load_explicit(&graph->dynamic_total, memory_order_relaxed) == 0) return;
  pthread_mutex_lock(&graph->lock);
  for (uint32_t i = graph->count; i-- > 0;) {
    struct trp_edge *edge = &graph->edges[i];
    if (edge->from != actor && edge->to != actor) continue;
    atomic_fetch_sub_explicit(&graph->dynamic_total, edge->dynamic, memory_order_relaxed);
    edge->dynamic = 0;
    sweep(graph, edge);
  }
  pthread_mutex_unlock(&graph->lock);
}

/* ---- order ---- */

static int by_from_then_to(const void *a, const void *b) {
  const struct trp_edge *x = a, *y = b;
  if (x->from != y->from) return x->from < y->from ? -1 : 1;
  return x->to < y->to ? -1 : x->to > y->to;
}

static enum trp_err copy_edges(struct trp_graph *graph, struct trp_order *out) {
  pthread_mutex_lock(&graph->lock);
  out->edge_count = graph->count;
  out->edges = malloc((graph->count + 1) * sizeof *out->edges);
  if (out->edges != NULL && graph->count > 0) {
    memcpy(out->edges, graph->edges, graph->count * sizeof *out->edges);
  }
  pthread_mutex_unlock(&graph->lock);
  if (out->edges == NULL) return TRP_NO_MEMORY;
  /* Sorted, so that the order does not depend on the history of subscriptions. */
  qsort(out->edges, out->edge_count, sizeof *out->edges, by_from_then_to);
  uint32_t e = 0;
  for (uint32_t a = 0; a <= out->actors; a++) {
    while (e < out->edge_count && out->edges[e].from < a) e++;
    out->edges_from[a] = e;
  }
  return TRP_OK;
}

/* Tarjan's strongly connected components (1972), with an explicit stack: the depth of a user's
 * graph is no reason to overflow ours. Components come out sinks first. */
struct tarjan {
  struct trp_order *order;
  uint32_t *number, *low, *stack, *path, *edge;
  bool *on_stack;
  uint32_t numbered, stack_count, path_count, found;
};

static void visit(struct tarjan *t, uint32_t actor) {
  t->number[actor] = t->low[actor] = ++t->numbered;
  t->stack[t->stack_count++] = actor;
  t->on_stack[actor] = true;
  t->path[t->path_count++] = actor;
  t->edge[actor] = t->order->edges_from[actor];
}

static void finish(struct tarjan *t, uint32_t actor) {
  t->path_count--;
  if (t->path_count > 0) {
    uint32_t parent = t->path[t->path_count - 1];
    if (t->low[actor] < t->low[parent]) t->low[parent] = t->low[actor];
  }
  if (t->low[actor] != t->number[actor]) return;
  uint32_t member;
  do {
    member = t->stack[--t->stack_count];
    t->on_stack[member] = false;
    t->order->component[member] = t->found;
  } while (member != actor);
  t->found++;
}

static void walk(struct tarjan *t, uint32_t root) {
  struct trp_order *order = t->order;
  visit(t, root);
  while (t->path_count > 0) {
    uint32_t actor = t->path[t->path_count - 1];
    if (t->edge[actor] == order->edges_from[actor + 1]) {
      finish(t, actor);
      continue;
    }
    uint32_t to = order->edges[t->edge[actor]++].to;
    if (t->number[to] == 0) {
      visit(t, to);
    } else if (t->on_stack[to] && t->number[to] < t->low[actor]) {
      t->low[actor] = t->number[to];
    }
  }
}

static void group(struct trp_order *order) {
  uint32_t n = order->actors, count = order->components;
  for (uint32_t a = 0; a < n; a++) {
    order->component[a] = count - 1 - order->component[a]; /* sources first */
    order->members_from[order->component[a] + 1]++;
  }
  for (uint32_t c = 0; c < count; c++) {
    order->cyclic[c] = order->members_from[c + 1] > 1;
    order->members_from[c + 1] += order->members_from[c];
  }
  uint32_t *next = order->members_from;
  for (uint32_t a = 0; a < n; a++) order->members[next[order->component[a]]++] = a;
  for (uint32_t c = count; c > 0; c--) next[c] = next[c - 1]; /* undo the advance */
  next[0] = 0;
  for (uint32_t e = 0; e < order->edge_count; e++) {
    if (order->edges[e].from != order->edges[e].to) continue;
    order->cyclic[order->component[order->edges[e].from]] = true;
  }
}

enum trp_err trp_graph_order(struct trp_graph *graph, uint32_t actors, struct trp_order *out) {
  memset(out, 0, sizeof *out);
  uint32_t n = actors;
  out->actors = n;
  out->component = calloc(n + 1, sizeof *out->component);
  out->members = calloc(n + 1, sizeof *out->members);
  out->members_from = calloc(n + 2, sizeof *out->members_from);
  out->cyclic = calloc(n + 1, sizeof *out->cyclic);
  out->edges_from = calloc(n + 2, sizeof *out->edges_from);
  uint32_t *scratch = calloc(5 * (size_t)n + 1, sizeof *scratch);
  bool *on_stack = calloc(n + 1, sizeof *on_stack);
  bool memory = out->component != NULL && out->members != NULL && out->members_from != NULL &&
                out->cyclic != NULL && out->edges_from != NULL && scratch != NULL &&
                on_stack != NULL;
  enum trp_err err = memory ? copy_edges(graph, out) : TRP_NO_MEMORY;
  if (err == TRP_OK) {
    struct tarjan t = {.order = out,
                       .number = scratch,
                       .low = scratch + n,
                       .stack = scratch + 2 * (size_t)n,
                       .path = scratch + 3 * (size_t)n,
                       .edge = scratch + 4 * (size_t)n,
                       .on_stack = on_stack};
    for (uint32_t a = 0; a < n; a++) {
      if (t.number[a] == 0) walk(&t, a);
    }
    out->components = t.found;
    group(out);
  }
  free(scratch);
  free(on_stack);
  if (err != TRP_OK) trp_order_fini(out);
  return err;
}

void trp_order_fini(struct trp_order *order) {
  free(order->component);
  free(order->members);
  free(order->members_from);
  free(order->cyclic);
  free(order->edges);
  free(order->edges_from);
  memset(order, 0, sizeof *order);
}
