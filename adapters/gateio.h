/* gateio.h - Gate.io spot v4: its dialect, and the actor that streams it.
 *
 * One text a channel (order_book_update: a text a symbol), acknowledged by id, with the time of day
 * in it; data may come before the acknowledgement. We ping (spot.ping), and the exchange announces
 * upgrades. Quotes come from spot.book_ticker alone; spot.tickers are signs of life. Books come by
 * spot.order_book_update and GET /api/v4/spot/order_book, or by spot.obu (TRP_STREAM_BOOK), whose
 * depth is 50, or 400 where snapshot_limit is at least that. */
#ifndef TRP_ADAPTERS_GATEIO_H
#define TRP_ADAPTERS_GATEIO_H

#include "adapters/dialect.h"
#include "adapters/feed.h"

extern const struct trp_dialect trp_gateio_dialect;

/* Its args are a struct trp_feed_options. */
extern const struct trp_kind trp_gateio_feed_kind;

#endif
