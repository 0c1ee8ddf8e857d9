#include "test/conformance/system_suite.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/actor.h"
#include "runtime/blob.h"
#include "runtime/sim.h"
#include "runtime/system.h"

static const uint64_t PATIENCE_MS = 5000;

static struct world *opened; /* and not closed yet */

/* ---- opening and closing ---- */

void world_open_with(struct world *w, void **state, const struct trp_system_options *options) {
  memset(w, 0, sizeof *w);
  const struct over *over = *state;
  w->sched = over->sched;
  w->placement = over->placement;
  for (int i = 0; i < WORLD_LOOPS; i++) quiet_loop_open(&w->loops[i]);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->thawed, NULL);
  struct trp_system_options all = *options;
  all.sched = w->sched;
  all.log_fd = -1;
  if (all.name == NULL) all.name = "suite";
  if (all.seed == 0) all.seed = 1;
  assert_int_equal(trp_system_new(&w->system, &all), TRP_OK);
  opened = w;
}

void world_open(struct world *w, void **state) {
  world_open_with(w, state, &(struct trp_system_options){.budget_ms = 5000});
}

void world_add_parent(struct world *w, const struct trp_spec *spec) {
  struct trp_spec all = *spec;
  if (all.args == NULL) all.args = w;
  assert_int_equal(trp_system_add(w->system, &all), TRP_OK);
}

void world_add(struct world *w, const struct trp_spec *spec) {
  struct trp_spec all = *spec;
  bool may_be = !all.kind->never_pooled && all.kind != &world_idle_kind && all.loop == NULL;
  if (may_be) all.placement = w->placement;
  if (all.placement == TRP_IO) all.loop = &w->loops[w->added++ % WORLD_LOOPS].loop;
  world_add_parent(w, &all);
}

void world_start(struct world *w) {
  char failure[256];
  enum trp_err err = trp_system_start(w->system, failure, sizeof failure);
  if (err != TRP_OK) fail_msg("start: %s: %s", trp_err_name(err), failure);
}

const struct trp_report *world_wait(struct world *w) {
  assert_int_equal(trp_system_wait(w->system, 10 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(w->system);
  assert_non_null(report);
  assert_true(report->balanced);
  for (int r = 0; r < TRP_RES_COUNT; r++) {
    if (report->left_behind[r] != 0) fail_msg("resource %d is left behind", r);
  }
  return report;
}

const struct trp_report *world_stop(struct world *w) {
  trp_system_stop(w->system, "the test is over");
  return world_wait(w);
}

void world_close(struct world *w) {
  trp_system_destroy(&w->system);
  assert_null(w->system);
  opened = NULL;
  for (int i = 0; i < WORLD_LOOPS; i++) quiet_loop_close(&w->loops[i]);
  assert_int_equal(trp_blob_live(), 0); /* the diary stays to be read, and its lock with it */
}

int world_end(void **state) {
  (void)state;
  struct world *w = opened;
  opened = NULL;
  if (w == NULL) return 0;
  pthread_mutex_lock(&w->lock);
  w->frozen = false;
  pthread_cond_broadcast(&w->thawed);
  pthread_mutex_unlock(&w->lock);
  trp_system_stop_now(w->system, "its test has failed");
  trp_system_destroy(&w->system);
  return 0;
}

/* ---- acting ---- */

struct trp_ref world_find(struct world *w, const char *name) {
  return trp_system_whereis(w->system, name);
}

void world_tell(struct world *w, const char *name, uint64_t number) {
  assert_int_equal(trp_system_send(w->system, world_find(w, name), WORD, &number, sizeof number),
                   TRP_OK);
}

void world_pass(struct world *w, uint64_t ms) {
  if (w->sched == TRP_SCHED_SIM) {
    trp_sim_run_for(w->system, ms * MS);
    return;
  }
  struct timespec nap = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
  nanosleep(&nap, NULL);
}

/* ---- what is awaited ---- */

static void await_signal(struct world *w, const char *name, uint32_t bit) {
  struct trp_actor *a = trp_system_find_named(w->system, name);
  assert_non_null(a);
  for (uint64_t ms = 0; ms < PATIENCE_MS; ms++) {
    bool waits = (atomic_load_explicit(&a->signals, memory_order_relaxed) & bit) != 0;
    bool over = trp_actor_state(a) == TRP_ACTOR_GONE;
    bool taken = bit == TRP_SIGNAL_PILL && trp_actor_state(a) == TRP_ACTOR_DRAINING;
    if (waits || over || taken) return;
    world_pass(w, 1);
  }
  fail_msg("the stop does not reach %s", name);
}

void world_await_pill(struct world *w, const char *name) { await_signal(w, name, TRP_SIGNAL_PILL); }
void world_await_cut(struct world *w, const char *name) { await_signal(w, name, TRP_SIGNAL_CUT); }

void world_await_handled(struct world *w, const char *name, uint64_t messages) {
  for (uint64_t ms = 0; ms < PATIENCE_MS; ms++) {
    if (world_actor(w, name).ledger.handled >= messages) return;
    world_pass(w, 1);
  }
  fail_msg("%s does not handle its mail", name);
}

void world_await_state(struct world *w, const char *name, enum trp_actor_state state) {
  for (uint64_t ms = 0; ms < PATIENCE_MS; ms++) {
    if (world_actor(w, name).state == state) return;
    world_pass(w, 1);
  }
  fail_msg("%s does not come to be %s", name, trp_actor_state_text(state));
}

/* ---- the diary ---- */

void world_say(struct world *w, const char *format, ...) {
  va_list args;
  pthread_mutex_lock(&w->lock);
  size_t room = sizeof w->diary - w->used;
  va_start(args, format);
  int n = vsnprintf(w->diary + w->used, room, format, args);
  va_end(args);
  if (n > 0) w->used += (size_t)n < room ? (size_t)n : room - 1;
  pthread_mutex_unlock(&w->lock);
}

unsigned world_count(struct world *w, const char *words) {
  unsigned n = 0;
  pthread_mutex_lock(&w->lock);
  for (const char *p = w->diary; (p = strstr(p, words)) != NULL; p++) n++;
  pthread_mutex_unlock(&w->lock);
  return n;
}

size_t world_place(struct world *w, const char *words) {
  pthread_mutex_lock(&w->lock);
  const char *found = strstr(w->diary, words);
  size_t place = found == NULL ? 0 : (size_t)(found - w->diary);
  pthread_mutex_unlock(&w->lock);
  if (found == NULL) fail_msg("'%s' was not said: %s", words, w->diary);
  return place;
}

void world_await(struct world *w, const char *words) {
  for (uint64_t waited = 0; waited < PATIENCE_MS && !world_said(w, words); waited++) {
    world_pass(w, 1);
  }
  if (!world_said(w, words)) fail_msg("'%s' was not said: %s", words, w->diary);
}

/* ---- freezing ---- */

enum trp_err world_ready(struct trp_self *self, void *state) {
  (void)state;
  struct world *w = *(struct world **)state;
  pthread_mutex_lock(&w->lock);
  if (w->frozen) {
    w->used += (size_t)snprintf(w->diary + w->used, sizeof w->diary - w->used, "[%s frozen]",
                                trp_self_name(self));
  }
  while (w->frozen) pthread_cond_wait(&w->thawed, &w->lock);
  pthread_mutex_unlock(&w->lock);
  return TRP_OK;
}

void world_freeze(struct world *w, const char *name) {
  if (w->sched == TRP_SCHED_SIM) {
    trp_sim_stall(w->system, world_find(w, name), 3600 * TRP_NS_PER_S);
    return;
  }
  char frozen[64];
  snprintf(frozen, sizeof frozen, "[%s frozen]", name);
  pthread_mutex_lock(&w->lock);
  w->frozen = true;
  pthread_mutex_unlock(&w->lock);
  trp_notify(w->system, world_find(w, name));
  world_await(w, frozen);
}

void world_thaw(struct world *w, const char *name) {
  if (w->sched == TRP_SCHED_SIM) {
    trp_sim_stall(w->system, world_find(w, name), 0);
    return;
  }
  pthread_mutex_lock(&w->lock);
  w->frozen = false;
  pthread_cond_broadcast(&w->thawed);
  pthread_mutex_unlock(&w->lock);
}

/* ---- looking ---- */

struct trp_actor_info world_actor(struct world *w, const char *name) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(w->system, i, &info); i++) {
    if (strcmp(info.name, name) == 0) return info;
  }
  fail_msg("no actor %s", name);
  return info;
}

const struct trp_report_actor *world_verdict(const struct trp_report *report, const char *name) {
  for (size_t i = 0; i < report->actor_count; i++) {
    if (strcmp(report->actors[i].name, name) == 0) return &report->actors[i];
  }
  fail_msg("no actor %s in the report", name);
  return NULL;
}

static enum trp_err ignore(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

const struct trp_kind world_idle_kind = {.name = "idle", .receive = ignore};
