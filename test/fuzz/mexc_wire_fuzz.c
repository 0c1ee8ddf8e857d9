/* Bytes as a frame, binary or text, as a snapshot and as tickers; and as a body within a good
 * wrapper, so that the bodies are reached at once. Whatever comes, events stay within their bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/mexc_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 4096

static void demand(int truth) {
  if (!truth) abort();
}

static void check_depth(const struct trp_wire_depth *depth) {
  demand(depth->first_id <= depth->final_id && depth->count <= 2 * TRP_MEXC_SIDE_MAX);
  for (uint32_t i = 0; i < depth->count; i++) {
    demand(depth->levels[i].price >= 0 && depth->levels[i].size >= 0);
    demand(depth->levels[i].side == 1 || depth->levels[i].side == 2);
  }
}

static void check_event(const struct trp_mexc_event *event, int needs_symbol) {
  demand(event->exchange_us >= 0);
  if (event->kind >= TRP_MEXC_QUOTES && event->kind <= TRP_MEXC_TOP)
    demand(!needs_symbol || trp_mexc_symbol_valid(event->symbol));
  switch (event->kind) {
    case TRP_MEXC_QUOTES:
      demand(event->quote_count <= TRP_MEXC_ITEMS_MAX);
      for (uint32_t i = 0; i < event->quote_count; i++)
        demand(event->quotes[i].bid >= 0 && event->quotes[i].ask_size >= 0);
      break;
    case TRP_MEXC_TRADES:
      demand(event->trade_count <= TRP_MEXC_ITEMS_MAX);
      for (uint32_t i = 0; i < event->trade_count; i++)
        demand(event->trades[i].trade.price >= 0 && strlen(event->trades[i].id_text) < BODY_MAX);
      break;
    case TRP_MEXC_DEPTH:
    case TRP_MEXC_TOP:
      check_depth(&event->depth);
      break;
    case TRP_MEXC_OTHER:
      break;
    default:
      (void)trp_mexc_text_names(event->answer.text, "spot@a");
      break;
  }
}

static void check_ticker(void *arg, const struct trp_mexc_event *event) {
  (void)arg;
  check_event(event, event->kind == TRP_MEXC_QUOTES);
}

/* The first byte chooses the body, the rest is it. */
static size_t wrap(uint8_t *out, const uint8_t *data, size_t size) {
  static const char head[] =
      "\x0a\x04spot\x1a\x03"
      "A_B";
  static const uint32_t fields[] = {303, 311, 313, 314, 315};
  uint32_t tag = fields[data[0] % 5] << 3 | 2;
  size_t at = sizeof head - 1;
  memcpy(out, head, at);
  data++, size--;
  if (size > BODY_MAX) size = BODY_MAX;
  for (uint32_t number = tag; number != 0; number >>= 7)
    out[at++] = (uint8_t)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
  out[at++] = (uint8_t)((size & 0x7f) | 0x80);
  out[at++] = (uint8_t)(size >> 7);
  memcpy(out + at, data, size);
  return at + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct trp_mexc_parser *parser;
  static uint8_t frame[BODY_MAX + 64];
  struct trp_mexc_event event;
  if (parser == NULL && trp_mexc_parser_new(&parser) != TRP_OK) return 0;
  if (trp_mexc_parse(parser, data, size, &event) == TRP_OK) check_event(&event, 1);
  if (trp_mexc_parse_snapshot(parser, data, size, &event) == TRP_OK) check_event(&event, 0);
  enum trp_err err = trp_mexc_parse_tickers(parser, data, size, check_ticker, NULL);
  demand(err == TRP_OK || trp_mexc_parse_reason(parser)[0] != '\0');
  if (size == 0) return 0;
  size_t length = wrap(frame, data, size);
  if (trp_mexc_parse(parser, frame, length, &event) == TRP_OK) check_event(&event, 1);
  return 0;
}
