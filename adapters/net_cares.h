/* net_cares.h - names to addresses by c-ares, without blocking and without threads.
 *
 * Each query has a channel of its own, so that cancelling one ends it at once and no other;
 * /etc/hosts and "localhost" are answered too. The sockets are registered in an epoll descriptor
 * that the owner lends (their data.u64 is 0); when that turns readable, or deadline_ns() has come,
 * the owner calls process(), and from there alone the answers come, each exactly once.
 *
 * Thread: the owner's. */
#ifndef TRP_ADAPTERS_NET_CARES_H
#define TRP_ADAPTERS_NET_CARES_H

#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

#define TRP_NET_ADDRESSES_MAX 8u
#define TRP_NET_ADDRESS_BYTES 46u

struct trp_net_cares;
struct trp_net_query;

/* Numeric addresses in the order in which to try them (RFC 6724). */
struct trp_net_addresses {
  size_t count;
  char text[TRP_NET_ADDRESSES_MAX][TRP_NET_ADDRESS_BYTES];
};

/* err is OK (count > 0), RESOLVE or NO_MEMORY; `reason` is for a person. The query is gone. */
typedef void trp_net_resolved_fn(void *user, enum trp_err err, const char *reason,
                                 const struct trp_net_addresses *addresses);

/* Errors: NO_MEMORY, SYSTEM. Thread: start-up (it initialises the library). */
TRP_MUST_USE enum trp_err trp_net_cares_new(struct trp_net_cares **out, int epoll_fd);

/* Cancels what is under way. NULL is fine. Thread: start-up. */
void trp_net_cares_destroy(struct trp_net_cares **cares);

/* Servers to ask instead of the system's ("127.0.0.1:5353"); borrowed. For tests. */
void trp_net_cares_servers(struct trp_net_cares *cares, const char *servers);

/* Starts a query; the answer never comes from inside. Errors: NO_MEMORY, SYSTEM. */
TRP_MUST_USE enum trp_err trp_net_cares_start(struct trp_net_cares *cares, const char *host,
                                              trp_net_resolved_fn *resolved, void *user,
                                              struct trp_net_query **out);

/* Ends a query at once, without an answer; nulls the pointer. NULL is fine. */
void trp_net_cares_cancel(struct trp_net_cares *cares, struct trp_net_query **query);

/* Serves sockets and time-outs, and gives out what is answered. */
void trp_net_cares_process(struct trp_net_cares *cares);

/* When process() is due at the latest, UINT64_MAX where nothing is under way. */
uint64_t trp_net_cares_deadline_ns(const struct trp_net_cares *cares, uint64_t now_ns);

#endif
