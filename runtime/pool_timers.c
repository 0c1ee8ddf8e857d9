#include "runtime/pool_timers.h"

#include <stdlib.h>

#include "runtime/actor.h"

void trp_pool_timers_init(struct trp_pool_timers *timers) {
  *timers = (struct trp_pool_timers){.count = 0};
  pthread_mutex_init(&timers->lock, NULL);
  atomic_init(&timers->earliest_ns, UINT64_MAX);
}

void trp_pool_timers_fini(struct trp_pool_timers *timers) {
  free(timers->heap);
  pthread_mutex_destroy(&timers->lock);
}

static uint64_t due(const struct trp_actor *a) {
  return atomic_load_explicit(&a->timer_due_ns, memory_order_relaxed); /* under the lock */
}

static void put_at(struct trp_pool_timers *timers, uint32_t i, struct trp_actor *a) {
  timers->heap[i] = a;
  a->timer_at = i;
}

static void sift_up(struct trp_pool_timers *timers, uint32_t i, struct trp_actor *a) {
  while (i > 0 && due(timers->heap[(i - 1) / 2]) > due(a)) {
    put_at(timers, i, timers->heap[(i - 1) / 2]);
    i = (i - 1) / 2;
  }
  put_at(timers, i, a);
}

static void sift_down(struct trp_pool_timers *timers, struct trp_actor *a) {
  uint32_t i = 0;
  for (;;) {
    uint32_t child = 2 * i + 1;
    if (child >= timers->count) break;
    if (child + 1 < timers->count && due(timers->heap[child + 1]) < due(timers->heap[child])) {
      child++;
    }
    if (due(timers->heap[child]) >= due(a)) break;
    put_at(timers, i, timers->heap[child]);
    i = child;
  }
  put_at(timers, i, a);
}

static void note_earliest(struct trp_pool_timers *timers) {
  uint64_t earliest = timers->count > 0 ? due(timers->heap[0]) : UINT64_MAX;
  /* seq_cst: before the look at who sleeps until when, see pool.c. */
  atomic_store_explicit(&timers->earliest_ns, earliest, memory_order_seq_cst);
}

static bool make_room(struct trp_pool_timers *timers) {
  if (timers->count < timers->room) return true;
  uint32_t room = timers->room > 0 ? 2 * timers->room : 64;
  struct trp_actor **heap = realloc(timers->heap, room * sizeof(struct trp_actor *));
  if (heap == NULL) return false;
  timers->heap = heap;
  timers->room = room;
  return true;
}

bool trp_pool_timers_set(struct trp_pool_timers *timers, struct trp_actor *a, uint64_t due_ns,
                         bool *kept) {
  *kept = true;
  /* Nearly always: a timer that was entered at an earlier sleep. Relaxed: where it fires at this
   * moment, who fires it wakes the actor, which sleeps already. */
  uint64_t entered = due(a);
  if (entered != 0 && entered <= due_ns) return false;
  pthread_mutex_lock(&timers->lock);
  uint64_t before = timers->count > 0 ? due(timers->heap[0]) : UINT64_MAX;
  entered = due(a);
  bool earlier = entered == 0 || due_ns < entered;
  if (entered == 0 && !make_room(timers)) {
    *kept = earlier = false;
  }
  if (earlier) {
    atomic_store_explicit(&a->timer_due_ns, due_ns, memory_order_relaxed);
    sift_up(timers, entered == 0 ? timers->count++ : a->timer_at, a);
    note_earliest(timers);
  }
  pthread_mutex_unlock(&timers->lock);
  return earlier && due_ns < before;
}

struct trp_actor *trp_pool_timers_take(struct trp_pool_timers *timers, uint64_t now_ns) {
  if (trp_pool_timers_earliest(timers) > now_ns) return NULL;
  struct trp_actor *a = NULL;
  pthread_mutex_lock(&timers->lock);
  if (timers->count > 0 && due(timers->heap[0]) <= now_ns) {
    a = timers->heap[0];
    struct trp_actor *last = timers->heap[--timers->count];
    if (last != a) sift_down(timers, last);
    atomic_store_explicit(&a->timer_due_ns, 0, memory_order_relaxed);
    note_earliest(timers);
  }
  pthread_mutex_unlock(&timers->lock);
  return a;
}
