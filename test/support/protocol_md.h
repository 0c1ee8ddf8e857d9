/* protocol_md.h - reads proto/protocol.md for the tests that hold it true: its examples (a block of
 * ```hex KIND, then one of ```json) and its lines. Tests run at the root of the tree. */
#ifndef TRP_TEST_SUPPORT_PROTOCOL_MD_H
#define TRP_TEST_SUPPORT_PROTOCOL_MD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct md_example {
  char kind[16];
  uint8_t bytes[1024];
  size_t count;
  char json[1024];
};

/* The whole page, terminated; the caller frees it. NULL where it cannot be read. */
static inline char *md_read(void) {
  enum { PAGE_MAX = 1 << 18 };
  FILE *file = fopen("proto/protocol.md", "rb");
  if (file == NULL) return NULL;
  char *page = calloc(1, PAGE_MAX);
  size_t size = page != NULL ? fread(page, 1, PAGE_MAX - 1, file) : 0;
  fclose(file);
  if (size > 0) return page;
  free(page);
  return NULL;
}

/* Whether the page has exactly this line. */
static inline bool md_has_line(const char *page, const char *line) {
  size_t bytes = strlen(line);
  for (const char *at = page; (at = strstr(at, line)) != NULL; at++) {
    if ((at == page || at[-1] == '\n') && (at[bytes] == '\n' || at[bytes] == '\0')) return true;
  }
  return false;
}

/* The bytes of a hex block up to its closing fence; what follows ';' on a line is a comment. */
static inline const char *md_hex(const char *at, struct md_example *example) {
  example->count = 0;
  while (*at != '\0' && strncmp(at, "```", 3) != 0) {
    const char *next = strchr(at, '\n');
    unsigned byte;
    int step;
    while (*at != ';' && sscanf(at, "%2x%n", &byte, &step) == 1 && at < next) {
      if (example->count == sizeof example->bytes) return NULL;
      example->bytes[example->count++] = (uint8_t)byte;
      at += step;
      while (*at == ' ') at++;
    }
    if (next == NULL || (*at != ';' && *at != '\n')) return NULL; /* neither a byte nor a comment */
    at = next + 1;
  }
  return at;
}

/* The next example at or behind `at`; NULL past the last, and example->kind is then "" unless a
 * block is broken. */
static inline const char *md_next(const char *at, struct md_example *example) {
  example->kind[0] = '\0';
  at = strstr(at, "```hex ");
  if (at == NULL) return NULL;
  sscanf(at, "```hex %15s", example->kind);
  at = md_hex(strchr(at, '\n') + 1, example);
  const char *json = at != NULL ? strstr(at, "```json\n") : NULL;
  if (json == NULL) return NULL;
  json += strlen("```json\n");
  size_t bytes = strcspn(json, "\n");
  if (bytes >= sizeof example->json) return NULL;
  memcpy(example->json, json, bytes);
  example->json[bytes] = '\0';
  return json + bytes;
}

/* JSON into a bounded text, for comparisons. */
struct md_text {
  char bytes[1 << 14];
  size_t count;
};

static inline bool md_write(void *to, const char *text, size_t bytes) {
  struct md_text *out = (struct md_text *)to;
  if (bytes >= sizeof out->bytes - out->count) return false;
  memcpy(out->bytes + out->count, text, bytes);
  out->count += bytes;
  out->bytes[out->count] = '\0';
  return true;
}

#endif
