/* rate_limiter.h - the actor that makes others wait for their share: a token bucket with weights.
 *
 * Who wants to spend asks with RATE_TAKE and goes on when the answer comes. RESULT says OK when the
 * weight is granted, in the order of asking: nobody overtakes, not even with a lighter request.
 * INVALID: weight 0 or beyond the burst, which would never be granted. FULL, at once: queue_max
 * wait already. STOPPED, at once: the limiter stops; whoever waits hears it then, so no wait here
 * outlasts a stop.
 *
 * A wait belongs to its ask. When that is over (its deadline, trp_ask_cancel, the asker's death),
 * the place in the queue goes and no token is spent; who waits behind it is served within 10 ms.
 *
 * The limiter's death fails its asks with DEAD, and its next incarnation begins with an empty
 * bucket, since what the last one granted is not known any more: the rate holds over crashes.
 *
 * OPERATOR "stats", asked: RESULT with the account as text; sent: the same as a log line. */
#ifndef TRP_ACTORS_RATE_LIMITER_H
#define TRP_ACTORS_RATE_LIMITER_H

#include "runtime/troupe.h"

/* The args of the kind. */
struct trp_rate_limiter_options {
  uint32_t rate;      /* tokens that flow in over each period; not 0 */
  uint32_t period_ms; /* 0: 1,000, so that the rate is one per second */
  uint32_t burst;     /* tokens it can hold, the most that one request may weigh; 0: the rate */
  uint32_t queue_max; /* requests that may wait, up to 65,536; 0: 1,024 */
};

extern const struct trp_kind trp_rate_limiter_kind;

/* Asks for `weight` tokens: RESULT with this correlation, or ASK_FAILED after `timeout_ns`.
 * Errors as trp_ask. Thread: owner. */
TRP_MUST_USE enum trp_err trp_rate_take(struct trp_self *self, struct trp_ref limiter,
                                        uint32_t weight, uint64_t timeout_ns,
                                        uint64_t *correlation);

#endif
