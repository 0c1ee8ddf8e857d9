/* Which symbols are wanted, what was asked of the exchange for them, and what it answered. */
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/binance_machine.h"

/* ---- look-up ------------------------------------------------------------------------------ */

static uint32_t bucket_of(const char *name) {
  uint32_t h = 2166136261u; /* FNV-1a */
  for (; *name != '\0'; name++) h = (h ^ (unsigned char)*name) * 16777619u;
  return h & (BUCKETS - 1);
}

struct symbol *trp_binance_find(struct trp_binance *b, const char *name) {
  for (uint32_t i = bucket_of(name); b->buckets[i] != 0; i = (i + 1) & (BUCKETS - 1)) {
    struct symbol *symbol = &b->symbols[b->buckets[i] - 1];
    if (strcmp(symbol->name, name) == 0) return symbol;
  }
  return NULL;
}

static void index_symbol(struct trp_binance *b, uint32_t at) {
  uint32_t i = bucket_of(b->symbols[at].name);
  while (b->buckets[i] != 0) i = (i + 1) & (BUCKETS - 1);
  b->buckets[i] = (uint16_t)(at + 1);
}

bool trp_binance_is_wanted(const struct symbol *symbol) {
  return symbol->again || (symbol->sub != SUB_LEAVING && symbol->sub != SUB_LEAVE_ASKED);
}

/* Symbols keep their order, so that nothing depends on what was removed before. */
static void remove_symbol(struct trp_binance *b, uint32_t at) {
  trp_binance_note(b, TRP_BINANCE_UNSUBSCRIBED, &b->symbols[at], TRP_OK, TRP_CLASS_TRANSIENT, 0,
                   "");
  trp_depth_book_fini(&b->symbols[at].book);
  b->count--;
  memmove(&b->symbols[at], &b->symbols[at + 1], (b->count - at) * sizeof *b->symbols);
  memset(b->buckets, 0, sizeof b->buckets);
  for (uint32_t i = 0; i < b->count; i++) index_symbol(b, i);
  b->changed = true;
}

static struct symbol *add_symbol(struct trp_binance *b, const char *name, uint32_t number) {
  struct symbol *symbol = &b->symbols[b->count];
  *symbol = (struct symbol){.number = number, .sub = SUB_WANTED, .data_ns = b->now_ns};
  strcpy(symbol->name, name); /* valid, so it fits */
  trp_backoff_init(&symbol->retry, &(struct trp_backoff_options){.min_ms = 1000});
  trp_backoff_init(&symbol->snapshot_backoff, NULL);
  trp_depth_book_init(&symbol->book, TRP_DEPTH_OVERLAPS, b->options.book_levels_max);
  index_symbol(b, b->count++);
  return symbol;
}

enum trp_err trp_binance_subscribe(struct trp_binance *b, uint64_t now_ns, const char *name,
                                   uint32_t *number) {
  b->now_ns = now_ns;
  if (!trp_binance_symbol_valid(name)) return TRP_INVALID;
  struct symbol *symbol = trp_binance_find(b, name);
  if (symbol == NULL) {
    char full[TRP_SYMBOL_NAME_MAX + 1];
    strcpy(full, name);
    strcat(full, TRP_BINANCE_VENUE);
    if (b->count == b->options.symbols_max) return TRP_LIMIT;
    uint32_t interned = trp_symbol_intern(full);
    if (interned == 0) return TRP_LIMIT;
    symbol = add_symbol(b, name, interned);
  } else if (symbol->sub == SUB_LEAVING) {
    symbol->sub = SUB_ON; /* it was not said yet */
    symbol->data_ns = now_ns;
    trp_binance_want_snapshot(b, symbol);
  } else if (symbol->sub == SUB_LEAVE_ASKED) {
    symbol->again = true;
  }
  if (number != NULL) *number = symbol->number;
  b->changed = true;
  return TRP_OK;
}

enum trp_err trp_binance_unsubscribe(struct trp_binance *b, uint64_t now_ns, const char *name) {
  b->now_ns = now_ns;
  struct symbol *symbol = trp_binance_find(b, name);
  if (symbol == NULL || !trp_binance_is_wanted(symbol)) return TRP_INVALID;
  b->changed = true;
  symbol->again = false;
  if (symbol->sub == SUB_LEAVE_ASKED) return TRP_OK;
  if (symbol->sub == SUB_WANTED || symbol->sub == SUB_REFUSED) {
    remove_symbol(b, (uint32_t)(symbol - b->symbols));
    return TRP_OK;
  }
  symbol->sub = SUB_LEAVING;
  symbol->stale = false;
  symbol->snapshot = SNAP_IDLE;
  trp_depth_book_reset(&symbol->book);
  return TRP_OK;
}

void trp_binance_clear(struct trp_binance *b) {
  for (uint32_t i = 0; i < b->count; i++) trp_depth_book_fini(&b->symbols[i].book);
  b->count = 0;
  b->changed = true;
  memset(b->buckets, 0, sizeof b->buckets);
  memset(b->pending, 0, sizeof b->pending);
}

uint32_t trp_binance_symbols(const struct trp_binance *b) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < b->count; i++) n += trp_binance_is_wanted(&b->symbols[i]);
  return n;
}

const char *trp_binance_symbol(const struct trp_binance *b, uint32_t index) {
  for (uint32_t i = 0; i < b->count; i++)
    if (trp_binance_is_wanted(&b->symbols[i]) && index-- == 0) return b->symbols[i].name;
  return NULL;
}

/* ---- asking ------------------------------------------------------------------------------- */

void trp_binance_stamp(struct trp_binance *b) {
  b->stamps[b->stamp++ % STAMPS_MAX] = b->now_ns + 1; /* 0 means never */
}

/* Fewer than texts_per_s went out within the last second? */
static bool may_send(const struct trp_binance *b) {
  uint32_t lately = 0;
  for (uint32_t i = 0; i < STAMPS_MAX; i++)
    lately += b->stamps[i] != 0 && b->now_ns - (b->stamps[i] - 1) < 1000 * MS_NS;
  return lately < b->options.texts_per_s;
}

static struct pending *free_pending(struct trp_binance *b) {
  for (uint32_t i = 0; i < PENDING_MAX; i++)
    if (b->pending[i].id == 0) return &b->pending[i];
  return NULL;
}

static bool is_due(const struct trp_binance *b, const struct symbol *symbol, bool subscribe) {
  if (!subscribe) return symbol->sub == SUB_LEAVING;
  return symbol->sub == SUB_WANTED || (symbol->sub == SUB_REFUSED && symbol->retry_ns <= b->now_ns);
}

/* Puts due symbols into one text under `id`; one that must go alone goes alone. Returns how many.
 */
static uint32_t collect(struct trp_binance *b, struct trp_wire_text *request, bool subscribe,
                        uint64_t id) {
  uint32_t n = 0;
  uint32_t each = (uint32_t)__builtin_popcount(b->options.streams);
  for (uint32_t i = 0; i < b->count; i++) {
    struct symbol *symbol = &b->symbols[i];
    if (!is_due(b, symbol, subscribe) || (symbol->alone && n != 0)) continue;
    if (request->streams + each > STREAMS_A_TEXT) break;
    trp_binance_request_add(request, symbol->name, b->options.streams);
    symbol->request_id = id;
    n++;
    if (symbol->alone) break;
  }
  return n;
}

/* One batch; false where nothing is due or nothing may be sent now. */
static bool ask(struct trp_binance *b, bool subscribe) {
  struct pending *pending = free_pending(b);
  struct trp_wire_text request;
  uint64_t id = b->next_id;
  if (pending == NULL || !may_send(b)) return false;
  trp_binance_request_begin(&request, b->text, sizeof b->text, subscribe);
  if (collect(b, &request, subscribe, id) == 0 || !trp_binance_request_end(&request, id) ||
      b->out.send_text(b->out.arg, request.text, request.size) != TRP_OK) {
    for (uint32_t i = 0; i < b->count; i++)
      if (b->symbols[i].request_id == id) b->symbols[i].request_id = 0;
    return false;
  }
  b->next_id++;
  trp_binance_stamp(b);
  *pending = (struct pending){.id = id,
                              .deadline_ns = b->now_ns + b->options.ack_timeout_ms * MS_NS,
                              .subscribe = subscribe};
  for (uint32_t i = 0; i < b->count; i++)
    if (b->symbols[i].request_id == id) b->symbols[i].sub = subscribe ? SUB_ASKED : SUB_LEAVE_ASKED;
  b->changed = true;
  return true;
}

static void check_deadlines(struct trp_binance *b) {
  for (uint32_t i = 0; i < PENDING_MAX; i++) {
    if (b->pending[i].id == 0 || b->now_ns < b->pending[i].deadline_ns) continue;
    b->pending[i].id = 0;
    b->stats.ack_timeouts++;
    trp_binance_ask_reconnect(b, TRP_CLASS_TRANSIENT, "a request was not acknowledged in time");
  }
}

void trp_binance_pump_requests(struct trp_binance *b) {
  if (!b->open) return;
  check_deadlines(b);
  while (ask(b, false)) continue;
  while (ask(b, true)) continue;
}

/* A new connection knows nothing: what is wanted is asked for again, what was leaving is gone. */
void trp_binance_forget_requests(struct trp_binance *b) {
  memset(b->pending, 0, sizeof b->pending);
  memset(b->stamps, 0, sizeof b->stamps);
  for (uint32_t i = b->count; i-- > 0;) {
    struct symbol *symbol = &b->symbols[i];
    if (!trp_binance_is_wanted(symbol)) {
      remove_symbol(b, i);
      continue;
    }
    symbol->sub = SUB_WANTED;
    symbol->again = symbol->alone = symbol->stale = false;
    symbol->request_id = 0;
    symbol->data_ns = b->now_ns;
    symbol->snapshot = SNAP_IDLE;
    trp_backoff_reset(&symbol->snapshot_backoff); /* the dialling has a backoff of its own */
    trp_depth_book_reset(&symbol->book);
  }
  b->changed = true;
}

/* ---- answers ------------------------------------------------------------------------------ */

static struct pending *find_pending(struct trp_binance *b, uint64_t id) {
  for (uint32_t i = 0; i < PENDING_MAX; i++)
    if (id != 0 && b->pending[i].id == id) return &b->pending[i];
  return NULL;
}

static struct pending *oldest_pending(struct trp_binance *b) {
  struct pending *oldest = NULL;
  for (uint32_t i = 0; i < PENDING_MAX; i++)
    if (b->pending[i].id != 0 && (oldest == NULL || b->pending[i].id < oldest->id))
      oldest = &b->pending[i];
  return oldest;
}

static void on(struct trp_binance *b, struct symbol *symbol) {
  symbol->sub = SUB_ON;
  symbol->alone = false;
  symbol->data_ns = b->now_ns;
  trp_backoff_reset(&symbol->retry);
  trp_binance_note(b, TRP_BINANCE_SUBSCRIBED, symbol, TRP_OK, TRP_CLASS_TRANSIENT, 0, "");
  trp_binance_want_snapshot(b, symbol);
}

static void left(struct trp_binance *b, uint32_t at) {
  struct symbol *symbol = &b->symbols[at];
  if (!symbol->again) {
    remove_symbol(b, at);
    return;
  }
  symbol->again = false;
  symbol->sub = SUB_WANTED;
}

/* An operator may have changed his mind while the acknowledgement was under way: then the symbol
 * carries the request's id, but is LEAVING already. */
void trp_binance_on_ack(struct trp_binance *b, uint64_t id) {
  struct pending *pending = find_pending(b, id);
  if (pending == NULL) {
    b->stats.other_frames++;
    return;
  }
  pending->id = 0;
  b->stats.acks++;
  b->changed = true;
  for (uint32_t i = b->count; i-- > 0;) {
    if (b->symbols[i].request_id != id) continue;
    if (b->symbols[i].sub == SUB_ASKED)
      on(b, &b->symbols[i]);
    else if (b->symbols[i].sub == SUB_LEAVE_ASKED)
      left(b, i);
  }
}

static void refused(struct trp_binance *b, struct symbol *symbol, enum trp_error_class error_class,
                    const struct trp_binance_event *event) {
  bool hopeless = error_class == TRP_CLASS_AUTH || error_class == TRP_CLASS_FATAL;
  symbol->sub = SUB_REFUSED;
  /* The first wait of a backoff is none; a refusal deserves one. */
  if (symbol->retry.attempts == 0) (void)trp_backoff_next_ms(&symbol->retry, 0);
  uint32_t wait_ms = trp_backoff_next_ms(&symbol->retry, trp_binance_chance(b));
  symbol->retry_ns = hopeless ? NEVER_NS : b->now_ns + wait_ms * MS_NS;
  trp_binance_note(b, TRP_BINANCE_REFUSED, symbol, TRP_REFUSED, error_class, event->error.code,
                   event->error.text);
}

void trp_binance_on_error(struct trp_binance *b, const struct trp_binance_event *event) {
  enum trp_error_class error_class = trp_binance_classify(event->error.code, 0);
  struct pending *pending =
      event->error.id != 0 ? find_pending(b, event->error.id) : oldest_pending(b);
  b->stats.errors[error_class]++;
  if (pending == NULL) {
    trp_binance_note(b, TRP_BINANCE_COMPLAINT, NULL, TRP_REFUSED, error_class, event->error.code,
                     event->error.text);
    return;
  }
  uint64_t id = pending->id;
  uint32_t together = 0;
  pending->id = 0;
  b->stats.refusals++;
  b->changed = true;
  for (uint32_t i = 0; i < b->count; i++) together += b->symbols[i].request_id == id;
  for (uint32_t i = b->count; i-- > 0;) {
    struct symbol *symbol = &b->symbols[i];
    if (symbol->request_id != id) continue;
    if (symbol->sub == SUB_LEAVE_ASKED) {
      left(b, i);
    } else if (symbol->sub == SUB_ASKED && together > 1) {
      symbol->alone = true; /* one bad name refuses the whole batch: find out which */
      symbol->sub = SUB_WANTED;
    } else if (symbol->sub == SUB_ASKED) {
      refused(b, symbol, error_class, event);
    }
  }
}
