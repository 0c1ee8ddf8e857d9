/* executor_job.h - a job on its way: from the submitter through the mail to the executor.
 *
 * What travels in the mail is a ticket, not a pointer: mail can be refused, dropped or forged, and
 * none of it may lose or invent a job. The job itself waits in a list of the process until the
 * executor that it was sent to claims it by its ticket; an incarnation that ends sweeps what was
 * sent to it and never claimed.
 *
 * Synchronisation: the list has a mutex. A claimed job belongs to who claimed it. */
#ifndef TRP_ACTORS_EXECUTOR_JOB_H
#define TRP_ACTORS_EXECUTOR_JOB_H

#include "actors/executor.h"

/* Type of the mail: an ask with a ticket, inside one process, to nobody but executors. */
enum { TRP_EXECUTOR_SUBMIT = TRP_USER_FIRST };

struct trp_executor_job {
  struct trp_executor_job *next; /* of whatever list it is in */
  struct trp_job job;            /* run NULL: arg has been given back */
  char name[TRP_NAME_MAX + 1];
  /* while submitted: */
  uint64_t ticket;
  struct trp_system *system;
  struct trp_ref executor;
  bool posted, orphaned;
  /* once claimed: */
  uint64_t token, deadline_ns;
  enum trp_err status;  /* how it ended */
  int ended_tid;        /* of the thread that it ended with itself; 0: it returned */
  bool cancelled;       /* it had better end */
  bool answered;        /* no answer is due any more */
  uint16_t answer_type; /* of its own; TRP_NONE: none */
  size_t answer_bytes;
  void *answer;
};

/* The job of a ticket that was sent to this executor; NULL where there is none. */
struct trp_executor_job *trp_executor_job_claim(struct trp_self *executor, uint64_t ticket);

/* Frees what was sent to this incarnation and not claimed. Thread: its last turn. */
void trp_executor_job_sweep(struct trp_self *executor);

/* Gives the arg back where that has not been done. */
void trp_executor_job_release(struct trp_executor_job *job);

/* Releases and frees; NULL is fine. */
void trp_executor_job_free(struct trp_executor_job *job);

#endif
