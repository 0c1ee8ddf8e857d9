/* latency.c - an open loop over a mutex and conditions: a thread sends by the clock, and another
 * notes how long after its moment each message came. */
#include "bench/peers/mutex/queue.h"

enum { PAYLOAD_BYTES = 48 };

struct tick {
  uint64_t due_ns;
  unsigned char rest[PAYLOAD_BYTES - sizeof(uint64_t)];
};

struct receiver {
  struct queue queue;
  uint64_t *late_ns;
  size_t expected;
};

static void *receive(void *arg) {
  struct receiver *r = arg;
  struct tick tick;
  for (size_t i = 0; i < r->expected; i++) {
    queue_get(&r->queue, &tick);
    r->late_ns[i] = peer_now_ns() - tick.due_ns;
  }
  return NULL;
}

static void run(uint64_t rate, uint64_t *late_ns, size_t count) {
  struct receiver r = {.late_ns = late_ns, .expected = count};
  queue_init(&r.queue, QUEUE_ROOM, sizeof(struct tick));
  pthread_t thread = thread_start(receive, &r);
  struct tick tick = {0};
  uint64_t began_ns = peer_now_ns();
  for (size_t i = 0; i < count; i++) {
    tick.due_ns = peer_await_due(began_ns, i, rate);
    queue_put(&r.queue, &tick);
  }
  thread_join(thread);
  queue_fini(&r.queue);
}

int main(int argc, char **argv) {
  struct peer_param params[] = {{"rate", 100000, PEER_SAMPLES_MAX / 10}, {"seconds", 2, 10}};
  peer_open(argc, argv, params, 2);
  uint64_t rate = params[0].value;
  size_t count = rate * params[1].value;
  uint64_t *late_ns = peer_alloc(count, sizeof *late_ns);
  run(rate, late_ns, peer_warm(count));
  run(rate, late_ns, count);
  peer_tell_quantiles(late_ns, count);
  free(late_ns);
  return 0;
}
