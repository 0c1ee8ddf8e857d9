/* control_path.h - where a system's control socket lies, and whose it is.
 *
 * $XDG_RUNTIME_DIR/troupe/SYSTEM.sock where that directory is ours, else troupe-UID/SYSTEM.sock
 * under /tmp. The folder has mode 0700 and belongs to us, or it is refused: who may enter it may
 * give orders. A lock file beside the socket (flock) says that the system lives; only its holder
 * removes a socket that was left behind, so a second start never touches a live one. What is no
 * socket is never removed.
 *
 * Thread: any one at a time; trp_control_path_unlink also in a signal handler. */
#ifndef TRP_ADAPTERS_CONTROL_PATH_H
#define TRP_ADAPTERS_CONTROL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/errors.h"

enum {
  TRP_SOCKET_PATH_BYTES = 108, /* what the kernel has room for, with the end */
  TRP_SOCKETS_MAX = 64         /* that a search looks at */
};

struct trp_control_path {
  char socket[TRP_SOCKET_PATH_BYTES];
  char lock[TRP_SOCKET_PATH_BYTES];
  int lock_fd; /* -1: not held */
};

/* Makes the folder, takes the lock, and clears away a dead system's socket. `why` gets a sentence
 * for a person where it fails. Errors: EXISTS (a system of this name lives, or something that is no
 * socket lies there), NOT_ALLOWED (the folder is not ours alone), TOO_BIG, INVALID, SYSTEM. */
TRP_MUST_USE enum trp_err trp_control_path_open(struct trp_control_path *path, const char *system,
                                                char *why, size_t why_bytes);

/* Removes socket and lock and lets go of the lock. Safe twice, and after a failed open. */
void trp_control_path_close(struct trp_control_path *path);

/* Removes the two by unlink(2) alone: for a process that leaves at once. */
void trp_control_path_unlink(const struct trp_control_path *path);

/* How many descriptors of this process are connections that came in at the socket. */
size_t trp_control_path_connections(const struct trp_control_path *path);

/* Whether somebody listens there: TRP_OK, NO_ACTOR (nothing there), CONNECT (a socket that nobody
 * listens on), NOT_ALLOWED, INVALID (no socket). Connects and hangs up at once. */
enum trp_err trp_control_path_probe(const char *socket);

/* The sockets of living systems: the first TRP_SOCKETS_MAX, in the order of their names. `looked`
 * (which may be NULL) gets the folders that were looked at, for a person. Returns how many. */
size_t trp_control_path_find(char (*sockets)[TRP_SOCKET_PATH_BYTES], char *looked,
                             size_t looked_bytes);

#endif
