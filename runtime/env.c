#include "runtime/env.h"

#include <time.h>

#include "runtime/troupe.h"

static uint64_t real_now_ns(const struct trp_env *env) {
  (void)env;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t virtual_now_ns(const struct trp_env *env) { return env->virtual_ns; }

/* splitmix64 (Steele, Lea, Flood 2014) spreads a small seed over the generator's state. */
static uint64_t spread(uint64_t *x) {
  uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static void init(struct trp_env *env, uint64_t seed) {
  for (int i = 0; i < 4; i++) env->chance[i] = spread(&seed);
  env->virtual_ns = TRP_NS_PER_S; /* not 0, so that a forgotten time shows */
  pthread_mutex_init(&env->lock, NULL);
}

void trp_env_init_real(struct trp_env *env, uint64_t seed) {
  env->now_ns = real_now_ns;
  init(env, seed != 0 ? seed : real_now_ns(env));
}

void trp_env_init_sim(struct trp_env *env, uint64_t seed) {
  env->now_ns = virtual_now_ns;
  init(env, seed);
}

void trp_env_fini(struct trp_env *env) { pthread_mutex_destroy(&env->lock); }

static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

/* xoshiro256** (Blackman, Vigna 2018). */
uint64_t trp_env_random(struct trp_env *env) {
  pthread_mutex_lock(&env->lock);
  uint64_t *s = env->chance;
  uint64_t result = rotl(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotl(s[3], 45);
  pthread_mutex_unlock(&env->lock);
  return result;
}
