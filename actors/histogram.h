/* histogram.h - counts of durations in log-linear buckets: 16 to each doubling, so a quantile is
 * off by at most 6 %, from 1 ns to 2^40 ns (18 minutes; beyond counts as that). Fixed size, no
 * allocation; a plain value that may be copied and cleared. Thread: the owner's. */
#ifndef TRP_ACTORS_HISTOGRAM_H
#define TRP_ACTORS_HISTOGRAM_H

#include <stdint.h>

enum { TRP_HISTOGRAM_BUCKETS = 16 * 38 };

struct trp_histogram {
  uint64_t count;
  uint64_t max;
  uint32_t buckets[TRP_HISTOGRAM_BUCKETS];
};

void trp_histogram_add(struct trp_histogram *histogram, uint64_t ns);
void trp_histogram_clear(struct trp_histogram *histogram);

/* The value below which a share of all lie, 0 <= share <= 1; 0 where there is none. */
uint64_t trp_histogram_quantile(const struct trp_histogram *histogram, double share);

#endif
