/* restart.c - from a crash to the first message that the new incarnation handles.
 *
 * A client follows a child by its name. It sends the fatal message, hears UP of the new
 * incarnation, and sends to it at once; the child tells how long ago its predecessor died. In
 * between lie the end of the old incarnation, THREAD_CRASHED to the supervisor, its decision, the
 * new start, and the watch. Each crash comes after a stretch that counts as stable, so no backoff
 * is in it. */
#include "bench/bench.h"

#include "actors/supervisor.h"

enum {
  ROUND = TRP_USER_FIRST, /* to the client: one crash, fatal by the type that the body names */
  FAIL,                   /* to the child: return an error */
  PANIC,                  /* to the child: panic, which unwinds and captures the stack */
  FIRST,                  /* to the new incarnation */
  SURVIVED,               /* from it: nanoseconds since the crash */
  CRASHES_MAX = 100000,
  STABLE_MS = 1
};

/* ---- the child ---- */

/* The slot's memory: what one incarnation leaves to the next. */
struct legacy {
  uint64_t died_ns;
};

struct child {
  struct legacy *legacy;
};

static enum trp_err child_start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  ((struct child *)state)->legacy = *(struct legacy *const *)args;
  return TRP_OK;
}

static enum trp_err child_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct legacy *legacy = ((struct child *)state)->legacy;
  uint64_t now_ns = trp_now_ns(self);
  if (msg->type == FIRST) {
    uint64_t took_ns = now_ns - legacy->died_ns;
    return trp_send(self, msg->from, SURVIVED, &took_ns, sizeof took_ns);
  }
  legacy->died_ns = now_ns;
  if (msg->type == PANIC) trp_panic("as asked");
  return TRP_PROTOCOL;
}

static const struct trp_kind child_kind = {.name = "child",
                                           .state_bytes = sizeof(struct child),
                                           .start = child_start,
                                           .receive = child_receive};

/* ---- the client ---- */

struct client {
  struct trp_ref child;
  uint64_t token;
};

static enum trp_err client_start(struct trp_self *self, void *state, const void *args) {
  (void)state;
  (void)args;
  return trp_watch(self, "child", NULL);
}

static enum trp_err client_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct client *c = state;
  switch (msg->type) {
    case ROUND:
      c->token = msg->token;
      return trp_send(self, c->child, (uint16_t) * (const uint64_t *)msg->body, NULL, 0);
    case TRP_UP:
      c->child.bits = trp_msg_up(msg)->ref;
      return c->token == 0 ? TRP_OK : trp_send(self, c->child, FIRST, NULL, 0);
    case SURVIVED:
      return trp_reply(self, c->token, SURVIVED, msg->body, msg->bytes);
    default:
      return TRP_OK;
  }
}

static const struct trp_kind client_kind = {.name = "client",
                                            .state_bytes = sizeof(struct client),
                                            .start = client_start,
                                            .receive = client_receive};

/* ---- questions ---- */

static void measure(struct trp_system *system, uint16_t fatal, uint64_t crashes, double *us) {
  for (uint64_t i = 0; i < crashes; i++) {
    us[i] = (double)bench_ask(system, "client", ROUND, fatal) / 1e3;
    bench_sleep_ns(2 * STABLE_MS * TRP_NS_PER_MS);
  }
}

int main(int argc, char **argv) {
  uint64_t crashes = 0;
  struct bench_param params[] = {
      {.name = "crashes", .least = 1, .most = CRASHES_MAX, .value = &crashes}};
  BENCH_OPEN(argc, argv, params);
  double *us = calloc(crashes, sizeof *us);
  if (us == NULL) bench_must(TRP_NO_MEMORY, "times");
  struct legacy legacy = {0}, *args = &legacy;
  struct trp_system *system = bench_system("restart");
  bench_add(system, &(struct trp_spec){.name = "supervisor", .kind = &trp_supervisor_kind});
  bench_add(system,
            &(struct trp_spec){
                .name = "child",
                .kind = &child_kind,
                .args = &args,
                .supervisor = "supervisor",
                .restart = {.intensity = UINT32_MAX, .window_ms = 1, .stable_ms = STABLE_MS}});
  bench_add(system, &(struct trp_spec){.name = "client", .kind = &client_kind});
  bench_start(system);
  measure(system, FAIL, bench_warm(crashes), us);
  measure(system, FAIL, crashes, us);
  bench_say("error_p50", "us", statistics_quantile(us, crashes, 0.5));
  bench_say("error_p99", "us", statistics_quantile(us, crashes, 0.99));
  measure(system, PANIC, bench_warm(crashes), us);
  measure(system, PANIC, crashes, us);
  bench_say("panic_p50", "us", statistics_quantile(us, crashes, 0.5));
  bench_say("panic_p99", "us", statistics_quantile(us, crashes, 0.99));
  trp_system_destroy(&system);
  free(us);
  return 0;
}
