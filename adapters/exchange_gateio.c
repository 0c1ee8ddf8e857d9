/* Connections and requests. */
#include "adapters/exchange_gateio.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_request.h"
#include "runtime/troupe.h"

enum { ERROR_BODY = 1, ERROR_ARGUMENT = 2, ERROR_AUTH = 4 };

struct ask {
  struct trp_exchange_session *session;
  const struct trp_exchange_market *market;
  const struct trp_exchange_request *request;
  uint64_t now_ns;
  struct trp_exchange_answers *answers;
};

static enum trp_err open_session(struct trp_exchange_session *session,
                                 const struct trp_exchange_market *market, const char *path,
                                 uint64_t now_ns) {
  (void)market;
  (void)now_ns;
  *session = (struct trp_exchange_session){0};
  size_t size = strcspn(path, "?");
  bool right = (size == 7 && memcmp(path, "/ws/v4/", 7) == 0) ||
               (size == 6 && memcmp(path, "/ws/v4", 6) == 0);
  return right ? TRP_OK : TRP_INVALID;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

/* A text of the client's that goes back into JSON. */
static void echo(struct trp_exchange_text *out, const char *text) {
  trp_exchange_text_raw(out, "\"", 1);
  for (const char *c = text; *c != '\0'; c++) {
    bool plain = trp_exchange_plain(*c) || *c == '!' || *c == ' ';
    trp_exchange_text_raw(out, plain ? c : "?", 1);
  }
  trp_exchange_text_raw(out, "\"", 1);
}

static void head(struct ask *ask) {
  struct trp_exchange_text *out = &ask->answers->text;
  const struct trp_exchange_request *request = ask->request;
  uint64_t wall_ms = (ask->market->wall_ns + ask->now_ns) / TRP_NS_PER_MS;
  trp_exchange_text_add(out, "{\"time\":%" PRIu64 ",\"time_ms\":%" PRIu64, wall_ms / 1000, wall_ms);
  if (request->id[0] != '\0' && !request->bad_id) {
    trp_exchange_text_add(out, ",\"id\":%s", request->id);
  }
  trp_exchange_text_add(out, ",\"conn_id\":\"%016" PRIx64 "\",\"channel\":",
                        ask->session->number * UINT64_C(0x9e3779b97f4a7c15));
  echo(out, request->channel);
  trp_exchange_text_add(out, ",\"event\":");
  echo(out, request->event);
}

static void payload(struct ask *ask) {
  struct trp_exchange_text *out = &ask->answers->text;
  trp_exchange_text_add(out, ",\"payload\":[");
  for (uint32_t i = 0; i < ask->request->count; i++) {
    trp_exchange_text_raw(out, ",", i > 0);
    echo(out, ask->request->params[i].text);
  }
  trp_exchange_text_add(out, "]");
}

static void refuse(struct ask *ask, int code, const char *message, const char *what) {
  struct trp_exchange_text *out = &ask->answers->text;
  char text[160];
  head(ask);
  payload(ask);
  trp_exchange_text_add(out, ",\"error\":{\"code\":%d,\"message\":", code);
  snprintf(text, sizeof text, "%s%s", message, what);
  for (char *c = text; *c != '\0'; c++) { /* the client's words are in it */
    *c = (unsigned char)*c < ' ' || *c == '"' || *c == '\\' ? '?' : *c;
  }
  trp_exchange_text_add(out, "\"%s\"},\"result\":{\"status\":\"fail\"}}", text);
  trp_exchange_answers_end(ask->answers);
}

static void accept(struct ask *ask) {
  head(ask);
  payload(ask);
  trp_exchange_text_add(&ask->answers->text, ",\"result\":{\"status\":\"success\"}}");
  trp_exchange_answers_end(ask->answers);
}

/* ---- subscriptions ----------------------------------------------------------------------------
 */

/* What one subscription is of. */
struct topic {
  char name[TRP_EXCHANGE_NAME_MAX + 1];   /* CHANNEL,PAIR[,DETAIL] */
  char stream[TRP_EXCHANGE_NAME_MAX + 1]; /* of a recording: without the speed */
  uint32_t channel;
};

static bool listed(const struct trp_exchange_market *market, const char *pair) {
  struct trp_exchange_listed found;
  return trp_exchange_listed_find(market, pair, true, &found);
}

/* A pair of this exchange, of these parts; false: the request was refused. */
static bool make_topic(struct ask *ask, const char *pair, const char *detail, struct topic *out) {
  const char *channel = ask->request->channel;
  *out = (struct topic){.channel = TRP_REPLAY_NONE};
  if (!listed(ask->market, pair)) {
    refuse(ask, ERROR_ARGUMENT, "unknown currency pair: ", pair);
    return false;
  }
  int size = snprintf(out->name, sizeof out->name, "%s,%s,%s", channel, pair, detail);
  snprintf(out->stream, sizeof out->stream, "%.23s,%.39s", channel, pair);
  if (ask->market->walk != NULL) {
    out->channel = trp_exchange_gateio_channel_find(ask->market->walk, channel, pair, detail);
  }
  if (size >= (int)sizeof out->name ||
      (ask->market->walk != NULL && out->channel == TRP_REPLAY_NONE)) {
    refuse(ask, ERROR_ARGUMENT, "invalid argument: ", detail);
    return false;
  }
  return true;
}

/* ob.BTC_USDT.50 */
static bool split_obu(const char *text, char pair[64], char detail[64]) {
  const char *dot = strrchr(text, '.');
  if (strncmp(text, "ob.", 3) != 0 || dot == NULL || dot <= text + 3) {
    return false;
  }
  snprintf(pair, 64, "%.*s", (int)(dot - text - 3), text + 3);
  snprintf(detail, 64, "%s", dot + 1);
  return true;
}

/* The i-th topic of a request; false past the last, or refused (*good says which). */
static bool topic_at(struct ask *ask, uint32_t i, struct topic *out, bool *good) {
  const struct trp_exchange_request *request = ask->request;
  char pair[64];
  char detail[64] = "";
  bool list;
  (void)trp_exchange_gateio_channel_known(request->channel, &list);
  if (i >= (list ? request->count : 1)) {
    return false;
  }
  if (strcmp(request->channel, "spot.obu") == 0) {
    *good = split_obu(request->params[i].text, pair, detail);
    if (!*good) {
      refuse(ask, ERROR_ARGUMENT, "invalid argument: ", request->params[i].text);
      return false;
    }
    *good = make_topic(ask, pair, detail, out);
    return *good;
  }
  for (uint32_t d = 1; !list && d < request->count && d < 3; d++) { /* PAIR, then LEVEL, SPEED */
    size_t used = strlen(detail);
    snprintf(detail + used, sizeof detail - used, "%s%.20s", used > 0 ? "," : "",
             request->params[d].text);
  }
  *good = make_topic(ask, request->params[i].text, detail, out);
  return *good;
}

static bool add_topic(struct ask *ask, const struct topic *topic) {
  bool obu = strcmp(ask->request->channel, "spot.obu") == 0;
  enum trp_err err = TRP_OK;
  if (trp_exchange_subs_find(ask->session, topic->name) != NULL) {
    if (obu) {
      const char *pair = strchr(topic->name, ',') + 1;
      char what[TRP_EXCHANGE_NAME_MAX + 4];
      snprintf(what, sizeof what, "ob.%s", pair);
      *strchr(what, ',') = '.';
      refuse(ask, ERROR_ARGUMENT, "Alert sub ", what);
    }
    return !obu;
  }
  uint32_t stream = ask->market->replay != NULL
                        ? trp_replay_find(ask->market->replay, topic->stream)
                        : TRP_REPLAY_NONE;
  (void)trp_exchange_subs_add(ask->session, topic->name, topic->channel, stream, ask->now_ns,
                              TRP_EXCHANGE_STREAMS_MAX, &err);
  if (err != TRP_OK) {
    refuse(ask, ERROR_ARGUMENT, "too many subscriptions", "");
  }
  return err == TRP_OK;
}

/* All or nothing. The book of spot.obu goes out before the acknowledgement. */
static void subscribe(struct ask *ask) {
  uint32_t before = ask->session->count;
  struct topic topic;
  bool good = true;
  for (uint32_t i = 0; topic_at(ask, i, &topic, &good) && good; i++) {
    good = add_topic(ask, &topic);
  }
  if (!good) {
    trp_exchange_subs_cut(ask->session, before);
    return;
  }
  for (uint32_t i = before; ask->market->walk != NULL && i < ask->session->count; i++) {
    trp_exchange_gateio_full(ask->market, ask->session->subs[i].channel, ask->now_ns,
                             &ask->answers->text);
    trp_exchange_answers_end(ask->answers);
  }
  accept(ask);
}

static void unsubscribe(struct ask *ask) {
  struct topic topic;
  bool good = true;
  for (uint32_t i = 0; topic_at(ask, i, &topic, &good) && good; i++) {
    (void)trp_exchange_subs_remove(ask->session, topic.name);
  }
  if (good) {
    accept(ask);
  }
}

/* ---- hearing ----------------------------------------------------------------------------------
 */

static void pong(struct ask *ask) {
  uint64_t wall_ms = (ask->market->wall_ns + ask->now_ns) / TRP_NS_PER_MS;
  trp_exchange_text_add(&ask->answers->text,
                        "{\"time\":%" PRIu64 ",\"time_ms\":%" PRIu64
                        ",\"channel\":\"spot.pong\",\"event\":\"\",\"error\":null,\"result\":null}",
                        wall_ms / 1000, wall_ms);
  trp_exchange_answers_end(ask->answers);
}

static bool in_time(const struct ask *ask) {
  uint64_t now_s = (ask->market->wall_ns + ask->now_ns) / TRP_NS_PER_S;
  uint64_t at_s = ask->request->time_s;
  return ask->request->has_time && at_s <= now_s + TRP_EXCHANGE_GATEIO_SKEW_S &&
         at_s + TRP_EXCHANGE_GATEIO_SKEW_S >= now_s;
}

static bool is_private(const char *channel) {
  static const char *const names[] = {"spot.orders", "spot.usertrades", "spot.balances",
                                      "spot.priceorders"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(channel, names[i]) == 0) {
      return true;
    }
  }
  return false;
}

static bool all_texts(const struct trp_exchange_request *request) {
  for (uint32_t i = 0; i < request->count; i++) {
    if (request->params[i].kind != TRP_EXCHANGE_PARAM_TEXT) {
      return false;
    }
  }
  return request->count > 0 && !request->bad_params;
}

static void answer(struct ask *ask) {
  const struct trp_exchange_request *request = ask->request;
  bool list;
  if (strcmp(request->channel, "spot.ping") == 0) {
    pong(ask);
  } else if (!in_time(ask)) {
    refuse(ask, ERROR_ARGUMENT, "invalid argument: ", "time");
  } else if (is_private(request->channel)) {
    refuse(ask, ERROR_AUTH, "Invalid key provided", "");
  } else if (!trp_exchange_gateio_channel_known(request->channel, &list)) {
    refuse(ask, ERROR_ARGUMENT, "unknown channel: ", request->channel);
  } else if (!all_texts(request)) {
    refuse(ask, ERROR_ARGUMENT, "invalid argument: ", "payload");
  } else if (strcmp(request->event, "subscribe") == 0) {
    subscribe(ask);
  } else if (strcmp(request->event, "unsubscribe") == 0) {
    unsubscribe(ask);
  } else {
    refuse(ask, ERROR_ARGUMENT, "unknown event: ", request->event);
  }
}

static void hear(struct trp_exchange_session *session, const struct trp_exchange_market *market,
                 const void *bytes, size_t size, uint64_t now_ns,
                 struct trp_exchange_answers *answers) {
  struct trp_exchange_request request;
  enum trp_err err = trp_exchange_request_read(&request, bytes, size);
  struct ask ask = {session, market, &request, now_ns, answers};
  if (err == TRP_OK) {
    answer(&ask);
  } else {
    refuse(&ask, ERROR_BODY, "invalid request body", "");
  }
  trp_exchange_request_fini(&request);
}

static uint64_t form(struct trp_exchange_session *session, uint32_t channel,
                     const struct trp_walk_event *event) {
  (void)session;
  (void)channel;
  (void)event;
  return 0;
}

static void notice(const struct trp_exchange_session *session, uint64_t wall_ns,
                   struct trp_exchange_text *out) {
  (void)session;
  trp_exchange_text_add(out,
                        "{\"time\":%" PRIu64 ",\"time_ms\":%" PRIu64
                        ",\"channel\":\"spot.system\",\"event\":\"update\",\"result\":{\"type\":"
                        "\"upgrade\",\"msg\":\"The connection will soon be closed for a service "
                        "upgrade. Please reconnect.\"}}",
                        (uint64_t)(wall_ns / TRP_NS_PER_S), (uint64_t)(wall_ns / TRP_NS_PER_MS));
}

const struct trp_exchange_dialect trp_exchange_gateio = {
    .name = "gateio",
    .ws_path = "/ws/v4/",
    .rest_path = "/api/v4",
    .content_type = "application/json",
    .underscore = true,
    .legal = "_",
    .limits = {.streams_max = TRP_EXCHANGE_STREAMS_MAX,
               .connections_max = 300,
               .ping_ms = 20000,
               .pong_ms = 60000},
    .open = open_session,
    .hear = hear,
    .channel = trp_exchange_gateio_channel,
    .form = form,
    .tell = trp_exchange_gateio_tell,
    .grammar = &trp_replay_gateio,
    .rest = trp_exchange_gateio_rest,
    .refuse = trp_exchange_gateio_refuse,
    .notice = notice};
