#include "proto/pack.h"

#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

#define SIZE_FIRST 256

void trp_pack_init(struct trp_pack *pack, size_t limit) {
  memset(pack, 0, sizeof *pack);
  pack->limit = limit;
  pack->owned = true;
}

void trp_pack_init_fixed(struct trp_pack *pack, void *out, size_t size) {
  memset(pack, 0, sizeof *pack);
  pack->data = out;
  pack->size = size;
  pack->limit = size;
}

void trp_pack_reset(struct trp_pack *pack) {
  pack->bytes = 0;
  pack->depth = 0;
  pack->err = TRP_OK;
}

void trp_pack_fini(struct trp_pack *pack) {
  if (pack->owned) free(pack->data);
  memset(pack, 0, sizeof *pack);
}

enum trp_err trp_pack_done(const struct trp_pack *pack) {
  if (pack->err != TRP_OK) return pack->err;
  return pack->depth == 0 && pack->bytes > 0 ? TRP_OK : TRP_INVALID;
}

static void fail(struct trp_pack *pack, enum trp_err err) {
  if (pack->err == TRP_OK) pack->err = err;
}

static bool reserve(struct trp_pack *pack, size_t bytes) {
  if (bytes > pack->limit - pack->bytes) {
    fail(pack, TRP_TOO_BIG);
    return false;
  }
  size_t need = pack->bytes + bytes;
  if (need <= pack->size) return true;
  size_t size = pack->size > 0 ? pack->size : SIZE_FIRST;
  while (size < need) size *= 2; /* need <= limit, far from overflow */
  if (size > pack->limit) size = pack->limit;
  uint8_t *data = realloc(pack->data, size);
  if (data == NULL) {
    fail(pack, TRP_NO_MEMORY);
    return false;
  }
  pack->data = data;
  pack->size = size;
  return true;
}

/* msgpack-c hands each head and each body to this; nonzero makes it stop. */
static int append(void *to, const char *bytes, size_t count) {
  struct trp_pack *pack = to;
  if (!reserve(pack, count)) return -1;
  memcpy(pack->data + pack->bytes, bytes, count);
  pack->bytes += count;
  return 0;
}

static msgpack_packer packer(struct trp_pack *pack) {
  return (msgpack_packer){.data = pack, .callback = append};
}

/* Whether another value may come here; takes its place in the container that it belongs to. */
static bool begin(struct trp_pack *pack, bool is_text) {
  if (pack->err != TRP_OK) return false;
  if (pack->depth == 0) {
    if (pack->bytes > 0) fail(pack, TRP_INVALID); /* one value, and it is written */
    return pack->err == TRP_OK;
  }
  struct trp_pack_frame *frame = &pack->frames[pack->depth - 1];
  if (frame->is_map && frame->left % 2 == 0 && !is_text) fail(pack, TRP_INVALID);
  if (frame->left == 0) fail(pack, TRP_TOO_BIG); /* only an open array is still here when full */
  if (pack->err != TRP_OK) return false;
  frame->left--;
  return true;
}

/* Leaves the containers that the value just written has filled. */
static void end(struct trp_pack *pack) {
  while (pack->depth > 0) {
    const struct trp_pack_frame *frame = &pack->frames[pack->depth - 1];
    if (frame->left > 0 || frame->head_at > 0) return;
    pack->depth--;
  }
}

static void enter(struct trp_pack *pack, struct trp_pack_frame frame) {
  if (pack->depth == TRP_DEPTH_MAX) {
    fail(pack, TRP_TOO_BIG);
    return;
  }
  pack->frames[pack->depth++] = frame;
  end(pack); /* an empty container is full at once */
}

void trp_pack_map(struct trp_pack *pack, uint32_t pairs) {
  if (!begin(pack, false)) return;
  msgpack_packer to = packer(pack);
  msgpack_pack_map(&to, pairs);
  enter(pack, (struct trp_pack_frame){.left = 2 * (uint64_t)pairs, .is_map = true});
}

void trp_pack_array(struct trp_pack *pack, uint32_t elements) {
  if (!begin(pack, false)) return;
  msgpack_packer to = packer(pack);
  msgpack_pack_array(&to, elements);
  enter(pack, (struct trp_pack_frame){.left = elements});
}

void trp_pack_array_open(struct trp_pack *pack) {
  if (!begin(pack, false)) return;
  msgpack_packer to = packer(pack);
  size_t head_at = pack->bytes + 1; /* behind the form byte of array 16 */
  msgpack_pack_array(&to, UINT16_MAX);
  enter(pack, (struct trp_pack_frame){.left = UINT16_MAX, .head_at = head_at});
}

void trp_pack_array_close(struct trp_pack *pack) {
  if (pack->err != TRP_OK) return;
  struct trp_pack_frame *frame = pack->depth > 0 ? &pack->frames[pack->depth - 1] : NULL;
  if (frame == NULL || frame->head_at == 0) {
    fail(pack, TRP_INVALID);
    return;
  }
  uint64_t count = UINT16_MAX - frame->left;
  pack->data[frame->head_at] = (uint8_t)(count >> 8);
  pack->data[frame->head_at + 1] = (uint8_t)count;
  pack->depth--;
  end(pack);
}

void trp_pack_nil(struct trp_pack *pack) {
  if (!begin(pack, false)) return;
  msgpack_packer to = packer(pack);
  msgpack_pack_nil(&to);
  end(pack);
}

void trp_pack_bool(struct trp_pack *pack, bool truth) {
  if (!begin(pack, false)) return;
  msgpack_packer to = packer(pack);
  if (truth) {
    msgpack_pack_true(&to);
  } else {
    msgpack_pack_false(&to);
  }
  end(pack);
}

void trp_pack_u64(struct trp_pack *pack, uint64_t number) {
  if (!begin(pack, false)) return;
  msgpack_packer to = packer(pack);
  msgpack_pack_uint64(&to, number);
  end(pack);
}

void trp_pack_i64(struct trp_pack *pack, int64_t number) {
  if (!begin(pack, false)) return;
  msgpack_packer to = packer(pack);
  msgpack_pack_int64(&to, number);
  end(pack);
}

void trp_pack_f64(struct trp_pack *pack, double number) {
  if (!isfinite(number)) {
    trp_pack_nil(pack);
    return;
  }
  if (!begin(pack, false)) return;
  msgpack_packer to = packer(pack);
  msgpack_pack_double(&to, number);
  end(pack);
}

void trp_pack_text(struct trp_pack *pack, const char *text) {
  if (!begin(pack, true)) return;
  msgpack_packer to = packer(pack);
  size_t bytes = strlen(text);
  msgpack_pack_str_with_body(&to, text, bytes);
  if (pack->err != TRP_OK) return;
  trp_text_repair((char *)pack->data + pack->bytes - bytes, bytes);
  end(pack);
}
