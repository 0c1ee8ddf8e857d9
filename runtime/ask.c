#include "runtime/ask.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/blob.h"
#include "runtime/check.h"
#include "runtime/explore.h"
#include "runtime/sched.h"

static const uint64_t PHASE_MASK = 3;

static uint64_t word(uint64_t generation, enum trp_ask_phase phase) {
  return generation << 2 | (uint64_t)phase;
}
static uint64_t generation_of(uint64_t state) { return state >> 2; }

void trp_asks_init(struct trp_asks *asks) { pthread_mutex_init(&asks->lock, NULL); }

void trp_asks_fini(struct trp_asks *asks) {
  for (uint32_t i = 0; i < asks->chunk_count; i++) {
    free(atomic_load_explicit(&asks->chunks[i], memory_order_relaxed));
  }
  pthread_mutex_destroy(&asks->lock);
}

/* Under the lock. */
static void grow(struct trp_asks *asks) {
  if (asks->chunk_count == TRP_ASK_CHUNKS) return;
  struct trp_ask *chunk = calloc(TRP_ASK_CHUNK, sizeof *chunk);
  if (chunk == NULL) return;
  for (uint32_t i = TRP_ASK_CHUNK; i-- > 0;) {
    chunk[i].index = asks->chunk_count * TRP_ASK_CHUNK + i;
    chunk[i].node.kind = TRP_NODE_ASK;
    atomic_store_explicit(&chunk[i].state, word(1, TRP_ASK_FREE), memory_order_relaxed);
    chunk[i].free_next = asks->free;
    asks->free = &chunk[i];
  }
  /* release: pairs with the acquire in find. */
  atomic_store_explicit(&asks->chunks[asks->chunk_count], chunk, memory_order_release);
  asks->chunk_count++;
}

struct trp_ask *trp_ask_open(struct trp_asks *asks) {
  pthread_mutex_lock(&asks->lock);
  if (asks->free == NULL) grow(asks);
  struct trp_ask *ask = asks->free;
  if (ask != NULL) {
    asks->free = ask->free_next;
    asks->live++;
  }
  pthread_mutex_unlock(&asks->lock);
  if (ask == NULL) return NULL;
  ask->asker = NULL;
  atomic_store_explicit(&ask->asker_ref, 0, memory_order_relaxed);
  ask->target = NULL;
  ask->of_target = false;
  ask->mine_next = ask->mine_prev = NULL;
  memset(&ask->answer, 0, sizeof ask->answer);
  atomic_store_explicit(&ask->filled, 0, memory_order_relaxed);
  uint64_t state = atomic_load_explicit(&ask->state, memory_order_relaxed);
  /* release: the record is clean before an answer may be written. Pairs with complete. */
  atomic_store_explicit(&ask->state, word(generation_of(state), TRP_ASK_WAITING),
                        memory_order_release);
  return ask;
}

uint64_t trp_ask_token(const struct trp_ask *ask) {
  uint64_t generation = generation_of(atomic_load_explicit(&ask->state, memory_order_relaxed));
  return ((uint64_t)ask->index + 1) << 40 | (generation & ((UINT64_C(1) << 40) - 1));
}

struct trp_ask *trp_ask_find(struct trp_asks *asks, uint64_t token) {
  uint64_t index = (token >> 40) - 1;
  if (token >> 40 == 0 || index / TRP_ASK_CHUNK >= TRP_ASK_CHUNKS) return NULL;
  struct trp_ask *chunk =
      atomic_load_explicit(&asks->chunks[index / TRP_ASK_CHUNK], memory_order_acquire);
  return chunk == NULL ? NULL : &chunk[index % TRP_ASK_CHUNK];
}

struct trp_ref trp_ask_asker(struct trp_asks *asks, uint64_t token) {
  struct trp_ask *ask = trp_ask_find(asks, token);
  if (ask == NULL) return TRP_NOBODY;
  uint64_t ref = atomic_load_explicit(&ask->asker_ref, memory_order_acquire);
  uint64_t generation = token & ((UINT64_C(1) << 40) - 1);
  uint64_t state = atomic_load_explicit(&ask->state, memory_order_acquire);
  if (generation_of(state) != generation) return TRP_NOBODY;
  return (struct trp_ref){ref};
}

struct trp_ref trp_ask_look(const struct trp_ask *ask, uint64_t *state) {
  /* acquire: pairs with the release in open: the asker read below is this ask's, or none yet. */
  *state = atomic_load_explicit(&ask->state, memory_order_acquire);
  if ((*state & PHASE_MASK) == TRP_ASK_FREE) return TRP_NOBODY;
  return (struct trp_ref){atomic_load_explicit(&ask->asker_ref, memory_order_acquire)};
}

bool trp_ask_waits(struct trp_asks *asks, uint64_t token) {
  struct trp_ask *ask = trp_ask_find(asks, token);
  if (ask == NULL) return false;
  uint64_t generation = token & ((UINT64_C(1) << 40) - 1);
  uint64_t state = atomic_load_explicit(&ask->state, memory_order_relaxed);
  return state == word(generation, TRP_ASK_WAITING);
}

enum trp_err trp_ask_complete(struct trp_system *system, uint64_t token,
                              const struct trp_letter *answer) {
  struct trp_ask *ask = trp_ask_find(&system->asks, token);
  if (ask == NULL) return TRP_DEAD;
  uint64_t generation = token & ((UINT64_C(1) << 40) - 1);
  uint64_t expected = word(generation, TRP_ASK_WAITING);
  TRP_INTERLEAVE("ask.complete.claim");
  /* acquire: pairs with open; from here this thread alone may write the answer. */
  if (!atomic_compare_exchange_strong_explicit(&ask->state, &expected,
                                               word(generation, TRP_ASK_FILLING),
                                               memory_order_acquire, memory_order_relaxed)) {
    return TRP_DEAD;
  }
  ask->answer.type = answer->type;
  ask->answer.inline_bytes = answer->inline_bytes;
  ask->answer.flags = 0;
  ask->answer.from = answer->from;
  ask->answer.body = answer->body;
  struct trp_actor *asker = ask->asker;
  TRP_INTERLEAVE("ask.complete.post");
  if (asker != NULL) trp_lane_post(&asker->lane, &ask->node);
  if (asker == NULL) atomic_store_explicit(&ask->filled, 1, memory_order_release);
  TRP_INTERLEAVE("ask.complete.filled");
  /* release: after this the asker may close the record; it is not touched here any more, but for
   * the wake-up of an address that stays mapped. Pairs with the acquire in filled(). */
  atomic_store_explicit(&ask->state, word(generation, TRP_ASK_FILLED), memory_order_release);
  if (asker != NULL) {
    trp_actor_nudge(asker);
  } else {
    system->sched->ops->notify(system->sched, &ask->filled);
  }
  return TRP_OK;
}

void trp_ask_fail(struct trp_system *system, uint64_t token, enum trp_err status) {
  struct trp_letter letter;
  struct trp_ask_failed failed = {.status = (uint32_t)status};
  if (trp_letter_fill(&letter, TRP_ASK_FAILED, &failed, sizeof failed) != TRP_OK) return;
  letter.from = 0;
  (void)!trp_ask_complete(system, token, &letter);
}

bool trp_ask_link(struct trp_ask *ask, struct trp_actor *target, uint64_t incarnation) {
  ask->target = target;
  pthread_mutex_lock(&target->lock);
  bool lives = target->alive && target->life == incarnation;
  if (lives) {
    ask->of_target = true;
    ask->of_target_prev = NULL;
    ask->of_target_next = target->asked;
    if (target->asked != NULL) target->asked->of_target_prev = ask;
    target->asked = ask;
  }
  pthread_mutex_unlock(&target->lock);
  return lives;
}

void trp_ask_unlink(struct trp_ask *ask) {
  if (ask->target == NULL) return;
  pthread_mutex_lock(&ask->target->lock);
  if (ask->of_target) {
    if (ask->of_target_prev != NULL) ask->of_target_prev->of_target_next = ask->of_target_next;
    if (ask->of_target_prev == NULL) ask->target->asked = ask->of_target_next;
    if (ask->of_target_next != NULL) ask->of_target_next->of_target_prev = ask->of_target_prev;
    ask->of_target = false;
  }
  pthread_mutex_unlock(&ask->target->lock);
}

void trp_ask_forget(struct trp_self *self, struct trp_ask *ask) {
  trp_ask_unlink(ask);
  trp_timers_remove_ask(&self->timers, trp_ask_token(ask));
  if (ask->mine_prev != NULL) ask->mine_prev->mine_next = ask->mine_next;
  if (ask->mine_prev == NULL) self->asks = ask->mine_next;
  if (ask->mine_next != NULL) ask->mine_next->mine_prev = ask->mine_prev;
  trp_held(self->actor, TRP_RES_ASK, -1);
}

void trp_ask_wait_filled(struct trp_ask *ask) {
  /* acquire: pairs with the release in complete. */
  while ((atomic_load_explicit(&ask->state, memory_order_acquire) & PHASE_MASK) != TRP_ASK_FILLED) {
    TRP_INTERLEAVE("ask.wait");
    sched_yield();
  }
}

static void give_back(struct trp_asks *asks, struct trp_ask *ask) {
  pthread_mutex_lock(&asks->lock);
  ask->free_next = asks->free;
  asks->free = ask;
  asks->live--;
  pthread_mutex_unlock(&asks->lock);
}

bool trp_ask_abandon(struct trp_asks *asks, struct trp_ask *ask) {
  uint64_t generation = generation_of(atomic_load_explicit(&ask->state, memory_order_relaxed));
  uint64_t expected = word(generation, TRP_ASK_WAITING);
  TRP_INTERLEAVE("ask.abandon");
  if (!atomic_compare_exchange_strong_explicit(&ask->state, &expected,
                                               word(generation + 1, TRP_ASK_FREE),
                                               memory_order_acq_rel, memory_order_relaxed)) {
    return false;
  }
  give_back(asks, ask);
  return true;
}

void trp_ask_close(struct trp_asks *asks, struct trp_ask *ask) {
  if (trp_ask_abandon(asks, ask)) return;
  trp_ask_wait_filled(ask);
  if (ask->answer.inline_bytes == TRP_LETTER_BLOB) trp_blob_release(ask->answer.body.blob);
  uint64_t state = atomic_load_explicit(&ask->state, memory_order_relaxed);
  TRP_INTERLEAVE("ask.close");
  atomic_store_explicit(&ask->state, word(generation_of(state) + 1, TRP_ASK_FREE),
                        memory_order_release);
  give_back(asks, ask);
}
