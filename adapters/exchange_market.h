/* exchange_market.h - what an embedded exchange has to sell: a walk or a recording, whatever the
 * dialect in which it is sold. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_MARKET_H
#define TRP_ADAPTERS_EXCHANGE_MARKET_H

#include "adapters/exchange_replay.h"
#include "adapters/exchange_walk.h"

/* One of the two is NULL. */
struct trp_exchange_market {
  struct trp_walk *walk;
  struct trp_replay *replay;
  uint64_t wall_ns; /* Unix time at 0 of the caller's clock */
};

#endif
