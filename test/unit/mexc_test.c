/* Stories of the protocol machine with MEXC's dialect (machine_hands.h), and recorded frames of the
 * real exchange where they are there. In a trace a text is + or - (subscribe, unsubscribe) with the
 * channel's kind and symbol, or "ping". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/mexc.h"
#include "test/support/mexc_frames.h"
#include "test/unit/machine_hands.h"

#define RECORDINGS "../shared/data/mexc/*.bin"

#define CHANNEL(kind, symbol) "spot@public.aggre." kind ".v3.api.pb@100ms@" symbol

enum { SYMBOLS_A_LINK = 10, FRAME_MAX = 1 << 16 };

static const char *describe(const char *text) {
  static char out[600];
  char kind[256], symbol[256];
  if (strcmp(text, "{\"method\":\"PING\"}") == 0) return "ping";
  hands_cut(kind, text, "spot@public.aggre.", '.');
  hands_cut(symbol, text, "@100ms@", '"');
  bool leave = strstr(text, "\"UNSUBSCRIPTION\"") != NULL;
  snprintf(out, sizeof out, "%s%s:%s", leave ? "-" : "+", kind, symbol);
  return out;
}

static int make(void **state) {
  (void)state;
  hands_make(&trp_mexc_dialect, describe);
  return 0;
}

static int drop(void **state) {
  (void)state;
  hands_drop();
  return 0;
}

/* ---- hands ---------------------------------------------------------------------------------- */

static void open_link(uint32_t link) { trp_machine_opened(hands.machine, link, hands.now); }

/* `msg` as the exchange answers: the code is 0 whatever it says. */
static void answer_on(uint32_t link, const char *msg) {
  char text[1024];
  int size = snprintf(text, sizeof text, "{\"id\":0,\"code\":0,\"msg\":\"%s\"}", msg);
  hands_bytes(link, text, (size_t)size);
}

static void answer(const char *msg) { answer_on(0, msg); }

static void ack_on(uint32_t link, const char *symbol) {
  static const char *const kinds[] = {"bookTicker", "deals", "depth"};
  char channel[256];
  for (int i = 0; i < 3; i++) {
    snprintf(channel, sizeof channel, "spot@public.aggre.%s.v3.api.pb@100ms@%s", kinds[i], symbol);
    answer_on(link, channel);
  }
}

static void ack(const char *symbol) { ack_on(0, symbol); }

static void blocked(const char *channel) {
  char text[512];
  snprintf(text, sizeof text, "Not Subscribed successfully! [%s].  Reason： Blocked! ", channel);
  answer(text);
}

static void binary(void) { hands_bytes(0, mexc_frame.at, mexc_frame.size); }

static void diff(const char *from, const char *to) {
  mexc_write_diff("BTCUSDT", "1.5", from, to);
  binary();
}

static void respond(uint16_t status, const char *body) {
  trp_machine_http_response(hands.machine, hands.now, "BTCUSDT", status, 0, body, strlen(body));
}

static void snapshot(uint64_t id) {
  char text[160];
  snprintf(text, sizeof text,
           "{\"lastUpdateId\":%llu,\"bids\":[[\"1.5\",\"1\"],[\"1.4\",\"1\"]],\"asks\":[[\"1.6\","
           "\"1\"]],\"timestamp\":1790281243450}",
           (unsigned long long)id);
  respond(200, text);
}

static void want_many(int count) {
  char symbol[32];
  for (int i = 0; i < count; i++) {
    snprintf(symbol, sizeof symbol, "C%02dUSDT", i);
    hands_want(symbol);
  }
}

/* ---- subscribing ---------------------------------------------------------------------------- */

static void each_subscription_has_a_text_and_its_answer_names_it(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  hands_want("ETHUSDT");
  open_link(0);
  hands_expect(
      ">+bookTicker:BTCUSDT >+deals:BTCUSDT >+depth:BTCUSDT "
      ">+bookTicker:ETHUSDT >+deals:ETHUSDT >+depth:ETHUSDT =SYNCING ");
  assert_string_equal(hands.last_text, "{\"method\":\"SUBSCRIPTION\",\"params\":[\"" CHANNEL(
                                           "depth", "ETHUSDT") "\"]}");
  ack("ETHUSDT");
  hands_expect("!subscribed:ETHUSDT ");
  answer(CHANNEL("bookTicker", "BTCUSDT"));
  answer(CHANNEL("depth", "BTCUSDT"));
  hands_expect("");
  answer(CHANNEL("deals", "BTCUSDT"));
  hands_expect("!subscribed:BTCUSDT ");
  assert_int_equal(trp_machine_stats(hands.machine)->acks, 6);
}

static void a_refusal_with_the_code_zero_is_about_its_channel_alone(void **state) {
  (void)state;
  hands_make_with(&(struct trp_machine_options){.streams = TRP_STREAM_QUOTES | TRP_STREAM_TRADES});
  hands_want("BTCUSDT");
  hands_want("ETHUSDT");
  open_link(0);
  hands_forget();
  answer(CHANNEL("bookTicker", "BTCUSDT"));
  blocked(CHANNEL("deals", "BTCUSDT"));
  hands_expect("!refused:BTCUSDT ");
  answer(CHANNEL("bookTicker", "ETHUSDT"));
  answer(CHANNEL("deals", "ETHUSDT"));
  hands_expect("!subscribed:ETHUSDT =LIVE ");
  assert_string_equal(hands.told_reason, "1 of 2 symbols in sync, 1 refused");
  mexc_write_quote("BTCUSDT", "1.5", "1.6", "7");
  binary();
  hands_expect("QBTCUSDT@7 ");
  hands_pass_ms(9000); /* nothing is asked for again, and nothing timed out */
  hands_expect("");
  assert_int_equal(trp_machine_stats(hands.machine)->errors[TRP_CLASS_FATAL], 1);
}

static void several_channels_in_one_refusal_are_all_refused(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  open_link(0);
  hands_forget();
  blocked(CHANNEL("bookTicker", "BTCUSDT") "," CHANNEL("deals", "BTCUSDT") "," CHANNEL("depth",
                                                                                       "BTCUSDT"));
  hands_expect("!refused:BTCUSDT =LIVE ");
  assert_string_equal(hands.told_reason, "0 of 1 symbols in sync, 1 refused");
}

static void a_complaint_that_names_nothing_counts_against_the_oldest_request(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  open_link(0);
  hands_forget();
  answer("msg format invalid");
  hands_expect("!refused:BTCUSDT ");
  answer(CHANNEL("deals", "BTCUSDT"));
  answer(CHANNEL("depth", "BTCUSDT"));
  hands_pass_ms(2000); /* the one that was refused is asked for again by itself */
  hands_expect(">+bookTicker:BTCUSDT ");
  answer(CHANNEL("bookTicker", "BTCUSDT"));
  hands_expect("!subscribed:BTCUSDT ");
  answer("msg format invalid"); /* no request is there that it could be about */
  hands_expect("!complaint:- ");
}

static void a_symbol_leaves_channel_by_channel(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  open_link(0);
  ack("BTCUSDT");
  hands_forget();
  assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, "BTCUSDT"), TRP_OK);
  hands_pass_ms(100);
  hands_expect(">-bookTicker:BTCUSDT >-deals:BTCUSDT >-depth:BTCUSDT =LIVE ");
  assert_true(trp_machine_needs(hands.machine, 0));
  ack("BTCUSDT");
  hands_expect("!gone:BTCUSDT ");
}

/* ---- connections ---------------------------------------------------------------------------- */

static void ten_symbols_fill_a_connection_and_the_next_has_another(void **state) {
  (void)state;
  want_many(SYMBOLS_A_LINK);
  assert_int_equal(trp_machine_links(hands.machine), 1);
  hands_want("BTCUSDT");
  assert_int_equal(trp_machine_links(hands.machine), 2);
  open_link(0);
  for (int i = 0; i < SYMBOLS_A_LINK; i++) { /* answered as they are asked, in any number */
    char symbol[32];
    snprintf(symbol, sizeof symbol, "C%02dUSDT", i);
    hands_pass_ms(200);
    ack(symbol);
  }
  assert_int_equal(hands.texts, 3 * SYMBOLS_A_LINK);
  hands_forget();
  open_link(1);
  hands_expect(">1:+bookTicker:BTCUSDT >1:+deals:BTCUSDT >1:+depth:BTCUSDT ");
  ack_on(0, "BTCUSDT"); /* of the other connection: nobody's */
  hands_expect("");
  ack_on(1, "BTCUSDT");
  hands_expect("!subscribed:BTCUSDT ");
}

static void no_more_texts_a_second_than_half_of_what_is_allowed(void **state) {
  (void)state;
  want_many(SYMBOLS_A_LINK);
  open_link(0);
  for (int i = 0; i < 40; i++) { /* in and out, as fast as it goes */
    char symbol[32];
    snprintf(symbol, sizeof symbol, "C%02dUSDT", i % SYMBOLS_A_LINK);
    ack(symbol);
    if (trp_machine_unsubscribe(hands.machine, hands.now, symbol) == TRP_OK) {
      hands_pass_ms(100);
      ack(symbol);
      hands_want(symbol);
    }
    hands_pass_ms(100);
  }
  assert_true(hands.texts > 100);
  assert_in_range(hands.max_texts_in_a_second, 1, trp_mexc_dialect.texts_per_s);
}

static void all_symbols_that_there_may_be_fit_the_links_that_there_may_be(void **state) {
  (void)state;
  char symbol[32];
  for (uint32_t i = 0; i < trp_mexc_dialect.symbols_usual; i++) {
    snprintf(symbol, sizeof symbol, "S%03uUSDT", i);
    hands_want(symbol);
  }
  assert_int_equal(trp_machine_links(hands.machine), TRP_MACHINE_LINKS_MAX);
  assert_int_equal(trp_machine_subscribe(hands.machine, hands.now, "ONEUSDT", NULL), TRP_LIMIT);
}

/* The exchange closes connections without subscriptions after 30 s. */
static void a_connection_that_wants_nothing_is_not_needed(void **state) {
  (void)state;
  assert_false(trp_machine_needs(hands.machine, 0));
  want_many(SYMBOLS_A_LINK + 1);
  assert_true(trp_machine_needs(hands.machine, 0) && trp_machine_needs(hands.machine, 1));
  assert_false(trp_machine_needs(hands.machine, 2));
  for (int i = 0; i < SYMBOLS_A_LINK; i++) {
    char symbol[32];
    snprintf(symbol, sizeof symbol, "C%02dUSDT", i);
    assert_int_equal(trp_machine_unsubscribe(hands.machine, hands.now, symbol), TRP_OK);
  }
  assert_false(trp_machine_needs(hands.machine, 0)); /* though the one behind it is */
  assert_true(trp_machine_needs(hands.machine, 1));
}

static void a_connection_on_which_all_was_refused_is_not_needed_until_more_is_wanted(void **state) {
  (void)state;
  hands_make_with(&(struct trp_machine_options){.streams = TRP_STREAM_QUOTES});
  hands_want("BTCUSDT");
  open_link(0);
  assert_true(trp_machine_needs(hands.machine, 0));
  blocked(CHANNEL("bookTicker", "BTCUSDT"));
  assert_false(trp_machine_needs(hands.machine, 0));
  trp_machine_closed(hands.machine, 0, hands.now);
  assert_false(trp_machine_needs(hands.machine, 0)); /* else it would be dialled for ever */
  hands_want("ETHUSDT");
  assert_true(trp_machine_needs(hands.machine, 0));
  hands_forget();
  open_link(0); /* and then the other may be tried once more */
  hands_expect(">+bookTicker:BTCUSDT >+bookTicker:ETHUSDT =SYNCING ");
}

static void pings_go_out_and_without_any_answer_the_connection_is_dead(void **state) {
  (void)state;
  open_link(0);
  hands_forget();
  hands_pass_ms(14900);
  hands_expect("");
  hands_pass_ms(100);
  hands_expect(">ping ");
  answer("PONG");
  assert_int_equal(trp_machine_stats(hands.machine)->pongs, 1);
  hands_pass_ms(44900);
  hands_expect(">ping >ping ");
  hands_pass_ms(200);
  assert_non_null(
      strstr(hands.trace, "RECONNECT(transient:no frame for longer than the heartbeat)"));
}

/* ---- data ----------------------------------------------------------------------------------- */

static void a_book_is_built_from_a_snapshot_and_versions_that_follow(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  open_link(0);
  ack("BTCUSDT");
  hands_forget();
  diff("90", "95");
  hands_pass_ms(100);
  hands_expect("?BTCUSDT ");
  assert_string_equal(hands.last_url,
                      "https://api.mexc.com/api/v3/depth?symbol=BTCUSDT&limit=1000");
  snapshot(93);
  hands_expect("BBTCUSDT:1@93(3) BBTCUSDT:2@95(1) !synced:BTCUSDT =LIVE ");
  diff("96", "98");
  hands_expect("BBTCUSDT:2@98(1) ");
  diff("97", "99"); /* versions that overlap are a gap here */
  hands_expect("gap:BTCUSDT:99..97 =SYNCING ");
  hands_pass_ms(2000);
  hands_expect("?BTCUSDT ");
  snapshot(97);
  hands_expect("BBTCUSDT:1@97(3) BBTCUSDT:2@99(1) !synced:BTCUSDT =LIVE ");
}

static void a_snapshot_that_is_older_than_the_updates_is_fetched_again(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  open_link(0);
  ack("BTCUSDT");
  diff("90", "95");
  hands_pass_ms(100);
  hands_forget();
  snapshot(80);
  hands_pass_ms(2000);
  hands_expect("?BTCUSDT ");
  snapshot(95);
  hands_expect("BBTCUSDT:1@95(3) !synced:BTCUSDT =LIVE ");
  assert_int_equal(trp_machine_stats(hands.machine)->snapshots_too_old, 1);
}

static void put_deal(const char *price, uint64_t side, uint64_t ms) {
  static struct mexc_bytes item;
  item.size = 0;
  mexc_put_text(&item, 1, price);
  mexc_put_text(&item, 2, "0.2");
  mexc_put_number(&item, 3, side);
  mexc_put_number(&item, 4, ms);
  mexc_put_text(&item, 5, "731X0_731X0");
  mexc_put_bytes(&mexc_body, 1, item.at, item.size);
}

static void each_trade_of_a_frame_is_given_out_with_its_own_time(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  open_link(0);
  hands_forget();
  mexc_begin();
  put_deal("121.5", 1, 1699999999000);
  put_deal("121.58", 2, 1699999998000);
  mexc_end(314, "BTCUSDT");
  binary();
  hands_expect("TBTCUSDT@731 TBTCUSDT@731 ");
  assert_true(hands.last_trade.side == 2 && hands.last_trade.price == 121.58);
  assert_int_equal(hands.last_trade.exchange_offset_us, 2000000);
}

static void digits_too_many_are_counted_once_a_frame(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  open_link(0);
  mexc_begin();
  put_deal("1.234567890123456789", 1, 1);
  put_deal("1", 1, 1);
  mexc_end(314, "BTCUSDT");
  binary();
  assert_int_equal(trp_machine_stats(hands.machine)->inexact, 1);
}

static void a_few_levels_make_no_event(void **state) {
  (void)state;
  hands_want("BTCUSDT");
  open_link(0);
  hands_forget();
  mexc_begin();
  mexc_put_level(1, "2", "1");
  mexc_put_level(2, "1", "1");
  mexc_put_text(&mexc_body, 4, "7");
  mexc_end(303, "BTCUSDT");
  binary();
  hands_expect("");
  assert_int_equal(trp_machine_stats(hands.machine)->other_frames, 1);
}

/* ---- by HTTP -------------------------------------------------------------------------------- */

#define TICKER(symbol)                                                                             \
  "{\"symbol\":\"" symbol                                                                          \
  "\",\"bidPrice\":\"1.5\",\"bidQty\":\"2\",\"askPrice\":\"1.6\",\"askQty\":\"3\"}"

static void begin_polling(void) {
  hands_make_all(
      &(struct trp_machine_options){.streams = TRP_STREAM_QUOTES, .trust_symbols = true});
  hands_want("BTCUSDT");
  trp_machine_poll(hands.machine, hands.now, true);
}

static void one_quote_is_polled_by_name_and_several_with_all_others(void **state) {
  (void)state;
  begin_polling();
  hands_expect("??bookTicker =POLLING ");
  assert_string_equal(hands.last_url,
                      "https://api.mexc.com/api/v3/ticker/bookTicker?symbol=BTCUSDT");
  hands_answer(hands.last_ticket, 200, TICKER("BTCUSDT"));
  hands_expect("QBTCUSDT@0* ");
  hands_want("MXUSDT");
  hands_want("AEUSDT");
  hands_forget();
  hands_pass_ms(100);
  hands_expect("??bookTicker ");
  assert_string_equal(hands.last_url, "https://api.mexc.com/api/v3/ticker/bookTicker");
  hands_answer(hands.last_ticket, 200,
               "[" TICKER("ZZZUSDT") "," TICKER("MXUSDT") ",{\"symbol\":\"QUSDT\",\"bidPrice\":"
               "\"\",\"bidQty\":\"\",\"askPrice\":null,\"askQty\":null}," TICKER("AEUSDT") "]");
  hands_expect("QMXUSDT@0* QAEUSDT@0* ");
  assert_true(hands.last_quote.bid == 1.5 && hands.last_quote.ask_size == 3);
}

static void all_symbols_are_polled_by_one_request(void **state) {
  (void)state;
  char symbol[32];
  hands_make_all(
      &(struct trp_machine_options){.streams = TRP_STREAM_QUOTES, .trust_symbols = true});
  for (uint32_t i = 0; i < trp_mexc_dialect.symbols_usual; i++) {
    snprintf(symbol, sizeof symbol, "S%03uUSDT", i);
    hands_want(symbol);
  }
  hands_forget();
  trp_machine_poll(hands.machine, hands.now, true);
  hands_expect("??bookTicker =POLLING ");
  hands_answer(hands.last_ticket, 200, "[" TICKER("S319USDT") "]");
  hands_expect("QS319USDT@0* ");
  hands_pass_ms(1000);
  hands_expect("??bookTicker ");
}

static void a_name_that_is_none_is_no_longer_polled(void **state) {
  (void)state;
  begin_polling();
  hands_forget();
  hands_answer(hands.last_ticket, 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}");
  hands_expect("!nopoll:BTCUSDT ");
  hands_pass_ms(5000);
  assert_null(strstr(hands.trace, "??"));
}

static void a_refusal_with_status_200_is_a_failed_poll(void **state) {
  (void)state;
  begin_polling();
  hands_forget();
  hands_answer(hands.last_ticket, 200, "{\"code\":500,\"msg\":\"Internal error\"}");
  hands_expect("!nopoll:BTCUSDT ");
  assert_int_equal(trp_machine_stats(hands.machine)->poll_failures, 1);
  hands_pass_ms(5000);
  assert_non_null(strstr(hands.trace, "??bookTicker "));
}

static void quotes_that_a_successor_repeats_are_known_by_their_versions(void **state) {
  (void)state;
  hands_make_all(
      &(struct trp_machine_options){.streams = TRP_STREAM_QUOTES, .trust_symbols = true});
  hands_want("BTCUSDT");
  open_link(0);
  answer(CHANNEL("bookTicker", "BTCUSDT"));
  mexc_write_quote("BTCUSDT", "1.5", "1.6", "7");
  binary();
  open_link(0); /* the successor */
  answer(CHANNEL("bookTicker", "BTCUSDT"));
  hands_forget();
  binary();
  mexc_write_quote("BTCUSDT", "1.4", "1.6", "6");
  binary();
  hands_expect("");
  mexc_write_quote("BTCUSDT", "1.5", "1.6", "8");
  binary();
  hands_expect("QBTCUSDT@8 ");
  assert_int_equal(trp_machine_stats(hands.machine)->repeats, 2);
}

static void a_symbol_that_is_not_listed_is_refused(void **state) {
  (void)state;
  hands_make_all(&(struct trp_machine_options){.streams = TRP_STREAM_QUOTES});
  hands_want("BTCUSTD");
  open_link(0);
  answer(CHANNEL("bookTicker", "BTCUSTD"));
  hands_forget();
  hands_pass_ms(100);
  hands_expect("??exchangeInfo ");
  assert_string_equal(hands.last_url, "https://api.mexc.com/api/v3/exchangeInfo");
  hands_answer(hands.last_ticket, 200,
               "{\"symbols\":[{\"symbol\":\"BTCUSDT\",\"status\":\"1\"},{\"symbol\":\"MXUSDT\"}]}");
  hands_expect("!unknown:BTCUSTD =LIVE ");
  hands_expect_reason(
      "0 of 1 symbols in sync, 1 refused: no symbol BTCUSTD; the nearest is BTCUSDT");
}

static void too_many_requests_wait_ten_minutes(void **state) {
  (void)state;
  hands_make_with(&(struct trp_machine_options){.streams = TRP_STREAM_DEPTH,
                                                .heartbeat_ms = 3600000,
                                                .stale_ms = 3600000,
                                                .stale_max_ms = 3600000});
  hands_want("BTCUSDT");
  open_link(0);
  answer(CHANNEL("depth", "BTCUSDT"));
  hands_pass_ms(100);
  respond(429, "{\"code\":429,\"msg\":\"Too Many Requests\"}");
  hands_forget();
  hands_pass_ms(599000);
  assert_null(strchr(hands.trace, '?'));
  hands_pass_ms(2000);
  assert_non_null(strstr(hands.trace, "?BTCUSDT "));
}

static void errors_have_classes(void **state) {
  (void)state;
  const struct trp_dialect *mexc = &trp_mexc_dialect;
  assert_int_equal(trp_dialect_classify(mexc, 0, "Reason： Blocked! ", 0), TRP_CLASS_FATAL);
  assert_int_equal(trp_dialect_classify(mexc, 0, "Not Subscribed", 0), TRP_CLASS_TRANSIENT);
  assert_int_equal(trp_dialect_classify(mexc, -1121, "Invalid symbol.", 400), TRP_CLASS_FATAL);
  assert_int_equal(trp_dialect_classify(mexc, 700002, "", 400), TRP_CLASS_AUTH);
  assert_int_equal(trp_dialect_classify(mexc, 429, "", 200), TRP_CLASS_RATE_LIMIT);
  assert_int_equal(trp_dialect_classify(mexc, 0, NULL, 429), TRP_CLASS_RATE_LIMIT);
  assert_int_equal(trp_dialect_classify(mexc, 0, NULL, 502), TRP_CLASS_TRANSIENT);
}

/* ---- the recordings ------------------------------------------------------------------------- */

static size_t load(const char *path, unsigned char bytes[FRAME_MAX]) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t size = fread(bytes, 1, FRAME_MAX, file);
  fclose(file);
  return size;
}

static void recorded_frames_of_a_symbol_become_its_events(void **state) {
  (void)state;
  static unsigned char bytes[FRAME_MAX];
  glob_t found = {0};
  if (glob(RECORDINGS, 0, NULL, &found) != 0) {
    print_message("  no recordings at " RECORDINGS ": skipped\n");
    skip();
  }
  hands_want("BTCUSDT");
  open_link(0);
  hands_forget();
  for (size_t i = 0; i < found.gl_pathc; i++) hands_bytes(0, bytes, load(found.gl_pathv[i], bytes));
  const struct trp_machine_stats *stats = trp_machine_stats(hands.machine);
  assert_true(stats->quotes > 0 && stats->trades > 0);
  assert_int_equal(stats->bad_frames + stats->foreign_frames, 0);
  assert_string_equal(trp_symbol_name(hands.last_quote.symbol), "BTCUSDT.MEXC");
  assert_true(hands.last_quote.bid > 0 && hands.last_quote.bid < hands.last_quote.ask);
  print_message("  %llu quotes, %llu trades of %zu frames\n", (unsigned long long)stats->quotes,
                (unsigned long long)stats->trades, found.gl_pathc);
  globfree(&found);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void) {
  const struct CMUnitTest tests[] = {
      STORY(each_subscription_has_a_text_and_its_answer_names_it),
      STORY(a_refusal_with_the_code_zero_is_about_its_channel_alone),
      STORY(several_channels_in_one_refusal_are_all_refused),
      STORY(a_complaint_that_names_nothing_counts_against_the_oldest_request),
      STORY(a_symbol_leaves_channel_by_channel),
      STORY(ten_symbols_fill_a_connection_and_the_next_has_another),
      STORY(no_more_texts_a_second_than_half_of_what_is_allowed),
      STORY(all_symbols_that_there_may_be_fit_the_links_that_there_may_be),
      STORY(a_connection_that_wants_nothing_is_not_needed),
      STORY(a_connection_on_which_all_was_refused_is_not_needed_until_more_is_wanted),
      STORY(pings_go_out_and_without_any_answer_the_connection_is_dead),
      STORY(a_book_is_built_from_a_snapshot_and_versions_that_follow),
      STORY(a_snapshot_that_is_older_than_the_updates_is_fetched_again),
      STORY(each_trade_of_a_frame_is_given_out_with_its_own_time),
      STORY(digits_too_many_are_counted_once_a_frame),
      STORY(a_few_levels_make_no_event),
      STORY(one_quote_is_polled_by_name_and_several_with_all_others),
      STORY(all_symbols_are_polled_by_one_request),
      STORY(a_name_that_is_none_is_no_longer_polled),
      STORY(a_refusal_with_status_200_is_a_failed_poll),
      STORY(quotes_that_a_successor_repeats_are_known_by_their_versions),
      STORY(a_symbol_that_is_not_listed_is_refused),
      STORY(too_many_requests_wait_ten_minutes),
      STORY(errors_have_classes),
      STORY(recorded_frames_of_a_symbol_become_its_events),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
