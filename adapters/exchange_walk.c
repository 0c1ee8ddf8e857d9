/* How a market moves: changes, trades, and the flushes that tell of them. The walk is drawn back to
 * the middle of its ladder, so it never runs off it. */
#include "adapters/exchange_walk.h"

#include <string.h>

#include "adapters/exchange_walk_book.h"
#include "runtime/troupe.h"

enum {
  LADDER = TRP_WALK_LADDER,
  MARGIN = LADDER / 8, /* the best prices stay this far inside the ladder */
  SPREAD_MAX = 8,      /* ticks */
  DEEP_MAX = 40        /* how far from the best a quiet change may be */
};

struct listener {
  trp_walk_fn *fn;
  void *arg;
};

static int64_t price_of(const struct trp_walk_book *book, uint32_t tick) {
  return book->floor + (int64_t)tick * book->info.tick;
}

static struct trp_walk_quote best_of(const struct trp_walk_book *book) {
  return (struct trp_walk_quote){.id = book->id,
                                 .bid = price_of(book, book->bid),
                                 .bid_size = book->sizes[book->bid],
                                 .ask = price_of(book, book->ask),
                                 .ask_size = book->sizes[book->ask]};
}

/* ---- changes --------------------------------------------------------------------------- */

static void note(struct trp_walk_changes *changes, uint64_t id, bool bid, uint32_t tick) {
  if (changes->first == 0) {
    changes->first = id;
  }
  changes->last = id;
  changes->bits[bid][tick / 64] |= UINT64_C(1) << (tick % 64);
}

/* Sets a level and moves the best where it appeared or vanished. The one place a book changes. */
static void set_level(struct trp_walk_book *book, bool bid, uint32_t tick, int64_t size) {
  book->sizes[tick] = size;
  if (bid && size > 0 && tick > book->bid) {
    book->bid = tick;
  } else if (!bid && size > 0 && tick < book->ask) {
    book->ask = tick;
  }
  while (book->sizes[book->bid] == 0) {
    CHECK(book->bid > 0);
    book->bid--;
  }
  while (book->sizes[book->ask] == 0) {
    CHECK(book->ask < LADDER - 1);
    book->ask++;
  }
}

static void change(struct trp_walk_book *book, bool bid, uint32_t tick, int64_t size) {
  set_level(book, bid, tick, size);
  book->id++;
  note(&book->fast, book->id, bid, tick);
  note(&book->slow, book->id, bid, tick);
}

/* The distance between the best prices if this side's best went away. */
static uint32_t spread_without(const struct trp_walk_book *book, bool bid) {
  uint32_t tick = bid ? book->bid : book->ask;
  do {
    if (tick == 0 || tick == LADDER - 1) {
      return LADDER;
    }
    tick = bid ? tick - 1 : tick + 1;
  } while (book->sizes[tick] == 0);
  return bid ? book->ask - tick : tick - book->bid;
}

/* Taking the best bid away moves the price down, the best ask up: only while there is room. */
static bool may_remove(const struct trp_walk_book *book, bool bid) {
  return spread_without(book, bid) <= SPREAD_MAX &&
         (bid ? book->bid > MARGIN : book->ask < LADDER - MARGIN);
}

/* Up more often the further below the middle, and the other way round. */
static bool draw_up(struct trp_walk_book *book) {
  return trp_walk_draw_below(book, LADDER) + book->bid < LADDER;
}

static void resize_best(struct trp_walk_book *book) {
  bool bid = trp_walk_draw_below(book, 2) == 0;
  uint32_t tick = bid ? book->bid : book->ask;
  int64_t size = trp_walk_draw_size(book);
  if (size == book->sizes[tick]) {
    size += book->info.step;
  }
  change(book, bid, tick, size);
}

static void move_price(struct trp_walk_book *book) {
  bool up = draw_up(book);
  uint32_t spread = book->ask - book->bid;
  if (spread > 1 && (spread >= SPREAD_MAX || trp_walk_draw_below(book, 2) == 0)) {
    uint32_t by = 1 + trp_walk_draw_below(book, spread - 1);
    change(book, up, up ? book->bid + by : book->ask - by, trp_walk_draw_size(book));
  } else if (may_remove(book, !up)) {
    change(book, !up, up ? book->ask : book->bid, 0);
  } else {
    resize_best(book);
  }
}

static void tell(uint32_t symbol, struct listener listener, struct trp_walk_event *event,
                 uint64_t at_ns) {
  event->symbol = symbol;
  event->at_ns = at_ns;
  if (listener.fn != NULL) {
    listener.fn(listener.arg, event);
  }
}

static void remember_trade(struct trp_walk_book *book, const struct trp_walk_trade *trade) {
  book->trades[book->trade_count++ % TRP_WALK_TRADES_MAX] = *trade;
  struct trp_walk_day *day = &book->day;
  day->last = trade->price;
  day->high = trade->price > day->high ? trade->price : day->high;
  day->low = trade->price < day->low ? trade->price : day->low;
  double size = (double)trade->size / TRP_WALK_UNIT;
  day->volume += size;
  day->quote_volume += size * ((double)trade->price / TRP_WALK_UNIT);
  day->trades++;
}

static void trade(struct trp_walk *walk, uint32_t symbol, struct listener listener,
                  uint64_t at_ns) {
  struct trp_walk_book *book = walk->books[symbol];
  bool up = draw_up(book); /* the taker buys from the asks */
  uint32_t tick = up ? book->ask : book->bid;
  int64_t there = book->sizes[tick];
  int64_t size = there / 100 * (int64_t)(1 + trp_walk_draw_below(book, 99));
  size -= size % book->info.step;
  if (size == 0 || (trp_walk_draw_below(book, 8) == 0 && may_remove(book, !up))) {
    size = there;
  }
  if (size == there && !may_remove(book, !up)) {
    resize_best(book);
    return;
  }
  struct trp_walk_event event = {.kind = TRP_WALK_TRADE,
                                 .trade = {.id = ++book->trade_id,
                                           .at_ns = at_ns,
                                           .price = price_of(book, tick),
                                           .size = size,
                                           .buyer_is_maker = !up}};
  remember_trade(book, &event.trade);
  tell(symbol, listener, &event, at_ns);
  change(book, !up, tick, there - size);
}

static void change_deep(struct trp_walk_book *book) {
  bool bid = trp_walk_draw_below(book, 2) == 0;
  uint32_t away = 1 + trp_walk_draw_below(book, DEEP_MAX);
  uint32_t tick = bid ? book->bid - away : book->ask + away;
  bool gone = book->sizes[tick] > 0 && trp_walk_draw_below(book, 10) < 3;
  change(book, bid, tick, gone ? 0 : trp_walk_draw_size(book));
}

/* One change of one symbol: two of three touch the best, and each of those makes a new quote. */
static void step(struct trp_walk *walk, uint32_t symbol, struct listener listener) {
  struct trp_walk_book *book = walk->books[symbol];
  uint64_t at_ns = book->due_ns;
  uint32_t what = trp_walk_draw_below(book, 30);
  if (what < 10) {
    change_deep(book);
  } else {
    if (what < 13) {
      trade(walk, symbol, listener, at_ns);
    } else if (what < 22) {
      resize_best(book);
    } else {
      move_price(book);
    }
    struct trp_walk_event event = {.kind = TRP_WALK_QUOTE, .quote = best_of(book)};
    tell(symbol, listener, &event, at_ns);
  }
  book->due_ns += walk->period_ns / 2 + trp_walk_draw(&book->chance) % (walk->period_ns + 1);
}

/* ---- flushes ---------------------------------------------------------------------------- */

static uint32_t collect(struct trp_walk *walk, const struct trp_walk_book *book,
                        const struct trp_walk_changes *changes, bool bid) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < LADDER; i++) {
    uint32_t tick = bid ? LADDER - 1 - i : i;
    uint64_t word = changes->bits[bid][tick / 64];
    if (word == 0) {
      i += bid ? tick % 64 : 63 - tick % 64;
      continue;
    }
    if ((word >> (tick % 64) & 1) == 0) {
      continue;
    }
    bool there = bid ? tick <= book->bid : tick >= book->ask;
    walk->levels[bid][count++] = (struct trp_walk_level){.price = price_of(book, tick),
                                                         .size = there ? book->sizes[tick] : 0};
  }
  return count;
}

static void flush(struct trp_walk *walk, uint32_t symbol, enum trp_walk_event_kind kind,
                  struct listener listener, uint64_t at_ns) {
  struct trp_walk_book *book = walk->books[symbol];
  struct trp_walk_changes *changes = kind == TRP_WALK_DEPTH ? &book->fast : &book->slow;
  if (changes->first == 0) {
    return;
  }
  struct trp_walk_event event = {.kind = kind,
                                 .first = changes->first,
                                 .last = changes->last,
                                 .bids = walk->levels[true],
                                 .asks = walk->levels[false],
                                 .bid_count = collect(walk, book, changes, true),
                                 .ask_count = collect(walk, book, changes, false)};
  memset(changes, 0, sizeof *changes);
  tell(symbol, listener, &event, at_ns);
}

static void flush_all(struct trp_walk *walk, struct listener listener) {
  uint64_t at_ns = walk->flush_ns;
  for (uint32_t i = 0; i < walk->count; i++) {
    flush(walk, i, TRP_WALK_DEPTH, listener, at_ns);
  }
  walk->flush_ns += TRP_WALK_FLUSH_NS;
  if (at_ns < walk->second_ns) {
    return;
  }
  for (uint32_t i = 0; i < walk->count; i++) {
    flush(walk, i, TRP_WALK_DEPTH_SLOW, listener, at_ns);
    struct trp_walk_event event = {.kind = TRP_WALK_SECOND};
    tell(i, listener, &event, at_ns);
  }
  walk->second_ns += TRP_WALK_SECOND_NS;
}

/* ---- playing ----------------------------------------------------------------------------- */

/* A market nobody looked at stands still: its clock jumps, so that catching up is bounded. */
static void jump(struct trp_walk *walk, uint64_t by_ns) {
  walk->clock_ns += by_ns;
  walk->flush_ns += by_ns;
  walk->second_ns += by_ns;
  for (uint32_t i = 0; i < walk->count; i++) {
    walk->books[i]->due_ns += by_ns;
  }
}

/* The symbol that changes next; the first of equals. */
static uint32_t next_symbol(const struct trp_walk *walk) {
  uint32_t next = 0;
  for (uint32_t i = 1; i < walk->count; i++) {
    if (walk->books[i]->due_ns < walk->books[next]->due_ns) {
      next = i;
    }
  }
  return next;
}

uint64_t trp_walk_next_ns(const struct trp_walk *walk) {
  uint64_t due = walk->books[next_symbol(walk)]->due_ns;
  return due < walk->flush_ns ? due : walk->flush_ns;
}

uint64_t trp_walk_second_ns(const struct trp_walk *walk) { return walk->second_ns; }

void trp_walk_advance(struct trp_walk *walk, uint64_t now_ns, trp_walk_fn *fn, void *arg) {
  struct listener listener = {.fn = fn, .arg = arg};
  if (now_ns > walk->clock_ns + TRP_WALK_CATCH_UP_NS) {
    jump(walk, now_ns - walk->clock_ns - TRP_WALK_CATCH_UP_NS);
  }
  while (trp_walk_next_ns(walk) <= now_ns) {
    uint32_t symbol = next_symbol(walk);
    if (walk->books[symbol]->due_ns < walk->flush_ns) {
      step(walk, symbol, listener);
    } else {
      flush_all(walk, listener);
    }
  }
  walk->clock_ns = now_ns > walk->clock_ns ? now_ns : walk->clock_ns;
}

void trp_walk_gap(struct trp_walk *walk) {
  for (uint32_t i = 0; i < walk->count; i++) {
    struct trp_walk_book *book = walk->books[i];
    /* What waits is dropped with it, or the missing id would lie inside an event's range. */
    memset(&book->fast, 0, sizeof book->fast);
    memset(&book->slow, 0, sizeof book->slow);
    uint32_t tick = book->ask + 1;
    set_level(book, false, tick, book->sizes[tick] + book->info.step);
    book->id++;
  }
}

/* ---- looking ----------------------------------------------------------------------------- */

uint32_t trp_walk_symbol_count(const struct trp_walk *walk) { return walk->count; }

const struct trp_walk_symbol *trp_walk_symbol(const struct trp_walk *walk, uint32_t symbol) {
  CHECK(symbol < walk->count);
  return &walk->books[symbol]->info;
}

int32_t trp_walk_find(const struct trp_walk *walk, const char *name) {
  for (uint32_t i = 0; i < walk->count; i++) {
    if (strcmp(walk->books[i]->info.name, name) == 0) {
      return (int32_t)i;
    }
  }
  return -1;
}

struct trp_walk_quote trp_walk_best(const struct trp_walk *walk, uint32_t symbol) {
  CHECK(symbol < walk->count);
  return best_of(walk->books[symbol]);
}

uint32_t trp_walk_levels(const struct trp_walk *walk, uint32_t symbol, bool bids,
                         struct trp_walk_level *out, uint32_t max) {
  CHECK(symbol < walk->count);
  const struct trp_walk_book *book = walk->books[symbol];
  uint32_t count = 0;
  uint32_t reach = bids ? book->bid + 1 : LADDER - book->ask;
  for (uint32_t i = 0; i < reach && count < max; i++) {
    uint32_t tick = bids ? book->bid - i : book->ask + i;
    if (book->sizes[tick] > 0) {
      out[count++] = (struct trp_walk_level){price_of(book, tick), book->sizes[tick]};
    }
  }
  return count;
}

uint32_t trp_walk_trades(const struct trp_walk *walk, uint32_t symbol, struct trp_walk_trade *out,
                         uint32_t max) {
  CHECK(symbol < walk->count);
  const struct trp_walk_book *book = walk->books[symbol];
  uint64_t there =
      book->trade_count < TRP_WALK_TRADES_MAX ? book->trade_count : TRP_WALK_TRADES_MAX;
  uint32_t count = there < max ? (uint32_t)there : max;
  for (uint32_t i = 0; i < count; i++) {
    out[i] = book->trades[(book->trade_count - count + i) % TRP_WALK_TRADES_MAX];
  }
  return count;
}

struct trp_walk_day trp_walk_day(const struct trp_walk *walk, uint32_t symbol) {
  CHECK(symbol < walk->count);
  return walk->books[symbol]->day;
}
