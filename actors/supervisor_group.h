/* supervisor_group.h - the children of a supervisor: what each is meant to be, and the steps there.
 *
 * Events only change what is meant: `wanted` (it is to run), `doom` (its present life is to end
 * first), a backoff. settle() compares that with what the runtime says of each child and takes the
 * next step: stop who is doomed, then start who is wanted and down. It is called after every event,
 * waits for nothing, and where it is interrupted by a crash it simply finds more to do.
 *
 * In a group (rest_for_one, one_for_all, and any supervisor that puts its house in order after a
 * restart of its own) the steps are taken one at a time, stops from the last to the first and only
 * then starts from the first to the last. Otherwise each child goes its own way.
 *
 * A child is started only after the end of its last life was told: nothing is brought back that was
 * not counted. Belongs to the supervisor's incarnation. Thread: owner. */
#ifndef TRP_ACTORS_SUPERVISOR_GROUP_H
#define TRP_ACTORS_SUPERVISOR_GROUP_H

#include "actors/supervisor.h"

enum { TRP_SUPERVISED_MAX = 1024 };

/* What a child was told to do by an operator who waits to hear that it has. */
enum trp_child_order { TRP_ORDER_NONE, TRP_ORDER_STOP, TRP_ORDER_RESTART };

/* Why its present life is to end. */
enum trp_child_doom { TRP_DOOM_NONE, TRP_DOOM_ORDER, TRP_DOOM_GROUP };

struct trp_supervised {
  struct trp_ref ref; /* as last looked at */
  const char *name;
  struct trp_restart_policy policy;
  uint64_t *crashes_ns; /* a ring of the last intensity + 1 crashes; NULL: no limit */
  uint64_t crash_count;
  uint32_t in_a_row;   /* failures since it was last stable: the exponent of the backoff */
  uint64_t started_ns; /* 0: not up */
  uint64_t heard;      /* the reference whose end was told */
  uint64_t timer; /* the end of a backoff, or of the patience with a stop or a start; 0: none */
  bool backoff;   /* which of both */
  bool wanted;
  bool inherited; /* was down before this supervisor began: its end is not counted */
  enum trp_child_doom doom;
  enum trp_child_order order;
  uint64_t token; /* of the CHILD_COMMAND to answer; 0: nobody waits */
};

struct trp_group {
  struct trp_supervised *children;
  uint32_t count;
  enum trp_strategy strategy;
  bool rebuilding; /* the house is put in order after a restart of the supervisor */
  bool closing;    /* the supervisor is stopped alone, its children before it */
};

/* The children of this supervisor. Errors: NO_MEMORY, LIMIT. fini also where it failed. */
TRP_MUST_USE enum trp_err trp_group_init(struct trp_group *group, struct trp_self *self,
                                         enum trp_strategy strategy);
void trp_group_fini(struct trp_group *group);

/* NULL where there is none. */
struct trp_supervised *trp_group_find(struct trp_group *group, uint64_t ref);
struct trp_supervised *trp_group_find_named(struct trp_group *group, const char *name);

/* Dooms those whom the failure of this child takes along. */
void trp_group_doom_siblings(struct trp_group *group, const struct trp_supervised *child);

/* All are to end and none to come back, before the supervisor ends. */
void trp_group_close(struct trp_group *group);
bool trp_group_is_down(const struct trp_group *group); /* nobody is doomed any more */

/* Tells those that are doomed to stop, without an order and without waiting: the last resort. */
void trp_group_abandon(struct trp_self *self, struct trp_group *group);

/* The next steps, after something happened to this child (NULL: to the supervisor itself).
 * Errors: GAVE_UP (a child is stuck), NO_MEMORY and LIMIT (of timers). */
TRP_MUST_USE enum trp_err trp_group_settle(struct trp_self *self, struct trp_group *group,
                                           struct trp_supervised *child);

/* Its timer, whichever, is wanted no more. */
void trp_supervised_disarm(struct trp_self *self, struct trp_supervised *child);

/* Answers the order that is being carried out, if any, and ends it. */
void trp_supervised_answer(struct trp_self *self, struct trp_supervised *child, enum trp_err status,
                           const char *text);

#endif
