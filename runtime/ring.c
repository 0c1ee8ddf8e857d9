#include "runtime/ring.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 64 * 1024, CHUNK_HEAD = alignof(struct trp_ring) };

static size_t bytes_of(uint32_t capacity) {
  return sizeof(struct trp_ring) + capacity * sizeof(struct trp_letter);
}

static void set_up(struct trp_ring *ring, uint32_t capacity) {
  ring->mask = capacity - 1;
  ring->next = NULL;
  atomic_init(&ring->delta, 0);
  for (uint32_t i = 0; i < capacity; i++) atomic_init(&ring->slots[i].sequence, i);
}

struct trp_ring *trp_ring_new(uint32_t capacity) {
  struct trp_ring *ring = aligned_alloc(alignof(struct trp_ring), bytes_of(capacity));
  if (ring != NULL) set_up(ring, capacity);
  return ring;
}

/* ---- the store ---- */

void trp_ring_store_init(struct trp_ring_store *store) {
  memset(store, 0, sizeof *store);
  pthread_mutex_init(&store->lock, NULL);
}

void trp_ring_store_fini(struct trp_ring_store *store) {
  for (void *chunk = store->chunks; chunk != NULL;) {
    void *before = *(void **)chunk;
    free(chunk);
    chunk = before;
  }
  pthread_mutex_destroy(&store->lock);
}

static unsigned size_of(uint32_t capacity) { return (unsigned)__builtin_ctz(capacity); }

/* A chunk of small rings, or of one large. */
static bool make_more(struct trp_ring_store *store, uint32_t capacity) {
  size_t each = bytes_of(capacity), count = each < CHUNK_BYTES ? CHUNK_BYTES / each : 1;
  void **chunk = aligned_alloc(CHUNK_HEAD, CHUNK_HEAD + count * each);
  if (chunk == NULL) return false;
  *chunk = store->chunks;
  store->chunks = chunk;
  for (size_t i = count; i-- > 0;) {
    struct trp_ring *ring = (void *)((unsigned char *)chunk + CHUNK_HEAD + i * each);
    set_up(ring, capacity);
    ring->next = store->unused[size_of(capacity)];
    store->unused[size_of(capacity)] = ring;
  }
  return true;
}

struct trp_ring *trp_ring_take(struct trp_ring_store *store, uint32_t capacity, uint64_t position) {
  struct trp_ring **unused = &store->unused[size_of(capacity)];
  if (*unused == NULL && !make_more(store, capacity)) return NULL;
  struct trp_ring *ring = *unused;
  *unused = ring->next;
  /* What it was given back with is its own position. Relaxed: published with the ring. */
  uint32_t own = atomic_load_explicit(&ring->delta, memory_order_relaxed);
  atomic_store_explicit(&ring->delta, trp_ring_wrap(own - position), memory_order_relaxed);
  atomic_fetch_add_explicit(&store->attached_bytes, bytes_of(capacity), memory_order_relaxed);
  return ring;
}

void trp_ring_give(struct trp_ring_store *store, struct trp_ring *ring, uint64_t position) {
  uint32_t capacity = ring->mask + 1;
  uint32_t delta = atomic_load_explicit(&ring->delta, memory_order_relaxed);
  atomic_store_explicit(&ring->delta, trp_ring_wrap(position + delta), memory_order_relaxed);
  ring->next = store->unused[size_of(capacity)];
  store->unused[size_of(capacity)] = ring;
  atomic_fetch_sub_explicit(&store->attached_bytes, bytes_of(capacity), memory_order_relaxed);
}
