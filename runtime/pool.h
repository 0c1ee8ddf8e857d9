/* pool.h - the workers that run the actors placed TRP_POOL.
 *
 * Each worker has a queue of its own and steals from the others when it has nothing to do. What a
 * running actor wakes comes next on the same worker, so that two actors that talk to each other do
 * so without a system call; it is not stolen while its worker moves on. An actor runs for one step
 * (a bounded batch) and is then put behind the others.
 *
 * Who sleeps is woken only where there is work that nobody else will take soon. Before it sleeps a
 * worker looks around for a moment, as long as that has paid off lately.
 *
 * The keeper is a thread that looks every few milliseconds while somebody works: a worker that is
 * still in the same step while work waits counts as stuck; its queue is left to others, and where
 * all are stuck one more worker is started. One that comes back to find itself replaced waits as a
 * spare. A worker whose thread exits inside a turn gets a new thread.
 *
 * Synchronisation: wake, attach: any thread. open: the first attach. close: outside. */
#ifndef TRP_RUNTIME_POOL_H
#define TRP_RUNTIME_POOL_H

#include "runtime/system.h"

struct trp_pool;

enum { TRP_WORKERS_MAX = 256 };

/* Nothing runs yet. `workers` 0: one a core; `spin`: see trp_system_options. NULL without memory.
 */
struct trp_pool *trp_pool_new(struct trp_system *system);

/* Ends the threads, each by `until_ns`; false where one did not end: then nothing is freed. */
bool trp_pool_close(struct trp_pool *pool, uint64_t until_ns);
void trp_pool_destroy(struct trp_pool *pool);

/* The actor runs from here on. Errors: SYSTEM (no thread could be had), NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_pool_attach(struct trp_pool *pool, struct trp_actor *actor);

/* The actor, marked as sleeping until now, has something to do. */
void trp_pool_wake(struct trp_pool *pool, struct trp_actor *actor);

/* For tests and the curious. */
struct trp_pool_figures {
  uint32_t workers; /* started, spares included */
  uint32_t stuck;
  uint64_t steps, steals, parks, wakes;
};
void trp_pool_look(struct trp_pool *pool, struct trp_pool_figures *out);

#endif
