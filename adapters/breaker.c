#include "adapters/breaker.h"

#include <stddef.h>

#define NS_PER_MS 1000000ull

void trp_breaker_init(struct trp_breaker *breaker, const struct trp_breaker_options *options) {
  *breaker = (struct trp_breaker){0};
  if (options != NULL) breaker->options = *options;
  struct trp_breaker_options *o = &breaker->options;
  if (o->failures == 0) o->failures = 5;
  if (o->failures > TRP_BREAKER_FAILURES_MAX) o->failures = TRP_BREAKER_FAILURES_MAX;
  if (o->window_ms == 0) o->window_ms = 60000;
  if (o->probe_ms == 0) o->probe_ms = 30000;
}

static void open_it(struct trp_breaker *breaker, uint64_t now_ns) {
  breaker->state = TRP_BREAKER_OPEN;
  breaker->opened_ns = now_ns;
}

bool trp_breaker_failed(struct trp_breaker *breaker, uint64_t now_ns) {
  uint32_t most = breaker->options.failures;
  if (breaker->state == TRP_BREAKER_OPEN) return false;
  if (breaker->state == TRP_BREAKER_HALF_OPEN) {
    open_it(breaker, now_ns);
    return false;
  }
  breaker->failed_ns[breaker->count++ % most] = now_ns;
  if (breaker->count < most) return false;
  uint64_t first = breaker->failed_ns[breaker->count % most]; /* of the last `most` */
  if (now_ns - first > breaker->options.window_ms * NS_PER_MS) return false;
  breaker->opens++;
  open_it(breaker, now_ns);
  return true;
}

void trp_breaker_succeeded(struct trp_breaker *breaker) {
  breaker->state = TRP_BREAKER_CLOSED;
  breaker->count = 0;
}

bool trp_breaker_allows(struct trp_breaker *breaker, uint64_t now_ns) {
  if (breaker->state != TRP_BREAKER_OPEN) return true;
  if (now_ns - breaker->opened_ns < breaker->options.probe_ms * NS_PER_MS) return false;
  breaker->state = TRP_BREAKER_HALF_OPEN;
  return true;
}
