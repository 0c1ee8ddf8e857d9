#include "bench/harness_json.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/harness_text.h"
#include "runtime/json.h"
#include "runtime/troupe.h"

enum { WRITE_WITHIN_S = 10 };

static void write_load(struct trp_json *json, const char *key, const double load[3]) {
  trp_json_array_begin(json, key);
  for (int i = 0; i < 3; i++) trp_json_f64(json, NULL, load[i]);
  trp_json_array_end(json);
}

static void write_machine(struct trp_json *json, const struct harness_machine *machine) {
  trp_json_object_begin(json, "machine");
  trp_json_string(json, "kernel", machine->kernel);
  trp_json_string(json, "processor", machine->processor);
  trp_json_u64(json, "cores_online", machine->cores_online);
  trp_json_string(json, "cores_used", machine->cores);
  write_load(json, "load_before", machine->load_before);
  write_load(json, "load_after", machine->load_after);
  trp_json_string(json, "compiler", machine->compiler);
  trp_json_string(json, "troupe", TRP_VERSION);
  trp_json_array_begin(json, "packages");
  for (size_t i = 0; i < machine->version_count; i++) {
    const struct harness_version *v = &machine->versions[i];
    trp_json_object_begin(json, NULL);
    trp_json_string(json, "system", v->system);
    trp_json_string(json, "package", v->package);
    trp_json_string(json, "version", v->version);
    trp_json_object_end(json);
  }
  trp_json_array_end(json);
  trp_json_object_end(json);
}

static void write_ours(struct trp_json *json, const struct harness_results *results,
                       const struct harness_result *r) {
  const struct harness_result *peer = harness_results_best_peer(results, r->question, r->metric);
  if (peer != NULL) {
    trp_json_string(json, "best_peer", peer->system);
    trp_json_f64(json, "ratio", harness_results_ratio(results, r));
  }
  if (r->metric->promise.kind == HARNESS_PROMISE_NONE) return;
  char promise[96];
  harness_promise_text(promise, sizeof promise, r->metric);
  trp_json_string(json, "promise", promise);
  enum harness_verdict verdict = harness_results_verdict(results, r);
  if (verdict == HARNESS_UNKNOWN) return;
  trp_json_bool(json, "kept", verdict == HARNESS_KEPT);
}

static void write_result(struct trp_json *json, const struct harness_results *results,
                         const struct harness_result *r, const char *changes) {
  char args[HARNESS_PARAMS_MAX];
  if (!harness_question_args(r->question, changes, args, sizeof args)) args[0] = '\0';
  struct harness_statistics s = harness_statistics_of(r);
  trp_json_object_begin(json, NULL);
  trp_json_string(json, "system", r->system);
  trp_json_string(json, "bench", r->question->name);
  trp_json_string(json, "metric", r->metric->name);
  trp_json_string(json, "unit", r->metric->unit);
  trp_json_string(json, "better", r->metric->more_is_better ? "more" : "less");
  trp_json_f64(json, "median", s.median);
  trp_json_f64(json, "min", s.min);
  trp_json_f64(json, "max", s.max);
  trp_json_u64(json, "runs", r->count);
  trp_json_array_begin(json, "values");
  for (size_t i = 0; i < r->count; i++) trp_json_f64(json, NULL, r->values[i]);
  trp_json_array_end(json);
  trp_json_string(json, "params", args);
  if (strcmp(r->system, HARNESS_OURS) == 0) write_ours(json, results, r);
  trp_json_object_end(json);
}

static void write_all(struct trp_json *json, const struct harness_machine *machine,
                      const struct harness_results *results, const char *changes) {
  trp_json_object_begin(json, NULL);
  trp_json_string(json, "made", machine->made);
  write_machine(json, machine);
  trp_json_array_begin(json, "results");
  for (size_t i = 0; i < results->count; i++) {
    write_result(json, results, &results->results[i], changes);
  }
  trp_json_array_end(json);
  trp_json_array_begin(json, "troubles");
  for (size_t i = 0; i < results->trouble_count; i++) {
    const struct harness_trouble *t = &results->troubles[i];
    trp_json_object_begin(json, NULL);
    trp_json_string(json, "system", t->system);
    trp_json_string(json, "bench", t->question != NULL ? t->question->name : NULL);
    trp_json_string(json, "trouble", t->text);
    trp_json_object_end(json);
  }
  trp_json_array_end(json);
  trp_json_object_end(json);
  trp_json_newline(json);
}

bool harness_json_write(const char *path, const struct harness_machine *machine,
                        const struct harness_results *results, const char *changes) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  struct trp_json_file file = {
      .fd = fd, .deadline_ns = ((uint64_t)now.tv_sec + WRITE_WITHIN_S) * TRP_NS_PER_S};
  static char buffer[4096];
  struct trp_json json;
  trp_json_init(&json, buffer, sizeof buffer, trp_json_flush_file, &file);
  write_all(&json, machine, results, changes);
  bool written = trp_json_finish(&json) == TRP_OK;
  return close(fd) == 0 && written;
}
