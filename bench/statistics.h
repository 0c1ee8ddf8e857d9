/* statistics.h - order statistics over a handful of doubles, for the programs and the harness.
 *
 * Both sort what they are given. An empty set has no quantile: NaN. Thread: any. */
#ifndef TRP_BENCH_STATISTICS_H
#define TRP_BENCH_STATISTICS_H

#include <math.h>
#include <stdlib.h>

static inline int statistics_ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The value below which a share of them lies, between two of them in proportion. */
static inline double statistics_quantile(double *values, size_t count, double share) {
  if (count == 0) return NAN;
  qsort(values, count, sizeof *values, statistics_ascending);
  double place = share * (double)(count - 1);
  size_t below = (size_t)floor(place);
  size_t above = below + 1 < count ? below + 1 : below;
  return values[below] + (place - (double)below) * (values[above] - values[below]);
}

static inline double statistics_median(double *values, size_t count) {
  return statistics_quantile(values, count, 0.5);
}

#endif
