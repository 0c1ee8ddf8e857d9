/* text.h - what counts as text on the wire: well-formed UTF-8 without NUL.
 *
 * Texts in messages are NUL-terminated arrays of a fixed size; snprintf may cut one in the middle
 * of a character, and words from outside may hold anything. trp_text_copy is the way to fill such
 * an array so that the text travels. */
#ifndef TRP_PROTO_TEXT_H
#define TRP_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether these bytes are well-formed UTF-8 (Unicode 15, table 3-7) without NUL. Thread: any. */
bool trp_text_valid(const char *text, size_t bytes);

/* The bytes of the character that begins here (1..4), 0 where none does. Thread: any. */
size_t trp_text_character(const char *text, size_t bytes);

/* Replaces each byte that belongs to no character by '?', in place. Thread: any. */
void trp_text_repair(char *text, size_t bytes);

/* Copies a NUL-terminated text into out[size], size > 0: cut between characters where it is too
 * long, each byte that belongs to no character replaced by '?', always terminated, the rest of
 * `out` zero. Returns the bytes of the copy. `text` may be `out` itself. Thread: any. */
size_t trp_text_copy(char *out, size_t size, const char *text);

#ifdef __cplusplus
}
#endif
#endif
