/* flight.h - the flight recorder: what happened last, kept for last words.
 *
 * Two parts, both bounded, both without locks. Turns: each actor's block holds what its last turns
 * were about, one plain store a turn and no clock. Events: one ring for the process with the last
 * changes of state of actors and systems and what came into their journals, which are rare.
 *
 * It is read where nothing else can be trusted any more: from a handler of a fatal signal. So every
 * word in it is atomic, and a record that is being written is left out.
 *
 * Synchronisation: turns: written by the keeper, read by any. Events: any; of two writers that meet
 * in one record, which takes a whole ring of events between, the later one gives up. All
 * async-signal-safe. */
#ifndef TRP_RUNTIME_FLIGHT_H
#define TRP_RUNTIME_FLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/troupe.h"

enum {
  TRP_FLIGHT_TURNS = 8, /* an actor's block is small */
  TRP_FLIGHT_EVENTS = 64
};

/* What a turn was about: a message's type, or one of the kind's other functions, which have the
 * last numbers below the users' own types. */
enum { TRP_FLIGHT_START = TRP_USER_FIRST - 4, TRP_FLIGHT_READY, TRP_FLIGHT_STOP, TRP_FLIGHT_END };

struct trp_flight_turns {
  _Atomic uint16_t what[TRP_FLIGHT_TURNS]; /* relaxed throughout: they publish nothing */
};

/* The n-th turn, counted from 0, is about this. Thread: the keeper. */
static inline void trp_flight_turn(struct trp_flight_turns *turns, uint64_t n, uint16_t what) {
  atomic_store_explicit(&turns->what[n % TRP_FLIGHT_TURNS], what, memory_order_relaxed);
}

static inline uint16_t trp_flight_turn_at(const struct trp_flight_turns *turns, uint64_t n) {
  return atomic_load_explicit(&turns->what[n % TRP_FLIGHT_TURNS], memory_order_relaxed);
}

/* "QUOTE", "start()", or NULL for a user's own type, which has no name. */
const char *trp_flight_turn_name(uint16_t what);

struct trp_flight_event {
  uint64_t at_ns;                /* of the system's clock */
  uint16_t type;                 /* of the message in the journal; 0: a change of state */
  uint16_t state;                /* enum trp_actor_state, where type is 0 */
  uint64_t incarnation;          /* where type is 0 */
  char system[TRP_NAME_MAX + 1]; /* names are whole words: see flight.c */
  char actor[TRP_NAME_MAX + 1];  /* "": the system itself */
};

/* Records an event; names are copied. Thread: any. */
void trp_flight_note(const struct trp_flight_event *event);

/* How many there have ever been, and the n-th of them, counted from 0; false where it has been
 * displaced or is being written. Thread: any. */
uint64_t trp_flight_count(void);
bool trp_flight_at(uint64_t n, struct trp_flight_event *out);

#endif
