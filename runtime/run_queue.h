/* run_queue.h - the actors that wait for a worker: first come, first served, bounded, and open to
 * thieves at the same end at which its owner takes.
 *
 * One owner puts and takes; any other worker takes half of what is there in one step. (The shape of
 * the local queues of Go's scheduler.) The bound is a worker's, not the actors': what finds no room
 * goes to the pool's shared queue. An actor is in one queue at most, by trp_actor_park's promise.
 *
 * Thread: put, take: the owner. steal: another worker, into its own queue. length: any. */
#ifndef TRP_RUNTIME_RUN_QUEUE_H
#define TRP_RUNTIME_RUN_QUEUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct trp_actor;

enum { TRP_RUN_QUEUE_ROOM = 256 };

struct trp_run_queue {
  alignas(64) _Atomic uint32_t head; /* taken so far; owner and thieves */
  alignas(64) _Atomic uint32_t tail; /* put so far; the owner's */
  _Atomic(struct trp_actor *) actors[TRP_RUN_QUEUE_ROOM];
};

/* False where there is no room. */
bool trp_run_queue_put(struct trp_run_queue *queue, struct trp_actor *actor);
struct trp_actor *trp_run_queue_take(struct trp_run_queue *queue);

/* Takes half (at least one): the first is returned, the others go into `mine`, which is empty. */
struct trp_actor *trp_run_queue_steal(struct trp_run_queue *mine, struct trp_run_queue *from);

static inline uint32_t trp_run_queue_length(struct trp_run_queue *queue) {
  /* acquire, head first: the tail read after it is not behind. Partners: take, steal, put.
   * seq_cst: who goes to sleep has entered itself before it looks here, see announce in pool.c. */
  uint32_t head = atomic_load_explicit(&queue->head, memory_order_acquire);
  uint32_t length = atomic_load_explicit(&queue->tail, memory_order_seq_cst) - head;
  return length <= TRP_RUN_QUEUE_ROOM ? length : TRP_RUN_QUEUE_ROOM;
}

#endif
