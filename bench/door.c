/* door.c - what a message costs that comes to an actor through its nng door.
 *
 * A thread that knows nothing of the runtime pushes encoded quotes into
 * inproc://<system>/<actor>, one in each nng message, and then 64 or 1,024 behind one another in
 * each: the same bytes, with ever less of nng in them, down to what decoding costs. The clock runs
 * from the first push to the handler's last turn. Asynchronous sends are kept in a socket's queue
 * (8,192, what nng allows at most), since a blocking one costs ten times as much as all the rest.
 */
#include <nng/nng.h>
#include <nng/protocol/pipeline0/push.h>

#include "bench/bench.h"
#include "proto/codec.h"

enum {
  EXPECT = TRP_USER_FIRST,
  COUNTED,
  COALESCED_MAX = 1024,
  QUEUE = 8192,
  SINGLES = 50000,
  BATCHED = 1 << 19
};

/* ---- the actor behind the door ---- */

struct behind {
  uint64_t token, expected, got;
};

/* The question may come before, between or behind the quotes. */
static enum trp_err count(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct behind *b = state;
  if (msg->type == EXPECT) {
    b->token = msg->token;
    b->expected = *(const uint64_t *)msg->body;
  } else if (trp_msg_quote(msg) != NULL) {
    b->got++;
  }
  if (b->token == 0 || b->got < b->expected) return TRP_OK;
  uint64_t now = trp_now_ns(self);
  enum trp_err err = trp_reply(self, b->token, COUNTED, &now, sizeof now);
  *b = (struct behind){0};
  return err;
}

static const struct trp_kind kind = {
    .name = "behind", .state_bytes = sizeof(struct behind), .receive = count};

/* ---- the stranger ---- */

static void nng_must(int rv, const char *what) {
  if (rv == 0) return;
  fprintf(stderr, "%s: %s\n", what, nng_strerror(rv));
  exit(1);
}

static nng_socket dial(const char *url) {
  nng_socket socket;
  nng_must(nng_push0_open(&socket), "open");
  nng_must(nng_socket_set_int(socket, NNG_OPT_SENDBUF, QUEUE), "sendbuf");
  nng_must(nng_dial(socket, url, NULL, 0), url);
  return socket;
}

static size_t encode_quotes(unsigned char *out, size_t room, int quotes) {
  struct trp_quote quote = {.recv_ns = 1234567890123456789,
                            .symbol = 7,
                            .bid = 65000.01,
                            .bid_size = 1.25,
                            .ask = 65000.02,
                            .ask_size = 0.75};
  size_t used = 0;
  for (int i = 0; i < quotes; i++) {
    size_t bytes = room - used;
    bench_must(trp_encode(TRP_QUOTE, &quote, sizeof quote, out + used, &bytes), "encode");
    used += bytes;
  }
  return used;
}

static void push(nng_socket socket, const unsigned char *bytes, size_t size) {
  nng_msg *msg;
  nng_must(nng_msg_alloc(&msg, size), "alloc");
  memcpy(nng_msg_body(msg), bytes, size);
  int rv;
  while ((rv = nng_sendmsg(socket, msg, NNG_FLAG_NONBLOCK)) == NNG_EAGAIN) sched_yield();
  nng_must(rv, "push");
}

/* Seconds for so many quotes, so many in each nng message. */
static double run_once(struct trp_system *system, nng_socket socket, int quotes, int together) {
  static unsigned char bytes[COALESCED_MAX * 128];
  size_t size = encode_quotes(bytes, sizeof bytes, together);
  uint64_t began_ns = bench_now_ns();
  for (int i = 0; i < quotes; i += together) push(socket, bytes, size);
  uint64_t ended_ns = bench_ask(system, "behind", EXPECT, (uint64_t)quotes);
  return (double)(ended_ns - began_ns) / 1e9;
}

int main(int argc, char **argv) {
  struct bench bench = bench_open("door", argc, argv);
  struct trp_system *system = bench_system("door");
  bench_add(system, &(struct trp_spec){.name = "behind",
                                       .kind = &kind,
                                       .mailbox = {.capacity = 8192, .policy = TRP_WAIT},
                                       .door = true});
  bench_start(system);
  nng_socket socket = dial("inproc://door/behind");
  double single[BENCH_RUNS], few[BENCH_RUNS], many[BENCH_RUNS];
  for (int i = 0; i < BENCH_RUNS; i++) {
    single[i] = run_once(system, socket, SINGLES, 1) * 1e6 / SINGLES;
    few[i] = BATCHED / run_once(system, socket, BATCHED, 64) / 1e6;
    many[i] = BATCHED / run_once(system, socket, BATCHED, COALESCED_MAX) / 1e6;
  }
  nng_close(socket);
  trp_system_destroy(&system);
  bench_say(&bench, "door.single", "us", single, BENCH_RUNS,
            "a quote a message from an nng push socket to the handler's turn");
  bench_say(&bench, "door.coalesced_64", "M msg/s", few, BENCH_RUNS,
            "64 quotes a message from an nng push socket to the handler's turn");
  bench_say(&bench, "door.coalesced_1024", "M msg/s", many, BENCH_RUNS,
            "1,024 quotes a message from an nng push socket to the handler's turn");
  return 0;
}
