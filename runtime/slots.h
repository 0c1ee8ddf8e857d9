/* slots.h - the table of actors' blocks: made in chunks, found by index or by name, and those of
 * spawned actors used again after their end.
 *
 * The table never moves and a block is never freed while the system lives, so that a reference's
 * index may be looked up by any thread without a lock; whom it means is for the gate word to say. A
 * block that is used again goes on counting incarnations, so no reference ever means two actors.
 *
 * Synchronisation: `lock` for taking, giving back and names; held for a few instructions, and for
 * the making of a chunk. Thread: any. */
#ifndef TRP_RUNTIME_SLOTS_H
#define TRP_RUNTIME_SLOTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/spec.h"

struct trp_actor;

struct trp_slots {
  pthread_mutex_t lock;
  uint32_t max;
  struct trp_actor **table;
  _Atomic uint32_t count;   /* blocks in the table, vacant ones included */
  struct trp_actor *vacant; /* given back, the last first */
  uint32_t vacant_count;
  unsigned char *chunk; /* the newest, of which some blocks are not in the table yet */
  uint32_t chunk_left;
  void *chunks;             /* all, linked through their first words */
  struct trp_actor **names; /* buckets */
  struct trp_specs specs;
};

/* Errors: NO_MEMORY. fini also where it failed; it frees the blocks, whose contents were unmade. */
TRP_MUST_USE enum trp_err trp_slots_init(struct trp_slots *slots, uint32_t max);
void trp_slots_fini(struct trp_slots *slots);

/* The block of an index, NULL where there is none yet. Thread: any, without the lock. */
struct trp_actor *trp_slots_at(struct trp_slots *slots, uint32_t index);

/* Under the lock. A block that was never used: once it is made (its index is `count`), enter puts
 * it into the table; one that is not entered is the next again. NULL: LIMIT or NO_MEMORY, in *err.
 */
struct trp_actor *trp_slots_fresh(struct trp_slots *slots, enum trp_err *err);
void trp_slots_enter(struct trp_slots *slots, struct trp_actor *actor);

/* Under the lock. The block given back last, NULL where there is none. */
struct trp_actor *trp_slots_take(struct trp_slots *slots);
void trp_slots_give(struct trp_slots *slots, struct trp_actor *actor);

/* Under the lock: names. A slot that has a name keeps it. */
struct trp_actor *trp_slots_find(struct trp_slots *slots, const char *name);
void trp_slots_name(struct trp_slots *slots, struct trp_actor *actor);

#endif
