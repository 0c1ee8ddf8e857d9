/* blob.h - a body too large for a slot: immutable, counted references, shared without copying.
 *
 * Made with one reference; each letter that carries it owns one. Bounded by TRP_BODY_MAX. */
#ifndef TRP_RUNTIME_BLOB_H
#define TRP_RUNTIME_BLOB_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct trp_blob {
  _Atomic uint32_t references;
  uint32_t bytes;
  alignas(16) unsigned char body[];
};

/* A copy of `bytes` bytes with one reference; NULL where memory is out. Thread: any. */
struct trp_blob *trp_blob_new(const void *body, size_t bytes);
struct trp_blob *trp_blob_hold(struct trp_blob *blob); /* one more reference. Thread: any */
void trp_blob_release(struct trp_blob *blob);          /* NULL is fine. Thread: any */
uint64_t trp_blob_live(void);                          /* how many exist. Thread: any */

#endif
