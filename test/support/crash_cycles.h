/* crash_cycles.h - crashes an actor again and again, in each way that a thread offers, and looks
 * whether anything is left: live objects of every kind and live heap bytes, equal after few and
 * after many.
 *
 * The actor holds one of everything when it dies (timers, an ask, a monitor, a watch, a
 * subscription, memory, a large message in hand and mail behind it), and is restarted by its
 * supervisor. One at a time; failures are cmocka's. Thread: the test's. */
#ifndef TRP_TEST_SUPPORT_CRASH_CYCLES_H
#define TRP_TEST_SUPPORT_CRASH_CYCLES_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/troupe.h"

struct crash_sample {
  uint64_t heap_bytes; /* 0 where it cannot be told: sanitizers, valgrind */
  uint64_t blobs, asks, edges, orphans;
  int64_t held[TRP_RES_COUNT];
  uint64_t threads, registered, descriptors;
};

void crash_cycles_begin(void);

/* So many more crashes, each followed by a restart; the sample after them, printed as "after
 * `total`". */
struct crash_sample crash_cycles_run(uint32_t count, uint32_t total);

/* As run, but the last one to die leaves its memory behind. */
struct crash_sample crash_cycles_forgetful(uint32_t count, uint32_t total);

/* The name of the first figure that differs, NULL where all are equal (of heap bytes, but for what
 * glibc's rounding makes of the same objects). */
const char *crash_difference(const struct crash_sample *a, const struct crash_sample *b);

/* Stops, and the ledger must balance. */
void crash_cycles_end(void);

#endif
