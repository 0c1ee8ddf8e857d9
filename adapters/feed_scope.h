/* feed_scope.h - a feed connected for as long as a C scope lasts, from outside the system:
 *
 *   {
 *     TRP_FEED_SCOPE feed = trp_feed_scope(system, &(struct trp_feed_scope_options){
 *         .feed = "binance", .drain = (const char *const[]){"event_engine", "consumer", NULL}});
 *     if (feed.err != TRP_OK) return feed.err;   // disconnected all the same
 *     ...                                        // LIVE here
 *   }                                            // disconnected, and all that it sent is handled
 *
 * The end of the scope sends the feed a disconnect and waits for its answer, then waits until the
 * actors under `drain` have handled what they had got: each wait within close_ms in all, so that a
 * scope ends in bounded time whatever the feed does. Where nobody looks at how it ended, the log
 * says it if it was not well; to look, call trp_feed_scope_end, which the end of the scope then
 * finds done.
 *
 * The feed should be one that stays disconnected by itself (stay_disconnected). The scope borrows
 * system and texts. Thread: outside the system. */
#ifndef TRP_ADAPTERS_FEED_SCOPE_H
#define TRP_ADAPTERS_FEED_SCOPE_H

#include "actors/feed_state.h"
#include "runtime/troupe.h"

/* Zero fields mean the default named beside them. */
struct trp_feed_scope_options {
  const char *feed;         /* the actor's name; must be set */
  const char *const *drain; /* names, NULL at the end, upstream first; NULL: event_engine */
  uint32_t live_ms;         /* 10,000: until it is LIVE */
  uint32_t close_ms;        /* 3,000: for disconnecting and draining */
};

struct trp_feed_scope {
  enum trp_err err; /* of connecting: OK, the feed is LIVE */
  struct trp_system *system;
  struct trp_feed_scope_options options; /* defaults filled in */
  struct trp_feed_state state;           /* as it was last heard: why it is not LIVE */
  bool open;
  enum trp_err end_err; /* of the end */
};

/* Connects and waits until the feed is LIVE. `err`: NO_ACTOR, STOPPED or DEAD (the feed), BUSY (it
 * is disconnecting), TIMEOUT (not LIVE in time: `state` says why), INVALID. */
struct trp_feed_scope trp_feed_scope(struct trp_system *system,
                                     const struct trp_feed_scope_options *options);

/* Asks how the feed is, into scope->state. Errors: as trp_system_ask. */
TRP_MUST_USE enum trp_err trp_feed_scope_look(struct trp_feed_scope *scope);

/* Disconnects and drains; idempotent. Errors: TIMEOUT (something still waits or closes), what
 * asking the feed says. A system that has stopped is well ended: OK. */
enum trp_err trp_feed_scope_end(struct trp_feed_scope *scope);

/* For TRP_FEED_SCOPE. */
void trp_feed_scope_leave(struct trp_feed_scope *scope);

#define TRP_FEED_SCOPE __attribute__((cleanup(trp_feed_scope_leave))) struct trp_feed_scope

#endif
