/* stack.h - the call stack of the own thread, and of another one that does not answer.
 *
 * Another thread's stack can only be walked on that thread: it gets a real-time signal, whose
 * handler captures program counters and hands them back through one process-global exchange. Who
 * asks waits a bounded time. A handler that comes too late finds that its request is over and
 * writes nothing; so no buffer of a caller is ever written by another thread.
 *
 * The library is a guest: the handler is there only between install and uninstall (counted). While
 * it is, a thread that is asked may see EINTR from calls that SA_RESTART does not cover (nanosleep,
 * poll). Names are given to counters elsewhere and later: trp_stack_text. */
#ifndef TRP_RUNTIME_STACK_H
#define TRP_RUNTIME_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

enum { TRP_STACK_DEPTH = 32, TRP_STACK_SKIP_MAX = 8 };

/* Innermost first. Each pc is a return address, one past the instruction it stands for; that of an
 * interrupted frame is made so. */
struct trp_stack {
  uint32_t depth;
  uintptr_t pc[TRP_STACK_DEPTH];
};

/* Loads the unwinder, so that no capture allocates. Idempotent; install does it. Thread: any. */
void trp_stack_prepare(void);

/* The caller's own stack without this function and without the `skip` innermost frames (up to
 * TRP_STACK_SKIP_MAX). Async-signal-safe after trp_stack_prepare. Thread: any. */
void trp_stack_capture(struct trp_stack *stack, int skip);

/* The stack of what a signal handler of the caller's has interrupted; `context` is the handler's
 * third argument. Async-signal-safe after trp_stack_prepare. Thread: the handler's. */
void trp_stack_capture_interrupted(struct trp_stack *stack, const void *context);

/* Installs the handler, on a real-time signal nobody uses. Each success needs one uninstall.
 * Errors: BUSY (no signal is free), SYSTEM. Thread: any. */
TRP_MUST_USE enum trp_err trp_stack_install(void);

/* Takes the handler away with the last one's leave; signals still on their way are discarded.
 * Thread: any. */
void trp_stack_uninstall(void);

/* The stack of a thread of this process, waiting at most `timeout_ns` (and 10 s) for its answer.
 * One at a time in a process: the time includes the wait for others.
 * Errors: WRONG_STATE (not installed), DEAD (no such thread), TIMEOUT, INVALID, SYSTEM.
 * Thread: any. */
TRP_MUST_USE enum trp_err trp_stack_of_thread(int tid, uint64_t timeout_ns,
                                              struct trp_stack *stack);

/* "inner+0x1 < outer+0x2 < main+0x3", with " < ..." where it does not fit. Always terminated;
 * returns the length. Async-signal-safe. Thread: any. */
size_t trp_stack_text(const struct trp_stack *stack, char *out, size_t bytes);

/* What the kernel says of a thread whose stack cannot be had: "state=S wchan=hrtimer_nanosleep".
 * Returns the length; 0 and "" where there is no such thread. Thread: any. */
size_t trp_stack_proc_state(int tid, char *out, size_t bytes);

#endif
