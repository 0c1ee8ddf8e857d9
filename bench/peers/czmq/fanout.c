/* fanout.c - one publisher with an XPUB socket that waits where a subscriber is behind, instead of
 * dropping, and several subscribers, each an actor with a SUB socket. An empty frame is the last.
 */
#include <czmq.h>

#include "bench/peers/peer.h"

#define ENDPOINT "inproc://fanout"

enum { SUBSCRIBERS_MAX = 256, PAYLOAD_BYTES = 48 };

/* Says down its pipe how many it got. */
static void subscriber(zsock_t *pipe, void *args) {
  (void)args;
  uint64_t received = 0;
  zsock_t *sub = zsock_new_sub(">" ENDPOINT, "");
  if (sub == NULL) peer_fail("no SUB socket");
  zsock_signal(pipe, 0);
  for (;;) {
    zframe_t *frame = zframe_recv(sub);
    if (frame == NULL) peer_fail("interrupted");
    bool last = zframe_size(frame) == 0;
    zframe_destroy(&frame);
    if (last) break;
    received++;
  }
  zsock_send(pipe, "8", received);
  zsock_destroy(&sub);
}

static zsock_t *publisher_new(void) {
  zsock_t *xpub = zsock_new(ZMQ_XPUB);
  if (xpub == NULL) peer_fail("no XPUB socket");
  zsock_set_xpub_nodrop(xpub, 1);
  zsock_set_xpub_verbose(xpub, 1);
  if (zsock_attach(xpub, "@" ENDPOINT, true) != 0) peer_fail("XPUB cannot be bound");
  return xpub;
}

/* The subscriptions arrive at an XPUB as frames. */
static void await_subscriptions(zsock_t *xpub, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    zframe_t *frame = zframe_recv(xpub);
    if (frame == NULL) peer_fail("interrupted");
    zframe_destroy(&frame);
  }
}

static uint64_t run(uint64_t subscribers, uint64_t *messages, uint64_t limit_ns) {
  static const unsigned char payload[PAYLOAD_BYTES];
  zactor_t *actors[SUBSCRIBERS_MAX];
  zsock_t *xpub = publisher_new();
  for (uint64_t i = 0; i < subscribers; i++) {
    actors[i] = zactor_new(subscriber, NULL);
    if (actors[i] == NULL) peer_fail("no actor");
  }
  await_subscriptions(xpub, subscribers);

  uint64_t began_ns = peer_now_ns(), sent = 0, received = 0;
  while (sent < *messages && !peer_over(sent, began_ns + limit_ns)) {
    zframe_t *frame = zframe_new(payload, sizeof payload);
    if (zframe_send(&frame, xpub, 0) != 0) peer_fail("a frame cannot be sent");
    sent++;
  }
  zframe_t *last = zframe_new_empty();
  zframe_send(&last, xpub, 0);
  for (uint64_t i = 0; i < subscribers; i++) {
    zsock_recv(actors[i], "8", &received);
    peer_expect("messages of a subscriber", received, sent);
  }
  uint64_t took_ns = peer_now_ns() - began_ns;

  for (uint64_t i = 0; i < subscribers; i++) zactor_destroy(&actors[i]);
  zsock_unbind(xpub, ENDPOINT); /* closing alone frees the name some day */
  zsock_destroy(&xpub);
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
