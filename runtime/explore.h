/* explore.h - points at which the interleaving explorer may switch fibers.
 *
 * In the library they are nothing. A test compiles the very same source with TRP_EXPLORE defined
 * and runs senders and owner as fibers whose switches are drawn from a seed: what a single-threaded
 * simulation cannot show (claim, publish, close, reuse) is explored there. */
#ifndef TRP_RUNTIME_EXPLORE_H
#define TRP_RUNTIME_EXPLORE_H

#ifdef TRP_EXPLORE
void trp_explore_point(const char *where);
#define TRP_INTERLEAVE(where) trp_explore_point(where)
#else
#define TRP_INTERLEAVE(where) ((void)0)
#endif

#endif
