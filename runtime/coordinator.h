/* coordinator.h - starts a system actor by actor, stops it along its graph, and makes the account.
 *
 * Outside the graph, so that nothing in the graph can hold it up: a state machine with one
 * entrance, trp_coordinator_step, which never waits. It hears of actors through notices in a lane
 * of its own. coordinator.c has the stages, start.c the start, stop.c the stop.
 *
 * Thread: the coordinator's (in simulation: the one there is), except tell, wake, begin, revive. */
#ifndef TRP_RUNTIME_COORDINATOR_H
#define TRP_RUNTIME_COORDINATOR_H

#include "runtime/plan.h"
#include "runtime/system.h"

struct trp_stopping {        /* one actor's way through the stop */
  uint64_t soft_ns, hard_ns; /* absolute */
  uint64_t asked_ns;
  bool attached, pilled, released, cut, stack_taken, killed, closed, abandoned, taken;
  uint32_t cut_by; /* index + 1 of the upstream that was still open when it was cut */
  uint32_t entry;  /* of the report: its place + 1; 0: none yet */
};

struct trp_cycle_watch { /* two equal observations make a cycle quiescent */
  uint64_t accepted, handled, turns;
  uint32_t equal;
};

struct trp_coordinator {
  struct trp_system *system;
  struct trp_lane lane;
  _Atomic bool begin_asked;

  /* start */
  uint32_t next; /* the actor whose turn to start it is */
  bool waiting;  /* it has been told to, and has not answered */
  uint64_t start_due_ns;
  bool unwinding; /* the stop goes in reverse order of the start, one by one */

  /* stop */
  bool planned;
  struct trp_plan plan;
  struct trp_plan spare;  /* for a stop without memory; becomes the plan then */
  struct trp_graph chain; /* while unwinding: the order of the start, reversed, as a graph */
  struct trp_stopping *actors;
  struct trp_cycle_watch *cycles;
  uint32_t open;    /* actors not yet closed or abandoned */
  uint32_t *closed; /* those that are, in that order: to be taken back from their threads */
  uint32_t closed_count, closed_taken;
  uint64_t pill_ns;
  uint64_t deadline_due_ns; /* when deadlines are to be looked at next */
  bool all_cut;             /* "drop everything" has been told to all */
  uint64_t cycle_due_ns;
};

/* start.c */
uint64_t trp_start_step(struct trp_coordinator *c);

/* stop.c */
void trp_stop_begin(struct trp_coordinator *c);
uint64_t trp_stop_step(struct trp_coordinator *c);
void trp_stop_notice(struct trp_coordinator *c, uint32_t actor);

/* account.c */

/* Joins threads that have ended and closes their doors, in order of closing, while the stop waits
 * for others anyway; so the report is not late by the time that takes. True where there were some:
 * call again. */
bool trp_account_take_some(struct trp_coordinator *c);
void trp_account_close(struct trp_coordinator *c);

/* Makes room for the report: before the start, so that the stop needs no memory for it.
 * Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_account_prepare(struct trp_system *system);

/* The actor's own entry of the report; of a spawned one only where there is something to say of it
 * alone, and NULL where too many have. */
struct trp_report_actor *trp_account_entry(struct trp_coordinator *c, uint32_t actor);

#endif
