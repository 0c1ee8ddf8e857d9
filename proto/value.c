/* The reader of heads is the only place where bytes of the input are interpreted. The check, the
 * walk, the codec and the JSON writer all go through it, so they cannot disagree; tests hold it
 * equal to msgpack-c's own unpacker, which would allocate by a declared count before it has seen
 * the elements (msgpack-c issue 1013). Form bytes: MessagePack specification, "Formats". */
#include "proto/value.h"

#include <math.h>
#include <string.h>

#include "proto/text.h"

static uint64_t big_endian(const uint8_t *at, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes; i++) number = number << 8 | at[i];
  return number;
}

static void set_signed(struct trp_value *value, int64_t number) {
  value->kind = number < 0 ? TRP_VALUE_NEGATIVE : TRP_VALUE_UNSIGNED;
  value->as.i64 = number;
}

static enum trp_err set_double(struct trp_value *value, double number) {
  value->kind = TRP_VALUE_DOUBLE;
  value->as.f64 = number;
  return isfinite(number) ? TRP_OK : TRP_MALFORMED;
}

static double double_of(uint64_t bits) {
  double number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

static double float_of(uint64_t bits) {
  uint32_t low = (uint32_t)bits;
  float number;
  memcpy(&number, &low, sizeof number);
  return (double)number;
}

/* The forms of one byte. */
static void set_short(struct trp_value *value, uint8_t form) {
  if (form < 0x80) {
    value->kind = TRP_VALUE_UNSIGNED;
    value->as.u64 = form;
  } else if (form < 0x90) {
    value->kind = TRP_VALUE_MAP;
    value->count = form & 0x0f;
  } else if (form < 0xa0) {
    value->kind = TRP_VALUE_ARRAY;
    value->count = form & 0x0f;
  } else if (form < 0xc0) {
    value->kind = TRP_VALUE_TEXT;
    value->count = form & 0x1f;
  } else if (form < 0xe0) {
    value->kind = form == 0xc0 ? TRP_VALUE_NIL : TRP_VALUE_BOOL;
    value->as.truth = form == 0xc3;
  } else {
    set_signed(value, (int8_t)form);
  }
}

/* Bytes of the number that follows each form 0xc0..0xdf; 255 where the form is not used. */
static const uint8_t argument_bytes[32] = {
    0,   255, 0,   0,                /* nil, never used, false, true */
    255, 255, 255, 255, 255, 255,    /* bin 8 16 32, ext 8 16 32 */
    4,   8,   1,   2,   4,   8,      /* float 32 64, uint 8 16 32 64 */
    1,   2,   4,   8,                /* int 8 16 32 64 */
    255, 255, 255, 255, 255,         /* fixext 1 2 4 8 16 */
    1,   2,   4,   2,   4,   2,   4, /* str 8 16 32, array 16 32, map 16 32 */
};

/* The forms that a number of 1..8 bytes follows. */
static enum trp_err set_long(struct trp_value *value, uint8_t form, uint64_t number) {
  switch (form) {
    case 0xca:
      return set_double(value, float_of(number));
    case 0xcb:
      return set_double(value, double_of(number));
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      value->kind = TRP_VALUE_UNSIGNED;
      value->as.u64 = number;
      return TRP_OK;
    case 0xd0:
      set_signed(value, (int8_t)number);
      return TRP_OK;
    case 0xd1:
      set_signed(value, (int16_t)number);
      return TRP_OK;
    case 0xd2:
      set_signed(value, (int32_t)number);
      return TRP_OK;
    case 0xd3:
      set_signed(value, (int64_t)number);
      return TRP_OK;
    default:
      break;
  }
  value->kind = form <= 0xdb ? TRP_VALUE_TEXT : form <= 0xdd ? TRP_VALUE_ARRAY : TRP_VALUE_MAP;
  value->count = (uint32_t)number;
  return TRP_OK;
}

static uint64_t children(const struct trp_value *value) {
  if (value->kind == TRP_VALUE_ARRAY) return value->count;
  if (value->kind == TRP_VALUE_MAP) return 2 * (uint64_t)value->count;
  return 0;
}

/* Reads one head at *at and steps over it, and over the bytes of a text. Each element costs at
 * least a byte, so a count beyond the bytes left is refused right here. */
static enum trp_err read_head(const uint8_t **at, const uint8_t *end, struct trp_value *value) {
  if (*at == end) return TRP_TRUNCATED;
  uint8_t form = *(*at)++;
  *value = (struct trp_value){.end = end};
  size_t bytes = form >= 0xc0 && form < 0xe0 ? argument_bytes[form - 0xc0] : 0;
  if (bytes == 255) return TRP_MALFORMED;
  if (bytes > (size_t)(end - *at)) return TRP_TRUNCATED;
  enum trp_err err = TRP_OK;
  if (bytes == 0) {
    set_short(value, form);
  } else {
    err = set_long(value, form, big_endian(*at, bytes));
    *at += bytes;
  }
  if (err != TRP_OK) return err;
  uint64_t left = (uint64_t)(end - *at);
  if (value->kind == TRP_VALUE_TEXT) {
    if (value->count > left) return TRP_TRUNCATED;
    value->as.text = (const char *)*at;
    *at += value->count;
  } else if (value->kind == TRP_VALUE_ARRAY || value->kind == TRP_VALUE_MAP) {
    if (children(value) > left) return TRP_TRUNCATED;
    value->as.inside = *at;
  }
  return TRP_OK;
}

enum trp_err trp_value_head(const uint8_t **at, const uint8_t *end, struct trp_value *value) {
  return read_head(at, end, value);
}

struct frame {
  uint64_t left;
  bool is_map;
};

/* Steps over one whole value whose head is read, checking everything that read_head does not. */
static enum trp_err check(const uint8_t **at, const struct trp_value *head) {
  struct frame open[TRP_DEPTH_MAX];
  size_t depth = 0;
  struct trp_value value = *head;
  for (;;) {
    bool is_container = value.kind == TRP_VALUE_ARRAY || value.kind == TRP_VALUE_MAP;
    if (value.kind == TRP_VALUE_TEXT && !trp_text_valid(value.as.text, value.count)) {
      return TRP_MALFORMED;
    }
    if (is_container) {
      if (depth == TRP_DEPTH_MAX) return TRP_MALFORMED;
      open[depth++] = (struct frame){children(&value), value.kind == TRP_VALUE_MAP};
    }
    while (depth > 0 && open[depth - 1].left == 0) depth--;
    if (depth == 0) return TRP_OK;
    struct frame *frame = &open[depth - 1];
    bool is_key = frame->is_map && frame->left % 2 == 0;
    frame->left--;
    enum trp_err err = read_head(at, head->end, &value);
    if (err != TRP_OK) return err;
    if (is_key && value.kind != TRP_VALUE_TEXT) return TRP_MALFORMED;
  }
}

enum trp_err trp_value_open(const void *in, size_t in_bytes, size_t *used,
                            struct trp_value *value) {
  *used = 0;
  if (in_bytes == 0) return TRP_TRUNCATED;
  const uint8_t *at = in;
  enum trp_err err = read_head(&at, at + in_bytes, value);
  if (err == TRP_OK) err = check(&at, value);
  if (err != TRP_OK) return err;
  *used = (size_t)(at - (const uint8_t *)in);
  value->end = at;
  return TRP_OK;
}

void trp_walk_init(struct trp_walk *walk, const struct trp_value *container) {
  uint64_t left = children(container);
  const uint8_t *at = left > 0 ? container->as.inside : NULL;
  *walk = (struct trp_walk){.at = at, .end = container->end, .left = left};
}

bool trp_walk_next(struct trp_walk *walk, struct trp_value *element) {
  if (walk->left == 0) return false;
  /* Over what the element before contains, however deep: every head adds its own children. Not done
   * when that element was taken, as the last one's content need not be stepped over at all. */
  struct trp_value inner;
  for (; walk->inside > 0; walk->inside--) {
    if (read_head(&walk->at, walk->end, &inner) != TRP_OK) return false;
    walk->inside += children(&inner);
  }
  if (read_head(&walk->at, walk->end, element) != TRP_OK) return false;
  walk->inside = children(element);
  walk->left--;
  return true;
}

bool trp_walk_pair(struct trp_walk *walk, struct trp_value *key, struct trp_value *value) {
  return trp_walk_next(walk, key) && trp_walk_next(walk, value);
}

bool trp_value_is_text(const struct trp_value *value, const char *text) {
  return value->kind == TRP_VALUE_TEXT && strlen(text) == value->count &&
         memcmp(value->as.text, text, value->count) == 0;
}

bool trp_value_text(const struct trp_value *value, char *out, size_t size) {
  if (value->kind != TRP_VALUE_TEXT || value->count >= size) return false;
  memcpy(out, value->as.text, value->count);
  memset(out + value->count, 0, size - value->count);
  return true;
}

bool trp_value_f64(const struct trp_value *value, double *out) {
  const int64_t exact = INT64_C(1) << 53;
  if (value->kind == TRP_VALUE_DOUBLE) {
    *out = value->as.f64;
    return true;
  }
  if (value->kind == TRP_VALUE_UNSIGNED && value->as.u64 <= (uint64_t)exact) {
    *out = (double)value->as.u64;
    return true;
  }
  if (value->kind == TRP_VALUE_NEGATIVE && value->as.i64 >= -exact) {
    *out = (double)value->as.i64;
    return true;
  }
  return false;
}

bool trp_value_find(const struct trp_value *map, const char *key, struct trp_value *out) {
  struct trp_value name;
  struct trp_walk walk;
  if (map->kind != TRP_VALUE_MAP) return false;
  trp_walk_init(&walk, map);
  while (trp_walk_pair(&walk, &name, out)) {
    if (trp_value_is_text(&name, key)) return true;
  }
  return false;
}

uint64_t trp_value_find_u64(const struct trp_value *map, const char *key, uint64_t fallback) {
  struct trp_value value;
  bool found = trp_value_find(map, key, &value) && value.kind == TRP_VALUE_UNSIGNED;
  return found ? value.as.u64 : fallback;
}

double trp_value_find_f64(const struct trp_value *map, const char *key, double fallback) {
  struct trp_value value;
  double number;
  return trp_value_find(map, key, &value) && trp_value_f64(&value, &number) ? number : fallback;
}

bool trp_value_find_bool(const struct trp_value *map, const char *key, bool fallback) {
  struct trp_value value;
  bool found = trp_value_find(map, key, &value) && value.kind == TRP_VALUE_BOOL;
  return found ? value.as.truth : fallback;
}

bool trp_value_find_text(const struct trp_value *map, const char *key, char *out, size_t size) {
  struct trp_value value;
  out[0] = '\0';
  return trp_value_find(map, key, &value) && trp_value_text(&value, out, size);
}
