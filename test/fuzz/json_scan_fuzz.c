/* The scanner against LEJP: what the scanner accepts, LEJP must accept too, as the same event. The
 * input is a text by itself, and also a list of edits to a frame as the exchange sends it, so that
 * most inputs are nearly right. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/binance_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX 4096

static const char *const frames[] = {
    "{\"u\":98494969448,\"s\":\"BTCUSDT\",\"b\":\"63704.00000000\",\"B\":\"4.77471000\","
    "\"a\":\"63704.01000000\",\"A\":\"11.33198000\"}",
    "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":1,\"s\":\"X\",\"b\":\"1.0\",\"B\":\"2\","
    "\"a\":\"3\",\"A\":\"4.123456789012345678\"}}",
    "{\"stream\":\"x@aggTrade\",\"data\":{\"e\":\"aggTrade\",\"E\":1633998523963,\"s\":\"NKNUSDT\","
    "\"a\":15683430,\"p\":\"0.35280000\",\"q\":\"58.0\",\"f\":1,\"l\":2,\"T\":1633998523963,"
    "\"m\":false,\"M\":true}}",
    "{\"e\":\"trade\",\"E\":1672515782136,\"s\":\"BNBBTC\",\"t\":12345,\"p\":\"0.001\",\"q\":"
    "\"100\","
    "\"T\":1672515782136,\"m\":true,\"M\":true}",
    "{\"e\":\"depthUpdate\",\"E\":1633998512068,\"s\":\"NKNUSDT\",\"U\":499869750,\"u\":499869752,"
    "\"b\":[[\"0.35130000\",\"6195.0\"],[\"0.3475\",\"0\"]],\"a\":[[\"1\",\"2\"]]}",
    "{\"lastUpdateId\":1027024,\"bids\":[[\"4.0\",\"431.0\"]],\"asks\":[[\"4.2\",\"12\"]]}"};

#define FRAMES (sizeof frames / sizeof frames[0])

static struct trp_level levels[2 * TRP_BINANCE_SIDE_MAX];

static void demand(int truth) {
  if (!truth) abort();
}

static void same_event(const struct trp_binance_event *a, const struct trp_binance_event *b) {
  demand(a->kind == b->kind && strcmp(a->symbol, b->symbol) == 0);
  demand(a->exchange_us == b->exchange_us && a->inexact == b->inexact);
  if (a->kind == TRP_BINANCE_QUOTE) {
    demand(memcmp(&a->quote, &b->quote, sizeof a->quote) == 0);
  } else if (a->kind == TRP_BINANCE_TRADE) {
    demand(a->trade.id == b->trade.id && a->trade.price == b->trade.price);
    demand(a->trade.size == b->trade.size && a->trade.taker_sold == b->trade.taker_sold);
    demand(a->trade.aggregate == b->trade.aggregate);
  } else {
    demand(a->kind == TRP_BINANCE_DEPTH && a->depth.count == b->depth.count);
    demand(a->depth.first_id == b->depth.first_id && a->depth.final_id == b->depth.final_id);
    demand(memcmp(levels, b->depth.levels, b->depth.count * sizeof *levels) == 0);
  }
}

/* Both readers use the parser's own levels: the scanner's are put aside. */
static void compare(struct trp_binance_parser *parser, const char *text, size_t size) {
  struct trp_binance_event fast, slow;
  if (trp_binance_scan_frame(parser, text, size, &fast)) {
    if (fast.kind == TRP_BINANCE_DEPTH)
      memcpy(levels, fast.depth.levels, fast.depth.count * sizeof *levels);
    demand(trp_binance_any_frame(parser, text, size, &slow) == TRP_OK);
    same_event(&fast, &slow);
  }
  if (trp_binance_scan_snapshot(parser, text, size, &fast)) {
    memcpy(levels, fast.depth.levels, fast.depth.count * sizeof *levels);
    demand(trp_binance_any_snapshot(parser, text, size, &slow) == TRP_OK);
    same_event(&fast, &slow);
  }
}

/* Pairs of bytes: where, and what to put there; a place beyond the end cuts a byte out instead. */
static size_t edit(const char *frame, const uint8_t *edits, size_t count, char *out) {
  size_t size = strlen(frame);
  memcpy(out, frame, size);
  for (size_t i = 0; i + 1 < count && size > 0; i += 2) {
    if (edits[i] < size) {
      out[edits[i]] = (char)edits[i + 1];
      continue;
    }
    size_t at = edits[i + 1] % size;
    memmove(out + at, out + at + 1, --size - at);
  }
  return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct trp_binance_parser *parser;
  static char text[TEXT_MAX];
  if (parser == NULL && trp_binance_parser_new(&parser) != TRP_OK) return 0;
  if (size == 0 || size > TEXT_MAX) return 0;
  compare(parser, (const char *)data, size);
  size_t edited = edit(frames[data[0] % FRAMES], data + 1, size - 1, text);
  compare(parser, text, edited);
  return 0;
}
