/* net_sim_agenda.h - what a simulated network has to do, in the order (time, number).
 *
 * A binary heap of borrowed entries that know their place, so that each can be taken out again:
 * nothing stale stays in it and virtual time never stops at something that no longer matters.
 * Room is reserved beforehand, so putting cannot fail. Thread: the simulation's. */
#ifndef TRP_ADAPTERS_NET_SIM_AGENDA_H
#define TRP_ADAPTERS_NET_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

struct trp_due {
  void (*run)(struct trp_due *due); /* called by whoever took it out */
  uint64_t at_ns;
  uint64_t number; /* orders what is due at one time */
  size_t place;    /* in the heap from 1; 0: not in it */
};

struct trp_agenda {
  struct trp_due **heap; /* from 1 */
  size_t count, room;
};

/* Makes room for `count` entries. Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_agenda_reserve(struct trp_agenda *agenda, size_t count);
void trp_agenda_fini(struct trp_agenda *agenda);

/* Puts an entry in, or moves it. */
void trp_agenda_put(struct trp_agenda *agenda, struct trp_due *due, uint64_t at_ns,
                    uint64_t number);

/* Takes an entry out; fine where it is not in. */
void trp_agenda_remove(struct trp_agenda *agenda, struct trp_due *due);

/* The first, NULL where empty. */
struct trp_due *trp_agenda_first(const struct trp_agenda *agenda);

#endif
