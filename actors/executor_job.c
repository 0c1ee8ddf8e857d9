#include "actors/executor_job.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
  pthread_mutex_t lock;
  struct trp_executor_job *first, **last;
  uint64_t tickets;
} submitted = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = &submitted.first};

void trp_executor_job_release(struct trp_executor_job *job) {
  if (job->job.run == NULL) return;
  job->job.run = NULL;
  if (job->job.release != NULL) job->job.release(job->job.arg);
}

void trp_executor_job_free(struct trp_executor_job *job) {
  if (job == NULL) return;
  trp_executor_job_release(job);
  free(job->answer);
  free(job);
}

/* ---- the list, under its lock ---- */

static struct trp_executor_job *unlink_at(struct trp_executor_job **link) {
  struct trp_executor_job *job = *link;
  *link = job->next;
  if (job->next == NULL) submitted.last = link;
  job->next = NULL;
  return job;
}

static struct trp_executor_job **find(uint64_t ticket) {
  struct trp_executor_job **link = &submitted.first;
  while (*link != NULL && (*link)->ticket != ticket) link = &(*link)->next;
  return link;
}

static bool is_for(const struct trp_executor_job *job, struct trp_self *executor) {
  return job->system == trp_self_system(executor) &&
         trp_ref_equal(job->executor, trp_self_ref(executor));
}

/* ---- from the submitter ---- */

static uint64_t list(struct trp_executor_job *job) {
  pthread_mutex_lock(&submitted.lock);
  job->ticket = ++submitted.tickets;
  *submitted.last = job;
  submitted.last = &job->next;
  uint64_t ticket = job->ticket;
  pthread_mutex_unlock(&submitted.lock);
  return ticket;
}

/* The mail was accepted or refused; in between, the executor may have claimed the job or died. */
static void settle(uint64_t ticket, bool accepted) {
  struct trp_executor_job *over = NULL;
  pthread_mutex_lock(&submitted.lock);
  struct trp_executor_job **link = find(ticket);
  if (*link != NULL) {
    (*link)->posted = true;
    if (!accepted || (*link)->orphaned) over = unlink_at(link);
  }
  pthread_mutex_unlock(&submitted.lock);
  if (over != NULL && !accepted) over->job.run = NULL; /* the arg is still the caller's */
  trp_executor_job_free(over);
}

enum trp_err trp_executor_submit(struct trp_self *self, struct trp_ref executor,
                                 const struct trp_job *job, uint64_t timeout_ns,
                                 uint64_t *correlation) {
  if (job->run == NULL || job->name == NULL) return TRP_INVALID;
  struct trp_executor_job *sent = calloc(1, sizeof *sent);
  if (sent == NULL) return TRP_NO_MEMORY;
  uint64_t now = trp_now_ns(self);
  sent->job = *job;
  snprintf(sent->name, sizeof sent->name, "%s", job->name);
  sent->job.name = sent->name;
  sent->system = trp_self_system(self);
  sent->executor = executor;
  sent->deadline_ns = timeout_ns > TRP_FOREVER - now ? TRP_FOREVER : now + timeout_ns;
  uint64_t ticket = list(sent); /* from the mail on it may be gone at any time */
  enum trp_err err =
      trp_ask(self, executor, TRP_EXECUTOR_SUBMIT, &ticket, sizeof ticket, timeout_ns, correlation);
  settle(ticket, err == TRP_OK);
  return err;
}

/* ---- to the executor ---- */

struct trp_executor_job *trp_executor_job_claim(struct trp_self *executor, uint64_t ticket) {
  struct trp_executor_job *job = NULL;
  pthread_mutex_lock(&submitted.lock);
  struct trp_executor_job **link = find(ticket);
  if (*link != NULL && is_for(*link, executor)) job = unlink_at(link);
  pthread_mutex_unlock(&submitted.lock);
  return job;
}

void trp_executor_job_sweep(struct trp_self *executor) {
  struct trp_executor_job *over = NULL;
  pthread_mutex_lock(&submitted.lock);
  for (struct trp_executor_job **link = &submitted.first; *link != NULL;) {
    bool mine = is_for(*link, executor);
    if (mine && (*link)->posted) {
      struct trp_executor_job *job = unlink_at(link);
      job->next = over;
      over = job;
      continue;
    }
    /* Whether its mail was accepted only the submitter knows, who is just about to. */
    if (mine) (*link)->orphaned = true;
    link = &(*link)->next;
  }
  pthread_mutex_unlock(&submitted.lock);
  while (over != NULL) {
    struct trp_executor_job *job = over;
    over = job->next;
    trp_executor_job_free(job);
  }
}
