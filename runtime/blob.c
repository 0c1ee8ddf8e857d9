#include "runtime/blob.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/troupe.h"

static _Atomic uint64_t live;

struct trp_blob *trp_blob_new(const void *body, size_t bytes) {
  if (bytes > TRP_BODY_MAX) return NULL;
  struct trp_blob *blob = malloc(sizeof *blob + bytes);
  if (blob == NULL) return NULL;
  /* No partner: the blob reaches other threads through a letter, whose publication orders it. */
  atomic_init(&blob->references, 1);
  blob->bytes = (uint32_t)bytes;
  if (bytes > 0) memcpy(blob->body, body, bytes);
  atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
  return blob;
}

struct trp_blob *trp_blob_hold(struct trp_blob *blob) {
  /* Relaxed: the caller has a reference already, so nothing can be freed meanwhile. */
  uint32_t before = atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
  ASSERT(before > 0 && before < UINT32_MAX);
  return blob;
}

void trp_blob_release(struct trp_blob *blob) {
  if (blob == NULL) return;
  /* Release: my reads of the body come before; acquire in the last one: so does everybody else's
   * before free. Partner: this same operation in the other holders. */
  uint32_t before = atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel);
  ASSERT(before > 0);
  if (before > 1) return;
  atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
  free(blob);
}

uint64_t trp_blob_live(void) { return atomic_load_explicit(&live, memory_order_relaxed); }
