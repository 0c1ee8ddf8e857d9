/* Connections and requests.
 *
 * A request is {"method":..,"params":[..],"id":..}; its texts go into fields of fixed size, and
 * what does not fit makes it bad. The error texts are those of the documentation. Some of its
 * shapes carry the id and some do not; here every answer to a request that could be read has one.
 * Positions are those of the end: nobody but a person looks at them. */
#include "adapters/exchange_binance.h"

#include <inttypes.h>
#include <string.h>

#include "adapters/exchange_request.h"

/* ---- subscriptions ------------------------------------------------------------------------ */

/* A second subscription to the same stream changes nothing. */
static enum trp_err subscribe(struct trp_exchange_session *session,
                              const struct trp_exchange_market *market, const char *name,
                              uint64_t now_ns) {
  enum trp_err err = TRP_OK;
  uint32_t stream = TRP_REPLAY_NONE;
  uint32_t channel = TRP_REPLAY_NONE;
  if (trp_exchange_subs_find(session, name) != NULL) {
    return TRP_OK;
  }
  if (market->replay != NULL) {
    stream = trp_replay_find(market->replay, name);
  } else {
    channel = trp_exchange_binance_channel_find(market->walk, name);
  }
  (void)trp_exchange_subs_add(session, name, channel, stream, now_ns, TRP_EXCHANGE_STREAMS_MAX,
                              &err);
  return err;
}

/* ---- connecting ----------------------------------------------------------------------------- */

/* "a/b/c" up to `end`. */
static enum trp_err subscribe_list(struct trp_exchange_session *session,
                                   const struct trp_exchange_market *market, const char *list,
                                   const char *end, uint64_t now_ns) {
  enum trp_err err = TRP_OK;
  while (err == TRP_OK && list < end) {
    const char *slash = memchr(list, '/', (size_t)(end - list));
    size_t size = (size_t)((slash != NULL ? slash : end) - list);
    char name[TRP_EXCHANGE_NAME_MAX + 1];
    if (size > 0) {
      bool good =
          trp_exchange_unescape(list, size, name, sizeof name) && trp_exchange_name_valid(name);
      err = good ? subscribe(session, market, name, now_ns) : TRP_INVALID;
    }
    list += size + 1;
  }
  return err;
}

/* What follows `prefix` as whole parts of the path; NULL where it is another path. */
static const char *after(const char *path, size_t size, const char *prefix) {
  size_t n = strlen(prefix);
  if (size < n || memcmp(path, prefix, n) != 0 || (size > n && path[n] != '/')) {
    return NULL;
  }
  return path + n;
}

static enum trp_err open_path(struct trp_exchange_session *session,
                              const struct trp_exchange_market *market, const char *path,
                              uint64_t now_ns) {
  size_t size = strcspn(path, "?");
  const char *end = path + size;
  const char *list = after(path, size, "/stream/ws");
  if (list == NULL) {
    list = after(path, size, "/ws");
  }
  if (list != NULL) {
    return subscribe_list(session, market, list, end, now_ns);
  }
  list = after(path, size, "/stream");
  if (list == NULL || end - list > 1) {
    return TRP_INVALID;
  }
  session->combined = true;
  while (*end != '\0') {
    const char *parameter = end + 1;
    end = parameter + strcspn(parameter, "&");
    if (strncmp(parameter, "streams=", 8) == 0) {
      return subscribe_list(session, market, parameter + 8, end, now_ns);
    }
  }
  return TRP_OK;
}

enum trp_err trp_exchange_binance_open(struct trp_exchange_session *session,
                                       const struct trp_exchange_market *market, const char *path,
                                       uint64_t now_ns) {
  *session = (struct trp_exchange_session){0};
  enum trp_err err = open_path(session, market, path, now_ns);
  if (err != TRP_OK) {
    trp_exchange_subs_fini(session);
  }
  return err;
}

/* ---- answering ---------------------------------------------------------------------------------
 */

static void refuse(struct trp_exchange_text *reply, const struct trp_exchange_request *request,
                   int code, const char *what) {
  trp_exchange_text_add(reply, "{\"code\":%d,\"msg\":\"%s\",\"id\":%s}", code, what,
                        trp_exchange_request_id(request));
}

static void accept_request(struct trp_exchange_text *reply,
                           const struct trp_exchange_request *request) {
  trp_exchange_text_add(reply, "{\"result\":null,\"id\":%s}", trp_exchange_request_id(request));
}

static bool all_names(const struct trp_exchange_request *request) {
  for (uint32_t i = 0; i < request->count; i++) {
    if (request->params[i].kind != TRP_EXCHANGE_PARAM_TEXT ||
        !trp_exchange_name_valid(request->params[i].text)) {
      return false;
    }
  }
  return request->count > 0;
}

static void do_subscribe(struct trp_exchange_session *session,
                         const struct trp_exchange_market *market,
                         const struct trp_exchange_request *request, uint64_t now_ns,
                         struct trp_exchange_text *reply) {
  if (!all_names(request)) {
    refuse(reply, request, 2, "Invalid request: invalid stream");
    return;
  }
  uint32_t before = session->count;
  enum trp_err err = TRP_OK;
  for (uint32_t i = 0; i < request->count && err == TRP_OK; i++) {
    err = subscribe(session, market, request->params[i].text, now_ns);
  }
  if (err == TRP_OK) {
    accept_request(reply, request);
    return;
  }
  trp_exchange_subs_cut(session, before); /* all or nothing */
  refuse(reply, request, 2, "Invalid request: too many parameters");
}

static void do_unsubscribe(struct trp_exchange_session *session,
                           const struct trp_exchange_request *request,
                           struct trp_exchange_text *reply) {
  if (!all_names(request)) {
    refuse(reply, request, 2, "Invalid request: invalid stream");
    return;
  }
  for (uint32_t i = 0; i < request->count; i++) {
    (void)trp_exchange_subs_remove(session, request->params[i].text);
  }
  accept_request(reply, request);
}

static void do_list(const struct trp_exchange_session *session,
                    const struct trp_exchange_request *request, struct trp_exchange_text *reply) {
  trp_exchange_text_add(reply, "{\"result\":[");
  for (uint32_t i = 0; i < session->count; i++) {
    trp_exchange_text_add(reply, "%s\"%s\"", i > 0 ? "," : "", session->subs[i].name);
  }
  trp_exchange_text_add(reply, "],\"id\":%s}", trp_exchange_request_id(request));
}

static void do_property(struct trp_exchange_session *session,
                        const struct trp_exchange_request *request, bool set,
                        struct trp_exchange_text *reply) {
  const struct trp_exchange_param *params = request->params;
  uint32_t count = set ? 2 : 1;
  if (request->count > count) {
    refuse(reply, request, 2, "Invalid request: too many parameters");
  } else if (request->count == 0 || params[0].kind != TRP_EXCHANGE_PARAM_TEXT) {
    refuse(reply, request, 2, "Invalid request: property name must be a string");
  } else if (strcmp(params[0].text, "combined") != 0) {
    refuse(reply, request, 0, "Unknown property");
  } else if (!set) {
    trp_exchange_text_add(reply, "{\"result\":%s,\"id\":%s}", session->combined ? "true" : "false",
                          trp_exchange_request_id(request));
  } else if (request->count < 2 || params[1].kind == TRP_EXCHANGE_PARAM_TEXT ||
             params[1].kind == TRP_EXCHANGE_PARAM_OTHER) {
    refuse(reply, request, 1, "Invalid value type: expected Boolean");
  } else {
    session->combined = params[1].kind == TRP_EXCHANGE_PARAM_TRUE;
    accept_request(reply, request);
  }
}

/* The method's name goes back into JSON: nothing but plain letters may. */
static void refuse_method(struct trp_exchange_text *reply, struct trp_exchange_request *request) {
  for (char *c = request->method; *c != '\0'; c++) {
    *c = trp_exchange_plain(*c) ? *c : '?';
  }
  trp_exchange_text_add(reply,
                        "{\"code\":2,\"msg\":\"Invalid request: unknown variant `%s`, expected one "
                        "of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, "
                        "`GET_PROPERTY` at line 1 column %zu\",\"id\":%s}",
                        request->method, request->size, trp_exchange_request_id(request));
}

static void answer(struct trp_exchange_session *session, const struct trp_exchange_market *market,
                   struct trp_exchange_request *request, uint64_t now_ns,
                   struct trp_exchange_text *reply) {
  const char *method = request->method;
  if (request->bad_id) {
    refuse(reply, request, 2, "Invalid request: request ID must be an unsigned integer");
  } else if (!request->has_method) {
    trp_exchange_text_add(reply,
                          "{\"code\":2,\"msg\":\"Invalid request: missing field `method` at line "
                          "1 column %zu\",\"id\":%s}",
                          request->size, trp_exchange_request_id(request));
  } else if (request->bad_params) {
    refuse(reply, request, 2, "Invalid request: too many parameters");
  } else if (strcmp(method, "SUBSCRIBE") == 0) {
    do_subscribe(session, market, request, now_ns, reply);
  } else if (strcmp(method, "UNSUBSCRIBE") == 0) {
    do_unsubscribe(session, request, reply);
  } else if (strcmp(method, "LIST_SUBSCRIPTIONS") == 0) {
    do_list(session, request, reply);
  } else if (strcmp(method, "SET_PROPERTY") == 0 || strcmp(method, "GET_PROPERTY") == 0) {
    do_property(session, request, method[0] == 'S', reply);
  } else {
    refuse_method(reply, request);
  }
}

void trp_exchange_binance_handle(struct trp_exchange_session *session,
                                 const struct trp_exchange_market *market, const void *bytes,
                                 size_t size, uint64_t now_ns, struct trp_exchange_text *reply) {
  struct trp_exchange_request request;
  enum trp_err err = trp_exchange_request_read(&request, bytes, size);
  if (err == TRP_OK) {
    answer(session, market, &request, now_ns, reply);
  } else {
    trp_exchange_text_add(reply, "{\"code\":3,\"msg\":\"Invalid JSON: %s at line 1 column %zu\"}",
                          err == TRP_TRUNCATED ? "EOF while parsing a value" : "expected value",
                          err == TRP_TRUNCATED ? size : (size_t)1);
  }
  trp_exchange_request_fini(&request);
}

/* ---- the dialect ------------------------------------------------------------------------------
 */

static void hear(struct trp_exchange_session *session, const struct trp_exchange_market *market,
                 const void *bytes, size_t size, uint64_t now_ns,
                 struct trp_exchange_answers *answers) {
  trp_exchange_binance_handle(session, market, bytes, size, now_ns, &answers->text);
  trp_exchange_answers_end(answers);
}

static uint64_t form(struct trp_exchange_session *session, uint32_t channel,
                     const struct trp_walk_event *event) {
  (void)channel;
  (void)event;
  return session->combined;
}

static void tell(const struct trp_exchange_market *market, uint32_t channel,
                 const struct trp_walk_event *event, uint64_t combined,
                 struct trp_exchange_text *out) {
  if (combined) {
    char name[TRP_EXCHANGE_NAME_MAX + 1];
    trp_exchange_binance_channel_name(market->walk, channel, name, sizeof name);
    trp_exchange_text_add(out, "{\"stream\":\"%s\",\"data\":", name);
  }
  trp_exchange_binance_payload(market, channel, event, out);
  trp_exchange_text_raw(out, "}", combined != 0);
}

static struct trp_exchange_span retell(const struct trp_exchange_session *session,
                                       const struct trp_exchange_sub *sub,
                                       const struct trp_replay_frame *frame,
                                       struct trp_exchange_text *out) {
  if (!session->combined) {
    return (struct trp_exchange_span){frame->data, frame->data_size};
  }
  if (frame->combined) {
    return (struct trp_exchange_span){frame->bytes, frame->size};
  }
  trp_exchange_text_clear(out);
  trp_exchange_binance_wrap(sub->name, frame->data, frame->data_size, out);
  return (struct trp_exchange_span){out->failed ? NULL : out->bytes, out->size};
}

static void notice(const struct trp_exchange_session *session, uint64_t wall_ns,
                   struct trp_exchange_text *out) {
  trp_exchange_text_add(out,
                        session->combined ? "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":"
                                            "\"serverShutdown\",\"E\":%" PRIu64 "}}"
                                          : "{\"e\":\"serverShutdown\",\"E\":%" PRIu64 "}",
                        wall_ns / 1000000);
}

const struct trp_exchange_dialect trp_exchange_binance = {
    .name = "binance",
    .ws_path = "/stream",
    .rest_path = "/api/v3",
    .content_type = "application/json;charset=UTF-8",
    .legal = "-_.",
    .limits = {.streams_max = TRP_EXCHANGE_STREAMS_MAX,
               .messages_per_s = 5,
               .attempts_max = 300,
               .attempts_s = 300,
               .ping_ms = 20000,
               .pong_ms = 60000,
               .lifetime_ms = 86400000},
    .open = trp_exchange_binance_open,
    .hear = hear,
    .channel = trp_exchange_binance_channel,
    .form = form,
    .tell = tell,
    .grammar = &trp_replay_binance,
    .retell = retell,
    .rest = trp_exchange_binance_rest,
    .refuse = trp_exchange_binance_refuse,
    .notice = notice};
