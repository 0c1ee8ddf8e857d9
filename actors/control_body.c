#include "actors/control_body.h"

#include <string.h>

#include "actors/feed_state.h"
#include "actors/symbol_table.h"
#include "actors/thread_monitor_growth.h"
#include "runtime/thread.h"

enum {
  EVENTS_MAX = 64,       /* in one answer */
  EVENT_BODY_MAX = 4096, /* the largest message of the journal has 2 KiB */
  STRANGERS_MAX = 128
};

static uint64_t ms(uint64_t ns) { return ns / TRP_NS_PER_MS; }

/* ---- status ---------------------------------------------------------------------------------- */

static void pack_ledger(struct trp_pack *pack, const struct trp_ledger *ledger) {
  trp_pack_map(pack, 8);
  trp_pack_member_u64(pack, "offered", ledger->offered);
  trp_pack_member_u64(pack, "accepted", ledger->accepted);
  trp_pack_member_u64(pack, "refused", trp_ledger_refused(ledger));
  trp_pack_member_u64(pack, "handled", ledger->handled);
  trp_pack_member_u64(pack, "evicted", ledger->evicted);
  trp_pack_member_u64(pack, "conflated", ledger->conflated);
  trp_pack_member_u64(pack, "dead", trp_ledger_dead(ledger));
  trp_pack_member_u64(pack, "pending", ledger->pending);
}

static void pack_actor(struct trp_pack *pack, const struct trp_actor_info *info) {
  trp_pack_map(pack, 11);
  trp_pack_member_text(pack, "name", info->name);
  trp_pack_member_text(pack, "kind", info->kind);
  trp_pack_member_text(pack, "placement", info->placement);
  trp_pack_member_text(pack, "state", trp_actor_state_text(info->state));
  trp_pack_member_u64(pack, "incarnation", info->incarnation);
  trp_pack_member_u64(pack, "restarts", info->restarts);
  trp_pack_member_u64(pack, "depth", info->depth);
  trp_pack_member_u64(pack, "depth_max", info->depth_max);
  trp_pack_member_u64(pack, "oldest_ms", ms(info->oldest_ns));
  trp_pack_text(pack, "ledger");
  pack_ledger(pack, &info->ledger);
  trp_pack_member_u64(pack, "deadline_ms", info->budget_ms);
}

/* A feed that gave no answer is shown too: that it is silent is what one looks for. */
static void pack_feed(struct trp_pack *pack, const char *name, const struct trp_feed_view *view) {
  const struct trp_feed_state *state = &view->state;
  bool known = view->err == TRP_OK;
  enum trp_err error = known ? (enum trp_err)state->error : view->err;
  trp_pack_map(pack, 10);
  trp_pack_member_text(pack, "name", name);
  trp_pack_member_text(pack, "state", known ? trp_feed_state_text(state->state) : "UNKNOWN");
  trp_pack_member_text(pack, "mode", known ? trp_feed_mode_text(state->mode) : "");
  trp_pack_member_u64(pack, "symbols", state->symbols);
  trp_pack_member_u64(pack, "updates", state->updates);
  trp_pack_member_u64(pack, "reconnects", state->reconnects);
  trp_pack_member_u64(pack, "gaps", state->gaps);
  trp_pack_member_u64(pack, "conflated", state->conflated);
  trp_pack_member_text(pack, "error", error == TRP_OK ? "" : trp_err_name(error));
  trp_pack_member_text(pack, "reason", known ? state->reason : trp_err_text(view->err));
}

static void pack_figure(struct trp_pack *pack, const char *name, uint64_t now, uint32_t trend,
                        int64_t per_hour) {
  trp_pack_text(pack, name);
  trp_pack_map(pack, 3);
  trp_pack_member_u64(pack, "now", now);
  trp_pack_member_text(pack, "verdict", trp_growth_trend_text(trend));
  trp_pack_member_i64(pack, "per_hour", per_hour);
}

/* Nil where the system has no monitor that control knows of; its silence is shown too. */
static void pack_process(struct trp_pack *pack, const struct trp_control_options *options,
                         const struct trp_monitor_view *view) {
  const struct trp_monitor_report *r = &view->report;
  if (options->monitor == NULL) {
    trp_pack_nil(pack);
    return;
  }
  trp_pack_map(pack, 10);
  trp_pack_member_text(pack, "error", view->err == TRP_OK ? "" : trp_err_name(view->err));
  pack_figure(pack, "memory_bytes", r->memory_bytes, r->memory_trend, r->memory_per_hour);
  pack_figure(pack, "descriptors", r->descriptors, r->descriptors_trend, r->descriptors_per_hour);
  pack_figure(pack, "threads", r->threads, r->threads_trend, r->threads_per_hour);
  pack_figure(pack, "actors", r->actors, r->actors_trend, r->actors_per_hour);
  trp_pack_member_u64(pack, "stalled", r->stalled);
  trp_pack_member_u64(pack, "inactive", r->inactive);
  trp_pack_member_u64(pack, "foreign_threads", r->foreign);
  trp_pack_member_u64(pack, "unknown_threads", r->unknown);
  trp_pack_text(pack, "orphans");
  trp_pack_map(pack, 5);
  trp_pack_member_u64(pack, "timers", r->orphan_timers);
  trp_pack_member_u64(pack, "asks", r->orphan_asks);
  trp_pack_member_u64(pack, "subscriptions", r->orphan_subscriptions);
  trp_pack_member_u64(pack, "monitors", r->orphan_monitors);
  trp_pack_member_u64(pack, "others", r->orphan_others);
}

void trp_control_pack_status(struct trp_pack *pack, struct trp_self *self,
                             const struct trp_control_options *options,
                             const struct trp_feed_view *views,
                             const struct trp_monitor_view *monitor) {
  struct trp_system *system = trp_self_system(self);
  struct trp_actor_info info;
  trp_pack_map(pack, 7);
  trp_pack_member_text(pack, "system", trp_system_name(system));
  trp_pack_member_text(pack, "version", TRP_VERSION);
  trp_pack_member_text(pack, "state", trp_system_state(system));
  trp_pack_member_u64(pack, "uptime_ms", ms(trp_system_uptime_ns(system)));
  trp_pack_text(pack, "actors");
  trp_pack_array_open(pack);
  for (size_t i = 0; trp_system_actor(system, i, &info); i++) pack_actor(pack, &info);
  trp_pack_array_close(pack);
  trp_pack_text(pack, "feeds");
  trp_pack_array(pack, (uint32_t)options->feed_count);
  for (size_t i = 0; i < options->feed_count; i++) pack_feed(pack, options->feeds[i], &views[i]);
  trp_pack_text(pack, "process");
  pack_process(pack, options, monitor);
}

/* ---- actors ---------------------------------------------------------------------------------- */

static uint64_t cpu_ns_of(int tid) {
  struct trp_thread_info info;
  for (size_t i = 0; tid != 0 && trp_thread_at(i, &info); i++) {
    if (info.tid == tid) return info.cpu_ns;
  }
  return 0;
}

static void pack_activity(struct trp_pack *pack, const struct trp_actor_info *info) {
  static const char *const held[TRP_RES_COUNT] = {
      [TRP_RES_THREAD] = "threads",   [TRP_RES_DESCRIPTOR] = "descriptors",
      [TRP_RES_SOCKET] = "sockets",   [TRP_RES_TIMER] = "timers",
      [TRP_RES_ASK] = "asks",         [TRP_RES_SUBSCRIPTION] = "subscriptions",
      [TRP_RES_PROCESS] = "processes"};
  trp_pack_map(pack, 11);
  trp_pack_member_text(pack, "name", info->name);
  trp_pack_member_text(pack, "state", trp_actor_state_text(info->state));
  trp_pack_member_i64(pack, "tid", info->tid);
  trp_pack_member_i64(pack, "pid", info->pid);
  trp_pack_member_u64(pack, "incarnation", info->incarnation);
  trp_pack_member_u64(pack, "turns", info->turns / 2);
  trp_pack_member_text(pack, "in_turn", info->turns % 2 != 0 ? "yes" : "");
  trp_pack_member_u64(pack, "turn_limit_ms", info->turn_limit_ms);
  trp_pack_member_u64(pack, "depth", info->depth);
  trp_pack_member_u64(pack, "cpu_ms", ms(cpu_ns_of(info->tid)));
  trp_pack_text(pack, "held");
  trp_pack_map(pack, TRP_RES_COUNT);
  for (int r = 0; r < TRP_RES_COUNT; r++) trp_pack_member_i64(pack, held[r], info->held[r]);
}

void trp_control_pack_actors(struct trp_pack *pack, struct trp_self *self) {
  struct trp_actor_info info;
  trp_pack_map(pack, 1);
  trp_pack_text(pack, "actors");
  trp_pack_array_open(pack);
  for (size_t i = 0; trp_system_actor(trp_self_system(self), i, &info); i++) {
    pack_activity(pack, &info);
  }
  trp_pack_array_close(pack);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void pack_thread(struct trp_pack *pack, const struct trp_thread_info *info, uint64_t now) {
  trp_pack_map(pack, 8);
  trp_pack_member_text(pack, "name", info->name);
  trp_pack_member_text(pack, "role", info->role);
  trp_pack_member_text(pack, "owner", info->owner);
  trp_pack_member_i64(pack, "tid", info->tid);
  trp_pack_member_text(pack, "state",
                       info->vanished ? "vanished"
                       : info->ended  ? "ended"
                                      : "alive");
  trp_pack_member_u64(pack, "age_ms", now > info->started_ns ? ms(now - info->started_ns) : 0);
  trp_pack_member_u64(pack, "silent_ms", now > info->beat_ns ? ms(now - info->beat_ns) : 0);
  trp_pack_member_u64(pack, "cpu_ms", ms(info->cpu_ns));
}

/* Of these only the kernel's word is known, and by their names whose they are. */
static void pack_stranger(struct trp_pack *pack, const struct trp_thread_stranger *stranger) {
  trp_pack_map(pack, 6);
  trp_pack_member_text(pack, "name", stranger->comm);
  trp_pack_member_text(pack, "role", stranger->role);
  trp_pack_member_text(pack, "owner", stranger->owner);
  trp_pack_member_i64(pack, "tid", stranger->tid);
  trp_pack_member_text(pack, "state", "alive");
  trp_pack_member_u64(pack, "cpu_ms", ms(stranger->cpu_ns));
}

void trp_control_pack_threads(struct trp_pack *pack, struct trp_self *self) {
  struct trp_thread_stranger strangers[STRANGERS_MAX];
  struct trp_thread_info info;
  uint64_t now = trp_now_ns(self);
  size_t count = trp_thread_unknown(strangers, STRANGERS_MAX);
  trp_pack_map(pack, 2);
  trp_pack_text(pack, "threads");
  trp_pack_array_open(pack);
  for (size_t i = 0; trp_thread_at(i, &info); i++) pack_thread(pack, &info, now);
  for (size_t i = 0; i < count && i < STRANGERS_MAX; i++) pack_stranger(pack, &strangers[i]);
  trp_pack_array_close(pack);
  trp_pack_member_u64(pack, "not_shown", count > STRANGERS_MAX ? count - STRANGERS_MAX : 0);
}

/* ---- events ---------------------------------------------------------------------------------- */

static const char *cause_text(uint32_t cause) {
  static const char *const text[] = {
      [TRP_CAUSE_ERROR] = "error",   [TRP_CAUSE_PANIC] = "panic", [TRP_CAUSE_EXIT] = "exit",
      [TRP_CAUSE_SIGNAL] = "signal", [TRP_CAUSE_START] = "start", [TRP_CAUSE_STUCK] = "stuck",
      [TRP_CAUSE_LINK] = "link"};
  return cause > 0 && cause < sizeof text / sizeof *text ? text[cause] : "?";
}

static const char *error_text(uint32_t error) {
  return error == TRP_OK ? "" : trp_err_name((enum trp_err)error);
}

/* The fields of the journal's messages that are numbers only because they travel: who watches is
 * told the same words as who asks for the status. */
static const char *word_of(uint16_t type, const char *field, uint32_t number) {
  static const struct {
    uint16_t type;
    const char *field;
    const char *(*text)(uint32_t number);
  } WORDS[] = {
      {TRP_FEED_STATE, "state", trp_feed_state_text}, {TRP_FEED_STATE, "mode", trp_feed_mode_text},
      {TRP_FEED_STATE, "error", error_text},          {TRP_FEED_GAP, "symbol", trp_symbol_name},
      {TRP_THREAD_CRASHED, "cause", cause_text},      {TRP_THREAD_CRASHED, "error", error_text},
      {TRP_EVENT_GAP, "reason", error_text}};
  for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
    if (WORDS[i].type == type && strcmp(WORDS[i].field, field) == 0) return WORDS[i].text(number);
  }
  return NULL;
}

/* The journal keeps so many; a reader that was slow is told how many it missed. */
static void pack_missed(struct trp_pack *pack, uint64_t at_ns, uint64_t missed) {
  trp_pack_map(pack, 4);
  trp_pack_member_text(pack, "event", "JOURNAL_GAP");
  trp_pack_member_u64(pack, "at_ns", at_ns);
  trp_pack_member_text(pack, "actor", "");
  trp_pack_member_u64(pack, "missed", missed);
}

void trp_control_pack_events(struct trp_pack *pack, struct trp_self *self, uint64_t after) {
  struct trp_system *system = trp_self_system(self);
  struct trp_journal_entry entry;
  _Alignas(max_align_t) char body[EVENT_BODY_MAX];
  trp_pack_map(pack, 2);
  trp_pack_text(pack, "events");
  trp_pack_array_open(pack);
  for (int i = 0; i < EVENTS_MAX; i++) {
    if (!trp_system_journal_next(system, after, &entry, body, sizeof body)) break;
    uint64_t missed = after == 0 ? 0 : entry.sequence - after - 1;
    if (missed > 0) pack_missed(pack, entry.at_ns, missed);
    trp_pack_event(pack, entry.at_ns, entry.actor, entry.type, body,
                   entry.bytes < sizeof body ? entry.bytes : sizeof body, word_of);
    after = entry.sequence;
  }
  trp_pack_array_close(pack);
  trp_pack_member_u64(pack, "after", after);
}
