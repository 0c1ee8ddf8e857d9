/* Which symbols are wanted, what was asked of the exchange for them, and what it answered. */
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/machine_inside.h"

/* ---- look-up ------------------------------------------------------------------------------ */

static uint32_t bucket_of(const struct trp_machine *m, const char *name) {
  uint32_t h = 2166136261u; /* FNV-1a */
  for (; *name != '\0'; name++) h = (h ^ (unsigned char)*name) * 16777619u;
  return h & m->bucket_mask;
}

struct symbol *trp_machine_find(struct trp_machine *m, const char *name) {
  for (uint32_t i = bucket_of(m, name); m->buckets[i] != 0; i = (i + 1) & m->bucket_mask) {
    struct symbol *symbol = &m->symbols[m->buckets[i] - 1];
    if (strcmp(symbol->name, name) == 0) return symbol;
  }
  return NULL;
}

static void index_symbol(struct trp_machine *m, uint32_t at) {
  uint32_t i = bucket_of(m, m->symbols[at].name);
  while (m->buckets[i] != 0) i = (i + 1) & m->bucket_mask;
  m->buckets[i] = (uint16_t)(at + 1);
}

static void forget_index(struct trp_machine *m) {
  memset(m->buckets, 0, (m->bucket_mask + 1) * sizeof *m->buckets);
}

struct leg *trp_machine_book_leg(struct trp_machine *m, struct symbol *symbol) {
  uint32_t books = m->options.streams & (TRP_STREAM_DEPTH | TRP_STREAM_BOOK);
  return books != 0 ? &symbol->legs[__builtin_ctz(books)] : NULL;
}

bool trp_machine_all_are(const struct symbol *symbol, enum leg_state state) {
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++)
    if (symbol->legs[i].state != state && symbol->legs[i].state != LEG_OFF) return false;
  return true;
}

bool trp_machine_is_on(const struct symbol *symbol) {
  return trp_machine_all_are(symbol, LEG_ON) && !trp_machine_all_are(symbol, LEG_OFF);
}

/* Nothing is under way: a refusal that may be tried again is an answer too. */
bool trp_machine_is_settled(const struct symbol *symbol) {
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++)
    if (symbol->legs[i].state != LEG_ON && symbol->legs[i].state != LEG_REFUSED &&
        symbol->legs[i].state != LEG_OFF)
      return false;
  return true;
}

struct symbol *trp_machine_numbered(struct trp_machine *m, uint32_t number) {
  for (uint32_t i = 0; i < m->count; i++)
    if (m->symbols[i].number == number) return &m->symbols[i];
  return NULL;
}

/* Symbols keep their order, so that nothing depends on what was removed before. */
void trp_machine_remove_symbol(struct trp_machine *m, uint32_t at) {
  trp_machine_note(m, TRP_NOTICE_UNSUBSCRIBED, &m->symbols[at], TRP_OK, TRP_CLASS_TRANSIENT, 0, "");
  trp_depth_book_fini(&m->symbols[at].book);
  trp_machine_forget_parked(m, &m->symbols[at]);
  m->links[m->symbols[at].link].symbols--;
  m->count--;
  memmove(&m->symbols[at], &m->symbols[at + 1], (m->count - at) * sizeof *m->symbols);
  forget_index(m);
  for (uint32_t i = 0; i < m->count; i++) index_symbol(m, i);
  m->changed = true;
}

/* The first with room; there is one, because symbols_max fits all of them. */
static uint32_t link_with_room(const struct trp_machine *m) {
  uint32_t link = 0;
  while (m->links[link].symbols == m->symbols_a_link) link++;
  return link;
}

static void want_legs(const struct trp_machine *m, struct symbol *symbol) {
  enum leg_state state = symbol->unknown ? LEG_REFUSED : LEG_WANTED;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++)
    symbol->legs[i] = (struct leg){.state = trp_machine_has(m, i) ? state : LEG_OFF};
}

/* The exchange has no such symbol: nothing is asked for it any more. */
void trp_machine_disown(struct trp_machine *m, struct symbol *symbol) {
  symbol->unknown = symbol->absent = true;
  symbol->stale = false;
  symbol->retry_ns = NEVER_NS;
  symbol->snapshot = SNAP_IDLE;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++)
    if (symbol->legs[i].state != LEG_OFF) symbol->legs[i].state = LEG_REFUSED;
  m->changed = true;
}

static void add_symbol(struct trp_machine *m, const char *name, uint32_t number) {
  struct symbol *symbol = &m->symbols[m->count];
  *symbol = (struct symbol){
      .number = number, .link = link_with_room(m), .wanted = true, .data_ns = m->now_ns};
  strcpy(symbol->name, name); /* valid, so it fits */
  want_legs(m, symbol);
  trp_backoff_init(&symbol->retry, &(struct trp_backoff_options){.min_ms = 1000});
  trp_backoff_init(&symbol->snapshot_backoff, NULL);
  trp_depth_book_init(&symbol->book,
                      trp_machine_has_own_snapshots(m) ? TRP_DEPTH_EXACT : m->dialect->rule,
                      m->options.book_levels_max);
  m->links[symbol->link].symbols++;
  index_symbol(m, m->count++);
}

/* Leaving, and wanted again: what was not said yet need not be; the rest is asked for once the
 * leave is acknowledged. */
static void come_back(struct trp_machine *m, struct symbol *symbol) {
  symbol->wanted = true;
  symbol->data_ns = m->now_ns;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++) {
    struct leg *leg = &symbol->legs[i];
    if (leg->state == LEG_LEAVING) leg->state = leg->request_id != 0 ? LEG_ASKED : LEG_ON;
    if (leg->state == LEG_OFF && trp_machine_has(m, i)) leg->state = LEG_WANTED;
  }
  const struct leg *book = trp_machine_book_leg(m, symbol);
  if (book != NULL && book->state == LEG_ON) trp_machine_want_snapshot(m, symbol);
}

/* Two of the exchange's symbols that the house would not tell apart. */
static bool is_taken(const struct trp_machine *m, uint32_t number) {
  for (uint32_t i = 0; i < m->count; i++)
    if (m->symbols[i].number == number) return true;
  return false;
}

static enum trp_err add_new(struct trp_machine *m, const char *name) {
  char full[TRP_SYMBOL_NAME_MAX + 1];
  if (!trp_dialect_name(m->dialect, name, full, sizeof full)) return TRP_INVALID;
  if (m->count == m->options.symbols_max) return TRP_LIMIT;
  uint32_t number = trp_symbol_intern(full);
  if (number == 0) return TRP_LIMIT;
  if (trp_machine_lacks(m, name)) return TRP_INVALID;
  if (is_taken(m, number)) return TRP_INVALID;
  add_symbol(m, name, number);
  return TRP_OK;
}

enum trp_err trp_machine_subscribe(struct trp_machine *m, uint64_t now_ns, const char *name,
                                   uint32_t *number) {
  m->now_ns = now_ns;
  if (!m->dialect->symbol_valid(name)) return TRP_INVALID;
  struct symbol *symbol = trp_machine_find(m, name);
  if (symbol == NULL) {
    enum trp_err err = add_new(m, name);
    if (err != TRP_OK) return err;
    symbol = &m->symbols[m->count - 1];
  } else if (!symbol->wanted) {
    come_back(m, symbol);
  }
  if (number != NULL) *number = symbol->number;
  m->changed = true;
  return TRP_OK;
}

enum trp_err trp_machine_unsubscribe(struct trp_machine *m, uint64_t now_ns, const char *name) {
  m->now_ns = now_ns;
  struct symbol *symbol = trp_machine_find(m, name);
  if (symbol == NULL || !symbol->wanted) return TRP_INVALID;
  m->changed = true;
  symbol->wanted = symbol->stale = false;
  symbol->snapshot = SNAP_IDLE;
  trp_depth_book_reset(&symbol->book);
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++) {
    struct leg *leg = &symbol->legs[i];
    if (leg->state == LEG_WANTED || leg->state == LEG_REFUSED)
      leg->state = LEG_OFF;
    else if (leg->state == LEG_ASKED || leg->state == LEG_ON)
      leg->state = LEG_LEAVING;
  }
  if (trp_machine_all_are(symbol, LEG_OFF))
    trp_machine_remove_symbol(m, (uint32_t)(symbol - m->symbols));
  return TRP_OK;
}

void trp_machine_clear(struct trp_machine *m) {
  for (uint32_t i = 0; i < m->count; i++) trp_depth_book_fini(&m->symbols[i].book);
  m->count = m->parked_count = 0;
  trp_listing_fini(&m->listing);
  m->listing_ns = 0;
  m->changed = true;
  forget_index(m);
  for (uint32_t i = 0; i < m->link_count; i++) {
    memset(m->links[i].pending, 0, sizeof m->links[i].pending);
    m->links[i].symbols = 0;
  }
  memset(m->asked, 0, sizeof m->asked);
}

uint32_t trp_machine_symbols(const struct trp_machine *m) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < m->count; i++) n += m->symbols[i].wanted;
  return n;
}

const char *trp_machine_symbol(const struct trp_machine *m, uint32_t index) {
  for (uint32_t i = 0; i < m->count; i++)
    if (m->symbols[i].wanted && index-- == 0) return m->symbols[i].name;
  return NULL;
}

const char *trp_machine_symbol_named(const struct trp_machine *m, const char *name) {
  uint32_t number = trp_symbol_find(name);
  for (uint32_t i = 0; i < m->count && number != 0; i++)
    if (m->symbols[i].wanted && m->symbols[i].number == number) return m->symbols[i].name;
  return NULL;
}

/* ---- asking ------------------------------------------------------------------------------- */

void trp_machine_stamp(struct trp_machine *m, uint32_t link) {
  struct link *l = &m->links[link];
  l->stamps[l->stamp++ % STAMPS_MAX] = m->now_ns + 1; /* 0 means never */
}

/* Fewer than texts_per_s went out within the last second? */
bool trp_machine_may_send(const struct trp_machine *m, uint32_t link) {
  const uint64_t *stamps = m->links[link].stamps;
  uint32_t lately = 0;
  for (uint32_t i = 0; i < STAMPS_MAX; i++)
    lately += stamps[i] != 0 && trp_machine_since(m, stamps[i] - 1) < 1000 * MS_NS;
  return lately < m->options.texts_per_s;
}

struct pending *trp_machine_find_pending(struct link *l, uint64_t id) {
  for (uint32_t i = 0; i < PENDING_MAX; i++)
    if (l->pending[i].id == id) return &l->pending[i];
  return NULL;
}

/* Where answers name channels and not requests, a subscription that waits for its answer is not
 * taken back before that: nobody could tell the two answers apart. */
static bool is_due(const struct trp_machine *m, const struct symbol *symbol, const struct leg *leg,
                   bool subscribe) {
  if (!subscribe)
    return leg->state == LEG_LEAVING && (m->dialect->names == NULL || leg->request_id == 0);
  return leg->state == LEG_WANTED || (leg->state == LEG_REFUSED && symbol->retry_ns <= m->now_ns);
}

/* Puts what is due of one symbol into the request; says how many legs. */
static uint32_t collect_legs(struct trp_machine *m, struct trp_dialect_request *request,
                             struct symbol *symbol, bool begun) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++) {
    struct leg *leg = &symbol->legs[i];
    enum trp_stream stream = (enum trp_stream)(1u << i);
    if (!is_due(m, symbol, leg, request->subscribe)) continue;
    if (!begun) {
      request->first = stream;
      m->dialect->request_begin(request);
      begun = true;
    }
    if (!m->dialect->request_add(request, stream, symbol->name)) continue;
    leg->request_id = request->id;
    n++;
  }
  return n;
}

/* One that must go alone goes alone. */
static uint32_t collect(struct trp_machine *m, uint32_t link, struct trp_dialect_request *request) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < m->count; i++) {
    struct symbol *symbol = &m->symbols[i];
    if (symbol->link != link || (symbol->alone && n != 0)) continue;
    uint32_t taken = collect_legs(m, request, symbol, n != 0);
    n += taken;
    if (symbol->alone && taken != 0) break;
  }
  return n;
}

/* What was put into the request is asked for now, or is not in it after all. */
static void settle_request(struct trp_machine *m, uint32_t link, uint64_t id,
                           enum leg_state asked) {
  for (uint32_t i = 0; i < m->count; i++)
    for (uint32_t k = 0; k < TRP_STREAM_COUNT && m->symbols[i].link == link; k++) {
      struct leg *leg = &m->symbols[i].legs[k];
      if (leg->request_id != id) continue;
      if (asked == LEG_OFF)
        leg->request_id = 0;
      else
        leg->state = asked;
    }
}

/* One batch; false where nothing is due or nothing may be sent now. */
static bool ask(struct trp_machine *m, uint32_t link, bool subscribe) {
  struct pending *pending = trp_machine_find_pending(&m->links[link], 0);
  if (pending == NULL || !trp_machine_may_send(m, link)) return false;
  struct trp_dialect_request request = {.subscribe = subscribe,
                                        .id = m->next_id,
                                        .time_s = trp_machine_wall_s(m),
                                        .depth = m->options.snapshot_limit};
  trp_wire_text_begin(&request.text, m->text, sizeof m->text);
  if (collect(m, link, &request) == 0) return false;
  if (!m->dialect->request_end(&request) ||
      m->out.send_text(m->out.arg, link, request.text.text, request.text.size) != TRP_OK) {
    settle_request(m, link, request.id, LEG_OFF);
    return false;
  }
  m->next_id++;
  trp_machine_stamp(m, link);
  *pending = (struct pending){.id = request.id,
                              .deadline_ns = m->now_ns + m->options.ack_timeout_ms * MS_NS};
  settle_request(m, link, request.id, subscribe ? LEG_ASKED : LEG_LEAVE_ASKED);
  m->changed = true;
  return true;
}

static void check_deadlines(struct trp_machine *m, uint32_t link) {
  for (uint32_t i = 0; i < PENDING_MAX; i++) {
    struct pending *pending = &m->links[link].pending[i];
    if (pending->id == 0 || m->now_ns < pending->deadline_ns) continue;
    pending->id = 0;
    m->stats.ack_timeouts++;
    trp_machine_ask_reconnect(m, link, TRP_CLASS_TRANSIENT,
                              "a request was not acknowledged in time");
  }
}

void trp_machine_pump_requests(struct trp_machine *m, uint32_t link) {
  if (!m->links[link].open) return;
  check_deadlines(m, link);
  while (ask(m, link, false)) continue;
  while (ask(m, link, true)) continue;
}

/* A new connection knows nothing: what is wanted is asked for again, what was leaving is gone. But
 * where all was refused for good there will be no new connection, unless something else asks for
 * one. */
static void want_anew(struct trp_machine *m, uint32_t link) {
  bool needed = trp_machine_needs(m, link);
  memset(m->links[link].pending, 0, sizeof m->links[link].pending);
  memset(m->links[link].stamps, 0, sizeof m->links[link].stamps);
  for (uint32_t i = m->count; i-- > 0;) {
    struct symbol *symbol = &m->symbols[i];
    if (symbol->link != link) continue;
    if (!symbol->wanted) {
      trp_machine_remove_symbol(m, i);
      continue;
    }
    if (needed) want_legs(m, symbol);
    symbol->alone = false;
  }
  m->changed = true;
}

/* What stands goes on with the predecessor's data; a book that is being built is begun anew with
 * the successor's. */
void trp_machine_carry_over(struct trp_machine *m, uint32_t link) {
  for (uint32_t i = 0; i < m->count; i++) {
    struct symbol *symbol = &m->symbols[i];
    if (symbol->link == link) symbol->bridged |= trp_machine_is_on(symbol);
  }
  want_anew(m, link);
}

void trp_machine_forget_requests(struct trp_machine *m, uint32_t link) {
  want_anew(m, link);
  for (uint32_t i = 0; i < m->count; i++) {
    struct symbol *symbol = &m->symbols[i];
    if (symbol->link != link) continue;
    symbol->quoted = symbol->bridged = false;
    symbol->on_ns = 0;
    if (!m->polling) symbol->stale = false;
    if (!m->polling) symbol->data_ns = m->now_ns;
    symbol->snapshot = SNAP_IDLE;
    trp_backoff_reset(&symbol->snapshot_backoff); /* the dialling has a backoff of its own */
    trp_machine_forget_parked(m, symbol);
    trp_depth_book_reset(&symbol->book);
  }
}
