/* harness_questions.h - the one table of what is asked: every question with its parameters, every
 * metric with its meaning, and the figure that is promised for it.
 *
 * A question is answered by a program of that name (or of the name in `program`), ours and the
 * peers' with the same parameters. Peers answer those questions they have a program for. All is
 * constant. Thread: any. */
#ifndef TRP_BENCH_HARNESS_QUESTIONS_H
#define TRP_BENCH_HARNESS_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { HARNESS_METRICS_MAX = 8, HARNESS_PARAMS_MAX = 200 };

enum harness_promise_kind {
  HARNESS_PROMISE_NONE,
  HARNESS_PROMISE_RATIO,  /* figure times as good as the best peer's */
  HARNESS_PROMISE_LIMIT,  /* at least the figure, or at most, whichever is better */
  HARNESS_PROMISE_BEYOND, /* at most the figure worse than the best peer's */
  HARNESS_PROMISE_KEEPS   /* at least this share of our own at the question `of` */
};

struct harness_promise {
  enum harness_promise_kind kind;
  double figure;
  const char *of;
};

struct harness_metric {
  const char *name, *unit;
  bool more_is_better;
  struct harness_promise promise;
  const char *against; /* the metric of the peers it is compared with; NULL: of the same name */
  const char *system;  /* NULL: ours. Else our program measures this system beside, and the figure
                          counts as that peer's value of the metric `against` */
  const char *sentence;
};

struct harness_question {
  const char *name;
  const char *program; /* NULL: as the name */
  const char *params;  /* "key=value key=value" */
  const char *sentence;
  unsigned timeout_s; /* for one run; 0: 60 */
  struct harness_metric metrics[HARNESS_METRICS_MAX];
};

/* The i-th question; NULL past the last. */
const struct harness_question *harness_question_at(size_t i);

/* The question of that name; NULL where there is none. */
const struct harness_question *harness_question_named(const char *name);

/* How many metrics a question has. */
size_t harness_metric_count(const struct harness_question *question);

/* The metric of that name; NULL where there is none. */
const struct harness_metric *harness_metric_named(const struct harness_question *question,
                                                  const char *name);

/* The metric of the peers that this one stands beside. */
const char *harness_metric_against(const struct harness_metric *metric);

/* The program that answers a question. */
const char *harness_question_program(const struct harness_question *question);

/* The arguments of a question's program: its parameters, those changed that `changes`, a list of
 * the same form, names. False where they find no room. */
bool harness_question_args(const struct harness_question *question, const char *changes, char *out,
                           size_t size);

/* A peer and the Debian package that brings it. */
struct harness_peer {
  const char *name;
  const char *package; /* NULL: not in Debian */
};

/* The i-th package whose version a result depends on, ours first; name NULL past the last. */
struct harness_peer harness_package_at(size_t i);

#endif
