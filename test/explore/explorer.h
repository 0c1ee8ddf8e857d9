/* explorer.h - runs a few fibers in one thread and draws from a seed when to switch between them.
 *
 * Library code compiled with TRP_EXPLORE calls trp_explore_point before its shared accesses; at
 * each point the explorer may go on with another fiber. The same seed is the same execution, so a
 * failure is told as its seed and replayed by it. Everything is sequentially consistent here: this
 * explores orders of steps, not of memory; memory orders are the thread sanitizer's.
 *
 * Owned by the calling thread, one exploration at a time. A fiber that holds a lock at a point must
 * have taken it by trp_explorer_lock, as all that want it: they wait by switching. */
#ifndef TRP_TEST_EXPLORE_EXPLORER_H
#define TRP_TEST_EXPLORE_EXPLORER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { TRP_EXPLORER_FIBERS_MAX = 8 };

typedef void trp_fiber_fn(void *arg);

/* Forgets the last exploration and seeds the next. */
void trp_explorer_begin(uint64_t seed);

/* A fiber that calls fn(arg) and ends when it returns. Between begin and run. */
void trp_explorer_spawn(trp_fiber_fn *fn, void *arg);

/* Runs until every fiber has ended: NULL. Otherwise what failed first, also where `points_max`
 * points were passed and fibers still run. */
const char *trp_explorer_run(uint64_t points_max);

/* Ends the exploration: run returns `what`. From a fiber, does not return. */
__attribute__((noreturn)) void trp_explorer_fail(const char *what);

/* A number below `bound` from the seed. From anywhere. */
uint64_t trp_explorer_draw(uint64_t bound);

/* How many fibers have not ended. */
uint32_t trp_explorer_running(void);

/* The fiber that runs, in the order of spawning from 0. From a fiber. */
uint32_t trp_explorer_current(void);

/* In an exploration each point calls `seen` before it may switch (NULL: nothing). begin ends it. */
void trp_explorer_trace(void (*seen)(const char *where));

/* In the place of pthread_mutex_lock, where code compiled here has points under a lock. */
int trp_explorer_lock(pthread_mutex_t *mutex);

/* Outside an exploration points call `watch` (NULL: nothing), to steer one execution by hand. */
void trp_explorer_watch(void (*watch)(const char *where));

void trp_explore_point(const char *where);

#endif
