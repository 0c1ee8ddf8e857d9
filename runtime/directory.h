/* directory.h - who lives, for the processes that actors are placed in: a table of every name of
 * the system and the reference of its living incarnation, in memory that they look at.
 *
 * So that trp_whereis has its answer at once there too, without asking over the link. The system
 * owns it, and the runtime writes an entry where an incarnation begins and where its end is told; a
 * process maps it read-only. There is one only where an actor is placed in a process.
 *
 * Thread: put: the actor's keeper, under the actor's lock. Reading: any. Else: as said. */
#ifndef TRP_RUNTIME_DIRECTORY_H
#define TRP_RUNTIME_DIRECTORY_H

#include "runtime/troupe.h"

struct trp_directory;

/* For all actors added so far; nobody lives yet. Errors: SYSTEM, NO_MEMORY. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_directory_open(struct trp_system *system);

/* The descriptor to be inherited; -1 once it has been closed, which the memory outlives. */
int trp_directory_fd(const struct trp_directory *directory);
void trp_directory_close_fd(struct trp_directory *directory); /* Thread: coordinator */
void trp_directory_destroy(struct trp_directory **directory); /* NULL is fine */

/* NOBODY: its life is over. */
void trp_directory_put(struct trp_directory *directory, uint32_t index, struct trp_ref ref);

/* The same table from a descriptor that was inherited; never unmapped. Errors: SYSTEM, INVALID. */
TRP_MUST_USE enum trp_err trp_directory_attach(struct trp_directory **out, int fd);

uint32_t trp_directory_count(const struct trp_directory *directory);

/* The index of a name; false where there is none of that name. */
bool trp_directory_find(const struct trp_directory *directory, const char *name, uint32_t *index);

/* Who lives in that slot now, NOBODY past the last. */
struct trp_ref trp_directory_at(const struct trp_directory *directory, uint32_t index);

#endif
