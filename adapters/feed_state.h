/* feed_state.h - the states of a feed, for the adapters that are feeds.
 *
 * The list itself stands with the actors, so that who asks a feed for its state can read it too. */
#ifndef TRP_ADAPTERS_FEED_STATE_H
#define TRP_ADAPTERS_FEED_STATE_H

#include "actors/feed_state.h" /* IWYU pragma: export */

#endif
