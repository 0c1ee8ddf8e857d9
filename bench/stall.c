/* stall.c - from the moment when a turn has run longer than its limit until a subscriber of the
 * event engine hears ACTOR_STALLED, stack included.
 *
 * A victim enters a turn and stays there; a listener notes when it is told, and frees the victim.
 * The monitor looks each quarter of the shortest limit, a stall is counted from the first look
 * that sees the turn, and so is told within two looks of the limit. Each turn begins at another
 * point of that pace. */
#include "bench/bench.h"

#include <stdatomic.h>

#include "actors/event_engine.h"
#include "actors/subscriber.h"
#include "actors/supervisor.h"
#include "actors/thread_monitor.h"
#include "runtime/stack.h"

enum {
  GET_STUCK = TRP_USER_FIRST, /* to the victim */
  NEXT,                       /* to the listener: answered with the time of the next stall told */
  LIMIT_MS_MIN = 4,
  LIMIT_MS_MAX = 10000,
  STALLS_MAX = 10000,
  PHASES = 7 /* of a look */
};

static _Atomic uint64_t began_ns; /* of the victim's turn */
static _Atomic bool stuck;

/* ---- the victim ---- */

static enum trp_err victim_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type != GET_STUCK) return TRP_OK;
  atomic_store_explicit(&began_ns, trp_now_ns(self), memory_order_relaxed);
  while (atomic_load_explicit(&stuck, memory_order_relaxed)) bench_sleep_ns(TRP_NS_PER_MS / 4);
  return TRP_OK;
}

static const struct trp_kind victim_kind = {.name = "victim", .receive = victim_receive};

/* ---- the listener ---- */

struct listener {
  struct trp_subscriber subscriber;
  uint64_t token;
};

static enum trp_err listener_start(struct trp_self *self, void *state, const void *args) {
  struct listener *l = state;
  (void)args;
  enum trp_err err = trp_subscriber_start(self, &l->subscriber, "event_engine");
  return err != TRP_OK ? err : trp_subscriber_add(self, &l->subscriber, TRP_ACTOR_STALLED, 0);
}

static enum trp_err listener_receive(struct trp_self *self, void *state,
                                     const struct trp_msg *msg) {
  struct listener *l = state;
  if (trp_subscriber_take(self, &l->subscriber, msg)) return TRP_OK;
  if (msg->type == NEXT) l->token = msg->token;
  if (msg->type != TRP_ACTOR_STALLED || l->token == 0) return TRP_OK;
  uint64_t now_ns = trp_now_ns(self), token = l->token;
  l->token = 0;
  return trp_reply(self, token, NEXT, &now_ns, sizeof now_ns);
}

static const struct trp_kind listener_kind = {.name = "listener",
                                              .state_bytes = sizeof(struct listener),
                                              .start = listener_start,
                                              .receive = listener_receive};

/* ---- the question ---- */

/* Milliseconds from the limit to the listener's turn. */
static double told_after_ms(struct trp_system *system, uint64_t limit_ms) {
  struct trp_ref victim = trp_system_whereis(system, "victim");
  atomic_store_explicit(&stuck, true, memory_order_relaxed);
  bench_must(trp_system_send(system, victim, GET_STUCK, NULL, 0), "victim");
  uint64_t told_ns = bench_ask(system, "listener", NEXT, 0);
  atomic_store_explicit(&stuck, false, memory_order_relaxed);
  uint64_t limit_ns = atomic_load_explicit(&began_ns, memory_order_relaxed);
  limit_ns += limit_ms * TRP_NS_PER_MS;
  return ((double)told_ns - (double)limit_ns) / 1e6;
}

static void measure(struct trp_system *system, uint64_t limit_ms, uint64_t stalls, double *ms) {
  uint64_t look_ns = limit_ms * TRP_NS_PER_MS / 4;
  for (uint64_t i = 0; i < stalls; i++) {
    bench_sleep_ns(2 * look_ns + i % PHASES * look_ns / PHASES); /* the recovery is seen */
    ms[i] = told_after_ms(system, limit_ms);
  }
}

static struct trp_system *monitored(uint32_t limit_ms) {
  static const char events[] = "event_engine";
  static const struct trp_thread_monitor_options options = {.events = events};
  static const char root[] = "supervisor";
  struct trp_system *system = bench_system("stall");
  bench_add(system, &(struct trp_spec){.name = root, .kind = &trp_supervisor_kind});
  bench_add(system,
            &(struct trp_spec){.name = events, .kind = &trp_event_engine_kind, .supervisor = root});
  bench_add(system, &(struct trp_spec){.name = "thread_monitor",
                                       .kind = &trp_thread_monitor_kind,
                                       .args = &options,
                                       .supervisor = root});
  bench_add(
      system,
      &(struct trp_spec){
          .name = "victim", .kind = &victim_kind, .supervisor = root, .turn_limit_ms = limit_ms});
  bench_add(system,
            &(struct trp_spec){.name = "listener", .kind = &listener_kind, .supervisor = root});
  bench_start(system);
  return system;
}

int main(int argc, char **argv) {
  uint64_t stalls = 0, limit_ms = 0;
  struct bench_param params[] = {
      {.name = "stalls", .least = 1, .most = STALLS_MAX, .value = &stalls},
      {.name = "limit_ms", .least = LIMIT_MS_MIN, .most = LIMIT_MS_MAX, .value = &limit_ms}};
  BENCH_OPEN(argc, argv, params);
  double *ms = calloc(stalls, sizeof *ms);
  if (ms == NULL) exit(1);
  bench_must(trp_stack_install(), "stack"); /* so that what is told has the stuck thread's own */
  struct trp_system *system = monitored((uint32_t)limit_ms);
  measure(system, limit_ms, bench_warm(stalls), ms);
  measure(system, limit_ms, stalls, ms);
  bench_say("told_p50", "ms", statistics_quantile(ms, stalls, 0.5));
  bench_say("told_p99", "ms", statistics_quantile(ms, stalls, 0.99));
  trp_system_destroy(&system);
  trp_stack_uninstall();
  free(ms);
  return 0;
}
