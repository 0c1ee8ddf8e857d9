/* harness_results.h - what was measured: the values of each system for each metric, the statistics
 * over them, who the best peer is, and whether a promise is kept.
 *
 * A result is one system's figure for one metric of the table; a peer's figures lie under the
 * metric that the peer names, and ours stand beside them by `against`. Fixed size. Thread: one. */
#ifndef TRP_BENCH_HARNESS_RESULTS_H
#define TRP_BENCH_HARNESS_RESULTS_H

#include "bench/harness_questions.h"

#define HARNESS_OURS "troupe"

enum { HARNESS_ROUNDS_MAX = 51, HARNESS_RESULTS_MAX = 512, HARNESS_NAME_MAX = 32 };

struct harness_result {
  char system[HARNESS_NAME_MAX];
  const struct harness_question *question;
  const struct harness_metric *metric;
  size_t count;
  double values[HARNESS_ROUNDS_MAX];
};

struct harness_trouble {
  char system[HARNESS_NAME_MAX];
  const struct harness_question *question; /* NULL: with the system as a whole */
  char text[256];
};

struct harness_results {
  size_t count, trouble_count, dropped; /* dropped: values that found no room */
  struct harness_result results[HARNESS_RESULTS_MAX];
  struct harness_trouble troubles[HARNESS_RESULTS_MAX];
};

struct harness_statistics {
  double median, min, max;
  double spread; /* (max - min) / median */
};

enum harness_verdict { HARNESS_UNPROMISED, HARNESS_UNKNOWN, HARNESS_KEPT, HARNESS_BROKEN };

/* Adds a value that `system`'s program gave for a metric of that name and unit; NULL, or a sentence
 * that says why it is none of the table's. */
const char *harness_results_add(struct harness_results *results,
                                const struct harness_question *question, const char *system,
                                const char *metric, const char *unit, double value);

/* Notes a trouble once for each system and question. */
void harness_results_trouble(struct harness_results *results,
                             const struct harness_question *question, const char *system,
                             const char *text);

/* NULL where that system has no value for it. */
const struct harness_result *harness_results_find(const struct harness_results *results,
                                                  const struct harness_question *question,
                                                  const char *metric, const char *system);

struct harness_statistics harness_statistics_of(const struct harness_result *result);

/* The peer with the best median for what our metric stands against; NULL where there is none. */
const struct harness_result *harness_results_best_peer(const struct harness_results *results,
                                                       const struct harness_question *question,
                                                       const struct harness_metric *metric);

/* How many times as good ours is as the best peer's; NaN where there is none. */
double harness_results_ratio(const struct harness_results *results,
                             const struct harness_result *ours);

/* UNKNOWN where what it would be compared with is missing. */
enum harness_verdict harness_results_verdict(const struct harness_results *results,
                                             const struct harness_result *ours);

/* The value of the metric at which the promise is just kept; NaN where there is none. */
double harness_results_mark(const struct harness_results *results,
                            const struct harness_result *ours);

#endif
