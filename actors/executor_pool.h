/* executor_pool.h - the executor's threads, the queue before them and the list of what is done.
 *
 * A pool belongs to one incarnation of an executor. Its memory is shared with its threads and freed
 * by whoever leaves last, so that a thread that never comes back can touch nothing that is gone:
 * after closing, no thread looks at the system or the actor any more.
 *
 * Jobs belong to the pool from put until they come back by one of the functions that return a list
 * (linked by next, in order); a job of a thread that outlives the pool is freed by that thread.
 *
 * Synchronisation: everything under the pool's mutex, held for short steps only; the threads tell
 * the actor with trp_notify. Thread: the executor's turns, for all functions here. */
#ifndef TRP_ACTORS_EXECUTOR_POOL_H
#define TRP_ACTORS_EXECUTOR_POOL_H

#include "actors/executor_job.h"

struct trp_executor_pool;

/* A pool without threads. With `threads` 0 jobs run in trp_executor_pool_run_here alone.
 * Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_executor_pool_new(struct trp_executor_pool **out,
                                                struct trp_self *self, uint32_t threads,
                                                uint32_t spare, uint32_t queue_max);

/* Joins threads that have ended and starts new ones while fewer than `threads` are at work and
 * there is room. The account of threads follows. Errors: SYSTEM (fewer than there should be). */
enum trp_err trp_executor_pool_man(struct trp_executor_pool *pool, struct trp_self *self);

/* Errors: FULL; the job is still the caller's. */
TRP_MUST_USE enum trp_err trp_executor_pool_put(struct trp_executor_pool *pool,
                                                struct trp_executor_job *job);

/* Runs the first in the queue in this very turn; false where there is none. */
bool trp_executor_pool_run_here(struct trp_executor_pool *pool);

/* What has ended, or was found over before it began. */
struct trp_executor_job *trp_executor_pool_take_done(struct trp_executor_pool *pool);

/* What waits in the queue: with a deadline up to `until_ns`, or that nobody waits for any more. */
struct trp_executor_job *trp_executor_pool_take_queued(struct trp_executor_pool *pool,
                                                       uint64_t until_ns);

/* All that run had better end. */
void trp_executor_pool_cancel(struct trp_executor_pool *pool);

/* A running job with a deadline up to `until_ns` that is not answered yet: is cancelled, and from
 * now on counts as answered. Its token, 0 where there is none. */
uint64_t trp_executor_pool_take_late(struct trp_executor_pool *pool, uint64_t until_ns);

/* A thread that is given up. */
struct trp_executor_stray {
  char job[TRP_NAME_MAX + 1];
  int tid;
  uint64_t deadline_ns; /* of the job */
};

/* Gives up the thread of one answered job with a deadline up to `until_ns`: it takes no other job,
 * and ends when this one does. False where there is none. */
bool trp_executor_pool_leave_behind(struct trp_executor_pool *pool, uint64_t until_ns,
                                    struct trp_executor_stray *stray);

struct trp_executor_figures {
  uint32_t queued, running, left, done; /* left: threads given up that have not ended */
  uint64_t
      due_ns; /* the earliest deadline of what is not answered, TRP_FOREVER where there is none */
  uint64_t late_ns; /* the same of what is answered and runs on */
};

void trp_executor_pool_figures(struct trp_executor_pool *pool, struct trp_executor_figures *out);

/* The end: no job is begun any more. Those that have ended come back, and those that never will be
 * begun, with `status`; threads get `grace_ns` to end with theirs. Whom
 * trp_executor_pool_leave_behind then finds is still out. */
struct trp_executor_job *trp_executor_pool_close(struct trp_executor_pool *pool,
                                                 enum trp_err status, uint64_t grace_ns);

/* Joins who has ended, lets go of the others, and nulls *pool. Only after close. */
void trp_executor_pool_destroy(struct trp_executor_pool **pool, struct trp_self *self);

#endif
