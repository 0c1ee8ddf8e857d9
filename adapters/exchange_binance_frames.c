/* Which stream a frame of a recording of Binance is of. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "adapters/exchange_replay.h"
#include "adapters/json_lejp.h"
#include "adapters/json_scan.h"

enum { SYMBOL_SIZE = 24 };

/* {"stream":"NAME","data":...}, as the exchange writes it. */
static bool is_combined(struct trp_replay_frame *frame, char *name, char *symbol) {
  struct trp_json_scan scan = {frame->bytes, frame->bytes + frame->size};
  if (!TRP_JSON_SCAN(&scan, "{\"stream\":\"")) {
    return false;
  }
  const char *from = scan.at;
  const char *to = memchr(from, '"', (size_t)(scan.end - from));
  size_t size = to != NULL ? (size_t)(to - from) : 0;
  if (size == 0 || size >= TRP_REPLAY_NAME_SIZE || memchr(from, '\\', size) != NULL) {
    return false;
  }
  scan.at = to;
  if (!TRP_JSON_SCAN(&scan, "\",\"data\":") || scan.at == scan.end || scan.end[-1] != '}') {
    return false;
  }
  memcpy(name, from, size);
  name[size] = '\0';
  snprintf(symbol, TRP_REPLAY_NAME_SIZE, "%.*s", (int)strcspn(name, "@"), name);
  frame->combined = true;
  frame->data = scan.at;
  frame->data_size = (size_t)(scan.end - 1 - scan.at);
  return true;
}

struct raw {
  char event[32], symbol[SYMBOL_SIZE], interval[8];
  bool update, bid;
};

static void copy_text(char *out, size_t size, const struct trp_json_value *value) {
  if (value->kind == TRP_JSON_TEXT && value->size < size) {
    memcpy(out, value->text, value->size + 1);
  }
}

static bool look(void *arg, const struct trp_json_value *value) {
  struct raw *raw = arg;
  if (value->kind == TRP_JSON_OBJECT_END) {
    return true;
  }
  if (strcmp(value->path, "e") == 0) {
    copy_text(raw->event, sizeof raw->event, value);
  } else if (strcmp(value->path, "s") == 0) {
    copy_text(raw->symbol, sizeof raw->symbol, value);
  } else if (strcmp(value->path, "k.i") == 0) {
    copy_text(raw->interval, sizeof raw->interval, value);
  }
  raw->update = raw->update || (strcmp(value->path, "u") == 0 && value->kind == TRP_JSON_NUMBER);
  raw->bid = raw->bid || (strcmp(value->path, "b") == 0 && value->kind == TRP_JSON_TEXT);
  return true;
}

/* A payload without wrapping says by itself which stream it is of; depth is taken for @100ms. */
static bool is_raw(struct trp_replay_frame *frame, char *name, char *symbol) {
  static const char *const streams[][2] = {
      {"depthUpdate", "depth@100ms"},   {"aggTrade", "aggTrade"}, {"trade", "trade"},
      {"24hrMiniTicker", "miniTicker"}, {"24hrTicker", "ticker"}, {"kline", "kline_"}};
  struct raw raw = {0};
  const char *reason;
  if (trp_json_walk(frame->bytes, frame->size, look, &raw, &reason) != TRP_OK ||
      raw.symbol[0] == '\0') {
    return false;
  }
  const char *stream = raw.event[0] == '\0' && raw.update && raw.bid ? "bookTicker" : NULL;
  for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
    stream = strcmp(raw.event, streams[i][0]) == 0 ? streams[i][1] : stream;
  }
  if (stream == NULL) {
    return false;
  }
  for (char *c = raw.symbol; *c != '\0'; c++) {
    *c = (char)tolower((unsigned char)*c);
  }
  snprintf(name, TRP_REPLAY_NAME_SIZE, "%s@%s%s", raw.symbol, stream, raw.interval);
  snprintf(symbol, TRP_REPLAY_NAME_SIZE, "%s", raw.symbol);
  return true;
}

static bool stream_of(struct trp_replay_frame *frame, char *name, char *symbol) {
  return is_combined(frame, name, symbol) || is_raw(frame, name, symbol);
}

const struct trp_replay_grammar trp_replay_binance = {
    .stream_of = stream_of, .snapshot_path = "/depth?", .symbol_key = "symbol="};
