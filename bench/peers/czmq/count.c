/* count.c - Savina's count over CZMQ: so many frames go down the pipe of an actor, which counts
 * them, and then it is asked for the result. */
#include <czmq.h>

#include "bench/peers/peer.h"

static void counter(zsock_t *pipe, void *args) {
  (void)args;
  uint64_t counted = 0;
  bool running = true;
  zsock_signal(pipe, 0);
  while (running) {
    zframe_t *frame = zframe_recv(pipe);
    if (frame == NULL) break;
    if (zframe_streq(frame, "$TERM")) {
      running = false;
    } else if (zframe_streq(frame, "RESULT")) {
      zsock_send(pipe, "8", counted);
    } else {
      counted++;
    }
    zframe_destroy(&frame);
  }
}

static uint64_t run(uint64_t *messages, size_t payload_bytes, uint64_t limit_ns) {
  static const unsigned char payload[PEER_PAYLOAD_MAX];
  zactor_t *actor = zactor_new(counter, NULL);
  if (actor == NULL) peer_fail("no actor");

  uint64_t began_ns = peer_now_ns(), sent = 0, counted = 0;
  while (sent < *messages && !peer_over(sent, began_ns + limit_ns)) {
    zframe_t *frame = zframe_new(payload, payload_bytes);
    if (zframe_send(&frame, actor, 0) != 0) peer_fail("a frame cannot be sent");
    sent++;
  }
  zstr_send(actor, "RESULT");
  zsock_recv(actor, "8", &counted);
  uint64_t took_ns = peer_now_ns() - began_ns;

  zactor_destroy(&actor);
  peer_expect("messages counted", counted, sent);
  *messages = sent;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"messages", 5000000, UINT32_MAX},
                                {"payload", 48, PEER_PAYLOAD_MAX}};
  peer_open(argc, argv, params, 2);
  uint64_t messages = params[0].value, warm = peer_warm(messages);
  run(&warm, params[1].value, PEER_WARM_NS);
  uint64_t took_ns = run(&messages, params[1].value, PEER_RUN_NS);
  peer_tell_rate("messages", "msg/s", messages, took_ns);
  return 0;
}
