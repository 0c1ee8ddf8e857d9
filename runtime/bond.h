/* bond.h - what trp_link ties: two incarnations that die together. (link.* is the wire to another
 * process; a link between two actors is a bond here.)
 *
 * A bond is one record with an end for each of the two, and each end carries the node that tells
 * its actor that the other is over; so telling needs no memory and cannot fail. An end is listed at
 * its actor until that incarnation ends, the bond is undone, or the other's end was told. Who finds
 * both ends over, listed nowhere and no node posted frees the record.
 *
 * Synchronisation: one lock for all bonds, below which only a lane is posted to. They are made and
 * undone rarely, and a record that two may free needs one lock, not two. */
#ifndef TRP_RUNTIME_BOND_H
#define TRP_RUNTIME_BOND_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/lane.h"
#include "runtime/troupe.h"

struct trp_actor;
struct trp_bond;

/* Whether an actor's incarnation may be tied, and whether it is. */
enum trp_bonds_state { TRP_BONDS_CLOSED, TRP_BONDS_OPEN, TRP_BONDS_TIED };

struct trp_bond_end {
  struct trp_node node;
  struct trp_bond *bond;
  struct trp_actor *actor;
  uint64_t incarnation;
  bool posted; /* the node is in the lane, or taken out and not yet read */
  bool over;   /* wants to hear nothing any more */
  bool listed;
  struct trp_bond_end *next, *prev; /* the actor's list */
};

/* From here on its incarnation may be tied. Thread: its keeper. */
void trp_bonds_open(struct trp_actor *actor);

/* Nothing comes to this incarnation any more. Before its lane is emptied. Thread: its keeper. */
void trp_bonds_close(struct trp_actor *actor);

/* Tells all that were tied to it. Thread: its keeper. */
void trp_bonds_announce(struct trp_actor *actor, enum trp_err reason, bool crashed);

/* What a node from the lane says, or false where it is too late to say anything. The end may be
 * gone afterwards. Thread: the keeper of its actor. */
bool trp_bond_read(struct trp_bond_end *end, struct trp_down *down, bool *crashed);

#endif
