#include "runtime/write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/deadline.h"

/* A second open file description of the same pipe or terminal, which may be non-blocking without
 * anybody noticing; -1 where none is to be had (a file, another user's, no descriptor left). */
static int open_private(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return -1;
  if (!S_ISFIFO(status.st_mode) && !(S_ISCHR(status.st_mode) && isatty(fd))) return -1;
  static const char folder[] = "/proc/self/fd/";
  char path[sizeof folder + 10], digits[10];
  memcpy(path, folder, sizeof folder);
  size_t at = sizeof folder - 1, count = 0;
  do {
    digits[count++] = (char)('0' + fd % 10);
    fd /= 10;
  } while (fd > 0);
  while (count > 0) path[at++] = digits[--count];
  path[at] = '\0';
  return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static ssize_t write_without_waiting(int fd, const void *data, size_t bytes) {
  ssize_t n = send(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0 || errno != ENOTSOCK) return n;
  int private = open_private(fd);
  n = write(private >= 0 ? private : fd, data, bytes);
  int error = errno;
  if (private >= 0) close(private);
  errno = error;
  return n;
}

/* With EPIPE but without SIGPIPE: write raises it in this very thread, so blocking it here and
 * taking it away touches nobody else. One that was pending before is not ours to take. */
static ssize_t write_quietly(int fd, const void *data, size_t bytes) {
  sigset_t pipe_only, before, pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigemptyset(&pending);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  ssize_t n = write_without_waiting(fd, data, bytes);
  int error = errno;
  if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
    while (sigtimedwait(&pipe_only, NULL, &(struct timespec){0}) < 0 && errno == EINTR) continue;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return n;
}

/* Waits until a write would find room (or an error to report). */
static enum trp_err await_room(int fd, uint64_t deadline_ns) {
  for (;;) {
    uint64_t left_ms = trp_deadline_left_ns(deadline_ns) / 1000000u;
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int n = poll(&room, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
    if (n > 0) return TRP_OK;
    if (n < 0 && errno != EINTR) return TRP_SYSTEM;
    if (trp_deadline_left_ns(deadline_ns) < 1000000u) return TRP_TIMEOUT;
  }
}

enum trp_err trp_write_some(int fd, const void *data, size_t bytes, uint64_t deadline_ns,
                            size_t *written) {
  *written = 0;
  for (;;) {
    enum trp_err err = await_room(fd, deadline_ns);
    if (err != TRP_OK) return err;
    ssize_t n = write_quietly(fd, data, bytes < PIPE_BUF ? bytes : PIPE_BUF);
    if (n >= 0) {
      *written = (size_t)n;
      return TRP_OK;
    }
    if (errno == EPIPE) return TRP_CLOSED;
    if (errno != EINTR && errno != EAGAIN) return TRP_SYSTEM;
    if (trp_deadline_left_ns(deadline_ns) == 0) return TRP_TIMEOUT;
    /* A terminal polls writable with room for one byte, but takes a newline only as two. */
    if (errno == EAGAIN) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

enum trp_err trp_write_all(int fd, const void *data, size_t bytes, uint64_t deadline_ns) {
  const char *at = data;
  while (bytes > 0) {
    size_t n;
    enum trp_err err = trp_write_some(fd, at, bytes, deadline_ns, &n);
    if (err != TRP_OK) return err;
    at += n;
    bytes -= n;
  }
  return TRP_OK;
}
