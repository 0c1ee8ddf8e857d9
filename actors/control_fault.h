/* control_fault.h - which faults an actor can act out: what the runtime does to any actor
 * (runtime/fault_text.h), and what an exchange does besides. Control asks before it sends, since
 * nobody answers a fault. Thread: any. */
#ifndef TRP_ACTORS_CONTROL_FAULT_H
#define TRP_ACTORS_CONTROL_FAULT_H

#include <stdbool.h>

/* Whether an actor of that kind takes this fault. */
bool trp_control_fault_known(const char *kind, const char *text);

/* Those that it takes, in words. */
const char *trp_control_faults(const char *kind);

#endif
