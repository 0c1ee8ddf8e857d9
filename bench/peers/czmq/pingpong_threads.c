/* pingpong_threads.c - Savina's pingpong between an actor and the thread that owns it, over the
 * actor's pipe; every actor of CZMQ is a thread, and it parks where it has nothing to receive. */
#include <czmq.h>

#include "bench/peers/peer.h"

static void pong(zsock_t *pipe, void *args) {
  (void)args;
  zsock_signal(pipe, 0);
  for (;;) {
    zframe_t *frame = zframe_recv(pipe);
    if (frame == NULL || zframe_streq(frame, "$TERM")) {
      zframe_destroy(&frame);
      break;
    }
    zframe_send(&frame, pipe, 0);
  }
}

static uint64_t run(uint64_t *rounds, uint64_t limit_ns) {
  zactor_t *actor = zactor_new(pong, NULL);
  if (actor == NULL) peer_fail("no actor");
  uint64_t began_ns = peer_now_ns(), done = 0, back;
  while (done < *rounds && !peer_over(done, began_ns + limit_ns)) {
    zframe_t *ball = zframe_new(&done, sizeof done);
    zframe_send(&ball, actor, 0);
    ball = zframe_recv(actor);
    if (ball == NULL || zframe_size(ball) != sizeof back) peer_fail("the ball is lost");
    memcpy(&back, zframe_data(ball), sizeof back);
    zframe_destroy(&ball);
    peer_expect("the ball that came back", back, done);
    done++;
  }
  uint64_t took_ns = peer_now_ns() - began_ns;
  zactor_destroy(&actor);
  *rounds = done;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"rounds", 200000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  uint64_t rounds = params[0].value, warm = peer_warm(rounds);
  run(&warm, PEER_WARM_NS);
  uint64_t took_ns = run(&rounds, PEER_RUN_NS);
  peer_tell_round("parked", rounds, took_ns);
  return 0;
}
