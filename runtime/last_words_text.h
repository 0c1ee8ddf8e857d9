/* last_words_text.h - the sentences of last words: last_words.c decides when, this file what.
 *
 * Reads what other threads write, atomics alone. Async-signal-safe. Thread: the one that faulted.
 */
#ifndef TRP_RUNTIME_LAST_WORDS_TEXT_H
#define TRP_RUNTIME_LAST_WORDS_TEXT_H

#include <signal.h>

#include "runtime/system.h"

/* Everything there is to say of this fault, on `fd`, until the deadline. `system` is the one whose
 * account is given where the thread is no actor's; NULL: none. */
void trp_last_words_write(int fd, const siginfo_t *info, const void *context,
                          struct trp_system *system, uint64_t deadline_ns);

#endif
