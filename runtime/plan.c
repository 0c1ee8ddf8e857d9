#include "runtime/plan.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/troupe.h"

static uint64_t largest_budget_ns(const struct trp_order *order, uint32_t c,
                                  const uint32_t *budget_ms) {
  uint64_t largest = 0;
  for (uint32_t m = order->members_from[c]; m < order->members_from[c + 1]; m++) {
    uint64_t own = budget_ms[order->members[m]] * TRP_NS_PER_MS;
    if (own > largest) largest = own;
  }
  return largest;
}

/* Components come sources first, so every upstream is done before its downstreams. */
static void lay_out(struct trp_plan *plan, const uint32_t *budget_ms) {
  struct trp_order *order = &plan->order;
  for (uint32_t c = 0; c < order->components; c++) {
    uint64_t own = largest_budget_ns(order, c, budget_ms);
    plan->soft_ns[c] = plan->hard_ns[c] + own; /* hard so far: the latest of its upstreams' */
    plan->hard_ns[c] = plan->soft_ns[c] + own / 4;
    if (plan->last == TRP_PLAN_NONE || plan->hard_ns[c] > plan->longest_ns) {
      plan->longest_ns = plan->hard_ns[c];
      plan->last = c;
    }
    for (uint32_t m = order->members_from[c]; m < order->members_from[c + 1]; m++) {
      uint32_t actor = order->members[m];
      for (uint32_t e = order->edges_from[actor]; e < order->edges_from[actor + 1]; e++) {
        uint32_t down = order->component[order->edges[e].to];
        if (down == c) continue;
        plan->waits[down]++;
        if (plan->hard_ns[down] >= plan->hard_ns[c]) continue;
        plan->hard_ns[down] = plan->hard_ns[c];
        plan->via[down] = c;
      }
    }
  }
}

enum trp_err trp_plan_make(struct trp_plan *plan, struct trp_graph *graph, uint32_t actors,
                           const uint32_t *budget_ms, uint64_t total_ns) {
  memset(plan, 0, sizeof *plan);
  enum trp_err err = trp_graph_order(graph, actors, &plan->order);
  if (err != TRP_OK) return err;
  uint32_t n = plan->order.components + 1;
  plan->waits = calloc(n, sizeof *plan->waits);
  plan->soft_ns = calloc(n, sizeof *plan->soft_ns);
  plan->hard_ns = calloc(n, sizeof *plan->hard_ns);
  plan->via = malloc(n * sizeof *plan->via);
  if (plan->waits == NULL || plan->soft_ns == NULL || plan->hard_ns == NULL || plan->via == NULL) {
    trp_plan_fini(plan);
    return TRP_NO_MEMORY;
  }
  for (uint32_t c = 0; c < n; c++) plan->via[c] = TRP_PLAN_NONE;
  plan->last = TRP_PLAN_NONE;
  lay_out(plan, budget_ms);
  if (plan->longest_ns <= total_ns) return TRP_OK;
  double scale = (double)total_ns / (double)plan->longest_ns;
  for (uint32_t c = 0; c < plan->order.components; c++) {
    plan->soft_ns[c] = (uint64_t)((double)plan->soft_ns[c] * scale);
    plan->hard_ns[c] = (uint64_t)((double)plan->hard_ns[c] * scale);
  }
  return TRP_OK;
}

/* Nothing is written, so that memory that is never needed is never had. */
enum trp_err trp_plan_reserve(struct trp_plan *plan, uint32_t actors_max) {
  struct trp_order *order = &plan->order;
  size_t n = actors_max + (size_t)1;
  memset(plan, 0, sizeof *plan);
  order->component = calloc(n, sizeof *order->component);
  order->members = calloc(n, sizeof *order->members);
  order->members_from = calloc(n, sizeof *order->members_from);
  order->cyclic = calloc(n, sizeof *order->cyclic);
  order->edges_from = calloc(n, sizeof *order->edges_from);
  plan->waits = calloc(n, sizeof *plan->waits);
  plan->soft_ns = calloc(n, sizeof *plan->soft_ns);
  plan->hard_ns = calloc(n, sizeof *plan->hard_ns);
  if (order->component != NULL && order->members != NULL && order->members_from != NULL &&
      order->cyclic != NULL && order->edges_from != NULL && plan->waits != NULL &&
      plan->soft_ns != NULL && plan->hard_ns != NULL) {
    return TRP_OK;
  }
  trp_plan_fini(plan);
  return TRP_NO_MEMORY;
}

void trp_plan_use(struct trp_plan *plan, uint32_t actors, uint64_t total_ns) {
  struct trp_order *order = &plan->order;
  order->actors = order->components = actors;
  for (uint32_t i = 0; i < actors; i++) {
    order->component[i] = order->members[i] = i;
    order->members_from[i + 1] = i + 1;
    plan->hard_ns[i] = total_ns;
    plan->soft_ns[i] = total_ns / 5 * 4; /* as in a plan with one actor of all the budget */
  }
}

bool trp_plan_closed(struct trp_plan *plan, uint32_t actor, uint32_t *edge, uint32_t *component) {
  struct trp_order *order = &plan->order;
  for (; order->edges_from[actor] + *edge < order->edges_from[actor + 1];) {
    uint32_t down = order->component[order->edges[order->edges_from[actor] + (*edge)++].to];
    if (down == order->component[actor] || --plan->waits[down] > 0) continue;
    *component = down;
    return true;
  }
  return false;
}

void trp_plan_fini(struct trp_plan *plan) {
  trp_order_fini(&plan->order);
  free(plan->waits);
  free(plan->soft_ns);
  free(plan->hard_ns);
  free(plan->via);
  memset(plan, 0, sizeof *plan);
}
