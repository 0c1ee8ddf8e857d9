#include "test/explore/explorer.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

/* Stacks lie so far apart that valgrind takes a switch for one, not for a huge frame. */
enum { STACK_BYTES = 256 * 1024, STACK_APART_BYTES = 4 * 1024 * 1024 };

/* The thread sanitizer must be told of fibers; elsewhere these are not there and are not called. */
extern void *__tsan_get_current_fiber(void) __attribute__((weak));
extern void *__tsan_create_fiber(unsigned flags) __attribute__((weak));
extern void __tsan_destroy_fiber(void *fiber) __attribute__((weak));
extern void __tsan_switch_to_fiber(void *fiber, unsigned flags) __attribute__((weak));

struct fiber {
  ucontext_t context;
  trp_fiber_fn *fn;
  void *arg;
  void *tsan;
  bool made;  /* context and stack are kept from one exploration to the next */
  bool ended; /* until it is spawned again */
};

static struct explorer {
  struct fiber fibers[TRP_EXPLORER_FIBERS_MAX];
  uint32_t count, running, current;
  uint64_t chance, switch_one_in, points_left;
  const char *failure;
  bool exploring;
  ucontext_t home;
  void *home_tsan;
  void (*watch)(const char *where), (*seen)(const char *where);
} explorer;

static _Alignas(64) unsigned char stacks[TRP_EXPLORER_FIBERS_MAX][STACK_APART_BYTES];

/* splitmix64 */
static uint64_t next_random(void) {
  uint64_t z = explorer.chance += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

uint64_t trp_explorer_draw(uint64_t bound) { return next_random() % bound; }

uint32_t trp_explorer_current(void) { return explorer.current; }

void trp_explorer_trace(void (*seen)(const char *where)) { explorer.seen = seen; }

int trp_explorer_lock(pthread_mutex_t *mutex) {
  while (pthread_mutex_trylock(mutex) != 0) trp_explore_point("lock");
  return 0;
}

uint32_t trp_explorer_running(void) { return explorer.running; }

void trp_explorer_watch(void (*watch)(const char *where)) { explorer.watch = watch; }

void trp_explorer_begin(uint64_t seed) {
  explorer.count = explorer.running = 0;
  explorer.chance = seed;
  explorer.failure = NULL;
  explorer.seen = NULL;
  /* Some seeds switch at nearly every point, others let a fiber run far ahead. */
  explorer.switch_one_in = UINT64_C(1) << trp_explorer_draw(5);
}

/* ---- switching ------------------------------------------------------------------------------ */

static void tell_tsan(void *fiber) {
  if (__tsan_switch_to_fiber != NULL) __tsan_switch_to_fiber(fiber, 0);
}

static void go_home(ucontext_t *from) {
  tell_tsan(explorer.home_tsan);
  swapcontext(from, &explorer.home);
}

/* Goes on with a fiber drawn among those that have not ended. */
static void switch_from(ucontext_t *from) {
  uint64_t choice = trp_explorer_draw(explorer.running);
  uint32_t i = 0;
  for (;; i++)
    if (!explorer.fibers[i].ended && choice-- == 0) break;
  struct fiber *next = &explorer.fibers[i];
  explorer.current = i;
  if (&next->context == from) return;
  tell_tsan(next->tsan);
  swapcontext(from, &next->context);
}

/* A fiber's stack: one function after another, each spawned anew. */
static void run_fiber(void) {
  for (;;) {
    struct fiber *me = &explorer.fibers[explorer.current];
    me->fn(me->arg);
    me->ended = true;
    explorer.running--;
    if (explorer.running == 0)
      go_home(&me->context);
    else
      switch_from(&me->context);
  }
}

static void make(struct fiber *fiber, unsigned char *stack) {
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = stack;
  fiber->context.uc_stack.ss_size = STACK_BYTES;
  makecontext(&fiber->context, run_fiber, 0);
  if (__tsan_create_fiber != NULL) fiber->tsan = __tsan_create_fiber(0);
  fiber->made = true;
}

void trp_explorer_spawn(trp_fiber_fn *fn, void *arg) {
  if (explorer.count == TRP_EXPLORER_FIBERS_MAX) abort();
  uint32_t i = explorer.count++;
  struct fiber *fiber = &explorer.fibers[i];
  if (!fiber->made) make(fiber, stacks[i]);
  fiber->fn = fn;
  fiber->arg = arg;
  fiber->ended = false;
  explorer.running++;
}

/* After a failure the stacks hold calls that are never finished. */
static void forget_fibers(void) {
  for (uint32_t i = 0; i < TRP_EXPLORER_FIBERS_MAX; i++) {
    struct fiber *fiber = &explorer.fibers[i];
    if (fiber->tsan != NULL) __tsan_destroy_fiber(fiber->tsan);
    memset(fiber, 0, sizeof *fiber);
  }
}

const char *trp_explorer_run(uint64_t points_max) {
  explorer.points_left = points_max;
  explorer.exploring = true;
  if (__tsan_get_current_fiber != NULL) explorer.home_tsan = __tsan_get_current_fiber();
  if (explorer.running > 0) switch_from(&explorer.home);
  explorer.exploring = false;
  if (explorer.failure != NULL) forget_fibers();
  return explorer.failure;
}

void trp_explorer_fail(const char *what) {
  explorer.failure = what;
  go_home(&explorer.fibers[explorer.current].context);
  abort(); /* a failed exploration is never resumed */
}

void trp_explore_point(const char *where) {
  if (!explorer.exploring) {
    if (explorer.watch != NULL) explorer.watch(where);
    return;
  }
  if (explorer.points_left-- == 0) trp_explorer_fail("it does not end");
  if (explorer.seen != NULL) explorer.seen(where);
  if (trp_explorer_draw(explorer.switch_one_in) == 0)
    switch_from(&explorer.fibers[explorer.current].context);
}
