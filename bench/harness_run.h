/* harness_run.h - runs one program once: on the cores it may use, within its time, and reads the
 * lines in which it speaks.
 *
 * A program runs in a process group of its own, which is ended when the time is over and when the
 * program has ended; it dies with the harness. Thread: one at a time. */
#ifndef TRP_BENCH_HARNESS_RUN_H
#define TRP_BENCH_HARNESS_RUN_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

enum {
  HARNESS_LINES_MAX = 16,
  HARNESS_TEXT_MAX = 1 << 14, /* bytes of a program's standard output or error that are kept */
  HARNESS_ARGS_MAX = 16
};

/* {"metric":"messages","unit":"msg/s","value":1.23e7} */
struct harness_line {
  char metric[32], unit[16];
  double value;
};

struct harness_run {
  int status; /* exit status; 128 + signal; -1: the time was over, -2: interrupted */
  size_t count;
  struct harness_line lines[HARNESS_LINES_MAX];
  char trouble[256];            /* "" where all went well, else one sentence */
  char said[HARNESS_TEXT_MAX];  /* its standard output */
  char error[HARNESS_TEXT_MAX]; /* its standard error */
};

struct harness_command {
  const char *program;
  const char *args;       /* separated by spaces */
  const cpu_set_t *cores; /* NULL: any */
  unsigned timeout_s;
};

/* Runs it and keeps what it said; does not read its lines. True where it ended with 0. */
bool harness_run_any(const struct harness_command *command, struct harness_run *run);

/* Runs a program of the contract and reads its lines; true where there is at least one and nothing
 * is wrong. */
bool harness_run_program(const struct harness_command *command, struct harness_run *run);

/* Reads one line; false where it is not of that form, or the value not finite. */
bool harness_line_read(const char *text, struct harness_line *line);

/* Asks a run under way to end at once, and later ones not to begin. Async-signal-safe. */
void harness_interrupt(void);
bool harness_interrupted(void);

#endif
