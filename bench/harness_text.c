#include "bench/harness_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIGURE_COLUMNS = 16 };

const char *harness_unit(const char *unit) { return strcmp(unit, "us") == 0 ? "\u00b5s" : unit; }

void harness_figure(char *out, size_t size, double value, const char *unit) {
  static const struct {
    double from;
    const char *letter;
  } scales[] = {{1e9, "G"}, {1e6, "M"}, {1e4, "k"}};
  double size_of = fabs(value), divisor = 1;
  const char *letter = "";
  for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
    if (size_of < scales[i].from) continue;
    divisor = scales[i].from == 1e4 ? 1e3 : scales[i].from;
    letter = scales[i].letter;
    break;
  }
  double shown = value / divisor;
  int digits = fabs(shown) >= 99.95 ? 0 : fabs(shown) >= 9.995 ? 1 : fabs(shown) >= 0.9995 ? 2 : 3;
  snprintf(out, size, "%.*f%s%s%s%s", digits, shown, *letter != '\0' ? " " : "", letter,
           *unit != '\0' ? " " : "", harness_unit(unit));
}

void harness_promise_text(char *out, size_t size, const struct harness_metric *metric) {
  const struct harness_promise *p = &metric->promise;
  char figure[HARNESS_FIGURE_MAX];
  harness_figure(figure, sizeof figure, p->figure, metric->unit);
  switch (p->kind) {
    case HARNESS_PROMISE_NONE:
      if (size > 0) out[0] = '\0';
      return;
    case HARNESS_PROMISE_RATIO:
      snprintf(out, size, "%gx the best peer", p->figure);
      return;
    case HARNESS_PROMISE_LIMIT:
      snprintf(out, size, "at %s %s", metric->more_is_better ? "least" : "most", figure);
      return;
    case HARNESS_PROMISE_BEYOND:
      snprintf(out, size, "at most %s beyond the best peer", figure);
      return;
    case HARNESS_PROMISE_KEEPS:
      snprintf(out, size, "at least %.0f %% of %s", p->figure * 100, p->of);
      return;
  }
}

static const char *verdict_text(enum harness_verdict verdict) {
  static const char *const texts[] = {"", "nothing to compare with", "kept", "NOT KEPT"};
  return texts[verdict];
}

/* Bytes that take no column of their own: the rest of letters beyond ASCII. */
static int hidden_bytes(const char *text) {
  int hidden = 0;
  for (; *text != '\0'; text++) hidden += (*text & 0xc0) == 0x80;
  return hidden;
}

static void print_row(const struct harness_results *results, const struct harness_result *r) {
  struct harness_statistics s = harness_statistics_of(r);
  char median[HARNESS_FIGURE_MAX], min[HARNESS_FIGURE_MAX], max[HARNESS_FIGURE_MAX], promise[96];
  harness_figure(median, sizeof median, s.median, r->metric->unit);
  harness_figure(min, sizeof min, s.min, "");
  harness_figure(max, sizeof max, s.max, "");
  printf("    %-14s %*s   %4.0f %%  (%s .. %s)", r->system, FIGURE_COLUMNS + hidden_bytes(median),
         median, s.spread * 100, min, max);
  if (strcmp(r->system, HARNESS_OURS) == 0) {
    const struct harness_result *peer = harness_results_best_peer(results, r->question, r->metric);
    if (peer != NULL) printf("  %.2gx %s", harness_results_ratio(results, r), peer->system);
    harness_promise_text(promise, sizeof promise, r->metric);
    if (promise[0] != '\0') {
      printf("  promised %s: %s", promise, verdict_text(harness_results_verdict(results, r)));
    }
  }
  putchar('\n');
}

static void print_metric(const struct harness_results *results,
                         const struct harness_question *question,
                         const struct harness_metric *metric) {
  bool headed = false;
  for (size_t i = 0; i < results->count; i++) {
    const struct harness_result *r = &results->results[i];
    if (r->question != question || r->metric != metric) continue;
    if (!headed) {
      printf("  %s: %s (%s is better)\n", metric->name, metric->sentence,
             metric->more_is_better ? "more" : "less");
    }
    headed = true;
    print_row(results, r);
  }
}

void harness_text_question(const struct harness_results *results,
                           const struct harness_question *question, const char *args) {
  printf("%s: %s (%s)\n", question->name, question->sentence, args);
  for (size_t i = 0; i < harness_metric_count(question); i++) {
    print_metric(results, question, &question->metrics[i]);
  }
  for (size_t i = 0; i < results->trouble_count; i++) {
    const struct harness_trouble *t = &results->troubles[i];
    if (t->question == question) printf("    %-14s %s\n", t->system, t->text);
  }
  putchar('\n');
  fflush(stdout);
}

void harness_text_end(const struct harness_results *results) {
  size_t kept = 0, broken = 0, unknown = 0;
  for (size_t i = 0; i < results->count; i++) {
    const struct harness_result *r = &results->results[i];
    if (strcmp(r->system, HARNESS_OURS) != 0) continue;
    enum harness_verdict verdict = harness_results_verdict(results, r);
    kept += verdict == HARNESS_KEPT;
    broken += verdict == HARNESS_BROKEN;
    unknown += verdict == HARNESS_UNKNOWN;
  }
  for (size_t i = 0; i < results->trouble_count; i++) {
    const struct harness_trouble *t = &results->troubles[i];
    printf("%s%s%s: %s\n", t->system, t->question != NULL ? ", " : "",
           t->question != NULL ? t->question->name : "", t->text);
  }
  printf("promises: %zu kept, %zu not kept, %zu with nothing to compare with\n", kept, broken,
         unknown);
}
