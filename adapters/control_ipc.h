/* control_ipc.h - the control actor's edge over ipc: a REP of nng's protocol on a Unix socket,
 * which any nng REQ can talk to.
 *
 * The socket lies where control_path.h says, with mode 0600; a peer with another user's id is shut
 * out. Peers, requests and waits are bounded; a peer that says nothing, nonsense, or too much loses
 * its connection and nobody else notices. Requests that come while the actor is down wait a while
 * for its next incarnation.
 *
 * Open it before trp_system_run and close it afterwards, before trp_system_destroy: it tells the
 * system of requests. Thread: open and close: outside; the edge's functions: the actor's turns. */
#ifndef TRP_ADAPTERS_CONTROL_IPC_H
#define TRP_ADAPTERS_CONTROL_IPC_H

#include "actors/control_edge.h"

struct trp_control_ipc;

/* Takes the socket for a system of that name and listens. `why` gets a sentence where it fails.
 * Errors: EXISTS, NOT_ALLOWED, TOO_BIG, INVALID, NO_MEMORY, SYSTEM (control_path.h). */
TRP_MUST_USE enum trp_err trp_control_ipc_open(struct trp_control_ipc **out, const char *system,
                                               char *why, size_t why_bytes);

/* Closes socket and connections, and removes the socket and its lock. NULL is fine. */
void trp_control_ipc_close(struct trp_control_ipc **ipc);

/* For the control actor's options. Lives as long as `ipc`. */
struct trp_control_edge *trp_control_ipc_edge(struct trp_control_ipc *ipc);

/* Where clients find it. */
const char *trp_control_ipc_path(const struct trp_control_ipc *ipc);

/* A trp_system_options.on_leave: removes socket and lock by unlink(2) alone. */
void trp_control_ipc_leave(void *ipc);

#endif
