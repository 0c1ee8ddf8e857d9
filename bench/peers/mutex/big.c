/* big.c - Savina's big: each actor, here a thread with a queue, pings a partner drawn at random,
 * waits for the pong, and pings the next; meanwhile it answers the others. Pings and pongs both
 * count. A sink hears who is done and then ends them all. */
#include "bench/peers/mutex/queue.h"

enum { PING, PONG, STOP };

struct mail {
  uint32_t kind, from;
};

struct company;

struct actor {
  struct queue queue;
  struct company *company;
  pthread_t thread;
  uint64_t pings, pongs, random;
  uint32_t self, partner;
};

struct company {
  struct queue sink;
  struct actor *actors;
  uint64_t count, pings;
};

static void ping(struct actor *a) {
  a->partner = (uint32_t)(peer_random(&a->random) % a->company->count);
  a->pings++;
  struct mail mail = {.kind = PING, .from = a->self};
  queue_put(&a->company->actors[a->partner].queue, &mail);
}

static void take_pong(struct actor *a, uint32_t from) {
  peer_expect("who sent the pong", from, a->partner);
  a->pongs++;
  if (a->pings < a->company->pings) {
    ping(a);
  } else {
    queue_put(&a->company->sink, &a->self);
  }
}

static void *act(void *arg) {
  struct actor *a = arg;
  struct mail mail, answer = {.kind = PONG, .from = a->self};
  ping(a);
  for (;;) {
    queue_get(&a->queue, &mail);
    if (mail.kind == STOP) return NULL;
    if (mail.kind == PONG) {
      take_pong(a, mail.from);
    } else {
      queue_put(&a->company->actors[mail.from].queue, &answer);
    }
  }
}

/* An actor has one ping under way at most, so that a queue with room for one of each never blocks
 * its writer. */
static uint64_t run(uint64_t count, uint64_t pings) {
  struct company c = {
      .actors = peer_alloc(count, sizeof *c.actors), .count = count, .pings = pings};
  queue_init(&c.sink, count, sizeof(uint32_t));
  for (uint32_t i = 0; i < count; i++) {
    struct actor *a = &c.actors[i];
    a->company = &c;
    a->self = i;
    a->random = i + 1;
    queue_init(&a->queue, count + 2, sizeof(struct mail));
  }

  uint64_t began_ns = peer_now_ns(), pongs = 0;
  uint32_t who;
  for (uint64_t i = 0; i < count; i++) c.actors[i].thread = thread_start(act, &c.actors[i]);
  for (uint64_t i = 0; i < count; i++) queue_get(&c.sink, &who);
  uint64_t took_ns = peer_now_ns() - began_ns;

  struct mail stop = {.kind = STOP};
  for (uint64_t i = 0; i < count; i++) {
    queue_put(&c.actors[i].queue, &stop);
    thread_join(c.actors[i].thread);
    queue_fini(&c.actors[i].queue);
    pongs += c.actors[i].pongs;
  }
  peer_expect("pongs", pongs, count * pings);
  queue_fini(&c.sink);
  free(c.actors);
  return took_ns;
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"actors", 120, PEER_ACTORS_MAX}, {"pings", 2000, UINT32_MAX}};
  peer_open(argc, argv, params, 2);
  uint64_t actors = params[0].value, pings = params[1].value;
  run(actors, peer_warm(pings));
  uint64_t took_ns = run(actors, pings);
  peer_tell_rate("messages", "msg/s", 2 * actors * pings, took_ns);
  return 0;
}
