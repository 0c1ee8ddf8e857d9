#include "test/unit/machine_hands.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"

struct hands hands;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list arguments;
  size_t used = strlen(hands.trace);
  va_start(arguments, format);
  vsnprintf(hands.trace + used, sizeof hands.trace - used, format, arguments);
  va_end(arguments);
}

static const char *symbol_text(uint32_t number) {
  static char text[64];
  snprintf(text, sizeof text, "%s", number != 0 ? trp_symbol_name(number) : "-");
  char *dot = strchr(text, '.');
  if (dot != NULL) *dot = '\0';
  return text;
}

/* "1:" of link 1; nothing of link 0. */
static const char *of_link(uint32_t link) {
  static char text[16];
  snprintf(text, sizeof text, "%u:", link);
  return link != 0 ? text : "";
}

static enum trp_err send_text(void *arg, uint32_t link, const char *text, size_t size) {
  (void)arg;
  if (hands.send_result != TRP_OK) return hands.send_result;
  assert_int_equal(size, strlen(text));
  strcpy(hands.last_text, text);
  hands.text_times[hands.texts++] = hands.now;
  uint32_t lately = 0;
  for (uint32_t i = 0; i < hands.texts; i++) lately += hands.now - hands.text_times[i] < 1000 * MS;
  if (lately > hands.max_texts_in_a_second) hands.max_texts_in_a_second = lately;
  say(">%s%s ", of_link(link), hands.describe(text));
  return TRP_OK;
}

static enum trp_err request_snapshot(void *arg, uint32_t link, const char *symbol,
                                     const char *url) {
  (void)arg;
  snprintf(hands.last_url, sizeof hands.last_url, "%s", url);
  say("?%s%s ", of_link(link), symbol);
  return TRP_OK;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)arg;
  hands.last_quote = *quote;
  const char *polled = quote->exchange_offset_us == TRP_POLLED ? "*" : "";
  say("Q%s@%llu%s ", symbol_text(quote->symbol), (unsigned long long)update_id, polled);
}

static void on_trade(void *arg, const struct trp_trade *trade) {
  (void)arg;
  hands.last_trade = *trade;
  const char *polled = trade->exchange_offset_us == TRP_POLLED ? "*" : "";
  say("T%s@%llu%s ", symbol_text(trade->symbol), (unsigned long long)trade->id, polled);
}

static void on_book(void *arg, const struct trp_book *book) {
  (void)arg;
  say("B%s:%u@%llu(%u) ", symbol_text(book->symbol), book->kind, (unsigned long long)book->sequence,
      book->levels_count);
  if (hands.on_book != NULL) hands.on_book(book);
}

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  (void)arg;
  say("gap:%s:%llu..%llu ", symbol_text(symbol), (unsigned long long)expected,
      (unsigned long long)got);
}

static void on_notice(void *arg, const struct trp_machine_notice *notice) {
  static const char *const text[] = {"subscribed", "gone",   "refused", "synced",  "stale",
                                     "fresh",      "nosnap", "bad",     "crossed", "complaint",
                                     "unknown",    "nopoll", "nolist"};
  (void)arg;
  assert_non_null(notice->text);
  say("!%s:%s ", text[notice->kind], symbol_text(notice->symbol));
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  (void)arg;
  assert_non_null(reason);
  snprintf(hands.told_reason, sizeof hands.told_reason, "%s", reason);
  say("=%s ", trp_feed_state_text(state));
}

static void on_reconnect(void *arg, uint32_t link, enum trp_error_class error_class,
                         const char *reason) {
  (void)arg;
  say("%sRECONNECT(%s:%s) ", of_link(link), trp_error_class_text(error_class), reason);
}

static enum trp_err request(void *arg, const struct trp_machine_request *get) {
  (void)arg;
  char path[64];
  if (hands.send_result != TRP_OK) return hands.send_result;
  snprintf(hands.last_url, sizeof hands.last_url, "%s", get->url);
  hands.last_ticket = get->ticket;
  snprintf(path, sizeof path, "%.*s", (int)strcspn(get->url, "?"), get->url);
  say("??%s ", strrchr(path, '/') + 1);
  return TRP_OK;
}

static void on_renew(void *arg, uint32_t link, const char *reason) {
  (void)arg;
  say("%sRENEW(%s) ", of_link(link), reason);
}

static void on_release(void *arg, uint32_t link) {
  (void)arg;
  say("%sRELEASE ", of_link(link));
}

#define OUTPUTS                                                                                    \
  .send_text = send_text, .request_snapshot = request_snapshot, .quote = on_quote,                 \
  .trade = on_trade, .book = on_book, .gap = on_gap, .notice = on_notice, .state = on_state,       \
  .reconnect = on_reconnect

const struct trp_machine_out hands_outputs = {OUTPUTS};
const struct trp_machine_out hands_all_outputs = {OUTPUTS, .request = request, .renew = on_renew,
                                                  .release = on_release};

/* ---- hands ---------------------------------------------------------------------------------- */

void hands_make_with(const struct trp_machine_options *options) {
  trp_machine_destroy(&hands.machine);
  assert_int_equal(trp_machine_new(&hands.machine, hands.dialect, options, &hands_outputs), TRP_OK);
}

void hands_make_all(const struct trp_machine_options *options) {
  trp_machine_destroy(&hands.machine);
  enum trp_err err = trp_machine_new(&hands.machine, hands.dialect, options, &hands_all_outputs);
  assert_int_equal(err, TRP_OK);
}

void hands_make(const struct trp_dialect *dialect, const char *(*describe)(const char *text)) {
  trp_machine_destroy(&hands.machine);
  hands = (struct hands){.now = 1000 * 1000 * MS, .dialect = dialect, .describe = describe};
  hands_make_with(NULL);
}

void hands_drop(void) {
  trp_machine_destroy(&hands.machine);
  trp_machine_destroy(&hands.machine);
}

void hands_expect(const char *expected) {
  assert_string_equal(hands.trace, expected);
  hands.trace[0] = '\0';
}

void hands_forget(void) { hands.trace[0] = '\0'; }

void hands_expect_reason(const char *expected) {
  char reason[TRP_MACHINE_REASON_BYTES];
  trp_machine_reason(hands.machine, reason);
  assert_string_equal(reason, expected);
}

void hands_pass_ms(uint64_t ms) {
  for (uint64_t end = hands.now + ms * MS; hands.now < end;) {
    hands.now += TRP_MACHINE_TICK_MS * MS;
    trp_machine_tick(hands.machine, hands.now);
  }
}

void hands_frame(const char *text) { hands_bytes(0, text, strlen(text)); }

void hands_bytes(uint32_t link, const void *bytes, size_t size) {
  trp_machine_frame(hands.machine, link, hands.now, 1700000000000000, bytes, size);
}

void hands_old_frame(const char *text) {
  trp_machine_old_frame(hands.machine, 0, hands.now, 1700000000000000, text, strlen(text));
}

void hands_answer(uint64_t ticket, uint16_t status, const char *body) {
  trp_machine_answered(hands.machine, hands.now, ticket, status, 0, body, strlen(body));
}

void hands_want(const char *symbol) {
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, symbol, NULL), TRP_OK);
}

void hands_cut(char out[256], const char *text, const char *before, char end) {
  const char *from = strstr(text, before);
  out[0] = '\0';
  if (from == NULL) return;
  from += strlen(before);
  size_t size = strcspn(from, (char[]){end, '\0'});
  assert_true(size < 256);
  memcpy(out, from, size);
  out[size] = '\0';
}
