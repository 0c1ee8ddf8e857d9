/* The demo under a service manager, which this test plays: a real datagram socket, what comes over
 * it and in which order, and when it falls silent. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/service_socket.h"
#include "test/support/process.h"

enum { PATIENCE_MS = 10000, WATCHDOG_MS = 400, WORDS_MAX = 256 * 1024 };

struct manager {
  int fd;
  struct process process;
  char name[48], socket[160];
  char heard[WORDS_MAX]; /* each datagram between '[' and ']' */
  size_t used;
};

static unsigned patience(void) { return PATIENCE_MS * process_slowness(); }

/* A socket bound to where the program is told to send: "/..." or "@...". */
static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                   0);
  return fd;
}

static void start_under(struct manager *m, const char *path, const char *budget) {
  static unsigned count;
  char usec[32], socket[100];
  memset(m, 0, sizeof *m);
  m->fd = path[0] == '/' || path[0] == '@' ? listen_at(path) : -1;
  m->process.err_fd = -1;
  snprintf(usec, sizeof usec, "%d", WATCHDOG_MS * 1000);
  snprintf(m->name, sizeof m->name, "service-%d-%u", (int)getpid(), ++count);
  snprintf(socket, sizeof socket, "troupe/%s.sock", m->name);
  snprintf(m->socket, sizeof m->socket, "%s", process_path(socket));
  setenv("NOTIFY_SOCKET", path, 1);
  setenv("WATCHDOG_USEC", usec, 1);
  const char *args[] = {"demo", "--allow-faults", "--name", m->name, "--duration",
                        "60",   "--stop-budget",  budget,   NULL};
  process_start(&m->process, args);
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
}

static void hear(struct manager *m, unsigned ms) {
  unsigned long until = process_now_ms() + ms;
  for (;;) {
    char text[1024];
    ssize_t n = recv(m->fd, text, sizeof text, 0);
    if (n > 0) {
      m->used +=
          (size_t)snprintf(m->heard + m->used, sizeof m->heard - m->used, "[%.*s]", (int)n, text);
      continue;
    }
    if (process_now_ms() >= until) return;
    poll(&(struct pollfd){.fd = m->fd, .events = POLLIN}, 1, 10);
  }
}

static const char *await(struct manager *m, const char *words) {
  unsigned long until = process_now_ms() + patience();
  const char *found;
  while ((found = strstr(m->heard, words)) == NULL) {
    if (process_now_ms() >= until) fail_msg("'%s' was not heard: %s", words, m->heard);
    hear(m, 20);
  }
  return found;
}

static unsigned count(const char *text, const char *what) {
  unsigned n = 0;
  while ((text = strstr(text, what)) != NULL) n++, text++;
  return n;
}

/* What is heard from now on for so long. */
static const char *heard_in(struct manager *m, unsigned ms) {
  hear(m, 0);
  size_t from = m->used;
  hear(m, ms);
  return m->heard + from;
}

static void stall(struct manager *m, const char *actor, unsigned ms) {
  char fault[32];
  snprintf(fault, sizeof fault, "stall:%u", ms);
  const char *args[] = {"ctl", "--socket", m->socket, "fault", actor, fault, NULL};
  assert_int_equal(process_run(args, NULL), 0);
}

static void end(struct manager *m) {
  process_end(&m->process);
  close(m->fd);
}

/* ---- the tests ---- */

static void a_whole_life_is_told_in_order(const char *path) {
  struct manager m;
  start_under(&m, path, "10");
  char ready[64];
  snprintf(ready, sizeof ready, "[READY=1\nMAINPID=%d]", (int)m.process.pid);
  const char *running = await(&m, "[STATUS=running, 11 actors]");
  assert_non_null(strstr(m.heard, ready));
  assert_true(strstr(m.heard, ready) < running);
  assert_true(strstr(m.heard, "[STATUS=starting, 11 actors]") < strstr(m.heard, ready));
  assert_null(strstr(m.heard, "STOPPING=1"));
  assert_true(count(heard_in(&m, 4 * WATCHDOG_MS), "[WATCHDOG=1]") >= 4);
  kill(m.process.pid, SIGTERM);
  const char *stopping = await(&m, "[STOPPING=1\nEXTEND_TIMEOUT_USEC=");
  const char *stopped = await(&m, "[STATUS=stopped: clean]");
  assert_true(running < stopping && stopping < stopped);
  unsigned long left_us = strtoul(strstr(stopping, "_USEC=") + strlen("_USEC="), NULL, 10);
  assert_in_range(left_us, 10000000, 12000000); /* the budget, and two seconds for the account */
  assert_int_equal(process_wait(&m.process, patience()), 0);
  assert_int_equal(count(m.heard, "READY=1"), 1);
  assert_int_equal(count(m.heard, "STOPPING=1"), 1);
  end(&m);
}

static void a_whole_life_is_told_in_order_over_a_socket_file(void **state) {
  (void)state;
  a_whole_life_is_told_in_order(process_path("notify"));
}

static void a_whole_life_is_told_in_order_over_an_abstract_socket(void **state) {
  (void)state;
  char path[64];
  snprintf(path, sizeof path, "@troupe-test-%d", (int)getpid());
  a_whole_life_is_told_in_order(path);
}

static void the_watchdog_is_silent_while_a_critical_actor_is_stuck(void **state) {
  (void)state;
  struct manager m;
  start_under(&m, process_path("stuck"), "10");
  await(&m, "[STATUS=running, 11 actors]");
  stall(&m, "thread_monitor", 4000);
  const char *why =
      await(&m, "[STATUS=no watchdog pings: actor thread_monitor does not return from its turn]");
  assert_true(count(m.heard, "[WATCHDOG=1]") > 0);
  assert_null(strstr(why, "[WATCHDOG=1]"));
  assert_null(strstr(heard_in(&m, 2 * WATCHDOG_MS), "[WATCHDOG=1]"));
  m.used = 0;
  m.heard[0] = '\0';
  await(&m, "[WATCHDOG=1]"); /* it has come back */
  await(&m, "[STATUS=running, 11 actors]");
  kill(m.process.pid, SIGTERM);
  assert_int_equal(process_wait(&m.process, patience()), 0);
  assert_non_null(strstr(process_read(m.process.err), "watchdog.silent"));
  end(&m);
}

static void a_long_stop_asks_for_more_time_and_names_who_holds_it(void **state) {
  (void)state;
  struct manager m;
  start_under(&m, process_path("long"), "3");
  await(&m, "[STATUS=running, 11 actors]");
  stall(&m, "consumer", 600000); /* not critical: the watchdog goes on */
  heard_in(&m, 3 * WATCHDOG_MS);
  kill(m.process.pid, SIGTERM);
  await(&m, "[STATUS=stopped: abandoned]");
  assert_null(strstr(m.heard, "no watchdog"));
  assert_true(count(m.heard, "[EXTEND_TIMEOUT_USEC=") >= 2);
  assert_non_null(
      strstr(m.heard, "STATUS=stopping, 1 actors are open, the first of them consumer"));
  assert_int_equal(process_wait(&m.process, patience()), 1);
  end(&m);
}

static void a_manager_that_is_not_there_keeps_nobody_from_running(void **state) {
  (void)state;
  static const char *const paths[] = {"/nonexistent/notify", "not-absolute", "vsock:2:1"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    const char *args[] = {"demo", "--duration", "0.3", "--name", "lonely", NULL};
    struct process p = {.err_fd = -1};
    setenv("NOTIFY_SOCKET", paths[i], 1);
    process_start(&p, args);
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(process_wait(&p, patience()), 0);
    const char *err = process_read(p.err);
    assert_non_null(strstr(err, i == 0 ? "service.not_told" : "service.no_socket"));
  }
}

static void a_receiver_that_takes_nothing_holds_nobody_up(void **state) {
  (void)state;
  const char *path = process_path("deaf");
  int fd = listen_at(path); /* never read */
  struct trp_service_socket s;
  assert_int_equal(trp_service_socket_open(&s, path), TRP_OK);
  unsigned long before = process_now_ms();
  enum trp_err err = TRP_OK;
  for (int i = 0; i < 100000 && err == TRP_OK; i++) err = trp_service_socket_send(&s, "WATCHDOG=1");
  assert_int_equal(err, TRP_TIMEOUT);
  assert_true(process_now_ms() - before < patience());
  trp_service_socket_close(&s);
  assert_int_equal(trp_service_socket_send(&s, "WATCHDOG=1"), TRP_WRONG_STATE);
  close(fd);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  setenv("XDG_RUNTIME_DIR", process_folder(), 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_whole_life_is_told_in_order_over_a_socket_file),
      cmocka_unit_test(a_whole_life_is_told_in_order_over_an_abstract_socket),
      cmocka_unit_test(the_watchdog_is_silent_while_a_critical_actor_is_stuck),
      cmocka_unit_test(a_long_stop_asks_for_more_time_and_names_who_holds_it),
      cmocka_unit_test(a_manager_that_is_not_there_keeps_nobody_from_running),
      cmocka_unit_test(a_receiver_that_takes_nothing_holds_nobody_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
