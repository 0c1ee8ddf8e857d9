/* run.c - a program whose main is the system: signals, the report, the exit status.
 *
 * All that a library must not do by itself is here, and happens only because the embedder called
 * trp_system_run. SIGINT and SIGTERM are blocked before any thread exists and read from a signalfd,
 * so no handler interrupts anything; a stop that arrives while the system is starting is latched.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/fdcount.h"
#include "runtime/last_words.h"
#include "runtime/report.h"
#include "runtime/service.h"
#include "runtime/stack.h"
#include "runtime/system.h"

enum { FDS_MAX = 4096 };
static const uint64_t WRITE_NS = 500 * TRP_NS_PER_MS;

struct run {
  struct trp_system *system;
  int signal_fd, changed_fd;
  struct trp_service service;
  sigset_t old_mask;
  struct trp_fd before[FDS_MAX];
  size_t before_count;
  int signals;
  bool words; /* last words are ours to take back */
};

/* ---- set-up ---- */

static void tell_changes_to(struct trp_system *system, int fd) {
  pthread_mutex_lock(&system->reason_lock);
  system->changed_fd = fd;
  pthread_mutex_unlock(&system->reason_lock);
}

static sigset_t stop_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

void trp_run_hold_signals(void) {
  sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool open_run(struct run *run) {
  sigset_t set = stop_signals();
  if (pthread_sigmask(SIG_BLOCK, &set, &run->old_mask) != 0) return false;
  run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  run->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (run->signal_fd < 0 || run->changed_fd < 0) return false;
  trp_service_open(&run->service, run->system);
  run->before_count = trp_fd_list(run->before, FDS_MAX);
  if (run->before_count > FDS_MAX) run->before_count = FDS_MAX;
  tell_changes_to(run->system, run->changed_fd);
  signal(SIGPIPE, SIG_IGN);   /* a reader that has gone is an error of write, not an end */
  (void)!trp_stack_install(); /* without it stacks of stuck threads come from /proc */
  run->words = trp_last_words_install(run->system) == TRP_OK; /* else the embedder has done it */
  return true;
}

static void close_run(struct run *run) {
  if (run->words) trp_last_words_uninstall();
  trp_stack_uninstall();
  tell_changes_to(run->system, -1);
  trp_service_close(&run->service);
  if (run->signal_fd >= 0) close(run->signal_fd);
  if (run->changed_fd >= 0) close(run->changed_fd);
  pthread_sigmask(SIG_SETMASK, &run->old_mask, NULL);
}

/* ---- waiting ---- */

static void take_signals(struct run *run) {
  struct signalfd_siginfo info;
  while (read(run->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
    run->signals++;
    char reason[64];
    snprintf(reason, sizeof reason, "signal SIG%s", sigabbrev_np((int)info.ssi_signo));
    if (run->signals == 1) trp_system_stop(run->system, reason);
    if (run->signals == 2) trp_system_stop_now(run->system, reason);
    if (run->signals < 3) continue;
    trp_last_words_leave(run->system);
    trp_last_words_say("troupe: third signal: leaving at once, without an account\n");
    _exit(1);
  }
}

/* Both descriptors tell, and the service knows when it is due; the bound is for a wait without. */
static int nap_ms(uint64_t due_ns) {
  enum { NAP_MS = 60000 };
  uint64_t left_ms = trp_deadline_left_ns(due_ns) / TRP_NS_PER_MS + 1;
  return left_ms < NAP_MS ? (int)left_ms : NAP_MS;
}

static void wait_for_end(struct run *run) {
  struct pollfd fds[2] = {{.fd = run->signal_fd, .events = POLLIN},
                          {.fd = run->changed_fd, .events = POLLIN}};
  while (trp_system_stage(run->system) != TRP_STAGE_STOPPED) {
    poll(fds, 2, nap_ms(trp_service_step(&run->service)));
    eventfd_t count;
    (void)!eventfd_read(run->changed_fd, &count);
    take_signals(run);
  }
}

/* ---- the account ---- */

static bool was_there(const struct run *run, const struct trp_fd *fd) {
  for (size_t i = 0; i < run->before_count; i++) {
    if (run->before[i].fd == fd->fd) return strcmp(run->before[i].target, fd->target) == 0;
  }
  return false;
}

/* nng opens one epoll and one eventfd with its first socket, for the process's life. */
static bool is_nngs(const struct trp_fd *fd, int *epolls, int *events) {
  if (strcmp(fd->target, "anon_inode:[eventpoll]") == 0) return (*epolls)++ == 0;
  if (strcmp(fd->target, "anon_inode:[eventfd]") == 0) return (*events)++ == 0;
  return false;
}

/* Descriptors that came while the system ran and have not gone. */
static int64_t count_left(struct run *run, bool tell) {
  static struct trp_fd now[FDS_MAX]; /* not from the heap: the account is made in any case */
  size_t count = trp_fd_list(now, FDS_MAX);
  int64_t left = 0;
  int epolls = 0, events = 0;
  for (size_t i = 0; i < count && i < FDS_MAX; i++) {
    if (was_there(run, &now[i]) || is_nngs(&now[i], &epolls, &events)) continue;
    left++;
    if (!tell) continue;
    trp_system_log(run->system, "system", TRP_LOG_ERROR, "left.descriptor", "fd=%d target=%s",
                   now[i].fd, now[i].target);
  }
  return left;
}

/* A library may close a descriptor a moment later, in a thread of its own; a leak stays one. */
static void wait_for_closings(struct run *run) {
  const struct timespec nap = {.tv_nsec = 5 * (long)TRP_NS_PER_MS};
  const uint64_t until = trp_deadline_in(200 * TRP_NS_PER_MS);
  while (count_left(run, false) > 0 && trp_deadline_left_ns(until) > 0) nanosleep(&nap, NULL);
}

static void write_json(struct trp_system *system) {
  const char *path = system->options.report_json;
  if (path == NULL) return;
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  enum trp_err err = fd < 0 ? TRP_SYSTEM : trp_report_json(&system->report, fd, WRITE_NS);
  if (err != TRP_OK) {
    trp_system_log(system, "system", TRP_LOG_ERROR, "report.not_written", "path=%s error=\"%s\"",
                   path, errno != 0 ? strerror(errno) : trp_err_text(err));
  }
  if (fd >= 0) close(fd);
}

static int account(struct run *run) {
  struct trp_system *system = run->system;
  wait_for_closings(run);
  trp_report_add_left(&system->report, TRP_RES_DESCRIPTOR, count_left(run, true));
  (void)!trp_log_flush(system->log, 100 * TRP_NS_PER_MS);
  if (system->options.before_report != NULL) {
    system->options.before_report(system->options.before_report_arg);
  }
  fflush(stdout);
  if (!system->options.quiet_report) {
    (void)!trp_report_table(&system->report, STDOUT_FILENO, WRITE_NS);
  }
  write_json(system);
  (void)!trp_log_flush(system->log, 100 * TRP_NS_PER_MS);
  return trp_verdict_status(system->report.verdict);
}

int trp_system_run(struct trp_system *system) {
  enum { WRONG_USE = 2 };
  static struct run run; /* large for a stack; once a process */
  run = (struct run){.system = system,
                     .signal_fd = -1,
                     .changed_fd = -1,
                     .service = {.system = system, .socket.fd = -1}};
  if (system->options.sched != TRP_SCHED_THREADS) return WRONG_USE;
  if (!open_run(&run) || trp_system_start_async(system) != TRP_OK) {
    char words[sizeof system->failure + 64];
    bool told = system->failure[0] != '\0';
    snprintf(words, sizeof words, "troupe: the system could not be started%s%s\n", told ? ": " : "",
             system->failure);
    trp_last_words_say(words);
    close_run(&run);
    return WRONG_USE;
  }
  wait_for_end(&run);
  int status = account(&run);
  if (system->report.verdict == TRP_VERDICT_ABANDONED) {
    /* A thread is still in its turn: nothing of the process can be taken apart safely. */
    trp_service_close(&run.service);
    trp_last_words_leave(system);
    _exit(status);
  }
  close_run(&run);
  return status;
}
