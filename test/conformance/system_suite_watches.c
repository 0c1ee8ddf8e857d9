/* system_suite_watches.c - who monitors or watches hears of every end, once, and of nothing after
 * it has ended the watch, also from inside a handler. */
#include <string.h>

#include "actors/supervisor.h"
#include "test/conformance/system_suite.h"

enum { MONITOR = WORD + 16, WATCH, END_OLDEST, END_ALL, CRASH, LEAVE };

struct state {
  struct world *w;
  uint64_t id[8];
  unsigned count;
  bool end_all_at_down;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  return TRP_OK;
}

static void end_all(struct trp_self *self, struct state *s) {
  for (unsigned i = 0; i < s->count; i++) trp_demonitor(self, s->id[i]);
}

static enum trp_err observe(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  const struct trp_down *down = trp_msg_down(msg);
  const struct trp_up *up = trp_msg_up(msg);
  if (down != NULL) {
    world_say(s->w, "<down %s %llu %s>", down->name, (unsigned long long)down->incarnation,
              trp_err_name((enum trp_err)down->reason));
    if (s->end_all_at_down) end_all(self, s);
  }
  if (up != NULL) world_say(s->w, "<up %s %llu>", up->name, (unsigned long long)up->incarnation);
  enum trp_err err = TRP_OK;
  switch (msg->type) {
    case MONITOR:
      s->end_all_at_down = word_of(msg) != 0;
      err = trp_monitor(self, s->w->ref[0], &s->id[s->count++]);
      break;
    case WATCH:
      err = trp_watch(self, "target", &s->id[s->count++]);
      break;
    case END_OLDEST:
      trp_demonitor(self, s->id[0]);
      break;
    case END_ALL:
      end_all(self, s);
      break;
    default:
      return TRP_OK;
  }
  world_say(s->w, "<done %s>", trp_err_name(err));
  return TRP_OK;
}

static enum trp_err obey(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == CRASH) return TRP_PROTOCOL;
  if (msg->type == LEAVE) trp_exit(self);
  return TRP_OK;
}

static const struct trp_kind observer = {
    .name = "observer", .state_bytes = sizeof(struct state), .start = start, .receive = observe};
static const struct trp_kind target = {.name = "target", .receive = obey};

static void open_pair(struct world *w, void **state, const struct trp_kind *root) {
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "root", .kind = root, .args = w});
  world_add(w, &(struct trp_spec){.name = "target",
                                  .kind = &target,
                                  .supervisor = "root",
                                  .restart = {.backoff_min_ms = 1, .backoff_max_ms = 1}});
  world_add(w, &(struct trp_spec){.name = "observer", .kind = &observer, .supervisor = "root"});
  world_start(w);
  w->ref[0] = world_find(w, "target");
}

static void order(struct world *w, const char *name, uint16_t type, uint64_t number) {
  assert_int_equal(trp_system_send(w->system, world_find(w, name), type, &number, sizeof number),
                   TRP_OK);
}

static void close_pair(struct world *w) {
  world_stop(w);
  world_close(w);
}

static void a_monitor_hears_of_the_end_and_its_reason_once(void **state) {
  static struct world w;
  open_pair(&w, state, &world_idle_kind);
  order(&w, "observer", MONITOR, 0);
  world_await(&w, "<done OK>");
  order(&w, "target", CRASH, 0);
  world_await(&w, "<down target 1 PROTOCOL>");
  world_pass(&w, 5);
  close_pair(&w);
  assert_int_equal(world_count(&w, "<down"), 1);
}

static void end_slowly(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  struct world *w = ((struct state *)state)->w;
  if (w->sched == TRP_SCHED_THREADS) world_pass(w, 30);
  world_say(w, "<over>");
}

static void who_is_told_down_is_gone(void **state) {
  static const struct trp_kind slow = {.name = "slow",
                                       .state_bytes = sizeof(struct state),
                                       .start = start,
                                       .receive = obey,
                                       .end = end_slowly};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &world_idle_kind});
  world_add(&w, &(struct trp_spec){.name = "target", .kind = &slow, .supervisor = "root"});
  world_add(&w, &(struct trp_spec){.name = "observer", .kind = &observer, .supervisor = "root"});
  world_start(&w);
  w.ref[0] = world_find(&w, "target");
  order(&w, "observer", MONITOR, 0);
  world_await(&w, "<done OK>");
  order(&w, "target", CRASH, 0);
  world_await(&w, "<down target 1 PROTOCOL>");
  assert_true(world_place(&w, "<over>") < world_place(&w, "<down target 1 PROTOCOL>"));
  close_pair(&w);
}

static void a_monitor_of_the_dead_hears_at_once(void **state) {
  static struct world w;
  open_pair(&w, state, &world_idle_kind);
  order(&w, "target", LEAVE, 0);
  while (!trp_ref_is_nobody(world_find(&w, "target"))) world_pass(&w, 1);
  order(&w, "observer", MONITOR, 0);
  world_await(&w, "<down target 1 OK>");
  close_pair(&w);
}

static void every_monitor_hears(void **state) {
  static struct world w;
  open_pair(&w, state, &world_idle_kind);
  for (int i = 0; i < 5; i++) order(&w, "observer", MONITOR, 0);
  order(&w, "observer", END_OLDEST, 0);
  world_await(&w, "<done OK><done OK><done OK><done OK><done OK><done OK>");
  order(&w, "target", CRASH, 0);
  for (int i = 0; i < 4; i++) world_pass(&w, 5);
  close_pair(&w);
  assert_int_equal(world_count(&w, "<down target 1 PROTOCOL>"), 4);
}

static void who_ends_all_monitors_in_the_first_down_hears_no_second(void **state) {
  static struct world w;
  open_pair(&w, state, &world_idle_kind);
  for (int i = 0; i < 5; i++) order(&w, "observer", MONITOR, 1);
  world_await(&w, "<done OK><done OK><done OK><done OK><done OK>");
  order(&w, "target", CRASH, 0);
  world_await(&w, "<down target 1 PROTOCOL>");
  world_pass(&w, 10);
  close_pair(&w);
  assert_int_equal(world_count(&w, "<down"), 1);
}

static void a_watch_follows_the_name_over_restarts(void **state) {
  static struct world w;
  static const struct trp_supervisor_options options = {.strategy = TRP_ONE_FOR_ONE};
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &trp_supervisor_kind, .args = &options});
  world_add(&w, &(struct trp_spec){.name = "target", .kind = &target, .supervisor = "root"});
  world_add(&w, &(struct trp_spec){.name = "observer", .kind = &observer, .supervisor = "root"});
  world_start(&w);
  order(&w, "observer", WATCH, 0);
  world_await(&w, "<up target 1>");
  order(&w, "target", CRASH, 0);
  world_await(&w, "<up target 2>");
  order(&w, "target", CRASH, 0);
  world_await(&w, "<up target 3>");
  assert_true(world_place(&w, "<up target 1>") < world_place(&w, "<down target 1 PROTOCOL>"));
  assert_true(world_place(&w, "<down target 1") < world_place(&w, "<up target 2>"));
  assert_true(world_place(&w, "<up target 2>") < world_place(&w, "<down target 2 PROTOCOL>"));
  order(&w, "observer", END_ALL, 0);
  while (world_count(&w, "<done OK>") < 2) world_pass(&w, 1); /* the first is the watch's own */
  unsigned told = world_count(&w, "target");
  order(&w, "target", CRASH, 0);
  while (world_actor(&w, "target").incarnation < 4) world_pass(&w, 1);
  world_pass(&w, 5);
  assert_int_equal(world_count(&w, "target"), told);
  close_pair(&w);
}

/* ---- who is still starting ---- */

static enum trp_err introduce(struct trp_self *self, void *state, const void *args) {
  start(self, state, args);
  struct state *s = state;
  s->w->ref[0] = trp_self_ref(self);
  enum trp_err err = trp_send(self, s->w->ref[1], MONITOR, &(uint64_t){0}, sizeof(uint64_t));
  if (s->w->sched == TRP_SCHED_SIM) return err;
  for (int i = 0; i < 5000 && !world_said(s->w, "<done OK>"); i++) world_pass(s->w, 1);
  world_pass(s->w, 5);
  return err;
}

static void one_that_is_still_starting_is_not_dead_to_its_monitors(void **state) {
  static const struct trp_kind introducer = {.name = "introducer",
                                             .state_bytes = sizeof(struct state),
                                             .start = introduce,
                                             .receive = obey};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "observer", .kind = &observer});
  world_add(&w, &(struct trp_spec){.name = "target", .kind = &introducer});
  w.ref[1] = (struct trp_ref){UINT64_C(1) << 40 | 1};
  world_start(&w);
  world_await(&w, "<done OK>");
  world_pass(&w, 5);
  assert_false(world_said(&w, "<down"));
  world_stop(&w);
  world_close(&w);
}

static void a_name_that_nobody_bears_cannot_be_watched(void **state) {
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "observer", .kind = &observer});
  world_start(&w);
  order(&w, "observer", WATCH, 0);
  world_await(&w, "<done NO_ACTOR>");
  world_stop(&w);
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_monitor_hears_of_the_end_and_its_reason_once),
    cmocka_unit_test(who_is_told_down_is_gone),
    cmocka_unit_test(a_monitor_of_the_dead_hears_at_once),
    cmocka_unit_test(every_monitor_hears),
    cmocka_unit_test(who_ends_all_monitors_in_the_first_down_hears_no_second),
    cmocka_unit_test(a_watch_follows_the_name_over_restarts),
    cmocka_unit_test(one_that_is_still_starting_is_not_dead_to_its_monitors),
    cmocka_unit_test(a_name_that_nobody_bears_cannot_be_watched),
};
SUITE(suite_watches, "monitors and watches", tests);
