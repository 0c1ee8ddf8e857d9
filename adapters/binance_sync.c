/* Books: diffs in, snapshots asked for within the limits, steps given out. */
#include <string.h>

#include "adapters/binance_machine.h"

#define BUDGET_S 10.0 /* seconds' worth of weight that may be spent at once */

/* ---- giving out --------------------------------------------------------------------------- */

int32_t trp_binance_offset_us(const struct trp_binance *b, int64_t exchange_us) {
  if (b->wall_us == 0 || exchange_us == 0) return 0;
  int64_t offset = b->wall_us - exchange_us;
  return offset > INT32_MAX ? INT32_MAX : offset < INT32_MIN ? INT32_MIN : (int32_t)offset;
}

/* The levels lie in book_out already. */
static void give_book(struct trp_binance *b, struct symbol *symbol, uint32_t kind,
                      uint32_t level_count) {
  const struct trp_ladder *ladder = &symbol->book.ladder;
  struct trp_ladder_entry bid = trp_ladder_best_bid(ladder);
  struct trp_ladder_entry ask = trp_ladder_best_ask(ladder);
  struct trp_book *out = b->book_out;
  out->recv_ns = b->now_ns;
  out->sequence = symbol->book.id;
  out->bid = bid.price;
  out->bid_size = bid.size;
  out->ask = ask.price;
  out->ask_size = ask.size;
  out->symbol = symbol->number;
  out->kind = kind;
  out->bids = ladder->bids.count;
  out->asks = ladder->asks.count;
  out->levels_count = level_count;
  b->stats.books++;
  b->stats.updates++;
  b->out.book(b->out.arg, out);
  if (!trp_ladder_crossed(ladder)) return;
  b->stats.crossed++;
  trp_binance_note(b, TRP_BINANCE_CROSSED, symbol, TRP_OK, TRP_CLASS_PROTOCOL, 0,
                   "the best bid is not below the best ask");
}

static void give_update(struct trp_binance *b, struct symbol *symbol,
                        const struct trp_wire_depth *diff) {
  if (diff->count != 0)
    memcpy(b->book_out->levels, diff->levels, diff->count * sizeof *diff->levels);
  give_book(b, symbol, 2, diff->count);
}

static void give_snapshot(struct trp_binance *b, struct symbol *symbol) {
  size_t count = trp_ladder_copy(&symbol->book.ladder, b->book_out->levels,
                                 2 * (size_t)b->options.book_levels_max);
  give_book(b, symbol, 1, (uint32_t)count);
}

enum trp_err trp_binance_tell_books(struct trp_binance *b, uint64_t now_ns, const char *name) {
  b->now_ns = now_ns;
  struct symbol *one = name != NULL ? trp_binance_find(b, name) : NULL;
  if (name != NULL && (one == NULL || !trp_binance_is_wanted(one))) return TRP_INVALID;
  for (uint32_t i = 0; i < b->count; i++) {
    struct symbol *symbol = &b->symbols[i];
    if ((one == NULL || one == symbol) && symbol->book.synced) give_snapshot(b, symbol);
  }
  return TRP_OK;
}

/* ---- asking for snapshots ----------------------------------------------------------------- */

static void ask_later(struct trp_binance *b, struct symbol *symbol) {
  uint32_t wait_ms = trp_backoff_next_ms(&symbol->snapshot_backoff, trp_binance_chance(b));
  symbol->snapshot = SNAP_WANTED;
  symbol->snapshot_ns = b->now_ns + wait_ms * MS_NS;
  b->changed = true;
}

void trp_binance_want_snapshot(struct trp_binance *b, struct symbol *symbol) {
  bool depth = (b->options.streams & TRP_BINANCE_STREAM_DEPTH) != 0;
  if (depth && !symbol->book.synced && symbol->snapshot == SNAP_IDLE) ask_later(b, symbol);
}

static void refill(struct trp_binance *b) {
  double per_s = b->options.weight_per_min / 60.0;
  double most = per_s * BUDGET_S;
  double one = trp_binance_depth_weight(b->options.snapshot_limit);
  if (most < one) most = one;
  b->weight += per_s * (double)trp_binance_since(b, b->weight_ns) / 1e9;
  if (b->weight > most || b->weight_ns == 0) b->weight = most;
  if (b->now_ns > b->weight_ns) b->weight_ns = b->now_ns;
}

static bool ask(struct trp_binance *b, struct symbol *symbol) {
  char url[512];
  uint32_t limit = b->options.snapshot_limit;
  symbol->snapshot = SNAP_ASKED;
  symbol->snapshot_ns = b->now_ns + b->options.snapshot_timeout_ms * MS_NS;
  if (trp_binance_depth_url(url, sizeof url, b->http_base, symbol->name, limit) &&
      b->out.request_snapshot(b->out.arg, symbol->name, url) == TRP_OK) {
    b->weight -= trp_binance_depth_weight(limit);
    return true;
  }
  ask_later(b, symbol);
  return false;
}

static void failed(struct trp_binance *b, struct symbol *symbol, enum trp_err err,
                   enum trp_error_class error_class, int64_t code, const char *text) {
  b->stats.snapshot_failures++;
  b->stats.errors[error_class]++;
  ask_later(b, symbol);
  if (error_class == TRP_CLASS_AUTH || error_class == TRP_CLASS_FATAL)
    symbol->snapshot = SNAP_NEVER;
  if (error_class == TRP_CLASS_FATAL) {
    symbol->absent = true;
    symbol->stale = false;
  }
  trp_binance_note(b, TRP_BINANCE_SNAPSHOT_FAILED, symbol, err, error_class, code, text);
}

uint32_t trp_binance_snapshots_in_flight(const struct trp_binance *b) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < b->count; i++) n += b->symbols[i].snapshot == SNAP_ASKED;
  return n;
}

void trp_binance_pump_snapshots(struct trp_binance *b) {
  if (!b->open) return;
  refill(b);
  for (uint32_t i = 0; i < b->count; i++)
    if (b->symbols[i].snapshot == SNAP_ASKED && b->symbols[i].snapshot_ns <= b->now_ns)
      failed(b, &b->symbols[i], TRP_TIMEOUT, TRP_CLASS_TRANSIENT, 0, "no answer in time");
  uint32_t in_flight = trp_binance_snapshots_in_flight(b);
  double one = trp_binance_depth_weight(b->options.snapshot_limit);
  for (uint32_t i = 0; i < b->count; i++) {
    struct symbol *symbol = &b->symbols[i];
    if (in_flight >= b->options.snapshots_at_once || b->weight < one ||
        b->now_ns < b->paused_until_ns)
      return;
    if (symbol->snapshot == SNAP_WANTED && symbol->snapshot_ns <= b->now_ns)
      in_flight += ask(b, symbol);
  }
}

/* ---- diffs -------------------------------------------------------------------------------- */

void trp_binance_on_diff(struct trp_binance *b, struct symbol *symbol,
                         const struct trp_binance_event *event) {
  bool was_synced = symbol->book.synced;
  switch (trp_depth_book_diff(&symbol->book, &event->depth)) {
    case TRP_STEP_APPLIED:
      give_update(b, symbol, &event->depth);
      return;
    case TRP_STEP_OLD:
      return;
    case TRP_STEP_KEPT:
      break;
    case TRP_STEP_GAP:
      b->stats.gaps++;
      if (was_synced) trp_backoff_down(&symbol->snapshot_backoff, b->now_ns);
      b->out.gap(b->out.arg, symbol->number, symbol->book.expected, event->depth.first_id);
      break;
    case TRP_STEP_NO_MEMORY:
      trp_binance_note(b, TRP_BINANCE_SNAPSHOT_FAILED, symbol, TRP_NO_MEMORY, TRP_CLASS_TRANSIENT,
                       0, "no memory for the book");
      break;
  }
  if (was_synced) b->changed = true;
  trp_binance_want_snapshot(b, symbol);
}

/* ---- snapshots ---------------------------------------------------------------------------- */

static void take_snapshot(struct trp_binance *b, struct symbol *symbol,
                          const struct trp_binance_event *event) {
  struct trp_wire_depth diff;
  enum trp_err err = trp_depth_book_snapshot(&symbol->book, &event->depth);
  b->changed = true;
  if (err == TRP_GAP) {
    b->stats.snapshots_too_old++;
    ask_later(b, symbol);
    return;
  }
  if (err != TRP_OK) {
    failed(b, symbol, err, TRP_CLASS_TRANSIENT, 0, trp_err_text(err));
    return;
  }
  b->stats.snapshots++;
  b->stats.inexact += event->inexact;
  symbol->snapshot = SNAP_IDLE;
  trp_backoff_up(&symbol->snapshot_backoff, b->now_ns);
  give_snapshot(b, symbol);
  while (trp_depth_book_replay(&symbol->book, &diff)) give_update(b, symbol, &diff);
  trp_binance_want_snapshot(b, symbol); /* where the replay ran out of memory */
  if (symbol->book.synced)
    trp_binance_note(b, TRP_BINANCE_SYNCED, symbol, TRP_OK, TRP_CLASS_TRANSIENT, 0, "");
}

/* 429 asks to slow down, 418 is the ban of who did not: nothing of ours goes out before. */
static void pause(struct trp_binance *b, uint16_t status, uint32_t retry_after_s) {
  uint32_t wait_s = retry_after_s != 0 ? retry_after_s : status == 418 ? 120 : 60;
  uint64_t until = b->now_ns + (uint64_t)wait_s * 1000 * MS_NS;
  if (until > b->paused_until_ns) b->paused_until_ns = until;
}

static void refuse(struct trp_binance *b, struct symbol *symbol, uint16_t status,
                   uint32_t retry_after_s, const struct trp_binance_event *event) {
  bool told = event->kind == TRP_BINANCE_ERROR;
  int64_t code = told ? event->error.code : 0;
  enum trp_error_class error_class = trp_binance_classify(code, status);
  if (error_class == TRP_CLASS_RATE_LIMIT) pause(b, status, retry_after_s);
  failed(b, symbol, error_class == TRP_CLASS_RATE_LIMIT ? TRP_RATE_LIMIT : TRP_REFUSED, error_class,
         code, told ? event->error.text : "refused by its HTTP status");
}

void trp_binance_http_response(struct trp_binance *b, uint64_t now_ns, const char *name,
                               uint16_t status, uint32_t retry_after_s, const void *body,
                               size_t size) {
  b->now_ns = now_ns;
  struct symbol *symbol = trp_binance_find(b, name);
  if (symbol == NULL || !b->open || symbol->snapshot != SNAP_ASKED) return;
  struct trp_binance_event event = {.kind = TRP_BINANCE_OTHER};
  enum trp_err err = trp_binance_parse_snapshot(b->parser, body, size, &event);
  bool fine = status >= 200 && status < 300;
  if (fine && err != TRP_OK)
    failed(b, symbol, err, TRP_CLASS_PROTOCOL, 0, trp_binance_parse_reason(b->parser));
  else if (fine && event.kind == TRP_BINANCE_DEPTH)
    take_snapshot(b, symbol, &event);
  else
    refuse(b, symbol, status, retry_after_s, &event);
  trp_binance_pump_snapshots(b);
  trp_binance_update_state(b);
}

void trp_binance_http_failed(struct trp_binance *b, uint64_t now_ns, const char *name,
                             enum trp_err err) {
  b->now_ns = now_ns;
  struct symbol *symbol = trp_binance_find(b, name);
  if (symbol == NULL || !b->open || symbol->snapshot != SNAP_ASKED) return;
  failed(b, symbol, err, TRP_CLASS_TRANSIENT, 0, trp_err_text(err));
  trp_binance_update_state(b);
}
