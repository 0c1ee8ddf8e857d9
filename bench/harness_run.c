#include "bench/harness_run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 20 };

static volatile sig_atomic_t interrupted;

void harness_interrupt(void) { interrupted = 1; }
bool harness_interrupted(void) { return interrupted != 0; }

/* ---- lines ---- */

/* Behind `"key":` and blanks; NULL where the key is missing. */
static const char *find_value(const char *text, const char *key) {
  char quoted[32];
  snprintf(quoted, sizeof quoted, "\"%s\"", key);
  const char *at = strstr(text, quoted);
  if (at == NULL) return NULL;
  at += strlen(quoted);
  at += strspn(at, " ");
  if (*at != ':') return NULL;
  return at + 1 + strspn(at + 1, " ");
}

/* Words, units and the like: no escapes. */
static bool read_text(const char *at, char *out, size_t size) {
  if (at == NULL || *at != '"') return false;
  size_t length = strcspn(++at, "\"\\");
  if (at[length] != '"' || length == 0 || length >= size) return false;
  memcpy(out, at, length);
  out[length] = '\0';
  return true;
}

bool harness_line_read(const char *text, struct harness_line *line) {
  if (text[0] != '{' || text[strlen(text) - 1] != '}') return false;
  if (!read_text(find_value(text, "metric"), line->metric, sizeof line->metric)) return false;
  if (!read_text(find_value(text, "unit"), line->unit, sizeof line->unit)) return false;
  const char *at = find_value(text, "value");
  if (at == NULL) return false;
  char *end;
  line->value = strtod(at, &end);
  return end != at && strchr(" ,}", *end) != NULL && isfinite(line->value);
}

/* ---- the child ---- */

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* In the child: only what is safe after fork. */
static void become(const struct harness_command *command, char **argv, int out, int err) {
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (command->cores != NULL) sched_setaffinity(0, sizeof *command->cores, command->cores);
  dup2(null, 0);
  dup2(out, 1);
  dup2(err, 2);
  execv(argv[0], argv);
  static const char sorry[] = "cannot be executed\n";
  ssize_t n = write(2, sorry, sizeof sorry - 1);
  (void)n;
  _exit(127);
}

static pid_t spawn(const struct harness_command *command, int *out, int *err) {
  char args[512], *argv[HARNESS_ARGS_MAX + 2] = {(char *)(uintptr_t)command->program};
  snprintf(args, sizeof args, "%s", command->args != NULL ? command->args : "");
  size_t count = 1;
  char *rest = args, *word;
  while (count <= HARNESS_ARGS_MAX && (word = strsep(&rest, " ")) != NULL) {
    if (*word != '\0') argv[count++] = word;
  }
  int outs[2], errs[2];
  if (pipe2(outs, O_CLOEXEC) != 0) return -1;
  if (pipe2(errs, O_CLOEXEC) != 0) {
    close(outs[0]);
    close(outs[1]);
    return -1;
  }
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) become(command, argv, outs[1], errs[1]);
  close(outs[1]);
  close(errs[1]);
  *out = outs[0];
  *err = errs[0];
  if (pid > 0) setpgid(pid, pid); /* in both, so that it is so for either when it goes on */
  return pid;
}

/* Adds what can be read; what finds no room is read and forgotten. False at the end of it. */
static bool drain(int fd, char *text) {
  char piece[4096];
  ssize_t n = read(fd, piece, sizeof piece);
  if (n < 0 && errno == EINTR) return true;
  if (n <= 0) return false;
  size_t used = strlen(text), room = HARNESS_TEXT_MAX - 1 - used;
  size_t take = (size_t)n < room ? (size_t)n : room;
  memcpy(text + used, piece, take);
  text[used + take] = '\0';
  return true;
}

/* Reads both pipes until the program has ended, the time is over, or somebody interrupts. */
static int attend(pid_t pid, int out, int err, unsigned timeout_s, struct harness_run *run) {
  uint64_t until_ms = now_ms() + (uint64_t)timeout_s * 1000;
  struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
  char *texts[2] = {run->said, run->error};
  siginfo_t ended = {.si_pid = 0};
  while (ended.si_pid == 0 && !harness_interrupted() && now_ms() < until_ms) {
    poll(fds, 2, TICK_MS);
    for (int i = 0; i < 2; i++) {
      if (fds[i].revents != 0 && !drain(fds[i].fd, texts[i])) fds[i].fd = -1;
    }
    waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);
  }
  kill(-pid, SIGKILL); /* with what it started itself; its id is not free before it is reaped */
  int status = 0;
  waitpid(pid, &status, 0);
  for (int i = 0; i < 2; i++) {
    while (fds[i].fd >= 0 && poll(&fds[i], 1, 0) > 0 && drain(fds[i].fd, texts[i])) {
    }
  }
  if (ended.si_pid == 0) return harness_interrupted() ? -2 : -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The last line of what it said about its trouble. */
static const char *last_words(struct harness_run *run) {
  size_t length = strlen(run->error);
  while (length > 0 && run->error[length - 1] == '\n') run->error[--length] = '\0';
  const char *line = strrchr(run->error, '\n');
  return line != NULL ? line + 1 : run->error;
}

bool harness_run_any(const struct harness_command *command, struct harness_run *run) {
  memset(run, 0, sizeof *run);
  int out, err;
  pid_t pid = harness_interrupted() ? -1 : spawn(command, &out, &err);
  if (pid < 0) {
    run->status = -2;
    snprintf(run->trouble, sizeof run->trouble, "not started");
    return false;
  }
  run->status = attend(pid, out, err, command->timeout_s, run);
  close(out);
  close(err);
  if (run->status == 0) return true;
  if (run->status == -1) {
    snprintf(run->trouble, sizeof run->trouble, "no end within %u s", command->timeout_s);
  } else if (run->status == -2) {
    snprintf(run->trouble, sizeof run->trouble, "interrupted");
  } else {
    snprintf(run->trouble, sizeof run->trouble, "exit status %d: %.200s", run->status,
             last_words(run));
  }
  return false;
}

bool harness_run_program(const struct harness_command *command, struct harness_run *run) {
  if (!harness_run_any(command, run)) return false;
  char *rest = run->said, *text;
  while ((text = strsep(&rest, "\n")) != NULL) {
    if (*text == '\0') continue;
    if (run->count < HARNESS_LINES_MAX && harness_line_read(text, &run->lines[run->count])) {
      run->count++;
      continue;
    }
    snprintf(run->trouble, sizeof run->trouble, "not a line of the contract: %.100s", text);
    return false;
  }
  if (run->count == 0) snprintf(run->trouble, sizeof run->trouble, "said nothing");
  return run->count > 0;
}
