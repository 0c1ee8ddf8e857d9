/* Payloads of the walk's events, and which stream a recorded frame is of. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_gateio.h"
#include "adapters/json_lejp.h"
#include "runtime/troupe.h"

enum form { BOOK_TICKER, TRADE, TICKER, UPDATE, BOOK, OBU };

/* The kinds of channels; their order is the channel's number. */
static const struct channel {
  const char *name;
  const char *detail; /* what its payload says beside the pair */
  enum trp_walk_event_kind event;
  enum form form;
  uint32_t levels;
} channels[] = {
    {"spot.book_ticker", "", TRP_WALK_QUOTE, BOOK_TICKER, 0},
    {"spot.trades", "", TRP_WALK_TRADE, TRADE, 0},
    {"spot.tickers", "", TRP_WALK_SECOND, TICKER, 0},
    {"spot.order_book_update", "100ms", TRP_WALK_DEPTH, UPDATE, 0},
    {"spot.order_book", "5,100ms", TRP_WALK_DEPTH, BOOK, 5},
    {"spot.order_book", "10,100ms", TRP_WALK_DEPTH, BOOK, 10},
    {"spot.order_book", "20,100ms", TRP_WALK_DEPTH, BOOK, 20},
    {"spot.order_book", "50,100ms", TRP_WALK_DEPTH, BOOK, 50},
    {"spot.order_book", "100,100ms", TRP_WALK_DEPTH, BOOK, 100},
    {"spot.order_book", "5,1000ms", TRP_WALK_DEPTH_SLOW, BOOK, 5},
    {"spot.order_book", "10,1000ms", TRP_WALK_DEPTH_SLOW, BOOK, 10},
    {"spot.order_book", "20,1000ms", TRP_WALK_DEPTH_SLOW, BOOK, 20},
    {"spot.order_book", "50,1000ms", TRP_WALK_DEPTH_SLOW, BOOK, 50},
    {"spot.order_book", "100,1000ms", TRP_WALK_DEPTH_SLOW, BOOK, 100},
    {"spot.obu", "50", TRP_WALK_DEPTH, OBU, 50},
    {"spot.obu", "400", TRP_WALK_DEPTH, OBU, 400},
};
enum { CHANNELS = sizeof channels / sizeof channels[0] };
_Static_assert(CHANNELS <= TRP_EXCHANGE_CHANNELS_MAX, "a channel's number fits");

uint32_t trp_exchange_gateio_channel(const struct trp_walk_event *event, uint32_t i) {
  for (uint32_t c = 0; c < CHANNELS; c++) {
    if (channels[c].event == event->kind && i-- == 0) {
      return event->symbol * TRP_EXCHANGE_CHANNELS_MAX + c;
    }
  }
  return TRP_REPLAY_NONE;
}

bool trp_exchange_gateio_channel_known(const char *channel, bool *list) {
  *list = false;
  for (uint32_t c = 0; c < CHANNELS; c++) {
    if (strcmp(channels[c].name, channel) == 0) {
      *list = channels[c].detail[0] == '\0' || channels[c].form == OBU;
      return true;
    }
  }
  return false;
}

uint32_t trp_exchange_gateio_channel_find(const struct trp_walk *walk, const char *channel,
                                          const char *pair, const char *detail) {
  struct trp_exchange_market market = {.walk = (struct trp_walk *)(uintptr_t)walk};
  struct trp_exchange_listed listed;
  if (!trp_exchange_listed_find(&market, pair, true, &listed)) {
    return TRP_REPLAY_NONE;
  }
  for (uint32_t c = 0; c < CHANNELS; c++) {
    if (strcmp(channels[c].name, channel) == 0 && strcmp(channels[c].detail, detail) == 0) {
      return listed.index * TRP_EXCHANGE_CHANNELS_MAX + c;
    }
  }
  return TRP_REPLAY_NONE;
}

/* ---- payloads ----------------------------------------------------------------------------------
 */

/* ,"key":"1.5" */
static void number(struct trp_exchange_text *out, const char *key, int64_t value) {
  trp_exchange_text_add(out, ",\"%s\":\"", key);
  trp_exchange_text_short(out, value);
  trp_exchange_text_raw(out, "\"", 1);
}

static void side(struct trp_exchange_text *out, const char *key,
                 const struct trp_walk_level *levels, uint32_t count) {
  trp_exchange_text_add(out, ",\"%s\":", key);
  trp_exchange_text_levels(out, levels, count, false);
}

static void begin(struct trp_exchange_text *out, const char *channel, uint64_t at_ms) {
  trp_exchange_text_add(out,
                        "{\"time\":%" PRIu64 ",\"time_ms\":%" PRIu64
                        ",\"channel\":\"%s\",\"event\":\"update\",\"result\":",
                        at_ms / 1000, at_ms, channel);
}

static void book_ticker(struct trp_exchange_text *out, const char *pair,
                        const struct trp_walk_quote *quote, uint64_t at_ms) {
  trp_exchange_text_add(out, "{\"t\":%" PRIu64 ",\"u\":%" PRIu64 ",\"s\":\"%s\"", at_ms, quote->id,
                        pair);
  number(out, "b", quote->bid);
  number(out, "B", quote->bid_size);
  number(out, "a", quote->ask);
  number(out, "A", quote->ask_size);
  trp_exchange_text_raw(out, "}", 1);
}

static void trade(struct trp_exchange_text *out, const char *pair, const struct trp_walk_trade *t,
                  uint64_t at_us) {
  trp_exchange_text_add(out,
                        "{\"id\":%" PRIu64 ",\"id_market\":%" PRIu64 ",\"create_time\":%" PRIu64
                        ",\"create_time_ms\":\"%" PRIu64
                        ".%03u\",\"side\":\"%s\","
                        "\"currency_pair\":\"%s\"",
                        t->id, t->id, at_us / 1000000, at_us / 1000, (unsigned)(at_us % 1000),
                        t->buyer_is_maker ? "sell" : "buy", pair);
  number(out, "amount", t->size);
  number(out, "price", t->price);
  trp_exchange_text_add(out, ",\"range\":\"%" PRIu64 "-%" PRIu64 "\"}", t->id, t->id);
}

static void ticker(struct trp_exchange_text *out, const struct trp_walk *walk, uint32_t symbol,
                   const char *pair) {
  struct trp_walk_day day = trp_walk_day(walk, symbol);
  struct trp_walk_quote best = trp_walk_best(walk, symbol);
  trp_exchange_text_add(out, "{\"currency_pair\":\"%s\"", pair);
  number(out, "last", day.last);
  number(out, "lowest_ask", best.ask);
  number(out, "highest_bid", best.bid);
  trp_exchange_text_add(out,
                        ",\"change_percentage\":\"%.4f\",\"base_volume\":\"%.8f\","
                        "\"quote_volume\":\"%.8f\"",
                        (double)(day.last - day.open) / (double)day.open * 100.0, day.volume,
                        day.quote_volume);
  number(out, "high_24h", day.high);
  number(out, "low_24h", day.low);
  trp_exchange_text_raw(out, "}", 1);
}

static void update(struct trp_exchange_text *out, const char *pair,
                   const struct trp_walk_event *event, uint64_t at_ms) {
  trp_exchange_text_add(out,
                        "{\"t\":%" PRIu64 ",\"e\":\"depthUpdate\",\"E\":%" PRIu64
                        ",\"s\":\"%s\",\"U\":%" PRIu64 ",\"u\":%" PRIu64,
                        at_ms, at_ms / 1000, pair, event->first, event->last);
  side(out, "b", event->bids, event->bid_count);
  side(out, "a", event->asks, event->ask_count);
  trp_exchange_text_raw(out, "}", 1);
}

static void book(struct trp_exchange_text *out, const struct trp_walk *walk, uint32_t symbol,
                 const char *pair, uint32_t depth, uint64_t at_ms) {
  struct trp_walk_level levels[100];
  CHECK(depth <= sizeof levels / sizeof levels[0]);
  trp_exchange_text_add(
      out, "{\"t\":%" PRIu64 ",\"lastUpdateId\":%" PRIu64 ",\"s\":\"%s\",\"l\":\"%" PRIu32 "\"",
      at_ms, trp_walk_best(walk, symbol).id, pair, depth);
  side(out, "bids", levels, trp_walk_levels(walk, symbol, true, levels, depth));
  side(out, "asks", levels, trp_walk_levels(walk, symbol, false, levels, depth));
  trp_exchange_text_raw(out, "}", 1);
}

/* Where a side is empty its key is absent, and there is no time in seconds. */
static void obu(struct trp_exchange_text *out, const char *pair, const struct channel *channel,
                const struct trp_walk_view *view, uint64_t first, uint64_t at_ms) {
  bool full = first == 0;
  trp_exchange_text_add(out, "{\"channel\":\"spot.obu\",\"result\":{\"t\":%" PRIu64 "%s", at_ms,
                        full ? ",\"full\":true" : "");
  trp_exchange_text_add(out, ",\"s\":\"ob.%s.%s\",\"u\":%" PRIu64, pair, channel->detail, view->id);
  if (!full) {
    trp_exchange_text_add(out, ",\"U\":%" PRIu64, first);
  }
  for (int bid = 1; bid >= 0; bid--) {
    uint32_t count = full ? view->count[bid] : view->changes[bid];
    if (count > 0) {
      side(out, bid ? "b" : "a", full ? view->levels[bid] : view->changed[bid], count);
    }
  }
  trp_exchange_text_add(out, "},\"time_ms\":%" PRIu64 ",\"event\":\"update\"}", at_ms);
}

void trp_exchange_gateio_full(const struct trp_exchange_market *market, uint32_t channel,
                              uint64_t now_ns, struct trp_exchange_text *out) {
  const struct channel *c = &channels[channel % TRP_EXCHANGE_CHANNELS_MAX];
  uint32_t symbol = channel / TRP_EXCHANGE_CHANNELS_MAX;
  struct trp_exchange_listed listed;
  if (c->form != OBU) {
    return;
  }
  trp_exchange_listed_at(market, symbol, true, &listed);
  const struct trp_walk_view *view = trp_walk_view(market->walk, symbol, c->levels);
  if (view == NULL) {
    out->failed = true;
    return;
  }
  obu(out, listed.name, c, view, 0, (market->wall_ns + now_ns) / TRP_NS_PER_MS);
}

/* What changed in the part of the book that the channel shows. A newcomer may have been shown more
 * than the event begins with: for the others the first update is then merely a later one. */
static void obu_step(const struct trp_exchange_market *market, uint32_t symbol, const char *pair,
                     const struct channel *channel, const struct trp_walk_event *event,
                     uint64_t at_ms, struct trp_exchange_text *out) {
  const struct trp_walk_view *view = trp_walk_view_step(market->walk, symbol, channel->levels);
  if (view == NULL) {
    out->failed = true;
  } else if (view->since < event->last) {
    obu(out, pair, channel, view, view->since >= event->first ? view->since + 1 : event->first,
        at_ms);
  }
}

void trp_exchange_gateio_tell(const struct trp_exchange_market *market, uint32_t channel,
                              const struct trp_walk_event *event, uint64_t form,
                              struct trp_exchange_text *out) {
  (void)form;
  uint32_t c = channel % TRP_EXCHANGE_CHANNELS_MAX;
  uint32_t symbol = channel / TRP_EXCHANGE_CHANNELS_MAX;
  uint64_t at_ns = market->wall_ns + event->at_ns;
  uint64_t at_ms = at_ns / TRP_NS_PER_MS;
  struct trp_exchange_listed listed;
  CHECK(c < CHANNELS);
  trp_exchange_listed_at(market, symbol, true, &listed);
  if (channels[c].form == OBU) {
    obu_step(market, symbol, listed.name, &channels[c], event, at_ms, out);
    return;
  }
  begin(out, channels[c].name, at_ms);
  switch (channels[c].form) {
    case BOOK_TICKER:
      book_ticker(out, listed.name, &event->quote, at_ms);
      break;
    case TRADE:
      trade(out, listed.name, &event->trade, at_ns / 1000);
      break;
    case TICKER:
      ticker(out, market->walk, symbol, listed.name);
      break;
    case UPDATE:
      update(out, listed.name, event, at_ms);
      break;
    case BOOK:
    case OBU:
      book(out, market->walk, symbol, listed.name, channels[c].levels, at_ms);
      break;
  }
  trp_exchange_text_raw(out, "}", 1);
}

/* ---- recordings --------------------------------------------------------------------------------
 */

struct look {
  char channel[40], event[16], pair[40], kind[40];
};

static void copy_text(char *out, size_t size, const struct trp_json_value *value) {
  if (value->kind == TRP_JSON_TEXT && value->size < size) {
    memcpy(out, value->text, value->size + 1);
  }
}

static bool look(void *arg, const struct trp_json_value *value) {
  struct look *look = arg;
  if (value->kind == TRP_JSON_OBJECT_END) {
    return true;
  }
  if (strcmp(value->path, "channel") == 0) {
    copy_text(look->channel, sizeof look->channel, value);
  } else if (strcmp(value->path, "event") == 0) {
    copy_text(look->event, sizeof look->event, value);
  } else if (strcmp(value->path, "result.s") == 0 ||
             strcmp(value->path, "result.currency_pair") == 0) {
    copy_text(look->pair, sizeof look->pair, value);
  } else if (strcmp(value->path, "result.n") == 0) {
    copy_text(look->kind, sizeof look->kind, value);
  }
  return true;
}

/* An update says its channel and its pair; a candle its interval and pair as 1m_BTC_USDT, and a
 * book of spot.obu its pair and depth as ob.BTC_USDT.50. */
static bool stream_of(struct trp_replay_frame *frame, char *name, char *symbol) {
  struct look found = {0};
  const char *reason;
  if (trp_json_walk(frame->bytes, frame->size, look, &found, &reason) != TRP_OK ||
      strcmp(found.event, "update") != 0) {
    return false;
  }
  if (found.pair[0] == '\0' && strchr(found.kind, '_') != NULL) {
    snprintf(found.pair, sizeof found.pair, "%.39s", strchr(found.kind, '_') + 1);
  } else if (strncmp(found.pair, "ob.", 3) == 0) {
    memmove(found.pair, found.pair + 3, strlen(found.pair + 3) + 1);
    found.pair[strcspn(found.pair, ".")] = '\0';
  }
  if (found.pair[0] == '\0') {
    return false;
  }
  snprintf(name, TRP_REPLAY_NAME_SIZE, "%.23s,%s", found.channel, found.pair);
  snprintf(symbol, TRP_REPLAY_NAME_SIZE, "%s", found.pair);
  return true;
}

const struct trp_replay_grammar trp_replay_gateio = {
    .stream_of = stream_of, .snapshot_path = "/order_book?", .symbol_key = "currency_pair="};
