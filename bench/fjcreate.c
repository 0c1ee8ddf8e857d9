/* fjcreate.c - Savina's fork-join creation: so many actors are spawned, get one message, do a
 * little arithmetic, and exit. The clock runs until the last has ended. */
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "actors/supervisor.h"
#include "bench/bench.h"
#include "bench/savina.h"

enum {
  RUN = TRP_USER_FIRST, /* to the parent: how many; answered with the time when it began */
  GO_ON,                /* of the parent to itself */
  WORK,
  BURST = 64,
  CAPACITY = 2,
  ROOM = 64, /* of the system, beside the children */
  ACTORS_MAX = (1 << 20) - ROOM
};

/* The children that have not ended yet; the last one posts. */
static _Atomic uint64_t living;
static sem_t all_ended;

/* ---- child ---- */

static enum trp_err work(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  savina_work(*(const double *)msg->body);
  trp_exit(self);
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)state;
  (void)reason;
  /* acq_rel, with the others' own decrements: whoever sees 0 comes after all of them. */
  if (atomic_fetch_sub_explicit(&living, 1, memory_order_acq_rel) == 1) sem_post(&all_ended);
}

static const struct trp_kind child_kind = {.name = "child", .receive = work, .end = end};

/* ---- parent ---- */

struct parent {
  uint64_t left;
};

/* LIMIT: as many live as the system has room for; the next turn tries again. */
static enum trp_err spawn_some(struct trp_self *self, struct parent *p) {
  static const struct trp_spec spec = {.kind = &child_kind,
                                       .mailbox.capacity = CAPACITY,
                                       .placement = TRP_POOL,
                                       .restart.restart = TRP_TEMPORARY};
  static const double theta = SAVINA_THETA;
  for (int i = 0; i < BURST && p->left > 0; i++) {
    struct trp_ref child;
    enum trp_err err = trp_spawn(self, &spec, &child);
    if (err == TRP_LIMIT) break;
    bench_must(err, "spawn");
    bench_must(trp_send(self, child, WORK, &theta, sizeof theta), "send");
    p->left--;
  }
  return p->left > 0 ? trp_send(self, trp_self_ref(self), GO_ON, NULL, 0) : TRP_OK;
}

static enum trp_err conduct(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct parent *p = state;
  if (msg->type == RUN) {
    p->left = *(const uint64_t *)msg->body;
    uint64_t now_ns = bench_now_ns();
    enum trp_err err = trp_reply(self, msg->token, RUN, &now_ns, sizeof now_ns);
    if (err != TRP_OK) return err;
  }
  return spawn_some(self, p);
}

static const struct trp_kind parent_kind = {
    .name = "parent", .state_bytes = sizeof(struct parent), .receive = conduct};

/* ---- a run ---- */

static uint64_t run(struct trp_system *system, uint64_t actors) {
  /* release: the children that will count it down are made by whoever gets RUN, after this. */
  atomic_store_explicit(&living, actors, memory_order_release);
  uint64_t began_ns = bench_ask(system, "parent", RUN, actors);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += (time_t)(BENCH_PATIENCE_NS / TRP_NS_PER_S);
  while (sem_timedwait(&all_ended, &until) != 0) {
    if (errno != EINTR) bench_must(TRP_TIMEOUT, "the end of the last child");
  }
  return bench_now_ns() - began_ns;
}

int main(int argc, char **argv) {
  uint64_t actors = 0;
  struct bench_param params[] = {
      {.name = "actors", .least = 1, .most = ACTORS_MAX, .value = &actors}};
  BENCH_OPEN(argc, argv, params);
  sem_init(&all_ended, 0, 0);
  struct trp_system_options options = bench_quiet("fjcreate");
  options.actors_max = (uint32_t)actors + ROOM;
  struct trp_system *system = bench_system_of(&options);
  bench_add(system, &(struct trp_spec){.name = "supervisor", .kind = &trp_supervisor_kind});
  bench_add(system, &(struct trp_spec){.name = "parent",
                                       .kind = &parent_kind,
                                       .supervisor = "supervisor",
                                       .placement = TRP_POOL});
  bench_start(system);
  run(system, bench_warm(actors));
  uint64_t took_ns = run(system, actors);
  trp_system_destroy(&system);
  sem_destroy(&all_ended);
  bench_say("actors", "actors/s", bench_rate(actors, took_ns));
  return 0;
}
