/* control_body.h - what control's answers are about, put into words: each function packs the one
 * value that is an answer's body. Thread: the actor's turns. */
#ifndef TRP_ACTORS_CONTROL_BODY_H
#define TRP_ACTORS_CONTROL_BODY_H

#include "actors/control.h"
#include "proto/pack.h"

/* What a feed said about itself. */
struct trp_feed_view {
  uint64_t correlation; /* of the question; 0: none is out */
  enum trp_err err;     /* why there is no `state`; OK: there is */
  struct trp_feed_state state;
};

/* What the thread monitor said. */
struct trp_monitor_view {
  uint64_t correlation; /* of the question; 0: none is out */
  enum trp_err err;     /* why there is no report; OK: there is */
  struct trp_monitor_report report;
};

/* The system, its actors, its feeds, of which `views` tells in the order of the options, and the
 * process, where there is a monitor. */
void trp_control_pack_status(struct trp_pack *pack, struct trp_self *self,
                             const struct trp_control_options *options,
                             const struct trp_feed_view *views,
                             const struct trp_monitor_view *monitor);

/* Each actor's thread, turns and holdings. */
void trp_control_pack_actors(struct trp_pack *pack, struct trp_self *self);

/* The threads on the register, and those that are known to the kernel alone. */
void trp_control_pack_threads(struct trp_pack *pack, struct trp_self *self);

/* The journal behind a cursor, as much as an answer should hold. */
void trp_control_pack_events(struct trp_pack *pack, struct trp_self *self, uint64_t after);

#endif
