/* count.c - how many messages of 48 bytes pass from actor to actor, each on its own thread.
 *
 * A producer sends bursts out of its turn, and to get the next turn a message to itself, as an
 * actor with long work does. Under TRP_WAIT what finds no room waits in its outbox, and the next
 * turn with it; under TRP_REJECT the producer keeps its message and tries again in the next turn.
 * The consumer counts; the run ends when it has handled everything. */
#include "bench/bench.h"

enum {
  RUN = TRP_USER_FIRST, /* to the consumer: how many to expect; answered when they have come */
  PRODUCE,              /* to a producer: how many to send */
  GO_ON,                /* of a producer to itself */
  ITEM,
  BURST = 64,
  CAPACITY = 4096,
  MESSAGES = 1 << 21,
  MESSAGES_OUTSIDE = 1 << 19
};

struct item {
  unsigned char bytes[48];
};

/* ---- producer ---- */

struct producer {
  struct trp_ref consumer;
  uint64_t left;
};

static enum trp_err produce(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct producer *p = state;
  if (msg->type == PRODUCE) {
    p->left = *(const uint64_t *)msg->body;
    p->consumer = msg->from;
  }
  struct item item = {{0}};
  enum trp_err err = TRP_OK;
  for (int i = 0; i < BURST && p->left > 0 && err == TRP_OK; i++) {
    err = trp_send(self, p->consumer, ITEM, &item, sizeof item);
    if (err == TRP_OK) p->left--;
  }
  if (err == TRP_FULL) sched_yield(); /* for two processors and more threads */
  if (err != TRP_OK && err != TRP_FULL) return err;
  return p->left > 0 ? trp_send(self, trp_self_ref(self), GO_ON, NULL, 0) : TRP_OK;
}

static const struct trp_kind producer_kind = {
    .name = "producer", .state_bytes = sizeof(struct producer), .receive = produce};

/* ---- consumer ---- */

struct consumer {
  uint64_t token, expected, got, began_ns;
};

static enum trp_err begin_run(struct trp_self *self, struct consumer *c,
                              const struct trp_msg *msg) {
  static const char *const names[] = {"p0", "p1", "p2", "p3"};
  struct trp_ref producers[4];
  size_t count = 0;
  for (size_t i = 0; i < 4; i++) {
    struct trp_ref ref = trp_whereis(self, names[i]);
    if (!trp_ref_is_nobody(ref)) producers[count++] = ref;
  }
  *c = (struct consumer){.token = msg->token, .expected = *(const uint64_t *)msg->body};
  c->began_ns = trp_now_ns(self);
  uint64_t each = c->expected / count;
  enum trp_err err = TRP_OK;
  for (size_t i = 0; i < count && err == TRP_OK; i++) {
    err = trp_send(self, producers[i], PRODUCE, &each, sizeof each);
  }
  return err;
}

static enum trp_err consume(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct consumer *c = state;
  if (msg->type == RUN) return begin_run(self, c, msg);
  if (++c->got != c->expected) return TRP_OK;
  uint64_t took_ns = trp_now_ns(self) - c->began_ns;
  return trp_reply(self, c->token, ITEM, &took_ns, sizeof took_ns);
}

static const struct trp_kind consumer_kind = {
    .name = "consumer", .state_bytes = sizeof(struct consumer), .receive = consume};

/* ---- questions ---- */

static void ask(const struct bench *bench, const char *name, enum trp_policy policy,
                size_t producers, const char *what) {
  static const char *const names[] = {"p0", "p1", "p2", "p3"};
  struct trp_system *system = bench_system("count");
  bench_add(system, &(struct trp_spec){.name = "consumer",
                                       .kind = &consumer_kind,
                                       .mailbox = {.capacity = CAPACITY, .policy = policy}});
  for (size_t i = 0; i < producers; i++) {
    bench_add(system, &(struct trp_spec){.name = names[i], .kind = &producer_kind});
  }
  bench_start(system);
  double runs[BENCH_RUNS];
  for (int i = 0; i < BENCH_RUNS; i++) {
    runs[i] = MESSAGES * 1e3 / (double)bench_ask(system, "consumer", RUN, MESSAGES);
  }
  trp_system_destroy(&system);
  bench_say(bench, name, "M msg/s", runs, BENCH_RUNS, what);
}

/* ---- from outside ---- */

/* Answers how often it got an ITEM; that question comes behind all of them. */
static enum trp_err tally(struct trp_self *self, void *state, const struct trp_msg *msg) {
  uint64_t *got = state;
  if (msg->type == ITEM) {
    ++*got;
    return TRP_OK;
  }
  enum trp_err err = trp_reply(self, msg->token, ITEM, got, sizeof *got);
  *got = 0;
  return err;
}

static double run_outside(struct trp_system *system) {
  struct trp_ref to = trp_system_whereis(system, "tally");
  struct item item = {{0}};
  uint64_t began_ns = bench_now_ns();
  for (int i = 0; i < MESSAGES_OUTSIDE; i++) {
    enum trp_err err = trp_system_send(system, to, ITEM, &item, sizeof item);
    if (err == TRP_FULL) {
      err = trp_system_send_wait(system, to, ITEM, &item, sizeof item, BENCH_PATIENCE_NS);
    }
    bench_must(err, "send");
  }
  uint64_t got = bench_ask(system, "tally", RUN, 0);
  uint64_t took_ns = bench_now_ns() - began_ns;
  if (got != MESSAGES_OUTSIDE) bench_must(TRP_INVALID, "tally");
  return MESSAGES_OUTSIDE * 1e3 / (double)took_ns;
}

static void ask_outside(const struct bench *bench) {
  static const struct trp_kind kind = {
      .name = "tally", .state_bytes = sizeof(uint64_t), .receive = tally};
  struct trp_system *system = bench_system("count");
  bench_add(system, &(struct trp_spec){.name = "tally",
                                       .kind = &kind,
                                       .mailbox = {.capacity = CAPACITY, .policy = TRP_WAIT}});
  bench_start(system);
  double runs[BENCH_RUNS];
  for (int i = 0; i < BENCH_RUNS; i++) runs[i] = run_outside(system);
  trp_system_destroy(&system);
  bench_say(bench, "count.outside_wait", "M msg/s", runs, BENCH_RUNS,
            "a thread outside the system to one actor, 48 bytes, waiting for room");
}

int main(int argc, char **argv) {
  struct bench bench = bench_open("count", argc, argv);
  ask(&bench, "count.one_to_one_wait", TRP_WAIT, 1, "actor to actor, 48 bytes, one by one");
  ask(&bench, "count.one_to_one_reject", TRP_REJECT, 1,
      "actor to actor, 48 bytes, one by one, refused when full");
  ask(&bench, "count.four_to_one_wait", TRP_WAIT, 4, "four actors to one, 48 bytes, one by one");
  ask(&bench, "count.four_to_one_reject", TRP_REJECT, 4,
      "four actors to one, 48 bytes, one by one, refused when full");
  ask_outside(&bench);
  return 0;
}
