#include "test/story/markets.h"

#include "adapters/gateio.h"
#include "adapters/mexc.h"

enum { GATEIO_LEVELS = 10, GATEIO_WINDOW_MS = 10000 };

static const char *const plain[] = {"BTCUSDT", "ETHUSDT", NULL};
static const char *const pairs[] = {"BTC_USDT", "ETH_USDT", NULL};

const struct market markets[MARKETS] = {
    {&trp_exchange_binance, &trp_binance_dialect, &trp_binance_feed_kind, plain, 0, 0},
    {&trp_exchange_gateio, &trp_gateio_dialect, &trp_gateio_feed_kind, pairs, GATEIO_LEVELS,
     GATEIO_WINDOW_MS},
    {&trp_exchange_mexc, &trp_mexc_dialect, &trp_mexc_feed_kind, plain, 0, 0},
};

struct world_options market_options(const struct market *market, uint64_t seed) {
  return (struct world_options){.seed = seed,
                                .feed_kind = market->feed,
                                .dialect = market->exchange,
                                .symbols = market->symbols,
                                .levels_compared = market->levels_compared};
}
