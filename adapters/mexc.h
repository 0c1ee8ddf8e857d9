/* mexc.h - MEXC spot v3: its dialect, and the actor that streams it.
 *
 * Data comes as protobuf, answers as JSON that repeats the channel and no id, with the code 0 also
 * where it refuses. So each subscription has a text of its own: its answer is about that one alone,
 * and no subscription waits for a word that a refusal of its neighbour swallowed. A connection
 * takes 30 subscriptions, and one without any is closed by the exchange: the feed keeps none. We
 * ping; books come by aggre.depth and GET /api/v3/depth. */
#ifndef TRP_ADAPTERS_MEXC_H
#define TRP_ADAPTERS_MEXC_H

#include "adapters/dialect.h"
#include "adapters/feed.h"

extern const struct trp_dialect trp_mexc_dialect;

/* Its args are a struct trp_feed_options. */
extern const struct trp_kind trp_mexc_feed_kind;

#endif
