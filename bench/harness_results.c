#include "bench/harness_results.h"

#include <stdio.h>
#include <string.h>

#include "bench/statistics.h"

static bool is_ours(const char *system) { return strcmp(system, HARNESS_OURS) == 0; }

const struct harness_result *harness_results_find(const struct harness_results *results,
                                                  const struct harness_question *question,
                                                  const char *metric, const char *system) {
  for (size_t i = 0; i < results->count; i++) {
    const struct harness_result *r = &results->results[i];
    if (r->question == question && strcmp(r->metric->name, metric) == 0 &&
        strcmp(r->system, system) == 0) {
      return r;
    }
  }
  return NULL;
}

/* The place for a value, made where there is none yet; NULL where there is no room. */
static struct harness_result *place(struct harness_results *results,
                                    const struct harness_question *question,
                                    const struct harness_metric *metric, const char *system) {
  const struct harness_result *found =
      harness_results_find(results, question, metric->name, system);
  if (found != NULL) return &results->results[found - results->results];
  if (results->count == HARNESS_RESULTS_MAX) return NULL;
  struct harness_result *r = &results->results[results->count++];
  snprintf(r->system, sizeof r->system, "%s", system);
  r->question = question;
  r->metric = metric;
  return r;
}

const char *harness_results_add(struct harness_results *results,
                                const struct harness_question *question, const char *system,
                                const char *metric_name, const char *unit, double value) {
  const struct harness_metric *metric = harness_metric_named(question, metric_name);
  if (metric == NULL) return "the table has no such metric";
  if (strcmp(metric->unit, unit) != 0) return "the table has another unit";
  if (!(value > 0) && is_ours(system) == false) return "a value that is not above zero";
  if (is_ours(system) && metric->system != NULL) {
    system = metric->system;
    metric = harness_metric_named(question, metric->against);
    if (metric == NULL) return "the table compares it with no metric";
  }
  struct harness_result *r = place(results, question, metric, system);
  if (r == NULL || r->count == HARNESS_ROUNDS_MAX) {
    results->dropped++;
    return "no room for it";
  }
  r->values[r->count++] = value;
  return NULL;
}

void harness_results_trouble(struct harness_results *results,
                             const struct harness_question *question, const char *system,
                             const char *text) {
  for (size_t i = 0; i < results->trouble_count; i++) {
    const struct harness_trouble *t = &results->troubles[i];
    if (t->question == question && strcmp(t->system, system) == 0) return;
  }
  if (results->trouble_count == HARNESS_RESULTS_MAX) return;
  struct harness_trouble *t = &results->troubles[results->trouble_count++];
  t->question = question;
  snprintf(t->system, sizeof t->system, "%s", system);
  snprintf(t->text, sizeof t->text, "%s", text);
}

struct harness_statistics harness_statistics_of(const struct harness_result *result) {
  double values[HARNESS_ROUNDS_MAX];
  memcpy(values, result->values, result->count * sizeof *values);
  struct harness_statistics s = {.median = statistics_median(values, result->count)};
  if (result->count == 0) return s;
  s.min = values[0]; /* sorted by now */
  s.max = values[result->count - 1];
  s.spread = s.median != 0 ? (s.max - s.min) / fabs(s.median) : 0;
  return s;
}

const struct harness_result *harness_results_best_peer(const struct harness_results *results,
                                                       const struct harness_question *question,
                                                       const struct harness_metric *metric) {
  const struct harness_result *best = NULL;
  double best_median = 0;
  for (size_t i = 0; i < results->count; i++) {
    const struct harness_result *r = &results->results[i];
    if (r->question != question || is_ours(r->system)) continue;
    if (strcmp(r->metric->name, harness_metric_against(metric)) != 0) continue;
    double median = harness_statistics_of(r).median;
    if (best != NULL && (median > best_median) != metric->more_is_better) continue;
    best = r;
    best_median = median;
  }
  return best;
}

double harness_results_ratio(const struct harness_results *results,
                             const struct harness_result *ours) {
  const struct harness_result *peer =
      harness_results_best_peer(results, ours->question, ours->metric);
  if (peer == NULL) return NAN;
  double mine = harness_statistics_of(ours).median, theirs = harness_statistics_of(peer).median;
  return ours->metric->more_is_better ? mine / theirs : theirs / mine;
}

double harness_results_mark(const struct harness_results *results,
                            const struct harness_result *ours) {
  const struct harness_promise *promise = &ours->metric->promise;
  const struct harness_result *other = NULL;
  switch (promise->kind) {
    case HARNESS_PROMISE_NONE:
      return NAN;
    case HARNESS_PROMISE_LIMIT:
      return promise->figure;
    case HARNESS_PROMISE_KEEPS:
      other = harness_results_find(results, harness_question_named(promise->of), ours->metric->name,
                                   HARNESS_OURS);
      break;
    case HARNESS_PROMISE_RATIO:
    case HARNESS_PROMISE_BEYOND:
      other = harness_results_best_peer(results, ours->question, ours->metric);
      break;
  }
  if (other == NULL) return NAN;
  double median = harness_statistics_of(other).median;
  if (promise->kind == HARNESS_PROMISE_BEYOND) {
    return ours->metric->more_is_better ? median - promise->figure : median + promise->figure;
  }
  return ours->metric->more_is_better ? median * promise->figure : median / promise->figure;
}

enum harness_verdict harness_results_verdict(const struct harness_results *results,
                                             const struct harness_result *ours) {
  if (ours->metric->promise.kind == HARNESS_PROMISE_NONE) return HARNESS_UNPROMISED;
  double mark = harness_results_mark(results, ours), median = harness_statistics_of(ours).median;
  if (isnan(mark) || isnan(median)) return HARNESS_UNKNOWN;
  bool kept = ours->metric->more_is_better ? median >= mark : median <= mark;
  return kept ? HARNESS_KEPT : HARNESS_BROKEN;
}
