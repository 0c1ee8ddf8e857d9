/* token_bucket.h - how much may be spent, by integer arithmetic that loses nothing.
 *
 * `rate` tokens flow in over each period, up to `burst`. The level is kept in tokens times
 * nanoseconds of the period, of which each nanosecond brings exactly `rate`: so there is no
 * rounding to add up, however often and at whatever times it is looked at. Over any stretch of time
 * t no more than burst + rate * t / period is spent.
 *
 * Pure: the time is told. Embedded by its owner. Thread: owner. */
#ifndef TRP_ACTORS_TOKEN_BUCKET_H
#define TRP_ACTORS_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/errors.h"

struct trp_token_bucket {
  uint64_t rate, period_ns;
  uint64_t full, level; /* tokens * period_ns */
  uint64_t at_ns;       /* the level's time */
};

/* Full, or empty. Errors: INVALID (something is 0, or burst * period_ns beyond 63 bits). */
TRP_MUST_USE enum trp_err trp_token_bucket_init(struct trp_token_bucket *bucket, uint32_t rate,
                                                uint64_t period_ns, uint32_t burst, bool filled,
                                                uint64_t now_ns);

/* Brings the level up to this time; a time before the last one changes nothing. */
void trp_token_bucket_flow(struct trp_token_bucket *bucket, uint64_t now_ns);

/* How long after the level's time there are so many (at most the burst), 0 for now: the first
 * nanosecond at which there are. */
uint64_t trp_token_bucket_wait_ns(const struct trp_token_bucket *bucket, uint32_t weight);

/* Takes what is there: only after a wait of 0. */
void trp_token_bucket_spend(struct trp_token_bucket *bucket, uint32_t weight);

/* Whole tokens at the level's time. */
uint32_t trp_token_bucket_level(const struct trp_token_bucket *bucket);

#endif
