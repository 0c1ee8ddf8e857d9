/* futex.h - sleeping on a word until it changes, with a deadline. Linux's futex(2), private.
 * Thread: any. */
#ifndef TRP_RUNTIME_FUTEX_H
#define TRP_RUNTIME_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *word == seen, until woken or until `until_ns` of CLOCK_MONOTONIC (UINT64_MAX: for
 * ever is not offered: it is cut to an hour, so that a lost wake-up can never hang). */
void trp_futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t until_ns);
void trp_futex_wake(_Atomic uint32_t *word, int how_many);

#endif
