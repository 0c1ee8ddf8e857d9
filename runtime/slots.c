#include "runtime/slots.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/actor.h"

enum { CHUNK_BLOCKS = 64, NAME_BUCKETS = 4096 };

/* A chunk begins with a link to the one before, on a block's alignment. */
enum { CHUNK_HEAD = alignof(struct trp_actor) };

enum trp_err trp_slots_init(struct trp_slots *slots, uint32_t max) {
  memset(slots, 0, sizeof *slots);
  pthread_mutex_init(&slots->lock, NULL);
  slots->max = max;
  slots->table = calloc(max, sizeof(struct trp_actor *));
  slots->names = calloc(NAME_BUCKETS, sizeof(struct trp_actor *));
  return slots->table == NULL || slots->names == NULL ? TRP_NO_MEMORY : TRP_OK;
}

void trp_slots_fini(struct trp_slots *slots) {
  for (void *chunk = slots->chunks; chunk != NULL;) {
    void *before = *(void **)chunk;
    free(chunk);
    chunk = before;
  }
  trp_specs_fini(&slots->specs);
  free(slots->table);
  free(slots->names);
  pthread_mutex_destroy(&slots->lock);
}

struct trp_actor *trp_slots_at(struct trp_slots *slots, uint32_t index) {
  /* acquire: pairs with the release in enter, after which the block is complete. */
  if (index >= atomic_load_explicit(&slots->count, memory_order_acquire)) return NULL;
  return slots->table[index];
}

/* ---- blocks ---- */

static bool new_chunk(struct trp_slots *slots) {
  size_t bytes = CHUNK_HEAD + CHUNK_BLOCKS * sizeof(struct trp_actor);
  void **chunk = aligned_alloc(alignof(struct trp_actor), bytes);
  if (chunk == NULL) return false;
  *chunk = slots->chunks;
  slots->chunks = chunk;
  slots->chunk = (unsigned char *)chunk + CHUNK_HEAD;
  slots->chunk_left = CHUNK_BLOCKS;
  return true;
}

struct trp_actor *trp_slots_fresh(struct trp_slots *slots, enum trp_err *err) {
  *err = TRP_LIMIT;
  if (atomic_load_explicit(&slots->count, memory_order_relaxed) == slots->max) return NULL;
  *err = TRP_NO_MEMORY;
  if (slots->chunk_left == 0 && !new_chunk(slots)) return NULL;
  size_t used = CHUNK_BLOCKS - slots->chunk_left;
  return (struct trp_actor *)(void *)(slots->chunk + used * sizeof(struct trp_actor));
}

struct trp_actor *trp_slots_take(struct trp_slots *slots) {
  struct trp_actor *a = slots->vacant;
  if (a == NULL) return NULL;
  slots->vacant = a->next;
  slots->vacant_count--;
  return a;
}

void trp_slots_enter(struct trp_slots *slots, struct trp_actor *a) {
  slots->chunk_left--;
  slots->table[a->index] = a;
  /* release: the block is complete; pairs with the acquire in at. */
  atomic_store_explicit(&slots->count, a->index + 1, memory_order_release);
}

void trp_slots_give(struct trp_slots *slots, struct trp_actor *a) {
  a->next = slots->vacant;
  slots->vacant = a;
  slots->vacant_count++;
}

/* ---- names ---- */

/* FNV-1a (Fowler, Noll, Vo). */
static struct trp_actor **bucket_of(struct trp_slots *slots, const char *name) {
  uint32_t hash = 2166136261u;
  for (const char *p = name; *p != '\0'; p++) hash = (hash ^ (unsigned char)*p) * 16777619u;
  return &slots->names[hash % NAME_BUCKETS];
}

struct trp_actor *trp_slots_find(struct trp_slots *slots, const char *name) {
  if (name == NULL) return NULL;
  struct trp_actor *a = *bucket_of(slots, name);
  while (a != NULL && strcmp(a->name, name) != 0) a = a->name_next;
  return a;
}

void trp_slots_name(struct trp_slots *slots, struct trp_actor *a) {
  struct trp_actor **bucket = bucket_of(slots, a->name);
  a->name_next = *bucket;
  *bucket = a;
}
