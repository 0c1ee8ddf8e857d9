/* folder.h - the private folder where this user's sockets lie: $XDG_RUNTIME_DIR/troupe where that
 * directory is ours, else /tmp/troupe-UID. It has mode 0700 and belongs to us, or it is refused:
 * who may enter it may give orders.
 *
 * Thread: any. */
#ifndef TRP_RUNTIME_FOLDER_H
#define TRP_RUNTIME_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/errors.h"

enum {
  TRP_FOLDER_BYTES = 108, /* what the kernel has room for in a socket's path, with the end */
  TRP_FOLDERS = 2
};

/* The folders where a socket may lie, the first is where ours will. False: there is no i-th, or it
 * would be too long. */
bool trp_folder_at(int i, char out[TRP_FOLDER_BYTES]);

/* Whether it is a directory of ours that nobody else may enter. */
bool trp_folder_is_ours_alone(const char *folder);

/* Makes it where it is not there. `why` gets a sentence for a person where that fails.
 * Errors: NOT_ALLOWED (it is not ours alone), SYSTEM. */
TRP_MUST_USE enum trp_err trp_folder_make(const char *folder, char *why, size_t why_bytes);

#endif
