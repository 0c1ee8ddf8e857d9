/* fanin.c - several producers, each a thread with a PUSH socket, and one consumer with a PULL
 * socket on inproc://. */
#include <pthread.h>

#include "bench/peers/nng/sink.h"

#define URL "inproc://fanin"

enum { PRODUCERS_MAX = 256 };

struct producer {
  pthread_t thread;
  uint64_t share, sent, deadline_ns;
  size_t payload_bytes;
  nng_socket push;
};

static void *produce(void *arg) {
  static const unsigned char payload[PEER_PAYLOAD_MAX];
  struct producer *p = arg;
  p->push = push_open(URL);
  while (p->sent < p->share && !peer_over(p->sent, p->deadline_ns)) {
    push_send(p->push, payload, p->payload_bytes);
    p->sent++;
  }
  push_send(p->push, NULL, 0);
  return NULL;
}

static uint64_t run(uint64_t producers, uint64_t *messages, size_t payload, uint64_t limit_ns) {
  struct producer all[PRODUCERS_MAX];
  struct sink consumer = {.take = NULL};
  sink_open(&consumer, URL, producers);

  uint64_t began_ns = peer_now_ns(), sent = 0;
  for (uint64_t i = 0; i < producers; i++) {
    all[i] = (struct producer){.share = *messages / producers,
                               .deadline_ns = began_ns + limit_ns,
                               .payload_bytes = payload};
    if (pthread_create(&all[i].thread, NULL, produce, &all[i]) != 0) peer_fail("no thread more");
  }
  uint64_t counted = sink_await(&consumer);
  uint64_t took_ns = peer_now_ns() - began_ns;

  sink_close(&consumer);
  for (uint64_t i = 0; i < producers; i++) {
    pthread_join(all[i].thread, NULL);
    nng_close(all[i].push); /* not before all has arrived: what is on its way would be lost */
    sent += all[i].sent;
  }
  peer_expect("messages consumed", counted, sent);
  *messages = sent;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"producers", 4, PRODUCERS_MAX},
                                {"messages", 4000000, UINT32_MAX},
                                {"payload", 48, PEER_PAYLOAD_MAX}};
  peer_open(argc, argv, params, 3);
  uint64_t producers = params[0].value, messages = params[1].value, warm = peer_warm(messages);
  run(producers, &warm, params[2].value, PEER_WARM_NS);
  uint64_t took_ns = run(producers, &messages, params[2].value, PEER_RUN_NS);
  peer_tell_rate("messages", "msg/s", messages, took_ns);
  return 0;
}
