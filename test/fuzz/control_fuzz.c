/* Bytes as a request, as an answer and as a value of any shape, which is walked and written as
 * JSON. What is accepted must come back equal. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth) {
  if (!truth) abort();
}

static bool count_only(void *to, const char *text, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) demand((unsigned char)text[i] >= 0x20);
  *(size_t *)to += bytes;
  return true;
}

static void check_request(const uint8_t *data, size_t size) {
  struct trp_request request;
  struct trp_request back;
  uint8_t encoded[TRP_REQUEST_BYTES_MAX];
  size_t room = sizeof encoded;
  if (trp_request_decode(data, size, &request) != TRP_OK) return;
  demand(trp_request_encode(&request, encoded, &room) == TRP_OK);
  demand(trp_request_decode(encoded, room, &back) == TRP_OK);
  demand(memcmp(&back, &request, sizeof back) == 0);
}

static void check_answer(const uint8_t *data, size_t size) {
  struct trp_answer answer;
  struct trp_value member;
  size_t written = 0;
  if (trp_answer_decode(data, size, &answer) != TRP_OK) return;
  (void)trp_value_find(&answer.body, "actors", &member);
  demand(trp_value_json(&answer.body, count_only, &written) == TRP_OK && written > 0);
}

/* Counts what a walk finds; the walk must end at the announced count. */
static size_t walk_all(const struct trp_value *value) {
  struct trp_walk walk;
  struct trp_value element;
  size_t found = 0;
  size_t total = 1;
  trp_walk_init(&walk, value);
  for (; trp_walk_next(&walk, &element); found++) total += walk_all(&element);
  if (value->kind == TRP_VALUE_ARRAY) demand(found == value->count);
  if (value->kind == TRP_VALUE_MAP) demand(found == 2 * (size_t)value->count);
  return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct trp_value value;
  size_t used;
  size_t written = 0;
  check_request(data, size);
  check_answer(data, size);
  if (trp_value_open(data, size, &used, &value) != TRP_OK) return 0;
  demand(walk_all(&value) <= used);
  demand(trp_value_json(&value, count_only, &written) == TRP_OK && written > 0);
  /* at most 24 bytes of text for an integer's or a number's byte, 6 for a character's */
  demand(written <= 26 * used);
  return 0;
}
