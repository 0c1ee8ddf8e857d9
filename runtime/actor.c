/* actor.c - a block is made and unmade, and the functions that an author calls in a turn. */
#include "runtime/actor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/host.h"
#include "runtime/log.h"
#include "runtime/process.h"
#include "runtime/system.h"

/* ---- the block ---- */

static void set_spec(struct trp_actor *a, const struct trp_spec *spec) {
  /* release: pairs with the acquire in trp_spec_of. */
  atomic_store_explicit(&a->spec, spec, memory_order_release);
}

static enum trp_err make_mailbox(struct trp_actor *a, const struct trp_spec *spec) {
  return spec->placement == TRP_POOL
             ? trp_mailbox_init_small(&a->mailbox, &spec->mailbox, &a->system->rings)
             : trp_mailbox_init(&a->mailbox, &spec->mailbox);
}

enum trp_err trp_actor_init(struct trp_actor *a, struct trp_system *system, uint32_t index,
                            const struct trp_spec *spec, const struct trp_spec *own) {
  memset(a, 0, sizeof *a);
  a->system = system;
  enum trp_err err = make_mailbox(a, spec);
  if (err != TRP_OK) return err;
  if (own->listen != NULL) {
    a->listen = strdup(own->listen);
    if (a->listen == NULL) {
      a->mailbox.ops->fini(&a->mailbox);
      return TRP_NO_MEMORY;
    }
  }
  set_spec(a, spec);
  a->args = own->args;
  a->index = index;
  a->self.actor = a;
  a->anonymous = own->name == NULL;
  if (a->anonymous) snprintf(a->name, sizeof a->name, "spawned-%u", index);
  if (!a->anonymous) snprintf(a->name, sizeof a->name, "%s", own->name);
  a->report_node.kind = TRP_NODE_CHILD;
  a->notice.kind = TRP_NODE_NOTICE;
  pthread_mutex_init(&a->lock, NULL);
  return TRP_OK;
}

void trp_actor_fini(struct trp_actor *a) {
  a->mailbox.ops->fini(&a->mailbox);
  trp_process_destroy(&a->process);
  pthread_mutex_destroy(&a->lock);
  if (a->crash != &a->system->spare_crash) free(a->crash);
  free(a->listen);
}

enum trp_err trp_actor_reuse(struct trp_actor *a, const struct trp_spec *spec, const void *args) {
  enum trp_err err = trp_mailbox_renew(&a->mailbox, &spec->mailbox);
  if (err != TRP_OK) return err;
  set_spec(a, spec);
  a->args = args;
  return TRP_OK;
}

const char *trp_actor_state_text(enum trp_actor_state state) {
  static const char *const texts[] = {"new",  "starting", "running", "draining",
                                      "down", "stuck",    "gone"};
  return (size_t)state < sizeof texts / sizeof *texts ? texts[state] : "?";
}

/* ---- a turn's view ---- */

struct trp_system *trp_self_system(struct trp_self *self) {
  return self->actor->system;
}
const char *trp_self_name(struct trp_self *self) { return self->actor->name; }
uint64_t trp_self_incarnation(struct trp_self *self) { return self->incarnation; }

struct trp_ref trp_self_ref(struct trp_self *self) {
  struct trp_host *host = self->actor->system->host;
  if (host != NULL) return trp_host_self(host);
  return trp_actor_ref(self->actor, self->incarnation);
}

bool trp_self_stopping(struct trp_self *self) {
  return trp_actor_state(self->actor) == TRP_ACTOR_DRAINING;
}

uint64_t trp_now_ns(struct trp_self *self) { return trp_env_now_ns(&self->actor->system->env); }
uint64_t trp_random(struct trp_self *self) { return trp_env_random(&self->actor->system->env); }

struct trp_ref trp_whereis(struct trp_self *self, const char *name) {
  return trp_system_whereis(self->actor->system, name);
}

void trp_exit(struct trp_self *self) { self->exiting = true; }

void trp_ask_cancel(struct trp_self *self, uint64_t correlation) {
  struct trp_ask *ask = self->asks;
  while (ask != NULL && trp_ask_token(ask) != correlation) ask = ask->mine_next;
  if (ask == NULL) return;
  struct trp_host *host = self->actor->system->host;
  if (host != NULL) trp_host_cancel(host, correlation);
  trp_ask_forget(self, ask);
  /* Where an answer is on its way, it comes through the lane and is closed there. */
  (void)trp_ask_abandon(&self->actor->system->asks, ask);
}

enum trp_err trp_timer_start(struct trp_self *self, uint64_t delay_ns, uint64_t period_ns,
                             uint64_t tag, uint64_t *id) {
  uint64_t now = trp_now_ns(self);
  struct trp_timer_entry entry = {
      .due_ns = delay_ns > UINT64_MAX - now ? UINT64_MAX : now + delay_ns,
      .period_ns = period_ns,
      .tag = tag,
      .kind = TRP_TIMER_USER};
  enum trp_err err = trp_timers_add(&self->timers, entry, id);
  if (err == TRP_OK) trp_held(self->actor, TRP_RES_TIMER, 1);
  return err;
}

void trp_timer_cancel(struct trp_self *self, uint64_t id) {
  if (trp_timers_remove(&self->timers, id)) trp_held(self->actor, TRP_RES_TIMER, -1);
}

enum trp_err trp_monitor(struct trp_self *self, struct trp_ref who, uint64_t *id) {
  struct trp_host *host = self->actor->system->host;
  if (host != NULL) return trp_host_monitor(host, who, id);
  struct trp_actor *target = trp_actor_find(self->actor->system, who);
  if (target == NULL) return TRP_NO_ACTOR;
  struct trp_watch *watch = trp_watch_open(self->actor, target, trp_ref_incarnation(who));
  if (watch == NULL) return TRP_NO_MEMORY;
  if (id != NULL) *id = watch->id;
  return TRP_OK;
}

enum trp_err trp_watch(struct trp_self *self, const char *name, uint64_t *id) {
  struct trp_host *host = self->actor->system->host;
  if (host != NULL) return trp_host_watch(host, name, id);
  struct trp_actor *target = trp_system_find_named(self->actor->system, name);
  if (target == NULL) return TRP_NO_ACTOR;
  struct trp_watch *watch = trp_watch_open(self->actor, target, 0);
  if (watch == NULL) return TRP_NO_MEMORY;
  if (id != NULL) *id = watch->id;
  return TRP_OK;
}

void trp_demonitor(struct trp_self *self, uint64_t id) {
  struct trp_host *host = self->actor->system->host;
  if (host != NULL) trp_host_demonitor(host, id);
  struct trp_watch *watch = self->watches;
  while (watch != NULL && watch->id != id) watch = watch->mine_next;
  if (watch != NULL) trp_watch_close(watch);
}

void trp_trap_exits(struct trp_self *self, bool trap) { self->traps = trap; }

static bool lives(struct trp_actor *a, struct trp_ref ref) {
  pthread_mutex_lock(&a->lock);
  bool yes = a->alive && a->life == trp_ref_incarnation(ref);
  pthread_mutex_unlock(&a->lock);
  return yes;
}

enum trp_err trp_edge_add(struct trp_self *self, struct trp_ref from, struct trp_ref to) {
  struct trp_system *system = self->actor->system;
  if (system->host != NULL) return trp_host_edge(system->host, from, to, true);
  struct trp_actor *a = trp_actor_find(system, from), *b = trp_actor_find(system, to);
  if (a == NULL || b == NULL) return TRP_NO_ACTOR;
  enum trp_err err = trp_graph_add(&system->graph, a->index, b->index, true);
  if (err != TRP_OK || (lives(a, from) && lives(b, to))) return err;
  trp_graph_remove(&system->graph, a->index, b->index); /* an end that has ended cannot take it */
  return TRP_NO_ACTOR;
}

void trp_edge_remove(struct trp_self *self, struct trp_ref from, struct trp_ref to) {
  struct trp_system *system = self->actor->system;
  if (system->host != NULL) (void)trp_host_edge(system->host, from, to, false);
  if (system->host != NULL) return;
  struct trp_actor *a = trp_actor_find(system, from), *b = trp_actor_find(system, to);
  if (a != NULL && b != NULL) trp_graph_remove(&system->graph, a->index, b->index);
}

void trp_stop_hold(struct trp_self *self) { self->holds++; }

void trp_stop_release(struct trp_self *self) {
  CHECK(self->holds > 0);
  self->holds--;
}

uint64_t trp_stop_deadline_ns(struct trp_self *self) {
  if (!trp_self_stopping(self)) return TRP_FOREVER;
  uint64_t soft = atomic_load_explicit(&self->actor->stop_soft_ns, memory_order_relaxed);
  return soft != 0 ? soft : TRP_FOREVER;
}

void trp_account(struct trp_self *self, enum trp_resource what, int64_t delta) {
  CHECK(what < TRP_RES_COUNT);
  trp_held(self->actor, what, delta);
}

void trp_log(struct trp_self *self, enum trp_log_level level, const char *event, const char *format,
             ...) {
  struct trp_host *host = self->actor->system->host;
  va_list args;
  va_start(args, format);
  if (host != NULL) trp_host_log(host, level, event, format, args);
  if (host == NULL) {
    trp_log_write(self->actor->system->log, self->actor->name, level, event, format, args);
  }
  va_end(args);
}

void trp_journal(struct trp_self *self, uint16_t type, const void *body, size_t bytes) {
  struct trp_system *system = self->actor->system;
  if (system->host != NULL) {
    trp_host_journal(system->host, type, body, bytes);
  } else {
    trp_system_journal_put(system, self->actor->name, type, body, bytes);
  }
}

/* ---- supervision ---- */

static void look_at(struct trp_actor *a, struct trp_child *out) {
  /* The state before the life: one that is down begins no new life but by its supervisor's order.
   */
  enum trp_actor_state state = trp_actor_state(a);
  pthread_mutex_lock(&a->lock);
  uint64_t life = a->life;
  bool noted = (a->report & TRP_REPORT_NOTED) != 0;
  pthread_mutex_unlock(&a->lock);
  *out = (struct trp_child){.ref = trp_actor_ref(a, life),
                            .name = a->name,
                            .policy = trp_spec_of(a)->restart,
                            .restarts = atomic_load_explicit(&a->restarts, memory_order_relaxed),
                            .start_timeout_ms = trp_spec_of(a)->start_timeout_ms,
                            .state = state,
                            .end_noted = noted,
                            .due_ns = atomic_load_explicit(&a->order_due_ns, memory_order_relaxed)};
}

bool trp_child_at(struct trp_self *self, size_t i, struct trp_child *out) {
  struct trp_system *system = self->actor->system;
  uint32_t count = (uint32_t)trp_system_actor_count(system);
  for (uint32_t k = 0; k < count; k++) {
    struct trp_actor *a = trp_slots_at(&system->slots, k);
    if (a->spawned || a->supervisor != self->actor || i-- > 0) continue;
    look_at(a, out);
    return true;
  }
  return false;
}

static struct trp_actor *child_of(struct trp_self *self, struct trp_ref ref) {
  struct trp_actor *a = trp_actor_find(self->actor->system, ref);
  return a != NULL && a->supervisor == self->actor ? a : NULL;
}

bool trp_child_look(struct trp_self *self, struct trp_ref child, struct trp_child *out) {
  struct trp_actor *a = child_of(self, child);
  if (a != NULL) look_at(a, out);
  return a != NULL;
}

void trp_child_note_end(struct trp_self *self, struct trp_ref life) {
  struct trp_actor *a = child_of(self, life);
  if (a == NULL) return;
  pthread_mutex_lock(&a->lock);
  if (a->life == trp_ref_incarnation(life)) a->report |= TRP_REPORT_NOTED;
  pthread_mutex_unlock(&a->lock);
}

enum trp_err trp_child_restart(struct trp_self *self, struct trp_ref child) {
  struct trp_actor *a = child_of(self, child);
  if (a == NULL) return TRP_NO_ACTOR;
  if (atomic_load_explicit(&a->system->stopping, memory_order_acquire)) return TRP_STOPPED;
  if (trp_actor_state(a) != TRP_ACTOR_DOWN) return TRP_WRONG_STATE;
  /* Nobody but its supervisor starts one that is down, so what is stored here is for that start. */
  uint64_t due = trp_now_ns(self) + trp_spec_of(a)->start_timeout_ms * TRP_NS_PER_MS;
  atomic_store_explicit(&a->order_due_ns, due, memory_order_relaxed);
  /* At once, so that whoever looks sees a start under way, the supervisor's next incarnation too.
   * acq_rel: acquires the end of the old life (see go_down), releases due to who reads the state.
   */
  int down = TRP_ACTOR_DOWN;
  if (!atomic_compare_exchange_strong_explicit(&a->state, &down, TRP_ACTOR_STARTING,
                                               memory_order_acq_rel, memory_order_relaxed)) {
    return TRP_STOPPED; /* gone meanwhile */
  }
  if (atomic_load_explicit(&a->thread_exited, memory_order_acquire)) {
    trp_coordinator_revive(a);
  } else {
    trp_actor_signal(a, TRP_SIGNAL_START);
  }
  return TRP_OK;
}

enum trp_err trp_child_stop(struct trp_self *self, struct trp_ref child) {
  struct trp_actor *a = child_of(self, child);
  if (a == NULL) return TRP_NO_ACTOR;
  if (atomic_load_explicit(&a->system->stopping, memory_order_acquire)) return TRP_STOPPED;
  if (trp_actor_state(a) != TRP_ACTOR_RUNNING) return TRP_WRONG_STATE;
  uint64_t none = 0,
           patience_ms = (uint64_t)trp_spec_of(a)->budget_ms + trp_spec_of(a)->turn_limit_ms;
  uint64_t due = trp_now_ns(self) + patience_ms * TRP_NS_PER_MS;
  atomic_compare_exchange_strong_explicit(&a->order_due_ns, &none, due, memory_order_relaxed,
                                          memory_order_relaxed);
  trp_actor_signal(a, TRP_SIGNAL_ALONE);
  return TRP_OK;
}

enum trp_err trp_child_give_up(struct trp_self *self, struct trp_ref child) {
  struct trp_actor *a = child_of(self, child);
  if (a == NULL) return TRP_NO_ACTOR;
  trp_life_give_up(a, NULL);
  return TRP_OK;
}
