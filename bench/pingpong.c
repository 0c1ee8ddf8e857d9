/* pingpong.c - the round trip of a message between two actors, each on its own thread.
 *
 * Nothing else happens, so each side has gone to sleep when the other's message comes: this
 * measures the waking more than the mail. Once with plain messages, once with an ask and its reply,
 * once with an ask from a thread outside the system. */
#include <sched.h>

#include "bench/bench.h"

enum {
  PLACE = TRP_USER_FIRST, /* to both: the processor to run on */
  RALLY,                  /* to ping: so many plain rounds; answered with the nanoseconds */
  QUIZ,                   /* the same with asks */
  BALL,
  QUESTION,
  ROUNDS = 2000
};

struct ball {
  unsigned char bytes[48];
};

static cpu_set_t processors; /* that the program may use; fixed before the system starts */

/* Binds the calling thread to the i-th of them, if there are so many. */
static void bind_to(uint64_t i) {
  cpu_set_t one;
  CPU_ZERO(&one);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &processors) || i-- > 0) continue;
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

static enum trp_err place(struct trp_self *self, const struct trp_msg *msg) {
  uint64_t cpu = *(const uint64_t *)msg->body;
  bind_to(cpu);
  return trp_reply(self, msg->token, PLACE, &cpu, sizeof cpu);
}

/* ---- pong ---- */

static enum trp_err return_ball(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == PLACE) return place(self, msg);
  if (msg->token != 0) return trp_reply(self, msg->token, BALL, msg->body, msg->bytes);
  return trp_send(self, msg->from, BALL, msg->body, msg->bytes);
}

static const struct trp_kind pong_kind = {.name = "pong", .receive = return_ball};

/* ---- ping ---- */

struct ping {
  struct trp_ref pong;
  uint64_t token, left, began_ns;
  bool asks;
};

static enum trp_err serve(struct trp_self *self, struct ping *p) {
  struct ball ball = {{0}};
  if (!p->asks) return trp_send(self, p->pong, BALL, &ball, sizeof ball);
  return trp_ask(self, p->pong, QUESTION, &ball, sizeof ball, BENCH_PATIENCE_NS, NULL);
}

static enum trp_err play(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct ping *p = state;
  if (msg->type == PLACE) return place(self, msg);
  if (msg->type == RALLY || msg->type == QUIZ) {
    *p = (struct ping){.pong = trp_whereis(self, "pong"),
                       .token = msg->token,
                       .left = *(const uint64_t *)msg->body,
                       .asks = msg->type == QUIZ};
    p->began_ns = trp_now_ns(self);
    return serve(self, p);
  }
  if (msg->type != BALL) return TRP_INVALID;
  if (--p->left > 0) return serve(self, p);
  uint64_t took_ns = trp_now_ns(self) - p->began_ns;
  return trp_reply(self, p->token, BALL, &took_ns, sizeof took_ns);
}

static const struct trp_kind ping_kind = {
    .name = "ping", .state_bytes = sizeof(struct ping), .receive = play};

/* ---- questions ---- */

static double ask_from_outside(struct trp_system *system) {
  struct trp_ref pong = trp_system_whereis(system, "pong");
  struct ball ball = {{0}}, answer;
  uint64_t began_ns = bench_now_ns();
  for (int i = 0; i < ROUNDS; i++) {
    size_t bytes = sizeof answer;
    bench_must(trp_system_ask(system, pong, QUESTION, &ball, sizeof ball, BENCH_PATIENCE_NS, NULL,
                              &answer, &bytes),
               "ask");
  }
  return (double)(bench_now_ns() - began_ns) / 1e3 / ROUNDS;
}

static void ask(const struct bench *bench, struct trp_system *system, uint64_t pong_on,
                const char *where) {
  double plain[BENCH_RUNS], asked[BENCH_RUNS], outside[BENCH_RUNS];
  bench_ask(system, "ping", PLACE, 0);
  bench_ask(system, "pong", PLACE, pong_on);
  for (int i = 0; i < BENCH_RUNS; i++) {
    plain[i] = (double)bench_ask(system, "ping", RALLY, ROUNDS) / 1e3 / ROUNDS;
    asked[i] = (double)bench_ask(system, "ping", QUIZ, ROUNDS) / 1e3 / ROUNDS;
    outside[i] = ask_from_outside(system);
  }
  char name[64];
  snprintf(name, sizeof name, "pingpong.send_%s", where);
  bench_say(bench, name, "us", plain, BENCH_RUNS, "round trip of 48 bytes, both threads parked");
  snprintf(name, sizeof name, "pingpong.ask_%s", where);
  bench_say(bench, name, "us", asked, BENCH_RUNS, "an ask with a deadline and its reply");
  snprintf(name, sizeof name, "pingpong.outside_%s", where);
  bench_say(bench, name, "us", outside, BENCH_RUNS, "an ask from a thread outside the system");
}

int main(int argc, char **argv) {
  struct bench bench = bench_open("pingpong", argc, argv);
  sched_getaffinity(0, sizeof processors, &processors);
  struct trp_system *system = bench_system("pingpong");
  bench_add(system, &(struct trp_spec){.name = "pong", .kind = &pong_kind});
  bench_add(system, &(struct trp_spec){.name = "ping", .kind = &ping_kind});
  bench_start(system);
  bind_to(0); /* the thread outside */
  ask(&bench, system, 0, "one_cpu");
  ask(&bench, system, 1, "two_cpus");
  trp_system_destroy(&system);
  return 0;
}
