/* deadline.h - real deadlines for waits in the runtime's own plumbing: absolute CLOCK_MONOTONIC
 * nanoseconds. Actors' time is another matter and comes from env.h.
 *
 * All async-signal-safe. Thread: any. */
#ifndef TRP_RUNTIME_DEADLINE_H
#define TRP_RUNTIME_DEADLINE_H

#include <stdint.h>
#include <time.h>

static inline uint64_t trp_deadline_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The deadline that passes `timeout_ns` from now; UINT64_MAX stays for ever. */
static inline uint64_t trp_deadline_in(uint64_t timeout_ns) {
  uint64_t now = trp_deadline_now_ns();
  return timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

/* What is left until the deadline, 0 once it has passed. */
static inline uint64_t trp_deadline_left_ns(uint64_t deadline_ns) {
  uint64_t now = trp_deadline_now_ns();
  return now >= deadline_ns ? 0 : deadline_ns - now;
}

static inline struct timespec trp_deadline_timespec(uint64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                           .tv_nsec = (long)(ns % 1000000000u)};
}

#endif
