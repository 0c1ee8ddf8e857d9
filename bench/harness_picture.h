/* harness_picture.h - what was measured as a picture: a dot plot for each question on a logarithmic
 * scale, ours among the peers, the best first. Thread: one. */
#ifndef TRP_BENCH_HARNESS_PICTURE_H
#define TRP_BENCH_HARNESS_PICTURE_H

#include "bench/harness_machine.h"
#include "bench/harness_results.h"

/* Writes results.svg. False, with errno, where the file could not be written. */
bool harness_picture_write(const char *path, const struct harness_machine *machine,
                           const struct harness_results *results);

#endif
