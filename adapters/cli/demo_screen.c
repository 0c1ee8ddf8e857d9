#include "adapters/cli/demo_screen.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "actors/symbol_table.h"
#include "adapters/feed_state.h"
#include "runtime/deadline.h"
#include "runtime/write.h"

enum { LIVE_MS = 250, LINES_MS = 1000, NAP_MS = 50, HEIGHT_DEFAULT = 24 };
static const uint64_t WRITE_NS = 500 * TRP_NS_PER_MS;

static void flush(struct trp_demo_page *p) {
  /* A terminal that is stopped loses pages, never the demo. */
  (void)!trp_write_all(STDOUT_FILENO, p->text, p->used, trp_deadline_in(WRITE_NS));
  p->used = 0;
}

/* ---- the three faces ---- */

static unsigned height(void) {
  struct winsize size;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
  return known ? size.ws_row : HEIGHT_DEFAULT;
}

static void paint(const struct trp_demo_screen *s, const struct trp_consumer_view *view,
                  const struct trp_demo_news *news, struct trp_demo_page *page) {
  trp_demo_table_paint(&(struct trp_demo_table){.system = s->system,
                                                .view = view,
                                                .feeds = s->feeds,
                                                .feed_count = s->feed_count,
                                                .news = news,
                                                .height = height()},
                       page);
}

static void put_line(const struct trp_demo_screen *s, const struct trp_consumer_view *v,
                     const struct trp_consumer_feed *feed, const struct trp_consumer_row *r,
                     struct trp_demo_page *page) {
  static const char plain[] = "%6.1f %-16s bid %.8g ask %.8g %" PRIu64
                              "/s p50 %.0f us p99 %.0f us %s restarts %" PRIu64 "\n";
  static const char json[] =
      "{\"at_s\":%.1f,\"symbol\":\"%s\",\"bid\":%.15g,\"ask\":%.15g,\"quotes_per_s\":%" PRIu64
      ",\"p50_us\":%.0f,\"p99_us\":%.0f,\"feed_state\":\"%s\",\"restarts\":%" PRIu64 "}\n";
  trp_demo_put(page, s->json ? json : plain, (double)trp_system_uptime_ns(s->system) / 1e9,
               trp_symbol_name(r->symbol), r->bid, r->ask, r->quotes_per_s, (double)v->p50_ns / 1e3,
               (double)v->p99_ns / 1e3, trp_feed_state_text(feed->state),
               trp_demo_restarts(s->system));
}

static void put_lines(const struct trp_demo_screen *s, const struct trp_consumer_view *v,
                      struct trp_demo_page *page) {
  const struct trp_consumer_row *rows[TRP_CONSUMER_SYMBOLS_MAX];
  for (uint32_t f = 0; f < s->feed_count; f++) {
    const struct trp_consumer_feed *feed = trp_demo_feed_seen(v, s->feeds[f].name);
    uint32_t count = trp_demo_rows(v, s->feeds[f].venue, rows);
    for (uint32_t i = 0; i < count; i++) put_line(s, v, feed, rows[i], page);
  }
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
  static struct trp_demo_page page;
  static struct trp_demo_news news;
  (void)trp_thread_register("screen", "terminal");
  if (s->live) trp_demo_put(&page, "\033[?1049h\033[?25l\033[?7l\033[2J"); /* lines do not wrap */
  flush(&page);
  uint64_t every = (s->live ? LIVE_MS : LINES_MS) * TRP_NS_PER_MS, next = every;
  while (!is_over(s->system) && !is_sent_home(s)) {
    uint64_t up = trp_system_uptime_ns(s->system);
    trp_thread_beat();
    if (s->duration_ns != 0 && up >= s->duration_ns) {
      trp_system_stop(s->system, "the duration is over");
    }
    trp_demo_news_take(&news, s->system);
    if (up >= next) {
      trp_consumer_look(s->view, &view);
      if (s->live) paint(s, &view, &news, &page);
      if (!s->live) put_lines(s, &view, &page);
      flush(&page);
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
  static const char back[] = "\033[?7h\033[?25h\033[?1049l"; /* wraps, cursor, the first screen */
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
