#include "actors/token_bucket.h"

#include "runtime/troupe.h"

enum trp_err trp_token_bucket_init(struct trp_token_bucket *bucket, uint32_t rate,
                                   uint64_t period_ns, uint32_t burst, bool filled,
                                   uint64_t now_ns) {
  if (rate == 0 || period_ns == 0 || burst == 0) return TRP_INVALID;
  if (burst > INT64_MAX / period_ns) return TRP_INVALID;
  *bucket = (struct trp_token_bucket){
      .rate = rate, .period_ns = period_ns, .full = burst * period_ns, .at_ns = now_ns};
  if (filled) bucket->level = bucket->full;
  return TRP_OK;
}

void trp_token_bucket_flow(struct trp_token_bucket *bucket, uint64_t now_ns) {
  if (now_ns <= bucket->at_ns) return;
  uint64_t elapsed = now_ns - bucket->at_ns;
  bucket->at_ns = now_ns;
  /* Compared before it is multiplied: a bucket may have been left alone for ever. */
  bool fills = elapsed > (bucket->full - bucket->level) / bucket->rate;
  bucket->level = fills ? bucket->full : bucket->level + elapsed * bucket->rate;
}

uint64_t trp_token_bucket_wait_ns(const struct trp_token_bucket *bucket, uint32_t weight) {
  uint64_t cost = weight * bucket->period_ns;
  CHECK(cost <= bucket->full);
  if (cost <= bucket->level) return 0;
  return (cost - bucket->level + bucket->rate - 1) / bucket->rate;
}

void trp_token_bucket_spend(struct trp_token_bucket *bucket, uint32_t weight) {
  uint64_t cost = weight * bucket->period_ns;
  CHECK(cost <= bucket->level);
  bucket->level -= cost;
}

uint32_t trp_token_bucket_level(const struct trp_token_bucket *bucket) {
  return (uint32_t)(bucket->level / bucket->period_ns);
}
