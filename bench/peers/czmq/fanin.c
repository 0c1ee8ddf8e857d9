/* fanin.c - several producers, each an actor with a PUSH socket, and one consumer with a PULL
 * socket. An empty frame says that its producer is done. */
#include <czmq.h>

#include "bench/peers/peer.h"

#define ENDPOINT "inproc://fanin"

enum { PRODUCERS_MAX = 256 };

struct producer {
  uint64_t share, sent, deadline_ns;
  size_t payload_bytes;
};

static void produce(zsock_t *pipe, void *args) {
  static const unsigned char payload[PEER_PAYLOAD_MAX];
  struct producer *p = args;
  zsock_t *push = zsock_new_push(">" ENDPOINT);
  if (push == NULL) peer_fail("no PUSH socket");
  zsock_signal(pipe, 0);
  while (p->sent < p->share && !peer_over(p->sent, p->deadline_ns)) {
    zframe_t *frame = zframe_new(payload, p->payload_bytes);
    if (zframe_send(&frame, push, 0) != 0) peer_fail("a frame cannot be sent");
    p->sent++;
  }
  zframe_t *last = zframe_new_empty();
  zframe_send(&last, push, 0);
  zsock_destroy(&push);
}

static uint64_t consume(zsock_t *pull, uint64_t producers) {
  uint64_t counted = 0;
  while (producers > 0) {
    zframe_t *frame = zframe_recv(pull);
    if (frame == NULL) peer_fail("interrupted");
    if (zframe_size(frame) == 0) {
      producers--;
    } else {
      counted++;
    }
    zframe_destroy(&frame);
  }
  return counted;
}

static uint64_t run(uint64_t producers, uint64_t *messages, size_t payload, uint64_t limit_ns) {
  struct producer all[PRODUCERS_MAX];
  zactor_t *actors[PRODUCERS_MAX];
  zsock_t *pull = zsock_new_pull("@" ENDPOINT);
  if (pull == NULL) peer_fail("no PULL socket");

  uint64_t began_ns = peer_now_ns(), sent = 0;
  for (uint64_t i = 0; i < producers; i++) {
    all[i] = (struct producer){.share = *messages / producers,
                               .deadline_ns = began_ns + limit_ns,
                               .payload_bytes = payload};
    actors[i] = zactor_new(produce, &all[i]);
    if (actors[i] == NULL) peer_fail("no actor");
  }
  uint64_t counted = consume(pull, producers);
  uint64_t took_ns = peer_now_ns() - began_ns;

  for (uint64_t i = 0; i < producers; i++) {
    zactor_destroy(&actors[i]);
    sent += all[i].sent;
  }
  zsock_unbind(pull, ENDPOINT); /* closing alone frees the name some day */
  zsock_destroy(&pull);
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
