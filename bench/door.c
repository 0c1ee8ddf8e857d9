/* door.c - what a message costs that comes to an actor through its nng door.
 *
 * A thread that knows nothing of the runtime pushes encoded quotes into
 * inproc://<system>/<actor>, one in each nng message, and then 64 or 1,024 behind one another in
 * each: the same bytes, with ever less of nng in them, down to what decoding costs. The clock runs
 * from the first push to the handler's last turn. Asynchronous sends are kept in a socket's queue
 * (8,192, what nng allows at most), since a blocking one costs ten times as much as all the rest.
 * Beside it what nng does alone: a thread that receives the same messages one by one, blocking. */
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <pthread.h>

#include "bench/bench.h"
#include "proto/codec.h"

enum { EXPECT = TRP_USER_FIRST, COUNTED, COALESCED_MAX = 1024, COALESCED_FEW = 64, QUEUE = 8192 };

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

static size_t encode_quotes(unsigned char *out, size_t room, uint64_t quotes) {
  struct trp_quote quote = {.recv_ns = 1234567890123456789,
                            .symbol = 7,
                            .bid = 65000.01,
                            .bid_size = 1.25,
                            .ask = 65000.02,
                            .ask_size = 0.75};
  size_t used = 0;
  for (uint64_t i = 0; i < quotes; i++) {
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
static double run_once(struct trp_system *system, nng_socket socket, uint64_t quotes,
                       uint64_t together) {
  static unsigned char bytes[COALESCED_MAX * 128];
  size_t size = encode_quotes(bytes, sizeof bytes, together);
  uint64_t began_ns = bench_now_ns();
  for (uint64_t i = 0; i < quotes; i += together) push(socket, bytes, size);
  uint64_t ended_ns = bench_ask(system, "behind", EXPECT, quotes);
  return (double)(ended_ns - began_ns) / 1e9;
}

/* ---- nng alone ---- */

struct alone {
  nng_socket socket;
  uint64_t quotes;
};

static void *receive_alone(void *arg) {
  struct alone *alone = arg;
  for (uint64_t i = 0; i < alone->quotes; i++) {
    nng_msg *msg;
    nng_must(nng_recvmsg(alone->socket, &msg, 0), "receive");
    nng_msg_free(msg);
  }
  return NULL;
}

/* Seconds for so many messages of a quote each. */
static double run_alone(uint64_t quotes) {
  static const char url[] = "inproc://alone";
  struct alone alone = {.quotes = quotes};
  nng_must(nng_pull0_open(&alone.socket), "open");
  nng_must(nng_listen(alone.socket, url, NULL, 0), url);
  nng_socket socket = dial(url);
  unsigned char bytes[128];
  size_t size = encode_quotes(bytes, sizeof bytes, 1);
  pthread_t thread;
  if (pthread_create(&thread, NULL, receive_alone, &alone) != 0) bench_must(TRP_SYSTEM, "thread");
  uint64_t began_ns = bench_now_ns();
  for (uint64_t i = 0; i < quotes; i++) push(socket, bytes, size);
  pthread_join(thread, NULL);
  uint64_t took_ns = bench_now_ns() - began_ns;
  nng_close(socket);
  nng_close(alone.socket);
  return (double)took_ns / 1e9;
}

static uint64_t whole(uint64_t quotes, uint64_t together) {
  return (quotes + together - 1) / together * together;
}

/* Quotes a second, so many in each nng message. */
static double measure(struct trp_system *system, nng_socket socket, uint64_t quotes,
                      uint64_t together) {
  run_once(system, socket, whole(bench_warm(quotes), together), together);
  quotes = whole(quotes, together);
  return (double)quotes / run_once(system, socket, quotes, together);
}

int main(int argc, char **argv) {
  uint64_t singles = 0, coalesced = 0;
  struct bench_param params[] = {
      {.name = "singles", .least = 1, .most = UINT32_MAX, .value = &singles},
      {.name = "coalesced", .least = 1, .most = UINT32_MAX, .value = &coalesced}};
  BENCH_OPEN(argc, argv, params);
  struct trp_system *system = bench_system("door");
  bench_add(system, &(struct trp_spec){.name = "behind",
                                       .kind = &kind,
                                       .mailbox = {.capacity = 8192, .policy = TRP_WAIT},
                                       .door = true});
  bench_start(system);
  nng_socket socket = dial("inproc://door/behind");
  bench_say("single", "us", 1e6 / measure(system, socket, singles, 1));
  bench_say("coalesced_64", "msg/s", measure(system, socket, coalesced, COALESCED_FEW));
  bench_say("coalesced_1024", "msg/s", measure(system, socket, coalesced, COALESCED_MAX));
  nng_close(socket);
  trp_system_destroy(&system);
  run_alone(bench_warm(singles));
  bench_say("blocking", "us", run_alone(singles) * 1e6 / (double)singles);
  return 0;
}
