/* pulse.h - do the critical actors still beat: what a watchdog outside the process is told.
 *
 * Critical is who is flagged so in its spec, each root, and whoever supervises others. One does not
 * beat while it is down after a crash, or while it has been in the same turn, or has had something
 * to do and taken no turn, for longer than its turn's limit. Nobody is asked anything: the look is
 * at counters that are there anyway, so a busy actor is not disturbed and a stuck one cannot lie.
 *
 * Thread: owner of the pulse, any one; the actors' side is atomic. */
#ifndef TRP_RUNTIME_PULSE_H
#define TRP_RUNTIME_PULSE_H

#include "runtime/system.h"

struct trp_pulse {
  struct trp_system *system;
  uint32_t count;         /* of the actors that were added; spawned ones are nobody's watchdog's */
  struct trp_pulse_mark { /* of each */
    uint64_t turns;       /* when last looked */
    uint64_t since_ns; /* when this number was first seen, or there was nothing to do; 0: never */
  } * marks;
};

/* After the last actor was added. Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_pulse_init(struct trp_pulse *pulse, struct trp_system *system);
void trp_pulse_fini(struct trp_pulse *pulse);

/* Looks at everybody; true where all critical ones beat, else `why` gets a sentence on the first
 * that does not. What is too long is measured from one look to the next. */
bool trp_pulse_beats(struct trp_pulse *pulse, char *why, size_t why_bytes);

#endif
