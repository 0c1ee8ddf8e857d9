/* backlog.h - what a feed has for consumers that lag, kept small.
 *
 * A row a symbol. A quote that must wait replaces the one that waits already, and is counted: the
 * newest is what counts. A book that could not be told on is marked, and told whole later, for its
 * feed keeps it anyway; so does the row say which trades were let go. Rows come out in the order
 * in which they got something to wait. Memory: as many rows as symbols ever waited, within the
 * bound. Thread: the owner's. */
#ifndef TRP_ADAPTERS_BACKLOG_H
#define TRP_ADAPTERS_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/errors.h"
#include "proto/messages.h"

struct trp_backlog_row {
  uint32_t symbol;
  bool quote_waits;
  bool book_waits;                  /* its updates were not told: tell it whole */
  uint64_t first_trade, last_trade; /* let go; last 0: none */
  struct trp_quote quote;
};

struct trp_backlog_stats {
  uint64_t conflated; /* quotes that a newer one replaced */
  uint64_t books;     /* steps of books that were not told */
  uint64_t trades;    /* trades that were let go */
};

struct trp_backlog {
  struct trp_backlog_row *rows; /* those that wait, oldest first */
  uint32_t count, capacity, rows_max;
  struct trp_backlog_stats stats;
};

void trp_backlog_init(struct trp_backlog *backlog, uint32_t rows_max);
void trp_backlog_fini(struct trp_backlog *backlog);

/* The symbol's row, where it has one; NULL. Valid until the next call. */
struct trp_backlog_row *trp_backlog_find(const struct trp_backlog *backlog, uint32_t symbol);

/* Errors of all: NO_MEMORY, LIMIT (more symbols than rows_max); then nothing was kept. */
TRP_MUST_USE enum trp_err trp_backlog_quote(struct trp_backlog *backlog,
                                            const struct trp_quote *quote);
TRP_MUST_USE enum trp_err trp_backlog_book(struct trp_backlog *backlog, uint32_t symbol);
TRP_MUST_USE enum trp_err trp_backlog_trade(struct trp_backlog *backlog, uint32_t symbol,
                                            uint64_t id);

/* Takes the oldest row out; false where none waits. */
bool trp_backlog_take(struct trp_backlog *backlog, struct trp_backlog_row *out);

/* Forgets what waits; the account stays. */
void trp_backlog_clear(struct trp_backlog *backlog);

#endif
