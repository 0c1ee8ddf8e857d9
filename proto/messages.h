/* messages.h - the structs and numbers of what travels, made from messages.def.
 *
 * struct trp_quote, enum TRP_QUOTE and so on: plain values without pointers, so a message is copied
 * by its bytes. Texts are NUL-terminated; a LEVELS field makes its struct end in a flexible array.
 * The descriptor table lets codec, log and tests walk any message without knowing it. */
#ifndef TRP_PROTO_MESSAGES_H
#define TRP_PROTO_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The exchange_offset_us of a quote or trade that was polled over HTTP, not streamed. */
#define TRP_POLLED INT32_MIN

/* One price level; `side` 1 bid, 2 ask. */
struct trp_level {
  double price;
  double size;
  uint32_t side;
  uint32_t reserved;
};

enum trp_type {
  TRP_NONE = 0,
#define MESSAGE(NAME, name, number) TRP_##NAME = (number),
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
  TRP_USER_FIRST = 1024, /* from here up: the users' own */
  TRP_TYPE_MAX = 65535
};

#define MESSAGE(NAME, name, number) struct trp_##name {
#define U64(field) uint64_t field;
#define U32(field) uint32_t field;
#define U16(field) uint16_t field;
#define U8(field) uint8_t field;
#define I64(field) int64_t field;
#define I32(field) int32_t field;
#define F64(field) double field;
#define TEXT(field, size) char field[size];
#ifdef __cplusplus
#define LEVELS(field)                                                                              \
  uint32_t field##_count;                                                                          \
  uint32_t field##_pad;                                                                            \
  struct trp_level field[1];
#else
#define LEVELS(field)                                                                              \
  uint32_t field##_count;                                                                          \
  uint32_t field##_pad;                                                                            \
  struct trp_level field[];
#endif
#define END(NAME, name)                                                                            \
  }                                                                                                \
  ;
#include "proto/messages.def"
#include "proto/undef.h"

/* A quote must lie inline in a mailbox slot: the tick path allocates nothing. */
#ifndef __cplusplus
_Static_assert(sizeof(struct trp_quote) == 48, "a quote fits a slot");
_Static_assert(sizeof(struct trp_trade) == 48, "a trade fits a slot");
#endif

enum trp_field_kind {
  TRP_FIELD_U64,
  TRP_FIELD_U32,
  TRP_FIELD_U16,
  TRP_FIELD_U8,
  TRP_FIELD_I64,
  TRP_FIELD_I32,
  TRP_FIELD_F64,
  TRP_FIELD_TEXT,
  TRP_FIELD_LEVELS
};

struct trp_field {
  const char *name;
  enum trp_field_kind kind;
  uint16_t offset; /* in the struct; for LEVELS that of the count */
  uint16_t size;   /* of TEXT: the array's size */
};

struct trp_message {
  const char *name; /* "QUOTE" */
  uint16_t type;
  uint16_t field_count;
  uint32_t bytes;       /* of the struct, without levels */
  uint32_t levels_from; /* offset of the levels array, 0 where there is none */
  const struct trp_field *fields;
};

/* The description of a type, NULL where the list has none. Thread: any. */
const struct trp_message *trp_message_find(uint16_t type);

/* The description by name ("QUOTE"), NULL where the list has none. Thread: any. */
const struct trp_message *trp_message_named(const char *name);

/* All descriptions in the order of messages.def; *count gets their number. Thread: any. */
const struct trp_message *trp_message_list(size_t *count);

/* The name of any type, "USER" from TRP_USER_FIRST up, "?" where unknown. Thread: any. */
const char *trp_type_name(uint16_t type);

#ifdef __cplusplus
}
#endif
#endif
