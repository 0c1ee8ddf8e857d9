/* pool_keeper.c - the thread that looks after the pool's workers: those whose actor does not return
 * from its turn, and those whose thread has exited. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/futex.h"
#include "runtime/pool_inside.h"
#include "runtime/thread.h"

enum {
  LONG_TICKS = 3,  /* stuck for so long: another takes its place, not only its queue */
  TIDY_TICKS = 10, /* between two rounds of looking for idle rings */
  QUIET_TICKS = 30 /* then it rests until a worker is woken; rings have been looked at by then */
};
static const uint64_t TICK_NS = 5 * TRP_NS_PER_MS;

void trp_keeper_wake(struct trp_pool *pool) {
  atomic_fetch_add_explicit(&pool->keeper_word, 1, memory_order_release);
  trp_futex_wake(&pool->keeper_word, 1);
}

void trp_keeper_note_wake(struct trp_pool *pool) {
  /* seq_cst, both: the keeper says that it rests and then looks at the count, see run_keeper. */
  atomic_fetch_add_explicit(&pool->wakes, 1, memory_order_seq_cst);
  if (atomic_load_explicit(&pool->keeper_rests, memory_order_seq_cst)) trp_keeper_wake(pool);
}

static uint32_t mode_of(struct trp_worker *w) {
  return atomic_load_explicit(&w->mode, memory_order_acquire);
}

static uint64_t cpu_ns_of(struct trp_worker *w) {
  clockid_t clock;
  struct timespec t;
  if (pthread_getcpuclockid(w->thread, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Waiting in the kernel for something, as its state in /proc says. */
static bool sleeps(int tid) {
  char path[48], text[128];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0) close(fd);
  if (n <= 0) return false;
  text[n] = '\0';
  const char *state = strrchr(text, ')');
  return state != NULL && state[1] == ' ' && state[2] != 'R';
}

/* In the same step for a whole tick, and not because others have the processor: for that another
 * worker would be no help. */
static void judge(struct trp_worker *w) {
  uint64_t steps = atomic_load_explicit(&w->steps, memory_order_relaxed), cpu_ns = 0;
  bool running = atomic_load_explicit(&w->running, memory_order_acquire) != NULL; /* see run */
  bool still = running && mode_of(w) == TRP_WORKER_AWAKE &&
               !atomic_load_explicit(&w->stuck, memory_order_relaxed);
  if (still) cpu_ns = cpu_ns_of(w);
  still = still && steps == w->seen_steps;
  bool busy = still && cpu_ns - w->seen_cpu_ns > TICK_NS / 2;
  w->seen_steps = steps;
  w->seen_cpu_ns = cpu_ns;
  /* seq_cst: the worker looks at it after each step. */
  if (busy || (still && sleeps(atomic_load_explicit(&w->tid, memory_order_relaxed)))) {
    atomic_store_explicit(&w->stuck, true, memory_order_seq_cst);
  }
  bool stuck = atomic_load_explicit(&w->stuck, memory_order_relaxed);
  w->stuck_ticks = stuck ? w->stuck_ticks + 1 : 0;
}

static void join(struct trp_worker *w) {
  /* Said a moment after the mode was set, by a thread that waits for nothing in between. */
  while (atomic_load_explicit(&w->finished, memory_order_acquire) == 0) {
    trp_futex_wait(&w->finished, 0, trp_deadline_in(TICK_NS));
  }
  pthread_join(w->thread, NULL);
  w->joined = true;
  /* Its death has been told as the actor's crash. */
  (void)trp_thread_forget(atomic_load_explicit(&w->tid, memory_order_relaxed));
}

/* Where none is to be had, it is tried again at the next look. */
static void replace_thread(struct trp_worker *w) {
  struct trp_pool *pool = w->pool;
  if (mode_of(w) != TRP_WORKER_GONE) return;
  if (!w->joined) join(w);
  bool was_short = pool->short_of_threads;
  pool->short_of_threads = trp_worker_restart(w) != TRP_OK;
  if (!pool->short_of_threads) return;
  atomic_store_explicit(&w->mode, TRP_WORKER_GONE, memory_order_relaxed);
  if (was_short) return;
  trp_system_log(pool->system, "pool", TRP_LOG_ERROR, "pool.no_thread", "worker=%u", w->index);
}

/* One more, where all that should work are stuck. */
static void add_worker(struct trp_pool *pool) {
  struct trp_worker *w = NULL;
  pthread_mutex_lock(&pool->lock);
  if (pool->spare_count > 0) {
    w = pool->spare[--pool->spare_count];
    atomic_store_explicit(&w->mode, TRP_WORKER_AWAKE, memory_order_release);
  }
  pthread_mutex_unlock(&pool->lock);
  if (w != NULL) {
    trp_worker_wake(w);
    return;
  }
  enum trp_err err = trp_worker_start(pool);
  if (err == TRP_OK) {
    trp_system_log(pool->system, "pool", TRP_LOG_WARN, "pool.worker_added",
                   "reason=\"workers are held up in turns that do not return\"");
  }
}

/* Rings that nobody has used for a while go back to the store, by their owners' hands. True where
 * all have been looked at. */
static bool tidy(struct trp_pool *pool) {
  enum { AT_ONCE = 8192 };
  struct trp_mailbox *idle[AT_ONCE];
  bool round;
  size_t count = trp_ring_store_idle(&pool->system->rings, idle, AT_ONCE, &round);
  for (size_t i = 0; i < count; i++) {
    trp_actor_signal(TRP_ACTOR_OF_MAILBOX(idle[i]), TRP_SIGNAL_TIDY);
  }
  if (round) trp_ring_store_trim(&pool->system->rings);
  return round;
}

/* True while somebody works. */
static bool look(struct trp_pool *pool) {
  uint32_t count = atomic_load_explicit(&pool->count, memory_order_acquire), active = 0, awake = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct trp_worker *w = pool->workers[i];
    replace_thread(w);
    judge(w);
    uint32_t mode = mode_of(w);
    bool stuck = w->stuck_ticks > LONG_TICKS;
    awake += mode == TRP_WORKER_AWAKE;
    active += !stuck && (mode == TRP_WORKER_AWAKE || mode == TRP_WORKER_IDLE);
  }
  bool overdue = trp_pool_timers_earliest(&pool->timers) <= trp_deadline_now_ns();
  if (awake > 0 && (overdue || trp_pool_has_work(pool)) && !trp_pool_wake_one(pool) &&
      active < pool->wanted) {
    add_worker(pool);
  }
  return awake > 0;
}

static void *run_keeper(void *arg) {
  struct trp_pool *pool = arg;
  struct trp_thread_slot *slot = trp_thread_enter("pool-keeper", "keeper", pool->system->name);
  for (uint32_t quiet = 0, ticks = 0;
       !atomic_load_explicit(&pool->closing, memory_order_acquire);) {
    uint32_t seen = atomic_load_explicit(&pool->keeper_word, memory_order_acquire);
    uint64_t wakes = atomic_load_explicit(&pool->wakes, memory_order_seq_cst);
    quiet = look(pool) ? 0 : quiet + 1;
    if (ticks == 0) ticks = tidy(pool) ? TIDY_TICKS : 0;
    if (ticks > 0) ticks--;
    bool rests = quiet >= QUIET_TICKS && !trp_ring_store_is_full(&pool->system->rings);
    atomic_store_explicit(&pool->keeper_rests, rests, memory_order_seq_cst);
    /* seq_cst: who gets up from here on sees that we rest, and who did before is seen here. */
    if (rests && atomic_load_explicit(&pool->wakes, memory_order_seq_cst) != wakes) continue;
    trp_thread_touch(slot, trp_deadline_now_ns());
    trp_futex_wait(&pool->keeper_word, seen,
                   rests ? trp_deadline_in(TRP_NS_PER_S) : trp_deadline_in(TICK_NS));
  }
  trp_thread_leave(slot);
  atomic_store_explicit(&pool->keeper_finished, 1, memory_order_release);
  trp_futex_wake(&pool->keeper_finished, 1);
  return NULL;
}

enum trp_err trp_keeper_start(struct trp_pool *pool) {
  if (pool->keeper_started) return TRP_OK;
  pool->keeper_started = pthread_create(&pool->keeper, NULL, run_keeper, pool) == 0;
  return pool->keeper_started ? TRP_OK : TRP_SYSTEM;
}
