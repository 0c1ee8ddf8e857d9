#include "actors/histogram.h"

#include <string.h>

enum { SUB_BITS = 4, SUB = 1 << SUB_BITS };

static uint32_t bucket_of(uint64_t ns) {
  if (ns < SUB) return (uint32_t)ns;
  uint32_t exponent = 63 - (uint32_t)__builtin_clzll(ns);
  uint32_t shift = exponent - SUB_BITS;
  uint32_t bucket = (shift + 1) * SUB + (uint32_t)((ns >> shift) & (SUB - 1));
  return bucket < TRP_HISTOGRAM_BUCKETS ? bucket : TRP_HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket's range. */
static uint64_t value_of(uint32_t bucket) {
  if (bucket < SUB) return bucket;
  uint32_t shift = bucket / SUB - 1;
  uint64_t low = (uint64_t)(SUB + bucket % SUB) << shift;
  return low + ((UINT64_C(1) << shift) >> 1);
}

void trp_histogram_add(struct trp_histogram *histogram, uint64_t ns) {
  histogram->count++;
  histogram->buckets[bucket_of(ns)]++;
  if (ns > histogram->max) histogram->max = ns;
}

void trp_histogram_clear(struct trp_histogram *histogram) {
  memset(histogram, 0, sizeof *histogram);
}

uint64_t trp_histogram_quantile(const struct trp_histogram *histogram, double share) {
  if (histogram->count == 0) return 0;
  double rank = share * (double)histogram->count;
  uint64_t seen = 0;
  for (uint32_t i = 0; i < TRP_HISTOGRAM_BUCKETS; i++) {
    seen += histogram->buckets[i];
    if (seen > 0 && (double)seen >= rank) {
      uint64_t value = value_of(i);
      return value < histogram->max ? value : histogram->max;
    }
  }
  return histogram->max;
}
