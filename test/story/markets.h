/* markets.h - the three exchanges as the stories meet them: the embedded exchange's dialect, the
 * feed that follows it, and BTCUSDT and ETHUSDT as that exchange writes them. */
#ifndef TRP_TEST_STORY_MARKETS_H
#define TRP_TEST_STORY_MARKETS_H

#include "test/story/feed_world.h"

struct market {
  const struct trp_exchange_dialect *exchange;
  const struct trp_dialect *dialect;
  const struct trp_kind *feed;
  const char *const *symbols;
  uint32_t levels_compared; /* Gate.io's snapshots are short: what lies behind is not told */
  uint64_t limit_wait_ms;   /* after a refusal that does not say for how long; 0: all say it */
};

enum { MARKETS = 3 };
extern const struct market markets[MARKETS];

/* Options of a world with that market, for the rest to be filled in. */
struct world_options market_options(const struct market *market, uint64_t seed);

#endif
