/* restart_process.c - the same as restart.c of a child in a process of its own: from the order to
 * die to the first message that the next life handles.
 *
 * Beside what lies in between for a thread there are here the death of a process, seen from
 * outside, the spawning of the program, its start, its link, and the way of two messages over it.
 * Both programs are this one, linked with all of the library. */
#include "bench/bench.h"

#include <signal.h>
#include <unistd.h>

#include "actors/supervisor.h"

enum {
  ROUND = TRP_USER_FIRST, /* to the client: one death, by the type that the body names */
  FAIL,                   /* to the child: return an error */
  KILL,                   /* to the child: be killed */
  FIRST,                  /* to the next life */
  SURVIVED,               /* from it: when it handled the first message */
  DEATHS_MAX = 10000,
  STABLE_MS = 1
};

static enum trp_err child_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  uint64_t now_ns = trp_now_ns(self); /* of a clock that all processes share */
  if (msg->type == FIRST) return trp_send(self, msg->from, SURVIVED, &now_ns, sizeof now_ns);
  if (msg->type == KILL) kill(getpid(), SIGKILL);
  return msg->type == FAIL ? TRP_PROTOCOL : TRP_OK;
}

static const struct trp_kind child_kind = {.name = "child", .receive = child_receive};
static const struct trp_kind *const hosted[] = {&child_kind, NULL};

struct client {
  struct trp_ref child;
  uint64_t token, ordered_ns;
};

static enum trp_err client_start(struct trp_self *self, void *state, const void *args) {
  (void)state;
  (void)args;
  return trp_watch(self, "child", NULL);
}

static enum trp_err answer(struct trp_self *self, struct client *c, const struct trp_msg *msg) {
  uint64_t took_ns = *(const uint64_t *)msg->body - c->ordered_ns;
  return trp_reply(self, c->token, SURVIVED, &took_ns, sizeof took_ns);
}

static enum trp_err client_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct client *c = state;
  switch (msg->type) {
    case ROUND:
      c->token = msg->token;
      c->ordered_ns = trp_now_ns(self);
      return trp_send(self, c->child, (uint16_t) * (const uint64_t *)msg->body, NULL, 0);
    case TRP_UP:
      c->child.bits = trp_msg_up(msg)->ref;
      return c->token == 0 ? TRP_OK : trp_send(self, c->child, FIRST, NULL, 0);
    case SURVIVED:
      return answer(self, c, msg);
    default:
      return TRP_OK;
  }
}

static const struct trp_kind client_kind = {.name = "client",
                                            .state_bytes = sizeof(struct client),
                                            .start = client_start,
                                            .receive = client_receive};

static void measure(struct trp_system *system, uint16_t fatal, uint64_t deaths, double *ms) {
  for (uint64_t i = 0; i < deaths; i++) {
    ms[i] = (double)bench_ask(system, "client", ROUND, fatal) / 1e6;
    bench_sleep_ns(2 * STABLE_MS * TRP_NS_PER_MS);
  }
}

int main(int argc, char **argv) {
  trp_process_host(hosted);
  uint64_t deaths = 0;
  struct bench_param params[] = {
      {.name = "deaths", .least = 1, .most = DEATHS_MAX, .value = &deaths}};
  BENCH_OPEN(argc, argv, params);
  double *ms = calloc(deaths, sizeof *ms);
  if (ms == NULL) bench_must(TRP_NO_MEMORY, "times");
  struct trp_system *system = bench_system("restart_process");
  bench_add(system, &(struct trp_spec){.name = "supervisor", .kind = &trp_supervisor_kind});
  bench_add(system,
            &(struct trp_spec){
                .name = "child",
                .kind = &child_kind,
                .placement = TRP_PROCESS,
                .supervisor = "supervisor",
                .restart = {.intensity = UINT32_MAX, .window_ms = 1, .stable_ms = STABLE_MS}});
  bench_add(system, &(struct trp_spec){.name = "client", .kind = &client_kind});
  bench_start(system);
  measure(system, KILL, bench_warm(deaths), ms);
  measure(system, KILL, deaths, ms);
  bench_say("kill_p50", "ms", statistics_quantile(ms, deaths, 0.5));
  bench_say("kill_p99", "ms", statistics_quantile(ms, deaths, 0.99));
  measure(system, FAIL, deaths, ms);
  bench_say("error_p50", "ms", statistics_quantile(ms, deaths, 0.5));
  bench_say("error_p99", "ms", statistics_quantile(ms, deaths, 0.99));
  trp_system_destroy(&system);
  free(ms);
  return 0;
}
