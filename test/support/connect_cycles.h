/* connect_cycles.h - connects and disconnects the feed so many times and looks whether anything is
 * left: live objects of every kind and live heap bytes, equal after few and after many cycles.
 *
 * A cycle: a visitor subscribes, the feed connects, the visitor hears a quote (every 50th time the
 * feed comes to be LIVE, books and all), the visitor unsubscribes, the feed disconnects. */
#ifndef TRP_TEST_SUPPORT_CONNECT_CYCLES_H
#define TRP_TEST_SUPPORT_CONNECT_CYCLES_H

#include <stdint.h>

#include "test/support/feed_rig.h"

/* A rig for cycles, warmed up. */
void cycles_begin(void);

/* So many more cycles; the sample after them, printed as "after `total`". */
struct rig_sample cycles_run(uint32_t count, uint32_t total);

/* One cycle whose visitor forgets to unsubscribe. */
void cycles_run_forgetful(void);

/* Fails naming the figure that differs. */
void cycles_equal(const struct rig_sample *a, const struct rig_sample *b);

#endif
