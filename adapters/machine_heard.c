/* Frames: what was heard in them goes to its symbol, and what is an event is given out. */
#include "adapters/machine_inside.h"

#define BAD_FRAMES_MAX 50 /* in a row: this connection is not what we think */
#define QUIET_DECAY 64

static int32_t offset_us(const struct trp_machine *m, int64_t exchange_us) {
  if (m->from_poll) return TRP_POLLED;
  if (m->wall_us == 0 || exchange_us == 0) return 0;
  int64_t offset = m->wall_us - exchange_us;
  return offset > INT32_MAX ? INT32_MAX : offset <= INT32_MIN ? INT32_MIN + 1 : (int32_t)offset;
}

static void learn_pause(const struct trp_machine *m, struct symbol *symbol) {
  uint64_t pause = trp_machine_since(m, symbol->data_ns);
  if (pause >= symbol->quiet_ns)
    symbol->quiet_ns = pause;
  else
    symbol->quiet_ns -= (symbol->quiet_ns - pause) / QUIET_DECAY;
}

/* The symbol's clock runs anew, and the length of the pause that ended is learned of a stream. */
void trp_machine_saw_data(struct trp_machine *m, struct symbol *symbol) {
  if (!m->from_poll) learn_pause(m, symbol);
  symbol->data_ns = m->now_ns;
  symbol->absent = false;
  if (!m->from_poll) m->links[m->at].give_up_ns = m->options.stale_give_up_ms * MS_NS;
  if (!symbol->stale) return;
  symbol->stale = false;
  m->changed = true;
  trp_machine_note(m, TRP_NOTICE_FRESH, symbol, TRP_OK, TRP_CLASS_TRANSIENT, 0, "");
}

void trp_machine_give_quote(struct trp_machine *m, const struct symbol *symbol,
                            const struct trp_wire_quote *heard, int64_t exchange_us) {
  struct trp_quote quote = {.recv_ns = m->now_ns,
                            .symbol = symbol->number,
                            .exchange_offset_us = offset_us(m, exchange_us),
                            .bid = heard->bid,
                            .bid_size = heard->bid_size,
                            .ask = heard->ask,
                            .ask_size = heard->ask_size};
  m->stats.quotes++;
  m->stats.updates++;
  m->stats.polled += m->from_poll;
  m->out.quote(m->out.arg, &quote, heard->update_id);
}

void trp_machine_give_trade(struct trp_machine *m, const struct symbol *symbol,
                            const struct trp_wire_trade *heard, int64_t exchange_us) {
  struct trp_trade trade = {.recv_ns = m->now_ns,
                            .symbol = symbol->number,
                            .exchange_offset_us = offset_us(m, exchange_us),
                            .price = heard->price,
                            .size = heard->size,
                            .id = heard->id,
                            .side = heard->taker_sold ? 2 : 1};
  m->stats.trades++;
  m->stats.updates++;
  m->stats.polled += m->from_poll;
  m->out.trade(m->out.arg, &trade);
}

/* Of books only what continues: not what comes between a subscription's end and the next. */
static void on_book(struct trp_machine *m, struct symbol *symbol, const struct trp_heard *heard) {
  const struct leg *leg = trp_machine_book_leg(m, symbol);
  if (leg == NULL || leg->state == LEG_LEAVE_ASKED) return;
  if (heard->kind == TRP_HEARD_WHOLE) {
    if (trp_machine_whole_passes(m, symbol)) trp_machine_on_whole(m, symbol, heard);
  } else if (trp_machine_diff_passes(m, symbol, &heard->depth)) {
    trp_machine_apply_diff(m, symbol, &heard->depth);
  }
}

static void on_quote(struct trp_machine *m, struct symbol *symbol, const struct trp_heard *heard) {
  symbol->quoted = true;
  if (trp_machine_quote_passes(m, symbol, heard->quote.update_id))
    trp_machine_give_quote(m, symbol, &heard->quote, heard->exchange_us);
}

static void on_trade(struct trp_machine *m, struct symbol *symbol, const struct trp_heard *heard) {
  if (!trp_machine_trade_passes(m, symbol, heard)) return;
  trp_machine_give_trade(m, symbol, &heard->trade, heard->exchange_us);
  if (m->parked_count != 0) trp_machine_unpark(m, symbol);
}

static void on_data(struct trp_machine *m, const struct trp_heard *heard) {
  struct symbol *symbol = trp_machine_find(m, heard->symbol);
  if (symbol == NULL || !symbol->wanted || symbol->link != m->at) {
    m->stats.foreign_frames++;
    return;
  }
  m->stats.inexact += heard->inexact;
  trp_machine_saw_data(m, symbol);
  if (heard->kind == TRP_HEARD_QUOTE)
    on_quote(m, symbol, heard);
  else if (heard->kind == TRP_HEARD_TRADE)
    on_trade(m, symbol, heard);
  else if (heard->kind != TRP_HEARD_ALIVE)
    on_book(m, symbol, heard);
}

/* What a predecessor still has to say but data is of no use. */
static bool is_data(enum trp_heard_kind kind) {
  return kind == TRP_HEARD_QUOTE || kind == TRP_HEARD_TRADE || kind == TRP_HEARD_DIFF ||
         kind == TRP_HEARD_WHOLE || kind == TRP_HEARD_ALIVE;
}

static void hear(void *arg, const struct trp_heard *heard) {
  struct trp_machine *m = arg;
  if (m->from_old && !is_data(heard->kind)) return;
  switch (heard->kind) {
    case TRP_HEARD_QUOTE:
    case TRP_HEARD_TRADE:
    case TRP_HEARD_DIFF:
    case TRP_HEARD_WHOLE:
    case TRP_HEARD_ALIVE:
      on_data(m, heard);
      break;
    case TRP_HEARD_ACK:
      trp_machine_on_ack(m, heard);
      break;
    case TRP_HEARD_REFUSED:
      trp_machine_on_refused(m, heard);
      break;
    case TRP_HEARD_PONG:
      m->stats.pongs++;
      break;
    case TRP_HEARD_ENDING:
      m->stats.endings++;
      trp_machine_ask_renewal(m, m->at, heard->answer.text);
      break;
    case TRP_HEARD_OTHER:
      m->stats.other_frames++;
      break;
  }
}

static void on_bad(struct trp_machine *m, enum trp_err err) {
  m->stats.bad_frames++;
  m->stats.errors[TRP_CLASS_PROTOCOL]++;
  trp_machine_note(m, TRP_NOTICE_BAD_FRAME, NULL, err, TRP_CLASS_PROTOCOL, 0,
                   m->dialect->parse_reason(m->parser));
  if (++m->links[m->at].bad_in_a_row == BAD_FRAMES_MAX)
    trp_machine_ask_reconnect(m, m->at, TRP_CLASS_PROTOCOL, "nothing but bad frames");
}

static void take(struct trp_machine *m, uint32_t link, uint64_t now_ns, int64_t wall_us,
                 const void *bytes, size_t size) {
  m->now_ns = now_ns;
  m->wall_us = wall_us;
  m->at = link;
  m->stats.frames++;
  m->stats.bytes += size;
  enum trp_err err = m->dialect->parse(m->parser, bytes, size, hear, m);
  if (err != TRP_OK)
    on_bad(m, err);
  else
    m->links[link].bad_in_a_row = 0;
  m->from_old = false;
  trp_machine_update_state(m);
}

void trp_machine_frame(struct trp_machine *m, uint32_t link, uint64_t now_ns, int64_t wall_us,
                       const void *bytes, size_t size) {
  if (link >= m->link_count || !m->links[link].open) return;
  m->links[link].frame_ns = now_ns;
  take(m, link, now_ns, wall_us, bytes, size);
}

void trp_machine_old_frame(struct trp_machine *m, uint32_t link, uint64_t now_ns, int64_t wall_us,
                           const void *bytes, size_t size) {
  if (link >= m->link_count || !m->links[link].old_open) return;
  m->links[link].old_frame_ns = now_ns;
  m->from_old = true;
  take(m, link, now_ns, wall_us, bytes, size);
}
