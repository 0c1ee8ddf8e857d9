#include "runtime/journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct record {
  struct trp_journal_entry entry;
  uint64_t body_at; /* in bytes ever stored */
};
_Static_assert(TRP_JOURNAL_ENTRIES * sizeof(struct record) + TRP_JOURNAL_BODIES_BYTES <= 1 << 20,
               "the default journal fits a mebibyte");

struct trp_journal {
  pthread_mutex_t lock; /* guards everything below */
  uint64_t first, last; /* sequence numbers kept: first..last; none where first > last */
  uint64_t bodies_end;  /* bytes ever stored */
  uint32_t entries;
  struct record *records; /* by sequence modulo entries */
  char *bodies;           /* by byte modulo TRP_JOURNAL_BODIES_BYTES */
};

enum trp_err trp_journal_new(struct trp_journal **out, uint32_t entries) {
  *out = NULL;
  if (entries == 0) entries = TRP_JOURNAL_ENTRIES;
  if (entries > TRP_JOURNAL_ENTRIES_MAX) return TRP_INVALID;
  struct trp_journal *journal = calloc(1, sizeof *journal);
  if (journal == NULL) return TRP_NO_MEMORY;
  pthread_mutex_init(&journal->lock, NULL);
  journal->first = 1;
  journal->entries = entries;
  journal->records = calloc(entries, sizeof *journal->records);
  journal->bodies = calloc(1, TRP_JOURNAL_BODIES_BYTES);
  *out = journal;
  if (journal->records != NULL && journal->bodies != NULL) return TRP_OK;
  trp_journal_destroy(out);
  return TRP_NO_MEMORY;
}

void trp_journal_destroy(struct trp_journal **journal) {
  if (journal == NULL || *journal == NULL) return;
  pthread_mutex_destroy(&(*journal)->lock);
  free((*journal)->records);
  free((*journal)->bodies);
  free(*journal);
  *journal = NULL;
}

static struct record *record_of(const struct trp_journal *journal, uint64_t sequence) {
  return &journal->records[sequence % journal->entries];
}

/* Displaces the oldest until one more entry with that body fits. */
static void make_room(struct trp_journal *journal, size_t bytes) {
  if (journal->last + 1 - journal->first == journal->entries) journal->first++;
  while (journal->first <= journal->last &&
         journal->bodies_end + bytes - record_of(journal, journal->first)->body_at >
             TRP_JOURNAL_BODIES_BYTES) {
    journal->first++;
  }
}

/* How much of `bytes` lies before the ring of bodies begins anew. */
static size_t before_wrap(uint64_t at, size_t bytes) {
  size_t left = TRP_JOURNAL_BODIES_BYTES - at % TRP_JOURNAL_BODIES_BYTES;
  return bytes < left ? bytes : left;
}

static void store_body(struct trp_journal *journal, const char *body, size_t bytes) {
  uint64_t at = journal->bodies_end;
  size_t first = before_wrap(at, bytes);
  if (first > 0) memcpy(journal->bodies + at % TRP_JOURNAL_BODIES_BYTES, body, first);
  if (bytes > first) memcpy(journal->bodies, body + first, bytes - first);
  journal->bodies_end += bytes;
}

static void load_body(const struct trp_journal *journal, uint64_t at, char *body, size_t bytes) {
  size_t first = before_wrap(at, bytes);
  if (first > 0) memcpy(body, journal->bodies + at % TRP_JOURNAL_BODIES_BYTES, first);
  if (bytes > first) memcpy(body + first, journal->bodies, bytes - first);
}

uint64_t trp_journal_put(struct trp_journal *journal, uint64_t at_ns, const char *actor,
                         uint16_t type, const void *body, size_t bytes) {
  if (bytes > TRP_JOURNAL_BODY_MAX) bytes = TRP_JOURNAL_BODY_MAX;
  pthread_mutex_lock(&journal->lock);
  make_room(journal, bytes);
  uint64_t sequence = ++journal->last;
  struct record *record = record_of(journal, sequence);
  *record = (struct record){
      .entry = {.sequence = sequence, .at_ns = at_ns, .type = type, .bytes = (uint32_t)bytes},
      .body_at = journal->bodies_end};
  strncpy(record->entry.actor, actor, TRP_NAME_MAX);
  store_body(journal, body, bytes);
  pthread_mutex_unlock(&journal->lock);
  return sequence;
}

bool trp_journal_next(struct trp_journal *journal, uint64_t after, struct trp_journal_entry *entry,
                      void *body, size_t body_max) {
  pthread_mutex_lock(&journal->lock);
  uint64_t sequence = after < journal->first ? journal->first : after + 1;
  bool found = after < journal->last;
  if (found) {
    const struct record *record = record_of(journal, sequence);
    *entry = record->entry;
    load_body(journal, record->body_at, body, entry->bytes < body_max ? entry->bytes : body_max);
  }
  pthread_mutex_unlock(&journal->lock);
  return found;
}

uint64_t trp_journal_last(struct trp_journal *journal) {
  pthread_mutex_lock(&journal->lock);
  uint64_t last = journal->last;
  pthread_mutex_unlock(&journal->lock);
  return last;
}
