/* Frames: what was heard in them goes to its symbol, and what is an event is given out. */
#include "adapters/machine_inside.h"

#define BAD_FRAMES_MAX 50 /* in a row: this connection is not what we think */
#define QUIET_DECAY 64

static int32_t offset_us(const struct trp_machine *m, int64_t exchange_us) {
  if (m->wall_us == 0 || exchange_us == 0) return 0;
  int64_t offset = m->wall_us - exchange_us;
  return offset > INT32_MAX ? INT32_MAX : offset < INT32_MIN ? INT32_MIN : (int32_t)offset;
}

/* The symbol's clock runs anew, and the length of the pause that ended is learned. */
static void saw_data(struct trp_machine *m, struct symbol *symbol) {
  uint64_t pause = trp_machine_since(m, symbol->data_ns);
  if (pause >= symbol->quiet_ns)
    symbol->quiet_ns = pause;
  else
    symbol->quiet_ns -= (symbol->quiet_ns - pause) / QUIET_DECAY;
  symbol->data_ns = m->now_ns;
  symbol->absent = false;
  m->links[m->at].give_up_ns = m->options.stale_give_up_ms * MS_NS;
  if (!symbol->stale) return;
  symbol->stale = false;
  m->changed = true;
  trp_machine_note(m, TRP_NOTICE_FRESH, symbol, TRP_OK, TRP_CLASS_TRANSIENT, 0, "");
}

static void give_quote(struct trp_machine *m, const struct symbol *symbol,
                       const struct trp_heard *heard) {
  struct trp_quote quote = {.recv_ns = m->now_ns,
                            .symbol = symbol->number,
                            .exchange_offset_us = offset_us(m, heard->exchange_us),
                            .bid = heard->quote.bid,
                            .bid_size = heard->quote.bid_size,
                            .ask = heard->quote.ask,
                            .ask_size = heard->quote.ask_size};
  m->stats.quotes++;
  m->stats.updates++;
  m->out.quote(m->out.arg, &quote, heard->quote.update_id);
}

static void give_trade(struct trp_machine *m, const struct symbol *symbol,
                       const struct trp_heard *heard) {
  struct trp_trade trade = {.recv_ns = m->now_ns,
                            .symbol = symbol->number,
                            .exchange_offset_us = offset_us(m, heard->exchange_us),
                            .price = heard->trade.price,
                            .size = heard->trade.size,
                            .id = heard->trade.id,
                            .side = heard->trade.taker_sold ? 2 : 1};
  m->stats.trades++;
  m->stats.updates++;
  m->out.trade(m->out.arg, &trade);
}

/* Of books only what continues: not what comes between a subscription's end and the next. */
static void on_book(struct trp_machine *m, struct symbol *symbol, const struct trp_heard *heard) {
  const struct leg *leg = trp_machine_book_leg(m, symbol);
  if (leg == NULL || leg->state == LEG_LEAVE_ASKED) return;
  if (heard->kind == TRP_HEARD_WHOLE)
    trp_machine_on_whole(m, symbol, heard);
  else
    trp_machine_on_diff(m, symbol, heard);
}

static void on_data(struct trp_machine *m, const struct trp_heard *heard) {
  struct symbol *symbol = trp_machine_find(m, heard->symbol);
  if (symbol == NULL || !symbol->wanted || symbol->link != m->at) {
    m->stats.foreign_frames++;
    return;
  }
  m->stats.inexact += heard->inexact;
  saw_data(m, symbol);
  if (heard->kind == TRP_HEARD_QUOTE)
    give_quote(m, symbol, heard);
  else if (heard->kind == TRP_HEARD_TRADE)
    give_trade(m, symbol, heard);
  else if (heard->kind != TRP_HEARD_ALIVE)
    on_book(m, symbol, heard);
}

static void hear(void *arg, const struct trp_heard *heard) {
  struct trp_machine *m = arg;
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
      trp_machine_ask_reconnect(m, m->at, TRP_CLASS_TRANSIENT, heard->answer.text);
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

void trp_machine_frame(struct trp_machine *m, uint32_t link, uint64_t now_ns, int64_t wall_us,
                       const void *bytes, size_t size) {
  m->now_ns = now_ns;
  m->wall_us = wall_us;
  if (link >= m->link_count || !m->links[link].open) return;
  m->at = link;
  m->links[link].frame_ns = now_ns;
  m->stats.frames++;
  m->stats.bytes += size;
  enum trp_err err = m->dialect->parse(m->parser, bytes, size, hear, m);
  if (err != TRP_OK)
    on_bad(m, err);
  else
    m->links[link].bad_in_a_row = 0;
  trp_machine_update_state(m);
}
