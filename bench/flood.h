/* flood.h - producers that send to one consumer as fast as they are let: for count and fan-in.
 *
 * A producer sends a burst out of its turn, and to get the next turn a message to itself, as an
 * actor with long work does. To a mailbox that waits (TRP_WAIT) the sends of a turn leave together,
 * and what finds no room is kept in the producer's outbox, its next turn with it. One that refuses
 * (TRP_REJECT) is sent to one by one: a refused message is the producer's, who tries again a
 * little later. The run ends when the consumer has handled everything. */
#ifndef TRP_BENCH_FLOOD_H
#define TRP_BENCH_FLOOD_H

#include "bench/bench.h"

enum {
  FLOOD_RUN = TRP_USER_FIRST, /* to the consumer: how many to expect; answered when they came */
  FLOOD_PRODUCE,              /* to a producer: what to send */
  FLOOD_GO_ON,                /* of a producer to itself */
  FLOOD_ITEM,
  FLOOD_BURST = 64,
  FLOOD_CAPACITY = 4096,
  FLOOD_LATER_NS = 50000,
  FLOOD_PRODUCERS_MAX = 1024,
  FLOOD_PAYLOAD_MAX = 65536
};

struct flood {
  uint64_t messages, payload, producers;
};

/* What a producer is told. */
struct flood_order {
  uint64_t messages, payload;
};

/* ---- producer ---- */

struct flood_producer {
  struct trp_ref consumer;
  uint64_t left, payload;
};

static enum trp_err flood_produce(struct trp_self *self, void *state, const struct trp_msg *msg) {
  static const unsigned char payload[FLOOD_PAYLOAD_MAX];
  struct flood_producer *p = state;
  if (msg->type == FLOOD_PRODUCE) {
    const struct flood_order *order = msg->body;
    *p = (struct flood_producer){
        .consumer = msg->from, .left = order->messages, .payload = order->payload};
  }
  enum trp_err err = TRP_OK;
  for (int i = 0; i < FLOOD_BURST && p->left > 0 && err == TRP_OK; i++) {
    err = trp_send(self, p->consumer, FLOOD_ITEM, payload, p->payload);
    if (err == TRP_OK) p->left--;
  }
  if (err == TRP_FULL) return trp_timer_start(self, FLOOD_LATER_NS, 0, 0, NULL);
  if (err != TRP_OK) return err;
  return p->left > 0 ? trp_send(self, trp_self_ref(self), FLOOD_GO_ON, NULL, 0) : TRP_OK;
}

static const struct trp_kind flood_producer_kind = {
    .name = "producer", .state_bytes = sizeof(struct flood_producer), .receive = flood_produce};

/* ---- consumer ---- */

struct flood_consumer {
  const struct flood *flood;
  uint64_t token, expected, got, began_ns;
};

static enum trp_err flood_start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  ((struct flood_consumer *)state)->flood = args;
  return TRP_OK;
}

static enum trp_err flood_begin(struct trp_self *self, struct flood_consumer *c,
                                const struct trp_msg *msg) {
  uint64_t each = *(const uint64_t *)msg->body / c->flood->producers;
  struct flood_order order = {.messages = each > 0 ? each : 1, .payload = c->flood->payload};
  c->token = msg->token;
  c->expected = order.messages * c->flood->producers;
  c->got = 0;
  c->began_ns = trp_now_ns(self);
  enum trp_err err = TRP_OK;
  for (uint64_t i = 0; i < c->flood->producers && err == TRP_OK; i++) {
    struct trp_ref producer = trp_whereis(self, bench_name("producer", i));
    err = trp_send(self, producer, FLOOD_PRODUCE, &order, sizeof order);
  }
  return err;
}

static enum trp_err flood_consume(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct flood_consumer *c = state;
  if (msg->type == FLOOD_RUN) return flood_begin(self, c, msg);
  if (++c->got != c->expected) return TRP_OK;
  uint64_t took_ns = trp_now_ns(self) - c->began_ns;
  return trp_reply(self, c->token, FLOOD_ITEM, &took_ns, sizeof took_ns);
}

static const struct trp_kind flood_consumer_kind = {.name = "consumer",
                                                    .state_bytes = sizeof(struct flood_consumer),
                                                    .start = flood_start,
                                                    .receive = flood_consume};

/* ---- a run ---- */

/* Messages a second into a mailbox of that policy. */
static inline double flood_measure(const struct flood *flood, enum trp_policy policy) {
  struct trp_system *system = bench_system("flood");
  bench_add(system, &(struct trp_spec){.name = "consumer",
                                       .kind = &flood_consumer_kind,
                                       .args = flood,
                                       .placement = TRP_POOL,
                                       .mailbox = {.capacity = FLOOD_CAPACITY, .policy = policy}});
  for (uint64_t i = 0; i < flood->producers; i++) {
    bench_add(system, &(struct trp_spec){.name = bench_name("producer", i),
                                         .kind = &flood_producer_kind,
                                         .placement = TRP_POOL});
  }
  bench_start(system);
  bench_ask(system, "consumer", FLOOD_RUN, bench_warm(flood->messages));
  uint64_t took_ns = bench_ask(system, "consumer", FLOOD_RUN, flood->messages);
  trp_system_destroy(&system);
  uint64_t each = flood->messages / flood->producers;
  return bench_rate((each > 0 ? each : 1) * flood->producers, took_ns);
}

/* Both ways of sending, as the two metrics of its question. */
static inline void flood_answer(const struct flood *flood) {
  bench_say("messages", "msg/s", flood_measure(flood, TRP_WAIT));
  bench_say("one_by_one", "msg/s", flood_measure(flood, TRP_REJECT));
}

#endif
