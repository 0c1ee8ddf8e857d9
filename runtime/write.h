/* write.h - writes that end: to a pipe nobody reads, a full device, a reader that has gone.
 *
 * A descriptor that others share cannot be made non-blocking (the flag lies in the shared open file
 * description). So a socket is told so with each piece, a pipe or terminal is opened once more for
 * the piece, and where that is refused the piece is no larger than what a pipe that polls writable
 * takes at once. SIGPIPE is blocked around the write and taken away again: a reader that has gone
 * is an error here and never a signal.
 *
 * Async-signal-safe; errno is left as the failing call set it. Thread: any. */
#ifndef TRP_RUNTIME_WRITE_H
#define TRP_RUNTIME_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

/* Writes one piece as soon as the descriptor takes it; *written gets its size (0 on error).
 * Errors: TIMEOUT, CLOSED (the reader has gone), SYSTEM (errno tells). */
TRP_MUST_USE enum trp_err trp_write_some(int fd, const void *data, size_t bytes,
                                         uint64_t deadline_ns, size_t *written);

/* Writes everything by the deadline (CLOCK_MONOTONIC). Errors: as above; a part may be out. */
TRP_MUST_USE enum trp_err trp_write_all(int fd, const void *data, size_t bytes,
                                        uint64_t deadline_ns);

#endif
