/* codec.h - messages to bytes and back: MessagePack as protocol.md describes it.
 *
 * One message is the array [version, type, [fields in the order of messages.def]]. Encoded messages
 * may follow each other without anything between (a batch): trp_decode tells how many bytes it
 * used. Neither direction allocates; both write only into the caller's buffer. What trp_encode
 * accepts travels and comes back equal; what trp_decode accepts is a whole and valid message of a
 * known type. Users' own types (from TRP_USER_FIRST) are bytes inside one process and do not
 * travel. */
#ifndef TRP_PROTO_CODEC_H
#define TRP_PROTO_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"
#include "proto/messages.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRP_PROTOCOL_VERSION 1
#define TRP_ENCODED_MAX (1u << 20) /* bytes of the largest encoded message */

/* Whether a body has the size of its message, its texts an end, and its levels their count.
 * Thread: any. */
bool trp_message_has_shape(const struct trp_message *message, const void *body, size_t bytes);

/* Bytes that suffice to encode a body of this type and size; 0 where the type does not travel.
 * Thread: any. */
size_t trp_encode_bound(uint16_t type, size_t bytes);

/* Encodes a message into out; *out_bytes is the room before and the bytes written afterwards (0 on
 * error). Errors: UNKNOWN_TYPE, NOT_ALLOWED (a user's own type), INVALID (size, a text that is not
 * UTF-8 or not terminated, a number that is not finite, a level's side), TOO_BIG. Thread: any. */
TRP_MUST_USE enum trp_err trp_encode(uint16_t type, const void *body, size_t bytes, void *out,
                                     size_t *out_bytes);

/* Decodes the message at the start of the input. *body_bytes is the room in `body` before and the
 * size of the body afterwards, also where it is TOO_BIG for the room (`body` may be NULL with room
 * 0); after another error neither says anything. Bytes of `body` between fields, and behind texts,
 * are zero. *used is the length of the encoded message, also where it is refused but its end is
 * known, so that a batch can go on behind it; else 0. Errors: TRUNCATED, MALFORMED, BAD_VERSION,
 * UNKNOWN_TYPE, NOT_ALLOWED, TOO_BIG (beyond the room or TRP_ENCODED_MAX). Thread: any. */
TRP_MUST_USE enum trp_err trp_decode(const void *in, size_t in_bytes, size_t *used, uint16_t *type,
                                     void *body, size_t *body_bytes);

#ifdef __cplusplus
}
#endif
#endif
