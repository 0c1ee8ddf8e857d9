/* Bytes as a frame, as a snapshot and as polled tickers, and as a stream of frames into the
 * protocol machine. Whatever comes, events stay within their bounds and the machine's books stay
 * sorted. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/binance.h"
#include "adapters/binance_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth) {
  if (!truth) abort();
}

static void check_event(const struct trp_binance_event *event, int needs_symbol) {
  if (event->kind != TRP_BINANCE_QUOTE && event->kind != TRP_BINANCE_TRADE &&
      event->kind != TRP_BINANCE_DEPTH)
    return;
  demand(!needs_symbol || trp_binance_symbol_valid(event->symbol));
  if (event->kind == TRP_BINANCE_QUOTE) demand(event->quote.bid >= 0 && event->quote.ask_size >= 0);
  if (event->kind != TRP_BINANCE_DEPTH) return;
  demand(event->depth.first_id <= event->depth.final_id);
  demand(event->depth.count <= 2 * TRP_BINANCE_SIDE_MAX);
  for (uint32_t i = 0; i < event->depth.count; i++)
    demand(event->depth.levels[i].price >= 0 && event->depth.levels[i].size >= 0);
}

static void on_ticker(void *arg, const struct trp_binance_event *event) {
  (void)arg;
  check_event(event, 1);
}

/* ---- outputs that only check ---------------------------------------------------------------- */

static enum trp_err send_text(void *arg, uint32_t link, const char *text, size_t size) {
  (void)arg, (void)link;
  demand(strlen(text) == size);
  return TRP_OK;
}

static enum trp_err request_snapshot(void *arg, uint32_t link, const char *symbol,
                                     const char *url) {
  (void)arg, (void)link;
  demand(symbol[0] != '\0' && strlen(url) < 512);
  return TRP_OK;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)arg, (void)update_id;
  demand(quote->symbol != 0);
}

static void on_trade(void *arg, const struct trp_trade *trade) {
  (void)arg;
  demand(trade->side == 1 || trade->side == 2);
}

static void on_book(void *arg, const struct trp_book *book) {
  (void)arg;
  demand(book->kind == 1 || book->kind == 2);
  if (book->kind != 1) return;
  demand(book->levels_count == book->bids + book->asks);
  for (uint32_t i = 1; i < book->bids; i++)
    demand(book->levels[i - 1].price > book->levels[i].price);
}

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  (void)arg, (void)symbol;
  demand(expected < got);
}

static void on_notice(void *arg, const struct trp_machine_notice *notice) {
  (void)arg;
  demand(notice->text != NULL);
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  (void)arg, (void)reason;
  demand(state == TRP_FEED_SYNCING || state == TRP_FEED_LIVE || state == TRP_FEED_STALE ||
         state == TRP_FEED_CONNECTING || state == TRP_FEED_POLLING);
}

static void on_reconnect(void *arg, uint32_t link, enum trp_error_class error_class,
                         const char *reason) {
  (void)arg, (void)link, (void)reason;
  demand(error_class < TRP_CLASS_COUNT);
}

static uint64_t last_ticket;

static enum trp_err on_request(void *arg, const struct trp_machine_request *request) {
  (void)arg;
  demand(request->ticket > last_ticket && strlen(request->url) < 2048);
  last_ticket = request->ticket;
  return TRP_OK;
}

static void on_renew(void *arg, uint32_t link, const char *reason) {
  (void)arg;
  demand(link == 0 && reason != NULL);
}

static void on_release(void *arg, uint32_t link) {
  (void)arg;
  demand(link == 0);
}

/* ---- the machine, driven by small steps ------------------------------------------------------ */

static char text[512];

static size_t depth_text(uint8_t from, uint8_t length, uint8_t price) {
  static const char head[] = "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"A\",\"U\":";
  size_t at = sizeof head - 1;
  memcpy(text, head, at);
  char *out = text + at;
  const char *parts[] = {",\"u\":", ",\"b\":[[\"", "\",\"", "\"]],\"a\":[]}"};
  uint32_t values[] = {from, (uint32_t)from + length, price, price % 3u};
  for (int i = 0; i < 4; i++) {
    char digits[12];
    int n = 0;
    uint32_t value = values[i];
    do digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (n > 0) *out++ = digits[--n];
    size_t size = strlen(parts[i]);
    memcpy(out, parts[i], size);
    out += size;
  }
  return (size_t)(out - text);
}

static void step(struct trp_machine *b, uint64_t now, const uint8_t *op, const uint8_t *data,
                 size_t size) {
  static const char snapshot[] =
      "{\"lastUpdateId\":100,\"bids\":[[\"3\",\"1\"],[\"2\",\"1\"]],"
      "\"asks\":[[\"9\",\"1\"]]}";
  static const char ack[] = "{\"result\":null,\"id\":1}";
  static const char *const symbols[] = {"A", "B", "LONGER"};
  const char *symbol = symbols[op[1] % 3];
  switch (op[0] % 18) {
    case 0:
      trp_machine_opened(b, 0, now);
      break;
    case 1:
      trp_machine_closed(b, 0, now);
      break;
    case 2:
      (void)!trp_machine_subscribe(b, now, symbol, NULL);
      break;
    case 3:
      (void)!trp_machine_unsubscribe(b, now, symbol);
      break;
    case 4:
      trp_machine_tick(b, now);
      break;
    case 5:
      trp_machine_frame(b, 0, now, 0, ack, sizeof ack - 1);
      break;
    case 6:
      trp_machine_http_response(b, now, symbol, 200, 0, snapshot, sizeof snapshot - 1);
      break;
    case 7:
      trp_machine_http_response(b, now, symbol, 429, op[1], data, size);
      break;
    case 8:
      trp_machine_http_failed(b, now, symbol, TRP_TIMEOUT);
      break;
    case 9:
      trp_machine_frame(b, 0, now, 1, data, size);
      break;
    case 10:
      trp_machine_old_frame(b, 0, now, 1, data, size);
      break;
    case 11:
      trp_machine_old_frame(b, 0, now, 1, text, depth_text(op[1], op[2] % 4, op[2]));
      break;
    case 12:
      trp_machine_old_closed(b, 0, now);
      break;
    case 13:
      trp_machine_poll(b, now, op[1] % 2 != 0);
      break;
    case 14:
      trp_machine_answered(b, now, last_ticket - op[1] % 4, 200, 0, data, size);
      break;
    default:
      trp_machine_frame(b, 0, now, 1, text, depth_text(op[1], op[2] % 4, op[2]));
      break;
  }
}

static void drive(const uint8_t *data, size_t size) {
  static const struct trp_machine_out outputs = {.send_text = send_text,
                                                 .request_snapshot = request_snapshot,
                                                 .quote = on_quote,
                                                 .trade = on_trade,
                                                 .book = on_book,
                                                 .gap = on_gap,
                                                 .notice = on_notice,
                                                 .state = on_state,
                                                 .reconnect = on_reconnect,
                                                 .request = on_request,
                                                 .renew = on_renew,
                                                 .release = on_release};
  static struct trp_machine *b; /* one for the process: made once, emptied for every input */
  if (b == NULL && trp_machine_new(&b, &trp_binance_dialect, NULL, &outputs) != TRP_OK) return;
  uint64_t now = 1;
  trp_machine_closed(b, 0, now);
  trp_machine_old_closed(b, 0, now);
  trp_machine_poll(b, now, false);
  trp_machine_clear(b);
  for (size_t i = 0; i + 3 <= size && i < 300; i += 3) {
    now += (uint64_t)data[i + 1] * 10000000;
    step(b, now, data + i, data + i, size - i);
  }
}

static void on_polled_trade(void *arg, const struct trp_binance_event *event) {
  (void)arg;
  check_event(event, 0);
}

static void on_listed(void *arg, const char *symbol) {
  (void)arg;
  demand(symbol != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct trp_binance_parser *parser;
  struct trp_binance_event event;
  if (parser == NULL && trp_binance_parser_new(&parser) != TRP_OK) return 0;
  if (trp_binance_parse(parser, data, size, &event) == TRP_OK) check_event(&event, 1);
  if (trp_binance_parse_snapshot(parser, data, size, &event) == TRP_OK) check_event(&event, 0);
  (void)!trp_binance_parse_tickers(parser, data, size, on_ticker, NULL);
  (void)!trp_binance_parse_trades(parser, data, size, on_polled_trade, NULL);
  (void)!trp_binance_parse_listing(parser, data, size, on_listed, NULL);
  drive(data, size);
  return 0;
}
