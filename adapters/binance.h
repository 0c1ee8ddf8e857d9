/* binance.h - Binance spot: its dialect, and the actor that streams it.
 *
 * One SUBSCRIBE text for many symbols, acknowledged by id; books by @depth@100ms and a snapshot of
 * GET /api/v3/depth; the exchange pings, and our pongs count among the texts it allows. */
#ifndef TRP_ADAPTERS_BINANCE_H
#define TRP_ADAPTERS_BINANCE_H

#include "adapters/dialect.h"
#include "adapters/feed.h"

extern const struct trp_dialect trp_binance_dialect;

/* Its args are a struct trp_feed_options. */
extern const struct trp_kind trp_binance_feed_kind;

#endif
