/* The MEXC dialect of `troupe decode`. Binary frames are files of their own, or stand in a capture
 * as hex:DIGITS; snapshots are responses of GET /api/v3/depth. A limit.depth frame is a book by
 * itself and is printed as one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/decode.h"
#include "adapters/mexc_wire.h"

struct state {
  struct trp_mexc_parser *parser;
  struct trp_decode_books *books;
  struct trp_ladder top;
  unsigned char frame[TRP_MEXC_FRAME_MAX];
};

static void close_state(void *arg) {
  struct state *state = arg;
  trp_mexc_parser_destroy(&state->parser);
  trp_decode_books_destroy(&state->books);
  trp_ladder_fini(&state->top);
  free(state);
}

static void *open_state(void) {
  struct state *state = calloc(1, sizeof *state);
  if (state == NULL) return NULL;
  trp_ladder_init(&state->top, 0);
  state->books = trp_decode_books_new();
  if (trp_mexc_parser_new(&state->parser) == TRP_OK && state->books != NULL) return state;
  close_state(state);
  return NULL;
}

static void name_of(char out[TRP_DECODE_NAME_MAX], const char *symbol) {
  snprintf(out, TRP_DECODE_NAME_MAX, "%s.MEXC", symbol);
}

static const char *take_top(struct state *state, const struct trp_wire_depth *depth,
                            const char *name) {
  if (trp_ladder_load(&state->top, depth->levels, depth->count) != TRP_OK)
    return "no memory for the book";
  trp_decode_print_book(name, depth->final_id, &state->top);
  return NULL;
}

static const char *take_frame(void *arg, const void *bytes, size_t size) {
  struct state *state = arg;
  struct trp_mexc_event event;
  char name[TRP_DECODE_NAME_MAX];
  if (trp_mexc_parse(state->parser, bytes, size, &event) != TRP_OK)
    return trp_mexc_parse_reason(state->parser);
  name_of(name, event.symbol);
  const struct trp_decode_market market = {event.symbol, name, TRP_DEPTH_CHAINED};
  switch (event.kind) {
    case TRP_MEXC_QUOTES:
      for (uint32_t i = 0; i < event.quote_count; i++)
        trp_decode_print_quote(name, &event.quotes[i]);
      return NULL;
    case TRP_MEXC_TRADES:
      for (uint32_t i = 0; i < event.trade_count; i++)
        trp_decode_print_trade(name, &event.trades[i].trade, event.trades[i].id_text);
      return NULL;
    case TRP_MEXC_TOP:
      return take_top(state, &event.depth, name);
    case TRP_MEXC_DEPTH:
      return trp_decode_books_diff(state->books, &market, &event.depth);
    default:
      return NULL;
  }
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *line(void *arg, const char *text, size_t size) {
  struct state *state = arg;
  if (text[0] == '{') return take_frame(state, text, size);
  if (strncmp(text, "hex:", 4) != 0) return "neither hex: nor a JSON text";
  const char *at = text + 4;
  size_t length = (size - 4) / 2;
  if (length > sizeof state->frame) return "larger than the limit";
  for (size_t i = 0; i < length; i++) {
    int high = hex(at[2 * i]), low = hex(at[2 * i + 1]);
    if (high < 0 || low < 0) return "something behind hex: that is no hexadecimal digit";
    state->frame[i] = (unsigned char)(high * 16 + low);
  }
  if (size % 2 != 0) return "an odd number of digits behind hex:";
  return take_frame(state, state->frame, length);
}

static const char *response(void *arg, const char *url, const char *body, size_t size) {
  struct state *state = arg;
  char symbol[TRP_MEXC_SYMBOL_MAX + 1], name[TRP_DECODE_NAME_MAX];
  struct trp_mexc_event event;
  if (strstr(url, "/api/v3/depth") == NULL) return NULL;
  if (!trp_mexc_symbol_of_url(url, symbol, sizeof symbol))
    return "a depth snapshot without a symbol in its URL";
  if (trp_mexc_parse_snapshot(state->parser, body, size, &event) != TRP_OK)
    return trp_mexc_parse_reason(state->parser);
  if (event.kind != TRP_MEXC_DEPTH) return NULL; /* the exchange refused it */
  name_of(name, symbol);
  const struct trp_decode_market market = {symbol, name, TRP_DEPTH_CHAINED};
  return trp_decode_books_snapshot(state->books, &market, &event.depth);
}

const struct trp_decode_dialect trp_decode_mexc = {.name = "mexc",
                                                   .frame_files = true,
                                                   .open = open_state,
                                                   .close = close_state,
                                                   .line = line,
                                                   .file = take_frame,
                                                   .response = response};
