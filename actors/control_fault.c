#include "actors/control_fault.h"

#include <string.h>

#include "runtime/fault_text.h"

/* By name, as the exchange lies in a layer that is not known here. */
static bool is_exchange(const char *kind) { return strcmp(kind, "exchange") == 0; }

bool trp_control_fault_known(const char *kind, const char *text) {
  uint64_t ms;
  if (strcmp(text, "panic") == 0 || strcmp(text, "exit") == 0 || strcmp(text, "error") == 0 ||
      trp_fault_timed(text, "stall", &ms)) {
    return true;
  }
  if (!is_exchange(kind)) return false;
  return strcmp(text, "drop") == 0 || strcmp(text, "gap") == 0 ||
         trp_fault_timed(text, "silence", &ms) || trp_fault_timed(text, "refuse", &ms);
}

const char *trp_control_faults(const char *kind) {
  return is_exchange(kind) ? "panic, exit, error, drop, gap, stall:MS, silence:MS and refuse:MS "
                             "(1 to 86400000)"
                           : "panic, exit, error and stall:MS (1 to 86400000)";
}
