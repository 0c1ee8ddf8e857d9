/* thread_monitor.h - the actor that watches all the others, and every thread of the process.
 *
 * At an interval it looks at each actor: a turn beyond its limit is ACTOR_STALLED with the stack of
 * the stuck thread, mail that waits with no turn taken is ACTOR_INACTIVE; each once, until a turn
 * ends it, which is logged as actor.recovered. A foreign thread on the register that ended without
 * deregistering is THREAD_CRASHED, and so is an actor whose thread vanished without a word, which
 * its supervisor then brings back. Each goes to the journal, to the event engine and to the log.
 * Counts, states and growth per hour are logged regularly (monitor.report, monitor.trend), threads
 * that nobody registered and no library is known to start once each (thread.unknown), what keeps
 * growing when it does (monitor.growth), and what belongs to nobody, which is always nothing
 * (monitor.orphans: timers, asks, subscriptions and monitors, found by walking all there are; in a
 * system of more than 16,384 actors only before each report, since that takes its time).
 *
 * MONITOR_QUERY, asked: MONITOR_REPORT. OPERATOR "report", asked: RESULT with the counts and
 * states; sent: the log lines at once. OPERATOR "growth", asked: growth per hour and verdicts.
 * The stacks need the handler of runtime/stack.h, which trp_system_run installs; without it they
 * say what the kernel knows. */
#ifndef TRP_ACTORS_THREAD_MONITOR_H
#define TRP_ACTORS_THREAD_MONITOR_H

#include "runtime/troupe.h"

/* The args of the kind; NULL: all defaults, which stand beside the fields and mean zero. */
struct trp_thread_monitor_options {
  uint32_t interval_ms;         /* between looks: 1,000, or a quarter of the shortest turn limit */
  uint32_t report_ms;           /* between log lines: 60,000 */
  uint32_t inactive_ms;         /* mail may wait for a turn: 60,000 */
  const char *events;           /* the event engine's name; NULL: events go nowhere */
  uint32_t beat_limit_ms;       /* a foreign thread may be silent; 0: for ever */
  bool no_process_figures;      /* never look beyond the system: for simulation, which must not
                                   depend on the process it runs in */
  uint32_t growth_window_ms;    /* 600,000 */
  uint32_t growth_percent;      /* a rise beyond it is reported: 10 */
  uint64_t growth_memory_bytes; /* if it is also beyond this: 8 MiB */
  uint32_t growth_count;        /* or, of descriptors, threads, actors: 16 */
};

extern const struct trp_kind trp_thread_monitor_kind;

#endif
