/* ask.c - a request with its reply, as CZMQ's own actors (zauth, zproxy) have it: a verb and its
 * arguments down the actor's pipe, and the answer back up. */
#include <czmq.h>

#include "bench/peers/peer.h"

static void server(zsock_t *pipe, void *args) {
  (void)args;
  bool running = true;
  zsock_signal(pipe, 0);
  while (running) {
    char *verb = NULL;
    uint64_t number = 0;
    if (zsock_recv(pipe, "s8", &verb, &number) != 0) break;
    if (streq(verb, "ADD")) {
      zsock_send(pipe, "8", number + 1);
    } else {
      running = !streq(verb, "$TERM");
    }
    zstr_free(&verb);
  }
}

static uint64_t run(uint64_t *rounds, uint64_t limit_ns) {
  zactor_t *actor = zactor_new(server, NULL);
  if (actor == NULL) peer_fail("no actor");
  uint64_t began_ns = peer_now_ns(), done = 0, answer = 0;
  while (done < *rounds && !peer_over(done, began_ns + limit_ns)) {
    zsock_send(actor, "s8", "ADD", done);
    zsock_recv(actor, "8", &answer);
    peer_expect("the answer", answer, done + 1);
    done++;
  }
  uint64_t took_ns = peer_now_ns() - began_ns;
  zactor_destroy(&actor);
  *rounds = done;
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"rounds", 500000, UINT32_MAX}};
  peer_open(argc, argv, params, 1);
  uint64_t rounds = params[0].value, warm = peer_warm(rounds);
  run(&warm, PEER_WARM_NS);
  uint64_t took_ns = run(&rounds, PEER_RUN_NS);
  peer_tell_round("round_trip", rounds, took_ns);
  return 0;
}
