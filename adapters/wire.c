#include "adapters/wire.h"

#include <stdio.h>
#include <string.h>

/* ---- texts -------------------------------------------------------------------------------- */

void trp_wire_text_begin(struct trp_wire_text *out, char *buffer, size_t capacity) {
  *out = (struct trp_wire_text){.text = buffer, .capacity = capacity, .full = capacity == 0};
  if (capacity != 0) buffer[0] = '\0';
}

void trp_wire_put(struct trp_wire_text *out, const char *text) {
  size_t length = strlen(text);
  if (out->full || length >= out->capacity - out->size) {
    out->full = true;
    return;
  }
  memcpy(out->text + out->size, text, length + 1);
  out->size += length;
}

void trp_wire_put_u64(struct trp_wire_text *out, uint64_t number) {
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)number);
  trp_wire_put(out, text);
}

static bool is_unreserved(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

void trp_wire_put_encoded(struct trp_wire_text *out, const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    char piece[4] = {*text};
    if (!is_unreserved(c)) snprintf(piece, sizeof piece, "%%%02X", c);
    trp_wire_put(out, piece);
  }
}

/* ---- reading URLs ------------------------------------------------------------------------- */

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A query's value up to '&' or the end, percent-decoded. */
static bool decode(const char *at, char *out, size_t size) {
  size_t n = 0;
  for (; *at != '\0' && *at != '&' && *at != '#'; at++) {
    char c = *at;
    if (c == '%') {
      if (hex(at[1]) < 0 || hex(at[2]) < 0) return false;
      c = (char)(hex(at[1]) * 16 + hex(at[2]));
      at += 2;
    }
    if (n + 1 >= size) return false;
    out[n++] = c;
  }
  out[n] = '\0';
  return true;
}

bool trp_wire_url_parameter(const char *url, const char *path, const char *name, char *out,
                            size_t size) {
  const char *query = strstr(url, path);
  size_t path_length = strlen(path), name_length = strlen(name);
  if (query == NULL || query[path_length] != '?' || size == 0) return false;
  for (query += path_length; query != NULL; query = strchr(query, '&')) {
    query++;
    if (strncmp(query, name, name_length) == 0 && query[name_length] == '=')
      return decode(query + name_length + 1, out, size);
  }
  return false;
}

/* What no symbol may hold above the blank; a table, since each byte of each frame's is looked up.
 */
static const bool is_foreign[256] = {
    ['"'] = true, ['\\'] = true, ['.'] = true, ['/'] = true, ['@'] = true, ['&'] = true,
    ['?'] = true, ['#'] = true,  ['%'] = true, ['+'] = true, [0x7f] = true};

bool trp_wire_symbol_valid(const char *symbol, size_t max) {
  size_t size = 0;
  for (; symbol[size] != '\0'; size++)
    if ((unsigned char)symbol[size] <= ' ' || is_foreign[(unsigned char)symbol[size]]) return false;
  return size != 0 && size <= max;
}
