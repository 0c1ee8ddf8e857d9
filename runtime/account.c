/* account.c - the end of a stop: threads joined, doors closed, and the report filled in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/coordinator.h"
#include "runtime/directory.h"
#include "runtime/door.h"
#include "runtime/ledger.h"
#include "runtime/loops.h"
#include "runtime/process.h"
#include "runtime/sched.h"

static const uint64_t JOIN_NS = TRP_NS_PER_S; /* a thread that has left its loop ends at once */

/* Joins the thread and closes the door; false where the thread has not ended by then. */
static bool take_back(struct trp_coordinator *c, uint32_t i, uint64_t until_ns) {
  struct trp_actor *a = trp_slots_at(&c->system->slots, i);
  struct trp_stopping *s = &c->actors[i];
  if (s->taken || s->abandoned) return true;
  if (s->attached && !c->system->sched->ops->detach(c->system->sched, a, until_ns)) return false;
  if (a->door != NULL) trp_door_close(&a->door);
  if (a->process != NULL) trp_process_close(a->process);
  s->taken = true;
  return true;
}

bool trp_account_take_some(struct trp_coordinator *c) {
  enum { AT_ONCE = 32 }; /* then what is due and what has been told is looked at again */
  uint32_t taken = 0;
  while (taken < AT_ONCE && c->closed_taken < c->closed_count) {
    if (!take_back(c, c->closed[c->closed_taken], 0)) break;
    c->closed_taken++;
    taken++;
  }
  return taken > 0;
}

/* ---- the report's entries ---- */

/* Of those that were added each has an entry, at its own index. Then comes one for all that were
 * spawned, and behind it some for those of them of whom there is something to say. */
enum { SPAWNED_ENTRIES = 64 };

static uint32_t added_count(struct trp_system *system) {
  return (uint32_t)(system->report.room - SPAWNED_ENTRIES - 1);
}

enum trp_err trp_account_prepare(struct trp_system *system) {
  struct trp_report *report = &system->report;
  uint32_t count = atomic_load_explicit(&system->slots.count, memory_order_relaxed);
  report->room = count + SPAWNED_ENTRIES + 1;
  report->actors = calloc(report->room, sizeof *report->actors);
  return report->actors == NULL ? TRP_NO_MEMORY : TRP_OK;
}

struct trp_report_actor *trp_account_entry(struct trp_coordinator *c, uint32_t i) {
  struct trp_report *report = &c->system->report;
  uint32_t added = added_count(c->system);
  if (i < added) return &report->actors[i];
  if (c->actors[i].entry == 0) {
    if (report->actor_count <= added) report->actor_count = added + 1;
    if (report->actor_count == report->room) return NULL;
    c->actors[i].entry = (uint32_t)++report->actor_count;
  }
  return &report->actors[c->actors[i].entry - 1];
}

static void judge_actor(struct trp_coordinator *c, uint32_t i, struct trp_report_actor *out) {
  const struct trp_stopping *s = &c->actors[i];
  const struct trp_actor *a = trp_slots_at(&c->system->slots, i);
  const struct trp_farewell *f = &a->farewell;
  const char *verdict = "clean";
  if (s->abandoned) {
    const struct trp_actor *culprit = trp_loops_held_up_by(a);
    out->abandoned = true;
    snprintf(out->verdict, sizeof out->verdict, "abandoned");
    if (culprit != NULL) {
      snprintf(out->verdict, sizeof out->verdict, "held up by %s", culprit->name);
    }
    return; /* what it writes, it may be writing still */
  }
  out->drained = f->asked_ns != 0 ? f->drained : 0;
  out->dropped = f->closed_ns >= c->pill_ns ? f->dropped : 0; /* else it died before the stop */
  bool at_once = atomic_load_explicit(&c->system->stop_now_asked, memory_order_relaxed);
  if (a->spawned && !s->attached) {
    verdict = "clean"; /* it ended before */
  } else if (f->crashed && a->self.incarnation == 1 && trp_crash_cause(a) == TRP_CAUSE_START) {
    verdict = "failed to start"; /* before all else: the unwinding may have come at the same time */
  } else if (f->killed) {
    out->killed = true;
    verdict = "killed";
  } else if (s->attached && s->cut && at_once) {
    verdict = "dropped on order";
  } else if (s->attached && s->cut && s->cut_by != 0) {
    out->late = true;
    snprintf(out->verdict, sizeof out->verdict, "cut short by %s",
             trp_slots_at(&c->system->slots, s->cut_by - 1)->name);
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
  } else if (f->crashed && a->crash->error == TRP_GAVE_UP) {
    verdict = "gave up";
  } else if (f->crashed && f->closed_ns < c->pill_ns) {
    verdict = a->supervisor == NULL ? "crashed" : "was down"; /* before the stop; it says why */
  } else if (!s->attached) {
    verdict = "not started";
  }
  snprintf(out->verdict, sizeof out->verdict, "%s", verdict);
}

static void fill_actor(struct trp_coordinator *c, uint32_t i, struct trp_report_actor *out) {
  struct trp_actor *a = trp_slots_at(&c->system->slots, i);
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

static bool is_noteworthy(const struct trp_report_actor *entry) {
  return entry->abandoned || entry->late || strcmp(entry->verdict, "clean") != 0;
}

static void add_to(struct trp_report_actor *sum, const struct trp_report_actor *one) {
  sum->drained += one->drained;
  sum->dropped += one->dropped;
  if (one->elapsed_ns > sum->elapsed_ns) sum->elapsed_ns = one->elapsed_ns;
  if (one->deadline_ns > sum->deadline_ns) sum->deadline_ns = one->deadline_ns;
  trp_ledger_add(&sum->ledger, &one->ledger);
  for (int r = 0; r < TRP_RES_COUNT; r++) sum->held[r] += one->held[r];
}

/* Those of whom there is nothing to say are one line together. */
static void fill_spawned(struct trp_coordinator *c, uint32_t count) {
  struct trp_report *report = &c->system->report;
  uint32_t added = added_count(c->system), alive = 0;
  if (count == added) return;
  struct trp_report_actor *sum = &report->actors[added];
  if (report->actor_count <= added) report->actor_count = added + 1;
  for (uint32_t i = added; i < count; i++) {
    struct trp_report_actor one = {.drained = 0}, *own = NULL;
    bool lived = c->actors[i].attached;
    fill_actor(c, i, &one);
    alive += lived;
    if (lived && is_noteworthy(&one)) own = trp_account_entry(c, i);
    if (own != NULL) {
      memcpy(one.stack, own->stack, sizeof one.stack);
      *own = one;
    } else {
      add_to(sum, &one);
      sum->late = sum->late || one.late;
      sum->abandoned = sum->abandoned || one.abandoned;
    }
  }
  snprintf(sum->name, sizeof sum->name, "%u spawned", alive);
  snprintf(sum->verdict, sizeof sum->verdict, "%s",
           sum->abandoned ? "some abandoned"
           : sum->late    ? "some late"
                          : "clean");
}

void trp_account_close(struct trp_coordinator *c) {
  struct trp_system *system = c->system;
  struct trp_report *report = &system->report;
  uint32_t count = c->plan.order.actors;
  for (uint32_t i = count; i-- > 0;) {
    uint64_t until = trp_env_now_ns(&system->env) + JOIN_NS;
    if (!take_back(c, i, until)) c->actors[i].abandoned = true;
  }
  if (system->directory != NULL) trp_directory_close_fd(system->directory);
  snprintf(report->system, sizeof report->system, "%s", system->name);
  pthread_mutex_lock(&system->reason_lock);
  snprintf(report->reason, sizeof report->reason, "%s", system->stop_reason);
  pthread_mutex_unlock(&system->reason_lock);
  uint32_t added = added_count(system);
  if (report->actor_count < added) report->actor_count = added;
  for (uint32_t i = 0; i < added; i++) fill_actor(c, i, &report->actors[i]);
  fill_spawned(c, count);
  report->budget_ns = system->options.budget_ms * TRP_NS_PER_MS;
  report->elapsed_ns = trp_env_now_ns(&system->env) - c->pill_ns;
  report->gave_up = atomic_load_explicit(&system->gave_up, memory_order_acquire);
  trp_report_judge(report);
}
