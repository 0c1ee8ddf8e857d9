/* latency.c - how late a message is handled when they are sent at a steady rate.
 *
 * An open loop: a thread outside the system sends each message at its time, whatever the receiver
 * does, and a message's latency counts from when it was due, not from when it could be sent; so a
 * receiver that stalls is charged for everything that should have been sent meanwhile (no
 * coordinated omission). The sender looks at the clock all the time: what a sleep would add is no
 * part of it. */
#include "bench/bench.h"

enum {
  REPORT = TRP_USER_FIRST, /* to the receiver, behind all ticks; answered with their number */
  TICK,
  CAPACITY = 65536,
  RATE_MAX = 2000000,
  SECONDS_MAX = 20
};

struct tick {
  uint64_t due_ns;
  unsigned char rest[40];
};

/* Written in the receiver's turns, read by main when the answer has come. */
static double *late_us;

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  uint64_t *count = state;
  if (msg->type == TICK) {
    late_us[(*count)++] = (double)(bench_now_ns() - ((const struct tick *)msg->body)->due_ns) / 1e3;
    return TRP_OK;
  }
  enum trp_err err = trp_reply(self, msg->token, REPORT, count, sizeof *count);
  *count = 0;
  return err;
}

static const struct trp_kind kind = {
    .name = "receiver", .state_bytes = sizeof(uint64_t), .receive = receive};

static void run(struct trp_system *system, uint64_t rate, uint64_t count) {
  struct trp_ref to = trp_system_whereis(system, "receiver");
  uint64_t began_ns = bench_now_ns();
  struct tick tick = {0};
  for (uint64_t i = 0; i < count; i++) {
    tick.due_ns = began_ns + i * TRP_NS_PER_S / rate;
    while (bench_now_ns() < tick.due_ns) {
    }
    enum trp_err err = trp_system_send(system, to, TICK, &tick, sizeof tick);
    if (err == TRP_FULL) {
      err = trp_system_send_wait(system, to, TICK, &tick, sizeof tick, BENCH_PATIENCE_NS);
    }
    bench_must(err, "send");
  }
  if (bench_ask(system, "receiver", REPORT, 0) != count) bench_must(TRP_GAP, "receiver");
}

int main(int argc, char **argv) {
  uint64_t rate = 0, seconds = 0;
  struct bench_param params[] = {
      {.name = "rate", .least = 1, .most = RATE_MAX, .value = &rate},
      {.name = "seconds", .least = 1, .most = SECONDS_MAX, .value = &seconds}};
  BENCH_OPEN(argc, argv, params);
  uint64_t count = rate * seconds;
  late_us = calloc(count, sizeof *late_us);
  if (late_us == NULL) bench_must(TRP_NO_MEMORY, "latencies");
  struct trp_system *system = bench_system("latency");
  bench_add(system, &(struct trp_spec){.name = "receiver",
                                       .kind = &kind,
                                       .placement = TRP_POOL,
                                       .mailbox = {.capacity = CAPACITY, .policy = TRP_WAIT}});
  bench_start(system);
  run(system, rate, bench_warm(count));
  run(system, rate, count);
  trp_system_destroy(&system);
  bench_say("p50", "us", statistics_quantile(late_us, count, 0.5));
  bench_say("p99", "us", statistics_quantile(late_us, count, 0.99));
  bench_say("p999", "us", statistics_quantile(late_us, count, 0.999));
  free(late_us);
  return 0;
}
