#include "test/support/mexc_frames.h"

#include <string.h>

struct mexc_bytes mexc_frame, mexc_body;

static void put_varint(struct mexc_bytes *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->at[out->size++] = (unsigned char)(value | 0x80);
  out->at[out->size++] = (unsigned char)value;
}

void mexc_put_number(struct mexc_bytes *out, uint32_t field, uint64_t value) {
  put_varint(out, (uint64_t)field << 3);
  put_varint(out, value);
}

void mexc_put_bytes(struct mexc_bytes *out, uint32_t field, const void *bytes, size_t size) {
  put_varint(out, (uint64_t)field << 3 | 2);
  put_varint(out, size);
  memcpy(out->at + out->size, bytes, size);
  out->size += size;
}

void mexc_put_text(struct mexc_bytes *out, uint32_t field, const char *text) {
  mexc_put_bytes(out, field, text, strlen(text));
}

void mexc_put_level(uint32_t field, const char *price, const char *quantity) {
  static struct mexc_bytes item;
  item.size = 0;
  mexc_put_text(&item, 1, price);
  mexc_put_text(&item, 2, quantity);
  mexc_put_bytes(&mexc_body, field, item.at, item.size);
}

void mexc_begin(void) { mexc_frame.size = mexc_body.size = 0; }

void mexc_end(uint32_t field, const char *symbol) {
  mexc_put_text(&mexc_frame, 1, "spot@public.some.v3.api.pb@100ms");
  mexc_put_text(&mexc_frame, 3, symbol);
  mexc_put_number(&mexc_frame, 6, 1790281243450);
  mexc_put_bytes(&mexc_frame, field, mexc_body.at, mexc_body.size);
}

void mexc_write_quote(const char *symbol, const char *bid, const char *ask, const char *version) {
  mexc_begin();
  mexc_put_text(&mexc_body, 1, bid);
  mexc_put_text(&mexc_body, 2, "2");
  mexc_put_text(&mexc_body, 3, ask);
  mexc_put_text(&mexc_body, 4, "3");
  mexc_put_text(&mexc_body, 5, version);
  mexc_end(315, symbol);
}

void mexc_write_diff(const char *symbol, const char *bid, const char *from, const char *to) {
  mexc_begin();
  mexc_put_level(2, bid, "9");
  mexc_put_text(&mexc_body, 4, from);
  mexc_put_text(&mexc_body, 5, to);
  mexc_end(313, symbol);
}
