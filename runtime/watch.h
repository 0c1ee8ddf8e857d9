/* watch.h - who wants to know of whose life: monitors of an incarnation, watches of a name.
 *
 * A watch is allocated by the watcher and listed at the target under the target's lock. Delivery is
 * by state, not by count: the watcher compares what it has told last with what the target is now,
 * so nothing is lost however quickly a target dies and comes back, and nothing needs room.
 *
 * Thread: watcher for open, close, read; the target (or its keeper) for announce. */
#ifndef TRP_RUNTIME_WATCH_H
#define TRP_RUNTIME_WATCH_H

#include "runtime/lane.h"
#include "runtime/troupe.h"

struct trp_actor;

struct trp_watch {
  struct trp_node node;
  uint64_t id;
  struct trp_actor *watcher, *target;
  uint64_t watcher_life;
  uint64_t incarnation; /* a monitor's; 0: follows the name */
  uint64_t told_up;     /* the incarnation last told as UP (watch) or monitored; 0: none */
  bool closed;          /* demonitored while queued: freed when the lane is drained */
  struct trp_watch *of_target_next, *of_target_prev; /* under the target's lock */
  struct trp_watch *mine_next, *mine_prev;           /* the watcher's own list */
};

struct trp_watch *trp_watch_open(struct trp_actor *watcher, struct trp_actor *target,
                                 uint64_t incarnation);
void trp_watch_close(struct trp_watch *watch);

/* Tells all watchers that the target's life changed. Thread: the target's keeper. */
void trp_watch_announce(struct trp_actor *target);

/* The next thing to tell, false where all is told. Exactly one of down and up is filled: *is_up. */
bool trp_watch_read(struct trp_watch *watch, bool *is_up, struct trp_down *down, struct trp_up *up);

#endif
