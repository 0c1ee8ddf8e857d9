/* Stories of the protocol machine that are no exchange's: several links, and answers that name
 * subscriptions instead of requests. The dialect is Binance's with another limit, or another way to
 * answer: a frame "+a@x b@y" acknowledges, "-a@x" refuses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/binance.h"
#include "test/unit/machine_hands.h"

static struct trp_dialect dialect;

/* SUB or UNSUB with how many streams. */
static const char *describe(const char *text) {
  static char out[32];
  int streams = 0;
  for (const char *at = text; (at = strchr(at, '@')) != NULL; at++)
    streams += strncmp(at, "@100ms", 6) != 0;
  snprintf(out, sizeof out, "%s%d", strstr(text, "UNSUB") != NULL ? "UNSUB" : "SUB", streams);
  return out;
}

static int make(void **state) {
  (void)state;
  dialect = trp_binance_dialect;
  hands_make(&dialect, describe);
  return 0;
}

static int drop(void **state) {
  (void)state;
  hands_drop();
  return 0;
}

/* Two symbols a link. */
static void make_narrow(uint32_t symbols_max) {
  dialect.streams_per_link = 6;
  hands_make_with(&(struct trp_machine_options){.symbols_max = symbols_max});
}

static void open_link(uint32_t link) { trp_machine_opened(hands.machine, link, hands.now); }

static void frame_on(uint32_t link, const char *text) {
  trp_machine_frame(hands.machine, link, hands.now, 0, text, strlen(text));
}

static void ack_on(uint32_t link, uint64_t id) {
  char text[64];
  snprintf(text, sizeof text, "{\"result\":null,\"id\":%llu}", (unsigned long long)id);
  frame_on(link, text);
}

static void quote_on(uint32_t link, const char *symbol) {
  char text[128];
  snprintf(text, sizeof text,
           "{\"u\":1,\"s\":\"%s\",\"b\":\"1.5\",\"B\":\"2\",\"a\":\"1.6\",\"A\":\"3\"}", symbol);
  frame_on(link, text);
}

static void snapshot(const char *symbol) {
  const char *text = "{\"lastUpdateId\":1,\"bids\":[[\"1.5\",\"1\"]],\"asks\":[[\"1.6\",\"1\"]]}";
  trp_machine_http_response(hands.machine, hands.now, symbol, 200, 0, text, strlen(text));
}

/* A, B on link 0, C on link 1, all live. */
static void go_live_on_two_links(void) {
  make_narrow(5);
  hands_want("A");
  hands_want("B");
  hands_want("C");
  open_link(0);
  open_link(1);
  ack_on(0, 1);
  ack_on(1, 2);
  hands_pass_ms(100);
  snapshot("A");
  snapshot("B");
  snapshot("C");
  assert_int_equal(trp_machine_state(hands.machine), TRP_FEED_LIVE);
  hands_forget();
}

/* ---- links ---------------------------------------------------------------------------------- */

static void symbols_beyond_a_link_want_another(void **state) {
  (void)state;
  make_narrow(5);
  assert_int_equal(trp_machine_links(hands.machine), 1);
  hands_want("A");
  hands_want("B");
  assert_int_equal(trp_machine_links(hands.machine), 1);
  hands_want("C");
  hands_want("D");
  hands_want("E");
  assert_int_equal(trp_machine_links(hands.machine), 3);
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "F", NULL), TRP_LIMIT);
  open_link(1);
  hands_expect(">1:SUB6 =SYNCING ");
  open_link(0);
  open_link(2);
  hands_expect(">SUB6 >2:SUB3 ");
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "E"), TRP_OK);
  hands_pass_ms(100);
  hands_expect(">2:UNSUB3 ");
  assert_int_equal(trp_machine_links(hands.machine), 3);
  ack_on(2, 3);
  ack_on(2, 4);
  hands_expect("!gone:E ");
  assert_int_equal(trp_machine_links(hands.machine), 2);
}

static void a_hole_is_filled_before_a_link_is_added(void **state) {
  (void)state;
  make_narrow(4);
  hands_want("A");
  hands_want("B");
  hands_want("C");
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "A"), TRP_OK);
  hands_want("D");
  hands_forget();
  open_link(0);
  hands_expect(">SUB6 =SYNCING ");
  assert_non_null(strstr(hands.last_text, "\"d@"));
}

static void a_link_that_is_lost_takes_its_own_symbols_alone(void **state) {
  (void)state;
  go_live_on_two_links();
  trp_machine_closed(hands.machine, 1, hands.now);
  hands_expect("=SYNCING ");
  hands_expect_reason("2 of 3 symbols in sync");
  quote_on(0, "A");
  hands_expect("QA@1 ");
  quote_on(1, "C"); /* late */
  hands_expect("");
  open_link(1);
  hands_expect(">1:SUB3 ");
  ack_on(1, 3);
  hands_pass_ms(100);
  hands_expect("!subscribed:C ?1:C ");
  snapshot("C");
  assert_int_equal(trp_machine_state(hands.machine), TRP_FEED_LIVE);
  trp_machine_closed(hands.machine, 0, hands.now);
  trp_machine_closed(hands.machine, 1, hands.now);
  assert_int_equal(trp_machine_state(hands.machine), TRP_FEED_CONNECTING);
}

static void an_answer_counts_on_its_own_link_alone(void **state) {
  (void)state;
  make_narrow(4);
  hands_want("A");
  hands_want("B");
  hands_want("C");
  open_link(0);
  open_link(1);
  hands_forget();
  ack_on(0, 2);
  hands_expect("");
  quote_on(0, "C"); /* nor is another link's symbol its business */
  hands_expect("");
  assert_int_equal(trp_machine_stats(hands.machine)->foreign_frames, 1);
  ack_on(1, 2);
  hands_expect("!subscribed:C ");
}

static void each_link_has_its_heartbeat(void **state) {
  (void)state;
  go_live_on_two_links();
  for (int i = 0; i < 610; i++) {
    quote_on(0, "A");
    quote_on(0, "B");
    hands_pass_ms(100);
  }
  assert_non_null(strstr(hands.trace, "1:RECONNECT("));
  assert_null(strstr(hands.trace, " RECONNECT("));
}

static void more_links_than_there_may_be_are_refused(void **state) {
  (void)state;
  struct trp_machine *none;
  struct trp_machine_options many = {.symbols_max = 2 * TRP_MACHINE_LINKS_MAX + 1};
  dialect.streams_per_link = 6;
  assert_int_equal(trp_machine_new(&none, &dialect, &many, &hands_outputs), TRP_INVALID);
  dialect.streams_per_link = 2; /* less than a symbol's three */
  assert_int_equal(trp_machine_new(&none, &dialect, NULL, &hands_outputs), TRP_INVALID);
}

/* ---- answers by name ------------------------------------------------------------------------ */

static bool names(const char *text, enum trp_stream stream, const char *symbol) {
  char name[64];
  snprintf(name, sizeof name, "%s@%u ", symbol, (unsigned)stream);
  return strstr(text, name) != NULL;
}

static enum trp_err parse_named(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                                void *arg) {
  const char *text = bytes;
  (void)parser, (void)size;
  struct trp_heard heard = {.kind = text[0] == '+' ? TRP_HEARD_ACK : TRP_HEARD_REFUSED,
                            .symbol = ""};
  heard.answer.names = text + 1;
  heard.answer.text = "not subscribed";
  hear(arg, &heard);
  return TRP_OK;
}

static void make_named(void) {
  dialect.names = names;
  dialect.parse = parse_named;
  hands_make_with(&(struct trp_machine_options){.streams = TRP_STREAM_QUOTES | TRP_STREAM_TRADES});
}

static void answers_that_name_subscriptions_may_come_one_by_one(void **state) {
  (void)state;
  make_named();
  hands_want("A");
  hands_want("B");
  open_link(0);
  hands_expect(">SUB4 =SYNCING ");
  hands_frame("+A@1 ");
  hands_expect("");
  hands_frame("+B@1 A@2 ");
  hands_expect("!subscribed:A ");
  assert_int_equal(trp_machine_stats(hands.machine)->acks, 0);
  hands_frame("+B@2 ");
  hands_expect("!subscribed:B =LIVE ");
  assert_int_equal(trp_machine_stats(hands.machine)->acks, 1);
  hands_pass_ms(6000);
  hands_expect("");
}

static void a_refusal_that_names_one_leaves_the_others_of_its_text(void **state) {
  (void)state;
  make_named();
  hands_want("A");
  hands_want("B");
  open_link(0);
  hands_frame("-A@1 A@2 ");
  hands_frame("+B@1 B@2 ");
  hands_expect(">SUB4 =SYNCING !refused:A !subscribed:B ");
  hands_pass_ms(400);
  hands_expect("");
  hands_pass_ms(700);
  hands_expect(">SUB2 ");
  hands_frame("+A@1 A@2 ");
  hands_expect("!subscribed:A =LIVE ");
}

static void what_is_not_named_in_time_asks_for_a_reconnect(void **state) {
  (void)state;
  make_named();
  hands_want("A");
  open_link(0);
  hands_frame("+A@1 ");
  hands_forget();
  hands_pass_ms(5000);
  hands_expect("RECONNECT(transient:a request was not acknowledged in time) ");
}

/* Nobody could tell the two answers apart. */
static void a_subscription_is_not_taken_back_before_its_answer(void **state) {
  (void)state;
  make_named();
  hands_want("A");
  open_link(0);
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "A"), TRP_OK);
  hands_pass_ms(100);
  hands_expect(">SUB2 =SYNCING =LIVE ");
  hands_frame("+A@1 A@2 ");
  hands_expect("");
  hands_pass_ms(100);
  hands_expect(">UNSUB2 ");
  hands_frame("+A@1 A@2 ");
  hands_expect("!gone:A ");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void) {
  const struct CMUnitTest tests[] = {
      STORY(symbols_beyond_a_link_want_another),
      STORY(a_hole_is_filled_before_a_link_is_added),
      STORY(a_link_that_is_lost_takes_its_own_symbols_alone),
      STORY(an_answer_counts_on_its_own_link_alone),
      STORY(each_link_has_its_heartbeat),
      STORY(more_links_than_there_may_be_are_refused),
      STORY(answers_that_name_subscriptions_may_come_one_by_one),
      STORY(a_refusal_that_names_one_leaves_the_others_of_its_text),
      STORY(what_is_not_named_in_time_asks_for_a_reconnect),
      STORY(a_subscription_is_not_taken_back_before_its_answer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
