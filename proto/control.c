#include "proto/control.h"

#include <string.h>

#include "proto/text.h"

static const struct trp_verb verbs[] = {
    {"status", TRP_NEED_NONE, TRP_NEED_NONE, false, "the system, its actors and its feeds"},
    {"actors", TRP_NEED_NONE, TRP_NEED_NONE, false, "what each actor does and holds"},
    {"threads", TRP_NEED_NONE, TRP_NEED_NONE, false, "every thread of the process"},
    {"stop", TRP_NEED_NONE, TRP_NEED_NONE, true, "stop the system"},
    {"stop-actor", TRP_NEED_YES, TRP_NEED_NONE, true, "stop one actor"},
    {"restart", TRP_NEED_YES, TRP_NEED_NONE, true, "restart one actor"},
    {"connect", TRP_NEED_YES, TRP_NEED_NONE, true, "connect a feed"},
    {"disconnect", TRP_NEED_YES, TRP_NEED_NONE, true, "disconnect a feed"},
    {"subscribe", TRP_NEED_YES, TRP_NEED_YES, true, "subscribe a feed to a symbol"},
    {"unsubscribe", TRP_NEED_YES, TRP_NEED_YES, true, "take a feed's subscription back"},
    {"send", TRP_NEED_YES, TRP_NEED_YES, true, "send an actor a text"},
    {"log", TRP_NEED_NONE, TRP_NEED_YES, true, "set the log level"},
    {"watch", TRP_NEED_NONE, TRP_NEED_NONE, false, "the events after a cursor"},
    {"fault", TRP_NEED_YES, TRP_NEED_YES, true, "have an actor act out a fault, where allowed"},
};

const struct trp_verb *trp_verb_find(const char *verb) {
  for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
    if (strcmp(verbs[i].verb, verb) == 0) return &verbs[i];
  }
  return NULL;
}

const struct trp_verb *trp_verb_list(size_t *count) {
  *count = sizeof verbs / sizeof verbs[0];
  return verbs;
}

static bool meets(enum trp_need need, const char *text) {
  if (need == TRP_NEED_MAYBE) return true;
  return (need == TRP_NEED_YES) == (text[0] != '\0');
}

static bool is_sensible(const struct trp_request *request) {
  const struct trp_verb *verb = trp_verb_find(request->verb);
  bool watches = strcmp(request->verb, "watch") == 0;
  return verb != NULL && request->id != 0 && meets(verb->name, request->name) &&
         meets(verb->argument, request->argument) && (watches || request->after == 0) &&
         request->wait_ms <= TRP_REQUEST_WAIT_MAX_MS;
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool array_is_text(const char *text, size_t size) {
  const char *end = memchr(text, '\0', size);
  return end != NULL && trp_text_valid(text, (size_t)(end - text));
}

enum trp_err trp_request_encode(const struct trp_request *request, void *out, size_t *out_bytes) {
  size_t room = *out_bytes;
  bool has_name = request->name[0] != '\0';
  bool has_argument = request->argument[0] != '\0';
  *out_bytes = 0;
  if (!array_is_text(request->verb, sizeof request->verb) ||
      !array_is_text(request->name, sizeof request->name) ||
      !array_is_text(request->argument, sizeof request->argument) || !is_sensible(request)) {
    return TRP_INVALID;
  }
  struct trp_pack pack;
  trp_pack_init_fixed(&pack, out, room);
  trp_pack_map(&pack,
               3u + has_name + has_argument + (request->after != 0) + (request->wait_ms != 0));
  trp_pack_member_u64(&pack, "v", TRP_PROTOCOL_VERSION);
  trp_pack_member_u64(&pack, "id", request->id);
  trp_pack_member_text(&pack, "verb", request->verb);
  if (has_name) trp_pack_member_text(&pack, "name", request->name);
  if (has_argument) trp_pack_member_text(&pack, "argument", request->argument);
  if (request->after != 0) trp_pack_member_u64(&pack, "after", request->after);
  if (request->wait_ms != 0) trp_pack_member_u64(&pack, "wait_ms", request->wait_ms);
  enum trp_err err = trp_pack_done(&pack);
  if (err == TRP_OK) *out_bytes = pack.bytes;
  return err;
}

static bool take_u64(const struct trp_value *value, uint64_t max, uint64_t *out) {
  if (value->kind != TRP_VALUE_UNSIGNED || value->as.u64 > max) return false;
  *out = value->as.u64;
  return true;
}

static bool take_u32(const struct trp_value *value, uint32_t *out) {
  uint64_t wide;
  if (!take_u64(value, UINT32_MAX, &wide)) return false;
  *out = (uint32_t)wide;
  return true;
}

/* The keys of request and answer, in the order in which they are written. */
static const char *const request_keys[] = {"v",        "id",    "verb",   "name",
                                           "argument", "after", "wait_ms"};
static const char *const answer_keys[] = {"v", "id", "status", "text", "body"};
#define REQUEST_KEYS (sizeof request_keys / sizeof request_keys[0])
#define ANSWER_KEYS (sizeof answer_keys / sizeof answer_keys[0])

static size_t key_index(const struct trp_value *key, const char *const *keys, size_t count) {
  size_t i = 0;
  while (i < count && !trp_value_is_text(key, keys[i])) i++;
  return i;
}

static bool take_request_member(size_t key, const struct trp_value *value,
                                struct trp_request *request) {
  switch (key) {
    case 0:
      return true; /* v, looked at before */
    case 1:
      return take_u64(value, UINT64_MAX, &request->id);
    case 2:
      return trp_value_text(value, request->verb, sizeof request->verb);
    case 3:
      return trp_value_text(value, request->name, sizeof request->name);
    case 4:
      return trp_value_text(value, request->argument, sizeof request->argument);
    case 5:
      return take_u64(value, UINT64_MAX, &request->after);
    case 6:
      return take_u32(value, &request->wait_ms);
    default:
      return false;
  }
}

static bool take_answer_member(size_t key, const struct trp_value *value,
                               struct trp_answer *answer) {
  switch (key) {
    case 0:
      return true;
    case 1:
      return take_u64(value, UINT64_MAX, &answer->id);
    case 2:
      return take_u32(value, &answer->status);
    case 3:
      return trp_value_text(value, answer->text, sizeof answer->text);
    case 4:
      answer->body = *value;
      return true;
    default:
      return false;
  }
}

/* The one map that the input is, of this version. */
static enum trp_err open_map(const void *in, size_t in_bytes, size_t max, struct trp_value *map) {
  struct trp_value version;
  size_t used;
  if (in_bytes > max) return TRP_TOO_BIG;
  enum trp_err err = trp_value_open(in, in_bytes, &used, map);
  if (err != TRP_OK) return err;
  if (used != in_bytes || !trp_value_find(map, "v", &version)) return TRP_MALFORMED;
  if (version.kind != TRP_VALUE_UNSIGNED) return TRP_MALFORMED;
  return version.as.u64 == TRP_PROTOCOL_VERSION ? TRP_OK : TRP_BAD_VERSION;
}

enum trp_err trp_request_decode(const void *in, size_t in_bytes, struct trp_request *request) {
  struct trp_value map;
  struct trp_value key;
  struct trp_value value;
  struct trp_walk walk;
  unsigned seen = 0;
  memset(request, 0, sizeof *request);
  enum trp_err err = open_map(in, in_bytes, TRP_REQUEST_BYTES_MAX, &map);
  if (err != TRP_OK) return err;
  request->id = trp_value_find_u64(&map, "id", 0);
  trp_walk_init(&walk, &map);
  while (trp_walk_pair(&walk, &key, &value)) {
    size_t i = key_index(&key, request_keys, REQUEST_KEYS);
    if ((seen & 1u << i) != 0) return TRP_MALFORMED; /* two of a key: which one is meant? */
    seen |= 1u << i;
    if (!take_request_member(i, &value, request)) return TRP_MALFORMED;
  }
  return is_sensible(request) ? TRP_OK : TRP_INVALID;
}

/* ---- answers -------------------------------------------------------------------------------- */

void trp_answer_begin(struct trp_pack *pack, uint64_t id, enum trp_err status, const char *text) {
  char words[TRP_ANSWER_TEXT_MAX + 1];
  trp_text_copy(words, sizeof words, text);
  trp_pack_map(pack, ANSWER_KEYS);
  trp_pack_member_u64(pack, "v", TRP_PROTOCOL_VERSION);
  trp_pack_member_u64(pack, "id", id);
  trp_pack_member_u64(pack, "status", (uint32_t)status);
  trp_pack_member_text(pack, "text", words);
  trp_pack_text(pack, "body");
}

enum trp_err trp_answer_plain(struct trp_pack *pack, uint64_t id, enum trp_err status,
                              const char *text) {
  trp_pack_reset(pack);
  trp_answer_begin(pack, id, status, text);
  trp_pack_nil(pack);
  return trp_pack_done(pack);
}

enum trp_err trp_answer_decode(const void *in, size_t in_bytes, struct trp_answer *answer) {
  struct trp_value map;
  struct trp_value key;
  struct trp_value value;
  struct trp_walk walk;
  unsigned seen = 0;
  memset(answer, 0, sizeof *answer);
  enum trp_err err = open_map(in, in_bytes, TRP_ANSWER_BYTES_MAX, &map);
  if (err != TRP_OK) return err;
  trp_walk_init(&walk, &map);
  while (trp_walk_pair(&walk, &key, &value)) {
    size_t i = key_index(&key, answer_keys, ANSWER_KEYS);
    if ((seen & 1u << i) != 0) return TRP_MALFORMED;
    seen |= 1u << i;
    if (!take_answer_member(i, &value, answer)) return TRP_MALFORMED;
  }
  return seen == (1u << ANSWER_KEYS) - 1 ? TRP_OK : TRP_MALFORMED;
}
