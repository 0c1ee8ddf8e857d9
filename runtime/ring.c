#include "runtime/ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/mailbox.h"

enum { CHUNK_BYTES = 64 * 1024 };

static const uint64_t NOT_SEEN = UINT64_MAX; /* of trp_ring.seen */

/* Memory for rings of one size. */
struct trp_ring_chunk {
  struct trp_ring_chunk *next;             /* in all of this size */
  struct trp_ring_chunk *roomier, *before; /* in those with unused ones */
  struct trp_ring *unused;
  unsigned char *memory;
  size_t bytes;
  uint32_t capacity, count, used;
  bool blank; /* its memory was given back: zeros, to be set up */
};

static size_t bytes_of(uint32_t capacity) {
  return sizeof(struct trp_ring) + capacity * sizeof(struct trp_letter);
}

static unsigned size_of(uint32_t capacity) { return (unsigned)__builtin_ctz(capacity); }

static void set_up(struct trp_ring *ring, uint32_t capacity) {
  atomic_store_explicit(&ring->mask, capacity - 1, memory_order_relaxed);
  ring->next = NULL;
  ring->chunk = NULL;
  atomic_store_explicit(&ring->delta, 0, memory_order_relaxed);
  for (uint32_t i = 0; i < capacity; i++) {
    atomic_store_explicit(&ring->slots[i].sequence, i, memory_order_relaxed);
  }
}

struct trp_ring *trp_ring_new(uint32_t capacity) {
  struct trp_ring *ring = aligned_alloc(alignof(struct trp_ring), bytes_of(capacity));
  if (ring != NULL) set_up(ring, capacity);
  return ring;
}

/* ---- chunks ---- */

static void set_up_all(struct trp_ring_chunk *chunk) {
  chunk->unused = NULL;
  chunk->blank = false;
  for (uint32_t i = chunk->count; i-- > 0;) {
    struct trp_ring *ring = (void *)(chunk->memory + i * bytes_of(chunk->capacity));
    set_up(ring, chunk->capacity);
    ring->chunk = chunk;
    ring->next = chunk->unused;
    chunk->unused = ring;
  }
}

static void enter_roomy(struct trp_ring_store *store, struct trp_ring_chunk *chunk) {
  struct trp_ring_chunk **first = &store->roomy[size_of(chunk->capacity)];
  chunk->before = NULL;
  chunk->roomier = *first;
  if (*first != NULL) (*first)->before = chunk;
  *first = chunk;
}

static void leave_roomy(struct trp_ring_store *store, struct trp_ring_chunk *chunk) {
  if (chunk->before != NULL) chunk->before->roomier = chunk->roomier;
  if (chunk->before == NULL) store->roomy[size_of(chunk->capacity)] = chunk->roomier;
  if (chunk->roomier != NULL) chunk->roomier->before = chunk->before;
}

/* Of many small rings, or of one large. */
static struct trp_ring_chunk *new_chunk(struct trp_ring_store *store, uint32_t capacity) {
  struct trp_ring_chunk *chunk = calloc(1, sizeof *chunk);
  if (chunk == NULL) return NULL;
  size_t each = bytes_of(capacity);
  chunk->capacity = capacity;
  chunk->count = each < CHUNK_BYTES ? (uint32_t)(CHUNK_BYTES / each) : 1;
  chunk->bytes = chunk->count * each;
  chunk->memory =
      mmap(NULL, chunk->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (chunk->memory == MAP_FAILED) {
    free(chunk);
    return NULL;
  }
  set_up_all(chunk);
  chunk->next = store->chunks[size_of(capacity)];
  store->chunks[size_of(capacity)] = chunk;
  enter_roomy(store, chunk);
  return chunk;
}

/* ---- the store ---- */

void trp_ring_store_init(struct trp_ring_store *store) {
  memset(store, 0, sizeof *store);
  pthread_mutex_init(&store->lock, NULL);
}

void trp_ring_store_fini(struct trp_ring_store *store) {
  for (size_t size = 0; size < TRP_RING_SIZES; size++) {
    while (store->chunks[size] != NULL) {
      struct trp_ring_chunk *chunk = store->chunks[size];
      store->chunks[size] = chunk->next;
      munmap(chunk->memory, chunk->bytes);
      free(chunk);
    }
  }
  pthread_mutex_destroy(&store->lock);
}

static void list(struct trp_ring_store *store, struct trp_ring *ring) {
  ring->prev = NULL;
  ring->next = store->attached;
  if (ring->next != NULL) ring->next->prev = ring;
  store->attached = ring;
}

static void unlist(struct trp_ring_store *store, struct trp_ring *ring) {
  if (ring->prev != NULL) ring->prev->next = ring->next;
  if (ring->prev == NULL) store->attached = ring->next;
  if (ring->next != NULL) ring->next->prev = ring->prev;
  if (store->look == ring) store->look = ring->next;
}

struct trp_ring *trp_ring_take(struct trp_ring_store *store, struct trp_mailbox *owner,
                               uint32_t capacity, uint64_t position) {
  struct trp_ring_chunk *chunk = store->roomy[size_of(capacity)];
  if (chunk == NULL) chunk = new_chunk(store, capacity);
  if (chunk == NULL) return NULL;
  if (chunk->blank) set_up_all(chunk);
  struct trp_ring *ring = chunk->unused;
  chunk->unused = ring->next;
  if (++chunk->used == chunk->count) leave_roomy(store, chunk);
  /* What it was given back with is its own position. Relaxed: published with the ring. */
  uint32_t own = atomic_load_explicit(&ring->delta, memory_order_relaxed);
  atomic_store_explicit(&ring->delta, trp_ring_wrap(own - position), memory_order_relaxed);
  atomic_fetch_add_explicit(&store->attached_bytes, bytes_of(capacity), memory_order_relaxed);
  ring->owner = owner;
  ring->seen = NOT_SEEN;
  list(store, ring);
  return ring;
}

void trp_ring_give(struct trp_ring_store *store, struct trp_ring *ring, uint64_t position) {
  struct trp_ring_chunk *chunk = ring->chunk;
  uint32_t delta = atomic_load_explicit(&ring->delta, memory_order_relaxed);
  atomic_store_explicit(&ring->delta, trp_ring_wrap(position + delta), memory_order_relaxed);
  unlist(store, ring);
  ring->next = chunk->unused;
  chunk->unused = ring;
  if (chunk->used-- == chunk->count) enter_roomy(store, chunk);
  size_t bytes = bytes_of(chunk->capacity);
  atomic_fetch_sub_explicit(&store->attached_bytes, bytes, memory_order_relaxed);
}

size_t trp_ring_store_idle(struct trp_ring_store *store, struct trp_mailbox **out, size_t max,
                           bool *round) {
  size_t count = 0;
  *round = true;
  if (!trp_ring_store_is_full(store)) return 0;
  pthread_mutex_lock(&store->lock);
  if (store->look == NULL) store->look = store->attached;
  struct trp_ring *ring = store->look;
  for (size_t i = 0; ring != NULL && i < max; ring = ring->next, i++) {
    uint64_t taken = atomic_load_explicit(&ring->owner->head, memory_order_relaxed);
    bool idle = taken == ring->seen;
    if (idle) out[count++] = ring->owner;
    ring->seen = idle ? NOT_SEEN : taken;
  }
  store->look = ring;
  *round = ring == NULL;
  pthread_mutex_unlock(&store->lock);
  return count;
}

void trp_ring_store_trim(struct trp_ring_store *store) {
  pthread_mutex_lock(&store->lock);
  for (size_t size = 0; size < TRP_RING_SIZES; size++) {
    for (struct trp_ring_chunk *c = store->roomy[size]; c != NULL; c = c->roomier) {
      if (c->used > 0 || c->blank) continue;
      c->blank = madvise(c->memory, c->bytes, MADV_DONTNEED) == 0;
    }
  }
  pthread_mutex_unlock(&store->lock);
}
