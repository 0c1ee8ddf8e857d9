/* Random walks of the protocol machine over two sources: connections that are renewed again and
 * again, each with its own delay, and polling while there is none. Whatever the order in which the
 * sources bring them, every trade must come out once and in order; and every quote and every step
 * of a book too while one connection follows upon the other. */
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

enum {
  SYMBOLS = 3,
  LOG = 20000,   /* of what was sent, a symbol */
  FIFO = 4096,   /* on their way, a connection */
  LATE_MS = 400, /* at most, from the exchange to us */
  STEP_MS = 10,
  STEPS = 4000,
  SEEDS = 500
};

static const char *const names[SYMBOLS] = {"A", "B", "C"};

/* ---- the small exchange --------------------------------------------------------------------- */

struct item {
  uint64_t due_ns;
  struct trp_heard heard;
};

struct conn {
  bool open;  /* we read it */
  bool sends; /* the exchange writes it */
  bool on;    /* subscribed to */
  uint32_t texts[8], text_count;
  uint64_t last_due_ns;
  uint32_t first, count;
  struct item fifo[FIFO];
};

struct sequence {
  uint64_t log[LOG]; /* ids that were sent */
  uint32_t sent;
  uint64_t given; /* the last id that came out; 0: none */
  uint64_t outputs;
  uint32_t at; /* in the log, behind `given` */
};

static struct conn conns[2];

static struct {
  struct trp_machine *machine;
  uint64_t now, chance, seed;
  struct conn *line, *old; /* the link's, and its predecessor */
  bool renew, release, strict;
  bool snapshot[SYMBOLS];
  struct {
    uint64_t ticket, due_ns, from;
    uint32_t sent; /* trades that there were when it was asked for */
    int symbol;    /* -1: quotes */
  } asked[16];
  struct sequence quotes[SYMBOLS], trades[SYMBOLS], books[SYMBOLS];
  uint64_t gaps;
} w;

static uint32_t chance(uint32_t below) {
  w.chance = w.chance * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)(w.chance >> 33) % below;
}

static int numbered(uint32_t number) { return trp_symbol_name(number)[0] - 'A'; }

static const struct trp_level levels[2] = {{.side = 1, .price = 1, .size = 1},
                                           {.side = 2, .price = 2, .size = 1}};

static void push(struct conn *conn, const struct trp_heard *heard) {
  if (!conn->sends || conn->count == FIFO) return;
  uint64_t due = w.now + chance(LATE_MS) * MS;
  if (due < conn->last_due_ns) due = conn->last_due_ns;
  conn->last_due_ns = due;
  conn->fifo[(conn->first + conn->count++) % FIFO] = (struct item){.due_ns = due, .heard = *heard};
}

static void send_all(const struct trp_heard *heard) {
  for (int i = 0; i < 2; i++)
    if (conns[i].on) push(&conns[i], heard);
}

static uint64_t next_id(struct sequence *s, uint32_t step) {
  uint64_t id = (s->sent != 0 ? s->log[s->sent - 1] : 100) + step;
  if (s->sent < LOG) s->log[s->sent++] = id;
  return id;
}

static void market(void) {
  int s = (int)chance(SYMBOLS);
  struct trp_heard heard = {.symbol = names[s]};
  uint64_t before = w.books[s].sent != 0 ? w.books[s].log[w.books[s].sent - 1] : 100;
  switch (chance(3)) {
    case 0:
      heard.kind = TRP_HEARD_QUOTE;
      heard.quote = (struct trp_wire_quote){
          .update_id = next_id(&w.quotes[s], 1 + chance(3)), .bid = 1, .ask = 2};
      break;
    case 1:
      heard.kind = TRP_HEARD_TRADE;
      heard.trade = (struct trp_wire_trade){.id = next_id(&w.trades[s], 1), .price = 1, .size = 1};
      break;
    default:
      heard.kind = TRP_HEARD_DIFF;
      heard.depth = (struct trp_wire_depth){.first_id = before + 1,
                                            .final_id = next_id(&w.books[s], 1 + chance(3)),
                                            .levels = levels,
                                            .count = 2};
      break;
  }
  send_all(&heard);
}

/* ---- its dialect: texts are ids, frames and bodies are struct trp_heard themselves ---------- */

static void request_begin(struct trp_dialect_request *request) {
  trp_wire_put_u64(&request->text, request->id);
}

static bool request_add(struct trp_dialect_request *request, enum trp_stream stream,
                        const char *symbol) {
  (void)request, (void)stream, (void)symbol;
  return true;
}

static bool request_end(struct trp_dialect_request *request) { return !request->text.full; }

static enum trp_err parse(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                          void *arg) {
  (void)parser;
  const struct trp_heard *heard = bytes;
  for (size_t i = 0; i < size / sizeof *heard; i++) hear(arg, &heard[i]);
  return TRP_OK;
}

static bool poll_url(char *out, size_t size, const char *http_base, const char *const *symbols,
                     uint32_t count) {
  (void)http_base, (void)symbols, (void)count;
  return snprintf(out, size, "Q") < (int)size;
}

static bool trades_url(char *out, size_t size, const char *http_base, const char *symbol,
                       uint64_t from_id) {
  (void)http_base;
  return snprintf(out, size, "%s%llu", symbol, (unsigned long long)from_id) < (int)size;
}

static enum trp_err no_parser(void **parser) {
  *parser = NULL;
  return TRP_OK;
}

static void no_more_parser(void **parser) { *parser = NULL; }

/* ---- what the machine tells ----------------------------------------------------------------- */

static enum trp_err send_text(void *arg, uint32_t link, const char *text, size_t size) {
  (void)arg, (void)link, (void)size;
  struct conn *conn = w.line;
  assert_true(conn != NULL && conn->text_count < 8);
  conn->texts[conn->text_count++] = (uint32_t)strtoul(text, NULL, 10);
  return TRP_OK;
}

static enum trp_err request_snapshot(void *arg, uint32_t link, const char *symbol,
                                     const char *url) {
  (void)arg, (void)link, (void)url;
  w.snapshot[symbol[0] - 'A'] = true;
  return TRP_OK;
}

static enum trp_err on_request(void *arg, const struct trp_machine_request *request) {
  (void)arg;
  for (int i = 0; i < 16; i++) {
    if (w.asked[i].ticket != 0) continue;
    w.asked[i].ticket = request->ticket;
    w.asked[i].due_ns = w.now + chance(LATE_MS) * MS;
    w.asked[i].symbol = request->url[0] == 'Q' ? -1 : request->url[0] - 'A';
    w.asked[i].from = strtoull(request->url + 1, NULL, 10);
    w.asked[i].sent = w.asked[i].symbol >= 0 ? w.trades[w.asked[i].symbol].sent : 0;
    return TRP_OK;
  }
  return TRP_BUSY;
}

/* What came out is the very next of what was sent. */
static void follow(const char *what, int symbol, struct sequence *s, uint64_t id) {
  while (s->at < s->sent && s->log[s->at] < id && s->given == 0) s->at++;
  if (s->at >= s->sent || s->log[s->at] != id)
    fail_msg("seed %llu: %s of %s: %llu came after %llu", (unsigned long long)w.seed, what,
             names[symbol], (unsigned long long)id, (unsigned long long)s->given);
  s->given = id;
  s->at++;
  s->outputs++;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)arg;
  int s = numbered(quote->symbol);
  if (update_id != 0 && w.strict) follow("a quote", s, &w.quotes[s], update_id);
}

static void on_trade(void *arg, const struct trp_trade *trade) {
  (void)arg;
  int s = numbered(trade->symbol);
  follow("a trade", s, &w.trades[s], trade->id);
}

static void on_book(void *arg, const struct trp_book *book) {
  (void)arg;
  int s = numbered(book->symbol);
  struct sequence *books = &w.books[s];
  if (book->kind == 2 && w.strict) {
    follow("a book", s, books, book->sequence);
    return;
  }
  books->given = book->sequence; /* whole */
  for (books->at = 0; books->at < books->sent && books->log[books->at] <= book->sequence;)
    books->at++;
}

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  (void)arg, (void)symbol, (void)expected, (void)got;
  w.gaps++;
}

static void on_notice(void *arg, const struct trp_machine_notice *notice) {
  (void)arg, (void)notice;
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  (void)arg, (void)state, (void)reason;
}

static void on_reconnect(void *arg, uint32_t link, enum trp_error_class error_class,
                         const char *reason) {
  (void)arg, (void)link, (void)error_class;
  fail_msg("seed %llu: a reconnect: %s", (unsigned long long)w.seed, reason);
}

static void on_renew(void *arg, uint32_t link, const char *reason) {
  (void)arg, (void)link, (void)reason;
  w.renew = true;
}

static void on_release(void *arg, uint32_t link) {
  (void)arg, (void)link;
  w.release = true;
}

static const struct trp_machine_out outputs = {.send_text = send_text,
                                               .request_snapshot = request_snapshot,
                                               .quote = on_quote,
                                               .trade = on_trade,
                                               .book = on_book,
                                               .gap = on_gap,
                                               .notice = on_notice,
                                               .state = on_state,
                                               .reconnect = on_reconnect,
                                               .request = on_request,
                                               .renew = on_renew,
                                               .release = on_release};

/* ---- connections ---------------------------------------------------------------------------- */

static void open_conn(void) {
  struct conn *conn = w.line == &conns[0] ? &conns[1] : &conns[0];
  memset(conn, 0, sizeof *conn);
  conn->open = conn->sends = true;
  w.old = w.line;
  w.line = conn;
  trp_machine_opened(w.machine, 0, w.now);
}

static void answer_texts(struct conn *conn) {
  for (uint32_t i = 0; i < conn->text_count; i++) {
    struct trp_heard ack = {.kind = TRP_HEARD_ACK, .symbol = ""};
    ack.answer.id = conn->texts[i];
    conn->on = true;
    push(conn, &ack);
  }
  conn->text_count = 0;
}

static void deliver(struct conn *conn) {
  while (conn->open && conn->count != 0 && conn->fifo[conn->first].due_ns <= w.now) {
    struct trp_heard heard = conn->fifo[conn->first].heard;
    conn->first = (conn->first + 1) % FIFO;
    conn->count--;
    if (conn == w.line)
      trp_machine_frame(w.machine, 0, w.now, 0, &heard, sizeof heard);
    else
      trp_machine_old_frame(w.machine, 0, w.now, 0, &heard, sizeof heard);
  }
}

static void give_snapshots(void) {
  for (int s = 0; s < SYMBOLS; s++) {
    uint64_t id = w.books[s].sent != 0 ? w.books[s].log[w.books[s].sent - 1] : 100;
    struct trp_heard heard = {.kind = TRP_HEARD_WHOLE, .symbol = ""};
    heard.depth =
        (struct trp_wire_depth){.first_id = id, .final_id = id, .levels = levels, .count = 2};
    if (!w.snapshot[s]) continue;
    w.snapshot[s] = false;
    trp_machine_http_response(w.machine, w.now, names[s], 200, 0, &heard, sizeof heard);
  }
}

/* What there was when it was asked for, and is late. */
static void answer_request(int i) {
  static struct trp_heard body[1000];
  uint32_t n = 0;
  int s = w.asked[i].symbol;
  for (uint32_t k = 0; s >= 0 && k < w.asked[i].sent && n < 1000; k++) {
    bool newest = w.asked[i].from == 0 && k + 1 == w.asked[i].sent;
    if (!newest && (w.asked[i].from == 0 || w.trades[s].log[k] < w.asked[i].from)) continue;
    body[n] = (struct trp_heard){.kind = TRP_HEARD_TRADE, .symbol = ""};
    body[n++].trade = (struct trp_wire_trade){.id = w.trades[s].log[k], .price = 1, .size = 1};
  }
  for (int k = 0; s < 0 && k < SYMBOLS; k++) {
    body[n] = (struct trp_heard){.kind = TRP_HEARD_QUOTE, .symbol = names[k]};
    body[n++].quote = (struct trp_wire_quote){.bid = 1, .ask = 2};
  }
  uint64_t ticket = w.asked[i].ticket;
  w.asked[i].ticket = 0;
  trp_machine_answered(w.machine, w.now, ticket, 200, 0, body, n * sizeof *body);
}

static void step(void) {
  w.now += STEP_MS * MS;
  for (uint32_t i = chance(4); i > 0; i--) market();
  answer_texts(&conns[0]);
  answer_texts(&conns[1]);
  uint32_t first = chance(2);
  deliver(&conns[first]);
  deliver(&conns[1 - first]);
  give_snapshots();
  for (int i = 0; i < 16; i++)
    if (w.asked[i].ticket != 0 && w.asked[i].due_ns <= w.now) answer_request(i);
  if (w.release && w.old != NULL) w.old->sends = false; /* it heard the close frame */
  if (w.old != NULL && !w.old->sends && w.old->count == 0) {
    w.old->open = w.release = false;
    w.old = NULL;
    trp_machine_old_closed(w.machine, 0, w.now);
  }
  if (w.now / MS % TRP_MACHINE_TICK_MS == 0) trp_machine_tick(w.machine, w.now);
}

static void steps(int count) {
  while (count-- > 0) step();
}

/* ---- walks ---------------------------------------------------------------------------------- */

static void begin(uint64_t seed, uint32_t renew_s) {
  static struct trp_dialect dialect;
  dialect = trp_binance_dialect;
  dialect.request_begin = request_begin;
  dialect.request_add = request_add;
  dialect.request_end = request_end;
  dialect.parser_new = no_parser;
  dialect.parser_destroy = no_more_parser;
  dialect.parse = dialect.parse_snapshot = dialect.parse_poll = dialect.parse_trades = parse;
  dialect.poll_url = poll_url;
  dialect.trades_url = trades_url;
  memset(&w, 0, sizeof w);
  memset(conns, 0, sizeof conns);
  w.seed = seed;
  w.chance = seed * 977;
  w.now = 1000 * MS;
  struct trp_machine_options options = {
      .symbols_max = SYMBOLS, .renew_s = renew_s, .trust_symbols = true, .seed = seed};
  assert_int_equal(trp_machine_new(&w.machine, &dialect, &options, &outputs), TRP_OK);
  for (int s = 0; s < SYMBOLS; s++)
    assert_int_equal(trp_machine_subscribe(w.machine, w.now, names[s], NULL), TRP_OK);
}

static void end(void) {
  w.strict = false;
  trp_machine_destroy(&w.machine);
}

/* All that was sent has come out. */
static void check_complete(void) {
  for (int s = 0; s < SYMBOLS; s++) {
    assert_true(w.trades[s].given == w.trades[s].log[w.trades[s].sent - 1]);
    assert_true(w.trades[s].outputs > 100);
  }
  assert_int_equal(w.gaps, 0);
}

static void quiet_down(void) {
  for (int i = 0; i < 100; i++) { /* what is under way arrives */
    w.now += STEP_MS * MS;
    deliver(&conns[0]);
    deliver(&conns[1]);
  }
}

static void nothing_is_missed_or_repeated_over_renewals(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    begin(seed, 3);
    open_conn();
    steps(200);
    assert_int_equal(trp_machine_state(w.machine), TRP_FEED_LIVE);
    w.strict = true;
    for (int i = 0; i < STEPS; i++) {
      if (w.renew && w.old == NULL && chance(20) == 0) {
        w.renew = false;
        open_conn();
      }
      step();
      assert_int_equal(trp_machine_state(w.machine), TRP_FEED_LIVE);
    }
    quiet_down();
    assert_true(trp_machine_stats(w.machine)->renewals >= 5);
    for (int s = 0; s < SYMBOLS; s++) {
      assert_true(w.quotes[s].given == w.quotes[s].log[w.quotes[s].sent - 1]);
      assert_true(w.books[s].given == w.books[s].log[w.books[s].sent - 1]);
    }
    check_complete();
    end();
  }
}

static void lose_conn(void) {
  w.line->open = w.line->sends = w.line->on = false;
  w.line = w.old = NULL;
  memset(w.snapshot, 0, sizeof w.snapshot);
  trp_machine_closed(w.machine, 0, w.now);
  trp_machine_poll(w.machine, w.now, true);
}

static void no_trade_is_missed_or_repeated_between_polling_and_streaming(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    begin(seed, 0);
    bool polling = true, live = false;
    trp_machine_poll(w.machine, w.now, true);
    for (int i = 0; i < STEPS; i++) {
      if (w.line == NULL && chance(200) == 0) open_conn();
      live = trp_machine_is_live(w.machine);
      if (polling && live && w.line != NULL) {
        polling = false;
        trp_machine_poll(w.machine, w.now, false);
      }
      if (w.line != NULL && chance(600) == 0) {
        lose_conn();
        polling = true;
      }
      step();
    }
    if (w.line == NULL) open_conn();
    steps(300);
    trp_machine_poll(w.machine, w.now, false);
    steps(600);
    quiet_down();
    check_complete();
    assert_true(trp_machine_stats(w.machine)->polled > 20);
    end();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_missed_or_repeated_over_renewals),
      cmocka_unit_test(no_trade_is_missed_or_repeated_between_polling_and_streaming),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
