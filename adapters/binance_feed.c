#include "adapters/binance_feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actors/publisher.h"
#include "actors/symbol_table.h"

enum {
  EVENTS_A_TURN = 256, /* then others of the actor's business have their turn */
  REQUESTS_MAX = 8,    /* snapshots in flight */
  WAITERS_MAX = 16,    /* disconnects that wait for the one close */
  SYMBOL_BYTES = 32,
  CLOSE_MS = 1000
};

enum timer { TIMER_TICK = 1, TIMER_DIAL };

struct request { /* a snapshot in flight */
  uint64_t link;
  char symbol[SYMBOL_BYTES];
};

struct feed {
  struct trp_self *self; /* whose turn it is: the machine's outputs need it */
  const struct trp_binance_feed_options *options;
  struct trp_net *net;
  struct trp_binance *binance;
  struct trp_backoff backoff;
  struct trp_publisher publisher;
  enum trp_feed_phase phase;
  char reason[128];
  uint64_t link;       /* the stream's; 0: none */
  bool open;           /* it stands */
  bool closing;        /* its close frame is out; CLOSED comes */
  bool wanted;         /* connected, or trying to be */
  bool reconnect;      /* the machine asked for a new connection */
  uint32_t last_error; /* enum trp_err of the last loss */
  uint64_t dial_timer;
  struct request requests[REQUESTS_MAX];
  uint64_t waiters[WAITERS_MAX]; /* tokens of disconnects */
  uint32_t waiter_count;
  uint64_t connects;
  int64_t wall_offset_ns;
};

/* ---- telling ---- */

static void fill_state(const struct feed *f, struct trp_feed_state *out) {
  const struct trp_binance_stats *stats = trp_binance_stats(f->binance);
  memset(out, 0, sizeof *out);
  out->state = (uint32_t)f->phase;
  out->mode = TRP_FEED_STREAM;
  out->symbols = trp_binance_symbols(f->binance);
  out->error = f->last_error;
  out->updates = stats->updates;
  out->reconnects = f->connects > 0 ? f->connects - 1 : 0;
  out->gaps = stats->gaps;
  out->inexact = stats->inexact;
  snprintf(out->name, sizeof out->name, "%s", trp_self_name(f->self));
  snprintf(out->reason, sizeof out->reason, "%s", f->reason);
}

static void set_phase(struct feed *f, enum trp_feed_phase phase, const char *reason) {
  if (phase == f->phase) return;
  f->phase = phase;
  snprintf(f->reason, sizeof f->reason, "%s", reason);
  struct trp_feed_state event;
  fill_state(f, &event);
  trp_publish(f->self, &f->publisher, TRP_FEED_STATE, &event, sizeof event);
  trp_journal(f->self, TRP_FEED_STATE, &event, sizeof event);
  trp_log(f->self, TRP_LOG_INFO, "feed.state", "state=%s reason=\"%s\" symbols=%u updates=%" PRIu64,
          trp_feed_state_text((uint32_t)phase), reason, event.symbols, event.updates);
}

static void answer(struct trp_self *self, uint64_t token, enum trp_err status, const char *text) {
  if (token == 0) return;
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", text);
  trp_reply(self, token, TRP_RESULT, &result, sizeof result);
}

static void answer_waiters(struct feed *f) {
  for (uint32_t i = 0; i < f->waiter_count; i++) {
    answer(f->self, f->waiters[i], TRP_OK, "disconnected");
  }
  f->waiter_count = 0;
}

/* ---- the machine's outputs ---- */

static enum trp_err on_send_text(void *arg, const char *text, size_t size) {
  struct feed *f = arg;
  return f->net->ops->ws_send(f->net, f->link, false, text, size);
}

static enum trp_err on_request(void *arg, const char *symbol, const char *url) {
  struct feed *f = arg;
  struct request *free_one = NULL;
  for (int i = 0; i < REQUESTS_MAX && free_one == NULL; i++) {
    if (f->requests[i].link == 0) free_one = &f->requests[i];
  }
  if (free_one == NULL) return TRP_BUSY;
  struct trp_net_request get = {.url = url, .ca_file = f->options->ca_file};
  enum trp_err err = f->net->ops->http_send(f->net, &get, &free_one->link);
  if (err != TRP_OK) {
    free_one->link = 0;
    return err;
  }
  snprintf(free_one->symbol, sizeof free_one->symbol, "%s", symbol);
  trp_account(f->self, TRP_RES_SOCKET, 1);
  return TRP_OK;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)update_id;
  struct feed *f = arg;
  trp_publish(f->self, &f->publisher, TRP_QUOTE, quote, sizeof *quote);
}

static void on_trade(void *arg, const struct trp_trade *trade) {
  struct feed *f = arg;
  trp_publish(f->self, &f->publisher, TRP_TRADE, trade, sizeof *trade);
}

static void on_book(void *arg, const struct trp_book *book) {
  struct feed *f = arg;
  size_t bytes = sizeof *book + book->levels_count * sizeof(struct trp_level);
  trp_publish(f->self, &f->publisher, TRP_BOOK, book, bytes);
}

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  struct feed *f = arg;
  struct trp_feed_gap gap = {.expected = expected, .got = got, .symbol = symbol};
  snprintf(gap.name, sizeof gap.name, "%s", trp_self_name(f->self));
  trp_publish(f->self, &f->publisher, TRP_FEED_GAP, &gap, sizeof gap);
  trp_journal(f->self, TRP_FEED_GAP, &gap, sizeof gap);
  trp_log(f->self, TRP_LOG_WARN, "feed.gap", "symbol=%s expected=%" PRIu64 " got=%" PRIu64,
          trp_symbol_name(symbol), expected, got);
}

static void on_notice(void *arg, const struct trp_binance_notice *notice) {
  static const char *const events[] = {"feed.subscribed", "feed.unsubscribed",
                                       "feed.refused",    "feed.synced",
                                       "feed.stale",      "feed.fresh",
                                       "feed.snapshot_failed", "feed.bad_frame",
                                       "feed.crossed",    "feed.complaint"};
  struct feed *f = arg;
  bool bad = notice->err != TRP_OK;
  trp_log(f->self, bad ? TRP_LOG_WARN : TRP_LOG_DEBUG, events[notice->kind],
          "symbol=%s error=%s class=%s code=%" PRId64 " text=\"%s\"",
          notice->symbol != 0 ? trp_symbol_name(notice->symbol) : "-", trp_err_name(notice->err),
          trp_error_class_text(notice->error_class), notice->code, notice->text);
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  struct feed *f = arg;
  if (f->wanted && f->open) set_phase(f, state, reason);
}

static void on_reconnect(void *arg, enum trp_error_class error_class, const char *reason) {
  struct feed *f = arg;
  f->reconnect = true; /* after this input: the machine must not be called from within it */
  trp_log(f->self, TRP_LOG_WARN, "feed.reconnect", "class=%s reason=\"%s\"",
          trp_error_class_text(error_class), reason);
}

/* ---- the connection ---- */

static void forget_requests(struct feed *f) {
  for (int i = 0; i < REQUESTS_MAX; i++) {
    if (f->requests[i].link == 0) continue;
    f->net->ops->cancel(f->net, f->requests[i].link);
    f->requests[i].link = 0;
    trp_account(f->self, TRP_RES_SOCKET, -1);
  }
}

static enum trp_err dial_later(struct feed *f, const char *reason) {
  uint32_t wait_ms = trp_backoff_next_ms(&f->backoff, trp_random(f->self));
  char text[128];
  snprintf(text, sizeof text, "%s; next attempt in %u ms", reason, wait_ms);
  set_phase(f, TRP_FEED_BACKOFF, text);
  return trp_timer_start(f->self, wait_ms * TRP_NS_PER_MS, 0, TIMER_DIAL, &f->dial_timer);
}

static enum trp_err dial(struct feed *f) {
  char url[256];
  f->dial_timer = 0;
  if (!trp_binance_stream_url(url, sizeof url, f->options->ws_base)) return TRP_INVALID;
  struct trp_net_request request = {.url = url,
                                    .ca_file = f->options->ca_file,
                                    .timeout_ms = f->options->connect_ms};
  set_phase(f, TRP_FEED_CONNECTING, url);
  enum trp_err err = f->net->ops->ws_open(f->net, &request, &f->link);
  if (err != TRP_OK) {
    f->link = 0;
    f->last_error = (uint32_t)err;
    return dial_later(f, trp_err_text(err));
  }
  trp_account(f->self, TRP_RES_SOCKET, 1);
  return TRP_OK;
}

/* The stream is gone, whoever ended it: nothing of it stays, and a wanted one is dialled again. */
static enum trp_err lost(struct feed *f, const char *reason, enum trp_err err) {
  uint64_t now = trp_now_ns(f->self);
  bool held = f->closing && trp_self_stopping(f->self);
  f->link = 0;
  f->open = f->closing = f->reconnect = false;
  f->last_error = (uint32_t)err;
  trp_account(f->self, TRP_RES_SOCKET, -1);
  trp_binance_closed(f->binance, now);
  forget_requests(f);
  trp_backoff_down(&f->backoff, now);
  if (held) trp_stop_release(f->self);
  if (f->wanted) return dial_later(f, reason);
  trp_binance_clear(f->binance);
  set_phase(f, TRP_FEED_STOPPED, reason);
  answer_waiters(f);
  return TRP_OK;
}

/* Begins the end of the stream; CLOSED follows within close_ms in any case. */
static void close_link(struct feed *f, const char *reason) {
  if (f->closing) return;
  f->closing = true;
  uint32_t close_ms = f->options->close_ms != 0 ? f->options->close_ms : CLOSE_MS;
  f->net->ops->ws_close(f->net, f->link, 1000, reason, close_ms);
  if (trp_self_stopping(f->self)) trp_stop_hold(f->self);
}

/* From any state; true where it is done already, false where CLOSED is still to come. */
static bool disconnect(struct feed *f, const char *reason) {
  f->wanted = false;
  if (f->dial_timer != 0) trp_timer_cancel(f->self, f->dial_timer);
  f->dial_timer = 0;
  forget_requests(f);
  if (f->link != 0 && !f->open) { /* resolving, connecting, shaking hands: there is no stream yet */
    f->net->ops->cancel(f->net, f->link);
    f->link = 0;
    trp_account(f->self, TRP_RES_SOCKET, -1);
  }
  if (f->link != 0) {
    close_link(f, reason);
    return false;
  }
  trp_binance_closed(f->binance, trp_now_ns(f->self));
  trp_binance_clear(f->binance);
  set_phase(f, TRP_FEED_STOPPED, reason);
  return true;
}

static void want_symbols(struct feed *f) {
  uint64_t now = trp_now_ns(f->self);
  for (uint32_t i = 0; i < f->options->symbol_count; i++) {
    enum trp_err err = trp_binance_subscribe(f->binance, now, f->options->symbols[i], NULL);
    if (err == TRP_OK) continue;
    trp_log(f->self, TRP_LOG_ERROR, "feed.bad_symbol", "symbol=%s error=%s",
            f->options->symbols[i], trp_err_name(err));
  }
}

static enum trp_err connect_feed(struct feed *f) {
  if (f->wanted) return TRP_OK;
  if (f->closing) return TRP_BUSY;
  f->wanted = true;
  trp_backoff_reset(&f->backoff);
  want_symbols(f);
  return dial(f);
}

/* ---- the net's events ---- */

static struct request *find_request(struct feed *f, uint64_t link) {
  for (int i = 0; i < REQUESTS_MAX; i++) {
    if (f->requests[i].link == link) return &f->requests[i];
  }
  return NULL;
}

static void on_http(struct feed *f, const struct trp_net_event *event) {
  struct request *request = find_request(f, event->link);
  if (request == NULL) return;
  struct request done = *request;
  request->link = 0;
  trp_account(f->self, TRP_RES_SOCKET, -1);
  if (event->kind == TRP_NET_RESPONSE) {
    trp_binance_http_response(f->binance, event->at_ns, done.symbol, event->status,
                              event->retry_after_s, event->bytes, event->size);
  } else {
    trp_binance_http_failed(f->binance, trp_now_ns(f->self), done.symbol, event->err);
  }
}

static enum trp_err on_stream(struct feed *f, const struct trp_net_event *event) {
  int64_t wall_us = ((int64_t)event->at_ns + f->wall_offset_ns) / 1000;
  switch (event->kind) {
    case TRP_NET_OPENED:
      f->open = true;
      f->connects++;
      trp_backoff_up(&f->backoff, trp_now_ns(f->self));
      set_phase(f, TRP_FEED_SYNCING, "the stream stands");
      trp_binance_opened(f->binance, trp_now_ns(f->self));
      break;
    case TRP_NET_FRAME:
      if (!f->closing) {
        trp_binance_frame(f->binance, event->at_ns, wall_us, event->bytes, event->size);
      }
      break;
    case TRP_NET_PING: trp_binance_pinged(f->binance, trp_now_ns(f->self)); break;
    case TRP_NET_CLOSED:
    case TRP_NET_FAILED: {
      char reason[128];
      snprintf(reason, sizeof reason, "%s", event->reason);
      return lost(f, reason, event->kind == TRP_NET_CLOSED ? TRP_CLOSED : event->err);
    }
    default: break;
  }
  return TRP_OK;
}

static enum trp_err ready(struct trp_self *self, void *state) {
  struct feed *f = state;
  struct trp_net_event event;
  f->self = self;
  for (int i = 0; i < EVENTS_A_TURN; i++) {
    if (!f->net->ops->next(f->net, &event)) return TRP_OK;
    enum trp_err err = TRP_OK;
    if (event.link == f->link && f->link != 0) {
      err = on_stream(f, &event);
    } else {
      on_http(f, &event);
    }
    if (err != TRP_OK) return err;
    if (f->reconnect && f->link != 0) close_link(f, "reconnecting");
  }
  trp_notify(trp_self_system(self), trp_self_ref(self)); /* there may be more */
  return TRP_OK;
}

/* ---- commands ---- */

/* "BTCUSDT" of "BTCUSDT" and of "BTCUSDT.BINANCE"; false where it does not fit. */
static bool bare_symbol(const char *text, char out[SYMBOL_BYTES]) {
  size_t n = strcspn(text, ".");
  if (n == 0 || n >= SYMBOL_BYTES) return false;
  if (text[n] != '\0' && strcmp(text + n, TRP_BINANCE_VENUE) != 0) return false;
  memcpy(out, text, n);
  out[n] = '\0';
  return true;
}

static void on_symbol(struct feed *f, const struct trp_feed_command *command, uint64_t token) {
  char symbol[SYMBOL_BYTES];
  bool add = strcmp(command->verb, "subscribe") == 0;
  if (!bare_symbol(command->symbol, symbol)) {
    answer(f->self, token, TRP_INVALID, "a symbol reads BTCUSDT or BTCUSDT.BINANCE");
    return;
  }
  uint64_t now = trp_now_ns(f->self);
  enum trp_err err = add ? trp_binance_subscribe(f->binance, now, symbol, NULL)
                         : trp_binance_unsubscribe(f->binance, now, symbol);
  answer(f->self, token, err,
         err != TRP_OK ? trp_err_text(err) : add ? "subscribed" : "unsubscribed");
}

static enum trp_err on_command(struct feed *f, const struct trp_msg *msg) {
  const struct trp_feed_command *command = trp_msg_feed_command(msg);
  enum trp_err err = TRP_OK;
  if (strcmp(command->verb, "subscribe") == 0 || strcmp(command->verb, "unsubscribe") == 0) {
    on_symbol(f, command, msg->token);
  } else if (strcmp(command->verb, "connect") == 0) {
    err = connect_feed(f);
    bool busy = err == TRP_BUSY;
    answer(f->self, msg->token, err, busy ? "it is still disconnecting" : "connecting");
    if (busy) err = TRP_OK;
  } else if (strcmp(command->verb, "disconnect") != 0) {
    answer(f->self, msg->token, TRP_INVALID, "unknown feed command");
  } else if (f->waiter_count == WAITERS_MAX) {
    answer(f->self, msg->token, TRP_BUSY, "too many wait for the disconnect already");
  } else if (disconnect(f, "disconnected on command")) {
    answer(f->self, msg->token, TRP_OK, "disconnected");
  } else if (msg->token != 0) {
    f->waiters[f->waiter_count++] = msg->token;
  }
  return err;
}

/* ---- the kind ---- */

static int64_t wall_offset(const struct feed *f, uint64_t now_ns) {
  if (f->options->wall_ns != 0) return (int64_t)f->options->wall_ns;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)((uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec - now_ns);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct feed *f = state;
  const struct trp_binance_feed_options *options = args;
  CHECK(options != NULL && options->net != NULL);
  f->self = self;
  f->options = options;
  f->net = options->net;
  trp_net_bind(f->net, trp_self_system(self), trp_self_ref(self));
  f->wall_offset_ns = wall_offset(f, trp_now_ns(self));
  trp_backoff_init(&f->backoff, &options->backoff);
  struct trp_binance_options protocol = options->protocol;
  protocol.http_base = options->http_base;
  protocol.seed = trp_random(self);
  struct trp_binance_out out = {.arg = f,
                                .send_text = on_send_text,
                                .request_snapshot = on_request,
                                .quote = on_quote,
                                .trade = on_trade,
                                .book = on_book,
                                .gap = on_gap,
                                .notice = on_notice,
                                .state = on_state,
                                .reconnect = on_reconnect};
  enum trp_err err = trp_binance_new(&f->binance, &protocol, &out);
  if (err != TRP_OK) return err;
  err = trp_publisher_start(self, &f->publisher,
                            options->events != NULL ? options->events : "event_engine");
  if (err != TRP_OK) return err;
  uint64_t tick = TRP_BINANCE_TICK_MS * TRP_NS_PER_MS;
  err = trp_timer_start(self, tick, tick, TIMER_TICK, NULL);
  if (err != TRP_OK || options->stay_disconnected) return err;
  return connect_feed(f);
}

static enum trp_err on_timer(struct feed *f, const struct trp_timer *timer) {
  if (timer->tag == TIMER_DIAL) return dial(f);
  uint64_t now = trp_now_ns(f->self);
  f->wall_offset_ns = wall_offset(f, now);
  trp_binance_tick(f->binance, now);
  if (f->reconnect && f->link != 0) close_link(f, "reconnecting");
  return TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct feed *f = state;
  struct trp_feed_state now;
  f->self = self;
  switch (msg->type) {
    case TRP_UP:
    case TRP_DOWN: trp_publisher_take(self, &f->publisher, msg); break;
    case TRP_TIMER: return on_timer(f, msg->body);
    case TRP_FEED_COMMAND: return on_command(f, msg);
    case TRP_FEED_QUERY:
      fill_state(f, &now);
      if (msg->token != 0) trp_reply(self, msg->token, TRP_FEED_STATE, &now, sizeof now);
      break;
    default: break; /* not for a feed */
  }
  return TRP_OK;
}

static void stop(struct trp_self *self, void *state) {
  struct feed *f = state;
  f->self = self;
  if (f->closing) trp_stop_hold(self); /* begun before the pill: it is to be waited for too */
  disconnect(f, "stopping");
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  struct feed *f = state;
  f->self = self;
  if (f->net == NULL) return;
  forget_requests(f);
  if (f->link != 0) {
    f->net->ops->cancel(f->net, f->link);
    trp_account(self, TRP_RES_SOCKET, -1);
  }
  trp_binance_destroy(&f->binance);
}

const struct trp_kind trp_binance_feed_kind = {.name = "binance_feed",
                                               .state_bytes = sizeof(struct feed),
                                               .start = start,
                                               .receive = receive,
                                               .ready = ready,
                                               .stop = stop,
                                               .end = end};
