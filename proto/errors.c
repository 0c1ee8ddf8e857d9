#include "proto/errors.h"

#include <stddef.h>

struct error_entry {
  const char *name;
  const char *text;
};

static const struct error_entry entries[] = {
#define ERROR(NAME, number, text) [number] = {#NAME, text},
#include "proto/errors.def"
#undef ERROR
};

static const struct error_entry *find(enum trp_err err) {
  size_t i = (size_t)err;
  return i < sizeof entries / sizeof entries[0] && entries[i].name != NULL ? &entries[i] : NULL;
}

const char *trp_err_text(enum trp_err err) {
  const struct error_entry *entry = find(err);
  return entry != NULL ? entry->text : "unknown error";
}

const char *trp_err_name(enum trp_err err) {
  const struct error_entry *entry = find(err);
  return entry != NULL ? entry->name : "UNKNOWN";
}
