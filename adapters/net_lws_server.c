/* The listener: WebSocket peers and HTTP requests on one port, with TLS or without.
 *
 * The socket is our own and its connections are handed to libwebsockets, so that an address that is
 * taken is an error here and the number of connections has a bound. While a request waits for its
 * answer its connection is not read: libwebsockets ignores input in that state, and poll would
 * spin. So a client that hangs up meanwhile is noticed when the answer is written.
 *
 * Paths come as libwebsockets decoded them (%41 is "A", "//" is "/"). */
#include "adapters/net_lws.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128
#define ACCEPTS_A_ROUND 16
#define HELLO_TIMEOUT_S 10       /* a connection that says nothing */
#define ANSWER_TIMEOUT_MS 30000u /* an answer that is not taken */
#define PATH_BYTES 4096
#define HEADER_BYTES 4096
#define ANSWER_MAX (64u << 20)

/* ---- listening ----------------------------------------------------------------------------- */

static socklen_t fill_address(struct sockaddr_storage *to, const char *host, uint16_t port) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)to;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)to;
  memset(to, 0, sizeof *to);
  if (host == NULL || strcmp(host, "localhost") == 0) {
    host = "127.0.0.1";
  }
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return sizeof *v4;
  }
  if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof *v6;
  }
  return 0;
}

static uint16_t port_of(int fd) {
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
    return 0;
  }
  return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&address)->sin6_port
                                             : ((struct sockaddr_in *)(void *)&address)->sin_port);
}

enum trp_err trp_net_server_listen(struct trp_net *base, const char *host, uint16_t *port) {
  struct trp_net_lws_loop *on = trp_net_lws_of(base)->on;
  if (base->shared != NULL) return TRP_WRONG_STATE; /* who comes would be nobody's in particular */
  if (on->listen_fd >= 0) {                         /* an earlier incarnation did it */
    bool same = *port == 0 || *port == on->port;
    *port = on->port;
    bool back = same && trp_net_lws_watch_listener(on, on->listen_fd); /* from its end on away */
    return back ? TRP_OK : same ? TRP_SYSTEM : TRP_INVALID;
  }
  struct sockaddr_storage address;
  socklen_t size = fill_address(&address, host, *port);
  if (size == 0) {
    return TRP_INVALID;
  }
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0 ||
      !trp_net_lws_watch_listener(on, fd)) {
    int why = errno;
    if (fd >= 0) {
      close(fd);
    }
    errno = why;
    return TRP_CONNECT;
  }
  on->listen_fd = fd;
  *port = on->port = port_of(fd);
  return TRP_OK;
}

bool trp_net_server_accept(struct trp_net_lws_loop *on) {
  const int yes = 1;
  for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
    int fd = accept4(on->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct lws *wsi = lws_adopt_socket_vhost(on->served, fd); /* closes it where it fails */
    if (wsi != NULL) {
      on->accepted[on->accepted_count++] = wsi;
      lws_set_timeout(wsi, PENDING_TIMEOUT_ESTABLISH_WITH_SERVER, HELLO_TIMEOUT_S);
    }
  }
  return true;
}

static void forget_accepted(struct trp_net_lws_loop *on, const struct lws *wsi) {
  size_t i = 0;
  while (i < on->accepted_count && on->accepted[i] != wsi) {
    i++;
  }
  if (i < on->accepted_count) {
    on->accepted[i] = on->accepted[--on->accepted_count];
  }
}

void trp_net_server_kill_strangers(struct trp_net_lws_loop *on) {
  for (size_t i = 0; i < on->accepted_count; i++) {
    if (lws_get_opaque_user_data(on->accepted[i]) == NULL) {
      lws_set_timeout(on->accepted[i], PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    }
  }
}

/* ---- who comes ----------------------------------------------------------------------------- */

/* Path and query as one text; false where they do not fit. */
static bool copy_path(struct lws *wsi, char *to, size_t room) {
  static const enum lws_token_indexes tokens[] = {WSI_TOKEN_GET_URI, WSI_TOKEN_POST_URI,
                                                  WSI_TOKEN_PUT_URI, WSI_TOKEN_DELETE_URI};
  int n = 0;
  for (size_t i = 0; i < sizeof tokens / sizeof tokens[0] && n == 0; i++) {
    n = lws_hdr_copy(wsi, to, (int)room, tokens[i]);
  }
  if (n <= 0) {
    return false;
  }
  size_t used = (size_t)n;
  for (int fragment = 0;; fragment++) {
    if (lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, fragment) <= 0) {
      return true;
    }
    if (used + 2 > room) {
      return false;
    }
    to[used++] = fragment == 0 ? '?' : '&';
    n = lws_hdr_copy_fragment(wsi, to + used, (int)(room - used), WSI_TOKEN_HTTP_URI_ARGS,
                              fragment);
    if (n < 0) {
      return false;
    }
    used += (size_t)n;
  }
}

static const char *method_of(struct lws *wsi) {
  char *uri;
  int size;
  switch (lws_http_get_uri_and_method(wsi, &uri, &size)) {
    case LWSHUMETH_GET:
      return "GET";
    case LWSHUMETH_POST:
      return "POST";
    case LWSHUMETH_PUT:
      return "PUT";
    case LWSHUMETH_DELETE:
      return "DELETE";
    default:
      return NULL;
  }
}

static struct trp_net_link *new_link(struct lws *wsi, enum trp_net_link_kind kind) {
  struct trp_net_lws_loop *on = lws_context_user(lws_get_context(wsi));
  struct trp_net_lws *net = on->owner;
  struct trp_net_link *link;
  if (trp_net_queue_full(&net->queue) || trp_net_link_new(net, kind, &link) != TRP_OK) {
    return NULL;
  }
  link->wsi = wsi;
  lws_set_opaque_user_data(wsi, link);
  return link;
}

/* The path waits in link->body until the peer is accepted. */
static int filter_peer(struct lws *wsi) {
  char path[PATH_BYTES];
  struct trp_net_link *link =
      copy_path(wsi, path, sizeof path) ? new_link(wsi, TRP_NET_LINK_PEER) : NULL;
  if (link == NULL) {
    return -1;
  }
  if (trp_net_buffer_add(&link->body, path, strlen(path) + 1, sizeof path) != TRP_OK) {
    trp_net_link_detach(link);
    trp_net_link_drop(link);
    return -1;
  }
  return 0;
}

static int accept_peer(struct trp_net_link *link) {
  if (!trp_net_link_push(link, (struct trp_net_event){.kind = TRP_NET_ACCEPTED,
                                                      .peer = trp_net_link_address(link),
                                                      .path = (const char *)link->body.data})) {
    return -1;
  }
  link->state = TRP_NET_LINK_OPEN;
  trp_net_buffer_fini(&link->body);
  lws_callback_on_writable(link->wsi); /* one WRITEABLE may be due from the handshake */
  return 0;
}

/* ---- requests ------------------------------------------------------------------------------ */

static int refuse_request(struct lws *wsi, unsigned status) {
  return lws_return_http_status(wsi, status, NULL) != 0 ? -1 : lws_http_transaction_completed(wsi);
}

/* A failure is the connection's end, of which its callback tells. */
static int push_request(struct trp_net_link *link) {
  if (!trp_net_link_push(link, (struct trp_net_event){.kind = TRP_NET_REQUEST,
                                                      .peer = trp_net_link_address(link),
                                                      .method = link->method,
                                                      .path = (const char *)link->body.data,
                                                      .bytes = link->in.data,
                                                      .size = link->in.size})) {
    return -1;
  }
  link->state = TRP_NET_LINK_OPEN;
  link->held = true;
  trp_net_link_flow(link);
  lws_set_timeout(link->wsi, NO_PENDING_TIMEOUT, 0);
  trp_net_buffer_fini(&link->body);
  trp_net_buffer_fini(&link->in);
  return 0;
}

static int start_request(struct lws *wsi) {
  char path[PATH_BYTES];
  char length[24];
  const char *method = method_of(wsi);
  if (method == NULL || !copy_path(wsi, path, sizeof path)) {
    return refuse_request(wsi, method == NULL ? 405 : 414);
  }
  struct trp_net_link *link = new_link(wsi, TRP_NET_LINK_ASK);
  if (link == NULL) {
    return refuse_request(wsi, 503);
  }
  link->state = TRP_NET_LINK_CONNECTING; /* its body is still coming */
  snprintf(link->method, sizeof link->method, "%s", method);
  if (trp_net_buffer_add(&link->body, path, strlen(path) + 1, sizeof path) != TRP_OK) {
    trp_net_link_detach(link);
    trp_net_link_drop(link);
    return -1;
  }
  bool body = lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 &&
              (strcmp(length, "0") != 0 || strcmp(method, "POST") == 0);
  return body ? 0 : push_request(link);
}

static int take_body(struct trp_net_link *link, const void *bytes, size_t size) {
  if (trp_net_buffer_add(&link->in, bytes, size, link->frame_max) == TRP_OK) {
    return 0;
  }
  trp_net_link_detach(link);
  trp_net_link_drop(link);
  return -1;
}

/* ---- answers ------------------------------------------------------------------------------- */

static bool add_text(uint8_t **at, const uint8_t *end, const char *text) {
  size_t n = strlen(text);
  if (n > (size_t)(end - *at)) {
    return false;
  }
  memcpy(*at, text, n);
  *at += n;
  return true;
}

static const char *status_text(uint16_t status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 418:
      return "I'm a teapot";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

/* Head and body in one block with libwebsockets' headroom. */
static enum trp_err compose(struct trp_net_link *link, uint16_t status, const char *content_type,
                            const char *extra, const void *body, size_t size) {
  uint8_t head[LWS_PRE + HEADER_BYTES] = {0};
  const uint8_t *end = head + sizeof head;
  uint8_t *at = head + LWS_PRE;
  char line[96];
  snprintf(line, sizeof line, "HTTP/1.1 %u %s\r\nContent-Length: %zu\r\n", (unsigned)status,
           status_text(status), size);
  if (!add_text(&at, end, line) || !add_text(&at, end, "Content-Type: ") ||
      !add_text(&at, end, content_type != NULL ? content_type : "application/json") ||
      !add_text(&at, end, "\r\n") || !add_text(&at, end, extra != NULL ? extra : "") ||
      !add_text(&at, end, "\r\n")) {
    return TRP_INVALID;
  }
  link->body.size = 0;
  enum trp_err err = trp_net_buffer_add(&link->body, head, (size_t)(at - head), SIZE_MAX);
  if (err == TRP_OK) {
    err = trp_net_buffer_add(&link->body, body, size, SIZE_MAX);
  }
  return err;
}

enum trp_err trp_net_server_respond(struct trp_net *base, uint64_t id, uint16_t status,
                                    const char *content_type, const char *extra, const void *body,
                                    size_t size) {
  struct trp_net_link *link = trp_net_link_find(trp_net_lws_of(base), id);
  if (link == NULL || link->kind != TRP_NET_LINK_ASK || link->state != TRP_NET_LINK_OPEN) {
    return TRP_WRONG_STATE;
  }
  if (status < 100 || status > 999 || size > ANSWER_MAX) {
    return TRP_INVALID;
  }
  enum trp_err err = compose(link, status, content_type, extra, body, size);
  if (err != TRP_OK) {
    return err;
  }
  link->state = TRP_NET_LINK_CLOSING;
  link->body_sent = LWS_PRE;
  trp_net_link_due(link, trp_net_lws_now_ns() + ANSWER_TIMEOUT_MS * TRP_NS_PER_MS);
  link->held = link->held_full = false; /* libwebsockets does not write either while it is held */
  trp_net_link_flow(link);
  lws_callback_on_writable(link->wsi);
  return TRP_OK;
}

/* The pieces lie one after the other in our block, so a piece's headroom is what was sent already.
 */
static int write_answer(struct trp_net_link *link, struct lws *wsi) {
  if (link->state != TRP_NET_LINK_CLOSING) {
    return 0;
  }
  size_t size = link->body.size - link->body_sent;
  size = size > TRP_NET_READ_BYTES ? TRP_NET_READ_BYTES : size;
  bool last = link->body_sent + size == link->body.size;
  if (lws_write(wsi, link->body.data + link->body_sent, size,
                last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0) {
    return -1;
  }
  link->body_sent += size;
  if (!last) {
    lws_callback_on_writable(wsi);
    return 0;
  }
  trp_net_link_detach(link);
  trp_net_link_drop(link);
  return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

/* The client hung up. Before the answer its owner is told; the answer itself ended the link. */
static void request_ended(struct trp_net_link *link) {
  trp_net_link_detach(link);
  if (link->state == TRP_NET_LINK_OPEN) {
    trp_net_link_closed(link, 1006, false, "the client hung up");
  } else {
    trp_net_link_drop(link);
  }
}

/* ---- callbacks ----------------------------------------------------------------------------- */

/* For OpenSSL's verdicts, which libwebsockets hands to the context's first protocol. */
static int note_certificate(struct lws *wsi, X509_STORE_CTX *store, size_t accepted) {
  struct trp_net_link *link = lws_get_opaque_user_data(wsi);
  if (link != NULL && !accepted) {
    link->tls_reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
  }
  return 0; /* the verdict stays as it is */
}

/* A peer that was never accepted is nobody's. */
static void peer_ended(struct trp_net_link *link) {
  if (link->state == TRP_NET_LINK_OPEN || link->state == TRP_NET_LINK_CLOSING) {
    trp_net_ws_ended(link);
  } else {
    trp_net_link_detach(link);
    trp_net_link_drop(link);
  }
}

/* A connection that died between two callbacks that we know. */
static void destroyed(struct trp_net_link *link) {
  switch (link->kind) {
    case TRP_NET_LINK_WS:
      trp_net_ws_ended(link);
      break;
    case TRP_NET_LINK_HTTP:
      trp_net_link_connect_failed(link, NULL, 0);
      break;
    case TRP_NET_LINK_PEER:
      peer_ended(link);
      break;
    case TRP_NET_LINK_ASK:
      request_ended(link);
      break;
  }
}

static int peer_callback(struct trp_net_link *link, struct lws *wsi,
                         enum lws_callback_reasons reason, void *in, size_t size) {
  switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED:
      return accept_peer(link);
    case LWS_CALLBACK_RECEIVE:
      return trp_net_ws_receive(link, wsi, in, size);
    case LWS_CALLBACK_RECEIVE_PONG:
      trp_net_ws_pong(link, in, size);
      return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
      return trp_net_ws_writeable(link, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
      trp_net_ws_peer_close(link, in, size);
      return 0;
    case LWS_CALLBACK_CLOSED:
      peer_ended(link);
      return 0;
    default:
      return 0;
  }
}

static int request_callback(struct trp_net_link *link, struct lws *wsi,
                            enum lws_callback_reasons reason, void *in, size_t size) {
  switch ((int)reason) {
    case LWS_CALLBACK_HTTP_BODY:
      return take_body(link, in, size);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
      return push_request(link);
    case LWS_CALLBACK_HTTP_WRITEABLE:
      return write_answer(link, wsi);
    case LWS_CALLBACK_CLOSED_HTTP:
      request_ended(link);
      return 0;
    default:
      return 0;
  }
}

int trp_net_server_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                            size_t size) {
  (void)in;
  switch ((int)reason) {
    case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
      return note_certificate(wsi, user, size);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
      return filter_peer(wsi);
    case LWS_CALLBACK_HTTP:
      return start_request(wsi);
    case LWS_CALLBACK_GET_THREAD_ID:
    case LWS_CALLBACK_PROTOCOL_INIT:
    case LWS_CALLBACK_PROTOCOL_DESTROY:
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
      return 0;
    default:
      break;
  }
  if (reason == LWS_CALLBACK_WSI_DESTROY) {
    forget_accepted(lws_context_user(lws_get_context(wsi)), wsi);
  }
  struct trp_net_link *link = lws_get_opaque_user_data(wsi);
  if (link == NULL) {
    return 0;
  }
  if (reason == LWS_CALLBACK_WSI_DESTROY) {
    if (link->wsi == wsi) {
      destroyed(link);
    }
    return 0;
  }
  if (link->kind == TRP_NET_LINK_PEER) {
    return peer_callback(link, wsi, reason, in, size);
  }
  return link->kind == TRP_NET_LINK_ASK ? request_callback(link, wsi, reason, in, size) : 0;
}
