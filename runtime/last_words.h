/* last_words.h - what a process says before it dies of a memory fault or an abort.
 *
 * A fault in a thread cannot be survived: unwinding out of it would leave locks held. So it is
 * named and the process ends by the same signal, with a core where the user has configured one.
 * Said are the signal and the address, the actor (or thread), its stack as names and as program
 * counters, its last turns, the last events of the flight recorder, and the account of its system
 * so far.
 *
 * By async-signal-safe calls only, on the thread's alternate stack where it has one (altstack.h),
 * once: a second thread that faults meanwhile waits for the first, a fault inside last words ends
 * the process at once. Bounded: words that nobody reads are given up after a second, and a timer
 * kills the process if even that does not come to an end. Handlers that were there before get their
 * turn afterwards.
 *
 * The library is a guest: trp_last_words_install (troupe.h) is called by the embedder, or by
 * trp_system_run. */
#ifndef TRP_RUNTIME_LAST_WORDS_H
#define TRP_RUNTIME_LAST_WORDS_H

#include "runtime/troupe.h"

/* Also for who leaves in another way: the system's on_leave, where there is one.
 * Async-signal-safe. Thread: any. */
void trp_last_words_leave(struct trp_system *system);

/* Words on standard error, given up after half a second. Async-signal-safe. Thread: any. */
void trp_last_words_say(const char *text);

#endif
