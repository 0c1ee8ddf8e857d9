/* Bytes as a batch of messages. What is accepted must be a valid message that comes back equal, and
 * msgpack-c must find the same value end: two readers of one format that disagree are a defect. */
#include <msgpack.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 16 };

static void demand(int truth) {
  if (!truth) abort();
}

static void check_against_msgpack(const uint8_t *data, size_t size, size_t used) {
  msgpack_unpacked result;
  size_t at = 0;
  msgpack_unpacked_init(&result);
  demand(msgpack_unpack_next(&result, (const char *)data, size, &at) == MSGPACK_UNPACK_SUCCESS);
  demand(at == used);
  msgpack_unpacked_destroy(&result);
}

static void check_message(uint16_t type, const uint8_t *body, size_t bytes) {
  static uint8_t encoded[ROOM];
  static uint8_t back[ROOM];
  size_t length = trp_encode_bound(type, bytes);
  size_t room = sizeof back;
  size_t used;
  uint16_t back_type;
  demand(length > 0 && length <= sizeof encoded);
  demand(trp_encode(type, body, bytes, encoded, &length) == TRP_OK);
  demand(trp_decode(encoded, length, &used, &back_type, back, &room) == TRP_OK);
  demand(used == length && back_type == type && room == bytes && memcmp(back, body, bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t body[ROOM];
  while (size > 0) {
    size_t used;
    size_t room = sizeof body;
    uint16_t type;
    enum trp_err err = trp_decode(data, size, &used, &type, body, &room);
    demand(used <= size && (used > 0 || err != TRP_OK));
    if (used > 0) check_against_msgpack(data, size, used);
    if (err == TRP_OK) check_message(type, body, room);
    if (used == 0) break;
    data += used;
    size -= used;
  }
  return 0;
}
