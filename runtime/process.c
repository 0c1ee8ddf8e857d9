/* process.c - the process of a slot: spawned, waited for, killed, reaped; and the loop in which the
 * slot's thread sleeps, so that a death wakes it.
 *
 * Never forked: nng's threads would be missing in the copy, and it aborts there. */
#include "runtime/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/check.h"
#include "runtime/deadline.h"
#include "runtime/directory.h"
#include "runtime/host.h"
#include "runtime/process_slot.h"
#include "runtime/system.h"

extern char **environ;

/* ---- the page ---- */

static void fill_page(const struct trp_process *p, struct trp_process_page *page) {
  struct trp_actor *a = p->actor;
  const struct trp_system_options *options = &a->system->options;
  page->magic = TRP_PROCESS_MAGIC;
  page->bytes = p->page_bytes;
  snprintf(page->version, sizeof page->version, "%s", TRP_VERSION);
  page->parent = getpid();
  snprintf(page->system, sizeof page->system, "%s", a->system->name);
  snprintf(page->name, sizeof page->name, "%s", a->name);
  snprintf(page->kind, sizeof page->kind, "%s", p->kind->name);
  memcpy(page->path, p->path, sizeof page->path);
  page->self = trp_actor_ref(a, a->self.incarnation);
  page->seed = trp_env_random(&a->system->env);
  page->log_level = options->log_level;
  page->allow_faults = options->allow_faults;
  page->start_timeout_ms = trp_spec_of(a)->start_timeout_ms;
  page->budget_ms = trp_spec_of(a)->budget_ms;
  page->turn_limit_ms = trp_spec_of(a)->turn_limit_ms;
  page->outbox_max = trp_spec_of(a)->outbox_max;
  page->args_bytes = p->args_bytes;
  if (p->args_bytes > 0) memcpy(page->args, p->args, p->args_bytes);
}

/* Above those that the process will have, so that making these does not close a source. */
static int raised(int fd) {
  if (fd < 0) return -1;
  int above = fcntl(fd, F_DUPFD_CLOEXEC, TRP_PROCESS_FDS);
  close(fd);
  return above;
}

/* The descriptor is for the process alone. */
static int open_page(struct trp_process *p) {
  p->page_bytes = sizeof *p->page + p->args_bytes;
  int fd = raised(memfd_create("troupe-page", MFD_CLOEXEC));
  if (fd < 0) return -1;
  void *at = MAP_FAILED;
  if (ftruncate(fd, (off_t)p->page_bytes) == 0) {
    at = mmap(NULL, p->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  if (at == MAP_FAILED) {
    close(fd);
    return -1;
  }
  p->page = at;
  fill_page(p, p->page);
  return fd;
}

/* ---- spawning ---- */

/* The path, where it is still this program's; the link in /proc else, which always is. Tools that
 * run a program inside another (valgrind) show the right one in the first only. */
static void own_program(char *out, size_t bytes) {
  static const char link[] = "/proc/self/exe", gone[] = " (deleted)";
  ssize_t n = readlink(link, out, bytes - 1);
  if (n > 0 && (size_t)n < bytes - 1) {
    out[n] = '\0';
    size_t end = (size_t)n, tail = sizeof gone - 1;
    if (end < tail || strcmp(out + end - tail, gone) != 0) return;
  }
  snprintf(out, bytes, "%s", link);
}

/* Ours, and the word that says what it is; NULL where memory is out. */
static char **new_environment(void) {
  static char word[] = TRP_PROCESS_VARIABLE "=1";
  size_t count = 0;
  while (environ[count] != NULL) count++;
  char **copy = calloc(count + 2, sizeof *copy);
  if (copy == NULL) return NULL;
  memcpy(copy, environ, count * sizeof *copy);
  copy[count] = word;
  return copy;
}

/* A session of its own: what a terminal sends to our process group is ours to act on. No signal is
 * blocked or ignored there because it is here. */
static void set_attributes(posix_spawnattr_t *attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &all);
  posix_spawnattr_setflags(attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn_with(struct trp_process *p, int page, int line, pid_t *pid) {
  char program[512];
  char *argv[] = {p->actor->name, NULL};
  char **environment = new_environment();
  if (environment == NULL) return ENOMEM;
  int directory = fcntl(trp_directory_fd(p->actor->system->directory), F_DUPFD_CLOEXEC,
                        TRP_PROCESS_FDS); /* above, as raised() says */
  own_program(program, sizeof program);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  set_attributes(&attributes);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, page, TRP_PROCESS_PAGE_FD);
  posix_spawn_file_actions_adddup2(&files, line, TRP_PROCESS_LINE_FD);
  posix_spawn_file_actions_adddup2(&files, directory, TRP_PROCESS_DIRECTORY_FD);
  posix_spawn_file_actions_addclosefrom_np(&files, TRP_PROCESS_FDS);
  int error =
      directory < 0 ? EMFILE : posix_spawn(pid, program, &files, &attributes, argv, environment);
  if (directory >= 0) close(directory);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  free(environment);
  return error;
}

static enum trp_err choose_path(struct trp_process *p, char *why, size_t why_bytes) {
  char folder[TRP_FOLDER_BYTES];
  struct trp_actor *a = p->actor;
  if (!trp_folder_at(0, folder)) {
    snprintf(why, why_bytes, "the path of the runtime directory is too long");
    return TRP_TOO_BIG;
  }
  enum trp_err err = trp_folder_make(folder, why, why_bytes);
  if (err != TRP_OK) return err;
  int n = snprintf(p->path, sizeof p->path, "%s/%d.%u.%llu.%llx", folder, (int)getpid(), a->index,
                   (unsigned long long)a->self.incarnation,
                   (unsigned long long)(uintptr_t)a->system & 0xffffff);
  if (n > 0 && (size_t)n < sizeof p->path) return TRP_OK;
  p->path[0] = '\0';
  snprintf(why, why_bytes, "%s is too long for a socket in it", folder);
  return TRP_TOO_BIG;
}

static void hold_process(struct trp_process *p, pid_t pid, int pidfd) {
  pthread_mutex_lock(&p->lock);
  p->pidfd = pidfd;
  atomic_store_explicit(&p->pid, (int)pid, memory_order_relaxed);
  pthread_mutex_unlock(&p->lock);
  trp_held(p->actor, TRP_RES_PROCESS, pid != 0 ? 1 : -1);
}

/* The kernel's count of processes that it killed for want of memory; 0 where it does not tell. */
static uint64_t read_oom_kills(void) {
  char text[16384];
  static const char key[] = "\noom_kill ";
  int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = '\0';
  const char *at = strstr(text, key);
  return at == NULL ? 0 : strtoull(at + sizeof key - 1, NULL, 10);
}

enum trp_err trp_process_spawn(struct trp_process *p, char *why, size_t why_bytes) {
  int pair[2] = {-1, -1};
  pid_t pid = 0;
  enum trp_err err = choose_path(p, why, why_bytes);
  if (err != TRP_OK) return err;
  p->oom_kills = read_oom_kills();
  int page = open_page(p), error = 0;
  if (page < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) error = errno;
  p->line = pair[0];
  pair[1] = raised(pair[1]);
  if (error == 0 && pair[1] < 0) error = errno;
  if (error == 0) error = spawn_with(p, page, pair[1], &pid);
  if (page >= 0) close(page);
  if (pair[1] >= 0) close(pair[1]);
  int pidfd = error == 0 ? pidfd_open(pid, 0) : -1;
  if (error == 0 && pidfd < 0) {
    error = errno;
    kill(pid, SIGKILL); /* ours and not reaped: nobody else can have this id */
    waitpid(pid, NULL, 0);
  }
  if (error == 0) {
    hold_process(p, pid, pidfd);
    return TRP_OK;
  }
  snprintf(why, why_bytes, "a process cannot be spawned: %s", strerror(error));
  return error == ENOMEM ? TRP_NO_MEMORY : TRP_SYSTEM;
}

void trp_process_unlink(struct trp_process *p) {
  if (p->path[0] != '\0') unlink(p->path);
  p->path[0] = '\0';
}

/* ---- waiting ---- */

void trp_process_say(struct trp_process *p, char word) {
  if (p->line >= 0) (void)!send(p->line, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void hear(struct trp_process *p) {
  char word;
  if (p->line < 0 || recv(p->line, &word, 1, MSG_DONTWAIT) != 1) return;
  if (word == TRP_WORD_READY) p->ready = true;
  if (word == TRP_WORD_STACK) trp_process_copy_stack(p);
}

static void sleep_on(struct pollfd *fds, nfds_t count, uint64_t until_ns) {
  /* Bounded, so that a lost wake-up can never hang. */
  uint64_t left = until_ns == 0 ? 0 : trp_deadline_left_ns(until_ns);
  if (left > 3600 * TRP_NS_PER_S) left = 3600 * TRP_NS_PER_S;
  struct timespec time = trp_deadline_timespec(left);
  (void)!ppoll(fds, count, &time, NULL);
}

void trp_process_wait(struct trp_process *p, uint64_t until_ns) {
  struct pollfd fds[3] = {{.fd = p->wake_fd, .events = POLLIN},
                          {.fd = p->exited ? -1 : p->pidfd, .events = POLLIN},
                          {.fd = p->ready ? -1 : p->line, .events = POLLIN}};
  eventfd_t count;
  /* seq_cst: pairs with the look in news_of_link, which comes after the frame was queued. */
  atomic_store_explicit(&p->waiting, true, memory_order_seq_cst);
  if (p->link == NULL || !trp_link_has_frames(p->link)) sleep_on(fds, 3, until_ns);
  atomic_store_explicit(&p->waiting, false, memory_order_relaxed);
  (void)!eventfd_read(p->wake_fd, &count);
  if (fds[2].revents & POLLIN) hear(p);
}

static void run_loop(struct trp_loop *loop, uint64_t until_ns) {
  struct trp_process *p =
      (struct trp_process *)(void *)((char *)loop - offsetof(struct trp_process, loop));
  uint64_t look_ns = TRP_FOREVER;
  if (trp_process_has_news(p, &look_ns)) {
    trp_actor_signal(p->actor, TRP_SIGNAL_READY);
    return;
  }
  struct pollfd fds[2] = {{.fd = p->wake_fd, .events = POLLIN},
                          {.fd = p->exited ? -1 : p->pidfd, .events = POLLIN}};
  eventfd_t count;
  sleep_on(fds, 2, look_ns < until_ns ? look_ns : until_ns);
  (void)!eventfd_read(p->wake_fd, &count);
  if (fds[1].revents != 0) trp_actor_signal(p->actor, TRP_SIGNAL_READY);
}

static void wake_loop(struct trp_loop *loop) {
  struct trp_process *p =
      (struct trp_process *)(void *)((char *)loop - offsetof(struct trp_process, loop));
  (void)!eventfd_write(p->wake_fd, 1);
}

/* ---- dying ---- */

bool trp_process_kill(struct trp_process *p) {
  pthread_mutex_lock(&p->lock);
  bool killed = p->pidfd >= 0 && pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0) == 0;
  pthread_mutex_unlock(&p->lock);
  return killed;
}

int trp_process_pid(const struct trp_process *p) {
  return atomic_load_explicit(&p->pid, memory_order_relaxed);
}

static uint64_t ms_of(struct timeval t) {
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_usec / 1000;
}

bool trp_process_reap(struct trp_process *p) {
  if (p->exited || p->pidfd < 0) return p->exited;
  struct rusage usage = {0};
  pid_t pid = trp_process_pid(p);
  struct pollfd dead = {.fd = p->pidfd, .events = POLLIN};
  if (poll(&dead, 1, 0) != 1) return false;
  /* Where the embedder waits for children of its own without naming them, ours may be gone. */
  if (wait4(pid, &p->status, 0, &usage) != pid) p->status = -1;
  snprintf(p->account, sizeof p->account, "process %d, user %llu ms, system %llu ms, %ld KiB",
           (int)pid, (unsigned long long)ms_of(usage.ru_utime),
           (unsigned long long)ms_of(usage.ru_stime), usage.ru_maxrss);
  int pidfd = p->pidfd;
  hold_process(p, 0, -1);
  close(pidfd);
  p->exited = true;
  return true;
}

void trp_process_disown(struct trp_process *p) {
  pthread_mutex_lock(&p->lock);
  close(p->pidfd);
  p->pidfd = -1;
  pthread_mutex_unlock(&p->lock);
}

void trp_process_obituary(const struct trp_process *p, char *out, size_t bytes) {
  if (p->status < 0) {
    snprintf(out, bytes, "died; somebody else took its status (%s)", p->account);
  } else if (p->stuck) {
    snprintf(out, bytes, "a turn did not return in %u ms: killed (%s)",
             trp_spec_of(p->actor)->turn_limit_ms, p->account);
  } else if (WIFEXITED(p->status)) {
    snprintf(out, bytes, "exited with status %d (%s)", WEXITSTATUS(p->status), p->account);
  } else {
    bool killed = WTERMSIG(p->status) == SIGKILL;
    bool oom = killed && read_oom_kills() > p->oom_kills;
    snprintf(out, bytes, "SIG%s%s (%s)", sigabbrev_np(WTERMSIG(p->status)),
             oom      ? ", and the kernel is out of memory"
             : killed ? " from elsewhere"
                      : "",
             p->account);
  }
}

/* ---- stacks ---- */

void trp_process_copy_stack(struct trp_process *p) {
  memcpy(p->stack, p->page->stack, sizeof p->stack);
  p->stack[sizeof p->stack - 1] = '\0';
}

void trp_process_ask_stack(struct trp_process *p) {
  const int wait_ms = 250;
  struct pollfd line = {.fd = p->line, .events = POLLIN};
  trp_process_say(p, TRP_WORD_STACK);
  if (poll(&line, 1, wait_ms) == 1) hear(p);
}

const char *trp_process_stack_text(const struct trp_process *p) { return p->stack; }

/* ---- the slot ---- */

void trp_process_clear(struct trp_process *p) {
  ASSERT(p->pidfd < 0);
  trp_link_close(&p->link);
  trp_process_unlink(p);
  if (p->line >= 0) close(p->line);
  p->line = -1;
  if (p->page != NULL) munmap(p->page, p->page_bytes);
  p->page = NULL;
  p->ready = p->started = p->ended = p->dismissed = p->exited = false;
  p->owing = p->pill_pending = p->stuck = false;
  p->status = 0;
  p->handled = p->seen_turns = 0;
}

static enum trp_err refuse(struct trp_system *system, const struct trp_spec *spec,
                           const char *why) {
  trp_system_log(system, spec->name, TRP_LOG_ERROR, "process.refused", "kind=%s reason=\"%s\"",
                 spec->kind->name, why);
  return TRP_INVALID;
}

static enum trp_err check_spec(struct trp_system *system, const struct trp_spec *spec) {
  if (!trp_host_knows(spec->kind)) {
    return refuse(system, spec, "main must first call trp_process_host with this kind in its list");
  }
  if (spec->args != NULL && spec->args_bytes == 0) {
    return refuse(system, spec,
                  "args are copied into the process: spec.args_bytes must say their size");
  }
  if (spec->loop != NULL) return refuse(system, spec, "a loop cannot be taken into a process");
  return TRP_OK;
}

enum trp_err trp_process_new(struct trp_process **out, struct trp_system *system,
                             struct trp_spec *spec) {
  *out = NULL;
  enum trp_err err = check_spec(system, spec);
  if (err != TRP_OK) return err;
  struct trp_process *p = calloc(1, sizeof *p);
  if (p == NULL) return TRP_NO_MEMORY;
  p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (p->wake_fd < 0) {
    free(p);
    return TRP_SYSTEM;
  }
  p->kind = spec->kind;
  p->args = spec->args;
  p->args_bytes = spec->args != NULL ? spec->args_bytes : 0;
  p->loop = (struct trp_loop){.run = run_loop, .wake = wake_loop};
  p->pidfd = p->line = -1;
  pthread_mutex_init(&p->lock, NULL);
  spec->kind = &trp_process_proxy;
  spec->loop = &p->loop;
  *out = p;
  return TRP_OK;
}

void trp_process_join(struct trp_process *p, struct trp_actor *a) {
  p->actor = a;
  a->process = p;
}

uint64_t trp_process_in_link(const struct trp_process *p) {
  return atomic_load_explicit(&p->in_link, memory_order_acquire);
}

void trp_process_handed_over(struct trp_process *p) { trp_count(&p->in_link, 1); }

void trp_process_close(struct trp_process *p) {
  if (p->wake_fd >= 0) close(p->wake_fd);
  p->wake_fd = -1;
}

void trp_process_destroy(struct trp_process **process) {
  struct trp_process *p = *process;
  if (p == NULL) return;
  *process = NULL;
  trp_process_close(p);
  pthread_mutex_destroy(&p->lock);
  free(p);
}

const struct trp_kind *trp_process_kind_of(const struct trp_process *p) { return p->kind; }
