#include "runtime/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/check.h"
#include "runtime/deadline.h"
#include "runtime/thread.h"
#include "runtime/write.h"

enum {
  IDLE_NS = 1000000000,    /* without lines, the thread looks around so often */
  PIECE_NS = 100000000,    /* one wait for the reader, then the thread looks around */
  CRITICAL_NS = 100000000, /* a critical line waits so long for its reader */
  GRACE_NS = 200000000     /* after the deadline, for the thread to notice it */
};

struct trp_log {
  int fd;
  _Atomic int level; /* relaxed: a change may be seen a line late */
  trp_log_clock_fn *clock;
  void *clock_arg;
  bool virtual_time, threaded;
  char owner[TRP_NAME_MAX + 1];

  pthread_mutex_t lock;   /* guards everything below */
  pthread_cond_t more;    /* to the thread: lines, or closing */
  pthread_cond_t written; /* from the thread: head has moved, or it is done */
  char *text;             /* the ring, or the trace */
  size_t capacity;
  uint64_t head, tail; /* bytes ever written out and put in; the trace has only a tail */
  uint64_t dropped;    /* lines, in all */
  uint64_t unreported; /* of them, since the last report: nonzero means "dropping" */
  bool broken;         /* the reader has gone */
  bool closing;
  bool done;            /* the thread touches nothing any more */
  bool orphan;          /* the thread frees the log */
  uint64_t deadline_ns; /* of closing */
  pthread_t thread;
};

/* ---- making a line: no printf, no lock, so that last words can use it too ------------------ */

struct line {
  char *at, *end; /* the end leaves room for "...\n" and a NUL */
  char text[TRP_LOG_LINE_MAX];
};

static void line_begin(struct line *line) {
  line->at = line->text;
  line->end = line->text + sizeof line->text - sizeof "...\n";
}

static void put_char(struct line *line, char c) {
  if (line->at <= line->end) *line->at++ = c; /* one past the end marks a cut line */
}

static void put_number(struct line *line, uint64_t value, int width) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0 && count < 20);
  while (width-- > count) put_char(line, '0');
  while (count > 0) put_char(line, digits[--count]);
}

/* Also the control characters of ISO 8859-1 as they are (0x80 to 0x9f on their own, which is no
 * UTF-8) and in UTF-8 (after 0xc2): terminals obey both. */
static bool is_control(unsigned char c, unsigned char before) {
  if (c < 0x20 || c == 0x7f) return true;
  return c >= 0x80 && c <= 0x9f && (before < 0x80 || before == 0xc2);
}

static void put_text(struct line *line, const char *text) {
  unsigned char before = 0;
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (!is_control(c, before)) {
      put_char(line, (char)c);
    } else if (c == '\n') {
      put_char(line, '\\');
      put_char(line, 'n');
    } else {
      put_char(line, '\\');
      put_char(line, 'x');
      put_char(line, "0123456789abcdef"[c >> 4]);
      put_char(line, "0123456789abcdef"[c & 15]);
    }
    before = c;
  }
}

static size_t line_end(struct line *line) {
  if (line->at > line->end) {
    line->at = line->end;
    for (int i = 0; i < 3; i++) *line->at++ = '.';
  }
  *line->at++ = '\n';
  *line->at = '\0';
  return (size_t)(line->at - line->text);
}

/* The proleptic Gregorian date of a day number since 1970-01-01: gmtime_r would take a lock. Years
 * are counted from March, so that the leap day comes last. */
static void put_date(struct line *line, uint64_t days) {
  days += 719468; /* since 0000-03-01 */
  uint64_t era = days / 146097, day = days % 146097;
  uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  day -= 365 * year + year / 4 - year / 100;
  uint64_t month = (5 * day + 2) / 153; /* 0 is March */
  put_number(line, era * 400 + year + (month >= 10), 4);
  put_char(line, '-');
  put_number(line, month < 10 ? month + 3 : month - 9, 2);
  put_char(line, '-');
  put_number(line, day - (153 * month + 2) / 5 + 1, 2);
}

static void put_time(struct line *line, uint64_t ns, bool virtual_time) {
  uint64_t seconds = ns / TRP_NS_PER_S;
  if (virtual_time) {
    put_number(line, seconds, 6);
  } else {
    put_date(line, seconds / 86400);
    put_char(line, 'T');
    put_number(line, seconds / 3600 % 24, 2);
    put_char(line, ':');
    put_number(line, seconds / 60 % 60, 2);
    put_char(line, ':');
    put_number(line, seconds % 60, 2);
  }
  put_char(line, '.');
  put_number(line, ns % TRP_NS_PER_S / 1000, 6);
  if (!virtual_time) put_char(line, 'Z');
}

static uint64_t realtime_ns(void *arg) {
  (void)arg;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

static const char *level_text(enum trp_log_level level) {
  static const char *const texts[] = {"?    ", "DEBUG", "INFO ", "WARN ", "ERROR", "CRIT "};
  return texts[level >= TRP_LOG_DEBUG && level <= TRP_LOG_NONE ? level : 0];
}

/* Everything of a line up to the text. NULL log: real time. */
static void put_prefix(struct line *line, const struct trp_log *log, const char *who,
                       enum trp_log_level level, const char *event) {
  uint64_t now_ns = log == NULL ? realtime_ns(NULL) : log->clock(log->clock_arg);
  line_begin(line);
  put_time(line, now_ns, log != NULL && log->virtual_time);
  put_char(line, ' ');
  put_text(line, level_text(level));
  put_char(line, ' ');
  put_text(line, who);
  put_char(line, ' ');
  put_text(line, event);
}

/* ---- the ring and the trace (under the lock) ----------------------------------------------- */

static void copy_in(struct trp_log *log, const char *text, size_t bytes) {
  size_t at = log->tail % log->capacity;
  size_t first = bytes < log->capacity - at ? bytes : log->capacity - at;
  memcpy(log->text + at, text, first);
  memcpy(log->text, text + first, bytes - first);
  log->tail += bytes;
}

static uint64_t room(const struct trp_log *log) { return log->capacity - (log->tail - log->head); }

static void drop_lines(struct trp_log *log, uint64_t lines) {
  log->dropped += lines;
  log->unreported += lines;
}

/* Once half the ring is free, says how many lines are missing here. */
static void report_dropped(struct trp_log *log) {
  if (log->unreported == 0 || log->broken || room(log) < log->capacity / 2) return;
  struct line line;
  put_prefix(&line, log, "log", TRP_LOG_WARN, "log.dropped");
  put_text(&line, " count=");
  put_number(&line, log->unreported, 1);
  put_text(&line, " total=");
  put_number(&line, log->dropped, 1);
  log->unreported = 0;
  copy_in(log, line.text, line_end(&line));
}

static void append_ring(struct trp_log *log, const char *text, size_t bytes) {
  report_dropped(log);
  if (log->broken || log->unreported > 0 || room(log) < bytes) {
    drop_lines(log, 1);
    return;
  }
  copy_in(log, text, bytes);
  pthread_cond_signal(&log->more);
}

static void append_trace(struct trp_log *log, const char *text, size_t bytes) {
  size_t needed = log->tail + bytes + 1;
  if (needed > log->capacity) {
    size_t wanted = log->capacity * 2;
    while (wanted < needed) wanted *= 2;
    char *bigger = needed > TRP_LOG_TRACE_MAX ? NULL : realloc(log->text, wanted);
    if (bigger == NULL) {
      drop_lines(log, 1);
      return;
    }
    log->text = bigger;
    log->capacity = wanted;
  }
  memcpy(log->text + log->tail, text, bytes + 1);
  log->tail += bytes;
}

static void append(struct trp_log *log, const char *text, size_t bytes) {
  pthread_mutex_lock(&log->lock);
  if (log->threaded) {
    append_ring(log, text, bytes);
  } else {
    append_trace(log, text, bytes);
  }
  pthread_mutex_unlock(&log->lock);
}

/* ---- the log's thread ----------------------------------------------------------------------- */

/* The reader takes nothing more: what waits is lost, by the line. */
static void give_up_waiting_lines(struct trp_log *log) {
  uint64_t lines = 0;
  for (; log->head < log->tail; log->head++) {
    lines += log->text[log->head % log->capacity] == '\n';
  }
  drop_lines(log, lines);
}

/* Writes one piece, without the lock: nobody else touches what lies between head and tail. */
static void write_piece(struct trp_log *log) {
  size_t at = log->head % log->capacity;
  size_t bytes = log->tail - log->head;
  if (bytes > log->capacity - at) bytes = log->capacity - at;
  uint64_t until_ns = trp_deadline_in(PIECE_NS);
  if (log->closing && log->deadline_ns < until_ns) until_ns = log->deadline_ns;
  size_t written = 0;
  pthread_mutex_unlock(&log->lock);
  enum trp_err err = trp_write_some(log->fd, log->text + at, bytes, until_ns, &written);
  int error = errno;
  pthread_mutex_lock(&log->lock);
  log->head += written;
  if (err == TRP_CLOSED || (err == TRP_SYSTEM && error == EBADF)) log->broken = true;
  if (err != TRP_OK && err != TRP_TIMEOUT) give_up_waiting_lines(log);
  if (err == TRP_OK) report_dropped(log); /* after a failure that would go round and round */
  pthread_cond_broadcast(&log->written);
}

static bool out_of_time(const struct trp_log *log) {
  return log->closing && log->head < log->tail && trp_deadline_left_ns(log->deadline_ns) == 0;
}

static void free_log(struct trp_log *log) {
  pthread_cond_destroy(&log->more);
  pthread_cond_destroy(&log->written);
  pthread_mutex_destroy(&log->lock);
  free(log->text);
  free(log);
}

static void *run(void *arg) {
  struct trp_log *log = arg;
  struct trp_thread_slot *slot = trp_thread_enter("log", "log", log->owner);
  pthread_mutex_lock(&log->lock);
  while (!out_of_time(log)) {
    trp_thread_touch(slot, trp_deadline_now_ns());
    if (log->head < log->tail) {
      write_piece(log);
    } else if (!log->closing) {
      /* Close ends it; and now and then it is seen to live. */
      struct timespec until = trp_deadline_timespec(trp_deadline_in(IDLE_NS));
      pthread_cond_clockwait(&log->more, &log->lock, CLOCK_MONOTONIC, &until);
    } else {
      break;
    }
  }
  give_up_waiting_lines(log);
  trp_thread_leave(slot);
  bool orphan = log->orphan;
  log->done = true;
  pthread_cond_broadcast(&log->written);
  pthread_mutex_unlock(&log->lock);
  if (orphan) free_log(log);
  return NULL;
}

/* The thread takes no signal of the host's: only those that a fault of its own raises. */
static enum trp_err start_thread(struct trp_log *log) {
  sigset_t all, before;
  sigfillset(&all);
  const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&all, faults[i]);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&log->thread, NULL, run, log);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failed == 0 ? TRP_OK : TRP_SYSTEM;
}

/* ---- opening and closing -------------------------------------------------------------------- */

enum trp_err trp_log_open(struct trp_log **out, const struct trp_log_options *options) {
  struct trp_log *log = calloc(1, sizeof *log);
  *out = NULL;
  if (log == NULL) return TRP_NO_MEMORY;
  log->fd = options->fd;
  log->clock = options->clock != NULL ? options->clock : realtime_ns;
  log->clock_arg = options->clock_arg;
  log->virtual_time = options->virtual_time;
  log->threaded = options->threaded;
  snprintf(log->owner, sizeof log->owner, "%s", options->owner == NULL ? "" : options->owner);
  pthread_mutex_init(&log->lock, NULL);
  pthread_cond_init(&log->more, NULL);
  pthread_cond_init(&log->written, NULL);
  trp_log_set_level(log, options->level != 0 ? options->level : TRP_LOG_INFO);
  /* Into nowhere: no level is on, nothing is ever put in, and there is no thread. */
  if (log->threaded && log->fd < 0) log->broken = log->done = true;
  log->capacity = log->threaded ? TRP_LOG_RING_BYTES : 64 << 10;
  log->text = calloc(1, log->capacity);
  enum trp_err err = log->text == NULL ? TRP_NO_MEMORY : TRP_OK;
  if (err == TRP_OK && log->threaded && !log->done) err = start_thread(log);
  if (err != TRP_OK) {
    free_log(log);
    return err;
  }
  *out = log;
  return TRP_OK;
}

/* Waits, with the lock held, until the thread has written `tail` bytes or is done. */
static bool await_written(struct trp_log *log, uint64_t tail, uint64_t deadline_ns) {
  struct timespec until = trp_deadline_timespec(deadline_ns);
  while (log->head < tail && !log->broken && !log->done) {
    if (pthread_cond_clockwait(&log->written, &log->lock, CLOCK_MONOTONIC, &until) != 0) break;
  }
  return log->head >= tail;
}

enum trp_err trp_log_flush(struct trp_log *log, uint64_t timeout_ns) {
  if (log == NULL || !log->threaded || log->fd < 0) return TRP_OK;
  pthread_mutex_lock(&log->lock);
  bool all = await_written(log, log->tail, trp_deadline_in(timeout_ns));
  enum trp_err err = log->broken ? TRP_CLOSED : all ? TRP_OK : TRP_TIMEOUT;
  pthread_mutex_unlock(&log->lock);
  return err;
}

/* Tells the thread to end and waits for it; an orphan keeps the log. */
static enum trp_err stop_thread(struct trp_log *log, uint64_t timeout_ns, bool *orphan) {
  pthread_mutex_lock(&log->lock);
  uint64_t lost_before = log->dropped;
  log->closing = true;
  log->deadline_ns = trp_deadline_in(timeout_ns);
  pthread_cond_signal(&log->more);
  uint64_t patience_ns =
      log->deadline_ns < UINT64_MAX - GRACE_NS ? log->deadline_ns + GRACE_NS : UINT64_MAX;
  struct timespec until = trp_deadline_timespec(patience_ns);
  while (!log->done) {
    if (pthread_cond_clockwait(&log->written, &log->lock, CLOCK_MONOTONIC, &until) != 0) break;
  }
  *orphan = log->orphan = !log->done;
  enum trp_err err = log->broken                              ? TRP_CLOSED
                     : *orphan || log->dropped != lost_before ? TRP_TIMEOUT
                                                              : TRP_OK;
  pthread_t thread = log->thread; /* an orphan's log is not ours after the unlock */
  pthread_mutex_unlock(&log->lock);
  if (*orphan) {
    pthread_detach(thread);
  } else {
    pthread_join(thread, NULL); /* it is past its last wait */
  }
  return err;
}

enum trp_err trp_log_close(struct trp_log **log, uint64_t timeout_ns) {
  if (log == NULL || *log == NULL) return TRP_OK;
  struct trp_log *closing = *log;
  *log = NULL;
  enum trp_err err = TRP_OK;
  bool orphan = false;
  if (closing->threaded && closing->fd >= 0) err = stop_thread(closing, timeout_ns, &orphan);
  if (!orphan) free_log(closing);
  return err;
}

/* ---- logging -------------------------------------------------------------------------------- */

void trp_log_set_level(struct trp_log *log, enum trp_log_level level) {
  atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

bool trp_log_is_on(const struct trp_log *log, enum trp_log_level level) {
  if (log == NULL || (log->threaded && log->fd < 0) || level >= TRP_LOG_NONE) return false;
  return (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void trp_log_write(struct trp_log *log, const char *who, enum trp_log_level level,
                   const char *event, const char *format, va_list args) {
  if (!trp_log_is_on(log, level)) return;
  struct line line;
  char text[TRP_LOG_LINE_MAX];
  put_prefix(&line, log, who, level, event);
  int length = vsnprintf(text, sizeof text, format, args);
  if (length > 0) {
    put_char(&line, ' ');
    put_text(&line, text);
  }
  append(log, line.text, line_end(&line));
}

void trp_log_line(struct trp_log *log, const char *who, enum trp_log_level level, const char *event,
                  const char *format, ...) {
  va_list args;
  va_start(args, format);
  trp_log_write(log, who, level, event, format, args);
  va_end(args);
}

void trp_log_critical(struct trp_log *log, const char *who, const char *event, const char *text) {
  struct line line;
  put_prefix(&line, log, who, TRP_LOG_NONE, event);
  if (text[0] != '\0') put_char(&line, ' ');
  put_text(&line, text);
  size_t bytes = line_end(&line);
  if (log != NULL && !log->threaded) {
    append(log, line.text, bytes);
  } else if (log == NULL || log->fd >= 0) {
    enum trp_err err =
        trp_write_all(log == NULL ? 2 : log->fd, line.text, bytes, trp_deadline_in(CRITICAL_NS));
    (void)err; /* nobody is left to be told */
  }
}

uint64_t trp_log_dropped(struct trp_log *log) {
  pthread_mutex_lock(&log->lock);
  uint64_t dropped = log->dropped;
  pthread_mutex_unlock(&log->lock);
  return dropped;
}

const char *trp_log_trace(struct trp_log *log, size_t *bytes) {
  if (bytes != NULL) *bytes = log->threaded ? 0 : log->tail;
  return log->threaded ? "" : log->text;
}
