/* The log: its lines, and that nobody who logs ever waits for who reads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/fdcount.h"
#include "runtime/log.h"

static const uint64_t short_ns = 100000000, long_ns = 5000000000;

static uint64_t fixed_clock(void *arg) { return *(uint64_t *)arg; }

/* 2026-01-02T03:04:05.678901Z */
static uint64_t new_years_ns = UINT64_C(1767323045678901234);

static struct trp_log *open_log(struct trp_log_options options) {
  struct trp_log *log;
  if (trp_log_open(&log, &options) != TRP_OK) fail();
  return log;
}

static struct trp_log *open_on(int fd) {
  return open_log((struct trp_log_options){.fd = fd, .threaded = true, .owner = "test"});
}

static struct trp_log *open_trace(uint64_t *now_ns) {
  return open_log((struct trp_log_options){
      .fd = -1, .clock = fixed_clock, .clock_arg = now_ns, .virtual_time = true});
}

static uint64_t ms_since(uint64_t begin_ns) { return (trp_deadline_now_ns() - begin_ns) / 1000000; }

static void a_line_has_time_level_actor_event_and_values(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  struct trp_log *log = open_log((struct trp_log_options){
      .fd = ends[1], .threaded = true, .clock = fixed_clock, .clock_arg = &new_years_ns});
  trp_log_line(log, "binance", TRP_LOG_INFO, "feed.state", "state=%s", "LIVE");
  trp_log_line(log, "binance", TRP_LOG_ERROR, "feed.end", " ");
  assert_int_equal(trp_log_flush(log, long_ns), TRP_OK);
  static const char expected[] =
      "2026-01-02T03:04:05.678901Z INFO  binance feed.state state=LIVE\n"
      "2026-01-02T03:04:05.678901Z ERROR binance feed.end  \n";
  char text[256] = "";
  assert_int_equal(read(ends[0], text, sizeof text - 1), sizeof expected - 1);
  assert_string_equal(text, expected);
  assert_int_equal(trp_log_close(&log, long_ns), TRP_OK);
  assert_null(log);
  assert_int_equal(trp_log_close(&log, long_ns), TRP_OK);
  close(ends[0]);
  close(ends[1]);
}

static void virtual_time_counts_from_the_start(void **state) {
  (void)state;
  uint64_t now_ns = UINT64_C(12345678999);
  struct trp_log *log = open_trace(&now_ns);
  size_t bytes;
  assert_string_equal(trp_log_trace(log, &bytes), "");
  assert_int_equal(bytes, 0);
  trp_log_line(log, "binance", TRP_LOG_WARN, "feed.state", "n=%d", 3);
  now_ns = 0;
  trp_log_critical(log, "binance", "actor.abandoned", "stack=a < b");
  const char *trace = trp_log_trace(log, &bytes);
  assert_string_equal(trace,
                      "000012.345678 WARN  binance feed.state n=3\n"
                      "000000.000000 CRIT  binance actor.abandoned stack=a < b\n");
  assert_int_equal(bytes, strlen(trace));
  assert_int_equal(trp_log_flush(log, 0), TRP_OK);
  assert_int_equal(trp_log_close(&log, 0), TRP_OK);
}

static void every_day_has_its_date(void **state) {
  (void)state;
  uint64_t now_ns = 0;
  struct trp_log *log =
      open_log((struct trp_log_options){.fd = -1, .clock = fixed_clock, .clock_arg = &now_ns});
  size_t before = 0;
  for (time_t t = 0; t < (time_t)500 * 365 * 86400; t += 86400 * 5 + 3671) {
    now_ns = (uint64_t)t * TRP_NS_PER_S;
    trp_log_line(log, "a", TRP_LOG_INFO, "b", " ");
    struct tm date;
    char expected[64];
    strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000Z INFO  a b  \n",
             gmtime_r(&t, &date));
    assert_string_equal(trp_log_trace(log, NULL) + before, expected);
    before += strlen(expected);
  }
  trp_log_close(&log, 0);
}

static void control_characters_are_escaped(void **state) {
  (void)state;
  uint64_t now_ns = 0;
  struct trp_log *log = open_trace(&now_ns);
  trp_log_line(log, "a\nb", TRP_LOG_INFO, "x", "v=%s", "1\n2\r3\x1b[2J\x7f\t");
  trp_log_line(log, "a", TRP_LOG_INFO, "x", "v=%s",
               "\x9b"
               "1 \xc2\x9b \xe5\xb8\x81 \xc3\xa9");
  assert_string_equal(trp_log_trace(log, NULL),
                      "000000.000000 INFO  a\\nb x v=1\\n2\\x0d3\\x1b[2J\\x7f\\x09\n"
                      "000000.000000 INFO  a x v=\\x9b1 \xc2\\x9b \xe5\xb8\x81 \xc3\xa9\n");
  trp_log_close(&log, 0);
}

static void a_long_line_is_cut_and_says_so(void **state) {
  (void)state;
  uint64_t now_ns = 0;
  struct trp_log *log = open_trace(&now_ns);
  char text[2 * TRP_LOG_LINE_MAX];
  for (size_t length = TRP_LOG_LINE_MAX - 60; length < sizeof text; length++) {
    memset(text, 'x', length);
    text[length] = '\0';
    size_t before, after;
    trp_log_trace(log, &before);
    trp_log_line(log, "a", TRP_LOG_INFO, "b", "%s", text);
    const char *line = trp_log_trace(log, &after) + before;
    size_t bytes = after - before, whole = strlen("000000.000000 INFO  a b \n") + length;
    assert_true(bytes < TRP_LOG_LINE_MAX);
    assert_int_equal(line[bytes - 1], '\n');
    assert_true(bytes == whole || memcmp(line + bytes - 4, "...", 3) == 0);
    if (length > 1000) length += 50;
  }
  trp_log_close(&log, 0);
}

static void a_level_that_is_off_is_not_logged(void **state) {
  (void)state;
  uint64_t now_ns = 0;
  struct trp_log *log = open_trace(&now_ns);
  trp_log_line(log, "a", TRP_LOG_DEBUG, "no", "n=1");
  assert_false(trp_log_is_on(log, TRP_LOG_DEBUG));
  trp_log_set_level(log, TRP_LOG_DEBUG);
  trp_log_line(log, "a", TRP_LOG_DEBUG, "yes", "n=2");
  trp_log_set_level(log, TRP_LOG_NONE);
  trp_log_line(log, "a", TRP_LOG_ERROR, "no", "n=3");
  trp_log_line(log, "a", TRP_LOG_NONE, "no", "n=4");
  assert_string_equal(trp_log_trace(log, NULL), "000000.000000 DEBUG a yes n=2\n");
  assert_int_equal(trp_log_dropped(log), 0);
  trp_log_close(&log, 0);
}

static void a_log_to_nowhere_takes_everything_and_has_no_thread(void **state) {
  (void)state;
  size_t threads = trp_task_count();
  struct trp_log *log = open_on(-1);
  assert_int_equal(trp_task_count(), threads);
  trp_log_line(log, "a", TRP_LOG_ERROR, "b", "n=1");
  trp_log_line(NULL, "a", TRP_LOG_ERROR, "b", "n=1");
  trp_log_critical(log, "a", "b", "c");
  assert_int_equal(trp_log_flush(log, 0), TRP_OK);
  assert_int_equal(trp_log_close(&log, 0), TRP_OK);
}

static void a_trace_is_bounded(void **state) {
  (void)state;
  uint64_t now_ns = 0;
  struct trp_log *log = open_trace(&now_ns);
  char text[1900];
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = '\0';
  for (int i = 0; i < TRP_LOG_TRACE_MAX / (int)sizeof text + 10; i++) {
    trp_log_line(log, "a", TRP_LOG_INFO, "b", "%s", text);
  }
  size_t bytes;
  const char *trace = trp_log_trace(log, &bytes);
  assert_true(bytes < TRP_LOG_TRACE_MAX && bytes > TRP_LOG_TRACE_MAX / 2);
  assert_int_equal(trace[bytes], '\0');
  assert_true(trp_log_dropped(log) >= 10);
  trp_log_close(&log, 0);
}

/* ---- readers that do not read ---- */

enum { MANY = 20000 };

struct reading {
  FILE *file;
  uint64_t lines, missing; /* read, and reported as dropped */
  uint64_t misplaced;      /* not where its number says */
};

static void *read_everything(void *arg) {
  struct reading *self = arg;
  char line[TRP_LOG_LINE_MAX];
  while (fgets(line, sizeof line, self->file) != NULL) {
    const char *report = strstr(line, "WARN  log log.dropped count=");
    const char *number = strstr(line, "number=");
    if (report != NULL) {
      self->missing += strtoull(strchr(report, '=') + 1, NULL, 10);
      continue;
    }
    uint64_t expected = self->lines++ + self->missing;
    self->misplaced += number != NULL && strtoull(number + 7, NULL, 10) != expected;
  }
  return NULL;
}

static void a_reader_that_pauses_costs_lines_and_learns_how_many_and_where(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  struct trp_log *log = open_on(ends[1]);
  uint64_t begin_ns = trp_deadline_now_ns();
  for (int i = 0; i < MANY; i++) trp_log_line(log, "a", TRP_LOG_INFO, "b", "number=%d", i);
  assert_true(ms_since(begin_ns) < 5000); /* nobody waited; generous for the sanitizers */
  uint64_t dropped = trp_log_dropped(log);
  assert_true(dropped > 0 && dropped < MANY);
  assert_int_equal(trp_log_flush(log, short_ns), TRP_TIMEOUT);

  /* Room for a few lines, but the report of the gap must come before any of them. */
  struct reading reading = {.lines = 0};
  char some[3 * 4096];
  assert_int_equal(read(ends[0], some, sizeof some), sizeof some);
  for (size_t i = 0; i < sizeof some; i++) reading.lines += some[i] == '\n';
  assert_int_equal(trp_log_flush(log, short_ns), TRP_TIMEOUT);
  trp_log_line(log, "a", TRP_LOG_INFO, "b", "number=%d", MANY);
  dropped = trp_log_dropped(log);

  pthread_t reader;
  reading.file = fdopen(ends[0], "r");
  assert_int_equal(pthread_create(&reader, NULL, read_everything, &reading), 0);
  assert_int_equal(trp_log_flush(log, long_ns), TRP_OK);
  trp_log_line(log, "a", TRP_LOG_INFO, "b", "number=%d", MANY + 1);
  assert_int_equal(trp_log_close(&log, long_ns), TRP_OK);
  close(ends[1]);
  pthread_join(reader, NULL);
  fclose(reading.file);
  assert_int_equal(reading.missing, dropped);
  assert_int_equal(reading.misplaced, 0);
  assert_int_equal(reading.lines + reading.missing, MANY + 2);
}

static void closing_gives_up_on_a_reader_that_does_not_read(void **state) {
  (void)state;
  size_t threads = trp_task_count();
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  struct trp_log *log = open_on(ends[1]);
  for (int i = 0; i < MANY; i++) trp_log_line(log, "a", TRP_LOG_INFO, "b", "number=%d", i);
  uint64_t begin_ns = trp_deadline_now_ns();
  assert_int_equal(trp_log_close(&log, short_ns), TRP_TIMEOUT);
  assert_true(ms_since(begin_ns) >= 90 && ms_since(begin_ns) < 1500);
  assert_int_equal(trp_task_count(), threads);
  close(ends[0]);
  close(ends[1]);
}

static void a_reader_that_has_gone_is_noticed_at_once_and_kills_nobody(void **state) {
  (void)state;
  signal(SIGPIPE, SIG_DFL);
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  struct trp_log *log = open_on(ends[1]);
  close(ends[0]);
  uint64_t begin_ns = trp_deadline_now_ns();
  trp_log_line(log, "a", TRP_LOG_INFO, "b", "n=1");
  assert_int_equal(trp_log_flush(log, long_ns), TRP_CLOSED);
  for (int i = 0; i < MANY; i++) trp_log_line(log, "a", TRP_LOG_INFO, "b", "number=%d", i);
  trp_log_critical(log, "a", "b", "c");
  assert_int_equal(trp_log_dropped(log), MANY + 1);
  assert_int_equal(trp_log_flush(log, long_ns), TRP_CLOSED);
  assert_int_equal(trp_log_close(&log, long_ns), TRP_CLOSED);
  assert_true(ms_since(begin_ns) < 4000);
  close(ends[1]);
}

static void a_full_device_costs_the_lines_and_nothing_else(void **state) {
  (void)state;
  int full = open("/dev/full", O_WRONLY);
  assert_true(full >= 0);
  struct trp_log *log = open_on(full);
  for (int i = 0; i < 100; i++) trp_log_line(log, "a", TRP_LOG_INFO, "b", "number=%d", i);
  assert_int_equal(trp_log_flush(log, long_ns), TRP_OK);
  assert_true(trp_log_dropped(log) >= 100); /* reports of drops are lost as well */
  uint64_t begin_ns = trp_deadline_now_ns();
  trp_log_close(&log, long_ns);
  assert_true(ms_since(begin_ns) < 1000);
  close(full);
}

/* A terminal that cannot be opened a second time and whose other end does not read holds write(2)
 * itself back: the last resort is to leave the log to its thread. */
static void a_thread_held_back_in_the_kernel_is_left_behind_and_cleans_up(void **state) {
  (void)state;
  size_t threads = trp_task_count();
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  assert_true(slave >= 0);
  struct trp_log *log = open_on(slave);
  struct rlimit before, tight;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  int next = dup(slave); /* the next descriptor there would be */
  assert_true(next >= 0);
  close(next);
  tight = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
  for (int i = 0; i < 4000; i++) trp_log_line(log, "a", TRP_LOG_INFO, "b", "number=%d", i);
  uint64_t begin_ns = trp_deadline_now_ns();
  enum trp_err err = trp_log_close(&log, short_ns);
  uint64_t took_ms = ms_since(begin_ns);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(err, TRP_TIMEOUT);
  assert_null(log);
  assert_true(took_ms >= 90 && took_ms < 1500);
  assert_int_equal(trp_task_count(), threads + 1);
  close(master); /* hangs up: the write returns, and the thread frees the log */
  begin_ns = trp_deadline_now_ns();
  while (trp_task_count() > threads && ms_since(begin_ns) < 5000) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  assert_int_equal(trp_task_count(), threads);
  /* `slave` stays open: nothing but its end orders that thread's use of it before a close. */
}

/* ---- many who log ---- */

static void *log_a_thousand(void *arg) {
  struct trp_log *log = arg;
  for (int i = 0; i < 500; i++) {
    trp_log_line(log, "worker", TRP_LOG_INFO, "work.done", "number=%d end=%d", i, i);
  }
  return NULL;
}

static void lines_of_many_threads_stay_whole(void **state) {
  (void)state;
  FILE *file = tmpfile();
  assert_non_null(file);
  struct trp_log *log = open_on(fileno(file));
  pthread_t workers[4];
  for (int i = 0; i < 4; i++) pthread_create(&workers[i], NULL, log_a_thousand, log);
  for (int i = 0; i < 4; i++) pthread_join(workers[i], NULL);
  assert_int_equal(trp_log_flush(log, long_ns), TRP_OK);
  rewind(file);
  char line[TRP_LOG_LINE_MAX];
  uint64_t lines = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    int number, end;
    if (strstr(line, "log.dropped") != NULL) continue;
    assert_int_equal(sscanf(line + 28, "INFO  worker work.done number=%d end=%d\n", &number, &end),
                     2);
    assert_int_equal(number, end);
    lines++;
  }
  assert_int_equal(lines + trp_log_dropped(log), 2000);
  assert_int_equal(trp_log_close(&log, long_ns), TRP_OK);
  fclose(file);
}

static void a_critical_line_overtakes_the_ring(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  struct trp_log *log = open_on(ends[1]);
  trp_log_set_level(log, TRP_LOG_NONE);
  trp_log_critical(log, "consumer", "actor.abandoned", "stack=\nx");
  char text[256] = "";
  assert_true(read(ends[0], text, sizeof text - 1) > 0);
  assert_string_equal(text + 28, "CRIT  consumer actor.abandoned stack=\\nx\n");
  trp_log_close(&log, long_ns);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_line_has_time_level_actor_event_and_values),
      cmocka_unit_test(virtual_time_counts_from_the_start),
      cmocka_unit_test(every_day_has_its_date),
      cmocka_unit_test(control_characters_are_escaped),
      cmocka_unit_test(a_long_line_is_cut_and_says_so),
      cmocka_unit_test(a_level_that_is_off_is_not_logged),
      cmocka_unit_test(a_log_to_nowhere_takes_everything_and_has_no_thread),
      cmocka_unit_test(a_trace_is_bounded),
      cmocka_unit_test(a_reader_that_pauses_costs_lines_and_learns_how_many_and_where),
      cmocka_unit_test(closing_gives_up_on_a_reader_that_does_not_read),
      cmocka_unit_test(a_reader_that_has_gone_is_noticed_at_once_and_kills_nobody),
      cmocka_unit_test(a_full_device_costs_the_lines_and_nothing_else),
      cmocka_unit_test(a_thread_held_back_in_the_kernel_is_left_behind_and_cleans_up),
      cmocka_unit_test(lines_of_many_threads_stay_whole),
      cmocka_unit_test(a_critical_line_overtakes_the_ring),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
