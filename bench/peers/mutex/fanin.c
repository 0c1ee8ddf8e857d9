/* fanin.c - several producers, each a thread, and one consumer over a mutex and conditions. */
#include "bench/peers/mutex/queue.h"

enum { PRODUCERS_MAX = 256 };

struct producer {
  struct queue *queue;
  uint64_t share, sent, deadline_ns;
};

/* The first eight bytes of a payload number it; 0 says that its producer is done. */
static void *produce(void *arg) {
  struct producer *p = arg;
  unsigned char payload[PEER_PAYLOAD_MAX] = {0};
  uint64_t stop = 0;
  while (p->sent < p->share && !peer_over(p->sent, p->deadline_ns)) {
    p->sent++;
    memcpy(payload, &p->sent, sizeof p->sent);
    queue_put(p->queue, payload);
  }
  memcpy(payload, &stop, sizeof stop);
  queue_put(p->queue, payload);
  return NULL;
}

static uint64_t consume(struct queue *queue, uint64_t producers) {
  unsigned char payload[PEER_PAYLOAD_MAX];
  uint64_t number, counted = 0;
  while (producers > 0) {
    queue_get(queue, payload);
    memcpy(&number, payload, sizeof number);
    if (number == 0) {
      producers--;
    } else {
      counted++;
    }
  }
  return counted;
}

static uint64_t run(uint64_t producers, uint64_t *messages, size_t payload, uint64_t limit_ns) {
  struct queue queue;
  struct producer all[PRODUCERS_MAX];
  pthread_t threads[PRODUCERS_MAX];
  queue_init(&queue, QUEUE_ROOM, payload);

  uint64_t began_ns = peer_now_ns(), sent = 0;
  for (uint64_t i = 0; i < producers; i++) {
    all[i] = (struct producer){
        .queue = &queue, .share = *messages / producers, .deadline_ns = began_ns + limit_ns};
    threads[i] = thread_start(produce, &all[i]);
  }
  uint64_t counted = consume(&queue, producers);
  uint64_t took_ns = peer_now_ns() - began_ns;

  for (uint64_t i = 0; i < producers; i++) {
    thread_join(threads[i]);
    sent += all[i].sent;
  }
  peer_expect("messages consumed", counted, sent);
  queue_fini(&queue);
  *messages = sent;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"producers", 4, PRODUCERS_MAX},
                                {"messages", 4000000, UINT32_MAX},
                                {"payload", 48, PEER_PAYLOAD_MAX}};
  peer_open(argc, argv, params, 3);
  peer_least("payload", params[2].value, sizeof(uint64_t)); /* the number of the message */
  uint64_t producers = params[0].value, messages = params[1].value, warm = peer_warm(messages);
  size_t payload = params[2].value;
  run(producers, &warm, payload, PEER_WARM_NS);
  uint64_t took_ns = run(producers, &messages, payload, PEER_RUN_NS);
  peer_tell_rate("messages", "msg/s", messages, took_ns);
  return 0;
}
