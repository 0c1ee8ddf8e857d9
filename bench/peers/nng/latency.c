/* latency.c - an open loop over nng: a thread sends by the clock, whether the others get through or
 * not, and the sink's callback notes how long after its moment each message came. */
#include "bench/peers/nng/sink.h"

#define URL "inproc://latency"

enum { PAYLOAD_BYTES = 48 };

struct tick {
  uint64_t due_ns;
  unsigned char rest[PAYLOAD_BYTES - sizeof(uint64_t)];
};

static void note(struct sink *sink, nng_msg *msg) {
  uint64_t *late_ns = sink->context;
  struct tick tick;
  memcpy(&tick, nng_msg_body(msg), sizeof tick);
  late_ns[sink->received] = peer_now_ns() - tick.due_ns;
}

/* Ends early where the messages take too long; returns how many there were. */
static size_t run(uint64_t rate, uint64_t *late_ns, size_t count, uint64_t limit_ns) {
  struct sink sink = {.take = note, .context = late_ns};
  struct tick tick = {0};
  sink_open(&sink, URL, 1);
  nng_socket push = push_open(URL);
  uint64_t began_ns = peer_now_ns();
  size_t sent = 0;
  while (sent < count && !peer_over(sent, began_ns + limit_ns)) {
    tick.due_ns = peer_await_due(began_ns, sent, rate);
    push_send(push, &tick, sizeof tick);
    sent++;
  }
  push_send(push, NULL, 0);
  peer_expect("messages", sink_await(&sink), sent);
  sink_close(&sink);
  nng_close(push);
  return sent;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"rate", 100000, PEER_SAMPLES_MAX / 10}, {"seconds", 2, 10}};
  peer_open(argc, argv, params, 2);
  uint64_t rate = params[0].value;
  size_t count = rate * params[1].value;
  uint64_t *late_ns = peer_alloc(count, sizeof *late_ns);
  run(rate, late_ns, peer_warm(count), PEER_WARM_NS);
  size_t arrived = run(rate, late_ns, count, params[1].value * PEER_NS_PER_S + PEER_RUN_NS);
  peer_tell_quantiles(late_ns, arrived);
  free(late_ns);
  return 0;
}
