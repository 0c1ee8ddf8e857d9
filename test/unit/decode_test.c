/* The subcommand as a person runs it: files in, standard output and status out. The real recording,
 * where it is present, is the oracle: after every diff the book's best must be the latest quote's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/cli/cli.h"

#define CAPTURE "../shared/data/binance/capture-2021-10.ws.txt"
#define SNAPSHOTS "../shared/data/binance/capture-2021-10.http.txt"
#define GATE_CAPTURE "../shared/data/gateio/capture-2021-04.ws.txt"
#define GATE_SNAPSHOTS "../shared/data/gateio/capture-2021-04.http.txt"
#define MEXC_FRAMES "../shared/data/mexc/"

static char folder[64];
static char *output, *complaints; /* of the last run */

static void path_of(const char *name, char out[128]) { snprintf(out, 128, "%s/%s", folder, name); }

static void write_bytes(const char *name, const void *bytes, size_t size) {
  char path[128];
  path_of(name, path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  fclose(file);
}

static void write_file(const char *name, const char *text) {
  write_bytes(name, text, strlen(text));
}

static char *read_file(const char *name) {
  char path[128];
  path_of(name, path);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  char *text = calloc(1, 1 << 20);
  size_t size = fread(text, 1, (1 << 20) - 1, file);
  text[size] = '\0';
  fclose(file);
  return text;
}

static int redirect(int fd, const char *name) {
  char path[128];
  path_of(name, path);
  int saved = dup(fd);
  int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  dup2(file, fd);
  close(file);
  return saved;
}

static void restore(int fd, int saved) {
  dup2(saved, fd);
  close(saved);
}

/* Runs it with these arguments behind "decode". */
static int run_with(const char *const *arguments) {
  char *argv[8] = {(char *)(uintptr_t) "decode"};
  int argc = 1;
  for (; *arguments != NULL && argc < 7; arguments++) argv[argc++] = (char *)(uintptr_t)*arguments;
  fflush(NULL);
  int out = redirect(STDOUT_FILENO, "out"), err = redirect(STDERR_FILENO, "err");
  int status = trp_cli_decode(argc, argv);
  fflush(NULL);
  restore(STDOUT_FILENO, out);
  restore(STDERR_FILENO, err);
  free(output);
  free(complaints);
  output = read_file("out");
  complaints = read_file("err");
  return status;
}

#define RUN(...) run_with((const char *const[]){__VA_ARGS__, NULL})

static int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/troupe-decode-XXXXXX");
  return mkdtemp(folder) != NULL ? 0 : -1;
}

static int drop_folder(void **state) {
  static const char *const names[] = {"out", "err", "capture", "snapshots"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[128];
    path_of(names[i], path);
    unlink(path);
  }
  free(output);
  free(complaints);
  return rmdir(folder);
}

static int decode_as(const char *dialect, bool with_snapshots) {
  char capture[128], snapshots[128];
  path_of("capture", capture);
  path_of("snapshots", snapshots);
  return with_snapshots ? RUN(dialect, "--snapshots", snapshots, capture) : RUN(dialect, capture);
}

static int decode_files(bool with_snapshots) { return decode_as("binance", with_snapshots); }

#define DIFF(first, final, bids, asks)                                                             \
  "1.5: {\"stream\":\"a@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"AB\","       \
  "\"U\":" #first ",\"u\":" #final ",\"b\":[" bids "],\"a\":[" asks "]}}\n"
#define SNAPSHOT(id)                                                                               \
  "https://x/api/v3/depth?symbol=AB&limit=1000 -> 1.2: {\"lastUpdateId\":" #id                     \
  ",\"bids\":[[\"1.5\",\"1\"],[\"1.4\",\"2\"]],\"asks\":[[\"1.6\",\"3\"]]}\n"

static void quotes_trades_and_books_are_printed_in_order(void **state) {
  (void)state;
  write_file("snapshots", SNAPSHOT(10));
  write_file("capture",
             "wss://x/stream <-> 1.0\n"
             "wss://x/stream <- 1.1: {\"method\":\"SUBSCRIBE\"}\n"
             "1.2: {\"result\":null,\"id\":1}\n"
             "\n" DIFF(8, 9, "", "") DIFF(10, 11, "[\"1.55\",\"4\"]", "")
             "1.6: {\"u\":11,\"s\":\"AB\",\"b\":\"1.55000000\",\"B\":\"4\","
             "\"a\":\"1.6\",\"A\":\"3\"}\r\n"
             "1.7: {\"e\":\"aggTrade\",\"E\":2,\"s\":\"AB\",\"a\":77,\"p\":\"0.00000638\","
             "\"q\":\"177.0\","
             "\"f\":1,\"l\":1,\"T\":2,\"m\":true,\"M\":true}\n"
             "1.8: {\"stream\":\"ab@kline_1m\",\"data\":{\"e\":\"kline\",\"E\":1}}\n"
             DIFF(12, 12, "[\"1.55\",\"0\"]", "[\"1.6\",\"0\"]"));
  assert_int_equal(decode_files(true), 0);
  assert_string_equal(output,
                      "{\"type\":\"book\",\"symbol\":\"AB.BINANCE\",\"seq\":11,\"bid\":1.55,\"bid_"
                      "size\":4,\"ask\":1.6,"
                      "\"ask_size\":3,\"bids\":3,\"asks\":1}\n"
                      "{\"type\":\"quote\",\"symbol\":\"AB.BINANCE\",\"seq\":11,\"bid\":1.55,\"bid_"
                      "size\":4,\"ask\":1.6,"
                      "\"ask_size\":3}\n"
                      "{\"type\":\"trade\",\"symbol\":\"AB.BINANCE\",\"price\":6.38e-06,\"size\":"
                      "177,\"side\":\"sell\","
                      "\"id\":77}\n"
                      "{\"type\":\"book\",\"symbol\":\"AB.BINANCE\",\"seq\":12,\"bid\":1.5,\"bid_"
                      "size\":1,\"ask\":0,"
                      "\"ask_size\":0,\"bids\":2,\"asks\":0}\n");
  assert_string_equal(complaints, "");
}

static void without_snapshots_there_are_no_books(void **state) {
  (void)state;
  write_file("capture", DIFF(8, 9, "", "") DIFF(10, 11, "", ""));
  assert_int_equal(decode_files(false), 0);
  assert_string_equal(output, "");
}

static void a_gap_is_printed_and_the_next_snapshot_that_fits_is_taken(void **state) {
  (void)state;
  write_file("snapshots", SNAPSHOT(10) SNAPSHOT(11) SNAPSHOT(20));
  write_file("capture",
             DIFF(11, 11, "", "") DIFF(13, 14, "", "") DIFF(15, 20, "", "") DIFF(21, 21, "", ""));
  assert_int_equal(decode_files(true), 0);
  assert_non_null(strstr(output, "\"seq\":11,"));
  assert_non_null(strstr(output,
                         "{\"type\":\"gap\",\"symbol\":\"AB.BINANCE\",\"expected\":12,"
                         "\"got\":13}\n"));
  assert_null(strstr(output, "\"seq\":20,"));
  assert_non_null(strstr(output, "\"seq\":21,"));
}

static void a_snapshot_from_before_the_capture_is_a_gap(void **state) {
  (void)state;
  write_file("snapshots", SNAPSHOT(5) SNAPSHOT(6));
  write_file("capture", DIFF(11, 11, "", "") DIFF(12, 14, "", ""));
  assert_int_equal(decode_files(true), 0);
  assert_string_equal(output,
                      "{\"type\":\"gap\",\"symbol\":\"AB.BINANCE\",\"expected\":7,\"got\":11}\n");
}

static void a_snapshot_within_the_capture_comes_at_its_place(void **state) {
  (void)state;
  write_file("capture", DIFF(9, 10, "", "") DIFF(11, 12, "", "") SNAPSHOT(10) DIFF(13, 13, "", ""));
  assert_int_equal(decode_files(false), 0);
  assert_non_null(strstr(output, "\"seq\":12,"));
  assert_non_null(strstr(output, "\"seq\":13,"));
  assert_null(strstr(output, "\"seq\":10,"));
}

static void a_bad_line_is_named_and_decoding_goes_on(void **state) {
  (void)state;
  write_file("capture",
             "hello\n1.0: {\"u\":\n1.0: {\"u\":1,\"s\":\"AB\",\"b\":\"x\",\"B\":\"1\",\"a\":\"1\","
             "\"A\":\"1\"}\n"
             "1.0: {\"u\":1,\"s\":\"AB\",\"b\":\"1\",\"B\":\"1\",\"a\":\"1\",\"A\":\"1\"}\n");
  assert_int_equal(decode_files(false), 1);
  assert_non_null(strstr(output, "\"type\":\"quote\""));
  assert_non_null(strstr(complaints, "capture:1: "));
  assert_non_null(strstr(complaints, "capture:2: "));
  assert_non_null(strstr(complaints, "capture:3: "));
  assert_null(strstr(complaints, "capture:4: "));
}

static void wrong_use_is_status_two(void **state) {
  (void)state;
  assert_int_equal(run_with((const char *const[]){NULL}), 2);
  assert_int_equal(RUN("binance"), 2);
  assert_int_equal(RUN("nasdaq", "file"), 2);
  assert_int_equal(RUN("binance", "--snapshot"), 2);
  assert_int_equal(RUN("binance", "--frobnicate", "file"), 2);
  assert_int_equal(RUN("binance", "a", "b"), 2);
  assert_int_equal(RUN("binance", "/nonexistent/file"), 2);
  assert_non_null(strstr(complaints, "/nonexistent/file"));
}

/* ---- Gate.io -------------------------------------------------------------------------------- */

#define GATE(channel, result)                                                                      \
  "1.5: {\"time\":1,\"channel\":\"" channel "\",\"event\":\"update\",\"result\":" result "}\n"
#define GATE_DIFF(first, final, bids)                                                              \
  GATE("spot.order_book_update",                                                                   \
       "{\"t\":1,\"e\":\"depthUpdate\",\"E\":1,\"s\":\"A_B\",\"U\":" #first ",\"u\":" #final       \
       ",\"b\":[" bids "],\"a\":[]}")
#define GATE_SNAPSHOT(id)                                                                          \
  "https://x/api/v4/spot/order_book?currency_pair=A_B&limit=100&with_id=true -> 1.2: {\"id\":" #id \
  ",\"asks\":[[\"1.6\",\"3\"]],\"bids\":[[\"1.5\",\"1\"],[\"1.4\",\"2\"]]}\n"

static void gate_has_quotes_trades_and_books_but_none_from_tickers(void **state) {
  (void)state;
  write_file("snapshots", GATE_SNAPSHOT(10));
  write_file("capture",
             "wss://x/ws/v4/ <- 1.1: {\"channel\":\"spot.trades\",\"event\":\"subscribe\"}\n"
             "1.2: {\"time\":1,\"channel\":\"spot.trades\",\"event\":\"subscribe\",\"result\":{"
             "\"status\":\"success\"}}\n" GATE_DIFF(9, 10, "") GATE_DIFF(10, 12, "[\"1.55\",\"4\"]")
                 GATE("spot.tickers", "{\"currency_pair\":\"A_B\",\"last\":\"1\"}") GATE(
                     "spot.book_ticker",
                     "{\"t\":1,\"u\":12,\"s\":\"A_B\",\"b\":\"1.55\",\"B\":\"4\",\"a\":\"1.6\","
                     "\"A\":\"3\"}") GATE("spot.trades",
                                          "{\"id\":7,\"create_time\":1,\"create_time_ms\":"
                                          "\"1000.5\",\"side\":\"buy\",\"currency_pair\":"
                                          "\"A_B\",\"amount\":\"0.20\",\"price\":\"1.6\"}")
                     GATE_DIFF(14, 15, ""));
  assert_int_equal(decode_as("gateio", true), 0);
  assert_string_equal(output,
                      "{\"type\":\"book\",\"symbol\":\"AB.GATEIO\",\"seq\":12,\"bid\":1.55,"
                      "\"bid_size\":4,\"ask\":1.6,\"ask_size\":3,\"bids\":3,\"asks\":1}\n"
                      "{\"type\":\"quote\",\"symbol\":\"AB.GATEIO\",\"seq\":12,\"bid\":1.55,"
                      "\"bid_size\":4,\"ask\":1.6,\"ask_size\":3}\n"
                      "{\"type\":\"trade\",\"symbol\":\"AB.GATEIO\",\"price\":1.6,\"size\":0.2,"
                      "\"side\":\"buy\",\"id\":7}\n"
                      "{\"type\":\"gap\",\"symbol\":\"AB.GATEIO\",\"expected\":13,\"got\":14}\n");
}

#define OBU(rest)                                                                                  \
  "1.5: {\"channel\":\"spot.obu\",\"result\":{\"t\":1," rest                                       \
  "},\"time_ms\":2,\"event\":\"update\"}\n"

static void an_obu_book_starts_with_its_own_snapshot_and_again_after_a_gap(void **state) {
  (void)state;
  write_file("capture",
             OBU("\"full\":true,\"s\":\"ob.A_B.50\",\"u\":10,\"b\":[[\"1\",\"2\"]],\"a\":[[\"3\","
                 "\"4\"]]") OBU("\"s\":\"ob.A_B.50\",\"u\":12,\"U\":11,\"a\":[[\"2\",\"5\"]]")
                 OBU("\"s\":\"ob.A_B.50\",\"u\":15,\"U\":14,\"b\":[[\"1\",\"9\"]]")
                     OBU("\"full\":true,\"s\":\"ob.A_B.50\",\"u\":5,\"b\":[[\"1\",\"7\"]]"));
  assert_int_equal(decode_as("gateio", false), 0);
  assert_string_equal(output,
                      "{\"type\":\"book\",\"symbol\":\"AB.GATEIO\",\"seq\":10,\"bid\":1,"
                      "\"bid_size\":2,\"ask\":3,\"ask_size\":4,\"bids\":1,\"asks\":1}\n"
                      "{\"type\":\"book\",\"symbol\":\"AB.GATEIO\",\"seq\":12,\"bid\":1,"
                      "\"bid_size\":2,\"ask\":2,\"ask_size\":5,\"bids\":1,\"asks\":2}\n"
                      "{\"type\":\"gap\",\"symbol\":\"AB.GATEIO\",\"expected\":13,\"got\":14}\n"
                      "{\"type\":\"book\",\"symbol\":\"AB.GATEIO\",\"seq\":5,\"bid\":1,"
                      "\"bid_size\":7,\"ask\":0,\"ask_size\":0,\"bids\":1,\"asks\":0}\n");
}

/* ---- MEXC ----------------------------------------------------------------------------------- */

/* The channel "spot" and the symbol "AB". */
#define MEXC_HEAD "0a0473706f741a024142"

static void mexc_frames_stand_in_a_capture_as_digits(void **state) {
  (void)state;
  write_file("capture",
             "wss://x/ws <- 1.0: {\"method\":\"SUBSCRIPTION\"}\n"
             "1.1: {\"id\":0,\"code\":0,\"msg\":\"spot@public.aggre.depth\"}\n"
             "https://x/api/v3/depth?symbol=AB&limit=1000 -> 1.2: {\"lastUpdateId\":10,\"bids\":[["
             "\"1.5\",\"1\"]],\"asks\":[[\"1.6\",\"3\"]]}\n"
             /* from 11 to 12: a bid of 1.55 for 4 */
             "1.3: hex:" MEXC_HEAD
             "CA1313"
             "1209"
             "0a04312e3535"
             "120134"
             "22023131"
             "2a023132\n"
             /* from 12 to 13: overlaps, a gap here */
             "1.4: hex:" MEXC_HEAD
             "ca1308"
             "22023132"
             "2a023133\n");
  assert_int_equal(decode_as("mexc", false), 0);
  assert_string_equal(output,
                      "{\"type\":\"book\",\"symbol\":\"AB.MEXC\",\"seq\":12,\"bid\":1.55,"
                      "\"bid_size\":4,\"ask\":1.6,\"ask_size\":3,\"bids\":2,\"asks\":1}\n"
                      "{\"type\":\"gap\",\"symbol\":\"AB.MEXC\",\"expected\":13,\"got\":12}\n");
}

static void mexc_frames_are_files_of_their_own_too(void **state) {
  (void)state;
  static const char quote[] =
      "\x0a\x04spot\x1a\x02"
      "AB\xda\x13\x0c\x0a\x01"
      "1\x12\x01"
      "2\x1a\x01"
      "3\x22\x01"
      "4";
  char capture[128], second[128];
  path_of("capture", capture);
  path_of("snapshots", second);
  write_bytes("capture", quote, sizeof quote - 1);
  write_file("snapshots",
             "\n1.0: {\"id\":0,\"code\":0,\"msg\":\"PONG\"}\n1.1: hex:0a04\n1.2: hex:0\n"
             "1.3: hex:zz\n1.4: hello\n");
  assert_int_equal(RUN("mexc", capture, capture), 0);
  const char *line =
      "{\"type\":\"quote\",\"symbol\":\"AB.MEXC\",\"seq\":0,\"bid\":1,\"bid_size\":2,\"ask\":3,"
      "\"ask_size\":4}\n";
  assert_true(strncmp(output, line, strlen(line)) == 0);
  assert_string_equal(output + strlen(line), line);
  assert_int_equal(RUN("mexc", second, capture), 1);
  assert_string_equal(output, line);
  assert_null(strstr(complaints, "snapshots:2: "));
  assert_non_null(strstr(complaints, "snapshots:3: "));
  assert_non_null(strstr(complaints, "snapshots:4: "));
  assert_non_null(strstr(complaints, "snapshots:5: "));
  assert_non_null(strstr(complaints, "snapshots:6: "));
  write_bytes("capture", quote, sizeof quote - 3);
  assert_int_equal(RUN("mexc", capture), 1);
  assert_non_null(strstr(complaints, "capture:1: "));
}

/* ---- the recordings ------------------------------------------------------------------------- */

struct row {
  char symbol[48];
  unsigned long long seq;
  double bid, bid_size, ask, ask_size;
  bool book;
};

static bool row_of(const char *line, struct row *out) {
  out->book = strncmp(line, "{\"type\":\"book\"", 14) == 0;
  return sscanf(line,
                "{\"type\":\"%*[a-z]\",\"symbol\":\"%47[^\"]\",\"seq\":%llu,\"bid\":%lf,\"bid_"
                "size\":%lf,"
                "\"ask\":%lf,\"ask_size\":%lf",
                out->symbol, &out->seq, &out->bid, &out->bid_size, &out->ask, &out->ask_size) == 6;
}

static size_t rows_of(const char *text, struct row *rows, size_t max) {
  size_t n = 0;
  for (const char *line = text; n < max && *line != '\0'; line = strchr(line, '\n') + 1)
    n += row_of(line, &rows[n]);
  return n;
}

/* The quote of the symbol with the highest id that is at most the book's. */
static const struct row *quote_for(const struct row *rows, size_t n, const struct row *book) {
  const struct row *best = NULL;
  for (size_t i = 0; i < n; i++)
    if (!rows[i].book && strcmp(rows[i].symbol, book->symbol) == 0 && rows[i].seq <= book->seq &&
        (best == NULL || rows[i].seq > best->seq))
      best = &rows[i];
  return best;
}

static void the_recordings_books_agree_with_its_quotes(void **state) {
  (void)state;
  if (access(CAPTURE, R_OK) != 0 || access(SNAPSHOTS, R_OK) != 0) {
    print_message("skipped: no recording at %s\n", CAPTURE);
    skip();
  }
  static struct row rows[1024];
  assert_int_equal(RUN("binance", "--snapshots", SNAPSHOTS, CAPTURE), 0);
  size_t n = rows_of(output, rows, 1024);
  uint32_t compared = 0;
  for (size_t i = 0; i < n; i++) {
    if (!rows[i].book) continue;
    const struct row *quote = quote_for(rows, n, &rows[i]);
    if (quote == NULL) continue;
    compared++;
    assert_true(quote->bid == rows[i].bid && quote->bid_size == rows[i].bid_size);
    assert_true(quote->ask == rows[i].ask && quote->ask_size == rows[i].ask_size);
  }
  assert_int_equal(compared, 159);
  assert_null(strstr(output, "\"gap\""));
}

static bool is_there(const char *path) {
  if (access(path, R_OK) == 0) return true;
  print_message("skipped: no recording at %s\n", path);
  return false;
}

static uint32_t count_of(const char *what) {
  uint32_t n = 0;
  for (const char *at = output; (at = strstr(at, what)) != NULL; at++) n++;
  return n;
}

/* 172 updates, of which 13 ended at or before their snapshot. */
static void gates_recorded_books_are_rebuilt_without_a_gap(void **state) {
  (void)state;
  if (!is_there(GATE_CAPTURE) || !is_there(GATE_SNAPSHOTS)) skip();
  static struct row rows[1024];
  assert_int_equal(RUN("gateio", "--snapshots", GATE_SNAPSHOTS, GATE_CAPTURE), 0);
  assert_int_equal(count_of("\"type\":\"book\""), 159);
  assert_int_equal(count_of("\"type\":\"trade\""), 9);
  assert_int_equal(count_of("\"type\":\"gap\""), 0);
  size_t n = rows_of(output, rows, 1024);
  assert_int_equal(n, 159);
  for (size_t i = 0; i < n; i++)
    assert_true(rows[i].bid < rows[i].ask && rows[i].bid_size > 0 && rows[i].ask_size > 0);
  const char *last =
      "{\"type\":\"book\",\"symbol\":\"DISUSDT.GATEIO\",\"seq\":1750488,\"bid\":121.5,"
      "\"bid_size\":0.148,\"ask\":122.23,\"ask_size\":0.00896999,\"bids\":100,"
      "\"asks\":100}\n";
  assert_string_equal(output + strlen(output) - strlen(last), last);
}

static void mexcs_recorded_frames_are_printed(void **state) {
  (void)state;
  const char *quote = MEXC_FRAMES "aggre_bookTicker_100ms_BTCUSDT_20260925.bin";
  const char *deals = MEXC_FRAMES "aggre_deals_100ms_BTCUSDT_20260925.bin";
  const char *top = MEXC_FRAMES "limit_depth_5_BTCUSDT_20260925.bin";
  if (!is_there(quote) || !is_there(deals) || !is_there(top)) skip();
  assert_int_equal(RUN("mexc", quote, deals, top), 0);
  assert_string_equal(
      output,
      "{\"type\":\"quote\",\"symbol\":\"BTCUSDT.MEXC\",\"seq\":82164153436,\"bid\":84270,"
      "\"bid_size\":0.006387,\"ask\":84270.01,\"ask_size\":5.42169969}\n"
      "{\"type\":\"trade\",\"symbol\":\"BTCUSDT.MEXC\",\"price\":84270,\"size\":0.00099829,"
      "\"side\":\"sell\",\"id\":\"731901896985399296X0_731901896985399297X0\"}\n"
      "{\"type\":\"trade\",\"symbol\":\"BTCUSDT.MEXC\",\"price\":84270,\"size\":0.00019169,"
      "\"side\":\"buy\",\"id\":\"731901896985399298X0_731901896985399299X0\"}\n"
      "{\"type\":\"book\",\"symbol\":\"BTCUSDT.MEXC\",\"seq\":82164155643,\"bid\":84270,"
      "\"bid_size\":0.006387,\"ask\":84270.01,\"ask_size\":5.42169969,\"bids\":5,\"asks\":5}\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(quotes_trades_and_books_are_printed_in_order),
      cmocka_unit_test(without_snapshots_there_are_no_books),
      cmocka_unit_test(a_gap_is_printed_and_the_next_snapshot_that_fits_is_taken),
      cmocka_unit_test(a_snapshot_from_before_the_capture_is_a_gap),
      cmocka_unit_test(a_snapshot_within_the_capture_comes_at_its_place),
      cmocka_unit_test(a_bad_line_is_named_and_decoding_goes_on),
      cmocka_unit_test(wrong_use_is_status_two),
      cmocka_unit_test(gate_has_quotes_trades_and_books_but_none_from_tickers),
      cmocka_unit_test(an_obu_book_starts_with_its_own_snapshot_and_again_after_a_gap),
      cmocka_unit_test(mexc_frames_stand_in_a_capture_as_digits),
      cmocka_unit_test(mexc_frames_are_files_of_their_own_too),
      cmocka_unit_test(the_recordings_books_agree_with_its_quotes),
      cmocka_unit_test(gates_recorded_books_are_rebuilt_without_a_gap),
      cmocka_unit_test(mexcs_recorded_frames_are_printed),
  };
  return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
