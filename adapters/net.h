/* net.h - the seam between protocol logic and the network: links that are real or simulated.
 *
 * A net belongs to an actor's slot and survives its restarts (its TLS context must not be made
 * anew); links belong to the incarnation. The net has the slot's trp_loop (trp_net_loop): the
 * actor's thread sleeps in it. Its callbacks only fill buffers and call trp_notify; the actor then
 * takes events one by one with next() in its `ready` turn. Everything is bounded: frames, bodies,
 * queues, every wait.
 *
 * Implementations: net_lws.c (libwebsockets and c-ares), net_sim.c (delay, drop, silence,
 * half-open, reorder by seed). One conformance suite runs over both.
 *
 * Ownership: requests are copied. An event's bytes are borrowed until the next call on the net.
 * Every link ends with exactly one CLOSED, FAILED or RESPONSE event, unless cancel()ed: then none.
 * Thread: the slot's own thread, of a port and the net that it shares the loop's, except new, port
 * and destroy (start-up, serial in the process). */
#ifndef TRP_ADAPTERS_NET_H
#define TRP_ADAPTERS_NET_H

#include "runtime/troupe.h"

struct trp_net;

/* A link is named by a plain uint64_t of its net: never reused, 0 is none. */

enum trp_net_event_kind {
  TRP_NET_OPENED = 1, /* client: the WebSocket stands */
  TRP_NET_FRAME,      /* a whole message, assembled; ping and pong come as their own kinds */
  TRP_NET_PING,       /* was answered already; for the heartbeat's clock */
  TRP_NET_PONG,
  TRP_NET_CLOSED,   /* the other side closed, or our close is done: code, reason */
  TRP_NET_FAILED,   /* resolving, connecting, TLS, handshake or I/O failed: err, reason */
  TRP_NET_RESPONSE, /* client: the HTTP response: status, body, retry_after_s */
  TRP_NET_ACCEPTED, /* server: a WebSocket peer at `path` (with its query) */
  TRP_NET_REQUEST   /* server: an HTTP request: method, path with query, body; answer by respond */
};

struct trp_net_event {
  enum trp_net_event_kind kind;
  uint64_t link;
  enum trp_err err;
  bool binary;     /* FRAME */
  bool proper;     /* CLOSED: by a close frame from the other side (or both), not a dead socket */
  uint16_t code;   /* CLOSED: the close code, 1006 where there was none */
  uint16_t status; /* RESPONSE: HTTP status; FAILED of a handshake: the HTTP status if any */
  uint32_t retry_after_s; /* RESPONSE or FAILED: of the Retry-After header, 0 where absent */
  const char *method;     /* REQUEST */
  const char *path;       /* ACCEPTED, REQUEST: path and query */
  uint64_t peer;          /* ACCEPTED, REQUEST: equal numbers are equal addresses; 0: unknown */
  const char *reason;     /* CLOSED, FAILED: for a person; never NULL */
  const void *bytes;      /* FRAME, RESPONSE, REQUEST body */
  size_t size;
  uint64_t at_ns; /* when the bytes were taken from the socket */
};

/* A URL: ws:// wss:// http:// https://, host, port, path with query. */
struct trp_net_request {
  const char *url;
  const char *method; /* HTTP: "GET" where NULL */
  const void *body;   /* HTTP */
  size_t body_bytes;
  const char *ca_file; /* TLS: an own authority instead of the system's; NULL */
  uint32_t timeout_ms; /* until OPENED, or until the whole RESPONSE; 0: 10,000 */
  uint32_t frame_max;  /* bytes of the largest message or body; 0: 1 MiB (HTTP: 8 MiB) */
};

struct trp_net_options;

struct trp_net_ops {
  /* Starts a WebSocket; OPENED or FAILED follows. Errors: INVALID (the url), LIMIT, NO_MEMORY. */
  enum trp_err (*ws_open)(struct trp_net *net, const struct trp_net_request *request,
                          uint64_t *link);
  /* Queues a message. Errors: WRONG_STATE (not open), FULL (the send queue's bound). */
  enum trp_err (*ws_send)(struct trp_net *net, uint64_t link, bool binary, const void *bytes,
                          size_t size);
  enum trp_err (*ws_ping)(struct trp_net *net, uint64_t link, const void *bytes, size_t size);
  /* Sends what is queued, then a close frame; CLOSED follows within `timeout_ms` in any case.
   * On a link that is not open yet it is a cancel with CLOSED. */
  void (*ws_close)(struct trp_net *net, uint64_t link, uint16_t code, const char *reason,
                   uint32_t timeout_ms);
  /* Starts an HTTP request; RESPONSE or FAILED follows. Errors as ws_open. */
  enum trp_err (*http_send)(struct trp_net *net, const struct trp_net_request *request,
                            uint64_t *link);
  /* Ends a link at once in any state, resolving included; no event of it comes any more. Link 0:
   * all links, connections that are nobody's link (newcomers, answers on their way) and events that
   * wait: for the end of an incarnation, after which nobody might run the loop. Who knocks from
   * then on waits at the door until the next one listens. */
  void (*cancel)(struct trp_net *net, uint64_t link);
  /* Starts to listen for WebSocket and HTTP; *port gets the real one (asked 0: any).
   * Belongs to the net, not the incarnation. Errors: CONNECT (the address is
   * taken or not ours; errno may tell), INVALID, SYSTEM, WRONG_STATE (a port does not listen). */
  enum trp_err (*listen)(struct trp_net *net, const char *host, uint16_t *port);
  /* Answers a REQUEST link and ends it. `extra` is header lines ("Retry-After: 3\r\n") or NULL. */
  enum trp_err (*respond)(struct trp_net *net, uint64_t link, uint16_t status,
                          const char *content_type, const char *extra, const void *body,
                          size_t size);
  /* Reads nothing more from the link until told otherwise (backpressure, stall faults). */
  void (*hold)(struct trp_net *net, uint64_t link, bool held);
  /* The next event, false where there is none. */
  bool (*next)(struct trp_net *net, struct trp_net_event *out);
  /* Links that live (of all kinds), for the account. */
  size_t (*live)(struct trp_net *net);
  /* See trp_net_port. */
  enum trp_err (*port)(struct trp_net *shared, const struct trp_net_options *options,
                       struct trp_net **out);
  void (*destroy)(struct trp_net *net); /* cancels what lives. Thread: start-up */
};

/* Embedded first in an implementation. */
struct trp_net {
  struct trp_loop loop;
  struct trp_net *shared; /* of a port: on whose loop it is */
  const struct trp_net_ops *ops;
  struct trp_system *system; /* set by bind */
  struct trp_ref slot;
  /* What a peer asked for (Retry-After) it asked of the slot, for it knows no incarnation: no new
   * stream, and no HTTP request, before. Kept and obeyed by the actor; 0: nothing was asked. */
  uint64_t stream_not_before_ns, http_not_before_ns;
};

/* Tells a net whom to notify. Called by the actor's start(). Thread: the slot's. */
static inline void trp_net_bind(struct trp_net *net, struct trp_system *system,
                                struct trp_ref slot) {
  net->system = system;
  net->slot = slot;
}

/* The loop for the spec of who uses the net. */
static inline struct trp_loop *trp_net_loop(struct trp_net *net) {
  return net->shared != NULL ? &net->shared->loop : &net->loop;
}

struct trp_net_options {
  uint32_t links_max;      /* 64 */
  uint32_t send_queue_max; /* messages a link may queue: 1,024 */
  uint32_t
      event_bytes_max;  /* bytes of received events that may wait before reading is held: 4 MiB */
  const char *tls_cert; /* a listener with TLS: its certificate chain, PEM; NULL: without */
  const char *tls_key;  /* and its private key */
};

/* A real net. Contexts are made serially: call before any other thread makes one.
 * Errors: INVALID (certificate or key), NO_MEMORY, SYSTEM. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_net_lws_new(struct trp_net **out,
                                          const struct trp_net_options *options);

/* A net on the loop of another, for many actors placed TRP_IO: each has a port of its own, with its
 * own events, links and bounds, and what it cancels is its own. What is shared is the loop, its
 * thread, and the bound of all links together, which is the shared net's links_max. A port does not
 * listen. Of the options, links_max is 32 and event_bytes_max 256 KiB by default, and there is no
 * certificate. Ports are destroyed before the net that they share. Errors: NO_MEMORY. Thread:
 * start-up. */
TRP_MUST_USE static inline enum trp_err trp_net_port(struct trp_net *shared,
                                                     const struct trp_net_options *options,
                                                     struct trp_net **out) {
  return shared->ops->port(shared, options, out);
}

/* Takes the net away and nulls the pointer; NULL is fine. Thread: start-up. */
void trp_net_destroy(struct trp_net **net);

#endif
