/* executor.h - the actor that blocks for the others: it runs jobs (file I/O, a user's library) on a
 * bounded number of threads, from a bounded queue, and answers with messages.
 *
 * An actor submits a job and gets an answer with the correlation: what the job itself answered, or
 * RESULT with the error that run returned; FULL, at once, where queue_max wait already; STOPPED
 * where a stop came first; TIMEOUT at job_limit_ms; or ASK_FAILED, as for any ask. At the
 * submitter's own deadline it is TIMEOUT from either of the two; both begin with the status.
 *
 * A job lives as long as somebody waits for it. Once nobody does (its deadline, trp_ask_cancel, the
 * submitter's death), it is not begun any more, and if it runs, trp_job_cancelled says so. A thread
 * cannot be killed: a job that runs on beyond its deadline and the grace is named in the log with
 * its thread's stack, the thread is left behind and another takes its place, up to
 * replacements_max; if the job comes back, its thread is joined after all.
 *
 * A job that ends its thread (pthread_exit) is answered THREAD_EXIT and told of as THREAD_CRASHED
 * in the journal and the log; another thread takes the place.
 *
 * A stop drains: jobs run for half of the time there is. Then those that wait are answered STOPPED
 * and those that run see trp_job_cancelled; what has not come back after seven eighths is
 * abandoned: named in the log, and its thread stands in the account as left behind. (A submitter
 * that stops as well waits for a quarter of its own time, and what nobody waits for is cancelled.)
 *
 * Who owns what: the arg is the executor's once submit has said OK; release gets it exactly once,
 * after run has returned or when it is certain that it will never be called, and before the answer,
 * unless that is TIMEOUT or STOPPED for a job that runs on.
 * (After submit failed the arg is still the caller's. A job that never returns keeps its arg.) The
 * threads belong to the incarnation: whatever its end, they are joined, or told of as left behind.
 * One that outlives its incarnation stays counted, even if it ends later.
 *
 * Which thread: run and release are called on a worker's, release also in the executor's turn, so
 * it must not block. Neither is in a turn: they send nothing, and a CHECK that fails there ends the
 * process. In simulation there are no threads, and jobs run one at a time in the executor's turns.
 *
 * OPERATOR "stats", asked: RESULT with the account as text; sent: the same as a log line. */
#ifndef TRP_ACTORS_EXECUTOR_H
#define TRP_ACTORS_EXECUTOR_H

#include "runtime/troupe.h"

/* The args of the kind; NULL: all defaults, which stand beside the fields and mean zero. */
struct trp_executor_options {
  uint32_t threads;      /* 2; up to 64 */
  uint32_t queue_max;    /* jobs that may wait: 64; up to 4,096 */
  uint32_t job_limit_ms; /* any job's deadline, from its arrival: 60,000 */
  uint32_t grace_ms;     /* a job may overrun its deadline before its thread is replaced: 1,000 */
  uint32_t replacements_max; /* threads left behind and replaced at a time: as many as threads */
};

extern const struct trp_kind trp_executor_kind;

/* A running job's line to its executor. */
struct trp_job_context;

struct trp_job {
  const char *name; /* for the log; copied */
  enum trp_err (*run)(void *arg, struct trp_job_context *context);
  void (*release)(void *arg); /* NULL: there is nothing to give back */
  void *arg;
};

/* Hands a job to an executor. Errors as trp_ask, NO_MEMORY, INVALID (no run, no name). Thread:
 * owner. */
TRP_MUST_USE enum trp_err trp_executor_submit(struct trp_self *self, struct trp_ref executor,
                                              const struct trp_job *job, uint64_t timeout_ns,
                                              uint64_t *correlation);

/* Whether the job had better end: nobody waits for it any more, or a stop will not. To be polled by
 * whatever takes long. Thread: the job's. */
bool trp_job_cancelled(struct trp_job_context *context);

/* What is answered if run then returns OK, instead of an empty RESULT; copied, the last one counts.
 * Errors: TOO_BIG, NO_MEMORY. Thread: the job's. */
TRP_MUST_USE enum trp_err trp_job_answer(struct trp_job_context *context, uint16_t type,
                                         const void *body, size_t bytes);

#endif
