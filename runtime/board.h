/* board.h - what an actor shows to whoever looks: immutable bytes, exchanged as a whole.
 *
 * Each slot that has shown something, or at which somebody has looked, has a board that lives as
 * long as the system; what hangs there belongs to an incarnation and goes with it. A sheet is freed
 * when it hangs no more and nobody looks at it: its holders are counted under the board's lock,
 * which is taken only where something has changed.
 *
 * Thread: any; show and take_down: the slot's own. */
#ifndef TRP_RUNTIME_BOARD_H
#define TRP_RUNTIME_BOARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct trp_actor;
struct trp_board;

struct trp_boards {
  pthread_mutex_t lock;
  struct trp_board *first; /* under the lock; a board never moves and is never taken out */
};

void trp_boards_init(struct trp_boards *boards);
void trp_boards_fini(struct trp_boards *boards); /* nobody looks any more */

/* The incarnation has ended: what it showed hangs no more. */
void trp_board_take_down(struct trp_actor *actor);

#endif
