/* exchange_meter.h - what one address has used of the embedded exchange's request limits.
 *
 * Counters run in windows of Unix time (a minute at Binance, ten seconds elsewhere) and are charged
 * before a call is run. Over the limit a call is refused with 429 until the window ends; an address
 * that goes on regardless is banned with 418, at first for two minutes, twice as long each time, up
 * to three days, as the exchanges document it. Zeroed memory is an address that nobody has heard
 * of. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_METER_H
#define TRP_ADAPTERS_EXCHANGE_METER_H

#include <stdbool.h>
#include <stdint.h>

#define TRP_EXCHANGE_COUNTERS_MAX 24 /* endpoints of a dialect that counts each by itself */
#define TRP_EXCHANGE_BAN_AFTER 10    /* refused calls in one window */
#define TRP_EXCHANGE_BAN_S 120
#define TRP_EXCHANGE_BAN_MAX_S (3 * 86400)

struct trp_exchange_meter {
  uint32_t max; /* of a window; 0: the dialect's own */
  uint64_t window;
  uint32_t used[TRP_EXCHANGE_COUNTERS_MAX];
  uint32_t refused; /* in this window */
  uint32_t bans;
  uint64_t banned_until_ms;
};

struct trp_exchange_budget {
  uint32_t window_ms;
  uint32_t max;
  bool bans; /* whether ignoring a 429 leads to 418 */
};

/* Charges `units`: 0 where that is within the limit, else the HTTP status, with the seconds after
 * which to come again. */
uint16_t trp_exchange_meter_charge(struct trp_exchange_meter *meter,
                                   const struct trp_exchange_budget *budget, uint32_t counter,
                                   uint32_t units, uint64_t wall_ms, uint32_t *retry_after_s);

#endif
