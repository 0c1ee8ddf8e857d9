/* mexc_frames.h - MEXC's binary frames, written field by field as the exchange's schema numbers
 * them, and not with the generated code: a wrong number in our schema must show.
 *
 * A frame is made in mexc_frame, its body in mexc_body: begin, put what belongs into the body, end.
 * Thread: the test's. */
#ifndef TRP_TEST_MEXC_FRAMES_H
#define TRP_TEST_MEXC_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct mexc_bytes {
  size_t size;
  unsigned char at[1 << 19];
};
extern struct mexc_bytes mexc_frame, mexc_body;

void mexc_put_number(struct mexc_bytes *out, uint32_t field, uint64_t value);
void mexc_put_bytes(struct mexc_bytes *out, uint32_t field, const void *bytes, size_t size);
void mexc_put_text(struct mexc_bytes *out, uint32_t field, const char *text);

/* A price and a quantity, fields 1 and 2, as an element of `field` in the body. */
void mexc_put_level(uint32_t field, const char *price, const char *quantity);

void mexc_begin(void);
/* The wrapper around the body, which is field `field` in it. */
void mexc_end(uint32_t field, const char *symbol);

/* Whole frames. */
void mexc_write_quote(const char *symbol, const char *bid, const char *ask, const char *version);
void mexc_write_diff(const char *symbol, const char *bid, const char *from, const char *to);

#endif
