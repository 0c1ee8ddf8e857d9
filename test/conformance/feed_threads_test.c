/* The feed on real threads over real sockets: a recording served by the embedded exchange comes out
 * as decoding its file does, and a disconnect is done within two seconds from any state. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/symbol_table.h"
#include "adapters/cli/cli.h"
#include "adapters/decimal.h"
#include "test/support/feed_rig.h"

#define CAPTURE "../shared/data/binance/capture-2021-10.ws.txt"
#define SNAPSHOTS "../shared/data/binance/capture-2021-10.http.txt"

enum { LINES_MAX = 1024, LINE_BYTES = 256, WAIT_MS = 20000 };

/* ---- events as lines, in the order of each type and symbol ---- */

struct lines {
  char text[LINES_MAX][LINE_BYTES];
  uint32_t count;
};

static struct lines decoded, heard; /* large for a stack */

static char *next_line(struct lines *lines) {
  static char spare[LINE_BYTES];
  return lines->count < LINES_MAX ? lines->text[lines->count++] : spare;
}

/* Type and symbol are a line's first two fields, and a stable sort keeps the order within them. */
static size_t key_bytes(const char *line) {
  const char *comma = strchr(line, ',');
  comma = comma != NULL ? strchr(comma + 1, ',') : NULL;
  return comma != NULL ? (size_t)(comma - line) : strlen(line);
}

static int compare_keys(const char *a, const char *b) {
  size_t n = key_bytes(a), m = key_bytes(b);
  int order = strncmp(a, b, n < m ? n : m);
  return order != 0 ? order : (n > m) - (n < m);
}

static void sort_lines(struct lines *lines) {
  char line[LINE_BYTES];
  for (uint32_t i = 1; i < lines->count; i++) {
    uint32_t at = i;
    memcpy(line, lines->text[i], sizeof line);
    for (; at > 0 && compare_keys(lines->text[at - 1], line) > 0; at--) {
      memcpy(lines->text[at], lines->text[at - 1], sizeof line);
    }
    memcpy(lines->text[at], line, sizeof line);
  }
}

/* ---- one side: the decoder ---- */

/* A quote's event carries no update id. */
static void drop_sequence(char *line) {
  char *from = strstr(line, ",\"seq\":");
  if (strncmp(line, "{\"type\":\"quote\"", 15) != 0 || from == NULL) return;
  const char *rest = from + 7 + strspn(from + 7, "0123456789");
  memmove(from, rest, strlen(rest) + 1);
}

static void decode_capture(struct lines *out) {
  int file = memfd_create("decoded", 0), saved = dup(STDOUT_FILENO);
  assert_true(file >= 0 && saved >= 0);
  fflush(stdout);
  dup2(file, STDOUT_FILENO);
  char *argv[] = {"decode", "binance", "--snapshots", SNAPSHOTS, CAPTURE, NULL};
  int status = trp_cli_decode(5, argv);
  fflush(stdout);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  assert_int_equal(0, status);
  FILE *lines = fdopen(file, "r");
  assert_non_null(lines);
  rewind(lines);
  out->count = 0;
  char line[LINE_BYTES];
  while (fgets(line, sizeof line, lines) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    drop_sequence(line);
    memcpy(next_line(out), line, sizeof line);
  }
  fclose(lines);
}

/* ---- the other side: what a consumer gets ---- */

static const char *number(double value, char text[TRP_DECIMAL_TEXT_MAX]) {
  trp_decimal_print(text, value);
  return text;
}

static void put_best(char *line, size_t used, double bid, double bid_size, double ask,
                     double ask_size) {
  char a[TRP_DECIMAL_TEXT_MAX], b[TRP_DECIMAL_TEXT_MAX];
  char c[TRP_DECIMAL_TEXT_MAX], d[TRP_DECIMAL_TEXT_MAX];
  snprintf(line + used, LINE_BYTES - used, ",\"bid\":%s,\"bid_size\":%s,\"ask\":%s,\"ask_size\":%s",
           number(bid, a), number(bid_size, b), number(ask, c), number(ask_size, d));
}

static void on_event(void *arg, const struct trp_msg *msg) {
  struct lines *out = arg;
  char a[TRP_DECIMAL_TEXT_MAX], b[TRP_DECIMAL_TEXT_MAX];
  const struct trp_quote *quote = trp_msg_quote(msg);
  const struct trp_trade *trade = trp_msg_trade(msg);
  const struct trp_book *book = trp_msg_book(msg);
  if (quote != NULL) {
    char *line = next_line(out);
    int n = snprintf(line, LINE_BYTES, "{\"type\":\"quote\",\"symbol\":\"%s\"",
                     trp_symbol_name(quote->symbol));
    put_best(line, (size_t)n, quote->bid, quote->bid_size, quote->ask, quote->ask_size);
    strcat(line, "}");
  } else if (trade != NULL) {
    snprintf(next_line(out), LINE_BYTES,
             "{\"type\":\"trade\",\"symbol\":\"%s\",\"price\":%s,\"size\":%s,\"side\":\"%s\","
             "\"id\":%" PRIu64 "}",
             trp_symbol_name(trade->symbol), number(trade->price, a), number(trade->size, b),
             trade->side == 2 ? "sell" : "buy", trade->id);
  } else if (book != NULL && book->kind == 2) { /* the decoder prints no snapshots */
    char *line = next_line(out);
    int n = snprintf(line, LINE_BYTES, "{\"type\":\"book\",\"symbol\":\"%s\",\"seq\":%" PRIu64,
                     trp_symbol_name(book->symbol), book->sequence);
    put_best(line, (size_t)n, book->bid, book->bid_size, book->ask, book->ask_size);
    size_t used = strlen(line);
    snprintf(line + used, LINE_BYTES - used, ",\"bids\":%u,\"asks\":%u}", book->bids, book->asks);
  }
}

static uint64_t events_shown(void) {
  static struct trp_consumer_view now; /* large for a stack */
  uint64_t count = 0;
  trp_consumer_look(rig_view(), &now);
  for (uint32_t i = 0; i < now.count; i++) {
    count += now.rows[i].quotes + now.rows[i].trades + now.rows[i].books;
  }
  return count;
}

static uint32_t count_lines(const struct lines *lines, const char *type) {
  char key[32];
  int n = snprintf(key, sizeof key, "{\"type\":\"%s\"", type);
  uint32_t count = 0;
  for (uint32_t i = 0; i < lines->count; i++) {
    count += strncmp(lines->text[i], key, (size_t)n) == 0;
  }
  return count;
}

static void a_recording_that_is_served_comes_out_as_it_is_decoded(void **state) {
  (void)state;
  static const char *const symbols[] = {"NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"};
  if (access(CAPTURE, R_OK) != 0 || access(SNAPSHOTS, R_OK) != 0) {
    print_message("  the recording " CAPTURE " is not here: skipped\n");
    skip();
  }
  decode_capture(&decoded);
  assert_true(decoded.count > 200 && decoded.count < LINES_MAX);
  heard.count = 0;
  rig_begin(&(struct rig_options){.capture = CAPTURE,
                                  .snapshots = SNAPSHOTS,
                                  .symbols = symbols,
                                  .symbol_count = 4,
                                  .on_event = on_event,
                                  .on_event_arg = &heard});
  assert_int_equal(6, rig_sample().subscriptions); /* the consumer listens before it begins */
  assert_int_equal(TRP_OK, rig_command("connect", 1000));
  uint64_t until = rig_now_ms() + WAIT_MS;
  while (events_shown() < decoded.count + 4 && rig_now_ms() < until) usleep(10000);
  assert_int_equal(0, rig_state().gaps);
  rig_end();
  sort_lines(&decoded);
  sort_lines(&heard);
  print_message("  %u quotes, %u trades, %u books\n", count_lines(&heard, "quote"),
                count_lines(&heard, "trade"), count_lines(&heard, "book"));
  for (uint32_t i = 0; i < decoded.count && i < heard.count; i++) {
    assert_string_equal(decoded.text[i], heard.text[i]);
  }
  assert_int_equal(decoded.count, heard.count);
  assert_int_equal(1, rig_exchange()->closes_proper);
}

/* ---- disconnecting ---- */

/* A socket of the loopback that nobody serves: UDP as a deaf name server, TCP as a server that
 * accepts (the kernel does) and never answers; with `full` its queue has no room for anybody. */
struct deaf {
  int fd, inside[4];
  uint16_t port;
};

static struct deaf open_deaf(int type, bool full) {
  struct deaf deaf = {.fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), .inside = {-1, -1, -1, -1}};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  assert_int_equal(0, bind(deaf.fd, (struct sockaddr *)&address, sizeof address));
  assert_int_equal(0, getsockname(deaf.fd, (struct sockaddr *)&address, &size));
  if (type == SOCK_STREAM) assert_int_equal(0, listen(deaf.fd, full ? 0 : 16));
  for (int i = 0; i < 4 && full; i++) {
    deaf.inside[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)!connect(deaf.inside[i], (struct sockaddr *)&address, sizeof address);
  }
  deaf.port = ntohs(address.sin_port);
  return deaf;
}

static void close_deaf(struct deaf *deaf) {
  for (int i = 0; i < 4; i++) {
    if (deaf->inside[i] >= 0) close(deaf->inside[i]);
  }
  close(deaf->fd);
}

/* Connects, comes to the state, disconnects twice and stops. */
static void disconnect_from(const struct rig_options *options, enum trp_feed_phase phase,
                            uint64_t stay_ms) {
  rig_begin(options);
  for (int round = 0; round < 3; round++) {
    assert_int_equal(TRP_OK, rig_command("connect", 1000));
    assert_true(rig_until_phase(phase, 5000));
    usleep((useconds_t)(stay_ms * 1000));
    assert_true(rig_until_phase(phase, 5000)); /* a backoff may just have ended */
    uint64_t asked = rig_now_ms();
    assert_int_equal(TRP_OK, rig_command("disconnect", 2000));
    assert_in_range(rig_now_ms() - asked, 0, 2000);
    assert_int_equal(TRP_FEED_STOPPED, rig_state().state);
    assert_int_equal(TRP_OK, rig_command("disconnect", 2000));
    struct rig_sample left = rig_sample();
    assert_int_equal(0, left.links);
    assert_int_equal(0, left.sessions);
    assert_int_equal(0, left.held[TRP_RES_SOCKET]);
  }
  rig_end();
}

static void a_disconnect_while_resolving(void **state) {
  (void)state;
  char servers[32];
  struct deaf names = open_deaf(SOCK_DGRAM, false);
  snprintf(servers, sizeof servers, "127.0.0.1:%u", names.port);
  disconnect_from(&(struct rig_options){.ws_base = "ws://nobody.example:1", .servers = servers},
                  TRP_FEED_CONNECTING, 100);
  close_deaf(&names);
}

static void a_disconnect_while_connecting(void **state) {
  (void)state;
  char url[64];
  struct deaf full = open_deaf(SOCK_STREAM, true);
  snprintf(url, sizeof url, "ws://127.0.0.1:%u", full.port);
  disconnect_from(&(struct rig_options){.ws_base = url}, TRP_FEED_CONNECTING, 100);
  close_deaf(&full);
}

static void a_disconnect_while_shaking_hands(void **state) {
  (void)state;
  char url[64];
  struct deaf mute = open_deaf(SOCK_STREAM, false);
  snprintf(url, sizeof url, "ws://127.0.0.1:%u", mute.port);
  disconnect_from(&(struct rig_options){.ws_base = url}, TRP_FEED_CONNECTING, 100);
  close_deaf(&mute);
}

static void a_disconnect_while_subscribed(void **state) {
  (void)state;
  disconnect_from(&(struct rig_options){.quotes_per_s = 1000}, TRP_FEED_LIVE, 20);
  assert_int_equal(3, rig_exchange()->closes_proper);
  assert_int_equal(0, rig_exchange()->closes_improper);
}

static void a_disconnect_while_backing_off(void **state) {
  (void)state;
  char url[64];
  struct deaf nobody = open_deaf(SOCK_STREAM, false); /* its port, once it is closed */
  snprintf(url, sizeof url, "ws://127.0.0.1:%u", nobody.port);
  close_deaf(&nobody);
  disconnect_from(&(struct rig_options){.ws_base = url}, TRP_FEED_BACKOFF, 300);
}

static void a_disconnect_while_a_snapshot_is_in_flight(void **state) {
  (void)state;
  char url[64];
  struct deaf mute = open_deaf(SOCK_STREAM, false);
  snprintf(url, sizeof url, "http://127.0.0.1:%u", mute.port);
  disconnect_from(&(struct rig_options){.http_base = url, .quotes_per_s = 100}, TRP_FEED_SYNCING,
                  300);
  close_deaf(&mute);
}

static void a_stop_from_any_state_is_clean(void **state) {
  (void)state;
  char full_url[64], mute_url[64];
  struct deaf full = open_deaf(SOCK_STREAM, true), mute = open_deaf(SOCK_STREAM, false);
  snprintf(full_url, sizeof full_url, "ws://127.0.0.1:%u", full.port);
  snprintf(mute_url, sizeof mute_url, "ws://127.0.0.1:%u", mute.port);
  const char *const urls[] = {full_url, mute_url, "ws://127.0.0.1:1"};
  for (int i = 0; i < 3; i++) {
    for (useconds_t wait_us = 0; wait_us < 20000; wait_us = wait_us * 3 + 700) {
      rig_begin(&(struct rig_options){.ws_base = urls[i], .connect = true});
      usleep(wait_us);
      rig_end();
    }
  }
  close_deaf(&full);
  close_deaf(&mute);
}

/* Both sides get the pill at once: whoever is first, the other one hears a close frame and leaves
 * no descriptor (see rig_end), also where it was just dialling. A handshake under way is cut. */
static void feed_and_exchange_stop_together_without_a_scratch(void **state) {
  (void)state;
  for (int i = 0; i < 60; i++) {
    rig_begin(&(struct rig_options){.connect = true, .quotes_per_s = 500});
    usleep((useconds_t)(i * i * 30)); /* up to 100 ms: connecting, syncing, live */
    uint32_t phase = i % 2 == 0 ? rig_state().state : 0;
    bool stands = phase == TRP_FEED_SYNCING || phase == TRP_FEED_LIVE;
    rig_end();
    assert_int_equal(0, rig_exchange()->cut);
    if (stands) assert_int_equal(1, rig_exchange()->accepted);
    if (stands) assert_int_equal(1, rig_exchange()->closes_proper);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_recording_that_is_served_comes_out_as_it_is_decoded),
      cmocka_unit_test(a_disconnect_while_resolving),
      cmocka_unit_test(a_disconnect_while_connecting),
      cmocka_unit_test(a_disconnect_while_shaking_hands),
      cmocka_unit_test(a_disconnect_while_subscribed),
      cmocka_unit_test(a_disconnect_while_backing_off),
      cmocka_unit_test(a_disconnect_while_a_snapshot_is_in_flight),
      cmocka_unit_test(a_stop_from_any_state_is_clean),
      cmocka_unit_test(feed_and_exchange_stop_together_without_a_scratch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
