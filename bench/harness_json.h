/* harness_json.h - everything that was measured, as results.json: an object with the machine, the
 * results (one object a line's worth: system, bench, metric, unit, median, min, max, runs and what
 * else is known), and the troubles. Thread: one. */
#ifndef TRP_BENCH_HARNESS_JSON_H
#define TRP_BENCH_HARNESS_JSON_H

#include "bench/harness_machine.h"
#include "bench/harness_results.h"

/* `changes` as for harness_question_args. False, with errno, where the file could not be written.
 */
bool harness_json_write(const char *path, const struct harness_machine *machine,
                        const struct harness_results *results, const char *changes);

#endif
