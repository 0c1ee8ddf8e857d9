/* The control protocol: requests, answers, the writer, the reader, JSON, and the page about them.
 *
 * Long because it tries one grammar from all its sides. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control.h"
#include "test/support/protocol_md.h"

enum { ROOM = TRP_REQUEST_BYTES_MAX };

static uint8_t encoded[ROOM];
static struct md_text json;

static const struct trp_request example = {
    .id = UINT64_MAX,
    .verb = "subscribe",
    .name = "binance",
    .argument = "NKNUSDT.BINANCE",
    .wait_ms = 250,
};

static size_t encode(const struct trp_request *request) {
  size_t bytes = ROOM;
  assert_int_equal(trp_request_encode(request, encoded, &bytes), TRP_OK);
  return bytes;
}

/* From memory of exactly its size, so that a sanitizer sees one byte too many. */
static enum trp_err decode_exact(const void *in, size_t bytes, struct trp_request *request) {
  uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
  assert_non_null(exact);
  memcpy(exact, in, bytes);
  enum trp_err err = trp_request_decode(exact, bytes, request);
  free(exact);
  return err;
}

static const char *to_json(const void *in, size_t bytes) {
  struct trp_value value;
  size_t used;
  assert_int_equal(trp_value_open(in, bytes, &used, &value), TRP_OK);
  assert_int_equal(used, bytes);
  json.count = 0;
  assert_int_equal(trp_value_json(&value, md_write, &json), TRP_OK);
  return json.bytes;
}

static const char *pack_json(const struct trp_pack *pack) {
  assert_int_equal(trp_pack_done(pack), TRP_OK);
  return to_json(pack->data, pack->bytes);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void a_request_of_every_verb_comes_back_equal(void **unused) {
  size_t count;
  (void)unused;
  const struct trp_verb *verbs = trp_verb_list(&count);
  assert_int_equal(count, 14);
  for (size_t i = 0; i < count; i++) {
    struct trp_request back;
    struct trp_request request = {.id = i + 1, .wait_ms = (uint32_t)i};
    strcpy(request.verb, verbs[i].verb);
    if (verbs[i].name == TRP_NEED_YES) memset(request.name, 'n', sizeof request.name - 1);
    if (verbs[i].argument == TRP_NEED_YES) {
      memset(request.argument, 'a', sizeof request.argument - 1);
    }
    if (strcmp(request.verb, "watch") == 0) request.after = UINT64_MAX;
    assert_ptr_equal(trp_verb_find(request.verb), &verbs[i]);
    assert_int_equal(decode_exact(encoded, encode(&request), &back), TRP_OK);
    assert_memory_equal(&back, &request, sizeof back);
  }
}

static void what_a_verb_needs_and_does_not_take_is_checked(void **unused) {
  static const struct trp_request bad[] = {
      {.id = 1, .verb = "dance"},
      {.id = 1, .verb = ""},
      {.id = 0, .verb = "status"},
      {.id = 1, .verb = "stop", .name = "bob"}, /* one meant: must not stop everything */
      {.id = 1, .verb = "stop-actor"},
      {.id = 1, .verb = "subscribe", .name = "binance"},
      {.id = 1, .verb = "log"},
      {.id = 1, .verb = "status", .argument = "x"},
      {.id = 1, .verb = "status", .after = 1},
      {.id = 1, .verb = "watch", .wait_ms = TRP_REQUEST_WAIT_MAX_MS + 1},
      {.id = 1, .verb = "restart", .name = "\xff"},
  };
  (void)unused;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    size_t bytes = ROOM;
    assert_int_equal(trp_request_encode(&bad[i], encoded, &bytes), TRP_INVALID);
    assert_int_equal(bytes, 0);
  }
  struct trp_request request;
  static const char unknown[] =
      "\x83\xa1v\x01\xa2id\x07\xa4verb\xa5"
      "dance";
  assert_int_equal(decode_exact(unknown, sizeof unknown - 1, &request), TRP_INVALID);
  assert_int_equal(request.id, 7); /* so that the refusal can carry it */
  static const char bare[] = "\x83\xa1v\x01\xa2id\x07\xa4verb\xaastop-actor";
  assert_int_equal(decode_exact(bare, sizeof bare - 1, &request), TRP_INVALID);
  size_t room = encode(&example) - 1;
  assert_int_equal(trp_request_encode(&example, encoded, &room), TRP_TOO_BIG);
}

static void a_request_that_is_not_understood_is_refused_whole(void **unused) {
  static const struct {
    enum trp_err err;
    const char *bytes;
    size_t count;
  } cases[] = {
#define CASE(err, literal) {err, literal, sizeof(literal) - 1}
      CASE(TRP_OK, "\x83\xa1v\x01\xa2id\x07\xa4verb\xa6status"),
      CASE(TRP_OK, "\x83\xa4verb\xa6status\xa2id\x07\xa1v\x01"),
      CASE(TRP_BAD_VERSION, "\x83\xa1v\x02\xa2id\x07\xa4verb\xa6status"),
      CASE(TRP_MALFORMED, "\x83\xa1v\xa1\x31\xa2id\x07\xa4verb\xa6status"),
      CASE(TRP_MALFORMED, "\x82\xa2id\x07\xa4verb\xa6status"),
      CASE(TRP_MALFORMED, "\x84\xa1v\x01\xa2id\x07\xa4verb\xa6status\xa3new\x01"),
      CASE(TRP_MALFORMED, "\x84\xa1v\x01\xa2id\x07\xa4verb\xa6status\xa2id\x08"),
      CASE(TRP_MALFORMED, "\x84\xa1v\x01\xa2id\x07\xa4verb\xa6status\xa1v\x01"),
      CASE(TRP_MALFORMED, "\x83\xa1v\x01\xa2id\xff\xa4verb\xa6status"),
      CASE(TRP_MALFORMED, "\x83\xa1v\x01\xa2id\x07\xa4verb\x01"),
      CASE(TRP_MALFORMED, "\x83\xa1v\x01\xa2id\x07\xa4verb\xb0qqqqqqqqqqqqqqqq"),
      CASE(TRP_MALFORMED, "\x83\xa1v\x01\xa2id\x07\xa4verb\xa6status\x00"),
      CASE(TRP_INVALID, "\x82\xa1v\x01\xa2id\x07"),
      CASE(TRP_MALFORMED, "\x81\x01\x01"),
      CASE(TRP_MALFORMED, "\x93\x01\x02\x03"),
      CASE(TRP_MALFORMED, "\xc1"),
      CASE(TRP_TRUNCATED, ""),
      CASE(TRP_TRUNCATED, "\xdf\x08\x00\x00\x00"),
      CASE(TRP_TRUNCATED, "\xdd\xff\xff\xff\xff"),
      CASE(TRP_TRUNCATED, "\x83\xa1v\x01\xa2id\x07\xa4verb\xdb\xff\xff\xff\xff"),
  };
  (void)unused;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct trp_request request;
    assert_int_equal(decode_exact(cases[i].bytes, cases[i].count, &request), cases[i].err);
  }
  struct trp_request request;
  static const uint8_t megabyte[1 << 20];
  assert_int_equal(decode_exact(megabyte, sizeof megabyte, &request), TRP_TOO_BIG);
}

static void a_request_survives_no_cut_and_no_flip_unnoticed(void **unused) {
  static uint8_t again[ROOM];
  struct trp_request request;
  struct trp_request back;
  (void)unused;
  size_t bytes = encode(&example);
  for (size_t cut = 0; cut < bytes; cut++) {
    assert_int_equal(decode_exact(encoded, cut, &request), TRP_TRUNCATED);
  }
  for (size_t at = 0; at < bytes; at++) {
    uint8_t was = encoded[at];
    for (unsigned flip = 1; flip < 256; flip++) {
      encoded[at] = was ^ (uint8_t)flip;
      if (trp_request_decode(encoded, bytes, &request) != TRP_OK) continue;
      size_t room = sizeof again;
      assert_int_equal(trp_request_encode(&request, again, &room), TRP_OK);
      assert_int_equal(trp_request_decode(again, room, &back), TRP_OK);
      assert_memory_equal(&back, &request, sizeof back);
    }
    encoded[at] = was;
  }
}

/* ---- answers -------------------------------------------------------------------------------- */

static void an_answer_carries_a_body_of_any_shape(void **unused) {
  struct trp_pack pack;
  struct trp_answer answer;
  (void)unused;
  trp_pack_init(&pack, TRP_ANSWER_BYTES_MAX);
  trp_answer_begin(&pack, UINT64_MAX, TRP_BUSY, "later");
  trp_pack_map(&pack, 3);
  trp_pack_member_text(&pack, "name", "b\"ob");
  trp_pack_text(&pack, "actors");
  trp_pack_array_open(&pack);
  for (uint64_t i = 0; i < 3; i++) {
    trp_pack_map(&pack, 1);
    trp_pack_member_u64(&pack, "depth", i);
  }
  trp_pack_array_close(&pack);
  trp_pack_text(&pack, "none");
  trp_pack_array_open(&pack);
  trp_pack_array_close(&pack);
  assert_int_equal(trp_pack_done(&pack), TRP_OK);
  assert_int_equal(trp_answer_decode(pack.data, pack.bytes, &answer), TRP_OK);
  assert_true(answer.id == UINT64_MAX);
  assert_int_equal(answer.status, TRP_BUSY);
  assert_string_equal(answer.text, "later");
  json.count = 0;
  assert_int_equal(trp_value_json(&answer.body, md_write, &json), TRP_OK);
  assert_string_equal(
      json.bytes,
      "{\"name\":\"b\\\"ob\",\"actors\":[{\"depth\":0},{\"depth\":1},{\"depth\":2}],\"none\":[]}");
  for (size_t cut = 0; cut < pack.bytes; cut++) {
    assert_int_equal(trp_answer_decode(pack.data, cut, &answer), TRP_TRUNCATED);
  }
  for (size_t at = 0; at < pack.bytes; at++) {
    pack.data[at] ^= 0x41;
    if (trp_answer_decode(pack.data, pack.bytes, &answer) == TRP_OK) {
      json.count = 0;
      assert_int_equal(trp_value_json(&answer.body, md_write, &json), TRP_OK);
    }
    pack.data[at] ^= 0x41;
  }
  trp_pack_fini(&pack);
}

static void an_answer_beyond_its_limit_becomes_a_plain_refusal(void **unused) {
  char words[400];
  struct trp_pack pack;
  struct trp_answer answer;
  (void)unused;
  trp_pack_init(&pack, 5000);
  trp_answer_begin(&pack, 9, TRP_OK, "");
  trp_pack_array_open(&pack);
  for (int i = 0; i < 100000; i++) trp_pack_text(&pack, "more and more");
  trp_pack_array_close(&pack);
  assert_int_equal(trp_pack_done(&pack), TRP_TOO_BIG);
  assert_true(pack.size <= 5000);
  memset(words, 'w', sizeof words);
  words[sizeof words - 1] = '\0';
  assert_int_equal(trp_answer_plain(&pack, 9, TRP_TOO_BIG, words), TRP_OK);
  assert_int_equal(trp_answer_decode(pack.data, pack.bytes, &answer), TRP_OK);
  assert_int_equal(answer.status, TRP_TOO_BIG);
  assert_int_equal(strlen(answer.text), TRP_ANSWER_TEXT_MAX);
  assert_int_equal(answer.body.kind, TRP_VALUE_NIL);
  trp_pack_fini(&pack);
  trp_pack_fini(&pack);
}

static void an_answer_needs_all_its_keys_and_no_other(void **unused) {
  static const char lacks_body[] = "\x84\xa1v\x01\xa2id\x07\xa6status\x00\xa4text\xa0";
  static const char two_bodies[] =
      "\x86\xa1v\x01\xa2id\x07\xa6status\x00\xa4text\xa0\xa4"
      "body\xc0\xa4"
      "body\xc0";
  static const char stranger[] =
      "\x86\xa1v\x01\xa2id\x07\xa6status\x00\xa4text\xa0\xa4"
      "body\xc0\xa4"
      "bodz\xc0";
  static const char whole[] =
      "\x85\xa1v\x01\xa2id\x07\xa6status\x00\xa4text\xa0\xa4"
      "body\xc0";
  struct trp_answer answer;
  (void)unused;
  assert_int_equal(trp_answer_decode(whole, sizeof whole - 1, &answer), TRP_OK);
  assert_int_equal(trp_answer_decode(whole, sizeof whole, &answer), TRP_MALFORMED);
  assert_int_equal(trp_answer_decode(lacks_body, sizeof lacks_body - 1, &answer), TRP_MALFORMED);
  assert_int_equal(trp_answer_decode(two_bodies, sizeof two_bodies - 1, &answer), TRP_MALFORMED);
  assert_int_equal(trp_answer_decode(stranger, sizeof stranger - 1, &answer), TRP_MALFORMED);
}

/* ---- the writer ----------------------------------------------------------------------------- */

static void a_wrong_count_is_told_at_the_end(void **unused) {
  struct trp_pack pack;
  (void)unused;
  trp_pack_init(&pack, 1024);
  assert_int_equal(trp_pack_done(&pack), TRP_INVALID); /* nothing written */
  trp_pack_map(&pack, 2);
  trp_pack_member_u64(&pack, "one", 1);
  assert_int_equal(trp_pack_done(&pack), TRP_INVALID); /* one too few */
  trp_pack_member_u64(&pack, "two", 2);
  assert_int_equal(trp_pack_done(&pack), TRP_OK);
  trp_pack_member_u64(&pack, "three", 3);
  assert_int_equal(trp_pack_done(&pack), TRP_INVALID); /* one too many */
  trp_pack_reset(&pack);
  trp_pack_map(&pack, 1);
  trp_pack_u64(&pack, 1); /* no key */
  trp_pack_u64(&pack, 1);
  assert_int_equal(trp_pack_done(&pack), TRP_INVALID);
  trp_pack_reset(&pack);
  trp_pack_array(&pack, 1);
  trp_pack_array_close(&pack); /* was not opened */
  assert_int_equal(trp_pack_done(&pack), TRP_INVALID);
  trp_pack_reset(&pack);
  trp_pack_array_open(&pack);
  assert_int_equal(trp_pack_done(&pack), TRP_INVALID); /* not closed */
  trp_pack_reset(&pack);
  for (int i = 0; i < TRP_DEPTH_MAX; i++) trp_pack_array(&pack, 1);
  trp_pack_nil(&pack);
  assert_string_equal(pack_json(&pack), "[[[[[[[[[[[[[[[[null]]]]]]]]]]]]]]]]");
  trp_pack_reset(&pack);
  for (int i = 0; i < TRP_DEPTH_MAX + 1; i++) trp_pack_array(&pack, 1);
  assert_int_equal(trp_pack_done(&pack), TRP_TOO_BIG);
  trp_pack_fini(&pack);
}

static void an_open_array_holds_what_its_head_can_say(void **unused) {
  struct trp_pack pack;
  struct trp_value value;
  size_t used;
  (void)unused;
  trp_pack_init(&pack, 1 << 20);
  trp_pack_array_open(&pack);
  for (int i = 0; i < UINT16_MAX; i++) trp_pack_nil(&pack);
  trp_pack_array_close(&pack);
  assert_int_equal(trp_pack_done(&pack), TRP_OK);
  assert_int_equal(trp_value_open(pack.data, pack.bytes, &used, &value), TRP_OK);
  assert_int_equal(value.count, UINT16_MAX);
  trp_pack_reset(&pack);
  trp_pack_array_open(&pack);
  for (int i = 0; i < UINT16_MAX + 1; i++) trp_pack_nil(&pack);
  trp_pack_array_close(&pack);
  assert_int_equal(trp_pack_done(&pack), TRP_TOO_BIG);
  trp_pack_fini(&pack);
}

static void a_buffer_of_the_callers_is_never_overrun(void **unused) {
  uint8_t small[8];
  struct trp_pack pack;
  (void)unused;
  trp_pack_init_fixed(&pack, small, sizeof small);
  trp_pack_text(&pack, "1234567");
  assert_int_equal(trp_pack_done(&pack), TRP_OK);
  trp_pack_init_fixed(&pack, small, sizeof small);
  trp_pack_text(&pack, "12345678");
  assert_int_equal(trp_pack_done(&pack), TRP_TOO_BIG);
  trp_pack_fini(&pack);
}

static const char *say_reason(uint16_t type, const char *field, uint32_t number) {
  return type == TRP_DOWN && strcmp(field, "reason") == 0 && number == 22 ? "PANIC" : NULL;
}

static void a_message_becomes_a_map_of_its_fields(void **unused) {
  struct trp_down down = {.monitor = 1, .ref = 2, .incarnation = 3, .reason = 22, .name = "bob"};
  struct trp_tick tick = {.at_ns = 7, .sequence = 8};
  struct trp_pack pack;
  (void)unused;
  trp_pack_init(&pack, 4096);
  trp_pack_message(&pack, TRP_DOWN, &down, sizeof down);
  assert_string_equal(pack_json(&pack),
                      "{\"monitor\":1,\"ref\":2,\"incarnation\":3,\"reason\":22,\"name\":\"bob\"}");
  trp_pack_reset(&pack);
  trp_pack_event(&pack, 99, "event_engine", TRP_TICK, &tick, sizeof tick, NULL);
  assert_string_equal(pack_json(&pack),
                      "{\"event\":\"TICK\",\"at_ns\":99,\"actor\":\"event_engine\",\"at_ns_\":7,"
                      "\"sequence\":8}");
  trp_pack_reset(&pack);
  trp_pack_event(&pack, 99, "bob", TRP_USER_FIRST, "abc", 3, say_reason);
  assert_string_equal(pack_json(&pack),
                      "{\"event\":\"USER\",\"at_ns\":99,\"actor\":\"bob\",\"bytes\":3}");
  trp_pack_reset(&pack);
  trp_pack_event(&pack, 99, "bob", TRP_DOWN, &down, 8, say_reason); /* cut short in the journal */
  assert_string_equal(pack_json(&pack),
                      "{\"event\":\"DOWN\",\"at_ns\":99,\"actor\":\"bob\",\"bytes\":8}");
  trp_pack_reset(&pack);
  trp_pack_event(&pack, 99, "bob", TRP_DOWN, &down, sizeof down, say_reason);
  assert_string_equal(pack_json(&pack),
                      "{\"event\":\"DOWN\",\"at_ns\":99,\"actor\":\"bob\",\"monitor\":1,\"ref\":2,"
                      "\"incarnation\":3,\"reason\":\"PANIC\",\"name\":\"bob\"}");
  trp_pack_reset(&pack);
  trp_pack_message(&pack, TRP_DOWN, &down, 8);
  assert_int_equal(trp_pack_done(&pack), TRP_INVALID);
  trp_pack_fini(&pack);
}

/* ---- the reader and JSON -------------------------------------------------------------------- */

static void members_are_found_by_key_or_fall_back(void **unused) {
  struct trp_pack pack;
  struct trp_value map;
  struct trp_value value;
  char text[8];
  size_t used;
  (void)unused;
  trp_pack_init(&pack, 4096);
  trp_pack_map(&pack, 6);
  trp_pack_member_u64(&pack, "depth", UINT64_MAX);
  trp_pack_text(&pack, "inner");
  trp_pack_map(&pack, 1);
  trp_pack_member_u64(&pack, "hidden", 5); /* not a member of the outer map */
  trp_pack_member_text(&pack, "name", "binance");
  trp_pack_member_f64(&pack, "price", 2.5);
  trp_pack_member_bool(&pack, "live", true);
  trp_pack_member_i64(&pack, "below", -5);
  assert_int_equal(trp_pack_done(&pack), TRP_OK);
  assert_int_equal(trp_value_open(pack.data, pack.bytes, &used, &map), TRP_OK);
  assert_true(trp_value_find_u64(&map, "depth", 0) == UINT64_MAX);
  assert_int_equal(trp_value_find_u64(&map, "hidden", 11), 11);
  assert_int_equal(trp_value_find_u64(&map, "below", 12), 12);
  assert_true(trp_value_find_f64(&map, "price", 0) == 2.5);
  assert_true(trp_value_find_f64(&map, "below", 0) == -5);
  assert_true(trp_value_find_f64(&map, "depth", 1.5) == 1.5); /* no double holds it exactly */
  assert_true(trp_value_find_bool(&map, "live", false));
  assert_true(trp_value_find_text(&map, "name", text, sizeof text));
  assert_string_equal(text, "binance");
  assert_false(trp_value_find_text(&map, "name", text, sizeof text - 1));
  assert_string_equal(text, "");
  assert_true(trp_value_find(&map, "inner", &value));
  assert_int_equal(trp_value_find_u64(&value, "hidden", 0), 5);
  assert_false(trp_value_find(&map, "nobody", &value));
  trp_pack_fini(&pack);
}

static void json_escapes_and_keeps_numbers_exact(void **unused) {
  struct trp_pack pack;
  (void)unused;
  trp_pack_init(&pack, 4096);
  trp_pack_array(&pack, 14);
  trp_pack_text(&pack, "\"\\/\b\n\r\t\x1f\x7f é€");
  trp_pack_text(&pack, "bad\xff");
  trp_pack_u64(&pack, UINT64_MAX);
  trp_pack_i64(&pack, INT64_MIN);
  trp_pack_bool(&pack, false);
  trp_pack_nil(&pack);
  trp_pack_f64(&pack, 0.1);
  trp_pack_f64(&pack, 0.1 + 0.2);
  trp_pack_f64(&pack, DBL_MAX);
  trp_pack_f64(&pack, 5e-324);
  trp_pack_f64(&pack, -0.0);
  trp_pack_f64(&pack, (double)NAN);
  trp_pack_f64(&pack, 64234.25);
  trp_pack_map(&pack, 0);
  assert_string_equal(pack_json(&pack),
                      "[\"\\\"\\\\/\\u0008\\n\\r\\t\\u001f\\u007f é€\",\"bad?\","
                      "18446744073709551615,-9223372036854775808,false,null,0.1,"
                      "0.30000000000000004,1.7976931348623157e+308,4.94065645841247e-324,-0,null,"
                      "64234.25,{}]");
  trp_pack_fini(&pack);
}

static void every_double_reads_back_from_json_the_same(void **unused) {
  uint64_t state = 88172645463325252u;
  char text[32];
  (void)unused;
  for (int i = 0; i < 100000; i++) {
    double number;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    memcpy(&number, &state, sizeof number);
    if (!isfinite(number)) continue;
    size_t bytes = trp_json_double(number, text);
    assert_int_equal(bytes, strlen(text));
    assert_true(strtod(text, NULL) == number);
  }
}

static void a_decimal_comma_does_not_get_into_json(void **unused) {
  char text[32];
  (void)unused;
  const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ps_AF"};
  size_t i = 0;
  while (i < 4 && setlocale(LC_NUMERIC, locales[i]) == NULL) i++;
  if (i == 4) {
    print_message("no locale with a decimal comma is installed: skipped\n");
    skip();
  }
  trp_json_double(1.5, text);
  setlocale(LC_NUMERIC, "C");
  assert_string_equal(text, "1.5");
}

static bool refuse(void *to, const char *text, size_t bytes) {
  (void)text;
  (void)bytes;
  ++*(int *)to;
  return false;
}

static void a_sink_that_refuses_is_not_asked_again(void **unused) {
  struct trp_value value;
  size_t used;
  int asked = 0;
  (void)unused;
  assert_int_equal(trp_value_open("\x93\x01\x02\x03", 4, &used, &value), TRP_OK);
  assert_int_equal(trp_value_json(&value, refuse, &asked), TRP_SYSTEM);
  assert_int_equal(asked, 1);
}

/* ---- the page ------------------------------------------------------------------------------- */

static void the_page_lists_every_verb(void **unused) {
  static const char *const needs[] = {"-", "may", "must"};
  char row[256];
  size_t count;
  (void)unused;
  char *page = md_read();
  assert_non_null(page);
  const struct trp_verb *verbs = trp_verb_list(&count);
  for (size_t i = 0; i < count; i++) {
    snprintf(row, sizeof row, "| %s | %s | %s | %s | %s |", verbs[i].verb, needs[verbs[i].name],
             needs[verbs[i].argument], verbs[i].acts ? "yes" : "no", verbs[i].help);
    if (!md_has_line(page, row)) fail_msg("protocol.md lacks: %s", row);
  }
  free(page);
}

static void check_request(const struct md_example *shown) {
  struct trp_request request;
  assert_int_equal(decode_exact(shown->bytes, shown->count, &request), TRP_OK);
  assert_int_equal(encode(&request), shown->count);
  assert_memory_equal(encoded, shown->bytes, shown->count);
}

static void check_answer(const struct md_example *shown) {
  struct trp_answer answer;
  assert_int_equal(trp_answer_decode(shown->bytes, shown->count, &answer), TRP_OK);
  struct trp_pack pack;
  trp_pack_init(&pack, ROOM);
  trp_answer_begin(&pack, answer.id, (enum trp_err)answer.status, answer.text);
  size_t before = pack.bytes;
  assert_memory_equal(pack.data, shown->bytes, before); /* up to the body, of any shape */
  trp_pack_fini(&pack);
}

static void the_pages_requests_and_answers_mean_what_it_says(void **unused) {
  struct md_example shown;
  size_t requests = 0;
  size_t answers = 0;
  (void)unused;
  char *page = md_read();
  assert_non_null(page);
  const char *at = page;
  while ((at = md_next(at, &shown)) != NULL) {
    if (strcmp(shown.kind, "message") == 0) continue;
    assert_string_equal(to_json(shown.bytes, shown.count), shown.json);
    if (strcmp(shown.kind, "request") == 0) {
      check_request(&shown);
      requests++;
    } else {
      assert_string_equal(shown.kind, "answer");
      check_answer(&shown);
      answers++;
    }
  }
  assert_string_equal(shown.kind, ""); /* else a block is broken */
  assert_int_equal(requests, 2);
  assert_int_equal(answers, 2);
  free(page);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_of_every_verb_comes_back_equal),
      cmocka_unit_test(what_a_verb_needs_and_does_not_take_is_checked),
      cmocka_unit_test(a_request_that_is_not_understood_is_refused_whole),
      cmocka_unit_test(a_request_survives_no_cut_and_no_flip_unnoticed),
      cmocka_unit_test(an_answer_carries_a_body_of_any_shape),
      cmocka_unit_test(an_answer_beyond_its_limit_becomes_a_plain_refusal),
      cmocka_unit_test(an_answer_needs_all_its_keys_and_no_other),
      cmocka_unit_test(a_wrong_count_is_told_at_the_end),
      cmocka_unit_test(an_open_array_holds_what_its_head_can_say),
      cmocka_unit_test(a_buffer_of_the_callers_is_never_overrun),
      cmocka_unit_test(a_message_becomes_a_map_of_its_fields),
      cmocka_unit_test(members_are_found_by_key_or_fall_back),
      cmocka_unit_test(json_escapes_and_keeps_numbers_exact),
      cmocka_unit_test(every_double_reads_back_from_json_the_same),
      cmocka_unit_test(a_decimal_comma_does_not_get_into_json),
      cmocka_unit_test(a_sink_that_refuses_is_not_asked_again),
      cmocka_unit_test(the_page_lists_every_verb),
      cmocka_unit_test(the_pages_requests_and_answers_mean_what_it_says),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
