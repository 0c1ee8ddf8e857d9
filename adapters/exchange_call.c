#include "adapters/exchange_call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/troupe.h"

enum {
  LIST_SIZE = 4096,      /* bytes of a parameter that lists symbols */
  RECV_WINDOW_MS = 5000, /* how old a time stamp may be, unless the call says otherwise */
  RECV_WINDOW_MAX_MS = 60000,
  AHEAD_MAX_MS = 1000 /* how far in the future */
};

void trp_exchange_call_begin(struct trp_exchange_call *call, const char *method, const char *path,
                             uint64_t now_ns) {
  const char *question = strchr(path, '?');
  *call->response = (struct trp_exchange_response){.status = 200};
  trp_exchange_text_clear(call->body);
  call->method = method;
  call->path = path;
  call->query = question != NULL ? question + 1 : "";
  call->wall_ms = (call->market->wall_ns + now_ns) / TRP_NS_PER_MS;
}

const struct trp_exchange_route *trp_exchange_call_route(struct trp_exchange_call *call,
                                                         const char *base,
                                                         const struct trp_exchange_route *routes,
                                                         uint32_t count) {
  size_t head = strlen(base);
  size_t size = strcspn(call->path, "?");
  for (uint32_t i = 0; i < count && size > head && memcmp(call->path, base, head) == 0; i++) {
    size_t n = strlen(routes[i].path);
    if (n == size - head && memcmp(routes[i].path, call->path + head, n) == 0 &&
        (routes[i].any || strcmp(call->method, "GET") == 0)) {
      return &routes[i];
    }
  }
  call->refuse(call, TRP_EXCHANGE_NO_ROUTE, call->path);
  return NULL;
}

bool trp_exchange_call_charge(struct trp_exchange_call *call,
                              const struct trp_exchange_budget *budget, uint32_t counter,
                              uint32_t units) {
  uint16_t status = trp_exchange_meter_charge(call->meter, budget, counter, units, call->wall_ms,
                                              &call->retry_after_s);
  call->limit_max = call->meter->max != 0 ? call->meter->max : budget->max;
  if (status == 0) {
    return true;
  }
  call->refuse(call, status == 429 ? TRP_EXCHANGE_TOO_MANY : TRP_EXCHANGE_BANNED, "");
  return false;
}

void trp_exchange_call_header(struct trp_exchange_call *call, const char *format, ...) {
  char *extra = call->response->extra;
  size_t used = strlen(extra);
  size_t room = sizeof call->response->extra - used;
  va_list list;
  va_start(list, format);
  int size = vsnprintf(extra + used, room, format, list);
  va_end(list);
  if (size < 0 || (size_t)size >= room) {
    extra[used] = '\0';
  }
}

void trp_exchange_call_pair(struct trp_exchange_call *call, const char *key, int64_t value) {
  trp_exchange_text_add(call->body, ",\"%s\":\"", key);
  trp_exchange_text_fixed(call->body, value);
  trp_exchange_text_raw(call->body, "\"", 1);
}

/* ---- parameters ---------------------------------------------------------------------------- */

bool trp_exchange_call_parameter(const struct trp_exchange_call *call, const char *name, char *out,
                                 size_t size) {
  size_t n = strlen(name);
  const char *at = call->query;
  while (*at != '\0' && !(strncmp(at, name, n) == 0 && at[n] == '=')) {
    at += strcspn(at, "&");
    at += *at == '&';
  }
  if (*at == '\0') {
    return false;
  }
  at += n + 1;
  (void)trp_exchange_unescape(at, strcspn(at, "&"), out, size);
  return true;
}

/* Digits alone, 20 at most; larger than 9 digits counts as very large. */
static bool take_number(const char *text, uint64_t *out) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 20 || text[digits] != '\0') {
    return false;
  }
  *out = strtoull(text, NULL, 10);
  return true;
}

bool trp_exchange_call_number(struct trp_exchange_call *call, const char *name, uint32_t usual,
                              uint32_t max, bool strict, uint32_t *out) {
  char text[24];
  uint64_t number;
  *out = usual;
  if (!trp_exchange_call_parameter(call, name, text, sizeof text)) {
    return true;
  }
  if (!take_number(text, &number)) {
    call->refuse(call, TRP_EXCHANGE_ILLEGAL, name);
    return false;
  }
  if (number == 0 || (strict && number > max)) {
    call->refuse(call, TRP_EXCHANGE_RANGE, name);
    return false;
  }
  *out = number > max ? max : (uint32_t)number;
  return true;
}

bool trp_exchange_call_id(struct trp_exchange_call *call, const char *name, bool *given,
                          uint64_t *out) {
  char text[24];
  *out = 0;
  *given = trp_exchange_call_parameter(call, name, text, sizeof text);
  if (!*given || take_number(text, out)) {
    return true;
  }
  call->refuse(call, TRP_EXCHANGE_ILLEGAL, name);
  return false;
}

void trp_exchange_call_signed(struct trp_exchange_call *call) {
  char text[24];
  uint64_t at_ms;
  uint32_t window_ms;
  if (!trp_exchange_call_parameter(call, "timestamp", text, sizeof text) ||
      !take_number(text, &at_ms)) {
    call->refuse(call, TRP_EXCHANGE_MISSING, "timestamp");
    return;
  }
  if (!trp_exchange_call_number(call, "recvWindow", RECV_WINDOW_MS, RECV_WINDOW_MAX_MS, true,
                                &window_ms)) {
    return;
  }
  bool late = at_ms + window_ms < call->wall_ms || at_ms > call->wall_ms + AHEAD_MAX_MS;
  call->refuse(call, late ? TRP_EXCHANGE_LATE : TRP_EXCHANGE_UNSIGNED, "timestamp");
}

/* ---- symbols --------------------------------------------------------------------------------- */

uint32_t trp_exchange_listed_count(const struct trp_exchange_market *market) {
  return market->walk != NULL ? trp_walk_symbol_count(market->walk)
                              : trp_replay_symbol_count(market->replay);
}

/* Of a recorded symbol only the name is known: XXX_YYY, or what ends in USDT or three letters. */
static void split_recorded(struct trp_exchange_listed *out) {
  size_t size = strlen(out->name);
  const char *line = strchr(out->name, '_');
  size_t tail = size > 4 && strcmp(out->name + size - 4, "USDT") == 0 ? 4 : 3;
  size_t head = line != NULL ? (size_t)(line - out->name) : size > tail ? size - tail : size;
  snprintf(out->base, sizeof out->base, "%.*s", (int)head, out->name);
  snprintf(out->quote, sizeof out->quote, "%.15s", out->name + head + (line != NULL));
  out->tick = out->step = 1;
}

void trp_exchange_listed_at(const struct trp_exchange_market *market, uint32_t index,
                            bool underscore, struct trp_exchange_listed *out) {
  *out = (struct trp_exchange_listed){.index = index};
  if (market->walk == NULL) {
    snprintf(out->name, sizeof out->name, "%s", trp_replay_symbol(market->replay, index));
    split_recorded(out);
    return;
  }
  const struct trp_walk_symbol *symbol = trp_walk_symbol(market->walk, index);
  snprintf(out->base, sizeof out->base, "%s", symbol->base);
  snprintf(out->quote, sizeof out->quote, "%s", symbol->quote);
  snprintf(out->name, sizeof out->name, "%s%s%s", symbol->base, underscore ? "_" : "",
           symbol->quote);
  out->tick = symbol->tick;
  out->step = symbol->step;
}

bool trp_exchange_listed_find(const struct trp_exchange_market *market, const char *name,
                              bool underscore, struct trp_exchange_listed *out) {
  for (uint32_t i = 0; i < trp_exchange_listed_count(market); i++) {
    trp_exchange_listed_at(market, i, underscore, out);
    if (strcmp(out->name, name) == 0) {
      return true;
    }
  }
  return false;
}

/* One named symbol, checked as the exchange does; false where the call has failed. */
static bool take_symbol(struct trp_exchange_call *call, const char *parameter, const char *name,
                        struct trp_exchange_listed *out) {
  size_t size = strlen(name);
  bool legal = size > 0 && size <= 20;
  for (size_t i = 0; i < size; i++) {
    legal = legal && ((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9') ||
                      strchr(call->legal, name[i]) != NULL || (unsigned char)name[i] >= 0x80);
  }
  if (!legal) {
    call->refuse(call, TRP_EXCHANGE_ILLEGAL, parameter);
    return false;
  }
  if (!trp_exchange_listed_find(call->market, name, call->underscore, out)) {
    call->refuse(call, TRP_EXCHANGE_UNKNOWN, name);
    return false;
  }
  return true;
}

bool trp_exchange_call_symbol(struct trp_exchange_call *call, const char *parameter,
                              struct trp_exchange_listed *out) {
  char name[32];
  if (!trp_exchange_call_parameter(call, parameter, name, sizeof name) || name[0] == '\0') {
    call->refuse(call, TRP_EXCHANGE_MISSING, parameter);
    return false;
  }
  return take_symbol(call, parameter, name, out);
}

static bool choose_listed(struct trp_exchange_call *call, char *text, const char *many,
                          struct trp_exchange_choice *out) {
  char *rest = NULL;
  for (char *name = strtok_r(text, "[]\", ", &rest); name != NULL;
       name = strtok_r(NULL, "[]\", ", &rest)) {
    struct trp_exchange_listed listed;
    if (out->count == TRP_REPLAY_SYMBOLS_MAX) {
      call->refuse(call, TRP_EXCHANGE_CROWDED, many);
      return false;
    }
    if (!take_symbol(call, many, name, &listed)) {
      return false;
    }
    out->index[out->count++] = (uint16_t)listed.index;
  }
  return true;
}

bool trp_exchange_call_choose(struct trp_exchange_call *call, const char *one, const char *many,
                              struct trp_exchange_choice *out) {
  char text[LIST_SIZE];
  struct trp_exchange_listed listed;
  out->count = 0;
  out->single = trp_exchange_call_parameter(call, one, text, sizeof text);
  if (out->single) {
    if (!take_symbol(call, one, text, &listed)) {
      return false;
    }
    out->index[out->count++] = (uint16_t)listed.index;
    return true;
  }
  if (many != NULL && trp_exchange_call_parameter(call, many, text, sizeof text)) {
    return choose_listed(call, text, many, out);
  }
  for (uint32_t i = 0; i < trp_exchange_listed_count(call->market); i++) {
    out->index[out->count++] = (uint16_t)i;
  }
  return true;
}

/* The first level of a side of a recorded snapshot: "bids":[["PRICE","SIZE"] */
static void recorded_level(const char *body, size_t size, const char *side, char price[32],
                           char amount[32]) {
  snprintf(price, 32, "0.00000000");
  snprintf(amount, 32, "0.00000000");
  const char *at = memmem(body, size, side, strlen(side));
  if (at != NULL) {
    char text[80];
    size_t rest = (size_t)(body + size - at);
    snprintf(text, sizeof text, "%.*s", rest < 79 ? (int)rest : 79, at);
    sscanf(text + strlen(side), ":[[\"%31[0-9.]\",\"%31[0-9.]\"", price, amount);
  }
}

void trp_exchange_recorded_best(const struct trp_exchange_market *market, const char *symbol,
                                char text[4][32]) {
  size_t size = 0;
  const char *body = trp_replay_snapshot(market->replay, symbol, &size);
  recorded_level(body != NULL ? body : "", size, "\"bids\"", text[0], text[1]);
  recorded_level(body != NULL ? body : "", size, "\"asks\"", text[2], text[3]);
}
