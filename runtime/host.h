/* host.h - inside the process that an actor is placed in: the process's main, and what the actor's
 * functions do there instead of touching other actors.
 *
 * The process runs a system of one actor, whose block lies in the page that the slot's side sees.
 * Letters come over the link into its mailbox; news of others into its lane; what it sends goes out
 * as frames. `system->host` is NULL everywhere else, and none of this is called.
 *
 * Thread: find, whereis, stop: any. Else: owner. */
#ifndef TRP_RUNTIME_HOST_H
#define TRP_RUNTIME_HOST_H

#include <stdarg.h>

#include "runtime/troupe.h"

struct trp_actor;
struct trp_host;
struct trp_node;

/* Whether main has said that it can host this kind. Thread: any. */
bool trp_host_knows(const struct trp_kind *kind);

/* ---- for turn.c ---- */

struct trp_actor *trp_host_block(struct trp_host *host);
struct trp_actor *trp_host_find(struct trp_host *host, struct trp_ref ref);
void trp_host_open(struct trp_host *host, struct trp_msg *msg); /* who sent it, what it asks */
void trp_host_deliver(struct trp_actor *actor, struct trp_node *node);
void trp_host_after_step(struct trp_actor *actor, uint64_t debts); /* tells what has changed */

/* ---- for the author's functions, which they stand in for (troupe.h) ---- */

struct trp_ref trp_host_self(struct trp_host *host);
struct trp_ref trp_host_whereis(struct trp_host *host, const char *name);
enum trp_err trp_host_send(struct trp_host *host, struct trp_ref to, uint16_t type,
                           const void *body, size_t bytes);
enum trp_err trp_host_ask(struct trp_self *self, struct trp_ref to, uint16_t type, const void *body,
                          size_t bytes, uint64_t timeout_ns, uint64_t *correlation);
void trp_host_cancel(struct trp_host *host, uint64_t token);
enum trp_err trp_host_reply(struct trp_host *host, uint64_t token, uint16_t type, const void *body,
                            size_t bytes);
enum trp_err trp_host_watch(struct trp_host *host, const char *name, uint64_t *id);
enum trp_err trp_host_monitor(struct trp_host *host, struct trp_ref who, uint64_t *id);
void trp_host_demonitor(struct trp_host *host, uint64_t id);
enum trp_err trp_host_edge(struct trp_host *host, struct trp_ref from, struct trp_ref to, bool add);
__attribute__((format(printf, 4, 0))) void trp_host_log(struct trp_host *host,
                                                        enum trp_log_level level, const char *event,
                                                        const char *format, va_list args);
void trp_host_journal(struct trp_host *host, uint16_t type, const void *body, size_t bytes);
uint32_t trp_host_depth(struct trp_host *host);

/* True where the stop is the whole system's business; false: this process's own. */
bool trp_host_stop(struct trp_host *host, const char *reason);

#endif
