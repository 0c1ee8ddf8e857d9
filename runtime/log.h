/* log.h - one system's log: lines from any thread, written by a thread of its own.
 *
 *   2026-01-02T03:04:05.678901Z INFO  binance feed.state state=LIVE
 *   000012.345678 INFO  binance feed.state state=LIVE              (virtual time)
 *
 * A line is formatted by who logs it and copied into a bounded ring under a short mutex; the log's
 * thread writes it out, waiting for the reader, so nobody else ever does. Where the ring is full,
 * lines are dropped and counted until half of it is free again; then "log.dropped count=N total=M"
 * stands where they are missing. After the reader has gone, lines are only counted. Control
 * characters are escaped: a value can neither forge a line nor drive a terminal.
 *
 * Without a thread (simulation) lines are appended to a bounded text in memory, the trace.
 *
 * Who owns what: the log belongs to who opened it; texts are copied. Closing is bounded: a log
 * whose thread is held back in the kernel is left to that thread, which frees it if it ever
 * returns. Thread: any, except open and close: the owner, with nobody else in the log any more at
 * close. */
#ifndef TRP_RUNTIME_LOG_H
#define TRP_RUNTIME_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/troupe.h"

enum {
  TRP_LOG_LINE_MAX = 2048, /* bytes of a line with its end; longer ones end in "..." */
  TRP_LOG_RING_BYTES = 256 << 10,
  TRP_LOG_TRACE_MAX = 16 << 20
};

/* Nanoseconds of CLOCK_REALTIME, or of virtual time. Called by any thread that logs. */
typedef uint64_t trp_log_clock_fn(void *arg);

struct trp_log_options {
  int fd;                   /* borrowed; -1: nowhere */
  enum trp_log_level level; /* 0: info */
  trp_log_clock_fn *clock;  /* NULL: CLOCK_REALTIME */
  void *clock_arg;
  bool virtual_time; /* the clock counts from the system's start */
  bool threaded;     /* false: into the trace */
  const char *owner; /* the system's name, for the register of threads; copied */
};

struct trp_log;

/* Errors: NO_MEMORY, SYSTEM (no thread). */
TRP_MUST_USE enum trp_err trp_log_open(struct trp_log **out, const struct trp_log_options *options);

/* One line; never blocks. `who` and `event` are words, the rest is printf's. NULL log: nothing. */
__attribute__((format(printf, 5, 0))) void trp_log_write(struct trp_log *log, const char *who,
                                                         enum trp_log_level level,
                                                         const char *event, const char *format,
                                                         va_list args);

/* The same with its arguments in place. */
__attribute__((format(printf, 5, 6))) void trp_log_line(struct trp_log *log, const char *who,
                                                        enum trp_log_level level, const char *event,
                                                        const char *format, ...);

/* Lines below it are not even formatted. */
void trp_log_set_level(struct trp_log *log, enum trp_log_level level);
bool trp_log_is_on(const struct trp_log *log, enum trp_log_level level);

/* A line of level CRIT, past the ring straight to the descriptor (NULL log: standard error), in at
 * most 100 ms; in simulation into the trace. `text` is ready made. With a log that has a thread,
 * or none at all: async-signal-safe. */
void trp_log_critical(struct trp_log *log, const char *who, const char *event, const char *text);

/* Waits until what was logged before this call is written. Errors: TIMEOUT, CLOSED (the reader has
 * gone; at once). */
TRP_MUST_USE enum trp_err trp_log_flush(struct trp_log *log, uint64_t timeout_ns);

/* Writes what is left, for at most `timeout_ns`, frees and nulls. Errors: TIMEOUT, CLOSED: lines
 * were lost, and the log is closed all the same. NULL is fine. */
enum trp_err trp_log_close(struct trp_log **log, uint64_t timeout_ns);

/* Lines that were lost so far. */
uint64_t trp_log_dropped(struct trp_log *log);

/* The trace, NUL-terminated, *bytes (may be NULL) long; borrowed until the next line. Thread: the
 * simulation's. */
const char *trp_log_trace(struct trp_log *log, size_t *bytes);

#endif
