/* Two rhythms: actors are looked at often enough to meet the shortest turn limit, since that costs
 * about a microsecond each; threads, figures and reports come once an interval. Each look is one
 * turn and bounded: of many actors that stall at once, some have their stacks taken in the next. */
#include "actors/thread_monitor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/publisher.h"
#include "actors/thread_monitor_growth.h"
#include "runtime/fdcount.h"
#include "runtime/stack.h"
#include "runtime/system.h"
#include "runtime/thread.h"

enum { LOOK_MIN_MS = 10, STACKS_A_LOOK = 4, KNOWN_MAX = 64, STATES = TRP_ACTOR_GONE + 1 };

#define STACK_WAIT_NS (20 * TRP_NS_PER_MS)

enum told { NOTHING, STALLED, INACTIVE };

/* What was seen of an actor. */
struct watched {
  uint64_t ref;      /* the incarnation */
  uint64_t turns;    /* as of the last look */
  uint64_t since_ns; /* since when nothing has moved that should */
  enum told told;
};

/* Threads of which something has been, or is to be, told once. */
struct known {
  int tid;
  uint32_t looks; /* in how many it was seen */
  bool seen;      /* in this one */
};

struct known_set {
  struct known items[KNOWN_MAX];
  uint32_t count;
};

struct counts {
  uint32_t states[STATES];
  uint32_t actors, stalled, inactive, foreign;
  uint64_t depth;
};

struct monitor {
  struct trp_thread_monitor_options options; /* defaults filled in */
  struct trp_publisher publisher;
  uint64_t timer, look_ms;
  uint64_t threads_due_ns, report_due_ns;
  struct watched *watched;
  size_t watched_count;
  uint32_t stacks_left; /* in this look */
  size_t tasks;         /* the kernel's count when strangers were last looked for */
  struct known_set strangers, silent;
  struct trp_growth growth;
};

static uint64_t in_ms(uint64_t ns) { return ns / TRP_NS_PER_MS; }

/* In the journal under the name of who it is about, not of who noticed. */
static void announce(struct trp_self *self, struct monitor *m, const char *about, uint16_t type,
                     const void *body, size_t bytes) {
  trp_system_journal_put(trp_self_system(self), about, type, body, bytes);
  if (m->options.events != NULL) trp_publish(self, &m->publisher, type, body, bytes);
}

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
  announce(self, m, body.name, TRP_ACTOR_STALLED, &body, sizeof body);
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
  announce(self, m, body.name, TRP_ACTOR_INACTIVE, &body, sizeof body);
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

/* ---- threads told of once ---- */

static struct known *find_known(struct known_set *set, int tid) {
  for (uint32_t i = 0; i < set->count; i++) {
    if (set->items[i].tid == tid) return &set->items[i];
  }
  return NULL;
}

/* Notes that it was seen; in how many looks, 0 where there is no room to remember. */
static uint32_t see(struct known_set *set, int tid) {
  struct known *known = find_known(set, tid);
  if (known == NULL && set->count == KNOWN_MAX) return 0;
  if (known == NULL) {
    known = &set->items[set->count++];
    *known = (struct known){.tid = tid};
  }
  known->seen = true;
  if (known->looks < UINT32_MAX) known->looks++;
  return known->looks;
}

/* Forgets those that were not seen in this look: their ids may come back as others'. */
static void forget_unseen(struct known_set *set) {
  for (uint32_t i = set->count; i-- > 0;) {
    if (!set->items[i].seen) set->items[i] = set->items[--set->count];
  }
  for (uint32_t i = 0; i < set->count; i++) set->items[i].seen = false;
}

/* ---- threads ---- */

static void tell_ended(struct trp_self *self, struct monitor *m,
                       const struct trp_thread_info *info) {
  struct trp_thread_crashed body = {
      .tid = info->tid, .cause = TRP_CAUSE_EXIT, .error = TRP_THREAD_EXIT};
  snprintf(body.name, sizeof body.name, "%s", info->name);
  snprintf(body.reason, sizeof body.reason, "a foreign thread (%s) ended without deregistering",
           info->role);
  trp_log(self, TRP_LOG_ERROR, "thread.crashed",
          "thread=\"%s\" tid=%d cpu_ms=%" PRIu64 " reason=\"%s\"", body.name, body.tid,
          in_ms(info->cpu_ns), body.reason);
  announce(self, m, body.name, TRP_THREAD_CRASHED, &body, sizeof body);
}

static void tell_silent(struct trp_self *self, struct monitor *m,
                        const struct trp_thread_info *info, uint64_t ns) {
  struct trp_actor_stalled body = {.tid = info->tid, .stalled_ms = in_ms(ns)};
  snprintf(body.name, sizeof body.name, "%s", info->name);
  struct trp_stack stack;
  if (trp_stack_of_thread(info->tid, STACK_WAIT_NS, &stack) == TRP_OK) {
    trp_stack_text(&stack, body.stack, sizeof body.stack);
  } else {
    trp_stack_proc_state(info->tid, body.stack, sizeof body.stack);
  }
  trp_log(self, TRP_LOG_WARN, "thread.silent",
          "thread=\"%s\" tid=%d silent_ms=%" PRIu64 " stack=\"%s\"", body.name, body.tid,
          body.stalled_ms, body.stack);
  announce(self, m, body.name, TRP_ACTOR_STALLED, &body, sizeof body);
}

static void look_at_beat(struct trp_self *self, struct monitor *m,
                         const struct trp_thread_info *info, uint64_t now) {
  uint64_t limit_ns = m->options.beat_limit_ms * TRP_NS_PER_MS;
  bool late = now > info->beat_ns && now - info->beat_ns >= limit_ns;
  if (!late) {
    if (find_known(&m->silent, info->tid) == NULL) return;
    trp_log(self, TRP_LOG_INFO, "thread.recovered", "thread=\"%s\" tid=%d", info->name, info->tid);
    return; /* not seen as silent, and so forgotten */
  }
  if (find_known(&m->silent, info->tid) == NULL) {
    if (m->stacks_left == 0) return;
    m->stacks_left--;
    if (see(&m->silent, info->tid) == 1) tell_silent(self, m, info, now - info->beat_ns);
    return;
  }
  see(&m->silent, info->tid);
}

static void look_at_register(struct trp_self *self, struct monitor *m, uint64_t now) {
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info);) {
    /* Who forgets it reports it: there may be other monitors in the process. The end of an actor's
     * own thread is that actor's crash, and the runtime's business. */
    if (info.foreign && info.ended && trp_thread_forget(info.tid)) {
      tell_ended(self, m, &info);
      continue;
    }
    if (info.foreign && !info.ended && m->options.beat_limit_ms != 0) {
      look_at_beat(self, m, &info, now);
    }
    i++;
  }
  forget_unseen(&m->silent);
}

/* Strangers are looked for when the number of threads has changed, and once more a look later: a
 * thread that is just starting is no stranger yet. */
static void look_for_strangers(struct trp_self *self, struct monitor *m) {
  struct trp_thread_stranger strangers[KNOWN_MAX];
  bool undecided = false;
  size_t tasks = trp_task_count();
  for (uint32_t i = 0; i < m->strangers.count; i++) {
    undecided = undecided || m->strangers.items[i].looks < 2;
  }
  if (tasks == m->tasks && !undecided) return;
  m->tasks = tasks;
  size_t count = trp_thread_unknown(strangers, KNOWN_MAX);
  for (size_t i = 0; i < count && i < KNOWN_MAX; i++) {
    const struct trp_thread_stranger *s = &strangers[i];
    if (strcmp(s->role, "unknown") != 0 || see(&m->strangers, s->tid) != 2) continue;
    trp_log(self, TRP_LOG_WARN, "thread.unknown", "tid=%d comm=\"%s\"", s->tid, s->comm);
  }
  forget_unseen(&m->strangers);
}

/* ---- figures ---- */

static uint64_t resident_bytes(void) {
  char text[128];
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = '\0';
  uint64_t resident = 0;
  if (sscanf(text, "%*u %" SCNu64, &resident) != 1) return 0;
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t living_actors(struct trp_system *system) {
  struct trp_actor_info info;
  uint64_t count = 0;
  for (size_t i = 0; trp_system_actor(system, i, &info); i++) count += is_alive(&info);
  return count;
}

static void sample_growth(struct trp_self *self, struct monitor *m, uint64_t now) {
  if (!trp_growth_is_due(&m->growth, now)) return;
  static const char *const names[] = {"memory", "descriptors", "threads", "actors"};
  struct trp_growth_sample sample = {.at_ns = now};
  sample.figures[TRP_GROWTH_ACTORS] = living_actors(trp_self_system(self));
  if (!m->options.no_process_figures) {
    sample.figures[TRP_GROWTH_MEMORY] = resident_bytes();
    sample.figures[TRP_GROWTH_DESCRIPTORS] = trp_fd_count();
    sample.figures[TRP_GROWTH_THREADS] = trp_task_count();
  }
  struct trp_growth_verdict verdict;
  if (!trp_growth_add(&m->growth, &sample, &verdict) || !verdict.any) return;
  for (int f = 0; f < TRP_GROWTH_FIGURES; f++) {
    if (!verdict.grew[f]) continue;
    trp_log(self, TRP_LOG_WARN, "monitor.growth",
            "what=%s from=%" PRIu64 " to=%" PRIu64 " per_hour=%" PRId64 " window_s=%" PRIu64,
            names[f], verdict.from[f], verdict.to[f], verdict.per_hour[f],
            in_ms(m->growth.window_ns) / 1000);
  }
  trp_growth_empty(&m->growth);
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
  if (m->options.no_process_figures) return;
  struct trp_thread_info thread;
  for (size_t i = 0; trp_thread_at(i, &thread); i++) counts->foreign += thread.foreign;
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
  if (m->options.no_process_figures) return;
  append(text, bytes, " threads=%zu foreign=%u unknown=%u descriptors=%zu memory_kib=%" PRIu64,
         trp_task_count(), counts.foreign, m->strangers.count, trp_fd_count(),
         resident_bytes() / 1024);
}

static void log_threads(struct trp_self *self) {
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info); i++) {
    trp_log(self, TRP_LOG_DEBUG, "monitor.thread",
            "thread=\"%s\" role=\"%s\" owner=%s tid=%d cpu_ms=%" PRIu64, info.name, info.role,
            info.owner[0] != '\0' ? info.owner : "-", info.tid, in_ms(info.cpu_ns));
  }
}

static void report(struct trp_self *self, struct monitor *m) {
  char text[sizeof((struct trp_result *)0)->text];
  summarise(self, m, text, sizeof text);
  trp_log(self, TRP_LOG_INFO, "monitor.report", "%s", text);
  if (!m->options.no_process_figures) log_threads(self);
  m->tasks = 0; /* now and then, strangers are looked for in any case */
}

static void obey(struct trp_self *self, struct monitor *m, const struct trp_msg *msg) {
  bool known = strcmp(trp_msg_operator(msg)->text, "report") == 0;
  if (known && msg->token == 0) report(self, m);
  if (msg->token == 0) return;
  struct trp_result result = {.status = known ? TRP_OK : TRP_INVALID};
  snprintf(result.text, sizeof result.text, "it knows one word: report");
  if (known) summarise(self, m, result.text, sizeof result.text);
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
      look_at_register(self, m, now);
      look_for_strangers(self, m);
    }
    sample_growth(self, m, now);
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
  struct trp_growth *growth = &m->growth;
  growth->window_ns = o->growth_window_ms * TRP_NS_PER_MS;
  growth->percent = or_default(o->growth_percent, 10);
  for (int f = 0; f < TRP_GROWTH_FIGURES; f++) growth->amounts[f] = o->growth_count;
  growth->amounts[TRP_GROWTH_MEMORY] = o->growth_memory_bytes;
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct monitor *m = state;
  take_options(m, args);
  const struct trp_thread_monitor_options *o = &m->options;
  enum trp_err err = TRP_OK;
  if (o->events != NULL) err = trp_publisher_start(self, &m->publisher, o->events);
  if (err != TRP_OK) return err;
  uint64_t now = trp_now_ns(self);
  uint64_t interval_ns = o->interval_ms * TRP_NS_PER_MS;
  m->threads_due_ns = now + interval_ns;
  m->report_due_ns = now + o->report_ms * TRP_NS_PER_MS;
  trp_growth_begin(&m->growth, interval_ns, now);
  return set_pace(self, m, look_at_actors(self, m, now));
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct monitor *m = state;
  if (msg->type == TRP_TIMER) return look(self, m);
  if (msg->type == TRP_OPERATOR && trp_msg_operator(msg) != NULL) obey(self, m, msg);
  trp_publisher_take(self, &m->publisher, msg);
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
