#include "adapters/cli/demo_table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/feed_state.h"

enum {
  FRAME_LINES = 5,  /* title, latency, heading; a blank line; the foot */
  NEWS_LEAST = 4,   /* lines of news on a small terminal */
  REASON_SHOWN = 60 /* bytes: what 80 columns leave of a line */
};

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"
#define REST "\033[K" /* of the line: erased */

void trp_demo_put(struct trp_demo_page *p, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(p->text + p->used, sizeof p->text - p->used, format, args);
  va_end(args);
  if (n > 0) p->used += (size_t)n;
  if (p->used >= sizeof p->text) p->used = sizeof p->text - 1;
}

/* ---- news ---- */

static const char *what_of(uint16_t type, const void *body, char *out, size_t bytes) {
  if (type == TRP_THREAD_CRASHED) {
    return ((const struct trp_thread_crashed *)body)->reason;
  }
  if (type == TRP_FEED_STATE) {
    const struct trp_feed_state *state = body;
    snprintf(out, bytes, "%s %.60s", trp_feed_state_text(state->state), state->reason);
    return out;
  }
  if (type == TRP_SYSTEM_STATE) return ((const struct trp_system_state *)body)->state;
  if (type == TRP_EVENT_GAP) {
    snprintf(out, bytes, "lost %" PRIu64, ((const struct trp_event_gap *)body)->lost);
    return out;
  }
  return "";
}

void trp_demo_news_take(struct trp_demo_news *news, struct trp_system *system) {
  static union {
    char bytes[4096];
    uint64_t align;
  } body;
  struct trp_journal_entry entry;
  while (trp_system_journal_next(system, news->after, &entry, &body, sizeof body)) {
    char what[96];
    news->after = entry.sequence;
    snprintf(news->lines[news->count++ % TRP_DEMO_NEWS], sizeof news->lines[0], "%-16s %-16s %.46s",
             trp_type_name(entry.type), entry.actor, what_of(entry.type, &body, what, sizeof what));
  }
}

/* ---- what there is to show ---- */

uint64_t trp_demo_restarts(struct trp_system *system) {
  struct trp_actor_info info;
  uint64_t sum = 0;
  for (size_t i = 0; trp_system_actor(system, i, &info); i++) sum += info.restarts;
  return sum;
}

static int by_name(const void *a, const void *b) {
  const struct trp_consumer_row *const *x = a, *const *y = b;
  return strcmp(trp_symbol_name((*x)->symbol), trp_symbol_name((*y)->symbol));
}

static bool ends_in(const char *name, const char *end) {
  size_t size = strlen(name), tail = strlen(end);
  return size >= tail && strcmp(name + size - tail, end) == 0;
}

uint32_t trp_demo_rows(const struct trp_consumer_view *view, const char *venue,
                       const struct trp_consumer_row *out[TRP_CONSUMER_SYMBOLS_MAX]) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < view->count; i++)
    if (ends_in(trp_symbol_name(view->rows[i].symbol), venue)) out[n++] = &view->rows[i];
  if (n > 0) qsort(out, n, sizeof out[0], by_name);
  return n;
}

const struct trp_consumer_feed *trp_demo_feed_seen(const struct trp_consumer_view *view,
                                                   const char *name) {
  static const struct trp_consumer_feed unheard = {0};
  for (uint32_t i = 0; i < view->feed_count; i++)
    if (strcmp(view->feeds[i].name, name) == 0) return &view->feeds[i];
  return &unheard;
}

/* ---- the table ---- */

static const char *colour_of(uint32_t state) {
  switch (state) {
    case TRP_FEED_LIVE:
      return "\033[32m"; /* green */
    case TRP_FEED_POLLING:
      return "\033[36m"; /* cyan */
    case TRP_FEED_CONNECTING:
    case TRP_FEED_SYNCING:
      return "\033[33m"; /* yellow */
    case TRP_FEED_STALE:
    case TRP_FEED_BACKOFF:
      return "\033[31m"; /* red */
    default:
      return DIM;
  }
}

static void paint_feed(const struct trp_demo_table *t, const struct trp_demo_feed *feed,
                       const struct trp_consumer_row *const *rows, uint32_t count,
                       struct trp_demo_page *page) {
  const struct trp_consumer_feed *seen = trp_demo_feed_seen(t->view, feed->name);
  trp_demo_put(page, "%s" BOLD "%-9s%-5s" PLAIN " ", colour_of(seen->state), feed->name,
               trp_feed_state_text(seen->state));
  if (seen->state != TRP_FEED_LIVE) {
    trp_demo_put(page, " %.*s" REST "\n", REASON_SHOWN, seen->reason);
    return;
  }
  char text[64];
  uint64_t quotes = 0, trades = 0;
  for (uint32_t i = 0; i < count; i++) quotes += rows[i]->quotes_per_s;
  for (uint32_t i = 0; i < count; i++) trades += rows[i]->trades;
  snprintf(text, sizeof text, "%" PRIu32 " symbols, %" PRIu64 " reconnects, %" PRIu64 " gaps",
           seen->symbols, seen->reconnects, seen->gaps);
  trp_demo_put(page, "%-34s" BOLD "%7" PRIu64 PLAIN " %8" PRIu64 REST "\n", text, quotes, trades);
}

static void paint_row(const struct trp_consumer_row *r, bool live, struct trp_demo_page *page) {
  const char *name = trp_symbol_name(r->symbol);
  trp_demo_put(page, "%s", live ? "" : DIM); /* what is shown is old */
  trp_demo_put(page, "  %-18.18s %13.2f %13.2f %7" PRIu64 " %8" PRIu64 " %6u %6u" PLAIN REST "\n",
               name, r->bid, r->ask, r->quotes_per_s, r->trades, r->bids, r->asks);
}

/* `room`: lines for symbols. */
static void paint_market(const struct trp_demo_table *t, const struct trp_demo_feed *feed,
                         unsigned room, struct trp_demo_page *page) {
  const struct trp_consumer_row *rows[TRP_CONSUMER_SYMBOLS_MAX];
  uint32_t count = trp_demo_rows(t->view, feed->venue, rows);
  uint32_t shown = count <= room ? count : room > 0 ? room - 1 : 0;
  bool live = trp_demo_feed_seen(t->view, feed->name)->state == TRP_FEED_LIVE;
  paint_feed(t, feed, rows, count, page);
  for (uint32_t i = 0; i < shown; i++) paint_row(rows[i], live, page);
  if (shown < count && room > 0)
    trp_demo_put(page, DIM "  and %" PRIu32 " more" PLAIN REST "\n", count - shown);
}

static void paint_head(const struct trp_demo_table *t, struct trp_demo_page *page) {
  const struct trp_consumer_view *v = t->view;
  trp_demo_put(page,
               "\033[H" BOLD "troupe" PLAIN "  %s  %s  up %.0f s   restarts %" PRIu64
               "   event gaps %" PRIu64 " (%" PRIu64 " lost)" REST "\n",
               trp_system_name(t->system), trp_system_state(t->system),
               (double)trp_system_uptime_ns(t->system) / 1e9, trp_demo_restarts(t->system), v->gaps,
               v->lost);
  trp_demo_put(page, DIM "a quote from socket to handler: p50 %.0f us, p99 %.0f us" PLAIN REST "\n",
               (double)v->p50_ns / 1e3, (double)v->p99_ns / 1e3);
  trp_demo_put(page, "\033[4m%-20s %13s %13s %7s %8s %6s %6s" PLAIN REST "\n", "symbol", "bid",
               "ask", "upd/s", "trades", "bids", "asks");
}

void trp_demo_table_paint(const struct trp_demo_table *t, struct trp_demo_page *page) {
  unsigned height = t->height > FRAME_LINES + NEWS_LEAST ? t->height - FRAME_LINES : NEWS_LEAST;
  unsigned each = t->feed_count > 0 ? (height - NEWS_LEAST) / t->feed_count : 0;
  const struct trp_consumer_row *rows[TRP_CONSUMER_SYMBOLS_MAX];
  unsigned used = 0; /* lines */
  paint_head(t, page);
  for (uint32_t i = 0; i < t->feed_count && used < height - NEWS_LEAST; i++) {
    uint32_t count = trp_demo_rows(t->view, t->feeds[i].venue, rows);
    unsigned room = each > 0 ? each - 1 : 0;
    paint_market(t, &t->feeds[i], room, page);
    used += 1 + (count < room ? count : room);
  }
  unsigned most = height - used < TRP_DEMO_NEWS ? height - used : TRP_DEMO_NEWS;
  unsigned from = t->news->count > most ? t->news->count - most : 0;
  trp_demo_put(page, REST "\n");
  for (unsigned i = from; i < t->news->count; i++)
    trp_demo_put(page, DIM "%.80s" PLAIN REST "\n", t->news->lines[i % TRP_DEMO_NEWS]);
  trp_demo_put(page, "Ctrl-C stops; 'troupe ctl status' looks inside" REST "\033[J");
}
