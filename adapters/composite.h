/* composite.h - several actors that belong together, told with what each needs, and brought into a
 * system in the right order.
 *
 * No actor: a helper over trp_system_add and trp_system_edge, because the runtime has both orders
 * already. Start order is the order of adding, and an actor that fails there unwinds the start;
 * stopping follows edges, so that who sends closes before who is sent to. So the composite adds a
 * part after its supervisor and everything that it needs, and declares an edge from it to each of
 * those needs: parts start in dependency order and close in reverse.
 *
 *   static const char *const engine[] = {"event_engine", NULL};
 *   const struct trp_part parts[] = {
 *       {.spec = feed, .needs = engine},                       // after the engine, closes before
 * it
 *       {.spec = event_engine, .needs = consumer},
 *       {.spec = consumer},
 *       {.spec = supervisor, .tells = engine}};                // sends to it, and starts before it
 *
 * `tells` is an edge without an order, for who sends to what starts later. Names that are no parts
 * of the composite must be in the system already. Of parts that could both be next, the first in
 * the list is. All is checked before anything is added: what is refused leaves the system as it
 * was (but for NO_MEMORY and a spec that trp_system_add itself refuses). Thread: start-up. */
#ifndef TRP_ADAPTERS_COMPOSITE_H
#define TRP_ADAPTERS_COMPOSITE_H

#include "runtime/troupe.h"

#define TRP_COMPOSITE_PARTS_MAX 64

struct trp_part {
  struct trp_spec spec;
  const char *const *needs; /* names, NULL at the end; NULL: none */
  const char *const *tells; /* the same */
};

/* Errors: INVALID (too many, one without a name or needed by itself in a circle), EXISTS (a name
 * twice), NO_ACTOR (a name that is nobody's); and those of trp_system_add and _edge. `why` says
 * which part and what. */
TRP_MUST_USE enum trp_err trp_composite_add(struct trp_system *system, const struct trp_part *parts,
                                            size_t count, char *why, size_t why_bytes);

#endif
