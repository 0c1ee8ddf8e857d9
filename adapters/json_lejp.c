#include "adapters/json_lejp.h"

#include <string.h>

#include <libwebsockets.h>

struct walk {
  trp_json_visit_fn *visit;
  void *arg;
  struct trp_json_value value;
  char *text; /* of TRP_JSON_TEXT_MAX + 1 bytes */
  bool stopped;
};

/* ---- the look over the whole -------------------------------------------------------------- */

struct look {
  const char *at, *end;
  const char *reason;
  char open[TRP_JSON_DEPTH_MAX]; /* the brackets around us */
  uint32_t depth, arrays;
  char last; /* the last byte that was no whitespace */
};

static enum trp_err wrong(struct look *look, const char *reason, enum trp_err err) {
  look->reason = reason;
  return err;
}

/* The cursor stands behind an opening quote; leaves it at the closing one. */
static enum trp_err look_past_text(struct look *look) {
  for (; look->at != look->end; look->at++) {
    if ((unsigned char)*look->at < ' ')
      return wrong(look, "a control character in a text", TRP_MALFORMED);
    if (*look->at == '"') return TRP_OK;
    if (*look->at == '\\' && ++look->at == look->end) break;
    if (*look->at == '\0') return wrong(look, "an escaped NUL", TRP_MALFORMED);
  }
  return wrong(look, "ends within a text", TRP_TRUNCATED);
}

static enum trp_err look_opening(struct look *look, char bracket) {
  if (look->depth == TRP_JSON_DEPTH_MAX) return wrong(look, "nested too deeply", TRP_MALFORMED);
  if (bracket == '[' && ++look->arrays > TRP_JSON_ARRAYS_MAX)
    return wrong(look, "nested too deeply", TRP_MALFORMED);
  look->open[look->depth++] = bracket;
  return TRP_OK;
}

static enum trp_err look_closing(struct look *look, char bracket) {
  if (look->depth == 0 || look->open[look->depth - 1] != (bracket == ']' ? '[' : '{'))
    return wrong(look, "brackets do not match", TRP_MALFORMED);
  if (look->last == ',') return wrong(look, "a comma before a closing bracket", TRP_MALFORMED);
  look->depth--;
  look->arrays -= bracket == ']';
  return TRP_OK;
}

static enum trp_err look_at(struct look *look, char c) {
  switch (c) {
    case '"':
      look->at++;
      return look_past_text(look);
    case '{':
    case '[':
      return look_opening(look, c);
    case '}':
    case ']':
      return look_closing(look, c);
    case '#':
    case '\0':
      return wrong(look, "a character that JSON does not have", TRP_MALFORMED);
    default:
      return TRP_OK;
  }
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Over the one object or array that the text must be; `*empty`: it is {}, which LEJP refuses. */
static enum trp_err look_over(struct look *look, bool *empty) {
  uint64_t tokens = 0;
  for (; look->at != look->end; look->at++) {
    char c = *look->at;
    if (is_space(c)) continue;
    if (tokens != 0 && look->depth == 0)
      return wrong(look, "something after the end", TRP_MALFORMED);
    if (tokens++ == 0 && c != '{' && c != '[')
      return wrong(look, "neither an object nor an array", TRP_MALFORMED);
    enum trp_err err = look_at(look, c);
    if (err != TRP_OK) return err;
    look->last = c;
  }
  *empty = tokens == 2 && look->last == '}';
  if (tokens == 0) return wrong(look, "empty", TRP_TRUNCATED);
  if (look->depth != 0) return wrong(look, "ends within a bracket", TRP_TRUNCATED);
  return TRP_OK;
}

/* ---- the walk ----------------------------------------------------------------------------- */

static void append(struct walk *walk, const char *text, size_t size) {
  size_t room = TRP_JSON_TEXT_MAX - walk->value.size;
  if (size > room) {
    walk->value.cut = true;
    size = room;
  }
  memcpy(walk->text + walk->value.size, text, size);
  walk->value.size += size;
  walk->text[walk->value.size] = '\0';
}

static void restart_text(struct walk *walk) {
  walk->value.size = 0;
  walk->value.cut = false;
  walk->text[0] = '\0';
}

static signed char give(struct walk *walk, const struct lejp_ctx *ctx, enum trp_json_kind kind) {
  walk->value.kind = kind;
  walk->value.path = ctx->path;
  bool in_array = ctx->ipos != 0 && ctx->ipos <= LEJP_MAX_INDEX_DEPTH;
  walk->value.index = in_array ? ctx->i[ctx->ipos - 1] : 0;
  walk->stopped = !walk->visit(walk->arg, &walk->value);
  return walk->stopped ? -1 : 0;
}

static signed char give_scalar(struct walk *walk, const struct lejp_ctx *ctx,
                               enum trp_json_kind kind) {
  restart_text(walk);
  if (kind == TRP_JSON_NUMBER) append(walk, ctx->buf, ctx->npos);
  return give(walk, ctx, kind);
}

static signed char give_bracket(struct walk *walk, const struct lejp_ctx *ctx,
                                enum trp_json_kind kind) {
  restart_text(walk);
  signed char result = give(walk, ctx, kind);
  walk->value.depth++;
  return result;
}

static signed char on_event(struct lejp_ctx *ctx, char reason) {
  struct walk *walk = ctx->user;
  switch ((enum lejp_callbacks)reason) {
    case LEJPCB_VAL_NULL:
      return give_scalar(walk, ctx, TRP_JSON_NULL);
    case LEJPCB_VAL_TRUE:
      return give_scalar(walk, ctx, TRP_JSON_TRUE);
    case LEJPCB_VAL_FALSE:
      return give_scalar(walk, ctx, TRP_JSON_FALSE);
    case LEJPCB_VAL_NUM_INT:
    case LEJPCB_VAL_NUM_FLOAT:
      return give_scalar(walk, ctx, TRP_JSON_NUMBER);
    case LEJPCB_VAL_STR_START:
      restart_text(walk);
      return 0;
    case LEJPCB_VAL_STR_CHUNK:
      append(walk, ctx->buf, ctx->npos);
      return 0;
    case LEJPCB_VAL_STR_END:
      append(walk, ctx->buf, ctx->npos);
      return give(walk, ctx, TRP_JSON_TEXT);
    case LEJPCB_OBJECT_START:
      return give_bracket(walk, ctx, TRP_JSON_OBJECT);
    case LEJPCB_ARRAY_START:
      return give_bracket(walk, ctx, TRP_JSON_ARRAY);
    case LEJPCB_OBJECT_END:
      if (walk->value.depth != 0) walk->value.depth--;
      restart_text(walk);
      return give(walk, ctx, TRP_JSON_OBJECT_END);
    case LEJPCB_ARRAY_END:
      if (walk->value.depth != 0) walk->value.depth--;
      return 0;
    default:
      return 0;
  }
}

enum trp_err trp_json_walk(const void *bytes, size_t size, trp_json_visit_fn *visit, void *arg,
                           const char **reason) {
  *reason = "larger than the limit";
  if (size > TRP_JSON_SIZE_MAX) return TRP_TOO_BIG;
  struct look look = {.at = bytes, .end = (const char *)bytes + size};
  bool empty = false;
  enum trp_err err = look_over(&look, &empty);
  *reason = look.reason;
  if (err != TRP_OK || empty) return err;

  char text[TRP_JSON_TEXT_MAX + 1];
  struct walk walk = {.visit = visit, .arg = arg, .text = text};
  walk.value.text = text;
  restart_text(&walk);
  struct lejp_ctx ctx = {0};
  lejp_construct(&ctx, on_event, &walk, NULL, 0);
  int left = lejp_parse(&ctx, bytes, (int)size);
  lejp_destruct(&ctx);
  if (walk.stopped) return TRP_CANCELLED;
  if (left >= 0) return TRP_OK; /* look_over saw that nothing but space is left */
  *reason = left == LEJP_CONTINUE ? "ends too early" : lejp_error_to_string(left);
  return left == LEJP_CONTINUE ? TRP_TRUNCATED : TRP_MALFORMED;
}
