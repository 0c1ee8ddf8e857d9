/* fanout.c - one publisher and several subscribers, each a thread with a queue of its own; every
 * message is put into every queue. */
#include "bench/peers/mutex/queue.h"

enum { SUBSCRIBERS_MAX = 256, PAYLOAD_BYTES = 48 };

struct event {
  uint64_t number; /* 0 is the last */
  unsigned char rest[PAYLOAD_BYTES - sizeof(uint64_t)];
};

struct subscriber {
  struct queue queue;
  pthread_t thread;
  uint64_t received;
};

static void *subscribe(void *arg) {
  struct subscriber *s = arg;
  struct event event;
  for (;;) {
    queue_get(&s->queue, &event);
    if (event.number == 0) return NULL;
    s->received++;
  }
}

static void publish(struct subscriber *all, uint64_t count, const struct event *event) {
  for (uint64_t i = 0; i < count; i++) queue_put(&all[i].queue, event);
}

static uint64_t run(uint64_t subscribers, uint64_t *messages, uint64_t limit_ns) {
  struct subscriber all[SUBSCRIBERS_MAX] = {0};
  for (uint64_t i = 0; i < subscribers; i++) {
    queue_init(&all[i].queue, QUEUE_ROOM, sizeof(struct event));
    all[i].thread = thread_start(subscribe, &all[i]);
  }

  struct event event = {0};
  uint64_t began_ns = peer_now_ns(), sent = 0;
  while (sent < *messages && !peer_over(sent, began_ns + limit_ns)) {
    event.number = ++sent;
    publish(all, subscribers, &event);
  }
  event.number = 0;
  publish(all, subscribers, &event);
  for (uint64_t i = 0; i < subscribers; i++) thread_join(all[i].thread);
  uint64_t took_ns = peer_now_ns() - began_ns;

  for (uint64_t i = 0; i < subscribers; i++) {
    peer_expect("messages of a subscriber", all[i].received, sent);
    queue_fini(&all[i].queue);
  }
  *messages = sent;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"subscribers", 8, SUBSCRIBERS_MAX},
                                {"messages", 500000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  uint64_t subscribers = params[0].value, messages = params[1].value, warm = peer_warm(messages);
  run(subscribers, &warm, PEER_WARM_NS);
  uint64_t took_ns = run(subscribers, &messages, PEER_RUN_NS);
  peer_tell_rate("deliveries", "msg/s", messages * subscribers, took_ns);
  return 0;
}
