/* The descriptor table. A field's macro in messages.def does not say whose field it is, so each
 * message is described in a block of its own, where `self` names its struct; such blocks exist only
 * in functions, so the table is filled once, before main() and before any thread. */
#include "proto/messages.h"

#include <stdbool.h>
#include <string.h>

enum {
  MESSAGE_COUNT = 0
#define MESSAGE(NAME, name, number) +1
#define U64(field)
#define U32(field)
#define U16(field)
#define U8(field)
#define I64(field)
#define I32(field)
#define F64(field)
#define TEXT(field, size)
#define LEVELS(field)
#define END(NAME, name)
#include "proto/messages.def"
#include "proto/undef.h"
};

#define TYPE_COUNT 64 /* the numbers that messages.def gives out so far */

static struct trp_message messages[MESSAGE_COUNT];
static const struct trp_message *by_type[TYPE_COUNT];

static struct trp_message describe(const char *name, uint16_t type, size_t bytes,
                                   const struct trp_field *fields, size_t count) {
  const struct trp_field *last = &fields[count - 1];
  bool has_levels = last->kind == TRP_FIELD_LEVELS;
  return (struct trp_message){
      .name = name,
      .type = type,
      .field_count = (uint16_t)count,
      .bytes = (uint32_t)bytes,
      /* count and pad, four bytes each, stand before the levels */
      .levels_from = has_levels ? last->offset + 2u * (uint32_t)sizeof(uint32_t) : 0,
      .fields = fields,
  };
}

#define FIELD(field, k) {#field, k, (uint16_t)offsetof(self, field), 0},

__attribute__((constructor)) static void fill(void) {
  struct trp_message *at = messages;
#define MESSAGE(NAME, name, number)                                                                \
  {                                                                                                \
    typedef struct trp_##name self;                                                                \
    static const struct trp_field fields[] = {
#define U64(field) FIELD(field, TRP_FIELD_U64)
#define U32(field) FIELD(field, TRP_FIELD_U32)
#define U16(field) FIELD(field, TRP_FIELD_U16)
#define U8(field) FIELD(field, TRP_FIELD_U8)
#define I64(field) FIELD(field, TRP_FIELD_I64)
#define I32(field) FIELD(field, TRP_FIELD_I32)
#define F64(field) FIELD(field, TRP_FIELD_F64)
#define TEXT(field, size) {#field, TRP_FIELD_TEXT, (uint16_t)offsetof(self, field), size},
#define LEVELS(field) {#field, TRP_FIELD_LEVELS, (uint16_t)offsetof(self, field##_count), 0},
#define END(NAME, name)                                                                            \
  }                                                                                                \
  ;                                                                                                \
  _Static_assert(sizeof(self) <= UINT16_MAX, "offsets of " #NAME " fit their type");               \
  _Static_assert(TRP_##NAME < TYPE_COUNT, "the type of " #NAME " is in the table");                \
  *at++ = describe(#NAME, TRP_##NAME, sizeof(self), fields, sizeof fields / sizeof fields[0]);     \
  }
#include "proto/messages.def"
#include "proto/undef.h"
  for (size_t i = 0; i < MESSAGE_COUNT; i++) by_type[messages[i].type] = &messages[i];
}

#define BOOK_LEVELS offsetof(struct trp_book, levels)
_Static_assert(BOOK_LEVELS == offsetof(struct trp_book, levels_count) + 8, "count, pad, levels");
_Static_assert(sizeof(struct trp_book) == BOOK_LEVELS, "a book without levels ends before them");

const struct trp_message *trp_message_find(uint16_t type) {
  return type < TYPE_COUNT ? by_type[type] : NULL;
}

const struct trp_message *trp_message_named(const char *name) {
  for (size_t i = 0; i < MESSAGE_COUNT; i++) {
    if (strcmp(messages[i].name, name) == 0) return &messages[i];
  }
  return NULL;
}

const struct trp_message *trp_message_list(size_t *count) {
  *count = MESSAGE_COUNT;
  return messages;
}

const char *trp_type_name(uint16_t type) {
  const struct trp_message *message = trp_message_find(type);
  if (message != NULL) return message->name;
  return type >= TRP_USER_FIRST ? "USER" : "?";
}
