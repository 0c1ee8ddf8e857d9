/* ask.c - a request with its reply between two threads, nng's own way: REQ and REP on inproc://. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>

#include "bench/peers/peer.h"

#define URL "inproc://ask"

static void must(int err, const char *what) {
  if (err != 0) peer_fail("%s: %s", what, nng_strerror(err));
}

/* Answers with the number after; an empty request is the last and gets it back. */
static void *serve(void *arg) {
  nng_socket *rep = arg;
  nng_msg *msg;
  uint64_t number;
  bool last = false;
  while (!last) {
    must(nng_recvmsg(*rep, &msg, 0), "receive");
    last = nng_msg_len(msg) == 0;
    if (!last) {
      must(nng_msg_trim_u64(msg, &number), "message");
      must(nng_msg_append_u64(msg, number + 1), "message");
    }
    must(nng_sendmsg(*rep, msg, 0), "send");
  }
  return NULL;
}

static nng_msg *ask(nng_socket req, nng_msg *msg) {
  must(nng_sendmsg(req, msg, 0), "send");
  must(nng_recvmsg(req, &msg, 0), "receive");
  return msg;
}

static uint64_t run(uint64_t *rounds, uint64_t limit_ns) {
  nng_socket req, rep;
  nng_msg *msg;
  pthread_t thread;
  must(nng_rep0_open(&rep), "rep");
  must(nng_req0_open(&req), "req");
  must(nng_listen(rep, URL, NULL, 0), "listen");
  must(nng_dial(req, URL, NULL, 0), "dial");
  if (pthread_create(&thread, NULL, serve, &rep) != 0) peer_fail("no thread more");

  uint64_t began_ns = peer_now_ns(), done = 0, answer = 0;
  while (done < *rounds && !peer_over(done, began_ns + limit_ns)) {
    must(nng_msg_alloc(&msg, 0), "message");
    must(nng_msg_append_u64(msg, done), "message");
    msg = ask(req, msg);
    must(nng_msg_trim_u64(msg, &answer), "message");
    nng_msg_free(msg);
    peer_expect("the answer", answer, done + 1);
    done++;
  }
  uint64_t took_ns = peer_now_ns() - began_ns;

  must(nng_msg_alloc(&msg, 0), "message");
  nng_msg_free(ask(req, msg));
  pthread_join(thread, NULL);
  nng_close(req);
  nng_close(rep);
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
