/* thread_monitor_figures.h - the thread monitor's figures: what the process holds and whether it
 * grows, and what belongs to nobody any more.
 *
 * Belongs to the monitor's incarnation; needs no releasing. Thread: the monitor's turns. */
#ifndef TRP_ACTORS_THREAD_MONITOR_FIGURES_H
#define TRP_ACTORS_THREAD_MONITOR_FIGURES_H

#include "actors/thread_monitor_growth.h"
#include "runtime/orphans.h"

struct trp_monitor_figures {
  bool process; /* look beyond the system */
  struct trp_growth growth;
  struct trp_growth_verdict verdict; /* of the last full window */
  struct trp_orphans last;           /* of the last look */
  struct trp_orphans orphans;        /* found in the last two: those in one are being taken back */
  bool orphans_told;
};

/* What there is now, by trp_growth_figure; 0 of the process where it must not be looked at. */
void trp_monitor_figures_now(const struct trp_monitor_figures *figures, struct trp_self *self,
                             uint64_t out[TRP_GROWTH_FIGURES]);

/* A sample where one is due, and the log where a window shows growth. */
void trp_monitor_figures_sample(struct trp_monitor_figures *figures, struct trp_self *self);

/* Walks what exists; orphans are logged when they appear, and when they have gone. */
void trp_monitor_figures_orphans(struct trp_monitor_figures *figures, struct trp_self *self);

#endif
