/* count.c - Savina's count over a mutex and conditions: a producer sends so many messages to a
 * counter and then asks it for the result. */
#include "bench/peers/mutex/queue.h"

struct count {
  struct queue queue, result;
};

/* The first eight bytes of a payload number it; 0 asks for the result. */
static void *counter(void *arg) {
  struct count *c = arg;
  unsigned char payload[PEER_PAYLOAD_MAX];
  uint64_t number, counted = 0;
  for (;;) {
    queue_get(&c->queue, payload);
    memcpy(&number, payload, sizeof number);
    if (number == 0) break;
    counted++;
  }
  queue_put(&c->result, &counted);
  return NULL;
}

static uint64_t run(uint64_t *messages, size_t payload_bytes, uint64_t limit_ns) {
  struct count c;
  queue_init(&c.queue, QUEUE_ROOM, payload_bytes);
  queue_init(&c.result, 1, sizeof(uint64_t));
  pthread_t thread = thread_start(counter, &c);

  unsigned char payload[PEER_PAYLOAD_MAX] = {0};
  uint64_t began_ns = peer_now_ns(), sent = 0, counted = 0, stop = 0;
  while (sent < *messages && !peer_over(sent, began_ns + limit_ns)) {
    sent++;
    memcpy(payload, &sent, sizeof sent);
    queue_put(&c.queue, payload);
  }
  memcpy(payload, &stop, sizeof stop);
  queue_put(&c.queue, payload);
  queue_get(&c.result, &counted);
  uint64_t took_ns = peer_now_ns() - began_ns;

  thread_join(thread);
  peer_expect("messages counted", counted, sent);
  queue_fini(&c.queue);
  queue_fini(&c.result);
  *messages = sent;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"messages", 5000000, UINT32_MAX},
                                {"payload", 48, PEER_PAYLOAD_MAX}};
  peer_open(argc, argv, params, 2);
  peer_least("payload", params[1].value, sizeof(uint64_t)); /* the number of the message */
  uint64_t messages = params[0].value, warm = peer_warm(messages);
  size_t payload = params[1].value;
  run(&warm, payload, PEER_WARM_NS);
  uint64_t took_ns = run(&messages, payload, PEER_RUN_NS);
  peer_tell_rate("messages", "msg/s", messages, took_ns);
  return 0;
}
