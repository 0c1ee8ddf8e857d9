/* ask.h - questions under way: one record each, in a table of the system that is never freed while
 * the system lives, so that a late answer finds a record of another generation and is dropped.
 *
 * The state word says who may write: WAITING -> FILLING by exactly one of answer, death and stop
 * (compare-and-swap) -> FILLED. The asker alone frees it. A token is index and generation.
 *
 * Synchronisation: open, close: the asker. complete: any thread. Lists by target: under the
 * target's lock. */
#ifndef TRP_RUNTIME_ASK_H
#define TRP_RUNTIME_ASK_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/lane.h"
#include "runtime/mailbox.h"

struct trp_actor;
struct trp_self;
struct trp_system;

enum { TRP_ASK_CHUNK = 256, TRP_ASK_CHUNKS = 256 };

enum trp_ask_phase { TRP_ASK_FREE, TRP_ASK_WAITING, TRP_ASK_FILLING, TRP_ASK_FILLED };

struct trp_ask {
  struct trp_node node;   /* posted to the asker's lane */
  _Atomic uint64_t state; /* generation << 2 | phase */
  uint32_t index;
  struct trp_ask *free_next;
  struct trp_actor *asker; /* NULL: from outside, who waits on `filled` */
  _Atomic uint64_t asker_ref;
  struct trp_actor *target;                        /* whose death fails the ask */
  struct trp_ask *of_target_next, *of_target_prev; /* under the target's lock */
  bool of_target;
  struct trp_ask *mine_next, *mine_prev; /* the asker's own list */
  _Atomic uint32_t filled;               /* a futex for an asker outside */
  struct trp_letter answer;
  uint64_t answer_from;
};

struct trp_asks {
  pthread_mutex_t lock; /* free list and growth */
  struct trp_ask *_Atomic chunks[TRP_ASK_CHUNKS];
  uint32_t chunk_count;
  struct trp_ask *free;
  uint64_t live;
};

void trp_asks_init(struct trp_asks *asks);
void trp_asks_fini(struct trp_asks *asks);

/* A record in phase WAITING; NULL at the limit or out of memory. */
struct trp_ask *trp_ask_open(struct trp_asks *asks);
uint64_t trp_ask_token(const struct trp_ask *ask);
struct trp_ask *trp_ask_find(struct trp_asks *asks,
                             uint64_t token); /* of any generation, or NULL */

/* Who asked; TRP_NOBODY from outside, or where the ask is over. Thread: any. */
struct trp_ref trp_ask_asker(struct trp_asks *asks, uint64_t token);

/* Who asked in this record and its state word; TRP_NOBODY where it is free. Two looks with the same
 * state saw the same ask. Thread: any. */
struct trp_ref trp_ask_look(const struct trp_ask *ask, uint64_t *state);

/* Whether somebody still waits for this answer: false after an answer, a deadline, a cancel, the
 * asker's death. A look, no promise. Thread: any. */
bool trp_ask_waits(struct trp_asks *asks, uint64_t token);

/* Fills in the answer and tells the asker; takes the letter's blob on success only.
 * Errors: DEAD (nobody waits for it any more). Thread: any. */
enum trp_err trp_ask_complete(struct trp_system *system, uint64_t token,
                              const struct trp_letter *answer);

/* Completes with ASK_FAILED and that status. Thread: any. */
void trp_ask_fail(struct trp_system *system, uint64_t token, enum trp_err status);

/* Takes it out of the asker's lists and timers. Thread: asker. */
void trp_ask_forget(struct trp_self *self, struct trp_ask *ask);

/* Lists the ask with its target so that death fails it; false where that incarnation is dead. */
bool trp_ask_link(struct trp_ask *ask, struct trp_actor *target, uint64_t incarnation);
void trp_ask_unlink(struct trp_ask *ask);

/* Waits the few instructions until the answer that is being written is whole. */
void trp_ask_wait_filled(struct trp_ask *ask);

/* True where nobody will answer any more and the record is given back; false where an answer is on
 * its way: the node comes through the lane, and then the record is to be closed. Thread: asker. */
bool trp_ask_abandon(struct trp_asks *asks, struct trp_ask *ask);

/* Gives the record back, whatever its phase; releases an answer nobody took. Its node may still be
 * in the asker's lane: the caller has unqueued it or drains the lane before closing. */
void trp_ask_close(struct trp_asks *asks, struct trp_ask *ask);

#endif
