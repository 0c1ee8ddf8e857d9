/* control_client.h - the other end of the control socket: an nng REQ that asks one thing at a time.
 *
 * Every wait has a deadline. A request that got no answer may be repeated with the same id: the
 * other side does not act twice (proto/protocol.md, "Repeating"). A client is one thread's. */
#ifndef TRP_ADAPTERS_CONTROL_CLIENT_H
#define TRP_ADAPTERS_CONTROL_CLIENT_H

#include "proto/control.h"

struct trp_control_client;

/* A client of the socket at that path, connected; it connects again by itself. Errors: NO_MEMORY,
 * SYSTEM, TOO_BIG, TIMEOUT (somebody listens and says nothing for 2 s), and those of
 * trp_control_path_probe. */
TRP_MUST_USE enum trp_err trp_control_client_open(struct trp_control_client **out,
                                                  const char *path);

/* NULL is fine. */
void trp_control_client_close(struct trp_control_client **client);

/* A number for a request that nobody else uses. */
uint64_t trp_control_client_id(void);

/* Asks, and waits for the answer up to so many milliseconds. The answer looks into the client until
 * the next call. Errors: TIMEOUT, CLOSED (nobody listens there any more), INVALID (the request),
 * PROTOCOL (the answer makes no sense), SYSTEM. */
TRP_MUST_USE enum trp_err trp_control_client_ask(struct trp_control_client *client,
                                                 const struct trp_request *request,
                                                 uint32_t timeout_ms, struct trp_answer *answer);

#endif
