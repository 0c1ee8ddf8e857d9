/* Writes that end: what a full pipe, a gone reader, a full device and a hung terminal do to us. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/write.h"

enum { BIG_BYTES = 1 << 20 };
static char big[BIG_BYTES];
static const uint64_t short_ns = 50000000, long_ns = 2000000000;

/* Writes more than fits, expects a time-out in time, and returns without the pipe's end closed. */
static void expect_timeout(int fd) {
  uint64_t begin_ns = trp_deadline_now_ns();
  assert_int_equal(trp_write_all(fd, big, sizeof big, trp_deadline_in(short_ns)), TRP_TIMEOUT);
  uint64_t took_ns = trp_deadline_now_ns() - begin_ns;
  assert_true(took_ns >= short_ns / 2);
  assert_true(took_ns < long_ns);
}

static void a_pipe_that_nobody_reads_ends_the_write_at_the_deadline(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  expect_timeout(ends[1]);
  assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* others share the description */
  close(ends[0]);
  close(ends[1]);
}

static void a_socket_that_nobody_reads_ends_the_write_at_the_deadline(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  int least = 1;
  setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
  expect_timeout(ends[1]);
  close(ends[0]);
  close(ends[1]);
}

static void a_hung_terminal_ends_the_write_at_the_deadline(void **state) {
  (void)state;
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  assert_true(slave >= 0);
  memset(big, '\n', sizeof big);
  expect_timeout(slave);
  close(master);
  close(slave);
}

static void a_reader_that_has_gone_is_an_error_and_no_signal(void **state) {
  (void)state;
  signal(SIGPIPE, SIG_DFL); /* it would end the test */
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  close(ends[0]);
  assert_int_equal(trp_write_all(ends[1], "x", 1, trp_deadline_in(long_ns)), TRP_CLOSED);
  close(ends[1]);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  close(ends[0]);
  assert_int_equal(trp_write_all(ends[1], "x", 1, trp_deadline_in(long_ns)), TRP_CLOSED);
  close(ends[1]);
  sigset_t pending;
  sigpending(&pending);
  assert_false(sigismember(&pending, SIGPIPE));
}

static void a_sigpipe_that_was_pending_before_stays(void **state) {
  (void)state;
  sigset_t pipe_only, pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigprocmask(SIG_BLOCK, &pipe_only, NULL);
  raise(SIGPIPE);
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  close(ends[0]);
  assert_int_equal(trp_write_all(ends[1], "x", 1, trp_deadline_in(long_ns)), TRP_CLOSED);
  close(ends[1]);
  sigpending(&pending);
  assert_true(sigismember(&pending, SIGPIPE));
  signal(SIGPIPE, SIG_IGN); /* discards it */
  sigprocmask(SIG_UNBLOCK, &pipe_only, NULL);
  signal(SIGPIPE, SIG_DFL);
}

static void a_full_device_and_a_bad_descriptor_are_errors_of_the_system(void **state) {
  (void)state;
  int full = open("/dev/full", O_WRONLY);
  assert_true(full >= 0);
  assert_int_equal(trp_write_all(full, "x", 1, trp_deadline_in(long_ns)), TRP_SYSTEM);
  assert_int_equal(errno, ENOSPC);
  close(full);
  assert_int_equal(trp_write_all(full, "x", 1, trp_deadline_in(long_ns)), TRP_SYSTEM);
  assert_int_equal(errno, EBADF);
}

static void everything_arrives_in_order(void **state) {
  (void)state;
  int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  if (file < 0) skip();
  for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 251);
  assert_int_equal(trp_write_all(file, big, sizeof big, trp_deadline_in(long_ns)), TRP_OK);
  static char back[BIG_BYTES + 1];
  assert_int_equal(pread(file, back, sizeof back, 0), sizeof big);
  assert_memory_equal(back, big, sizeof big);
  close(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pipe_that_nobody_reads_ends_the_write_at_the_deadline),
      cmocka_unit_test(a_socket_that_nobody_reads_ends_the_write_at_the_deadline),
      cmocka_unit_test(a_hung_terminal_ends_the_write_at_the_deadline),
      cmocka_unit_test(a_reader_that_has_gone_is_an_error_and_no_signal),
      cmocka_unit_test(a_sigpipe_that_was_pending_before_stays),
      cmocka_unit_test(a_full_device_and_a_bad_descriptor_are_errors_of_the_system),
      cmocka_unit_test(everything_arrives_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
