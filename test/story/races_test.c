/* races_test.c - races of starting, cancelling, registering and closing that must stay impossible,
 * each told under many seeds. */
#include <stdio.h>
#include <string.h>

#include "test/story/tale.h"

static struct tale *tale_in(void *state) { return ((struct tale_state *)state)->t; }

/* ---- start-up time-out racing the start ---- */

enum { BEGUN, ENDED };

static enum trp_err count_begin(struct trp_self *self, void *state, const void *args) {
  tale_begin(self, state, args);
  tale_in(state)->count[BEGUN]++;
  return TRP_OK;
}

static void count_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  tale_in(state)->count[ENDED]++;
}

static enum trp_err nothing(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  return TRP_OK;
}

static const struct trp_kind counted = {.name = "counted",
                                        .state_bytes = sizeof(struct tale_state),
                                        .start = count_begin,
                                        .receive = nothing,
                                        .end = count_end};

static void start_on_the_last_moment(struct tale *t) {
  char failure[128];
  tale_add(t, "first", &counted, NULL, 100);
  tale_add(t, "slow", &counted, "first", 100);
  struct trp_actor_info slow;
  assert_true(trp_system_actor(t->system, 1, &slow));
  trp_sim_stall(t->system, slow.ref,
                49 * MS + t->seed % 3 * MS); /* before, at, after the time-out */
  enum trp_err err = trp_system_start(t->system, failure, sizeof failure);
  if (err != TRP_OK) {
    assert_int_equal(err, TRP_START_FAILED);
    assert_non_null(strstr(failure, "slow"));
  }
  if (t->seed % 3 == 0) assert_int_equal(err, TRP_OK); /* in time is in time */
  if (t->seed % 3 == 2) assert_int_equal(err, TRP_START_FAILED);
  const struct trp_report *report = tale_stop(t);
  assert_int_equal(report->verdict, err == TRP_OK ? TRP_VERDICT_CLEAN : TRP_VERDICT_GAVE_UP);
  assert_int_equal(t->count[BEGUN], t->count[ENDED]);
}

static void start_up_time_out_racing_the_start_has_one_winner(void **state) {
  (void)state;
  tale_tell(start_on_the_last_moment);
}

/* ---- work created after the cancel sweep ---- */

static enum trp_err make_work(struct trp_self *self, struct tale *t) {
  uint64_t correlation;
  enum trp_err err = trp_timer_start(self, 3600 * TRP_NS_PER_S, MS, 0, NULL);
  if (err == TRP_OK) {
    err = trp_ask(self, t->ref[0], TALE_WORK, NULL, 0, TRP_FOREVER, &correlation);
  }
  t->count[2] += err == TRP_OK;
  return TRP_OK;
}

static enum trp_err work_at_every_turn(struct trp_self *self, void *state,
                                       const struct trp_msg *msg) {
  struct tale *t = tale_in(state);
  /* The questions were swept away; one more is asked after that. */
  bool swept = msg->type == TRP_ASK_FAILED && t->count[3]++ == 0;
  return swept || msg->type == TALE_GO ? make_work(self, t) : TRP_OK;
}

static void work_at_the_pill(struct trp_self *self, void *state) {
  (void)make_work(self, tale_in(state));
  (void)!trp_send(self, trp_self_ref(self), TALE_GO, NULL, 0); /* and once more, later */
}

static void work_after_the_sweep(struct tale *t) {
  static const struct trp_kind busy = {.name = "busy",
                                       .state_bytes = sizeof(struct tale_state),
                                       .start = tale_begin,
                                       .receive = work_at_every_turn,
                                       .stop = work_at_the_pill};
  tale_add(t, "silent", &tale_parent_kind, NULL, 400);
  tale_add(t, "busy", &busy, NULL, 400);
  assert_int_equal(trp_system_edge(t->system, "busy", "silent"), TRP_OK);
  tale_start(t);
  t->ref[0] = trp_system_whereis(t->system, "silent");
  tale_send(t, "busy", TALE_GO);
  const struct trp_report *report = tale_stop(t);
  assert_int_equal(t->count[2], 4);
  assert_int_equal(t->count[3], 4);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN); /* nobody is cut short for it */
  assert_true(report->elapsed_ns < 400 * MS);
}

static void work_created_after_the_cancel_sweep_does_not_outlive_the_stop(void **state) {
  (void)state;
  tale_tell(work_after_the_sweep);
}

/* ---- joins that time out without escalation ---- */

static void never_comes_back(struct tale *t) {
  tale_add(t, "stuck", &counted, NULL, 100);
  tale_add(t, "after", &counted, NULL, 100);
  tale_add(t, "before", &counted, NULL, 100);
  assert_int_equal(trp_system_edge(t->system, "before", "stuck"), TRP_OK);
  assert_int_equal(trp_system_edge(t->system, "stuck", "after"), TRP_OK);
  tale_start(t);
  trp_sim_stall(t->system, trp_system_whereis(t->system, "stuck"), 3600 * TRP_NS_PER_S);
  const struct trp_report *report = tale_stop(t);
  assert_int_equal(report->verdict, TRP_VERDICT_ABANDONED);
  assert_int_equal(trp_verdict_status(report->verdict), 1);
  assert_string_equal(tale_verdict(t, "stuck"), "abandoned");
  assert_string_equal(tale_verdict(t, "before"), "clean");
  assert_string_equal(tale_verdict(t, "after"), "clean");
  assert_true(report->elapsed_ns <=
              275 * MS); /* before's 125 at most, its own 100, and the grace */
  assert_int_equal(t->count[ENDED], 2);
}

static void joins_that_time_out_are_escalated_on_time_and_said_so(void **state) {
  (void)state;
  tale_tell(never_comes_back);
}

/* ---- subscriptions changed while being iterated, handlers registered during dispatch ---- */

struct watcher {
  struct tale *t;
  uint64_t first, second, late;
};

static enum trp_err change_watches(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct watcher *w = state;
  const struct trp_down *down = trp_msg_down(msg);
  enum trp_err err = TRP_OK;
  if (msg->type == TALE_GO) {
    err = trp_monitor(self, w->t->ref[0], &w->first);
    if (err == TRP_OK) err = trp_monitor(self, w->t->ref[0], &w->second);
  }
  if (down == NULL) return err;
  w->t->count[2]++;
  if (down->monitor == w->late) w->t->count[3]++;
  if (w->t->count[2] > 1) return TRP_OK;
  trp_demonitor(self, w->first); /* both: the one that speaks, and the one that is to speak next */
  trp_demonitor(self, w->second);
  return trp_monitor(self, w->t->ref[0], &w->late); /* and another, of the dead */
}

static enum trp_err die(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == TALE_GO) trp_exit(self);
  return TRP_OK;
}

static void watches_change_in_the_telling(struct tale *t) {
  static const struct trp_kind watcher = {.name = "watcher",
                                          .state_bytes = sizeof(struct watcher),
                                          .start = tale_begin,
                                          .receive = change_watches};
  static const struct trp_kind mortal = {.name = "mortal", .receive = die};
  tale_add(t, "parent", &tale_parent_kind, NULL, 100);
  tale_add(t, "mortal", &mortal, "parent", 100);
  tale_add(t, "one", &watcher, "parent", 100);
  tale_start(t);
  t->ref[0] = trp_system_whereis(t->system, "mortal");
  tale_send(t, "one", TALE_GO);
  tale_send(t, "mortal", TALE_GO);
  trp_sim_run_for(t->system, 100 * MS);
  assert_int_equal(t->count[2], 2); /* the first, and the one made in its handler */
  assert_int_equal(t->count[3], 1);
  assert_int_equal(tale_stop(t)->verdict, TRP_VERDICT_CLEAN);
}

static void subscriptions_changed_while_being_iterated_are_told_once_or_not_at_all(void **state) {
  (void)state;
  tale_tell(watches_change_in_the_telling);
}

static enum trp_err watch_more(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct tale *t = tale_in(state);
  if (msg->type == TRP_UP) t->count[2]++;
  if (msg->type != TALE_GO && (msg->type != TRP_UP || t->count[2] >= 5)) return TRP_OK;
  return trp_watch(self, "parent", NULL); /* from inside the dispatch of the last one's UP */
}

static void handlers_made_in_handlers(struct tale *t) {
  static const struct trp_kind watcher = {.name = "watcher",
                                          .state_bytes = sizeof(struct tale_state),
                                          .start = tale_begin,
                                          .receive = watch_more};
  tale_add(t, "parent", &tale_parent_kind, NULL, 100);
  tale_add(t, "one", &watcher, "parent", 100);
  tale_start(t);
  tale_send(t, "one", TALE_GO);
  trp_sim_run_for(t->system, 100 * MS);
  assert_int_equal(t->count[2], 5); /* each is told once, none twice, none forgotten */
  assert_int_equal(tale_stop(t)->verdict, TRP_VERDICT_CLEAN);
}

static void handlers_registered_during_dispatch_are_told_once(void **state) {
  (void)state;
  tale_tell(handlers_made_in_handlers);
}

/* ---- a task table changed while being cancelled ---- */

enum { TABLE = 24 };

struct table {
  struct tale *t;
  uint64_t due_ns[TABLE], id[TABLE];
  bool cancelled[TABLE];
};

static enum trp_err put_into_table(struct trp_self *self, struct table *s, uint64_t i) {
  uint64_t delay = (1 + trp_random(self) % 4) * MS; /* many at the same time */
  s->due_ns[i] = trp_now_ns(self) + delay;
  s->cancelled[i] = false;
  return trp_timer_start(self, delay, 0, i, &s->id[i]);
}

/* Each task that has its time cancels some of the others, those due now among them, and puts one of
 * them in anew. */
static enum trp_err change_the_table(struct trp_self *self, void *state,
                                     const struct trp_msg *msg) {
  struct table *s = state;
  enum trp_err err = TRP_OK;
  if (msg->type == TALE_GO) {
    for (uint64_t i = 0; i < TABLE && err == TRP_OK; i++) err = put_into_table(self, s, i);
    return err;
  }
  if (msg->type != TRP_TIMER) return TRP_OK;
  uint64_t me = trp_msg_timer(msg)->tag;
  s->t->count[0] += s->cancelled[me];                  /* told although it was cancelled */
  s->t->count[1] += trp_now_ns(self) != s->due_ns[me]; /* not at its time */
  s->t->count[2]++;
  s->cancelled[me] = true;
  if (s->t->count[2] > 500) return TRP_OK;
  uint64_t last = me;
  for (int n = 0; n < 3; n++) {
    last = trp_random(self) % TABLE;
    trp_timer_cancel(self, s->id[last]);
    s->cancelled[last] = true;
  }
  err = put_into_table(self, s, last);
  return err == TRP_OK && last != me ? put_into_table(self, s, me) : err;
}

static void the_table_changes(struct tale *t) {
  static const struct trp_kind kind = {.name = "table",
                                       .state_bytes = sizeof(struct table),
                                       .start = tale_begin,
                                       .receive = change_the_table};
  tale_add(t, "table", &kind, NULL, 100);
  tale_start(t);
  tale_send(t, "table", TALE_GO);
  trp_sim_run_for(t->system, 2000 * MS);
  assert_true(t->count[2] > 100);
  assert_int_equal(t->count[0], 0);
  assert_int_equal(t->count[1], 0);
  assert_int_equal(tale_stop(t)->verdict, TRP_VERDICT_CLEAN);
}

static void a_task_table_changed_while_being_cancelled_keeps_its_order(void **state) {
  (void)state;
  tale_tell(the_table_changes);
}

/* ---- new tasks after "cancel all" ---- */

struct tasks {
  struct tale *t;
  uint64_t timer[3], ask[3];
};

static enum trp_err cancel_all_and_begin_anew(struct trp_self *self, void *state,
                                              const struct trp_msg *msg) {
  struct tasks *s = state;
  enum trp_err err = TRP_OK;
  if (msg->type == TRP_TIMER) s->t->count[trp_msg_timer(msg)->tag]++;
  if (msg->correlation != 0) s->t->count[msg->correlation == s->ask[2] ? 5 : 6]++;
  if (msg->type != TALE_GO) return TRP_OK;
  for (uint64_t i = 0; i < 3 && err == TRP_OK; i++) { /* the third after the sweep */
    if (i == 2) {
      for (int k = 0; k < 2; k++) {
        trp_timer_cancel(self, s->timer[k]);
        trp_ask_cancel(self, s->ask[k]);
      }
    }
    err = trp_timer_start(self, 0, 0, 2 + i, &s->timer[i]);
    if (err == TRP_OK) err = trp_ask(self, s->t->ref[0], TALE_WORK, NULL, 0, 5 * MS, &s->ask[i]);
  }
  for (int k = 0; k < 2; k++) { /* once more: it must not hit those that came after */
    trp_timer_cancel(self, s->timer[k]);
    trp_ask_cancel(self, s->ask[k]);
  }
  return err;
}

static void tasks_after_cancel_all(struct tale *t) {
  static const struct trp_kind tasker = {.name = "tasker",
                                         .state_bytes = sizeof(struct tasks),
                                         .start = tale_begin,
                                         .receive = cancel_all_and_begin_anew};
  tale_add(t, "silent", &tale_parent_kind, NULL, 100);
  tale_add(t, "tasker", &tasker, NULL, 100);
  tale_start(t);
  t->ref[0] = trp_system_whereis(t->system, "silent");
  tale_send(t, "tasker", TALE_GO);
  trp_sim_run_for(t->system, 50 * MS);
  assert_int_equal(t->count[2] + t->count[3] + t->count[6], 0); /* the cancelled are silent */
  assert_int_equal(t->count[4], 1);                             /* the new ones are not */
  assert_int_equal(t->count[5], 1);
  assert_int_equal(tale_stop(t)->verdict, TRP_VERDICT_CLEAN);
}

static void new_tasks_after_cancel_all_are_not_cancelled_with_the_old(void **state) {
  (void)state;
  tale_tell(tasks_after_cancel_all);
}

/* ---- a stop flag seen late ---- */

static void note_pill(struct trp_self *self, void *state) {
  tale_in(state)->count[3] += trp_self_stopping(self);
}

static enum trp_err count_before_and_after(struct trp_self *self, void *state,
                                           const struct trp_msg *msg) {
  (void)msg;
  struct tale *t = tale_in(state);
  t->count[trp_self_stopping(self) ? 5 : 4]++;
  return TRP_OK;
}

static void the_flag_is_seen(struct tale *t) {
  static const struct trp_kind busy = {.name = "busy",
                                       .state_bytes = sizeof(struct tale_state),
                                       .start = tale_begin,
                                       .receive = count_before_and_after,
                                       .stop = note_pill};
  enum { MANY = 500 };
  tale_add(t, "busy", &busy, NULL, 100);
  tale_start(t);
  for (int i = 0; i < MANY; i++) tale_send(t, "busy", TALE_WORK);
  trp_system_stop(t->system, "with much to do");
  while (strcmp(trp_system_state(t->system), "stopping") != 0) {
    assert_true(trp_sim_step(t->system));
  }
  unsigned before = t->count[4]; /* the pill was given in that very step */
  tale_stop(t);
  assert_int_equal(t->count[4], before); /* from the pill on every turn knows */
  assert_int_equal(t->count[4] + t->count[5], MANY);
  assert_int_equal(t->count[3], 1);
}

static void a_stop_flag_is_not_seen_late_but_before_the_mail_that_waits(void **state) {
  (void)state;
  tale_tell(the_flag_is_seen);
}

/* ---- closing twice ---- */

static void close_twice(struct tale *t) {
  tale_add(t, "parent", &counted, NULL, 100);
  tale_add(t, "child", &counted, "parent", 100);
  tale_start(t);
  trp_system_stop(t->system, "once");
  for (uint64_t k = t->seed % 12; k > 0; k--) (void)trp_sim_step(t->system);
  trp_system_stop(t->system, "twice");
  trp_system_stop_now(t->system, "thrice");
  const struct trp_report *report = tale_stop(t);
  trp_system_stop(t->system, "after the end");
  assert_int_equal(trp_system_wait(t->system, 0), TRP_OK);
  assert_string_equal(report->reason, "once");
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  assert_int_equal(t->count[BEGUN], 2);
  assert_int_equal(t->count[ENDED], 2);
}

static void closing_twice_ends_once(void **state) {
  (void)state;
  tale_tell(close_twice);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      tale_test(start_up_time_out_racing_the_start_has_one_winner),
      tale_test(work_created_after_the_cancel_sweep_does_not_outlive_the_stop),
      tale_test(joins_that_time_out_are_escalated_on_time_and_said_so),
      tale_test(subscriptions_changed_while_being_iterated_are_told_once_or_not_at_all),
      tale_test(handlers_registered_during_dispatch_are_told_once),
      tale_test(a_task_table_changed_while_being_cancelled_keeps_its_order),
      tale_test(new_tasks_after_cancel_all_are_not_cancelled_with_the_old),
      tale_test(a_stop_flag_is_not_seen_late_but_before_the_mail_that_waits),
      tale_test(closing_twice_ends_once),
  };
  return cmocka_run_group_tests_name("races", tests, NULL, NULL);
}
