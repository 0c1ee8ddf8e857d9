#include "runtime/directory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/system.h"

struct entry {
  _Atomic uint64_t ref; /* release by put, acquire by at */
  char name[TRP_NAME_MAX + 1];
};

struct table { /* shared */
  uint32_t count;
  struct entry entries[];
};

struct trp_directory {
  int fd;
  size_t bytes;
  struct table *table;
};

static void fill(struct table *table, struct trp_system *system, uint32_t count) {
  table->count = count;
  for (uint32_t i = 0; i < count; i++) {
    const struct trp_actor *a = trp_slots_at(&system->slots, i);
    snprintf(table->entries[i].name, sizeof table->entries[i].name, "%s", a->name);
  }
}

static enum trp_err map(struct trp_directory *d, int protection) {
  void *at = mmap(NULL, d->bytes, protection, MAP_SHARED, d->fd, 0);
  if (at == MAP_FAILED) return TRP_SYSTEM;
  d->table = at;
  return TRP_OK;
}

enum trp_err trp_directory_open(struct trp_system *system) {
  uint32_t count = (uint32_t)trp_system_actor_count(system);
  struct trp_directory *d = calloc(1, sizeof *d);
  if (d == NULL) return TRP_NO_MEMORY;
  d->bytes = sizeof *d->table + count * sizeof d->table->entries[0];
  d->fd = memfd_create("troupe-directory", MFD_CLOEXEC);
  enum trp_err err = d->fd < 0 || ftruncate(d->fd, (off_t)d->bytes) != 0 ? TRP_SYSTEM : TRP_OK;
  if (err == TRP_OK) err = map(d, PROT_READ | PROT_WRITE);
  if (err != TRP_OK) {
    trp_directory_destroy(&d);
    return err;
  }
  fill(d->table, system, count);
  system->directory = d;
  return TRP_OK;
}

int trp_directory_fd(const struct trp_directory *d) { return d->fd; }

void trp_directory_close_fd(struct trp_directory *d) {
  if (d->fd >= 0) close(d->fd);
  d->fd = -1;
}

void trp_directory_destroy(struct trp_directory **directory) {
  struct trp_directory *d = *directory;
  if (d == NULL) return;
  *directory = NULL;
  trp_directory_close_fd(d);
  if (d->table != NULL) munmap(d->table, d->bytes);
  free(d);
}

void trp_directory_put(struct trp_directory *d, uint32_t index, struct trp_ref ref) {
  if (index >= d->table->count) return;
  atomic_store_explicit(&d->table->entries[index].ref, ref.bits, memory_order_release);
}

enum trp_err trp_directory_attach(struct trp_directory **out, int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct table)) return TRP_INVALID;
  struct trp_directory *d = calloc(1, sizeof *d);
  if (d == NULL) return TRP_NO_MEMORY;
  d->fd = fd;
  d->bytes = (size_t)st.st_size;
  enum trp_err err = map(d, PROT_READ);
  if (err == TRP_OK &&
      d->table->count > (d->bytes - sizeof *d->table) / sizeof d->table->entries[0]) {
    err = TRP_INVALID;
  }
  if (err != TRP_OK) trp_directory_destroy(&d);
  *out = d;
  return err;
}

uint32_t trp_directory_count(const struct trp_directory *d) { return d->table->count; }

bool trp_directory_find(const struct trp_directory *d, const char *name, uint32_t *index) {
  for (uint32_t i = 0; name != NULL && i < d->table->count; i++) {
    if (strcmp(d->table->entries[i].name, name) != 0) continue;
    *index = i;
    return true;
  }
  return false;
}

struct trp_ref trp_directory_at(const struct trp_directory *d, uint32_t index) {
  if (index >= d->table->count) return TRP_NOBODY;
  return (struct trp_ref){
      atomic_load_explicit(&d->table->entries[index].ref, memory_order_acquire)};
}
