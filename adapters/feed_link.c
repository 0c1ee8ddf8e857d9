#include <stdio.h>
#include <string.h>

#include "adapters/feed_actor.h"

enum { EVENTS_A_TURN = 256 }; /* then others of the actor's business have their turn */

#define RESUME_NS (5 * TRP_NS_PER_MS)

/* A server that takes its leave (RFC 6455, 7.4.1) is not there at once again; and where exchange
 * and feed are of one system, the feed's own pill comes in this time. */
#define GOING_AWAY 1001
#define GOING_AWAY_NS (100 * TRP_NS_PER_MS)

/* ---- looks ---- */

bool trp_feed_any_open(const struct trp_feed *f) {
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    if (f->links[i].open) return true;
  return false;
}

bool trp_feed_any_closing(const struct trp_feed *f) {
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    if (f->links[i].closing) return true;
  return false;
}

/* Any at all, from dialling on. */
static bool any_alive(const struct trp_feed *f) {
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    if (f->links[i].id != 0) return true;
  return false;
}

/* While a link stands the machine says how the feed is. */
static void set_phase_of_dialling(struct trp_feed *f, enum trp_feed_phase phase,
                                  const char *reason) {
  if (!trp_feed_any_open(f)) trp_feed_set_phase(f, phase, reason);
}

/* ---- ending ---- */

/* Of one link, or of all. */
static void forget_requests(struct trp_feed *f, const uint32_t *link) {
  for (int i = 0; i < TRP_FEED_REQUESTS_MAX; i++) {
    struct trp_feed_request *request = &f->requests[i];
    if (request->id == 0 || (link != NULL && request->link != *link)) continue;
    f->net->ops->cancel(f->net, request->id);
    request->id = 0;
    trp_account(f->self, TRP_RES_SOCKET, -1);
  }
}

static void clear_link(struct trp_feed *f, struct trp_feed_link *l) {
  l->id = 0;
  l->open = l->closing = l->reconnect = false;
  trp_account(f->self, TRP_RES_SOCKET, -1);
}

static void cancel_link(struct trp_feed *f, struct trp_feed_link *l) {
  f->net->ops->cancel(f->net, l->id);
  clear_link(f, l);
}

static void cancel_dialling(struct trp_feed *f, struct trp_feed_link *l) {
  if (l->dial_timer != 0) trp_timer_cancel(f->self, l->dial_timer);
  l->dial_timer = 0;
}

void trp_feed_cancel_all(struct trp_feed *f) {
  forget_requests(f, NULL);
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    if (f->links[i].id != 0) cancel_link(f, &f->links[i]);
}

/* ---- dialling ---- */

static enum trp_err dial_later(struct trp_feed *f, uint32_t link, const char *reason) {
  struct trp_feed_link *l = &f->links[link];
  uint64_t wait_ns = trp_backoff_next_ms(&l->backoff, trp_random(f->self)) * TRP_NS_PER_MS;
  uint64_t now = trp_now_ns(f->self);
  if (f->not_before_ns > now + wait_ns) wait_ns = f->not_before_ns - now;
  char text[128];
  snprintf(text, sizeof text, "%.80s; next attempt in %llu ms", reason,
           (unsigned long long)(wait_ns / TRP_NS_PER_MS));
  set_phase_of_dialling(f, TRP_FEED_BACKOFF, text);
  uint64_t tag = TRP_FEED_TIMER_DIAL | (uint64_t)link << TRP_FEED_TIMER_BITS;
  return trp_timer_start(f->self, wait_ns, 0, tag, &l->dial_timer);
}

enum trp_err trp_feed_dial(struct trp_feed *f, uint32_t link) {
  char url[256];
  struct trp_feed_link *l = &f->links[link];
  l->dial_timer = 0;
  if (!f->dialect->stream_url(url, sizeof url, f->options.ws_base)) return TRP_INVALID;
  struct trp_net_request request = {
      .url = url, .ca_file = f->options.ca_file, .timeout_ms = f->options.connect_ms};
  set_phase_of_dialling(f, TRP_FEED_CONNECTING, url);
  enum trp_err err = f->net->ops->ws_open(f->net, &request, &l->id);
  if (err != TRP_OK) {
    l->id = 0;
    f->last_error = (uint32_t)err;
    return dial_later(f, link, trp_err_text(err));
  }
  trp_account(f->self, TRP_RES_SOCKET, 1);
  return TRP_OK;
}

static void want_symbols(struct trp_feed *f) {
  uint64_t now = trp_now_ns(f->self);
  for (uint32_t i = 0; i < f->options.symbol_count; i++) {
    enum trp_err err = trp_machine_subscribe(f->machine, now, f->options.symbols[i], NULL);
    if (err == TRP_OK) continue;
    trp_log(f->self, TRP_LOG_ERROR, "feed.bad_symbol", "symbol=%s error=%s", f->options.symbols[i],
            trp_err_name(err));
  }
}

/* ---- closing ---- */

/* Begins the end of a stream; CLOSED follows within close_ms in any case. */
static void close_link(struct trp_feed *f, struct trp_feed_link *l, const char *reason) {
  if (l->closing) return;
  l->closing = true;
  f->net->ops->ws_close(f->net, l->id, 1000, reason, f->options.close_ms);
  if (trp_self_stopping(f->self)) trp_stop_hold(f->self);
}

/* ---- as many as are needed ---- */

/* Connected, and nothing to connect for: a subscription will wake it. */
static void rest_where_nothing_is_needed(struct trp_feed *f) {
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    if (f->links[i].id != 0 || f->links[i].dial_timer != 0) return;
  trp_feed_set_phase(f, TRP_FEED_STOPPED, "nothing to stream");
}

static enum trp_err need_link(struct trp_feed *f, uint32_t link) {
  const struct trp_feed_link *l = &f->links[link];
  if (l->id != 0 || l->dial_timer != 0) return TRP_OK;
  if (f->not_before_ns > trp_now_ns(f->self))
    return dial_later(f, link, "the exchange asked to wait");
  return trp_feed_dial(f, link);
}

static void leave_link(struct trp_feed *f, struct trp_feed_link *l) {
  cancel_dialling(f, l);
  if (l->id != 0 && l->open)
    close_link(f, l, "no longer needed");
  else if (l->id != 0)
    cancel_link(f, l);
}

enum trp_err trp_feed_mend_links(struct trp_feed *f) {
  f->mend = false;
  for (uint32_t i = 0; i < TRP_MACHINE_LINKS_MAX; i++) {
    struct trp_feed_link *l = &f->links[i];
    if (l->reconnect && l->id != 0) close_link(f, l, "reconnecting");
    if (!f->wanted) continue;
    enum trp_err err = TRP_OK;
    if (trp_machine_needs(f->machine, i))
      err = need_link(f, i);
    else
      leave_link(f, l);
    if (err != TRP_OK) return err;
  }
  if (f->wanted) rest_where_nothing_is_needed(f);
  return TRP_OK;
}

enum trp_err trp_feed_connect(struct trp_feed *f) {
  if (f->wanted) return TRP_OK;
  if (trp_feed_any_closing(f)) return TRP_BUSY;
  f->wanted = true;
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++) trp_backoff_reset(&f->links[i].backoff);
  want_symbols(f);
  return trp_feed_mend_links(f);
}

/* A stream is gone, whoever ended it: nothing of it stays, and a wanted one is dialled again. */
static enum trp_err lost(struct trp_feed *f, uint32_t link, const char *reason, enum trp_err err) {
  struct trp_feed_link *l = &f->links[link];
  uint64_t now = trp_now_ns(f->self);
  bool held = l->closing && trp_self_stopping(f->self);
  clear_link(f, l);
  f->last_error = (uint32_t)err;
  trp_machine_closed(f->machine, link, now);
  forget_requests(f, &link);
  trp_backoff_down(&l->backoff, now);
  if (held) trp_stop_release(f->self);
  if (f->wanted && !trp_machine_needs(f->machine, link)) {
    rest_where_nothing_is_needed(f); /* it was left */
    return TRP_OK;
  }
  if (f->wanted) return dial_later(f, link, reason);
  if (any_alive(f)) return TRP_OK; /* the last one says it */
  trp_machine_clear(f->machine);
  trp_feed_set_phase(f, TRP_FEED_STOPPED, reason);
  trp_feed_answer_waiters(f);
  return TRP_OK;
}

/* ---- the net's events ---- */

static void on_http(struct trp_feed *f, const struct trp_net_event *event) {
  struct trp_feed_request *request = NULL;
  for (int i = 0; i < TRP_FEED_REQUESTS_MAX && request == NULL; i++) {
    if (f->requests[i].id == event->link) request = &f->requests[i];
  }
  if (request == NULL || event->link == 0) return;
  struct trp_feed_request done = *request;
  request->id = 0;
  trp_account(f->self, TRP_RES_SOCKET, -1);
  if (event->kind == TRP_NET_RESPONSE) {
    trp_machine_http_response(f->machine, event->at_ns, done.symbol, event->status,
                              event->retry_after_s, event->bytes, event->size);
  } else {
    trp_machine_http_failed(f->machine, trp_now_ns(f->self), done.symbol, event->err);
  }
}

static void on_opened(struct trp_feed *f, uint32_t link) {
  struct trp_feed_link *l = &f->links[link];
  bool first = !trp_feed_any_open(f);
  l->open = true;
  l->connects++;
  trp_backoff_up(&l->backoff, trp_now_ns(f->self));
  if (!f->wanted) return; /* it is closed as soon as it stands */
  if (first) trp_feed_set_phase(f, TRP_FEED_SYNCING, "the stream stands");
  trp_machine_opened(f->machine, link, trp_now_ns(f->self));
}

static void on_frame(struct trp_feed *f, uint32_t link, const struct trp_net_event *event) {
  if (f->links[link].closing) return;
  int64_t wall_us = ((int64_t)event->at_ns + f->wall_offset_ns) / 1000;
  trp_machine_frame(f->machine, link, event->at_ns, wall_us, event->bytes, event->size);
}

static enum trp_err on_end(struct trp_feed *f, uint32_t link, const struct trp_net_event *event) {
  char reason[128];
  snprintf(reason, sizeof reason, "%s", event->reason);
  uint64_t wait_ns = event->retry_after_s * TRP_NS_PER_S;
  if (event->proper && event->code == GOING_AWAY) wait_ns = GOING_AWAY_NS;
  if (wait_ns != 0) f->not_before_ns = trp_now_ns(f->self) + wait_ns;
  return lost(f, link, reason, event->kind == TRP_NET_CLOSED ? TRP_CLOSED : event->err);
}

/* The link of that id of the net's; LINKS_MAX: none. */
static uint32_t link_of(const struct trp_feed *f, uint64_t id) {
  uint32_t link = 0;
  while (link < TRP_MACHINE_LINKS_MAX && (id == 0 || f->links[link].id != id)) link++;
  return link;
}

static enum trp_err take(struct trp_feed *f, const struct trp_net_event *event) {
  uint32_t link = link_of(f, event->link);
  if (link == TRP_MACHINE_LINKS_MAX) {
    on_http(f, event);
    return TRP_OK;
  }
  switch (event->kind) {
    case TRP_NET_OPENED:
      on_opened(f, link);
      break;
    case TRP_NET_FRAME:
      on_frame(f, link, event);
      break;
    case TRP_NET_PING:
      trp_machine_pinged(f->machine, link, trp_now_ns(f->self));
      break;
    case TRP_NET_CLOSED:
    case TRP_NET_FAILED:
      return on_end(f, link, event);
    default:
      break;
  }
  return TRP_OK;
}

/* What the event engine has no room for waits in the outbox, and what comes after it in the net,
 * which then reads no more: nothing is lost between the socket and the engine. Streams that are
 * closing are only waited for. */
static bool must_wait(struct trp_feed *f) {
  if (trp_outbox_depth(f->self) == 0) return false;
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    if (f->links[i].open && !f->links[i].closing) return true;
  return false;
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
    if (err == TRP_OK && f->mend) err = trp_feed_mend_links(f);
    if (err != TRP_OK) return err;
  }
  trp_notify(trp_self_system(f->self), trp_self_ref(f->self)); /* there may be more */
  return TRP_OK;
}

/* ---- disconnecting ---- */

/* Is a link dialled that does not stand, as far as we have heard? */
static bool any_on_its_way(const struct trp_feed *f) {
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    if (f->links[i].id != 0 && !f->links[i].open) return true;
  return false;
}

/* A stream may stand already without our having heard of it: then it deserves a close frame. */
static void hear_of_opening(struct trp_feed *f) {
  struct trp_net_event event;
  while (any_on_its_way(f) && f->net->ops->next(f->net, &event)) {
    (void)!take(f, &event); /* nothing is wanted any more, so nothing is dialled that could fail */
  }
}

bool trp_feed_disconnect(struct trp_feed *f, const char *reason) {
  f->wanted = false;
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++) cancel_dialling(f, &f->links[i]);
  forget_requests(f, NULL);
  hear_of_opening(f);
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++) {
    struct trp_feed_link *l = &f->links[i];
    if (l->id != 0 && !l->open) cancel_link(f, l); /* resolving, connecting, shaking hands */
    if (l->id != 0) close_link(f, l, reason);
  }
  if (any_alive(f)) return false;
  for (uint32_t i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    trp_machine_closed(f->machine, i, trp_now_ns(f->self));
  trp_machine_clear(f->machine);
  trp_feed_set_phase(f, TRP_FEED_STOPPED, reason);
  return true;
}
