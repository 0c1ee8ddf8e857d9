#include "actors/thread_monitor_growth.h"

#include "runtime/troupe.h"

static uint64_t step_ns(const struct trp_growth *g) { return g->window_ns / g->wanted; }

void trp_growth_begin(struct trp_growth *g, uint64_t interval_ns, uint64_t now_ns) {
  uint64_t fitting = g->window_ns / interval_ns;
  if (fitting < TRP_GROWTH_SAMPLES_MIN) {
    fitting = TRP_GROWTH_SAMPLES_MIN;
    g->window_ns = fitting * interval_ns;
  }
  if (fitting > TRP_GROWTH_SAMPLES_MAX) fitting = TRP_GROWTH_SAMPLES_MAX;
  g->wanted = (uint32_t)fitting;
  g->due_ns = now_ns + step_ns(g);
  trp_growth_empty(g);
}

bool trp_growth_is_due(const struct trp_growth *g, uint64_t now_ns) { return now_ns >= g->due_ns; }

/* The i-th sample, the oldest first, of a full ring. */
static const struct trp_growth_sample *sample_at(const struct trp_growth *g, uint32_t i) {
  return &g->ring[(g->next + i) % g->wanted];
}

static uint64_t floor_of(const struct trp_growth *g, uint32_t first, uint32_t count, int figure) {
  uint64_t lowest = UINT64_MAX;
  for (uint32_t i = first; i < first + count; i++) {
    uint64_t value = sample_at(g, i)->figures[figure];
    if (value < lowest) lowest = value;
  }
  return lowest;
}

static bool is_much(const struct trp_growth *g, uint64_t change, uint64_t of, int figure) {
  return change > g->amounts[figure] && (double)change * 100 > (double)of * g->percent;
}

static void judge(const struct trp_growth *g, struct trp_growth_verdict *verdict) {
  uint32_t quarter = g->wanted / 4, last = g->wanted - quarter;
  uint64_t apart_ns = sample_at(g, last)->at_ns - sample_at(g, 0)->at_ns;
  double hours = (double)(apart_ns > 0 ? apart_ns : 1) / (3600.0 * (double)TRP_NS_PER_S);
  *verdict = (struct trp_growth_verdict){.any = false};
  for (int f = 0; f < TRP_GROWTH_FIGURES; f++) {
    uint64_t from = floor_of(g, 0, quarter, f), to = floor_of(g, last, quarter, f);
    bool up = to > from;
    bool much = up ? is_much(g, to - from, from, f) : is_much(g, from - to, from, f);
    verdict->from[f] = from;
    verdict->to[f] = to;
    verdict->per_hour[f] = (int64_t)(((double)to - (double)from) / hours);
    verdict->trend[f] = !much ? TRP_GROWTH_STEADY : up ? TRP_GROWTH_GROWING : TRP_GROWTH_SHRINKING;
    verdict->any = verdict->any || verdict->trend[f] == TRP_GROWTH_GROWING;
  }
}

bool trp_growth_add(struct trp_growth *g, const struct trp_growth_sample *sample,
                    struct trp_growth_verdict *verdict) {
  g->ring[g->next] = *sample;
  g->next = (g->next + 1) % g->wanted;
  if (g->count < g->wanted) g->count++;
  g->due_ns = sample->at_ns + step_ns(g);
  if (g->count < g->wanted) return false;
  judge(g, verdict);
  return true;
}

void trp_growth_empty(struct trp_growth *g) { g->count = g->next = 0; }

const char *trp_growth_figure_text(enum trp_growth_figure figure) {
  static const char *const texts[] = {"memory", "descriptors", "threads", "actors"};
  return (size_t)figure < TRP_GROWTH_FIGURES ? texts[figure] : "?";
}

const char *trp_growth_trend_text(uint32_t trend) {
  static const char *const texts[] = {"learning", "steady", "growing", "shrinking"};
  return trend < sizeof texts / sizeof *texts ? texts[trend] : "?";
}
