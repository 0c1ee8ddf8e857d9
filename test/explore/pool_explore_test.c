/* pool_explore_test.c - the pool's run queues and its sleepers, in orders of steps that real
 * threads hardly ever meet.
 *
 * The library's own sources are compiled here once more, with points between shared accesses. In
 * the first exploration an owner puts and takes while thieves take half; in the second workers run,
 * look around, lie down and are woken while somebody from outside brings work, and now and then one
 * of them is judged to be stuck, also wrongly and late, as the keeper's verdict may be. In each
 * execution every actor runs where it was put, by one worker at a time, as often as it was put; and
 * nobody sleeps while work waits.
 *
 * TRP_SEED=n replays one seed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test/explore/explorer.h"

#define TRP_EXPLORE
#define trp_run_queue_put trp_explored_queue_put
#define trp_run_queue_take trp_explored_queue_take
#define trp_run_queue_steal trp_explored_queue_steal
#define trp_pool_new trp_explored_pool_new
#define trp_pool_close trp_explored_pool_close
#define trp_pool_destroy trp_explored_pool_destroy
#define trp_pool_attach trp_explored_pool_attach
#define trp_pool_wake trp_explored_pool_wake
#define trp_pool_look trp_explored_pool_look
#define trp_pool_share trp_explored_pool_share
#define trp_pool_take_shared trp_explored_pool_take_shared
#define trp_pool_announce trp_explored_pool_announce
#define trp_pool_has_work trp_explored_pool_has_work
#define trp_pool_wake_one trp_explored_pool_wake_one
#define trp_worker_wake trp_explored_worker_wake
#define trp_worker_here trp_explored_worker_here
#define trp_worker_start trp_explored_worker_start
#define trp_worker_restart trp_explored_worker_restart
#define trp_worker_put trp_explored_worker_put
#define trp_keeper_start trp_explored_keeper_start
#define trp_keeper_wake trp_explored_keeper_wake
#define trp_keeper_note_wake trp_explored_keeper_note_wake
#define trp_actor_step_within trp_explored_step_within
#define trp_actor_park trp_explored_park
#define trp_actor_due_ns trp_explored_due_ns
#define trp_futex_wait trp_explored_futex_wait
#define trp_futex_wake trp_explored_futex_wake
#define pthread_mutex_lock trp_explorer_lock
#include "runtime/pool.c"
#include "runtime/run_queue.c"
#include "runtime/worker.c"
#undef pthread_mutex_lock

enum { SEEDS = 20000, SECONDS_MAX = 5, POINTS_MAX = 200000 };

static void must(bool held, const char *otherwise) {
  if (!held) trp_explorer_fail(otherwise);
}

static void step(void) { trp_explore_point("test"); }

/* Each seed until one fails, or time is up. */
static void explore(const char *(*explore_seed)(uint64_t seed)) {
  const char *given = getenv("TRP_SEED");
  uint64_t seed = given == NULL ? 1 : strtoull(given, NULL, 0);
  uint64_t end = given == NULL ? seed + SEEDS : seed + 1;
  time_t until = time(NULL) + SECONDS_MAX;
  uint64_t explored = 0;
  for (; seed < end && time(NULL) <= until; seed++, explored++) {
    const char *failure = explore_seed(seed);
    if (failure != NULL) fail_msg("%s; replay with TRP_SEED=%" PRIu64, failure, seed);
  }
  print_message("%" PRIu64 " seeds\n", explored);
}

/* ---- run queues ---- */

enum { QUEUES = 3, PUTS = 24 };

static struct {
  struct trp_run_queue queues[QUEUES]; /* the first is the owner's */
  struct trp_actor *put[PUTS];         /* only addresses: they are looked at, not into */
  uint32_t taken[PUTS], count, last;
  bool owner_done;
} line;

static char actors_of_nobody[PUTS];

static void note_taken(struct trp_actor *actor) {
  size_t i = (size_t)((char *)actor - actors_of_nobody);
  must(i < PUTS, "an actor that nobody put");
  must(++line.taken[i] == 1, "an actor was taken twice");
  line.count++;
}

/* What it takes itself comes in the order of putting: thieves take at the same end. */
static void own(void *arg) {
  (void)arg;
  for (uint32_t i = 0; i < PUTS;) {
    if (trp_explorer_draw(3) > 0) {
      struct trp_actor *actor = (struct trp_actor *)(void *)&actors_of_nobody[i];
      must(trp_run_queue_put(&line.queues[0], actor), "there is room");
      i++;
    } else {
      struct trp_actor *actor = trp_run_queue_take(&line.queues[0]);
      if (actor == NULL) continue;
      uint32_t at = (uint32_t)((char *)actor - actors_of_nobody) + 1;
      must(at > line.last, "the owner takes out of order");
      line.last = at;
      note_taken(actor);
    }
    step();
  }
  line.owner_done = true;
}

static void thief(void *arg) {
  struct trp_run_queue *mine = arg;
  for (;;) {
    struct trp_actor *actor = trp_run_queue_take(mine);
    if (actor == NULL) {
      size_t from = trp_explorer_draw(QUEUES);
      if (&line.queues[from] != mine) actor = trp_run_queue_steal(mine, &line.queues[from]);
    }
    if (actor != NULL) note_taken(actor);
    if (actor == NULL && line.owner_done && line.count == PUTS) return;
    step();
  }
}

static const char *explore_queues(uint64_t seed) {
  memset(&line, 0, sizeof line);
  trp_explorer_begin(seed);
  for (size_t i = 0; i < QUEUES; i++) { /* also where the counts wrap */
    uint32_t begin = (uint32_t)trp_explorer_draw(2) * (UINT32_MAX - (uint32_t)trp_explorer_draw(9));
    atomic_store(&line.queues[i].head, begin);
    atomic_store(&line.queues[i].tail, begin);
  }
  trp_explorer_spawn(own, NULL);
  for (size_t i = 1; i < QUEUES; i++) trp_explorer_spawn(thief, &line.queues[i]);
  return trp_explorer_run(POINTS_MAX);
}

static void what_is_put_into_a_run_queue_is_taken_once_by_whomever(void **state) {
  (void)state;
  explore(explore_queues);
}

static void a_full_run_queue_takes_no_more_and_loses_nothing(void **state) {
  (void)state;
  static struct trp_run_queue full, half;
  static char many[TRP_RUN_QUEUE_ROOM + 1];
  atomic_store(&full.head, UINT32_MAX - 7);
  atomic_store(&full.tail, UINT32_MAX - 7);
  for (uint32_t i = 0; i < TRP_RUN_QUEUE_ROOM; i++) {
    assert_true(trp_run_queue_put(&full, (struct trp_actor *)(void *)&many[i]));
  }
  struct trp_actor *last = (struct trp_actor *)(void *)&many[TRP_RUN_QUEUE_ROOM];
  assert_false(trp_run_queue_put(&full, last));
  assert_int_equal(trp_run_queue_length(&full), TRP_RUN_QUEUE_ROOM);
  assert_ptr_equal(trp_run_queue_steal(&half, &full), &many[0]);
  assert_int_equal(trp_run_queue_length(&half), TRP_RUN_QUEUE_ROOM / 2 - 1);
  assert_true(trp_run_queue_put(&full, last));
  for (uint32_t i = 1; i < TRP_RUN_QUEUE_ROOM / 2; i++) {
    assert_ptr_equal(trp_run_queue_take(&half), &many[i]);
  }
  assert_null(trp_run_queue_take(&half));
  for (uint32_t i = TRP_RUN_QUEUE_ROOM / 2; i <= TRP_RUN_QUEUE_ROOM; i++) {
    assert_ptr_equal(trp_run_queue_take(&full), &many[i]);
  }
  assert_null(trp_run_queue_take(&full));
}

/* ---- who sleeps ---- */

enum { WORKERS = 3, ACTORS = 5, STEPS_MAX = 3, VERDICTS = 3 };

static struct {
  struct trp_pool pool;
  struct trp_system system;
  struct trp_worker workers[WORKERS];
  struct trp_actor actors[ACTORS];
  uint32_t left[ACTORS]; /* steps */
  bool inside[ACTORS], asleep[WORKERS], judged;
  uint32_t done;
} house;

enum trp_step trp_explored_step_within(struct trp_actor *actor) {
  size_t i = (size_t)(actor - house.actors);
  must(!house.inside[i], "an actor runs on two workers at once");
  must(house.left[i] > 0, "an actor runs that sleeps");
  house.inside[i] = true;
  step();
  house.inside[i] = false;
  if (--house.left[i] > 0) return TRP_STEP_MORE;
  house.done++;
  return TRP_STEP_IDLE;
}

bool trp_explored_park(struct trp_actor *actor) {
  (void)actor;
  return true;
}

uint64_t trp_explored_due_ns(struct trp_actor *actor) {
  (void)actor;
  return TRP_FOREVER;
}

/* Only workers sleep: their fibers are the first. */
void trp_explored_futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t until_ns) {
  (void)until_ns;
  while (atomic_load(word) == seen) {
    house.asleep[trp_explorer_current()] = true;
    step();
  }
  house.asleep[trp_explorer_current()] = false;
}

void trp_explored_futex_wake(_Atomic uint32_t *word, int how_many) {
  (void)how_many;
  for (size_t i = 0; i < WORKERS; i++) {
    if (word == &house.workers[i].word) house.asleep[i] = false;
  }
}

void trp_explored_keeper_wake(struct trp_pool *pool) { (void)pool; }
void trp_explored_keeper_note_wake(struct trp_pool *pool) { (void)pool; }
enum trp_err trp_explored_keeper_start(struct trp_pool *pool) {
  (void)pool;
  return TRP_OK;
}

static void be_worker(void *arg) { work(arg, NULL); }

/* The keeper looks at a worker in its step, and says what it thinks of it some time later. */
static void judge_some(void *arg) {
  (void)arg;
  for (int i = 0; i < VERDICTS; i++) {
    struct trp_worker *w = &house.workers[trp_explorer_draw(WORKERS)];
    while (atomic_load(&w->running) == NULL && house.done < ACTORS) step();
    for (uint64_t later = trp_explorer_draw(40); later > 0; later--) step();
    atomic_store(&w->stuck, true);
  }
  house.judged = true;
}

static bool all_sleep(void) {
  for (size_t i = 0; i < WORKERS; i++) {
    if (!house.asleep[i]) return false;
  }
  return true;
}

static void bring_work(void *arg) {
  (void)arg;
  for (size_t i = 0; i < ACTORS; i++) {
    house.left[i] = 1 + (uint32_t)trp_explorer_draw(STEPS_MAX);
    trp_pool_share(&house.pool, &house.actors[i]);
    for (uint64_t pause = trp_explorer_draw(60); pause > 0; pause--) step();
  }
  while (house.done < ACTORS) {
    must(!all_sleep(), "all sleep while work waits");
    step();
  }
  while (!house.judged) step();
  atomic_store(&house.pool.closing, true);
  for (size_t i = 0; i < WORKERS; i++) trp_worker_wake(&house.workers[i]);
}

static const char *explore_sleepers(uint64_t seed) {
  memset(&house, 0, sizeof house);
  struct trp_pool *pool = &house.pool;
  pool->system = &house.system;
  pthread_mutex_init(&pool->lock, NULL);
  trp_pool_timers_init(&pool->timers);
  trp_explorer_begin(seed);
  pool->wanted = 1 + (uint32_t)trp_explorer_draw(WORKERS); /* who comes back may be one too many */
  pool->looks_max = 2;
  for (uint32_t i = 0; i < WORKERS; i++) {
    struct trp_worker *w = &house.workers[i];
    w->pool = pool;
    w->index = w->chance = i;
    w->until_shared = 1 + (uint32_t)trp_explorer_draw(3);
    w->until_clock = w->clock_every = CLOCK_EVERY;
    w->looks = pool->looks_max;
    pool->workers[i] = w;
    trp_explorer_spawn(be_worker, w);
  }
  atomic_store(&pool->count, WORKERS);
  for (size_t i = 0; i < ACTORS; i++) house.actors[i].system = &house.system;
  trp_explorer_spawn(judge_some, NULL);
  trp_explorer_spawn(bring_work, NULL);
  const char *failure = trp_explorer_run(POINTS_MAX);
  trp_pool_timers_fini(&pool->timers);
  pthread_mutex_destroy(&pool->lock);
  return failure;
}

static void nobody_sleeps_while_work_waits_and_no_actor_runs_twice(void **state) {
  (void)state;
  explore(explore_sleepers);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_put_into_a_run_queue_is_taken_once_by_whomever),
      cmocka_unit_test(a_full_run_queue_takes_no_more_and_loses_nothing),
      cmocka_unit_test(nobody_sleeps_while_work_waits_and_no_actor_runs_twice),
  };
  return cmocka_run_group_tests_name("pool: explored", tests, NULL, NULL);
}
