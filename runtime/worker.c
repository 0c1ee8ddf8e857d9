/* worker.c - what a worker of the pool does: finds an actor, lets it take a step, puts it where it
 * belongs then; and where there is none, looks around for a while and sleeps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/check.h"
#include "runtime/deadline.h"
#include "runtime/explore.h"
#include "runtime/futex.h"
#include "runtime/pool_inside.h"
#include "runtime/thread.h"

enum {
  STACK_BYTES = 512 * 1024,
  SHARED_EVERY = 61,  /* steps between looks at the shared queue, whatever waits here */
  NEXT_IN_A_ROW = 32, /* then who waits in the queue comes first */
  CLOCK_EVERY = 32,   /* steps between looks at the clock, at most */
  CLOCK_LOOKS = 16,   /* looks around between looks at the clock */
  LOOKS_MIN = 8
};
static const uint64_t OFTEN_NS = 50000, SELDOM_NS = 10000; /* between looks at the clock */

_Thread_local struct trp_worker *trp_worker_here;

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

void trp_worker_put(struct trp_worker *w, struct trp_actor *a) {
  if (!trp_run_queue_put(&w->queue, a)) {
    trp_pool_share(w->pool, a);
    return;
  }
  trp_pool_announce(w->pool);
}

/* ---- timers ---- */

/* True where some were due: they are in the queues now. */
static bool fire(struct trp_worker *w, uint64_t now) {
  struct trp_actor *a;
  bool fired = false;
  while ((a = trp_pool_timers_take(&w->pool->timers, now)) != NULL) {
    fired = true;
    if (trp_actor_unpark(a)) trp_worker_put(w, a);
  }
  return fired;
}

/* The clock is read every few steps; the longer steps take, the more often. */
static void look_at_clock(struct trp_worker *w) {
  if (--w->until_clock > 0) return;
  if (trp_pool_timers_earliest(&w->pool->timers) != UINT64_MAX) {
    uint64_t now = trp_deadline_now_ns(), since = now - w->clock_ns;
    w->clock_ns = now;
    if (since > OFTEN_NS && w->clock_every > 1) w->clock_every /= 2;
    if (since < SELDOM_NS && w->clock_every < CLOCK_EVERY) w->clock_every *= 2;
    fire(w, now);
  }
  w->until_clock = w->clock_every;
}

/* ---- finding work ---- */

static struct trp_actor *take_next(struct trp_worker *w) {
  if (atomic_load_explicit(&w->next, memory_order_relaxed) == NULL) return NULL;
  /* acquire: of what we put there ourselves; the exchange is for the thief's sake. */
  return atomic_exchange_explicit(&w->next, NULL, memory_order_acquire);
}

static struct trp_actor *take_own(struct trp_worker *w) {
  struct trp_actor *a = NULL;
  if (--w->until_shared == 0) {
    w->until_shared = SHARED_EVERY;
    a = trp_pool_take_shared(w->pool);
    if (a != NULL) return a;
  }
  if (w->in_a_row < NEXT_IN_A_ROW && (a = take_next(w)) != NULL) {
    w->in_a_row++;
    return a;
  }
  w->in_a_row = 0;
  a = trp_run_queue_take(&w->queue);
  return a != NULL ? a : take_next(w);
}

static struct trp_actor *steal(struct trp_worker *w) {
  struct trp_pool *pool = w->pool;
  uint32_t count = atomic_load_explicit(&pool->count, memory_order_acquire);
  w->chance = w->chance * 1664525u + 1013904223u; /* Numerical Recipes' generator: any order does */
  uint32_t from = (w->chance >> 8) % count;
  struct trp_actor *a = NULL;
  for (uint32_t i = 0; i < count && a == NULL; i++) {
    struct trp_worker *victim = pool->workers[(from + i) % count];
    TRP_INTERLEAVE("worker.steal");
    if (victim == w) continue;
    a = trp_run_queue_steal(&w->queue, &victim->queue);
    if (a == NULL && atomic_load_explicit(&victim->stuck, memory_order_acquire)) {
      a = atomic_exchange_explicit(&victim->next, NULL, memory_order_acq_rel);
    }
  }
  if (a != NULL) atomic_fetch_add_explicit(&w->steals, 1, memory_order_relaxed);
  return a;
}

static void search(struct trp_worker *w) {
  if (w->searching) return;
  w->searching = true;
  atomic_fetch_add_explicit(&w->pool->searching, 1, memory_order_seq_cst);
}

/* The last one that searched and found something: there may be more, for one more. */
static void search_no_more(struct trp_worker *w, bool found) {
  if (!w->searching) return;
  w->searching = false;
  uint32_t before = atomic_fetch_sub_explicit(&w->pool->searching, 1, memory_order_seq_cst);
  TRP_INTERLEAVE("worker.search_no_more");
  if (found && before == 1 && trp_pool_has_work(w->pool)) trp_pool_announce(w->pool);
}

static struct trp_actor *look_once(struct trp_worker *w) {
  struct trp_actor *a = trp_pool_take_shared(w->pool);
  return a != NULL ? a : steal(w);
}

/* Looks around as long as that has paid off lately. Where more threads want to run than there are
 * cores it does not, and so it soon stops to. */
static struct trp_actor *look_around(struct trp_worker *w) {
  uint32_t most = w->pool->looks_max;
  struct trp_actor *a = look_once(w);
  for (uint32_t i = 0; a == NULL && i < w->looks; i++) {
    __builtin_ia32_pause();
    if (i % CLOCK_LOOKS == 0 && fire(w, trp_deadline_now_ns())) a = take_own(w);
    if (a == NULL) a = look_once(w);
    if (a == NULL) continue;
    w->looks = w->looks * 2 < most ? w->looks * 2 : most;
    return a;
  }
  if (a == NULL) w->looks = w->looks / 2 > LOOKS_MIN ? w->looks / 2 : LOOKS_MIN;
  if (w->looks > most) w->looks = most;
  return a;
}

/* ---- sleeping ---- */

static void lie_down(struct trp_worker *w) {
  struct trp_pool *pool = w->pool;
  pthread_mutex_lock(&pool->lock);
  uint32_t idle = atomic_load_explicit(&pool->idle_count, memory_order_relaxed);
  pool->idle[idle] = w;
  atomic_store_explicit(&w->mode, TRP_WORKER_IDLE, memory_order_relaxed);
  /* seq_cst: before the last look for work, see announce. */
  atomic_store_explicit(&pool->idle_count, idle + 1, memory_order_seq_cst);
  pthread_mutex_unlock(&pool->lock);
}

/* By itself; where somebody has woken it meanwhile, there is nothing to do. */
static void get_up(struct trp_worker *w) {
  struct trp_pool *pool = w->pool;
  pthread_mutex_lock(&pool->lock);
  bool by_itself = atomic_load_explicit(&w->mode, memory_order_relaxed) == TRP_WORKER_IDLE;
  if (by_itself) {
    uint32_t idle = atomic_load_explicit(&pool->idle_count, memory_order_relaxed), i = 0;
    while (pool->idle[i] != w) i++;
    memmove(&pool->idle[i], &pool->idle[i + 1], (idle - i - 1) * sizeof pool->idle[0]);
    atomic_store_explicit(&pool->idle_count, idle - 1, memory_order_seq_cst);
    atomic_store_explicit(&w->mode, TRP_WORKER_AWAKE, memory_order_relaxed);
  }
  pthread_mutex_unlock(&pool->lock);
  if (by_itself) trp_keeper_note_wake(pool);
}

/* One sleeper minds the timers: it sleeps only until the first is due. */
static void sleep_until_woken(struct trp_worker *w, uint32_t seen) {
  struct trp_pool *pool = w->pool;
  struct trp_worker *nobody = NULL;
  bool minds = atomic_compare_exchange_strong_explicit(&pool->minder, &nobody, w,
                                                       memory_order_seq_cst, memory_order_seq_cst);
  /* Read after the minder is set: who enters an earlier timer looks for the minder after that. */
  uint64_t until = minds ? trp_pool_timers_earliest(&pool->timers) : TRP_FOREVER;
  atomic_fetch_add_explicit(&w->parks, 1, memory_order_relaxed);
  trp_futex_wait(&w->word, seen, until);
  if (minds) atomic_store_explicit(&pool->minder, NULL, memory_order_seq_cst);
}

static void rest(struct trp_worker *w, struct trp_thread_slot *slot) {
  uint32_t seen = atomic_load_explicit(&w->word, memory_order_acquire);
  search_no_more(w, false);
  lie_down(w);
  TRP_INTERLEAVE("worker.lie_down");
  bool closing = atomic_load_explicit(&w->pool->closing, memory_order_seq_cst);
  if (!closing && !trp_pool_has_work(w->pool)) {
    trp_thread_touch(slot, trp_deadline_now_ns());
    TRP_INTERLEAVE("worker.sleep");
    sleep_until_woken(w, seen);
  }
  get_up(w);
  fire(w, trp_deadline_now_ns());
}

/* ---- running ---- */

/* The actor sleeps from here on: who wakes it may run it before we are done. */
static void put_to_sleep(struct trp_worker *w, struct trp_actor *a) {
  struct trp_pool *pool = w->pool;
  uint64_t due = trp_actor_due_ns(a);
  bool kept = true;
  atomic_store_explicit(&a->tid, 0, memory_order_relaxed);
  if (!trp_actor_park(a)) {
    trp_worker_put(w, a);
    return;
  }
  if (due == TRP_FOREVER) return;
  if (trp_pool_timers_set(&pool->timers, a, due, &kept)) {
    struct trp_worker *minder = atomic_load_explicit(&pool->minder, memory_order_seq_cst);
    if (minder != NULL) trp_worker_wake(minder);
  }
  if (!kept && trp_actor_unpark(a)) trp_worker_put(w, a);
}

static void let_go(struct trp_actor *a) {
  bool spawned = a->spawned;
  atomic_store_explicit(&a->tid, 0, memory_order_relaxed);
  atomic_store_explicit(&a->finished, 1, memory_order_release);
  /* Somebody waits for it only while all stop. */
  if (atomic_load_explicit(&a->system->stopping, memory_order_seq_cst)) {
    trp_futex_wake(&a->finished, 1);
  }
  if (spawned) trp_spawned_release(a);
}

static void after_step(struct trp_worker *w, struct trp_actor *a, enum trp_step step) {
  atomic_store_explicit(&w->running, NULL, memory_order_relaxed);
  if (step == TRP_STEP_MORE) trp_worker_put(w, a);
  if (step == TRP_STEP_IDLE) put_to_sleep(w, a);
  if (step == TRP_STEP_LEAVE) let_go(a);
}

static void run(struct trp_worker *w, struct trp_actor *a) {
  trp_turn_enter(a);
  int tid = atomic_load_explicit(&w->tid, memory_order_relaxed);
  atomic_store_explicit(&a->tid, tid, memory_order_relaxed);
  /* release: its thread and tid are there to be looked at. Partner: the keeper's judge. */
  atomic_store_explicit(&w->running, a, memory_order_release);
  trp_count(&w->steps, 1);
  after_step(w, a, trp_actor_step_within(a));
}

/* It was stuck and has come back; where another took its place it waits as a spare. */
static void come_back(struct trp_worker *w) {
  struct trp_pool *pool = w->pool;
  uint32_t seen = atomic_load_explicit(&w->word, memory_order_acquire), active = 0;
  pthread_mutex_lock(&pool->lock);
  atomic_store_explicit(&w->stuck, false, memory_order_seq_cst);
  uint32_t count = atomic_load_explicit(&pool->count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t mode = atomic_load_explicit(&pool->workers[i]->mode, memory_order_relaxed);
    bool stuck = atomic_load_explicit(&pool->workers[i]->stuck, memory_order_relaxed);
    active += !stuck && (mode == TRP_WORKER_AWAKE || mode == TRP_WORKER_IDLE);
  }
  bool spare = active > pool->wanted;
  if (spare) {
    atomic_store_explicit(&w->mode, TRP_WORKER_SPARE, memory_order_relaxed);
    pool->spare[pool->spare_count++] = w;
  }
  pthread_mutex_unlock(&pool->lock);
  if (!spare) return;
  search_no_more(w, false);
  struct trp_actor *a;
  while ((a = take_next(w)) != NULL || (a = trp_run_queue_take(&w->queue)) != NULL) {
    trp_pool_share(pool, a);
  }
  /* The verdict may have come late, and it have got up for work meanwhile: that is another's now.
   */
  if (trp_pool_has_work(pool)) trp_pool_announce(pool);
  while (atomic_load_explicit(&w->mode, memory_order_acquire) == TRP_WORKER_SPARE &&
         !atomic_load_explicit(&pool->closing, memory_order_acquire)) {
    trp_futex_wait(&w->word, seen, TRP_FOREVER);
    seen = atomic_load_explicit(&w->word, memory_order_acquire);
  }
}

static void work(struct trp_worker *w, struct trp_thread_slot *slot) {
  trp_turning.boundary = &w->boundary;
  if (setjmp(w->boundary) != 0) { /* a panic, or an error, unwound to here */
    trp_life_crash(trp_turn_current());
    after_step(w, trp_turn_current(), TRP_STEP_MORE);
  }
  while (!atomic_load_explicit(&w->pool->closing, memory_order_acquire)) {
    if (atomic_load_explicit(&w->stuck, memory_order_relaxed)) come_back(w);
    look_at_clock(w);
    struct trp_actor *a = take_own(w);
    if (a == NULL) {
      search(w);
      a = look_around(w);
    }
    if (a == NULL) {
      rest(w, slot);
      continue;
    }
    search_no_more(w, true);
    run(w, a);
  }
}

/* ---- the thread ---- */

/* Runs on a worker's thread that exits inside a turn (pthread_exit): the actor crashes, and the
 * keeper gives the worker another thread. */
static void exited_in_turn(void *arg) {
  struct trp_worker *w = arg;
  struct trp_actor *a = atomic_load_explicit(&w->running, memory_order_relaxed), *woken;
  trp_worker_here = NULL; /* what is woken from here on is for others, see trp_pool_wake */
  if (a != NULL) {
    trp_turn_enter(a);
    trp_crash_note(a, TRP_CAUSE_EXIT, TRP_THREAD_EXIT, trp_err_text(TRP_THREAD_EXIT), NULL);
    trp_life_crash(a);
    atomic_store_explicit(&w->running, NULL, memory_order_relaxed);
    trp_pool_share(w->pool, a);
  }
  /* Nobody takes it from here, and it may be a while until there is another thread. */
  if ((woken = take_next(w)) != NULL) trp_pool_share(w->pool, woken);
  atomic_store_explicit(&w->mode, TRP_WORKER_GONE, memory_order_release);
  trp_keeper_wake(w->pool);
  atomic_store_explicit(&w->finished, 1, memory_order_release);
  trp_futex_wake(&w->finished, 1);
}

static void make_exit_key(void) { ASSERT(pthread_key_create(&exit_key, exited_in_turn) == 0); }

static void *run_worker(void *arg) {
  struct trp_worker *w = arg;
  char name[TRP_NAME_MAX + 1];
  snprintf(name, sizeof name, "worker-%u", w->index);
  struct trp_thread_slot *slot = trp_thread_enter(name, "worker", w->pool->system->name);
  pthread_setspecific(exit_key, w);
  trp_worker_here = w;
  atomic_store_explicit(&w->tid, gettid(), memory_order_relaxed);
  work(w, slot);
  trp_worker_here = NULL;
  trp_turn_enter(NULL);
  pthread_setspecific(exit_key, NULL);
  trp_thread_leave(slot);
  atomic_store_explicit(&w->finished, 1, memory_order_release);
  trp_futex_wake(&w->finished, 1);
  return NULL;
}

enum trp_err trp_worker_restart(struct trp_worker *w) {
  pthread_attr_t attr;
  pthread_once(&exit_once, make_exit_key);
  atomic_store_explicit(&w->finished, 0, memory_order_relaxed);
  atomic_store_explicit(&w->stuck, false, memory_order_relaxed);
  atomic_store_explicit(&w->mode, TRP_WORKER_AWAKE, memory_order_relaxed);
  w->searching = false;
  w->until_shared = SHARED_EVERY;
  w->until_clock = w->clock_every = CLOCK_EVERY;
  w->looks = w->pool->looks_max;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK_BYTES);
  int failed = pthread_create(&w->thread, &attr, run_worker, w);
  pthread_attr_destroy(&attr);
  w->joined = failed != 0;
  return failed == 0 ? TRP_OK : TRP_SYSTEM;
}

enum trp_err trp_worker_start(struct trp_pool *pool) {
  uint32_t index = atomic_load_explicit(&pool->count, memory_order_relaxed);
  if (index == TRP_WORKERS_ALL) return TRP_LIMIT;
  struct trp_worker *w = aligned_alloc(alignof(struct trp_worker), sizeof *w);
  if (w == NULL) return TRP_NO_MEMORY;
  memset(w, 0, sizeof *w);
  w->pool = pool;
  w->index = index;
  w->chance = index;
  pool->workers[index] = w;
  /* release: the worker is whole. Partner: who walks over all of them. */
  atomic_store_explicit(&pool->count, index + 1, memory_order_release);
  enum trp_err err = trp_worker_restart(w);
  if (err == TRP_OK) return TRP_OK;
  /* release: that there is nothing to join. Partner: the keeper's look at the mode. */
  atomic_store_explicit(&w->mode, TRP_WORKER_GONE, memory_order_release);
  return err;
}
