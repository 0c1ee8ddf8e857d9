#include "actors/consumer.h"

#include <stdio.h>
#include <string.h>

#include "actors/subscriber.h"

enum { SHOW_MS = 100, SHOWS_A_SECOND = 10 };

struct consumer {
  const struct trp_consumer_options *options;
  struct trp_subscriber subscriber;
  struct trp_histogram latency; /* of this second */
  struct trp_consumer_view now; /* what the view will show next; its lock is unused */
  uint64_t quotes_before[TRP_CONSUMER_SYMBOLS_MAX]; /* at the start of this second */
  uint32_t shows;
};

uint64_t trp_consumer_key(uint16_t type, const void *body, size_t bytes) {
  if (type != TRP_QUOTE || bytes < sizeof(struct trp_quote)) return 0;
  return ((const struct trp_quote *)body)->symbol;
}

/* ---- the view ---- */

void trp_consumer_view_init(struct trp_consumer_view *view) {
  memset(view, 0, sizeof *view);
  pthread_mutex_init(&view->lock, NULL);
}

void trp_consumer_view_fini(struct trp_consumer_view *view) { pthread_mutex_destroy(&view->lock); }

static void copy_behind_lock(struct trp_consumer_view *to, const struct trp_consumer_view *from) {
  const size_t from_here = offsetof(struct trp_consumer_view, incarnation);
  memcpy((char *)to + from_here, (const char *)from + from_here, sizeof *to - from_here);
}

void trp_consumer_look(struct trp_consumer_view *view, struct trp_consumer_view *out) {
  pthread_mutex_lock(&view->lock);
  copy_behind_lock(out, view);
  pthread_mutex_unlock(&view->lock);
}

/* Once a second the rates and the quantiles are those of the second that ended. */
static void close_second(struct consumer *c) {
  c->now.p50_ns = trp_histogram_quantile(&c->latency, 0.5);
  c->now.p99_ns = trp_histogram_quantile(&c->latency, 0.99);
  trp_histogram_clear(&c->latency);
  for (uint32_t i = 0; i < c->now.count; i++) {
    struct trp_consumer_row *row = &c->now.rows[i];
    row->quotes_per_s = row->quotes - c->quotes_before[i];
    c->quotes_before[i] = row->quotes;
  }
}

static void show(struct consumer *c) {
  if (++c->shows % SHOWS_A_SECOND == 0) close_second(c);
  if (c->options->view == NULL) return;
  pthread_mutex_lock(&c->options->view->lock);
  copy_behind_lock(c->options->view, &c->now);
  pthread_mutex_unlock(&c->options->view->lock);
}

/* ---- events ---- */

static struct trp_consumer_row *row_of(struct consumer *c, uint32_t symbol) {
  for (uint32_t i = 0; i < c->now.count; i++) {
    if (c->now.rows[i].symbol == symbol) return &c->now.rows[i];
  }
  if (c->now.count == TRP_CONSUMER_SYMBOLS_MAX) return NULL;
  struct trp_consumer_row *row = &c->now.rows[c->now.count++];
  row->symbol = symbol;
  return row;
}

static void on_quote(struct trp_self *self, struct consumer *c, const struct trp_quote *quote) {
  uint64_t now = trp_now_ns(self);
  trp_histogram_add(&c->latency, now > quote->recv_ns ? now - quote->recv_ns : 0);
  struct trp_consumer_row *row = row_of(c, quote->symbol);
  if (row == NULL) return;
  row->quotes++;
  row->bid = quote->bid;
  row->bid_size = quote->bid_size;
  row->ask = quote->ask;
  row->ask_size = quote->ask_size;
}

/* NULL: there are too many. */
static struct trp_consumer_feed *feed_of(struct consumer *c, const char *name) {
  for (uint32_t i = 0; i < c->now.feed_count; i++) {
    if (strcmp(c->now.feeds[i].name, name) == 0) return &c->now.feeds[i];
  }
  if (c->now.feed_count == TRP_CONSUMER_FEEDS_MAX) return NULL;
  struct trp_consumer_feed *feed = &c->now.feeds[c->now.feed_count++];
  snprintf(feed->name, sizeof feed->name, "%s", name);
  return feed;
}

static void on_feed_state(struct consumer *c, const struct trp_feed_state *state) {
  struct trp_consumer_feed *feed = feed_of(c, state->name);
  if (feed == NULL) return;
  feed->state = state->state;
  feed->symbols = state->symbols;
  feed->reconnects = state->reconnects;
  snprintf(feed->reason, sizeof feed->reason, "%s", state->reason);
}

static void on_feed_gap(struct consumer *c, const struct trp_feed_gap *gap) {
  struct trp_consumer_feed *feed = feed_of(c, gap->name);
  if (feed != NULL) feed->gaps++;
}

static void on_event(struct trp_self *self, struct consumer *c, const struct trp_msg *msg) {
  struct trp_consumer_row *row;
  c->now.events++;
  switch (msg->type) {
    case TRP_QUOTE:
      on_quote(self, c, trp_msg_quote(msg));
      break;
    case TRP_TRADE:
      row = row_of(c, trp_msg_trade(msg)->symbol);
      if (row != NULL) row->trades++;
      break;
    case TRP_BOOK:
      row = row_of(c, trp_msg_book(msg)->symbol);
      if (row == NULL) break;
      row->books++;
      row->bids = trp_msg_book(msg)->bids;
      row->asks = trp_msg_book(msg)->asks;
      break;
    case TRP_EVENT_GAP:
      c->now.gaps++;
      c->now.lost += trp_msg_event_gap(msg)->lost;
      break;
    case TRP_FEED_STATE:
      on_feed_state(c, trp_msg_feed_state(msg));
      break;
    case TRP_FEED_GAP:
      on_feed_gap(c, trp_msg_feed_gap(msg));
      break;
    default:
      break;
  }
  if (c->options->on_event != NULL) c->options->on_event(c->options->on_event_arg, msg);
}

/* ---- the kind ---- */

/* Where it cannot be asked now, the next change of its state tells. */
static void ask_feed(struct trp_self *self, struct consumer *c, const char *name) {
  struct trp_ref feed = trp_whereis(self, name);
  struct trp_feed_query query = {0};
  (void)feed_of(c, name);
  if (trp_ref_is_nobody(feed)) return;
  (void)!trp_ask(self, feed, TRP_FEED_QUERY, &query, sizeof query, TRP_NS_PER_S, NULL);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  static const uint32_t wishes[] = {TRP_QUOTE,     TRP_TRADE,    TRP_FEED_STATE,
                                    TRP_EVENT_GAP, TRP_FEED_GAP, TRP_BOOK};
  struct consumer *c = state;
  c->options = args;
  c->now.incarnation = trp_self_incarnation(self);
  enum trp_err err = trp_subscriber_start(self, &c->subscriber, c->options->events);
  size_t count = sizeof wishes / sizeof *wishes - (c->options->books ? 0 : 1);
  for (size_t i = 0; err == TRP_OK && i < count; i++) {
    err = trp_subscriber_add(self, &c->subscriber, wishes[i], 0);
  }
  if (err != TRP_OK) return err;
  for (uint32_t i = 0; i < c->options->feed_count; i++) ask_feed(self, c, c->options->feeds[i]);
  return trp_timer_start(self, SHOW_MS * TRP_NS_PER_MS, SHOW_MS * TRP_NS_PER_MS, 0, NULL);
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct consumer *c = state;
  switch (msg->type) {
    case TRP_TIMER:
      show(c);
      break;
    case TRP_UP:
    case TRP_DOWN:
      trp_subscriber_take(self, &c->subscriber, msg);
      break;
    case TRP_ASK_FAILED:
      break;
    default:
      on_event(self, c, msg);
      break;
  }
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  show(state); /* the last word */
}

const struct trp_kind trp_consumer_kind = {.name = "consumer",
                                           .state_bytes = sizeof(struct consumer),
                                           .start = start,
                                           .receive = receive,
                                           .end = end};
