/* backoff.h - how long to wait before the next attempt to connect.
 *
 * The first attempt after a loss is immediate; then min_ms doubling up to max_ms, each with jitter
 * over its upper half, so that the cap holds with jitter included. The count is forgotten only
 * after a connection stayed up for stable_ms: a server that accepts and hangs up at once is not
 * dialled in a tight loop. Pure: time and chance are passed in. Thread: the owner's. */
#ifndef TRP_ADAPTERS_BACKOFF_H
#define TRP_ADAPTERS_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* Zero fields mean the default named beside them. */
struct trp_backoff_options {
  uint32_t min_ms;    /* 500 */
  uint32_t max_ms;    /* 30,000 */
  uint32_t stable_ms; /* 10,000 */
};

struct trp_backoff {
  struct trp_backoff_options options;
  uint32_t attempts; /* since the last stable stretch */
  bool up;
  uint64_t up_ns;
};

void trp_backoff_init(struct trp_backoff *backoff, const struct trp_backoff_options *options);

/* Milliseconds to wait before the attempt that is due now; counts it. `random` is any 64 bits. */
uint32_t trp_backoff_next_ms(struct trp_backoff *backoff, uint64_t random);

/* The connection stands. */
void trp_backoff_up(struct trp_backoff *backoff, uint64_t now_ns);

/* The connection is gone (also after an attempt that failed; then up() was not called). */
void trp_backoff_down(struct trp_backoff *backoff, uint64_t now_ns);

/* Forgets everything: an operator's connect starts afresh. */
void trp_backoff_reset(struct trp_backoff *backoff);

#endif
