/* phrase.h - a bounded text that is put together piece by piece, without printf.
 *
 * For whoever may be in a signal handler or must not allocate: names of functions, stacks, last
 * words. What does not fit is cut; the text is terminated after every piece. The memory is the
 * caller's. All async-signal-safe. Thread: owner of the phrase. */
#ifndef TRP_RUNTIME_PHRASE_H
#define TRP_RUNTIME_PHRASE_H

#include <stddef.h>
#include <stdint.h>

struct trp_phrase {
  char *text;
  size_t bytes; /* of `text`; at least 1 */
  size_t length;
};

/* Begins anew, with nothing in it. */
void trp_phrase_init(struct trp_phrase *phrase, char *text, size_t bytes);

void trp_phrase_char(struct trp_phrase *phrase, char c);
void trp_phrase_text(struct trp_phrase *phrase, const char *text);
void trp_phrase_u64(struct trp_phrase *phrase, uint64_t value);
void trp_phrase_hex(struct trp_phrase *phrase, uint64_t value); /* with 0x */

/* Seconds to the microsecond: "12.000345". */
void trp_phrase_seconds(struct trp_phrase *phrase, uint64_t ns);

#endif
