/* latency.c - an open loop over CZMQ: the main thread sends frames down an actor's pipe by the
 * clock, whether the others get through or not, and the actor notes how long after its moment each
 * of them came. */
#include <czmq.h>

#include "bench/peers/peer.h"

enum { PAYLOAD_BYTES = 48 };

struct tick {
  uint64_t due_ns;
  unsigned char rest[PAYLOAD_BYTES - sizeof(uint64_t)];
};

struct receiver {
  uint64_t *late_ns;
  size_t expected;
};

static void receive(zsock_t *pipe, void *args) {
  struct receiver *r = args;
  struct tick tick;
  zsock_signal(pipe, 0);
  for (size_t i = 0; i < r->expected; i++) {
    zframe_t *frame = zframe_recv(pipe);
    if (frame == NULL || zframe_size(frame) != sizeof tick) peer_fail("a frame is lost");
    memcpy(&tick, zframe_data(frame), sizeof tick);
    r->late_ns[i] = peer_now_ns() - tick.due_ns;
    zframe_destroy(&frame);
  }
  zsock_signal(pipe, 0); /* it has them all */
}

static void run(uint64_t rate, uint64_t *late_ns, size_t count) {
  struct receiver r = {.late_ns = late_ns, .expected = count};
  zactor_t *actor = zactor_new(receive, &r);
  if (actor == NULL) peer_fail("no actor");
  struct tick tick = {0};
  uint64_t began_ns = peer_now_ns();
  for (size_t i = 0; i < count; i++) {
    tick.due_ns = peer_await_due(began_ns, i, rate);
    zframe_t *frame = zframe_new(&tick, sizeof tick);
    if (zframe_send(&frame, actor, 0) != 0) peer_fail("a frame cannot be sent");
  }
  zsock_wait(actor);
  zactor_destroy(&actor);
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"rate", 100000, PEER_SAMPLES_MAX / 10}, {"seconds", 2, 10}};
  peer_open(argc, argv, params, 2);
  uint64_t rate = params[0].value;
  size_t count = rate * params[1].value;
  uint64_t *late_ns = peer_alloc(count, sizeof *late_ns);
  run(rate, late_ns, peer_warm(count));
  run(rate, late_ns, count);
  peer_tell_quantiles(late_ns, count);
  free(late_ns);
  return 0;
}
