/* Messages by their descriptions, for the codec and for whoever shows them to a person. */
#include <string.h>

#include "proto/codec.h"
#include "proto/pack.h"

static void pack_levels(struct trp_pack *pack, const uint8_t *levels, uint32_t count) {
  trp_pack_array(pack, count);
  for (uint32_t i = 0; i < count; i++) {
    struct trp_level level;
    memcpy(&level, levels + i * sizeof level, sizeof level);
    trp_pack_array(pack, 3);
    trp_pack_u64(pack, level.side);
    trp_pack_f64(pack, level.price);
    trp_pack_f64(pack, level.size);
  }
}

void trp_pack_field(struct trp_pack *pack, const struct trp_message *message,
                    const struct trp_field *field, const void *body) {
  const uint8_t *at = (const uint8_t *)body + field->offset;
  union { /* bodies may lie unaligned */
    uint64_t u64;
    uint32_t u32;
    uint16_t u16;
    int64_t i64;
    int32_t i32;
    double f64;
  } as;
  switch (field->kind) {
    case TRP_FIELD_U64:
      trp_pack_u64(pack, *(uint64_t *)memcpy(&as, at, 8));
      break;
    case TRP_FIELD_U32:
      trp_pack_u64(pack, *(uint32_t *)memcpy(&as, at, 4));
      break;
    case TRP_FIELD_U16:
      trp_pack_u64(pack, *(uint16_t *)memcpy(&as, at, 2));
      break;
    case TRP_FIELD_U8:
      trp_pack_u64(pack, *at);
      break;
    case TRP_FIELD_I64:
      trp_pack_i64(pack, *(int64_t *)memcpy(&as, at, 8));
      break;
    case TRP_FIELD_I32:
      trp_pack_i64(pack, *(int32_t *)memcpy(&as, at, 4));
      break;
    case TRP_FIELD_F64:
      trp_pack_f64(pack, *(double *)memcpy(&as, at, 8));
      break;
    case TRP_FIELD_TEXT:
      trp_pack_text(pack, (const char *)at);
      break;
    case TRP_FIELD_LEVELS:
      memcpy(&as.u32, at, sizeof as.u32);
      pack_levels(pack, (const uint8_t *)body + message->levels_from, as.u32);
      break;
  }
}

void trp_pack_message(struct trp_pack *pack, uint16_t type, const void *body, size_t bytes) {
  const struct trp_message *message = trp_message_find(type);
  if (message == NULL || !trp_message_has_shape(message, body, bytes)) {
    if (pack->err == TRP_OK) pack->err = TRP_INVALID;
    return;
  }
  trp_pack_map(pack, message->field_count);
  for (size_t i = 0; i < message->field_count; i++) {
    trp_pack_text(pack, message->fields[i].name);
    trp_pack_field(pack, message, &message->fields[i], body);
  }
}

/* The field's name in an event, where three names are taken. */
static void pack_event_key(struct trp_pack *pack, const char *name) {
  if (strcmp(name, "event") == 0) {
    trp_pack_text(pack, "event_");
  } else if (strcmp(name, "at_ns") == 0) {
    trp_pack_text(pack, "at_ns_");
  } else if (strcmp(name, "actor") == 0) {
    trp_pack_text(pack, "actor_");
  } else {
    trp_pack_text(pack, name);
  }
}

static const char *word_of(trp_word_fn *word, uint16_t type, const struct trp_field *field,
                           const void *body) {
  uint32_t number;
  if (word == NULL || field->kind != TRP_FIELD_U32) return NULL;
  memcpy(&number, (const uint8_t *)body + field->offset, sizeof number);
  return word(type, field->name, number);
}

void trp_pack_event(struct trp_pack *pack, uint64_t at_ns, const char *actor, uint16_t type,
                    const void *body, size_t bytes, trp_word_fn *word) {
  const struct trp_message *message = trp_message_find(type);
  bool is_whole = message != NULL && trp_message_has_shape(message, body, bytes);
  trp_pack_map(pack, 3u + (is_whole ? message->field_count : 1u));
  trp_pack_member_text(pack, "event", trp_type_name(type));
  trp_pack_member_u64(pack, "at_ns", at_ns);
  trp_pack_member_text(pack, "actor", actor);
  if (!is_whole) {
    trp_pack_member_u64(pack, "bytes", bytes);
    return;
  }
  for (size_t i = 0; i < message->field_count; i++) {
    const struct trp_field *field = &message->fields[i];
    const char *said = word_of(word, type, field, body);
    pack_event_key(pack, field->name);
    if (said != NULL) {
      trp_pack_text(pack, said);
    } else {
      trp_pack_field(pack, message, field, body);
    }
  }
}
