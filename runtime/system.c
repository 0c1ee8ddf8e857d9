#include "runtime/system.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/budget.h"
#include "runtime/check.h"
#include "runtime/coordinator.h"
#include "runtime/directory.h"
#include "runtime/host.h"
#include "runtime/ledger.h"
#include "runtime/pool.h"
#include "runtime/process.h"
#include "runtime/sched.h"
#include "runtime/symbols.h"

/* ---- making ---- */

bool trp_is_name(const char *name) {
  if (name == NULL || name[0] == '\0' || strlen(name) > TRP_NAME_MAX) return false;
  for (const char *p = name; *p != '\0'; p++) {
    if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && strchr("_.-", *p) == NULL) {
      return false;
    }
  }
  return true;
}

static uint64_t virtual_clock(void *arg) { return trp_env_now_ns(arg); }

static void fill_options(struct trp_system *s, const struct trp_system_options *given) {
  struct trp_system_options *o = &s->options;
  *o = *given;
  if (o->budget_ms == 0) o->budget_ms = 15000;
  s->budget_asked_ms = given->budget_ms;
  o->budget_ms = trp_budget_within(o->budget_ms, o->outer_limit_ms);
  if (o->actors_max == 0) o->actors_max = 4096;
  if (o->log_level == 0) o->log_level = TRP_LOG_INFO;
  if (o->log_fd == 0) o->log_fd = STDERR_FILENO;
  snprintf(s->name, sizeof s->name, "%s", given->name);
  o->name = s->name;
}

static enum trp_err open_parts(struct trp_system *s) {
  bool sim = s->options.sched == TRP_SCHED_SIM;
  struct trp_log_options log = {.fd = s->options.log_fd,
                                .level = (enum trp_log_level)s->options.log_level,
                                .clock = sim ? virtual_clock : NULL,
                                .clock_arg = &s->env,
                                .virtual_time = sim,
                                .threaded = !sim,
                                .owner = s->name};
  enum trp_err err = trp_log_open(&s->log, &log);
  if (err != TRP_OK) return err;
  err = trp_journal_new(&s->journal, 0);
  if (err != TRP_OK) return err;
  s->coordinator = trp_coordinator_new(s);
  s->sched = sim ? trp_sched_sim_new(s) : trp_sched_threads_new(s);
  if (s->coordinator == NULL || s->sched == NULL) return TRP_NO_MEMORY;
  return TRP_OK;
}

enum trp_err trp_system_new(struct trp_system **out, const struct trp_system_options *options) {
  *out = NULL;
  if (options == NULL || !trp_is_name(options->name)) return TRP_INVALID;
  if (options->actors_max > UINT32_C(1) << 20) return TRP_INVALID;
  if (options->workers > TRP_WORKERS_MAX) return TRP_INVALID;
  struct trp_system *s = calloc(1, sizeof *s);
  if (s == NULL) return TRP_NO_MEMORY;
  fill_options(s, options);
  if (options->sched == TRP_SCHED_SIM) {
    trp_env_init_sim(&s->env, options->seed);
  } else {
    trp_env_init_real(&s->env, options->seed);
  }
  pthread_mutex_init(&s->reason_lock, NULL);
  s->changed_fd = -1;
  trp_asks_init(&s->asks);
  trp_graph_init(&s->graph);
  trp_boards_init(&s->boards);
  trp_ring_store_init(&s->rings);
  enum trp_err err = trp_slots_init(&s->slots, s->options.actors_max);
  trp_stack_prepare();
  trp_symbols_load();
  if (options->report_json != NULL) s->report_json = strdup(options->report_json);
  s->options.report_json = s->report_json;
  if (err == TRP_OK) err = open_parts(s);
  if (err != TRP_OK) {
    trp_system_destroy(&s);
    return err;
  }
  *out = s;
  return TRP_OK;
}

static struct trp_actor *find_named(struct trp_system *system, const char *name) {
  pthread_mutex_lock(&system->slots.lock);
  struct trp_actor *a = trp_slots_find(&system->slots, name);
  pthread_mutex_unlock(&system->slots.lock);
  return a;
}

enum trp_err trp_system_edge(struct trp_system *system, const char *from, const char *to) {
  if (trp_system_stage(system) != TRP_STAGE_NEW) return TRP_WRONG_STATE;
  struct trp_actor *a = find_named(system, from), *b = find_named(system, to);
  if (a == NULL || b == NULL) return TRP_NO_ACTOR;
  return trp_graph_add(&system->graph, a->index, b->index, false);
}

/* ---- life ---- */

enum trp_stage trp_system_stage(struct trp_system *system) {
  return (enum trp_stage)atomic_load_explicit(&system->state, memory_order_acquire);
}

static const char *const STATES[] = {"new", "starting", "running", "stopping", "stopped"};

const char *trp_system_state(struct trp_system *system) { return STATES[trp_system_stage(system)]; }

void trp_system_set_state(struct trp_system *system, enum trp_stage state) {
  if (state == TRP_STAGE_STARTING) system->started_ns = trp_env_now_ns(&system->env);
  struct trp_system_state event = {.state = ""};
  snprintf(event.system, sizeof event.system, "%s", system->name);
  snprintf(event.state, sizeof event.state, "%s", STATES[state]);
  pthread_mutex_lock(&system->reason_lock);
  snprintf(event.reason, sizeof event.reason, "%s", system->stop_reason);
  pthread_mutex_unlock(&system->reason_lock);
  trp_system_journal_put(system, "", TRP_SYSTEM_STATE, &event, sizeof event);
  trp_system_log(system, "system", TRP_LOG_INFO, "system.state", "state=%s reason=\"%s\"",
                 event.state, event.reason);
  /* Under the lock, so that who takes changed_fd away (run.c) knows that it is not being written.
   */
  pthread_mutex_lock(&system->reason_lock);
  atomic_store_explicit(&system->state, (int)state, memory_order_release);
  atomic_fetch_add_explicit(&system->changed, 1, memory_order_release);
  system->sched->ops->notify(system->sched, &system->changed);
  if (system->changed_fd >= 0) (void)!eventfd_write(system->changed_fd, 1);
  pthread_mutex_unlock(&system->reason_lock);
}

static enum trp_err wait_for(struct trp_system *system, bool (*there)(struct trp_system *),
                             uint64_t timeout_ns) {
  uint64_t now = trp_env_now_ns(&system->env);
  uint64_t until = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
  for (;;) {
    uint32_t seen = atomic_load_explicit(&system->changed, memory_order_acquire);
    if (there(system)) return TRP_OK;
    if (trp_env_now_ns(&system->env) >= until) return TRP_TIMEOUT;
    system->sched->ops->wait(system->sched, &system->changed, seen, until);
  }
}

static bool has_started(struct trp_system *system) {
  enum trp_stage state = trp_system_stage(system);
  return state == TRP_STAGE_RUNNING || state == TRP_STAGE_STOPPED;
}

static bool has_stopped(struct trp_system *system) {
  return trp_system_stage(system) == TRP_STAGE_STOPPED;
}

static enum trp_err open_directory(struct trp_system *system) {
  uint32_t count = (uint32_t)trp_system_actor_count(system);
  bool wanted = false;
  for (uint32_t i = 0; i < count; i++) {
    wanted = wanted || trp_slots_at(&system->slots, i)->process != NULL;
  }
  return wanted ? trp_directory_open(system) : TRP_OK;
}

enum trp_err trp_system_start_async(struct trp_system *system) {
  if (trp_system_stage(system) != TRP_STAGE_NEW) return TRP_WRONG_STATE;
  enum trp_err err = trp_budget_check_start(system);
  if (err == TRP_OK) err = trp_account_prepare(system);
  if (err == TRP_OK) err = open_directory(system);
  if (err == TRP_OK) err = system->sched->ops->open(system->sched);
  if (err == TRP_OK) trp_coordinator_begin(system);
  return err;
}

enum trp_err trp_system_start(struct trp_system *system, char *failure, size_t failure_bytes) {
  if (failure != NULL && failure_bytes > 0) failure[0] = '\0';
  enum trp_err err = trp_system_start_async(system);
  if (err == TRP_LIMIT && failure != NULL) snprintf(failure, failure_bytes, "%s", system->failure);
  if (err != TRP_OK) return err;
  err = wait_for(system, has_started, TRP_FOREVER);
  if (err != TRP_OK || trp_system_stage(system) == TRP_STAGE_RUNNING) return err;
  pthread_mutex_lock(&system->reason_lock);
  bool failed = system->failure[0] != '\0';
  if (failure != NULL) snprintf(failure, failure_bytes, "%s", system->failure);
  pthread_mutex_unlock(&system->reason_lock);
  return failed ? TRP_START_FAILED : TRP_STOPPED;
}

void trp_system_stop(struct trp_system *system, const char *reason) {
  if (system->host != NULL && trp_host_stop(system->host, reason)) return;
  pthread_mutex_lock(&system->reason_lock);
  if (system->stop_reason[0] == '\0') {
    snprintf(system->stop_reason, sizeof system->stop_reason, "%s",
             reason != NULL ? reason : "asked to");
  }
  pthread_mutex_unlock(&system->reason_lock);
  atomic_store_explicit(&system->stop_asked, true, memory_order_release);
  trp_coordinator_wake(system);
}

void trp_system_stop_now(struct trp_system *system, const char *reason) {
  if (!atomic_exchange_explicit(&system->stop_now_asked, true, memory_order_acq_rel)) {
    trp_system_log(system, "system", TRP_LOG_WARN, "stop.now", "reason=\"%s\"",
                   reason != NULL ? reason : "asked to");
  }
  trp_system_stop(system, reason);
}

void trp_system_root_died(struct trp_system *system, struct trp_actor *root, bool crashed) {
  char reason[160];
  snprintf(reason, sizeof reason, "root %s %s", root->name, crashed ? "crashed" : "ended");
  if (crashed) atomic_store_explicit(&system->gave_up, true, memory_order_release);
  trp_system_stop(system, reason);
}

enum trp_err trp_system_wait(struct trp_system *system, uint64_t timeout_ns) {
  return wait_for(system, has_stopped, timeout_ns);
}

static bool stop_for_destroy(struct trp_system *s) {
  enum trp_stage state = trp_system_stage(s);
  if (state == TRP_STAGE_NEW || state == TRP_STAGE_STOPPED) return true;
  trp_system_stop(s, "destroyed");
  return trp_system_wait(s, s->options.budget_ms * TRP_NS_PER_MS + TRP_NS_PER_S) == TRP_OK;
}

void trp_system_destroy(struct trp_system **system) {
  struct trp_system *s = *system;
  if (s == NULL) return;
  *system = NULL;
  bool whole = s->sched == NULL || stop_for_destroy(s);
  for (size_t i = 0; whole && i < s->report.actor_count; i++) {
    if (s->report.actors[i].abandoned) whole = false;
  }
  if (s->sched != NULL && !s->sched->ops->close(s->sched)) whole = false;
  (void)!trp_log_flush(s->log, 100 * TRP_NS_PER_MS);
  if (!whole) return; /* a thread is still in there: what it may touch is leaked on purpose */
  uint32_t count = atomic_load_explicit(&s->slots.count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) trp_actor_fini(trp_slots_at(&s->slots, i));
  trp_slots_fini(&s->slots);
  trp_ring_store_fini(&s->rings);
  trp_coordinator_destroy(&s->coordinator);
  if (s->sched != NULL) s->sched->ops->destroy(s->sched);
  (void)!trp_log_close(&s->log, TRP_NS_PER_S);
  trp_journal_destroy(&s->journal);
  trp_directory_destroy(&s->directory);
  trp_asks_fini(&s->asks);
  trp_graph_fini(&s->graph);
  trp_boards_fini(&s->boards);
  trp_env_fini(&s->env);
  pthread_mutex_destroy(&s->reason_lock);
  free(s->report.actors);
  free(s->report_json);
  free(s);
}

/* ---- looking ---- */

uint64_t trp_system_now_ns(struct trp_system *system) { return trp_env_now_ns(&system->env); }
const char *trp_system_name(struct trp_system *system) { return system->name; }

uint64_t trp_system_uptime_ns(struct trp_system *system) {
  if (trp_system_stage(system) == TRP_STAGE_NEW) return 0;
  return trp_env_now_ns(&system->env) - system->started_ns;
}

static struct trp_ref ref_of(struct trp_actor *a) {
  pthread_mutex_lock(&a->lock);
  struct trp_ref ref = a->alive ? trp_actor_ref(a, a->life) : TRP_NOBODY;
  pthread_mutex_unlock(&a->lock);
  return ref;
}

struct trp_ref trp_system_whereis(struct trp_system *system, const char *name) {
  if (system->host != NULL) return trp_host_whereis(system->host, name);
  struct trp_actor *a = find_named(system, name);
  return a == NULL ? TRP_NOBODY : ref_of(a);
}

struct trp_actor *trp_system_find_named(struct trp_system *system, const char *name) {
  return find_named(system, name);
}

void trp_notify(struct trp_system *system, struct trp_ref slot) {
  struct trp_actor *a = trp_actor_find(system, slot);
  if (a != NULL) trp_actor_signal(a, TRP_SIGNAL_READY);
}

bool trp_system_thread_lost(struct trp_system *system, int tid) {
  size_t count = trp_system_actor_count(system);
  for (size_t i = 0; tid != 0 && i < count; i++) {
    struct trp_actor *a = trp_slots_at(&system->slots, (uint32_t)i);
    if (atomic_load_explicit(&a->tid, memory_order_relaxed) != tid) continue;
    /* release: pairs with the exchange in the coordinator's bury_if_lost. */
    atomic_store_explicit(&a->thread_lost, true, memory_order_release);
    trp_coordinator_tell(a);
    return true;
  }
  return false;
}

size_t trp_system_actor_count(struct trp_system *system) {
  return atomic_load_explicit(&system->slots.count, memory_order_acquire);
}

/* How long at least the oldest mail waits: a mark is put at the end of the mail that is there, and
 * as long as it has not been reached, everything before it is older than the mark. */
static uint64_t probe_oldest(struct trp_actor *a, uint64_t now, const struct trp_ledger *l) {
  uint64_t out = l->accepted - l->pending, oldest = 0;
  pthread_mutex_lock(&a->lock);
  if (l->pending > 0 && out < a->probe_position) oldest = now - a->probe_ns;
  if (out >= a->probe_position) {
    a->probe_position = l->accepted;
    a->probe_ns = now;
  }
  pthread_mutex_unlock(&a->lock);
  return oldest;
}

static const char *const PLACEMENTS[] = {
    [TRP_THREAD] = "thread", [TRP_POOL] = "pool", [TRP_IO] = "io", [TRP_PROCESS] = "process"};

bool trp_system_actor(struct trp_system *system, size_t i, struct trp_actor_info *out) {
  if (i >= trp_system_actor_count(system)) return false;
  struct trp_actor *a = trp_slots_at(&system->slots, (uint32_t)i);
  memset(out, 0, sizeof *out);
  snprintf(out->name, sizeof out->name, "%s", a->name);
  const struct trp_kind *kind = trp_spec_of(a)->kind;
  if (a->process != NULL) kind = trp_process_kind_of(a->process);
  snprintf(out->kind, sizeof out->kind, "%s", kind->name);
  out->placement = PLACEMENTS[trp_spec_of(a)->placement];
  out->pid = a->process != NULL ? trp_process_pid(a->process) : 0;
  out->state = trp_actor_state(a);
  bool ended = out->state == TRP_ACTOR_DOWN || out->state == TRP_ACTOR_GONE;
  bool given_up = atomic_load_explicit(&a->given_up, memory_order_relaxed);
  if (given_up && !ended) out->state = TRP_ACTOR_STUCK;
  out->tid = atomic_load_explicit(&a->tid, memory_order_relaxed);
  pthread_mutex_lock(&a->lock);
  out->incarnation = a->life;
  out->ref = trp_actor_ref(a, a->life);
  pthread_mutex_unlock(&a->lock);
  out->restarts = atomic_load_explicit(&a->restarts, memory_order_relaxed);
  out->turns = atomic_load_explicit(&a->turns, memory_order_relaxed);
  out->turn_limit_ms = trp_spec_of(a)->turn_limit_ms;
  out->budget_ms = trp_spec_of(a)->budget_ms;
  trp_ledger_read(a, &out->ledger);
  out->depth = out->ledger.pending;
  out->depth_max = atomic_load_explicit(&a->mailbox.depth_max, memory_order_relaxed);
  if (out->depth_max < out->depth) out->depth_max = out->depth;
  out->oldest_ns = probe_oldest(a, trp_env_now_ns(&system->env), &out->ledger);
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    out->held[r] = atomic_load_explicit(&a->held[r], memory_order_relaxed);
  }
  return true;
}

void trp_system_stack(struct trp_system *system, struct trp_ref who, char *out, size_t bytes) {
  const uint64_t wait_ns = 20 * TRP_NS_PER_MS;
  struct trp_actor *a = trp_actor_find(system, who);
  if (bytes > 0) out[0] = '\0';
  int tid = a != NULL ? atomic_load_explicit(&a->tid, memory_order_relaxed) : 0;
  if (tid == 0) return;
  struct trp_stack stack;
  if (trp_stack_of_thread(tid, wait_ns, &stack) == TRP_OK) {
    trp_stack_text(&stack, out, bytes);
  } else {
    trp_stack_proc_state(tid, out, bytes);
  }
}

const struct trp_report *trp_system_report(struct trp_system *system) {
  return trp_system_stage(system) == TRP_STAGE_STOPPED ? &system->report : NULL;
}

/* ---- log and journal ---- */

void trp_system_log(struct trp_system *system, const char *who, enum trp_log_level level,
                    const char *event, const char *format, ...) {
  va_list args;
  va_start(args, format);
  trp_log_write(system->log, who, level, event, format, args);
  va_end(args);
}

void trp_system_log_level(struct trp_system *system, enum trp_log_level level) {
  trp_log_set_level(system->log, level);
}

void trp_system_journal_put(struct trp_system *system, const char *actor, uint16_t type,
                            const void *body, size_t bytes) {
  struct trp_flight_event event = {.at_ns = trp_env_now_ns(&system->env), .type = type};
  memcpy(event.system, system->name, sizeof event.system);
  strncpy(event.actor, actor, TRP_NAME_MAX);
  trp_flight_note(&event);
  trp_journal_put(system->journal, event.at_ns, actor, type, body, bytes);
}

bool trp_system_journal_next(struct trp_system *system, uint64_t after,
                             struct trp_journal_entry *entry, void *body, size_t body_max) {
  return trp_journal_next(system->journal, after, entry, body, body_max);
}
