#include "runtime/futex.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/troupe.h"

static const uint64_t LONGEST_NS = 3600 * TRP_NS_PER_S;

void trp_futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t until_ns) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  uint64_t now = (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
  if (until_ns <= now) return;
  if (until_ns - now > LONGEST_NS) until_ns = now + LONGEST_NS;
  t.tv_sec = (time_t)(until_ns / TRP_NS_PER_S);
  t.tv_nsec = (long)(until_ns % TRP_NS_PER_S);
  /* WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC: no drift over early wake-ups. */
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen, &t, NULL, FUTEX_BITSET_MATCH_ANY);
}

void trp_futex_wake(_Atomic uint32_t *word, int how_many) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0);
}
