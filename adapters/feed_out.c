#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/feed_actor.h"

/* ---- the actor tells ---- */

void trp_feed_fill_state(const struct trp_feed *f, struct trp_feed_state *out) {
  const struct trp_machine_stats *stats = trp_machine_stats(f->machine);
  memset(out, 0, sizeof *out);
  out->state = (uint32_t)f->phase;
  out->mode = TRP_FEED_STREAM;
  out->symbols = trp_machine_symbols(f->machine);
  out->error = f->last_error;
  out->updates = stats->updates;
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    out->reconnects += f->links[i].connects > 0 ? f->links[i].connects - 1 : 0;
  out->gaps = stats->gaps;
  out->inexact = stats->inexact;
  snprintf(out->name, sizeof out->name, "%s", trp_self_name(f->self));
  /* What was told when the phase began may be old by now. */
  bool connected =
      f->phase == TRP_FEED_SYNCING || f->phase == TRP_FEED_LIVE || f->phase == TRP_FEED_STALE;
  char now[TRP_MACHINE_REASON_BYTES];
  trp_machine_reason(f->machine, now);
  snprintf(out->reason, sizeof out->reason, "%s", connected ? now : f->reason);
}

void trp_feed_set_phase(struct trp_feed *f, enum trp_feed_phase phase, const char *reason) {
  if (phase == f->phase && (phase != TRP_FEED_LIVE || strcmp(reason, f->reason) == 0)) return;
  f->phase = phase;
  snprintf(f->reason, sizeof f->reason, "%s", reason);
  struct trp_feed_state event;
  trp_feed_fill_state(f, &event);
  _Static_assert(sizeof event.reason == sizeof f->reason, "the same text");
  memcpy(event.reason, f->reason, sizeof event.reason);
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
  return f->net->ops->ws_send(f->net, f->links[link].id, false, text, size);
}

static enum trp_err on_request(void *arg, uint32_t link, const char *symbol, const char *url) {
  struct trp_feed *f = arg;
  struct trp_feed_request *free_one = NULL;
  for (int i = 0; i < TRP_FEED_REQUESTS_MAX && free_one == NULL; i++) {
    if (f->requests[i].id == 0) free_one = &f->requests[i];
  }
  if (free_one == NULL) return TRP_BUSY;
  struct trp_net_request get = {.url = url, .ca_file = f->options.ca_file};
  enum trp_err err = f->net->ops->http_send(f->net, &get, &free_one->id);
  if (err != TRP_OK) {
    free_one->id = 0;
    return err;
  }
  free_one->link = link;
  snprintf(free_one->symbol, sizeof free_one->symbol, "%s", symbol);
  trp_account(f->self, TRP_RES_SOCKET, 1);
  return TRP_OK;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)update_id;
  struct trp_feed *f = arg;
  trp_publish(f->self, &f->publisher, TRP_QUOTE, quote, sizeof *quote);
}

static void on_trade(void *arg, const struct trp_trade *trade) {
  struct trp_feed *f = arg;
  trp_publish(f->self, &f->publisher, TRP_TRADE, trade, sizeof *trade);
}

static void on_book(void *arg, const struct trp_book *book) {
  struct trp_feed *f = arg;
  size_t bytes = sizeof *book + book->levels_count * sizeof(struct trp_level);
  trp_publish(f->self, &f->publisher, TRP_BOOK, book, bytes);
}

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  struct trp_feed *f = arg;
  struct trp_feed_gap gap = {.expected = expected, .got = got, .symbol = symbol};
  snprintf(gap.name, sizeof gap.name, "%s", trp_self_name(f->self));
  trp_publish(f->self, &f->publisher, TRP_FEED_GAP, &gap, sizeof gap);
  trp_journal(f->self, TRP_FEED_GAP, &gap, sizeof gap);
  trp_log(f->self, TRP_LOG_WARN, "feed.gap", "symbol=%s expected=%" PRIu64 " got=%" PRIu64,
          trp_symbol_name(symbol), expected, got);
}

static void on_notice(void *arg, const struct trp_machine_notice *notice) {
  static const char *const events[] = {"feed.subscribed",      "feed.unsubscribed", "feed.refused",
                                       "feed.synced",          "feed.stale",        "feed.fresh",
                                       "feed.snapshot_failed", "feed.bad_frame",    "feed.crossed",
                                       "feed.complaint"};
  struct trp_feed *f = arg;
  bool bad = notice->err != TRP_OK;
  trp_log(f->self, bad ? TRP_LOG_WARN : TRP_LOG_DEBUG, events[notice->kind],
          "symbol=%s error=%s class=%s code=%" PRId64 " text=\"%s\"",
          notice->symbol != 0 ? trp_symbol_name(notice->symbol) : "-", trp_err_name(notice->err),
          trp_error_class_text(notice->error_class), notice->code, notice->text);
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  struct trp_feed *f = arg;
  if (f->wanted && trp_feed_any_open(f)) trp_feed_set_phase(f, state, reason);
}

static void on_reconnect(void *arg, uint32_t link, enum trp_error_class error_class,
                         const char *reason) {
  struct trp_feed *f = arg;
  f->mend = f->links[link].reconnect =
      true; /* after this input: the machine must not be called from within it */
  trp_log(f->self, TRP_LOG_WARN, "feed.reconnect", "link=%u class=%s reason=\"%s\"", link,
          trp_error_class_text(error_class), reason);
}

struct trp_machine_out trp_feed_outputs(struct trp_feed *f) {
  return (struct trp_machine_out){.arg = f,
                                  .send_text = on_send_text,
                                  .request_snapshot = on_request,
                                  .quote = on_quote,
                                  .trade = on_trade,
                                  .book = on_book,
                                  .gap = on_gap,
                                  .notice = on_notice,
                                  .state = on_state,
                                  .reconnect = on_reconnect};
}
