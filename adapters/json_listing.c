#include "adapters/json_listing.h"

#include <string.h>

#include "adapters/json_lejp.h"

struct wish {
  const char *path;
  void (*each)(void *arg, const char *symbol);
  void *arg;
  size_t count;
};

static bool visit(void *arg, const struct trp_json_value *value) {
  struct wish *wish = arg;
  if (value->kind != TRP_JSON_TEXT || strcmp(value->path, wish->path) != 0) return true;
  wish->each(wish->arg, value->text);
  wish->count++;
  return true;
}

enum trp_err trp_json_listing(const void *bytes, size_t size, const char *path,
                              void (*each)(void *arg, const char *symbol), void *arg,
                              const char **reason) {
  struct wish wish = {.path = path, .each = each, .arg = arg};
  enum trp_err err = trp_json_walk(bytes, size, visit, &wish, reason);
  if (err != TRP_OK || wish.count != 0) return err;
  *reason = "a listing without any symbol";
  return TRP_MALFORMED;
}
