/* pingpong_threads.c - Savina's pingpong between two threads over two queues: once with the
 * textbook's queue, whose reader sleeps at once, and once with readers that look again and again
 * before they sleep. */
#include "bench/peers/mutex/queue.h"

enum { SPINS = 4000 }; /* looks; some 100 us */

struct table {
  struct queue to_pong, to_ping;
};

/* Returns every ball; 0 ends the game. */
static void *pong(void *arg) {
  struct table *t = arg;
  uint64_t ball;
  do {
    queue_get(&t->to_pong, &ball);
    queue_put(&t->to_ping, &ball);
  } while (ball != 0);
  return NULL;
}

static uint64_t run(uint64_t *rounds, unsigned spins, uint64_t limit_ns) {
  struct table t;
  queue_init(&t.to_pong, 1, sizeof(uint64_t));
  queue_init(&t.to_ping, 1, sizeof(uint64_t));
  t.to_pong.spins = t.to_ping.spins = spins;
  pthread_t thread = thread_start(pong, &t);

  uint64_t began_ns = peer_now_ns(), done = 0, ball, back;
  while (done < *rounds && !peer_over(done, began_ns + limit_ns)) {
    ball = ++done;
    queue_put(&t.to_pong, &ball);
    queue_get(&t.to_ping, &back);
    peer_expect("the ball that came back", back, ball);
  }
  uint64_t took_ns = peer_now_ns() - began_ns;

  ball = 0;
  queue_put(&t.to_pong, &ball);
  thread_join(thread);
  queue_fini(&t.to_pong);
  queue_fini(&t.to_ping);
  *rounds = done;
  return took_ns;
}

static void measure(const char *metric, uint64_t rounds, unsigned spins) {
  uint64_t warm = peer_warm(rounds);
  run(&warm, spins, PEER_WARM_NS);
  uint64_t took_ns = run(&rounds, spins, PEER_RUN_NS);
  peer_tell_round(metric, rounds, took_ns);
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"rounds", 200000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  measure("spinning", params[0].value, SPINS);
  measure("parked", params[0].value, 0);
  return 0;
}
