#include "adapters/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/machine_inside.h"

#define LEVELS_MAX_LIMIT 20000 /* both sides as one message stay below TRP_BODY_MAX */
#define LISTING_MIN_MS 5000
#define LISTING_MAX_MS 300000
#define GIVE_UP_MAX_NS (600000 * MS_NS)
#define LIFE_PARTS 24  /* the last of so many of a connection's life is left to the exchange */
#define QUIET_FACTOR 3 /* a pause this many times the longest lately is stale */

/* ---- telling ------------------------------------------------------------------------------ */

void trp_machine_note(struct trp_machine *m, enum trp_machine_notice_kind kind,
                      const struct symbol *symbol, enum trp_err err,
                      enum trp_error_class error_class, int64_t code, const char *text) {
  struct trp_machine_notice notice = {.kind = kind,
                                      .symbol = symbol != NULL ? symbol->number : 0,
                                      .err = err,
                                      .error_class = error_class,
                                      .code = code,
                                      .text = text != NULL ? text : ""};
  m->out.notice(m->out.arg, &notice);
}

void trp_machine_ask_reconnect(struct trp_machine *m, uint32_t link,
                               enum trp_error_class error_class, const char *reason) {
  struct link *l = &m->links[link];
  if (l->reconnect_asked || !l->open) return;
  l->reconnect_asked = true;
  m->stats.reconnects_asked++;
  m->stats.errors[error_class]++;
  m->out.reconnect(m->out.arg, link, error_class, reason);
}

/* An input that waited in a queue carries a time before that of a tick that overtook it. */
uint64_t trp_machine_since(const struct trp_machine *m, uint64_t then_ns) {
  return m->now_ns > then_ns ? m->now_ns - then_ns : 0;
}

int64_t trp_machine_wall_s(const struct trp_machine *m) {
  return ((int64_t)(m->now_ns / 1000) + m->wall_offset_us) / 1000000;
}

/* splitmix64: jitter, not secrets. */
uint64_t trp_machine_chance(struct trp_machine *m) {
  uint64_t z = m->chance += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

/* ---- life --------------------------------------------------------------------------------- */

static void set_default(uint32_t *field, uint32_t value) {
  if (*field == 0) *field = value;
}

static void fill_defaults(struct trp_machine_options *o, const struct trp_dialect *dialect) {
  if (o->http_base == NULL) o->http_base = dialect->http_base;
  set_default(&o->streams, dialect->streams_usual);
  set_default(&o->symbols_max, dialect->symbols_usual);
  set_default(&o->ack_timeout_ms, 5000);
  set_default(&o->heartbeat_ms, dialect->heartbeat_ms);
  set_default(&o->ping_ms, dialect->ping_ms);
  set_default(&o->stale_ms, 10000);
  set_default(&o->stale_max_ms, 300000);
  set_default(&o->stale_give_up_ms, 30000);
  set_default(&o->texts_per_s, dialect->texts_per_s);
  set_default(&o->snapshot_limit, dialect->snapshot_limit);
  set_default(&o->snapshots_at_once, 2);
  set_default(&o->snapshot_timeout_ms, 15000);
  set_default(&o->weight_per_min, dialect->weight_per_min);
  set_default(&o->book_levels_max, 10000);
  set_default(&o->poll_ms, 800);
  set_default(&o->renew_s, dialect->life_s - dialect->life_s / LIFE_PARTS);
}

static bool options_valid(const struct trp_machine_options *o, const struct trp_dialect *dialect) {
  uint32_t books = o->streams & (TRP_STREAM_DEPTH | TRP_STREAM_BOOK);
  return (o->streams & ~dialect->streams) == 0 && __builtin_popcount(books) <= 1 &&
         o->symbols_max <= TRP_MACHINE_SYMBOLS_MAX && o->texts_per_s <= dialect->texts_per_s &&
         o->texts_per_s <= STAMPS_MAX && o->snapshot_limit <= dialect->snapshot_max &&
         o->book_levels_max <= LEVELS_MAX_LIMIT && o->book_levels_max >= TRP_DIALECT_SIDE_MAX &&
         (o->ping_ms == 0 || dialect->ping != NULL) && o->stale_max_ms >= o->stale_ms;
}

static bool outputs_valid(const struct trp_machine_out *o) {
  return o->send_text != NULL && o->request_snapshot != NULL && o->quote != NULL &&
         o->trade != NULL && o->book != NULL && o->gap != NULL && o->notice != NULL &&
         o->state != NULL && o->reconnect != NULL;
}

/* How many symbols go on a link, and how many links that makes; false where it is too many. */
static bool count_links(struct trp_machine *m) {
  m->each = (uint32_t)__builtin_popcount(m->options.streams);
  m->symbols_a_link = m->dialect->streams_per_link / m->each;
  if (m->symbols_a_link == 0) return false;
  m->link_count = (m->options.symbols_max + m->symbols_a_link - 1) / m->symbols_a_link;
  return m->link_count <= TRP_MACHINE_LINKS_MAX;
}

static bool allocate(struct trp_machine *m) {
  size_t levels = 2 * (size_t)m->options.book_levels_max;
  uint32_t buckets = 2;
  while (buckets < 2 * m->options.symbols_max) buckets *= 2;
  m->bucket_mask = buckets - 1;
  m->buckets = calloc(buckets, sizeof *m->buckets);
  m->symbols = calloc(m->options.symbols_max, sizeof *m->symbols);
  m->book_out = calloc(1, sizeof *m->book_out + levels * sizeof m->book_out->levels[0]);
  return m->dialect->parser_new(&m->parser) == TRP_OK && m->buckets != NULL && m->symbols != NULL &&
         m->book_out != NULL;
}

enum trp_err trp_machine_new(struct trp_machine **out, const struct trp_dialect *dialect,
                             const struct trp_machine_options *options,
                             const struct trp_machine_out *outputs) {
  struct trp_machine_options filled =
      options != NULL ? *options : (struct trp_machine_options){.streams = 0};
  *out = NULL;
  fill_defaults(&filled, dialect);
  if (!outputs_valid(outputs) || !options_valid(&filled, dialect) ||
      strlen(filled.http_base) >= sizeof(*out)->http_base)
    return TRP_INVALID;
  struct trp_machine *m = calloc(1, sizeof *m);
  if (m == NULL) return TRP_NO_MEMORY;
  m->dialect = dialect;
  m->options = filled;
  m->options.http_base = strcpy(m->http_base, filled.http_base);
  m->out = *outputs;
  m->chance = filled.seed;
  m->next_id = m->next_ticket = 1;
  m->paused_until_ns = filled.not_before_ns;
  trp_backoff_init(&m->listing_backoff, &(struct trp_backoff_options){.min_ms = LISTING_MIN_MS,
                                                                      .max_ms = LISTING_MAX_MS});
  m->state = TRP_FEED_CONNECTING;
  enum trp_err err = count_links(m) ? TRP_OK : TRP_INVALID;
  if (err == TRP_OK && !allocate(m)) err = TRP_NO_MEMORY;
  if (err != TRP_OK) {
    trp_machine_destroy(&m);
    return err;
  }
  *out = m;
  return TRP_OK;
}

void trp_machine_destroy(struct trp_machine **machine) {
  struct trp_machine *m = *machine;
  if (m == NULL) return;
  for (uint32_t i = 0; i < m->count; i++) trp_depth_book_fini(&m->symbols[i].book);
  m->dialect->parser_destroy(&m->parser);
  free(m->buckets);
  free(m->symbols);
  free(m->book_out);
  free(m->parked);
  trp_listing_fini(&m->listing);
  free(m);
  *machine = NULL;
}

/* ---- the feed's state --------------------------------------------------------------------- */

/* For good: nothing is asked for any more. */
static bool is_refused(const struct symbol *symbol) {
  bool on = trp_machine_is_on(symbol);
  bool never = false;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++)
    never |= symbol->legs[i].state == LEG_REFUSED && symbol->retry_ns == NEVER_NS;
  return never || (on && symbol->snapshot == SNAP_NEVER);
}

static bool is_in_sync(const struct trp_machine *m, const struct symbol *symbol) {
  bool on = trp_machine_is_on(symbol) || (symbol->bridged && m->links[symbol->link].old_open);
  return on && (!trp_machine_has_books(m) || symbol->book.synced);
}

static bool any_open(const struct trp_machine *m) {
  for (uint32_t i = 0; i < m->link_count; i++)
    if (trp_machine_stands(&m->links[i])) return true;
  return false;
}

/* What the symbols are like. */
struct tally {
  uint32_t wanted, synced, refused, stale;
};

static struct tally count_symbols(const struct trp_machine *m) {
  struct tally tally = {0};
  for (uint32_t i = 0; i < m->count; i++) {
    const struct symbol *symbol = &m->symbols[i];
    if (!symbol->wanted) continue;
    tally.wanted++;
    tally.stale += symbol->stale;
    if (is_refused(symbol))
      tally.refused++;
    else
      tally.synced += is_in_sync(m, symbol);
  }
  return tally;
}

bool trp_machine_is_live(const struct trp_machine *m) {
  struct tally tally = count_symbols(m);
  for (uint32_t i = 0; i < m->link_count; i++)
    if (trp_machine_needs(m, i) && !m->links[i].open) return false;
  return tally.stale == 0 && tally.synced + tally.refused == tally.wanted;
}

__attribute__((format(printf, 2, 3))) static void add(char reason[TRP_MACHINE_REASON_BYTES],
                                                      const char *format, ...) {
  va_list arguments;
  size_t used = strlen(reason);
  va_start(arguments, format);
  vsnprintf(reason + used, TRP_MACHINE_REASON_BYTES - used, format, arguments);
  va_end(arguments);
}

static enum trp_feed_phase judge_streams(const struct trp_machine *m,
                                         char reason[TRP_MACHINE_REASON_BYTES]) {
  if (!any_open(m)) {
    add(reason, "not connected");
    return TRP_FEED_CONNECTING;
  }
  struct tally tally = count_symbols(m);
  if (tally.stale != 0)
    add(reason, "%u of %u symbols without data", tally.stale, tally.wanted);
  else
    add(reason, "%u of %u symbols in sync", tally.synced, tally.wanted);
  if (tally.refused != 0) add(reason, ", %u refused", tally.refused);
  if (tally.stale != 0) return TRP_FEED_STALE;
  return tally.synced + tally.refused < tally.wanted ? TRP_FEED_SYNCING : TRP_FEED_LIVE;
}

static bool any_unknown(const struct trp_machine *m) {
  for (uint32_t i = 0; i < m->count; i++)
    if (m->symbols[i].unknown && m->symbols[i].wanted) return true;
  return false;
}

static enum trp_feed_phase judge(const struct trp_machine *m,
                                 char reason[TRP_MACHINE_REASON_BYTES]) {
  reason[0] = '\0';
  enum trp_feed_phase phase =
      m->polling ? trp_machine_judge_polling(m, reason) : judge_streams(m, reason);
  if (phase != TRP_FEED_CONNECTING && any_unknown(m)) add(reason, ": %s", m->unknown_text);
  return phase;
}

/* Progress on the way to LIVE is not told, it would be a message a symbol. */
void trp_machine_update_state(struct trp_machine *m) {
  if (!m->changed) return;
  m->changed = false;
  char reason[TRP_MACHINE_REASON_BYTES];
  enum trp_feed_phase state = judge(m, reason);
  if (state == m->state && (state != TRP_FEED_LIVE || strcmp(reason, m->reason) == 0)) return;
  m->state = state;
  strcpy(m->reason, reason);
  m->out.state(m->out.arg, state, reason);
}

void trp_machine_reason(const struct trp_machine *m, char out[TRP_MACHINE_REASON_BYTES]) {
  (void)judge(m, out);
}

enum trp_feed_phase trp_machine_state(const struct trp_machine *m) { return m->state; }

const struct trp_machine_stats *trp_machine_stats(const struct trp_machine *m) { return &m->stats; }

uint32_t trp_machine_links(const struct trp_machine *m) {
  uint32_t last = 0;
  for (uint32_t i = 0; i < m->link_count; i++)
    if (m->links[i].symbols != 0) last = i;
  return last + 1;
}

/* Is anything of it on the link, or to be brought there? */
static bool needs_link(const struct symbol *symbol) {
  bool needs = false;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++) {
    enum leg_state state = symbol->legs[i].state;
    needs |= state != LEG_OFF && (state != LEG_REFUSED || symbol->retry_ns != NEVER_NS);
  }
  return needs;
}

bool trp_machine_needs(const struct trp_machine *m, uint32_t link) {
  if (!m->dialect->closes_idle) return link < trp_machine_links(m);
  bool needs = false;
  for (uint32_t i = 0; i < m->count; i++)
    needs |= m->symbols[i].link == link && needs_link(&m->symbols[i]);
  return needs;
}

/* ---- the connection ----------------------------------------------------------------------- */

void trp_machine_wall(struct trp_machine *m, uint64_t now_ns, int64_t wall_us) {
  m->wall_offset_us = wall_us - (int64_t)(now_ns / 1000);
}

/* Beside the stream there is another source of the same, for now. */
static void expect_merging(struct trp_machine *m, uint32_t link) {
  m->links[link].merge_until_ns = NEVER_NS;
  for (uint32_t i = 0; i < m->count; i++)
    if (m->symbols[i].link == link) trp_machine_part(&m->symbols[i]);
}

void trp_machine_opened(struct trp_machine *m, uint32_t link, uint64_t now_ns) {
  if (link >= m->link_count) return;
  struct link *l = &m->links[link];
  m->now_ns = now_ns;
  if (l->open && m->out.release != NULL) {
    l->old_open = true;
    l->released = false;
    l->old_frame_ns = l->frame_ns;
  }
  l->frame_ns = l->ping_ns = l->opened_ns = now_ns;
  l->open = true;
  l->reconnect_asked = l->renew_asked = false;
  l->bad_in_a_row = 0;
  l->all_stale_ns = l->level_ns = 0;
  if (l->give_up_ns == 0) l->give_up_ns = m->options.stale_give_up_ms * MS_NS;
  if (l->old_open)
    trp_machine_carry_over(m, link);
  else
    trp_machine_forget_requests(m, link);
  if (l->old_open || m->polling || trp_machine_is_filling(m)) expect_merging(m, link);
  trp_machine_pump_requests(m, link);
  trp_machine_update_state(m);
}

void trp_machine_closed(struct trp_machine *m, uint32_t link, uint64_t now_ns) {
  m->now_ns = now_ns;
  if (link >= m->link_count || !m->links[link].open) return;
  struct link *l = &m->links[link];
  l->open = false;
  l->level_ns = 0;
  if (l->old_open) {
    trp_machine_carry_over(m, link);
    expect_merging(m, link);
  } else {
    trp_machine_forget_requests(m, link);
  }
  trp_machine_update_state(m);
}

void trp_machine_pinged(struct trp_machine *m, uint32_t link, uint64_t now_ns) {
  if (link >= m->link_count) return;
  m->now_ns = m->links[link].frame_ns = now_ns;
  if (m->dialect->pongs_count) trp_machine_stamp(m, link);
}

/* ---- clocks ------------------------------------------------------------------------------- */

static uint64_t patience_ns(const struct trp_machine *m, const struct symbol *symbol) {
  uint64_t least = m->options.stale_ms * MS_NS, most = m->options.stale_max_ms * MS_NS;
  uint64_t learned = symbol->quiet_ns < most ? symbol->quiet_ns * QUIET_FACTOR : most;
  return learned < least ? least : learned > most ? most : learned;
}

static void became_stale(struct trp_machine *m, struct symbol *symbol) {
  symbol->stale = true;
  m->stats.stale++;
  m->changed = true;
  trp_machine_note(m, TRP_NOTICE_STALE, symbol, TRP_TIMEOUT, TRP_CLASS_TRANSIENT, 0,
                   "no data for longer than usual");
}

/* Something that can have data: other subscriptions of it may be refused. */
static bool is_waited_for(const struct symbol *symbol) {
  bool on = symbol->bridged;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++) on |= symbol->legs[i].state == LEG_ON;
  return on && symbol->wanted && !symbol->absent;
}

static void check_staleness(struct trp_machine *m, uint32_t link) {
  struct link *l = &m->links[link];
  uint32_t on = 0, stale = 0;
  for (uint32_t i = 0; i < m->count; i++) {
    struct symbol *symbol = &m->symbols[i];
    if (symbol->link != link || !is_waited_for(symbol)) continue;
    on++;
    if (!symbol->stale && trp_machine_since(m, symbol->data_ns) >= patience_ns(m, symbol))
      became_stale(m, symbol);
    stale += symbol->stale;
  }
  bool all = on != 0 && stale == on;
  if (!all) l->all_stale_ns = 0;
  if (all && l->all_stale_ns == 0) l->all_stale_ns = m->now_ns;
  if (!all || l->reconnect_asked || m->now_ns - l->all_stale_ns < l->give_up_ns) return;
  /* Where nothing is to be had, dialling again and again does not help: more patience each time. */
  l->give_up_ns = l->give_up_ns < GIVE_UP_MAX_NS / 2 ? l->give_up_ns * 2 : GIVE_UP_MAX_NS;
  trp_machine_ask_reconnect(m, link, TRP_CLASS_TRANSIENT, "connected, and no symbol has data");
}

/* The application's own ping, where the exchange has one; its answer is a frame like any other. */
static void ping(struct trp_machine *m, uint32_t link) {
  struct trp_wire_text text;
  uint64_t since = trp_machine_since(m, m->links[link].ping_ns);
  if (m->options.ping_ms == 0 || since < m->options.ping_ms * MS_NS) return;
  if (m->links[link].reconnect_asked || !trp_machine_may_send(m, link)) return;
  trp_wire_text_begin(&text, m->text, sizeof m->text);
  m->dialect->ping(&text, trp_machine_wall_s(m));
  if (text.full || m->out.send_text(m->out.arg, link, text.text, text.size) != TRP_OK) return;
  trp_machine_stamp(m, link);
  m->links[link].ping_ns = m->now_ns;
  m->stats.pings++;
}

static void tick_link(struct trp_machine *m, uint32_t i) {
  if (!trp_machine_stands(&m->links[i])) return;
  if (trp_machine_since(m, m->links[i].frame_ns) >= m->options.heartbeat_ms * MS_NS)
    trp_machine_ask_reconnect(m, i, TRP_CLASS_TRANSIENT, "no frame for longer than the heartbeat");
  check_staleness(m, i);
  trp_machine_tick_renewal(m, i);
  if (!m->links[i].open) return;
  ping(m, i);
  trp_machine_pump_requests(m, i);
}

void trp_machine_tick(struct trp_machine *m, uint64_t now_ns) {
  m->now_ns = now_ns;
  for (uint32_t i = 0; i < m->link_count; i++) tick_link(m, i);
  trp_machine_pump_snapshots(m);
  trp_machine_tick_asked(m);
  trp_machine_pump_polls(m);
  trp_machine_pump_listing(m);
  trp_machine_update_state(m);
}
