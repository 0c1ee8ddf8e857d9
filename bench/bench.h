/* bench.h - what our benchmark programs share: parameters, the clock, quiet systems, and the one
 * form in which all of them speak.
 *
 * A program answers one question. It is invoked as `PROGRAM key=value ...` with every parameter it
 * has (they are chosen in one place, bench/harness_questions.c), warms up by itself, measures once,
 * and prints for each metric a line
 *
 *   {"metric":"messages","unit":"msg/s","value":1.23e7}
 *
 * Exit status 1: it could not measure, and says why; 2: wrong use. The peers' programs under
 * bench/peers keep the same rules. Everything here is static: each program is one file linked with
 * the library and nothing else. */
#ifndef TRP_BENCH_BENCH_H
#define TRP_BENCH_BENCH_H

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/statistics.h"
#include "runtime/troupe.h"

#define BENCH_PATIENCE_NS (60 * TRP_NS_PER_S) /* no single wait of a benchmark is longer */

/* ---- parameters ---- */

struct bench_param {
  const char *name;
  uint64_t least, most;
  uint64_t *value;
  bool given;
};

static inline void bench_misuse(const char *program, const struct bench_param *params,
                                size_t count) {
  fprintf(stderr, "usage: %s", program);
  for (size_t i = 0; i < count; i++) {
    fprintf(stderr, " %s=%" PRIu64 "..%" PRIu64, params[i].name, params[i].least, params[i].most);
  }
  fputc('\n', stderr);
  exit(2);
}

static inline bool bench_take_param(const char *argument, struct bench_param *params,
                                    size_t count) {
  const char *equals = strchr(argument, '=');
  for (size_t i = 0; equals != NULL && i < count; i++) {
    size_t length = (size_t)(equals - argument);
    if (strlen(params[i].name) != length || memcmp(params[i].name, argument, length) != 0) continue;
    char *end;
    uint64_t value = strtoull(equals + 1, &end, 10);
    if (equals[1] < '0' || equals[1] > '9' || *end != '\0') return false;
    if (value < params[i].least || value > params[i].most) return false;
    *params[i].value = value;
    params[i].given = true;
    return true;
  }
  return false;
}

/* Every parameter must be given, nothing else may be; otherwise the program ends with 2. */
static inline void bench_open(int argc, char **argv, struct bench_param *params, size_t count) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc; i++) {
    if (!bench_take_param(argv[i], params, count)) bench_misuse(argv[0], params, count);
  }
  for (size_t i = 0; i < count; i++) {
    if (!params[i].given) bench_misuse(argv[0], params, count);
  }
}

#define BENCH_OPEN(argc, argv, params)                                                             \
  bench_open(argc, argv, params, sizeof(params) / sizeof *(params))

/* ---- results ---- */

static inline void bench_say(const char *metric, const char *unit, double value) {
  printf("{\"metric\":\"%s\",\"unit\":\"%s\",\"value\":%.9g}\n", metric, unit, value);
}

/* So many of something in so many nanoseconds, a second. */
static inline double bench_rate(uint64_t count, uint64_t took_ns) {
  return (double)count * 1e9 / (double)took_ns;
}

/* Microseconds for each of so many. */
static inline double bench_each_us(uint64_t count, uint64_t took_ns) {
  return (double)took_ns / 1e3 / (double)count;
}

/* A tenth of the work comes before what is measured. */
static inline uint64_t bench_warm(uint64_t work) { return work < 10 ? 1 : work / 10; }

/* ---- time and trouble ---- */

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

/* ---- systems ---- */

/* Options of a quiet system: what is measured is not the writing of log lines. */
static inline struct trp_system_options bench_quiet(const char *name) {
  return (struct trp_system_options){
      .name = name, .log_level = TRP_LOG_NONE, .log_fd = -1, .quiet_report = true};
}

static inline struct trp_system *bench_system_of(const struct trp_system_options *options) {
  struct trp_system *system = NULL;
  bench_must(trp_system_new(&system, options), "new");
  return system;
}

static inline struct trp_system *bench_system(const char *name) {
  struct trp_system_options options = bench_quiet(name);
  return bench_system_of(&options);
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

/* The name of the i-th of a kind; good until the next call in this thread. */
static inline const char *bench_name(const char *stem, uint64_t i) {
  static _Thread_local char name[TRP_NAME_MAX + 1];
  snprintf(name, sizeof name, "%s%" PRIu64, stem, i);
  return name;
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
