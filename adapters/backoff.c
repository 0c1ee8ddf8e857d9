#include "adapters/backoff.h"

#include <stddef.h>

#define NS_PER_MS 1000000ull

void trp_backoff_init(struct trp_backoff *backoff, const struct trp_backoff_options *options) {
  *backoff = (struct trp_backoff){0};
  if (options != NULL) backoff->options = *options;
  if (backoff->options.min_ms == 0) backoff->options.min_ms = 500;
  if (backoff->options.max_ms == 0) backoff->options.max_ms = 30000;
  if (backoff->options.stable_ms == 0) backoff->options.stable_ms = 10000;
  if (backoff->options.min_ms > backoff->options.max_ms)
    backoff->options.min_ms = backoff->options.max_ms;
}

uint32_t trp_backoff_next_ms(struct trp_backoff *backoff, uint64_t random) {
  uint32_t attempt = backoff->attempts;
  if (backoff->attempts < UINT32_MAX) backoff->attempts++;
  if (attempt == 0) return 0;
  uint64_t delay = backoff->options.min_ms;
  for (uint32_t i = 1; i < attempt && delay < backoff->options.max_ms; i++) delay *= 2;
  if (delay > backoff->options.max_ms) delay = backoff->options.max_ms;
  uint64_t half = delay / 2;
  return (uint32_t)(delay - half + random % (half + 1));
}

void trp_backoff_up(struct trp_backoff *backoff, uint64_t now_ns) {
  backoff->up = true;
  backoff->up_ns = now_ns;
}

void trp_backoff_down(struct trp_backoff *backoff, uint64_t now_ns) {
  if (backoff->up && now_ns - backoff->up_ns >= backoff->options.stable_ms * NS_PER_MS)
    backoff->attempts = 0;
  backoff->up = false;
}

void trp_backoff_reset(struct trp_backoff *backoff) {
  backoff->attempts = 0;
  backoff->up = false;
}
