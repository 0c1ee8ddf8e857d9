/* fanout.c - one publisher and several subscribers; nng's PUB drops where a subscriber is behind,
 * so one who must not lose a message gives each of them a PUSH and a PULL socket. */
#include "bench/peers/nng/sink.h"

enum { SUBSCRIBERS_MAX = 256, PAYLOAD_BYTES = 48 };

struct subscriber {
  struct sink sink;
  nng_socket push;
};

static void publish(struct subscriber *all, uint64_t count, size_t bytes) {
  nng_msg *msg, *copy;
  nng_must(nng_msg_alloc(&msg, bytes), "message");
  if (bytes > 0) memset(nng_msg_body(msg), 0, bytes);
  for (uint64_t i = 0; i < count; i++) {
    nng_must(nng_msg_dup(&copy, msg), "message");
    nng_must(nng_sendmsg(all[i].push, copy, 0), "send");
  }
  nng_msg_free(msg);
}

static uint64_t run(uint64_t subscribers, uint64_t *messages, uint64_t limit_ns) {
  struct subscriber *all = peer_alloc(subscribers, sizeof *all);
  for (uint64_t i = 0; i < subscribers; i++) {
    char url[SINK_URL_MAX];
    snprintf(url, sizeof url, "inproc://fanout-%llu", (unsigned long long)i);
    sink_open(&all[i].sink, url, 1);
    all[i].push = push_open(url);
  }

  uint64_t began_ns = peer_now_ns(), sent = 0;
  while (sent < *messages && !peer_over(sent, began_ns + limit_ns)) {
    publish(all, subscribers, PAYLOAD_BYTES);
    sent++;
  }
  publish(all, subscribers, 0);
  for (uint64_t i = 0; i < subscribers; i++) {
    peer_expect("messages of a subscriber", sink_await(&all[i].sink), sent);
  }
  uint64_t took_ns = peer_now_ns() - began_ns;

  for (uint64_t i = 0; i < subscribers; i++) {
    sink_close(&all[i].sink);
    nng_close(all[i].push);
  }
  free(all);
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
