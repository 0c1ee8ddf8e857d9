#include "adapters/backlog.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROWS 16

void trp_backlog_init(struct trp_backlog *backlog, uint32_t rows_max) {
  *backlog = (struct trp_backlog){.rows_max = rows_max};
}

void trp_backlog_fini(struct trp_backlog *backlog) {
  free(backlog->rows);
  *backlog = (struct trp_backlog){0};
}

/* Looked for one by one: who lags has few, or worse to bear. */
struct trp_backlog_row *trp_backlog_find(const struct trp_backlog *backlog, uint32_t symbol) {
  for (uint32_t i = 0; i < backlog->count; i++)
    if (backlog->rows[i].symbol == symbol) return &backlog->rows[i];
  return NULL;
}

static enum trp_err make_room(struct trp_backlog *backlog) {
  if (backlog->count < backlog->capacity) return TRP_OK;
  if (backlog->count == backlog->rows_max) return TRP_LIMIT;
  uint32_t capacity = backlog->capacity == 0 ? FIRST_ROWS : 2 * backlog->capacity;
  if (capacity > backlog->rows_max) capacity = backlog->rows_max;
  void *rows = realloc(backlog->rows, capacity * sizeof *backlog->rows);
  if (rows == NULL) return TRP_NO_MEMORY;
  backlog->rows = rows;
  backlog->capacity = capacity;
  return TRP_OK;
}

static enum trp_err row_of(struct trp_backlog *backlog, uint32_t symbol,
                           struct trp_backlog_row **out) {
  *out = trp_backlog_find(backlog, symbol);
  if (*out != NULL) return TRP_OK;
  enum trp_err err = make_room(backlog);
  if (err != TRP_OK) return err;
  *out = &backlog->rows[backlog->count++];
  **out = (struct trp_backlog_row){.symbol = symbol};
  return TRP_OK;
}

enum trp_err trp_backlog_quote(struct trp_backlog *backlog, const struct trp_quote *quote) {
  struct trp_backlog_row *row;
  enum trp_err err = row_of(backlog, quote->symbol, &row);
  if (err != TRP_OK) return err;
  backlog->stats.conflated += row->quote_waits;
  row->quote_waits = true;
  row->quote = *quote;
  return TRP_OK;
}

enum trp_err trp_backlog_book(struct trp_backlog *backlog, uint32_t symbol) {
  struct trp_backlog_row *row;
  enum trp_err err = row_of(backlog, symbol, &row);
  if (err != TRP_OK) return err;
  backlog->stats.books++;
  row->book_waits = true;
  return TRP_OK;
}

enum trp_err trp_backlog_trade(struct trp_backlog *backlog, uint32_t symbol, uint64_t id) {
  struct trp_backlog_row *row;
  enum trp_err err = row_of(backlog, symbol, &row);
  if (err != TRP_OK) return err;
  backlog->stats.trades++;
  if (row->last_trade == 0) row->first_trade = id;
  row->last_trade = id;
  return TRP_OK;
}

bool trp_backlog_take(struct trp_backlog *backlog, struct trp_backlog_row *out) {
  if (backlog->count == 0) return false;
  *out = backlog->rows[0];
  backlog->count--;
  memmove(backlog->rows, backlog->rows + 1, backlog->count * sizeof *backlog->rows);
  return true;
}

void trp_backlog_clear(struct trp_backlog *backlog) { backlog->count = 0; }
