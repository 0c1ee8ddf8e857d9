/* pool_timers.h - when sleeping actors of the pool are to be woken: a heap by time, one entry an
 * actor.
 *
 * An entry may be too early, never too late: an actor that is woken for nothing goes to sleep again
 * and is entered anew. So an entry only ever moves forward here, and nobody takes one out.
 *
 * Synchronisation: its own mutex; `earliest` may be read without. Thread: any. */
#ifndef TRP_RUNTIME_POOL_TIMERS_H
#define TRP_RUNTIME_POOL_TIMERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct trp_actor;

struct trp_pool_timers {
  pthread_mutex_t lock;
  struct trp_actor **heap;
  uint32_t count, room;
  _Atomic uint64_t earliest_ns; /* UINT64_MAX: none */
};

void trp_pool_timers_init(struct trp_pool_timers *timers);
void trp_pool_timers_fini(struct trp_pool_timers *timers);

/* Wakes this actor no later than `due_ns`. True where that is earlier than all others: who sleeps
 * until the earliest must hear of it. Without memory for it the actor counts as due at once: false
 * in *kept, and the caller lets it run again. */
bool trp_pool_timers_set(struct trp_pool_timers *timers, struct trp_actor *actor, uint64_t due_ns,
                         bool *kept);

/* An actor that is due, NULL where none is. */
struct trp_actor *trp_pool_timers_take(struct trp_pool_timers *timers, uint64_t now_ns);

static inline uint64_t trp_pool_timers_earliest(struct trp_pool_timers *timers) {
  return atomic_load_explicit(&timers->earliest_ns, memory_order_seq_cst);
}

#endif
