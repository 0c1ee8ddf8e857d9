/* system_suite_asks.c - questions: each ends in exactly one of answer, time-out and death. */
#include <string.h>

#include "test/conformance/system_suite.h"

enum { ECHO = WORD + 16, KEEP, PASS, CRASH, LEAVE, REPLY_NOW, REPLY_TWICE, LARGE };

/* ref[0] is the asked one, ref[1] another; number[0] what to ask, number[1] the time-out in ms. */
struct state {
  struct world *w;
  uint64_t token, correlation;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  return TRP_OK;
}

static enum trp_err answer(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  static const char large[TRP_INLINE_BYTES + 1];
  uint64_t got = word_of(msg) + 1;
  switch (msg->type) {
    case ECHO:
      trp_reply(self, msg->token, ANSWER, &got, sizeof got);
      break;
    case LARGE:
      trp_reply(self, msg->token, ANSWER, large, sizeof large);
      break;
    case KEEP:
      s->token = msg->token;
      break;
    case PASS:
      return trp_send(self, s->w->ref[1], REPLY_NOW, &msg->token, sizeof msg->token);
    case CRASH:
      trp_panic("asked to crash");
    case LEAVE:
      trp_exit(self);
      break;
    case REPLY_NOW: {
      uint64_t token = word_of(msg) != 0 ? word_of(msg) : s->token;
      enum trp_err err = trp_reply(self, token, ANSWER, &got, sizeof got);
      world_say(s->w, "<%s replied: %s>", trp_self_name(self), trp_err_name(err));
      break;
    }
    case REPLY_TWICE:
      for (int i = 0; i < 2; i++) {
        world_say(s->w, "<reply %d: %s>", i,
                  trp_err_name(trp_reply(self, msg->token, ANSWER, &got, sizeof got)));
      }
      break;
    default:
      break;
  }
  return TRP_OK;
}

/* Told WORD 0 it asks, told WORD 1 it asks and cancels in the same turn, WORD 2: cancels. */
static enum trp_err ask(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  if (msg->correlation != 0) {
    const struct trp_ask_failed *failed = trp_msg_ask_failed(msg);
    const char *how = failed != NULL ? trp_err_name((enum trp_err)failed->status) : "answer";
    bool mine = msg->correlation == s->correlation;
    world_say(s->w, "<%s %s %llu>", how, mine ? "mine" : "strange",
              failed != NULL ? 0 : (unsigned long long)word_of(msg));
    return TRP_OK;
  }
  if (msg->type != WORD) return TRP_OK;
  if (word_of(msg) != 2) {
    uint64_t x = 41, timeout = s->w->number[1] == 0 ? TRP_FOREVER : s->w->number[1] * MS;
    enum trp_err err = trp_ask(self, s->w->ref[0], (uint16_t)s->w->number[0], &x, sizeof x, timeout,
                               &s->correlation);
    world_say(s->w, "<asked %s>", trp_err_name(err));
  }
  if (word_of(msg) != 0) trp_ask_cancel(self, s->correlation);
  return TRP_OK;
}

static const struct trp_kind answerer = {
    .name = "answerer", .state_bytes = sizeof(struct state), .start = start, .receive = answer};
static const struct trp_kind asker = {
    .name = "asker", .state_bytes = sizeof(struct state), .start = start, .receive = ask};

static void open_three(struct world *w, void **state, uint64_t question, uint64_t timeout_ms) {
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "root", .kind = &world_idle_kind});
  world_add(w, &(struct trp_spec){.name = "asked", .kind = &answerer, .supervisor = "root"});
  world_add(w, &(struct trp_spec){.name = "other", .kind = &answerer, .supervisor = "root"});
  world_add(w, &(struct trp_spec){.name = "asker", .kind = &asker, .supervisor = "root"});
  world_start(w);
  w->ref[0] = world_find(w, "asked");
  w->ref[1] = world_find(w, "other");
  w->number[0] = question;
  w->number[1] = timeout_ms;
}

static void close_three(struct world *w) {
  world_stop(w);
  world_close(w);
}

static void an_answer_comes_with_the_correlation_of_its_ask(void **state) {
  static struct world w;
  open_three(&w, state, ECHO, 2000);
  world_tell(&w, "asker", 0);
  world_await(&w, "<answer mine 42>");
  assert_int_equal(world_actor(&w, "asker").held[TRP_RES_ASK], 0);
  close_three(&w);
  assert_int_equal(world_count(&w, " mine "), 1);
}

static void an_ask_that_nobody_answers_times_out_and_a_late_answer_is_dropped(void **state) {
  static struct world w;
  open_three(&w, state, KEEP, 20);
  world_tell(&w, "asker", 0);
  world_await(&w, "<asked OK>");
  assert_int_equal(world_actor(&w, "asker").held[TRP_RES_ASK], 1);
  world_await(&w, "<TIMEOUT mine 0>");
  assert_int_equal(world_actor(&w, "asker").held[TRP_RES_ASK], 0);
  uint64_t stored = 0;
  assert_int_equal(trp_system_send(w.system, w.ref[0], REPLY_NOW, &stored, sizeof stored), TRP_OK);
  world_await(&w, "<asked replied: DEAD>");
  world_pass(&w, 5);
  close_three(&w);
  assert_int_equal(world_count(&w, " mine "), 1);
}

static void a_late_answer_never_reaches_the_next_ask(void **state) {
  static struct world w;
  open_three(&w, state, KEEP, 10);
  world_tell(&w, "asker", 0);
  world_await(&w, "<TIMEOUT mine 0>");
  w.ref[0] = w.ref[1]; /* the next question, to the other, may get the same record */
  w.number[1] = 50;
  world_tell(&w, "asker", 0);
  uint64_t stored = 0;
  struct trp_ref asked = world_find(&w, "asked");
  assert_int_equal(trp_system_send(w.system, asked, REPLY_NOW, &stored, sizeof stored), TRP_OK);
  world_await(&w, "<asked replied: DEAD>");
  world_pass(&w, 60);
  assert_int_equal(world_count(&w, "<TIMEOUT mine 0>"), 2);
  assert_false(world_said(&w, "<answer"));
  close_three(&w);
}

static void the_crash_of_the_asked_is_the_answer(void **state) {
  static struct world w;
  open_three(&w, state, CRASH, 0);
  world_tell(&w, "asker", 0);
  world_await(&w, "<DEAD mine 0>");
  world_tell(&w, "asker", 0);
  world_await(&w, "<asked DEAD>");
  assert_int_equal(world_actor(&w, "asker").held[TRP_RES_ASK], 0);
  close_three(&w);
  assert_int_equal(world_count(&w, " mine "), 1);
}

static void the_end_of_who_keeps_the_question_is_the_answer(void **state) {
  static struct world w;
  open_three(&w, state, KEEP, 0);
  world_tell(&w, "asker", 0);
  world_await(&w, "<asked OK>");
  assert_int_equal(trp_system_send(w.system, w.ref[0], LEAVE, NULL, 0), TRP_OK);
  world_await(&w, "<DEAD mine 0>");
  close_three(&w);
}

static void a_cancelled_ask_hears_nothing(void **state) {
  static struct world w;
  open_three(&w, state, ECHO, 30);
  for (int i = 0; i < 20; i++) world_tell(&w, "asker", 1);
  w.number[0] = KEEP;
  world_tell(&w, "asker", 0);
  world_tell(&w, "asker", 2);
  world_pass(&w, 60);
  if (world_count(&w, "<asked OK>") != 21) fail_msg("asked otherwise: %s", w.diary);
  assert_int_equal(world_count(&w, " mine "), 0);
  assert_int_equal(world_count(&w, " strange "), 0);
  assert_int_equal(world_actor(&w, "asker").held[TRP_RES_ASK], 0);
  close_three(&w);
}

/* Two answers wait for it; in the first one's turn it cancels the second. */
static enum trp_err ask_two(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  if (msg->correlation != 0) {
    world_say(s->w, "<answer>");
    trp_ask_cancel(self, msg->correlation == s->token ? s->correlation : s->token);
    return TRP_OK;
  }
  uint64_t x = 41;
  enum trp_err err = trp_ask(self, s->w->ref[0], ECHO, &x, sizeof x, TRP_FOREVER, &s->token);
  if (err != TRP_OK) return err;
  err = trp_ask(self, s->w->ref[0], ECHO, &x, sizeof x, TRP_FOREVER, &s->correlation);
  if (s->w->sched == TRP_SCHED_THREADS) world_pass(s->w, 50); /* a slow turn; there it is stalled */
  return err;
}

static void an_answer_that_waits_to_be_heard_can_still_be_cancelled(void **state) {
  static const struct trp_kind double_asker = {.name = "double_asker",
                                               .state_bytes = sizeof(struct state),
                                               .start = start,
                                               .receive = ask_two,
                                               .ready = world_ready};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "asked", .kind = &answerer});
  world_add(&w, &(struct trp_spec){.name = "asker", .kind = &double_asker});
  world_start(&w);
  w.ref[0] = world_find(&w, "asked");
  bool sim = w.sched == TRP_SCHED_SIM;
  if (sim) world_freeze(&w, "asked");
  world_tell(&w, "asker", 0);
  if (sim) {
    while (world_actor(&w, "asked").depth < 2) world_pass(&w, 1);
    world_freeze(&w, "asker");
    world_thaw(&w, "asked");
    world_pass(&w, 20);
    world_thaw(&w, "asker");
  }
  world_await(&w, "<answer>");
  world_pass(&w, 10);
  close_three(&w);
  assert_int_equal(world_count(&w, "<answer>"), 1);
}

static void a_token_may_be_passed_on(void **state) {
  static struct world w;
  open_three(&w, state, PASS, 2000);
  world_tell(&w, "asker", 0);
  world_await(&w, "<other replied: OK>");
  world_await(&w, "<answer mine");
  close_three(&w);
}

static void a_token_is_answered_once(void **state) {
  static struct world w;
  open_three(&w, state, REPLY_TWICE, 2000);
  world_tell(&w, "asker", 0);
  world_await(&w, "<reply 1: DEAD>");
  world_await(&w, "<answer mine 42>");
  assert_true(world_said(&w, "<reply 0: OK>"));
  close_three(&w);
  assert_int_equal(world_count(&w, " mine "), 1);
}

/* ---- from outside ---- */

static enum trp_err ask_outside(struct world *w, uint16_t question, uint64_t *got, size_t bytes) {
  uint64_t x = 41;
  uint16_t type = 0;
  enum trp_err err =
      trp_system_ask(w->system, w->ref[0], question, &x, sizeof x, 30 * MS, &type, got, &bytes);
  if (err == TRP_OK) assert_int_equal(type, ANSWER);
  return err;
}

static void the_outside_may_ask(void **state) {
  static struct world w;
  uint64_t got = 0;
  open_three(&w, state, ECHO, 0);
  assert_int_equal(ask_outside(&w, ECHO, &got, sizeof got), TRP_OK);
  assert_int_equal(got, 42);
  assert_int_equal(ask_outside(&w, LARGE, &got, sizeof got), TRP_TOO_BIG);
  assert_int_equal(ask_outside(&w, KEEP, &got, sizeof got), TRP_TIMEOUT);
  assert_int_equal(ask_outside(&w, CRASH, &got, sizeof got), TRP_DEAD);
  assert_int_equal(ask_outside(&w, ECHO, &got, sizeof got), TRP_DEAD);
  world_stop(&w);
  w.ref[0] = w.ref[1];
  assert_int_equal(ask_outside(&w, ECHO, &got, sizeof got), TRP_DEAD);
  world_close(&w);
}

/* ---- lost questions ---- */

static enum trp_err ask_oneself(struct trp_self *self, void *state, const void *args) {
  start(self, state, args);
  for (uint64_t i = 0; i < 4; i++) { /* room for two: two questions are evicted */
    enum trp_err err = trp_ask(self, trp_self_ref(self), ECHO, &i, sizeof i, TRP_FOREVER, NULL);
    if (err != TRP_OK) return err;
  }
  return TRP_OK;
}

static enum trp_err ask_and_answer(struct trp_self *self, void *state, const struct trp_msg *msg) {
  return msg->correlation != 0 ? ask(self, state, msg) : answer(self, state, msg);
}

static void an_evicted_question_fails_at_once(void **state) {
  static const struct trp_kind lonely = {.name = "lonely",
                                         .state_bytes = sizeof(struct state),
                                         .start = ask_oneself,
                                         .receive = ask_and_answer};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "lonely",
                                   .kind = &lonely,
                                   .mailbox = {.capacity = 2, .policy = TRP_DROP_OLDEST}});
  world_start(&w);
  world_await(&w, "<answer strange 4>");
  assert_int_equal(world_count(&w, "<DEAD strange 0>"), 2);
  assert_int_equal(world_count(&w, "<answer strange"), 2);
  world_stop(&w);
  world_close(&w);
}

static void a_stop_does_not_wait_longer_for_an_answer_than_its_deadline(void **state) {
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "asked", .kind = &answerer});
  world_add(&w, &(struct trp_spec){.name = "asker", .kind = &asker, .budget_ms = 800});
  assert_int_equal(trp_system_edge(w.system, "asker", "asked"), TRP_OK);
  world_start(&w);
  w.ref[0] = world_find(&w, "asked");
  w.number[0] = KEEP; /* an answer that will never come */
  world_tell(&w, "asker", 0);
  world_await(&w, "<asked OK>");
  const struct trp_report *report = world_stop(&w);
  assert_true(world_said(&w, "<STOPPED mine 0>"));
  assert_string_equal(world_verdict(report, "asker")->verdict, "clean");
  assert_string_equal(world_verdict(report, "asked")->verdict, "clean");
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_answer_comes_with_the_correlation_of_its_ask),
    cmocka_unit_test(an_ask_that_nobody_answers_times_out_and_a_late_answer_is_dropped),
    cmocka_unit_test(a_late_answer_never_reaches_the_next_ask),
    cmocka_unit_test(the_crash_of_the_asked_is_the_answer),
    cmocka_unit_test(the_end_of_who_keeps_the_question_is_the_answer),
    cmocka_unit_test(a_cancelled_ask_hears_nothing),
    cmocka_unit_test(an_answer_that_waits_to_be_heard_can_still_be_cancelled),
    cmocka_unit_test(a_token_may_be_passed_on),
    cmocka_unit_test(a_token_is_answered_once),
    cmocka_unit_test(the_outside_may_ask),
    cmocka_unit_test(an_evicted_question_fails_at_once),
    cmocka_unit_test(a_stop_does_not_wait_longer_for_an_answer_than_its_deadline),
};
SUITE(suite_asks, "asks", tests);
