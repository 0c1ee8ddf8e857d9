/* control_edge.h - where the control actor's requests come from and its answers go: the seam
 * between the actor, which knows no sockets, and whatever carries the bytes
 * (adapters/control_ipc.h).
 *
 * An edge belongs to the actor's slot: it is opened before the system starts, closed after it has
 * stopped, and outlives every incarnation of the actor. A call is one request in the edge's hands,
 * named by its ticket; it waits until an incarnation takes it and is over when it is answered.
 * Calls that a crashed incarnation had taken wait again after the next bind, and show how often
 * they were taken. An edge is bounded in calls, refuses by itself what waits too long, and never
 * blocks.
 *
 * Which thread: everything here is called in the turns of the actor. */
#ifndef TRP_ACTORS_CONTROL_EDGE_H
#define TRP_ACTORS_CONTROL_EDGE_H

#include "proto/control.h"
#include "runtime/troupe.h"

enum {
  TRP_CALLS_MAX = 32, /* that an edge holds at once */
  TRP_KEPT_MAX = 64   /* answers kept for clients that repeat */
};

struct trp_call {
  uint64_t ticket;
  const void *data; /* the request as it came; the edge's, good until the call is answered */
  size_t bytes;
  unsigned taken; /* how often before: not 0 says that an earlier incarnation ended over it */
};

/* The answer to a request that acted. */
struct trp_kept {
  uint64_t id;
  enum trp_err status;
  char text[TRP_ANSWER_TEXT_MAX + 1];
};

struct trp_control_edge;

struct trp_control_edge_ops {
  /* This incarnation serves from now on: trp_notify tells it of calls, also of those there are. */
  void (*bind)(struct trp_control_edge *edge, struct trp_system *system, struct trp_ref slot);
  /* This incarnation has ended. Until the next bind nobody would bid the clients farewell: should
   * the system stop meanwhile, the edge lets them go by itself, without a word. */
  void (*unbind)(struct trp_control_edge *edge);
  /* The call that has waited longest; false where none waits. */
  bool (*take)(struct trp_control_edge *edge, struct trp_call *call);
  /* Answers a call and forgets it; the bytes are copied. A client that has gone is no error. */
  void (*answer)(struct trp_control_edge *edge, uint64_t ticket, const void *data, size_t bytes);
  /* Whether nobody waits for this call's answer any more. */
  bool (*gone)(struct trp_control_edge *edge, uint64_t ticket);
  /* The system stops: lets nobody in any more, brings the answers out and lets the clients go,
   * within a fraction of a second; then trp_notify. */
  void (*farewell)(struct trp_control_edge *edge);
  /* Whether the farewell is over. */
  bool (*left)(struct trp_control_edge *edge);
};

struct trp_control_edge {
  const struct trp_control_edge_ops *ops;
  /* The slot's memory: what the actor must still know after a crash. The edge only zeroes it. */
  struct trp_kept kept[TRP_KEPT_MAX];
  uint64_t kept_count;
};

#endif
