#include "runtime/stack.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "runtime/check.h"
#include "runtime/deadline.h"
#include "runtime/phrase.h"
#include "runtime/symbols.h"

enum {
  INNER_FRAMES_MAX = 16, /* of ours, a handler, the kernel's return and a sanitizer */
  SIGNALS_TRIED = 8,     /* candidates for a free real-time signal */
  PROC_BYTES = 4096      /* of a file in /proc/self/task */
};
static const uint64_t timeout_max_ns = UINT64_C(10000000000);

/* ---- capturing --------------------------------------------------------------------------- */

static void load_unwinder(void) {
  void *frame[2];
  int n = backtrace(frame, 2); /* the first call loads libgcc_s and allocates */
  (void)n;
}

void trp_stack_prepare(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load_unwinder);
}

static void keep(struct trp_stack *stack, void *const *raw, int count, int first) {
  stack->depth = 0;
  for (int i = first; i < count && stack->depth < TRP_STACK_DEPTH; i++) {
    stack->pc[stack->depth++] = (uintptr_t)raw[i];
  }
}

/* Where the frame of that pc stands near the inner end, -1 where it does not. */
static int find_frame(void *const *raw, int count, uintptr_t pc) {
  for (int i = 0; i < count && i < INNER_FRAMES_MAX; i++) {
    if ((uintptr_t)raw[i] == pc) return i;
  }
  return -1;
}

__attribute__((noinline)) void trp_stack_capture(struct trp_stack *stack, int skip) {
  void *raw[TRP_STACK_DEPTH + TRP_STACK_SKIP_MAX + INNER_FRAMES_MAX];
  if (skip < 0) skip = 0;
  if (skip > TRP_STACK_SKIP_MAX) skip = TRP_STACK_SKIP_MAX;
  trp_stack_prepare();
  int count = backtrace(raw, (int)(sizeof raw / sizeof raw[0]));
  int caller = find_frame(raw, count, (uintptr_t)__builtin_return_address(0));
  keep(stack, raw, count, (caller < 0 ? 1 : caller) + skip);
}

/* By the kernel, which says so where there is no such memory. */
static bool read_word(uintptr_t address, uintptr_t *out) {
  struct iovec to = {out, sizeof *out}, from = {(void *)address, sizeof *out};
  return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof *out;
}

/* Of what a handler has interrupted; all 0 on a processor not named here, which leaves the
 * handler's own frames in the stack. */
struct registers {
  uintptr_t pc, frame;
  uintptr_t caller; /* the return address, where the function called has not begun yet */
};

#if defined(__x86_64__)
static struct registers interrupted(const ucontext_t *context) {
  const greg_t *general = context->uc_mcontext.gregs;
  struct registers r = {(uintptr_t)general[REG_RIP], (uintptr_t)general[REG_RBP], 0};
  if (!read_word((uintptr_t)general[REG_RSP], &r.caller)) r.caller = 0;
  return r;
}
#elif defined(__aarch64__)
static struct registers interrupted(const ucontext_t *context) {
  const mcontext_t *machine = &context->uc_mcontext;
  return (struct registers){machine->pc, machine->regs[29], machine->regs[30]};
}
#else
static struct registers interrupted(const ucontext_t *context) {
  (void)context;
  return (struct registers){0};
}
#endif

/* The stack from the interrupted frame outwards. Where that frame is not found (the thread
 * sanitizer runs handlers later and elsewhere) all but the handler's own frame is kept. Inlined, so
 * that this is one. */
__attribute__((always_inline)) static inline void capture_interrupted(struct trp_stack *stack,
                                                                      const ucontext_t *context) {
  void *raw[TRP_STACK_DEPTH + INNER_FRAMES_MAX];
  int count = backtrace(raw, (int)(sizeof raw / sizeof raw[0]));
  int first = find_frame(raw, count, interrupted(context).pc);
  keep(stack, raw, count, first < 0 ? 1 : first);
  if (first >= 0) stack->pc[0]++; /* exact, and so made like a return address */
}

/* Where there is no code there is nothing to unwind by: a call of a NULL pointer. The caller is
 * still known, and those before it by their frame pointers, as far as they have some. */
static void walk_frames(struct trp_stack *stack, struct registers at) {
  stack->depth = 0;
  stack->pc[stack->depth++] = at.pc + 1;
  stack->pc[stack->depth++] = at.caller;
  while (stack->depth < TRP_STACK_DEPTH) {
    uintptr_t next, caller;
    if (!read_word(at.frame, &next) || !read_word(at.frame + sizeof next, &caller)) return;
    if (caller == 0) return;
    stack->pc[stack->depth++] = caller;
    if (next <= at.frame) return; /* the stack grows downwards */
    at.frame = next;
  }
}

void trp_stack_capture_interrupted(struct trp_stack *stack, const void *context) {
  struct registers at = interrupted(context);
  struct dl_find_object object;
  if (at.caller != 0 && _dl_find_object((void *)at.pc, &object) != 0) {
    walk_frames(stack, at);
  } else {
    capture_interrupted(stack, context);
  }
}

/* ---- the exchange ------------------------------------------------------------------------ */

/* One word says whose stack is wanted, by which request, and how far it is:
 *
 *   FREE --claim--> ASKED --handler--> WRITING --handler--> DONE --asker--> FREE
 *                     | time out          | time out
 *                     v                   v
 *                   FREE               ABANDONED --handler--> FREE
 *
 * Every step is a compare-and-swap on the whole word, sequence number included, so a handler or an
 * asker that is late fails and leaves. `stack` is written between WRITING and DONE only. */
enum state { FREE, ASKED, WRITING, DONE, ABANDONED };

enum { STATE_BITS = 3, TID_BITS = 22 /* the kernel's pid_max is at most 2^22 */ };

static struct {
  _Atomic uint64_t word; /* sequence (39), tid (22), state (3) */
  _Atomic uint32_t bell; /* moves after each change that somebody may wait for: a futex */
  struct trp_stack stack;
} exchange;

static enum state word_state(uint64_t word) {
  return (enum state)(word & ((1u << STATE_BITS) - 1));
}

static int word_tid(uint64_t word) { return (int)((word >> STATE_BITS) & ((1u << TID_BITS) - 1)); }

static uint64_t with_state(uint64_t word, enum state state) {
  return (word & ~(uint64_t)((1u << STATE_BITS) - 1)) | (uint64_t)state;
}

static uint64_t next_request(uint64_t word, int tid) {
  uint64_t sequence = (word >> (STATE_BITS + TID_BITS)) + 1;
  return sequence << (STATE_BITS + TID_BITS) | (uint64_t)tid << STATE_BITS | ASKED;
}

static bool step(uint64_t from, enum state to) {
  /* Acquire and release: each step reads what the step before it published, the stack among it. */
  return atomic_compare_exchange_strong_explicit(&exchange.word, &from, with_state(from, to),
                                                 memory_order_acq_rel, memory_order_acquire);
}

static uint64_t look(void) {
  /* Acquire: pairs with the release of whichever step wrote the word. */
  return atomic_load_explicit(&exchange.word, memory_order_acquire);
}

static uint32_t hear(void) {
  /* Acquire: pairs with the release in ring; read before the word, so that no ring is missed. */
  return atomic_load_explicit(&exchange.bell, memory_order_acquire);
}

static void ring(void) {
  /* Release: pairs with hear; whoever hears this number also sees the step before it. */
  atomic_fetch_add_explicit(&exchange.bell, 1, memory_order_release);
  syscall(SYS_futex, &exchange.bell, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* Sleeps until the bell has moved on from `heard`; false once the deadline has passed. */
static bool sleep_until_ring(uint32_t heard, uint64_t deadline_ns) {
  uint64_t left = trp_deadline_left_ns(deadline_ns);
  if (left == 0) return false;
  struct timespec timeout = trp_deadline_timespec(left);
  syscall(SYS_futex, &exchange.bell, FUTEX_WAIT_PRIVATE, heard, &timeout, NULL, 0);
  return true;
}

/* The handler, on the thread whose stack is wanted. */
static void answer(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)info;
  int error = errno;
  uint64_t asked = look();
  if (word_state(asked) == ASKED && word_tid(asked) == (int)syscall(SYS_gettid)) {
    struct trp_stack stack;
    capture_interrupted(&stack, context);
    if (step(asked, WRITING)) {
      exchange.stack = stack;
      uint64_t writing = with_state(asked, WRITING);
      if (!step(writing, DONE)) {
        bool freed = step(with_state(asked, ABANDONED), FREE);
        ASSERT(freed); /* nobody else leaves ABANDONED */
      }
      ring();
    }
  }
  errno = error;
}

/* ---- the signal -------------------------------------------------------------------------- */

static struct {
  pthread_mutex_t lock; /* held for a few system calls, never while waiting */
  unsigned installs;
  int number;
  struct sigaction before;
} handler = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* From the top, where hosts rarely look; the very last belongs to valgrind. */
static enum trp_err install_handler(void) {
  struct sigaction action = {.sa_sigaction = answer,
                             .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
  sigemptyset(&action.sa_mask); /* a fault while unwinding must still reach last words */
  for (int number = SIGRTMAX - 2; number > SIGRTMAX - 2 - SIGNALS_TRIED; number--) {
    if (sigaction(number, NULL, &handler.before) != 0) return TRP_SYSTEM;
    if (handler.before.sa_handler != SIG_DFL) continue;
    if (sigaction(number, &action, NULL) != 0) return TRP_SYSTEM;
    handler.number = number;
    return TRP_OK;
  }
  return TRP_BUSY;
}

enum trp_err trp_stack_install(void) {
  trp_stack_prepare();
  pthread_mutex_lock(&handler.lock);
  enum trp_err err = handler.installs == 0 ? install_handler() : TRP_OK;
  if (err == TRP_OK) handler.installs++;
  pthread_mutex_unlock(&handler.lock);
  return err;
}

void trp_stack_uninstall(void) {
  pthread_mutex_lock(&handler.lock);
  ASSERT(handler.installs > 0);
  if (--handler.installs == 0) {
    /* Ignoring first discards what a thread that blocks the signal still has pending; the default
     * action, met by a late one, would end the process. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(handler.number, &ignore, NULL);
    sigaction(handler.number, &handler.before, NULL);
  }
  pthread_mutex_unlock(&handler.lock);
}

/* Reads /proc/self/task/TID/NAME; the length, 0 where it cannot be read. */
static size_t read_proc(int tid, const char *name, char *out, size_t bytes) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, name);
  out[0] = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, out, bytes - 1);
  close(fd);
  size_t length = n > 0 ? (size_t)n : 0;
  out[length] = '\0';
  return length;
}

/* True where an earlier signal of ours still waits to be taken. It will answer this request as
 * well, and signals do not pile up on a thread that blocks them. */
static bool is_pending(int tid, int number) {
  char status[PROC_BYTES];
  if (read_proc(tid, "status", status, sizeof status) == 0) return false;
  const char *line = strstr(status, "SigPnd:");
  if (line == NULL) return false;
  uint64_t pending = strtoull(line + strlen("SigPnd:"), NULL, 16);
  return (pending >> (number - 1) & 1) != 0;
}

static enum trp_err send_signal(int tid) {
  enum trp_err err = TRP_OK;
  pthread_mutex_lock(&handler.lock);
  if (handler.installs == 0) {
    err = TRP_WRONG_STATE;
  } else if (!is_pending(tid, handler.number) &&
             syscall(SYS_tgkill, getpid(), tid, handler.number) != 0) {
    err = errno == ESRCH ? TRP_DEAD : TRP_SYSTEM;
  }
  pthread_mutex_unlock(&handler.lock);
  return err;
}

/* ---- asking ------------------------------------------------------------------------------ */

static enum trp_err claim(int tid, uint64_t deadline_ns, uint64_t *request) {
  for (;;) {
    uint32_t heard = hear();
    uint64_t word = look();
    if (word_state(word) == FREE) {
      *request = next_request(word, tid);
      /* Acquire and release: as in step. */
      if (atomic_compare_exchange_strong_explicit(&exchange.word, &word, *request,
                                                  memory_order_acq_rel, memory_order_acquire)) {
        return TRP_OK;
      }
    } else if (!sleep_until_ring(heard, deadline_ns)) {
      return TRP_TIMEOUT;
    }
  }
}

/* Ends the request in every case: answered, taken back, or abandoned to the handler. */
static enum trp_err await_answer(uint64_t request, uint64_t deadline_ns, struct trp_stack *stack) {
  for (;;) {
    uint32_t heard = hear();
    uint64_t done = with_state(request, DONE);
    if (look() == done) {
      *stack = exchange.stack;
      bool freed = step(done, FREE);
      ASSERT(freed); /* nobody else leaves DONE */
      ring();
      return TRP_OK;
    }
    if (sleep_until_ring(heard, deadline_ns)) continue;
    if (step(request, FREE)) {
      ring();
      return TRP_TIMEOUT;
    }
    if (step(with_state(request, WRITING), ABANDONED)) return TRP_TIMEOUT;
    /* Neither asked nor being written any more: it is done after all. */
  }
}

enum trp_err trp_stack_of_thread(int tid, uint64_t timeout_ns, struct trp_stack *stack) {
  stack->depth = 0;
  if (tid <= 0 || tid >= 1 << TID_BITS) return TRP_INVALID;
  if (tid == (int)syscall(SYS_gettid)) {
    trp_stack_capture(stack, 0);
    return TRP_OK;
  }
  uint64_t deadline_ns = trp_deadline_in(timeout_ns < timeout_max_ns ? timeout_ns : timeout_max_ns);
  uint64_t request;
  enum trp_err err = claim(tid, deadline_ns, &request);
  if (err != TRP_OK) return err;
  err = send_signal(tid);
  /* Not sent, but an earlier signal may just have answered: the request is ended properly. */
  if (err != TRP_OK) return await_answer(request, 0, stack) == TRP_OK ? TRP_OK : err;
  return await_answer(request, deadline_ns, stack);
}

/* ---- showing ----------------------------------------------------------------------------- */

size_t trp_stack_text(const struct trp_stack *stack, char *out, size_t bytes) {
  static const char more[] = " < ...";
  if (bytes == 0) return 0;
  struct trp_phrase phrase;
  trp_phrase_init(&phrase, out, bytes);
  for (uint32_t i = 0; i < stack->depth && i < TRP_STACK_DEPTH; i++) {
    char name[288];
    size_t length = trp_symbols_name(stack->pc[i] - 1, name, sizeof name);
    bool last = i + 1 == stack->depth;
    size_t needed = (i == 0 ? 0 : 3) + length + (last ? 0 : sizeof more - 1);
    bool fits = phrase.length + needed < bytes;
    if (i > 0) trp_phrase_text(&phrase, fits ? " < " : more);
    if (i == 0 || fits) trp_phrase_text(&phrase, name);
    if (!fits) break;
  }
  return phrase.length;
}

size_t trp_stack_proc_state(int tid, char *out, size_t bytes) {
  if (bytes == 0) return 0;
  out[0] = '\0';
  char stat[PROC_BYTES], wchan[128];
  if (tid <= 0 || read_proc(tid, "stat", stat, sizeof stat) == 0) return 0;
  /* The name before the state is the thread's own choice and may hold any character. */
  const char *name_end = strrchr(stat, ')');
  if (name_end == NULL || name_end[1] != ' ' || name_end[2] == '\0') return 0;
  struct trp_phrase phrase;
  trp_phrase_init(&phrase, out, bytes);
  trp_phrase_text(&phrase, "state=");
  trp_phrase_char(&phrase, name_end[2]);
  if (read_proc(tid, "wchan", wchan, sizeof wchan) > 0 && strcmp(wchan, "0") != 0) {
    trp_phrase_text(&phrase, " wchan=");
    trp_phrase_text(&phrase, wchan);
  }
  return phrase.length;
}
