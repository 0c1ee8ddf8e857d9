/* Polling: what no stream brings is asked for by HTTP, each symbol in its turn.
 *
 * Quotes of many symbols by one request where the exchange has such a one, else of each by the best
 * levels of its snapshot. Trades where their ids count, from the id after the last one that was
 * given out, so that none is missed and none comes twice. When the stream is back, its trades wait
 * until an answer that was asked for after the subscription has brought all that came before. Books
 * are not polled: they are whole again when the stream is. */
#include <stdio.h>

#include "adapters/machine_inside.h"

#define POLL_LEVELS 5          /* of a snapshot that is asked for its best */
#define CHUNK_MAX 320          /* symbols a request, at most: as many as MEXC is asked for */
#define URL_BYTES 1900         /* what the net takes */
#define FILL_NS (5000 * MS_NS) /* then the stream's trades wait no more, and the gap is told */

/* ---- what is due -------------------------------------------------------------------------- */

static bool has(const struct trp_machine *m, enum trp_stream stream) {
  return (m->options.streams & stream) != 0;
}

static bool polls_trades(const struct trp_machine *m) {
  return has(m, TRP_STREAM_TRADES) && m->dialect->trades_url != NULL &&
         m->dialect->trade_ids == TRP_IDS_COUNT;
}

bool trp_machine_is_filling(const struct trp_machine *m) { return m->fill_until_ns != 0; }

static bool is_asked(const struct trp_machine *m, enum asked_what what, uint32_t number) {
  for (uint32_t i = 0; i < ASKED_MAX; i++)
    if (m->asked[i].what == what && m->asked[i].number == number) return true;
  return false;
}

/* A quote that is streamed need not be polled. */
static bool quote_due(const struct trp_machine *m, const struct symbol *symbol) {
  return m->polling && symbol->wanted && !symbol->absent && !symbol->quoted &&
         (symbol->poll_ns == 0 ||
          trp_machine_since(m, symbol->poll_ns) >= m->options.poll_ms * MS_NS);
}

/* Until the stream's have joined. */
static bool trades_due(const struct trp_machine *m, const struct symbol *symbol) {
  bool needed = m->polling || trp_machine_is_filling(m);
  return needed && symbol->wanted && !symbol->absent && !symbol->trades.joined &&
         (symbol->trades_ns == 0 ||
          trp_machine_since(m, symbol->trades_ns) >= m->options.poll_ms * MS_NS) &&
         !is_asked(m, ASKED_TRADES, symbol->number);
}

/* ---- asking ------------------------------------------------------------------------------- */

/* As many as the URL holds; those that must be alone are. Fills `at` with their places. */
static uint32_t gather(const struct trp_machine *m, uint32_t first, uint32_t at[CHUNK_MAX]) {
  uint32_t most = m->dialect->poll_symbols < CHUNK_MAX ? m->dialect->poll_symbols : CHUNK_MAX;
  uint32_t n = 0;
  for (uint32_t i = 0; i < m->count && n < most; i++) {
    uint32_t k = (first + i) % m->count;
    const struct symbol *symbol = &m->symbols[k];
    if (!quote_due(m, symbol) || (symbol->ask_alone && n != 0)) continue;
    at[n++] = k;
    if (symbol->ask_alone) break;
  }
  return n;
}

static bool build_url(const struct trp_machine *m, char url[URL_BYTES], const uint32_t *at,
                      uint32_t *count) {
  const char *names[CHUNK_MAX];
  for (uint32_t i = 0; i < *count; i++) names[i] = m->symbols[at[i]].name;
  for (; *count > 0; *count /= 2)
    if (m->dialect->poll_url(url, URL_BYTES, m->http_base, names, *count)) return true;
  return false;
}

/* One request for several; false where nothing is due or nothing may be asked now. */
static bool ask_many(struct trp_machine *m) {
  char url[URL_BYTES];
  uint32_t at[CHUNK_MAX];
  uint32_t count = gather(m, m->poll_at % m->count, at);
  if (count == 0 || !build_url(m, url, at, &count)) return false;
  uint32_t weight = m->dialect->poll_weight(count);
  const struct symbol *one = count == 1 ? &m->symbols[at[0]] : NULL;
  if (!trp_machine_may_ask(m, weight) || trp_machine_ask(m, ASKED_QUOTES, one, weight, url) == NULL)
    return false;
  for (uint32_t i = 0; i < count; i++) m->symbols[at[i]].poll_ns = m->now_ns;
  m->poll_at = at[count - 1] + 1;
  return true;
}

static bool ask_best(struct trp_machine *m) {
  char url[URL_BYTES];
  uint32_t weight = m->dialect->snapshot_weight(POLL_LEVELS);
  for (uint32_t i = 0; i < m->count; i++) {
    uint32_t at = (m->poll_at + i) % m->count;
    struct symbol *symbol = &m->symbols[at];
    if (!quote_due(m, symbol) || is_asked(m, ASKED_BEST, symbol->number)) continue;
    if (!trp_machine_may_ask(m, weight) ||
        !m->dialect->snapshot_url(url, sizeof url, m->http_base, symbol->name, POLL_LEVELS) ||
        trp_machine_ask(m, ASKED_BEST, symbol, weight, url) == NULL)
      return false;
    symbol->poll_ns = m->now_ns;
    m->poll_at = at + 1;
    return true;
  }
  return false;
}

/* Of the budget that quotes leave: one more poll of theirs must be possible. */
static bool ask_trades(struct trp_machine *m) {
  char url[URL_BYTES];
  uint32_t weight = m->dialect->trades_weight;
  struct symbol *next = NULL;
  for (uint32_t i = 0; i < m->count; i++) { /* who waits longest */
    struct symbol *symbol = &m->symbols[i];
    if (trades_due(m, symbol) && (next == NULL || symbol->trades_ns < next->trades_ns))
      next = symbol;
  }
  uint64_t from = next != NULL && next->trades.last != 0 ? next->trades.last + 1 : 0;
  if (next == NULL || !trp_machine_may_ask(m, 2 * weight) ||
      !m->dialect->trades_url(url, sizeof url, m->http_base, next->name, from))
    return false;
  struct asked *asked = trp_machine_ask(m, ASKED_TRADES, next, weight, url);
  if (asked == NULL) return false;
  asked->newest = from == 0;
  next->trades_ns = m->now_ns;
  return true;
}

static void became_quiet(struct trp_machine *m, struct symbol *symbol) {
  bool quiet = trp_machine_since(m, symbol->data_ns) >= m->options.stale_ms * MS_NS;
  if (!symbol->wanted || symbol->absent || symbol->stale || !quiet || symbol->quoted) return;
  symbol->stale = true;
  m->stats.stale++;
  m->changed = true;
  trp_machine_note(m, TRP_NOTICE_STALE, symbol, TRP_TIMEOUT, TRP_CLASS_TRANSIENT, 0,
                   "polled, and no answer");
}

static bool any_waits(const struct trp_machine *m) {
  for (uint32_t i = 0; i < m->count; i++)
    if (m->symbols[i].wanted && !m->symbols[i].absent && !m->symbols[i].trades.joined) return true;
  return false;
}

static void end_fill(struct trp_machine *m) {
  m->fill_until_ns = 0;
  for (uint32_t i = 0; i < m->link_count; i++)
    if (!m->links[i].old_open) trp_machine_settle(m, i);
}

void trp_machine_pump_polls(struct trp_machine *m) {
  if (!m->polling && !trp_machine_is_filling(m)) return;
  if (m->out.request == NULL || m->count == 0) return;
  bool quotes = m->polling && has(m, TRP_STREAM_QUOTES);
  bool many = m->dialect->poll_symbols != 0;
  while (quotes && (many ? ask_many(m) : ask_best(m))) continue;
  while (polls_trades(m) && ask_trades(m)) continue;
  for (uint32_t i = 0; i < m->count && m->polling; i++) became_quiet(m, &m->symbols[i]);
  if (trp_machine_is_filling(m) && (m->now_ns >= m->fill_until_ns || !any_waits(m))) end_fill(m);
}

/* ---- answers ------------------------------------------------------------------------------ */

struct answer { /* in hand */
  struct trp_machine *m;
  struct symbol *symbol; /* whose it is, where it has no name itself; NULL: it has */
  uint32_t heard;
  bool refused;
};

static void give_polled_quote(struct trp_machine *m, struct symbol *symbol,
                              const struct trp_wire_quote *quote) {
  if (!m->polling || symbol->quoted) return; /* the stream is newer */
  trp_machine_saw_data(m, symbol);
  if (!trp_machine_quote_passes(m, symbol, quote->update_id)) return;
  trp_machine_give_quote(m, symbol, quote, 0);
}

/* The best of a snapshot; of a side that is empty, nothing is bid (or asked) for. */
static struct trp_wire_quote best_of(const struct trp_wire_depth *depth) {
  struct trp_wire_quote quote = {.update_id = depth->final_id};
  for (uint32_t i = 0; i < depth->count; i++) {
    const struct trp_level *level = &depth->levels[i];
    if (level->side == 1 && level->price > quote.bid) {
      quote.bid = level->price;
      quote.bid_size = level->size;
    } else if (level->side == 2 && (quote.ask == 0 || level->price < quote.ask)) {
      quote.ask = level->price;
      quote.ask_size = level->size;
    }
  }
  return quote;
}

static void hear_quote(void *arg, const struct trp_heard *heard) {
  struct answer *answer = arg;
  struct trp_machine *m = answer->m;
  struct symbol *symbol = answer->symbol;
  if (symbol == NULL || heard->symbol[0] != '\0') symbol = trp_machine_find(m, heard->symbol);
  answer->heard++;
  if (heard->kind == TRP_HEARD_REFUSED) answer->refused = true;
  if (symbol == NULL || !symbol->wanted) return;
  struct trp_wire_quote quote;
  if (heard->kind == TRP_HEARD_WHOLE)
    quote = best_of(&heard->depth);
  else if (heard->kind == TRP_HEARD_QUOTE)
    quote = heard->quote;
  else
    return;
  m->stats.inexact += heard->inexact;
  symbol->ask_alone = false;
  give_polled_quote(m, symbol, &quote);
}

static void hear_trade(void *arg, const struct trp_heard *heard) {
  struct answer *answer = arg;
  struct trp_machine *m = answer->m;
  struct symbol *symbol = answer->symbol;
  uint64_t last = symbol->trades.last;
  answer->heard++;
  if (heard->kind == TRP_HEARD_REFUSED) answer->refused = true;
  if (heard->kind != TRP_HEARD_TRADE || symbol->trades.joined) return;
  if (!trp_machine_trade_passes(m, symbol, heard)) return;
  m->stats.inexact += heard->inexact;
  if (last != 0 && heard->trade.id != last + 1) {
    m->stats.gaps++;
    m->out.gap(m->out.arg, symbol->number, last + 1, heard->trade.id);
  }
  trp_machine_give_trade(m, symbol, &heard->trade, heard->exchange_us);
}

/* All that came before the subscription is here; what comes after it, the stream brings. */
static void close_up(struct trp_machine *m, const struct asked *asked, struct symbol *symbol,
                     uint32_t heard) {
  bool more = heard >= m->dialect->trades_limit;
  trp_machine_unpark(m, symbol);
  if (more) symbol->trades_ns = 0; /* at once */
  bool after = symbol->on_ns != 0 && asked->at_ns >= symbol->on_ns;
  if (after && !more && !trp_machine_has_parked(m, symbol)) symbol->trades.joined = true;
}

void trp_machine_on_polled(struct trp_machine *m, const struct asked *asked, const void *body,
                           size_t size) {
  struct answer answer = {.m = m, .symbol = trp_machine_numbered(m, asked->number)};
  const struct trp_dialect *d = m->dialect;
  enum trp_err err = TRP_OK;
  if (asked->number != 0 && (answer.symbol == NULL || !answer.symbol->wanted)) return;
  /* Asked when nothing was known; a stream has brought some meanwhile, and may have missed some. */
  if (asked->newest && answer.symbol->trades.last != 0) return;
  if (asked->what == ASKED_QUOTES)
    err = d->parse_poll(m->parser, body, size, hear_quote, &answer);
  else if (asked->what == ASKED_BEST)
    err = d->parse_snapshot(m->parser, body, size, hear_quote, &answer);
  else
    err = d->parse_trades(m->parser, body, size, hear_trade, &answer);
  if (err != TRP_OK || answer.refused) {
    bool bad = err != TRP_OK;
    trp_machine_poll_failed(m, asked, bad ? err : TRP_REFUSED,
                            bad ? TRP_CLASS_PROTOCOL : TRP_CLASS_TRANSIENT, 0,
                            bad ? d->parse_reason(m->parser) : "refused by the exchange");
    return;
  }
  m->stats.polls++;
  m->poll_bad = false;
  if (asked->what == ASKED_TRADES) close_up(m, asked, answer.symbol, answer.heard);
}

/* One bad name refuses a whole request: then each finds out by itself. */
static void not_together(struct trp_machine *m, uint32_t number) {
  for (uint32_t i = 0; i < m->count; i++) {
    struct symbol *symbol = &m->symbols[i];
    if (number == 0) symbol->ask_alone = true;
    if (symbol->number != number) continue;
    symbol->absent = true;
    symbol->stale = false;
    m->changed = true;
  }
}

void trp_machine_poll_failed(struct trp_machine *m, const struct asked *asked, enum trp_err err,
                             enum trp_error_class error_class, int64_t code, const char *text) {
  m->stats.poll_failures++;
  if (error_class == TRP_CLASS_FATAL) not_together(m, asked->number);
  if (m->poll_bad) return;
  m->poll_bad = true;
  const struct symbol *symbol = trp_machine_numbered(m, asked->number);
  trp_machine_note(m, TRP_NOTICE_POLL_FAILED, symbol, err, error_class, code, text);
}

/* ---- on and off --------------------------------------------------------------------------- */

void trp_machine_poll(struct trp_machine *m, uint64_t now_ns, bool on) {
  m->now_ns = now_ns;
  if (m->polling == on) return;
  m->polling = on;
  m->changed = true;
  for (uint32_t i = 0; i < m->count && on; i++) {
    struct symbol *symbol = &m->symbols[i];
    bool streams = m->links[symbol->link].open;
    if (!streams) symbol->data_ns = now_ns;
    symbol->poll_ns = symbol->trades_ns = 0;
    symbol->trades.joined = streams; /* those go on as they are */
  }
  if (on || !polls_trades(m)) {
    m->fill_until_ns = 0;
    if (!on) end_fill(m);
  } else {
    m->fill_until_ns = now_ns + FILL_NS;
  }
  trp_machine_pump_polls(m);
  trp_machine_update_state(m);
}

enum trp_feed_phase trp_machine_judge_polling(const struct trp_machine *m,
                                              char reason[TRP_MACHINE_REASON_BYTES]) {
  uint32_t wanted = 0, stale = 0, absent = 0;
  for (uint32_t i = 0; i < m->count; i++) {
    const struct symbol *symbol = &m->symbols[i];
    wanted += symbol->wanted;
    stale += symbol->wanted && symbol->stale;
    absent += symbol->wanted && symbol->absent;
  }
  if (stale != 0)
    snprintf(reason, TRP_MACHINE_REASON_BYTES, "polls over HTTP: %u of %u symbols without data",
             stale, wanted);
  else
    snprintf(reason, TRP_MACHINE_REASON_BYTES, "polls over HTTP: %u symbols", wanted - absent);
  return stale != 0 ? TRP_FEED_STALE : TRP_FEED_POLLING;
}
