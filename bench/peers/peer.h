/* peer.h - what the peers' programs in C and C++ share: parameters, the clock, the bound on a run,
 * and the one form of an answer.
 *
 * A program is called as PROGRAM key=value ..., does a tenth of the work to warm up and then the
 * measured run, and prints an object a line for each metric. It exits 0, or 2 for a parameter it
 * does not know, or 1 for trouble, having said what. Two clocks bound it: a run that a slow system
 * cannot finish is cut after PEER_RUN_NS and speaks of what it did by then, and a program that
 * hangs ends itself after PEER_LIFE_S.
 *
 * Everything is static: each program is one file linked with its system and nothing else. */
#ifndef TRP_BENCH_PEERS_PEER_H
#define TRP_BENCH_PEERS_PEER_H

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEER_NS_PER_S ((uint64_t)1000000000)
#define PEER_RUN_NS (5 * PEER_NS_PER_S)
#define PEER_WARM_NS (PEER_NS_PER_S / 2)

enum {
  PEER_LIFE_S = 18,
  PEER_WARM_SHARE = 10,       /* of the work is done beforehand */
  PEER_PAYLOAD_MAX = 4096,    /* bytes */
  PEER_ACTORS_MAX = 1000,     /* where an actor is a thread */
  PEER_STRIDE = 256,          /* messages between two looks at the clock */
  PEER_SAMPLES_MAX = 20000000 /* of latency; bounds rate times seconds */
};

struct peer_param {
  const char *key;
  uint64_t value, max;
};

static inline void peer_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

static inline void peer_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  _exit(1); /* other threads may be anywhere */
}

static inline void peer_too_long(int signal) {
  static const char words[] = "the run took too long and was given up\n";
  (void)signal;
  if (write(STDERR_FILENO, words, sizeof words - 1) < 0) _exit(1);
  _exit(1);
}

static inline void peer_set(const char *argument, struct peer_param *params, size_t count) {
  const char *equals = strchr(argument, '=');
  size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
  for (size_t i = 0; i < count; i++) {
    if (strlen(params[i].key) != length || strncmp(params[i].key, argument, length) != 0) continue;
    char *end = NULL;
    errno = 0;
    unsigned long long value = equals ? strtoull(equals + 1, &end, 10) : 0;
    if (value > 0 && value <= params[i].max && errno == 0 && *end == '\0') {
      params[i].value = value;
      return;
    }
    fprintf(stderr, "%s: %s is a number from 1 to %llu\n", argument, params[i].key,
            (unsigned long long)params[i].max);
    exit(2);
  }
  fprintf(stderr, "%.*s: no such parameter here\n", (int)length, argument);
  exit(2);
}

/* Reads the parameters over their defaults, and starts the clock that bounds the program. */
static inline void peer_open(int argc, char **argv, struct peer_param *params, size_t count) {
  for (int i = 1; i < argc; i++) peer_set(argv[i], params, count);
  signal(SIGALRM, peer_too_long);
  alarm(PEER_LIFE_S);
}

/* A program whose messages have their size compiled in says so. */
static inline void peer_fixed(const char *key, uint64_t value, uint64_t only) {
  if (value == only) return;
  fprintf(stderr, "%s=%llu: this program is compiled for %llu\n", key, (unsigned long long)value,
          (unsigned long long)only);
  exit(2);
}

/* A payload that has to hold something says how little is enough. */
static inline void peer_least(const char *key, uint64_t value, uint64_t least) {
  if (value >= least) return;
  fprintf(stderr, "%s=%llu: %llu is the least here\n", key, (unsigned long long)value,
          (unsigned long long)least);
  exit(2);
}

static inline uint64_t peer_warm(uint64_t work) {
  return work < PEER_WARM_SHARE ? 1 : work / PEER_WARM_SHARE;
}

static inline uint64_t peer_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * PEER_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Whether after so many messages the run is to be cut. */
static inline bool peer_over(uint64_t done, uint64_t deadline_ns) {
  return done % PEER_STRIDE == 0 && peer_now_ns() >= deadline_ns;
}

static inline void peer_expect(const char *what, uint64_t got, uint64_t expected) {
  if (got == expected) return;
  peer_fail("%s: %llu where %llu were expected", what, (unsigned long long)got,
            (unsigned long long)expected);
}

static inline void peer_tell(const char *metric, const char *unit, double value) {
  printf("{\"metric\":\"%s\",\"unit\":\"%s\",\"value\":%.6g}\n", metric, unit, value);
}

static inline void peer_tell_rate(const char *metric, const char *unit, uint64_t done,
                                  uint64_t took_ns) {
  peer_tell(metric, unit, (double)done * (double)PEER_NS_PER_S / (double)took_ns);
}

static inline void peer_tell_round(const char *metric, uint64_t rounds, uint64_t took_ns) {
  peer_tell(metric, "us", (double)took_ns / 1e3 / (double)rounds);
}

static inline int peer_ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static inline void peer_tell_quantiles(uint64_t *late_ns, size_t count) {
  qsort(late_ns, count, sizeof *late_ns, peer_ascending);
  peer_tell("p50", "us", (double)late_ns[(count - 1) * 500 / 1000] / 1e3);
  peer_tell("p99", "us", (double)late_ns[(count - 1) * 990 / 1000] / 1e3);
  peer_tell("p999", "us", (double)late_ns[(count - 1) * 999 / 1000] / 1e3);
}

static inline void *peer_alloc(size_t count, size_t bytes) {
  void *memory = calloc(count, bytes);
  if (memory == NULL) peer_fail("no memory for %zu times %zu bytes", count, bytes);
  return memory;
}

/* ---- the open loop ---- */

/* Message i of a steady stream is due at began + i / rate, whether the others got through or not.
 * The sender waits for that moment on the clock: no timer of the kernel is that fine. */
static inline uint64_t peer_await_due(uint64_t began_ns, uint64_t i, uint64_t rate) {
  uint64_t due_ns = began_ns + i * PEER_NS_PER_S / rate;
  while (peer_now_ns() < due_ns) {
  }
  return due_ns;
}

/* ---- what Savina's programs do with a message ---- */

#define PEER_THETA 37.2

/* The work of a message in Savina's fork-join programs, done on PEER_THETA. */
static inline double peer_work(double theta) {
  double s = sin(theta);
  if (s * s <= 0) peer_fail("a square of %g is not above zero", s);
  return s * s;
}

/* Savina's big draws its partners at random; a xorshift does. The state starts above 0. */
static inline uint64_t peer_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

#endif
