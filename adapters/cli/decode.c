/* troupe decode binance [--snapshots FILE] FILE: a capture in, one JSON object a line out.
 *
 * Quotes and trades are printed as they come. With snapshots (of the file, or HTTP responses in the
 * capture itself) each symbol's book is kept by the exchange's rules and printed after every diff
 * applied; where continuity is lost a gap is printed, and the next snapshot that fits is taken. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/depth_book.h"
#include "adapters/binance_wire.h"
#include "adapters/capture.h"
#include "adapters/cli/cli.h"
#include "adapters/decimal.h"

#define SYMBOLS_MAX 4096
#define VENUE ".BINANCE"

/* A snapshot that waits to be needed. */
struct waiting {
  struct waiting *next;
  uint64_t id;
  uint32_t count;
  struct trp_level levels[];
};

struct market {
  char name[TRP_BINANCE_SYMBOL_MAX + 1];
  struct trp_depth_book book;
  struct waiting *first, **last;
  bool told; /* it was in sync once, or its first gap was printed */
};

struct decoder {
  struct trp_binance_parser *parser;
  struct market *markets[SYMBOLS_MAX];
  uint32_t count;
  bool bad;
  const char *file_name;
};

/* ---- output ------------------------------------------------------------------------------- */

static void put_text(const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    putchar(*text); /* symbols have no control characters */
  }
}

static void put_number(const char *name, double value) {
  char text[TRP_DECIMAL_TEXT_MAX];
  trp_decimal_print(text, value);
  printf(",\"%s\":%s", name, text);
}

static void put_head(const char *type, const char *symbol) {
  printf("{\"type\":\"%s\",\"symbol\":\"", type);
  put_text(symbol);
  printf(VENUE "\"");
}

static void put_u64(const char *name, uint64_t value) {
  printf(",\"%s\":%llu", name, (unsigned long long)value);
}

static void print_quote(const struct trp_binance_event *event) {
  put_head("quote", event->symbol);
  put_u64("seq", event->quote.update_id);
  put_number("bid", event->quote.bid);
  put_number("bid_size", event->quote.bid_size);
  put_number("ask", event->quote.ask);
  put_number("ask_size", event->quote.ask_size);
  puts("}");
}

static void print_trade(const struct trp_binance_event *event) {
  put_head("trade", event->symbol);
  put_number("price", event->trade.price);
  put_number("size", event->trade.size);
  printf(",\"side\":\"%s\"", event->trade.taker_sold ? "sell" : "buy");
  put_u64("id", event->trade.id);
  puts("}");
}

static void print_book(const struct market *market) {
  const struct trp_ladder *ladder = &market->book.ladder;
  struct trp_ladder_entry bid = trp_ladder_best_bid(ladder);
  struct trp_ladder_entry ask = trp_ladder_best_ask(ladder);
  put_head("book", market->name);
  put_u64("seq", market->book.id);
  put_number("bid", bid.price);
  put_number("bid_size", bid.size);
  put_number("ask", ask.price);
  put_number("ask_size", ask.size);
  put_u64("bids", ladder->bids.count);
  put_u64("asks", ladder->asks.count);
  puts("}");
}

static void print_gap(const struct market *market, uint64_t expected, uint64_t got) {
  put_head("gap", market->name);
  put_u64("expected", expected);
  put_u64("got", got);
  puts("}");
}

static void complain(struct decoder *decoder, uint64_t number, const char *reason) {
  decoder->bad = true;
  fprintf(stderr, "%s:%llu: %s\n", decoder->file_name, (unsigned long long)number, reason);
}

/* ---- markets ------------------------------------------------------------------------------ */

static struct market *market_of(struct decoder *decoder, const char *name) {
  for (uint32_t i = 0; i < decoder->count; i++)
    if (strcmp(decoder->markets[i]->name, name) == 0) return decoder->markets[i];
  if (decoder->count == SYMBOLS_MAX) return NULL;
  struct market *market = calloc(1, sizeof *market);
  if (market == NULL) return NULL;
  strcpy(market->name, name); /* as long as the parser lets it be */
  market->last = &market->first;
  trp_depth_book_init(&market->book, TRP_DEPTH_OVERLAPS, 0);
  decoder->markets[decoder->count++] = market;
  return market;
}

static void drop_first(struct market *market) {
  struct waiting *first = market->first;
  market->first = first->next;
  if (market->first == NULL) market->last = &market->first;
  free(first);
}

static void free_markets(struct decoder *decoder) {
  for (uint32_t i = 0; i < decoder->count; i++) {
    struct market *market = decoder->markets[i];
    while (market->first != NULL) drop_first(market);
    trp_depth_book_fini(&market->book);
    free(market);
  }
}

/* ---- books -------------------------------------------------------------------------------- */

/* Brings the market in sync with the first waiting snapshot that is new enough for the diffs kept;
 * older ones are dropped. Where a symbol has had nothing but older ones, diffs are missing between
 * them and the capture: that is a gap too, and said once. */
static void sync(struct market *market) {
  struct trp_depth_book *book = &market->book;
  struct trp_wire_depth diff;
  uint64_t too_old = 0;
  while (!book->synced && market->first != NULL && book->kept != 0) {
    const struct waiting *first = market->first;
    const struct trp_wire_depth snapshot = {.first_id = first->id,
                                               .final_id = first->id,
                                               .levels = first->levels,
                                               .count = first->count};
    if (trp_depth_book_snapshot(book, &snapshot) == TRP_OK) {
      while (trp_depth_book_replay(book, &diff)) print_book(market);
      market->told = true;
    } else {
      too_old = first->id;
    }
    drop_first(market);
  }
  if (too_old == 0 || book->synced || book->kept == 0 || market->told) return;
  market->told = true;
  print_gap(market, too_old + 1, book->events[0].first_id);
}

static const char *take_diff(struct market *market, const struct trp_wire_depth *diff) {
  switch (trp_depth_book_diff(&market->book, diff)) {
    case TRP_STEP_APPLIED:
      print_book(market);
      break;
    case TRP_STEP_OLD:
      break;
    case TRP_STEP_KEPT:
      sync(market);
      break;
    case TRP_STEP_GAP:
      print_gap(market, market->book.expected, diff->first_id);
      market->told = true;
      sync(market);
      break;
    case TRP_STEP_NO_MEMORY:
      return "no memory for the book";
  }
  return NULL;
}

/* A depth snapshot among the HTTP responses; others are passed over. NULL: fine. */
static const char *take_response(struct decoder *decoder, const struct trp_capture_line *line) {
  char symbol[TRP_BINANCE_SYMBOL_MAX + 1];
  struct trp_binance_event event;
  if (strstr(line->url, "/api/v3/depth") == NULL) return NULL;
  if (!trp_binance_symbol_of_url(line->url, symbol, sizeof symbol))
    return "a depth snapshot without a symbol in its URL";
  if (trp_binance_parse_snapshot(decoder->parser, line->text, line->size, &event) != TRP_OK)
    return trp_binance_parse_reason(decoder->parser);
  if (event.kind != TRP_BINANCE_DEPTH) return NULL; /* the exchange refused it */
  struct market *market = market_of(decoder, symbol);
  size_t bytes = event.depth.count * sizeof *event.depth.levels;
  struct waiting *waiting = malloc(sizeof *waiting + bytes);
  if (market == NULL || waiting == NULL) {
    free(waiting);
    return "no memory for the snapshot, or too many symbols";
  }
  waiting->next = NULL;
  waiting->id = event.depth.final_id;
  waiting->count = event.depth.count;
  memcpy(waiting->levels, event.depth.levels, bytes);
  *market->last = waiting;
  market->last = &waiting->next;
  sync(market);
  return NULL;
}

/* ---- lines -------------------------------------------------------------------------------- */

static const char *take_frame(struct decoder *decoder, const struct trp_capture_line *line) {
  struct trp_binance_event event;
  struct market *market;
  if (trp_binance_parse(decoder->parser, line->text, line->size, &event) != TRP_OK)
    return trp_binance_parse_reason(decoder->parser);
  switch (event.kind) {
    case TRP_BINANCE_QUOTE:
      print_quote(&event);
      return NULL;
    case TRP_BINANCE_TRADE:
      print_trade(&event);
      return NULL;
    case TRP_BINANCE_DEPTH:
      market = market_of(decoder, event.symbol);
      return market != NULL ? take_diff(market, &event.depth)
                            : "no memory for the book, or too many symbols";
    default:
      return NULL;
  }
}

static const char *take_line(struct decoder *decoder, const struct trp_capture_line *line) {
  switch (line->kind) {
    case TRP_CAPTURE_RECEIVED:
      return take_frame(decoder, line);
    case TRP_CAPTURE_RESPONSE:
      return take_response(decoder, line);
    case TRP_CAPTURE_BAD:
      return line->reason;
    default:
      return NULL;
  }
}

/* Reads a whole file. false: it could not be read. */
static bool decode_file(struct decoder *decoder, const char *name) {
  FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
  struct trp_capture *capture = NULL;
  struct trp_capture_line line;
  if (file == NULL) {
    fprintf(stderr, "troupe decode: %s: %s\n", name, strerror(errno));
    return false;
  }
  decoder->file_name = name;
  enum trp_err err = trp_capture_new(&capture, file);
  while (err == TRP_OK) {
    err = trp_capture_next(capture, &line);
    if (err != TRP_OK || line.kind == TRP_CAPTURE_END) break;
    const char *reason = take_line(decoder, &line);
    if (reason != NULL) complain(decoder, line.number, reason);
  }
  if (err != TRP_OK) fprintf(stderr, "troupe decode: %s: %s\n", name, trp_err_text(err));
  trp_capture_destroy(&capture);
  if (file != stdin) fclose(file);
  return err == TRP_OK;
}

/* ---- the subcommand ----------------------------------------------------------------------- */

static int usage(void) {
  fputs(
      "usage: troupe decode binance [--snapshots FILE] FILE\n"
      "  FILE           a capture, - for standard input\n"
      "  --snapshots    the capture's HTTP responses, with a depth snapshot a symbol\n",
      stderr);
  return 2;
}

static int run(const char *snapshots, const char *capture) {
  struct decoder decoder = {.file_name = ""};
  int status = 2;
  if (trp_binance_parser_new(&decoder.parser) != TRP_OK) return 1;
  if ((snapshots == NULL || decode_file(&decoder, snapshots)) && decode_file(&decoder, capture))
    status = decoder.bad ? 1 : 0;
  free_markets(&decoder);
  trp_binance_parser_destroy(&decoder.parser);
  if (fflush(stdout) != 0 || ferror(stdout)) {
    fputs("troupe decode: standard output cannot be written\n", stderr);
    return 1;
  }
  return status;
}

int trp_cli_decode(int argc, char **argv) {
  static const struct option options[] = {{"snapshots", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  const char *snapshots = NULL;
  int option;
  optind = 0; /* main may have looked at its own options before */
  while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
    if (option == 'h') return usage(), 0;
    if (option != 's') return usage();
    snapshots = optarg;
  }
  if (argc - optind != 2) return usage();
  if (strcmp(argv[optind], "binance") != 0) {
    fprintf(stderr, "troupe decode: unknown dialect: %s\n", argv[optind]);
    return usage();
  }
  return run(snapshots, argv[optind + 1]);
}
