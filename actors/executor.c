/* The actor's half: it admits jobs, answers for them, keeps their deadlines by one timer, and sees
 * to it that there are threads. What blocks is in executor_pool.c, where the threads are.
 *
 * One end() blocks, for a bounded time: threads belong to the incarnation, and after a crash a job
 * that is running gets the grace to come back with. At a stop this has been waited for before, in
 * turns. */
#include "actors/executor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/executor_pool.h"
#include "runtime/stack.h"
#include "runtime/system.h"

enum { THREADS_MAX = 64, QUEUE_LIMIT = 4096, STACK_BYTES = 1536 };

#define STACK_WAIT_NS (20 * TRP_NS_PER_MS)
#define CUT_GRACE_NS                                                                               \
  (100 * TRP_NS_PER_MS)       /* what is left between a stop's two deadlines, at least */
#define RETRY_NS TRP_NS_PER_S /* when a thread was refused */

enum stage {
  OPEN,    /* also while draining */
  CLOSING, /* a stop's half time is over: nothing is begun any more */
  GIVEN_UP /* what still runs is abandoned */
};

struct executor {
  struct trp_executor_options options; /* defaults filled in */
  struct trp_executor_pool *pool;
  bool threaded;
  enum stage stage;
  uint64_t stage_due_ns; /* when the next one begins; TRP_FOREVER while nothing stops */
  uint64_t last_ns;      /* when a stop gives up */
  bool holding;
  bool short_of_threads;
  uint64_t timer, timer_due_ns;
  struct {
    uint64_t done, failed, full, late, cancelled, stopped, left;
  } counts;
};

/* ---- answering ---- */

static void count(struct executor *e, enum trp_err status) {
  switch (status) {
    case TRP_OK:
      e->counts.done++;
      break;
    case TRP_FULL:
      e->counts.full++;
      break;
    case TRP_TIMEOUT:
      e->counts.late++;
      break;
    case TRP_CANCELLED:
      e->counts.cancelled++;
      break;
    case TRP_STOPPED:
      e->counts.stopped++;
      break;
    default:
      e->counts.failed++;
      break;
  }
}

static void answer(struct trp_self *self, uint64_t token, enum trp_err status) {
  if (token == 0) return;
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", status == TRP_OK ? "" : trp_err_text(status));
  trp_reply(self, token, TRP_RESULT, &result, sizeof result);
}

/* Its thread is replaced; that it died is told like any other death. */
static void tell_crashed(struct trp_self *self, const struct trp_executor_job *job) {
  struct trp_thread_crashed body = {.ref = trp_self_ref(self).bits,
                                    .incarnation = trp_self_incarnation(self),
                                    .tid = job->ended_tid,
                                    .cause = TRP_CAUSE_EXIT,
                                    .error = TRP_THREAD_EXIT};
  snprintf(body.name, sizeof body.name, "%s", trp_self_name(self));
  snprintf(body.reason, sizeof body.reason, "a job (%s) ended its worker thread", job->name);
  trp_log(self, TRP_LOG_ERROR, "thread.crashed", "job=\"%s\" tid=%d reason=\"%s\"", job->name,
          job->ended_tid, body.reason);
  trp_journal(self, TRP_THREAD_CRASHED, &body, sizeof body);
}

/* Takes the job. The answer comes last: who hears it knows that the arg has been given back. */
static void conclude(struct trp_self *self, struct executor *e, struct trp_executor_job *job) {
  trp_executor_job_release(job);
  if (job->ended_tid != 0) tell_crashed(self, job);
  if (!job->answered) count(e, job->status);
  if (!job->answered && job->status == TRP_OK && job->answer_type != TRP_NONE) {
    enum trp_err err =
        trp_reply(self, job->token, job->answer_type, job->answer, job->answer_bytes);
    if (err == TRP_NO_MEMORY) answer(self, job->token, err);
  } else if (!job->answered) {
    answer(self, job->token, job->status);
  }
  trp_executor_job_free(job);
}

static void conclude_all(struct trp_self *self, struct executor *e, struct trp_executor_job *job) {
  while (job != NULL) {
    struct trp_executor_job *next = job->next;
    conclude(self, e, job);
    job = next;
  }
}

/* Takes the queued ones; those that nobody waits for are among them, and hear nothing. */
static void refuse_queued(struct trp_self *self, struct executor *e, uint64_t until_ns,
                          enum trp_err status) {
  struct trp_executor_job *job = trp_executor_pool_take_queued(e->pool, until_ns);
  for (struct trp_executor_job *j = job; j != NULL; j = j->next) {
    j->status = j->deadline_ns <= until_ns ? status : TRP_CANCELLED;
  }
  conclude_all(self, e, job);
}

static void answer_late(struct trp_self *self, struct executor *e, uint64_t until_ns,
                        enum trp_err status) {
  uint64_t token;
  while ((token = trp_executor_pool_take_late(e->pool, until_ns)) != 0) {
    count(e, status);
    answer(self, token, status);
  }
}

/* ---- threads that do not come back ---- */

static void tell_left(struct trp_self *self, struct executor *e, const char *event,
                      const struct trp_executor_stray *stray) {
  char words[STACK_BYTES];
  struct trp_stack stack;
  if (trp_stack_of_thread(stray->tid, STACK_WAIT_NS, &stack) == TRP_OK) {
    trp_stack_text(&stack, words, sizeof words);
  } else {
    trp_stack_proc_state(stray->tid, words, sizeof words);
  }
  e->counts.left++;
  trp_log(self, TRP_LOG_ERROR, event, "job=\"%s\" tid=%d stack=\"%s\"", stray->job, stray->tid,
          words);
}

static void leave_behind(struct trp_self *self, struct executor *e, const char *event,
                         uint64_t until_ns) {
  struct trp_executor_stray stray;
  while (trp_executor_pool_leave_behind(e->pool, until_ns, &stray)) {
    tell_left(self, e, event, &stray);
  }
}

static void man(struct trp_self *self, struct executor *e) {
  bool was_short = e->short_of_threads;
  e->short_of_threads = trp_executor_pool_man(e->pool, self) != TRP_OK;
  if (e->short_of_threads && !was_short) {
    trp_log(self, TRP_LOG_WARN, "executor.short", "reason=\"no thread to be had\"");
  }
}

/* ---- time ---- */

static uint64_t earliest(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t later(uint64_t ns, uint64_t delay_ns) {
  return ns > TRP_FOREVER - delay_ns ? TRP_FOREVER : ns + delay_ns;
}

static uint64_t grace_ns(const struct executor *e) { return e->options.grace_ms * TRP_NS_PER_MS; }

/* One timer, for whatever comes first; left alone while it stands right. */
static enum trp_err arm(struct trp_self *self, struct executor *e,
                        const struct trp_executor_figures *now) {
  uint64_t due = earliest(now->due_ns, later(now->late_ns, grace_ns(e)));
  due = earliest(due, e->stage_due_ns);
  uint64_t time = trp_now_ns(self);
  if (e->short_of_threads) due = earliest(due, time + RETRY_NS);
  if (due == e->timer_due_ns) return TRP_OK;
  trp_timer_cancel(self, e->timer);
  e->timer = 0;
  e->timer_due_ns = due;
  if (due == TRP_FOREVER) return TRP_OK;
  return trp_timer_start(self, due > time ? due - time : 0, 0, 0, &e->timer);
}

/* The stop goes on as time passes. */
static void enter_next_stage(struct trp_self *self, struct executor *e) {
  if (e->stage == OPEN) {
    e->stage = CLOSING;
    e->stage_due_ns = e->last_ns;
    refuse_queued(self, e, TRP_FOREVER, TRP_STOPPED);
    trp_executor_pool_cancel(e->pool);
  } else {
    e->stage = GIVEN_UP;
    e->stage_due_ns = TRP_FOREVER;
    answer_late(self, e, TRP_FOREVER, TRP_STOPPED);
    leave_behind(self, e, "executor.abandoned", TRP_FOREVER);
  }
}

/* After everything that may have changed something. */
static enum trp_err settle(struct trp_self *self, struct executor *e) {
  uint64_t now = trp_now_ns(self);
  struct trp_executor_figures figures;
  conclude_all(self, e, trp_executor_pool_take_done(e->pool));
  refuse_queued(self, e, now, TRP_TIMEOUT);
  answer_late(self, e, now, TRP_TIMEOUT);
  if (now >= grace_ns(e)) leave_behind(self, e, "executor.stuck", now - grace_ns(e));
  while (now >= e->stage_due_ns) enter_next_stage(self, e);
  man(self, e);
  trp_executor_pool_figures(e->pool, &figures);
  bool busy = figures.queued + figures.running + figures.done > 0;
  bool hold = busy && trp_self_stopping(self);
  if (hold && !e->holding) trp_stop_hold(self);
  if (!hold && e->holding) trp_stop_release(self);
  e->holding = hold;
  return arm(self, e, &figures);
}

/* ---- mail ---- */

static enum trp_err admit(struct executor *e, struct trp_self *self, struct trp_executor_job *job) {
  if (e->stage != OPEN) return TRP_STOPPED;
  if (job->deadline_ns <= trp_now_ns(self)) return TRP_TIMEOUT;
  if (trp_executor_pool_put(e->pool, job) == TRP_OK) return TRP_OK;
  refuse_queued(self, e, trp_now_ns(self), TRP_TIMEOUT); /* makes room, where somebody has left */
  return trp_executor_pool_put(e->pool, job);
}

static enum trp_err submit(struct trp_self *self, struct executor *e, const struct trp_msg *msg) {
  uint64_t ticket = 0;
  if (msg->token != 0 && msg->bytes == sizeof ticket) memcpy(&ticket, msg->body, sizeof ticket);
  struct trp_executor_job *job = trp_executor_job_claim(self, ticket);
  if (job == NULL) {
    answer(self, msg->token, TRP_INVALID);
    return TRP_OK;
  }
  uint64_t limit_ns = e->options.job_limit_ms * TRP_NS_PER_MS;
  job->token = msg->token;
  job->deadline_ns = earliest(job->deadline_ns, later(trp_now_ns(self), limit_ns));
  enum trp_err err = admit(e, self, job);
  if (err != TRP_OK) {
    job->status = err;
    conclude(self, e, job);
  } else if (!e->threaded) {
    trp_notify(trp_self_system(self), trp_self_ref(self));
  }
  return settle(self, e);
}

static void summarise(struct executor *e, char *text, size_t bytes) {
  struct trp_executor_figures f;
  trp_executor_pool_figures(e->pool, &f);
  snprintf(text, bytes,
           "threads=%" PRIu32 " running=%" PRIu32 " queued=%" PRIu32 " left=%" PRIu32
           " done=%" PRIu64 " failed=%" PRIu64 " full=%" PRIu64 " late=%" PRIu64
           " cancelled=%" PRIu64 " stopped=%" PRIu64,
           e->options.threads, f.running, f.queued, f.left, e->counts.done, e->counts.failed,
           e->counts.full, e->counts.late, e->counts.cancelled, e->counts.stopped);
}

static void obey(struct trp_self *self, struct executor *e, const struct trp_msg *msg) {
  const struct trp_operator *word = trp_msg_operator(msg);
  bool known = word != NULL && strcmp(word->text, "stats") == 0;
  struct trp_result result = {.status = known ? TRP_OK : TRP_INVALID};
  snprintf(result.text, sizeof result.text, "it knows one word: stats");
  if (known) summarise(e, result.text, sizeof result.text);
  if (msg->token != 0) {
    trp_reply(self, msg->token, TRP_RESULT, &result, sizeof result);
  } else if (known) {
    trp_log(self, TRP_LOG_INFO, "executor.stats", "%s", result.text);
  }
}

/* ---- the kind ---- */

static uint32_t or_default(uint32_t value, uint32_t otherwise) {
  return value != 0 ? value : otherwise;
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct executor *e = state;
  struct trp_executor_options *o = &e->options;
  if (args != NULL) *o = *(const struct trp_executor_options *)args;
  o->threads = or_default(o->threads, 2);
  o->queue_max = or_default(o->queue_max, 64);
  o->job_limit_ms = or_default(o->job_limit_ms, 60000);
  o->grace_ms = or_default(o->grace_ms, 1000);
  o->replacements_max = or_default(o->replacements_max, o->threads);
  if (o->threads > THREADS_MAX || o->replacements_max > THREADS_MAX) return TRP_INVALID;
  if (o->queue_max > QUEUE_LIMIT) return TRP_INVALID;
  e->threaded = trp_self_system(self)->options.sched == TRP_SCHED_THREADS;
  e->stage_due_ns = e->last_ns = e->timer_due_ns = TRP_FOREVER;
  enum trp_err err = trp_executor_pool_new(&e->pool, self, e->threaded ? o->threads : 0,
                                           e->threaded ? o->replacements_max : 0, o->queue_max);
  return err != TRP_OK ? err : trp_executor_pool_man(e->pool, self);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct executor *e = state;
  switch (msg->type) {
    case TRP_EXECUTOR_SUBMIT:
      return submit(self, e, msg);
    case TRP_OPERATOR:
      obey(self, e, msg);
      return TRP_OK;
    case TRP_TIMER:
      e->timer_due_ns = TRP_FOREVER;
      return settle(self, e);
    default:
      answer(self, msg->token, TRP_UNKNOWN_TYPE);
      return TRP_OK;
  }
}

static enum trp_err ready(struct trp_self *self, void *state) {
  struct executor *e = state;
  if (!e->threaded && trp_executor_pool_run_here(e->pool)) {
    trp_notify(trp_self_system(self), trp_self_ref(self)); /* for the next, after other mail */
  }
  return settle(self, e);
}

static void stop(struct trp_self *self, void *state) {
  struct executor *e = state;
  uint64_t now = trp_now_ns(self), soft = trp_stop_deadline_ns(self);
  uint64_t left = soft > now ? soft - now : 0;
  e->timer = 0; /* the pill has cancelled it */
  e->timer_due_ns = TRP_FOREVER;
  e->stage_due_ns = later(now, left / 2);
  e->last_ns = later(now, left / 8 * 7);
  (void)!settle(self, e); /* without a timer the deadline itself remains */
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  struct executor *e = state;
  if (e->pool != NULL) {
    bool crashed = reason == TRP_END_CRASHED;
    conclude_all(self, e,
                 trp_executor_pool_close(e->pool, crashed ? TRP_DEAD : TRP_STOPPED,
                                         crashed ? grace_ns(e) : CUT_GRACE_NS));
    leave_behind(self, e, "executor.abandoned", TRP_FOREVER);
    trp_executor_pool_destroy(&e->pool, self);
  }
  trp_executor_job_sweep(self);
}

const struct trp_kind trp_executor_kind = {.name = "executor",
                                           .state_bytes = sizeof(struct executor),
                                           .start = start,
                                           .receive = receive,
                                           .ready = ready,
                                           .stop = stop,
                                           .end = end};
