/* fjthrput.c - Savina's fork-join throughput: one sender gives so many messages to each of so many
 * actors, to one after the other; each does a little arithmetic with every message. */
#include "bench/bench.h"
#include "bench/savina.h"

enum {
  RUN = TRP_USER_FIRST, /* to the sender: how many for each; answered with the nanoseconds */
  EXPECT,               /* to a worker: how many will come */
  GO_ON,                /* of the sender to itself */
  ITEM,
  DONE,
  CAPACITY = 4096,
  ACTORS_MAX = 4000,
  OUTBOX = 8192, /* for a round to every worker, all of them full */
  SENDS_A_TURN = 240
};

/* ---- worker ---- */

struct worker {
  struct trp_ref sender;
  uint64_t left;
};

static enum trp_err work(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct worker *w = state;
  if (msg->type == EXPECT) {
    *w = (struct worker){.sender = msg->from, .left = *(const uint64_t *)msg->body};
    return TRP_OK;
  }
  savina_work(*(const double *)msg->body);
  return --w->left > 0 ? TRP_OK : trp_send(self, w->sender, DONE, NULL, 0);
}

static const struct trp_kind worker_kind = {
    .name = "worker", .state_bytes = sizeof(struct worker), .receive = work};

/* ---- sender ---- */

struct sender {
  uint64_t actors, token, began_ns;
  uint64_t next, left, busy; /* left: messages to all of them together */
  struct trp_ref workers[ACTORS_MAX];
};

static enum trp_err sender_start(struct trp_self *self, void *state, const void *args) {
  struct sender *s = state;
  s->actors = *(const uint64_t *)args;
  for (uint64_t i = 0; i < s->actors; i++) {
    s->workers[i] = trp_whereis(self, bench_name("worker", i));
  }
  return TRP_OK;
}

static enum trp_err begin(struct trp_self *self, struct sender *s, const struct trp_msg *msg) {
  uint64_t each = *(const uint64_t *)msg->body;
  s->token = msg->token;
  s->left = each * s->actors;
  s->busy = s->actors;
  s->began_ns = trp_now_ns(self);
  enum trp_err err = TRP_OK;
  for (uint64_t i = 0; i < s->actors && err == TRP_OK; i++) {
    err = trp_send(self, s->workers[i], EXPECT, &each, sizeof each);
  }
  return err;
}

static enum trp_err send_some(struct trp_self *self, struct sender *s) {
  static const double theta = SAVINA_THETA;
  enum trp_err err = TRP_OK;
  for (int i = 0; i < SENDS_A_TURN && s->left > 0 && err == TRP_OK; i++, s->left--) {
    err = trp_send(self, s->workers[s->next], ITEM, &theta, sizeof theta);
    s->next = s->next + 1 < s->actors ? s->next + 1 : 0;
  }
  if (err != TRP_OK || s->left == 0) return err;
  return trp_send(self, trp_self_ref(self), GO_ON, NULL, 0);
}

static enum trp_err conduct(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct sender *s = state;
  if (msg->type == DONE) {
    if (--s->busy > 0) return TRP_OK;
    uint64_t took_ns = trp_now_ns(self) - s->began_ns;
    return trp_reply(self, s->token, DONE, &took_ns, sizeof took_ns);
  }
  enum trp_err err = msg->type == RUN ? begin(self, s, msg) : TRP_OK;
  return err == TRP_OK ? send_some(self, s) : err;
}

static const struct trp_kind sender_kind = {.name = "sender",
                                            .state_bytes = sizeof(struct sender),
                                            .start = sender_start,
                                            .receive = conduct};

int main(int argc, char **argv) {
  uint64_t actors = 0, messages = 0;
  struct bench_param params[] = {
      {.name = "actors", .least = 1, .most = ACTORS_MAX, .value = &actors},
      {.name = "messages", .least = 1, .most = UINT32_MAX, .value = &messages}};
  BENCH_OPEN(argc, argv, params);
  struct trp_system *system = bench_system("fjthrput");
  for (uint64_t i = 0; i < actors; i++) {
    bench_add(system, &(struct trp_spec){.name = bench_name("worker", i),
                                         .kind = &worker_kind,
                                         .placement = TRP_POOL,
                                         .mailbox = {.capacity = CAPACITY, .policy = TRP_WAIT}});
  }
  bench_add(system, &(struct trp_spec){.name = "sender",
                                       .kind = &sender_kind,
                                       .args = &actors,
                                       .placement = TRP_POOL,
                                       .mailbox.capacity = 2 * ACTORS_MAX,
                                       .outbox_max = OUTBOX});
  bench_start(system);
  bench_ask(system, "sender", RUN, bench_warm(messages));
  uint64_t took_ns = bench_ask(system, "sender", RUN, messages);
  trp_system_destroy(&system);
  bench_say("messages", "msg/s", bench_rate(actors * messages, took_ns));
  return 0;
}
