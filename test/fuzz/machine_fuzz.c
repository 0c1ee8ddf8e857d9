/* The protocol machine with each exchange's dialect: the first byte picks the dialect, the second
 * what is subscribed to, and the rest is a play: links that open and close, frames (good ones with
 * numbers of the input's choice, good ones with a byte changed, and any bytes), HTTP bodies, time,
 * symbols that come and go. Whatever is played: only open links are sent to, no faster than the
 * exchange allows; who follows the books step by step has the machine's own top of book, never
 * crossed, and sequences do not go back. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/symbol_table.h"
#include "adapters/binance.h"
#include "adapters/gateio.h"
#include "adapters/mexc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MS 1000000ull

enum { SYMBOLS = 3, LINKS = 2, FRAMES_MAX = 9, TEXT_MAX = 512, STAMPS = 64, STEPS_MAX = 400 };

/* In a frame '#' stands for a digit of the input's choice, '$' for what the machine said last: the
 * id of its request or its channel. */
struct play {
  const struct trp_dialect *dialect;
  const char *symbols[SYMBOLS];
  const char *frames[FRAMES_MAX];
  const char *bodies[3];
};

static const struct play plays[] = {
    {.dialect = &trp_binance_dialect,
     .symbols = {"BTCUSDT", "ETHUSDT", "A"},
     .frames = {"{\"result\":null,\"id\":$}",
                "{\"u\":#,\"s\":\"BTCUSDT\",\"b\":\"2\",\"B\":\"1\",\"a\":\"3\",\"A\":\"1\"}",
                "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":#,\"u\":#,\"b\":[[\"#\","
                "\"#\"]],\"a\":[[\"#\",\"#\"]]}",
                "{\"e\":\"aggTrade\",\"E\":1,\"s\":\"BTCUSDT\",\"a\":#,\"p\":\"1\",\"q\":\"2\","
                "\"f\":1,\"l\":1,\"T\":1,\"m\":false,\"M\":true}",
                "{\"code\":#,\"msg\":\"no\",\"id\":$}", "{\"code\":-1121,\"msg\":\"no\",\"id\":$}",
                "{\"e\":\"serverShutdown\",\"E\":1}"},
     .bodies = {"{\"lastUpdateId\":#,\"bids\":[[\"#\",\"1\"]],\"asks\":[[\"#\",\"1\"]]}",
                "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", "{\"code\":-1003,\"msg\":\"\"}"}},
    {.dialect = &trp_gateio_dialect,
     .symbols = {"BTC_USDT", "ETH_USDT", "A_B"},
     .frames =
         {"{\"time\":1,\"id\":$,\"channel\":\"spot.x\",\"event\":\"subscribe\",\"result\":{"
          "\"status\":\"success\"}}",
          "{\"time\":1,\"id\":$,\"channel\":\"spot.x\",\"event\":\"subscribe\",\"error\":{"
          "\"code\":#,\"message\":\"unknown currency pair\"},\"result\":null}",
          "{\"time\":1,\"channel\":\"spot.book_ticker\",\"event\":\"update\",\"result\":{\"t\":1,"
          "\"u\":#,\"s\":\"BTC_USDT\",\"b\":\"1\",\"B\":\"2\",\"a\":\"3\",\"A\":\"4\"}}",
          "{\"time\":1,\"channel\":\"spot.order_book_update\",\"event\":\"update\",\"result\":{"
          "\"t\":1,\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTC_USDT\",\"U\":#,\"u\":#,\"b\":[[\"#\","
          "\"#\"]],\"a\":[[\"#\",\"#\"]]}}",
          "{\"channel\":\"spot.obu\",\"result\":{\"t\":1,\"full\":true,\"s\":\"ob.BTC_USDT.50\","
          "\"u\":#,\"b\":[[\"#\",\"1\"]],\"a\":[[\"#\",\"1\"]]},\"time_ms\":1,\"event\":"
          "\"update\"}",
          "{\"channel\":\"spot.obu\",\"result\":{\"t\":1,\"s\":\"ob.BTC_USDT.50\",\"U\":#,\"u\":#,"
          "\"b\":[[\"#\",\"#\"]],\"a\":[[\"#\",\"#\"]]},\"time_ms\":1,\"event\":\"update\"}",
          "{\"time\":1,\"channel\":\"spot.pong\",\"event\":\"\"}",
          "{\"time\":1,\"channel\":\"spot.system\",\"event\":\"update\",\"result\":{\"type\":"
          "\"upgrade\"}}",
          "{\"time\":1,\"channel\":\"spot.tickers\",\"event\":\"update\",\"result\":{"
          "\"currency_pair\":\"BTC_USDT\",\"last\":\"1\"}}"},
     .bodies = {"{\"id\":#,\"current\":1,\"update\":1,\"asks\":[[\"#\",\"1\"]],\"bids\":[[\"#\","
                "\"1\"]]}",
                "{\"label\":\"INVALID_CURRENCY_PAIR\",\"message\":\"Invalid currency pair\"}",
                "{\"label\":\"TOO_MANY_REQUESTS\",\"message\":\"\"}"}},
    {.dialect = &trp_mexc_dialect,
     .symbols = {"BTCUSDT", "ETHUSDT", "A"},
     .frames = {"{\"id\":0,\"code\":0,\"msg\":\"$\"}",
                "{\"id\":0,\"code\":0,\"msg\":\"Not Subscribed successfully! [$].  Reason: "
                "Blocked! \"}",
                "{\"id\":0,\"code\":#,\"msg\":\"no\"}", "{\"id\":0,\"code\":0,\"msg\":\"PONG\"}",
                /* field 313: asks 1, bids 2, from 4, to 5 */
                "\x0a\x01s\x1a\x07"
                "BTCUSDT\xca\x13\x16\x0a\x06\x0a\x01#\x12\x01#\x12\x06\x0a\x01#\x12\x01#\x22\x01#"
                "\x2a\x01#",
                /* 315: bid, size, ask, size, version */
                "\x0a\x01s\x1a\x07"
                "BTCUSDT\xda\x13\x0f\x0a\x01#\x12\x01#\x1a\x01#\x22\x01#\x2a\x01#",
                /* 314: price, size, side, time */
                "\x0a\x01s\x1a\x07"
                "BTCUSDT\xd2\x13\x0c\x0a\x0a\x0a\x01#\x12\x01#\x18\x01\x20\x01"},
     .bodies = {"{\"lastUpdateId\":#,\"bids\":[[\"#\",\"1\"]],\"asks\":[[\"#\",\"1\"]]}",
                "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", "{\"code\":429,\"msg\":\"\"}"}},
};

#define PLAYS (sizeof plays / sizeof plays[0])

static struct {
  const struct play *play;
  const uint8_t *data;
  size_t size;
  struct trp_machine *machine;
  uint64_t now;
  bool open[LINKS], ended[LINKS];
  char said[TEXT_MAX]; /* the last id or channel */
  uint64_t stamps[LINKS][STAMPS];
  uint32_t stamp[LINKS];
  struct { /* what a consumer has */
    uint32_t number;
    bool whole;
    uint64_t sequence;
    struct trp_ladder ladder;
  } views[SYMBOLS];
} f;

static void demand(int truth) {
  if (!truth) abort();
}

static uint8_t take(void) {
  if (f.size == 0) return 0;
  f.size--;
  return *f.data++;
}

/* ---- what the machine says ------------------------------------------------------------------ */

static void remember(const char *text) {
  const char *from = strstr(text, "\"id\":");
  from = from != NULL ? from + strlen("\"id\":") : strstr(text, "spot@");
  if (from == NULL) return;
  snprintf(f.said, sizeof f.said, "%.*s", (int)strcspn(from, ",}\""), from);
}

static enum trp_err on_text(void *arg, uint32_t link, const char *text, size_t size) {
  (void)arg;
  demand(link < LINKS && f.open[link] && size == strlen(text) && size != 0);
  uint64_t *stamps = f.stamps[link], lately = 0;
  stamps[f.stamp[link]++ % STAMPS] = f.now;
  for (int i = 0; i < STAMPS; i++) lately += stamps[i] != 0 && f.now - stamps[i] < 1000 * MS;
  demand(lately <= f.play->dialect->texts_per_s);
  remember(text);
  return TRP_OK;
}

static enum trp_err on_snapshot(void *arg, uint32_t link, const char *symbol, const char *url) {
  (void)arg;
  demand(link < LINKS && f.open[link] && f.play->dialect->symbol_valid(symbol) && url[0] == 'h');
  return TRP_OK;
}

static int view_of(uint32_t number) {
  int i = 0;
  while (i < SYMBOLS && f.views[i].number != number) i++;
  demand(i < SYMBOLS);
  return i;
}

static void on_quote(void *arg, const struct trp_quote *quote, uint64_t update_id) {
  (void)arg, (void)update_id;
  (void)view_of(quote->symbol);
  demand(quote->bid >= 0 && quote->bid_size >= 0 && quote->ask >= 0 && quote->ask_size >= 0);
}

static void on_trade(void *arg, const struct trp_trade *trade) {
  (void)arg;
  (void)view_of(trade->symbol);
  demand(trade->price >= 0 && trade->size >= 0 && (trade->side == 1 || trade->side == 2));
}

static void on_book(void *arg, const struct trp_book *book) {
  (void)arg;
  int i = view_of(book->symbol);
  struct trp_ladder *ladder = &f.views[i].ladder;
  if (book->kind == 1) {
    demand(trp_ladder_load(ladder, book->levels, book->levels_count) == TRP_OK);
  } else {
    demand(book->kind == 2 && f.views[i].whole && book->sequence > f.views[i].sequence);
    for (uint32_t k = 0; k < book->levels_count; k++)
      demand(trp_ladder_set(ladder, &book->levels[k]) == TRP_OK);
  }
  f.views[i].whole = true;
  f.views[i].sequence = book->sequence;
  demand(!trp_ladder_crossed(ladder));
  demand(book->bids == ladder->bids.count && book->asks == ladder->asks.count);
  struct trp_ladder_entry bid = trp_ladder_best_bid(ladder), ask = trp_ladder_best_ask(ladder);
  demand(bid.price == book->bid && bid.size == book->bid_size);
  demand(ask.price == book->ask && ask.size == book->ask_size);
}

static void on_gap(void *arg, uint32_t symbol, uint64_t expected, uint64_t got) {
  (void)arg, (void)expected, (void)got;
  f.views[view_of(symbol)].whole = false;
}

static void on_notice(void *arg, const struct trp_machine_notice *notice) {
  (void)arg;
  demand(notice->text != NULL && (unsigned)notice->error_class < TRP_CLASS_COUNT);
}

static void on_state(void *arg, enum trp_feed_phase state, const char *reason) {
  (void)arg, (void)state;
  demand(reason != NULL && strlen(reason) < TRP_MACHINE_REASON_BYTES);
}

static void on_reconnect(void *arg, uint32_t link, enum trp_error_class error_class,
                         const char *reason) {
  (void)arg, (void)error_class;
  demand(link < LINKS && f.open[link] && !f.ended[link] && reason != NULL);
  f.ended[link] = true; /* it is said once */
}

static const struct trp_machine_out outputs = {.send_text = on_text,
                                               .request_snapshot = on_snapshot,
                                               .quote = on_quote,
                                               .trade = on_trade,
                                               .book = on_book,
                                               .gap = on_gap,
                                               .notice = on_notice,
                                               .state = on_state,
                                               .reconnect = on_reconnect};

/* ---- the play ------------------------------------------------------------------------------- */

static size_t fill(char out[TEXT_MAX], const char *template) {
  size_t size = 0;
  for (; *template != '\0' && size < TEXT_MAX; template ++) {
    size_t room = TEXT_MAX - size;
    if (*template == '$' && strlen(f.said) < room)
      size += (size_t)sprintf(out + size, "%s", f.said[0] != '\0' ? f.said : "1");
    else
      out[size++] = *template == '#' ? (char)('0' + take() % 10) : *template;
  }
  return size;
}

/* Good, with a byte changed, or any. */
static size_t make(char out[TEXT_MAX], const char *const *templates, uint32_t count) {
  uint8_t how = take();
  if (how >= 250) {
    size_t size = f.size < TEXT_MAX ? f.size : TEXT_MAX;
    for (size_t i = 0; i < size; i++) out[i] = (char)take();
    return size;
  }
  uint32_t which = how % count;
  size_t size = templates[which] != NULL ? fill(out, templates[which]) : 0;
  if (how >= 200 && size != 0) out[take() % size] = (char)take();
  return size;
}

static void frame(uint32_t link) {
  char text[TEXT_MAX + TEXT_MAX];
  size_t size = make(text, f.play->frames, FRAMES_MAX);
  trp_machine_frame(f.machine, link, f.now, 1700000000000000, text, size);
}

static void http(const char *symbol) {
  static const uint16_t statuses[] = {200, 200, 200, 200, 400, 403, 418, 429, 500, 0};
  char text[TEXT_MAX + TEXT_MAX];
  uint16_t status = statuses[take() % (sizeof statuses / sizeof *statuses)];
  if (status == 0) {
    trp_machine_http_failed(f.machine, f.now, symbol, TRP_TIMEOUT);
    return;
  }
  size_t size = make(text, f.play->bodies, 3);
  trp_machine_http_response(f.machine, f.now, symbol, status, take() % 4, text, size);
}

static void link_up_or_down(uint32_t link) {
  f.open[link] = !f.open[link];
  f.ended[link] = false;
  memset(f.stamps[link], 0, sizeof f.stamps[link]);
  if (f.open[link])
    trp_machine_opened(f.machine, link, f.now);
  else
    trp_machine_closed(f.machine, link, f.now);
}

static void tick(uint64_t ms) {
  f.now += ms * MS;
  trp_machine_tick(f.machine, f.now);
}

static void want(uint32_t i, const char *symbol) {
  uint32_t number = 0;
  if (trp_machine_subscribe(f.machine, f.now, symbol, &number) == TRP_OK)
    f.views[i].number = number;
}

static void step(void) {
  enum { FRAME = 6, HTTP = 8, TICK = 11, WANT, LEAVE, LINK, REST };
  uint8_t what = take();
  uint32_t link = (what >> 4) % LINKS, i = (what >> 4) % SYMBOLS;
  const char *symbol = f.play->symbols[i];
  what &= 15;
  if (what <= FRAME)
    frame(link);
  else if (what <= HTTP)
    http(symbol);
  else if (what <= TICK)
    tick(what == TICK ? 100 * (uint64_t)take() : 100);
  else if (what == WANT)
    want(i, symbol);
  else if (what == LEAVE)
    (void)!trp_machine_unsubscribe(f.machine, f.now, symbol);
  else if (what == LINK)
    link_up_or_down(link);
  else if (take() % 2 == 0)
    trp_machine_pinged(f.machine, link, f.now);
  else
    (void)!trp_machine_tell_books(f.machine, f.now, i == 0 ? NULL : symbol);
}

static void check(const struct trp_machine_options *options) {
  uint32_t in_flight = trp_machine_snapshots_in_flight(f.machine);
  char reason[TRP_MACHINE_REASON_BYTES];
  demand(in_flight <= SYMBOLS && trp_machine_symbols(f.machine) <= options->symbols_max);
  trp_machine_reason(f.machine, reason);
  for (uint32_t link = 0; link < LINKS; link++) (void)trp_machine_needs(f.machine, link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  memset(&f, 0, sizeof f);
  f.data = data;
  f.size = size;
  f.now = 1000000 * MS;
  f.play = &plays[take() % PLAYS];
  struct trp_machine_options options = {
      .streams = take() & f.play->dialect->streams, .symbols_max = SYMBOLS, .seed = 1};
  if (trp_machine_new(&f.machine, f.play->dialect, &options, &outputs) != TRP_OK) return 0;
  for (int i = 0; i < SYMBOLS; i++) trp_ladder_init(&f.views[i].ladder, 0);
  want(0, f.play->symbols[0]);
  link_up_or_down(0);
  for (int i = 0; i < STEPS_MAX && f.size != 0; i++) {
    step();
    check(&options);
  }
  for (uint32_t link = 0; link < LINKS; link++)
    if (f.open[link]) link_up_or_down(link);
  trp_machine_clear(f.machine);
  demand(trp_machine_symbols(f.machine) == 0);
  trp_machine_destroy(&f.machine);
  for (int i = 0; i < SYMBOLS; i++) trp_ladder_fini(&f.views[i].ladder);
  return 0;
}
