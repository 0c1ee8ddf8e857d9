/* What the feed publishes, and what becomes of it while consumers lag.
 *
 * An event that the engine has no room for waits in the outbox. While anything waits there, quotes
 * do not join it: the newest of each symbol waits in the backlog instead. Trades and books do, up
 * to OUTBOX_SOME; then the net is not read, and nothing is lost. After lag_ms of that the exchange
 * would take us for dead, or what comes is old: the net is read again, steps of books are left out,
 * and trades let go, all counted. When there is room, each symbol has its newest quote, its gap in
 * the trades, and its whole book. */
#include <inttypes.h>
#include <stdio.h>

#include "actors/symbol_table.h"
#include "adapters/feed_actor.h"

#define OUTBOX_SOME 64

/* ---- lagging ------------------------------------------------------------------------------ */

bool trp_feed_sheds(struct trp_feed *f) {
  uint32_t depth = trp_outbox_depth(f->self);
  if (depth == 0) f->lag_ns = 0;
  if (depth < OUTBOX_SOME) return false;
  uint64_t now = trp_now_ns(f->self);
  if (f->lag_ns == 0) f->lag_ns = now;
  return now - f->lag_ns >= f->options.lag_ms * TRP_NS_PER_MS;
}

bool trp_feed_is_full(struct trp_feed *f) {
  return trp_outbox_depth(f->self) >= OUTBOX_SOME && !trp_feed_sheds(f);
}

void trp_feed_put_gap(struct trp_feed *f, uint32_t symbol, uint64_t expected, uint64_t got) {
  struct trp_feed_gap gap = {.expected = expected, .got = got, .symbol = symbol};
  snprintf(gap.name, sizeof gap.name, "%s", trp_self_name(f->self));
  trp_publish(f->self, &f->publisher, TRP_FEED_GAP, &gap, sizeof gap);
  trp_journal(f->self, TRP_FEED_GAP, &gap, sizeof gap);
  trp_log(f->self, TRP_LOG_WARN, "feed.gap", "symbol=%s expected=%" PRIu64 " got=%" PRIu64,
          trp_symbol_name(symbol), expected, got);
}

static void tell_row(struct trp_feed *f, const struct trp_backlog_row *row) {
  if (row->last_trade != 0) trp_feed_put_gap(f, row->symbol, row->first_trade, row->last_trade + 1);
  if (row->quote_waits)
    trp_publish(f->self, &f->publisher, TRP_QUOTE, &row->quote, sizeof row->quote);
  const char *symbol =
      row->book_waits ? trp_machine_symbol_named(f->machine, trp_symbol_name(row->symbol)) : NULL;
  if (symbol != NULL) (void)!trp_machine_tell_books(f->machine, trp_now_ns(f->self), symbol);
}

void trp_feed_catch_up(struct trp_feed *f) {
  struct trp_backlog_row row;
  while (trp_outbox_depth(f->self) == 0 && trp_backlog_take(&f->backlog, &row)) tell_row(f, &row);
}

/* ---- publishing --------------------------------------------------------------------------- */

void trp_feed_put_quote(struct trp_feed *f, const struct trp_quote *quote) {
  const struct trp_backlog_row *row = trp_backlog_find(&f->backlog, quote->symbol);
  bool waits = trp_outbox_depth(f->self) != 0 || (row != NULL && row->quote_waits);
  if (waits && trp_backlog_quote(&f->backlog, quote) == TRP_OK) return;
  trp_publish(f->self, &f->publisher, TRP_QUOTE, quote, sizeof *quote);
}

void trp_feed_put_trade(struct trp_feed *f, const struct trp_trade *trade) {
  const struct trp_backlog_row *row = trp_backlog_find(&f->backlog, trade->symbol);
  bool shed = trp_feed_sheds(f) || (row != NULL && row->last_trade != 0);
  if (shed && trp_backlog_trade(&f->backlog, trade->symbol, trade->id) == TRP_OK) return;
  trp_publish(f->self, &f->publisher, TRP_TRADE, trade, sizeof *trade);
}

/* A whole book makes good for the steps that were left out. */
void trp_feed_put_book(struct trp_feed *f, const struct trp_book *book) {
  struct trp_backlog_row *row = trp_backlog_find(&f->backlog, book->symbol);
  bool whole = book->kind == 1;
  bool shed = trp_feed_sheds(f) || (row != NULL && row->book_waits && !whole);
  if (shed && trp_backlog_book(&f->backlog, book->symbol) == TRP_OK) return;
  if (row != NULL && whole) row->book_waits = false;
  size_t bytes = sizeof *book + book->levels_count * sizeof(struct trp_level);
  trp_publish(f->self, &f->publisher, TRP_BOOK, book, bytes);
}
