/* Books: diffs in, snapshots asked for within the limits, steps given out.
 *
 * A snapshot comes by HTTP, or, of a BOOK stream, as its first frame: then "asking" means to wait
 * for that, and to subscribe anew where the book is lost. */
#include <string.h>

#include "adapters/machine_inside.h"

#define BUDGET_S 10.0 /* seconds' worth of weight that may be spent at once */

static void ask_later(struct trp_machine *m, struct symbol *symbol);

/* ---- giving out --------------------------------------------------------------------------- */

/* The levels lie in book_out already. */
static void give_book(struct trp_machine *m, struct symbol *symbol, uint32_t kind,
                      uint32_t level_count) {
  const struct trp_ladder *ladder = &symbol->book.ladder;
  struct trp_ladder_entry bid = trp_ladder_best_bid(ladder);
  struct trp_ladder_entry ask = trp_ladder_best_ask(ladder);
  struct trp_book *out = m->book_out;
  out->recv_ns = m->now_ns;
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
  m->stats.books++;
  m->stats.updates++;
  m->out.book(m->out.arg, out);
}

static void give_update(struct trp_machine *m, struct symbol *symbol,
                        const struct trp_wire_depth *diff) {
  if (diff->count != 0)
    memcpy(m->book_out->levels, diff->levels, diff->count * sizeof *diff->levels);
  give_book(m, symbol, 2, diff->count);
}

static void give_snapshot(struct trp_machine *m, struct symbol *symbol) {
  size_t count = trp_ladder_copy(&symbol->book.ladder, m->book_out->levels,
                                 2 * (size_t)m->options.book_levels_max);
  give_book(m, symbol, 1, (uint32_t)count);
}

/* A book with its best bid at or above its best ask is not the exchange's: nobody gets it, and it
 * is built anew. */
static bool is_impossible(struct trp_machine *m, struct symbol *symbol) {
  if (!trp_ladder_crossed(&symbol->book.ladder)) return false;
  uint64_t id = symbol->book.id;
  m->stats.crossed++;
  m->stats.gaps++;
  m->changed = true;
  trp_backoff_down(&symbol->snapshot_backoff, m->now_ns);
  trp_depth_book_reset(&symbol->book);
  trp_machine_note(m, TRP_NOTICE_CROSSED, symbol, TRP_OK, TRP_CLASS_PROTOCOL, 0,
                   "the best bid is not below the best ask: the book is built anew");
  m->out.gap(m->out.arg, symbol->number, id, id);
  ask_later(m, symbol);
  return true;
}

enum trp_err trp_machine_tell_books(struct trp_machine *m, uint64_t now_ns, const char *name) {
  m->now_ns = now_ns;
  struct symbol *one = name != NULL ? trp_machine_find(m, name) : NULL;
  if (name != NULL && (one == NULL || !one->wanted)) return TRP_INVALID;
  for (uint32_t i = 0; i < m->count; i++) {
    struct symbol *symbol = &m->symbols[i];
    if ((one == NULL || one == symbol) && symbol->book.synced) give_snapshot(m, symbol);
  }
  return TRP_OK;
}

/* ---- asking for snapshots ----------------------------------------------------------------- */

static void ask_later(struct trp_machine *m, struct symbol *symbol) {
  uint32_t wait_ms = trp_backoff_next_ms(&symbol->snapshot_backoff, trp_machine_chance(m));
  symbol->snapshot = SNAP_WANTED;
  symbol->snapshot_ns = m->now_ns + wait_ms * MS_NS;
  m->changed = true;
}

static void wait_for_snapshot(struct trp_machine *m, struct symbol *symbol) {
  symbol->snapshot = SNAP_ASKED;
  symbol->snapshot_ns = m->now_ns + m->options.snapshot_timeout_ms * MS_NS;
}

void trp_machine_want_snapshot(struct trp_machine *m, struct symbol *symbol) {
  if (!trp_machine_has_books(m) || symbol->book.synced || symbol->snapshot != SNAP_IDLE) return;
  if (trp_machine_has_own_snapshots(m))
    wait_for_snapshot(m, symbol);
  else
    ask_later(m, symbol);
}

void trp_machine_refill(struct trp_machine *m) {
  double per_s = m->options.weight_per_min / 60.0;
  double most = per_s * BUDGET_S;
  double one = m->dialect->snapshot_weight(m->options.snapshot_limit);
  if (most < one) most = one;
  m->weight += per_s * (double)trp_machine_since(m, m->weight_ns) / 1e9;
  if (m->weight > most || m->weight_ns == 0) m->weight = most;
  if (m->now_ns > m->weight_ns) m->weight_ns = m->now_ns;
}

static bool ask(struct trp_machine *m, struct symbol *symbol) {
  char url[512];
  uint32_t limit = m->options.snapshot_limit;
  wait_for_snapshot(m, symbol);
  if (m->dialect->snapshot_url(url, sizeof url, m->http_base, symbol->name, limit) &&
      m->out.request_snapshot(m->out.arg, symbol->link, symbol->name, url) == TRP_OK) {
    m->weight -= m->dialect->snapshot_weight(limit);
    return true;
  }
  ask_later(m, symbol);
  return false;
}

/* Takes the book's subscription back; when it has left it is asked for again (machine_symbols.c).
 */
static void subscribe_anew(struct trp_machine *m, struct symbol *symbol) {
  struct leg *leg = trp_machine_book_leg(m, symbol);
  if (leg->state == LEG_ON) leg->state = LEG_LEAVING;
  wait_for_snapshot(m, symbol);
  m->changed = true;
}

static void failed(struct trp_machine *m, struct symbol *symbol, enum trp_err err,
                   enum trp_error_class error_class, int64_t code, const char *text) {
  m->stats.snapshot_failures++;
  m->stats.errors[error_class]++;
  ask_later(m, symbol);
  if (error_class == TRP_CLASS_AUTH || error_class == TRP_CLASS_FATAL)
    symbol->snapshot = SNAP_NEVER;
  if (error_class == TRP_CLASS_FATAL) {
    symbol->absent = true;
    symbol->stale = false;
  }
  trp_machine_note(m, TRP_NOTICE_SNAPSHOT_FAILED, symbol, err, error_class, code, text);
}

uint32_t trp_machine_snapshots_in_flight(const struct trp_machine *m) {
  uint32_t n = 0;
  if (trp_machine_has_own_snapshots(m)) return 0;
  for (uint32_t i = 0; i < m->count; i++) n += m->symbols[i].snapshot == SNAP_ASKED;
  return n;
}

static bool is_due(const struct trp_machine *m, const struct symbol *symbol, enum snapshot what) {
  return symbol->snapshot == what && symbol->snapshot_ns <= m->now_ns &&
         trp_machine_stands(&m->links[symbol->link]);
}

/* Within the limits: so many at once, their weight a minute, and not before the exchange allows. */
static void ask_by_http(struct trp_machine *m) {
  uint32_t in_flight = trp_machine_snapshots_in_flight(m);
  double one = m->dialect->snapshot_weight(m->options.snapshot_limit);
  for (uint32_t i = 0; i < m->count; i++) {
    if (in_flight >= m->options.snapshots_at_once || m->weight < one ||
        m->now_ns < m->paused_until_ns)
      return;
    if (is_due(m, &m->symbols[i], SNAP_WANTED)) in_flight += ask(m, &m->symbols[i]);
  }
}

void trp_machine_pump_snapshots(struct trp_machine *m) {
  trp_machine_refill(m);
  for (uint32_t i = 0; i < m->count; i++)
    if (is_due(m, &m->symbols[i], SNAP_ASKED))
      failed(m, &m->symbols[i], TRP_TIMEOUT, TRP_CLASS_TRANSIENT, 0, "no answer in time");
  if (!trp_machine_has_own_snapshots(m)) {
    ask_by_http(m);
    return;
  }
  for (uint32_t i = 0; i < m->count; i++)
    if (is_due(m, &m->symbols[i], SNAP_WANTED)) subscribe_anew(m, &m->symbols[i]);
}

/* ---- diffs -------------------------------------------------------------------------------- */

static void on_gap(struct trp_machine *m, struct symbol *symbol, bool was_synced, uint64_t got) {
  m->stats.gaps++;
  if (was_synced) trp_backoff_down(&symbol->snapshot_backoff, m->now_ns);
  m->out.gap(m->out.arg, symbol->number, symbol->book.expected, got);
  bool waiting = symbol->snapshot != SNAP_IDLE;
  if (!waiting && trp_machine_has_own_snapshots(m)) ask_later(m, symbol);
}

void trp_machine_apply_diff(struct trp_machine *m, struct symbol *symbol,
                            const struct trp_wire_depth *diff) {
  bool was_synced = symbol->book.synced;
  switch (trp_depth_book_diff(&symbol->book, diff)) {
    case TRP_STEP_APPLIED:
      if (!is_impossible(m, symbol)) give_update(m, symbol, diff);
      return;
    case TRP_STEP_OLD:
      return;
    case TRP_STEP_KEPT:
      break;
    case TRP_STEP_GAP:
      on_gap(m, symbol, was_synced, diff->first_id);
      break;
    case TRP_STEP_NO_MEMORY:
      trp_machine_note(m, TRP_NOTICE_SNAPSHOT_FAILED, symbol, TRP_NO_MEMORY, TRP_CLASS_TRANSIENT, 0,
                       "no memory for the book");
      break;
  }
  if (was_synced) m->changed = true;
  trp_machine_want_snapshot(m, symbol);
}

/* ---- snapshots ---------------------------------------------------------------------------- */

static void replay(struct trp_machine *m, struct symbol *symbol) {
  struct trp_wire_depth diff;
  if (is_impossible(m, symbol)) return;
  give_snapshot(m, symbol);
  while (trp_depth_book_replay(&symbol->book, &diff)) {
    if (is_impossible(m, symbol)) return;
    give_update(m, symbol, &diff);
  }
}

void trp_machine_on_whole(struct trp_machine *m, struct symbol *symbol,
                          const struct trp_heard *heard) {
  bool was_synced = symbol->book.synced;
  enum trp_err err = trp_depth_book_snapshot(&symbol->book, &heard->depth);
  m->changed = true;
  if (err == TRP_GAP) {
    m->stats.snapshots_too_old++;
    ask_later(m, symbol);
    return;
  }
  if (err != TRP_OK) {
    failed(m, symbol, err, TRP_CLASS_TRANSIENT, 0, trp_err_text(err));
    return;
  }
  m->stats.snapshots++;
  symbol->snapshot = SNAP_IDLE;
  trp_backoff_up(&symbol->snapshot_backoff, m->now_ns);
  replay(m, symbol);
  trp_machine_want_snapshot(m, symbol); /* where the replay ran out of memory */
  if (symbol->book.synced && !was_synced)
    trp_machine_note(m, TRP_NOTICE_SYNCED, symbol, TRP_OK, TRP_CLASS_TRANSIENT, 0, "");
}

/* 429 asks to slow down, 418 is the ban of who did not: nothing of ours goes out before. */
void trp_machine_pause(struct trp_machine *m, uint16_t status, uint32_t retry_after_s) {
  uint32_t usual_s = status == 418 ? m->dialect->ban_wait_s : m->dialect->limit_wait_s;
  uint32_t wait_s = retry_after_s != 0 ? retry_after_s : usual_s;
  uint64_t until = m->now_ns + (uint64_t)wait_s * 1000 * MS_NS;
  if (until > m->paused_until_ns) m->paused_until_ns = until;
}

/* The answer in hand. */
struct body {
  struct trp_machine *m;
  struct symbol *symbol;
  uint16_t status;
  uint32_t retry_after_s;
  bool taken;
};

static void refuse(struct body *body, int64_t code, const char *text) {
  struct trp_machine *m = body->m;
  enum trp_error_class error_class = trp_dialect_classify(m->dialect, code, text, body->status);
  bool limit = error_class == TRP_CLASS_RATE_LIMIT;
  if (limit) trp_machine_pause(m, body->status, body->retry_after_s);
  failed(m, body->symbol, limit ? TRP_RATE_LIMIT : TRP_REFUSED, error_class, code, text);
}

static bool is_fine(const struct body *body) { return body->status >= 200 && body->status < 300; }

static void hear_body(void *arg, const struct trp_heard *heard) {
  struct body *body = arg;
  if (body->taken) return;
  if (heard->kind == TRP_HEARD_WHOLE && is_fine(body)) {
    body->m->stats.inexact += heard->inexact;
    trp_machine_on_whole(body->m, body->symbol, heard);
    body->taken = true;
  } else if (heard->kind == TRP_HEARD_REFUSED) {
    refuse(body, heard->answer.code, heard->answer.text);
    body->taken = true;
  }
}

/* The symbol that waits for an answer; NULL: it waits no more. */
static struct symbol *asker(struct trp_machine *m, const char *name) {
  struct symbol *symbol = trp_machine_find(m, name);
  bool waits = symbol != NULL && symbol->snapshot == SNAP_ASKED &&
               trp_machine_stands(&m->links[symbol->link]) && !trp_machine_has_own_snapshots(m);
  return waits ? symbol : NULL;
}

void trp_machine_http_response(struct trp_machine *m, uint64_t now_ns, const char *name,
                               uint16_t status, uint32_t retry_after_s, const void *bytes,
                               size_t size) {
  m->now_ns = now_ns;
  struct body body = {
      .m = m, .symbol = asker(m, name), .status = status, .retry_after_s = retry_after_s};
  if (body.symbol == NULL) return;
  enum trp_err err = m->dialect->parse_snapshot(m->parser, bytes, size, hear_body, &body);
  if (!body.taken && err != TRP_OK && is_fine(&body))
    failed(m, body.symbol, err, TRP_CLASS_PROTOCOL, 0, m->dialect->parse_reason(m->parser));
  else if (!body.taken)
    refuse(&body, 0, "refused by its HTTP status");
  trp_machine_pump_snapshots(m);
  trp_machine_update_state(m);
}

void trp_machine_http_failed(struct trp_machine *m, uint64_t now_ns, const char *name,
                             enum trp_err err) {
  m->now_ns = now_ns;
  struct symbol *symbol = asker(m, name);
  if (symbol == NULL) return;
  failed(m, symbol, err, TRP_CLASS_TRANSIENT, 0, trp_err_text(err));
  trp_machine_update_state(m);
}
