/* Payloads of the walk's events. Spot book tickers carry no "e" and no "E". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_binance.h"
#include "runtime/troupe.h"

enum form { BOOK_TICKER, AGG_TRADE, TRADE, DIFF, PARTIAL, MINI_TICKER, TICKER };

/* The kinds of streams; their order is the channel's number. */
static const struct channel {
  const char *suffix;
  enum trp_walk_event_kind event;
  enum form form;
  uint32_t levels;
} channels[] = {
    {"bookTicker", TRP_WALK_QUOTE, BOOK_TICKER, 0},
    {"aggTrade", TRP_WALK_TRADE, AGG_TRADE, 0},
    {"trade", TRP_WALK_TRADE, TRADE, 0},
    {"depth@100ms", TRP_WALK_DEPTH, DIFF, 0},
    {"depth5@100ms", TRP_WALK_DEPTH, PARTIAL, 5},
    {"depth10@100ms", TRP_WALK_DEPTH, PARTIAL, 10},
    {"depth20@100ms", TRP_WALK_DEPTH, PARTIAL, 20},
    {"depth", TRP_WALK_DEPTH_SLOW, DIFF, 0},
    {"depth@1000ms", TRP_WALK_DEPTH_SLOW, DIFF, 0},
    {"depth5", TRP_WALK_DEPTH_SLOW, PARTIAL, 5},
    {"depth10", TRP_WALK_DEPTH_SLOW, PARTIAL, 10},
    {"depth20", TRP_WALK_DEPTH_SLOW, PARTIAL, 20},
    {"miniTicker", TRP_WALK_SECOND, MINI_TICKER, 0},
    {"ticker", TRP_WALK_SECOND, TICKER, 0},
};
enum { CHANNELS = sizeof channels / sizeof channels[0] };
_Static_assert(CHANNELS <= TRP_EXCHANGE_CHANNELS_MAX, "a channel's number fits");

uint32_t trp_exchange_binance_channel(const struct trp_walk_event *event, uint32_t i) {
  for (uint32_t c = 0; c < CHANNELS; c++) {
    if (channels[c].event == event->kind && i-- == 0) {
      return event->symbol * TRP_EXCHANGE_CHANNELS_MAX + c;
    }
  }
  return TRP_REPLAY_NONE;
}

uint32_t trp_exchange_binance_channel_find(const struct trp_walk *walk, const char *name) {
  const char *at = strchr(name, '@');
  if (at == NULL) {
    return TRP_REPLAY_NONE;
  }
  size_t size = (size_t)(at - name);
  for (uint32_t s = 0; s < trp_walk_symbol_count(walk); s++) {
    const char *lower = trp_walk_symbol(walk, s)->lower;
    if (strlen(lower) != size || memcmp(lower, name, size) != 0) {
      continue;
    }
    for (uint32_t c = 0; c < CHANNELS; c++) {
      if (strcmp(channels[c].suffix, at + 1) == 0) {
        return s * TRP_EXCHANGE_CHANNELS_MAX + c;
      }
    }
  }
  return TRP_REPLAY_NONE;
}

void trp_exchange_binance_channel_name(const struct trp_walk *walk, uint32_t channel, char *out,
                                       size_t size) {
  uint32_t c = channel % TRP_EXCHANGE_CHANNELS_MAX;
  CHECK(c < CHANNELS);
  snprintf(out, size, "%s@%s", trp_walk_symbol(walk, channel / TRP_EXCHANGE_CHANNELS_MAX)->lower,
           channels[c].suffix);
}

void trp_exchange_binance_wrap(const char *stream, const char *payload, size_t size,
                               struct trp_exchange_text *out) {
  trp_exchange_text_add(out, "{\"stream\":\"%s\",\"data\":", stream);
  trp_exchange_text_raw(out, payload, size);
  trp_exchange_text_raw(out, "}", 1);
}

/* ,"key":"1.00000000" */
static void fixed(struct trp_exchange_text *out, const char *key, int64_t value) {
  trp_exchange_text_add(out, ",\"%s\":\"", key);
  trp_exchange_text_fixed(out, value);
  trp_exchange_text_raw(out, "\"", 1);
}

static void levels(struct trp_exchange_text *out, const char *key,
                   const struct trp_walk_level *level, uint32_t count) {
  trp_exchange_text_add(out, ",\"%s\":", key);
  trp_exchange_text_levels(out, level, count, true);
}

static void begin(struct trp_exchange_text *out, const char *name, uint64_t at_ms,
                  const char *symbol) {
  trp_exchange_text_add(out, "{\"e\":\"%s\",\"E\":%" PRIu64 ",\"s\":\"%s\"", name, at_ms, symbol);
}

static void book_ticker(struct trp_exchange_text *out, const char *symbol,
                        const struct trp_walk_quote *quote) {
  trp_exchange_text_add(out, "{\"u\":%" PRIu64 ",\"s\":\"%s\"", quote->id, symbol);
  fixed(out, "b", quote->bid);
  fixed(out, "B", quote->bid_size);
  fixed(out, "a", quote->ask);
  fixed(out, "A", quote->ask_size);
  trp_exchange_text_raw(out, "}", 1);
}

/* An aggregate here is always one trade. */
static void trade(struct trp_exchange_text *out, const char *symbol, bool aggregate,
                  const struct trp_walk_trade *t, uint64_t at_ms) {
  begin(out, aggregate ? "aggTrade" : "trade", at_ms, symbol);
  trp_exchange_text_add(out, ",\"%s\":%" PRIu64, aggregate ? "a" : "t", t->id);
  fixed(out, "p", t->price);
  fixed(out, "q", t->size);
  if (aggregate) {
    trp_exchange_text_add(out, ",\"f\":%" PRIu64 ",\"l\":%" PRIu64, t->id, t->id);
  }
  trp_exchange_text_add(out, ",\"T\":%" PRIu64 ",\"m\":%s,\"M\":true}", at_ms,
                        t->buyer_is_maker ? "true" : "false");
}

static void diff(struct trp_exchange_text *out, const char *symbol,
                 const struct trp_walk_event *event, uint64_t at_ms) {
  begin(out, "depthUpdate", at_ms, symbol);
  trp_exchange_text_add(out, ",\"U\":%" PRIu64 ",\"u\":%" PRIu64, event->first, event->last);
  levels(out, "b", event->bids, event->bid_count);
  levels(out, "a", event->asks, event->ask_count);
  trp_exchange_text_raw(out, "}", 1);
}

bool trp_exchange_binance_depth(struct trp_exchange_text *out, const struct trp_walk *walk,
                                uint32_t symbol, uint32_t limit) {
  uint32_t max = limit < TRP_WALK_LADDER ? limit : TRP_WALK_LADDER;
  struct trp_walk_level *side = calloc(max, sizeof *side);
  if (side == NULL) {
    return false;
  }
  trp_exchange_text_add(out, "{\"lastUpdateId\":%" PRIu64, trp_walk_best(walk, symbol).id);
  levels(out, "bids", side, trp_walk_levels(walk, symbol, true, side, max));
  levels(out, "asks", side, trp_walk_levels(walk, symbol, false, side, max));
  trp_exchange_text_raw(out, "}", 1);
  free(side);
  return !out->failed;
}

static void mini_ticker(struct trp_exchange_text *out, const char *symbol,
                        const struct trp_walk_day *day, uint64_t at_ms) {
  begin(out, "24hrMiniTicker", at_ms, symbol);
  fixed(out, "c", day->last);
  fixed(out, "o", day->open);
  fixed(out, "h", day->high);
  fixed(out, "l", day->low);
  trp_exchange_text_add(out, ",\"v\":\"%.8f\",\"q\":\"%.8f\"}", day->volume, day->quote_volume);
}

static void ticker(struct trp_exchange_text *out, const struct trp_walk *walk, uint32_t symbol,
                   uint64_t at_ms) {
  struct trp_walk_day day = trp_walk_day(walk, symbol);
  struct trp_walk_quote best = trp_walk_best(walk, symbol);
  double change = (double)(day.last - day.open) / (double)day.open * 100.0;
  double mean = day.volume > 0 ? day.quote_volume / day.volume : (double)day.last / TRP_WALK_UNIT;
  begin(out, "24hrTicker", at_ms, trp_walk_symbol(walk, symbol)->name);
  fixed(out, "p", day.last - day.open);
  trp_exchange_text_add(out, ",\"P\":\"%.3f\",\"w\":\"%.8f\"", change, mean);
  fixed(out, "x", day.open);
  fixed(out, "c", day.last);
  trp_exchange_text_add(out, ",\"Q\":\"0.00000000\"");
  fixed(out, "b", best.bid);
  fixed(out, "B", best.bid_size);
  fixed(out, "a", best.ask);
  fixed(out, "A", best.ask_size);
  fixed(out, "o", day.open);
  fixed(out, "h", day.high);
  fixed(out, "l", day.low);
  trp_exchange_text_add(out,
                        ",\"v\":\"%.8f\",\"q\":\"%.8f\",\"O\":%" PRIu64 ",\"C\":%" PRIu64
                        ",\"F\":%" PRIu64 ",\"L\":%" PRIu64 ",\"n\":%" PRIu64 "}",
                        day.volume, day.quote_volume, at_ms - 86400000, at_ms, day.first_trade,
                        day.first_trade + day.trades - 1, day.trades);
}

void trp_exchange_binance_payload(const struct trp_exchange_market *market, uint32_t channel,
                                  const struct trp_walk_event *event,
                                  struct trp_exchange_text *out) {
  uint32_t c = channel % TRP_EXCHANGE_CHANNELS_MAX;
  uint32_t s = channel / TRP_EXCHANGE_CHANNELS_MAX;
  CHECK(c < CHANNELS);
  const char *symbol = trp_walk_symbol(market->walk, s)->name;
  uint64_t at_ms = (market->wall_ns + event->at_ns) / 1000000;
  struct trp_walk_day day;
  switch (channels[c].form) {
    case BOOK_TICKER:
      book_ticker(out, symbol, &event->quote);
      break;
    case AGG_TRADE:
    case TRADE:
      trade(out, symbol, channels[c].form == AGG_TRADE, &event->trade, at_ms);
      break;
    case DIFF:
      diff(out, symbol, event, at_ms);
      break;
    case PARTIAL:
      out->failed |= !trp_exchange_binance_depth(out, market->walk, s, channels[c].levels);
      break;
    case MINI_TICKER:
      day = trp_walk_day(market->walk, s);
      mini_ticker(out, symbol, &day, at_ms);
      break;
    case TICKER:
      ticker(out, market->walk, s, at_ms);
      break;
  }
}
