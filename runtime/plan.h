/* plan.h - the plan of a stop: for each actor its component, its deadlines, and whom it waits for.
 *
 * An actor's soft deadline is the latest hard deadline of its upstreams plus its own budget, so
 * that a slow producer does not make its consumers late; its hard one follows by a grace of a
 * quarter of the budget. Where the longest path does not fit the system's budget all are scaled
 * down alike. Pure: no clock, no actors. Thread: the coordinator's. */
#ifndef TRP_RUNTIME_PLAN_H
#define TRP_RUNTIME_PLAN_H

#include "runtime/graph.h"

#define TRP_PLAN_NONE UINT32_MAX

struct trp_plan {
  struct trp_order order;
  uint32_t *waits;   /* of each component: edges from actors elsewhere that are still open */
  uint64_t *soft_ns; /* of each component, from the pill */
  uint64_t *hard_ns;
  uint64_t longest_ns; /* the latest hard deadline before any scaling; what leads to it: */
  uint32_t last;       /* ... the component that has it, TRP_PLAN_NONE where there is none */
  uint32_t *via;       /* ... and before each component the one it waits for longest, or NONE */
};

/* `budget_ms` of each actor; `total_ns` for the system. Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_plan_make(struct trp_plan *plan, struct trp_graph *graph,
                                        uint32_t actors, const uint32_t *budget_ms,
                                        uint64_t total_ns);

/* Memory for a plan in which nobody waits for anybody, for when there is none for a better one:
 * made beforehand for up to `actors_max`, filled in when it is needed. Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_plan_reserve(struct trp_plan *plan, uint32_t actors_max);
void trp_plan_use(struct trp_plan *plan, uint32_t actors, uint64_t total_ns);

/* An actor has closed: true for each component that nothing holds open any more, one a call. */
bool trp_plan_closed(struct trp_plan *plan, uint32_t actor, uint32_t *edge, uint32_t *component);
void trp_plan_fini(struct trp_plan *plan);

#endif
