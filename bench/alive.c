/* alive.c - the memory of an idle actor, all in: so many supervised actors on the pool, each of
 * which has handled one message and waits for the next. What counts is resident memory before there
 * is a system and with all of them, as the kernel tells it. There is no warm-up: memory that was
 * used once would not be counted again. */
#include <stdatomic.h>
#include <unistd.h>

#include "actors/supervisor.h"
#include "bench/bench.h"

enum {
  HELLO = TRP_USER_FIRST,
  CAPACITY = 16,
  ROOM = 64, /* of the system, beside them */
  SETTLE_MS = 500,
  LOOK_MS = 1,
  ACTORS_MAX = (1 << 20) - ROOM
};

static _Atomic uint64_t heard;

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  *(uint64_t *)state += msg->type;
  /* relaxed: only the number matters. */
  atomic_fetch_add_explicit(&heard, 1, memory_order_relaxed);
  return TRP_OK;
}

static const struct trp_kind kind = {
    .name = "idler", .state_bytes = sizeof(uint64_t), .receive = receive};

static double resident_bytes(void) {
  unsigned long size, pages;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%lu %lu", &size, &pages) != 2) {
    bench_must(TRP_SYSTEM, "/proc/self/statm");
  }
  fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void populate(struct trp_system *system, uint64_t actors) {
  const struct trp_spec spec = {.kind = &kind,
                                .mailbox.capacity = CAPACITY,
                                .placement = TRP_POOL,
                                .restart.restart = TRP_TEMPORARY,
                                .supervisor = "supervisor"};
  for (uint64_t i = 0; i < actors; i++) {
    struct trp_ref ref;
    bench_must(trp_system_spawn(system, &spec, &ref), "spawn");
    bench_must(trp_system_send(system, ref, HELLO, NULL, 0), "send");
  }
  uint64_t until_ns = bench_now_ns() + BENCH_PATIENCE_NS;
  /* relaxed: as above. */
  while (atomic_load_explicit(&heard, memory_order_relaxed) < actors) {
    if (bench_now_ns() > until_ns) bench_must(TRP_TIMEOUT, "the last message");
    bench_sleep_ns(LOOK_MS * TRP_NS_PER_MS);
  }
  bench_sleep_ns(SETTLE_MS * TRP_NS_PER_MS); /* until the last ring is given back */
}

int main(int argc, char **argv) {
  uint64_t actors = 0;
  struct bench_param params[] = {
      {.name = "actors", .least = 1, .most = ACTORS_MAX, .value = &actors}};
  BENCH_OPEN(argc, argv, params);
  double before = resident_bytes();
  struct trp_system_options options = bench_quiet("alive");
  options.actors_max = (uint32_t)actors + ROOM;
  struct trp_system *system = bench_system_of(&options);
  bench_add(system, &(struct trp_spec){.name = "supervisor", .kind = &trp_supervisor_kind});
  bench_start(system);
  populate(system, actors);
  bench_say("bytes", "B", (resident_bytes() - before) / (double)actors);
  trp_system_destroy(&system);
  return 0;
}
