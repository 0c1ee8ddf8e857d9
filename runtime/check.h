/* check.h - assertions of the runtime itself, always on.
 *
 * CHECK (troupe.h) is for actors' code: its failure is that actor's crash. A broken invariant of
 * the runtime has no such boundary: other actors' state may be half-changed, so it ends the process
 * with last words. DCHECK is for what costs more than a few loads; the sanitizer builds have it on.
 */
#ifndef TRP_RUNTIME_CHECK_H
#define TRP_RUNTIME_CHECK_H

__attribute__((noreturn)) void trp_assert_failed(const char *expression, const char *file,
                                                 int line);

#define ASSERT(e) ((e) ? (void)0 : trp_assert_failed(#e, __FILE__, __LINE__))

#ifdef TRP_DEBUG
#define DCHECK(e) ASSERT(e)
#else
#define DCHECK(e) ((void)0)
#endif

#endif
