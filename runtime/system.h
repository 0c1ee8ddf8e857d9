/* system.h - a system: its actors, its scheduler, its coordinator and its account.
 *
 * Slots are made before start and stay until destroy; the table of blocks never moves. The
 * coordinator is no actor: a state machine outside the graph (coordinator.c) that starts, stops,
 * joins and accounts; the real scheduler gives it a thread, the simulated one a place in the order.
 *
 * Thread: any, where not said otherwise. */
#ifndef TRP_RUNTIME_SYSTEM_H
#define TRP_RUNTIME_SYSTEM_H

#include <pthread.h>

#include "runtime/actor.h"
#include "runtime/board.h"
#include "runtime/env.h"
#include "runtime/graph.h"
#include "runtime/journal.h"
#include "runtime/log.h"
#include "runtime/report.h"
#include "runtime/slots.h"

struct trp_directory;
struct trp_host;
struct trp_sched;

enum trp_stage {
  TRP_STAGE_NEW,
  TRP_STAGE_STARTING,
  TRP_STAGE_RUNNING,
  TRP_STAGE_STOPPING,
  TRP_STAGE_STOPPED
};

struct trp_system {
  char name[TRP_NAME_MAX + 1];
  struct trp_system_options options; /* defaults filled in */
  char *report_json;
  uint32_t budget_asked_ms; /* as it was given, 0: not; options.budget_ms is what there is of it */
  struct trp_env env;
  struct trp_sched *sched;
  struct trp_log *log;
  struct trp_journal *journal;
  struct trp_asks asks;
  struct trp_graph graph;
  struct trp_boards boards;

  struct trp_slots slots;
  struct trp_ring_store rings;

  _Atomic int state;        /* enum trp_stage; written by the coordinator */
  _Atomic uint32_t changed; /* futex: counts changes of `state` */
  _Atomic bool stop_asked, stop_now_asked, gave_up;
  _Atomic bool stopping; /* set before any gate is shut */
  pthread_mutex_t reason_lock;
  char stop_reason[160]; /* under reason_lock, like the two below */
  int changed_fd;        /* an eventfd that is told of changes of `state`; -1: none */
  char failure[512];     /* of the start */
  uint64_t started_ns;

  struct trp_directory *directory; /* where an actor is placed in a process, else NULL */
  struct trp_host *host;           /* in such a process: its one actor's way out, else NULL */

  struct trp_coordinator *coordinator;
  struct trp_report report;
  struct trp_crash spare_crash; /* for an actor without memory for a record of its own */
};

enum trp_stage trp_system_stage(struct trp_system *system);

/* Whether a text is fit to be an actor's or a system's name: see TRP_NAME_MAX. */
bool trp_is_name(const char *name);

/* Starting without waiting for it. Errors: WRONG_STATE, SYSTEM. Thread: outside. */
TRP_MUST_USE enum trp_err trp_system_start_async(struct trp_system *system);

/* ---- spawn.c ---- */

/* A spawned actor's slot is kept once more, or once less: the last to let go frees it. */
void trp_spawned_hold(struct trp_actor *actor);
void trp_spawned_release(struct trp_actor *actor);

/* The slot of a name, NULL where there is none. Thread: any. */
struct trp_actor *trp_system_find_named(struct trp_system *system, const char *name);

/* The kernel has no thread of this id any more, and one of the actors had it: that is its crash,
 * and the coordinator sees to it. False where none had. Thread: any. */
bool trp_system_thread_lost(struct trp_system *system, int tid);

/* ---- coordinator.c: the start, the stop, the account ---- */

struct trp_coordinator *trp_coordinator_new(struct trp_system *system);
void trp_coordinator_destroy(struct trp_coordinator **coordinator);

/* Does what is due; returns when it must be called again even if nobody tells it anything.
 * Thread: the coordinator's. */
uint64_t trp_coordinator_step(struct trp_coordinator *coordinator);

/* Asks it to begin starting. Thread: outside. */
void trp_coordinator_begin(struct trp_system *system);

/* Something about this actor changed (started, failed, closed). Thread: its keeper. */
void trp_coordinator_tell(struct trp_actor *actor);

/* Something changed that is no actor's. Thread: any. */
void trp_coordinator_wake(struct trp_system *system);

/* An actor whose thread has exited is to begin anew. Thread: a supervisor. */
void trp_coordinator_revive(struct trp_actor *actor);

/* A root has ended while the system was not stopping: that is a stop. Thread: the root's keeper. */
void trp_system_root_died(struct trp_system *system, struct trp_actor *root, bool crashed);

void trp_system_set_state(struct trp_system *system, enum trp_stage state);
void trp_system_journal_put(struct trp_system *system, const char *actor, uint16_t type,
                            const void *body, size_t bytes);

#endif
