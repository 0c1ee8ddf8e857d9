/* Random walks of the protocol machine against a small exchange that knows what is so: it answers,
 * refuses, keeps silent, loses frames and connections by seed, and then behaves. After that the
 * machine must be live again, and subscribed to exactly what is wanted, on the right links. It
 * plays each way of an exchange: answers by id or by name, books by HTTP or in the stream. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/binance.h"

#define MS 1000000ull

enum { SYMBOLS = 5, LINKS = 3, STREAMS = 3, TEXTS = 64, STEPS = 300, SEEDS = 500 };

static const char *const names[SYMBOLS] = {"A", "B", "C", "D", "E"};

/* ---- the small exchange --------------------------------------------------------------------- */

struct text {
  uint64_t id;
  bool subscribe;
  bool what[SYMBOLS][STREAMS];
};

struct line { /* a connection */
  bool open;
  bool end; /* the machine wants another one */
  bool on[SYMBOLS][STREAMS];
  struct text texts[TEXTS];
  uint32_t count;
};

static struct {
  struct trp_machine *machine;
  uint64_t now, chance;
  uint32_t streams;
  bool wanted[SYMBOLS];
  bool asked[SYMBOLS]; /* a snapshot */
  uint64_t id[SYMBOLS];
  struct line lines[LINKS];
  struct { /* what a consumer has */
    bool whole;
    uint64_t sequence;
  } view[SYMBOLS];
  uint64_t quotes[SYMBOLS];
} w;

static uint32_t chance(uint32_t below) {
  w.chance = w.chance * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)(w.chance >> 33) % below;
}

static int at(const char *symbol) { return symbol[0] - 'A'; }

static int numbered(uint32_t number) { return at(trp_symbol_name(number)); }

/* The i-th of the streams that are subscribed to. */
static uint32_t bit(int i) {
  uint32_t left = w.streams;
  while (i-- > 0) left &= left - 1;
  return left & -left;
}

/* ---- its dialect: texts are "+7:A1A2B1", and frames are the struct trp_heard itself --------- */

static void request_begin(struct trp_dialect_request *request) {
  trp_wire_put(&request->text, request->subscribe ? "+" : "-");
  trp_wire_put_u64(&request->text, request->id);
  trp_wire_put(&request->text, ":");
}

static bool request_add(struct trp_dialect_request *request, enum trp_stream stream,
                        const char *symbol) {
  if (request->text.streams == 4) return false;
  request->text.streams++;
  trp_wire_put(&request->text, symbol);
  for (int i = 0; i < STREAMS; i++)
    if (bit(i) == stream) trp_wire_put_u64(&request->text, (uint64_t)i);
  return true;
}

static bool request_end(struct trp_dialect_request *request) { return !request->text.full; }

static bool is_named(const char *text, enum trp_stream stream, const char *symbol) {
  for (const char *p = strchr(text, ':') + 1; *p != '\0'; p += 2)
    if (p[0] == symbol[0] && bit(p[1] - '0') == stream) return true;
  return false;
}

static enum trp_err parse(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                          void *arg) {
  (void)parser, (void)size;
  hear(arg, bytes);
  return TRP_OK;
}

static void frame(uint32_t line, struct trp_heard heard) {
  if (heard.symbol == NULL) heard.symbol = "";
  trp_machine_frame(w.machine, line, w.now, 0, &heard, sizeof heard);
}

static struct trp_wire_depth depth_of(int symbol, uint64_t first) {
  static const struct trp_level levels[2] = {{.side = 1, .price = 1, .size = 1},
                                             {.side = 2, .price = 2, .size = 1}};
  return (struct trp_wire_depth){
      .first_id = first, .final_id = w.id[symbol], .levels = levels, .count = 2};
}

/* ---- what the machine tells ----------------------------------------------------------------- */

static enum trp_err send_text(void *arg, uint32_t link, const char *text, size_t size) {
  (void)arg, (void)size;
  struct line *line = &w.lines[link];
  assert_true(line->open);
  if (line->count == TEXTS) return TRP_FULL;
  struct text *t = &line->texts[line->count++];
  *t = (struct text){.id = strtoull(text + 1, NULL, 10), .subscribe = text[0] == '+'};
  for (const char *p = strchr(text, ':') + 1; *p != '\0'; p += 2) {
    bool *what = &t->what[p[0] - 'A'][p[1] - '0'];
    assert_false(*what); /* nothing twice */
    *what = true;
  }
  return TRP_OK;
}

static enum trp_err request_snapshot(void *arg, uint32_t link, const char *symbol,
                                     const char *url) {
  (void)arg, (void)url;
  assert_true(w.lines[link].open);
  w.asked[at(symbol)] = true;
  return TRP_OK;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)arg, (void)update_id;
  assert_true(w.wanted[numbered(quote->symbol)]);
  w.quotes[numbered(quote->symbol)]++;
}

static void on_trade(void *arg, const struct trp_trade *trade) { (void)arg, (void)trade; }

static void on_book(void *arg, const struct trp_book *book) {
  (void)arg;
  int symbol = numbered(book->symbol);
  assert_true(w.wanted[symbol]);
  assert_true(book->kind == 1 || w.view[symbol].whole);
  assert_true(book->kind == 1 || book->sequence > w.view[symbol].sequence);
  w.view[symbol].whole = true;
  w.view[symbol].sequence = book->sequence;
}

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  (void)arg, (void)expected, (void)got;
  w.view[numbered(symbol)].whole = false;
}

static void on_notice(void *arg, const struct trp_machine_notice *notice) {
  (void)arg;
  assert_true(notice->kind != TRP_NOTICE_UNSUBSCRIBED || !w.wanted[numbered(notice->symbol)]);
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  (void)arg, (void)state, (void)reason;
}

static void on_reconnect(void *arg, uint32_t link, enum trp_error_class error_class,
                         const char *reason) {
  (void)arg, (void)error_class, (void)reason;
  assert_true(w.lines[link].open);
  w.lines[link].end = true;
}

static const struct trp_machine_out outputs = {.send_text = send_text,
                                               .request_snapshot = request_snapshot,
                                               .quote = on_quote,
                                               .trade = on_trade,
                                               .book = on_book,
                                               .gap = on_gap,
                                               .notice = on_notice,
                                               .state = on_state,
                                               .reconnect = on_reconnect};

/* ---- what the exchange does ----------------------------------------------------------------- */

static void open_line(uint32_t i) {
  if (w.lines[i].open) return;
  memset(&w.lines[i], 0, sizeof w.lines[i]);
  w.lines[i].open = true;
  trp_machine_opened(w.machine, i, w.now);
}

static void close_line(uint32_t i) {
  w.lines[i].open = false;
  trp_machine_closed(w.machine, i, w.now);
}

static uint32_t book_bit(void) { return w.streams & (TRP_STREAM_DEPTH | TRP_STREAM_BOOK); }

/* A frame of one subscription, where it stands. `lost`: it never arrives. */
static void data(uint32_t line, int symbol, int stream, bool lost) {
  struct trp_heard heard = {.kind = TRP_HEARD_QUOTE, .symbol = names[symbol]};
  if (!w.lines[line].open || !w.lines[line].on[symbol][stream]) return;
  if (bit(stream) == TRP_STREAM_TRADES) heard.kind = TRP_HEARD_TRADE;
  if (bit(stream) == book_bit()) {
    heard.kind = TRP_HEARD_DIFF;
    uint64_t first = ++w.id[symbol];
    w.id[symbol] += chance(3);
    heard.depth = depth_of(symbol, first);
  }
  if (!lost) frame(line, heard);
}

static void all_data(uint32_t line) {
  for (int s = 0; s < SYMBOLS; s++)
    for (int i = 0; i < STREAMS; i++) data(line, s, i, false);
}

/* Takes effect; the first of a BOOK stream is the whole. Some is sent before the answer. */
static void obey(uint32_t line, const struct text *text) {
  for (int s = 0; s < SYMBOLS; s++)
    for (int i = 0; i < STREAMS; i++) {
      bool *on = &w.lines[line].on[s][i];
      if (!text->what[s][i]) continue;
      bool begins = text->subscribe && !*on;
      *on = text->subscribe;
      if (begins && bit(i) == TRP_STREAM_BOOK)
        frame(line,
              (struct trp_heard){
                  .kind = TRP_HEARD_WHOLE, .symbol = names[s], .depth = depth_of(s, w.id[s])});
    }
}

static void answer(uint32_t line, bool by_name, bool refuse) {
  struct line *l = &w.lines[line];
  char named[64] = ":";
  if (!l->open || l->count == 0) return;
  struct text text = l->texts[0];
  memmove(l->texts, l->texts + 1, --l->count * sizeof *l->texts);
  refuse = refuse && text.subscribe;
  if (!refuse) obey(line, &text);
  for (int s = 0; s < SYMBOLS; s++)
    for (int i = 0; i < STREAMS; i++)
      if (text.what[s][i])
        snprintf(named + strlen(named), sizeof named - strlen(named), "%s%d", names[s], i);
  struct trp_heard heard = {.kind = refuse ? TRP_HEARD_REFUSED : TRP_HEARD_ACK};
  heard.answer.id = by_name ? 0 : text.id;
  heard.answer.names = by_name ? named : NULL;
  heard.answer.code = refuse ? -1000 : 0; /* transient */
  frame(line, heard);
}

static void give_snapshot(int symbol, bool limit) {
  struct trp_heard heard = {
      .kind = TRP_HEARD_WHOLE, .symbol = "", .depth = depth_of(symbol, w.id[symbol])};
  if (!w.asked[symbol]) return;
  w.asked[symbol] = false;
  trp_machine_http_response(w.machine, w.now, names[symbol], limit ? 429 : 200, 1, &heard,
                            sizeof heard);
}

static void want(int symbol, bool wanted) {
  w.wanted[symbol] = wanted;
  if (!wanted) w.view[symbol].whole = false;
  enum trp_err err = wanted ? trp_machine_subscribe(w.machine, w.now, names[symbol], NULL)
                            : trp_machine_unsubscribe(w.machine, w.now, names[symbol]);
  assert_int_equal(err, TRP_OK);
}

static void tick(void) {
  w.now += TRP_MACHINE_TICK_MS * MS;
  trp_machine_tick(w.machine, w.now);
}

static void step(bool by_name) {
  uint32_t line = chance(LINKS);
  int symbol = (int)chance(SYMBOLS);
  switch (chance(16)) {
    case 0:
      want(symbol, true);
      break;
    case 1:
      if (w.wanted[symbol]) want(symbol, false);
      break;
    case 2:
      open_line(line);
      break;
    case 3:
      if (chance(4) == 0) close_line(line);
      break;
    case 4:
    case 5:
    case 6:
      answer(line, by_name, chance(8) == 0);
      break;
    case 7:
      data(line, symbol, (int)chance(STREAMS), chance(3) == 0);
      break;
    case 8:
    case 9:
      all_data(line);
      break;
    case 10:
      give_snapshot(symbol, chance(6) == 0);
      break;
    default:
      tick();
      break;
  }
}

/* The exchange behaves, and the owner does its part. */
static void behave(bool by_name) {
  for (uint32_t i = 0; i < LINKS; i++) {
    if (w.lines[i].end) close_line(i);
    open_line(i);
    while (w.lines[i].count > 0) answer(i, by_name, false);
    all_data(i);
  }
  for (int s = 0; s < SYMBOLS; s++) give_snapshot(s, false);
  tick();
}

static void check(uint64_t seed) {
  uint32_t on = 0;
  if (trp_machine_state(w.machine) != TRP_FEED_LIVE) {
    char reason[TRP_MACHINE_REASON_BYTES];
    trp_machine_reason(w.machine, reason);
    fail_msg("seed %llu: %s", (unsigned long long)seed, reason);
  }
  for (int s = 0; s < SYMBOLS; s++)
    for (int i = 0; i < STREAMS; i++) {
      uint32_t times = 0;
      for (uint32_t l = 0; l < LINKS; l++) times += w.lines[l].on[s][i];
      if (times != w.wanted[s])
        fail_msg("seed %llu: %s.%d is on %u times", (unsigned long long)seed, names[s], i, times);
      on += times;
    }
  for (int s = 0; s < SYMBOLS; s++)
    if (w.wanted[s] && book_bit() != 0) {
      assert_true(w.view[s].whole);
      assert_true(w.view[s].sequence == w.id[s]);
    }
  assert_true(on == STREAMS * trp_machine_symbols(w.machine));
}

/* ---- walks ---------------------------------------------------------------------------------- */

static enum trp_err no_parser(void **parser) {
  *parser = NULL;
  return TRP_OK;
}

static void no_more_parser(void **parser) { *parser = NULL; }

static void walk(uint64_t seed, uint32_t streams, bool by_name) {
  struct trp_dialect dialect = trp_binance_dialect;
  dialect.streams = w.streams = streams;
  dialect.streams_per_link = 6;
  dialect.texts_per_s = 50;
  dialect.request_begin = request_begin;
  dialect.request_add = request_add;
  dialect.request_end = request_end;
  dialect.names = by_name ? is_named : NULL;
  dialect.parser_new = no_parser;
  dialect.parser_destroy = no_more_parser;
  dialect.parse = dialect.parse_snapshot = parse;
  memset(&w, 0, sizeof w);
  w.streams = streams;
  w.chance = seed * 977;
  w.now = 1000 * MS;
  for (int s = 0; s < SYMBOLS; s++) w.id[s] = 100;
  struct trp_machine_options options = {.streams = streams, .symbols_max = SYMBOLS, .seed = seed};
  assert_int_equal(trp_machine_new(&w.machine, &dialect, &options, &outputs), TRP_OK);
  for (int i = 0; i < STEPS; i++) step(by_name);
  for (int i = 0; i < 1200; i++) behave(by_name); /* two minutes: every backoff has passed */
  check(seed);
  trp_machine_destroy(&w.machine);
}

static void walks(uint32_t streams, bool by_name) {
  for (uint64_t seed = 1; seed <= SEEDS; seed++) walk(seed, streams, by_name);
}

#define BOTH (TRP_STREAM_QUOTES | TRP_STREAM_TRADES)

static void after_any_walk_it_is_live_with_answers_by_id(void **state) {
  (void)state;
  walks(BOTH | TRP_STREAM_DEPTH, false);
}

static void after_any_walk_it_is_live_with_answers_by_name(void **state) {
  (void)state;
  walks(BOTH | TRP_STREAM_DEPTH, true);
}

static void after_any_walk_it_is_live_with_books_in_the_stream(void **state) {
  (void)state;
  walks(BOTH | TRP_STREAM_BOOK, false);
  walks(BOTH | TRP_STREAM_BOOK, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(after_any_walk_it_is_live_with_answers_by_id),
      cmocka_unit_test(after_any_walk_it_is_live_with_answers_by_name),
      cmocka_unit_test(after_any_walk_it_is_live_with_books_in_the_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
