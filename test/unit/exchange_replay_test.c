/* The market from a recording: every stream's frames, byte by byte, in time and in order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/capture.h"
#include "adapters/exchange_binance.h"
#include "adapters/exchange_replay.h"

#define MS 1000000ull
#define RECORDING "../shared/data/binance/capture-2021-10.ws.txt"
#define SNAPSHOTS "../shared/data/binance/capture-2021-10.http.txt"

static const char capture_text[] =
    "wss://x/stream?streams=a <-> 1600000000.000000\n"
    "wss://x/stream <- 1600000000.100000: {\"method\":\"SUBSCRIBE\",\"params\":[],\"id\":1}\n"
    "1600000000.200000: {\"result\":null,\"id\":1}\n"
    "1600000001.000000: {\"stream\":\"abcusdt@bookTicker\",\"data\":{\"u\":1,\"s\":\"ABCUSDT\","
    "\"b\":\"1\",\"B\":\"2\",\"a\":\"3\",\"A\":\"4\"}}\n"
    "\n"
    "1600000001.250000: {\"stream\":\"xyzusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\","
    "\"E\":5,\"s\":\"XYZUSDT\",\"U\":7,\"u\":8,\"b\":[],\"a\":[]}}\n"
    "nonsense\n"
    "1600000001.500000: {\"stream\":\"abcusdt@bookTicker\",\"data\":{\"u\":2}}\n"
    "1600000003.000000: {\"u\":3,\"s\":\"ABCUSDT\",\"b\":\"1\",\"B\":\"2\",\"a\":\"3\",\"A\":"
    "\"4\"}\n"
    "1600000003.000000: {\"e\":\"kline\",\"E\":6,\"s\":\"ABCUSDT\",\"k\":{\"i\":\"1m\"}}\n";

static const char snapshots_text[] =
    "https://h/api/v3/depth?symbol=ABCUSDT&limit=1000 -> 1600000000.5: {\"lastUpdateId\":1,"
    "\"bids\":[[\"1.5\",\"2\"]],\"asks\":[[\"1.6\",\"3\"]]}\n"
    "https://h/api/v3/depth?symbol=ABCUSDT&limit=1000 -> 1600000001.5: {\"lastUpdateId\":9}\n"
    "https://h/api/v3/depth?limit=5&symbol=NEWUSDT -> 1600000001.5: {\"lastUpdateId\":5}\n";

static char capture_path[] = "/tmp/troupe-replay-XXXXXX";
static char snapshots_path[] = "/tmp/troupe-replay-XXXXXX";

static int write_file(char *path, const char *bytes) {
  int fd = mkstemp(path);
  ssize_t size = (ssize_t)strlen(bytes);
  return fd >= 0 && write(fd, bytes, (size_t)size) == size && close(fd) == 0 ? 0 : -1;
}

static int set_up(void **state) {
  (void)state;
  return write_file(capture_path, capture_text) | write_file(snapshots_path, snapshots_text);
}

static int tear_down(void **state) {
  (void)state;
  return unlink(capture_path) | unlink(snapshots_path);
}

static struct trp_replay *opened(const char *capture, const char *snapshots, double speed) {
  struct trp_replay *replay;
  char why[256] = "";
  enum trp_err err = trp_replay_open(
      &replay,
      &(struct trp_replay_options){.capture = capture, .snapshots = snapshots, .speed = speed}, why,
      sizeof why);
  assert_string_equal("", why);
  assert_int_equal(TRP_OK, err);
  return replay;
}

static void streams_and_symbols_are_found(void **state) {
  (void)state;
  struct trp_replay *replay = opened(capture_path, snapshots_path, 1);
  assert_int_equal(3, trp_replay_stream_count(replay));
  assert_string_equal("xyzusdt@depth@100ms",
                      trp_replay_stream(replay, trp_replay_find(replay, "xyzusdt@depth@100ms")));
  assert_int_not_equal(TRP_REPLAY_NONE, trp_replay_find(replay, "abcusdt@kline_1m"));
  assert_int_equal(TRP_REPLAY_NONE, trp_replay_find(replay, "abcusdt@trade"));
  assert_int_equal(TRP_REPLAY_NONE, trp_replay_find(replay, ""));
  assert_int_equal(3, trp_replay_symbol_count(replay));
  assert_string_equal("ABCUSDT", trp_replay_symbol(replay, 0));
  assert_string_equal("NEWUSDT", trp_replay_symbol(replay, 2));
  assert_null(trp_replay_symbol(replay, 3));
  assert_int_equal(2, trp_replay_skipped(replay)); /* the acknowledgement and the nonsense */
  trp_replay_close(&replay);
  trp_replay_close(&replay);
}

static void frames_come_at_their_time_divided_by_the_speed(void **state) {
  (void)state;
  static const struct {
    double speed;
    uint64_t due[3];
  } cases[] = {{1, {0, 500, 2000}}, {4, {0, 125, 500}}, {0, {0, 0, 0}}, {0.5, {0, 1000, 4000}}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct trp_replay *replay = opened(capture_path, NULL, cases[i].speed);
    struct trp_replay_cursor cursor =
        trp_replay_start(trp_replay_find(replay, "abcusdt@bookTicker"), 70 * MS);
    for (int n = 0; n < 3; n++) {
      assert_true(trp_replay_due_ns(replay, &cursor) == (70 + cases[i].due[n]) * MS);
      cursor.next++;
    }
    assert_true(trp_replay_due_ns(replay, &cursor) == UINT64_MAX);
    cursor = trp_replay_start(TRP_REPLAY_NONE, 0);
    assert_true(trp_replay_due_ns(replay, &cursor) == UINT64_MAX);
    trp_replay_close(&replay);
  }
}

static void frames_are_told_byte_by_byte_with_and_without_wrapping(void **state) {
  (void)state;
  struct trp_replay *replay = opened(capture_path, NULL, 1);
  struct trp_replay_cursor cursor =
      trp_replay_start(trp_replay_find(replay, "abcusdt@bookTicker"), 0);
  cursor.next = 1;
  struct trp_replay_frame frame = trp_replay_frame(replay, &cursor);
  const char *whole = "{\"stream\":\"abcusdt@bookTicker\",\"data\":{\"u\":2}}";
  assert_true(frame.combined);
  assert_int_equal(strlen(whole), frame.size);
  assert_memory_equal(whole, frame.bytes, frame.size);
  assert_int_equal(7, frame.data_size);
  assert_memory_equal("{\"u\":2}", frame.data, 7);
  cursor.next = 2;
  frame = trp_replay_frame(replay, &cursor);
  assert_false(frame.combined);
  assert_ptr_equal(frame.bytes, frame.data);
  assert_memory_equal("{\"u\":3,", frame.data, 7);
  trp_replay_close(&replay);
}

static void depth_over_rest_is_the_recorded_answer(void **state) {
  (void)state;
  struct trp_replay *replay = opened(capture_path, snapshots_path, 1);
  struct trp_exchange_market market = {.replay = replay};
  struct trp_exchange_meter meter = {0};
  struct trp_exchange_response response;
  struct trp_exchange_text body = {0};
  trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET",
                    "/api/v3/depth?symbol=ABCUSDT&limit=5", 0, &response, &body);
  assert_int_equal(200, response.status);
  assert_string_equal("{\"lastUpdateId\":1,\"bids\":[[\"1.5\",\"2\"]],\"asks\":[[\"1.6\",\"3\"]]}",
                      body.bytes);
  trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET",
                    "/api/v3/ticker/bookTicker?symbol=ABCUSDT", 0, &response, &body);
  assert_string_equal(
      "{\"symbol\":\"ABCUSDT\",\"bidPrice\":\"1.5\",\"bidQty\":\"2\",\"askPrice\":"
      "\"1.6\",\"askQty\":\"3\"}",
      body.bytes);
  trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET", "/api/v3/depth?symbol=XYZUSDT",
                    0, &response, &body);
  assert_int_equal(400, response.status); /* a symbol without a recorded snapshot */
  trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET", "/api/v3/exchangeInfo", 0,
                    &response, &body);
  assert_int_equal(200, response.status);
  assert_non_null(strstr(body.bytes, "\"baseAsset\":\"XYZ\""));
  trp_exchange_rest(&trp_exchange_binance, &market, &meter, "GET", "/api/v3/ticker/24hr", 0,
                    &response, &body);
  assert_int_equal(200, response.status);
  trp_exchange_text_free(&body);
  trp_replay_close(&replay);
}

static void what_cannot_be_played_is_named(void **state) {
  (void)state;
  struct trp_replay *replay;
  char why[256] = "";
  struct trp_replay_options options = {.capture = "/nonexistent/file"};
  assert_int_equal(TRP_INVALID, trp_replay_open(&replay, &options, why, sizeof why));
  assert_non_null(strstr(why, "/nonexistent/file"));
  options.capture = "/tmp"; /* no plain file */
  assert_int_equal(TRP_INVALID, trp_replay_open(&replay, &options, why, sizeof why));
  options.capture = snapshots_path; /* no frames in it */
  assert_int_equal(TRP_INVALID, trp_replay_open(&replay, &options, why, sizeof why));
  assert_non_null(strstr(why, "no frame"));
  options = (struct trp_replay_options){.capture = capture_path, .snapshots = "/nonexistent"};
  assert_int_equal(TRP_INVALID, trp_replay_open(&replay, &options, why, sizeof why));
  assert_string_equal("/nonexistent: No such file or directory", why);
  assert_null(replay);
}

/* What is due next of all that a session has subscribed to: as the actor does it. */
static struct trp_replay_cursor *earliest(const struct trp_replay *replay,
                                          struct trp_exchange_session *session) {
  struct trp_replay_cursor *first = NULL;
  uint64_t order = UINT64_MAX;
  for (uint32_t i = 0; i < session->count; i++) {
    struct trp_replay_cursor *cursor = &session->subs[i].cursor;
    if (trp_replay_due_ns(replay, cursor) != UINT64_MAX &&
        trp_replay_frame(replay, cursor).order < order) {
      order = trp_replay_frame(replay, cursor).order;
      first = cursor;
    }
  }
  return first;
}

static void subscribe_all(const struct trp_exchange_market *market,
                          struct trp_exchange_session *session) {
  assert_int_equal(TRP_OK, trp_exchange_binance_open(session, market, "/stream", 0));
  struct trp_exchange_text request = {0};
  struct trp_exchange_text reply = {0};
  trp_exchange_text_add(&request, "{\"method\":\"SUBSCRIBE\",\"params\":[");
  for (uint32_t i = 0; i < trp_replay_stream_count(market->replay); i++) {
    trp_exchange_text_add(&request, "%s\"%s\"", i > 0 ? "," : "",
                          trp_replay_stream(market->replay, i));
  }
  trp_exchange_text_add(&request, "],\"id\":1}");
  trp_exchange_binance_handle(session, market, request.bytes, request.size, 0, &reply);
  assert_string_equal("{\"result\":null,\"id\":1}", reply.bytes);
  trp_exchange_text_free(&request);
  trp_exchange_text_free(&reply);
}

static void a_real_recording_comes_out_whole_and_in_order(void **state) {
  (void)state;
  FILE *file = fopen(RECORDING, "re");
  if (file == NULL) {
    print_message("skipped: %s is not here\n", RECORDING);
    skip();
  }
  struct trp_replay *replay = opened(RECORDING, SNAPSHOTS, 0);
  struct trp_exchange_market market = {.replay = replay};
  struct trp_exchange_session session;
  subscribe_all(&market, &session);
  struct trp_capture *capture;
  struct trp_capture_line line;
  uint32_t frames = 0;
  assert_int_equal(TRP_OK, trp_capture_new(&capture, file));
  for (;;) {
    assert_int_equal(TRP_OK, trp_capture_next(capture, &line));
    if (line.kind == TRP_CAPTURE_END) {
      break;
    }
    if (line.kind != TRP_CAPTURE_RECEIVED) {
      continue;
    }
    struct trp_replay_cursor *cursor = earliest(replay, &session);
    assert_non_null(cursor);
    struct trp_replay_frame frame = trp_replay_frame(replay, cursor);
    assert_int_equal(line.size, frame.size);
    assert_memory_equal(line.text, frame.bytes, frame.size);
    cursor->next++;
    frames++;
  }
  assert_null(earliest(replay, &session));
  assert_int_equal(177 + 84 + 2 + 2, frames);
  static const char *const symbols[] = {"NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"};
  for (size_t i = 0; i < 4; i++) {
    size_t size;
    const char *snapshot = trp_replay_snapshot(replay, symbols[i], &size);
    assert_non_null(snapshot);
    assert_memory_equal("{\"lastUpdateId\":", snapshot, 16);
  }
  trp_capture_destroy(&capture);
  fclose(file);
  trp_exchange_subs_fini(&session);
  trp_replay_close(&replay);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_and_symbols_are_found),
      cmocka_unit_test(frames_come_at_their_time_divided_by_the_speed),
      cmocka_unit_test(frames_are_told_byte_by_byte_with_and_without_wrapping),
      cmocka_unit_test(depth_over_rest_is_the_recorded_answer),
      cmocka_unit_test(what_cannot_be_played_is_named),
      cmocka_unit_test(a_real_recording_comes_out_whole_and_in_order),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
