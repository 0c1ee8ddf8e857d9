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
  ROUNDS = 200,
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

static void ask(const struct bench *bench, struct trp_system *system, uint16_t fatal,
                const char *name, const char *what) {
  double median[BENCH_RUNS], p99[BENCH_RUNS], us[ROUNDS];
  for (int i = 0; i < BENCH_RUNS; i++) {
    for (int k = 0; k < ROUNDS; k++) {
      us[k] = (double)bench_ask(system, "client", ROUND, fatal) / 1e3;
      bench_sleep_ns(2 * STABLE_MS * TRP_NS_PER_MS);
    }
    median[i] = bench_quantile(us, ROUNDS, 0.5);
    p99[i] = bench_quantile(us, ROUNDS, 0.99);
  }
  char line[64];
  snprintf(line, sizeof line, "restart.%s_p50", name);
  bench_say(bench, line, "us", median, BENCH_RUNS, what);
  snprintf(line, sizeof line, "restart.%s_p99", name);
  bench_say(bench, line, "us", p99, BENCH_RUNS, "its 99th percentile");
}

int main(int argc, char **argv) {
  struct bench bench = bench_open("restart", argc, argv);
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
  ask(&bench, system, FAIL, "error",
      "from an error returned to the new incarnation's first message");
  ask(&bench, system, PANIC, "panic", "from a panic to the new incarnation's first message");
  trp_system_destroy(&system);
  return 0;
}
