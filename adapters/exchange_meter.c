#include "adapters/exchange_meter.h"

#include <string.h>

static void ban(struct trp_exchange_meter *meter, uint64_t wall_ms) {
  uint64_t seconds = TRP_EXCHANGE_BAN_S;
  for (uint32_t i = 0; i < meter->bans && seconds < TRP_EXCHANGE_BAN_MAX_S; i++) {
    seconds *= 2;
  }
  seconds = seconds < TRP_EXCHANGE_BAN_MAX_S ? seconds : TRP_EXCHANGE_BAN_MAX_S;
  meter->bans++;
  meter->banned_until_ms = wall_ms + seconds * 1000;
}

static uint32_t seconds_until(uint64_t at_ms, uint64_t wall_ms) {
  return (uint32_t)((at_ms - wall_ms + 999) / 1000);
}

uint16_t trp_exchange_meter_charge(struct trp_exchange_meter *meter,
                                   const struct trp_exchange_budget *budget, uint32_t counter,
                                   uint32_t units, uint64_t wall_ms, uint32_t *retry_after_s) {
  uint64_t window = wall_ms / budget->window_ms;
  uint32_t max = meter->max != 0 ? meter->max : budget->max;
  if (meter->window != window) {
    meter->window = window;
    meter->refused = 0;
    memset(meter->used, 0, sizeof meter->used);
  }
  if (wall_ms < meter->banned_until_ms) {
    *retry_after_s = seconds_until(meter->banned_until_ms, wall_ms);
    return 418;
  }
  meter->used[counter] += units;
  if (meter->used[counter] <= max) {
    return 0;
  }
  if (budget->bans && ++meter->refused > TRP_EXCHANGE_BAN_AFTER) {
    ban(meter, wall_ms);
    *retry_after_s = seconds_until(meter->banned_until_ms, wall_ms);
    return 418;
  }
  *retry_after_s = seconds_until((window + 1) * budget->window_ms, wall_ms);
  return 429;
}
