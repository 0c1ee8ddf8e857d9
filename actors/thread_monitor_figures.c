#include "actors/thread_monitor_figures.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/fdcount.h"

static uint64_t resident_bytes(void) {
  char text[128];
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = '\0';
  uint64_t resident = 0;
  if (sscanf(text, "%*u %" SCNu64, &resident) != 1) return 0;
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t living_actors(struct trp_system *system) {
  struct trp_actor_info info;
  uint64_t count = 0;
  for (size_t i = 0; trp_system_actor(system, i, &info); i++) {
    count += info.state >= TRP_ACTOR_STARTING && info.state <= TRP_ACTOR_DRAINING;
  }
  return count;
}

void trp_monitor_figures_now(const struct trp_monitor_figures *f, struct trp_self *self,
                             uint64_t out[TRP_GROWTH_FIGURES]) {
  memset(out, 0, TRP_GROWTH_FIGURES * sizeof *out);
  out[TRP_GROWTH_ACTORS] = living_actors(trp_self_system(self));
  if (!f->process) return;
  out[TRP_GROWTH_MEMORY] = resident_bytes();
  out[TRP_GROWTH_DESCRIPTORS] = trp_fd_count();
  out[TRP_GROWTH_THREADS] = trp_task_count();
}

void trp_monitor_figures_sample(struct trp_monitor_figures *f, struct trp_self *self) {
  struct trp_growth_sample sample = {.at_ns = trp_now_ns(self)};
  if (!trp_growth_is_due(&f->growth, sample.at_ns)) return;
  trp_monitor_figures_now(f, self, sample.figures);
  if (!trp_growth_add(&f->growth, &sample, &f->verdict) || !f->verdict.any) return;
  for (int k = 0; k < TRP_GROWTH_FIGURES; k++) {
    if (f->verdict.trend[k] != TRP_GROWTH_GROWING) continue;
    trp_log(self, TRP_LOG_WARN, "monitor.growth",
            "what=%s from=%" PRIu64 " to=%" PRIu64 " per_hour=%" PRId64 " window_s=%" PRIu64,
            trp_growth_figure_text((enum trp_growth_figure)k), f->verdict.from[k], f->verdict.to[k],
            f->verdict.per_hour[k], (uint64_t)(f->growth.window_ns / TRP_NS_PER_S));
  }
  trp_growth_empty(&f->growth); /* the verdict stands until the next window is full */
}

void trp_monitor_figures_orphans(struct trp_monitor_figures *f, struct trp_self *self) {
  struct trp_orphans now;
  trp_system_orphans(trp_self_system(self), &now);
  f->orphans = now;
  for (int k = 0; k < TRP_ORPHAN_KINDS; k++) {
    if (f->last.counts[k] < now.counts[k]) f->orphans.counts[k] = f->last.counts[k];
  }
  f->last = now;
  bool any = trp_orphans_total(&f->orphans) > 0;
  if (any == f->orphans_told) return;
  f->orphans_told = any;
  const uint64_t *counts = f->orphans.counts;
  trp_log(self, any ? TRP_LOG_ERROR : TRP_LOG_INFO, any ? "monitor.orphans" : "monitor.no_orphans",
          "timers=%" PRIu64 " asks=%" PRIu64 " subscriptions=%" PRIu64 " monitors=%" PRIu64
          " others=%" PRIu64 " owner=%s",
          counts[TRP_ORPHAN_TIMER], counts[TRP_ORPHAN_ASK], counts[TRP_ORPHAN_SUBSCRIPTION],
          counts[TRP_ORPHAN_MONITOR], counts[TRP_ORPHAN_OTHER], any ? f->orphans.owner : "-");
}
