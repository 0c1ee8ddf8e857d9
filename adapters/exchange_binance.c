/* Connections and requests.
 *
 * A request is {"method":..,"params":[..],"id":..}; its texts go into fields of fixed size, and
 * what does not fit makes it bad. The error texts are those of the documentation. Some of its
 * shapes carry the id and some do not; here every answer to a request that could be read has one.
 * Positions are those of the end: nobody but a person looks at them. */
#include "adapters/exchange_binance.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/json_lejp.h"

enum { ID_MAX = 36 };

enum param_kind { PARAM_TEXT, PARAM_TRUE, PARAM_FALSE, PARAM_OTHER };

struct param {
  enum param_kind kind;
  char text[TRP_EXCHANGE_NAME_MAX + 1];
};

struct request {
  char method[32];
  bool has_method;
  char id[ID_MAX + 3]; /* as it goes into the reply, quotes included; "" for none */
  bool bad_id;
  bool bad_params;
  struct param *params;
  uint32_t count, capacity;
  size_t size; /* of the whole text */
};

/* ---- names ------------------------------------------------------------------------------- */

/* Letters of whatever language (symbols are not only ASCII), but nothing that JSON would escape. */
static bool name_char(char c) {
  return (unsigned char)c > ' ' && c != '"' && c != '\\' && c != '/' && c != 0x7f;
}

static bool plain_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && strchr("_.-", c) != NULL);
}

static bool valid_name(const char *name) {
  size_t size = 0;
  while (name_char(name[size])) {
    size++;
  }
  return size > 0 && size <= TRP_EXCHANGE_NAME_MAX && name[size] == '\0';
}

/* ---- subscriptions ------------------------------------------------------------------------ */

static void mark(struct trp_exchange_session *session, uint32_t channel, bool on) {
  if (channel == TRP_REPLAY_NONE) {
    return;
  }
  uint64_t bit = UINT64_C(1) << (channel % 64);
  if (on) {
    session->bits[channel / 64] |= bit;
  } else {
    session->bits[channel / 64] &= ~bit;
  }
}

static struct trp_exchange_sub *find(struct trp_exchange_session *session, const char *name) {
  for (uint32_t i = 0; i < session->count; i++) {
    if (strcmp(session->subs[i].name, name) == 0) {
      return &session->subs[i];
    }
  }
  return NULL;
}

/* Room for one more. */
static enum trp_err grow(struct trp_exchange_session *session) {
  if (session->count == TRP_EXCHANGE_STREAMS_MAX) {
    return TRP_LIMIT;
  }
  if (session->count < session->capacity) {
    return TRP_OK;
  }
  uint32_t capacity = session->capacity != 0 ? session->capacity * 2 : 8;
  struct trp_exchange_sub *subs = realloc(session->subs, capacity * sizeof *subs);
  if (subs == NULL) {
    return TRP_NO_MEMORY;
  }
  session->subs = subs;
  session->capacity = capacity;
  return TRP_OK;
}

/* A second subscription to the same stream changes nothing. */
static enum trp_err subscribe(struct trp_exchange_session *session,
                              const struct trp_exchange_market *market, const char *name,
                              uint64_t now_ns) {
  if (find(session, name) != NULL) {
    return TRP_OK;
  }
  enum trp_err err = grow(session);
  if (err != TRP_OK) {
    return err;
  }
  struct trp_exchange_sub *sub = &session->subs[session->count++];
  *sub = (struct trp_exchange_sub){.channel = TRP_REPLAY_NONE};
  memcpy(sub->name, name, strlen(name) + 1);
  uint32_t stream = TRP_REPLAY_NONE;
  if (market->replay != NULL) {
    stream = trp_replay_find(market->replay, name);
  } else {
    sub->channel = trp_exchange_binance_channel_find(market->walk, name);
    mark(session, sub->channel, true);
  }
  sub->cursor = trp_replay_start(stream, now_ns);
  return TRP_OK;
}

static void unsubscribe(struct trp_exchange_session *session, const char *name) {
  struct trp_exchange_sub *sub = find(session, name);
  if (sub == NULL) {
    return;
  }
  mark(session, sub->channel, false);
  session->count--;
  memmove(sub, sub + 1, (size_t)(session->subs + session->count - sub) * sizeof *sub);
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
      bool good = trp_exchange_unescape(list, size, name, sizeof name) && valid_name(name);
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
    trp_exchange_binance_close(session);
  }
  return err;
}

void trp_exchange_binance_close(struct trp_exchange_session *session) {
  free(session->subs);
  *session = (struct trp_exchange_session){0};
}

/* ---- reading a request ------------------------------------------------------------------------
 */

static struct param *add_param(struct request *request, enum param_kind kind) {
  if (request->count == request->capacity) {
    uint32_t capacity = request->capacity != 0 ? request->capacity * 2 : 8;
    struct param *params = request->count <= TRP_EXCHANGE_STREAMS_MAX
                               ? realloc(request->params, capacity * sizeof *params)
                               : NULL;
    if (params == NULL) {
      request->bad_params = true;
      return NULL;
    }
    request->params = params;
    request->capacity = capacity;
  }
  struct param *param = &request->params[request->count++];
  *param = (struct param){.kind = kind};
  return param;
}

/* A 64-bit number, a plain text of up to 36 bytes, or null. */
static void take_id(struct request *request, const struct trp_json_value *value) {
  bool plain = value->size > 0;
  for (size_t i = 0; i < value->size; i++) {
    plain = plain && plain_char(value->text[i]);
  }
  request->id[0] = '\0';
  request->bad_id = false;
  if (value->kind == TRP_JSON_TEXT && plain && value->size <= ID_MAX) {
    request->id[0] = '"';
    memcpy(request->id + 1, value->text, value->size);
    memcpy(request->id + 1 + value->size, "\"", 2);
  } else if (value->kind == TRP_JSON_NUMBER && value->size <= 20 &&
             strspn(value->text, "-0123456789") == value->size) {
    memcpy(request->id, value->text, value->size + 1);
  } else if (value->kind != TRP_JSON_NULL) {
    request->bad_id = true;
  }
}

static void take_method(struct request *request, const struct trp_json_value *value) {
  size_t size = value->size < sizeof request->method ? value->size : sizeof request->method - 1;
  request->has_method = true;
  memcpy(request->method, value->text, size);
  request->method[size] = '\0';
}

static void take_param(struct request *request, const struct trp_json_value *value) {
  enum param_kind kind = value->kind == TRP_JSON_TEXT    ? PARAM_TEXT
                         : value->kind == TRP_JSON_TRUE  ? PARAM_TRUE
                         : value->kind == TRP_JSON_FALSE ? PARAM_FALSE
                                                         : PARAM_OTHER;
  struct param *param = add_param(request, kind);
  if (param == NULL || kind != PARAM_TEXT) {
    return;
  }
  if (value->size > TRP_EXCHANGE_NAME_MAX) {
    param->kind = PARAM_OTHER; /* no name is so long */
    return;
  }
  memcpy(param->text, value->text, value->size + 1);
}

static bool on_value(void *arg, const struct trp_json_value *value) {
  struct request *request = arg;
  bool scalar = value->kind <= TRP_JSON_TEXT;
  if (value->kind == TRP_JSON_OBJECT_END) {
    return true;
  }
  if (strcmp(value->path, "method") == 0 && value->kind == TRP_JSON_TEXT) {
    take_method(request, value);
  } else if (strcmp(value->path, "id") == 0) {
    take_id(request, value);
  } else if (strcmp(value->path, "params[]") == 0 && scalar) {
    take_param(request, value);
  } else if (strncmp(value->path, "params", 6) == 0 && strcmp(value->path, "params[]") != 0) {
    request->bad_params = true;
  }
  return true;
}

/* ---- answering ---------------------------------------------------------------------------------
 */

static const char *id_of(const struct request *request) {
  return request->id[0] != '\0' && !request->bad_id ? request->id : "null";
}

static void refuse(struct trp_exchange_text *reply, const struct request *request, int code,
                   const char *what) {
  trp_exchange_text_add(reply, "{\"code\":%d,\"msg\":\"%s\",\"id\":%s}", code, what,
                        id_of(request));
}

static void accept_request(struct trp_exchange_text *reply, const struct request *request) {
  trp_exchange_text_add(reply, "{\"result\":null,\"id\":%s}", id_of(request));
}

static bool all_names(const struct request *request) {
  for (uint32_t i = 0; i < request->count; i++) {
    if (request->params[i].kind != PARAM_TEXT || !valid_name(request->params[i].text)) {
      return false;
    }
  }
  return request->count > 0;
}

static void do_subscribe(struct trp_exchange_session *session,
                         const struct trp_exchange_market *market, const struct request *request,
                         uint64_t now_ns, struct trp_exchange_text *reply) {
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
  while (session->count > before) { /* all or nothing */
    mark(session, session->subs[--session->count].channel, false);
  }
  refuse(reply, request, 2, "Invalid request: too many parameters");
}

static void do_unsubscribe(struct trp_exchange_session *session, const struct request *request,
                           struct trp_exchange_text *reply) {
  if (!all_names(request)) {
    refuse(reply, request, 2, "Invalid request: invalid stream");
    return;
  }
  for (uint32_t i = 0; i < request->count; i++) {
    unsubscribe(session, request->params[i].text);
  }
  accept_request(reply, request);
}

static void do_list(const struct trp_exchange_session *session, const struct request *request,
                    struct trp_exchange_text *reply) {
  trp_exchange_text_add(reply, "{\"result\":[");
  for (uint32_t i = 0; i < session->count; i++) {
    trp_exchange_text_add(reply, "%s\"%s\"", i > 0 ? "," : "", session->subs[i].name);
  }
  trp_exchange_text_add(reply, "],\"id\":%s}", id_of(request));
}

static void do_property(struct trp_exchange_session *session, const struct request *request,
                        bool set, struct trp_exchange_text *reply) {
  const struct param *params = request->params;
  uint32_t count = set ? 2 : 1;
  if (request->count > count) {
    refuse(reply, request, 2, "Invalid request: too many parameters");
  } else if (request->count == 0 || params[0].kind != PARAM_TEXT) {
    refuse(reply, request, 2, "Invalid request: property name must be a string");
  } else if (strcmp(params[0].text, "combined") != 0) {
    refuse(reply, request, 0, "Unknown property");
  } else if (!set) {
    trp_exchange_text_add(reply, "{\"result\":%s,\"id\":%s}", session->combined ? "true" : "false",
                          id_of(request));
  } else if (request->count < 2 || params[1].kind == PARAM_TEXT || params[1].kind == PARAM_OTHER) {
    refuse(reply, request, 1, "Invalid value type: expected Boolean");
  } else {
    session->combined = params[1].kind == PARAM_TRUE;
    accept_request(reply, request);
  }
}

/* The method's name goes back into JSON: nothing but plain letters may. */
static void refuse_method(struct trp_exchange_text *reply, struct request *request) {
  for (char *c = request->method; *c != '\0'; c++) {
    *c = plain_char(*c) ? *c : '?';
  }
  trp_exchange_text_add(reply,
                        "{\"code\":2,\"msg\":\"Invalid request: unknown variant `%s`, expected one "
                        "of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, "
                        "`GET_PROPERTY` at line 1 column %zu\",\"id\":%s}",
                        request->method, request->size, id_of(request));
}

static void answer(struct trp_exchange_session *session, const struct trp_exchange_market *market,
                   struct request *request, uint64_t now_ns, struct trp_exchange_text *reply) {
  const char *method = request->method;
  if (request->bad_id) {
    refuse(reply, request, 2, "Invalid request: request ID must be an unsigned integer");
  } else if (!request->has_method) {
    trp_exchange_text_add(reply,
                          "{\"code\":2,\"msg\":\"Invalid request: missing field `method` at line "
                          "1 column %zu\",\"id\":%s}",
                          request->size, id_of(request));
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
  struct request request = {.size = size};
  const char *reason;
  enum trp_err err = trp_json_walk(bytes, size, on_value, &request, &reason);
  if (err == TRP_OK) {
    answer(session, market, &request, now_ns, reply);
  } else {
    trp_exchange_text_add(reply, "{\"code\":3,\"msg\":\"Invalid JSON: %s at line 1 column %zu\"}",
                          err == TRP_TRUNCATED ? "EOF while parsing a value" : "expected value",
                          err == TRP_TRUNCATED ? size : (size_t)1);
  }
  free(request.params);
}
