#include "actors/symbol_table.h"

#include <pthread.h>
#include <string.h>

/* Open addressing, at most half full. In the zeroed segment: pages are taken as they are touched.
 */
#define BUCKETS (2 * TRP_SYMBOLS_MAX)

_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "the mask needs a power of two");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char names[TRP_SYMBOLS_MAX + 1][TRP_SYMBOL_NAME_MAX + 1]; /* [0] is nobody's */
static uint32_t buckets[BUCKETS];
static uint32_t count;

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *name, size_t size) {
  uint64_t h = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)name[i]) * 0x100000001b3ull;
  return h;
}

/* The bucket where the name is or belongs. Lock held. */
static uint32_t *bucket_of(const char *name, size_t size) {
  for (uint64_t i = hash(name, size);; i++) {
    uint32_t *bucket = &buckets[i & (BUCKETS - 1)];
    if (*bucket == 0 || strcmp(names[*bucket], name) == 0) return bucket;
  }
}

uint32_t trp_symbol_intern(const char *name) {
  size_t size = strnlen(name, TRP_SYMBOL_NAME_MAX + 1);
  if (size == 0 || size > TRP_SYMBOL_NAME_MAX) return 0;
  pthread_mutex_lock(&lock);
  uint32_t *bucket = bucket_of(name, size);
  if (*bucket == 0 && count < TRP_SYMBOLS_MAX) {
    count++;
    memcpy(names[count], name, size + 1);
    *bucket = count;
  }
  uint32_t number = *bucket;
  pthread_mutex_unlock(&lock);
  return number;
}

uint32_t trp_symbol_find(const char *name) {
  size_t size = strnlen(name, TRP_SYMBOL_NAME_MAX + 1);
  if (size == 0 || size > TRP_SYMBOL_NAME_MAX) return 0;
  pthread_mutex_lock(&lock);
  uint32_t number = *bucket_of(name, size);
  pthread_mutex_unlock(&lock);
  return number;
}

const char *trp_symbol_name(uint32_t number) {
  pthread_mutex_lock(&lock);
  const char *name = number != 0 && number <= count ? names[number] : "?";
  pthread_mutex_unlock(&lock);
  return name;
}

uint32_t trp_symbol_count(void) {
  pthread_mutex_lock(&lock);
  uint32_t n = count;
  pthread_mutex_unlock(&lock);
  return n;
}
