#include "adapters/dialect.h"

#include <stdio.h>

const char *trp_error_class_text(enum trp_error_class error_class) {
  static const char *const text[] = {"transient", "rate limit", "auth", "protocol", "fatal"};
  _Static_assert(sizeof text / sizeof text[0] == TRP_CLASS_COUNT, "a text for each");
  return (unsigned)error_class < TRP_CLASS_COUNT ? text[error_class] : "?";
}

enum trp_error_class trp_dialect_classify(const struct trp_dialect *dialect, int64_t code,
                                          const char *text, uint16_t status) {
  enum trp_error_class special = dialect->classify(code, text != NULL ? text : "");
  if (special != TRP_CLASS_COUNT) return special;
  if (status == 429 || status == 418) return TRP_CLASS_RATE_LIMIT;
  if (status == 401 || status == 403) return TRP_CLASS_AUTH;
  if (status >= 500 || (status == 0 && code == 0)) return TRP_CLASS_TRANSIENT;
  return TRP_CLASS_PROTOCOL;
}

bool trp_dialect_name(const struct trp_dialect *dialect, const char *symbol, char *out,
                      size_t size) {
  char plain[TRP_DIALECT_SYMBOL_MAX + 1];
  if (!dialect->symbol_valid(symbol)) return false;
  if (dialect->symbol_plain != NULL)
    dialect->symbol_plain(plain, symbol);
  else
    snprintf(plain, sizeof plain, "%s", symbol);
  int length = snprintf(out, size, "%s%s", plain, dialect->venue);
  return length > 0 && (size_t)length < size;
}
