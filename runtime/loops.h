/* loops.h - the threads that run the actors placed TRP_IO: one for each I/O loop (struct trp_loop)
 * that any of them names.
 *
 * The thread lets those step that have something to do, one bounded batch each and then the next,
 * serves the loop after each round of them, and sleeps in it until the earliest timer of any. It
 * begins with the first actor of its loop and ends with the last. So what one does in a turn holds
 * up all the others and the loop too, until it returns; nobody takes its place, since the loop and
 * what it serves are that thread's alone.
 *
 * Who wakes an actor puts it into the thread's queue, once by trp_actor_park's promise; who finds
 * the queue empty wakes the loop. A thread that exits inside a turn is followed by another, with
 * the same queue: the actor whose turn it was crashes, and the others notice nothing.
 *
 * Synchronisation: attach, bury: the coordinator. wake, held_up_by: any thread. close, fini:
 * outside. */
#ifndef TRP_RUNTIME_LOOPS_H
#define TRP_RUNTIME_LOOPS_H

#include <pthread.h>

#include "runtime/actor.h"

struct trp_loop_thread;

struct trp_loops {
  struct trp_system *system;
  pthread_mutex_t lock;
  struct trp_loop_thread *first; /* the latest made; the coordinator's */
  uint32_t count;
};

void trp_loops_init(struct trp_loops *loops, struct trp_system *system);

/* Frees what close has ended. */
void trp_loops_fini(struct trp_loops *loops);

/* Waits for the threads, each until `until_ns`; false where one did not end (an actor was
 * abandoned): then nothing is freed. */
bool trp_loops_close(struct trp_loops *loops, uint64_t until_ns);

/* The actor runs on its loop's thread from here on. Errors: SYSTEM (no thread could be had),
 * NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_loops_attach(struct trp_loops *loops, struct trp_actor *actor);

/* The actor, marked as sleeping until now, has something to do. */
void trp_loops_wake(struct trp_actor *actor);

/* The thread vanished in this actor's turn, without a word. Errors: SYSTEM. */
TRP_MUST_USE enum trp_err trp_loops_bury(struct trp_loops *loops, struct trp_actor *actor);

/* Whose turn keeps this actor from running; NULL: nobody's, or it shares no loop. */
const struct trp_actor *trp_loops_held_up_by(const struct trp_actor *actor);

#endif
