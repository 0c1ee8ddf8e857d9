#include "test/story/feed_keeper.h"

#include <stdlib.h>
#include <string.h>

#include "actors/subscriber.h"

struct mind { /* of an incarnation */
  struct keeper *keeper;
  struct trp_subscriber subscriber;
};

struct keeper_row *feed_keeper_row(struct keeper *keeper, uint32_t symbol) {
  for (uint32_t i = 0; i < keeper->count; i++) {
    if (keeper->rows[i].symbol == symbol) return &keeper->rows[i];
  }
  return NULL;
}

static struct keeper_row *row_of(struct keeper *keeper, uint32_t symbol) {
  struct keeper_row *row = feed_keeper_row(keeper, symbol);
  if (row != NULL) return row;
  CHECK(keeper->count < KEEPER_ROWS_MAX);
  row = &keeper->rows[keeper->count++];
  memset(row, 0, sizeof *row);
  row->symbol = symbol;
  trp_ladder_init(&row->ladder, 20000);
  return row;
}

void feed_keeper_fini(struct keeper *keeper) {
  for (uint32_t i = 0; i < keeper->count; i++) trp_ladder_fini(&keeper->rows[i].ladder);
  memset(keeper, 0, sizeof *keeper);
}

static void on_book(struct keeper *keeper, const struct trp_book *book) {
  struct keeper_row *row = row_of(keeper, book->symbol);
  if (book->kind == 1) {
    row->snapshots++;
    row->whole = trp_ladder_load(&row->ladder, book->levels, book->levels_count) == TRP_OK;
  } else {
    row->updates++;
    row->disorder += row->whole && book->sequence <= row->sequence;
    for (uint32_t i = 0; i < book->levels_count && row->whole; i++) {
      row->whole = trp_ladder_set(&row->ladder, &book->levels[i]) == TRP_OK;
    }
  }
  row->sequence = book->sequence;
}

static void on_quote(struct keeper *keeper, const struct trp_quote *quote, uint64_t now_ns) {
  struct keeper_row *row = row_of(keeper, quote->symbol);
  if (row->quotes++ != 0 && now_ns - row->quote_ns > row->pause_ns)
    row->pause_ns = now_ns - row->quote_ns;
  row->quote_ns = now_ns;
  row->quote = *quote;
  row->polled += quote->exchange_offset_us == TRP_POLLED;
}

static void on_trade(struct keeper *keeper, const struct trp_trade *trade) {
  struct keeper_row *row = row_of(keeper, trade->symbol);
  if (row->trades++ != 0) {
    row->skipped += trade->id > row->trade_id + 1;
    row->repeated += trade->id <= row->trade_id;
  }
  row->trade_id = trade->id;
  row->polled += trade->exchange_offset_us == TRP_POLLED;
}

/* Whoever feeds us: where it is down, it will tell whole books by itself when it is back. */
static void doubt(struct trp_self *self, struct keeper *keeper) {
  for (uint32_t i = 0; i < keeper->count; i++) keeper->rows[i].whole = false;
  struct trp_feed_command refresh = {.verb = "refresh"};
  (void)!trp_send(self, trp_whereis(self, "binance"), TRP_FEED_COMMAND, &refresh, sizeof refresh);
}

static void on_event(struct trp_self *self, struct keeper *keeper, const struct trp_msg *msg) {
  keeper->events++;
  switch (msg->type) {
    case TRP_QUOTE:
      on_quote(keeper, trp_msg_quote(msg), trp_now_ns(self));
      break;
    case TRP_TRADE:
      on_trade(keeper, trp_msg_trade(msg));
      break;
    case TRP_BOOK:
      on_book(keeper, trp_msg_book(msg));
      break;
    case TRP_FEED_GAP:
      if (keeper->feed_gaps < 64) {
        keeper->gap_symbols[keeper->feed_gaps] = trp_msg_feed_gap(msg)->symbol;
      }
      keeper->feed_gaps++;
      break;
    case TRP_EVENT_GAP:
      keeper->event_gaps++;
      keeper->lost += trp_msg_event_gap(msg)->lost;
      doubt(self, keeper);
      break;
    case TRP_FEED_STATE:
      if (keeper->state_count == KEEPER_STATES_MAX) break;
      keeper->states[keeper->state_count].at_ns = trp_now_ns(self);
      keeper->states[keeper->state_count++].phase = trp_msg_feed_state(msg)->state;
      break;
    default:
      break;
  }
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  static const uint32_t wishes[] = {TRP_QUOTE,     TRP_TRADE,    TRP_FEED_STATE,
                                    TRP_EVENT_GAP, TRP_FEED_GAP, TRP_BOOK};
  struct mind *mind = state;
  mind->keeper = *(struct keeper *const *)args;
  enum trp_err err = trp_subscriber_start(self, &mind->subscriber, "event_engine");
  for (size_t i = 0; err == TRP_OK && i < sizeof wishes / sizeof *wishes; i++) {
    err = trp_subscriber_add(self, &mind->subscriber, wishes[i], 0);
  }
  /* A new incarnation knows the books of the old one only by chance. */
  mind->keeper->restored = mind->keeper->restored + (trp_self_incarnation(self) > 1);
  return err;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct mind *mind = state;
  if (!trp_subscriber_take(self, &mind->subscriber, msg)) {
    on_event(self, mind->keeper, msg);
  } else if (msg->type == TRP_UP) {
    mind->keeper->restored += mind->subscriber.restored > 0;
    doubt(self, mind->keeper);
  }
  return TRP_OK;
}

const struct trp_kind feed_keeper_kind = {
    .name = "keeper", .state_bytes = sizeof(struct mind), .start = start, .receive = receive};
