/* harness_text.h - figures as a person reads them, and the table on the terminal. Thread: one. */
#ifndef TRP_BENCH_HARNESS_TEXT_H
#define TRP_BENCH_HARNESS_TEXT_H

#include "bench/harness_results.h"

enum { HARNESS_FIGURE_MAX = 48 };

/* A unit as it is shown: the lines of programs have only ASCII. */
const char *harness_unit(const char *unit);

/* "11.6 M msg/s", "0.050 µs", "1010 B": three digits that count, and the unit. */
void harness_figure(char *out, size_t size, double value, const char *unit);

/* What was promised: "5x the best peer", "at most 3 us"; "" where nothing was. */
void harness_promise_text(char *out, size_t size, const struct harness_metric *metric);

/* The results of one question, on standard output. */
void harness_text_question(const struct harness_results *results,
                           const struct harness_question *question, const char *args);

/* What is to be said at the end: troubles, and the promises that are kept and broken. */
void harness_text_end(const struct harness_results *results);

#endif
