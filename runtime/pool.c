#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/deadline.h"
#include "runtime/explore.h"
#include "runtime/futex.h"
#include "runtime/pool_inside.h"

enum { LOOKS_MAX = 200 }; /* some ten microseconds */

static uint32_t cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  int n = CPU_COUNT(&set);
  return n < 1 ? 1 : n > TRP_WORKERS_MAX ? TRP_WORKERS_MAX : (uint32_t)n;
}

struct trp_pool *trp_pool_new(struct trp_system *system) {
  struct trp_pool *pool = aligned_alloc(alignof(struct trp_pool), sizeof *pool);
  if (pool == NULL) return NULL;
  memset(pool, 0, sizeof *pool);
  pool->system = system;
  pool->wanted = system->options.workers != 0 ? system->options.workers : cores();
  pool->looks_max = system->options.no_spin ? 0 : LOOKS_MAX;
  trp_pool_timers_init(&pool->timers);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_mutex_init(&pool->opening, NULL);
  return pool;
}

/* ---- the shared queue ---- */

void trp_pool_share(struct trp_pool *pool, struct trp_actor *a) {
  a->next = NULL;
  pthread_mutex_lock(&pool->lock);
  if (pool->shared_last != NULL) pool->shared_last->next = a;
  if (pool->shared_last == NULL) pool->shared_first = a;
  pool->shared_last = a;
  /* seq_cst: before the look at who sleeps, see announce. */
  atomic_fetch_add_explicit(&pool->shared_count, 1, memory_order_seq_cst);
  pthread_mutex_unlock(&pool->lock);
  TRP_INTERLEAVE("pool.share");
  trp_pool_announce(pool);
}

struct trp_actor *trp_pool_take_shared(struct trp_pool *pool) {
  if (atomic_load_explicit(&pool->shared_count, memory_order_seq_cst) == 0) return NULL;
  pthread_mutex_lock(&pool->lock);
  struct trp_actor *a = pool->shared_first;
  if (a != NULL) {
    pool->shared_first = a->next;
    if (a->next == NULL) pool->shared_last = NULL;
    atomic_fetch_sub_explicit(&pool->shared_count, 1, memory_order_relaxed);
  }
  pthread_mutex_unlock(&pool->lock);
  return a;
}

/* ---- who sleeps ---- */

bool trp_pool_has_work(struct trp_pool *pool) {
  if (atomic_load_explicit(&pool->shared_count, memory_order_seq_cst) > 0) return true;
  uint32_t count = atomic_load_explicit(&pool->count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) {
    struct trp_worker *w = pool->workers[i];
    if (trp_run_queue_length(&w->queue) > 0) return true;
    if (atomic_load_explicit(&w->stuck, memory_order_acquire) &&
        atomic_load_explicit(&w->next, memory_order_relaxed) != NULL) {
      return true;
    }
  }
  return false;
}

/* Who puts work somewhere looks here for sleepers after it; who goes to sleep enters itself and
 * then looks for work. Both in the one order of seq_cst, so that one of them sees the other. And
 * who searches looks everywhere before it sleeps: as long as somebody does, nobody else need wake.
 */
void trp_pool_announce(struct trp_pool *pool) {
  if (atomic_load_explicit(&pool->idle_count, memory_order_seq_cst) == 0) return;
  TRP_INTERLEAVE("pool.announce");
  if (atomic_load_explicit(&pool->searching, memory_order_seq_cst) > 0) return;
  (void)trp_pool_wake_one(pool);
}

void trp_worker_wake(struct trp_worker *w) {
  atomic_fetch_add_explicit(&w->word, 1, memory_order_release);
  trp_futex_wake(&w->word, 1);
}

bool trp_pool_wake_one(struct trp_pool *pool) {
  struct trp_worker *w = NULL;
  pthread_mutex_lock(&pool->lock);
  uint32_t idle = atomic_load_explicit(&pool->idle_count, memory_order_relaxed);
  if (idle > 0) {
    w = pool->idle[idle - 1];
    atomic_store_explicit(&pool->idle_count, idle - 1, memory_order_seq_cst);
    atomic_fetch_add_explicit(&pool->searching, 1, memory_order_seq_cst);
    w->searching = true; /* it sleeps, or is about to and takes the lock before it goes on */
    atomic_store_explicit(&w->mode, TRP_WORKER_AWAKE, memory_order_release);
  }
  pthread_mutex_unlock(&pool->lock);
  if (w == NULL) return false;
  TRP_INTERLEAVE("pool.wake_one");
  trp_worker_wake(w);
  trp_keeper_note_wake(pool);
  return true;
}

/* ---- the doors in ---- */

void trp_pool_wake(struct trp_pool *pool, struct trp_actor *a) {
  struct trp_worker *w = trp_worker_here;
  if (w == NULL || w->pool != pool) {
    trp_pool_share(pool, a);
    return;
  }
  /* Nobody but this worker puts something here, so what is empty stays so. Release and acq_rel:
   * partner is a thief's exchange. */
  struct trp_actor *before = atomic_load_explicit(&w->next, memory_order_relaxed);
  if (before == NULL) {
    atomic_store_explicit(&w->next, a, memory_order_release);
    return;
  }
  before = atomic_exchange_explicit(&w->next, a, memory_order_acq_rel);
  if (before != NULL) trp_worker_put(w, before);
}

static enum trp_err open_pool(struct trp_pool *pool) {
  enum trp_err err = TRP_OK;
  pthread_mutex_lock(&pool->opening);
  if (!pool->open) {
    err = trp_keeper_start(pool);
    while (err == TRP_OK && atomic_load_explicit(&pool->count, memory_order_relaxed) < pool->wanted)
      err = trp_worker_start(pool);
    pool->open = err == TRP_OK;
  }
  pthread_mutex_unlock(&pool->opening);
  return err;
}

enum trp_err trp_pool_attach(struct trp_pool *pool, struct trp_actor *a) {
  enum trp_err err = open_pool(pool);
  if (err != TRP_OK) return err;
  atomic_store_explicit(&a->finished, 0, memory_order_relaxed);
  trp_pool_wake(pool, a);
  return TRP_OK;
}

/* ---- the end ---- */

static bool join_by(pthread_t thread, _Atomic uint32_t *finished, uint64_t until_ns) {
  while (atomic_load_explicit(finished, memory_order_acquire) == 0) {
    if (trp_deadline_now_ns() >= until_ns) return false;
    trp_futex_wait(finished, 0, until_ns);
  }
  return pthread_join(thread, NULL) == 0;
}

/* In the turn of an actor that was given up: nobody waits for it. Whether it has been slow lately
 * (`stuck`) says nothing: it may just not have got a processor. */
static bool is_abandoned(struct trp_worker *w) {
  struct trp_actor *a = atomic_load_explicit(&w->running, memory_order_relaxed);
  return a != NULL && atomic_load_explicit(&a->given_up, memory_order_relaxed);
}

bool trp_pool_close(struct trp_pool *pool, uint64_t until_ns) {
  uint32_t count = atomic_load_explicit(&pool->count, memory_order_acquire);
  atomic_store_explicit(&pool->closing, true, memory_order_seq_cst);
  if (pool->keeper_started) {
    trp_keeper_wake(pool);
    if (!join_by(pool->keeper, &pool->keeper_finished, until_ns)) return false;
    pool->keeper_started = false;
    count = atomic_load_explicit(&pool->count, memory_order_acquire); /* it may have added one */
  }
  bool all = true;
  for (uint32_t i = 0; i < count; i++) trp_worker_wake(pool->workers[i]);
  for (uint32_t i = 0; i < count; i++) {
    struct trp_worker *w = pool->workers[i];
    if (w->joined) continue;
    w->joined = join_by(w->thread, &w->finished, is_abandoned(w) ? 0 : until_ns);
    all = all && w->joined;
  }
  return all;
}

void trp_pool_destroy(struct trp_pool *pool) {
  uint32_t count = atomic_load_explicit(&pool->count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) free(pool->workers[i]);
  trp_pool_timers_fini(&pool->timers);
  pthread_mutex_destroy(&pool->lock);
  pthread_mutex_destroy(&pool->opening);
  free(pool);
}

void trp_pool_look(struct trp_pool *pool, struct trp_pool_figures *out) {
  memset(out, 0, sizeof *out);
  out->workers = atomic_load_explicit(&pool->count, memory_order_acquire);
  out->wakes = atomic_load_explicit(&pool->wakes, memory_order_relaxed);
  for (uint32_t i = 0; i < out->workers; i++) {
    struct trp_worker *w = pool->workers[i];
    out->stuck += atomic_load_explicit(&w->stuck, memory_order_relaxed);
    out->steps += atomic_load_explicit(&w->steps, memory_order_relaxed);
    out->steals += atomic_load_explicit(&w->steals, memory_order_relaxed);
    out->parks += atomic_load_explicit(&w->parks, memory_order_relaxed);
  }
}
