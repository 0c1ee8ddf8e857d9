#include <stdio.h>
#include <string.h>

#include "adapters/binance_feed_actor.h"

enum { EVENTS_A_TURN = 256 }; /* then others of the actor's business have their turn */

#define RESUME_NS (5 * TRP_NS_PER_MS)

/* A server that takes its leave (RFC 6455, 7.4.1) is not there at once again; and where exchange
 * and feed are of one system, the feed's own pill comes in this time. */
#define GOING_AWAY 1001
#define GOING_AWAY_NS (100 * TRP_NS_PER_MS)

/* ---- ending ---- */

static void forget_requests(struct trp_feed *f) {
  for (int i = 0; i < TRP_FEED_REQUESTS_MAX; i++) {
    if (f->requests[i].link == 0) continue;
    f->net->ops->cancel(f->net, f->requests[i].link);
    f->requests[i].link = 0;
    trp_account(f->self, TRP_RES_SOCKET, -1);
  }
}

static void cancel_link(struct trp_feed *f) {
  f->net->ops->cancel(f->net, f->link);
  f->link = 0;
  f->open = f->closing = f->reconnect = false;
  trp_account(f->self, TRP_RES_SOCKET, -1);
}

void trp_feed_cancel_all(struct trp_feed *f) {
  forget_requests(f);
  if (f->link != 0) cancel_link(f);
}

/* ---- dialling ---- */

static enum trp_err dial_later(struct trp_feed *f, const char *reason) {
  uint64_t wait_ns = trp_backoff_next_ms(&f->backoff, trp_random(f->self)) * TRP_NS_PER_MS;
  uint64_t now = trp_now_ns(f->self);
  if (f->not_before_ns > now + wait_ns) wait_ns = f->not_before_ns - now;
  char text[128];
  snprintf(text, sizeof text, "%.80s; next attempt in %llu ms", reason,
           (unsigned long long)(wait_ns / TRP_NS_PER_MS));
  trp_feed_set_phase(f, TRP_FEED_BACKOFF, text);
  return trp_timer_start(f->self, wait_ns, 0, TRP_FEED_TIMER_DIAL, &f->dial_timer);
}

enum trp_err trp_feed_dial(struct trp_feed *f) {
  char url[256];
  f->dial_timer = 0;
  if (!trp_binance_stream_url(url, sizeof url, f->options.ws_base)) return TRP_INVALID;
  struct trp_net_request request = {
      .url = url, .ca_file = f->options.ca_file, .timeout_ms = f->options.connect_ms};
  trp_feed_set_phase(f, TRP_FEED_CONNECTING, url);
  enum trp_err err = f->net->ops->ws_open(f->net, &request, &f->link);
  if (err != TRP_OK) {
    f->link = 0;
    f->last_error = (uint32_t)err;
    return dial_later(f, trp_err_text(err));
  }
  trp_account(f->self, TRP_RES_SOCKET, 1);
  return TRP_OK;
}

static void want_symbols(struct trp_feed *f) {
  uint64_t now = trp_now_ns(f->self);
  for (uint32_t i = 0; i < f->options.symbol_count; i++) {
    enum trp_err err = trp_binance_subscribe(f->binance, now, f->options.symbols[i], NULL);
    if (err == TRP_OK) continue;
    trp_log(f->self, TRP_LOG_ERROR, "feed.bad_symbol", "symbol=%s error=%s", f->options.symbols[i],
            trp_err_name(err));
  }
}

enum trp_err trp_feed_connect(struct trp_feed *f) {
  if (f->wanted) return TRP_OK;
  if (f->closing) return TRP_BUSY;
  f->wanted = true;
  trp_backoff_reset(&f->backoff);
  want_symbols(f);
  if (f->not_before_ns > trp_now_ns(f->self)) return dial_later(f, "the exchange asked to wait");
  return trp_feed_dial(f);
}

/* ---- closing ---- */

/* Begins the end of the stream; CLOSED follows within close_ms in any case. */
static void close_link(struct trp_feed *f, const char *reason) {
  if (f->closing) return;
  f->closing = true;
  f->net->ops->ws_close(f->net, f->link, 1000, reason, f->options.close_ms);
  if (trp_self_stopping(f->self)) trp_stop_hold(f->self);
}

void trp_feed_obey_machine(struct trp_feed *f) {
  if (f->reconnect && f->link != 0) close_link(f, "reconnecting");
}

/* The stream is gone, whoever ended it: nothing of it stays, and a wanted one is dialled again. */
static enum trp_err lost(struct trp_feed *f, const char *reason, enum trp_err err) {
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
  trp_feed_set_phase(f, TRP_FEED_STOPPED, reason);
  trp_feed_answer_waiters(f);
  return TRP_OK;
}

/* ---- the net's events ---- */

static void on_http(struct trp_feed *f, const struct trp_net_event *event) {
  struct trp_feed_request *request = NULL;
  for (int i = 0; i < TRP_FEED_REQUESTS_MAX && request == NULL; i++) {
    if (f->requests[i].link == event->link) request = &f->requests[i];
  }
  if (request == NULL || event->link == 0) return;
  struct trp_feed_request done = *request;
  request->link = 0;
  trp_account(f->self, TRP_RES_SOCKET, -1);
  if (event->kind == TRP_NET_RESPONSE) {
    trp_binance_http_response(f->binance, event->at_ns, done.symbol, event->status,
                              event->retry_after_s, event->bytes, event->size);
  } else {
    trp_binance_http_failed(f->binance, trp_now_ns(f->self), done.symbol, event->err);
  }
}

static void on_opened(struct trp_feed *f) {
  f->open = true;
  f->connects++;
  trp_backoff_up(&f->backoff, trp_now_ns(f->self));
  if (!f->wanted) return; /* it is closed as soon as it stands */
  trp_feed_set_phase(f, TRP_FEED_SYNCING, "the stream stands");
  trp_binance_opened(f->binance, trp_now_ns(f->self));
}

static void on_frame(struct trp_feed *f, const struct trp_net_event *event) {
  if (f->closing) return;
  int64_t wall_us = ((int64_t)event->at_ns + f->wall_offset_ns) / 1000;
  trp_binance_frame(f->binance, event->at_ns, wall_us, event->bytes, event->size);
}

static enum trp_err on_end(struct trp_feed *f, const struct trp_net_event *event) {
  char reason[128];
  snprintf(reason, sizeof reason, "%s", event->reason);
  uint64_t wait_ns = event->retry_after_s * TRP_NS_PER_S;
  if (event->proper && event->code == GOING_AWAY) wait_ns = GOING_AWAY_NS;
  if (wait_ns != 0) f->not_before_ns = trp_now_ns(f->self) + wait_ns;
  return lost(f, reason, event->kind == TRP_NET_CLOSED ? TRP_CLOSED : event->err);
}

static enum trp_err take(struct trp_feed *f, const struct trp_net_event *event) {
  if (event->link != f->link || f->link == 0) {
    on_http(f, event);
    return TRP_OK;
  }
  switch (event->kind) {
    case TRP_NET_OPENED:
      on_opened(f);
      break;
    case TRP_NET_FRAME:
      on_frame(f, event);
      break;
    case TRP_NET_PING:
      trp_binance_pinged(f->binance, trp_now_ns(f->self));
      break;
    case TRP_NET_CLOSED:
    case TRP_NET_FAILED:
      return on_end(f, event);
    default:
      break;
  }
  return TRP_OK;
}

/* What the event engine has no room for waits in the outbox, and what comes after it in the net,
 * which then reads no more: nothing is lost between the socket and the engine. A stream that is
 * closing is only waited for. */
static bool must_wait(struct trp_feed *f) {
  return trp_outbox_depth(f->self) > 0 && !f->closing && f->open;
}

static enum trp_err resume_later(struct trp_feed *f) {
  if (f->resuming) return TRP_OK;
  f->resuming = true;
  return trp_timer_start(f->self, RESUME_NS, 0, TRP_FEED_TIMER_RESUME, NULL);
}

enum trp_err trp_feed_take_events(struct trp_feed *f) {
  struct trp_net_event event;
  for (int i = 0; i < EVENTS_A_TURN; i++) {
    if (must_wait(f)) return resume_later(f);
    if (!f->net->ops->next(f->net, &event)) return TRP_OK;
    enum trp_err err = take(f, &event);
    if (err != TRP_OK) return err;
    trp_feed_obey_machine(f);
  }
  trp_notify(trp_self_system(f->self), trp_self_ref(f->self)); /* there may be more */
  return TRP_OK;
}

/* ---- disconnecting ---- */

/* The stream may stand already without our having heard of it: then it deserves a close frame. */
static void hear_of_opening(struct trp_feed *f) {
  struct trp_net_event event;
  while (f->link != 0 && !f->open && f->net->ops->next(f->net, &event)) {
    (void)!take(f, &event); /* nothing is wanted any more, so nothing is dialled that could fail */
  }
}

bool trp_feed_disconnect(struct trp_feed *f, const char *reason) {
  f->wanted = false;
  if (f->dial_timer != 0) trp_timer_cancel(f->self, f->dial_timer);
  f->dial_timer = 0;
  forget_requests(f);
  hear_of_opening(f);
  if (f->link != 0 && !f->open) cancel_link(f); /* resolving, connecting, shaking hands */
  if (f->link != 0) {
    close_link(f, reason);
    return false;
  }
  trp_binance_closed(f->binance, trp_now_ns(f->self));
  trp_binance_clear(f->binance);
  trp_feed_set_phase(f, TRP_FEED_STOPPED, reason);
  return true;
}
