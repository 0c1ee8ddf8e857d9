/* spec.h - specs with their defaults filled in, one for all actors that were made alike: a million
 * spawned with one spec hold one copy.
 *
 * What is the slot's own (name, listen, args, supervisor) is no part of it, so a program has a
 * handful. They stay until the system is destroyed and may be read by any thread. Synchronisation
 * of share: the caller's lock (the slots'). */
#ifndef TRP_RUNTIME_SPEC_H
#define TRP_RUNTIME_SPEC_H

#include "runtime/troupe.h"

enum { TRP_SPECS_MAX = 65536 };

struct trp_shared_spec;

struct trp_specs {
  struct trp_shared_spec *first; /* the last used first */
  uint32_t count;
};

/* NULL: LIMIT or NO_MEMORY, in *err. */
const struct trp_spec *trp_specs_share(struct trp_specs *specs, const struct trp_spec *given,
                                       enum trp_err *err);
void trp_specs_fini(struct trp_specs *specs);

#endif
