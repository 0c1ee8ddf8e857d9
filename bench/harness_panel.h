/* harness_panel.h - what stands together in one plot of the picture: rows of figures in one unit.
 *
 * Where peers answer a question each of its metrics is a panel, with a row for each system and one
 * for each of our metrics that stands beside it. Where we are alone all metrics of a unit share a
 * panel, a row each. Thread: one. */
#ifndef TRP_BENCH_HARNESS_PANEL_H
#define TRP_BENCH_HARNESS_PANEL_H

#include "bench/harness_results.h"

enum { HARNESS_ROWS_MAX = 16, HARNESS_PANELS_MAX = 96, HARNESS_LABEL_MAX = 48 };

struct harness_row {
  const struct harness_result *result;
  struct harness_statistics statistics;
  char label[HARNESS_LABEL_MAX];
  bool ours;
};

struct harness_panel {
  const struct harness_question *question;
  const struct harness_metric *metric; /* the first: unit and direction are those of all */
  bool alone;                          /* no peer in it: a row for each metric */
  size_t count;
  struct harness_row rows[HARNESS_ROWS_MAX];
};

/* The panels of all results, in the order of the table; rows the best first unless alone. */
size_t harness_panels_make(const struct harness_results *results, struct harness_panel *panels,
                           size_t most);

/* A logarithmic axis that has room for every row and a little more. */
struct harness_axis {
  double low, high;
};
struct harness_axis harness_panel_axis(const struct harness_results *results,
                                       const struct harness_panel *panel);

/* Where a value lies on it: 0 at the left end, 1 at the right; values beyond lie at the ends. */
double harness_axis_place(const struct harness_axis *axis, double value);

/* The axis's next mark above `after` (0: the first): powers of ten, and where they are few, also 2
 * and 5 of each. 0 past the last. */
double harness_axis_next(const struct harness_axis *axis, double after);

#endif
