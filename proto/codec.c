#include "proto/codec.h"

#include <math.h>
#include <string.h>

#include "proto/pack.h"
#include "proto/text.h"
#include "proto/value.h"

_Static_assert(sizeof(struct trp_level) == 24, "a level has no hole that would travel");

/* ---- encoding ------------------------------------------------------------------------------- */

static uint32_t levels_count(const struct trp_message *message, const void *body) {
  const struct trp_field *last = &message->fields[message->field_count - 1];
  uint32_t count;
  memcpy(&count, (const uint8_t *)body + last->offset, sizeof count);
  return count;
}

bool trp_message_has_shape(const struct trp_message *message, const void *body, size_t bytes) {
  if (bytes < message->bytes) return false;
  size_t levels = message->levels_from > 0 ? levels_count(message, body) : 0;
  if (bytes - message->bytes != levels * sizeof(struct trp_level)) return false;
  for (size_t i = 0; i < message->field_count; i++) {
    const struct trp_field *field = &message->fields[i];
    if (field->kind != TRP_FIELD_TEXT) continue;
    if (memchr((const uint8_t *)body + field->offset, '\0', field->size) == NULL) return false;
  }
  return true;
}

static bool is_valid_side(uint64_t side) { return side == 1 || side == 2; }

static bool levels_travel(const uint8_t *levels, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    struct trp_level level;
    memcpy(&level, levels + i * sizeof level, sizeof level);
    if (!isfinite(level.price) || !isfinite(level.size) || !is_valid_side(level.side)) return false;
  }
  return true;
}

/* Whether the other side would accept what this field holds. */
static bool field_travels(const struct trp_message *message, const struct trp_field *field,
                          const void *body) {
  const uint8_t *at = (const uint8_t *)body + field->offset;
  if (field->kind == TRP_FIELD_TEXT) {
    const char *text = (const char *)at;
    return trp_text_valid(text, strlen(text));
  }
  if (field->kind == TRP_FIELD_F64) {
    double number;
    memcpy(&number, at, sizeof number);
    return isfinite(number);
  }
  if (field->kind == TRP_FIELD_LEVELS) {
    const uint8_t *levels = (const uint8_t *)body + message->levels_from;
    return levels_travel(levels, levels_count(message, body));
  }
  return true;
}

size_t trp_encode_bound(uint16_t type, size_t bytes) {
  const struct trp_message *message = trp_message_find(type);
  if (message == NULL) return 0;
  size_t bound = 1 + 1 + 3 + 3; /* two heads, version, type */
  for (size_t i = 0; i < message->field_count; i++) {
    const struct trp_field *field = &message->fields[i];
    bound += field->kind == TRP_FIELD_TEXT ? 3u + field->size : 9u;
  }
  size_t levels = bytes > message->bytes ? (bytes - message->bytes) / sizeof(struct trp_level) : 0;
  return bound + levels * (1 + 1 + 9 + 9); /* head, side, price, size */
}

enum trp_err trp_encode(uint16_t type, const void *body, size_t bytes, void *out,
                        size_t *out_bytes) {
  size_t room = *out_bytes;
  *out_bytes = 0;
  if (type >= TRP_USER_FIRST) return TRP_NOT_ALLOWED;
  const struct trp_message *message = trp_message_find(type);
  if (message == NULL) return TRP_UNKNOWN_TYPE;
  if (!trp_message_has_shape(message, body, bytes)) return TRP_INVALID;

  struct trp_pack pack;
  trp_pack_init_fixed(&pack, out, room < TRP_ENCODED_MAX ? room : TRP_ENCODED_MAX);
  trp_pack_array(&pack, 3);
  trp_pack_u64(&pack, TRP_PROTOCOL_VERSION);
  trp_pack_u64(&pack, type);
  trp_pack_array(&pack, message->field_count);
  for (size_t i = 0; i < message->field_count; i++) {
    if (!field_travels(message, &message->fields[i], body)) return TRP_INVALID;
    trp_pack_field(&pack, message, &message->fields[i], body);
  }
  enum trp_err err = trp_pack_done(&pack);
  if (err == TRP_OK) *out_bytes = pack.bytes;
  return err;
}

/* ---- decoding ------------------------------------------------------------------------------- */

static bool store_unsigned(const struct trp_value *value, uint64_t max, size_t bytes, uint8_t *at) {
  if (value->kind != TRP_VALUE_UNSIGNED || value->as.u64 > max) return false;
  uint32_t u32 = (uint32_t)value->as.u64;
  uint16_t u16 = (uint16_t)u32;
  switch (bytes) {
    case 8:
      memcpy(at, &value->as.u64, 8);
      break;
    case 4:
      memcpy(at, &u32, 4);
      break;
    case 2:
      memcpy(at, &u16, 2);
      break;
    default:
      *at = (uint8_t)u32;
      break;
  }
  return true;
}

static bool store_i64(const struct trp_value *value, uint8_t *at) {
  bool fits = value->kind == TRP_VALUE_NEGATIVE ||
              (value->kind == TRP_VALUE_UNSIGNED && value->as.u64 <= INT64_MAX);
  if (fits) memcpy(at, &value->as.i64, sizeof value->as.i64);
  return fits;
}

static bool store_i32(const struct trp_value *value, uint8_t *at) {
  int64_t wide;
  if (!store_i64(value, (uint8_t *)&wide) || wide < INT32_MIN || wide > INT32_MAX) return false;
  int32_t number = (int32_t)wide;
  memcpy(at, &number, sizeof number);
  return true;
}

static bool store_f64(const struct trp_value *value, uint8_t *at) {
  double number;
  if (!trp_value_f64(value, &number)) return false;
  memcpy(at, &number, sizeof number);
  return true;
}

static bool store_level(const struct trp_value *value, uint8_t *at) {
  struct trp_level level = {0};
  struct trp_value side;
  struct trp_value price;
  struct trp_value size;
  struct trp_walk walk;
  if (value->kind != TRP_VALUE_ARRAY || value->count != 3) return false;
  trp_walk_init(&walk, value);
  if (!trp_walk_next(&walk, &side) || !trp_walk_next(&walk, &price) ||
      !trp_walk_next(&walk, &size)) {
    return false;
  }
  if (side.kind != TRP_VALUE_UNSIGNED || !is_valid_side(side.as.u64)) return false;
  if (!trp_value_f64(&price, &level.price) || !trp_value_f64(&size, &level.size)) return false;
  level.side = (uint32_t)side.as.u64;
  memcpy(at, &level, sizeof level);
  return true;
}

static bool store_levels(const struct trp_value *value, uint8_t *count_at, uint8_t *levels) {
  struct trp_walk walk;
  struct trp_value level;
  memcpy(count_at, &value->count, sizeof value->count);
  trp_walk_init(&walk, value);
  for (; trp_walk_next(&walk, &level); levels += sizeof(struct trp_level)) {
    if (!store_level(&level, levels)) return false;
  }
  return true;
}

static bool store(const struct trp_message *message, const struct trp_field *field,
                  const struct trp_value *value, uint8_t *body) {
  uint8_t *at = body + field->offset;
  switch (field->kind) {
    case TRP_FIELD_U64:
      return store_unsigned(value, UINT64_MAX, 8, at);
    case TRP_FIELD_U32:
      return store_unsigned(value, UINT32_MAX, 4, at);
    case TRP_FIELD_U16:
      return store_unsigned(value, UINT16_MAX, 2, at);
    case TRP_FIELD_U8:
      return store_unsigned(value, UINT8_MAX, 1, at);
    case TRP_FIELD_I64:
      return store_i64(value, at);
    case TRP_FIELD_I32:
      return store_i32(value, at);
    case TRP_FIELD_F64:
      return store_f64(value, at);
    case TRP_FIELD_TEXT:
      return trp_value_text(value, (char *)at, field->size);
    case TRP_FIELD_LEVELS:
      return store_levels(value, at, body + message->levels_from);
  }
  return false;
}

/* What stands before the fields. The version is looked at before anything that it may change. */
static enum trp_err open_message(const struct trp_value *whole, const struct trp_message **message,
                                 uint16_t *type, struct trp_value *fields) {
  struct trp_walk walk;
  struct trp_value number;
  trp_walk_init(&walk, whole);
  if (whole->kind != TRP_VALUE_ARRAY || !trp_walk_next(&walk, &number)) return TRP_MALFORMED;
  if (number.kind != TRP_VALUE_UNSIGNED) return TRP_MALFORMED;
  if (number.as.u64 != TRP_PROTOCOL_VERSION) return TRP_BAD_VERSION;
  if (whole->count != 3 || !trp_walk_next(&walk, &number) || !trp_walk_next(&walk, fields)) {
    return TRP_MALFORMED;
  }
  if (number.kind != TRP_VALUE_UNSIGNED || number.as.u64 > TRP_TYPE_MAX) return TRP_MALFORMED;
  *type = (uint16_t)number.as.u64;
  if (*type >= TRP_USER_FIRST) return TRP_NOT_ALLOWED;
  *message = trp_message_find(*type);
  if (*message == NULL) return TRP_UNKNOWN_TYPE;
  bool fits = fields->kind == TRP_VALUE_ARRAY && fields->count == (*message)->field_count;
  return fits ? TRP_OK : TRP_MALFORMED;
}

/* The size of the body, known before a byte of it is written. A level takes at least four bytes of
 * input, so levels come to at most six times the input. */
static enum trp_err measure(const struct trp_message *message, const struct trp_value *fields,
                            size_t *bytes) {
  struct trp_walk walk;
  struct trp_value last;
  *bytes = message->bytes;
  if (message->levels_from == 0) return TRP_OK;
  trp_walk_init(&walk, fields);
  while (trp_walk_next(&walk, &last)) {
  }
  if (last.kind != TRP_VALUE_ARRAY) return TRP_MALFORMED;
  if (last.count > (size_t)(last.end - last.as.inside) / 4) return TRP_MALFORMED;
  *bytes += last.count * sizeof(struct trp_level);
  return TRP_OK;
}

/* ---- a message without levels, read once from front to back ---- */

static bool next_unsigned(const uint8_t **at, const uint8_t *end, uint64_t *number) {
  struct trp_value value;
  if (trp_value_head(at, end, &value) != TRP_OK || value.kind != TRP_VALUE_UNSIGNED) return false;
  *number = value.as.u64;
  return true;
}

static bool next_array(const uint8_t **at, const uint8_t *end, uint32_t count) {
  struct trp_value value;
  return trp_value_head(at, end, &value) == TRP_OK && value.kind == TRP_VALUE_ARRAY &&
         value.count == count;
}

static bool next_field(const struct trp_message *message, const struct trp_field *field,
                       const uint8_t **at, const uint8_t *end, uint8_t *body) {
  struct trp_value value;
  if (trp_value_head(at, end, &value) != TRP_OK) return false;
  if (value.kind == TRP_VALUE_TEXT && !trp_text_valid(value.as.text, value.count)) return false;
  return store(message, field, &value, body);
}

/* True where it is whole and well and fits. Anything else is left to the careful way, which looks
 * over everything first, and says what is wrong: what is taken here it would take alike. */
static bool decode_flat(const uint8_t *in, size_t in_bytes, size_t *used, uint16_t *type,
                        uint8_t *body, size_t *body_bytes) {
  const uint8_t *at = in, *end = in + in_bytes;
  uint64_t version, number;
  if (in_bytes == 0 || !next_array(&at, end, 3) || !next_unsigned(&at, end, &version) ||
      version != TRP_PROTOCOL_VERSION || !next_unsigned(&at, end, &number) ||
      number >= TRP_USER_FIRST) {
    return false;
  }
  const struct trp_message *message = trp_message_find((uint16_t)number);
  if (message == NULL || message->levels_from > 0 || message->bytes > *body_bytes) return false;
  if (!next_array(&at, end, message->field_count)) return false;
  memset(body, 0, message->bytes);
  for (uint16_t i = 0; i < message->field_count; i++) {
    if (!next_field(message, &message->fields[i], &at, end, body)) return false;
  }
  if ((size_t)(at - in) > TRP_ENCODED_MAX) return false;
  *used = (size_t)(at - in);
  *type = (uint16_t)number;
  *body_bytes = message->bytes;
  return true;
}

enum trp_err trp_decode(const void *in, size_t in_bytes, size_t *used, uint16_t *type, void *body,
                        size_t *body_bytes) {
  struct trp_value whole;
  struct trp_value fields;
  struct trp_value value;
  struct trp_walk walk;
  const struct trp_message *message;
  size_t room = *body_bytes;
  if (decode_flat(in, in_bytes, used, type, body, body_bytes)) return TRP_OK;
  *body_bytes = 0;
  *type = TRP_NONE;
  enum trp_err err = trp_value_open(in, in_bytes, used, &whole);
  if (err == TRP_OK && *used > TRP_ENCODED_MAX) err = TRP_TOO_BIG;
  if (err == TRP_OK) err = open_message(&whole, &message, type, &fields);
  if (err == TRP_OK) err = measure(message, &fields, body_bytes);
  if (err == TRP_OK && *body_bytes > room) err = TRP_TOO_BIG;
  if (err != TRP_OK) return err;

  memset(body, 0, message->bytes);
  trp_walk_init(&walk, &fields);
  for (size_t i = 0; trp_walk_next(&walk, &value); i++) {
    if (!store(message, &message->fields[i], &value, body)) return TRP_MALFORMED;
  }
  return TRP_OK;
}
