/* The codec: every message, every truncation, every flipped byte, bombs, and the page that tells of
 * it all.
 *
 * Long because it tries one grammar from all its sides. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/pack.h"
#include "proto/text.h"
#include "proto/value.h"
#include "test/support/protocol_md.h"

enum { ROOM = 1 << 14, LEVELS_MAX = 40 };

static uint8_t encoded[ROOM];

/* ---- bodies by chance ----------------------------------------------------------------------- */

static uint64_t state;

static uint64_t chance(void) { /* xorshift64 (Marsaglia 2003) */
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/* Small numbers as often as large ones: each length on the wire gets its turn. */
static uint64_t any_integer(void) { return chance() >> (chance() % 64); }

static double any_double(void) {
  for (;;) {
    uint64_t bits = chance();
    double number;
    memcpy(&number, &bits, sizeof number);
    if (isfinite(number)) return number;
  }
}

static void any_text(char *out, size_t size) {
  static const char *const characters[] = {"a", "Z", "~", "\"", "\n", "é", "€", "\U0001F3AD"};
  size_t target = chance() % size;
  size_t used = 0;
  for (;;) {
    const char *next = characters[chance() % 8];
    if (used + strlen(next) > target) return;
    memcpy(out + used, next, strlen(next));
    used += strlen(next);
  }
}

static void put_number(uint8_t *at, uint64_t number, size_t bytes) {
  memcpy(at, &number, bytes); /* little end first: x86-64 and arm64 */
}

static void fill_field(const struct trp_message *message, const struct trp_field *field,
                       uint8_t *body, uint32_t levels) {
  uint8_t *at = body + field->offset;
  double number = any_double();
  switch (field->kind) {
    case TRP_FIELD_U64:
    case TRP_FIELD_I64:
      put_number(at, chance() % 2 ? any_integer() : ~any_integer(), 8);
      break;
    case TRP_FIELD_U32:
    case TRP_FIELD_I32:
      put_number(at, chance() % 2 ? any_integer() : ~any_integer(), 4);
      break;
    case TRP_FIELD_U16:
      put_number(at, any_integer(), 2);
      break;
    case TRP_FIELD_U8:
      put_number(at, any_integer(), 1);
      break;
    case TRP_FIELD_F64:
      memcpy(at, &number, sizeof number);
      break;
    case TRP_FIELD_TEXT:
      any_text((char *)at, field->size);
      break;
    case TRP_FIELD_LEVELS:
      memcpy(at, &levels, sizeof levels);
      for (uint32_t i = 0; i < levels; i++) {
        struct trp_level level = {any_double(), any_double(), 1 + (uint32_t)(chance() % 2), 0};
        memcpy(body + message->levels_from + i * sizeof level, &level, sizeof level);
      }
      break;
  }
}

/* A body of this type; the caller frees it. */
static uint8_t *any_body(const struct trp_message *message, size_t *bytes) {
  uint32_t levels = message->levels_from > 0 ? (uint32_t)(chance() % LEVELS_MAX) : 0;
  *bytes = message->bytes + levels * sizeof(struct trp_level);
  uint8_t *body = calloc(1, *bytes);
  assert_non_null(body);
  for (size_t i = 0; i < message->field_count; i++) {
    fill_field(message, &message->fields[i], body, levels);
  }
  return body;
}

/* Encodes a body by chance into `encoded`; returns the bytes. */
static size_t any_encoded(const struct trp_message *message) {
  size_t bytes;
  uint8_t *body = any_body(message, &bytes);
  size_t count = ROOM;
  assert_int_equal(trp_encode(message->type, body, bytes, encoded, &count), TRP_OK);
  free(body);
  return count;
}

/* From memory of exactly its size, so that a sanitizer sees one byte too many. */
static enum trp_err decode_exact(const uint8_t *in, size_t bytes, size_t *used, uint16_t *type,
                                 void *body, size_t *body_bytes) {
  uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
  assert_non_null(exact);
  memcpy(exact, in, bytes);
  enum trp_err err = trp_decode(exact, bytes, used, type, body, body_bytes);
  free(exact);
  return err;
}

static enum trp_err decode(const void *in, size_t bytes) {
  static uint8_t body[ROOM];
  size_t room = sizeof body;
  size_t used;
  uint16_t type;
  return decode_exact(in, bytes, &used, &type, body, &room);
}

#define DECODE(literal) decode(literal, sizeof(literal) - 1)

/* ---- there and back ------------------------------------------------------------------------- */

static void every_message_comes_back_equal(void **unused) {
  static uint8_t back[ROOM];
  size_t count;
  (void)unused;
  const struct trp_message *messages = trp_message_list(&count);
  for (size_t i = 0; i < 200 * count; i++) {
    const struct trp_message *message = &messages[i % count];
    size_t bytes;
    uint8_t *body = any_body(message, &bytes);
    size_t length = ROOM;
    assert_int_equal(trp_encode(message->type, body, bytes, encoded, &length), TRP_OK);
    assert_true(length <= trp_encode_bound(message->type, bytes));
    size_t used;
    uint16_t type;
    size_t back_bytes = sizeof back;
    memset(back, 0xee, sizeof back);
    assert_int_equal(decode_exact(encoded, length, &used, &type, back, &back_bytes), TRP_OK);
    assert_int_equal(used, length);
    assert_int_equal(type, message->type);
    assert_int_equal(back_bytes, bytes);
    assert_memory_equal(back, body, bytes);
    free(body);
  }
}

static void room_of_exactly_its_size_suffices(void **unused) {
  size_t count;
  (void)unused;
  const struct trp_message *messages = trp_message_list(&count);
  for (size_t i = 0; i < count; i++) {
    size_t bytes;
    uint8_t *body = any_body(&messages[i], &bytes);
    size_t length = ROOM;
    assert_int_equal(trp_encode(messages[i].type, body, bytes, encoded, &length), TRP_OK);
    uint8_t *exact = malloc(length);
    assert_non_null(exact);
    size_t room = length;
    assert_int_equal(trp_encode(messages[i].type, body, bytes, exact, &room), TRP_OK);
    assert_int_equal(room, length);
    room = length - 1;
    assert_int_equal(trp_encode(messages[i].type, body, bytes, exact, &room), TRP_TOO_BIG);
    assert_int_equal(room, 0);
    free(exact);
    free(body);
  }
}

static void another_reader_of_the_format_reads_every_message(void **unused) {
  size_t count;
  (void)unused;
  const struct trp_message *messages = trp_message_list(&count);
  for (size_t i = 0; i < 20 * count; i++) {
    const struct trp_message *message = &messages[i % count];
    size_t length = any_encoded(message);
    msgpack_unpacked result;
    msgpack_unpacked_init(&result);
    size_t at = 0;
    assert_int_equal(msgpack_unpack_next(&result, (const char *)encoded, length, &at),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(at, length);
    assert_int_equal(result.data.type, MSGPACK_OBJECT_ARRAY);
    assert_int_equal(result.data.via.array.size, 3);
    assert_int_equal(result.data.via.array.ptr[0].via.u64, TRP_PROTOCOL_VERSION);
    assert_int_equal(result.data.via.array.ptr[1].via.u64, message->type);
    assert_int_equal(result.data.via.array.ptr[2].via.array.size, message->field_count);
    msgpack_unpacked_destroy(&result);
  }
}

static void messages_back_to_back_are_a_batch_and_a_bad_one_costs_only_itself(void **unused) {
  static const struct trp_tick tick = {.at_ns = 5, .sequence = 1};
  static const char *const bad[] = {"\x93\x02\x13\x92\x05\x01",  /* another version */
                                    "\x93\x01\x1f\x92\x05\x01",  /* no such type */
                                    "\x93\x01\x13\x92\xff\x01"}; /* -1 does not fit */
  static const enum trp_err why[] = {TRP_BAD_VERSION, TRP_UNKNOWN_TYPE, TRP_MALFORMED};
  (void)unused;
  size_t at = 0;
  for (size_t i = 0; i < 4; i++) {
    size_t length = ROOM - at;
    assert_int_equal(trp_encode(TRP_TICK, &tick, sizeof tick, encoded + at, &length), TRP_OK);
    at += length;
    if (i < 3) memcpy(encoded + at, bad[i], 6);
    if (i < 3) at += 6;
  }
  size_t end = at;
  size_t step = 0;
  for (at = 0; at < end; step++) {
    struct trp_tick got;
    size_t used;
    size_t room = sizeof got;
    uint16_t type;
    enum trp_err err = decode_exact(encoded + at, end - at, &used, &type, &got, &room);
    assert_int_equal(err, step % 2 == 0 ? TRP_OK : why[step / 2]);
    if (err == TRP_OK) assert_memory_equal(&got, &tick, sizeof tick);
    assert_int_equal(used, 6);
    at += used;
  }
  assert_int_equal(step, 7);
}

static void a_body_without_room_is_too_big_and_says_its_size(void **unused) {
  const struct trp_message *book = trp_message_find(TRP_BOOK);
  size_t bytes;
  (void)unused;
  uint8_t *body = any_body(book, &bytes);
  size_t length = ROOM;
  assert_int_equal(trp_encode(TRP_BOOK, body, bytes, encoded, &length), TRP_OK);
  size_t used;
  uint16_t type;
  size_t room = 0;
  assert_int_equal(trp_decode(encoded, length, &used, &type, NULL, &room), TRP_TOO_BIG);
  assert_int_equal(room, bytes);
  assert_int_equal(used, length);
  assert_int_equal(type, TRP_BOOK);
  room = bytes - 1;
  assert_int_equal(trp_decode(encoded, length, &used, &type, body, &room), TRP_TOO_BIG);
  room = bytes;
  assert_int_equal(trp_decode(encoded, length, &used, &type, body, &room), TRP_OK);
  free(body);
}

/* ---- harm ----------------------------------------------------------------------------------- */

static void every_truncation_is_refused(void **unused) {
  static uint8_t body[ROOM];
  size_t count;
  (void)unused;
  const struct trp_message *messages = trp_message_list(&count);
  for (size_t i = 0; i < count; i++) {
    size_t length = any_encoded(&messages[i]);
    for (size_t cut = 0; cut < length; cut++) {
      size_t used = 77;
      uint16_t type;
      size_t room = sizeof body;
      enum trp_err err = decode_exact(encoded, cut, &used, &type, body, &room);
      assert_int_equal(err, TRP_TRUNCATED);
      assert_int_equal(used, 0);
    }
  }
}

/* What was decoded must be a message like any other: it can be encoded and comes back equal. */
static void assert_valid(uint16_t type, const uint8_t *body, size_t bytes) {
  static uint8_t again[ROOM];
  static uint8_t back[ROOM];
  size_t length = sizeof again;
  size_t used;
  size_t room = sizeof back;
  uint16_t back_type;
  assert_non_null(trp_message_find(type));
  assert_int_equal(trp_encode(type, body, bytes, again, &length), TRP_OK);
  assert_int_equal(trp_decode(again, length, &used, &back_type, back, &room), TRP_OK);
  assert_int_equal(back_type, type);
  assert_int_equal(room, bytes);
  assert_memory_equal(back, body, bytes);
}

static void every_flipped_byte_is_refused_or_gives_a_valid_message(void **unused) {
  static uint8_t body[ROOM];
  size_t refused = 0;
  size_t accepted = 0;
  size_t count;
  (void)unused;
  const struct trp_message *messages = trp_message_list(&count);
  for (size_t i = 0; i < count; i++) {
    size_t length = any_encoded(&messages[i]);
    for (size_t at = 0; at < length; at++) {
      uint8_t was = encoded[at];
      for (unsigned flip = 1; flip < 256; flip++) {
        size_t used;
        uint16_t type;
        size_t room = sizeof body;
        encoded[at] = was ^ (uint8_t)flip;
        enum trp_err err = trp_decode(encoded, length, &used, &type, body, &room);
        assert_true(used <= length);
        if (err == TRP_OK) assert_valid(type, body, room);
        accepted += err == TRP_OK;
        refused += err != TRP_OK;
      }
      encoded[at] = was;
    }
  }
  assert_true(accepted > 0 && refused > 0);
}

/* Address space at its highest, in kB: what was reserved counts, touched or not. */
static long peak_kb(void) {
  char line[128];
  long peak = -1;
  FILE *file = fopen("/proc/self/status", "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmPeak: %ld", &peak) == 1) break;
  }
  fclose(file);
  assert_true(peak > 0);
  return peak;
}

static void a_bomb_takes_no_memory(void **unused) {
  (void)unused;
  assert_int_equal(DECODE("\x93\x01\x20"), TRP_TRUNCATED); /* settles the allocator */
  long before = peak_kb();
  assert_int_equal(DECODE("\xdd\x10\x00\x00\x00"), TRP_TRUNCATED);
  assert_int_equal(DECODE("\xdf\x08\x00\x00\x00"), TRP_TRUNCATED);
  assert_int_equal(DECODE("\xdb\xff\xff\xff\xff"), TRP_TRUNCATED);
  assert_int_equal(DECODE("\xc6\xff\xff\xff\xff"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\x01\x22\xdd\xff\xff\xff\xff"), TRP_TRUNCATED);
  for (size_t i = 0; i < 31; i++) memcpy(encoded + 5 * i, "\xdd\x00\xff\xff\xff", 5);
  assert_int_equal(decode(encoded, 155), TRP_TRUNCATED);
  /* counts that the bytes do cover, at each depth */
  memset(encoded, 0x91, ROOM);
  assert_int_equal(decode(encoded, ROOM), TRP_MALFORMED);
  assert_true(peak_kb() - before < 1024);
}

static void levels_that_are_none_cost_no_room(void **unused) {
  static uint8_t in[4096];
  (void)unused;
  size_t at = 0;
  memcpy(in, "\x93\x01\x22\x9b\0\0\0\0\0\0\0\0\0\0\xdc\x0f\xa0", 17); /* 4,000 levels ... */
  at = 17;
  memset(in + at, 0xc0, 4000); /* ... of nil */
  size_t used;
  uint16_t type;
  size_t room = 0;
  assert_int_equal(trp_decode(in, at + 4000, &used, &type, NULL, &room), TRP_MALFORMED);
}

static void a_maps_key_must_be_a_text(void **unused) {
  struct trp_value value;
  size_t used;
  (void)unused;
  assert_int_equal(trp_value_open("\x81\xa1k\x01", 4, &used, &value), TRP_OK);
  assert_int_equal(trp_value_open("\x81\x01\x01", 3, &used, &value), TRP_MALFORMED);
  assert_int_equal(trp_value_open("\x82\xa1k\x01\x90\x01", 6, &used, &value), TRP_MALFORMED);
}

static void sixteen_containers_deep_is_the_limit(void **unused) {
  uint8_t in[40];
  struct trp_value value;
  size_t used;
  (void)unused;
  memset(in, 0x91, sizeof in);
  in[16] = 0xc0;
  assert_int_equal(trp_value_open(in, sizeof in, &used, &value), TRP_OK);
  assert_int_equal(used, 17);
  in[16] = 0x91;
  in[17] = 0xc0;
  assert_int_equal(trp_value_open(in, sizeof in, &used, &value), TRP_MALFORMED);
  assert_int_equal(used, 0);
  in[16] = 0x90; /* the seventeenth is empty, and still one too many */
  assert_int_equal(trp_value_open(in, sizeof in, &used, &value), TRP_MALFORMED);
}

/* ---- what fits and what does not ------------------------------------------------------------ */

static void what_stands_before_the_fields_is_checked(void **unused) {
  (void)unused;
  assert_int_equal(DECODE("\x93\x01\x13\x92\x05\x01"), TRP_OK);
  assert_int_equal(DECODE("\x92\x01\x13"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x94\x01\x13\x92\x05\x01\x00"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x90"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x01"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x81\xa1v\x01"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\xa1v\x13\x92\x05\x01"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x94\x02\x13\x92\x05\x01\x00"), TRP_BAD_VERSION);
  assert_int_equal(DECODE("\x93\x01\x00\x90"), TRP_UNKNOWN_TYPE);
  assert_int_equal(DECODE("\x93\x01\x1f\x90"), TRP_UNKNOWN_TYPE);
  assert_int_equal(DECODE("\x93\x01\xcd\x03\xff\x90"), TRP_UNKNOWN_TYPE);
  assert_int_equal(DECODE("\x93\x01\xcd\x04\x00\x90"), TRP_NOT_ALLOWED);
  assert_int_equal(DECODE("\x93\x01\xce\x00\x01\x00\x13\x92\x05\x01"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\x01\xff\x92\x05\x01"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\x01\x13\x91\x05"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\x01\x13\x93\x05\x01\x01"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\x01\x13\x05"), TRP_MALFORMED);
}

/* Decodes a trade in which one field has these bytes. */
static enum trp_err trade_with(size_t field, const char *bytes, size_t count,
                               struct trp_trade *trade) {
  uint8_t in[128] = {0x93, 0x01, 0x21, 0x97};
  size_t at = 4;
  for (size_t i = 0; i < 7; i++) {
    if (i == field) memcpy(in + at, bytes, count);
    at += i == field ? count : 1;
  }
  size_t used;
  uint16_t type;
  size_t room = sizeof *trade;
  return decode_exact(in, at, &used, &type, trade, &room);
}

#define TRADE(field, literal) trade_with(field, literal, sizeof(literal) - 1, &t)

static void integers_must_fit_their_field(void **unused) {
  enum { RECV, SYMBOL, OFFSET, PRICE, SIZE, ID, SIDE };
  struct trp_trade t;
  (void)unused;
  assert_int_equal(TRADE(SIDE, "\xcc\xff"), TRP_OK);
  assert_int_equal(t.side, 255);
  assert_int_equal(TRADE(SIDE, "\xcd\x01\x00"), TRP_MALFORMED);
  assert_int_equal(TRADE(SIDE, "\xff"), TRP_MALFORMED);
  assert_int_equal(TRADE(SYMBOL, "\xce\xff\xff\xff\xff"), TRP_OK);
  assert_int_equal(t.symbol, UINT32_MAX);
  assert_int_equal(TRADE(SYMBOL, "\xcf\0\0\0\x01\0\0\0\0"), TRP_MALFORMED);
  assert_int_equal(TRADE(OFFSET, "\xd2\x80\0\0\0"), TRP_OK);
  assert_int_equal(t.exchange_offset_us, INT32_MIN);
  assert_int_equal(TRADE(OFFSET, "\xce\x7f\xff\xff\xff"), TRP_OK);
  assert_int_equal(t.exchange_offset_us, INT32_MAX);
  assert_int_equal(TRADE(OFFSET, "\xce\x80\0\0\0"), TRP_MALFORMED);
  assert_int_equal(TRADE(OFFSET, "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"), TRP_MALFORMED);
  assert_int_equal(TRADE(ID, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), TRP_OK);
  assert_true(t.id == UINT64_MAX);
  /* longer and signed forms of the same number */
  assert_int_equal(TRADE(SIDE, "\xcf\0\0\0\0\0\0\0\x02"), TRP_OK);
  assert_int_equal(t.side, 2);
  assert_int_equal(TRADE(SIDE, "\xd1\0\x02"), TRP_OK);
  assert_int_equal(t.side, 2);
  assert_int_equal(TRADE(SIDE, "\xc3"), TRP_MALFORMED);
  assert_int_equal(TRADE(SIDE, "\xa1x"), TRP_MALFORMED);
  assert_int_equal(TRADE(SIDE, "\x90"), TRP_MALFORMED);
}

static void numbers_must_be_finite_and_exact(void **unused) {
  enum { PRICE = 3 };
  struct trp_trade t;
  (void)unused;
  assert_int_equal(TRADE(PRICE, "\xca\x3f\xc0\0\0"), TRP_OK);
  assert_true(t.price == 1.5);
  assert_int_equal(TRADE(PRICE, "\xd0\x80"), TRP_OK);
  assert_true(t.price == -128);
  assert_int_equal(TRADE(PRICE, "\xcf\0\x20\0\0\0\0\0\0"), TRP_OK);
  assert_true(t.price == 9007199254740992.0);
  assert_int_equal(TRADE(PRICE, "\xcf\0\x20\0\0\0\0\0\x01"), TRP_MALFORMED);
  assert_int_equal(TRADE(PRICE, "\xd3\xff\xdf\xff\xff\xff\xff\xff\xff"), TRP_MALFORMED);
  assert_int_equal(TRADE(PRICE, "\xcb\x7f\xf0\0\0\0\0\0\0"), TRP_MALFORMED);
  assert_int_equal(TRADE(PRICE, "\xcb\xff\xf0\0\0\0\0\0\0"), TRP_MALFORMED);
  assert_int_equal(TRADE(PRICE, "\xcb\x7f\xf8\0\0\0\0\0\0"), TRP_MALFORMED);
  assert_int_equal(TRADE(PRICE, "\xca\x7f\x80\0\0"), TRP_MALFORMED);
  assert_int_equal(TRADE(PRICE, "\xcb\0\0\0\0\0\0\0\x01"), TRP_OK);
  assert_int_equal(fpclassify(t.price), FP_SUBNORMAL);
}

static void texts_must_be_text_and_fit(void **unused) {
  uint8_t in[80] = "\x93\x01\x0a\x91\xd9";
  (void)unused;
  assert_int_equal(DECODE("\x93\x01\x0a\x91\xa3"
                          "a\xc3\xa9"),
                   TRP_OK);
  assert_int_equal(DECODE("\x93\x01\x0a\x91\xa2\xc3("), TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\x01\x0a\x91\xa3"
                          "a\0b"),
                   TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\x01\x0a\x91\xc4\x01x"), TRP_MALFORMED);
  assert_int_equal(DECODE("\x93\x01\x0a\x91\x05"), TRP_MALFORMED);
  memset(in + 6, 'x', 64);
  in[5] = 63;
  assert_int_equal(decode(in, 6 + 63), TRP_OK);
  in[5] = 64;
  assert_int_equal(decode(in, 6 + 64), TRP_MALFORMED);
}

static void what_would_not_be_accepted_is_not_sent(void **unused) {
  struct trp_quote quote = {.bid = 1};
  struct trp_fault fault = {"panic"};
  size_t room = ROOM;
  size_t book_bytes = sizeof(struct trp_book) + sizeof(struct trp_level);
  (void)unused;
  struct trp_book *book = calloc(1, book_bytes);
  assert_non_null(book);
  book->levels_count = 1;
  book->levels[0] = (struct trp_level){1, 1, 1, 0};
#define ENCODE(type, body) (room = ROOM, trp_encode(type, &(body), sizeof(body), encoded, &room))
  assert_int_equal(ENCODE(TRP_QUOTE, quote), TRP_OK);
  quote.ask = (double)NAN;
  assert_int_equal(ENCODE(TRP_QUOTE, quote), TRP_INVALID);
  quote.ask = (double)INFINITY;
  assert_int_equal(ENCODE(TRP_QUOTE, quote), TRP_INVALID);
  assert_int_equal(ENCODE(TRP_FAULT, fault), TRP_OK);
  assert_int_equal(ENCODE(TRP_FAULT, quote), TRP_INVALID);
  fault.text[0] = (char)0xff;
  assert_int_equal(ENCODE(TRP_FAULT, fault), TRP_INVALID);
  memset(fault.text, 'x', sizeof fault.text);
  assert_int_equal(ENCODE(TRP_FAULT, fault), TRP_INVALID);
#define ENCODE_BOOK() (room = ROOM, trp_encode(TRP_BOOK, book, book_bytes, encoded, &room))
  assert_int_equal(ENCODE_BOOK(), TRP_OK);
  book->levels[0].side = 3;
  assert_int_equal(ENCODE_BOOK(), TRP_INVALID);
  book->levels[0].side = 2;
  book->levels[0].size = (double)NAN;
  assert_int_equal(ENCODE_BOOK(), TRP_INVALID);
  book->levels[0].size = 0;
  book->levels_count = 2;
  assert_int_equal(ENCODE_BOOK(), TRP_INVALID);
  book->levels_count = UINT32_MAX;
  assert_int_equal(ENCODE_BOOK(), TRP_INVALID);
  free(book);
  assert_int_equal(ENCODE(TRP_USER_FIRST, fault), TRP_NOT_ALLOWED);
  assert_int_equal(ENCODE(31, fault), TRP_UNKNOWN_TYPE);
  assert_int_equal(room, 0);
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void utf8_is_told_from_what_only_looks_like_it(void **unused) {
  static const char *const good[] = {"",
                                     "a",
                                     "\x7f",
                                     "\xc2\x80",
                                     "\xdf\xbf",
                                     "\xe0\xa0\x80",
                                     "\xed\x9f\xbf",
                                     "\xee\x80\x80",
                                     "\xef\xbf\xbf",
                                     "\xf0\x90\x80\x80",
                                     "\xf4\x8f\xbf\xbf"};
  static const char *const bad[] = {"\x80",
                                    "\xc0\x80",
                                    "\xc1\xbf",
                                    "\xc3",
                                    "\xc3(",
                                    "\xe0\x9f\xbf",
                                    "\xe2\x82",
                                    "\xed\xa0\x80",
                                    "\xf0\x8f\xbf\xbf",
                                    "\xf4\x90\x80\x80",
                                    "\xf5\x80\x80\x80",
                                    "\xff",
                                    "\xf0\x90\x80"};
  (void)unused;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_true(trp_text_valid(good[i], strlen(good[i])));
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_false(trp_text_valid(bad[i], strlen(bad[i])));
  }
  assert_false(trp_text_valid("a\0b", 3));
}

static void a_text_is_cut_between_characters_and_repaired(void **unused) {
  char out[8];
  (void)unused;
  assert_int_equal(trp_text_copy(out, sizeof out, "ab€€€"), 5);
  assert_string_equal(out, "ab€");
  assert_memory_equal(out + 5, "\0\0\0", 3);
  assert_int_equal(trp_text_copy(out, sizeof out, "a\xff\xe2\x82z"), 5);
  assert_string_equal(out, "a???z");
  assert_int_equal(trp_text_copy(out, 1, "abc"), 0);
  assert_string_equal(out, "");
  memcpy(out, "x\xe2\x82", 4); /* as snprintf leaves it */
  assert_int_equal(trp_text_copy(out, sizeof out, out), 3);
  assert_string_equal(out, "x??");
}

/* ---- the lists ------------------------------------------------------------------------------ */

static void the_lists_answer_by_number_and_by_name(void **unused) {
  size_t count;
  (void)unused;
  const struct trp_message *messages = trp_message_list(&count);
  for (size_t i = 0; i < count; i++) {
    assert_ptr_equal(trp_message_find(messages[i].type), &messages[i]);
    assert_ptr_equal(trp_message_named(messages[i].name), &messages[i]);
    assert_string_equal(trp_type_name(messages[i].type), messages[i].name);
  }
  assert_null(trp_message_find(TRP_NONE));
  assert_null(trp_message_find(63));
  assert_null(trp_message_find(64));
  assert_null(trp_message_find(TRP_TYPE_MAX));
  assert_null(trp_message_named("quote"));
  assert_string_equal(trp_type_name(TRP_USER_FIRST), "USER");
  assert_string_equal(trp_type_name(1023), "?");
  const struct trp_message *book = trp_message_named("BOOK");
  assert_int_equal(book->levels_from, offsetof(struct trp_book, levels));
  assert_int_equal(book->bytes, sizeof(struct trp_book));
  assert_int_equal(book->fields[1].offset, offsetof(struct trp_book, sequence));
  assert_string_equal(book->fields[1].name, "sequence");
  assert_string_equal(trp_err_name(TRP_TOO_BIG), "TOO_BIG");
  assert_string_equal(trp_err_text(TRP_OK), "no error");
  assert_string_equal(trp_err_text((enum trp_err)4711), "unknown error");
  assert_string_equal(trp_err_name((enum trp_err)4711), "UNKNOWN");
}

/* ---- the page ------------------------------------------------------------------------------- */

static void assert_row(const char *page, const char *row) {
  if (!md_has_line(page, row)) fail_msg("protocol.md lacks: %s", row);
}

static void the_page_lists_every_message_and_every_error(void **unused) {
  static const char *const kinds[] = {"u64", "u32", "u16",  "u8",    "i64",
                                      "i32", "f64", "text", "levels"};
  char row[512];
  size_t count;
  (void)unused;
  char *page = md_read();
  assert_non_null(page);
  const struct trp_message *messages = trp_message_list(&count);
  for (size_t i = 0; i < count; i++) {
    int at = snprintf(row, sizeof row, "| %u | %s |", messages[i].type, messages[i].name);
    for (size_t j = 0; j < messages[i].field_count; j++) {
      const struct trp_field *field = &messages[i].fields[j];
      at += snprintf(row + at, sizeof row - (size_t)at, "%s %s %s", j > 0 ? "," : "", field->name,
                     kinds[field->kind]);
      if (field->kind != TRP_FIELD_TEXT) continue;
      at += snprintf(row + at, sizeof row - (size_t)at, "(%d)", field->size - 1);
    }
    snprintf(row + at, sizeof row - (size_t)at, " |");
    assert_row(page, row);
  }
#define ERROR(NAME, number, text) assert_row(page, "| " #number " | " #NAME " | " text " |");
#include "proto/errors.def"
#undef ERROR
  free(page);
}

static void the_pages_messages_mean_what_it_says(void **unused) {
  static uint8_t body[ROOM];
  static struct md_text json;
  struct md_example example;
  size_t examples = 0;
  (void)unused;
  char *page = md_read();
  assert_non_null(page);
  const char *at = page;
  while ((at = md_next(at, &example)) != NULL) {
    if (strcmp(example.kind, "message") != 0) continue;
    examples++;
    size_t used;
    uint16_t type;
    size_t bytes = sizeof body;
    assert_int_equal(decode_exact(example.bytes, example.count, &used, &type, body, &bytes),
                     TRP_OK);
    assert_int_equal(used, example.count);
    size_t length = ROOM;
    assert_int_equal(trp_encode(type, body, bytes, encoded, &length), TRP_OK);
    assert_int_equal(length, example.count);
    assert_memory_equal(encoded, example.bytes, length);
    struct trp_pack pack;
    struct trp_value value;
    trp_pack_init(&pack, ROOM);
    trp_pack_message(&pack, type, body, bytes);
    assert_int_equal(trp_pack_done(&pack), TRP_OK);
    assert_int_equal(trp_value_open(pack.data, pack.bytes, &used, &value), TRP_OK);
    json.count = 0;
    assert_int_equal(trp_value_json(&value, md_write, &json), TRP_OK);
    assert_string_equal(json.bytes, example.json);
    trp_pack_fini(&pack);
  }
  assert_string_equal(example.kind, ""); /* else a block is broken */
  assert_int_equal(examples, 3);
  free(page);
}

static int seed(void **unused) {
  (void)unused;
  state = UINT64_C(0x9e3779b97f4a7c15);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(every_message_comes_back_equal, seed),
      cmocka_unit_test_setup(room_of_exactly_its_size_suffices, seed),
      cmocka_unit_test_setup(another_reader_of_the_format_reads_every_message, seed),
      cmocka_unit_test(messages_back_to_back_are_a_batch_and_a_bad_one_costs_only_itself),
      cmocka_unit_test_setup(a_body_without_room_is_too_big_and_says_its_size, seed),
      cmocka_unit_test_setup(every_truncation_is_refused, seed),
      cmocka_unit_test_setup(every_flipped_byte_is_refused_or_gives_a_valid_message, seed),
      cmocka_unit_test(a_bomb_takes_no_memory),
      cmocka_unit_test(levels_that_are_none_cost_no_room),
      cmocka_unit_test(a_maps_key_must_be_a_text),
      cmocka_unit_test(sixteen_containers_deep_is_the_limit),
      cmocka_unit_test(what_stands_before_the_fields_is_checked),
      cmocka_unit_test(integers_must_fit_their_field),
      cmocka_unit_test(numbers_must_be_finite_and_exact),
      cmocka_unit_test(texts_must_be_text_and_fit),
      cmocka_unit_test(what_would_not_be_accepted_is_not_sent),
      cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
      cmocka_unit_test(a_text_is_cut_between_characters_and_repaired),
      cmocka_unit_test(the_lists_answer_by_number_and_by_name),
      cmocka_unit_test(the_page_lists_every_message_and_every_error),
      cmocka_unit_test(the_pages_messages_mean_what_it_says),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
