/* env.h - the seam through which time and chance come.
 *
 * One per system. The real one reads CLOCK_MONOTONIC; the simulated one is moved by the simulated
 * scheduler alone. Chance is a seeded generator, drawn from under a lock in the real system so that
 * any thread may; in simulation the one seed fixes the whole execution.
 *
 * Thread: any, where not said otherwise. */
#ifndef TRP_RUNTIME_ENV_H
#define TRP_RUNTIME_ENV_H

#include <pthread.h>
#include <stdint.h>

struct trp_env {
  uint64_t (*now_ns)(const struct trp_env *env);
  uint64_t virtual_ns; /* simulated only; written by the simulated scheduler */
  pthread_mutex_t lock;
  uint64_t chance[4];
};

void trp_env_init_real(struct trp_env *env, uint64_t seed);
void trp_env_init_sim(struct trp_env *env, uint64_t seed);
void trp_env_fini(struct trp_env *env);

static inline uint64_t trp_env_now_ns(const struct trp_env *env) { return env->now_ns(env); }

uint64_t trp_env_random(struct trp_env *env);

#endif
