#include "actors/control_fault.h"

#include <string.h>

#include "runtime/fault_text.h"

/* By name, as the exchange lies in a layer that is not known here. */
static bool is_exchange(const char *kind) { return strcmp(kind, "exchange") == 0; }

/* mixed:SEED:MS */
static bool is_mixed(const char *text) {
  uint64_t ms;
  char rest[64];
  size_t head = strlen("mixed:");
  if (strncmp(text, "mixed:", head) != 0) return false;
  size_t digits = strspn(text + head, "0123456789");
  if (digits == 0 || digits >= 20 || strlen(text + head + digits) >= sizeof rest - head)
    return false;
  strcpy(rest, "mixed");
  strcat(rest, text + head + digits);
  return trp_fault_timed(rest, "mixed", &ms);
}

/* What an exchange takes besides. */
static bool of_exchange(const char *text) {
  static const char *const once[] = {"drop", "gap", "expire"};
  static const char *const timed[] = {"silence",   "refuse", "half-open", "garbage", "reorder",
                                      "duplicate", "429",    "418",       "shutdown"};
  uint64_t ms;
  for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
    if (strcmp(text, once[i]) == 0) return true;
  }
  for (size_t i = 0; i < sizeof timed / sizeof *timed; i++) {
    if (trp_fault_timed(text, timed[i], &ms)) return true;
  }
  return is_mixed(text);
}

bool trp_control_fault_known(const char *kind, const char *text) {
  uint64_t ms;
  if (strcmp(text, "panic") == 0 || strcmp(text, "exit") == 0 || strcmp(text, "error") == 0 ||
      trp_fault_timed(text, "stall", &ms)) {
    return true;
  }
  return is_exchange(kind) && of_exchange(text);
}

const char *trp_control_faults(const char *kind) {
  return is_exchange(kind) ? "panic, exit, error, drop, gap, expire, stall:MS, silence:MS, "
                             "half-open:MS, refuse:MS, garbage:MS, reorder:MS, duplicate:MS, "
                             "shutdown:MS, 429:MS, 418:MS, mixed:SEED:MS"
                           : "panic, exit, error and stall:MS (1 to 86400000)";
}
