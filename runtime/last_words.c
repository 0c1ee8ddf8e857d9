#include "runtime/last_words.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/altstack.h"
#include "runtime/deadline.h"
#include "runtime/last_words_text.h"
#include "runtime/write.h"

enum { SIGNALS = 5, NOBODY = 0, INSTALLING = -1 };
static const int FATAL[SIGNALS] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
static const uint64_t SPEAK_NS = TRP_NS_PER_S, SAY_NS = 500 * TRP_NS_PER_MS;
static const uint64_t WAIT_NS = 2 * TRP_NS_PER_S;  /* of a second thread, for the first one's end */
static const uint64_t GUARD_NS = 3 * TRP_NS_PER_S; /* then the process is killed */

static struct {
  struct trp_system *system;
  struct sigaction before[SIGNALS];
  timer_t guard;
  bool guarded;
  _Atomic int installed; /* 0, INSTALLING or 1 */
  _Atomic int speaker;   /* the thread that speaks; NOBODY */
} words;

/* ---- in the handler ---- */

/* Whoever handled the signal before gets it, by default the kernel: a fault comes again as soon as
 * the handler returns, at the same place; what was sent is sent again. */
static void hand_on(int number, const siginfo_t *info) {
  struct sigaction by_default = {.sa_handler = SIG_DFL};
  for (int i = 0; i < SIGNALS; i++) {
    if (FATAL[i] != number) continue;
    bool ignored = words.before[i].sa_handler == SIG_IGN;
    sigaction(number, ignored ? &by_default : &words.before[i], NULL);
  }
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

/* The first thread is speaking and ends the process; this one only must not spoil it. */
static void wait_for_the_end(void) {
  const struct timespec nap = {.tv_nsec = 10 * (long)TRP_NS_PER_MS};
  uint64_t until = trp_deadline_in(WAIT_NS);
  while (trp_deadline_left_ns(until) > 0) nanosleep(&nap, NULL);
}

static void arm_guard(void) {
  struct itimerspec in = {.it_value = trp_deadline_timespec(GUARD_NS)};
  if (words.guarded) timer_settime(words.guard, 0, &in, NULL);
}

static void on_fatal(int number, siginfo_t *info, void *context) {
  int me = (int)syscall(SYS_gettid), speaker = NOBODY, error = errno;
  /* Relaxed: who speaks publishes nothing to the others. */
  bool first = atomic_compare_exchange_strong_explicit(&words.speaker, &speaker, me,
                                                       memory_order_relaxed, memory_order_relaxed);
  if (first) {
    arm_guard();
    trp_last_words_leave(words.system);
    trp_last_words_write(STDERR_FILENO, info, context, words.system, trp_deadline_in(SPEAK_NS));
  } else if (speaker != me) {
    wait_for_the_end();
  }
  hand_on(number, info);
  errno = error;
}

void trp_last_words_leave(struct trp_system *system) {
  if (system == NULL || system->options.on_leave == NULL) return;
  system->options.on_leave(system->options.on_leave_arg);
}

void trp_last_words_say(const char *text) {
  (void)!trp_write_all(STDERR_FILENO, text, strlen(text), trp_deadline_in(SAY_NS));
}

/* ---- installing ---- */

enum trp_err trp_last_words_install(struct trp_system *system) {
  int before = 0;
  /* Acquire: partner is the release in uninstall. */
  if (!atomic_compare_exchange_strong_explicit(&words.installed, &before, INSTALLING,
                                               memory_order_acquire, memory_order_relaxed)) {
    return TRP_BUSY;
  }
  trp_stack_prepare();
  trp_altstack_enter();
  words.system = system;
  struct sigevent kill = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
  words.guarded = timer_create(CLOCK_MONOTONIC, &kill, &words.guard) == 0;
  struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < SIGNALS; i++) sigaction(FATAL[i], &action, &words.before[i]);
  atomic_store_explicit(&words.installed, 1, memory_order_relaxed);
  return TRP_OK;
}

void trp_last_words_uninstall(void) {
  if (atomic_load_explicit(&words.installed, memory_order_relaxed) != 1) return;
  for (int i = 0; i < SIGNALS; i++) {
    struct sigaction now;
    /* One that somebody installed over ours is theirs. */
    if (sigaction(FATAL[i], NULL, &now) != 0 || now.sa_sigaction != on_fatal) continue;
    sigaction(FATAL[i], &words.before[i], NULL);
  }
  if (words.guarded) timer_delete(words.guard);
  words.guarded = false;
  words.system = NULL;
  trp_altstack_leave();
  /* Release: partner is the acquire in install. */
  atomic_store_explicit(&words.installed, 0, memory_order_release);
}
