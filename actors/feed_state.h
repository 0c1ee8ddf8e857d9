/* feed_state.h - the states in a feed's life, as FEED_STATE messages carry them.
 *
 * CONNECTING: resolving, connecting or shaking hands. SYNCING: the stream stands, but a
 * subscription is not acknowledged or a book not rebuilt yet. LIVE: everything asked for flows.
 * STALE: connected, and some subscription has been without data for longer than it may.
 * POLLING: over HTTP instead of a stream. BACKOFF: waiting before the next attempt. STOPPED: by
 * command, or not started. Numbers travel: never reuse one. (struct trp_feed_state is the message,
 * so the enumeration of its states is trp_feed_phase.) */
#ifndef TRP_ACTORS_FEED_STATE_H
#define TRP_ACTORS_FEED_STATE_H

#include <stdint.h>

enum trp_feed_phase {
  TRP_FEED_STOPPED = 0,
  TRP_FEED_CONNECTING = 1,
  TRP_FEED_SYNCING = 2,
  TRP_FEED_LIVE = 3,
  TRP_FEED_STALE = 4,
  TRP_FEED_POLLING = 5,
  TRP_FEED_BACKOFF = 6
};

/* How a feed gets its events. AUTO is a wish alone: it streams, and polls where that fails; a
 * FEED_STATE says which of the two it does now. */
enum trp_feed_mode { TRP_FEED_AUTO = 0, TRP_FEED_STREAM = 1, TRP_FEED_POLL = 2 };

/* "LIVE" and so on, "?" for a number outside the list; a plain number, because it may come from a
 * message. Thread: any. */
static inline const char *trp_feed_state_text(uint32_t state) {
  static const char *const text[] = {"STOPPED", "CONNECTING", "SYNCING", "LIVE",
                                     "STALE",   "POLLING",    "BACKOFF"};
  return state < sizeof text / sizeof text[0] ? text[state] : "?";
}

/* "stream" or "poll", "?" for a number outside the list. Thread: any. */
static inline const char *trp_feed_mode_text(uint32_t mode) {
  return mode == TRP_FEED_STREAM ? "stream" : mode == TRP_FEED_POLL ? "poll" : "?";
}

#endif
