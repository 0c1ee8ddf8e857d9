#include "adapters/cli/demo_screen.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/symbol_table.h"
#include "adapters/feed_state.h"
#include "runtime/deadline.h"
#include "runtime/write.h"

enum { LIVE_MS = 250, LINES_MS = 1000, NAP_MS = 50, NEWS = 6 };
static const uint64_t WRITE_NS = 500 * TRP_NS_PER_MS;

struct page { /* what is written at once */
  char text[16384];
  size_t used;
};

struct news { /* the last events of the journal, for the foot of the table */
  uint64_t after;
  char lines[NEWS][160];
  unsigned count;
};

__attribute__((format(printf, 2, 3))) static void put(struct page *p, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(p->text + p->used, sizeof p->text - p->used, format, args);
  va_end(args);
  if (n > 0) p->used += (size_t)n;
  if (p->used >= sizeof p->text) p->used = sizeof p->text - 1;
}

static void flush(struct page *p) {
  /* A terminal that is stopped loses pages, never the demo. */
  (void)!trp_write_all(STDOUT_FILENO, p->text, p->used, trp_deadline_in(WRITE_NS));
  p->used = 0;
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

static void take_news(struct trp_system *system, struct news *news) {
  static union {
    char bytes[4096];
    uint64_t align;
  } body;
  struct trp_journal_entry entry;
  while (trp_system_journal_next(system, news->after, &entry, &body, sizeof body)) {
    char what[96];
    news->after = entry.sequence;
    snprintf(news->lines[news->count++ % NEWS], sizeof news->lines[0], "%-16s %-14s %.60s",
             trp_type_name(entry.type), entry.actor, what_of(entry.type, &body, what, sizeof what));
  }
}

/* ---- the two faces ---- */

static uint64_t restarts_of(struct trp_system *system) {
  struct trp_actor_info info;
  uint64_t sum = 0;
  for (size_t i = 0; trp_system_actor(system, i, &info); i++) sum += info.restarts;
  return sum;
}

static void paint(const struct trp_demo_screen *s, const struct trp_consumer_view *v,
                  const struct news *news) {
  static struct page page;
  put(&page,
      "\033[H\033[1mtroupe\033[0m  %s  %s  up %.0f s   feed \033[1m%s\033[0m   restarts %" PRIu64
      "   gaps %" PRIu64 " (%" PRIu64 " events)\033[K\n\033[K\n",
      trp_system_name(s->system), trp_system_state(s->system),
      (double)trp_system_uptime_ns(s->system) / 1e9, trp_feed_state_text(v->feed_state),
      restarts_of(s->system), v->gaps, v->lost);
  put(&page, "\033[4m%-20s %14s %14s %8s %8s %8s %8s\033[0m\033[K\n", "symbol", "bid", "ask",
      "upd/s", "trades", "bids", "asks");
  for (uint32_t i = 0; i < v->count; i++) {
    const struct trp_consumer_row *r = &v->rows[i];
    put(&page, "%-20s %14.8g %14.8g %8" PRIu64 " %8" PRIu64 " %8u %8u\033[K\n",
        trp_symbol_name(r->symbol), r->bid, r->ask, r->quotes_per_s, r->trades, r->bids, r->asks);
  }
  put(&page, "\033[K\nlatency from socket to handler: p50 %.0f us, p99 %.0f us\033[K\n\033[K\n",
      (double)v->p50_ns / 1e3, (double)v->p99_ns / 1e3);
  unsigned first = news->count > NEWS ? news->count - NEWS : 0;
  for (unsigned i = first; i < news->count; i++) put(&page, "%s\033[K\n", news->lines[i % NEWS]);
  put(&page, "\033[K\nCtrl-C stops; 'troupe ctl status' looks inside\033[K\n\033[J");
  flush(&page);
}

static void print_lines(const struct trp_demo_screen *s, const struct trp_consumer_view *v) {
  static struct page page;
  double at = (double)trp_system_uptime_ns(s->system) / 1e9;
  for (uint32_t i = 0; i < v->count; i++) {
    const struct trp_consumer_row *r = &v->rows[i];
    put(&page,
        "%6.1f %-16s bid %.8g ask %.8g %" PRIu64 "/s p50 %.0f us p99 %.0f us %s restarts %" PRIu64
        "\n",
        at, trp_symbol_name(r->symbol), r->bid, r->ask, r->quotes_per_s, (double)v->p50_ns / 1e3,
        (double)v->p99_ns / 1e3, trp_feed_state_text(v->feed_state), restarts_of(s->system));
  }
  flush(&page);
}

/* ---- the thread ---- */

static bool is_over(struct trp_system *system) {
  const char *state = trp_system_state(system);
  return strcmp(state, "stopping") == 0 || strcmp(state, "stopped") == 0;
}

static void nap(void) {
  struct timespec t = {.tv_nsec = NAP_MS * 1000000L};
  nanosleep(&t, NULL);
}

static bool is_sent_home(struct trp_demo_screen *s) {
  pthread_mutex_lock(&s->lock);
  bool over = s->over;
  pthread_mutex_unlock(&s->lock);
  return over;
}

static void *run_screen(void *arg) {
  struct trp_demo_screen *s = arg;
  static struct trp_consumer_view view;
  struct news news = {0};
  (void)trp_thread_register("screen", "terminal");
  struct page hello = {.used = 0};
  if (s->live) put(&hello, "\033[?1049h\033[?25l\033[2J");
  flush(&hello);
  uint64_t every = (s->live ? LIVE_MS : LINES_MS) * TRP_NS_PER_MS, next = every;
  while (!is_over(s->system) && !is_sent_home(s)) {
    uint64_t up = trp_system_uptime_ns(s->system);
    trp_thread_beat();
    if (s->duration_ns != 0 && up >= s->duration_ns) {
      trp_system_stop(s->system, "the duration is over");
    }
    take_news(s->system, &news);
    if (up >= next) {
      trp_consumer_look(s->view, &view);
      if (s->live) paint(s, &view, &news);
      if (!s->live) print_lines(s, &view);
      next = up + every - up % every;
    }
    /* A stop ends it. */
    (void)!trp_system_wait(s->system, NAP_MS * TRP_NS_PER_MS);
  }
  if (s->live) trp_demo_screen_restore();
  trp_thread_deregister();
  pthread_mutex_lock(&s->lock);
  s->done = true;
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

void trp_demo_screen_restore(void) {
  static const char back[] = "\033[?25h\033[?1049l"; /* cursor shown, the first screen again */
  (void)!write(STDOUT_FILENO, back, sizeof back - 1);
}

enum trp_err trp_demo_screen_start(struct trp_demo_screen *screen) {
  pthread_mutex_init(&screen->lock, NULL);
  /* It must not take the signals that trp_system_run waits for. */
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int failed = pthread_create(&screen->thread, NULL, run_screen, screen);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  screen->started = failed == 0;
  return failed == 0 ? TRP_OK : TRP_SYSTEM;
}

void trp_demo_screen_join(struct trp_demo_screen *screen) {
  if (!screen->started) return;
  uint64_t until = trp_deadline_in(2 * WRITE_NS);
  bool done = false;
  pthread_mutex_lock(&screen->lock);
  screen->over = true;
  pthread_mutex_unlock(&screen->lock);
  while (!done && trp_deadline_left_ns(until) > 0) {
    pthread_mutex_lock(&screen->lock);
    done = screen->done;
    pthread_mutex_unlock(&screen->lock);
    if (!done) nap();
  }
  if (!done) return; /* held back by its terminal; the process ends without it */
  pthread_join(screen->thread, NULL);
  pthread_mutex_destroy(&screen->lock);
  screen->started = false;
}
