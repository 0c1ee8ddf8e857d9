/* fjthrput.c - Savina's fork-join throughput: each of so many actors, here a thread with a queue,
 * gets so many messages, does a little arithmetic for each, and ends. */
#include "bench/peers/mutex/queue.h"

struct worker {
  struct queue queue;
  pthread_t thread;
  uint64_t received;
  double sum;
};

/* 0 is the last message. */
static void *work(void *arg) {
  struct worker *w = arg;
  uint64_t number;
  for (;;) {
    queue_get(&w->queue, &number);
    if (number == 0) return NULL;
    w->sum += peer_work(PEER_THETA + (double)(number & 1));
    w->received++;
  }
}

static void send_all(struct worker *all, uint64_t actors, uint64_t number) {
  for (uint64_t i = 0; i < actors; i++) queue_put(&all[i].queue, &number);
}

static uint64_t run(uint64_t actors, uint64_t *messages, uint64_t limit_ns) {
  struct worker *all = peer_alloc(actors, sizeof *all);
  uint64_t began_ns = peer_now_ns(), sent = 0;
  for (uint64_t i = 0; i < actors; i++) {
    queue_init(&all[i].queue, QUEUE_ROOM, sizeof(uint64_t));
    all[i].thread = thread_start(work, &all[i]);
  }
  while (sent < *messages && !peer_over(sent, began_ns + limit_ns)) send_all(all, actors, ++sent);
  send_all(all, actors, 0);
  for (uint64_t i = 0; i < actors; i++) thread_join(all[i].thread);
  uint64_t took_ns = peer_now_ns() - began_ns;

  for (uint64_t i = 0; i < actors; i++) {
    peer_expect("messages of an actor", all[i].received, sent);
    queue_fini(&all[i].queue);
  }
  free(all);
  *messages = sent;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"actors", 60, PEER_ACTORS_MAX}, {"messages", 20000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  uint64_t actors = params[0].value, messages = params[1].value, warm = peer_warm(messages);
  run(actors, &warm, PEER_WARM_NS);
  uint64_t took_ns = run(actors, &messages, PEER_RUN_NS);
  peer_tell_rate("messages", "msg/s", messages * actors, took_ns);
  return 0;
}
