#include "actors/thread_monitor_threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/fdcount.h"
#include "runtime/system.h"
#include "runtime/thread.h"

enum { KNOWN_MAX = TRP_MONITOR_KNOWN_MAX };

static uint64_t in_ms(uint64_t ns) { return ns / TRP_NS_PER_MS; }

/* ---- threads told of once ---- */

static struct trp_monitor_known *find_known(struct trp_monitor_known_set *set, int tid) {
  for (uint32_t i = 0; i < set->count; i++) {
    if (set->items[i].tid == tid) return &set->items[i];
  }
  return NULL;
}

/* Notes that it was seen; in how many looks, 0 where there is no room to remember. */
static uint32_t see(struct trp_monitor_known_set *set, int tid) {
  struct trp_monitor_known *known = find_known(set, tid);
  if (known == NULL && set->count == KNOWN_MAX) return 0;
  if (known == NULL) {
    known = &set->items[set->count++];
    *known = (struct trp_monitor_known){.tid = tid};
  }
  known->seen = true;
  if (known->looks < UINT32_MAX) known->looks++;
  return known->looks;
}

/* Forgets those that were not seen in this look: their ids may come back as others'. */
static void forget_unseen(struct trp_monitor_known_set *set) {
  for (uint32_t i = set->count; i-- > 0;) {
    if (!set->items[i].seen) set->items[i] = set->items[--set->count];
  }
  for (uint32_t i = 0; i < set->count; i++) set->items[i].seen = false;
}

/* ---- the dead ---- */

static void tell_ended(struct trp_self *self, struct trp_monitor_news *news,
                       const struct trp_thread_info *info) {
  struct trp_thread_crashed body = {
      .tid = info->tid, .cause = TRP_CAUSE_EXIT, .error = TRP_THREAD_EXIT};
  snprintf(body.name, sizeof body.name, "%s", info->name);
  snprintf(body.reason, sizeof body.reason, "a %s thread (%s) %s",
           info->foreign ? "foreign" : "runtime", info->role,
           info->vanished ? "vanished without a word" : "ended without deregistering");
  trp_log(self, TRP_LOG_ERROR, "thread.crashed",
          "thread=\"%s\" tid=%d cpu_ms=%" PRIu64 " reason=\"%s\"", body.name, body.tid,
          in_ms(info->cpu_ns), body.reason);
  trp_monitor_news_tell(news, self, body.name, TRP_THREAD_CRASHED, &body, sizeof body);
}

/* True where it has gone from the register. Who forgets it reports it: there may be other monitors
 * in the process. The end of an actor's own thread is that actor's crash: where the thread could
 * say so, the runtime has it already; where it vanished, the runtime hears of it here. */
static bool bury(struct trp_self *self, struct trp_monitor_news *news,
                 const struct trp_thread_info *info) {
  if (!info->foreign && !info->vanished) return false;
  if (!info->foreign && (strcmp(info->role, "actor") == 0 || strcmp(info->role, "io") == 0)) {
    (void)trp_system_thread_lost(trp_self_system(self), info->tid);
    return false;
  }
  if (!trp_thread_forget(info->tid)) return false;
  tell_ended(self, news, info);
  return true;
}

/* ---- the silent ---- */

static void tell_silent(struct trp_self *self, struct trp_monitor_news *news,
                        const struct trp_thread_info *info, uint64_t ns) {
  struct trp_actor_stalled body = {.tid = info->tid, .stalled_ms = in_ms(ns)};
  snprintf(body.name, sizeof body.name, "%s", info->name);
  trp_monitor_stack(info->tid, body.stack, sizeof body.stack);
  trp_log(self, TRP_LOG_WARN, "thread.silent",
          "thread=\"%s\" tid=%d silent_ms=%" PRIu64 " stack=\"%s\"", body.name, body.tid,
          body.stalled_ms, body.stack);
  trp_monitor_news_tell(news, self, body.name, TRP_ACTOR_STALLED, &body, sizeof body);
}

static void look_at_beat(struct trp_monitor_threads *t, struct trp_self *self,
                         struct trp_monitor_news *news, const struct trp_thread_info *info,
                         uint64_t limit_ns, uint32_t *stacks_left) {
  uint64_t now = trp_now_ns(self);
  bool late = now > info->beat_ns && now - info->beat_ns >= limit_ns;
  bool known = find_known(&t->silent, info->tid) != NULL;
  if (!late && known) {
    trp_log(self, TRP_LOG_INFO, "thread.recovered", "thread=\"%s\" tid=%d", info->name, info->tid);
  }
  if (!late) return; /* not seen as silent, and so forgotten */
  if (!known && *stacks_left == 0) return;
  bool first = see(&t->silent, info->tid) == 1;
  if (!first) return;
  (*stacks_left)--;
  tell_silent(self, news, info, now - info->beat_ns);
}

/* ---- strangers ---- */

/* Strangers are looked for when the number of threads has changed, and once more a look later: a
 * thread that is just starting is no stranger yet. */
static void look_for_strangers(struct trp_monitor_threads *t, struct trp_self *self) {
  struct trp_thread_stranger strangers[KNOWN_MAX];
  bool undecided = false;
  size_t tasks = trp_task_count();
  for (uint32_t i = 0; i < t->strangers.count; i++) {
    undecided = undecided || t->strangers.items[i].looks < 2;
  }
  if (tasks == t->tasks && !undecided) return;
  t->tasks = tasks;
  size_t count = trp_thread_unknown(strangers, KNOWN_MAX);
  for (size_t i = 0; i < count && i < KNOWN_MAX; i++) {
    const struct trp_thread_stranger *s = &strangers[i];
    if (strcmp(s->role, "unknown") != 0 || see(&t->strangers, s->tid) != 2) continue;
    trp_log(self, TRP_LOG_WARN, "thread.unknown", "tid=%d comm=\"%s\"", s->tid, s->comm);
  }
  forget_unseen(&t->strangers);
  t->unknown = t->strangers.count;
}

/* ---- the look ---- */

void trp_monitor_threads_look(struct trp_monitor_threads *t, struct trp_self *self,
                              struct trp_monitor_news *news, uint64_t beat_limit_ms,
                              uint32_t *stacks_left) {
  struct trp_thread_info info;
  t->foreign = 0;
  for (size_t i = 0; trp_thread_at(i, &info);) {
    if (info.ended && bury(self, news, &info)) continue;
    if (info.foreign && !info.ended && beat_limit_ms != 0) {
      look_at_beat(t, self, news, &info, beat_limit_ms * TRP_NS_PER_MS, stacks_left);
    }
    t->foreign += info.foreign;
    i++;
  }
  forget_unseen(&t->silent);
  look_for_strangers(t, self);
}

static void log_one(struct trp_self *self, const char *name, const char *role, const char *owner,
                    int tid, uint64_t cpu_ns) {
  trp_log(self, TRP_LOG_DEBUG, "monitor.thread",
          "thread=\"%s\" role=\"%s\" owner=%s tid=%d cpu_ms=%" PRIu64, name, role,
          owner[0] != '\0' ? owner : "-", tid, in_ms(cpu_ns));
}

void trp_monitor_threads_log(struct trp_self *self) {
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info); i++) {
    log_one(self, info.name, info.role, info.owner, info.tid, info.cpu_ns);
  }
  struct trp_thread_stranger others[KNOWN_MAX];
  size_t count = trp_thread_unknown(others, KNOWN_MAX);
  for (size_t i = 0; i < count && i < KNOWN_MAX; i++) {
    log_one(self, others[i].comm, others[i].role, others[i].owner, others[i].tid, others[i].cpu_ns);
  }
}
