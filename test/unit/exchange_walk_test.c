/* The market of chance: it is the same for the same seed, and what it tells fits together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "adapters/exchange_walk.h"

#define MS 1000000ull
#define S 1000000000ull

static struct trp_walk *new_walk(uint64_t seed, uint32_t rate) {
  struct trp_walk *walk;
  assert_int_equal(
      TRP_OK, trp_walk_new(&walk, &(struct trp_walk_options){.seed = seed, .quotes_per_s = rate}));
  return walk;
}

/* ---- sameness ---- */

struct digest {
  uint64_t hash, events;
};

static void mix(struct digest *digest, uint64_t value) {
  digest->hash = (digest->hash ^ value) * 0x100000001b3u;
}

static void mix_levels(struct digest *digest, const struct trp_walk_level *levels, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    mix(digest, (uint64_t)levels[i].price);
    mix(digest, (uint64_t)levels[i].size);
  }
}

static void digest_event(void *arg, const struct trp_walk_event *event) {
  struct digest *digest = arg;
  digest->events++;
  mix(digest, event->kind);
  mix(digest, event->symbol);
  mix(digest, event->at_ns);
  mix(digest, event->quote.id);
  mix(digest, (uint64_t)event->quote.bid);
  mix(digest, (uint64_t)event->quote.ask_size);
  mix(digest, (uint64_t)event->trade.price);
  mix(digest, event->first);
  mix(digest, event->last);
  mix_levels(digest, event->bids, event->bid_count);
  mix_levels(digest, event->asks, event->ask_count);
}

static struct digest play(uint64_t seed, uint64_t stride_ns) {
  struct digest digest = {0};
  struct trp_walk *walk = new_walk(seed, 50);
  for (uint64_t at = stride_ns; at <= 12 * S; at += stride_ns) {
    trp_walk_advance(walk, at, digest_event, &digest);
  }
  trp_walk_destroy(&walk);
  return digest;
}

static void one_seed_is_one_market_however_time_is_cut(void **state) {
  (void)state;
  struct digest fine = play(7, 1 * MS);
  struct digest coarse = play(7, 120 * MS);
  assert_true(fine.events > 1000);
  assert_true(fine.events == coarse.events);
  assert_true(fine.hash == coarse.hash);
  assert_true(fine.hash != play(8, 1 * MS).hash);
}

/* ---- a follower: a book of its own, made only of what is told ---- */

enum { FOLLOWED_MAX = 8192 };

struct follower {
  struct trp_walk *walk;
  uint32_t symbol;
  struct trp_walk_level side[2][FOLLOWED_MAX];
  uint32_t count[2];
  uint64_t id;   /* of the book; 0: none yet */
  uint64_t seen; /* of the last depth event */
  struct trp_walk_quote quotes[4096];
  uint32_t quote_count, compared;
  uint32_t holes, mismatches, crossed, trades, bad_trades;
};

static void set_level(struct follower *f, bool bid, struct trp_walk_level level) {
  uint32_t i = 0;
  while (i < f->count[bid] && f->side[bid][i].price != level.price) {
    i++;
  }
  if (level.size > 0) {
    assert_true(i < FOLLOWED_MAX);
    f->count[bid] += i == f->count[bid];
    f->side[bid][i] = level;
  } else if (i < f->count[bid]) {
    f->side[bid][i] = f->side[bid][--f->count[bid]];
  }
}

static struct trp_walk_level best(const struct follower *f, bool bid) {
  struct trp_walk_level found = f->side[bid][0];
  for (uint32_t i = 1; i < f->count[bid]; i++) {
    bool better = bid ? f->side[bid][i].price > found.price : f->side[bid][i].price < found.price;
    found = better ? f->side[bid][i] : found;
  }
  return found;
}

static void take_snapshot(struct follower *f) {
  f->id = trp_walk_best(f->walk, f->symbol).id;
  for (int bid = 0; bid < 2; bid++) {
    f->count[bid] = trp_walk_levels(f->walk, f->symbol, bid != 0, f->side[bid], FOLLOWED_MAX);
  }
}

/* The newest quote that the book has already; compares it with the book. */
static void compare(struct follower *f) {
  const struct trp_walk_quote *newest = NULL;
  for (uint32_t i = 0; i < f->quote_count; i++) {
    newest = f->quotes[i].id <= f->id ? &f->quotes[i] : newest;
  }
  if (newest == NULL) {
    return;
  }
  struct trp_walk_level bid = best(f, true);
  struct trp_walk_level ask = best(f, false);
  f->compared++;
  f->mismatches += bid.price != newest->bid || bid.size != newest->bid_size ||
                   ask.price != newest->ask || ask.size != newest->ask_size;
}

static void follow_depth(struct follower *f, const struct trp_walk_event *event) {
  f->holes += f->seen != 0 && event->first != f->seen + 1;
  f->seen = event->last;
  if (f->id == 0 || event->last <= f->id) {
    return;
  }
  if (event->first > f->id + 1) {
    f->id = 0; /* lost: a new snapshot is needed */
    return;
  }
  for (uint32_t i = 0; i < event->bid_count; i++) {
    set_level(f, true, event->bids[i]);
  }
  for (uint32_t i = 0; i < event->ask_count; i++) {
    set_level(f, false, event->asks[i]);
  }
  f->id = event->last;
  compare(f);
}

static void follow(void *arg, const struct trp_walk_event *event) {
  struct follower *f = arg;
  if (event->symbol != f->symbol) {
    return;
  }
  if (event->kind == TRP_WALK_QUOTE) {
    assert_true(f->quote_count < 4096);
    f->quotes[f->quote_count++] = event->quote;
    f->crossed += event->quote.bid >= event->quote.ask || event->quote.bid_size <= 0 ||
                  event->quote.ask_size <= 0 || event->quote.bid <= 0;
  } else if (event->kind == TRP_WALK_DEPTH) {
    follow_depth(f, event);
  } else if (event->kind == TRP_WALK_TRADE) {
    /* The event comes before its quote: the trade was at what was the best until then. */
    const struct trp_walk_quote *q = f->quote_count > 0 ? &f->quotes[f->quote_count - 1] : NULL;
    f->trades++;
    f->bad_trades +=
        q != NULL && event->trade.price != (event->trade.buyer_is_maker ? q->bid : q->ask);
  }
}

static void advance(struct follower *f, uint64_t from_ns, uint64_t to_ns) {
  for (uint64_t at = from_ns; at <= to_ns; at += 10 * MS) {
    trp_walk_advance(f->walk, at, follow, f);
  }
}

static void a_snapshot_and_the_changes_after_it_are_the_book(void **state) {
  (void)state;
  static struct follower f;
  for (uint32_t symbol = 0; symbol < 2; symbol++) {
    memset(&f, 0, sizeof f);
    f.walk = new_walk(21 + symbol, 100);
    f.symbol = symbol;
    advance(&f, 10 * MS, 1530 * MS); /* between two flushes */
    take_snapshot(&f);
    advance(&f, 1540 * MS, 20 * S);
    assert_int_equal(0, f.holes);
    assert_int_equal(0, f.mismatches);
    assert_int_equal(0, f.crossed);
    assert_true(f.compared > 150);
    assert_true(f.trades > 100);
    assert_int_equal(0, f.bad_trades);
    trp_walk_destroy(&f.walk);
  }
}

static void a_gap_loses_followers_until_they_take_a_new_snapshot(void **state) {
  (void)state;
  static struct follower f;
  memset(&f, 0, sizeof f);
  f.walk = new_walk(5, 100);
  advance(&f, 10 * MS, 1000 * MS);
  take_snapshot(&f);
  advance(&f, 1010 * MS, 2000 * MS);
  assert_int_equal(0, f.holes);
  trp_walk_gap(f.walk);
  advance(&f, 2010 * MS, 2500 * MS);
  assert_int_equal(1, f.holes);
  assert_true(f.id == 0);
  take_snapshot(&f);
  advance(&f, 2510 * MS, 6000 * MS);
  assert_int_equal(1, f.holes);
  assert_int_equal(0, f.mismatches);
  assert_true(f.id != 0);
  trp_walk_destroy(&f.walk);
}

/* ---- bounds ---- */

struct range {
  uint64_t events, quotes;
  int64_t low, high;
};

static void widen(void *arg, const struct trp_walk_event *event) {
  struct range *range = arg;
  range->events++;
  if (event->kind == TRP_WALK_QUOTE && event->symbol == 0) {
    range->quotes++;
    range->low = event->quote.bid < range->low ? event->quote.bid : range->low;
    range->high = event->quote.ask > range->high ? event->quote.ask : range->high;
  }
}

static void a_long_walk_stays_on_its_ladder(void **state) {
  (void)state;
  struct range range = {.low = INT64_MAX};
  struct trp_walk *walk = new_walk(3, 100000);
  for (uint64_t at = 50 * MS; at <= 4 * S; at += 50 * MS) {
    trp_walk_advance(walk, at, widen, &range);
  }
  int64_t tick = trp_walk_symbol(walk, 0)->tick;
  int64_t start = trp_walk_day(walk, 0).open;
  assert_true(range.quotes > 380000 && range.quotes < 420000);
  assert_true(range.low > start - TRP_WALK_LADDER / 2 * tick);
  assert_true(range.high < start + TRP_WALK_LADDER / 2 * tick);
  assert_true(range.high - range.low > 100 * tick); /* and it does walk */
  trp_walk_destroy(&walk);
}

static void the_rate_is_kept(void **state) {
  (void)state;
  struct range range = {0};
  struct trp_walk *walk = new_walk(9, 20);
  for (uint64_t at = 100 * MS; at <= 60 * S; at += 100 * MS) {
    trp_walk_advance(walk, at, widen, &range);
  }
  assert_in_range(range.quotes, 60 * 20 * 9 / 10, 60 * 20 * 11 / 10);
  trp_walk_destroy(&walk);
}

static void a_walk_that_slept_catches_up_with_two_seconds_only(void **state) {
  (void)state;
  struct range range = {0};
  struct trp_walk *walk = new_walk(9, 20);
  trp_walk_advance(walk, 3600 * S, widen, &range);
  assert_in_range(range.quotes, 20, 80);
  assert_true(trp_walk_next_ns(walk) > 3600 * S);
  assert_true(trp_walk_next_ns(walk) < 3601 * S);
  trp_walk_destroy(&walk);
}

static void two_symbols_always_exist_and_bad_names_are_refused(void **state) {
  (void)state;
  struct trp_walk *walk;
  struct trp_walk_options options = {.symbols = "ABCEUR,ETHUSDT,ABCEUR"};
  assert_int_equal(TRP_OK, trp_walk_new(&walk, &options));
  assert_int_equal(3, trp_walk_symbol_count(walk));
  assert_int_equal(0, trp_walk_find(walk, "BTCUSDT"));
  assert_int_equal(1, trp_walk_find(walk, "ETHUSDT"));
  assert_int_equal(-1, trp_walk_find(walk, "SOLUSDT"));
  assert_string_equal("abceur", trp_walk_symbol(walk, 2)->lower);
  assert_string_equal("ABC", trp_walk_symbol(walk, 2)->base);
  assert_string_equal("EUR", trp_walk_symbol(walk, 2)->quote);
  assert_string_equal("USDT", trp_walk_symbol(walk, 0)->quote);
  trp_walk_destroy(&walk);
  static const char *const bad[] = {"abcusdt", "A", "AB CD", "ABCD,,EFGH",
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    options.symbols = bad[i];
    assert_int_equal(TRP_INVALID, trp_walk_new(&walk, &options));
    assert_null(walk);
  }
  char many[TRP_WALK_SYMBOLS_MAX * 6 + 1] = "";
  for (int i = 0; i < TRP_WALK_SYMBOLS_MAX; i++) {
    char name[24];
    snprintf(name, sizeof name, "%sAB%03d", i > 0 ? "," : "", i);
    strcat(many, name);
  }
  options.symbols = many; /* with the two that come by themselves one too many */
  assert_int_equal(TRP_INVALID, trp_walk_new(&walk, &options));
}

static void trades_are_remembered_up_to_a_bound(void **state) {
  (void)state;
  static struct trp_walk_trade trades[TRP_WALK_TRADES_MAX + 1];
  struct trp_walk *walk = new_walk(4, 5000);
  for (uint64_t at = 0; at <= 2 * S; at += 100 * MS) {
    trp_walk_advance(walk, at, NULL, NULL);
  }
  struct trp_walk_day day = trp_walk_day(walk, 1);
  assert_true(day.trades > TRP_WALK_TRADES_MAX);
  assert_int_equal(TRP_WALK_TRADES_MAX, trp_walk_trades(walk, 1, trades, TRP_WALK_TRADES_MAX + 1));
  for (uint32_t i = 1; i < TRP_WALK_TRADES_MAX; i++) {
    assert_true(trades[i].id == trades[i - 1].id + 1);
  }
  assert_true(trades[TRP_WALK_TRADES_MAX - 1].id == day.first_trade + day.trades - 1);
  assert_true(trades[TRP_WALK_TRADES_MAX - 1].price == day.last);
  assert_int_equal(3, trp_walk_trades(walk, 1, trades, 3));
  assert_true(trades[2].price == day.last);
  assert_true(day.low <= day.last && day.last <= day.high);
  trp_walk_destroy(&walk);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_seed_is_one_market_however_time_is_cut),
      cmocka_unit_test(a_snapshot_and_the_changes_after_it_are_the_book),
      cmocka_unit_test(a_gap_loses_followers_until_they_take_a_new_snapshot),
      cmocka_unit_test(a_long_walk_stays_on_its_ladder),
      cmocka_unit_test(the_rate_is_kept),
      cmocka_unit_test(a_walk_that_slept_catches_up_with_two_seconds_only),
      cmocka_unit_test(two_symbols_always_exist_and_bad_names_are_refused),
      cmocka_unit_test(trades_are_remembered_up_to_a_bound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
