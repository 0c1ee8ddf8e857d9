/* journal.h - a system's last lifecycle events, kept outside any actor so that they outlive it.
 *
 * A ring of entries and a ring of their bodies, both bounded: a new entry displaces the oldest ones
 * until there is room. Sequence numbers begin at 1 and have no holes, so a reader that asks for
 * what comes after the last one it saw notices what it missed. Entries are copied in and out; there
 * is nothing to give back.
 *
 * Synchronisation: one mutex, held for the copy. Thread: any, except new and destroy: the owner. */
#ifndef TRP_RUNTIME_JOURNAL_H
#define TRP_RUNTIME_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/troupe.h"

enum {
  TRP_JOURNAL_ENTRIES = 1024, /* the default */
  TRP_JOURNAL_ENTRIES_MAX = 1 << 16,
  TRP_JOURNAL_BODY_MAX = 4096,         /* what is beyond is cut */
  TRP_JOURNAL_BODIES_BYTES = 896 << 10 /* of all bodies together: 1 MiB with the default entries */
};

struct trp_journal;

/* A journal of the last `entries` events; 0: the default. Errors: INVALID, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_journal_new(struct trp_journal **out, uint32_t entries);
void trp_journal_destroy(struct trp_journal **journal); /* NULL is fine */

/* Appends; `actor` is copied and cut to TRP_NAME_MAX. Returns the entry's sequence number. */
uint64_t trp_journal_put(struct trp_journal *journal, uint64_t at_ns, const char *actor,
                         uint16_t type, const void *body, size_t bytes);

/* The first entry still there with a sequence above `after`. Its body is copied up to `body_max`
 * bytes; entry->bytes is what the journal has of it. False where there is none yet. */
bool trp_journal_next(struct trp_journal *journal, uint64_t after, struct trp_journal_entry *entry,
                      void *body, size_t body_max);

/* The sequence number of the newest entry, 0 where there was none. */
uint64_t trp_journal_last(struct trp_journal *journal);

#endif
