/* fanout.c - one publisher through the event engine to so many subscribers. The clock runs from the
 * first event published until the last subscriber has handled the last one. */
#include "actors/event_engine.h"
#include "actors/publisher.h"
#include "actors/subscriber.h"
#include "bench/bench.h"

enum {
  RUN = TRP_USER_FIRST, /* to the publisher: how many; answered when they are published */
  COUNT,                /* to a subscriber: how many to wait for; answered when they have come */
  GO_ON,
  CAPACITY = 8192,
  BURST = 64,
  SUBSCRIBERS_MAX = 1000
};

/* ---- publisher ---- */

struct source {
  struct trp_publisher publisher;
  uint64_t left;
};

static enum trp_err source_start(struct trp_self *self, void *state, const void *args) {
  (void)args;
  return trp_publisher_start(self, &((struct source *)state)->publisher, "event_engine");
}

static enum trp_err source_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct source *s = state;
  if (trp_publisher_take(self, &s->publisher, msg)) return TRP_OK;
  if (msg->type == RUN) {
    s->left = *(const uint64_t *)msg->body;
    uint64_t now_ns = bench_now_ns();
    enum trp_err err = trp_reply(self, msg->token, RUN, &now_ns, sizeof now_ns);
    if (err != TRP_OK) return err;
  }
  struct trp_quote quote = {.symbol = 1, .bid = 65000.01, .ask = 65000.02};
  for (int i = 0; i < BURST && s->left > 0; i++, s->left--) {
    trp_publish(self, &s->publisher, TRP_QUOTE, &quote, sizeof quote);
  }
  CHECK(s->publisher.lost == 0);
  return s->left > 0 ? trp_send(self, trp_self_ref(self), GO_ON, NULL, 0) : TRP_OK;
}

static const struct trp_kind source_kind = {.name = "source",
                                            .state_bytes = sizeof(struct source),
                                            .start = source_start,
                                            .receive = source_receive};

/* ---- subscriber ---- */

struct sink {
  struct trp_subscriber subscriber;
  uint64_t token, expected, got;
};

static enum trp_err sink_start(struct trp_self *self, void *state, const void *args) {
  (void)args;
  struct sink *s = state;
  enum trp_err err = trp_subscriber_start(self, &s->subscriber, "event_engine");
  if (err != TRP_OK) return err;
  return trp_subscriber_add(self, &s->subscriber, TRP_QUOTE, 0);
}

/* The question may come before, between or behind the events. */
static enum trp_err sink_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct sink *s = state;
  if (trp_subscriber_take(self, &s->subscriber, msg)) return TRP_OK;
  if (msg->type == COUNT) {
    s->token = msg->token;
    s->expected = *(const uint64_t *)msg->body;
  } else if (msg->type == TRP_QUOTE) {
    s->got++;
  }
  if (s->token == 0 || s->got < s->expected) return TRP_OK;
  uint64_t now_ns = bench_now_ns();
  enum trp_err err = trp_reply(self, s->token, COUNT, &now_ns, sizeof now_ns);
  s->token = s->got = 0;
  return err;
}

static const struct trp_kind sink_kind = {.name = "sink",
                                          .state_bytes = sizeof(struct sink),
                                          .start = sink_start,
                                          .receive = sink_receive};

/* ---- a run ---- */

/* Until the engine has heard all of them: who subscribes later misses events, and would wait for
 * them for ever. */
static void await_subscriptions(struct trp_system *system, uint64_t subscribers) {
  static const char key[] = " subscriptions=";
  struct trp_operator question = {.text = "stats"};
  struct trp_ref engine = trp_system_whereis(system, "event_engine");
  struct trp_result answer = {0};
  const char *at = NULL;
  do {
    size_t bytes = sizeof answer;
    bench_must(trp_system_ask(system, engine, TRP_OPERATOR, &question, sizeof question,
                              BENCH_PATIENCE_NS, NULL, &answer, &bytes),
               "event_engine");
    at = strstr(answer.text, key);
  } while (at != NULL && strtoull(at + sizeof key - 1, NULL, 10) < subscribers);
}

static uint64_t run(struct trp_system *system, uint64_t subscribers, uint64_t messages) {
  uint64_t began_ns = bench_ask(system, "source", RUN, messages), ended_ns = began_ns;
  for (uint64_t i = 0; i < subscribers; i++) {
    uint64_t at_ns = bench_ask(system, bench_name("sink", i), COUNT, messages);
    if (at_ns > ended_ns) ended_ns = at_ns;
  }
  return ended_ns - began_ns;
}

int main(int argc, char **argv) {
  uint64_t subscribers = 0, messages = 0;
  struct bench_param params[] = {
      {.name = "subscribers", .least = 1, .most = SUBSCRIBERS_MAX, .value = &subscribers},
      {.name = "messages", .least = 1, .most = UINT32_MAX, .value = &messages}};
  BENCH_OPEN(argc, argv, params);
  struct trp_system *system = bench_system("fanout");
  struct trp_mailbox_options roomy = {.capacity = CAPACITY, .policy = TRP_WAIT};
  for (uint64_t i = 0; i < subscribers; i++) {
    bench_add(system, &(struct trp_spec){.name = bench_name("sink", i),
                                         .kind = &sink_kind,
                                         .placement = TRP_POOL,
                                         .mailbox = roomy});
  }
  bench_add(system, &(struct trp_spec){.name = "event_engine",
                                       .kind = &trp_event_engine_kind,
                                       .placement = TRP_POOL,
                                       .mailbox = roomy});
  bench_add(system,
            &(struct trp_spec){.name = "source", .kind = &source_kind, .placement = TRP_POOL});
  bench_start(system);
  await_subscriptions(system, subscribers);
  run(system, subscribers, bench_warm(messages));
  uint64_t took_ns = run(system, subscribers, messages);
  trp_system_destroy(&system);
  bench_say("deliveries", "msg/s", bench_rate(subscribers * messages, took_ns));
  return 0;
}
