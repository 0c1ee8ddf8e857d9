/* lifecycle.c - what the management of lives costs: the processor time of a system with supervisor,
 * thread monitor and event engine, less that of the same actors without them; idle, and at a steady
 * rate of messages. In percent of one core.
 *
 * The ledger is in both: it is counted in the very words by which a message is accepted and
 * handled, so there is nothing to switch off. The processor time of the sender, which is no part of
 * the system, is not counted. Below zero means: less than such a measurement can see. */
#include "actors/event_engine.h"
#include "actors/supervisor.h"
#include "actors/thread_monitor.h"
#include "bench/bench.h"

enum {
  TICK = TRP_USER_FIRST,
  IDLERS = 32, /* that the monitor looks at, too */
  CAPACITY = 8192,
  BUNCHES = 1000, /* a second, in which the sender sends */
  RATE_MAX = 2000000,
  SLICE_MAX_MS = 20000
};

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  *(uint64_t *)state += msg->type;
  return TRP_OK;
}

static const struct trp_kind kind = {
    .name = "receiver", .state_bytes = sizeof(uint64_t), .receive = receive};

static struct trp_system *assemble(bool managed) {
  static const struct trp_supervisor_options supervisor = {.events = "event_engine"};
  static const struct trp_thread_monitor_options monitor = {.events = "event_engine"};
  struct trp_system *system = bench_system("lifecycle");
  if (managed) {
    bench_add(system, &(struct trp_spec){
                          .name = "supervisor", .kind = &trp_supervisor_kind, .args = &supervisor});
    bench_add(system, &(struct trp_spec){.name = "event_engine",
                                         .kind = &trp_event_engine_kind,
                                         .supervisor = "supervisor"});
    bench_add(system, &(struct trp_spec){.name = "thread_monitor",
                                         .kind = &trp_thread_monitor_kind,
                                         .args = &monitor,
                                         .supervisor = "supervisor"});
  }
  for (uint64_t i = 0; i <= IDLERS; i++) {
    bench_add(system, &(struct trp_spec){.name = i < IDLERS ? bench_name("idler", i) : "receiver",
                                         .kind = &kind,
                                         .mailbox = {.capacity = CAPACITY, .policy = TRP_WAIT},
                                         .supervisor = managed ? "supervisor" : NULL});
  }
  bench_start(system);
  return system;
}

static uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Sends at a rate, a bunch at a time, until the time is over; 0: sends nothing. */
static void send_for(struct trp_system *system, uint64_t rate, uint64_t slice_ns) {
  struct trp_ref to = trp_system_whereis(system, "receiver");
  static const unsigned char body[TRP_INLINE_BYTES];
  uint64_t began_ns = bench_now_ns();
  for (uint64_t sent = 0, now_ns = began_ns; now_ns - began_ns < slice_ns;) {
    uint64_t due = (now_ns - began_ns) * rate / TRP_NS_PER_S;
    for (; sent < due; sent++) {
      bench_must(trp_system_send_wait(system, to, TICK, body, sizeof body, BENCH_PATIENCE_NS),
                 "send");
    }
    bench_sleep_ns(rate > 0 ? TRP_NS_PER_S / BUNCHES : slice_ns);
    now_ns = bench_now_ns();
  }
}

/* The system's processor time in percent of one core. */
static double cost(bool managed, uint64_t rate, uint64_t slice_ns) {
  struct trp_system *system = assemble(managed);
  bench_sleep_ns(100 * TRP_NS_PER_MS); /* what starting costs is over */
  uint64_t all_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  uint64_t own_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), began_ns = bench_now_ns();
  send_for(system, rate, slice_ns);
  own_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - own_ns;
  all_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - all_ns;
  double percent = 100.0 * (double)(all_ns - own_ns) / (double)(bench_now_ns() - began_ns);
  trp_system_destroy(&system);
  return percent;
}

int main(int argc, char **argv) {
  uint64_t rate = 0, slice_ms = 0;
  struct bench_param params[] = {
      {.name = "rate", .least = 1, .most = RATE_MAX, .value = &rate},
      {.name = "slice_ms", .least = 1, .most = SLICE_MAX_MS, .value = &slice_ms}};
  BENCH_OPEN(argc, argv, params);
  uint64_t slice_ns = slice_ms * TRP_NS_PER_MS;
  cost(true, rate, slice_ns / 10);
  double idle_off = cost(false, 0, slice_ns), idle_on = cost(true, 0, slice_ns);
  bench_say("idle", "%", idle_on - idle_off);
  double busy_off = cost(false, rate, slice_ns), busy_on = cost(true, rate, slice_ns);
  bench_say("busy", "%", busy_on - busy_off);
  return 0;
}
