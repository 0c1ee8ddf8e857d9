/* Two rhythms: actors are looked at often enough to meet the shortest turn limit, since that costs
 * about a microsecond each; threads, figures and reports come once an interval. Each look is one
 * turn and bounded: of many actors that stall at once, some have their stacks taken in the next. */
#include "actors/thread_monitor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/thread_monitor_figures.h"
#include "actors/thread_monitor_threads.h"
#include "runtime/system.h"

enum {
  LOOK_MIN_MS = 10,
  STACKS_A_LOOK = 4,
  ORPHANS_ACTORS_MAX = 16384,
  STATES = TRP_ACTOR_GONE + 1
};

enum told { NOTHING, STALLED, INACTIVE };

/* What was seen of an actor. */
struct watched {
  uint64_t ref;      /* the incarnation */
  uint64_t turns;    /* as of the last look */
  uint64_t since_ns; /* since when nothing has moved that should */
  enum told told;
};

struct counts {
  uint32_t states[STATES];
  uint32_t actors, stalled, inactive;
  uint64_t depth;
};

struct monitor {
  struct trp_thread_monitor_options options; /* defaults filled in */
  struct trp_monitor_news news;
  uint64_t timer, look_ms;
  uint64_t threads_due_ns, report_due_ns;
  struct watched *watched;
  size_t watched_count;
  uint32_t stacks_left; /* in this look */
  struct trp_monitor_threads threads;
  struct trp_monitor_figures figures;
};

static uint64_t in_ms(uint64_t ns) { return ns / TRP_NS_PER_MS; }

/* ---- actors ---- */

static void tell_stalled(struct trp_self *self, struct monitor *m,
                         const struct trp_actor_info *info, uint64_t ns) {
  struct trp_actor_stalled body = {.ref = info->ref.bits,
                                   .incarnation = info->incarnation,
                                   .stalled_ms = in_ms(ns),
                                   .tid = info->tid};
  snprintf(body.name, sizeof body.name, "%s", info->name);
  trp_system_stack(trp_self_system(self), info->ref, body.stack, sizeof body.stack);
  trp_log(self, TRP_LOG_WARN, "actor.stalled",
          "actor=%s incarnation=%" PRIu64 " tid=%d stalled_ms=%" PRIu64 " stack=\"%s\"", body.name,
          body.incarnation, body.tid, body.stalled_ms, body.stack);
  trp_monitor_news_tell(&m->news, self, body.name, TRP_ACTOR_STALLED, &body, sizeof body);
}

static void tell_inactive(struct trp_self *self, struct monitor *m,
                          const struct trp_actor_info *info, uint64_t ns) {
  struct trp_actor_inactive body = {.ref = info->ref.bits,
                                    .incarnation = info->incarnation,
                                    .idle_ms = in_ms(ns),
                                    .depth = info->depth};
  snprintf(body.name, sizeof body.name, "%s", info->name);
  trp_log(self, TRP_LOG_WARN, "actor.inactive",
          "actor=%s incarnation=%" PRIu64 " idle_ms=%" PRIu64 " depth=%" PRIu64, body.name,
          body.incarnation, body.idle_ms, body.depth);
  trp_monitor_news_tell(&m->news, self, body.name, TRP_ACTOR_INACTIVE, &body, sizeof body);
}

static bool is_alive(const struct trp_actor_info *info) {
  return info->state == TRP_ACTOR_STARTING || info->state == TRP_ACTOR_RUNNING ||
         info->state == TRP_ACTOR_DRAINING;
}

/* Something moved: the time counts anew, and what was told is over, by recovery unless that
 * incarnation has ended. */
static void moved(struct trp_self *self, struct watched *w, const struct trp_actor_info *info,
                  uint64_t now) {
  bool lived_on = is_alive(info) && w->ref == info->ref.bits;
  if (w->told != NOTHING && lived_on) {
    trp_log(self, TRP_LOG_INFO, "actor.recovered", "actor=%s was=%s after_ms=%" PRIu64, info->name,
            w->told == STALLED ? "stalled" : "inactive", in_ms(now - w->since_ns));
  }
  *w = (struct watched){.ref = info->ref.bits, .turns = info->turns, .since_ns = now};
}

static void look_at_actor(struct trp_self *self, struct monitor *m, struct watched *w,
                          const struct trp_actor_info *info, uint64_t now) {
  bool in_turn = (info->turns & 1) != 0;
  /* Without mail there is nothing to be late with, however long ago the last turn was. */
  bool idle = !in_turn && info->depth == 0;
  if (info->turns != w->turns || idle) {
    moved(self, w, info, now);
    return;
  }
  if (w->told != NOTHING || !is_alive(info)) return;
  uint64_t ns = now - w->since_ns;
  if (in_turn && ns >= info->turn_limit_ms * TRP_NS_PER_MS && m->stacks_left > 0) {
    m->stacks_left--;
    w->told = STALLED;
    tell_stalled(self, m, info, ns);
  } else if (!in_turn && ns >= m->options.inactive_ms * TRP_NS_PER_MS) {
    w->told = INACTIVE;
    tell_inactive(self, m, info, ns);
  }
}

/* Actors may have been added; what is not yet known of them begins now. */
static bool make_room(struct monitor *m, size_t count, uint64_t now) {
  if (count <= m->watched_count) return true;
  struct watched *watched = realloc(m->watched, count * sizeof *watched);
  if (watched == NULL) return false;
  m->watched = watched;
  for (size_t i = m->watched_count; i < count; i++) {
    m->watched[i] = (struct watched){.since_ns = now};
  }
  m->watched_count = count;
  return true;
}

/* Returns the shortest turn limit of all. */
static uint32_t look_at_actors(struct trp_self *self, struct monitor *m, uint64_t now) {
  struct trp_system *system = trp_self_system(self);
  struct trp_ref own = trp_self_ref(self);
  uint32_t shortest_ms = UINT32_MAX;
  struct trp_actor_info info;
  m->stacks_left = STACKS_A_LOOK;
  if (!make_room(m, trp_system_actor_count(system), now)) return shortest_ms;
  for (size_t i = 0; i < m->watched_count && trp_system_actor(system, i, &info); i++) {
    if (info.turn_limit_ms < shortest_ms) shortest_ms = info.turn_limit_ms;
    if (!trp_ref_equal(info.ref, own)) look_at_actor(self, m, &m->watched[i], &info, now);
  }
  return shortest_ms;
}

/* ---- reports ---- */

static void count_all(struct trp_self *self, const struct monitor *m, struct counts *counts) {
  struct trp_system *system = trp_self_system(self);
  struct trp_actor_info info;
  memset(counts, 0, sizeof *counts);
  for (size_t i = 0; trp_system_actor(system, i, &info); i++) {
    counts->actors++;
    counts->states[info.state]++;
    counts->depth += info.depth;
    if (i >= m->watched_count) continue;
    counts->stalled += m->watched[i].told == STALLED;
    counts->inactive += m->watched[i].told == INACTIVE;
  }
}

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t bytes,
                                                         const char *format, ...) {
  size_t used = strlen(text);
  va_list args;
  va_start(args, format);
  vsnprintf(text + used, bytes - used, format, args);
  va_end(args);
}

/* Counts and states; what there is none of is only named where its absence is news. */
static void summarise(struct trp_self *self, const struct monitor *m, char *text, size_t bytes) {
  struct counts counts;
  count_all(self, m, &counts);
  text[0] = '\0';
  append(text, bytes, "actors=%u", counts.actors);
  for (int s = 0; s < STATES; s++) {
    if (counts.states[s] == 0) continue;
    append(text, bytes, " %s=%u", trp_actor_state_text((enum trp_actor_state)s), counts.states[s]);
  }
  append(text, bytes, " stalled=%u inactive=%u depth=%" PRIu64, counts.stalled, counts.inactive,
         counts.depth);
  append(text, bytes, " orphans=%" PRIu64, trp_orphans_total(&m->figures.orphans));
  if (m->options.no_process_figures) return;
  uint64_t now[TRP_GROWTH_FIGURES];
  trp_monitor_figures_now(&m->figures, self, now);
  append(text, bytes,
         " threads=%" PRIu64 " foreign=%u unknown=%u descriptors=%" PRIu64 " memory_kib=%" PRIu64,
         now[TRP_GROWTH_THREADS], m->threads.foreign, m->threads.unknown,
         now[TRP_GROWTH_DESCRIPTORS], now[TRP_GROWTH_MEMORY] / 1024);
}

/* What keeps growing, an hour, with the verdict on it. */
static void summarise_growth(const struct monitor *m, char *text, size_t bytes) {
  text[0] = '\0';
  for (int f = 0; f < TRP_GROWTH_FIGURES; f++) {
    const struct trp_growth_verdict *v = &m->figures.verdict;
    append(text, bytes, "%s%s=%s per_hour=%" PRId64, f > 0 ? " " : "",
           trp_growth_figure_text((enum trp_growth_figure)f), trp_growth_trend_text(v->trend[f]),
           v->per_hour[f]);
  }
}

static void report(struct trp_self *self, struct monitor *m) {
  char text[sizeof((struct trp_result *)0)->text];
  summarise(self, m, text, sizeof text);
  trp_log(self, TRP_LOG_INFO, "monitor.report", "%s", text);
  summarise_growth(m, text, sizeof text);
  trp_log(self, TRP_LOG_INFO, "monitor.trend", "%s", text);
  if (!m->options.no_process_figures) trp_monitor_threads_log(self);
  m->threads.tasks = 0; /* now and then, strangers are looked for in any case */
}

static void answer_query(struct trp_self *self, struct monitor *m, uint64_t token) {
  uint64_t now[TRP_GROWTH_FIGURES];
  struct counts counts;
  count_all(self, m, &counts);
  trp_monitor_figures_now(&m->figures, self, now);
  const struct trp_growth_verdict *v = &m->figures.verdict;
  const uint64_t *orphans = m->figures.orphans.counts;
  struct trp_monitor_report body = {.memory_bytes = now[TRP_GROWTH_MEMORY],
                                    .descriptors = now[TRP_GROWTH_DESCRIPTORS],
                                    .threads = now[TRP_GROWTH_THREADS],
                                    .actors = now[TRP_GROWTH_ACTORS],
                                    .memory_per_hour = v->per_hour[TRP_GROWTH_MEMORY],
                                    .descriptors_per_hour = v->per_hour[TRP_GROWTH_DESCRIPTORS],
                                    .threads_per_hour = v->per_hour[TRP_GROWTH_THREADS],
                                    .actors_per_hour = v->per_hour[TRP_GROWTH_ACTORS],
                                    .memory_trend = (uint32_t)v->trend[TRP_GROWTH_MEMORY],
                                    .descriptors_trend = (uint32_t)v->trend[TRP_GROWTH_DESCRIPTORS],
                                    .threads_trend = (uint32_t)v->trend[TRP_GROWTH_THREADS],
                                    .actors_trend = (uint32_t)v->trend[TRP_GROWTH_ACTORS],
                                    .stalled = counts.stalled,
                                    .inactive = counts.inactive,
                                    .foreign = m->threads.foreign,
                                    .unknown = m->threads.unknown,
                                    .orphan_timers = orphans[TRP_ORPHAN_TIMER],
                                    .orphan_asks = orphans[TRP_ORPHAN_ASK],
                                    .orphan_subscriptions = orphans[TRP_ORPHAN_SUBSCRIPTION],
                                    .orphan_monitors = orphans[TRP_ORPHAN_MONITOR],
                                    .orphan_others = orphans[TRP_ORPHAN_OTHER]};
  trp_reply(self, token, TRP_MONITOR_REPORT, &body, sizeof body);
}

static void obey(struct trp_self *self, struct monitor *m, const struct trp_msg *msg) {
  const char *word = trp_msg_operator(msg)->text;
  bool reports = strcmp(word, "report") == 0, grows = strcmp(word, "growth") == 0;
  if (reports && msg->token == 0) report(self, m);
  if (msg->token == 0) return;
  struct trp_result result = {.status = reports || grows ? TRP_OK : TRP_INVALID};
  snprintf(result.text, sizeof result.text, "it knows two words: report, growth");
  if (reports) summarise(self, m, result.text, sizeof result.text);
  if (grows) summarise_growth(m, result.text, sizeof result.text);
  trp_reply(self, msg->token, TRP_RESULT, &result, sizeof result);
}

/* ---- the look ---- */

/* A stall is first seen up to one look after it began and told up to one after its limit. */
static enum trp_err set_pace(struct trp_self *self, struct monitor *m, uint32_t shortest_ms) {
  uint64_t look_ms = m->options.interval_ms;
  if (shortest_ms / 4 < look_ms) look_ms = shortest_ms / 4;
  if (look_ms < LOOK_MIN_MS) look_ms = LOOK_MIN_MS;
  if (look_ms == m->look_ms) return TRP_OK;
  trp_timer_cancel(self, m->timer);
  m->look_ms = look_ms;
  uint64_t period = look_ms * TRP_NS_PER_MS;
  return trp_timer_start(self, period, period, 0, &m->timer);
}

static enum trp_err look(struct trp_self *self, struct monitor *m) {
  uint64_t now = trp_now_ns(self);
  uint32_t shortest_ms = look_at_actors(self, m, now);
  if (now >= m->threads_due_ns) {
    m->threads_due_ns = now + m->options.interval_ms * TRP_NS_PER_MS;
    if (!m->options.no_process_figures) {
      trp_monitor_threads_look(&m->threads, self, &m->news, m->options.beat_limit_ms,
                               &m->stacks_left);
    }
    bool few = m->watched_count <= ORPHANS_ACTORS_MAX || now >= m->report_due_ns;
    if (few) trp_monitor_figures_orphans(&m->figures, self);
    trp_monitor_figures_sample(&m->figures, self);
  }
  if (now >= m->report_due_ns) {
    m->report_due_ns = now + m->options.report_ms * TRP_NS_PER_MS;
    report(self, m);
  }
  return set_pace(self, m, shortest_ms);
}

/* ---- the kind ---- */

static uint32_t or_default(uint32_t value, uint32_t otherwise) {
  return value != 0 ? value : otherwise;
}

static void take_options(struct monitor *m, const struct trp_thread_monitor_options *given) {
  struct trp_thread_monitor_options *o = &m->options;
  if (given != NULL) *o = *given;
  o->interval_ms = or_default(o->interval_ms, 1000);
  o->report_ms = or_default(o->report_ms, 60000);
  o->inactive_ms = or_default(o->inactive_ms, 60000);
  o->growth_window_ms = or_default(o->growth_window_ms, 600000);
  o->growth_count = or_default(o->growth_count, 16);
  if (o->growth_memory_bytes == 0) o->growth_memory_bytes = 8u << 20;
  m->figures.process = !o->no_process_figures;
  struct trp_growth *growth = &m->figures.growth;
  growth->window_ns = o->growth_window_ms * TRP_NS_PER_MS;
  growth->percent = or_default(o->growth_percent, 10);
  for (int f = 0; f < TRP_GROWTH_FIGURES; f++) growth->amounts[f] = o->growth_count;
  growth->amounts[TRP_GROWTH_MEMORY] = o->growth_memory_bytes;
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct monitor *m = state;
  take_options(m, args);
  const struct trp_thread_monitor_options *o = &m->options;
  enum trp_err err = trp_monitor_news_start(&m->news, self, o->events);
  if (err != TRP_OK) return err;
  uint64_t now = trp_now_ns(self);
  uint64_t interval_ns = o->interval_ms * TRP_NS_PER_MS;
  m->threads_due_ns = now + interval_ns;
  m->report_due_ns = now + o->report_ms * TRP_NS_PER_MS;
  trp_growth_begin(&m->figures.growth, interval_ns, now);
  return set_pace(self, m, look_at_actors(self, m, now));
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct monitor *m = state;
  if (msg->type == TRP_TIMER) return look(self, m);
  if (msg->type == TRP_MONITOR_QUERY && msg->token != 0) answer_query(self, m, msg->token);
  if (msg->type == TRP_OPERATOR && trp_msg_operator(msg) != NULL) obey(self, m, msg);
  trp_publisher_take(self, &m->news.publisher, msg);
  return TRP_OK;
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  free(((struct monitor *)state)->watched);
}

const struct trp_kind trp_thread_monitor_kind = {.name = "thread_monitor",
                                                 .never_pooled = true,
                                                 .state_bytes = sizeof(struct monitor),
                                                 .start = start,
                                                 .receive = receive,
                                                 .end = end};
