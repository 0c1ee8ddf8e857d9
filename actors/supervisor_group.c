#include "actors/supervisor_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A child that may crash so often in its window has no limit worth a memory. */
enum { INTENSITY_MAX = 4095 };

/* ---- who there is ---- */

static enum trp_err add(struct trp_group *g, const struct trp_child *as, bool again) {
  struct trp_supervised *c = &g->children[g->count];
  *c = (struct trp_supervised){.ref = as->ref,
                               .name = as->name,
                               .policy = as->policy,
                               .wanted = true,
                               .inherited = again && as->state == TRP_ACTOR_DOWN,
                               .doom = again ? TRP_DOOM_GROUP : TRP_DOOM_NONE};
  g->count++;
  if (as->policy.intensity > INTENSITY_MAX) return TRP_OK;
  c->crashes_ns = calloc(as->policy.intensity + 1, sizeof *c->crashes_ns);
  return c->crashes_ns != NULL ? TRP_OK : TRP_NO_MEMORY;
}

enum trp_err trp_group_init(struct trp_group *g, struct trp_self *self,
                            enum trp_strategy strategy) {
  bool again = trp_self_incarnation(self) > 1;
  *g = (struct trp_group){.strategy = strategy, .rebuilding = again};
  g->children = calloc(TRP_SUPERVISED_MAX, sizeof *g->children);
  if (g->children == NULL) return TRP_NO_MEMORY;
  struct trp_child as;
  while (trp_child_at(self, g->count, &as)) {
    if (g->count == TRP_SUPERVISED_MAX) return TRP_LIMIT;
    enum trp_err err = add(g, &as, again);
    if (err != TRP_OK) return err;
  }
  return TRP_OK;
}

void trp_group_fini(struct trp_group *g) {
  for (uint32_t i = 0; i < g->count; i++) free(g->children[i].crashes_ns);
  free(g->children);
  *g = (struct trp_group){.count = 0};
}

struct trp_supervised *trp_group_find(struct trp_group *g, uint64_t ref) {
  const uint64_t slot_mask = ~((UINT64_C(1) << 40) - 1); /* a child is its slot, in every life */
  for (uint32_t i = 0; i < g->count; i++) {
    if ((g->children[i].ref.bits & slot_mask) == (ref & slot_mask)) return &g->children[i];
  }
  return NULL;
}

struct trp_supervised *trp_group_find_named(struct trp_group *g, const char *name) {
  for (uint32_t i = 0; i < g->count; i++) {
    if (strcmp(g->children[i].name, name) == 0) return &g->children[i];
  }
  return NULL;
}

/* ---- one child ---- */

void trp_supervised_disarm(struct trp_self *self, struct trp_supervised *c) {
  trp_timer_cancel(self, c->timer);
  c->timer = 0;
  c->backoff = false;
}

void trp_supervised_answer(struct trp_self *self, struct trp_supervised *c, enum trp_err status,
                           const char *text) {
  c->order = TRP_ORDER_NONE;
  if (c->token == 0) return;
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", text);
  (void)trp_reply(self, c->token, TRP_RESULT, &result, sizeof result); /* who asked may be gone */
  c->token = 0;
}

/* ---- what is meant ---- */

void trp_group_doom_siblings(struct trp_group *g, const struct trp_supervised *child) {
  if (g->strategy == TRP_ONE_FOR_ONE) return;
  struct trp_supervised *from =
      g->children + (g->strategy == TRP_ONE_FOR_ALL ? 0 : child - g->children + 1);
  for (struct trp_supervised *c = from; c < g->children + g->count; c++) {
    if (c == child) continue;
    c->doom = TRP_DOOM_GROUP;
    /* Stopped with the others, a temporary one is not brought back; but an operator may want it. */
    if (c->policy.restart == TRP_TEMPORARY && c->order != TRP_ORDER_RESTART) c->wanted = false;
  }
}

void trp_group_close(struct trp_group *g) {
  g->closing = true;
  for (uint32_t i = 0; i < g->count; i++) {
    struct trp_supervised *c = &g->children[i];
    c->wanted = c->backoff = false;
    c->timer = 0; /* the pill has cancelled them all */
    c->doom = TRP_DOOM_GROUP;
  }
}

bool trp_group_is_down(const struct trp_group *g) {
  for (uint32_t i = 0; i < g->count; i++) {
    if (g->children[i].doom != TRP_DOOM_NONE) return false;
  }
  return true;
}

void trp_group_abandon(struct trp_self *self, struct trp_group *g) {
  for (uint32_t i = g->count; i-- > 0;) {
    if (g->children[i].doom != TRP_DOOM_NONE) (void)!trp_child_stop(self, g->children[i].ref);
  }
}

/* ---- the steps ---- */

enum progress {
  DONE,  /* nothing more to do here */
  WAITS, /* something is under way */
  STUCK  /* it does not end, and only an operator wanted it to: it is left to itself */
};

static void look(struct trp_self *self, struct trp_supervised *c, struct trp_child *now) {
  CHECK(trp_child_look(self, c->ref, now));
  c->ref = now->ref;
}

/* Something is under way with this child: until it is done, or takes too long. */
static enum trp_err wait_for(struct trp_self *self, struct trp_group *g, struct trp_supervised *c,
                             const struct trp_child *as, enum progress *progress) {
  uint64_t now = trp_now_ns(self);
  *progress = WAITS;
  if (as->due_ns == 0) return TRP_OK; /* the system's own start: bounded there */
  if (now < as->due_ns) {
    if (c->timer != 0) return TRP_OK;
    return trp_timer_start(self, as->due_ns - now, 0, (uint64_t)(c - g->children), &c->timer);
  }
  bool starts = as->state == TRP_ACTOR_STARTING;
  if (c->doom != TRP_DOOM_ORDER || c->order != TRP_ORDER_NONE) {
    trp_log(self, TRP_LOG_ERROR, "child.stuck", "child=%s doing=%s late_ms=%llu", c->name,
            starts ? "start" : "stop", (unsigned long long)((now - as->due_ns) / TRP_NS_PER_MS));
  }
  if (c->doom != TRP_DOOM_ORDER || c->order != TRP_ORDER_NONE) trp_child_give_up(self, c->ref);
  if (c->doom != TRP_DOOM_ORDER) return TRP_GAVE_UP;
  *progress = STUCK;
  trp_supervised_answer(self, c, TRP_TIMEOUT, "its turn does not return; when it does it ends");
  return TRP_OK;
}

static enum trp_err bring_down(struct trp_self *self, struct trp_group *g, struct trp_supervised *c,
                               enum progress *progress) {
  struct trp_child now;
  look(self, c, &now);
  *progress = DONE;
  switch (now.state) {
    case TRP_ACTOR_NEW:
      return TRP_OK; /* still doomed: it may be started by the system meanwhile */
    case TRP_ACTOR_DOWN:
      if (c->heard != now.ref.bits) break;
      c->doom = TRP_DOOM_NONE;
      return TRP_OK;
    case TRP_ACTOR_GONE:
      c->doom = TRP_DOOM_NONE;
      return TRP_OK;
    case TRP_ACTOR_RUNNING:
      if (now.due_ns != 0) break;
      (void)!trp_child_stop(self, now.ref); /* where it has just ended, that is told in a moment */
      look(self, c, &now);
      break;
    default:
      break; /* it starts, and is stopped then; or it ends already */
  }
  return wait_for(self, g, c, &now, progress);
}

static enum trp_err bring_up(struct trp_self *self, struct trp_group *g, struct trp_supervised *c,
                             enum progress *progress) {
  *progress = DONE;
  if (!c->wanted || c->doom == TRP_DOOM_ORDER) return TRP_OK;
  struct trp_child now;
  look(self, c, &now);
  if (now.state == TRP_ACTOR_DOWN) {
    *progress = WAITS;
    if (c->heard != now.ref.bits) return TRP_OK;
    if (c->backoff) {
      *progress = DONE;
      return TRP_OK;
    }
    enum trp_err err = trp_child_restart(self, now.ref);
    if (err != TRP_OK) return err == TRP_STOPPED ? TRP_OK : err;
    look(self, c, &now);
  }
  /* Its start may be over already: that is told in a moment. */
  return now.state == TRP_ACTOR_STARTING ? wait_for(self, g, c, &now, progress) : TRP_OK;
}

static enum trp_err settle_one(struct trp_self *self, struct trp_group *g,
                               struct trp_supervised *c) {
  enum progress progress = DONE;
  enum trp_err err = TRP_OK;
  if (c->doom != TRP_DOOM_NONE) err = bring_down(self, g, c, &progress);
  if (err != TRP_OK || progress != DONE) return err;
  return bring_up(self, g, c, &progress);
}

/* In a group nobody comes back before the backoff of everybody is over. */
static bool in_backoff(const struct trp_group *g) {
  for (uint32_t i = 0; i < g->count; i++) {
    if (g->children[i].wanted && g->children[i].backoff) return g->strategy != TRP_ONE_FOR_ONE;
  }
  return false;
}

static enum trp_err settle_all(struct trp_self *self, struct trp_group *g) {
  enum progress progress;
  for (uint32_t i = g->count; i-- > 0;) {
    struct trp_supervised *c = &g->children[i];
    if (c->doom == TRP_DOOM_NONE) continue;
    enum trp_err err = bring_down(self, g, c, &progress);
    if (err != TRP_OK || progress == WAITS) return err;
  }
  if (in_backoff(g)) return TRP_OK;
  for (uint32_t i = 0; i < g->count; i++) {
    enum trp_err err = bring_up(self, g, &g->children[i], &progress);
    if (err != TRP_OK || progress == WAITS) return err;
  }
  g->rebuilding = false;
  for (uint32_t i = 0; i < g->count; i++) { /* all others came up: what was new may be it too */
    if (g->children[i].doom == TRP_DOOM_GROUP) g->children[i].doom = TRP_DOOM_NONE;
  }
  return TRP_OK;
}

enum trp_err trp_group_settle(struct trp_self *self, struct trp_group *g,
                              struct trp_supervised *child) {
  if (trp_self_stopping(self) && !g->closing) return TRP_OK; /* children end by themselves */
  bool in_order = g->strategy != TRP_ONE_FOR_ONE || g->rebuilding || g->closing;
  return in_order || child == NULL ? settle_all(self, g) : settle_one(self, g, child);
}
