#include "runtime/lane.h"

#include "runtime/explore.h"

bool trp_lane_post(struct trp_lane *lane, struct trp_node *node) {
  /* acq_rel: pairs with itself in unqueue, so that the relation's new state is seen by the look
   * that follows the clearing, whichever comes first. */
  if (atomic_exchange_explicit(&node->queued, true, memory_order_acq_rel)) return false;
  struct trp_node *newest = atomic_load_explicit(&lane->newest, memory_order_relaxed);
  do {
    TRP_INTERLEAVE("lane.post");
    node->next = newest;
    /* release: publishes node->next and the relation; pairs with the acquire in take. */
  } while (!atomic_compare_exchange_weak_explicit(&lane->newest, &newest, node,
                                                  memory_order_release, memory_order_relaxed));
  return true;
}

struct trp_node *trp_lane_take(struct trp_lane *lane) {
  struct trp_node *node = atomic_exchange_explicit(&lane->newest, NULL, memory_order_acquire);
  struct trp_node *oldest = NULL;
  while (node != NULL) {
    struct trp_node *next = node->next;
    node->next = oldest;
    oldest = node;
    node = next;
  }
  return oldest;
}

void trp_lane_unqueue(struct trp_node *node) {
  atomic_exchange_explicit(&node->queued, false, memory_order_acq_rel);
}
