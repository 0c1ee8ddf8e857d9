/* What decode prints, one JSON object a line, and the books that it keeps for that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/decode.h"
#include "adapters/decimal.h"

#define MARKETS_MAX 4096

static const char no_memory[] = "no memory for the book, or too many symbols";

/* ---- printing ----------------------------------------------------------------------------- */

static void put_text(const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    if ((unsigned char)*text < ' ')
      printf("\\u%04x", (unsigned)(unsigned char)*text);
    else
      putchar(*text);
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
  putchar('"');
}

static void put_u64(const char *name, uint64_t value) {
  printf(",\"%s\":%llu", name, (unsigned long long)value);
}

void trp_decode_print_quote(const char *symbol, const struct trp_wire_quote *quote) {
  put_head("quote", symbol);
  put_u64("seq", quote->update_id);
  put_number("bid", quote->bid);
  put_number("bid_size", quote->bid_size);
  put_number("ask", quote->ask);
  put_number("ask_size", quote->ask_size);
  puts("}");
}

void trp_decode_print_trade(const char *symbol, const struct trp_wire_trade *trade,
                            const char *id_text) {
  put_head("trade", symbol);
  put_number("price", trade->price);
  put_number("size", trade->size);
  printf(",\"side\":\"%s\"", trade->taker_sold ? "sell" : "buy");
  if (id_text == NULL) {
    put_u64("id", trade->id);
  } else {
    printf(",\"id\":\"");
    put_text(id_text);
    putchar('"');
  }
  puts("}");
}

void trp_decode_print_book(const char *symbol, uint64_t seq, const struct trp_ladder *ladder) {
  struct trp_ladder_entry bid = trp_ladder_best_bid(ladder);
  struct trp_ladder_entry ask = trp_ladder_best_ask(ladder);
  put_head("book", symbol);
  put_u64("seq", seq);
  put_number("bid", bid.price);
  put_number("bid_size", bid.size);
  put_number("ask", ask.price);
  put_number("ask_size", ask.size);
  put_u64("bids", ladder->bids.count);
  put_u64("asks", ladder->asks.count);
  puts("}");
}

static void print_gap(const char *symbol, uint64_t expected, uint64_t got) {
  put_head("gap", symbol);
  put_u64("expected", expected);
  put_u64("got", got);
  puts("}");
}

/* ---- markets ------------------------------------------------------------------------------ */

/* A snapshot that waits to be needed. */
struct waiting {
  struct waiting *next;
  uint64_t id;
  uint32_t count;
  struct trp_level levels[];
};

struct market {
  char key[TRP_DECODE_NAME_MAX], symbol[TRP_DECODE_NAME_MAX];
  struct trp_depth_book book;
  struct waiting *first, **last;
  bool told; /* it was in sync once, or its first gap was printed */
};

struct trp_decode_books {
  struct market *markets[MARKETS_MAX];
  uint32_t count;
};

struct trp_decode_books *trp_decode_books_new(void) {
  return calloc(1, sizeof(struct trp_decode_books));
}

static void drop_first(struct market *market) {
  struct waiting *first = market->first;
  market->first = first->next;
  if (market->first == NULL) market->last = &market->first;
  free(first);
}

void trp_decode_books_destroy(struct trp_decode_books **books) {
  if (*books == NULL) return;
  for (uint32_t i = 0; i < (*books)->count; i++) {
    struct market *market = (*books)->markets[i];
    while (market->first != NULL) drop_first(market);
    trp_depth_book_fini(&market->book);
    free(market);
  }
  free(*books);
  *books = NULL;
}

static struct market *market_of(struct trp_decode_books *books,
                                const struct trp_decode_market *wanted) {
  for (uint32_t i = 0; i < books->count; i++)
    if (strcmp(books->markets[i]->key, wanted->key) == 0) return books->markets[i];
  if (books->count == MARKETS_MAX) return NULL;
  struct market *market = calloc(1, sizeof *market);
  if (market == NULL) return NULL;
  snprintf(market->key, sizeof market->key, "%s", wanted->key);
  snprintf(market->symbol, sizeof market->symbol, "%s", wanted->symbol);
  market->last = &market->first;
  trp_depth_book_init(&market->book, wanted->rule, 0);
  books->markets[books->count++] = market;
  return market;
}

static void print_market(const struct market *market) {
  trp_decode_print_book(market->symbol, market->book.id, &market->book.ladder);
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
      while (trp_depth_book_replay(book, &diff)) print_market(market);
      market->told = true;
    } else {
      too_old = first->id;
    }
    drop_first(market);
  }
  if (too_old == 0 || book->synced || book->kept == 0 || market->told) return;
  market->told = true;
  print_gap(market->symbol, too_old + 1, book->events[0].first_id);
}

const char *trp_decode_books_diff(struct trp_decode_books *books,
                                  const struct trp_decode_market *wanted,
                                  const struct trp_wire_depth *diff) {
  struct market *market = market_of(books, wanted);
  if (market == NULL) return no_memory;
  switch (trp_depth_book_diff(&market->book, diff)) {
    case TRP_STEP_APPLIED:
      print_market(market);
      break;
    case TRP_STEP_OLD:
      break;
    case TRP_STEP_KEPT:
      sync(market);
      break;
    case TRP_STEP_GAP:
      print_gap(market->symbol, market->book.expected, diff->first_id);
      market->told = true;
      sync(market);
      break;
    case TRP_STEP_NO_MEMORY:
      return no_memory;
  }
  return NULL;
}

const char *trp_decode_books_snapshot(struct trp_decode_books *books,
                                      const struct trp_decode_market *wanted,
                                      const struct trp_wire_depth *snapshot) {
  struct market *market = market_of(books, wanted);
  size_t bytes = snapshot->count * sizeof *snapshot->levels;
  struct waiting *waiting = malloc(sizeof *waiting + bytes);
  if (market == NULL || waiting == NULL) {
    free(waiting);
    return no_memory;
  }
  waiting->next = NULL;
  waiting->id = snapshot->final_id;
  waiting->count = snapshot->count;
  if (bytes != 0) memcpy(waiting->levels, snapshot->levels, bytes);
  *market->last = waiting;
  market->last = &waiting->next;
  sync(market);
  return NULL;
}

const char *trp_decode_books_whole(struct trp_decode_books *books,
                                   const struct trp_decode_market *wanted,
                                   const struct trp_wire_depth *whole) {
  struct market *market = market_of(books, wanted);
  if (market == NULL) return no_memory;
  trp_depth_book_reset(&market->book); /* what was kept came before, so it is in here */
  if (trp_depth_book_snapshot(&market->book, whole) != TRP_OK) return no_memory;
  market->told = true;
  print_market(market);
  return NULL;
}
