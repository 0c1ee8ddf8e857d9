/* system_suite_mail.c - mail: order, the four policies, refusals, and that each is counted. */
#include <stdlib.h>
#include <string.h>

#include "test/conformance/system_suite.h"

/* The state of every kind here begins with the world, so that world_ready finds it. */
struct state {
  struct world *w;
  uint64_t last[4];
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  memcpy(state, &args, sizeof args);
  return TRP_OK;
}

static enum trp_err tell_number(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  world_say(s->w, "<%s %llu>", trp_self_name(self), (unsigned long long)word_of(msg));
  return TRP_OK;
}

static const struct trp_kind teller = {
    .name = "teller", .state_bytes = sizeof(struct state), .start = start, .receive = tell_number};

/* ---- order ---- */

enum { EACH = 300 };
struct numbered {
  uint64_t sender, number;
};

static enum trp_err send_many(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  for (uint64_t i = 1; i <= EACH; i++) {
    struct numbered body = {.sender = word_of(msg), .number = i};
    if (trp_send(self, s->w->ref[0], WORD, &body, sizeof body) != TRP_OK) return TRP_FULL;
  }
  return TRP_OK;
}

static enum trp_err check_order(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  struct state *s = state;
  const struct numbered *body = msg->body;
  if (body->number != ++s->last[body->sender]) world_say(s->w, "<out of order>");
  if (trp_ref_is_nobody(msg->from)) world_say(s->w, "<from nobody>");
  if (s->last[0] + s->last[1] + s->last[2] == 3 * EACH) world_say(s->w, "<all>");
  return TRP_OK;
}

static void mail_of_one_sender_arrives_in_order(void **state) {
  static const struct trp_kind sender = {
      .name = "sender", .state_bytes = sizeof(struct state), .start = start, .receive = send_many};
  static const struct trp_kind checker = {.name = "checker",
                                          .state_bytes = sizeof(struct state),
                                          .start = start,
                                          .receive = check_order};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "to", .kind = &checker});
  world_add(&w, &(struct trp_spec){.name = "a", .kind = &sender});
  world_add(&w, &(struct trp_spec){.name = "b", .kind = &sender});
  world_add(&w, &(struct trp_spec){.name = "c", .kind = &sender});
  world_start(&w);
  w.ref[0] = world_find(&w, "to");
  world_tell(&w, "a", 0);
  world_tell(&w, "b", 1);
  world_tell(&w, "c", 2);
  world_await(&w, "<all>");
  assert_false(world_said(&w, "<out of order>"));
  assert_false(world_said(&w, "<from nobody>"));
  assert_int_equal(world_stop(&w)->ledger.handled, 3 * EACH + 3);
  world_close(&w);
}

/* ---- policies: an actor fills its own mailbox, which nobody empties meanwhile ---- */

static enum trp_err fill_own(struct trp_self *self, void *state, const void *args) {
  start(self, state, args);
  struct state *s = state;
  for (uint64_t i = 1; i <= 6; i++) {
    enum trp_err err = trp_send(self, trp_self_ref(self), WORD, &i, sizeof i);
    if (err != TRP_OK) world_say(s->w, "<%s: %s>", trp_err_name(err), "refused");
  }
  return TRP_OK;
}

static const struct trp_kind filler = {.name = "filler",
                                       .state_bytes = sizeof(struct state),
                                       .start = fill_own,
                                       .receive = tell_number};

static uint64_t by_parity(uint16_t type, const void *body, size_t bytes) {
  (void)type;
  (void)bytes;
  return 1 + *(const uint64_t *)body % 2;
}

static struct trp_ledger fill_under(struct world *w, void **state,
                                    struct trp_mailbox_options mailbox, const char *last) {
  world_open(w, state);
  world_add(w, &(struct trp_spec){.name = "self", .kind = &filler, .mailbox = mailbox});
  world_start(w);
  world_await(w, last);
  struct trp_ledger ledger = world_stop(w)->actors[0].ledger;
  world_close(w);
  return ledger;
}

static void a_full_mailbox_refuses_and_keeps_what_it_has(void **state) {
  static struct world w;
  struct trp_ledger l = fill_under(
      &w, state, (struct trp_mailbox_options){.capacity = 4, .policy = TRP_REJECT}, "<self 4>");
  assert_non_null(strstr(w.diary, "<self 1><self 2><self 3><self 4>"));
  assert_int_equal(world_count(&w, "<FULL: refused>"), 2);
  assert_int_equal(l.offered, 6);
  assert_int_equal(l.accepted, 4);
  assert_int_equal(l.refused[TRP_REFUSED_FULL], 2);
  assert_int_equal(l.handled, 4);
}

static void dropping_the_oldest_is_counted(void **state) {
  static struct world w;
  struct trp_ledger l =
      fill_under(&w, state, (struct trp_mailbox_options){.capacity = 4, .policy = TRP_DROP_OLDEST},
                 "<self 6>");
  assert_non_null(strstr(w.diary, "<self 3><self 4><self 5><self 6>"));
  assert_int_equal(l.accepted, 6);
  assert_int_equal(l.evicted, 2);
  assert_int_equal(l.handled, 4);
}

static void the_newest_of_a_key_takes_the_place_of_the_waiting_one(void **state) {
  static struct world w;
  struct trp_ledger l = fill_under(
      &w, state,
      (struct trp_mailbox_options){.capacity = 4, .policy = TRP_CONFLATE, .key = by_parity},
      "<self 6>");
  assert_non_null(strstr(w.diary, "<self 5><self 6>"));
  assert_int_equal(l.accepted, 6);
  assert_int_equal(l.conflated, 4);
  assert_int_equal(l.handled, 2);
}

static void who_waited_for_itself_would_wait_for_ever_and_is_told_full(void **state) {
  static struct world w;
  struct trp_ledger l = fill_under(
      &w, state, (struct trp_mailbox_options){.capacity = 4, .policy = TRP_WAIT}, "<self 4>");
  assert_int_equal(world_count(&w, "<FULL: refused>"), 2);
  assert_int_equal(l.refused[TRP_REFUSED_FULL], 2);
  assert_int_equal(l.handled, 4);
}

/* ---- bodies ---- */

static enum trp_err check_large(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct state *s = state;
  const unsigned char *bytes = msg->body;
  uint32_t right = 0;
  while (right < msg->bytes && bytes[right] == (unsigned char)(right * 7)) right++;
  world_say(s->w, "<%u of %u>", right, msg->bytes);
  if (trp_ref_is_nobody(msg->from)) {
    return trp_send(self, trp_self_ref(self), WORD, msg->body, msg->bytes);
  }
  return TRP_OK;
}

static void a_large_body_arrives_whole(void **state) {
  static const struct trp_kind checker = {.name = "checker",
                                          .state_bytes = sizeof(struct state),
                                          .start = start,
                                          .receive = check_large};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "to", .kind = &checker});
  world_start(&w);
  unsigned char *body = malloc(TRP_BODY_MAX + 1);
  assert_non_null(body);
  for (uint32_t i = 0; i < TRP_BODY_MAX; i++) body[i] = (unsigned char)(i * 7);
  struct trp_ref to = world_find(&w, "to");
  assert_int_equal(trp_system_send(w.system, to, WORD, body, 49), TRP_OK);
  assert_int_equal(trp_system_send(w.system, to, WORD, body, TRP_BODY_MAX), TRP_OK);
  assert_int_equal(trp_system_send(w.system, to, WORD, body, TRP_BODY_MAX + 1), TRP_TOO_BIG);
  free(body);
  world_stop(&w);
  assert_int_equal(world_count(&w, "<49 of 49>"), 2);
  assert_int_equal(world_count(&w, "<1048576 of 1048576>"), 2);
  world_close(&w);
}

/* ---- strangers and the dead ---- */

static void a_reference_to_nobody_is_refused(void **state) {
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "to", .kind = &teller});
  uint64_t x = 1;
  struct trp_ref early = {UINT64_C(1) << 40 | 1}; /* the incarnation that is to come */
  assert_int_equal(trp_system_send(w.system, early, WORD, &x, sizeof x), TRP_DEAD);
  world_start(&w);
  assert_int_equal(trp_system_send(w.system, TRP_NOBODY, WORD, &x, sizeof x), TRP_NO_ACTOR);
  struct trp_ref far = {UINT64_C(77) << 40 | 1};
  assert_int_equal(trp_system_send(w.system, far, WORD, &x, sizeof x), TRP_NO_ACTOR);
  struct trp_ref later = {world_find(&w, "to").bits + 1};
  assert_int_equal(trp_system_send(w.system, later, WORD, &x, sizeof x), TRP_DEAD);
  assert_int_equal(trp_system_send(w.system, early, TRP_NONE, &x, sizeof x), TRP_INVALID);
  const struct trp_report *report = world_stop(&w);
  assert_int_equal(report->ledger.refused[TRP_REFUSED_DEAD], 2);
  assert_int_equal(trp_system_send(w.system, early, WORD, &x, sizeof x), TRP_STOPPED);
  assert_false(world_said(&w, "<to"));
  world_close(&w);
}

/* ---- ready ---- */

static enum trp_err note_ready(struct trp_self *self, void *state) {
  struct state *s = state;
  world_say(s->w, "<ready %llu>", (unsigned long long)trp_self_incarnation(self));
  return TRP_OK;
}

static void a_notice_gives_a_turn_in_ready(void **state) {
  static const struct trp_kind noticing = {.name = "noticing",
                                           .state_bytes = sizeof(struct state),
                                           .start = start,
                                           .receive = tell_number,
                                           .ready = note_ready};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "to", .kind = &noticing});
  world_add(&w, &(struct trp_spec){.name = "deaf", .kind = &teller});
  world_start(&w);
  world_pass(&w, 5);
  assert_false(world_said(&w, "<ready"));
  trp_notify(w.system, world_find(&w, "to"));
  trp_notify(w.system, world_find(&w, "deaf"));
  world_await(&w, "<ready 1>");
  trp_notify(w.system, TRP_NOBODY);
  world_stop(&w);
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(mail_of_one_sender_arrives_in_order),
    cmocka_unit_test(a_full_mailbox_refuses_and_keeps_what_it_has),
    cmocka_unit_test(dropping_the_oldest_is_counted),
    cmocka_unit_test(the_newest_of_a_key_takes_the_place_of_the_waiting_one),
    cmocka_unit_test(who_waited_for_itself_would_wait_for_ever_and_is_told_full),
    cmocka_unit_test(a_large_body_arrives_whole),
    cmocka_unit_test(a_reference_to_nobody_is_refused),
    cmocka_unit_test(a_notice_gives_a_turn_in_ready),
};
SUITE(suite_mail, "mail", tests);
