/* queue.h - the bounded queue that every book on threads has: a ring of items under a mutex, one
 * condition for a reader that finds nothing and one for a writer that finds no room.
 *
 * A reader may look a number of times before it sleeps (spins); 0 is the textbook's way. Threads:
 * any, but for init and fini. */
#ifndef TRP_BENCH_PEERS_MUTEX_QUEUE_H
#define TRP_BENCH_PEERS_MUTEX_QUEUE_H

#include <pthread.h>

#include "bench/peers/peer.h"

enum { QUEUE_ROOM = 1024 }; /* items, where nothing else is asked for */

struct queue {
  pthread_mutex_t mutex;
  pthread_cond_t not_empty, not_full;
  unsigned char *items;
  size_t item_bytes, room, first, count;
  unsigned spins;
};

static inline void queue_init(struct queue *queue, size_t room, size_t item_bytes) {
  memset(queue, 0, sizeof *queue);
  queue->items = peer_alloc(room, item_bytes);
  queue->item_bytes = item_bytes;
  queue->room = room;
  if (pthread_mutex_init(&queue->mutex, NULL) != 0 ||
      pthread_cond_init(&queue->not_empty, NULL) != 0 ||
      pthread_cond_init(&queue->not_full, NULL) != 0) {
    peer_fail("no mutex and conditions for a queue");
  }
}

static inline void queue_fini(struct queue *queue) {
  pthread_cond_destroy(&queue->not_full);
  pthread_cond_destroy(&queue->not_empty);
  pthread_mutex_destroy(&queue->mutex);
  free(queue->items);
}

static inline void queue_put(struct queue *queue, const void *item) {
  pthread_mutex_lock(&queue->mutex);
  while (queue->count == queue->room) pthread_cond_wait(&queue->not_full, &queue->mutex);
  size_t at = (queue->first + queue->count) % queue->room;
  memcpy(queue->items + at * queue->item_bytes, item, queue->item_bytes);
  queue->count++;
  pthread_mutex_unlock(&queue->mutex);
  pthread_cond_signal(&queue->not_empty);
}

/* Returns with the mutex held. */
static inline void queue_await(struct queue *queue) {
  for (unsigned i = 0; i < queue->spins; i++) {
    if (pthread_mutex_trylock(&queue->mutex) != 0) continue;
    if (queue->count > 0) return;
    pthread_mutex_unlock(&queue->mutex);
  }
  pthread_mutex_lock(&queue->mutex);
  while (queue->count == 0) pthread_cond_wait(&queue->not_empty, &queue->mutex);
}

static inline void queue_get(struct queue *queue, void *item) {
  queue_await(queue);
  memcpy(item, queue->items + queue->first * queue->item_bytes, queue->item_bytes);
  queue->first = (queue->first + 1) % queue->room;
  queue->count--;
  pthread_mutex_unlock(&queue->mutex);
  pthread_cond_signal(&queue->not_full);
}

/* ---- threads ---- */

static inline pthread_t thread_start(void *(*body)(void *), void *arg) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, arg) != 0) peer_fail("no thread more");
  return thread;
}

static inline void thread_join(pthread_t thread) {
  if (pthread_join(thread, NULL) != 0) peer_fail("a thread that cannot be joined");
}

#endif
