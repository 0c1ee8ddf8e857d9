/* fjthrput.c - Savina's fork-join throughput over CZMQ: each of so many actors gets so many frames
 * down its pipe in turn with the others, does a little arithmetic for each, and ends after an empty
 * one. */
#include <czmq.h>

#include "bench/peers/peer.h"

static void work(zsock_t *pipe, void *args) {
  (void)args;
  uint64_t received = 0;
  double theta, sum = 0;
  zsock_signal(pipe, 0);
  for (;;) {
    zframe_t *frame = zframe_recv(pipe);
    if (frame == NULL) peer_fail("interrupted");
    bool last = zframe_size(frame) != sizeof theta;
    if (!last) {
      memcpy(&theta, zframe_data(frame), sizeof theta);
      sum += peer_work(theta);
      received++;
    }
    zframe_destroy(&frame);
    if (last) break;
  }
  if (received > 0 && sum <= 0) peer_fail("the sum is %g", sum);
  zsock_send(pipe, "8", received);
}

static void send_all(zactor_t **actors, uint64_t count, const double *theta) {
  for (uint64_t i = 0; i < count; i++) {
    zframe_t *frame = theta ? zframe_new(theta, sizeof *theta) : zframe_new_empty();
    if (zframe_send(&frame, actors[i], 0) != 0) peer_fail("a frame cannot be sent");
  }
}

static uint64_t run(uint64_t count, uint64_t *messages, uint64_t limit_ns) {
  zactor_t **actors = peer_alloc(count, sizeof *actors);
  const double theta = PEER_THETA;
  uint64_t began_ns = peer_now_ns(), sent = 0, received = 0;
  for (uint64_t i = 0; i < count; i++) {
    actors[i] = zactor_new(work, NULL);
    if (actors[i] == NULL) peer_fail("no actor");
  }
  while (sent < *messages && !peer_over(sent, began_ns + limit_ns)) {
    send_all(actors, count, &theta);
    sent++;
  }
  send_all(actors, count, NULL);
  for (uint64_t i = 0; i < count; i++) {
    zsock_recv(actors[i], "8", &received);
    peer_expect("messages of an actor", received, sent);
  }
  uint64_t took_ns = peer_now_ns() - began_ns;

  for (uint64_t i = 0; i < count; i++) zactor_destroy(&actors[i]);
  free(actors);
  *messages = sent;
  return took_ns;
}

int main(int argc, char **argv) {
  /* An actor's pipe is two sockets, of which a context has 1023. */
  struct peer_param params[] = {{"actors", 60, 500}, {"messages", 20000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  uint64_t actors = params[0].value, messages = params[1].value, warm = peer_warm(messages);
  run(actors, &warm, PEER_WARM_NS);
  uint64_t took_ns = run(actors, &messages, PEER_RUN_NS);
  peer_tell_rate("messages", "msg/s", messages * actors, took_ns);
  return 0;
}
