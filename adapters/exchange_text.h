/* exchange_text.h - text that grows while it is written, up to a bound.
 *
 * What the embedded exchange says is made here: payloads, acknowledgements, bodies. A text that
 * would outgrow its bound, or memory that is out, marks it failed; nothing is added from then on
 * and the writer asks once, at the end. Zeroed memory is an empty text; the owner frees it. */
#ifndef TRP_ADAPTERS_EXCHANGE_TEXT_H
#define TRP_ADAPTERS_EXCHANGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRP_EXCHANGE_TEXT_MAX (4u << 20)

struct trp_exchange_text {
  char *bytes; /* NUL-terminated where size > 0 */
  size_t size, capacity;
  bool failed;
};

/* printf-like. */
__attribute__((format(printf, 2, 3))) void trp_exchange_text_add(struct trp_exchange_text *text,
                                                                 const char *format, ...);
void trp_exchange_text_raw(struct trp_exchange_text *text, const void *bytes, size_t size);

/* A number in units of 1e-8, with all eight decimals, as the exchange writes prices and sizes. */
void trp_exchange_text_fixed(struct trp_exchange_text *text, int64_t value);

/* The same with no more decimals than it needs. */
void trp_exchange_text_short(struct trp_exchange_text *text, int64_t value);

/* [["PRICE","SIZE"],...] from the best outwards; `exact`: with all decimals. */
struct trp_walk_level;
void trp_exchange_text_levels(struct trp_exchange_text *text, const struct trp_walk_level *level,
                              uint32_t count, bool exact);

/* Takes %40 back into @, of a URL's part; false where it is malformed or does not fit. `out` is
 * terminated in any case. */
bool trp_exchange_unescape(const char *bytes, size_t size, char *out, size_t out_size);

void trp_exchange_text_clear(struct trp_exchange_text *text); /* keeps the memory */
void trp_exchange_text_free(struct trp_exchange_text *text);

#endif
