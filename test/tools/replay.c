/* replay.c - drives a fuzzer without libFuzzer, so that every test run exercises every decoder.
 *
 * First the kept inputs of test/fuzz/corpus/NAME (those that once broke something, and good
 * examples), then a few thousand made here: random bytes, and kept inputs with some bytes changed
 * or the end cut off. The same inputs in every run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = 512, INPUT_MAX = 1 << 16, MADE = 4000, MADE_BYTES_MAX = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
  uint8_t *bytes;
  size_t size;
};

static struct input kept[KEPT_MAX];
static size_t kept_count;

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t chance(void) {
  static uint64_t state = 1;
  uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* From an allocation of exactly its size, so that a sanitizer sees one byte too many. */
static void feed(const uint8_t *bytes, size_t size) {
  uint8_t *exact = malloc(size ? size : 1);
  if (!exact) abort();
  if (size) memcpy(exact, bytes, size);
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
}

static void keep(const char *path) {
  static uint8_t bytes[INPUT_MAX];
  FILE *file = fopen(path, "rb");
  if (!file) return;
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy) abort();
  memcpy(copy, bytes, size);
  kept[kept_count].bytes = copy;
  kept[kept_count++].size = size;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static void keep_all(const char *program) {
  const char *slash = strrchr(program, '/');
  const char *name = slash ? slash + 1 : program;
  const char *suffix = strstr(name, "_fuzz");
  char folder[256];
  snprintf(folder, sizeof folder, "test/fuzz/corpus/%.*s",
           suffix ? (int)(suffix - name) : (int)strlen(name), name);
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, NULL, by_name);
  for (int i = 0; i < count; i++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.' && kept_count < KEPT_MAX) keep(path);
    free(entries[i]);
  }
  free(entries);
}

static void make_one(void) {
  static uint8_t bytes[INPUT_MAX];
  size_t size = chance() % MADE_BYTES_MAX;
  if (kept_count && chance() % 4) {
    const struct input *base = &kept[chance() % kept_count];
    size = base->size;
    memcpy(bytes, base->bytes, size);
    for (uint64_t flips = chance() % 4; size && flips; flips--) {
      bytes[chance() % size] = (uint8_t)chance();
    }
    if (size && chance() % 3 == 0) size = chance() % size;
  } else {
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)chance();
  }
  feed(bytes, size);
}

int main(int argc, char **argv) {
  (void)argc;
  keep_all(argv[0]);
  for (size_t i = 0; i < kept_count; i++) feed(kept[i].bytes, kept[i].size);
  for (int i = 0; i < MADE; i++) make_one();
  printf("%zu kept inputs and %d made ones\n", kept_count, MADE);
  for (size_t i = 0; i < kept_count; i++) free(kept[i].bytes);
  return 0;
}
