/* chaos.h - a fleet to which everything happens: feeds are connected, disconnected, stopped,
 * restarted and crashed at random, the exchange drops, stalls, refuses and dies, the standing
 * company dies too, and in the middle of it all the system is stopped and started anew.
 *
 * One seed is one sequence of orders (not one execution: threads and sockets are real). Whatever
 * must never happen is a failure of cmocka's that names the seed. Thread: the test's. */
#ifndef TRP_TEST_SUPPORT_CHAOS_H
#define TRP_TEST_SUPPORT_CHAOS_H

#include <stdint.h>

struct chaos_account {
  uint64_t lives, orders, crashes, restarts, recoveries, events;
  uint64_t longest_stop_ns;
};

/* TRP_SEED, else a fresh one; printed. */
uint64_t chaos_seed(void);

/* Plays lives of a fleet until the time is over (the last one is played to its end), prints what
 * happened, and adds it to the account. */
void chaos_run(uint64_t seed, uint64_t duration_ms, uint32_t feeds, struct chaos_account *account);

#endif
