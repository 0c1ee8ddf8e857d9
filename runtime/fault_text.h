/* fault_text.h - reads the text of a fault that lasts: "stall:250". Thread: any. */
#ifndef TRP_RUNTIME_FAULT_TEXT_H
#define TRP_RUNTIME_FAULT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { TRP_FAULT_MS_MAX = 86400000 }; /* a day */

/* Whether the text is this verb, a colon and 1 to TRP_FAULT_MS_MAX in decimal digits alone; leaves
 * `ms` alone where it is not. */
bool trp_fault_timed(const char *text, const char *verb, uint64_t *ms);

#endif
