/* system_suite_links.c - who is linked dies together, unless it traps, is stopping, or the link was
 * undone; and a link leaves nothing behind. */
#include <string.h>

#include "test/conformance/system_suite.h"

enum { LINK = WORD + 16, UNLINK, UNLINK_AT_DOWN, TRAP, CRASH, LEAVE };
enum { A, B, C };
enum { HOLDS }; /* of the world's numbers */

struct state {
  struct world *w;
  bool unlink_at_down;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  return TRP_OK;
}

/* The number of an order says which of world.ref is meant. */
static enum trp_err obey(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct world *w = ((struct state *)state)->w;
  const struct trp_down *down = trp_msg_down(msg);
  if (down != NULL) {
    world_say(w, "<%s hears %s %s>", trp_self_name(self), down->name,
              trp_err_name((enum trp_err)down->reason));
    assert_int_equal(down->monitor, 0);
    if (((struct state *)state)->unlink_at_down) trp_unlink(self, w->ref[C]);
  }
  enum trp_err err = TRP_OK;
  switch (msg->type) {
    case LINK:
      err = trp_link(self, w->ref[word_of(msg)]);
      break;
    case UNLINK:
      trp_unlink(self, w->ref[word_of(msg)]);
      break;
    case TRAP:
      trp_trap_exits(self, word_of(msg) != 0);
      break;
    case CRASH:
      return TRP_PROTOCOL;
    case LEAVE:
      trp_exit(self);
      break;
    case UNLINK_AT_DOWN:
      ((struct state *)state)->unlink_at_down = true;
      break;
    default:
      break;
  }
  if (msg->type != TRP_DOWN) world_say(w, "<%s did>", trp_self_name(self));
  return err;
}

/* In the test that says so, c: it waits for a notice. */
static void hold_at_stop(struct trp_self *self, void *state) {
  struct world *w = ((struct state *)state)->w;
  world_say(w, "<%s stops>", trp_self_name(self));
  if (w->number[HOLDS] != 0 && strcmp(trp_self_name(self), "c") == 0) trp_stop_hold(self);
}

static enum trp_err release(struct trp_self *self, void *state) {
  if (trp_self_stopping(self)) trp_stop_release(self);
  return world_ready(self, state);
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  world_say(((struct state *)state)->w, "<%s %s>", trp_self_name(self),
            reason == TRP_END_CRASHED ? "crashed" : "ended");
}

static const struct trp_kind kind = {.name = "linked",
                                     .state_bytes = sizeof(struct state),
                                     .start = start,
                                     .receive = obey,
                                     .ready = release,
                                     .stop = hold_at_stop,
                                     .end = end};

static void order(struct world *w, const char *name, uint16_t type, uint64_t number) {
  char did[32] = "<x did>";
  did[1] = name[0];
  unsigned before = world_count(w, did);
  assert_int_equal(trp_system_send(w->system, world_find(w, name), type, &number, sizeof number),
                   TRP_OK);
  if (type == CRASH) return;
  for (int i = 0; i < 5000 && world_count(w, did) == before; i++) world_pass(w, 1);
  assert_int_equal(world_count(w, did), before + 1);
}

static void open_three(struct world *w, void **state) {
  static const char *const names[] = {"a", "b", "c"};
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "root", .kind = &world_idle_kind});
  for (int i = 0; i < 3; i++) {
    world_add(w, &(struct trp_spec){.name = names[i], .kind = &kind, .supervisor = "root"});
  }
  world_start(w);
  for (int i = 0; i < 3; i++) w->ref[i] = world_find(w, names[i]);
}

static void close_three(struct world *w) {
  world_stop(w);
  world_close(w);
}

static void who_is_linked_crashes_with_the_other_whoever_made_the_link(void **state) {
  static struct world w;
  open_three(&w, state);
  order(&w, "a", LINK, B);
  order(&w, "c", LINK, B);
  order(&w, "b", LINK, B); /* to oneself: nothing */
  order(&w, "a", CRASH, 0);
  world_await(&w, "<c crashed>"); /* by way of b */
  assert_int_equal(world_count(&w, "<b crashed>"), 1);
  assert_true(world_place(&w, "<a crashed>") < world_place(&w, "<b crashed>"));
  assert_true(world_place(&w, "<b crashed>") < world_place(&w, "<c crashed>"));
  close_three(&w);
}

static void a_quiet_end_hurts_nobody_who_is_linked(void **state) {
  static struct world w;
  open_three(&w, state);
  order(&w, "a", LINK, B);
  order(&w, "b", LEAVE, 0);
  world_await(&w, "<b ended>");
  world_pass(&w, 5);
  order(&w, "a", LINK, A); /* it lives */
  assert_false(world_said(&w, "crashed>"));
  close_three(&w);
}

static void who_traps_hears_of_crashes_and_of_quiet_ends(void **state) {
  static struct world w;
  open_three(&w, state);
  order(&w, "a", TRAP, 1);
  order(&w, "b", LINK, A);
  order(&w, "c", LINK, A);
  order(&w, "b", CRASH, 0);
  world_await(&w, "<a hears b PROTOCOL>");
  order(&w, "c", LEAVE, 0);
  world_await(&w, "<a hears c OK>");
  world_pass(&w, 5);
  assert_int_equal(world_count(&w, "<a hears"), 2);
  order(&w, "a", TRAP, 0);
  close_three(&w);
  assert_true(world_place(&w, "<a stops>") < world_place(&w, "<a ended>"));
}

static void nothing_comes_of_a_link_that_was_undone_by_either(void **state) {
  static struct world w;
  open_three(&w, state);
  order(&w, "a", LINK, B);
  order(&w, "a", LINK, B); /* twice is once */
  order(&w, "a", UNLINK, B);
  order(&w, "c", LINK, B);
  order(&w, "b", UNLINK, C);
  order(&w, "c", UNLINK, B); /* no more there */
  order(&w, "b", CRASH, 0);
  world_await(&w, "<b crashed>");
  world_pass(&w, 5);
  assert_false(world_said(&w, "<a crashed>"));
  assert_false(world_said(&w, "<c crashed>"));
  close_three(&w);
}

/* Both ends of the others are told in one go: the first word undoes the link of the second. */
static void undone_while_the_word_was_on_its_way_it_says_nothing(void **state) {
  static struct world w;
  open_three(&w, state);
  order(&w, "a", TRAP, 1);
  order(&w, "a", LINK, B);
  order(&w, "a", LINK, C);
  order(&w, "a", UNLINK_AT_DOWN, 0);
  world_freeze(&w, "a");
  order(&w, "b", CRASH, 0);
  world_await(&w, "<b crashed>");
  order(&w, "c", CRASH, 0);
  world_await(&w, "<c crashed>");
  world_thaw(&w, "a");
  world_await(&w, "<a hears b PROTOCOL>");
  order(&w, "a", UNLINK, C);
  world_pass(&w, 5);
  assert_false(world_said(&w, "<a hears c"));
  close_three(&w);
}

static void a_link_to_the_dead_is_a_crash_and_to_nobody_an_error(void **state) {
  static struct world w;
  open_three(&w, state);
  order(&w, "b", CRASH, 0);
  world_await(&w, "<b crashed>");
  order(&w, "c", TRAP, 1);
  order(&w, "c", LINK, B);
  world_await(&w, "<c hears b DEAD>");
  order(&w, "a", LINK, B);
  world_await(&w, "<a crashed>");
  struct trp_journal_entry entry = {0};
  struct trp_thread_crashed body;
  uint32_t cause = 0;
  for (uint64_t at = 0; trp_system_journal_next(w.system, at, &entry, &body, sizeof body);
       at = entry.sequence) {
    if (entry.type == TRP_THREAD_CRASHED && strcmp(body.name, "a") == 0) cause = body.cause;
  }
  assert_int_equal(cause, TRP_CAUSE_LINK);
  close_three(&w);
}

static void who_is_stopping_drains_in_peace(void **state) {
  static struct world w;
  open_three(&w, state);
  order(&w, "c", LINK, A);
  w.number[HOLDS] = 1;
  trp_system_stop(w.system, "now");
  world_await(&w, "<c stops>"); /* and holds on */
  world_await(&w, "<a ended>");
  trp_notify(w.system, w.ref[C]);
  assert_int_equal(world_wait(&w)->verdict, TRP_VERDICT_CLEAN);
  assert_true(world_said(&w, "<c ended>"));
  world_close(&w);
}

static void two_that_crash_at_once_leave_nothing_behind(void **state) {
  for (int i = 0; i < 20; i++) {
    static struct world w;
    open_three(&w, state);
    order(&w, "a", LINK, B);
    order(&w, "b", LINK, C);
    order(&w, "c", LINK, A);
    assert_int_equal(trp_system_send(w.system, w.ref[A], CRASH, NULL, 0), TRP_OK);
    (void)!trp_system_send(w.system, w.ref[B], CRASH, NULL, 0);
    (void)!trp_system_send(w.system, w.ref[C], CRASH, NULL, 0);
    world_await(&w, "<a crashed>");
    world_await(&w, "<b crashed>");
    world_await(&w, "<c crashed>");
    close_three(&w);
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_is_linked_crashes_with_the_other_whoever_made_the_link),
    cmocka_unit_test(a_quiet_end_hurts_nobody_who_is_linked),
    cmocka_unit_test(who_traps_hears_of_crashes_and_of_quiet_ends),
    cmocka_unit_test(nothing_comes_of_a_link_that_was_undone_by_either),
    cmocka_unit_test(undone_while_the_word_was_on_its_way_it_says_nothing),
    cmocka_unit_test(a_link_to_the_dead_is_a_crash_and_to_nobody_an_error),
    cmocka_unit_test(who_is_stopping_drains_in_peace),
    cmocka_unit_test(two_that_crash_at_once_leave_nothing_behind),
};
SUITE(suite_links, "links", tests);
