/* net_lws.h - what the parts of the real net share; private to net_lws*.c and their test.
 *
 *   net_lws.c         nets: alone or on a shared loop, their events, their links' deadlines
 *   net_lws_loop.c    the loop: the context, and what wakes it
 *   net_lws_link.c    links: made, found, resolved, connected, ended
 *   net_lws_ws.c      WebSocket: the client, and what client and server have in common
 *   net_lws_http.c    the HTTP client
 *   net_lws_server.c  the listener: WebSocket peers and HTTP requests
 *
 * One libwebsockets context a loop, made once. A link and its `struct lws` know each other by
 * link->wsi and the wsi's opaque pointer; both are cut when a link ends, so that what libwebsockets
 * still says about an old connection reaches nobody. Callbacks only take notes and push events.
 *
 * Thread: the loop's own; trp_net_lws_new, ports and destroy: start-up. */
#ifndef TRP_ADAPTERS_NET_LWS_H
#define TRP_ADAPTERS_NET_LWS_H

#include <libwebsockets.h>

#include "adapters/net.h"
#include "adapters/net_cares.h"
#include "adapters/net_queue.h"
#include "adapters/net_url.h"

#define TRP_NET_READ_BYTES 16384u     /* of a frame that comes in one piece */
#define TRP_NET_CLOSE_REASON_MAX 123u /* RFC 6455, 5.5.1 */
#define TRP_NET_SEND_MAX (16u << 20)  /* bytes of one message, and of all that wait on a link */
#define TRP_NET_AUTHORITIES_MAX 8u    /* different ca_files of a net */

enum trp_net_link_kind { TRP_NET_LINK_WS, TRP_NET_LINK_HTTP, TRP_NET_LINK_PEER, TRP_NET_LINK_ASK };

enum trp_net_link_state {
  TRP_NET_LINK_RESOLVING,
  TRP_NET_LINK_CONNECTING, /* TCP, TLS, handshake; HTTP: until the response is whole */
  TRP_NET_LINK_OPEN,       /* a server's request: not answered yet */
  TRP_NET_LINK_CLOSING     /* a server's request: the answer is on its way */
};

struct trp_net_message { /* waits for the socket */
  struct trp_net_message *next;
  enum lws_write_protocol type;
  size_t size;
  uint8_t data[]; /* LWS_PRE bytes for libwebsockets, then the message */
};

struct trp_net_buffer {
  uint8_t *data;
  size_t size;
  size_t capacity;
};

struct trp_net_lws;

struct trp_net_link {
  struct trp_net_lws *net;
  uint64_t id;
  enum trp_net_link_kind kind;
  enum trp_net_link_state state;
  struct lws *wsi;      /* NULL: none (yet, or any more) */
  uint64_t deadline_ns; /* UINT64_MAX: none; set by trp_net_link_due */
  uint32_t frame_max;

  /* client */
  struct trp_net_url url;
  struct lws_vhost *vhost;
  struct trp_net_query *query;
  struct trp_net_addresses addresses;
  size_t address_next;
  bool connect_now;    /* the loop shall try the next address */
  bool connected;      /* TCP stands */
  bool handshake_sent; /* TLS stands too, where there is TLS */
  bool chunked;
  bool complete; /* the whole response is there */
  uint16_t status;
  uint32_t retry_after_s;
  const char *tls_reason;
  char method[8];
  struct trp_net_buffer body; /* of the request sent, or of the answer */
  size_t body_sent;

  /* both */
  struct trp_net_buffer in; /* a message or body in the making */
  bool held;                /* by the owner */
  bool held_full;           /* because too many events wait */
  bool reading;             /* what libwebsockets was told last */
  bool asked;               /* a WRITEABLE is due that says nothing about a ping */
  struct trp_net_message *send_first;
  struct trp_net_message *send_last;
  uint32_t send_count;
  size_t send_bytes;
  bool close_sent;
  bool peer_closed;
  uint16_t close_code;
  char close_reason[TRP_NET_CLOSE_REASON_MAX + 1];
};

/* The context, and what wakes it: of one net, or shared by many. */
struct trp_net_lws_loop {
  struct trp_net_lws *owner;   /* the net that it was made with: it alone listens */
  struct trp_net_lws *nets;    /* all that are on it */
  struct trp_net_lws *waiting; /* those whose owner has events to take */
  struct lws_context *context;
  struct lws_vhost *plain;  /* clients without TLS */
  struct lws_vhost *served; /* the listener: plain, or one with a certificate */
  struct {
    char *ca_file; /* NULL: the system's authorities */
    struct lws_vhost *vhost;
  } authorities[TRP_NET_AUTHORITIES_MAX];
  size_t authority_count;
  struct trp_net_cares *cares;
  struct lws **accepted; /* every connection of the listener, links or not */
  size_t accepted_count;
  uint32_t links_max; /* of all nets together */
  uint32_t live;
  int epoll_fd;
  int wake_fd;
  int timer_fd;
  int listen_fd;
  uint16_t port;
  uint64_t armed_ns;     /* what the timer is set to */
  uint64_t links_due_ns; /* no link has anything due before */
  uint64_t accept_at_ns; /* when the listener comes back; UINT64_MAX: it is not away */
  bool woken;
  bool told;                     /* notified an owner in this run */
  struct trp_net_buffer scratch; /* for a message on its way out */
};

/* One owner's part of a loop. */
struct trp_net_lws {
  struct trp_net net;
  struct trp_net_options options;
  struct trp_net_lws_loop *on;
  struct trp_net_lws *next; /* on the same loop */
  struct trp_net_lws *waiting_next;
  struct trp_net_lws **waiting_before; /* what points to this one, while it waits */
  bool waits;
  struct trp_net_queue queue;
  struct trp_net_link **links; /* options.links_max slots */
  uint32_t live;
  uint64_t sequence;
  uint64_t links_due_ns;
  uint64_t notified_ns;
};

uint64_t trp_net_lws_now_ns(void);

static inline struct trp_net_lws *trp_net_lws_of(struct trp_net *net) {
  return (struct trp_net_lws *)(void *)net;
}

/* Tells whom it concerns that there are events. */
void trp_net_lws_news(struct trp_net_lws *net);

/* Something of the net is due then. */
void trp_net_lws_due(struct trp_net_lws *net, uint64_t at_ns);

/* Serves the links of which something is due. */
void trp_net_lws_serve_due(struct trp_net_lws *net, uint64_t now_ns);

/* No pings and no hanging up by libwebsockets: heartbeats are the adapter's. */
extern const lws_retry_bo_t trp_net_lws_no_validity;

/* ---- the loop ---- */

/* Errors: INVALID (certificate or key), NO_MEMORY, SYSTEM. */
TRP_MUST_USE enum trp_err trp_net_lws_loop_new(struct trp_net_lws_loop **out,
                                               struct trp_net_lws *owner,
                                               const struct trp_net_options *options);
void trp_net_lws_loop_destroy(struct trp_net_lws_loop *on);

/* The owner's trp_loop. */
void trp_net_lws_run(struct trp_loop *loop, uint64_t until_ns);
void trp_net_lws_wake(struct trp_loop *loop);

/* The vhost that trusts `ca_file`, or the system's authorities where NULL; made at its first use,
 * kept with the loop. Errors: LIMIT, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_net_lws_authority(struct trp_net_lws_loop *on, const char *ca_file,
                                                struct lws_vhost **out);

/* Where names are asked instead of the system's servers; borrowed. For tests. */
void trp_net_lws_servers(struct trp_net *net, const char *servers);

/* ---- links ---- */

/* Errors: LIMIT, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_net_link_new(struct trp_net_lws *net, enum trp_net_link_kind kind,
                                           struct trp_net_link **out);
/* NULL where it does not live. */
struct trp_net_link *trp_net_link_find(struct trp_net_lws *net, uint64_t id);

/* Makes a client link from a request and starts it. Errors: INVALID, LIMIT, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_net_link_start(struct trp_net_lws *net,
                                             const struct trp_net_request *request,
                                             enum trp_net_link_kind kind, uint64_t *id);

/* A number for the other end's address, as an event's `peer`. */
uint64_t trp_net_link_address(const struct trp_net_link *link);

/* Tries the next address; FAILED where none is left. */
void trp_net_link_connect(struct trp_net_link *link);

/* Cuts link and wsi apart without ending either. */
void trp_net_link_detach(struct trp_net_link *link);

/* Ends a link without an event; its connection is killed at the loop's next round. */
void trp_net_link_drop(struct trp_net_link *link);

/* End a link with an event. */
void trp_net_link_failed(struct trp_net_link *link, enum trp_err err, const char *reason);
void trp_net_link_closed(struct trp_net_link *link, uint16_t code, bool proper, const char *reason);

/* Sets the link's deadline. */
void trp_net_link_due(struct trp_net_link *link, uint64_t deadline_ns);

/* The link's deadline came. */
void trp_net_link_expired(struct trp_net_link *link);

/* Fits what libwebsockets reads to held and held_full. */
void trp_net_link_flow(struct trp_net_link *link);

/* Pushes an event of this link (id and time filled in); where there is no room for it any more,
 * false. Holds reading where the queue is full. */
bool trp_net_link_push(struct trp_net_link *link, struct trp_net_event event);

/* Notes status and Retry-After of a response. */
void trp_net_link_note_response(struct trp_net_link *link, struct lws *wsi);

/* The callback part that is the same for both clients: verdicts of connecting. */
int trp_net_link_connect_failed(struct trp_net_link *link, const char *reason, size_t size);

/* Adds to a buffer, which grows to `max` at most. Errors: TOO_BIG, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_net_buffer_add(struct trp_net_buffer *buffer, const void *bytes,
                                             size_t size, size_t max);
void trp_net_buffer_fini(struct trp_net_buffer *buffer);

/* ---- WebSocket, both sides ---- */

int trp_net_ws_receive(struct trp_net_link *link, struct lws *wsi, const void *bytes, size_t size);
int trp_net_ws_writeable(struct trp_net_link *link, struct lws *wsi);
void trp_net_ws_pong(struct trp_net_link *link, const void *bytes, size_t size);
void trp_net_ws_peer_close(struct trp_net_link *link, const uint8_t *bytes, size_t size);
void trp_net_ws_ended(struct trp_net_link *link);
void trp_net_ws_discard(struct trp_net_link *link); /* the queue of messages */

enum trp_err trp_net_ws_open(struct trp_net *net, const struct trp_net_request *request,
                             uint64_t *link);
enum trp_err trp_net_ws_send(struct trp_net *net, uint64_t link, bool binary, const void *bytes,
                             size_t size);
enum trp_err trp_net_ws_ping(struct trp_net *net, uint64_t link, const void *bytes, size_t size);
void trp_net_ws_close(struct trp_net *net, uint64_t link, uint16_t code, const char *reason,
                      uint32_t timeout_ms);

/* ---- HTTP client and server ---- */

enum trp_err trp_net_http_send(struct trp_net *net, const struct trp_net_request *request,
                               uint64_t *link);
enum trp_err trp_net_server_listen(struct trp_net *net, const char *host, uint16_t *port);
enum trp_err trp_net_server_respond(struct trp_net *net, uint64_t link, uint16_t status,
                                    const char *content_type, const char *extra, const void *body,
                                    size_t size);
/* Kills what the listener has accepted and is nobody's link; from the loop's next round. */
void trp_net_server_kill_strangers(struct trp_net_lws_loop *on);
/* The listener is readable. False: no descriptor is left, come again later. */
bool trp_net_server_accept(struct trp_net_lws_loop *on);
bool trp_net_lws_watch_listener(struct trp_net_lws_loop *on, int fd);
void trp_net_lws_unwatch_listener(struct trp_net_lws_loop *on);

/* libwebsockets' callbacks, one a protocol. */
int trp_net_server_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                            size_t size);
int trp_net_ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t size);
int trp_net_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                          size_t size);

#endif
