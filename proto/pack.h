/* pack.h - writing MessagePack into memory with a bound.
 *
 * A pack is embedded in its user's frame or struct. It writes either into memory that it owns and
 * grows, up to a hard limit, or into a buffer of the caller's. The first failure is latched: later
 * calls do nothing and trp_pack_done tells it, so a writer checks once, at the end. Counts are
 * watched: a map or array with fewer or more elements than announced is INVALID, and so is a map
 * key that is no text. What a pack accepts, trp_value_open accepts.
 *
 *   trp_pack_map(&pack, 2);
 *   trp_pack_member_text(&pack, "name", "binance");
 *   trp_pack_text(&pack, "symbols");
 *   trp_pack_array_open(&pack);
 *   ...
 *   trp_pack_array_close(&pack);
 *   err = trp_pack_done(&pack); */
#ifndef TRP_PROTO_PACK_H
#define TRP_PROTO_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"
#include "proto/messages.h"
#include "proto/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A container that still waits for elements. */
struct trp_pack_frame {
  uint64_t left;  /* elements; keys and values each count */
  size_t head_at; /* of an open array: where its count stands; else 0 */
  bool is_map;
};

struct trp_pack {
  uint8_t *data; /* what was written; moves while it grows */
  size_t bytes;  /* how much of it */
  size_t size;   /* the memory behind `data` */
  size_t limit;  /* `size` never grows beyond */
  bool owned;    /* `data` is the pack's own */
  enum trp_err err;
  size_t depth;
  struct trp_pack_frame frames[TRP_DEPTH_MAX];
};

/* Begins with memory of its own, taken at need and never more than `limit` bytes. Thread: any one.
 */
void trp_pack_init(struct trp_pack *pack, size_t limit);

/* Begins in `out`, which stays the caller's. Thread: any one. */
void trp_pack_init_fixed(struct trp_pack *pack, void *out, size_t size);

/* Forgets everything written and the error, and keeps the memory. */
void trp_pack_reset(struct trp_pack *pack);

/* Gives memory back. Safe twice, and on a zeroed pack. */
void trp_pack_fini(struct trp_pack *pack);

/* The first error, or INVALID where a container is still open or nothing was written. */
TRP_MUST_USE enum trp_err trp_pack_done(const struct trp_pack *pack);

void trp_pack_map(struct trp_pack *pack, uint32_t pairs);
void trp_pack_array(struct trp_pack *pack, uint32_t elements);

/* An array whose count is known only at its close; up to 65,535 elements. */
void trp_pack_array_open(struct trp_pack *pack);
void trp_pack_array_close(struct trp_pack *pack);

void trp_pack_nil(struct trp_pack *pack);
void trp_pack_bool(struct trp_pack *pack, bool truth);
void trp_pack_u64(struct trp_pack *pack, uint64_t number);
void trp_pack_i64(struct trp_pack *pack, int64_t number);

/* A number that is not finite becomes nil. */
void trp_pack_f64(struct trp_pack *pack, double number);

/* A byte that belongs to no character of UTF-8 becomes '?'. */
void trp_pack_text(struct trp_pack *pack, const char *text);

/* A key and its value. */
static inline void trp_pack_member_u64(struct trp_pack *pack, const char *key, uint64_t number) {
  trp_pack_text(pack, key);
  trp_pack_u64(pack, number);
}

static inline void trp_pack_member_i64(struct trp_pack *pack, const char *key, int64_t number) {
  trp_pack_text(pack, key);
  trp_pack_i64(pack, number);
}

static inline void trp_pack_member_f64(struct trp_pack *pack, const char *key, double number) {
  trp_pack_text(pack, key);
  trp_pack_f64(pack, number);
}

static inline void trp_pack_member_bool(struct trp_pack *pack, const char *key, bool truth) {
  trp_pack_text(pack, key);
  trp_pack_bool(pack, truth);
}

static inline void trp_pack_member_text(struct trp_pack *pack, const char *key, const char *text) {
  trp_pack_text(pack, key);
  trp_pack_text(pack, text);
}

/* One field out of the body of a message whose shape is right (trp_message_has_shape); levels as an
 * array of [side, price, size]. */
void trp_pack_field(struct trp_pack *pack, const struct trp_message *message,
                    const struct trp_field *field, const void *body);

/* The body of a message as a map {field: value}, by its description. INVALID where type and bytes
 * are not those of a message. */
void trp_pack_message(struct trp_pack *pack, uint16_t type, const void *body, size_t bytes);

/* The word for a number in a field of a message; NULL: the number itself. */
typedef const char *trp_word_fn(uint16_t type, const char *field, uint32_t number);

/* A message as one flat event: {event: NAME, at_ns, actor, and the message's own fields}, fields of
 * 32 bits as the words that `word` knows (NULL: none). A field
 * that is named like one of the three gets a trailing underscore. A user's own message, and a body
 * that is not whole, shows only its number of `bytes`. */
void trp_pack_event(struct trp_pack *pack, uint64_t at_ns, const char *actor, uint16_t type,
                    const void *body, size_t bytes, trp_word_fn *word);

#ifdef __cplusplus
}
#endif
#endif
