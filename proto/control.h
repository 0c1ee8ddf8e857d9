/* control.h - what `troupe ctl` and the control actor say to each other (protocol.md, "Control").
 *
 * A request is a small MessagePack map that becomes a plain struct with bounded texts. An answer is
 * a map with a status, words for a person, and a body of any shape, written with pack.h and read
 * with value.h. The id is the client's choice; a server that meets an id again that it has answered
 * answers the same again and does not act twice, so a client may repeat after a lost answer. */
#ifndef TRP_PROTO_CONTROL_H
#define TRP_PROTO_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/codec.h"
#include "proto/errors.h"
#include "proto/pack.h"
#include "proto/value.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRP_REQUEST_BYTES_MAX 1024      /* an encoded request; a longer one is refused unread */
#define TRP_ANSWER_BYTES_MAX (1u << 20) /* an encoded answer */
#define TRP_REQUEST_WAIT_MAX_MS 60000   /* the longest a request may ask to wait */

enum trp_need { TRP_NEED_NONE, TRP_NEED_MAYBE, TRP_NEED_YES };

/* What one can ask for. */
struct trp_verb {
  const char *verb;
  enum trp_need name; /* of an actor */
  enum trp_need argument;
  bool acts; /* changes something: an answered id is not acted on again */
  const char *help;
};

/* The description of a verb, NULL where there is none. Thread: any. */
const struct trp_verb *trp_verb_find(const char *verb);

/* All verbs; *count gets their number. Thread: any. */
const struct trp_verb *trp_verb_list(size_t *count);

/* Texts that are not given are "", numbers 0. */
struct trp_request {
  uint64_t id;    /* nonzero */
  uint64_t after; /* watch: the cursor of the last answer */
  uint32_t wait_ms;
  char verb[16];
  char name[48];
  char argument[192];
};

/* Encodes a request into out; *out_bytes is the room before and the bytes written afterwards
 * (TRP_REQUEST_BYTES_MAX always suffices). Errors: INVALID (as trp_request_decode), TOO_BIG.
 * Thread: any. */
TRP_MUST_USE enum trp_err trp_request_encode(const struct trp_request *request, void *out,
                                             size_t *out_bytes);

/* Decodes a request, which fills the input to its end. A request that is not understood to the last
 * key is refused whole. After an error request->id is the id where one could be read, else 0, so
 * that the refusal can carry it. Errors: TOO_BIG, TRUNCATED, MALFORMED, BAD_VERSION, INVALID
 * (unknown verb, or a name or argument that the verb needs or does not take). Thread: any. */
TRP_MUST_USE enum trp_err trp_request_decode(const void *in, size_t in_bytes,
                                             struct trp_request *request);

/* Begins an answer in an empty or reset pack: everything but the body, of which the caller then
 * packs exactly one value. The text is cut at TRP_ANSWER_TEXT_MAX bytes. */
#define TRP_ANSWER_TEXT_MAX 191
void trp_answer_begin(struct trp_pack *pack, uint64_t id, enum trp_err status, const char *text);

/* A whole answer without a body, whatever the pack held: for refusals, and where an answer grew
 * beyond its limit. Errors: NO_MEMORY, TOO_BIG. */
TRP_MUST_USE enum trp_err trp_answer_plain(struct trp_pack *pack, uint64_t id, enum trp_err status,
                                           const char *text);

struct trp_answer {
  uint64_t id;
  uint32_t status; /* enum trp_err, or a number of a later version */
  char text[TRP_ANSWER_TEXT_MAX + 1];
  struct trp_value body; /* looks into the input */
};

/* Decodes an answer, which fills the input to its end. Errors: TOO_BIG, TRUNCATED, MALFORMED,
 * BAD_VERSION. Thread: any. */
TRP_MUST_USE enum trp_err trp_answer_decode(const void *in, size_t in_bytes,
                                            struct trp_answer *answer);

#ifdef __cplusplus
}
#endif
#endif
