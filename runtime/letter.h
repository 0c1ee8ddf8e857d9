/* letter.h - a message as it lies in a mailbox: one cache line, whatever its size.
 *
 * A small body lies inline; a larger one is a blob, of which the letter owns one reference. Plain
 * data but for the ring's sequence. */
#ifndef TRP_RUNTIME_LETTER_H
#define TRP_RUNTIME_LETTER_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "runtime/troupe.h"

struct trp_blob;

enum {
  TRP_LETTER_BLOB = 0xff, /* letter.inline_bytes: the body is a blob */
  TRP_LETTER_ASK = 1,     /* letter.flags: `from` is an ask token */
  TRP_LETTER_DOOR = 2,    /* letter.flags: came through the nng door */
  TRP_LETTER_FAR = 8,     /* letter.flags: to an actor in a process, which knows the sender */
  TRP_LETTER_VOID = 4     /* letter.flags: claimed but given up; skipped by the owner, uncounted */
};

/* One message in a slot: 64 bytes, a cache line. */
struct trp_letter {
  _Atomic uint32_t sequence; /* the ring's own: position when free, position + 1 when full */
  uint16_t type;
  uint8_t inline_bytes; /* 0..48, or TRP_LETTER_BLOB */
  uint8_t flags;
  uint64_t from; /* the sender's reference, or the token of an ask */
  union {
    alignas(8) unsigned char bytes[TRP_INLINE_BYTES];
    struct trp_blob *blob; /* one reference, owned by the letter */
  } body;
};
_Static_assert(sizeof(struct trp_letter) == 64, "a letter is a cache line");

#endif
