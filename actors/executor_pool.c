#include "actors/executor_pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/system.h"
#include "runtime/thread.h"

/* How long a wait may be that somebody will end, so that none is without a deadline. */
#define IDLE_NS TRP_NS_PER_S

struct worker {
  struct trp_executor_pool *pool;
  pthread_t thread;
  char name[TRP_NAME_MAX + 1];
  bool hired;                   /* has a thread, not joined yet. The actor's alone */
  struct trp_thread_slot *slot; /* the thread's alone */
  int tid;
  struct trp_executor_job *job; /* in hand */
  bool left;                    /* given up: ends with its job */
  bool ended;
};

struct jobs {
  struct trp_executor_job *first, **last;
};

struct trp_executor_pool {
  pthread_mutex_t lock;
  pthread_cond_t work, ended;
  struct trp_system *system; /* not looked at once closed */
  struct trp_ref actor;
  char owner[TRP_NAME_MAX + 1];
  bool closed;
  uint32_t holders; /* the actor and each thread: the last one frees */
  uint32_t threads, queue_max, queued;
  uint64_t hired; /* ever: names the threads */
  struct jobs queue, done;
  uint32_t worker_count;
  struct worker workers[];
};

/* What a job may ask of its pool. */
struct trp_job_context {
  struct trp_executor_pool *pool;
  struct trp_executor_job *job;
};

/* ---- lists ---- */

static void append(struct jobs *jobs, struct trp_executor_job *job) {
  job->next = NULL;
  *jobs->last = job;
  jobs->last = &job->next;
}

static struct trp_executor_job *take_at(struct jobs *jobs, struct trp_executor_job **link) {
  struct trp_executor_job *job = *link;
  *link = job->next;
  if (job->next == NULL) jobs->last = link;
  job->next = NULL;
  return job;
}

static struct trp_executor_job *take_all(struct jobs *jobs) {
  struct trp_executor_job *first = jobs->first;
  *jobs = (struct jobs){.last = &jobs->first};
  return first;
}

/* ---- life of the memory ---- */

enum trp_err trp_executor_pool_new(struct trp_executor_pool **out, struct trp_self *self,
                                   uint32_t threads, uint32_t spare, uint32_t queue_max) {
  uint32_t count = threads + spare > 0 ? threads + spare : 1;
  struct trp_executor_pool *pool = calloc(1, sizeof *pool + count * sizeof pool->workers[0]);
  if (pool == NULL) return TRP_NO_MEMORY;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&pool->work, &monotonic);
  pthread_cond_init(&pool->ended, &monotonic);
  pthread_condattr_destroy(&monotonic);
  pthread_mutex_init(&pool->lock, NULL);
  pool->system = trp_self_system(self);
  pool->actor = trp_self_ref(self);
  snprintf(pool->owner, sizeof pool->owner, "%s", trp_self_name(self));
  pool->holders = 1;
  pool->threads = threads;
  pool->queue_max = queue_max;
  pool->queue.last = &pool->queue.first;
  pool->done.last = &pool->done.first;
  pool->worker_count = count;
  for (uint32_t i = 0; i < count; i++) pool->workers[i].pool = pool;
  *out = pool;
  return TRP_OK;
}

static void let_go(struct trp_executor_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  bool last = --pool->holders == 0;
  pthread_mutex_unlock(&pool->lock);
  if (!last) return;
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->ended);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

/* ---- running ---- */

/* Under the lock. */
static bool is_wanted(struct trp_executor_pool *pool, const struct trp_executor_job *job) {
  return !pool->closed && trp_ask_waits(&pool->system->asks, job->token);
}

/* Under the lock. Only what somebody still waits for is begun; the rest is done already. */
static bool begin_next(struct trp_executor_pool *pool, struct worker *w) {
  while (pool->queue.first != NULL) {
    struct trp_executor_job *job = take_at(&pool->queue, &pool->queue.first);
    pool->queued--;
    bool late = trp_system_now_ns(pool->system) >= job->deadline_ns;
    if (!late && is_wanted(pool, job)) {
      w->job = job;
      return true;
    }
    job->status = late ? TRP_TIMEOUT : TRP_CANCELLED;
    append(&pool->done, job);
    trp_notify(pool->system, pool->actor);
  }
  return false;
}

static void run(struct trp_executor_pool *pool, struct trp_executor_job *job) {
  struct trp_job_context context = {.pool = pool, .job = job};
  job->status = TRP_THREAD_EXIT; /* unless it returns */
  job->status = job->job.run(job->job.arg, &context);
}

/* Under the lock, which it gives away for the release: that may take its time. */
static void finish(struct trp_executor_pool *pool, struct worker *w) {
  struct trp_executor_job *job = w->job;
  pthread_mutex_unlock(&pool->lock);
  trp_executor_job_release(job);
  pthread_mutex_lock(&pool->lock);
  w->job = NULL;
  if (pool->closed) {
    trp_executor_job_free(job);
    return;
  }
  append(&pool->done, job);
  trp_notify(pool->system, pool->actor);
}

/* Under the lock: until there is a job in hand; false where the thread is to end. */
static bool await_job(struct trp_executor_pool *pool, struct worker *w) {
  while (!pool->closed && !w->left) {
    if (begin_next(pool, w)) return true;
    uint64_t now = trp_deadline_now_ns();
    trp_thread_touch(w->slot, now);
    struct timespec until = trp_deadline_timespec(now + IDLE_NS);
    pthread_cond_timedwait(&pool->work, &pool->lock, &until);
  }
  return false;
}

/* The end of a worker's thread, also where a job has ended it. */
static void leave(void *arg) {
  struct worker *w = arg;
  struct trp_executor_pool *pool = w->pool;
  pthread_mutex_lock(&pool->lock);
  if (w->job != NULL) {
    w->job->ended_tid = w->tid;
    finish(pool, w);
  }
  w->ended = true;
  trp_thread_leave(w->slot);
  pthread_cond_broadcast(&pool->ended);
  if (!pool->closed) trp_notify(pool->system, pool->actor);
  pthread_mutex_unlock(&pool->lock);
  let_go(pool);
}

static void *work(void *arg) {
  struct worker *w = arg;
  struct trp_executor_pool *pool = w->pool;
  w->slot = trp_thread_enter(w->name, "worker", pool->owner);
  pthread_cleanup_push(leave, w);
  pthread_mutex_lock(&pool->lock);
  w->tid = gettid();
  while (await_job(pool, w)) {
    pthread_mutex_unlock(&pool->lock);
    run(pool, w->job);
    pthread_mutex_lock(&pool->lock);
    finish(pool, w);
  }
  pthread_mutex_unlock(&pool->lock);
  pthread_cleanup_pop(1);
  return NULL;
}

bool trp_executor_pool_run_here(struct trp_executor_pool *pool) {
  struct worker *w = &pool->workers[0];
  pthread_mutex_lock(&pool->lock);
  bool any = begin_next(pool, w);
  pthread_mutex_unlock(&pool->lock);
  if (!any) return false;
  run(pool, w->job);
  pthread_mutex_lock(&pool->lock);
  finish(pool, w);
  pthread_mutex_unlock(&pool->lock);
  return true;
}

bool trp_job_cancelled(struct trp_job_context *context) {
  struct trp_executor_pool *pool = context->pool;
  pthread_mutex_lock(&pool->lock);
  bool cancelled = context->job->cancelled || !is_wanted(pool, context->job);
  pthread_mutex_unlock(&pool->lock);
  return cancelled;
}

enum trp_err trp_job_answer(struct trp_job_context *context, uint16_t type, const void *body,
                            size_t bytes) {
  if (bytes > TRP_BODY_MAX) return TRP_TOO_BIG;
  void *copy = malloc(bytes > 0 ? bytes : 1);
  if (copy == NULL) return TRP_NO_MEMORY;
  if (bytes > 0) memcpy(copy, body, bytes);
  struct trp_executor_job *job = context->job;
  free(job->answer);
  job->answer = copy;
  job->answer_type = type;
  job->answer_bytes = bytes;
  return TRP_OK;
}

/* ---- manning ---- */

static bool hire(struct trp_executor_pool *pool, struct worker *w) {
  w->job = NULL;
  w->left = w->ended = false;
  w->tid = 0;
  snprintf(w->name, sizeof w->name, "%.30s-%llu", pool->owner, (unsigned long long)++pool->hired);
  pthread_mutex_lock(&pool->lock);
  pool->holders++;
  pthread_mutex_unlock(&pool->lock);
  w->hired = pthread_create(&w->thread, NULL, work, w) == 0;
  if (!w->hired) let_go(pool);
  return w->hired;
}

/* Who has said that it ended, a few instructions ago, is joined without waiting for anything. */
static void join_ended(struct trp_executor_pool *pool, struct trp_self *self) {
  for (uint32_t i = 0; i < pool->worker_count; i++) {
    struct worker *w = &pool->workers[i];
    pthread_mutex_lock(&pool->lock);
    bool ended = w->hired && w->ended, left = w->left;
    pthread_mutex_unlock(&pool->lock);
    if (!ended) continue;
    pthread_join(w->thread, NULL);
    w->hired = false;
    trp_account(self, TRP_RES_THREAD, -1);
    if (left) trp_log(self, TRP_LOG_INFO, "executor.returned", "tid=%d", w->tid);
  }
}

enum trp_err trp_executor_pool_man(struct trp_executor_pool *pool, struct trp_self *self) {
  join_ended(pool, self);
  uint32_t at_work = 0;
  for (uint32_t i = 0; i < pool->worker_count; i++) {
    /* `left` is written in this actor's turns alone. */
    at_work += pool->workers[i].hired && !pool->workers[i].left;
  }
  for (uint32_t i = 0; i < pool->worker_count && at_work < pool->threads; i++) {
    if (pool->workers[i].hired) continue;
    if (!hire(pool, &pool->workers[i])) return TRP_SYSTEM;
    trp_account(self, TRP_RES_THREAD, 1);
    at_work++;
  }
  return TRP_OK;
}

/* ---- the actor's side ---- */

enum trp_err trp_executor_pool_put(struct trp_executor_pool *pool, struct trp_executor_job *job) {
  pthread_mutex_lock(&pool->lock);
  bool full = pool->queued == pool->queue_max;
  if (!full) {
    append(&pool->queue, job);
    pool->queued++;
    pthread_cond_signal(&pool->work);
  }
  pthread_mutex_unlock(&pool->lock);
  return full ? TRP_FULL : TRP_OK;
}

struct trp_executor_job *trp_executor_pool_take_done(struct trp_executor_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  struct trp_executor_job *done = take_all(&pool->done);
  pthread_mutex_unlock(&pool->lock);
  return done;
}

struct trp_executor_job *trp_executor_pool_take_queued(struct trp_executor_pool *pool,
                                                       uint64_t until_ns) {
  struct jobs taken = {.last = &taken.first};
  pthread_mutex_lock(&pool->lock);
  for (struct trp_executor_job **link = &pool->queue.first; *link != NULL;) {
    if ((*link)->deadline_ns <= until_ns || !is_wanted(pool, *link)) {
      append(&taken, take_at(&pool->queue, link));
      pool->queued--;
    } else {
      link = &(*link)->next;
    }
  }
  pthread_mutex_unlock(&pool->lock);
  return taken.first;
}

void trp_executor_pool_cancel(struct trp_executor_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  for (uint32_t i = 0; i < pool->worker_count; i++) {
    if (pool->workers[i].job != NULL) pool->workers[i].job->cancelled = true;
  }
  pthread_mutex_unlock(&pool->lock);
}

uint64_t trp_executor_pool_take_late(struct trp_executor_pool *pool, uint64_t until_ns) {
  uint64_t token = 0;
  pthread_mutex_lock(&pool->lock);
  for (uint32_t i = 0; i < pool->worker_count && token == 0; i++) {
    struct trp_executor_job *job = pool->workers[i].job;
    if (job == NULL || job->answered || job->deadline_ns > until_ns) continue;
    job->answered = job->cancelled = true;
    token = job->token;
  }
  pthread_mutex_unlock(&pool->lock);
  return token;
}

bool trp_executor_pool_leave_behind(struct trp_executor_pool *pool, uint64_t until_ns,
                                    struct trp_executor_stray *stray) {
  bool found = false;
  pthread_mutex_lock(&pool->lock);
  for (uint32_t i = 0; i < pool->worker_count && !found; i++) {
    struct worker *w = &pool->workers[i];
    if (w->job == NULL || w->left || !w->job->answered || w->job->deadline_ns > until_ns) continue;
    w->left = found = true;
    *stray = (struct trp_executor_stray){.tid = w->tid, .deadline_ns = w->job->deadline_ns};
    snprintf(stray->job, sizeof stray->job, "%s", w->job->name);
  }
  pthread_mutex_unlock(&pool->lock);
  return found;
}

static uint64_t earliest(uint64_t a, uint64_t b) { return a < b ? a : b; }

void trp_executor_pool_figures(struct trp_executor_pool *pool, struct trp_executor_figures *out) {
  *out = (struct trp_executor_figures){.due_ns = TRP_FOREVER, .late_ns = TRP_FOREVER};
  pthread_mutex_lock(&pool->lock);
  out->queued = pool->queued;
  for (const struct trp_executor_job *job = pool->queue.first; job != NULL; job = job->next) {
    out->due_ns = earliest(out->due_ns, job->deadline_ns);
  }
  for (const struct trp_executor_job *job = pool->done.first; job != NULL; job = job->next) {
    out->done++;
  }
  for (uint32_t i = 0; i < pool->worker_count; i++) {
    const struct worker *w = &pool->workers[i];
    if (w->left && !w->ended) out->left++;
    if (w->job == NULL || w->left) continue;
    out->running++;
    uint64_t *due = w->job->answered ? &out->late_ns : &out->due_ns;
    *due = earliest(*due, w->job->deadline_ns);
  }
  pthread_mutex_unlock(&pool->lock);
}

/* ---- the end ---- */

/* Under the lock: waits for the threads with a job in hand, or for those without. */
static void wait_for_threads(struct trp_executor_pool *pool, bool busy, uint64_t timeout_ns) {
  struct timespec until = trp_deadline_timespec(trp_deadline_in(timeout_ns));
  for (uint32_t i = 0; i < pool->worker_count;) {
    const struct worker *w = &pool->workers[i];
    bool out = w->hired && !w->ended && !w->left && (w->job != NULL) == busy;
    if (!out) {
      i++;
    } else if (pthread_cond_timedwait(&pool->ended, &pool->lock, &until) != 0) {
      return;
    }
  }
}

struct trp_executor_job *trp_executor_pool_close(struct trp_executor_pool *pool,
                                                 enum trp_err status, uint64_t grace_ns) {
  struct jobs over = {.last = &over.first};
  pthread_mutex_lock(&pool->lock);
  pool->closed = true;
  while (pool->done.first != NULL) append(&over, take_at(&pool->done, &pool->done.first));
  while (pool->queue.first != NULL) {
    struct trp_executor_job *job = take_at(&pool->queue, &pool->queue.first);
    job->status = status;
    append(&over, job);
  }
  pool->queued = 0;
  for (uint32_t i = 0; i < pool->worker_count; i++) {
    struct worker *w = &pool->workers[i];
    if (w->job == NULL) continue;
    w->job->cancelled = true;
    w->job->answered = w->hired;
    if (w->hired) continue;
    w->job->status = status; /* one that was run here, in a turn that it did not survive */
    append(&over, w->job);
    w->job = NULL;
  }
  pthread_cond_broadcast(&pool->work);
  wait_for_threads(pool, true, grace_ns);
  /* These are on their way; only a machine that stands still can hold them up. */
  wait_for_threads(pool, false, IDLE_NS);
  pthread_mutex_unlock(&pool->lock);
  return over.first;
}

void trp_executor_pool_destroy(struct trp_executor_pool **pool, struct trp_self *self) {
  struct trp_executor_pool *p = *pool;
  join_ended(p, self);
  for (uint32_t i = 0; i < p->worker_count; i++) {
    if (p->workers[i].hired) pthread_detach(p->workers[i].thread);
  }
  let_go(p);
  *pool = NULL;
}
