#include "runtime/run_queue.h"

#include <stddef.h>

#include "runtime/explore.h"

static _Atomic(struct trp_actor *) *place(struct trp_run_queue *queue, uint32_t position) {
  return &queue->actors[position % TRP_RUN_QUEUE_ROOM];
}

bool trp_run_queue_put(struct trp_run_queue *queue, struct trp_actor *actor) {
  uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
  /* acquire: thieves have read what lay there. Partner: the release in take and steal. */
  uint32_t head = atomic_load_explicit(&queue->head, memory_order_acquire);
  if (tail - head >= TRP_RUN_QUEUE_ROOM) return false;
  atomic_store_explicit(place(queue, tail), actor, memory_order_relaxed);
  TRP_INTERLEAVE("run_queue.put");
  /* seq_cst: the actor and its state are published (partners: the acquire of the tail in take and
   * steal), and this comes before the look at who sleeps (see pool.c, announce). */
  atomic_store_explicit(&queue->tail, tail + 1, memory_order_seq_cst);
  return true;
}

struct trp_actor *trp_run_queue_take(struct trp_run_queue *queue) {
  uint32_t head = atomic_load_explicit(&queue->head, memory_order_acquire);
  for (;;) {
    uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed); /* our own */
    if (head == tail) return NULL;
    struct trp_actor *actor = atomic_load_explicit(place(queue, head), memory_order_relaxed);
    TRP_INTERLEAVE("run_queue.take");
    /* acq_rel: acquires what a thief's failed attempt cannot have changed; releases our read. */
    if (atomic_compare_exchange_weak_explicit(&queue->head, &head, head + 1, memory_order_acq_rel,
                                              memory_order_acquire)) {
      return actor;
    }
  }
}

struct trp_actor *trp_run_queue_steal(struct trp_run_queue *mine, struct trp_run_queue *from) {
  uint32_t to = atomic_load_explicit(&mine->tail, memory_order_relaxed);
  uint32_t head = atomic_load_explicit(&from->head, memory_order_acquire);
  for (;;) {
    /* acquire: partner is put's publication. */
    uint32_t tail = atomic_load_explicit(&from->tail, memory_order_acquire);
    uint32_t there = tail - head, count = there - there / 2;
    if (there == 0) return NULL;
    if (there > TRP_RUN_QUEUE_ROOM) { /* the two were read too far apart */
      head = atomic_load_explicit(&from->head, memory_order_acquire);
      continue;
    }
    struct trp_actor *first = atomic_load_explicit(place(from, head), memory_order_relaxed);
    for (uint32_t i = 1; i < count; i++) {
      struct trp_actor *actor = atomic_load_explicit(place(from, head + i), memory_order_relaxed);
      atomic_store_explicit(place(mine, to + i - 1), actor, memory_order_relaxed);
    }
    TRP_INTERLEAVE("run_queue.steal");
    if (!atomic_compare_exchange_weak_explicit(&from->head, &head, head + count,
                                               memory_order_acq_rel, memory_order_acquire)) {
      continue;
    }
    /* release: partner is another thief's acquire. */
    if (count > 1) atomic_store_explicit(&mine->tail, to + count - 1, memory_order_release);
    return first;
  }
}
