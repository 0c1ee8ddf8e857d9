#include "test/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char folder[64];

static void remove_folder(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
  if (system(command) != 0) fprintf(stderr, "could not remove %s\n", folder);
}

const char *process_folder(void) {
  if (folder[0] != '\0') return folder;
  snprintf(folder, sizeof folder, "%s/troupe-test-XXXXXX", P_tmpdir);
  if (mkdtemp(folder) == NULL) abort();
  atexit(remove_folder);
  return folder;
}

const char *process_troupe(void) {
  const char *path = getenv("TROUPE");
  return path != NULL ? path : "build/release/troupe";
}

const char *process_path(const char *name) {
  static char paths[8][160];
  static unsigned next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", process_folder(), name);
  return path;
}

void process_start(struct process *p, const char *const *args) {
  static unsigned count;
  char *argv[PROCESS_ARGS_MAX + 2] = {
      (char *)(uintptr_t)(p->program != NULL ? p->program : process_troupe())};
  for (int i = 0; i < PROCESS_ARGS_MAX && args[i] != NULL; i++) {
    argv[i + 1] = (char *)(uintptr_t)args[i];
  }
  snprintf(p->out, sizeof p->out, "%s/%u.out", process_folder(), ++count);
  snprintf(p->err, sizeof p->err, "%s/%u.err", process_folder(), count);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  if (p->terminal != NULL) {
    posix_spawn_file_actions_addopen(&files, 1, p->terminal, O_RDWR | O_NOCTTY, 0);
  } else {
    posix_spawn_file_actions_addopen(&files, 1, p->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  if (p->err_fd > 0) {
    posix_spawn_file_actions_adddup2(&files, p->err_fd, 2);
  } else {
    posix_spawn_file_actions_addopen(&files, 2, p->err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  if (posix_spawn(&p->pid, argv[0], &files, NULL, argv, environ) != 0) {
    fprintf(stderr, "cannot start %s: it must be built first\n", argv[0]);
    abort();
  }
  posix_spawn_file_actions_destroy(&files);
}

unsigned long process_now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (unsigned long)t.tv_sec * 1000 + (unsigned long)t.tv_nsec / 1000000;
}

void process_nap(unsigned ms) {
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
  nanosleep(&t, NULL);
}

bool process_wait_signals_held(struct process *p, unsigned timeout_ms) {
  char path[64];
  unsigned long until = process_now_ms() + timeout_ms;
  snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
  while (process_now_ms() < until) {
    const char *blocked = strstr(process_read(path), "SigBlk:");
    if (blocked != NULL && (strtoull(blocked + 7, NULL, 16) >> (SIGTERM - 1) & 1) != 0) return true;
  }
  return false;
}

int process_wait(struct process *p, unsigned timeout_ms) {
  unsigned long until = process_now_ms() + timeout_ms;
  for (;;) {
    int status;
    pid_t got = waitpid(p->pid, &status, WNOHANG);
    if (got == p->pid) {
      p->pid = 0;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (process_now_ms() >= until) return -1;
    process_nap(2);
  }
}

void process_end(struct process *p) {
  if (p->pid == 0) return;
  kill(p->pid, SIGKILL);
  waitpid(p->pid, NULL, 0);
  p->pid = 0;
}

const char *process_read(const char *path) {
  static char text[PROCESS_TEXT_MAX];
  text[0] = '\0';
  FILE *file = fopen(path, "r");
  if (file == NULL) return text;
  size_t n = fread(text, 1, sizeof text - 1, file);
  text[n] = '\0';
  fclose(file);
  return text;
}

int process_run(const char *const *args, const char **out) {
  struct process p = {.err_fd = -1};
  process_start(&p, args);
  int status = process_wait(&p, 15000 * process_slowness());
  process_end(&p);
  if (out != NULL) *out = process_read(p.out);
  unlink(p.out);
  unlink(p.err);
  return status;
}

bool process_wait_text(const char *path, const char *text, unsigned timeout_ms) {
  unsigned long until = process_now_ms() + timeout_ms;
  while (strstr(process_read(path), text) == NULL) {
    if (process_now_ms() >= until) return false;
    process_nap(20);
  }
  return true;
}

unsigned process_slowness(void) {
  const char *mode = getenv("TRP_MODE");
  if (mode == NULL || strcmp(mode, "release") == 0) return 1;
  return strcmp(mode, "valgrind") == 0 ? 10 : 5;
}
