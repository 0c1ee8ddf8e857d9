/* stop.c - the stop: doors close, the pill goes to every actor at once, and each closes when
 * everything upstream has closed and its mailbox is empty; at its soft deadline it is cut short, at
 * the hard one it is abandoned and counts as closed for its downstream.
 *
 * A start that is unwound uses the same machine over a chain, last started first, in which an actor
 * gets its pill only when its turn comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/coordinator.h"
#include "runtime/process.h"
#include "runtime/sched.h"

static const uint64_t CYCLE_LOOK_NS = TRP_NS_PER_MS; /* how often a cycle is looked at */

static struct trp_actor *actor_at(struct trp_coordinator *c, uint32_t i) {
  return trp_slots_at(&c->system->slots, i);
}

static void pill(struct trp_coordinator *c, uint32_t i, uint32_t also) {
  struct trp_stopping *s = &c->actors[i];
  if (s->closed) return;
  uint32_t bits = also;
  if (!s->pilled) {
    s->pilled = true;
    s->asked_ns = trp_env_now_ns(&c->system->env);
    bits |= TRP_SIGNAL_PILL;
  }
  if (also & TRP_SIGNAL_RELEASE) s->released = true;
  struct trp_actor *a = actor_at(c, i);
  trp_actor_signal(a, bits);
  /* A thread that has exited has nobody to hear it: the coordinator is its keeper. */
  if (atomic_load_explicit(&a->thread_exited, memory_order_acquire)) trp_coordinator_tell(a);
}

static void release_component(struct trp_coordinator *c, uint32_t component) {
  struct trp_order *order = &c->plan.order;
  for (uint32_t m = order->members_from[component]; m < order->members_from[component + 1]; m++) {
    pill(c, order->members[m], TRP_SIGNAL_RELEASE);
  }
}

/* Nothing upstream is open: a single actor may close; a cycle must first be quiescent. */
static void component_is_free(struct trp_coordinator *c, uint32_t component) {
  if (!c->plan.order.cyclic[component]) {
    release_component(c, component);
    return;
  }
  c->cycle_due_ns = trp_env_now_ns(&c->system->env);
}

/* Closed for its downstream: it has ended, or was abandoned. */
static void count_closed(struct trp_coordinator *c, uint32_t i) {
  c->actors[i].closed = true;
  c->closed[c->closed_count++] = i;
  c->open--;
  uint32_t edge = 0, component;
  while (trp_plan_closed(&c->plan, i, &edge, &component)) component_is_free(c, component);
}

void trp_stop_notice(struct trp_coordinator *c, uint32_t i) {
  struct trp_actor *a = actor_at(c, i);
  if (trp_actor_state(a) != TRP_ACTOR_GONE) return;
  trp_actor_signal(a, TRP_SIGNAL_LEAVE);
  if (!c->actors[i].closed) count_closed(c, i);
}

/* ---- beginning ---- */

/* While unwinding, each actor waits for the one that was started after it. */
static void make_chain(struct trp_coordinator *c, uint32_t count) {
  for (uint32_t i = count; i-- > 1;) {
    enum trp_err err = trp_graph_add(&c->chain, i, i - 1, false);
    ASSERT(err == TRP_OK || err == TRP_NO_MEMORY);
  }
}

static void set_deadlines(struct trp_coordinator *c, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    uint32_t component = c->plan.order.component[i];
    struct trp_stopping *s = &c->actors[i];
    s->soft_ns = c->pill_ns + c->plan.soft_ns[component];
    s->hard_ns = c->pill_ns + c->plan.hard_ns[component];
    atomic_store_explicit(&actor_at(c, i)->stop_soft_ns, s->soft_ns, memory_order_relaxed);
  }
}

static void make_plan(struct trp_coordinator *c, uint32_t count) {
  uint64_t total_ns = c->system->options.budget_ms * TRP_NS_PER_MS;
  enum trp_err err = TRP_NO_MEMORY;
  uint32_t *budgets = calloc(count + 1, sizeof *budgets);
  for (uint32_t i = 0; budgets != NULL && i < count; i++) {
    bool attached = c->actors[i].attached;
    budgets[i] = attached ? trp_spec_of(actor_at(c, i))->budget_ms : 0;
  }
  if (c->unwinding) make_chain(c, count);
  struct trp_graph *graph = c->unwinding ? &c->chain : &c->system->graph;
  if (budgets != NULL) err = trp_plan_make(&c->plan, graph, count, budgets, total_ns);
  free(budgets);
  if (err != TRP_OK) {
    c->plan = c->spare;
    memset(&c->spare, 0, sizeof c->spare);
    trp_plan_use(&c->plan, count, total_ns);
    trp_system_log(c->system, "system", TRP_LOG_ERROR, "stop.unordered",
                   "no memory for a plan: all stop at once");
    return;
  }
  uint64_t needs_ms = c->plan.longest_ns / TRP_NS_PER_MS;
  if (c->unwinding || needs_ms <= c->system->options.budget_ms) return;
  trp_system_log(c->system, "system", TRP_LOG_WARN, "stop.deadlines_shortened",
                 "needs_ms=%llu budget_ms=%u", (unsigned long long)needs_ms,
                 c->system->options.budget_ms);
}

/* From here on nobody is spawned and no slot is freed; true for those that are still in use count
 * as attached. Returns how many slots there are. */
static uint32_t close_the_books(struct trp_coordinator *c) {
  struct trp_system *system = c->system;
  /* Before any gate is shut: an incarnation that begins now sees it, see trp_life_admit. */
  atomic_store_explicit(&system->stopping, true, memory_order_seq_cst);
  pthread_mutex_lock(&system->slots.lock);
  uint32_t count = atomic_load_explicit(&system->slots.count, memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) {
    struct trp_actor *a = actor_at(c, i);
    if (!a->spawned) continue;
    c->actors[i].attached = atomic_load_explicit(&a->leases, memory_order_acquire) > 0;
  }
  pthread_mutex_unlock(&system->slots.lock);
  return count;
}

void trp_stop_begin(struct trp_coordinator *c) {
  struct trp_system *system = c->system;
  uint32_t count = close_the_books(c);
  trp_system_set_state(system, TRP_STAGE_STOPPING);
  c->pill_ns = trp_env_now_ns(&system->env);
  c->open = count;
  c->cycle_due_ns = TRP_FOREVER;
  c->deadline_due_ns = 0;
  make_plan(c, count);
  c->planned = true;
  set_deadlines(c, count);
  for (uint32_t i = 0; i < count; i++) {
    trp_mailbox_shut(&actor_at(c, i)->mailbox);
    if (!c->unwinding && c->actors[i].attached) pill(c, i, 0);
  }
  for (uint32_t k = 0; k < c->plan.order.components; k++) {
    if (c->plan.waits[k] == 0) component_is_free(c, k);
  }
  /* Slots that never ran have nothing to close; ended ones said so before the plan was there. */
  for (uint32_t i = count; i-- > 0;) {
    if (!c->actors[i].attached && !c->actors[i].closed) count_closed(c, i);
    trp_stop_notice(c, i);
  }
}

/* ---- cycles ---- */

static void look_at_member(struct trp_coordinator *c, uint32_t i, struct trp_cycle_watch *now,
                           bool *idle) {
  struct trp_actor *a = actor_at(c, i);
  if (c->actors[i].closed) return;
  struct trp_mailbox_totals totals;
  trp_mailbox_totals(&a->mailbox, &totals);
  uint64_t turns = atomic_load_explicit(&a->turns, memory_order_acquire);
  now->turns += turns;
  now->accepted += totals.accepted;
  now->handled += totals.taken + totals.evicted + totals.conflated;
  /* Parked: between taking a signal or a node and the turn that follows there is no other sign. */
  uint64_t gate = atomic_load_explicit(&a->mailbox.gate, memory_order_acquire);
  if ((gate & TRP_GATE_PARKED) == 0 || trp_actor_state(a) != TRP_ACTOR_DRAINING ||
      atomic_load_explicit(&a->debts, memory_order_acquire) > 0 ||
      atomic_load_explicit(&a->signals, memory_order_acquire) != 0 ||
      !trp_lane_is_empty(&a->lane)) {
    *idle = false;
  }
}

/* Two equal sums of accepted and handled, with everybody idle in both: nothing is under way. */
static bool is_quiescent(struct trp_coordinator *c, uint32_t component) {
  struct trp_order *order = &c->plan.order;
  struct trp_cycle_watch now = {0}, *last = &c->cycles[component];
  bool idle = true;
  for (uint32_t m = order->members_from[component]; m < order->members_from[component + 1]; m++) {
    look_at_member(c, order->members[m], &now, &idle);
  }
  bool same = idle && now.accepted == now.handled && now.accepted == last->accepted &&
              now.handled == last->handled && now.turns == last->turns;
  now.equal = same ? last->equal + 1 : 0;
  *last = now;
  return now.equal >= 1;
}

static uint64_t look_at_cycles(struct trp_coordinator *c) {
  uint64_t now = trp_env_now_ns(&c->system->env);
  struct trp_order *order = &c->plan.order;
  bool waiting = false;
  for (uint32_t k = 0; k < order->components; k++) {
    if (!order->cyclic[k] || c->plan.waits[k] > 0) continue;
    uint32_t first = order->members[order->members_from[k]];
    if (c->actors[first].released) continue;
    if (is_quiescent(c, k)) {
      release_component(c, k);
    } else {
      waiting = true;
    }
  }
  c->cycle_due_ns = waiting ? now + CYCLE_LOOK_NS : TRP_FOREVER;
  return c->cycle_due_ns;
}

/* ---- deadlines ---- */

/* Who, upstream of this actor, is still open: the one that cut it short. */
static uint32_t open_upstream(struct trp_coordinator *c, uint32_t i) {
  struct trp_order *order = &c->plan.order;
  for (uint32_t e = 0; e < order->edge_count; e++) {
    uint32_t from = order->edges[e].from;
    if (order->edges[e].to == i && from != i && !c->actors[from].closed) return from + 1;
  }
  return 0;
}

static void cut(struct trp_coordinator *c, uint32_t i) {
  struct trp_stopping *s = &c->actors[i];
  s->cut = true;
  if (!s->released) s->cut_by = open_upstream(c, i);
  pill(c, i, TRP_SIGNAL_CUT);
}

/* Taken shortly before the hard deadline, so that abandoning is on time. */
static void take_stack(struct trp_coordinator *c, uint32_t i) {
  struct trp_report_actor *entry = trp_account_entry(c, i);
  c->actors[i].stack_taken = true;
  if (entry == NULL) return;
  trp_system_stack(c->system, trp_actor_ref(actor_at(c, i), 0), entry->stack, sizeof entry->stack);
}

static void abandon(struct trp_coordinator *c, uint32_t i) {
  struct trp_actor *a = actor_at(c, i);
  c->actors[i].abandoned = true;
  struct trp_report_actor *entry = trp_account_entry(c, i);
  char words[1700];
  snprintf(words, sizeof words, "did not stop by its deadline and is abandoned: stack=\"%s\"",
           entry != NULL ? entry->stack : "");
  trp_log_critical(c->system->log, a->name, "stop.abandoned", words);
  trp_life_give_up(a, entry != NULL ? entry->stack : NULL);
  count_closed(c, i);
}

/* What a thread cannot be, a process can; its slot has a moment to see it. */
static bool kill_process(struct trp_coordinator *c, uint32_t i, uint64_t now) {
  const uint64_t moment_ns = 200 * TRP_NS_PER_MS;
  struct trp_actor *a = actor_at(c, i);
  struct trp_stopping *s = &c->actors[i];
  if (s->killed || a->process == NULL || !trp_process_kill(a->process)) return false;
  s->killed = true;
  s->hard_ns = now + moment_ns;
  return true;
}

static uint64_t earliest(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t watch_deadlines(struct trp_coordinator *c) {
  uint64_t now = trp_env_now_ns(&c->system->env), next = TRP_FOREVER;
  bool at_once = atomic_load_explicit(&c->system->stop_now_asked, memory_order_acquire);
  /* Not for each that closes: with a million that would be a million times a million looks. */
  if (now < c->deadline_due_ns && at_once == c->all_cut) return c->deadline_due_ns;
  c->all_cut = at_once;
  uint32_t count = c->plan.order.actors;
  for (uint32_t i = 0; i < count; i++) {
    struct trp_stopping *s = &c->actors[i];
    if (s->closed) continue;
    if (!s->cut && (at_once || now >= s->soft_ns)) cut(c, i);
    uint64_t stack_ns = s->soft_ns + (s->hard_ns - s->soft_ns) / 2;
    if (!s->stack_taken && now >= stack_ns) take_stack(c, i);
    if (now >= s->hard_ns && !kill_process(c, i, now)) {
      abandon(c, i);
      continue;
    }
    next = earliest(next, !s->cut ? s->soft_ns : !s->stack_taken ? stack_ns : s->hard_ns);
  }
  c->deadline_due_ns = next;
  return next;
}

uint64_t trp_stop_step(struct trp_coordinator *c) {
  uint64_t now = trp_env_now_ns(&c->system->env);
  if (now >= c->cycle_due_ns) look_at_cycles(c);
  uint64_t next = earliest(watch_deadlines(c), c->cycle_due_ns);
  if (c->open > 0) return trp_account_take_some(c) ? 0 : next;
  trp_account_close(c);
  trp_system_set_state(c->system, TRP_STAGE_STOPPED);
  return TRP_FOREVER;
}
