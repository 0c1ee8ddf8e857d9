/* Connections and requests. */
#include "adapters/exchange_mexc.h"

#include <string.h>
#include <strings.h>

#include "adapters/exchange_request.h"

#define BLOCKED "Blocked!"
#define TOO_MANY "Exceeded the maximum of 30 subscriptions!"

static enum trp_err open_session(struct trp_exchange_session *session,
                                 const struct trp_exchange_market *market, const char *path,
                                 uint64_t now_ns) {
  (void)market;
  (void)now_ns;
  *session = (struct trp_exchange_session){0};
  return strcspn(path, "?") == 3 && memcmp(path, "/ws", 3) == 0 ? TRP_OK : TRP_INVALID;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static const char *id_of(const struct trp_exchange_request *request) {
  return request->id[0] != '\0' && !request->bad_id ? request->id : "0";
}

static void begin(struct trp_exchange_answers *answers,
                  const struct trp_exchange_request *request) {
  trp_exchange_text_add(&answers->text, "{\"id\":%s,\"code\":0,\"msg\":\"", id_of(request));
}

static void end(struct trp_exchange_answers *answers) {
  trp_exchange_text_add(&answers->text, "\"}");
  trp_exchange_answers_end(answers);
}

static void say(struct trp_exchange_answers *answers, const struct trp_exchange_request *request,
                const char *words) {
  begin(answers, request);
  trp_exchange_text_add(&answers->text, "%s", words);
  end(answers);
}

/* A name of the client's that goes back into JSON. */
static void echo(struct trp_exchange_text *out, const char *name) {
  for (const char *c = name; *c != '\0'; c++) {
    bool safe = (unsigned char)*c >= ' ' && *c != '"' && *c != '\\';
    trp_exchange_text_raw(out, safe ? c : "?", 1);
  }
}

/* ---- subscriptions ----------------------------------------------------------------------------
 */

enum outcome { DONE, REFUSED_BLOCKED, REFUSED_FULL, OUTCOMES };

/* The names of one outcome, with commas between. */
static uint32_t names_of(const struct trp_exchange_request *request, const uint8_t *outcomes,
                         enum outcome which, struct trp_exchange_text *out) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < request->count; i++) {
    if (outcomes[i] == which) {
      trp_exchange_text_raw(out, ",", count++ > 0);
      echo(out, request->params[i].text);
    }
  }
  return count;
}

static bool any_of(const struct trp_exchange_request *request, const uint8_t *outcomes,
                   enum outcome which) {
  return request->count > 0 && memchr(outcomes, (int)which, request->count) != NULL;
}

/* What was done is acknowledged, what was not is refused in messages of their own. */
static void report(struct trp_exchange_answers *answers, const struct trp_exchange_request *request,
                   const uint8_t *outcomes) {
  static const char *const reasons[OUTCOMES] = {
      [REFUSED_BLOCKED] = BLOCKED, [REFUSED_FULL] = TOO_MANY};
  for (int which = 0; which < OUTCOMES; which++) {
    if (!any_of(request, outcomes, (enum outcome)which)) {
      continue;
    }
    begin(answers, request);
    trp_exchange_text_add(&answers->text, which == DONE ? "" : "Not Subscribed successfully! [");
    (void)names_of(request, outcomes, (enum outcome)which, &answers->text);
    if (which != DONE) { /* the colon is a full-width one, as on the exchange */
      trp_exchange_text_add(&answers->text, "].  Reason\xef\xbc\x9a %s ", reasons[which]);
    }
    end(answers);
  }
}

static enum outcome subscribe_one(struct trp_exchange_session *session,
                                  const struct trp_exchange_market *market, const char *name,
                                  uint64_t now_ns) {
  enum trp_err err = TRP_OK;
  uint32_t channel = TRP_REPLAY_NONE;
  uint32_t stream = TRP_REPLAY_NONE;
  if (trp_exchange_subs_find(session, name) != NULL) {
    return DONE;
  }
  if (market->walk != NULL) {
    channel = trp_exchange_mexc_channel_find(market->walk, name);
  } else {
    stream = trp_replay_find(market->replay, name);
  }
  if (channel == TRP_REPLAY_NONE && stream == TRP_REPLAY_NONE) {
    return REFUSED_BLOCKED;
  }
  (void)trp_exchange_subs_add(session, name, channel, stream, now_ns, TRP_EXCHANGE_MEXC_STREAMS_MAX,
                              &err);
  return err == TRP_OK ? DONE : REFUSED_FULL;
}

static void subscribe(struct trp_exchange_session *session,
                      const struct trp_exchange_market *market,
                      const struct trp_exchange_request *request, uint64_t now_ns, bool on,
                      struct trp_exchange_answers *answers) {
  uint8_t outcomes[TRP_EXCHANGE_STREAMS_MAX + 1];
  if (request->count == 0 || request->count > sizeof outcomes || request->bad_params) {
    say(answers, request, "Invalid params");
    return;
  }
  for (uint32_t i = 0; i < request->count; i++) {
    const char *name = request->params[i].text; /* "" where it is no text */
    outcomes[i] = DONE;
    if (on) {
      outcomes[i] = (uint8_t)subscribe_one(session, market, name, now_ns);
    } else {
      (void)trp_exchange_subs_remove(session, name);
    }
  }
  report(answers, request, outcomes);
}

/* Methods are taken in either case: clients in use write ping. */
static void hear(struct trp_exchange_session *session, const struct trp_exchange_market *market,
                 const void *bytes, size_t size, uint64_t now_ns,
                 struct trp_exchange_answers *answers) {
  struct trp_exchange_request request;
  enum trp_err err = trp_exchange_request_read(&request, bytes, size);
  if (err != TRP_OK) {
    say(answers, &request, "Invalid request");
  } else if (strcasecmp(request.method, "PING") == 0) {
    say(answers, &request, "PONG");
  } else if (strcasecmp(request.method, "SUBSCRIPTION") == 0) {
    subscribe(session, market, &request, now_ns, true, answers);
  } else if (strcasecmp(request.method, "UNSUBSCRIPTION") == 0) {
    subscribe(session, market, &request, now_ns, false, answers);
  } else {
    say(answers, &request, "Invalid method");
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

const struct trp_exchange_dialect trp_exchange_mexc = {
    .name = "mexc",
    .ws_path = "/ws",
    .rest_path = "/api/v3",
    .content_type = "application/json",
    .binary = true,
    .legal = "_",
    .limits = {.streams_max = TRP_EXCHANGE_MEXC_STREAMS_MAX,
               .messages_per_s = 100,
               .idle_ms = 30000,
               .quiet_ms = 60000,
               .lifetime_ms = 86400000},
    .open = open_session,
    .hear = hear,
    .channel = trp_exchange_mexc_channel,
    .form = form,
    .tell = trp_exchange_mexc_tell,
    .grammar = &trp_replay_mexc,
    .rest = trp_exchange_mexc_rest,
    .refuse = trp_exchange_mexc_refuse};
