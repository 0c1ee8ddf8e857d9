/* Stories of the protocol machine with two sources of the same: a connection and its successor, and
 * polling and the stream; and of the list of symbols. The dialects are Binance's and Gate.io's.
 * Long because the stories are many. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/binance.h"
#include "adapters/gateio.h"
#include "test/unit/machine_hands.h"

static const char *describe(const char *text) {
  return strstr(text, "UNSUB") != NULL ? "UNSUB" : "SUB";
}

static int make(void **state) {
  (void)state;
  hands_make(&trp_binance_dialect, describe);
  return 0;
}

static int drop(void **state) {
  (void)state;
  hands_drop();
  return 0;
}

/* ---- hands ---------------------------------------------------------------------------------- */

static void say_to(bool old, const char *text) {
  if (old)
    hands_old_frame(text);
  else
    hands_frame(text);
}

static void ack(uint64_t id) {
  char text[64];
  snprintf(text, sizeof text, "{\"result\":null,\"id\":%llu}", (unsigned long long)id);
  hands_frame(text);
}

static void quote(bool old, uint64_t id) {
  char text[128];
  snprintf(text, sizeof text,
           "{\"u\":%llu,\"s\":\"A\",\"b\":\"1.5\",\"B\":\"2\",\"a\":\"1.6\",\"A\":\"3\"}",
           (unsigned long long)id);
  say_to(old, text);
}

static void trade(bool old, uint64_t id) {
  char text[256];
  snprintf(text, sizeof text,
           "{\"e\":\"aggTrade\",\"E\":1,\"s\":\"A\",\"a\":%llu,\"p\":\"1\",\"q\":\"2\",\"f\":1,"
           "\"l\":1,\"T\":1,\"m\":true,\"M\":true}",
           (unsigned long long)id);
  say_to(old, text);
}

static void diff(bool old, uint64_t first, uint64_t final) {
  char text[256];
  snprintf(text, sizeof text,
           "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"A\",\"U\":%llu,\"u\":%llu,"
           "\"b\":[[\"1.5\",\"7\"]],\"a\":[]}",
           (unsigned long long)first, (unsigned long long) final);
  say_to(old, text);
}

#define QUOTES_TRADES (TRP_STREAM_QUOTES | TRP_STREAM_TRADES)

static void make_streams(uint32_t streams) {
  hands_make_all(&(struct trp_machine_options){.streams = streams, .trust_symbols = true});
}

static void go_live(uint32_t streams) {
  make_streams(streams);
  hands_want("A");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  if (streams & TRP_STREAM_DEPTH) {
    hands_pass_ms(100);
    const char *text =
        "{\"lastUpdateId\":10,\"bids\":[[\"1.5\",\"1\"]],\"asks\":[[\"1.6\",\"1\"]]}";
    trp_machine_http_response(hands.machine, hands.now, "A", 200, 0, text, strlen(text));
  }
  assert_int_equal(trp_machine_state(hands.machine), TRP_FEED_LIVE);
  hands_forget();
}

static void succeed(void) { trp_machine_opened(hands.machine, 0, hands.now); }

static void old_closed(void) { trp_machine_old_closed(hands.machine, 0, hands.now); }

/* ---- successors ----------------------------------------------------------------------------- */

static void an_announced_end_asks_for_a_successor_once(void **state) {
  (void)state;
  go_live(TRP_STREAM_QUOTES);
  hands_frame("{\"e\":\"serverShutdown\",\"E\":1}");
  hands_frame("{\"e\":\"serverShutdown\",\"E\":1}");
  hands_expect("RENEW(the server announced its shutdown) ");
  quote(false, 5);
  hands_expect("QA@5 ");
  succeed();
  hands_expect(">SUB "); /* and LIVE all the time */
  hands_old_frame("{\"e\":\"serverShutdown\",\"E\":1}");
  hands_expect("");
}

static void a_connection_is_renewed_before_the_end_of_its_life(void **state) {
  (void)state;
  hands_make_all(&(struct trp_machine_options){
      .streams = TRP_STREAM_QUOTES, .trust_symbols = true, .renew_s = 30});
  hands_want("A");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_forget();
  for (int i = 0; i < 29; i++) {
    quote(false, 1 + (uint64_t)i);
    hands_pass_ms(1000);
  }
  assert_null(strstr(hands.trace, "RENEW"));
  hands_pass_ms(1000);
  assert_non_null(strstr(hands.trace, "RENEW(the connection nears the end of its life) "));
  succeed();
  ack(2);
  hands_forget();
  quote(true, 40);
  quote(false, 40);
  hands_pass_ms(1100);
  hands_expect("QA@40 RELEASE ");
  old_closed();
  assert_int_equal(trp_machine_stats(hands.machine)->renewals, 1);
}

static void quotes_of_both_are_given_once_and_none_is_overtaken(void **state) {
  (void)state;
  go_live(TRP_STREAM_QUOTES);
  quote(false, 100);
  succeed();
  ack(2);
  hands_forget();
  quote(false, 103); /* the old one has 101 and 102 on its way, for all we know */
  hands_expect("");
  quote(true, 101);
  quote(true, 102);
  hands_expect("QA@101 QA@102 ");
  hands_pass_ms(2000);
  hands_expect(""); /* not level: no release */
  quote(true, 103);
  hands_expect("QA@103 ");
  quote(false, 104); /* now whoever is first */
  quote(true, 104);
  quote(true, 105);
  quote(false, 105);
  hands_expect("QA@104 QA@105 ");
  hands_pass_ms(100);
  hands_expect("RELEASE ");
  old_closed();
  quote(false, 105);
  quote(false, 106);
  hands_expect("QA@106 ");
  assert_int_equal(trp_machine_stats(hands.machine)->repeats, 3);
}

static void trades_of_the_successor_wait_for_those_before_them(void **state) {
  (void)state;
  go_live(QUOTES_TRADES);
  trade(false, 7);
  succeed();
  ack(2);
  hands_forget();
  trade(false, 10);
  trade(false, 11);
  hands_expect("");
  trade(true, 8);
  hands_expect("TA@8 ");
  trade(true, 9);
  hands_expect("TA@9 TA@10 TA@11 ");
  trade(true, 10);
  trade(true, 11);
  trade(true, 12);
  trade(false, 12);
  trade(false, 13);
  hands_expect("TA@12 TA@13 ");
}

static void a_predecessor_that_dies_too_early_leaves_a_gap_that_is_told(void **state) {
  (void)state;
  go_live(QUOTES_TRADES);
  trade(false, 7);
  succeed();
  ack(2);
  trade(false, 10);
  trade(false, 11);
  hands_forget();
  old_closed();
  hands_expect("gap:A:8..10 TA@10 TA@11 ");
  trade(false, 12);
  hands_expect("TA@12 ");
  assert_int_equal(trp_machine_state(hands.machine), TRP_FEED_LIVE);
}

static void a_book_goes_on_from_one_to_the_other(void **state) {
  (void)state;
  go_live(TRP_STREAM_DEPTH);
  diff(false, 11, 12);
  succeed();
  ack(2);
  hands_expect("BA:2@12(1) >SUB !subscribed:A ");
  diff(false, 15, 16); /* ahead */
  hands_expect("");
  diff(true, 13, 14);
  hands_expect("BA:2@14(1) ");
  diff(true, 15, 16);
  diff(false, 16, 18); /* other steps than the old one's */
  diff(true, 17, 18);
  diff(false, 19, 19);
  hands_expect("BA:2@16(1) BA:2@18(1) BA:2@19(1) ");
  hands_pass_ms(1100);
  hands_expect("RELEASE ");
  old_closed();
  diff(false, 20, 20);
  diff(false, 22, 22);
  hands_expect("BA:2@20(1) gap:A:21..22 =SYNCING "); /* the rule is the old one again */
}

static void a_successor_that_dies_leaves_all_to_its_predecessor(void **state) {
  (void)state;
  go_live(TRP_STREAM_QUOTES | TRP_STREAM_DEPTH);
  quote(false, 5);
  succeed();
  ack(2);
  diff(false, 11, 11);
  diff(false, 12, 12);
  quote(false, 6);
  hands_forget();
  trp_machine_closed(hands.machine, 0, hands.now);
  hands_expect(""); /* LIVE */
  diff(true, 11, 11);
  diff(true, 12, 12);
  diff(true, 13, 13);
  quote(true, 6);
  quote(true, 7);
  hands_expect("BA:2@13(1) QA@6 QA@7 ");
  succeed();
  hands_expect(">SUB ");
  trp_machine_closed(hands.machine, 0, hands.now);
  old_closed();
  hands_expect("=CONNECTING ");
}

static void what_is_wanted_anew_meanwhile_is_asked_of_the_successor(void **state) {
  (void)state;
  go_live(TRP_STREAM_QUOTES);
  succeed();
  hands_want("B");
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "A"), TRP_OK);
  hands_forget();
  quote(true, 9);
  hands_expect("=SYNCING ");
  ack(2);
  hands_pass_ms(300);
  assert_non_null(strstr(hands.trace, ">UNSUB >SUB "));
  ack(3);
  ack(4);
  hands_forget();
  hands_pass_ms(1100);
  hands_expect("RELEASE ");
  assert_int_equal(trp_machine_symbols(hands.machine), 1);
}

static void a_predecessor_that_is_never_level_is_released_in_the_end(void **state) {
  (void)state;
  go_live(TRP_STREAM_QUOTES);
  quote(false, 100);
  succeed();
  ack(2);
  quote(false, 103);
  hands_forget();
  hands_pass_ms(9000);
  hands_expect("");
  hands_pass_ms(1100);
  assert_non_null(strstr(hands.trace, "RELEASE "));
}

/* ---- polling -------------------------------------------------------------------------------- */

#define TICKER(name)                                                                               \
  "{\"symbol\":\"" name                                                                            \
  "\",\"bidPrice\":\"1.5\",\"bidQty\":\"2\",\"askPrice\":\"1.6\",\"askQty\":\"3\"}"

static void begin_polling(uint32_t streams, const char *symbols) {
  make_streams(streams);
  for (; *symbols != '\0'; symbols++) hands_want((char[]){*symbols, '\0'});
  trp_machine_poll(hands.machine, hands.now, true);
}

static void quotes_of_all_are_polled_by_one_request(void **state) {
  (void)state;
  begin_polling(TRP_STREAM_QUOTES, "AB");
  hands_expect("??bookTicker =POLLING ");
  assert_string_equal(hands.last_url,
                      "https://api.binance.com/api/v3/ticker/bookTicker?symbols="
                      "%5B%22A%22%2C%22B%22%5D");
  hands_answer(hands.last_ticket, 200, "[" TICKER("A") "," TICKER("B") "," TICKER("C") "]");
  hands_expect("QA@0* QB@0* ");
  hands_answer(hands.last_ticket, 200, "[" TICKER("A") "]"); /* nobody waits for that */
  hands_pass_ms(700);
  hands_expect("");
  hands_pass_ms(100);
  hands_expect("??bookTicker ");
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "B"), TRP_OK);
  hands_answer(hands.last_ticket, 200, "[" TICKER("A") "," TICKER("B") "]");
  hands_expect("!gone:B QA@0* ");
  trp_machine_poll(hands.machine, hands.now, false);
  hands_pass_ms(5000);
  hands_expect("=CONNECTING ");
}

static void a_name_that_is_none_is_found_by_asking_each_alone(void **state) {
  (void)state;
  begin_polling(TRP_STREAM_QUOTES, "AB");
  hands_forget();
  hands_answer(hands.last_ticket, 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}");
  hands_expect("!nopoll:- ");
  hands_pass_ms(900);
  hands_expect("??bookTicker ??bookTicker ");
  uint64_t last = hands.last_ticket;
  hands_answer(last - 1, 200, TICKER("A"));
  hands_answer(last, 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}");
  hands_expect("QA@0* !nopoll:B ");
  hands_pass_ms(800);
  hands_expect("??bookTicker "); /* of A alone */
}

static void a_limit_stops_all_polls_for_as_long_as_it_says(void **state) {
  (void)state;
  begin_polling(TRP_STREAM_QUOTES, "A");
  hands_forget();
  trp_machine_answered(hands.machine, hands.now, hands.last_ticket, 429, 7, "", 0);
  assert_true(trp_machine_not_before(hands.machine) == hands.now + 7000 * MS);
  hands_expect("!nopoll:A ");
  hands_pass_ms(6900);
  hands_expect("");
  hands_pass_ms(100);
  hands_expect("??bookTicker ");
  hands_make_all(
      &(struct trp_machine_options){.trust_symbols = true, .not_before_ns = hands.now + 3000 * MS});
  hands_want("A"); /* and a machine that was told so begins with it */
  trp_machine_poll(hands.machine, hands.now, true);
  hands_forget();
  hands_pass_ms(2900);
  hands_expect("");
  hands_pass_ms(100);
  assert_non_null(strstr(hands.trace, "??bookTicker "));
}

static void a_minute_s_polls_stay_within_the_budget(void **state) {
  (void)state;
  hands_make_all(&(struct trp_machine_options){
      .streams = QUOTES_TRADES, .trust_symbols = true, .weight_per_min = 600});
  for (char c = 'A'; c < 'Z'; c++) hands_want((char[]){c, '\0'});
  trp_machine_poll(hands.machine, hands.now, true);
  uint32_t quotes = 0, trades = 0;
  for (int i = 0; i < 600; i++) {
    hands_pass_ms(100);
    uint64_t last = hands.last_ticket;
    for (const char *at = hands.trace; (at = strstr(at, "??")) != NULL; at += 2) {
      quotes += strncmp(at, "??book", 6) == 0;
      trades += strncmp(at, "??agg", 5) == 0;
    }
    hands_forget();
    for (uint64_t t = last > 30 ? last - 30 : 1; t <= last; t++) hands_answer(t, 200, "[]");
  }
  assert_true(quotes >= 60);
  assert_true(trades >= 30);
  assert_true(4 * (quotes + trades) <= 600 + 100 + 4); /* ten seconds' worth at once */
}

static void a_dialect_without_a_poll_is_polled_by_its_snapshots(void **state) {
  (void)state;
  hands_make(&trp_gateio_dialect, describe);
  make_streams(TRP_STREAM_QUOTES | TRP_STREAM_TRADES);
  hands_want("A_B");
  trp_machine_poll(hands.machine, hands.now, true);
  hands_expect("??order_book =POLLING ");
  assert_string_equal(hands.last_url,
                      "https://api.gateio.ws/api/v4/spot/order_book?"
                      "currency_pair=A_B&limit=5&with_id=true");
  const char *book =
      "{\"id\":100,\"current\":1,\"update\":1,\"asks\":[[\"1.7\",\"1\"],[\"1.6\","
      "\"3\"]],\"bids\":[[\"1.5\",\"2\"],[\"1.4\",\"1\"]]}";
  hands_answer(hands.last_ticket, 200, book);
  hands_expect("QAB@100* ");
  assert_true(hands.last_quote.bid == 1.5 && hands.last_quote.bid_size == 2);
  assert_true(hands.last_quote.ask == 1.6 && hands.last_quote.ask_size == 3);
  hands_pass_ms(900);
  hands_answer(hands.last_ticket, 200, book); /* no news, and a sign of life */
  hands_expect("??order_book QAB@100* ");
}

static void trades_are_polled_from_the_one_after_the_last(void **state) {
  (void)state;
  begin_polling(TRP_STREAM_TRADES, "A");
  hands_expect("??aggTrades =POLLING ");
  assert_non_null(strstr(hands.last_url, "aggTrades?symbol=A&limit=1"));
  assert_null(strstr(hands.last_url, "fromId"));
#define AGG(id)                                                                                    \
  "{\"a\":" id ",\"p\":\"1\",\"q\":\"2\",\"f\":1,\"l\":1,\"T\":1,\"m\":true,\"M\":true}"
  hands_answer(hands.last_ticket, 200, "[" AGG("50") "]");
  hands_pass_ms(800);
  assert_non_null(strstr(hands.last_url, "aggTrades?symbol=A&limit=1000&fromId=51"));
  hands_answer(hands.last_ticket, 200, "[" AGG("50") "," AGG("51") "," AGG("52") "]");
  hands_expect("TA@50* ??aggTrades TA@51* TA@52* ");
  hands_pass_ms(800);
  hands_answer(hands.last_ticket, 200, "[" AGG("60") "]"); /* more than it keeps, perhaps */
  hands_expect("??aggTrades gap:A:53..60 TA@60* ");
}

static void the_stream_goes_on_at_the_trade_where_polling_ended(void **state) {
  (void)state;
  begin_polling(QUOTES_TRADES, "A");
  hands_answer(hands.last_ticket, 200, "[" AGG("50") "]");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  trade(false, 53);
  trade(false, 54);
  hands_forget();
  quote(false, 9);
  trp_machine_poll(hands.machine, hands.now, false); /* the owner has seen that it is live */
  assert_true(trp_machine_is_live(hands.machine));
  hands_expect("QA@9 =LIVE ");
  hands_pass_ms(800);
  hands_expect("??aggTrades ");
  trade(false, 55);
  hands_answer(hands.last_ticket, 200, "[" AGG("51") "," AGG("52") "," AGG("53") "]");
  hands_expect("TA@51* TA@52* TA@53* TA@54 TA@55 ");
  trade(false, 56);
  hands_expect("TA@56 ");
  hands_pass_ms(5000);
  hands_expect("");
}

static void a_streamed_quote_is_newer_than_a_polled_one(void **state) {
  (void)state;
  begin_polling(TRP_STREAM_QUOTES, "A");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_forget();
  quote(false, 5);
  hands_answer(hands.last_ticket, 200, "[" TICKER("A") "]");
  hands_expect("QA@5 ");
  hands_pass_ms(2000);
  hands_expect(""); /* nor is it asked for again */
  trp_machine_closed(hands.machine, 0, hands.now);
  hands_pass_ms(100);
  hands_expect("??bookTicker ");
}

/* ---- the list ------------------------------------------------------------------------------- */

#define LISTING                                                                                    \
  "{\"symbols\":[{\"symbol\":\"A\",\"status\":\"TRADING\",\"permissionSets\":[[\"SPOT\"]]},{"      \
  "\"symbol\":\"BB\"}]}"

static void a_symbol_that_is_not_listed_is_refused_and_the_others_go_on(void **state) {
  (void)state;
  hands_make_all(&(struct trp_machine_options){.streams = TRP_STREAM_QUOTES});
  hands_want("A");
  hands_want("BC");
  hands_pass_ms(200);
  hands_expect(""); /* not before there is a connection */
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  hands_expect(">SUB =SYNCING !subscribed:BC !subscribed:A =LIVE ??exchangeInfo ");
  hands_answer(hands.last_ticket, 200, LISTING);
  hands_expect("!unknown:BC =LIVE ");
  hands_expect_reason("1 of 2 symbols in sync, 1 refused: no symbol BC; the nearest is BB");
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "CB", NULL), TRP_INVALID);
  char text[128];
  assert_true(trp_machine_is_unknown(hands.machine, "CB", text, sizeof text));
  assert_string_equal(text, "no symbol CB; the nearest is BB");
  trp_machine_closed(hands.machine, 0, hands.now);
  trp_machine_opened(hands.machine, 0, hands.now);
  assert_null(strstr(hands.last_text, "\"bc@"));
  hands_pass_ms(60000);
  assert_null(strstr(hands.trace, "exchangeInfo"));
}

static void an_old_list_refuses_nobody_before_it_is_asked_for_again(void **state) {
  (void)state;
  hands_make_all(&(struct trp_machine_options){.streams = TRP_STREAM_QUOTES});
  hands_want("A");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  hands_answer(hands.last_ticket, 200, LISTING);
  hands.now += 601ull * 1000 * MS;
  hands_forget();
  hands_want("NEW");
  trp_machine_tick(hands.machine, hands.now);
  assert_non_null(strstr(hands.trace, "??exchangeInfo "));
}

static void a_list_that_does_not_come_is_asked_for_later(void **state) {
  (void)state;
  hands_make_all(&(struct trp_machine_options){.streams = TRP_STREAM_QUOTES});
  hands_want("A");
  trp_machine_opened(hands.machine, 0, hands.now);
  ack(1);
  hands_pass_ms(100);
  hands_forget();
  hands_answer(hands.last_ticket, 200, "{\"symbols\":[]}");
  hands_expect("!nolist:- ");
  hands_pass_ms(2000);
  hands_expect("");
  hands_pass_ms(3100);
  hands_expect("??exchangeInfo ");
  trp_machine_unanswered(hands.machine, hands.now, hands.last_ticket, TRP_CONNECT);
  hands_expect("!nolist:- ");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void) {
  const struct CMUnitTest tests[] = {
      STORY(an_announced_end_asks_for_a_successor_once),
      STORY(a_connection_is_renewed_before_the_end_of_its_life),
      STORY(quotes_of_both_are_given_once_and_none_is_overtaken),
      STORY(trades_of_the_successor_wait_for_those_before_them),
      STORY(a_predecessor_that_dies_too_early_leaves_a_gap_that_is_told),
      STORY(a_book_goes_on_from_one_to_the_other),
      STORY(a_successor_that_dies_leaves_all_to_its_predecessor),
      STORY(what_is_wanted_anew_meanwhile_is_asked_of_the_successor),
      STORY(a_predecessor_that_is_never_level_is_released_in_the_end),
      STORY(quotes_of_all_are_polled_by_one_request),
      STORY(a_name_that_is_none_is_found_by_asking_each_alone),
      STORY(a_limit_stops_all_polls_for_as_long_as_it_says),
      STORY(a_minute_s_polls_stay_within_the_budget),
      STORY(a_dialect_without_a_poll_is_polled_by_its_snapshots),
      STORY(trades_are_polled_from_the_one_after_the_last),
      STORY(the_stream_goes_on_at_the_trade_where_polling_ended),
      STORY(a_streamed_quote_is_newer_than_a_polled_one),
      STORY(a_symbol_that_is_not_listed_is_refused_and_the_others_go_on),
      STORY(an_old_list_refuses_nobody_before_it_is_asked_for_again),
      STORY(a_list_that_does_not_come_is_asked_for_later),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
