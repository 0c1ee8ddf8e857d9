#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/feed_actor.h"

/* ---- the actor tells ---- */

/* What the breaker does is said where it is not at rest. */
static void put_reason(const struct trp_feed *f, const char *reason,
                       char out[sizeof((struct trp_feed_state *)0)->reason]) {
  static const char *const text[] = {"", "; the breaker is open", "; the breaker is half open"};
  snprintf(out, sizeof((struct trp_feed_state *)0)->reason, "%.90s%s", reason,
           text[f->breaker.state]);
}

void trp_feed_fill_state(const struct trp_feed *f, struct trp_feed_state *out) {
  const struct trp_machine_stats *stats = trp_machine_stats(f->machine);
  memset(out, 0, sizeof *out);
  out->state = (uint32_t)f->phase;
  out->mode = f->polling ? TRP_FEED_POLL : TRP_FEED_STREAM;
  out->symbols = trp_machine_symbols(f->machine);
  out->error = f->last_error;
  out->updates = stats->updates;
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    out->reconnects += f->links[i].connects > 0 ? f->links[i].connects - 1 : 0;
  out->gaps = stats->gaps;
  out->inexact = stats->inexact;
  out->conflated = f->backlog.stats.conflated;
  snprintf(out->name, sizeof out->name, "%s", trp_self_name(f->self));
  /* What was told when the phase began may be old by now. */
  bool is_its = f->phase == TRP_FEED_SYNCING || f->phase == TRP_FEED_LIVE ||
                f->phase == TRP_FEED_STALE || f->phase == TRP_FEED_POLLING;
  char now[TRP_MACHINE_REASON_BYTES];
  trp_machine_reason(f->machine, now);
  put_reason(f, is_its ? now : f->reason, out->reason);
}

void trp_feed_set_phase(struct trp_feed *f, enum trp_feed_phase phase, const char *reason) {
  if (phase == f->phase && (phase != TRP_FEED_LIVE || strcmp(reason, f->reason) == 0)) return;
  f->phase = phase;
  snprintf(f->reason, sizeof f->reason, "%s", reason);
  struct trp_feed_state event;
  trp_feed_fill_state(f, &event);
  put_reason(f, f->reason, event.reason);
  trp_publish(f->self, &f->publisher, TRP_FEED_STATE, &event, sizeof event);
  trp_journal(f->self, TRP_FEED_STATE, &event, sizeof event);
  trp_log(f->self, TRP_LOG_INFO, "feed.state", "state=%s reason=\"%s\" symbols=%u updates=%" PRIu64,
          trp_feed_state_text((uint32_t)phase), reason, event.symbols, event.updates);
}

void trp_feed_answer(struct trp_feed *f, uint64_t token, enum trp_err status, const char *text) {
  if (token == 0) return;
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", text);
  trp_reply(f->self, token, TRP_RESULT, &result, sizeof result);
}

void trp_feed_answer_waiters(struct trp_feed *f) {
  for (uint32_t i = 0; i < f->waiter_count; i++) {
    trp_feed_answer(f, f->waiters[i], TRP_OK, "disconnected");
  }
  f->waiter_count = 0;
}

/* ---- the machine tells ---- */

static enum trp_err on_send_text(void *arg, uint32_t link, const char *text, size_t size) {
  struct trp_feed *f = arg;
  return f->net->ops->ws_send(f->net, f->links[link].conns[TRP_FEED_NOW].id, false, text, size);
}

static enum trp_err send_request(struct trp_feed *f, const struct trp_net_request *get,
                                 struct trp_feed_request **out) {
  struct trp_feed_request *free_one = NULL;
  if (!f->wanted) return TRP_WRONG_STATE; /* it disconnects */
  for (int i = 0; i < TRP_FEED_REQUESTS_MAX && free_one == NULL; i++) {
    if (f->requests[i].id == 0) free_one = &f->requests[i];
  }
  if (free_one == NULL) return TRP_BUSY;
  memset(free_one, 0, sizeof *free_one);
  enum trp_err err = f->net->ops->http_send(f->net, get, &free_one->id);
  if (err != TRP_OK) {
    free_one->id = 0;
    return err;
  }
  trp_account(f->self, TRP_RES_SOCKET, 1);
  *out = free_one;
  return TRP_OK;
}

static enum trp_err on_request_snapshot(void *arg, uint32_t link, const char *symbol,
                                        const char *url) {
  struct trp_feed *f = arg;
  struct trp_feed_request *sent;
  struct trp_net_request get = {.url = url, .ca_file = f->options.ca_file};
  enum trp_err err = send_request(f, &get, &sent);
  if (err != TRP_OK) return err;
  sent->link = link;
  snprintf(sent->symbol, sizeof sent->symbol, "%s", symbol);
  return TRP_OK;
}

static enum trp_err on_request(void *arg, const struct trp_machine_request *request) {
  struct trp_feed *f = arg;
  struct trp_feed_request *sent;
  struct trp_net_request get = {.url = request->url,
                                .ca_file = f->options.ca_file,
                                .timeout_ms = request->timeout_ms,
                                .frame_max = request->body_max};
  enum trp_err err = send_request(f, &get, &sent);
  if (err == TRP_OK) sent->ticket = request->ticket;
  return err;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)update_id;
  trp_feed_put_quote(arg, quote);
}

static void on_trade(void *arg, const struct trp_trade *trade) { trp_feed_put_trade(arg, trade); }

static void on_book(void *arg, const struct trp_book *book) { trp_feed_put_book(arg, book); }

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  trp_feed_put_gap(arg, symbol, expected, got);
}

static void on_notice(void *arg, const struct trp_machine_notice *notice) {
  static const char *const events[] = {
      "feed.subscribed",    "feed.unsubscribed", "feed.refused",         "feed.synced",
      "feed.stale",         "feed.fresh",        "feed.snapshot_failed", "feed.bad_frame",
      "feed.crossed",       "feed.complaint",    "feed.unknown_symbol",  "feed.poll_failed",
      "feed.listing_failed"};
  struct trp_feed *f = arg;
  bool bad = notice->err != TRP_OK;
  if (notice->kind == TRP_NOTICE_UNKNOWN) f->last_error = (uint32_t)notice->err;
  trp_log(f->self, bad ? TRP_LOG_WARN : TRP_LOG_DEBUG, events[notice->kind],
          "symbol=%s error=%s class=%s code=%" PRId64 " text=\"%s\"",
          notice->symbol != 0 ? trp_symbol_name(notice->symbol) : "-", trp_err_name(notice->err),
          trp_error_class_text(notice->error_class), notice->code, notice->text);
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  struct trp_feed *f = arg;
  if (f->wanted && (f->polling || trp_feed_any_open(f))) trp_feed_set_phase(f, state, reason);
}

static void on_reconnect(void *arg, uint32_t link, enum trp_error_class error_class,
                         const char *reason) {
  struct trp_feed *f = arg;
  f->mend = f->links[link].reconnect =
      true; /* after this input: the machine must not be called from within it */
  trp_log(f->self, TRP_LOG_WARN, "feed.reconnect", "link=%u class=%s reason=\"%s\"", link,
          trp_error_class_text(error_class), reason);
}

static void on_renew(void *arg, uint32_t link, const char *reason) {
  struct trp_feed *f = arg;
  f->mend = f->links[link].renew = true;
  trp_log(f->self, TRP_LOG_INFO, "feed.renew", "link=%u reason=\"%s\"", link, reason);
}

static void on_release(void *arg, uint32_t link) {
  struct trp_feed *f = arg;
  f->mend = f->links[link].release = true;
  trp_log(f->self, TRP_LOG_INFO, "feed.renewed", "link=%u", link);
}

struct trp_machine_out trp_feed_outputs(struct trp_feed *f) {
  return (struct trp_machine_out){.arg = f,
                                  .send_text = on_send_text,
                                  .request_snapshot = on_request_snapshot,
                                  .quote = on_quote,
                                  .trade = on_trade,
                                  .book = on_book,
                                  .gap = on_gap,
                                  .notice = on_notice,
                                  .state = on_state,
                                  .reconnect = on_reconnect,
                                  .request = on_request,
                                  .renew = on_renew,
                                  .release = on_release};
}
