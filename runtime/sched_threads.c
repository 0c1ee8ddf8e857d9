/* sched_threads.c - the real scheduler: a thread for each actor, or the pool, or one for each loop
 * that actors share; and one for the coordinator.
 *
 * An actor's thread steps as long as there is something to do and then sleeps, on its futex or in
 * the slot's I/O loop, until a wake-up or its next timer. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/check.h"
#include "runtime/deadline.h"
#include "runtime/futex.h"
#include "runtime/loops.h"
#include "runtime/pool.h"
#include "runtime/sched.h"
#include "runtime/thread.h"

enum { STACK_BYTES = 512 * 1024, LOOP_EVERY = 16 };

struct threads {
  struct trp_sched base;
  struct trp_pool *pool;
  struct trp_loops loops;
  pthread_t coordinator;
  bool running, whole;
  _Atomic bool closing;
  _Atomic uint32_t word;     /* futex of the coordinator */
  _Atomic uint32_t finished; /* futex: its thread is about to exit */
};

static pthread_key_t exit_key; /* tells a thread that leaves by itself from one that is let go */
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

/* The last thing a thread does; the join that follows waits for no more than its exit. */
static void finish(_Atomic uint32_t *finished) {
  atomic_store_explicit(finished, 1, memory_order_release);
  trp_futex_wake(finished, 1);
}

/* Runs on a thread that exits inside a turn (pthread_exit): its actor crashes, and the coordinator
 * joins the thread before a new life gets another. */
static void exited_in_turn(void *arg) {
  struct trp_actor *a = arg;
  trp_turn_enter(a);
  trp_crash_note(a, TRP_CAUSE_EXIT, TRP_THREAD_EXIT, trp_err_text(TRP_THREAD_EXIT), NULL);
  /* Set before anybody hears of the crash: who restarts the actor must see that it has no thread.
   */
  atomic_store_explicit(&a->thread_exited, true, memory_order_release);
  trp_life_crash(a);
  atomic_store_explicit(&a->tid, 0, memory_order_relaxed);
  finish(&a->finished);
}

static void make_exit_key(void) { ASSERT(pthread_key_create(&exit_key, exited_in_turn) == 0); }

static void sleep_in(struct trp_actor *a, uint32_t seen) {
  struct trp_loop *loop = trp_spec_of(a)->loop;
  uint64_t until = trp_actor_due_ns(a);
  if (loop != NULL) {
    loop->run(loop, until);
  } else {
    trp_futex_wait(&a->wakes, seen, until);
  }
}

static void *run_actor(void *arg) {
  struct trp_actor *a = arg;
  struct trp_thread_slot *slot = trp_thread_enter(a->name, "actor", a->system->name);
  pthread_setspecific(exit_key, a);
  atomic_store_explicit(&a->tid, gettid(), memory_order_relaxed);
  trp_turn_enter(a);
  for (unsigned busy = 0;;) {
    uint32_t seen = atomic_load_explicit(&a->wakes, memory_order_acquire);
    enum trp_step step = trp_actor_step(a);
    if (step == TRP_STEP_LEAVE) break;
    if (step == TRP_STEP_MORE) {
      /* I/O is served also while mail keeps coming. */
      if (trp_spec_of(a)->loop != NULL && ++busy % LOOP_EVERY == 0)
        trp_spec_of(a)->loop->run(trp_spec_of(a)->loop, 0);
      continue;
    }
    trp_thread_touch(slot, trp_env_now_ns(&a->system->env));
    if (!trp_actor_park(a)) continue;
    sleep_in(a, seen);
    trp_actor_unpark(a);
  }
  atomic_store_explicit(&a->tid, 0, memory_order_relaxed);
  trp_turn_enter(NULL);
  pthread_setspecific(exit_key, NULL);
  trp_thread_leave(slot);
  finish(&a->finished);
  return NULL;
}

struct trp_pool *trp_sched_pool(struct trp_sched *sched) {
  return ((struct threads *)sched)->pool;
}

static bool is_pooled(const struct trp_actor *a) { return trp_spec_of(a)->placement == TRP_POOL; }

static bool is_looped(const struct trp_actor *a) { return trp_spec_of(a)->placement == TRP_IO; }

/* Exits at once, in the place of a thread that could not say that it did. */
static void *exit_in_its_place(void *arg) {
  pthread_setspecific(exit_key, arg);
  return NULL;
}

static enum trp_err begin_thread(struct trp_actor *a, void *(*run)(void *)) {
  pthread_attr_t attr;
  atomic_store_explicit(&a->finished, 0, memory_order_relaxed);
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK_BYTES);
  int failed = pthread_create(&a->thread, &attr, run, a);
  pthread_attr_destroy(&attr);
  a->has_thread = failed == 0;
  return failed == 0 ? TRP_OK : TRP_SYSTEM;
}

static enum trp_err attach(struct trp_sched *sched, struct trp_actor *a) {
  if (is_pooled(a)) return trp_pool_attach(trp_sched_pool(sched), a);
  if (is_looped(a)) return trp_loops_attach(&((struct threads *)sched)->loops, a);
  return begin_thread(a, run_actor);
}

static enum trp_err bury(struct trp_sched *sched, struct trp_actor *a) {
  if (is_looped(a)) return trp_loops_bury(&((struct threads *)sched)->loops, a);
  if (!a->has_thread || is_pooled(a)) return TRP_OK; /* the pool looks after its own */
  pthread_join(a->thread, NULL); /* the kernel has said that it is over: nothing is waited for */
  return begin_thread(a, exit_in_its_place);
}

/* A deadline for the joining without pthread_clockjoin_np, which the thread sanitizer does not
 * know. */
static bool await(_Atomic uint32_t *finished, uint64_t until_ns) {
  while (atomic_load_explicit(finished, memory_order_acquire) == 0) {
    if (trp_deadline_now_ns() >= until_ns) return false;
    trp_futex_wait(finished, 0, until_ns);
  }
  return true;
}

static bool join_by(pthread_t thread, _Atomic uint32_t *finished, uint64_t until_ns) {
  return await(finished, until_ns) && pthread_join(thread, NULL) == 0;
}

static bool detach(struct trp_sched *sched, struct trp_actor *a, uint64_t until_ns) {
  (void)sched;
  if (is_pooled(a) || is_looped(a)) return await(&a->finished, until_ns);
  if (!a->has_thread) return true;
  if (!join_by(a->thread, &a->finished, until_ns)) return false;
  a->has_thread = false;
  return true;
}

static void wake(struct trp_sched *sched, struct trp_actor *a) {
  if (is_pooled(a)) {
    trp_pool_wake(trp_sched_pool(sched), a);
    return;
  }
  if (is_looped(a)) {
    trp_loops_wake(a);
    return;
  }
  atomic_fetch_add_explicit(&a->wakes, 1, memory_order_release);
  if (trp_spec_of(a)->loop != NULL) {
    trp_spec_of(a)->loop->wake(trp_spec_of(a)->loop);
  } else {
    trp_futex_wake(&a->wakes, 1);
  }
}

static void notify(struct trp_sched *sched, _Atomic uint32_t *word) {
  (void)sched;
  trp_futex_wake(word, INT_MAX);
}

static void wait_word(struct trp_sched *sched, _Atomic uint32_t *word, uint32_t seen,
                      uint64_t until_ns) {
  (void)sched;
  trp_futex_wait(word, seen, until_ns);
}

static void wake_coordinator(struct trp_sched *sched) {
  struct threads *t = (struct threads *)sched;
  atomic_fetch_add_explicit(&t->word, 1, memory_order_release);
  trp_futex_wake(&t->word, 1);
}

static void *run_coordinator(void *arg) {
  struct threads *t = arg;
  struct trp_thread_slot *slot =
      trp_thread_enter("coordinator", "coordinator", t->base.system->name);
  while (!atomic_load_explicit(&t->closing, memory_order_acquire)) {
    uint32_t seen = atomic_load_explicit(&t->word, memory_order_acquire);
    uint64_t until = trp_coordinator_step(t->base.system->coordinator);
    if (until > trp_env_now_ns(&t->base.system->env)) trp_futex_wait(&t->word, seen, until);
  }
  trp_thread_leave(slot);
  finish(&t->finished);
  return NULL;
}

static enum trp_err open_sched(struct trp_sched *sched) {
  struct threads *t = (struct threads *)sched;
  if (pthread_create(&t->coordinator, NULL, run_coordinator, t) != 0) return TRP_SYSTEM;
  t->running = true;
  return TRP_OK;
}

static bool close_sched(struct trp_sched *sched) {
  struct threads *t = (struct threads *)sched;
  if (!t->running) return true;
  bool loops_closed = trp_loops_close(&t->loops, trp_deadline_in(TRP_NS_PER_S));
  t->whole = trp_pool_close(t->pool, trp_deadline_in(TRP_NS_PER_S)) && loops_closed;
  atomic_store_explicit(&t->closing, true, memory_order_release);
  wake_coordinator(sched);
  t->running = !join_by(t->coordinator, &t->finished, trp_deadline_in(TRP_NS_PER_S));
  return t->whole && !t->running;
}

static void destroy(struct trp_sched *sched) {
  struct threads *t = (struct threads *)sched;
  if (t->whole) {
    trp_pool_destroy(t->pool);
    trp_loops_fini(&t->loops);
  }
  free(sched);
}

static const struct trp_sched_ops ops = {.attach = attach,
                                         .detach = detach,
                                         .bury = bury,
                                         .wake = wake,
                                         .wake_coordinator = wake_coordinator,
                                         .open = open_sched,
                                         .wait = wait_word,
                                         .notify = notify,
                                         .close = close_sched,
                                         .destroy = destroy};

struct trp_sched *trp_sched_threads_new(struct trp_system *system) {
  pthread_once(&exit_once, make_exit_key);
  struct threads *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->whole = true;
  t->pool = trp_pool_new(system);
  if (t->pool == NULL) {
    free(t);
    return NULL;
  }
  t->base.ops = &ops;
  t->base.system = system;
  trp_loops_init(&t->loops, system);
  return &t->base;
}
