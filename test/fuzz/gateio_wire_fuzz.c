/* Bytes as a frame and as a snapshot, and as a list of edits to frames as the exchange sends them,
 * so that most are nearly right. Whatever comes, events stay within their bounds; and what the
 * scanner accepts, LEJP accepts too, as the same event. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/gateio_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX 4096

#define UPDATE(channel, result)                                                                    \
  "{\"time\":1654029559,\"channel\":\"" channel "\",\"event\":\"update\",\"result\":" result "}"

static const char *const frames[] = {
    UPDATE("spot.book_ticker",
           "{\"t\":1654029559473,\"u\":6765708346,\"s\":\"BTC_USDT\",\"b\":\"31738.93\",\"B\":"
           "\"2.3039\",\"a\":\"31738.94\",\"A\":\"0.335\"}"),
    UPDATE("spot.trades",
           "{\"id\":816995772,\"id_market\":5,\"create_time\":1619093543,\"create_time_ms\":"
           "\"1619093543708.2642\",\"side\":\"sell\",\"currency_pair\":\"DIS_USDT\",\"amount\":"
           "\"0.2010000000\",\"price\":\"121.5800000000\"}"),
    UPDATE("spot.order_book_update",
           "{\"t\":1682689045398,\"e\":\"depthUpdate\",\"E\":1682689045,\"s\":\"BTC_USDT\",\"U\":"
           "13934528633,\"u\":13934528634,\"b\":[[\"29291.4\",\"0.5124\"]],\"a\":[[\"3\",\"0\"]]}"),
    "{\"channel\":\"spot.obu\",\"result\":{\"t\":1754006400261,\"full\":true,\"s\":"
    "\"ob.BTC_USDT.400\",\"u\":25847113075,\"b\":[[\"3\",\"1\"]],\"a\":[[\"4\",\"2\"]]},"
    "\"time_ms\":1754006400300,\"event\":\"update\"}",
    "{\"time\":1,\"time_ms\":2,\"channel\":\"spot.obu\",\"event\":\"update\",\"result\":{\"t\":5,"
    "\"s\":\"ob.BTC_USDT.50\",\"u\":39106162816,\"U\":39106162813,\"b\":[[\"6.2\",\"0.02\"]]}}",
    "{\"time\":1,\"id\":3,\"channel\":\"spot.obu\",\"event\":\"subscribe\",\"error\":{\"code\":2,"
    "\"message\":\"no\"},\"result\":{\"status\":\"fail\"}}"};

#define FRAMES (sizeof frames / sizeof frames[0])

static struct trp_level levels[2 * TRP_GATEIO_SIDE_MAX];

static void demand(int truth) {
  if (!truth) abort();
}

static void check_event(const struct trp_gateio_event *event, int needs_symbol) {
  demand((size_t)event->channel < TRP_GATEIO_CHANNEL_COUNT);
  if (event->kind == TRP_GATEIO_ERROR) demand(memchr(event->error.text, 0, 160) != NULL);
  if (event->kind != TRP_GATEIO_QUOTE && event->kind != TRP_GATEIO_TRADE &&
      event->kind != TRP_GATEIO_DEPTH)
    return;
  demand(!needs_symbol || trp_gateio_symbol_valid(event->symbol));
  if (event->kind == TRP_GATEIO_QUOTE) demand(event->quote.bid >= 0 && event->quote.ask_size >= 0);
  if (event->kind == TRP_GATEIO_TRADE) demand(event->trade.price >= 0 && event->trade.size >= 0);
  if (event->kind != TRP_GATEIO_DEPTH) return;
  demand(event->depth.first_id <= event->depth.final_id);
  demand(!event->full || event->depth.first_id == event->depth.final_id);
  demand(event->depth.count <= 2 * TRP_GATEIO_SIDE_MAX);
  for (uint32_t i = 0; i < event->depth.count; i++) {
    demand(event->depth.levels[i].price >= 0 && event->depth.levels[i].size >= 0);
    demand(event->depth.levels[i].side == 1 || event->depth.levels[i].side == 2);
  }
}

static void same_event(const struct trp_gateio_event *a, const struct trp_gateio_event *b) {
  demand(a->kind == b->kind && a->channel == b->channel && strcmp(a->symbol, b->symbol) == 0);
  demand(a->exchange_us == b->exchange_us && a->inexact == b->inexact);
  if (a->kind == TRP_GATEIO_QUOTE) {
    demand(memcmp(&a->quote, &b->quote, sizeof a->quote) == 0);
  } else if (a->kind == TRP_GATEIO_TRADE) {
    demand(a->trade.id == b->trade.id && a->trade.price == b->trade.price);
    demand(a->trade.size == b->trade.size && a->trade.taker_sold == b->trade.taker_sold);
  } else {
    demand(a->kind == TRP_GATEIO_DEPTH && a->depth.count == b->depth.count);
    demand(a->full == b->full && a->obu_levels == b->obu_levels);
    demand(a->depth.first_id == b->depth.first_id && a->depth.final_id == b->depth.final_id);
    demand(memcmp(levels, b->depth.levels, b->depth.count * sizeof *levels) == 0);
  }
}

/* Both readers use the parser's own levels: the scanner's are put aside. */
static void compare(struct trp_gateio_parser *parser, const void *text, size_t size) {
  struct trp_gateio_event fast, slow;
  enum trp_err err;
  int scanned = trp_gateio_scan_frame(parser, text, size, &fast);
  if (scanned && fast.kind == TRP_GATEIO_DEPTH)
    memcpy(levels, fast.depth.levels, fast.depth.count * sizeof *levels);
  err = trp_gateio_any_frame(parser, text, size, &slow);
  if (err == TRP_OK) check_event(&slow, 1);
  if (!scanned) return;
  demand(err == TRP_OK);
  same_event(&fast, &slow);
}

/* A frame with bytes replaced, removed or inserted: three bytes an edit. */
static size_t edit(char *text, const uint8_t *data, size_t size) {
  size_t length = strlen(frames[data[0] % FRAMES]);
  memcpy(text, frames[data[0] % FRAMES], length);
  for (size_t i = 1; i + 3 <= size && i < 30; i += 3) {
    size_t at = (data[i] + 256u * (data[i + 1] >> 6)) % length;
    if ((data[i + 1] & 3) == 0 && length < TEXT_MAX) {
      memmove(text + at + 1, text + at, length++ - at);
      text[at] = (char)data[i + 2];
    } else if ((data[i + 1] & 3) == 1 && length > 1) {
      memmove(text + at, text + at + 1, --length - at);
    } else {
      text[at] = (char)data[i + 2];
    }
  }
  return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct trp_gateio_parser *parser;
  static char text[TEXT_MAX];
  struct trp_gateio_event event;
  if (parser == NULL && trp_gateio_parser_new(&parser) != TRP_OK) return 0;
  compare(parser, data, size);
  if (trp_gateio_parse(parser, data, size, &event) == TRP_OK) check_event(&event, 1);
  if (trp_gateio_parse_snapshot(parser, data, size, &event) == TRP_OK) check_event(&event, 0);
  if (size == 0) return 0;
  size_t length = edit(text, data, size);
  compare(parser, text, length);
  return 0;
}
