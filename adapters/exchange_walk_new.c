/* How a market is made: its symbols, what is usual for each, and a first book. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_walk_book.h"

enum { LADDER = TRP_WALK_LADDER };

/* What is known of some symbols, so that the demo's figures look familiar. */
static const struct preset {
  const char *name;
  int64_t price, tick, step, mean;
} presets[] = {
    {"BTCUSDT", 64000 * (int64_t)TRP_WALK_UNIT, 1000000, 1000, 50000000},
    {"ETHUSDT", 2500 * (int64_t)TRP_WALK_UNIT, 1000000, 10000, 500000000},
    {"BNBUSDT", 600 * (int64_t)TRP_WALK_UNIT, 1000000, 100000, 1000000000},
    {"SOLUSDT", 150 * (int64_t)TRP_WALK_UNIT, 1000000, 100000, 5000000000},
    {"NKNUSDT", 35210000, 10000, 100000000, 500000000000},
    {NULL, TRP_WALK_UNIT, 10000, 10000000, 10000000000},
};

uint64_t trp_walk_draw(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint32_t trp_walk_draw_below(struct trp_walk_book *book, uint32_t n) {
  return (uint32_t)(trp_walk_draw(&book->chance) >> 32) % n;
}

int64_t trp_walk_draw_size(struct trp_walk_book *book) {
  int64_t size = book->mean / 20 + book->mean / 1000 * (int64_t)trp_walk_draw_below(book, 2000);
  size -= size % book->info.step;
  return size > 0 ? size : book->info.step;
}

static bool valid_name(const char *name, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (!((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9'))) {
      return false;
    }
  }
  return size >= 4 && size < sizeof((struct trp_walk_symbol *)0)->name;
}

/* "BTCUSDT" is BTC in USDT; without a known quote asset the last three letters are it. */
static void split_name(struct trp_walk_symbol *info) {
  static const char *const quotes[] = {"USDT", "USDC", "FDUSD"};
  size_t size = strlen(info->name);
  size_t tail = 3;
  for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++) {
    size_t n = strlen(quotes[i]);
    if (size > n && strcmp(info->name + size - n, quotes[i]) == 0) {
      tail = n;
    }
  }
  size_t head = size - tail < sizeof info->base ? size - tail : sizeof info->base - 1;
  memcpy(info->base, info->name, head);
  memcpy(info->quote, info->name + size - tail, tail);
}

static void fill(struct trp_walk_book *book) {
  book->bid = LADDER / 2 - 1;
  book->ask = LADDER / 2;
  for (uint32_t tick = 0; tick < LADDER; tick++) {
    bool kept = tick == book->bid || tick == book->ask || trp_walk_draw_below(book, 10) < 8;
    book->sizes[tick] = kept ? trp_walk_draw_size(book) : 0;
  }
}

static enum trp_err add_symbol(struct trp_walk *walk, const char *name, size_t size,
                               const struct trp_walk_options *options) {
  if (!valid_name(name, size)) {
    return TRP_INVALID;
  }
  for (uint32_t i = 0; i < walk->count; i++) {
    if (strlen(walk->books[i]->info.name) == size &&
        memcmp(walk->books[i]->info.name, name, size) == 0) {
      return TRP_OK;
    }
  }
  if (walk->count == TRP_WALK_SYMBOLS_MAX) {
    return TRP_INVALID;
  }
  struct trp_walk_book *book = calloc(1, sizeof *book);
  if (book == NULL) {
    return TRP_NO_MEMORY;
  }
  memcpy(book->info.name, name, size);
  uint64_t chance = options->seed != 0 ? options->seed : 1;
  for (size_t i = 0; i < size; i++) {
    book->info.lower[i] = (char)tolower((unsigned char)name[i]);
    chance =
        trp_walk_draw(&chance) ^ (uint64_t)(unsigned char)name[i]; /* own chance for each symbol */
  }
  split_name(&book->info);
  const struct preset *preset = presets;
  while (preset->name != NULL && strcmp(preset->name, book->info.name) != 0) {
    preset++;
  }
  book->chance = chance;
  book->info.tick = preset->tick;
  book->info.step = preset->step;
  book->mean = preset->mean;
  book->floor = preset->price - LADDER / 2 * preset->tick;
  book->id = 1000000000 + trp_walk_draw_below(book, 1000000);
  book->trade_id = 10000000 + trp_walk_draw_below(book, 1000000);
  book->due_ns = options->start_ns + trp_walk_draw(&book->chance) % (walk->period_ns + 1);
  book->day = (struct trp_walk_day){.open = preset->price,
                                    .high = preset->price,
                                    .low = preset->price,
                                    .last = preset->price,
                                    .first_trade = book->trade_id + 1};
  fill(book);
  walk->books[walk->count++] = book;
  return TRP_OK;
}

static enum trp_err add_symbols(struct trp_walk *walk, const char *names,
                                const struct trp_walk_options *options) {
  enum trp_err err = TRP_OK;
  while (err == TRP_OK && *names != '\0') {
    size_t size = strcspn(names, ",");
    err = add_symbol(walk, names, size, options);
    names += size + (names[size] == ',');
  }
  return err;
}

enum trp_err trp_walk_new(struct trp_walk **out, const struct trp_walk_options *options) {
  *out = NULL;
  uint32_t rate = options->quotes_per_s != 0 ? options->quotes_per_s : 20;
  if (rate > 100000) {
    return TRP_INVALID;
  }
  struct trp_walk *walk = calloc(1, sizeof *walk);
  if (walk == NULL) {
    return TRP_NO_MEMORY;
  }
  walk->period_ns = TRP_WALK_SECOND_NS * 2 / (rate * 3ull);
  walk->clock_ns = options->start_ns;
  walk->flush_ns = options->start_ns + TRP_WALK_FLUSH_NS;
  walk->second_ns = options->start_ns + TRP_WALK_SECOND_NS;
  enum trp_err err = add_symbols(walk, "BTCUSDT,ETHUSDT", options);
  if (err == TRP_OK) {
    err = add_symbols(walk, options->symbols != NULL ? options->symbols : "BNBUSDT,SOLUSDT,NKNUSDT",
                      options);
  }
  if (err != TRP_OK) {
    trp_walk_destroy(&walk);
    return err;
  }
  *out = walk;
  return TRP_OK;
}

void trp_walk_destroy(struct trp_walk **walk) {
  if (*walk == NULL) {
    return;
  }
  for (uint32_t i = 0; i < (*walk)->count; i++) {
    for (uint32_t v = 0; v < TRP_WALK_VIEWS; v++) {
      free((*walk)->books[i]->views[v]);
    }
    free((*walk)->books[i]);
  }
  free(*walk);
  *walk = NULL;
}
