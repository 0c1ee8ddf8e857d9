/* rally.h - two actors, ping and pong, and one message between them: for ping-pong and ask.
 *
 * Ping sends, pong returns it to the sender, and so on for so many rounds; or ping asks and pong
 * replies. Nothing else happens meanwhile, so this measures the way of one message, and where each
 * has its own thread the waking more than the mail. */
#ifndef TRP_BENCH_RALLY_H
#define TRP_BENCH_RALLY_H

#include "bench/bench.h"

enum {
  RALLY_PLAIN = TRP_USER_FIRST, /* to ping: so many plain rounds; answered with the nanoseconds */
  RALLY_ASKS,                   /* the same with asks */
  RALLY_BALL
};

static enum trp_err rally_return(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->token != 0) return trp_reply(self, msg->token, RALLY_BALL, NULL, 0);
  return trp_send(self, msg->from, RALLY_BALL, NULL, 0);
}

static const struct trp_kind rally_pong_kind = {.name = "pong", .receive = rally_return};

struct rally_ping {
  struct trp_ref pong;
  uint64_t token, left, began_ns;
  bool asks;
};

static enum trp_err rally_serve(struct trp_self *self, struct rally_ping *p) {
  if (!p->asks) return trp_send(self, p->pong, RALLY_BALL, NULL, 0);
  return trp_ask(self, p->pong, RALLY_BALL, NULL, 0, BENCH_PATIENCE_NS, NULL);
}

static enum trp_err rally_play(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct rally_ping *p = state;
  if (msg->type == RALLY_PLAIN || msg->type == RALLY_ASKS) {
    *p = (struct rally_ping){.pong = trp_whereis(self, "pong"),
                             .token = msg->token,
                             .left = *(const uint64_t *)msg->body,
                             .asks = msg->type == RALLY_ASKS,
                             .began_ns = trp_now_ns(self)};
    return rally_serve(self, p);
  }
  if (msg->type != RALLY_BALL) return TRP_INVALID;
  if (--p->left > 0) return rally_serve(self, p);
  uint64_t took_ns = trp_now_ns(self) - p->began_ns;
  return trp_reply(self, p->token, RALLY_BALL, &took_ns, sizeof took_ns);
}

static const struct trp_kind rally_ping_kind = {
    .name = "ping", .state_bytes = sizeof(struct rally_ping), .receive = rally_play};

/* Microseconds a round. */
static inline double rally_measure(const struct trp_system_options *options,
                                   enum trp_placement placement, uint16_t type, uint64_t rounds) {
  struct trp_system *system = bench_system_of(options);
  bench_add(system,
            &(struct trp_spec){.name = "pong", .kind = &rally_pong_kind, .placement = placement});
  bench_add(system,
            &(struct trp_spec){.name = "ping", .kind = &rally_ping_kind, .placement = placement});
  bench_start(system);
  bench_ask(system, "ping", type, bench_warm(rounds));
  uint64_t took_ns = bench_ask(system, "ping", type, rounds);
  trp_system_destroy(&system);
  return bench_each_us(rounds, took_ns);
}

/* Reads the one parameter of these programs. */
static inline uint64_t rally_open(int argc, char **argv) {
  uint64_t rounds = 0;
  struct bench_param params[] = {
      {.name = "rounds", .least = 1, .most = UINT32_MAX, .value = &rounds}};
  BENCH_OPEN(argc, argv, params);
  return rounds;
}

#endif
