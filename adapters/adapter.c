#include "adapters/adapter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/binance.h"
#include "adapters/gateio.h"
#include "adapters/listing.h"
#include "adapters/mexc.h"
#include "adapters/net_url.h"

#define HOUR_MS 3600000u
#define BASE_MAX 255 /* bytes of a base URL: what the machine takes */
#define BOOK_LEVELS_MAX 20000

/* ---- which there are ---------------------------------------------------------------------- */

static const struct trp_adapter adapters[] = {
    {"binance", &trp_binance_dialect, &trp_binance_feed_kind},
    {"gateio", &trp_gateio_dialect, &trp_gateio_feed_kind},
    {"mexc", &trp_mexc_dialect, &trp_mexc_feed_kind},
};
enum { ADAPTERS = sizeof adapters / sizeof *adapters };

const struct trp_adapter *trp_adapter_at(size_t i) { return i < ADAPTERS ? &adapters[i] : NULL; }

/* ---- what is wrong ------------------------------------------------------------------------ */

struct reading {
  struct trp_adapter_config *config;
  const char *key, *value; /* in hand */
  uint64_t seen;           /* keys, as bits */
  char *why;
  size_t why_bytes;
};

__attribute__((format(printf, 2, 3))) static enum trp_err wrong(struct reading *r,
                                                                const char *format, ...) {
  va_list list;
  int used =
      snprintf(r->why, r->why_bytes, "%s: %s=%s: ", r->config->adapter->name, r->key, r->value);
  if (used < 0 || (size_t)used >= r->why_bytes) return TRP_INVALID;
  va_start(list, format);
  vsnprintf(r->why + used, r->why_bytes - (size_t)used, format, list);
  va_end(list);
  return TRP_INVALID;
}

/* Adds "; did you mean 'x'?" where a word is near, and which words there are. */
static void suggest(char *why, size_t why_bytes, const char *word, struct trp_listing *known) {
  size_t used = strlen(why);
  trp_listing_seal(known);
  const char *nearest = trp_listing_nearest(known, word);
  bool near = nearest != NULL && trp_edit_distance(word, nearest) <= 1 + strlen(word) / 3;
  const char *there = near ? " There are " : ". There are ";
  if (near) used += (size_t)snprintf(why + used, why_bytes - used, "; did you mean '%s'?", nearest);
  for (uint32_t i = 0; i < known->count && used < why_bytes; i++)
    used += (size_t)snprintf(why + used, why_bytes - used, "%s%s", i == 0 ? there : ", ",
                             known->names[i]);
  trp_listing_fini(known);
}

const struct trp_adapter *trp_adapter_find(const char *name, char *why, size_t why_bytes) {
  struct trp_listing known = {0};
  for (int i = 0; i < ADAPTERS; i++)
    if (strcmp(adapters[i].name, name) == 0) return &adapters[i];
  for (int i = 0; i < ADAPTERS; i++) trp_listing_add(&known, adapters[i].name);
  int used = snprintf(why, why_bytes, "there is no adapter '%s'", name);
  if (used > 0 && (size_t)used < why_bytes) suggest(why, why_bytes, name, &known);
  trp_listing_fini(&known);
  return NULL;
}

/* ---- values ------------------------------------------------------------------------------- */

struct key {
  const char *name;
  enum trp_err (*read)(struct reading *r, const struct key *key, void *field);
  size_t offset; /* of the field */
  uint32_t min, max;
};

/* What of a number is the exchange's to say. */
static uint32_t most_of(const struct key *key, const struct trp_dialect *dialect) {
  if (strcmp(key->name, "texts_per_s") == 0) return dialect->texts_per_s;
  return strcmp(key->name, "snapshot_limit") == 0 ? dialect->snapshot_max : key->max;
}

static enum trp_err read_number(struct reading *r, const struct key *key, void *field) {
  char *end;
  uint32_t most = most_of(key, r->config->adapter->dialect);
  bool digits = r->value[0] >= '0' && r->value[0] <= '9' && strlen(r->value) <= 10;
  unsigned long long number = digits ? strtoull(r->value, &end, 10) : 0;
  if (!digits || *end != '\0' || number < key->min || number > most)
    return wrong(r, "takes a number from %u to %u", key->min, most);
  *(uint32_t *)field = (uint32_t)number;
  return TRP_OK;
}

static enum trp_err read_switch(struct reading *r, const struct key *key, void *field) {
  (void)key;
  bool yes = strcmp(r->value, "yes") == 0;
  if (!yes && strcmp(r->value, "no") != 0) return wrong(r, "takes yes or no");
  *(bool *)field = yes;
  return TRP_OK;
}

static enum trp_err read_mode(struct reading *r, const struct key *key, void *field) {
  static const char *const names[] = {"auto", "stream", "poll"}; /* as enum trp_feed_mode */
  (void)key;
  for (int i = 0; i < 3; i++) {
    if (strcmp(r->value, names[i]) != 0) continue;
    *(enum trp_feed_mode *)field = (enum trp_feed_mode)i;
    return TRP_OK;
  }
  return wrong(r, "takes auto, stream or poll");
}

/* A copy that lives as long as the config. */
static char *copy(struct reading *r) {
  size_t i = 0;
  while (r->config->texts[i] != NULL) i++;
  return r->config->texts[i] = strdup(r->value);
}

static enum trp_err read_text(struct reading *r, const struct key *key, void *field) {
  if (r->value[0] == '\0' || strlen(r->value) > key->max)
    return wrong(r, "takes a text of 1 to %u bytes", key->max);
  char *text = copy(r);
  *(const char **)field = text;
  return text != NULL ? TRP_OK : TRP_NO_MEMORY;
}

/* Tried with all that the dialect will put behind it. */
static bool is_base(const struct trp_dialect *dialect, const char *base, bool websocket) {
  char text[BASE_MAX + 512];
  struct trp_net_url url;
  bool whole = websocket ? dialect->stream_url(text, sizeof text, base)
                         : dialect->snapshot_url(text, sizeof text, base, dialect->example,
                                                 dialect->snapshot_limit);
  return whole && trp_net_url_parse(&url, text) == TRP_OK && url.websocket == websocket;
}

static enum trp_err read_base(struct reading *r, const struct key *key, void *field) {
  const struct trp_dialect *dialect = r->config->adapter->dialect;
  bool websocket = strcmp(key->name, "ws_base") == 0;
  if (strlen(r->value) > key->max || strchr(r->value, '?') != NULL ||
      !is_base(dialect, r->value, websocket))
    return wrong(r, "takes a URL like %s, of at most %u bytes",
                 websocket ? dialect->ws_base : dialect->http_base, key->max);
  return read_text(r, key, field);
}

/* ---- lists -------------------------------------------------------------------------------- */

static const char *const stream_names[TRP_STREAM_COUNT] = {"quotes", "trades", "depth", "tickers",
                                                           "book"};

static enum trp_err wrong_stream(struct reading *r, const char *name) {
  struct trp_listing known = {0};
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++)
    if ((r->config->adapter->dialect->streams >> i & 1) != 0)
      trp_listing_add(&known, stream_names[i]);
  (void)!wrong(r, "there is no stream '%s' here", name);
  suggest(r->why, r->why_bytes, name, &known);
  return TRP_INVALID;
}

static enum trp_err read_streams(struct reading *r, const struct key *key, void *field) {
  (void)key;
  uint32_t streams = 0;
  char *rest = copy(r), *name;
  if (rest == NULL) return TRP_NO_MEMORY;
  while ((name = strsep(&rest, ",")) != NULL) {
    uint32_t i = 0;
    while (i < TRP_STREAM_COUNT && strcmp(stream_names[i], name) != 0) i++;
    uint32_t bit = i < TRP_STREAM_COUNT ? 1u << i : 0;
    if ((bit & r->config->adapter->dialect->streams) == 0) return wrong_stream(r, name);
    streams |= bit;
  }
  if ((streams & TRP_STREAM_DEPTH) != 0 && (streams & TRP_STREAM_BOOK) != 0)
    return wrong(r, "depth and book exclude each other");
  *(uint32_t *)field = streams;
  return TRP_OK;
}

static enum trp_err read_symbols(struct reading *r, const struct key *key, void *field) {
  (void)key, (void)field;
  struct trp_adapter_config *config = r->config;
  const struct trp_dialect *dialect = config->adapter->dialect;
  uint32_t most = 1;
  for (const char *at = r->value; *at != '\0'; at++) most += *at == ',';
  char *rest = copy(r), *symbol;
  config->symbols = calloc(most, sizeof *config->symbols);
  if (rest == NULL || config->symbols == NULL) return TRP_NO_MEMORY;
  while ((symbol = strsep(&rest, ",")) != NULL) {
    if (!dialect->symbol_valid(symbol))
      return wrong(r, "'%s' is no symbol here: one reads %s", symbol, dialect->example);
    for (uint32_t i = 0; i < config->feed.symbol_count; i++)
      if (strcmp(config->symbols[i], symbol) == 0) return wrong(r, "%s is there twice", symbol);
    config->symbols[config->feed.symbol_count++] = symbol;
  }
  config->feed.symbols = config->symbols;
  return TRP_OK;
}

/* ---- keys --------------------------------------------------------------------------------- */

#define FIELD(name) offsetof(struct trp_feed_options, name)
#define NUMBER(name, min, max)                                                                     \
  { #name, read_number, FIELD(name), min, max }
#define PROTOCOL(name, min, max)                                                                   \
  { #name, read_number, FIELD(protocol.name), min, max }

static const struct key keys[] = {
    {"symbols", read_symbols, FIELD(symbols), 0, 0},
    {"streams", read_streams, FIELD(protocol.streams), 0, 0},
    {"ws_base", read_base, FIELD(ws_base), 0, BASE_MAX},
    {"http_base", read_base, FIELD(http_base), 0, BASE_MAX},
    {"ca_file", read_text, FIELD(ca_file), 0, 4095},
    {"events", read_text, FIELD(events), 0, TRP_NAME_MAX},
    {"stay_disconnected", read_switch, FIELD(stay_disconnected), 0, 0},
    {"mode", read_mode, FIELD(mode), 0, 0},
    {"breaker_failures", read_number, FIELD(breaker.failures), 1, TRP_BREAKER_FAILURES_MAX},
    {"breaker_window_ms", read_number, FIELD(breaker.window_ms), 1, HOUR_MS},
    {"breaker_probe_ms", read_number, FIELD(breaker.probe_ms), 1, HOUR_MS},
    {"trust_symbols", read_switch, FIELD(protocol.trust_symbols), 0, 0},
    NUMBER(lag_ms, 1, HOUR_MS),
    PROTOCOL(poll_ms, 1, HOUR_MS),
    PROTOCOL(renew_s, 1, 7 * 24 * 3600),
    NUMBER(connect_ms, 1, HOUR_MS),
    NUMBER(close_ms, 1, HOUR_MS),
    {"backoff_min_ms", read_number, FIELD(backoff.min_ms), 1, HOUR_MS},
    {"backoff_max_ms", read_number, FIELD(backoff.max_ms), 1, HOUR_MS},
    {"backoff_stable_ms", read_number, FIELD(backoff.stable_ms), 1, HOUR_MS},
    PROTOCOL(symbols_max, 1, TRP_MACHINE_SYMBOLS_MAX),
    PROTOCOL(ack_timeout_ms, 1, HOUR_MS),
    PROTOCOL(heartbeat_ms, 1, HOUR_MS),
    PROTOCOL(ping_ms, 1, HOUR_MS),
    PROTOCOL(stale_ms, 1, HOUR_MS),
    PROTOCOL(stale_max_ms, 1, 24 * HOUR_MS),
    PROTOCOL(stale_give_up_ms, 1, HOUR_MS),
    PROTOCOL(texts_per_s, 1, 0),
    PROTOCOL(snapshot_limit, 1, 0),
    PROTOCOL(snapshots_at_once, 1, 8),
    PROTOCOL(snapshot_timeout_ms, 1, HOUR_MS),
    PROTOCOL(weight_per_min, 1, 1000000),
    PROTOCOL(book_levels_max, TRP_DIALECT_SIDE_MAX, BOOK_LEVELS_MAX),
};
enum { KEYS = sizeof keys / sizeof *keys };
_Static_assert(KEYS <= TRP_ADAPTER_KEYS_MAX, "a text for each");

static enum trp_err wrong_key(struct reading *r, const char *key) {
  struct trp_listing known = {0};
  for (int i = 0; i < KEYS; i++) trp_listing_add(&known, keys[i].name);
  int used =
      snprintf(r->why, r->why_bytes, "%s: there is no option '%s'", r->config->adapter->name, key);
  if (used > 0 && (size_t)used < r->why_bytes) suggest(r->why, r->why_bytes, key, &known);
  trp_listing_fini(&known);
  return TRP_INVALID;
}

static enum trp_err read_option(struct reading *r, const char *text) {
  char name[TRP_LISTING_NAME_MAX + 1];
  size_t size = strcspn(text, "=");
  snprintf(name, sizeof name, "%.*s", (int)size, text);
  r->key = name;
  r->value = text[size] == '=' ? text + size + 1 : "";
  int i = 0;
  while (i < KEYS && (strlen(keys[i].name) != size || strcmp(keys[i].name, name) != 0)) i++;
  if (i == KEYS) return wrong_key(r, name);
  if (text[size] != '=') return wrong(r, "an option reads KEY=VALUE");
  if ((r->seen >> i & 1) != 0) return wrong(r, "is given twice");
  r->seen |= 1ull << i;
  return keys[i].read(r, &keys[i], (char *)&r->config->feed + keys[i].offset);
}

/* ---- what goes together ------------------------------------------------------------------- */

static enum trp_err check_whole(struct reading *r) {
  const struct trp_dialect *dialect = r->config->adapter->dialect;
  const struct trp_machine_options *o = &r->config->feed.protocol;
  char number[24];
  uint32_t streams = o->streams != 0 ? o->streams : dialect->streams_usual;
  uint32_t each = (uint32_t)__builtin_popcount(streams);
  uint32_t room = TRP_MACHINE_LINKS_MAX * (dialect->streams_per_link / each);
  uint32_t most = o->symbols_max != 0 ? o->symbols_max : dialect->symbols_usual;
  r->value = number;
  snprintf(number, sizeof number, "%u", most);
  r->key = "symbols_max";
  if (most > room) return wrong(r, "with %u streams a symbol there is room for %u", each, room);
  if (r->config->feed.symbol_count > most)
    return wrong(r, "symbols has %u", r->config->feed.symbol_count);
  r->key = "ping_ms";
  snprintf(number, sizeof number, "%u", o->ping_ms);
  if (o->ping_ms != 0 && dialect->ping == NULL) return wrong(r, "the exchange pings by itself");
  r->key = "stale_max_ms";
  snprintf(number, sizeof number, "%u", o->stale_max_ms);
  if (o->stale_max_ms != 0 && o->stale_max_ms < o->stale_ms)
    return wrong(r, "stale_ms is %u, and more than that", o->stale_ms);
  return TRP_OK;
}

/* ---- life --------------------------------------------------------------------------------- */

enum trp_err trp_adapter_config_new(struct trp_adapter_config **out, const char *name,
                                    const char *const *options, size_t count, char *why,
                                    size_t why_bytes) {
  *out = NULL;
  snprintf(why, why_bytes, "%s", "");
  const struct trp_adapter *adapter = trp_adapter_find(name, why, why_bytes);
  if (adapter == NULL) return TRP_INVALID;
  struct trp_adapter_config *config = calloc(1, sizeof *config);
  if (config == NULL) return TRP_NO_MEMORY;
  config->adapter = adapter;
  struct reading r = {.config = config, .why = why, .why_bytes = why_bytes};
  enum trp_err err = TRP_OK;
  for (size_t i = 0; err == TRP_OK && i < count; i++) err = read_option(&r, options[i]);
  if (err == TRP_OK) err = check_whole(&r);
  if (err != TRP_OK) trp_adapter_config_destroy(&config);
  *out = config;
  return err;
}

void trp_adapter_config_destroy(struct trp_adapter_config **config) {
  struct trp_adapter_config *c = *config;
  if (c == NULL) return;
  for (int i = 0; i < TRP_ADAPTER_KEYS_MAX; i++) free(c->texts[i]);
  free(c->symbols);
  free(c);
  *config = NULL;
}

struct trp_spec trp_adapter_spec(struct trp_adapter_config *config, struct trp_net *net) {
  config->feed.net = net;
  return (struct trp_spec){.name = config->adapter->name,
                           .kind = config->adapter->kind,
                           .args = &config->feed,
                           .placement = net->shared != NULL ? TRP_IO : TRP_THREAD,
                           .loop = trp_net_loop(net),
                           .door = true};
}
