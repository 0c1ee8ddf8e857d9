#include "adapters/binance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/binance_machine.h"

#define LEVELS_MAX_LIMIT 20000 /* both sides as one message stay below TRP_BODY_MAX */
#define BAD_FRAMES_MAX 50      /* in a row: this connection is not what we think */
#define GIVE_UP_MAX_NS (600000 * MS_NS)
#define QUIET_FACTOR 3 /* a pause this many times the longest lately is stale */
#define QUIET_DECAY 64

/* ---- errors ------------------------------------------------------------------------------- */

const char *trp_error_class_text(enum trp_error_class error_class) {
  static const char *const text[] = {"transient", "rate limit", "auth", "protocol", "fatal"};
  _Static_assert(sizeof text / sizeof text[0] == TRP_CLASS_COUNT, "a text for each");
  return (unsigned)error_class < TRP_CLASS_COUNT ? text[error_class] : "?";
}

enum trp_error_class trp_binance_classify(int64_t code, uint16_t status) {
  switch (code) {
    case -1003: /* too many requests */
    case -1015: /* too many orders */
      return TRP_CLASS_RATE_LIMIT;
    case -1002: /* unauthorized */
    case -1022: /* signature */
    case -2014: /* key format */
    case -2015: /* key, address or rights */
      return TRP_CLASS_AUTH;
    case -1121: /* invalid symbol */
    case -1122: /* invalid symbol status */
      return TRP_CLASS_FATAL;
    case -1000: /* unknown */
    case -1001: /* disconnected */
    case -1006: /* unexpected response */
    case -1007: /* timeout */
    case -1008: /* overloaded */
    case -1016: /* shutting down */
    case -1021: /* timestamp */
      return TRP_CLASS_TRANSIENT;
    default:
      break;
  }
  if (status == 429 || status == 418) return TRP_CLASS_RATE_LIMIT;
  if (status == 401 || status == 403) return TRP_CLASS_AUTH;
  if (status >= 500 || (status == 0 && code == 0)) return TRP_CLASS_TRANSIENT;
  return TRP_CLASS_PROTOCOL;
}

void trp_binance_note(struct trp_binance *b, enum trp_binance_notice_kind kind,
                      const struct symbol *symbol, enum trp_err err,
                      enum trp_error_class error_class, int64_t code, const char *text) {
  struct trp_binance_notice notice = {.kind = kind,
                                      .symbol = symbol != NULL ? symbol->number : 0,
                                      .err = err,
                                      .error_class = error_class,
                                      .code = code,
                                      .text = text};
  b->out.notice(b->out.arg, &notice);
}

void trp_binance_ask_reconnect(struct trp_binance *b, enum trp_error_class error_class,
                               const char *reason) {
  if (b->reconnect_asked || !b->open) return;
  b->reconnect_asked = true;
  b->stats.reconnects_asked++;
  b->stats.errors[error_class]++;
  b->out.reconnect(b->out.arg, error_class, reason);
}

/* An input that waited in a queue carries a time before that of a tick that overtook it. */
uint64_t trp_binance_since(const struct trp_binance *b, uint64_t then_ns) {
  return b->now_ns > then_ns ? b->now_ns - then_ns : 0;
}

/* splitmix64: jitter, not secrets. */
uint64_t trp_binance_chance(struct trp_binance *b) {
  uint64_t z = b->chance += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

/* ---- life --------------------------------------------------------------------------------- */

static void set_default(uint32_t *field, uint32_t value) {
  if (*field == 0) *field = value;
}

static void fill_defaults(struct trp_binance_options *o) {
  if (o->http_base == NULL) o->http_base = "https://api.binance.com";
  set_default(&o->streams, TRP_BINANCE_STREAM_ALL);
  set_default(&o->symbols_max, TRP_BINANCE_SYMBOLS_MAX);
  set_default(&o->ack_timeout_ms, 5000);
  set_default(&o->heartbeat_ms, 60000);
  set_default(&o->stale_ms, 10000);
  set_default(&o->stale_max_ms, 300000);
  set_default(&o->stale_give_up_ms, 30000);
  set_default(&o->texts_per_s, STAMPS_MAX);
  set_default(&o->snapshot_limit, 1000);
  set_default(&o->snapshots_at_once, 2);
  set_default(&o->snapshot_timeout_ms, 15000);
  set_default(&o->weight_per_min, 3000);
  set_default(&o->book_levels_max, 10000);
}

static bool options_valid(const struct trp_binance_options *o) {
  return o->streams <= TRP_BINANCE_STREAM_ALL && o->symbols_max <= TRP_BINANCE_SYMBOLS_MAX &&
         o->texts_per_s <= STAMPS_MAX && o->snapshot_limit <= TRP_BINANCE_SIDE_MAX &&
         o->book_levels_max <= LEVELS_MAX_LIMIT && o->book_levels_max >= TRP_BINANCE_SIDE_MAX &&
         o->stale_max_ms >= o->stale_ms;
}

static bool outputs_valid(const struct trp_binance_out *o) {
  return o->send_text != NULL && o->request_snapshot != NULL && o->quote != NULL &&
         o->trade != NULL && o->book != NULL && o->gap != NULL && o->notice != NULL &&
         o->state != NULL && o->reconnect != NULL;
}

static bool allocate(struct trp_binance *b) {
  size_t levels = 2 * (size_t)b->options.book_levels_max;
  b->symbols = calloc(b->options.symbols_max, sizeof *b->symbols);
  b->book_out = calloc(1, sizeof *b->book_out + levels * sizeof b->book_out->levels[0]);
  return trp_binance_parser_new(&b->parser) == TRP_OK && b->symbols != NULL && b->book_out != NULL;
}

enum trp_err trp_binance_new(struct trp_binance **out, const struct trp_binance_options *options,
                             const struct trp_binance_out *outputs) {
  struct trp_binance_options filled =
      options != NULL ? *options : (struct trp_binance_options){.streams = 0};
  *out = NULL;
  fill_defaults(&filled);
  if (!outputs_valid(outputs) || !options_valid(&filled) ||
      strlen(filled.http_base) >= sizeof(*out)->http_base)
    return TRP_INVALID;
  struct trp_binance *b = calloc(1, sizeof *b);
  if (b == NULL) return TRP_NO_MEMORY;
  b->options = filled;
  b->options.http_base = strcpy(b->http_base, filled.http_base);
  b->out = *outputs;
  b->chance = filled.seed;
  b->next_id = 1;
  b->state = TRP_FEED_CONNECTING;
  if (!allocate(b)) {
    trp_binance_destroy(&b);
    return TRP_NO_MEMORY;
  }
  *out = b;
  return TRP_OK;
}

void trp_binance_destroy(struct trp_binance **binance) {
  struct trp_binance *b = *binance;
  if (b == NULL) return;
  trp_binance_clear(b);
  trp_binance_parser_destroy(&b->parser);
  free(b->symbols);
  free(b->book_out);
  free(b);
  *binance = NULL;
}

/* ---- the feed's state --------------------------------------------------------------------- */

/* For good: nothing is asked for any more. */
static bool is_refused(const struct symbol *symbol) {
  return (symbol->sub == SUB_REFUSED && symbol->retry_ns == NEVER_NS) ||
         (symbol->sub == SUB_ON && symbol->snapshot == SNAP_NEVER);
}

static bool is_in_sync(const struct trp_binance *b, const struct symbol *symbol) {
  bool depth = (b->options.streams & TRP_BINANCE_STREAM_DEPTH) != 0;
  return symbol->sub == SUB_ON && (!depth || symbol->book.synced);
}

static enum trp_feed_phase judge(const struct trp_binance *b,
                                 char reason[TRP_BINANCE_REASON_BYTES]) {
  uint32_t wanted = 0, synced = 0, refused = 0, stale = 0;
  if (!b->open) {
    snprintf(reason, TRP_BINANCE_REASON_BYTES, "not connected");
    return TRP_FEED_CONNECTING;
  }
  for (uint32_t i = 0; i < b->count; i++) {
    const struct symbol *symbol = &b->symbols[i];
    if (!trp_binance_is_wanted(symbol)) continue;
    wanted++;
    stale += symbol->stale;
    if (is_refused(symbol))
      refused++;
    else
      synced += is_in_sync(b, symbol);
  }
  int used = stale != 0 ? snprintf(reason, TRP_BINANCE_REASON_BYTES,
                                   "%u of %u symbols without data", stale, wanted)
                        : snprintf(reason, TRP_BINANCE_REASON_BYTES, "%u of %u symbols in sync",
                                   synced, wanted);
  if (refused != 0)
    snprintf(reason + used, TRP_BINANCE_REASON_BYTES - (size_t)used, ", %u refused", refused);
  if (stale != 0) return TRP_FEED_STALE;
  return synced + refused < wanted ? TRP_FEED_SYNCING : TRP_FEED_LIVE;
}

/* Progress on the way to LIVE is not told, it would be a message a symbol. */
void trp_binance_update_state(struct trp_binance *b) {
  if (!b->changed) return;
  b->changed = false;
  char reason[TRP_BINANCE_REASON_BYTES];
  enum trp_feed_phase state = judge(b, reason);
  if (state == b->state && (state != TRP_FEED_LIVE || strcmp(reason, b->reason) == 0)) return;
  b->state = state;
  strcpy(b->reason, reason);
  b->out.state(b->out.arg, state, reason);
}

void trp_binance_reason(const struct trp_binance *b, char out[TRP_BINANCE_REASON_BYTES]) {
  (void)judge(b, out);
}

enum trp_feed_phase trp_binance_state(const struct trp_binance *b) { return b->state; }

const struct trp_binance_stats *trp_binance_stats(const struct trp_binance *b) { return &b->stats; }

/* ---- the connection ----------------------------------------------------------------------- */

void trp_binance_opened(struct trp_binance *b, uint64_t now_ns) {
  b->now_ns = b->frame_ns = now_ns;
  b->open = true;
  b->reconnect_asked = false;
  b->bad_in_a_row = 0;
  b->all_stale_ns = 0;
  if (b->give_up_ns == 0) b->give_up_ns = b->options.stale_give_up_ms * MS_NS;
  trp_binance_forget_requests(b);
  trp_binance_pump_requests(b);
  trp_binance_update_state(b);
}

void trp_binance_closed(struct trp_binance *b, uint64_t now_ns) {
  b->now_ns = now_ns;
  if (!b->open) return;
  b->open = false;
  trp_binance_forget_requests(b);
  trp_binance_update_state(b);
}

void trp_binance_pinged(struct trp_binance *b, uint64_t now_ns) {
  b->now_ns = b->frame_ns = now_ns;
  trp_binance_stamp(b);
}

/* ---- frames ------------------------------------------------------------------------------- */

/* The symbol's clock runs anew, and the length of the pause that ended is learned. */
static void saw_data(struct trp_binance *b, struct symbol *symbol) {
  uint64_t pause = trp_binance_since(b, symbol->data_ns);
  if (pause >= symbol->quiet_ns)
    symbol->quiet_ns = pause;
  else
    symbol->quiet_ns -= (symbol->quiet_ns - pause) / QUIET_DECAY;
  symbol->data_ns = b->now_ns;
  symbol->absent = false;
  b->give_up_ns = b->options.stale_give_up_ms * MS_NS;
  if (!symbol->stale) return;
  symbol->stale = false;
  b->changed = true;
  trp_binance_note(b, TRP_BINANCE_FRESH, symbol, TRP_OK, TRP_CLASS_TRANSIENT, 0, "");
}

static void give_quote(struct trp_binance *b, const struct symbol *symbol,
                       const struct trp_binance_event *event) {
  struct trp_quote quote = {.recv_ns = b->now_ns,
                            .symbol = symbol->number,
                            .exchange_offset_us = trp_binance_offset_us(b, event->exchange_us),
                            .bid = event->quote.bid,
                            .bid_size = event->quote.bid_size,
                            .ask = event->quote.ask,
                            .ask_size = event->quote.ask_size};
  b->stats.quotes++;
  b->stats.updates++;
  b->out.quote(b->out.arg, &quote, event->quote.update_id);
}

static void give_trade(struct trp_binance *b, const struct symbol *symbol,
                       const struct trp_binance_event *event) {
  struct trp_trade trade = {.recv_ns = b->now_ns,
                            .symbol = symbol->number,
                            .exchange_offset_us = trp_binance_offset_us(b, event->exchange_us),
                            .price = event->trade.price,
                            .size = event->trade.size,
                            .id = event->trade.id,
                            .side = event->trade.taker_sold ? 2 : 1};
  b->stats.trades++;
  b->stats.updates++;
  b->out.trade(b->out.arg, &trade);
}

static void on_data(struct trp_binance *b, const struct trp_binance_event *event) {
  struct symbol *symbol = trp_binance_find(b, event->symbol);
  if (symbol == NULL || !trp_binance_is_wanted(symbol)) {
    b->stats.foreign_frames++;
    return;
  }
  b->stats.inexact += event->inexact;
  saw_data(b, symbol);
  if (event->kind == TRP_BINANCE_QUOTE)
    give_quote(b, symbol, event);
  else if (event->kind == TRP_BINANCE_TRADE)
    give_trade(b, symbol, event);
  else if (symbol->sub != SUB_LEAVE_ASKED)
    trp_binance_on_diff(b, symbol, event);
}

static void on_bad(struct trp_binance *b, enum trp_err err) {
  b->stats.bad_frames++;
  b->stats.errors[TRP_CLASS_PROTOCOL]++;
  trp_binance_note(b, TRP_BINANCE_BAD_FRAME, NULL, err, TRP_CLASS_PROTOCOL, 0,
                   trp_binance_parse_reason(b->parser));
  if (++b->bad_in_a_row == BAD_FRAMES_MAX)
    trp_binance_ask_reconnect(b, TRP_CLASS_PROTOCOL, "nothing but bad frames");
}

static void on_event(struct trp_binance *b, const struct trp_binance_event *event) {
  switch (event->kind) {
    case TRP_BINANCE_QUOTE:
    case TRP_BINANCE_TRADE:
    case TRP_BINANCE_DEPTH:
      on_data(b, event);
      break;
    case TRP_BINANCE_ACK:
      trp_binance_on_ack(b, event->ack_id);
      break;
    case TRP_BINANCE_ERROR:
      trp_binance_on_error(b, event);
      break;
    case TRP_BINANCE_SHUTDOWN:
      trp_binance_ask_reconnect(b, TRP_CLASS_TRANSIENT, "the server announced its shutdown");
      break;
    case TRP_BINANCE_OTHER:
      b->stats.other_frames++;
      break;
  }
}

void trp_binance_frame(struct trp_binance *b, uint64_t now_ns, int64_t wall_us, const void *bytes,
                       size_t size) {
  struct trp_binance_event event;
  b->now_ns = now_ns;
  b->wall_us = wall_us;
  if (!b->open) return;
  b->frame_ns = now_ns;
  b->stats.frames++;
  b->stats.bytes += size;
  enum trp_err err = trp_binance_parse(b->parser, bytes, size, &event);
  if (err != TRP_OK) {
    on_bad(b, err);
  } else {
    b->bad_in_a_row = 0;
    on_event(b, &event);
  }
  trp_binance_update_state(b);
}

/* ---- clocks ------------------------------------------------------------------------------- */

static uint64_t patience_ns(const struct trp_binance *b, const struct symbol *symbol) {
  uint64_t least = b->options.stale_ms * MS_NS, most = b->options.stale_max_ms * MS_NS;
  uint64_t learned = symbol->quiet_ns < most ? symbol->quiet_ns * QUIET_FACTOR : most;
  return learned < least ? least : learned > most ? most : learned;
}

static void check_staleness(struct trp_binance *b) {
  uint32_t on = 0, stale = 0;
  for (uint32_t i = 0; i < b->count; i++) {
    struct symbol *symbol = &b->symbols[i];
    if (symbol->sub != SUB_ON || symbol->absent) continue;
    on++;
    if (!symbol->stale && b->now_ns - symbol->data_ns >= patience_ns(b, symbol)) {
      symbol->stale = true;
      b->stats.stale++;
      b->changed = true;
      trp_binance_note(b, TRP_BINANCE_STALE, symbol, TRP_TIMEOUT, TRP_CLASS_TRANSIENT, 0,
                       "no data for longer than usual");
    }
    stale += symbol->stale;
  }
  bool all = on != 0 && stale == on;
  if (!all) b->all_stale_ns = 0;
  if (all && b->all_stale_ns == 0) b->all_stale_ns = b->now_ns;
  if (!all || b->reconnect_asked || b->now_ns - b->all_stale_ns < b->give_up_ns) return;
  /* Where nothing is to be had, dialling again and again does not help: more patience each time. */
  b->give_up_ns = b->give_up_ns < GIVE_UP_MAX_NS / 2 ? b->give_up_ns * 2 : GIVE_UP_MAX_NS;
  trp_binance_ask_reconnect(b, TRP_CLASS_TRANSIENT, "connected, and no symbol has data");
}

void trp_binance_tick(struct trp_binance *b, uint64_t now_ns) {
  b->now_ns = now_ns;
  if (b->open) {
    if (now_ns - b->frame_ns >= b->options.heartbeat_ms * MS_NS)
      trp_binance_ask_reconnect(b, TRP_CLASS_TRANSIENT, "no frame for longer than the heartbeat");
    check_staleness(b);
    trp_binance_pump_requests(b);
    trp_binance_pump_snapshots(b);
  }
  trp_binance_update_state(b);
}
