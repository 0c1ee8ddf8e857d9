/* pool_inside.h - the pool's inside, for its own files alone: pool.c (the doors in: attach, wake,
 * close; who sleeps), worker.c (what a worker does), pool_keeper.c (who is stuck).
 *
 * Which worker owns an actor is said by where it is: in a queue, in a worker's `next`, running, or
 * marked as sleeping (trp_actor_park), and then whoever clears the mark puts it into a queue. */
#ifndef TRP_RUNTIME_POOL_INSIDE_H
#define TRP_RUNTIME_POOL_INSIDE_H

#include "runtime/pool.h"
#include "runtime/pool_timers.h"
#include "runtime/run_queue.h"

enum {
  TRP_WORKERS_EXTRA = 64, /* for those that are stuck */
  TRP_WORKERS_ALL = TRP_WORKERS_MAX + TRP_WORKERS_EXTRA
};

enum trp_worker_mode { TRP_WORKER_AWAKE, TRP_WORKER_IDLE, TRP_WORKER_SPARE, TRP_WORKER_GONE };

struct trp_worker {
  struct trp_run_queue queue;

  /* What the running actor woke last: the owner's, and a thief's where the worker is stuck. */
  alignas(64) _Atomic(struct trp_actor *) next;
  _Atomic(struct trp_actor *) running;
  _Atomic uint64_t steps;
  _Atomic bool stuck;        /* the keeper's verdict; taken back by the worker itself */
  _Atomic uint32_t mode;     /* enum trp_worker_mode; changes under the pool's lock */
  _Atomic uint32_t word;     /* futex: counts wake-ups */
  _Atomic uint32_t finished; /* futex: its thread is about to exit */
  _Atomic uint64_t steals, parks;

  /* the worker's own */
  struct trp_pool *pool;
  pthread_t thread;
  uint32_t index;
  _Atomic int tid;   /* of its thread; relaxed */
  bool searching;    /* counted in the pool's */
  bool joined;       /* it has no thread */
  uint32_t in_a_row; /* steps of `next` while others waited */
  uint32_t until_shared, until_clock, clock_every;
  uint64_t clock_ns;
  uint32_t looks; /* around, before it sleeps: as many as have paid off lately */
  uint32_t chance;
  jmp_buf boundary;

  uint64_t seen_steps, seen_cpu_ns; /* the keeper's */
  uint32_t stuck_ticks;
};

struct trp_pool {
  struct trp_system *system;
  struct trp_pool_timers timers;
  uint32_t wanted; /* workers to be at work at a time */
  uint32_t looks_max;

  alignas(64) _Atomic uint32_t idle_count;
  _Atomic uint32_t searching; /* awake without work, looking for some */
  _Atomic uint32_t shared_count;
  _Atomic bool closing, keeper_rests;
  _Atomic uint64_t wakes;
  _Atomic(struct trp_worker *) minder; /* the idle worker that sleeps only until a timer is due */

  alignas(64) pthread_mutex_t lock; /* the shared queue, and who is idle or spare */
  struct trp_actor *shared_first, *shared_last;
  struct trp_worker *idle[TRP_WORKERS_ALL], *spare[TRP_WORKERS_ALL];
  uint32_t spare_count;

  pthread_mutex_t opening; /* the first attach */
  bool open;
  struct trp_worker *workers[TRP_WORKERS_ALL]; /* the keeper's, but for reading up to count */
  _Atomic uint32_t count;
  bool keeper_started, short_of_threads; /* the latter the keeper's */
  pthread_t keeper;
  _Atomic uint32_t keeper_word, keeper_finished;
};

/* ---- pool.c ---- */

void trp_pool_share(struct trp_pool *pool, struct trp_actor *actor); /* and announces it */
struct trp_actor *trp_pool_take_shared(struct trp_pool *pool);

/* There is work beside what a worker is about to do: somebody else may take it. */
void trp_pool_announce(struct trp_pool *pool);
bool trp_pool_has_work(struct trp_pool *pool);

/* Wakes an idle worker, which then counts as searching; false where none is idle. */
bool trp_pool_wake_one(struct trp_pool *pool);
void trp_worker_wake(struct trp_worker *worker);

/* ---- worker.c ---- */

extern _Thread_local struct trp_worker *trp_worker_here; /* the worker that this thread is */

/* Errors: SYSTEM, NO_MEMORY. Thread: the opener, the keeper. */
TRP_MUST_USE enum trp_err trp_worker_start(struct trp_pool *pool);
TRP_MUST_USE enum trp_err trp_worker_restart(struct trp_worker *worker);
void trp_worker_put(struct trp_worker *worker, struct trp_actor *actor); /* behind the others */

/* ---- pool_keeper.c ---- */

TRP_MUST_USE enum trp_err trp_keeper_start(struct trp_pool *pool);
void trp_keeper_wake(struct trp_pool *pool);
void trp_keeper_note_wake(
    struct trp_pool *pool); /* a worker has got up: the keeper rests no more */

#endif
