/* process.h - tests start real processes, read what they say, and wait for them with deadlines.
 *
 * Output goes to files in a private folder that process_cleanup removes. Only processes that were
 * started here are ended, by their id. */
#ifndef TRP_TEST_SUPPORT_PROCESS_H
#define TRP_TEST_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_ARGS_MAX = 24, PROCESS_TEXT_MAX = 1 << 20 };

struct process {
  pid_t pid;
  const char *program;     /* NULL: the program under test */
  char out[160], err[160]; /* paths of what it wrote */
  int err_fd;              /* where above 0: used as its standard error instead */
  const char *terminal;    /* where not NULL: this device is its standard output instead */
};

/* The program under test: $TROUPE, else build/release/troupe. */
const char *process_troupe(void);

/* The private folder, of mode 0700. */
const char *process_folder(void);

/* A path in the private folder; the pointer is good for the next 8 calls. */
const char *process_path(const char *name);

/* Starts `troupe ARGS...` or `program ARGS...` (ends with NULL). Asserts that it starts. */
void process_start(struct process *process, const char *const *args);

/* Waits until it has taken charge of SIGTERM: from then on a signal is its own business. */
bool process_wait_signals_held(struct process *process, unsigned timeout_ms);

/* Waits for its end; the exit status, 128 + signal, or -1 where the time is over. */
int process_wait(struct process *process, unsigned timeout_ms);

/* Ends it with SIGKILL where it still runs. */
void process_end(struct process *process);

/* The file as text, in a static buffer. */
const char *process_read(const char *path);

/* Runs `troupe ARGS...` to its end (at most 15 s) and gives its standard output. */
int process_run(const char *const *args, const char **out);

/* Waits until the file contains the text; false where it does not in time. */
bool process_wait_text(const char *path, const char *text, unsigned timeout_ms);

/* Milliseconds of CLOCK_MONOTONIC. */
unsigned long process_now_ms(void);
void process_nap(unsigned ms);

/* 1 in release builds, more where sanitizers or valgrind make everything slow. */
unsigned process_slowness(void);

#endif
