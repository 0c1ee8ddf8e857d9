/* thread.h - the register of the process's threads: who they are, whose, since when, and whether
 * they still move.
 *
 * One for the process, since threads are the process's. A thread of the runtime enters at its start
 * and leaves at its end; foreign ones use the public functions (troupe.h, "threads"). One that ends
 * without having left stays on the register as ended until somebody has seen it and forgets it;
 * one that vanished (a raw exit, which runs no destructor) is found so by whoever looks.
 * Slots belong to the register; a slot's pointer is good for the thread that entered, until it
 * leaves.
 *
 * Synchronisation: touch: the thread itself, without a lock. Everything else: any, under a mutex
 * that is held for short copies only. */
#ifndef TRP_RUNTIME_THREAD_H
#define TRP_RUNTIME_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/troupe.h"

enum {
  TRP_THREADS_MAX = 8192,    /* twice the default of actors, each with a thread */
  TRP_THREAD_COMM_BYTES = 16 /* of a name in the kernel, with its end */
};

struct trp_thread_slot;

/* Puts the calling thread on the register as one of the runtime's, with a stack for signal handlers
 * (altstack.h), and names it for the kernel (cut to 15 characters). NULL where the register is full
 * (counted in trp_thread_refused) or the thread is on it already; all functions below accept that.
 * Thread: the one that enters. */
struct trp_thread_slot *trp_thread_enter(const char *name, const char *role, const char *owner);

/* "I live", at a time of CLOCK_MONOTONIC the caller has in hand. One plain store. Thread: the one
 * that entered. */
void trp_thread_touch(struct trp_thread_slot *slot, uint64_t now_ns);

/* Takes the calling thread off the register. Thread: the one that entered. */
void trp_thread_leave(struct trp_thread_slot *slot);

/* Takes an ended thread off the register, once its death has been reported; false where there is
 * none with this id that has ended. */
bool trp_thread_forget(int tid);

/* How many are on the register, and how many ever found no room on it. */
size_t trp_thread_count(void);
uint64_t trp_thread_refused(void);

/* A thread of the process that is not on the register. Of a library's the kernel's name says whose
 * it is: nng names its own, others start theirs within trp_thread_library_begin and _end. */
struct trp_thread_stranger {
  int tid;
  char comm[TRP_THREAD_COMM_BYTES];
  const char *role;                  /* "library", "main" or "unknown" */
  char owner[TRP_THREAD_COMM_BYTES]; /* the library's name, "process", "" */
  uint64_t cpu_ns;
};

/* Compares with the kernel's list: the first `max` strangers; returns how many there are. A thread
 * that is just starting or ending may show. */
size_t trp_thread_unknown(struct trp_thread_stranger *out, size_t max);

/* Around a library's call that starts threads of its own. What the kernel calls a thread is
 * inherited: meanwhile the caller is called lib:LIBRARY, and so is whoever is started, and whoever
 * they start in turn. Libraries' names have up to 11 bytes. Thread: the one that calls. */
struct trp_thread_library {
  char comm[TRP_THREAD_COMM_BYTES]; /* the caller's own */
};

void trp_thread_library_begin(struct trp_thread_library *call, const char *library);
void trp_thread_library_end(const struct trp_thread_library *call);

#endif
