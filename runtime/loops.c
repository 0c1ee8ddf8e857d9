#include "runtime/loops.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/check.h"
#include "runtime/deadline.h"
#include "runtime/futex.h"
#include "runtime/pool_timers.h"
#include "runtime/system.h"
#include "runtime/thread.h"

enum {
  STACK_BYTES = 512 * 1024,
  SERVE_EVERY = 16 /* steps at least between looks at the loop: with many descriptors each costs */
};

struct trp_loop_thread {
  struct trp_loops *loops;
  struct trp_loop *loop;
  struct trp_loop_thread *next;
  struct trp_pool_timers timers;
  _Atomic(struct trp_actor *) woken;   /* the last one first; any thread adds, ours takes all */
  _Atomic(struct trp_actor *) running; /* whose step it is */
  _Atomic int tid;
  _Atomic uint32_t finished; /* futex: the thread is about to exit */

  /* under the loops' lock */
  uint32_t actors; /* attached and not let go */
  bool joined;     /* there is no thread */
  bool has_before; /* one that died inside a turn: its successor joins it */
  pthread_t before;

  /* the thread's own */
  pthread_t thread;
  struct trp_actor *first, *last; /* those that have something to do */
  uint32_t count;
  bool serving; /* it is in the loop, and not in a step */
  uint32_t number;
};

static _Thread_local struct trp_loop_thread *here; /* the one that this thread is */
static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

/* ---- who has something to do ---- */

static void append(struct trp_loop_thread *t, struct trp_actor *a) {
  a->next = NULL;
  if (t->last != NULL) t->last->next = a;
  if (t->last == NULL) t->first = a;
  t->last = a;
  t->count++;
}

static struct trp_actor *take_first(struct trp_loop_thread *t) {
  struct trp_actor *a = t->first;
  t->first = a->next;
  if (t->first == NULL) t->last = NULL;
  t->count--;
  return a;
}

void trp_loops_wake(struct trp_actor *a) {
  struct trp_loop_thread *t = trp_spec_of(a)->loop->thread;
  struct trp_actor *newest = atomic_load_explicit(&t->woken, memory_order_relaxed);
  do {
    a->next = newest;
    /* release: pairs with the acquire in take_woken, for the link and what the waker did. */
  } while (!atomic_compare_exchange_weak_explicit(&t->woken, &newest, a, memory_order_release,
                                                  memory_order_relaxed));
  if (newest != NULL) return;           /* who added that one has woken the loop */
  if (t == here && !t->serving) return; /* it looks here before it sleeps */
  t->loop->wake(t->loop);
}

/* In the order in which they were woken. */
static void take_woken(struct trp_loop_thread *t) {
  if (atomic_load_explicit(&t->woken, memory_order_relaxed) == NULL) return;
  /* acquire: pairs with the release in wake. */
  struct trp_actor *a = atomic_exchange_explicit(&t->woken, NULL, memory_order_acquire);
  struct trp_actor *oldest = NULL;
  while (a != NULL) {
    struct trp_actor *next = a->next;
    a->next = oldest;
    oldest = a;
    a = next;
  }
  while (oldest != NULL) {
    struct trp_actor *next = oldest->next;
    append(t, oldest);
    oldest = next;
  }
}

static void fire(struct trp_loop_thread *t) {
  if (trp_pool_timers_earliest(&t->timers) == TRP_FOREVER) return;
  uint64_t now = trp_deadline_now_ns();
  struct trp_actor *a;
  while ((a = trp_pool_timers_take(&t->timers, now)) != NULL) {
    if (trp_actor_unpark(a)) append(t, a);
  }
}

/* ---- running ---- */

/* True where it was the last one here: the thread ends. */
static bool let_go(struct trp_loop_thread *t, struct trp_actor *a) {
  pthread_mutex_lock(&t->loops->lock);
  bool last = --t->actors == 0;
  pthread_mutex_unlock(&t->loops->lock);
  /* release: pairs with the acquire of who waits for it in detach. */
  atomic_store_explicit(&a->finished, 1, memory_order_release);
  trp_futex_wake(&a->finished, 1);
  return last;
}

static void put_to_sleep(struct trp_loop_thread *t, struct trp_actor *a) {
  uint64_t due = trp_actor_due_ns(a);
  bool kept = true;
  if (!trp_actor_park(a)) {
    append(t, a);
    return;
  }
  if (due == TRP_FOREVER) return;
  (void)trp_pool_timers_set(&t->timers, a, due, &kept);
  if (!kept && trp_actor_unpark(a)) append(t, a);
}

/* Relaxed: who looks wants to know whose turn it is, and nothing of what it does. */
static void note_running(struct trp_loop_thread *t, struct trp_actor *a, int tid) {
  struct trp_actor *before = atomic_load_explicit(&t->running, memory_order_relaxed);
  if (before != NULL) atomic_store_explicit(&before->tid, 0, memory_order_relaxed);
  atomic_store_explicit(&t->running, a, memory_order_relaxed);
  if (a != NULL) atomic_store_explicit(&a->tid, tid, memory_order_relaxed);
}

/* False where the last one has left. */
static bool run(struct trp_loop_thread *t, struct trp_actor *a) {
  note_running(t, a, atomic_load_explicit(&t->tid, memory_order_relaxed));
  enum trp_step step = trp_actor_step(a);
  note_running(t, NULL, 0);
  if (step == TRP_STEP_MORE) append(t, a);
  if (step == TRP_STEP_IDLE) put_to_sleep(t, a);
  return step != TRP_STEP_LEAVE || !let_go(t, a);
}

static void serve(struct trp_loop_thread *t, uint64_t until_ns, struct trp_thread_slot *slot) {
  trp_turn_enter(NULL); /* what goes wrong in there is nobody's turn */
  trp_thread_touch(slot, trp_deadline_now_ns());
  t->serving = true;
  t->loop->run(t->loop, until_ns);
  t->serving = false;
}

static void work(struct trp_loop_thread *t, struct trp_thread_slot *slot) {
  uint32_t left = SERVE_EVERY;
  for (;;) {
    take_woken(t);
    fire(t);
    if (t->first == NULL || left == 0) {
      serve(t, t->first != NULL ? 0 : trp_pool_timers_earliest(&t->timers), slot);
      take_woken(t);
      left = t->count > SERVE_EVERY ? t->count : SERVE_EVERY;
      continue;
    }
    left--;
    if (!run(t, take_first(t))) return;
  }
}

/* ---- the thread ---- */

static void finish(struct trp_loop_thread *t) {
  atomic_store_explicit(&t->finished, 1, memory_order_release); /* pairs with join_by's acquire */
  trp_futex_wake(&t->finished, 1);
}

/* The actor in whose turn a thread ended. */
static void crash_running(struct trp_loop_thread *t) {
  struct trp_actor *a = atomic_load_explicit(&t->running, memory_order_relaxed);
  if (a == NULL) return;
  trp_turn_enter(a);
  trp_crash_note(a, TRP_CAUSE_EXIT, TRP_THREAD_EXIT, trp_err_text(TRP_THREAD_EXIT), NULL);
  trp_life_crash(a);
  note_running(t, NULL, 0);
  append(t, a);
}

static void *run_thread(void *arg) {
  struct trp_loop_thread *t = arg;
  char name[TRP_NAME_MAX + 1];
  snprintf(name, sizeof name, "io-%u", t->number);
  struct trp_thread_slot *slot = trp_thread_enter(name, "io", t->loops->system->name);
  pthread_setspecific(exit_key, t);
  here = t;
  if (t->has_before) {
    pthread_join(t->before, NULL); /* it is over, or about to be */
    (void)trp_thread_forget(atomic_load_explicit(&t->tid, memory_order_relaxed));
    crash_running(t);
  }
  pthread_mutex_lock(&t->loops->lock);
  t->has_before = false;
  atomic_store_explicit(&t->tid, gettid(), memory_order_relaxed);
  pthread_mutex_unlock(&t->loops->lock);
  work(t, slot);
  here = NULL;
  trp_turn_enter(NULL);
  pthread_setspecific(exit_key, NULL);
  trp_thread_leave(slot);
  finish(t);
  return NULL;
}

static enum trp_err begin(struct trp_loop_thread *t) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK_BYTES);
  int failed = pthread_create(&t->thread, &attr, run_thread, t);
  pthread_attr_destroy(&attr);
  return failed == 0 ? TRP_OK : TRP_SYSTEM;
}

/* Runs on a thread that exits inside a turn (pthread_exit), last of all. What the turn has sent
 * lies with this thread, so the crash is told here. */
static void exited_in_turn(void *arg) {
  struct trp_loop_thread *t = arg;
  crash_running(t);
  here = NULL;
  pthread_mutex_lock(&t->loops->lock);
  t->before = pthread_self();
  t->has_before = true;
  pthread_mutex_unlock(&t->loops->lock);
  if (begin(t) != TRP_OK) {
    trp_system_stop(t->loops->system, "no thread could be had for an I/O loop");
  }
}

static void make_exit_key(void) { ASSERT(pthread_key_create(&exit_key, exited_in_turn) == 0); }

enum trp_err trp_loops_bury(struct trp_loops *loops, struct trp_actor *a) {
  struct trp_loop_thread *t = trp_spec_of(a)->loop->thread;
  pthread_mutex_lock(&loops->lock);
  int tid = atomic_load_explicit(&t->tid, memory_order_relaxed);
  /* The word of it may be old: a successor may be at work already. */
  bool lost = !t->has_before && tgkill(getpid(), tid, 0) != 0 && errno == ESRCH;
  if (lost) t->before = t->thread;
  if (lost) t->has_before = true;
  pthread_mutex_unlock(&loops->lock);
  a->buried = false; /* it may happen to it again */
  return lost ? begin(t) : TRP_OK;
}

/* ---- the doors in ---- */

void trp_loops_init(struct trp_loops *loops, struct trp_system *system) {
  *loops = (struct trp_loops){.system = system};
  pthread_mutex_init(&loops->lock, NULL);
  pthread_once(&exit_once, make_exit_key);
}

static struct trp_loop_thread *new_thread(struct trp_loops *loops, struct trp_loop *loop) {
  struct trp_loop_thread *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->loops = loops;
  t->loop = loop;
  t->number = loops->count++;
  t->joined = true;
  trp_pool_timers_init(&t->timers);
  t->next = loops->first;
  loops->first = t;
  loop->thread = t;
  return t;
}

static bool join_by(struct trp_loop_thread *t, uint64_t until_ns) {
  while (atomic_load_explicit(&t->finished, memory_order_acquire) == 0) {
    if (trp_deadline_now_ns() >= until_ns) return false;
    trp_futex_wait(&t->finished, 0, until_ns);
  }
  t->joined = pthread_join(t->thread, NULL) == 0;
  return t->joined;
}

enum trp_err trp_loops_attach(struct trp_loops *loops, struct trp_actor *a) {
  struct trp_loop *loop = trp_spec_of(a)->loop;
  struct trp_loop_thread *t = loop->thread != NULL ? loop->thread : new_thread(loops, loop);
  if (t == NULL) return TRP_NO_MEMORY;
  ASSERT(t->loops == loops); /* a loop serves one system at a time */
  pthread_mutex_lock(&loops->lock);
  bool ending = !t->joined && t->actors == 0; /* its last has left, and it is on its way out */
  t->actors++;
  pthread_mutex_unlock(&loops->lock);
  if (ending) (void)join_by(t, TRP_FOREVER); /* it does nothing more, so this is no wait */
  atomic_store_explicit(&a->finished, 0, memory_order_relaxed);
  trp_loops_wake(a);
  if (!t->joined) return TRP_OK;
  atomic_store_explicit(&t->finished, 0, memory_order_relaxed);
  t->joined = begin(t) != TRP_OK;
  return t->joined ? TRP_SYSTEM : TRP_OK;
}

const struct trp_actor *trp_loops_held_up_by(const struct trp_actor *a) {
  const struct trp_spec *spec = trp_spec_of(a);
  if (spec->placement != TRP_IO || spec->loop->thread == NULL) return NULL;
  const struct trp_actor *running =
      atomic_load_explicit(&spec->loop->thread->running, memory_order_relaxed);
  return running == a ? NULL : running;
}

/* ---- the end ---- */

bool trp_loops_close(struct trp_loops *loops, uint64_t until_ns) {
  bool all = true;
  for (struct trp_loop_thread *t = loops->first; t != NULL; t = t->next) {
    /* One whose actor does not return is not waited for: it has been abandoned and named. */
    bool stuck = atomic_load_explicit(&t->running, memory_order_relaxed) != NULL;
    if (!t->joined) (void)join_by(t, stuck ? 0 : until_ns);
    all = all && t->joined;
  }
  return all;
}

void trp_loops_fini(struct trp_loops *loops) {
  while (loops->first != NULL) {
    struct trp_loop_thread *t = loops->first;
    loops->first = t->next;
    t->loop->thread = NULL;
    trp_pool_timers_fini(&t->timers);
    free(t);
  }
  pthread_mutex_destroy(&loops->lock);
}
