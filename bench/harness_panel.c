#include "bench/harness_panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_DRAWN 1e-6 /* a logarithm has no zero: smaller figures lie at the left end */
#define MARGIN 1.35      /* of the axis beyond the least and the greatest */
#define FEW_DECADES 1.6

static bool peers_answer(const struct harness_results *results,
                         const struct harness_question *question) {
  for (size_t i = 0; i < results->count; i++) {
    const struct harness_result *r = &results->results[i];
    if (r->question == question && strcmp(r->system, HARNESS_OURS) != 0) return true;
  }
  return false;
}

static bool has_peer(const struct harness_results *results, const struct harness_result *r) {
  return harness_results_best_peer(results, r->question, r->metric) != NULL;
}

/* "one_by_one" is read as words. */
static void write_label(char *out, const char *system, const char *metric) {
  snprintf(out, HARNESS_LABEL_MAX, "%s%s%s", system, *system != '\0' && *metric != '\0' ? ", " : "",
           metric);
  for (char *at = out; *at != '\0'; at++) {
    if (*at == '_') *at = ' ';
  }
}

/* The panel a result belongs to: of its question, and of its metric or its unit. */
static struct harness_panel *find_panel(const struct harness_result *r, bool alone,
                                        struct harness_panel *panels, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct harness_panel *p = &panels[i];
    if (p->question != r->question || p->alone != alone) continue;
    if (alone ? strcmp(p->metric->unit, r->metric->unit) == 0 &&
                    p->metric->more_is_better == r->metric->more_is_better
              : strcmp(p->metric->name, harness_metric_against(r->metric)) == 0) {
      return p;
    }
  }
  return NULL;
}

static void add_row(struct harness_panel *panel, const struct harness_result *r) {
  if (panel->count == HARNESS_ROWS_MAX) return;
  struct harness_row *row = &panel->rows[panel->count++];
  row->result = r;
  row->statistics = harness_statistics_of(r);
  row->ours = strcmp(r->system, HARNESS_OURS) == 0;
  bool beside = strcmp(r->metric->name, panel->metric->name) != 0;
  write_label(row->label, panel->alone ? "" : r->system,
              panel->alone || beside ? r->metric->name : "");
}

static int best_first(const void *a, const void *b) {
  const struct harness_row *x = a, *y = b;
  double dx = x->statistics.median, dy = y->statistics.median;
  int ascending = (dx > dy) - (dx < dy);
  return x->result->metric->more_is_better ? -ascending : ascending;
}

size_t harness_panels_make(const struct harness_results *results, struct harness_panel *panels,
                           size_t most) {
  size_t count = 0;
  for (size_t i = 0; i < results->count; i++) {
    const struct harness_result *r = &results->results[i];
    bool alone = !peers_answer(results, r->question) || !has_peer(results, r);
    if (strcmp(r->system, HARNESS_OURS) != 0) alone = false;
    struct harness_panel *panel = find_panel(r, alone, panels, count);
    if (panel == NULL && count < most) {
      const struct harness_metric *metric =
          alone ? r->metric : harness_metric_named(r->question, harness_metric_against(r->metric));
      panel = &panels[count++];
      *panel = (struct harness_panel){.question = r->question, .metric = metric, .alone = alone};
    }
    if (panel != NULL) add_row(panel, r);
  }
  for (size_t i = 0; i < count; i++) {
    if (!panels[i].alone) {
      qsort(panels[i].rows, panels[i].count, sizeof *panels[i].rows, best_first);
    }
  }
  return count;
}

/* ---- axes ---- */

static void stretch(struct harness_axis *axis, double value) {
  if (!(value >= LEAST_DRAWN)) return;
  if (axis->low == 0 || value < axis->low) axis->low = value;
  if (value > axis->high) axis->high = value;
}

struct harness_axis harness_panel_axis(const struct harness_results *results,
                                       const struct harness_panel *panel) {
  struct harness_axis axis = {0, 0};
  for (size_t i = 0; i < panel->count; i++) {
    const struct harness_row *row = &panel->rows[i];
    stretch(&axis, row->statistics.min);
    stretch(&axis, row->statistics.max);
    if (row->ours) stretch(&axis, harness_results_mark(results, row->result));
  }
  if (axis.low == 0) axis = (struct harness_axis){0.1, 10};
  axis.low /= MARGIN;
  axis.high *= MARGIN;
  return axis;
}

double harness_axis_place(const struct harness_axis *axis, double value) {
  if (!(value > axis->low)) return 0;
  double place = log(value / axis->low) / log(axis->high / axis->low);
  return place > 1 ? 1 : place;
}

double harness_axis_next(const struct harness_axis *axis, double after) {
  static const double steps[] = {1, 2, 5};
  size_t step_count = log10(axis->high / axis->low) < FEW_DECADES ? 3 : 1;
  double from = after > 0 ? after * 1.001 : axis->low;
  for (double decade = pow(10, floor(log10(axis->low))); decade <= axis->high; decade *= 10) {
    for (size_t i = 0; i < step_count; i++) {
      double mark = decade * steps[i];
      if (mark >= from && mark <= axis->high) return mark;
    }
  }
  return 0;
}
