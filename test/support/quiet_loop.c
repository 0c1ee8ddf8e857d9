#include "test/support/quiet_loop.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static struct quiet_loop *of(struct trp_loop *loop) { return (struct quiet_loop *)(void *)loop; }

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void run(struct trp_loop *base, uint64_t until_ns) {
  struct quiet_loop *loop = of(base);
  uint64_t now = now_ns(), left = until_ns > now ? until_ns - now : 0, count;
  struct timespec wait = {.tv_sec = (time_t)(left / TRP_NS_PER_S),
                          .tv_nsec = (long)(left % TRP_NS_PER_S)};
  struct pollfd fd = {.fd = loop->wake_fd, .events = POLLIN};
  atomic_fetch_add(&loop->runs, 1);
  atomic_store(&loop->tid, gettid());
  void (*served)(void *) = atomic_load(&loop->served);
  if (served != NULL) served(loop->arg);
  if (ppoll(&fd, 1, until_ns == TRP_FOREVER ? NULL : &wait, NULL) <= 0) return;
  if (read(loop->wake_fd, &count, sizeof count) < 0) return; /* somebody else's wake came first */
}

static void wake(struct trp_loop *base) {
  const uint64_t one = 1;
  atomic_fetch_add(&of(base)->wakes, 1);
  if (write(of(base)->wake_fd, &one, sizeof one) < 0) abort();
}

void quiet_loop_open(struct quiet_loop *loop) {
  memset(loop, 0, sizeof *loop);
  loop->loop = (struct trp_loop){.run = run, .wake = wake};
  loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (loop->wake_fd < 0) abort();
}

void quiet_loop_close(struct quiet_loop *loop) { close(loop->wake_fd); }
