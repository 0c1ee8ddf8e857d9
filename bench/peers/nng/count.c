/* count.c - Savina's count over nng: so many messages go through a PUSH and a PULL socket on
 * inproc:// to a counter, which then gives the result. */
#include "bench/peers/nng/sink.h"

#define URL "inproc://count"

static uint64_t run(uint64_t *messages, size_t payload_bytes, uint64_t limit_ns) {
  static const unsigned char payload[PEER_PAYLOAD_MAX];
  struct sink counter = {.take = NULL};
  sink_open(&counter, URL, 1);
  nng_socket push = push_open(URL);

  uint64_t began_ns = peer_now_ns(), sent = 0;
  while (sent < *messages && !peer_over(sent, began_ns + limit_ns)) {
    push_send(push, payload, payload_bytes);
    sent++;
  }
  push_send(push, NULL, 0);
  uint64_t counted = sink_await(&counter);
  uint64_t took_ns = peer_now_ns() - began_ns;

  sink_close(&counter);
  nng_close(push);
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
