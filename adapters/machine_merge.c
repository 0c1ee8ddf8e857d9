/* Two sources of the same updates: a connection and the successor that is to take over, or polling
 * and the stream that is back. Each update is given out once, and none is missed.
 *
 * The old source is given out as it comes. The new one's updates follow only from where the old
 * one is known to have got: a new quote that the old one has brought already, or the old one
 * reaching what the new one had last; of trades whose ids count, the next id. (Giving out whatever
 * comes first would lose what the old source still has on its way.) Books join where a diff of the
 * new source continues the book. After a source has ended, what the other repeats is still dropped
 * for a while; not for ever, for an exchange may begin its ids anew. */
#include <stdlib.h>
#include <string.h>

#include "adapters/machine_inside.h"

#define LINGER_NS (1000 * MS_NS)  /* what was sent before the successor stood has come by then */
#define LEVEL_NS (10000 * MS_NS)  /* then the predecessor is released, level or not */
#define REPEATS_NS (3000 * MS_NS) /* after the old source's end */

/* ---- looks -------------------------------------------------------------------------------- */

static bool is_merging(const struct trp_machine *m, const struct symbol *symbol) {
  return m->from_poll || m->now_ns < m->links[symbol->link].merge_until_ns;
}

static bool is_old(const struct trp_machine *m) { return m->from_old || m->from_poll; }

bool trp_machine_has_parked(const struct trp_machine *m, const struct symbol *symbol) {
  for (uint32_t i = 0; i < m->parked_count; i++)
    if (m->parked[i].number == symbol->number) return true;
  return false;
}

/* Is nothing of the new source left that the old one must bring first? */
bool trp_machine_is_joined(const struct trp_machine *m, const struct symbol *symbol) {
  bool quotes = symbol->quotes.joined || symbol->quotes.other == 0;
  bool trades = symbol->trades.joined || symbol->trades.other == 0;
  bool book = symbol->book_joined || !symbol->book_other;
  return quotes && trades && book && !trp_machine_has_parked(m, symbol);
}

/* ---- by id -------------------------------------------------------------------------------- */

static bool repeats(struct trp_machine *m) {
  m->stats.repeats++;
  return false;
}

static bool old_passes(struct trp_machine *m, struct seen *seen, uint64_t id) {
  if (id <= seen->last) return repeats(m);
  seen->last = id;
  seen->joined |= seen->other != 0 && id >= seen->other;
  return true;
}

static bool new_passes(struct trp_machine *m, struct seen *seen, uint64_t id, bool counted) {
  if (id <= seen->last) {
    seen->joined = true;
    return repeats(m);
  }
  if (!seen->joined && seen->last != 0 && !(counted && id == seen->last + 1)) {
    seen->other = id;
    return false;
  }
  seen->joined = true;
  seen->last = id;
  return true;
}

/* Without ids nothing can be compared: the predecessor's alone, until it is released. */
static bool passes_without_id(const struct trp_machine *m, const struct symbol *symbol) {
  const struct link *l = &m->links[symbol->link];
  return m->from_poll || !l->old_open || m->from_old != l->released;
}

/* A polled quote may be the last one again: it is a sign of life. */
bool trp_machine_quote_passes(struct trp_machine *m, struct symbol *symbol, uint64_t id) {
  struct seen *seen = &symbol->quotes;
  if (m->dialect->quote_ids == TRP_IDS_NONE || id == 0) {
    if (m->from_poll) seen->last = 0;
    return passes_without_id(m, symbol);
  }
  if (m->from_poll && id == seen->last) return true;
  if (is_merging(m, symbol))
    return is_old(m) ? old_passes(m, seen, id) : new_passes(m, seen, id, false);
  seen->last = id;
  return true;
}

/* ---- trades ------------------------------------------------------------------------------- */

static void unpark_at(struct trp_machine *m, uint32_t i) {
  m->parked_count--;
  memmove(&m->parked[i], &m->parked[i + 1], (m->parked_count - i) * sizeof *m->parked);
}

/* Where there is no room the oldest goes: the old source must then bring that one as well. */
static void park(struct trp_machine *m, const struct symbol *symbol,
                 const struct trp_heard *heard) {
  if (m->parked == NULL) m->parked = calloc(PARKED_MAX, sizeof *m->parked);
  if (m->parked == NULL) return;
  if (m->parked_count == PARKED_MAX) unpark_at(m, 0);
  m->parked[m->parked_count++] = (struct parked){.number = symbol->number,
                                                 .exchange_us = heard->exchange_us,
                                                 .recv_ns = m->now_ns,
                                                 .wall_us = m->wall_us,
                                                 .trade = heard->trade};
}

static void give_parked(struct trp_machine *m, struct symbol *symbol, const struct parked *parked) {
  uint64_t now_ns = m->now_ns;
  int64_t wall_us = m->wall_us;
  bool from_poll = m->from_poll;
  m->now_ns = parked->recv_ns; /* when it was received */
  m->wall_us = parked->wall_us;
  m->from_poll = false;
  symbol->trades.last = parked->trade.id;
  trp_machine_give_trade(m, symbol, &parked->trade, parked->exchange_us);
  m->now_ns = now_ns;
  m->wall_us = wall_us;
  m->from_poll = from_poll;
}

/* Those that continue what was given out; `all`: with a gap told where one does not. */
static void unpark(struct trp_machine *m, struct symbol *symbol, bool all) {
  struct seen *seen = &symbol->trades;
  for (uint32_t i = 0; i < m->parked_count;) {
    struct parked parked = m->parked[i];
    bool due = parked.trade.id <= seen->last + 1 || all;
    if (parked.number != symbol->number || !due) {
      i++;
      continue;
    }
    unpark_at(m, i);
    seen->joined = true;
    if (parked.trade.id <= seen->last) {
      m->stats.repeats++;
      continue;
    }
    if (parked.trade.id > seen->last + 1) {
      m->stats.gaps++;
      m->out.gap(m->out.arg, symbol->number, seen->last + 1, parked.trade.id);
    }
    give_parked(m, symbol, &parked);
  }
}

void trp_machine_unpark(struct trp_machine *m, struct symbol *symbol) { unpark(m, symbol, false); }

void trp_machine_forget_parked(struct trp_machine *m, const struct symbol *symbol) {
  for (uint32_t i = m->parked_count; i-- > 0;)
    if (m->parked[i].number == symbol->number) unpark_at(m, i);
}

bool trp_machine_trade_passes(struct trp_machine *m, struct symbol *symbol,
                              const struct trp_heard *heard) {
  struct seen *seen = &symbol->trades;
  uint64_t id = heard->trade.id;
  bool counted = m->dialect->trade_ids == TRP_IDS_COUNT;
  if (m->dialect->trade_ids == TRP_IDS_NONE || id == 0) return passes_without_id(m, symbol);
  if (!is_merging(m, symbol)) {
    seen->last = id;
    return true;
  }
  if (is_old(m)) return old_passes(m, seen, id);
  bool passes = new_passes(m, seen, id, counted);
  if (passes || !counted || seen->joined) return passes;
  seen->other = 0; /* it is not dropped: it waits */
  park(m, symbol, heard);
  return false;
}

/* ---- books -------------------------------------------------------------------------------- */

bool trp_machine_diff_passes(struct trp_machine *m, struct symbol *symbol,
                             const struct trp_wire_depth *diff) {
  struct trp_depth_book *book = &symbol->book;
  if (!m->links[symbol->link].old_open) return true;
  if (m->from_old) return !symbol->book_joined;
  if (symbol->book_joined) return true;
  if (!book->synced) { /* there is nothing to continue: it is built of the successor's */
    trp_depth_book_reset(book);
    symbol->book_joined = true;
    return true;
  }
  if (diff->final_id <= book->id) { /* known; the next one of it overlaps, or follows */
    symbol->book_joined = diff->final_id == book->id || book->rule == TRP_DEPTH_OVERLAPS;
    return false;
  }
  symbol->book_other = true;
  if (diff->first_id > book->id + 1) return false;
  symbol->book_joined = true;
  /* Sizes are absolute, so that it does no harm where this one overlaps what was applied. */
  enum trp_depth_rule rule = book->rule;
  book->rule = TRP_DEPTH_OVERLAPS;
  trp_machine_apply_diff(m, symbol, diff);
  book->rule = rule;
  return false;
}

/* The whole book at a subscription's beginning is news only to who has none. */
bool trp_machine_whole_passes(struct trp_machine *m, struct symbol *symbol) {
  if (!m->links[symbol->link].old_open) return true;
  if (m->from_old) return !symbol->book_joined;
  if (!symbol->book_joined && symbol->book.synced) return false;
  symbol->book_joined = true;
  return true;
}

/* ---- sources ------------------------------------------------------------------------------ */

void trp_machine_part(struct symbol *symbol) {
  symbol->quotes.joined = symbol->trades.joined = false;
  symbol->quotes.other = symbol->trades.other = 0;
  symbol->book_joined = symbol->book_other = false;
}

void trp_machine_settle(struct trp_machine *m, uint32_t link) {
  m->links[link].merge_until_ns = m->now_ns + REPEATS_NS;
  for (uint32_t i = 0; i < m->count; i++) {
    struct symbol *symbol = &m->symbols[i];
    if (symbol->link != link) continue;
    unpark(m, symbol, true);
    symbol->quotes.joined = symbol->trades.joined = true;
    symbol->bridged = false;
  }
}

void trp_machine_old_closed(struct trp_machine *m, uint32_t link, uint64_t now_ns) {
  m->now_ns = now_ns;
  if (link >= m->link_count || !m->links[link].old_open) return;
  m->links[link].old_open = m->links[link].released = false;
  m->changed = true;
  trp_machine_settle(m, link);
  if (m->links[link].open)
    m->stats.renewals++;
  else
    trp_machine_forget_requests(m, link);
  trp_machine_update_state(m);
}

/* ---- when to renew, when to release ------------------------------------------------------- */

void trp_machine_ask_renewal(struct trp_machine *m, uint32_t link, const char *reason) {
  struct link *l = &m->links[link];
  if (m->out.renew == NULL) {
    trp_machine_ask_reconnect(m, link, TRP_CLASS_TRANSIENT, reason);
    return;
  }
  if (l->renew_asked || l->reconnect_asked || !l->open) return;
  l->renew_asked = true;
  m->out.renew(m->out.arg, link, reason);
}

static bool is_level(struct trp_machine *m, uint32_t link) {
  struct link *l = &m->links[link];
  for (uint32_t i = 0; i < m->count; i++) {
    const struct symbol *symbol = &m->symbols[i];
    if (symbol->link == link && symbol->wanted && !trp_machine_is_settled(symbol)) return false;
  }
  if (l->level_ns == 0) l->level_ns = m->now_ns;
  uint64_t since = trp_machine_since(m, l->level_ns);
  if (since < LINGER_NS) return false;
  for (uint32_t i = 0; i < m->count && since < LEVEL_NS; i++)
    if (m->symbols[i].link == link && !trp_machine_is_joined(m, &m->symbols[i])) return false;
  return true;
}

void trp_machine_tick_renewal(struct trp_machine *m, uint32_t link) {
  struct link *l = &m->links[link];
  uint64_t life = m->options.renew_s * 1000 * MS_NS;
  if (l->open && life != 0 && trp_machine_since(m, l->opened_ns) >= life)
    trp_machine_ask_renewal(m, link, "the connection nears the end of its life");
  if (!l->old_open || l->released) return;
  bool dead = trp_machine_since(m, l->old_frame_ns) >= m->options.heartbeat_ms * MS_NS;
  if (!dead && !(l->open && is_level(m, link))) return;
  l->released = true;
  m->out.release(m->out.arg, link);
}
