#include "adapters/exchange_request.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/json_lejp.h"

bool trp_exchange_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && strchr("_.-", c) != NULL);
}

static bool name_char(char c) {
  return (unsigned char)c > ' ' && c != '"' && c != '\\' && c != '/' && c != 0x7f;
}

bool trp_exchange_name_valid(const char *name) {
  size_t size = 0;
  while (name_char(name[size])) {
    size++;
  }
  return size > 0 && size <= TRP_EXCHANGE_NAME_MAX && name[size] == '\0';
}

static struct trp_exchange_param *add_param(struct trp_exchange_request *request,
                                            enum trp_exchange_param_kind kind) {
  if (request->count == request->capacity) {
    uint32_t capacity = request->capacity != 0 ? request->capacity * 2 : 8;
    struct trp_exchange_param *params = request->count <= TRP_EXCHANGE_STREAMS_MAX
                                            ? realloc(request->params, capacity * sizeof *params)
                                            : NULL;
    if (params == NULL) {
      request->bad_params = true;
      return NULL;
    }
    request->params = params;
    request->capacity = capacity;
  }
  struct trp_exchange_param *param = &request->params[request->count++];
  *param = (struct trp_exchange_param){.kind = kind};
  return param;
}

/* A 64-bit number, a plain text of up to 36 bytes, or null. */
static void take_id(struct trp_exchange_request *request, const struct trp_json_value *value) {
  bool plain = value->size > 0;
  for (size_t i = 0; i < value->size; i++) {
    plain = plain && trp_exchange_plain(value->text[i]);
  }
  request->id[0] = '\0';
  request->bad_id = false;
  if (value->kind == TRP_JSON_TEXT && plain && value->size <= TRP_EXCHANGE_ID_MAX) {
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

static void take_word(char *out, size_t room, const struct trp_json_value *value) {
  size_t size = value->size < room ? value->size : room - 1;
  memcpy(out, value->text, size);
  out[size] = '\0';
}

static void take_param(struct trp_exchange_request *request, const struct trp_json_value *value) {
  enum trp_exchange_param_kind kind = value->kind == TRP_JSON_TEXT    ? TRP_EXCHANGE_PARAM_TEXT
                                      : value->kind == TRP_JSON_TRUE  ? TRP_EXCHANGE_PARAM_TRUE
                                      : value->kind == TRP_JSON_FALSE ? TRP_EXCHANGE_PARAM_FALSE
                                                                      : TRP_EXCHANGE_PARAM_OTHER;
  struct trp_exchange_param *param = add_param(request, kind);
  if (param == NULL || kind != TRP_EXCHANGE_PARAM_TEXT) {
    return;
  }
  if (value->size > TRP_EXCHANGE_NAME_MAX) {
    param->kind = TRP_EXCHANGE_PARAM_OTHER; /* no name is so long */
    return;
  }
  memcpy(param->text, value->text, value->size + 1);
}

static bool is_list(const char *path) {
  return strcmp(path, "params[]") == 0 || strcmp(path, "payload[]") == 0;
}

/* Whether the path begins with one of the lists' names. */
static bool in_list(const char *path) {
  return strncmp(path, "params", 6) == 0 || strncmp(path, "payload", 7) == 0;
}

static bool on_value(void *arg, const struct trp_json_value *value) {
  struct trp_exchange_request *request = arg;
  bool text = value->kind == TRP_JSON_TEXT;
  if (value->kind == TRP_JSON_OBJECT_END) {
    return true;
  }
  if (strcmp(value->path, "method") == 0 && text) {
    request->has_method = true;
    take_word(request->method, sizeof request->method, value);
  } else if (strcmp(value->path, "channel") == 0 && text) {
    take_word(request->channel, sizeof request->channel, value);
  } else if (strcmp(value->path, "event") == 0 && text) {
    take_word(request->event, sizeof request->event, value);
  } else if (strcmp(value->path, "time") == 0 && value->kind == TRP_JSON_NUMBER) {
    request->has_time = true;
    request->time_s = strtoull(value->text, NULL, 10);
  } else if (strcmp(value->path, "id") == 0) {
    take_id(request, value);
  } else if (is_list(value->path) && value->kind <= TRP_JSON_TEXT) {
    take_param(request, value);
  } else if (in_list(value->path) && !is_list(value->path)) {
    request->bad_params = true;
  }
  return true;
}

enum trp_err trp_exchange_request_read(struct trp_exchange_request *request, const void *bytes,
                                       size_t size) {
  const char *reason;
  *request = (struct trp_exchange_request){.size = size};
  return trp_json_walk(bytes, size, on_value, request, &reason);
}

void trp_exchange_request_fini(struct trp_exchange_request *request) {
  free(request->params);
  request->params = NULL;
  request->count = request->capacity = 0;
}

const char *trp_exchange_request_id(const struct trp_exchange_request *request) {
  return request->id[0] != '\0' && !request->bad_id ? request->id : "null";
}
