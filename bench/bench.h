/* bench.h - what the benchmark programs share: the clock, order statistics, and the one form in
 * which all of them speak.
 *
 * A program asks several questions and prints a line for each:
 *
 *   name  value unit  (min..max, n runs; what it measures)
 *
 * where value is the median of the runs; with --json it prints one object a line instead.
 * Everything is static: each program is one file linked with the library and nothing else. */
#ifndef TRP_BENCH_BENCH_H
#define TRP_BENCH_BENCH_H

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/troupe.h"

#define BENCH_PATIENCE_NS (8 * TRP_NS_PER_S) /* no single wait of a benchmark is longer */

enum { BENCH_RUNS = 5 };

struct bench {
  const char *program;
  bool json;
};

static inline struct bench bench_open(const char *program, int argc, char **argv) {
  struct bench bench = {.program = program};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") != 0) {
      fprintf(stderr, "usage: %s [--json]\n", program);
      exit(2);
    }
    bench.json = true;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  return bench;
}

static inline uint64_t bench_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline void bench_sleep_ns(uint64_t ns) {
  struct timespec t = {.tv_sec = (time_t)(ns / TRP_NS_PER_S), .tv_nsec = (long)(ns % TRP_NS_PER_S)};
  nanosleep(&t, NULL);
}

/* A benchmark that fails has nothing to say: it names the step and ends. */
static inline void bench_must(enum trp_err err, const char *what) {
  if (err == TRP_OK) return;
  fprintf(stderr, "%s: %s\n", what, trp_err_text(err));
  exit(1);
}

static inline int bench_ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Sorts the values and returns the one below which a share of them lies. */
static inline double bench_quantile(double *values, size_t count, double share) {
  qsort(values, count, sizeof *values, bench_ascending);
  return values[(size_t)floor(share * (double)(count - 1) + 0.5)];
}

/* Prints the median of the runs with the least and the greatest; sorts them. */
static inline void bench_say(const struct bench *bench, const char *name, const char *unit,
                             double *runs, size_t count, const char *what) {
  double median = bench_quantile(runs, count, 0.5);
  double least = runs[0], greatest = runs[count - 1];
  if (bench->json) {
    printf(
        "{\"program\":\"%s\",\"name\":\"%s\",\"value\":%.9g,\"unit\":\"%s\",\"min\":%.9g,"
        "\"max\":%.9g,\"runs\":%zu,\"what\":\"%s\"}\n",
        bench->program, name, median, unit, least, greatest, count, what);
    return;
  }
  printf("%-28s %9.4g %-8s (%.4g..%.4g, %zu runs; %s)\n", name, median, unit, least, greatest,
         count, what);
}

/* ---- systems ---- */

/* A quiet system: what is measured is not the writing of log lines. */
static inline struct trp_system *bench_system(const char *name) {
  struct trp_system_options options = {
      .name = name, .log_level = TRP_LOG_NONE, .log_fd = -1, .quiet_report = true};
  struct trp_system *system = NULL;
  bench_must(trp_system_new(&system, &options), "new");
  return system;
}

static inline void bench_add(struct trp_system *system, const struct trp_spec *spec) {
  bench_must(trp_system_add(system, spec), spec->name);
}

static inline void bench_start(struct trp_system *system) {
  char failure[256] = "";
  enum trp_err err = trp_system_start(system, failure, sizeof failure);
  if (err != TRP_OK) fprintf(stderr, "%s\n", failure);
  bench_must(err, "start");
}

/* Asks an actor, where its mailbox is full again and again; its answer is a number, mostly of
 * nanoseconds. */
static inline uint64_t bench_ask(struct trp_system *system, const char *actor, uint16_t type,
                                 uint64_t with) {
  struct trp_ref to = trp_system_whereis(system, actor);
  uint64_t answer = 0;
  size_t bytes = sizeof answer;
  enum trp_err err;
  while ((err = trp_system_ask(system, to, type, &with, sizeof with, BENCH_PATIENCE_NS, NULL,
                               &answer, &bytes)) == TRP_FULL) {
    sched_yield();
  }
  bench_must(err, actor);
  return answer;
}

#endif
