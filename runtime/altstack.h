/* altstack.h - a second stack for signal handlers, so that a thread whose own stack is used up can
 * still say so.
 *
 * Each thread on the register (thread.h) has one from when it enters to when it leaves: 64 KiB of
 * address space that costs no memory until a handler runs on it, and a page below it that nobody
 * may touch. A thread that has one already (a host's, a sanitizer's) keeps that. Without memory
 * there is none: then a stack overflow ends the process without last words. */
#ifndef TRP_RUNTIME_ALTSTACK_H
#define TRP_RUNTIME_ALTSTACK_H

/* For the calling thread; a second call does nothing. Thread: the one it is for. */
void trp_altstack_enter(void);

/* Gives it back; nothing where enter gave none. Thread: the same. */
void trp_altstack_leave(void);

#endif
