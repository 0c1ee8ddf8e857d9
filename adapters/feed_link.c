#include <stdio.h>
#include <string.h>

#include "adapters/feed_actor.h"

enum { EVENTS_A_TURN = 256 }; /* then others of the actor's business have their turn */

#define RESUME_NS (5 * TRP_NS_PER_MS)

/* A server that takes its leave (RFC 6455, 7.4.1) is not there at once again; and where exchange
 * and feed are of one system, the feed's own pill comes in this time. */
#define GOING_AWAY 1001
#define GOING_AWAY_NS (100 * TRP_NS_PER_MS)

/* A successor that failed is not tried again at once: the connection stands as it is. */
#define RENEW_AGAIN_NS (5 * TRP_NS_PER_S)

/* ---- looks ---- */

enum { CONNS = TRP_MACHINE_LINKS_MAX * TRP_FEED_ROLES };

static struct trp_feed_conn *conn_at(struct trp_feed *f, int i) {
  return &f->links[i / TRP_FEED_ROLES].conns[i % TRP_FEED_ROLES];
}

static const struct trp_feed_conn *look_at(const struct trp_feed *f, int i) {
  return &f->links[i / TRP_FEED_ROLES].conns[i % TRP_FEED_ROLES];
}

bool trp_feed_any_open(const struct trp_feed *f) {
  for (int i = 0; i < CONNS; i++)
    if (look_at(f, i)->open) return true;
  return false;
}

bool trp_feed_any_closing(const struct trp_feed *f) {
  for (int i = 0; i < CONNS; i++)
    if (look_at(f, i)->closing) return true;
  return false;
}

void trp_feed_hold_closing(struct trp_feed *f) {
  for (int i = 0; i < CONNS; i++)
    if (look_at(f, i)->closing) trp_stop_hold(f->self);
}

/* Any at all, from dialling on. */
static bool any_alive(const struct trp_feed *f) {
  for (int i = 0; i < CONNS; i++)
    if (look_at(f, i)->id != 0) return true;
  return false;
}

/* While a link stands, or it polls, the machine says how the feed is. */
static void set_phase_of_dialling(struct trp_feed *f, enum trp_feed_phase phase,
                                  const char *reason) {
  if (!f->polling && !trp_feed_any_open(f)) trp_feed_set_phase(f, phase, reason);
}

/* ---- ending ---- */

static void forget_request(struct trp_feed *f, struct trp_feed_request *request) {
  if (request->id == 0) return;
  f->net->ops->cancel(f->net, request->id);
  request->id = 0;
  trp_account(f->self, TRP_RES_SOCKET, -1);
}

static void forget_requests(struct trp_feed *f) {
  for (int i = 0; i < TRP_FEED_REQUESTS_MAX; i++) forget_request(f, &f->requests[i]);
}

/* What was asked for the sake of a stream ends with it. */
static void forget_snapshots(struct trp_feed *f, uint32_t link) {
  for (int i = 0; i < TRP_FEED_REQUESTS_MAX; i++)
    if (f->requests[i].ticket == 0 && f->requests[i].link == link)
      forget_request(f, &f->requests[i]);
}

static void clear_conn(struct trp_feed *f, struct trp_feed_conn *conn) {
  memset(conn, 0, sizeof *conn);
  trp_account(f->self, TRP_RES_SOCKET, -1);
}

static void cancel_conn(struct trp_feed *f, struct trp_feed_conn *conn) {
  if (conn->id == 0) return;
  f->net->ops->cancel(f->net, conn->id);
  clear_conn(f, conn);
}

static void cancel_dialling(struct trp_feed *f, struct trp_feed_link *l) {
  if (l->dial_timer != 0) trp_timer_cancel(f->self, l->dial_timer);
  l->dial_timer = 0;
}

void trp_feed_cancel_all(struct trp_feed *f) {
  forget_requests(f);
  for (int i = 0; i < CONNS; i++) cancel_conn(f, conn_at(f, i));
}

/* ---- dialling ---- */

static enum trp_err dial_later(struct trp_feed *f, uint32_t link, const char *reason) {
  struct trp_feed_link *l = &f->links[link];
  uint64_t wait_ns = trp_backoff_next_ms(&l->backoff, trp_random(f->self)) * TRP_NS_PER_MS;
  uint64_t now = trp_now_ns(f->self), until = f->net->stream_not_before_ns;
  if (until > now + wait_ns) wait_ns = until - now;
  char text[128];
  snprintf(text, sizeof text, "%.80s; next attempt in %llu ms", reason,
           (unsigned long long)(wait_ns / TRP_NS_PER_MS));
  set_phase_of_dialling(f, TRP_FEED_BACKOFF, text);
  uint64_t tag = TRP_FEED_TIMER_DIAL | (uint64_t)link << TRP_FEED_TIMER_BITS;
  return trp_timer_start(f->self, wait_ns, 0, tag, &l->dial_timer);
}

static enum trp_err open_conn(struct trp_feed *f, struct trp_feed_conn *conn, const char *url) {
  struct trp_net_request request = {
      .url = url, .ca_file = f->options.ca_file, .timeout_ms = f->options.connect_ms};
  enum trp_err err = f->net->ops->ws_open(f->net, &request, &conn->id);
  if (err != TRP_OK) {
    conn->id = 0;
    f->last_error = (uint32_t)err;
    return err;
  }
  trp_account(f->self, TRP_RES_SOCKET, 1);
  return TRP_OK;
}

/* An attempt failed, or what stood is gone: again, or, where the breaker opens, by HTTP. */
static enum trp_err try_again(struct trp_feed *f, uint32_t link, const char *reason) {
  uint64_t now = trp_now_ns(f->self);
  bool opened = f->options.mode == TRP_FEED_AUTO && trp_breaker_failed(&f->breaker, now);
  if (opened)
    trp_log(f->self, TRP_LOG_WARN, "feed.breaker", "state=open failures=%u reason=\"%s\"",
            f->breaker.options.failures, reason);
  if (f->breaker.state == TRP_BREAKER_CLOSED) return dial_later(f, link, reason);
  f->polling = true;
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++) cancel_dialling(f, &f->links[i]);
  trp_machine_poll(f->machine, now, true);
  return TRP_OK;
}

enum trp_err trp_feed_dial(struct trp_feed *f, uint32_t link) {
  char url[256];
  struct trp_feed_link *l = &f->links[link];
  l->dial_timer = 0;
  if (!f->dialect->stream_url(url, sizeof url, f->options.ws_base)) return TRP_INVALID;
  set_phase_of_dialling(f, TRP_FEED_CONNECTING, url);
  enum trp_err err = open_conn(f, &l->conns[TRP_FEED_NOW], url);
  return err != TRP_OK ? try_again(f, link, trp_err_text(err)) : TRP_OK;
}

/* The successor of a connection that stands. */
static enum trp_err dial_next(struct trp_feed *f, struct trp_feed_link *l) {
  char url[256];
  uint64_t now = trp_now_ns(f->self);
  bool busy = l->conns[TRP_FEED_NEXT].id != 0 || l->conns[TRP_FEED_OLD].id != 0;
  if (busy || now < l->renew_ns || now < f->net->stream_not_before_ns) return TRP_OK;
  if (!f->dialect->stream_url(url, sizeof url, f->options.ws_base)) return TRP_INVALID;
  if (open_conn(f, &l->conns[TRP_FEED_NEXT], url) != TRP_OK) l->renew_ns = now + RENEW_AGAIN_NS;
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
static void close_conn(struct trp_feed *f, struct trp_feed_conn *conn, const char *reason) {
  if (conn->closing || conn->id == 0) return;
  conn->closing = true;
  f->net->ops->ws_close(f->net, conn->id, 1000, reason, f->options.close_ms);
  if (trp_self_stopping(f->self)) trp_stop_hold(f->self);
}

/* ---- as many as are needed ---- */

/* Connected, and nothing to connect for: a subscription will wake it. */
static void rest_where_nothing_is_needed(struct trp_feed *f) {
  if (f->polling || any_alive(f)) return;
  for (uint32_t i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    if (f->links[i].dial_timer != 0 || trp_machine_needs(f->machine, i)) return;
  trp_feed_set_phase(f, TRP_FEED_STOPPED, "nothing to stream");
}

static enum trp_err need_link(struct trp_feed *f, uint32_t link) {
  const struct trp_feed_link *l = &f->links[link];
  uint64_t now = trp_now_ns(f->self);
  bool early = f->net->stream_not_before_ns > now;
  if (l->conns[TRP_FEED_NOW].id != 0 || l->dial_timer != 0) return TRP_OK;
  if (f->options.mode == TRP_FEED_POLL) return TRP_OK;
  if (f->breaker.state != TRP_BREAKER_CLOSED && (early || !trp_breaker_allows(&f->breaker, now)))
    return TRP_OK;
  return early ? dial_later(f, link, "the exchange asked to wait") : trp_feed_dial(f, link);
}

static void leave_link(struct trp_feed *f, struct trp_feed_link *l) {
  cancel_dialling(f, l);
  for (int i = 0; i < TRP_FEED_ROLES; i++) {
    if (l->conns[i].open)
      close_conn(f, &l->conns[i], "no longer needed");
    else
      cancel_conn(f, &l->conns[i]);
  }
}

/* What the machine wished for a link that stands. */
static enum trp_err obey(struct trp_feed *f, struct trp_feed_link *l) {
  struct trp_feed_conn *now = &l->conns[TRP_FEED_NOW];
  if (l->reconnect) close_conn(f, now, "reconnecting");
  if (l->release) close_conn(f, &l->conns[TRP_FEED_OLD], "renewed");
  l->release = false;
  return l->renew && now->open && !now->closing ? dial_next(f, l) : TRP_OK;
}

/* The stream is back. */
static void close_breaker(struct trp_feed *f) {
  if (f->breaker.state != TRP_BREAKER_HALF_OPEN || !trp_machine_is_live(f->machine)) return;
  trp_breaker_succeeded(&f->breaker);
  trp_log(f->self, TRP_LOG_INFO, "feed.breaker", "state=closed");
  f->polling = false;
  trp_machine_poll(f->machine, trp_now_ns(f->self), false);
}

enum trp_err trp_feed_mend_links(struct trp_feed *f) {
  f->mend = false;
  for (uint32_t i = 0; i < TRP_MACHINE_LINKS_MAX; i++) {
    struct trp_feed_link *l = &f->links[i];
    enum trp_err err = f->wanted ? obey(f, l) : TRP_OK;
    bool needed = trp_machine_needs(f->machine, i);
    if (f->wanted && err == TRP_OK && needed) err = need_link(f, i);
    if (f->wanted && !needed) leave_link(f, l);
    if (err != TRP_OK) return err;
  }
  if (f->wanted) close_breaker(f);
  if (f->wanted) rest_where_nothing_is_needed(f);
  return TRP_OK;
}

enum trp_err trp_feed_connect(struct trp_feed *f) {
  if (f->wanted) return TRP_OK;
  if (trp_feed_any_closing(f)) return TRP_BUSY;
  f->wanted = true;
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++) trp_backoff_reset(&f->links[i].backoff);
  trp_breaker_init(&f->breaker, &f->options.breaker);
  want_symbols(f);
  f->polling = f->options.mode == TRP_FEED_POLL;
  trp_machine_poll(f->machine, trp_now_ns(f->self), f->polling);
  return trp_feed_mend_links(f);
}

/* Nothing is left of what was: the end of a disconnect. */
static void disconnected(struct trp_feed *f, const char *reason) {
  uint64_t now = trp_now_ns(f->self);
  for (uint32_t i = 0; i < TRP_MACHINE_LINKS_MAX; i++) {
    trp_machine_closed(f->machine, i, now);
    trp_machine_old_closed(f->machine, i, now);
    f->links[i].renew = f->links[i].release = false;
  }
  trp_machine_clear(f->machine);
  trp_machine_poll(f->machine, now, false);
  trp_breaker_init(&f->breaker, &f->options.breaker);
  trp_backlog_clear(&f->backlog);
  f->polling = false;
  trp_feed_set_phase(f, TRP_FEED_STOPPED, reason);
}

/* The link's own connection is gone. A successor that is dialled takes its place; a predecessor
 * that goes on is still read. */
static enum trp_err lost_now(struct trp_feed *f, uint32_t link, const char *reason) {
  struct trp_feed_link *l = &f->links[link];
  uint64_t now = trp_now_ns(f->self);
  trp_machine_closed(f->machine, link, now);
  if (l->conns[TRP_FEED_OLD].id == 0) forget_snapshots(f, link);
  trp_backoff_down(&l->backoff, now);
  l->reconnect = l->renew = false;
  if (!f->wanted) return TRP_OK;
  if (!trp_machine_needs(f->machine, link)) {
    rest_where_nothing_is_needed(f); /* it was left */
    return TRP_OK;
  }
  if (l->conns[TRP_FEED_NEXT].id == 0) return try_again(f, link, reason);
  l->conns[TRP_FEED_NOW] = l->conns[TRP_FEED_NEXT];
  memset(&l->conns[TRP_FEED_NEXT], 0, sizeof l->conns[TRP_FEED_NEXT]);
  set_phase_of_dialling(f, TRP_FEED_CONNECTING, reason);
  return TRP_OK;
}

/* Its successor stands by now, or the link is dialled already. */
static void lost_old(struct trp_feed *f, uint32_t link, const char *reason) {
  const struct trp_feed_link *l = &f->links[link];
  trp_machine_old_closed(f->machine, link, trp_now_ns(f->self));
  if (l->conns[TRP_FEED_NOW].open) return;
  forget_snapshots(f, link);
  if (!f->wanted || !trp_machine_needs(f->machine, link)) return;
  bool dials = l->conns[TRP_FEED_NOW].id != 0;
  set_phase_of_dialling(f, dials ? TRP_FEED_CONNECTING : TRP_FEED_BACKOFF, reason);
}

/* A connection is gone, whoever ended it: nothing of it stays, and a wanted one is dialled again.
 */
static enum trp_err lost(struct trp_feed *f, uint32_t link, enum trp_feed_role role,
                         const char *reason, enum trp_err err) {
  struct trp_feed_conn *conn = &f->links[link].conns[role];
  uint64_t now = trp_now_ns(f->self);
  bool held = conn->closing && trp_self_stopping(f->self);
  enum trp_err result = TRP_OK;
  clear_conn(f, conn);
  if (role == TRP_FEED_NOW) {
    f->last_error = (uint32_t)err;
    result = lost_now(f, link, reason);
  } else if (role == TRP_FEED_OLD) {
    lost_old(f, link, reason);
  } else {
    f->links[link].renew_ns = now + RENEW_AGAIN_NS;
  }
  if (held) trp_stop_release(f->self);
  if (f->wanted || any_alive(f)) return result; /* the last one says it */
  disconnected(f, reason);
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
  uint64_t now = trp_now_ns(f->self);
  if (done.ticket != 0 && event->kind == TRP_NET_RESPONSE) {
    trp_machine_answered(f->machine, event->at_ns, done.ticket, event->status, event->retry_after_s,
                         event->bytes, event->size);
  } else if (done.ticket != 0) {
    trp_machine_unanswered(f->machine, now, done.ticket, event->err);
  } else if (event->kind == TRP_NET_RESPONSE) {
    trp_machine_http_response(f->machine, event->at_ns, done.symbol, event->status,
                              event->retry_after_s, event->bytes, event->size);
  } else {
    trp_machine_http_failed(f->machine, now, done.symbol, event->err);
  }
  f->net->http_not_before_ns = trp_machine_not_before(f->machine);
}

/* A successor stands: the connection that stood becomes its predecessor. */
static void succeed(struct trp_feed_link *l) {
  struct trp_feed_conn *conns = l->conns;
  conns[TRP_FEED_OLD] = conns[TRP_FEED_NOW];
  conns[TRP_FEED_NOW] = conns[TRP_FEED_NEXT];
  memset(&conns[TRP_FEED_NEXT], 0, sizeof conns[TRP_FEED_NEXT]);
  l->renew = l->reconnect = false;
}

static void on_opened(struct trp_feed *f, uint32_t link, enum trp_feed_role role) {
  struct trp_feed_link *l = &f->links[link];
  bool first = !trp_feed_any_open(f);
  l->conns[role].open = true;
  if (role == TRP_FEED_NEXT && f->wanted) succeed(l);
  l->connects++;
  trp_backoff_up(&l->backoff, trp_now_ns(f->self));
  if (!f->wanted) return; /* it is closed as soon as it stands */
  if (first && !f->polling) trp_feed_set_phase(f, TRP_FEED_SYNCING, "the stream stands");
  trp_machine_opened(f->machine, link, trp_now_ns(f->self));
}

/* What a predecessor has on its way is still wanted when it closes. */
static void on_frame(struct trp_feed *f, uint32_t link, enum trp_feed_role role,
                     const struct trp_net_event *event) {
  int64_t wall_us = ((int64_t)event->at_ns + f->wall_offset_ns) / 1000;
  if (role == TRP_FEED_OLD)
    trp_machine_old_frame(f->machine, link, event->at_ns, wall_us, event->bytes, event->size);
  else if (!f->links[link].conns[role].closing)
    trp_machine_frame(f->machine, link, event->at_ns, wall_us, event->bytes, event->size);
}

static enum trp_err on_end(struct trp_feed *f, uint32_t link, enum trp_feed_role role,
                           const struct trp_net_event *event) {
  char reason[128];
  snprintf(reason, sizeof reason, "%s", event->reason);
  uint64_t wait_ns = event->retry_after_s * TRP_NS_PER_S;
  if (event->proper && event->code == GOING_AWAY) wait_ns = GOING_AWAY_NS;
  if (wait_ns != 0) f->net->stream_not_before_ns = trp_now_ns(f->self) + wait_ns;
  return lost(f, link, role, reason, event->kind == TRP_NET_CLOSED ? TRP_CLOSED : event->err);
}

/* The connection of that id of the net's; CONNS: none. */
static int conn_of(const struct trp_feed *f, uint64_t id) {
  int at = 0;
  while (at < CONNS && (id == 0 || look_at(f, at)->id != id)) at++;
  return at;
}

static enum trp_err take(struct trp_feed *f, const struct trp_net_event *event) {
  int at = conn_of(f, event->link);
  if (at == CONNS) {
    on_http(f, event);
    return TRP_OK;
  }
  uint32_t link = (uint32_t)(at / TRP_FEED_ROLES);
  enum trp_feed_role role = (enum trp_feed_role)(at % TRP_FEED_ROLES);
  switch (event->kind) {
    case TRP_NET_OPENED:
      on_opened(f, link, role);
      break;
    case TRP_NET_FRAME:
      on_frame(f, link, role, event);
      break;
    case TRP_NET_PING:
      if (role == TRP_FEED_NOW) trp_machine_pinged(f->machine, link, trp_now_ns(f->self));
      break;
    case TRP_NET_CLOSED:
    case TRP_NET_FAILED:
      return on_end(f, link, role, event);
    default:
      break;
  }
  return TRP_OK;
}

/* What the event engine has no room for waits in the outbox, and what comes after that in the net,
 * which then reads no more (feed_publish.c). Streams that are closing are only waited for. */
static bool must_wait(struct trp_feed *f) {
  if (!trp_feed_is_full(f)) return false;
  for (int i = 0; i < CONNS; i++)
    if (look_at(f, i)->open && !look_at(f, i)->closing) return true;
  return f->polling;
}

static enum trp_err resume_later(struct trp_feed *f) {
  if (f->resuming) return TRP_OK;
  f->resuming = true;
  return trp_timer_start(f->self, RESUME_NS, 0, TRP_FEED_TIMER_RESUME, NULL);
}

/* Then no data turn comes by itself. */
static bool lags(const struct trp_feed *f) {
  return f->backlog.count != 0 || trp_outbox_depth(f->self) != 0;
}

enum trp_err trp_feed_take_events(struct trp_feed *f) {
  struct trp_net_event event;
  trp_feed_catch_up(f);
  for (int i = 0; i < EVENTS_A_TURN; i++) {
    if (must_wait(f)) return resume_later(f);
    if (!f->net->ops->next(f->net, &event)) return lags(f) ? resume_later(f) : TRP_OK;
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
  for (int i = 0; i < CONNS; i++)
    if (look_at(f, i)->id != 0 && !look_at(f, i)->open) return true;
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
  forget_requests(f);
  hear_of_opening(f);
  for (int i = 0; i < CONNS; i++) {
    struct trp_feed_conn *conn = conn_at(f, i);
    if (!conn->open) cancel_conn(f, conn); /* resolving, connecting, shaking hands */
    close_conn(f, conn, reason);
  }
  if (any_alive(f)) return false;
  disconnected(f, reason);
  return true;
}
