/* Frames are written field by field (mexc_frames.h). Real frames, where they are present, are
 * compared with their decoded forms beside them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "adapters/json_levels.h"
#include "adapters/mexc_wire.h"
#include "test/support/mexc_frames.h"

#define RECORDINGS "../shared/data/mexc/*.bin"

static struct trp_mexc_parser *parser;

static int make_parser(void **state) {
  (void)state;
  return trp_mexc_parser_new(&parser) == TRP_OK ? 0 : -1;
}

static int drop_parser(void **state) {
  (void)state;
  trp_mexc_parser_destroy(&parser);
  trp_mexc_parser_destroy(&parser);
  return 0;
}

/* ---- frames ------------------------------------------------------------------------------- */

static struct mexc_bytes item;

static void end(uint32_t field) { mexc_end(field, "BTCUSDT"); }

static enum trp_err parse(struct trp_mexc_event *out) {
  return trp_mexc_parse(parser, mexc_frame.at, mexc_frame.size, out);
}

static void assert_refused(void) {
  struct trp_mexc_event event;
  assert_int_equal(parse(&event), TRP_MALFORMED);
  assert_true(trp_mexc_parse_reason(parser)[0] != '\0');
}

static void write_quote(const char *bid, const char *bid_size, const char *ask,
                        const char *ask_size) {
  mexc_begin();
  mexc_put_text(&mexc_body, 1, bid);
  mexc_put_text(&mexc_body, 2, bid_size);
  mexc_put_text(&mexc_body, 3, ask);
  mexc_put_text(&mexc_body, 4, ask_size);
  mexc_put_text(&mexc_body, 5, "82164153436");
  mexc_put_number(&mexc_body, 6, 1790281240471);
  end(315);
}

/* ---- binary frames -------------------------------------------------------------------------- */

static void a_book_ticker_is_a_quote(void **state) {
  (void)state;
  struct trp_mexc_event event;
  write_quote("84270", "0.006387", "84270.01", "5.42169969");
  assert_int_equal(parse(&event), TRP_OK);
  assert_int_equal(event.kind, TRP_MEXC_QUOTES);
  assert_string_equal(event.symbol, "BTCUSDT");
  assert_true(event.exchange_us == 1790281243450000);
  assert_int_equal(event.quote_count, 1);
  assert_true(event.quotes->update_id == 82164153436);
  assert_true(event.quotes->bid == 84270 && event.quotes->bid_size == 0.006387);
  assert_true(event.quotes->ask == 84270.01 && event.quotes->ask_size == 5.42169969);
}

static void a_side_without_orders_is_zero_and_half_a_side_is_refused(void **state) {
  (void)state;
  struct trp_mexc_event event;
  write_quote("", "", "2", "1");
  assert_int_equal(parse(&event), TRP_OK);
  assert_true(event.quotes->bid == 0 && event.quotes->bid_size == 0 && event.quotes->ask == 2);
  write_quote("1", "", "2", "1");
  assert_refused();
  write_quote("", "", "", "");
  assert_refused();
}

static void a_batch_is_several_quotes_without_versions(void **state) {
  (void)state;
  struct trp_mexc_event event;
  mexc_begin();
  for (int i = 0; i < 3; i++) {
    item.size = 0;
    for (uint32_t field = 1; field <= 4; field++)
      mexc_put_text(&item, field, field == 4 && i == 2 ? "5" : "1");
    mexc_put_bytes(&mexc_body, 1, item.at, item.size);
  }
  end(311);
  assert_int_equal(parse(&event), TRP_OK);
  assert_int_equal(event.quote_count, 3);
  assert_true(event.quotes[2].ask_size == 5 && event.quotes[2].update_id == 0);
}

static void put_deal(const char *price, uint64_t type, const char *id) {
  item.size = 0;
  mexc_put_text(&item, 1, price);
  mexc_put_text(&item, 2, "0.5");
  mexc_put_number(&item, 3, type);
  mexc_put_number(&item, 4, 1790281246176);
  if (id != NULL) mexc_put_text(&item, 5, id);
  mexc_put_bytes(&mexc_body, 1, item.at, item.size);
}

static void deals_are_trades_with_the_takers_side(void **state) {
  (void)state;
  struct trp_mexc_event event;
  mexc_begin();
  put_deal("84270", 2, "731901896985399296X0_731901896985399297X0");
  put_deal("84271", 1, NULL);
  mexc_put_text(&mexc_body, 2, "spot@public.aggre.deals.v3.api.pb@100ms");
  end(314);
  assert_int_equal(parse(&event), TRP_OK);
  assert_int_equal(event.kind, TRP_MEXC_TRADES);
  assert_int_equal(event.trade_count, 2);
  assert_true(event.trades[0].trade.price == 84270 && event.trades[0].trade.size == 0.5);
  assert_true(event.trades[0].trade.taker_sold && !event.trades[1].trade.taker_sold);
  assert_true(event.trades[0].trade.id == 731901896985399296 && event.trades[1].trade.id == 0);
  assert_string_equal(event.trades[0].id_text, "731901896985399296X0_731901896985399297X0");
  assert_string_equal(event.trades[1].id_text, "");
  assert_true(event.trades[0].exchange_us == 1790281246176000);
  mexc_begin();
  put_deal("84270", 3, NULL);
  end(314);
  assert_refused();
}

static void asks_are_field_one_and_bids_field_two(void **state) {
  (void)state;
  struct trp_mexc_event event;
  mexc_begin();
  mexc_put_level(1, "3", "1");
  mexc_put_level(2, "2", "1");
  mexc_put_level(2, "1", "0");
  mexc_put_text(&mexc_body, 4, "10");
  mexc_put_text(&mexc_body, 5, "12");
  end(313);
  assert_int_equal(parse(&event), TRP_OK);
  assert_int_equal(event.kind, TRP_MEXC_DEPTH);
  assert_true(event.depth.first_id == 10 && event.depth.final_id == 12 && event.depth.count == 3);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(event.depth.levels[i].side, event.depth.levels[i].price == 3 ? 2 : 1);
  mexc_begin();
  mexc_put_level(1, "3", "1");
  mexc_put_text(&mexc_body, 4, "82164155643");
  end(303);
  assert_int_equal(parse(&event), TRP_OK);
  assert_int_equal(event.kind, TRP_MEXC_TOP);
  assert_true(event.depth.final_id == 82164155643 && event.depth.levels[0].side == 2);
}

static void a_book_with_bad_versions_or_levels_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *from, *to, *price, *quantity;
  } bad[] = {{"12", "11", "1", "1"}, {"", "1", "1", "1"},   {"1", "x", "1", "1"},
             {"1", "-2", "1", "1"},  {"1", "2", "", "1"},   {"1", "2", "1", ""},
             {"1", "2", "1", "-1"},  {"1", "2", "one", "1"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    mexc_begin();
    mexc_put_level(1, bad[i].price, bad[i].quantity);
    mexc_put_text(&mexc_body, 4, bad[i].from);
    mexc_put_text(&mexc_body, 5, bad[i].to);
    end(313);
    assert_refused();
  }
}

static void unknown_fields_and_bodies_are_skipped(void **state) {
  (void)state;
  struct trp_mexc_event event;
  write_quote("1", "2", "3", "4");
  mexc_put_text(&mexc_body, 77, "a field of tomorrow");
  mexc_put_number(&mexc_body, 78, 5);
  mexc_frame.size = 0;
  mexc_put_number(&mexc_frame, 2, 1);
  mexc_put_text(&mexc_frame, 999, "another");
  end(315);
  assert_int_equal(parse(&event), TRP_OK);
  assert_true(event.kind == TRP_MEXC_QUOTES && event.quotes->ask_size == 4);
  mexc_begin();
  mexc_put_text(&mexc_body, 1, "Min1");
  end(308);
  assert_int_equal(parse(&event), TRP_OK);
  assert_int_equal(event.kind, TRP_MEXC_OTHER);
}

static void what_is_no_push_is_refused(void **state) {
  (void)state;
  struct trp_mexc_event event;
  assert_int_equal(trp_mexc_parse(parser, "", 0, &event), TRP_MALFORMED);
  assert_int_equal(trp_mexc_parse(parser, "\xff\xff\xff", 3, &event), TRP_MALFORMED);
  mexc_begin();
  mexc_put_text(&mexc_frame, 1, "channel");
  mexc_put_text(&mexc_frame, 3, "A B");
  mexc_put_bytes(&mexc_frame, 315, "", 0);
  assert_refused();
}

/* Wherever a frame ends, it is refused, or what is left has no body yet. */
static void no_truncation_of_a_frame_makes_an_event(void **state) {
  (void)state;
  struct trp_mexc_event event;
  write_quote("84270", "0.006387", "84270.01", "5.42169969");
  for (size_t size = 0; size < mexc_frame.size; size++)
    if (trp_mexc_parse(parser, mexc_frame.at, size, &event) == TRP_OK)
      assert_int_equal(event.kind, TRP_MEXC_OTHER);
}

static void bounds_hold_for_levels_trades_and_memory(void **state) {
  (void)state;
  struct trp_mexc_event event;
  for (int extra = 0; extra < 2; extra++) {
    mexc_begin();
    for (int i = 0; i < TRP_MEXC_SIDE_MAX + extra; i++) mexc_put_level(2, "1", "2");
    mexc_put_text(&mexc_body, 4, "1");
    end(303);
    assert_int_equal(parse(&event), extra == 0 ? TRP_OK : TRP_TOO_BIG);
  }
  mexc_begin();
  for (int i = 0; i <= TRP_MEXC_ITEMS_MAX; i++) put_deal("1", 1, NULL);
  end(314);
  assert_int_equal(parse(&event), TRP_TOO_BIG);
  mexc_begin();
  for (int i = 0; i < 100000; i++)
    mexc_put_number(&mexc_frame, 20, 1); /* each costs far more than 2 bytes */
  assert_int_equal(parse(&event), TRP_TOO_BIG);
  write_quote("1", "2", "3", "4");
  assert_int_equal(parse(&event), TRP_OK);
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void assert_answer(const char *text, enum trp_mexc_kind kind, const char *says) {
  struct trp_mexc_event event;
  assert_int_equal(trp_mexc_parse(parser, text, strlen(text), &event), TRP_OK);
  if (event.kind != kind) fail_msg("%s: kind %d", text, event.kind);
  assert_string_equal(event.answer.text, says);
}

#define DEALS "spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"
#define REFUSAL "Not Subscribed successfully! [" DEALS ",spot@x@ETHUSDT].  Reason： Blocked! "

static void a_refusal_is_known_by_its_text_for_its_code_is_zero(void **state) {
  (void)state;
  assert_answer("{\"id\":0,\"code\":0,\"msg\":\"" DEALS "\"}", TRP_MEXC_ACK, DEALS);
  assert_answer("{\"id\":0,\"code\":0,\"msg\":\"" REFUSAL "\"}", TRP_MEXC_REFUSED, REFUSAL);
  assert_answer("{\"id\":0,\"code\":0,\"msg\":\"PONG\"}", TRP_MEXC_PONG, "PONG");
  assert_answer("{\"id\":0,\"code\":5,\"msg\":\"" DEALS "\"}", TRP_MEXC_REFUSED, DEALS);
  assert_answer("{\"id\":0,\"code\":0,\"msg\":\"" DEALS ", " DEALS "\"}", TRP_MEXC_ACK,
                DEALS ", " DEALS);
  assert_answer("{\"id\":0,\"code\":0,\"msg\":\"" DEALS ". " REFUSAL "\"}", TRP_MEXC_REFUSED,
                DEALS ". " REFUSAL);
  assert_answer("{\"id\":0,\"code\":0,\"msg\":\"msg format invalid\"}", TRP_MEXC_ERROR,
                "msg format invalid");
  assert_true(trp_mexc_text_names(DEALS, DEALS));
  assert_true(trp_mexc_text_names(REFUSAL, DEALS));
  assert_true(trp_mexc_text_names(REFUSAL, "spot@x@ETHUSDT"));
  assert_false(trp_mexc_text_names(REFUSAL, "spot@x@ETHUSD"));
  assert_false(trp_mexc_text_names(REFUSAL, "x@ETHUSDT"));
  assert_false(trp_mexc_text_names(REFUSAL, ""));
}

static void thirty_channels_fit_one_request_and_one_answer(void **state) {
  (void)state;
  char request_text[4096], answer[4096], channel[TRP_MEXC_CHANNEL_MAX], symbol[16];
  struct trp_mexc_event event;
  struct trp_wire_text request;
  trp_mexc_request_begin(&request, request_text, sizeof request_text, true);
  size_t size = (size_t)sprintf(answer, "{\"id\":0,\"code\":0,\"msg\":\"");
  for (int i = 0; i < TRP_MEXC_SUBSCRIPTIONS_MAX; i++) {
    sprintf(symbol, "COIN%02dUSDT", i);
    trp_mexc_request_add(&request, TRP_MEXC_STREAM_QUOTES, symbol);
    assert_true(trp_mexc_channel(channel, sizeof channel, TRP_MEXC_STREAM_QUOTES, symbol));
    size += (size_t)sprintf(answer + size, "%s%s", i == 0 ? "" : ",", channel);
  }
  size += (size_t)sprintf(answer + size, "\"}");
  assert_true(trp_mexc_request_end(&request));
  assert_non_null(strstr(request_text,
                         "{\"method\":\"SUBSCRIPTION\",\"params\":["
                         "\"spot@public.aggre.bookTicker.v3.api.pb@100ms@COIN00USDT\",\"spot@"));
  assert_int_equal(trp_mexc_parse(parser, answer, size, &event), TRP_OK);
  assert_int_equal(event.kind, TRP_MEXC_ACK);
  assert_true(trp_mexc_text_names(event.answer.text, channel)); /* the last one */
  trp_mexc_request_begin(&request, request_text, 50, false);
  trp_mexc_request_add(&request, TRP_MEXC_STREAM_DEPTH, "BTCUSDT");
  assert_false(trp_mexc_request_end(&request));
}

static void texts_that_say_nothing_are_passed_over_and_bad_ones_refused(void **state) {
  (void)state;
  struct trp_mexc_event event;
  assert_int_equal(trp_mexc_parse(parser, "{}", 2, &event), TRP_OK);
  assert_int_equal(event.kind, TRP_MEXC_OTHER);
  assert_int_equal(trp_mexc_parse(parser, "{\"id\":0,", 8, &event), TRP_TRUNCATED);
  assert_int_equal(trp_mexc_parse(parser, "{\"id\":]}", 8, &event), TRP_MALFORMED);
}

static void a_snapshot_or_its_refusal_is_read(void **state) {
  (void)state;
  struct trp_mexc_event event;
  const char *text =
      "{\"lastUpdateId\":1377043284,\"bids\":[[\"30225.80\",\"0.023\"]],\"asks\":[[\"30225.81\","
      "\"0.5\"]],\"timestamp\":1652855845542}";
  assert_int_equal(trp_mexc_parse_snapshot(parser, text, strlen(text), &event), TRP_OK);
  assert_int_equal(event.kind, TRP_MEXC_DEPTH);
  assert_true(event.depth.final_id == 1377043284 && event.depth.count == 2);
  assert_true(event.exchange_us == 1652855845542000);
  text = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
  assert_int_equal(trp_mexc_parse_snapshot(parser, text, strlen(text), &event), TRP_OK);
  assert_true(event.kind == TRP_MEXC_ERROR && event.answer.code == -1121);
  assert_int_equal(trp_mexc_parse_snapshot(parser, "{\"bids\":[]}", 11, &event), TRP_MALFORMED);
}

struct noted {
  char text[200];
};

static void note(struct noted *noted, const char *format, const char *name, double number) {
  size_t used = strlen(noted->text);
  snprintf(noted->text + used, sizeof noted->text - used, format, name, number);
}

static void note_ticker(void *arg, const struct trp_mexc_event *event) {
  if (event->kind == TRP_MEXC_ERROR) {
    note(arg, "!%s(%.0f) ", event->answer.text, (double)event->answer.code);
    return;
  }
  assert_int_equal(event->kind, TRP_MEXC_QUOTES);
  assert_int_equal(event->quote_count, 1);
  assert_int_equal(event->quotes->update_id, 0);
  assert_true((event->quotes->bid == 0) == (event->quotes->bid_size == 0));
  assert_true((event->quotes->ask == 0) == (event->quotes->ask_size == 0));
  note(arg, "%s:%g", event->symbol, event->quotes->bid);
  note(arg, "%s%g ", "/", event->quotes->ask_size);
}

static enum trp_err tickers(const char *body, struct noted *noted) {
  *noted = (struct noted){0};
  return trp_mexc_parse_tickers(parser, body, strlen(body), note_ticker, noted);
}

#define TICKER(symbol, bid, bid_size, ask, ask_size)                                               \
  "{\"symbol\":\"" symbol "\",\"bidPrice\":" bid ",\"bidQty\":" bid_size ",\"askPrice\":" ask      \
  ",\"askQty\":" ask_size "}"

static void polled_tickers_come_alone_or_in_a_list(void **state) {
  (void)state;
  struct noted noted;
  assert_int_equal(
      tickers(TICKER("AEUSDT", "\"0.11\"", "\"115\"", "\"0.12\"", "\"215.5\""), &noted), TRP_OK);
  assert_string_equal(noted.text, "AEUSDT:0.11/215.5 ");
  assert_int_equal(tickers("[" TICKER("A", "\"1\"", "\"2\"", "\"3\"", "\"4\"") "," TICKER(
                               "B", "\"5\"", "\"6\"", "\"7\"", "\"8\"") "]",
                           &noted),
                   TRP_OK);
  assert_string_equal(noted.text, "A:1/4 B:5/8 ");
  assert_int_equal(tickers("[]", &noted), TRP_OK);
  assert_string_equal(noted.text, "");
}

static void a_ticker_without_orders_does_not_spoil_the_others(void **state) {
  (void)state;
  struct noted noted;
  assert_int_equal(
      tickers("[" TICKER("A", "\"1\"", "\"\"", "\"3\"", "\"4\"") "," TICKER(
                  "B", "\"\"", "\"\"", "null",
                  "null") ",{\"symbol\":\"D\"}," TICKER("C", "\"5\"", "\"6\"", "null", "\"8\"") "]",
              &noted),
      TRP_OK);
  assert_string_equal(noted.text, "A:0/4 C:5/0 ");
  assert_int_equal(tickers(TICKER("A", "\"1\"", "\"-1\"", "\"3\"", "\"4\""), &noted),
                   TRP_MALFORMED);
  assert_string_equal(trp_mexc_parse_reason(parser), "a bookTicker with a bad number");
  assert_int_equal(tickers("[" TICKER("A", "\"1\"", "\"x\"", "\"3\"", "\"4\"") "]", &noted),
                   TRP_MALFORMED);
  assert_int_equal(tickers("[{\"symbol\":\"A\"", &noted), TRP_TRUNCATED);
}

static void a_poll_that_is_refused_is_an_error(void **state) {
  (void)state;
  struct noted noted;
  assert_int_equal(tickers("{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", &noted), TRP_OK);
  assert_string_equal(noted.text, "!Invalid symbol.(-1121) ");
}

static void note_symbol(void *arg, const char *symbol) { note(arg, "%s%.0g ", symbol, 1); }

static void the_list_names_each_symbol(void **state) {
  (void)state;
  struct noted noted = {0};
  const char *body =
      "{\"timezone\":\"CST\",\"symbols\":[{\"symbol\":\"MXUSDT\",\"status\":\"1\",\"filters\":[]},"
      "{\"symbol\":\"AEUSDT\"}]}";
  assert_int_equal(trp_mexc_parse_listing(parser, body, strlen(body), note_symbol, &noted), TRP_OK);
  assert_string_equal(noted.text, "MXUSDT1 AEUSDT1 ");
  assert_int_equal(trp_mexc_parse_listing(parser, "{}", 2, note_symbol, &noted), TRP_MALFORMED);
  assert_string_equal(trp_mexc_parse_reason(parser), "a listing without any symbol");
}

static void urls_are_built_and_read_back(void **state) {
  (void)state;
  char url[200], symbol[TRP_MEXC_SYMBOL_MAX + 1];
  assert_true(trp_mexc_stream_url(url, sizeof url, "wss://wbs-api.mexc.com"));
  assert_string_equal(url, "wss://wbs-api.mexc.com/ws");
  assert_true(trp_mexc_depth_url(url, sizeof url, "https://api.mexc.com", "BTCUSDT", 1000));
  assert_string_equal(url, "https://api.mexc.com/api/v3/depth?symbol=BTCUSDT&limit=1000");
  assert_true(trp_mexc_symbol_of_url(url, symbol, sizeof symbol));
  assert_string_equal(symbol, "BTCUSDT");
  assert_false(trp_mexc_depth_url(url, 30, "https://api.mexc.com", "BTCUSDT", 1000));
  assert_true(trp_mexc_tickers_url(url, sizeof url, "https://api.mexc.com", "\xe5\xb8\x81USDT"));
  assert_string_equal(url, "https://api.mexc.com/api/v3/ticker/bookTicker?symbol=%E5%B8%81USDT");
  assert_true(trp_mexc_tickers_url(url, sizeof url, "https://api.mexc.com", NULL));
  assert_string_equal(url, "https://api.mexc.com/api/v3/ticker/bookTicker");
  assert_false(trp_mexc_tickers_url(url, 40, "https://api.mexc.com", NULL));
  assert_true(trp_mexc_listing_url(url, sizeof url, "https://api.mexc.com"));
  assert_string_equal(url, "https://api.mexc.com/api/v3/exchangeInfo");
  assert_false(trp_mexc_listing_url(url, 30, "https://api.mexc.com"));
}

/* ---- real frames ---------------------------------------------------------------------------- */

/* What is left of a decoded form: how many of its members were found equal. */
struct comparison {
  const struct trp_mexc_event *event;
  uint32_t equal;
};

static double number_of(const struct trp_json_value *value) {
  struct trp_decimal decimal;
  assert_true(trp_json_to_decimal(value, &decimal));
  return decimal.value;
}

/* The n-th level of a side, in arrival order. */
static const struct trp_level *level_of(const struct trp_wire_depth *depth, uint32_t side,
                                        uint32_t n) {
  for (uint32_t i = 0; i < depth->count; i++)
    if (depth->levels[i].side == side && n-- == 0) return &depth->levels[i];
  fail_msg("%s", "a level is missing");
  return NULL;
}

static void compare_level(struct comparison *c, uint32_t side, const char *name,
                          const struct trp_json_value *value) {
  const struct trp_level *level = level_of(&c->event->depth, side, value->index);
  assert_true(number_of(value) == (name[0] == 'p' ? level->price : level->size));
  c->equal++;
}

static void compare_deal(struct comparison *c, const char *name,
                         const struct trp_json_value *value) {
  assert_true(value->index < c->event->trade_count);
  const struct trp_mexc_trade *trade = &c->event->trades[value->index];
  if (strcmp(name, "price") == 0) assert_true(number_of(value) == trade->trade.price);
  if (strcmp(name, "quantity") == 0) assert_true(number_of(value) == trade->trade.size);
  if (strcmp(name, "tradeType") == 0)
    assert_int_equal(number_of(value), trade->trade.taker_sold ? 2 : 1);
  if (strcmp(name, "time") == 0)
    assert_true(trade->exchange_us == (int64_t)number_of(value) * 1000);
  if (strcmp(name, "tradeId") == 0) assert_string_equal(value->text, trade->id_text);
  c->equal++;
}

static void compare_quote(struct comparison *c, const char *name,
                          const struct trp_json_value *value) {
  const struct trp_wire_quote *quote = c->event->quotes;
  if (strcmp(name, "bidPrice") == 0) assert_true(number_of(value) == quote->bid);
  if (strcmp(name, "bidQuantity") == 0) assert_true(number_of(value) == quote->bid_size);
  if (strcmp(name, "askPrice") == 0) assert_true(number_of(value) == quote->ask);
  if (strcmp(name, "askQuantity") == 0) assert_true(number_of(value) == quote->ask_size);
  if (strcmp(name, "version") == 0) assert_true(number_of(value) == (double)quote->update_id);
  c->equal++;
}

static bool compare(void *arg, const struct trp_json_value *value) {
  struct comparison *c = arg;
  const char *path = value->path, *dot = strrchr(path, '.');
  if (value->kind != TRP_JSON_TEXT && value->kind != TRP_JSON_NUMBER) return true;
  const char *name = dot != NULL ? dot + 1 : path;
  if (strcmp(path, "symbol") == 0) assert_string_equal(value->text, c->event->symbol);
  if (strcmp(path, "sendTime") == 0)
    assert_true(c->event->exchange_us == (int64_t)number_of(value) * 1000);
  if (strstr(path, ".asks[].") != NULL) compare_level(c, 2, name, value);
  if (strstr(path, ".bids[].") != NULL) compare_level(c, 1, name, value);
  if (strstr(path, "AggreDeals.deals[].") != NULL) compare_deal(c, name, value);
  if (strstr(path, "AggreBookTicker.") != NULL) compare_quote(c, name, value);
  if (strcmp(path, "publicLimitDepths.version") == 0 || strcmp(name, "toVersion") == 0)
    assert_true(number_of(value) == (double)c->event->depth.final_id);
  return true;
}

static size_t read_file(const char *path, char *out, size_t max) {
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  size_t size = fread(out, 1, max, file);
  fclose(file);
  return size;
}

static void real_frames_equal_their_decoded_forms(void **state) {
  (void)state;
  static char bytes[1 << 18], json[1 << 20];
  glob_t found;
  if (glob(RECORDINGS, 0, NULL, &found) != 0) {
    print_message("skipped: no recordings at %s\n", RECORDINGS);
    skip();
  }
  for (size_t i = 0; i < found.gl_pathc; i++) {
    struct trp_mexc_event event;
    struct comparison comparison = {.event = &event};
    const char *reason;
    const char *path = found.gl_pathv[i];
    size_t size = read_file(path, bytes, sizeof bytes);
    assert_int_equal(trp_mexc_parse(parser, bytes, size, &event), TRP_OK);
    char json_path[512];
    snprintf(json_path, sizeof json_path, "%.*s.json", (int)strlen(path) - 4, path);
    size_t json_size = read_file(json_path, json, sizeof json);
    if (json_size == 0 || event.kind == TRP_MEXC_OTHER) continue;
    assert_int_equal(trp_json_walk(json, json_size, compare, &comparison, &reason), TRP_OK);
    assert_true(comparison.equal >= 5);
    if (event.kind == TRP_MEXC_TOP || event.kind == TRP_MEXC_DEPTH)
      assert_int_equal(comparison.equal, 2 * event.depth.count);
  }
  globfree(&found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_book_ticker_is_a_quote),
      cmocka_unit_test(a_side_without_orders_is_zero_and_half_a_side_is_refused),
      cmocka_unit_test(a_batch_is_several_quotes_without_versions),
      cmocka_unit_test(deals_are_trades_with_the_takers_side),
      cmocka_unit_test(asks_are_field_one_and_bids_field_two),
      cmocka_unit_test(a_book_with_bad_versions_or_levels_is_refused),
      cmocka_unit_test(unknown_fields_and_bodies_are_skipped),
      cmocka_unit_test(what_is_no_push_is_refused),
      cmocka_unit_test(no_truncation_of_a_frame_makes_an_event),
      cmocka_unit_test(bounds_hold_for_levels_trades_and_memory),
      cmocka_unit_test(a_refusal_is_known_by_its_text_for_its_code_is_zero),
      cmocka_unit_test(thirty_channels_fit_one_request_and_one_answer),
      cmocka_unit_test(texts_that_say_nothing_are_passed_over_and_bad_ones_refused),
      cmocka_unit_test(a_snapshot_or_its_refusal_is_read),
      cmocka_unit_test(polled_tickers_come_alone_or_in_a_list),
      cmocka_unit_test(a_ticker_without_orders_does_not_spoil_the_others),
      cmocka_unit_test(a_poll_that_is_refused_is_an_error),
      cmocka_unit_test(the_list_names_each_symbol),
      cmocka_unit_test(urls_are_built_and_read_back),
      cmocka_unit_test(real_frames_equal_their_decoded_forms),
  };
  return cmocka_run_group_tests(tests, make_parser, drop_parser);
}
