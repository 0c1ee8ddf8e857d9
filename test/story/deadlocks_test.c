/* deadlocks_test.c - waiting in a circle: a consumer that goes before its producer, one that waits
 * for who cancels it, one that unregisters in its own handler. Each ends, under every seed. */
#include "test/story/tale.h"

static struct tale *tale_in(void *state) { return ((struct tale_state *)state)->t; }

/* ---- a consumer stopped before its producers finished ---- */

enum { MANY = 40 };

static enum trp_err consume(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  struct tale *t = tale_in(state);
  t->count[0] += msg->type == TALE_WORK;
  return TRP_OK;
}

/* Each order makes two pieces of work, for a consumer with room for two: it must wait again and
 * again. */
static enum trp_err produce(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct tale *t = tale_in(state);
  if (msg->type != TALE_GO) return TRP_OK;
  for (int i = 0; i < 2; i++) {
    enum trp_err err = trp_send(self, t->ref[0], TALE_WORK, NULL, 0);
    t->count[1] += err == TRP_OK;
    t->count[2] += err != TRP_OK;
  }
  return TRP_OK;
}

/* Orders its children as it is told: to stop the first. */
static enum trp_err stop_first_child(struct trp_self *self, void *state,
                                     const struct trp_msg *msg) {
  struct tale *t = tale_in(state);
  struct trp_child child;
  if (msg->type == TRP_CHILD_ENDED) t->count[4]++;
  if (msg->type != TALE_GO) return TRP_OK;
  return trp_child_at(self, 0, &child) ? trp_child_stop(self, child.ref) : TRP_NO_ACTOR;
}

static const struct trp_kind consumer = {.name = "consumer",
                                         .state_bytes = sizeof(struct tale_state),
                                         .start = tale_begin,
                                         .receive = consume};
static const struct trp_kind producer = {.name = "producer",
                                         .state_bytes = sizeof(struct tale_state),
                                         .start = tale_begin,
                                         .receive = produce};
static const struct trp_kind parent = {.name = "parent",
                                       .state_bytes = sizeof(struct tale_state),
                                       .start = tale_begin,
                                       .receive = stop_first_child};

static void open_line(struct tale *t) {
  struct trp_spec narrow = {.name = "consumer",
                            .kind = &consumer,
                            .args = t,
                            .supervisor = "parent",
                            .mailbox = {.capacity = 2, .policy = TRP_WAIT}};
  tale_add(t, "parent", &parent, NULL, 1000);
  assert_int_equal(trp_system_add(t->system, &narrow), TRP_OK);
  tale_add(t, "producer", &producer, "parent", 1000);
  assert_int_equal(trp_system_edge(t->system, "producer", "consumer"), TRP_OK);
  tale_start(t);
  t->ref[0] = trp_system_whereis(t->system, "consumer");
  for (int i = 0; i < MANY; i++) tale_send(t, "producer", TALE_GO);
}

static void all_is_consumed(struct tale *t) {
  open_line(t);
  trp_sim_stall(t->system, trp_system_whereis(t->system, "producer"), t->seed * MS);
  assert_int_equal(tale_stop(t)->verdict, TRP_VERDICT_CLEAN);
  assert_int_equal(t->count[1], 2 * MANY);
  assert_int_equal(t->count[0], 2 * MANY);
}

static void a_consumer_is_not_stopped_before_its_producers_finished(void **state) {
  (void)state;
  tale_tell(all_is_consumed);
}

static void the_consumer_goes_first(struct tale *t) {
  open_line(t);
  tale_send(t, "parent", TALE_GO);
  trp_sim_run_for(t->system, t->seed * 10000);
  trp_sim_run_for(t->system, 100 * MS);
  assert_int_equal(t->count[4], 1);
  assert_int_equal(t->count[1] + t->count[2], 2 * MANY); /* the producer is not held up by it */
  const struct trp_report *report = tale_stop(t);
  assert_int_equal(report->verdict, TRP_VERDICT_CLEAN);
  const struct trp_ledger *l = &report->actors[1].ledger;
  assert_int_equal(l->offered, 2 * MANY);
  assert_int_equal(l->handled, t->count[0]);
}

static void a_consumer_that_goes_first_holds_no_producer_up(void **state) {
  (void)state;
  tale_tell(the_consumer_goes_first);
}

/* ---- cancelling one that waits for the canceller ---- */

static enum trp_err ask_the_parent(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct tale *t = tale_in(state);
  if (msg->type == TRP_ASK_FAILED) t->count[3]++;
  if (msg->type != TALE_GO) return TRP_OK;
  uint64_t correlation;
  return trp_ask(self, trp_whereis(self, "parent"), TALE_WORK, NULL, 0, TRP_FOREVER, &correlation);
}

static const struct trp_kind asker = {.name = "asker",
                                      .state_bytes = sizeof(struct tale_state),
                                      .start = tale_begin,
                                      .receive = ask_the_parent};

static void the_canceller_is_waited_for(struct tale *t) {
  tale_add(t, "parent", &parent, NULL, 1000);
  tale_add(t, "asker", &asker, "parent", 200);
  tale_start(t);
  tale_send(t, "asker", TALE_GO); /* a question that its parent will never answer */
  trp_sim_run_for(t->system, t->seed % 4 * 1000);
  tale_send(t, "parent", TALE_GO);
  trp_sim_run_for(t->system, 300 * MS);
  assert_int_equal(t->count[3], 1); /* it was told that there will be no answer */
  assert_int_equal(t->count[4], 1); /* and ended within its budget */
  assert_int_equal(tale_stop(t)->verdict, TRP_VERDICT_CLEAN);
}

static void cancelling_one_that_waits_for_the_canceller_ends_in_its_time(void **state) {
  (void)state;
  tale_tell(the_canceller_is_waited_for);
}

static enum trp_err ask_the_other(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct tale *t = tale_in(state);
  if (msg->type != TALE_GO) return TRP_OK;
  bool first = trp_ref_equal(trp_self_ref(self), t->ref[0]);
  return trp_ask(self, t->ref[first ? 1 : 0], TALE_WORK, NULL, 0, TRP_FOREVER, &(uint64_t){0});
}

static void both_wait_for_each_other(struct tale *t) {
  static const struct trp_kind mutual = {.name = "mutual",
                                         .state_bytes = sizeof(struct tale_state),
                                         .start = tale_begin,
                                         .receive = ask_the_other};
  tale_add(t, "one", &mutual, NULL, 400);
  tale_add(t, "two", &mutual, NULL, 400);
  tale_start(t);
  t->ref[0] = trp_system_whereis(t->system, "one");
  t->ref[1] = trp_system_whereis(t->system, "two");
  tale_send(t, "one", TALE_GO);
  tale_send(t, "two", TALE_GO);
  trp_sim_run_for(t->system, 10 * MS);
  assert_int_equal(tale_stop(t)->verdict, TRP_VERDICT_CLEAN);
}

static void two_that_wait_for_each_other_stop_cleanly(void **state) {
  (void)state;
  tale_tell(both_wait_for_each_other);
}

/* ---- unregistering while the handler runs ---- */

struct registered {
  struct tale *t;
  uint64_t watch, timer;
};

static enum trp_err unregister_in_the_handler(struct trp_self *self, void *state,
                                              const struct trp_msg *msg) {
  struct registered *r = state;
  enum trp_err err = TRP_OK;
  switch (msg->type) {
    case TALE_GO:
      err = trp_watch(self, "parent", &r->watch);
      if (err == TRP_OK) err = trp_timer_start(self, MS, MS, 0, &r->timer);
      if (err == TRP_OK) err = trp_edge_add(self, trp_self_ref(self), r->t->ref[0]);
      break;
    case TRP_UP:
      r->t->count[0]++;
      trp_demonitor(self, r->watch); /* the one whose word this is */
      trp_demonitor(self, r->watch);
      trp_edge_remove(self, trp_self_ref(self), r->t->ref[0]);
      trp_edge_remove(self, trp_self_ref(self), r->t->ref[0]);
      err = trp_watch(self, "parent", &r->watch);
      trp_demonitor(self, r->watch); /* and one that has not spoken yet */
      break;
    case TRP_TIMER:
      if (++r->t->count[1] == 3) trp_timer_cancel(self, r->timer);
      break;
    default:
      break;
  }
  return err;
}

static void unregister_inside(struct tale *t) {
  static const struct trp_kind kind = {.name = "registered",
                                       .state_bytes = sizeof(struct registered),
                                       .start = tale_begin,
                                       .receive = unregister_in_the_handler};
  tale_add(t, "parent", &tale_parent_kind, NULL, 1000);
  tale_add(t, "registered", &kind, "parent", 1000);
  tale_start(t);
  t->ref[0] = trp_system_whereis(t->system, "parent");
  tale_send(t, "registered", TALE_GO);
  trp_sim_run_for(t->system, 50 * MS);
  assert_int_equal(t->count[0], 1);
  assert_int_equal(t->count[1], 3);
  assert_int_equal(tale_stop(t)->verdict, TRP_VERDICT_CLEAN);
}

static void unregistering_while_the_handler_runs_hangs_nobody_and_ends_the_telling(void **state) {
  (void)state;
  tale_tell(unregister_inside);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      tale_test(a_consumer_is_not_stopped_before_its_producers_finished),
      tale_test(a_consumer_that_goes_first_holds_no_producer_up),
      tale_test(cancelling_one_that_waits_for_the_canceller_ends_in_its_time),
      tale_test(two_that_wait_for_each_other_stop_cleanly),
      tale_test(unregistering_while_the_handler_runs_hangs_nobody_and_ends_the_telling),
  };
  return cmocka_run_group_tests_name("deadlocks", tests, NULL, NULL);
}
