/* pingpong_threads.c - Savina's pingpong between two threads over a pair of PAIR sockets on
 * inproc://. Both sleep in nng until the ball comes. */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <pthread.h>

#include "bench/peers/peer.h"

#define URL "inproc://pingpong"

static void must(int err, const char *what) {
  if (err != 0) peer_fail("%s: %s", what, nng_strerror(err));
}

/* Returns every ball; an empty one ends the game. */
static void *pong(void *arg) {
  nng_socket *socket = arg;
  nng_msg *ball;
  for (;;) {
    must(nng_recvmsg(*socket, &ball, 0), "receive");
    if (nng_msg_len(ball) == 0) break;
    must(nng_sendmsg(*socket, ball, 0), "send");
  }
  nng_msg_free(ball);
  return NULL;
}

static void play(nng_socket socket, uint64_t number) {
  nng_msg *ball;
  must(nng_msg_alloc(&ball, 0), "message");
  must(nng_msg_append_u64(ball, number), "message");
  must(nng_sendmsg(socket, ball, 0), "send");
  must(nng_recvmsg(socket, &ball, 0), "receive");
  uint64_t back = 0;
  must(nng_msg_trim_u64(ball, &back), "message");
  peer_expect("the ball that came back", back, number);
  nng_msg_free(ball);
}

static uint64_t run(uint64_t *rounds, uint64_t limit_ns) {
  nng_socket near, far;
  nng_msg *stop;
  pthread_t thread;
  must(nng_pair0_open(&far), "pair");
  must(nng_pair0_open(&near), "pair");
  must(nng_listen(far, URL, NULL, 0), "listen");
  must(nng_dial(near, URL, NULL, 0), "dial");
  if (pthread_create(&thread, NULL, pong, &far) != 0) peer_fail("no thread more");

  uint64_t began_ns = peer_now_ns(), done = 0;
  while (done < *rounds && !peer_over(done, began_ns + limit_ns)) play(near, done++);
  uint64_t took_ns = peer_now_ns() - began_ns;

  must(nng_msg_alloc(&stop, 0), "message");
  must(nng_sendmsg(near, stop, 0), "send");
  pthread_join(thread, NULL);
  nng_close(near);
  nng_close(far);
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
