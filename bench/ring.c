/* ring.c - Savina's threadring: a token goes round a ring of actors until it has made so many
 * hops. Each member knows its neighbour from its start on. */
#include "bench/bench.h"

enum { RUN = TRP_USER_FIRST, MEET, TOKEN, ACTORS_MAX = 4000 };

struct member {
  struct trp_ref next;
  uint64_t answer_to, began_ns; /* of the one that is asked to run */
};

/* The member at which the last hop ends tells the one that was asked. */
struct token {
  uint64_t left;
  struct trp_ref asked;
};

static enum trp_err begin(struct trp_self *self, struct member *m, const struct trp_msg *msg) {
  struct token token = {.left = *(const uint64_t *)msg->body - 1, .asked = trp_self_ref(self)};
  m->answer_to = msg->token;
  m->began_ns = trp_now_ns(self);
  return trp_send(self, m->next, TOKEN, &token, sizeof token);
}

static enum trp_err pass(struct trp_self *self, struct member *m, const struct trp_msg *msg) {
  struct token token = *(const struct token *)msg->body;
  if (token.left > 0) {
    token.left--;
    return trp_send(self, m->next, TOKEN, &token, sizeof token);
  }
  if (m->answer_to == 0) return trp_send(self, token.asked, TOKEN, &token, sizeof token);
  uint64_t took_ns = trp_now_ns(self) - m->began_ns;
  enum trp_err err = trp_reply(self, m->answer_to, TOKEN, &took_ns, sizeof took_ns);
  m->answer_to = 0;
  return err;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct member *m = state;
  if (msg->type == TOKEN) return pass(self, m, msg);
  if (msg->type == RUN) return begin(self, m, msg);
  uint64_t neighbour = *(const uint64_t *)msg->body;
  m->next = trp_whereis(self, bench_name("member", neighbour));
  return trp_reply(self, msg->token, MEET, &neighbour, sizeof neighbour);
}

static const struct trp_kind kind = {
    .name = "member", .state_bytes = sizeof(struct member), .receive = receive};

int main(int argc, char **argv) {
  uint64_t actors = 0, hops = 0;
  struct bench_param params[] = {
      {.name = "actors", .least = 2, .most = ACTORS_MAX, .value = &actors},
      {.name = "hops", .least = 1, .most = UINT32_MAX, .value = &hops}};
  BENCH_OPEN(argc, argv, params);
  struct trp_system *system = bench_system("ring");
  for (uint64_t i = 0; i < actors; i++) {
    bench_add(system, &(struct trp_spec){
                          .name = bench_name("member", i), .kind = &kind, .placement = TRP_POOL});
  }
  bench_start(system);
  for (uint64_t i = 0; i < actors; i++) {
    bench_ask(system, bench_name("member", i), MEET, (i + 1) % actors);
  }
  bench_ask(system, "member0", RUN, bench_warm(hops));
  uint64_t took_ns = bench_ask(system, "member0", RUN, hops);
  trp_system_destroy(&system);
  bench_say("hops", "hops/s", bench_rate(hops, took_ns));
  return 0;
}
