/* process.h - a slot whose actor is placed in a process of its own.
 *
 * In its system the slot is an actor like any other, with a mailbox, a thread and an account; but
 * what runs there is a proxy, which spawns the process at the start of each life, forwards mail
 * over the link, does in the slot's name what the actor in the process asks for, and crashes when
 * the process dies. The process itself (host.c) is the same program spawned anew; it runs a system
 * of one actor. process.c has the process, process_proxy.c the kind that stands for it.
 *
 * What guards against orphans: the process asks the kernel to be killed when the thread that
 * spawned it ends, which is the slot's and outlives it only with the whole program; it also watches
 * a socket that closes with that program.
 *
 * Thread: kill, pid: any. stack_text: keeper. Else as said. */
#ifndef TRP_RUNTIME_PROCESS_H
#define TRP_RUNTIME_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

struct trp_actor;
struct trp_kind;
struct trp_process;
struct trp_spec;
struct trp_system;

/* For a slot that is to be made of this spec: changes its kind and its loop to the proxy's. `join`
 * gives it the slot. Errors: INVALID (the log says why), NO_MEMORY, SYSTEM. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_process_new(struct trp_process **out, struct trp_system *system,
                                          struct trp_spec *spec);
void trp_process_join(struct trp_process *process, struct trp_actor *actor);

/* Gives back what the slot holds for it while it runs. Thread: coordinator, after the slot's. */
void trp_process_close(struct trp_process *process);
void trp_process_destroy(struct trp_process **process); /* NULL is fine */

/* Letters that were taken out of the mailbox and not acknowledged. Thread: any. */
uint64_t trp_process_in_link(const struct trp_process *process);
void trp_process_handed_over(struct trp_process *process); /* one more. Thread: keeper */

const struct trp_kind *trp_process_kind_of(const struct trp_process *process);

/* SIGKILL; false where there is none to be killed. */
bool trp_process_kill(struct trp_process *process);

int trp_process_pid(const struct trp_process *process); /* 0: none */

/* What the process said of the stack of its crash; "" where it could not. */
const char *trp_process_stack_text(const struct trp_process *process);

#endif
