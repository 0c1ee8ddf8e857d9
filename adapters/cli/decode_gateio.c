/* The Gate.io dialect of `troupe decode`. Snapshots for order_book_update are responses of
 * GET /api/v4/spot/order_book with ids; obu brings its own, and each of its depths is a book of its
 * own beside the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/decode.h"
#include "adapters/gateio_wire.h"

struct state {
  struct trp_gateio_parser *parser;
  struct trp_decode_books *books;
};

static void close_state(void *arg) {
  struct state *state = arg;
  trp_gateio_parser_destroy(&state->parser);
  trp_decode_books_destroy(&state->books);
  free(state);
}

static void *open_state(void) {
  struct state *state = calloc(1, sizeof *state);
  if (state == NULL) return NULL;
  state->books = trp_decode_books_new();
  if (trp_gateio_parser_new(&state->parser) == TRP_OK && state->books != NULL) return state;
  close_state(state);
  return NULL;
}

static void name_of(char out[TRP_DECODE_NAME_MAX], const char *symbol) {
  char plain[TRP_GATEIO_SYMBOL_MAX + 1];
  trp_gateio_symbol_plain(plain, symbol);
  snprintf(out, TRP_DECODE_NAME_MAX, "%s.GATEIO", plain);
}

static const char *take_depth(struct state *state, const struct trp_gateio_event *event,
                              const char *name) {
  char key[TRP_DECODE_NAME_MAX];
  bool obu = event->channel == TRP_GATEIO_OBU;
  snprintf(key, sizeof key, obu ? "ob.%s.%u" : "%s", event->symbol, event->obu_levels);
  const struct trp_decode_market market = {key, name, obu ? TRP_DEPTH_EXACT : TRP_DEPTH_OVERLAPS};
  return event->full ? trp_decode_books_whole(state->books, &market, &event->depth)
                     : trp_decode_books_diff(state->books, &market, &event->depth);
}

static const char *line(void *arg, const char *text, size_t size) {
  struct state *state = arg;
  struct trp_gateio_event event;
  char name[TRP_DECODE_NAME_MAX];
  if (trp_gateio_parse(state->parser, text, size, &event) != TRP_OK)
    return trp_gateio_parse_reason(state->parser);
  name_of(name, event.symbol);
  switch (event.kind) {
    case TRP_GATEIO_QUOTE:
      trp_decode_print_quote(name, &event.quote);
      return NULL;
    case TRP_GATEIO_TRADE:
      trp_decode_print_trade(name, &event.trade, NULL);
      return NULL;
    case TRP_GATEIO_DEPTH:
      return take_depth(state, &event, name);
    default:
      return NULL;
  }
}

static const char *response(void *arg, const char *url, const char *body, size_t size) {
  struct state *state = arg;
  char symbol[TRP_GATEIO_SYMBOL_MAX + 1], name[TRP_DECODE_NAME_MAX];
  struct trp_gateio_event event;
  if (strstr(url, "/api/v4/spot/order_book") == NULL) return NULL;
  if (!trp_gateio_symbol_of_url(url, symbol, sizeof symbol))
    return "an order book without a currency_pair in its URL";
  if (trp_gateio_parse_snapshot(state->parser, body, size, &event) != TRP_OK)
    return trp_gateio_parse_reason(state->parser);
  if (event.kind != TRP_GATEIO_DEPTH) return NULL; /* the exchange refused it */
  name_of(name, symbol);
  const struct trp_decode_market market = {symbol, name, TRP_DEPTH_OVERLAPS};
  return trp_decode_books_snapshot(state->books, &market, &event.depth);
}

const struct trp_decode_dialect trp_decode_gateio = {
    .name = "gateio", .open = open_state, .close = close_state, .line = line, .response = response};
