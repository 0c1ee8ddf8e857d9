/* Payloads of the walk's events, packed with protobuf-c, and which stream a recorded frame is of.
 *
 * The message's parts lie in one block for each frame, as large as its levels want. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_mexc.h"
#include "adapters/mexc.pb-c.h"
#include "runtime/troupe.h"

enum { NUMBER_SIZE = 24, LEVELS_OF_LIMIT = 20 };

enum form { BOOK_TICKER, BOOK_TICKERS, DEALS, DEPTHS, LIMIT_DEPTHS };

/* The kinds of channels; their order is the channel's number. "%s" is the symbol. */
static const struct channel {
  const char *name;
  const char *event_type; /* as its frames say it */
  enum trp_walk_event_kind event;
  enum form form;
  uint32_t levels;
} channels[] = {
    {"spot@public.aggre.bookTicker.v3.api.pb@100ms@%s", "", TRP_WALK_DEPTH, BOOK_TICKER, 0},
    {"spot@public.aggre.bookTicker.v3.api.pb@10ms@%s", "", TRP_WALK_QUOTE, BOOK_TICKER, 0},
    {"spot@public.bookTicker.batch.v3.api.pb@%s", "", TRP_WALK_DEPTH, BOOK_TICKERS, 0},
    {"spot@public.aggre.deals.v3.api.pb@100ms@%s", "spot@public.aggre.deals.v3.api.pb@100ms",
     TRP_WALK_TRADE, DEALS, 0},
    {"spot@public.aggre.deals.v3.api.pb@10ms@%s", "spot@public.aggre.deals.v3.api.pb@10ms",
     TRP_WALK_TRADE, DEALS, 0},
    {"spot@public.aggre.depth.v3.api.pb@100ms@%s", "spot@public.aggre.depth.v3.api.pb@100ms",
     TRP_WALK_DEPTH, DEPTHS, 0},
    {"spot@public.aggre.depth.v3.api.pb@10ms@%s", "spot@public.aggre.depth.v3.api.pb@10ms",
     TRP_WALK_DEPTH, DEPTHS, 0},
    {"spot@public.limit.depth.v3.api.pb@%s@5", "spot@public.limit.depth.v3.api.pb", TRP_WALK_DEPTH,
     LIMIT_DEPTHS, 5},
    {"spot@public.limit.depth.v3.api.pb@%s@10", "spot@public.limit.depth.v3.api.pb", TRP_WALK_DEPTH,
     LIMIT_DEPTHS, 10},
    {"spot@public.limit.depth.v3.api.pb@%s@20", "spot@public.limit.depth.v3.api.pb", TRP_WALK_DEPTH,
     LIMIT_DEPTHS, LEVELS_OF_LIMIT},
};
enum { CHANNELS = sizeof channels / sizeof channels[0] };
_Static_assert(CHANNELS <= TRP_EXCHANGE_CHANNELS_MAX, "a channel's number fits");

uint32_t trp_exchange_mexc_channel(const struct trp_walk_event *event, uint32_t i) {
  for (uint32_t c = 0; c < CHANNELS; c++) {
    if (channels[c].event == event->kind && i-- == 0) {
      return event->symbol * TRP_EXCHANGE_CHANNELS_MAX + c;
    }
  }
  return TRP_REPLAY_NONE;
}

void trp_exchange_mexc_channel_name(const struct trp_walk *walk, uint32_t channel, char *out,
                                    size_t size) {
  uint32_t c = channel % TRP_EXCHANGE_CHANNELS_MAX;
  CHECK(c < CHANNELS);
  const char *symbol = trp_walk_symbol(walk, channel / TRP_EXCHANGE_CHANNELS_MAX)->name;
  const char *gap = strstr(channels[c].name, "%s");
  snprintf(out, size, "%.*s%s%s", (int)(gap - channels[c].name), channels[c].name, symbol, gap + 2);
}

uint32_t trp_exchange_mexc_channel_find(const struct trp_walk *walk, const char *name) {
  for (uint32_t s = 0; s < trp_walk_symbol_count(walk); s++) {
    for (uint32_t c = 0; c < CHANNELS; c++) {
      uint32_t channel = s * TRP_EXCHANGE_CHANNELS_MAX + c;
      char full[TRP_EXCHANGE_NAME_MAX + 1];
      trp_exchange_mexc_channel_name(walk, channel, full, sizeof full);
      if (strcmp(full, name) == 0) {
        return channel;
      }
    }
  }
  return TRP_REPLAY_NONE;
}

/* ---- packing -----------------------------------------------------------------------------------
 */

/* A number as text, in room of its own. */
static char *write_number(char *out, int64_t value) {
  struct trp_exchange_text text = {.bytes = out, .capacity = NUMBER_SIZE};
  trp_exchange_text_short(&text, value);
  return out;
}

/* Both sides of a depth message. Only a side's levels are many, so they are what is allocated. */
struct sides {
  Trp__Mexc__Level *levels;
  Trp__Mexc__Level **pointers; /* asks, then bids */
  char *numbers;
};

static bool make_sides(struct sides *sides, const struct trp_walk_level *asks, uint32_t ask_count,
                       const struct trp_walk_level *bids, uint32_t bid_count) {
  size_t count = (size_t)ask_count + bid_count + 1;
  *sides = (struct sides){.levels = calloc(count, sizeof *sides->levels),
                          .pointers = calloc(count, sizeof *sides->pointers),
                          .numbers = calloc(count, 2 * NUMBER_SIZE)};
  if (sides->levels == NULL || sides->pointers == NULL || sides->numbers == NULL) {
    return false;
  }
  for (size_t i = 0; i + 1 < count; i++) {
    const struct trp_walk_level *level = i < ask_count ? &asks[i] : &bids[i - ask_count];
    char *number = sides->numbers + i * 2 * NUMBER_SIZE;
    trp__mexc__level__init(&sides->levels[i]);
    sides->levels[i].price = write_number(number, level->price);
    sides->levels[i].quantity = write_number(number + NUMBER_SIZE, level->size);
    sides->pointers[i] = &sides->levels[i];
  }
  return true;
}

static void free_sides(struct sides *sides) {
  free(sides->levels);
  free(sides->pointers);
  free(sides->numbers);
}

static void pack(const Trp__Mexc__Push *push, struct trp_exchange_text *out) {
  size_t size = trp__mexc__push__get_packed_size(push);
  uint8_t *bytes = malloc(size);
  if (bytes == NULL) {
    out->failed = true;
    return;
  }
  trp__mexc__push__pack(push, bytes);
  trp_exchange_text_raw(out, bytes, size);
  free(bytes);
}

struct frame {
  Trp__Mexc__Push push;
  const struct channel *channel;
  const struct trp_walk *walk;
  uint32_t symbol;
  int64_t at_ms;
  struct trp_exchange_text *out;
};

static char *text_of(const char *text) { return (char *)(uintptr_t)text; }

static void tell_quote(struct frame *frame, const struct trp_walk_quote *quote) {
  char numbers[4][NUMBER_SIZE];
  char version[NUMBER_SIZE];
  Trp__Mexc__BookTicker ticker;
  Trp__Mexc__BookTickers tickers;
  Trp__Mexc__BookTicker *items[] = {&ticker};
  trp__mexc__book_ticker__init(&ticker);
  trp__mexc__book_tickers__init(&tickers);
  ticker.bid_price = write_number(numbers[0], quote->bid);
  ticker.bid_quantity = write_number(numbers[1], quote->bid_size);
  ticker.ask_price = write_number(numbers[2], quote->ask);
  ticker.ask_quantity = write_number(numbers[3], quote->ask_size);
  if (frame->channel->form == BOOK_TICKERS) {
    tickers.items = items;
    tickers.n_items = 1;
    frame->push.body_case = TRP__MEXC__PUSH__BODY_BOOK_TICKERS;
    frame->push.book_tickers = &tickers;
  } else {
    snprintf(version, sizeof version, "%" PRIu64, quote->id);
    ticker.version = version;
    ticker.last_order_create_time = frame->at_ms;
    frame->push.body_case = TRP__MEXC__PUSH__BODY_AGGRE_BOOK_TICKER;
    frame->push.aggre_book_ticker = &ticker;
  }
  pack(&frame->push, frame->out);
}

static void tell_trade(struct frame *frame, const struct trp_walk_trade *trade) {
  char price[NUMBER_SIZE];
  char quantity[NUMBER_SIZE];
  char id[64];
  Trp__Mexc__Deal deal;
  Trp__Mexc__Deals deals;
  Trp__Mexc__Deal *items[] = {&deal};
  trp__mexc__deal__init(&deal);
  trp__mexc__deals__init(&deals);
  snprintf(id, sizeof id, "%" PRIu64 "X0_%" PRIu64 "X0", trade->id * 2, trade->id * 2 + 1);
  deal.price = write_number(price, trade->price);
  deal.quantity = write_number(quantity, trade->size);
  deal.trade_type = trade->buyer_is_maker ? 2 : 1;
  deal.time = frame->at_ms;
  deal.trade_id = id;
  deals.items = items;
  deals.n_items = 1;
  deals.event_type = text_of(frame->channel->event_type);
  frame->push.body_case = TRP__MEXC__PUSH__BODY_AGGRE_DEALS;
  frame->push.aggre_deals = &deals;
  pack(&frame->push, frame->out);
}

static void tell_depths(struct frame *frame, const struct trp_walk_event *event) {
  char from[NUMBER_SIZE];
  char to[NUMBER_SIZE];
  struct sides sides;
  Trp__Mexc__AggreDepths depths;
  trp__mexc__aggre_depths__init(&depths);
  snprintf(from, sizeof from, "%" PRIu64, event->first);
  snprintf(to, sizeof to, "%" PRIu64, event->last);
  if (make_sides(&sides, event->asks, event->ask_count, event->bids, event->bid_count)) {
    depths.asks = sides.pointers;
    depths.n_asks = event->ask_count;
    depths.bids = sides.pointers + event->ask_count;
    depths.n_bids = event->bid_count;
    depths.event_type = text_of(frame->channel->event_type);
    depths.from_version = from;
    depths.to_version = to;
    depths.last_order_create_time = frame->at_ms;
    frame->push.body_case = TRP__MEXC__PUSH__BODY_AGGRE_DEPTHS;
    frame->push.aggre_depths = &depths;
    pack(&frame->push, frame->out);
  } else {
    frame->out->failed = true;
  }
  free_sides(&sides);
}

static void tell_limit_depths(struct frame *frame) {
  struct trp_walk_level asks[LEVELS_OF_LIMIT];
  struct trp_walk_level bids[LEVELS_OF_LIMIT];
  char version[NUMBER_SIZE];
  struct sides sides;
  Trp__Mexc__LimitDepths depths;
  trp__mexc__limit_depths__init(&depths);
  depths.n_asks = trp_walk_levels(frame->walk, frame->symbol, false, asks, frame->channel->levels);
  depths.n_bids = trp_walk_levels(frame->walk, frame->symbol, true, bids, frame->channel->levels);
  snprintf(version, sizeof version, "%" PRIu64, trp_walk_best(frame->walk, frame->symbol).id);
  if (make_sides(&sides, asks, (uint32_t)depths.n_asks, bids, (uint32_t)depths.n_bids)) {
    depths.asks = sides.pointers;
    depths.bids = sides.pointers + depths.n_asks;
    depths.event_type = text_of(frame->channel->event_type);
    depths.version = version;
    depths.last_order_create_time = frame->at_ms;
    frame->push.body_case = TRP__MEXC__PUSH__BODY_LIMIT_DEPTHS;
    frame->push.limit_depths = &depths;
    pack(&frame->push, frame->out);
  } else {
    frame->out->failed = true;
  }
  free_sides(&sides);
}

void trp_exchange_mexc_tell(const struct trp_exchange_market *market, uint32_t channel,
                            const struct trp_walk_event *event, uint64_t form,
                            struct trp_exchange_text *out) {
  (void)form;
  uint32_t c = channel % TRP_EXCHANGE_CHANNELS_MAX;
  CHECK(c < CHANNELS);
  char name[TRP_EXCHANGE_NAME_MAX + 1];
  struct frame frame = {.channel = &channels[c],
                        .walk = market->walk,
                        .symbol = channel / TRP_EXCHANGE_CHANNELS_MAX,
                        .at_ms = (int64_t)((market->wall_ns + event->at_ns) / TRP_NS_PER_MS),
                        .out = out};
  struct trp_walk_quote best = trp_walk_best(market->walk, frame.symbol);
  trp_exchange_mexc_channel_name(market->walk, channel, name, sizeof name);
  trp__mexc__push__init(&frame.push);
  frame.push.channel = name;
  frame.push.symbol = text_of(trp_walk_symbol(market->walk, frame.symbol)->name);
  frame.push.send_time = frame.at_ms;
  switch (channels[c].form) {
    case BOOK_TICKER:
    case BOOK_TICKERS:
      tell_quote(&frame, event->kind == TRP_WALK_QUOTE ? &event->quote : &best);
      break;
    case DEALS:
      tell_trade(&frame, &event->trade);
      break;
    case DEPTHS:
      tell_depths(&frame, event);
      break;
    case LIMIT_DEPTHS:
      tell_limit_depths(&frame);
      break;
  }
}

/* ---- recordings --------------------------------------------------------------------------------
 */

/* A frame says its channel in full, and its symbol. */
static bool stream_of(struct trp_replay_frame *frame, char *name, char *symbol) {
  Trp__Mexc__Push *push =
      frame->binary
          ? trp__mexc__push__unpack(NULL, frame->size, (const uint8_t *)(const void *)frame->bytes)
          : NULL;
  bool good = push != NULL && push->channel[0] != '\0' &&
              strlen(push->channel) < TRP_REPLAY_NAME_SIZE &&
              strlen(push->symbol) < TRP_REPLAY_NAME_SIZE;
  if (good) {
    snprintf(name, TRP_REPLAY_NAME_SIZE, "%s", push->channel);
    snprintf(symbol, TRP_REPLAY_NAME_SIZE, "%s", push->symbol);
  }
  if (push != NULL) {
    trp__mexc__push__free_unpacked(push, NULL);
  }
  return good;
}

const struct trp_replay_grammar trp_replay_mexc = {
    .stream_of = stream_of, .snapshot_path = "/depth?", .symbol_key = "symbol=", .hex = true};
