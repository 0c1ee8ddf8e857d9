/* breaker.h - a circuit breaker: whether it is still worth trying.
 *
 *   CLOSED     attempts are made; `failures` of them failed within window_ms -> OPEN
 *   OPEN       none is made, for probe_ms; then the next allows() -> HALF_OPEN
 *   HALF_OPEN  attempts are made again, as a probe: a failure -> OPEN, success -> CLOSED
 *
 * Success closes it and forgets the failures; what success is, the owner says (a stream that is
 * live, not one that was merely accepted). Waiting between the attempts of a closed breaker is
 * backoff.h's. Pure: time is passed in. Thread: the owner's. */
#ifndef TRP_ADAPTERS_BREAKER_H
#define TRP_ADAPTERS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define TRP_BREAKER_FAILURES_MAX 32

/* Zero fields mean the default named beside them. */
struct trp_breaker_options {
  uint32_t failures;  /* 5; at most FAILURES_MAX */
  uint32_t window_ms; /* 60,000 */
  uint32_t probe_ms;  /* 30,000 */
};

enum trp_breaker_state { TRP_BREAKER_CLOSED = 0, TRP_BREAKER_OPEN, TRP_BREAKER_HALF_OPEN };

struct trp_breaker {
  struct trp_breaker_options options;
  enum trp_breaker_state state;
  uint64_t failed_ns[TRP_BREAKER_FAILURES_MAX]; /* of the last `failures`, round */
  uint64_t count;                               /* failures since it was closed last */
  uint64_t opened_ns;                           /* OPEN: since then */
  uint64_t opens;                               /* how often, CLOSED to OPEN, for the account */
};

void trp_breaker_init(struct trp_breaker *breaker, const struct trp_breaker_options *options);

/* An attempt failed, or what it had brought is gone. True where that opened the breaker. */
bool trp_breaker_failed(struct trp_breaker *breaker, uint64_t now_ns);

/* It works. */
void trp_breaker_succeeded(struct trp_breaker *breaker);

/* May an attempt be made now? An open breaker whose time has come is half open from here on. */
bool trp_breaker_allows(struct trp_breaker *breaker, uint64_t now_ns);

#endif
