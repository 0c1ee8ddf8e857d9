/* system_suite_timers.c - timers fire in order, can be taken back, and end with the pill. */
#include <string.h>

#include "test/conformance/system_suite.h"

struct state {
  struct world *w;
  uint64_t id[8];
  uint64_t ticks;
};

static void set(struct trp_self *self, struct state *s, uint64_t tag, uint64_t delay_ms,
                uint64_t period_ms) {
  enum trp_err err = trp_timer_start(self, delay_ms * MS, period_ms * MS, tag, &s->id[tag]);
  if (err != TRP_OK) world_say(s->w, "<%s>", trp_err_name(err));
}

static enum trp_err note_timer(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  struct state *s = state;
  const struct trp_timer *timer = trp_msg_timer(msg);
  if (timer == NULL) return TRP_OK;
  bool right = timer->id == s->id[timer->tag];
  world_say(s->w, "<%llu%s>", (unsigned long long)timer->tag, right ? "" : " of another");
  return TRP_OK;
}

static void run(struct world *w, void **state, const struct trp_kind *kind) {
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "clock", .kind = kind});
  world_start(w);
}

/* ---- order ---- */

static enum trp_err start_in_disorder(struct trp_self *self, void *state, const void *args) {
  struct state *s = state;
  memcpy(&s->w, &args, sizeof args);
  set(self, s, 4, 20, 0);
  set(self, s, 1, 0, 0);
  set(self, s, 3, 10, 0);
  set(self, s, 2, 0, 0);
  return TRP_OK;
}

static void timers_fire_by_due_time_and_then_in_the_order_of_starting(void **state) {
  static const struct trp_kind kind = {.name = "order",
                                       .state_bytes = sizeof(struct state),
                                       .start = start_in_disorder,
                                       .receive = note_timer};
  static struct world w;
  run(&w, state, &kind);
  world_await(&w, "<4>");
  assert_string_equal(w.diary, "<1><2><3><4>");
  assert_int_equal(world_actor(&w, "clock").held[TRP_RES_TIMER], 0);
  world_stop(&w);
  world_close(&w);
}

/* ---- cancelling ---- */

static enum trp_err start_equal(struct trp_self *self, void *state, const void *args) {
  struct state *s = state;
  memcpy(&s->w, &args, sizeof args);
  for (uint64_t tag = 1; tag <= 4; tag++) set(self, s, tag, 5, tag == 4 ? 1 : 0);
  return TRP_OK;
}

static enum trp_err cancel_next(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  note_timer(self, state, msg);
  uint64_t tag = trp_msg_timer(msg)->tag;
  if (tag == 1) trp_timer_cancel(self, s->id[2]); /* due already */
  if (tag == 1) trp_timer_cancel(self, 12345);
  if (tag == 3) trp_timer_cancel(self, s->id[3]); /* has fired: nothing to cancel */
  if (tag == 4 && ++s->ticks == 3) trp_timer_cancel(self, s->id[4]);
  return TRP_OK;
}

static void a_cancelled_timer_never_comes_even_if_it_was_due(void **state) {
  static const struct trp_kind kind = {.name = "cancelling",
                                       .state_bytes = sizeof(struct state),
                                       .start = start_equal,
                                       .receive = cancel_next};
  static struct world w;
  run(&w, state, &kind);
  world_await(&w, "<4><4><4>");
  world_pass(&w, 10);
  assert_string_equal(w.diary, "<1><3><4><4><4>");
  assert_int_equal(world_actor(&w, "clock").held[TRP_RES_TIMER], 0);
  world_stop(&w);
  world_close(&w);
}

/* ---- periods ---- */

static enum trp_err start_periodic(struct trp_self *self, void *state, const void *args) {
  struct state *s = state;
  memcpy(&s->w, &args, sizeof args);
  set(self, s, 1, 10, 10);
  return TRP_OK;
}

static void await_ticks(struct world *w, unsigned ticks) {
  for (int ms = 0; ms < 5000 && world_count(w, "<1>") < ticks; ms++) world_pass(w, 1);
  assert_true(world_count(w, "<1>") >= ticks);
}

/* Of 10 ms each, however long the machine took for them: one that was due, and one that was being
 * entered when time was read. */
static void expect_no_more_than_periods(struct world *w, unsigned before, uint64_t since_ns) {
  unsigned made = world_count(w, "<1>") - before;
  uint64_t passed = (trp_system_now_ns(w->system) - since_ns) / (10 * MS);
  if (made > passed + 2) fail_msg("%u ticks in %llu periods", made, (unsigned long long)passed);
}

static void missed_periods_are_not_made_up(void **state) {
  static const struct trp_kind kind = {.name = "periodic",
                                       .state_bytes = sizeof(struct state),
                                       .start = start_periodic,
                                       .receive = note_timer,
                                       .ready = world_ready};
  static struct world w;
  run(&w, state, &kind);
  world_await(&w, "<1>");
  world_freeze(&w, "clock");
  unsigned before = world_count(&w, "<1>");
  world_pass(&w, 105);
  uint64_t thawed_ns = trp_system_now_ns(w.system);
  world_thaw(&w, "clock");
  await_ticks(&w, before + 1);
  expect_no_more_than_periods(&w, before, thawed_ns);
  await_ticks(&w, before + 20); /* and the rhythm goes on */
  expect_no_more_than_periods(&w, before, thawed_ns);
  assert_int_equal(world_actor(&w, "clock").held[TRP_RES_TIMER], 1);
  world_stop(&w);
  world_close(&w);
}

/* ---- the pill ---- */

static void start_one_more(struct trp_self *self, void *state) {
  struct state *s = state;
  world_say(s->w, "<pill>");
  set(self, s, 2, 3600 * 1000, 0); /* holds nothing up: it dies with the incarnation */
}

static void the_pill_cancels_timers_and_new_ones_hold_nothing_up(void **state) {
  static const struct trp_kind kind = {.name = "stopping",
                                       .state_bytes = sizeof(struct state),
                                       .start = start_periodic,
                                       .receive = note_timer,
                                       .stop = start_one_more};
  static struct world w;
  run(&w, state, &kind);
  const struct trp_report *report = world_stop(&w);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_non_null(strstr(w.diary, "<pill>"));
  assert_null(strstr(strstr(w.diary, "<pill>"), "<1>"));
  assert_int_equal(report->actors[0].held[TRP_RES_TIMER], 0);
  world_close(&w);
}

/* ---- far away ---- */

static enum trp_err start_far(struct trp_self *self, void *state, const void *args) {
  struct state *s = state;
  memcpy(&s->w, &args, sizeof args);
  enum trp_err err = trp_timer_start(self, UINT64_MAX, 0, 1, NULL);
  if (err == TRP_OK) err = trp_timer_start(self, 0, UINT64_MAX, 2, &s->id[2]);
  return err;
}

static void times_beyond_all_time_do_not_wrap(void **state) {
  static const struct trp_kind kind = {.name = "far",
                                       .state_bytes = sizeof(struct state),
                                       .start = start_far,
                                       .receive = note_timer};
  static struct world w;
  run(&w, state, &kind);
  world_await(&w, "<2>");
  world_pass(&w, 10);
  assert_string_equal(w.diary, "<2>");
  world_stop(&w);
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(timers_fire_by_due_time_and_then_in_the_order_of_starting),
    cmocka_unit_test(a_cancelled_timer_never_comes_even_if_it_was_due),
    cmocka_unit_test(missed_periods_are_not_made_up),
    cmocka_unit_test(the_pill_cancels_timers_and_new_ones_hold_nothing_up),
    cmocka_unit_test(times_beyond_all_time_do_not_wrap),
};
SUITE(suite_timers, "timers", tests);
