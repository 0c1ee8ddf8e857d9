/* fault_sweep.h - fails the n-th call of a kind that the library makes: of memory, or of the
 * system.
 *
 * The test program is linked with --wrap for each of these functions, so that the library's own
 * calls come by here and nobody else's. Thread: arm and disarm by one; the calls come from any. */
#ifndef TRP_TEST_FAULT_SWEEP_H
#define TRP_TEST_FAULT_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

enum sweep_kind { SWEEP_MEMORY, SWEEP_SYSTEM };

/* The n-th call from now on fails (from 1), and all after it where `lasting`. */
void sweep_arm(enum sweep_kind kind, uint64_t n, bool lasting);

/* True where a call has failed. */
bool sweep_disarm(void);

/* What failed first, by name; for a message of a failure. */
const char *sweep_victim(void);

/* Blocks that the library has and has not given back. */
int64_t sweep_blocks(void);

#endif
