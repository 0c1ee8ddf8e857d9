/* thread_monitor_growth.h - samples of what the process holds, and whether it keeps growing.
 *
 * A leak raises the floor, a burst does not: the lowest figure of the window's last quarter is
 * compared with the lowest of its first. A change counts where it exceeds both a share and an
 * amount; growth per hour is said of every window, whatever the verdict.
 *
 * The ring has a fixed size and needs no releasing; it judges no sooner than it is full, and begins
 * anew after it has been emptied. Thread: the owner's. */
#ifndef TRP_ACTORS_THREAD_MONITOR_GROWTH_H
#define TRP_ACTORS_THREAD_MONITOR_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

enum trp_growth_figure {
  TRP_GROWTH_MEMORY, /* resident bytes */
  TRP_GROWTH_DESCRIPTORS,
  TRP_GROWTH_THREADS,
  TRP_GROWTH_ACTORS,
  TRP_GROWTH_FIGURES
};

enum { TRP_GROWTH_SAMPLES_MIN = 8, TRP_GROWTH_SAMPLES_MAX = 64 };

struct trp_growth_sample {
  uint64_t at_ns;
  uint64_t figures[TRP_GROWTH_FIGURES];
};

struct trp_growth {
  uint64_t window_ns;
  uint32_t percent;                     /* a rise must exceed this share of the first floor */
  uint64_t amounts[TRP_GROWTH_FIGURES]; /* and this amount */
  struct trp_growth_sample ring[TRP_GROWTH_SAMPLES_MAX];
  uint32_t wanted; /* samples that make a window */
  uint32_t count;
  uint32_t next;
  uint64_t due_ns; /* of the next sample */
};

enum trp_growth_trend {
  TRP_GROWTH_LEARNING, /* no window has been full yet */
  TRP_GROWTH_STEADY,
  TRP_GROWTH_GROWING,
  TRP_GROWTH_SHRINKING
};

struct trp_growth_verdict {
  uint64_t from[TRP_GROWTH_FIGURES], to[TRP_GROWTH_FIGURES]; /* the floors */
  int64_t per_hour[TRP_GROWTH_FIGURES];
  enum trp_growth_trend trend[TRP_GROWTH_FIGURES];
  bool any; /* grew */
};

/* After window_ns, percent and amounts have been set. Samples come `interval_ns` apart or more; a
 * window too short for TRP_GROWTH_SAMPLES_MIN of them is made longer. The first is due after one
 * step, when the start is over. */
void trp_growth_begin(struct trp_growth *growth, uint64_t interval_ns, uint64_t now_ns);

/* True where it is time for a sample. */
bool trp_growth_is_due(const struct trp_growth *growth, uint64_t now_ns);

/* Takes a sample; true where the window is full and *verdict was written. */
bool trp_growth_add(struct trp_growth *growth, const struct trp_growth_sample *sample,
                    struct trp_growth_verdict *verdict);

const char *trp_growth_figure_text(enum trp_growth_figure figure);
const char *trp_growth_trend_text(uint32_t trend);

/* Forgets the samples, so that what has been told is not told again. */
void trp_growth_empty(struct trp_growth *growth);

#endif
