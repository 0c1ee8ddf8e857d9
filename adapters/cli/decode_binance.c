/* The Binance dialect of `troupe decode`: snapshots are responses of GET /api/v3/depth. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/binance_wire.h"
#include "adapters/cli/decode.h"

struct state {
  struct trp_binance_parser *parser;
  struct trp_decode_books *books;
};

static void close_state(void *arg) {
  struct state *state = arg;
  trp_binance_parser_destroy(&state->parser);
  trp_decode_books_destroy(&state->books);
  free(state);
}

static void *open_state(void) {
  struct state *state = calloc(1, sizeof *state);
  if (state == NULL) return NULL;
  state->books = trp_decode_books_new();
  if (trp_binance_parser_new(&state->parser) == TRP_OK && state->books != NULL) return state;
  close_state(state);
  return NULL;
}

static void name_of(char out[TRP_DECODE_NAME_MAX], const char *symbol) {
  snprintf(out, TRP_DECODE_NAME_MAX, "%s.BINANCE", symbol);
}

static const char *line(void *arg, const char *text, size_t size) {
  struct state *state = arg;
  struct trp_binance_event event;
  char name[TRP_DECODE_NAME_MAX];
  if (trp_binance_parse(state->parser, text, size, &event) != TRP_OK)
    return trp_binance_parse_reason(state->parser);
  name_of(name, event.symbol);
  const struct trp_decode_market market = {event.symbol, name, TRP_DEPTH_OVERLAPS};
  switch (event.kind) {
    case TRP_BINANCE_QUOTE:
      trp_decode_print_quote(name, &event.quote);
      return NULL;
    case TRP_BINANCE_TRADE:
      trp_decode_print_trade(name, &event.trade, NULL);
      return NULL;
    case TRP_BINANCE_DEPTH:
      return trp_decode_books_diff(state->books, &market, &event.depth);
    default:
      return NULL;
  }
}

static const char *response(void *arg, const char *url, const char *body, size_t size) {
  struct state *state = arg;
  char symbol[TRP_BINANCE_SYMBOL_MAX + 1], name[TRP_DECODE_NAME_MAX];
  struct trp_binance_event event;
  if (strstr(url, "/api/v3/depth") == NULL) return NULL;
  if (!trp_binance_symbol_of_url(url, symbol, sizeof symbol))
    return "a depth snapshot without a symbol in its URL";
  if (trp_binance_parse_snapshot(state->parser, body, size, &event) != TRP_OK)
    return trp_binance_parse_reason(state->parser);
  if (event.kind != TRP_BINANCE_DEPTH) return NULL; /* the exchange refused it */
  name_of(name, symbol);
  const struct trp_decode_market market = {symbol, name, TRP_DEPTH_OVERLAPS};
  return trp_decode_books_snapshot(state->books, &market, &event.depth);
}

const struct trp_decode_dialect trp_decode_binance = {.name = "binance",
                                                      .open = open_state,
                                                      .close = close_state,
                                                      .line = line,
                                                      .response = response};
