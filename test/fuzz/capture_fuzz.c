/* Bytes as a capture: every line has a number that grows, a kind, texts within the line; the end
 * comes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth) {
  if (!truth) abort();
}

static void check_line(const struct trp_capture_line *line, uint64_t *last) {
  demand(line->number > *last && line->kind <= TRP_CAPTURE_BAD);
  *last = line->number;
  demand(line->url != NULL && line->text != NULL && line->reason != NULL);
  demand(line->text[line->size] == '\0' && memchr(line->text, '\n', line->size) == NULL);
  demand((line->kind == TRP_CAPTURE_BAD) == (line->reason[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct trp_capture *capture;
  struct trp_capture_line line;
  uint64_t last = 0;
  if (size == 0) return 0;
  FILE *file = fmemopen((void *)(uintptr_t)data, size, "r");
  if (file == NULL) return 0;
  demand(trp_capture_new(&capture, file) == TRP_OK);
  for (size_t i = 0; i <= size + 1; i++) {
    demand(trp_capture_next(capture, &line) == TRP_OK);
    if (line.kind == TRP_CAPTURE_END) break;
    check_line(&line, &last);
  }
  demand(line.kind == TRP_CAPTURE_END);
  trp_capture_destroy(&capture);
  fclose(file);
  return 0;
}
