#include "runtime/fault_text.h"

#include <string.h>

bool trp_fault_timed(const char *text, const char *verb, uint64_t *ms) {
  size_t length = strlen(verb);
  uint64_t number = 0;
  if (strncmp(text, verb, length) != 0 || text[length] != ':') return false;
  for (const char *at = text + length + 1; *at != '\0'; at++) {
    if (*at < '0' || *at > '9') return false;
    number = number * 10 + (uint64_t)(*at - '0');
    if (number > TRP_FAULT_MS_MAX) return false;
  }
  if (number == 0) return false; /* also where no digit came */
  *ms = number;
  return true;
}
