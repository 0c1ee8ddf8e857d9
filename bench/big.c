/* big.c - Savina's big, many to many: each actor pings a partner drawn at random, waits for the
 * pong, and pings the next; meanwhile it answers the others. A sink hears who is done. */
#include "bench/bench.h"

enum {
  RUN = TRP_USER_FIRST, /* to the sink: how many pings each; answered with the nanoseconds */
  BEGIN,
  PING,
  PONG,
  DONE,
  ACTORS_MAX = 4000,
  CAPACITY = 1024
};

static uint64_t
    actors; /* fixed before the system starts, as are the references when a run begins */
static struct trp_ref company[ACTORS_MAX];

/* ---- member ---- */

struct member {
  struct trp_ref sink;
  uint64_t left;
  uint32_t random;
};

/* A step of a linear congruence (Numerical Recipes' ranqd1); its high bits choose. */
static enum trp_err ping(struct trp_self *self, struct member *m) {
  m->random = m->random * 1664525u + 1013904223u;
  uint64_t partner = (uint64_t)m->random * actors >> 32;
  return trp_send(self, company[partner], PING, NULL, 0);
}

static enum trp_err play(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct member *m = state;
  switch (msg->type) {
    case BEGIN:
      m->sink = msg->from;
      m->left = *(const uint64_t *)msg->body;
      m->random = (uint32_t)trp_self_ref(self).bits;
      return ping(self, m);
    case PING:
      return trp_send(self, msg->from, PONG, NULL, 0);
    default:
      if (--m->left > 0) return ping(self, m);
      return trp_send(self, m->sink, DONE, NULL, 0);
  }
}

static const struct trp_kind member_kind = {
    .name = "member", .state_bytes = sizeof(struct member), .receive = play};

/* ---- sink ---- */

struct sink {
  uint64_t token, busy, began_ns;
};

static enum trp_err conduct(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct sink *s = state;
  if (msg->type == RUN) {
    *s = (struct sink){.token = msg->token, .busy = actors, .began_ns = trp_now_ns(self)};
    enum trp_err err = TRP_OK;
    for (uint64_t i = 0; i < actors && err == TRP_OK; i++) {
      err = trp_send(self, company[i], BEGIN, msg->body, msg->bytes);
    }
    return err;
  }
  if (--s->busy > 0) return TRP_OK;
  uint64_t took_ns = trp_now_ns(self) - s->began_ns;
  return trp_reply(self, s->token, DONE, &took_ns, sizeof took_ns);
}

static const struct trp_kind sink_kind = {
    .name = "sink", .state_bytes = sizeof(struct sink), .receive = conduct};

int main(int argc, char **argv) {
  uint64_t pings = 0;
  struct bench_param params[] = {
      {.name = "actors", .least = 1, .most = ACTORS_MAX, .value = &actors},
      {.name = "pings", .least = 1, .most = UINT32_MAX, .value = &pings}};
  BENCH_OPEN(argc, argv, params);
  struct trp_system *system = bench_system("big");
  struct trp_mailbox_options mailbox = {.capacity = CAPACITY, .policy = TRP_WAIT};
  bench_add(system, &(struct trp_spec){.name = "sink",
                                       .kind = &sink_kind,
                                       .placement = TRP_POOL,
                                       .mailbox.capacity = ACTORS_MAX,
                                       .outbox_max = ACTORS_MAX});
  for (uint64_t i = 0; i < actors; i++) {
    bench_add(system, &(struct trp_spec){.name = bench_name("member", i),
                                         .kind = &member_kind,
                                         .placement = TRP_POOL,
                                         .mailbox = mailbox});
  }
  bench_start(system);
  for (uint64_t i = 0; i < actors; i++) {
    company[i] = trp_system_whereis(system, bench_name("member", i));
  }
  bench_ask(system, "sink", RUN, bench_warm(pings));
  uint64_t took_ns = bench_ask(system, "sink", RUN, pings);
  trp_system_destroy(&system);
  bench_say("messages", "msg/s", bench_rate(2 * actors * pings, took_ns));
  return 0;
}
