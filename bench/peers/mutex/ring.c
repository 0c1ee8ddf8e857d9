/* ring.c - Savina's threadring: so many actors in a ring, here a thread with a queue each, pass on
 * the number of hops that are left. */
#include "bench/peers/mutex/queue.h"

struct member {
  struct queue queue;
  struct member *next;
  struct queue *finish;
  pthread_t thread;
  uint64_t hops, deadline_ns;
};

/* Who gets 0 tells that the token is home; STOP goes once around. */
#define STOP UINT64_MAX

static void *pass(void *arg) {
  struct member *m = arg;
  uint64_t left;
  for (;;) {
    queue_get(&m->queue, &left);
    if (left == STOP) return NULL;
    if (left == 0 || peer_over(m->hops, m->deadline_ns)) {
      queue_put(m->finish, &left);
      continue;
    }
    m->hops++;
    left--;
    queue_put(&m->next->queue, &left);
  }
}

static uint64_t run(uint64_t actors, uint64_t *hops, uint64_t limit_ns) {
  struct member *ring = peer_alloc(actors, sizeof *ring);
  struct queue finish;
  queue_init(&finish, 1, sizeof(uint64_t));
  uint64_t began_ns = peer_now_ns(), left = 0, done = 0, stop = STOP;
  for (uint64_t i = 0; i < actors; i++) {
    ring[i].next = &ring[(i + 1) % actors];
    ring[i].finish = &finish;
    ring[i].deadline_ns = began_ns + limit_ns;
    queue_init(&ring[i].queue, 1, sizeof(uint64_t));
  }
  for (uint64_t i = 0; i < actors; i++) ring[i].thread = thread_start(pass, &ring[i]);

  began_ns = peer_now_ns();
  queue_put(&ring[0].queue, hops);
  queue_get(&finish, &left);
  uint64_t took_ns = peer_now_ns() - began_ns;

  for (uint64_t i = 0; i < actors; i++) {
    queue_put(&ring[i].queue, &stop);
    thread_join(ring[i].thread);
    queue_fini(&ring[i].queue);
    done += ring[i].hops;
  }
  peer_expect("hops", done, *hops - left);
  queue_fini(&finish);
  free(ring);
  *hops = done;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"actors", 100, PEER_ACTORS_MAX}, {"hops", 5000000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  uint64_t actors = params[0].value, hops = params[1].value, warm = peer_warm(hops);
  run(actors, &warm, PEER_WARM_NS);
  uint64_t took_ns = run(actors, &hops, PEER_RUN_NS);
  peer_tell_rate("hops", "hops/s", hops, took_ns);
  return 0;
}
