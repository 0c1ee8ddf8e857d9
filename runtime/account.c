/* account.c - the end of a stop: threads joined, doors closed, and the report filled in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/coordinator.h"
#include "runtime/door.h"
#include "runtime/ledger.h"
#include "runtime/sched.h"

static const uint64_t JOIN_NS = TRP_NS_PER_S; /* a thread that has left its loop ends at once */

/* Joins the thread and closes the door; false where the thread has not ended by then. */
static bool take_back(struct trp_coordinator *c, uint32_t i, uint64_t until_ns) {
  struct trp_actor *a = c->system->actors[i];
  struct trp_stopping *s = &c->actors[i];
  if (s->taken || s->abandoned) return true;
  if (s->attached && !c->system->sched->ops->detach(c->system->sched, a, until_ns)) return false;
  if (a->door != NULL) trp_door_close(&a->door);
  s->taken = true;
  return true;
}

bool trp_account_take_some(struct trp_coordinator *c) {
  enum { AT_ONCE = 32 }; /* then what is due and what has been told is looked at again */
  uint32_t count = c->plan.order.actors, taken = 0;
  for (uint32_t looked = 0; looked < count && taken < AT_ONCE; looked++) {
    uint32_t i = c->take_next++ % count;
    if (!c->actors[i].closed || c->actors[i].taken || c->actors[i].abandoned) continue;
    taken += take_back(c, i, 0);
  }
  return taken > 0;
}

static void judge_actor(struct trp_coordinator *c, uint32_t i, struct trp_report_actor *out) {
  const struct trp_stopping *s = &c->actors[i];
  const struct trp_actor *a = c->system->actors[i];
  const struct trp_farewell *f = &a->farewell;
  const char *verdict = "clean";
  if (s->abandoned) {
    out->abandoned = true;
    snprintf(out->verdict, sizeof out->verdict, "abandoned");
    return; /* what it writes, it may be writing still */
  }
  out->drained = f->asked_ns != 0 ? f->drained : 0;
  out->dropped = f->closed_ns >= c->pill_ns ? f->dropped : 0; /* else it died before the stop */
  bool at_once = atomic_load_explicit(&c->system->stop_now_asked, memory_order_relaxed);
  if (f->crashed && a->self.incarnation == 1 && a->crash.cause == TRP_CAUSE_START) {
    verdict = "failed to start"; /* before all else: the unwinding may have come at the same time */
  } else if (s->attached && s->cut && at_once) {
    verdict = "dropped on order";
  } else if (s->attached && s->cut && s->cut_by != 0) {
    out->late = true;
    snprintf(out->verdict, sizeof out->verdict, "cut short by %s",
             c->system->actors[s->cut_by - 1]->name);
    return;
  } else if (s->attached && s->cut) {
    out->late = true;
    verdict = "late";
  } else if (f->crashed && f->closed_ns >= c->pill_ns) {
    out->late = true;
    verdict = "crashed";
  } else if (f->cleanup_failed) {
    out->late = true;
    verdict = "clean-up failed";
  } else if (f->crashed && a->crash.error == TRP_GAVE_UP) {
    verdict = "gave up";
  } else if (f->crashed && f->closed_ns < c->pill_ns) {
    verdict = a->supervisor == NULL ? "crashed" : "was down"; /* before the stop; it says why */
  } else if (!s->attached) {
    verdict = "not started";
  }
  snprintf(out->verdict, sizeof out->verdict, "%s", verdict);
}

static void fill_actor(struct trp_coordinator *c, uint32_t i, struct trp_report_actor *out) {
  struct trp_actor *a = c->system->actors[i];
  const struct trp_stopping *s = &c->actors[i];
  snprintf(out->name, sizeof out->name, "%s", a->name);
  judge_actor(c, i, out);
  uint64_t now = trp_env_now_ns(&c->system->env);
  uint64_t end = s->abandoned ? now : a->farewell.closed_ns;
  uint64_t asked = s->asked_ns != 0 ? s->asked_ns : c->pill_ns;
  out->elapsed_ns = end > asked ? end - asked : 0;
  out->deadline_ns = s->hard_ns > c->pill_ns ? s->hard_ns - c->pill_ns : 0;
  trp_ledger_read(a, &out->ledger);
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    out->held[r] = atomic_load_explicit(&a->held[r], memory_order_relaxed);
  }
  if (s->abandoned) out->held[TRP_RES_THREAD]++;
  if (!s->abandoned) out->stack[0] = '\0';
}

void trp_account_close(struct trp_coordinator *c) {
  struct trp_system *system = c->system;
  struct trp_report *report = &system->report;
  uint32_t count = c->plan.order.actors;
  for (uint32_t i = count; i-- > 0;) {
    uint64_t until = trp_env_now_ns(&system->env) + JOIN_NS;
    if (!take_back(c, i, until)) c->actors[i].abandoned = true;
  }
  snprintf(report->system, sizeof report->system, "%s", system->name);
  pthread_mutex_lock(&system->reason_lock);
  snprintf(report->reason, sizeof report->reason, "%s", system->stop_reason);
  pthread_mutex_unlock(&system->reason_lock);
  report->actor_count = count;
  for (uint32_t i = 0; i < count; i++) fill_actor(c, i, &report->actors[i]);
  report->budget_ns = system->options.budget_ms * TRP_NS_PER_MS;
  report->elapsed_ns = trp_env_now_ns(&system->env) - c->pill_ns;
  report->gave_up = atomic_load_explicit(&system->gave_up, memory_order_acquire);
  trp_report_judge(report);
}
