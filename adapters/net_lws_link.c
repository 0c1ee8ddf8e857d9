/* Links: their table, and the way of a client's link to its connection.
 *
 * libwebsockets is always given a numeric address (it would call getaddrinfo, which blocks and
 * cannot be stopped), and the name only for the Host header, SNI and the certificate. Both a NULL
 * from connecting and CLIENT_CONNECTION_ERROR mean failure; the next address is then tried, within
 * the same deadline. No redirects, no HTTP/2, no pipelining, no permessage-deflate (4.1.6 loops for
 * ever on an uncompressed frame, upstream #2794). */
#include "adapters/net_lws.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define ID_SLOT_BITS 16
#define OPEN_TIMEOUT_MS 10000u
#define TIMEOUT_MAX_MS 110000u /* below libwebsockets' own patience */
#define MESSAGE_MAX (1u << 20)
#define BODY_MAX (8u << 20)

/* ---- buffers ------------------------------------------------------------------------------- */

enum trp_err trp_net_buffer_add(struct trp_net_buffer *buffer, const void *bytes, size_t size,
                                size_t max) {
  if (size > max || buffer->size > max - size) {
    return TRP_TOO_BIG;
  }
  size_t need = buffer->size + size;
  if (need > buffer->capacity) {
    size_t capacity = buffer->capacity ? buffer->capacity : 4096;
    while (capacity < need) {
      capacity *= 2;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL) {
      return TRP_NO_MEMORY;
    }
    buffer->data = data;
    buffer->capacity = capacity;
  }
  if (size > 0) {
    memcpy(buffer->data + buffer->size, bytes, size);
  }
  buffer->size = need;
  return TRP_OK;
}

void trp_net_buffer_fini(struct trp_net_buffer *buffer) {
  free(buffer->data);
  *buffer = (struct trp_net_buffer){0};
}

/* ---- the table ----------------------------------------------------------------------------- */

enum trp_err trp_net_link_new(struct trp_net_lws *net, enum trp_net_link_kind kind,
                              struct trp_net_link **out) {
  if (net->live == net->options.links_max || net->on->live == net->on->links_max ||
      !trp_net_queue_room(&net->queue)) {
    return TRP_LIMIT;
  }
  uint32_t slot = 0;
  while (net->links[slot] != NULL) {
    slot++;
  }
  struct trp_net_link *link = calloc(1, sizeof *link);
  if (link == NULL) {
    return TRP_NO_MEMORY;
  }
  link->net = net;
  link->id = ++net->sequence << ID_SLOT_BITS | slot;
  link->kind = kind;
  link->deadline_ns = UINT64_MAX;
  link->reading = true;
  link->asked = true;
  link->frame_max = MESSAGE_MAX;
  net->links[slot] = link;
  net->live++;
  net->on->live++;
  *out = link;
  return TRP_OK;
}

struct trp_net_link *trp_net_link_find(struct trp_net_lws *net, uint64_t id) {
  uint64_t slot = id & ((1u << ID_SLOT_BITS) - 1);
  struct trp_net_link *link = slot < net->options.links_max ? net->links[slot] : NULL;
  return link != NULL && link->id == id ? link : NULL;
}

void trp_net_link_detach(struct trp_net_link *link) {
  if (link->wsi != NULL) {
    lws_set_opaque_user_data(link->wsi, NULL);
    link->wsi = NULL;
  }
}

void trp_net_link_drop(struct trp_net_link *link) {
  struct trp_net_lws *net = link->net;
  struct lws *wsi = link->wsi;
  trp_net_link_detach(link);
  if (wsi != NULL) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
  }
  trp_net_cares_cancel(net->on->cares, &link->query);
  trp_net_ws_discard(link);
  trp_net_buffer_fini(&link->in);
  trp_net_buffer_fini(&link->body);
  net->links[link->id & ((1u << ID_SLOT_BITS) - 1)] = NULL;
  net->live--;
  net->on->live--;
  free(link);
}

/* ---- events -------------------------------------------------------------------------------- */

bool trp_net_link_push(struct trp_net_link *link, struct trp_net_event event) {
  struct trp_net_lws *net = link->net;
  event.link = link->id;
  event.at_ns = trp_net_lws_now_ns();
  event.reason = event.reason != NULL ? event.reason : "";
  bool was_empty = trp_net_queue_empty(&net->queue);
  if (!trp_net_queue_push(&net->queue, &event)) {
    return false;
  }
  net->on->woken = true; /* the loop returns: its owner has something to do */
  if (was_empty) {
    trp_net_lws_news(net);
  }
  if (trp_net_queue_full(&net->queue) && link->wsi != NULL && !link->held_full) {
    link->held_full = true;
    trp_net_link_flow(link);
  }
  return true;
}

/* The last event needs a record alone where there is no memory for its reason. */
static void push_last(struct trp_net_link *link, struct trp_net_event event) {
  if (!trp_net_link_push(link, event)) {
    event.reason = "";
    trp_net_link_push(link, event);
  }
  trp_net_link_drop(link);
}

void trp_net_link_failed(struct trp_net_link *link, enum trp_err err, const char *reason) {
  push_last(link, (struct trp_net_event){.kind = TRP_NET_FAILED,
                                         .err = err,
                                         .status = link->status,
                                         .retry_after_s = link->retry_after_s,
                                         .reason = reason});
}

void trp_net_link_closed(struct trp_net_link *link, uint16_t code, bool proper,
                         const char *reason) {
  push_last(link, (struct trp_net_event){.kind = TRP_NET_CLOSED,
                                         .err = proper ? TRP_OK : TRP_CLOSED,
                                         .code = code,
                                         .proper = proper,
                                         .reason = reason});
}

/* Any change makes libwebsockets ask for a WRITEABLE now and then; asking always keeps it from
 * being taken for the trace of a ping. */
void trp_net_link_flow(struct trp_net_link *link) {
  bool websocket = link->kind == TRP_NET_LINK_WS || link->kind == TRP_NET_LINK_PEER;
  bool reading = !link->held && !link->held_full;
  if (link->wsi == NULL || link->reading == reading ||
      (websocket && link->state != TRP_NET_LINK_OPEN)) {
    return;
  }
  link->reading = reading;
  lws_rx_flow_control(link->wsi, reading);
  if (websocket) {
    link->asked = true;
    lws_callback_on_writable(link->wsi);
  }
}

/* ---- deadlines ----------------------------------------------------------------------------- */

void trp_net_link_due(struct trp_net_link *link, uint64_t deadline_ns) {
  link->deadline_ns = deadline_ns;
  trp_net_lws_due(link->net, deadline_ns);
}

static const char *stage_of(const struct trp_net_link *link) {
  if (link->state == TRP_NET_LINK_RESOLVING) {
    return "timed out resolving the name";
  }
  if (!link->connected) {
    return "timed out connecting";
  }
  if (link->url.tls && !link->handshake_sent) {
    return "timed out in the TLS handshake";
  }
  return "timed out waiting for the answer";
}

void trp_net_link_expired(struct trp_net_link *link) {
  if (link->kind == TRP_NET_LINK_ASK) { /* the answer cannot be brought home */
    trp_net_link_drop(link);
  } else if (link->state == TRP_NET_LINK_CLOSING) {
    trp_net_link_closed(link, 1006, false, "timed out waiting for the other side's close");
  } else {
    trp_net_link_failed(link, TRP_TIMEOUT, stage_of(link));
  }
}

/* ---- connecting ---------------------------------------------------------------------------- */

void trp_net_link_connect(struct trp_net_link *link) {
  link->connect_now = false;
  link->state = TRP_NET_LINK_CONNECTING;
  bool websocket = link->kind == TRP_NET_LINK_WS;
  while (link->wsi == NULL && link->address_next < link->addresses.count) {
    struct lws_client_connect_info info = {
        .context = link->net->on->context,
        .vhost = link->vhost,
        .address = link->addresses.text[link->address_next++],
        .port = link->url.port,
        .path = link->url.path,
        .host = link->url.authority,
        .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (link->url.tls ? LCCSCF_USE_SSL : 0),
        .local_protocol_name = websocket ? "trp-ws" : "trp-http",
        .method = websocket ? NULL : link->method,
        .alpn = "http/1.1",
        .retry_and_idle_policy = &trp_net_lws_no_validity,
        .opaque_user_data = link,
    };
    link->connected = link->handshake_sent = false;
    link->tls_reason = NULL;
    link->wsi = lws_client_connect_via_info(&info);
  }
  if (link->wsi == NULL) {
    trp_net_link_failed(link, TRP_CONNECT, "could not connect");
  }
}

static void resolved(void *user, enum trp_err err, const char *reason,
                     const struct trp_net_addresses *addresses) {
  struct trp_net_link *link = user;
  link->query = NULL;
  if (err != TRP_OK) {
    trp_net_link_failed(link, err, reason);
    return;
  }
  link->addresses = *addresses;
  trp_net_link_connect(link);
}

/* An address is taken as it is; a name is asked for, but for the one that always means this host
 * and is nobody else's business (RFC 6761, section 6.3). */
static enum trp_err start_resolving(struct trp_net_link *link) {
  if (strcasecmp(link->url.host, "localhost") == 0) {
    link->addresses = (struct trp_net_addresses){.count = 2, .text = {"127.0.0.1", "::1"}};
    link->connect_now = true;
    return TRP_OK;
  }
  if (link->url.family == 0) {
    return trp_net_cares_start(link->net->on->cares, link->url.host, resolved, link, &link->query);
  }
  memcpy(link->addresses.text[0], link->url.host,
         strnlen(link->url.host, TRP_NET_ADDRESS_BYTES - 1));
  link->addresses.count = 1;
  link->connect_now = true;
  return TRP_OK;
}

static enum trp_err fill_request(struct trp_net_link *link, const struct trp_net_request *request) {
  bool websocket = link->kind == TRP_NET_LINK_WS;
  const char *method = request->method != NULL ? request->method : "GET";
  enum trp_err err = trp_net_url_parse(&link->url, request->url);
  if (err != TRP_OK) {
    return err;
  }
  /* libwebsockets cuts the host off at its first colon for SNI and the certificate */
  if (link->url.websocket != websocket || (link->url.tls && link->url.family == 6)) {
    return TRP_INVALID;
  }
  if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0 &&
      strcmp(method, "DELETE") != 0) {
    return TRP_INVALID;
  }
  snprintf(link->method, sizeof link->method, "%s", method);
  link->frame_max =
      request->frame_max != 0 ? request->frame_max : (websocket ? MESSAGE_MAX : BODY_MAX);
  link->vhost = link->net->on->plain;
  if (link->url.tls) {
    err = trp_net_lws_authority(link->net->on, request->ca_file, &link->vhost);
  }
  if (err == TRP_OK && request->body_bytes > 0) {
    err = trp_net_buffer_add(&link->body, request->body, request->body_bytes, BODY_MAX);
  }
  return err == TRP_TOO_BIG ? TRP_LIMIT : err;
}

enum trp_err trp_net_link_start(struct trp_net_lws *net, const struct trp_net_request *request,
                                enum trp_net_link_kind kind, uint64_t *id) {
  struct trp_net_link *link;
  enum trp_err err = trp_net_link_new(net, kind, &link);
  if (err != TRP_OK) {
    return err;
  }
  err = fill_request(link, request);
  if (err == TRP_OK) {
    err = start_resolving(link);
  }
  if (err != TRP_OK) {
    trp_net_link_drop(link);
    return err == TRP_SYSTEM ? TRP_LIMIT : err;
  }
  uint64_t timeout_ms = request->timeout_ms != 0 ? request->timeout_ms : OPEN_TIMEOUT_MS;
  if (timeout_ms > TIMEOUT_MAX_MS) {
    timeout_ms = TIMEOUT_MAX_MS;
  }
  trp_net_link_due(link, trp_net_lws_now_ns() + timeout_ms * TRP_NS_PER_MS);
  if (link->connect_now) {
    trp_net_lws_due(net, 0);
  }
  *id = link->id;
  return TRP_OK;
}

/* ---- what the handshake's end says ----------------------------------------------------------- */

void trp_net_link_note_response(struct trp_net_link *link, struct lws *wsi) {
  char text[16];
  link->status = (uint16_t)lws_http_client_http_response(wsi);
  if (lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_RETRY_AFTER) > 0) {
    long seconds = strtol(text, NULL, 10); /* a date reads as 0: no hint */
    link->retry_after_s = seconds > 0 && seconds <= UINT32_MAX ? (uint32_t)seconds : 0;
  }
  link->chunked = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
}

static enum trp_err verdict_of(const struct trp_net_link *link) {
  if (!link->connected) {
    return TRP_CONNECT;
  }
  if (link->url.tls && !link->handshake_sent) {
    return TRP_TLS;
  }
  if (link->status == 429 || link->status == 418) {
    return TRP_RATE_LIMIT;
  }
  return link->status != 0 && link->status != 101 ? TRP_REFUSED : TRP_PROTOCOL;
}

int trp_net_link_connect_failed(struct trp_net_link *link, const char *reason, size_t size) {
  char text[128];
  struct lws *wsi = link->wsi;
  if (wsi != NULL && link->status == 0) {
    link->status = (uint16_t)lws_http_client_http_response(wsi);
  }
  trp_net_link_detach(link);
  if (!link->connected && link->address_next < link->addresses.count) {
    link->connect_now = true; /* from the loop: libwebsockets is still closing this one */
    trp_net_lws_due(link->net, 0);
    return 0;
  }
  enum trp_err err = verdict_of(link);
  if (err == TRP_TLS && link->tls_reason != NULL) {
    snprintf(text, sizeof text, "%s", link->tls_reason);
  } else if (err == TRP_REFUSED || err == TRP_RATE_LIMIT) {
    snprintf(text, sizeof text, "answered with status %u", (unsigned)link->status);
  } else {
    snprintf(text, sizeof text, "%.*s", reason != NULL ? (int)(size > 120 ? 120 : size) : 0,
             reason != NULL ? reason : "");
  }
  trp_net_link_failed(link, err, text[0] != '\0' ? text : "the connection failed");
  return 0;
}

/* FNV-1a over the address, without its port. */
uint64_t trp_net_link_address(const struct trp_net_link *link) {
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  if (getpeername(lws_get_socket_fd(lws_get_network_wsi(link->wsi)), (struct sockaddr *)&address,
                  &size) != 0) {
    return 0;
  }
  bool v6 = address.ss_family == AF_INET6;
  const uint8_t *bytes =
      v6 ? ((const struct sockaddr_in6 *)(const void *)&address)->sin6_addr.s6_addr
         : (const uint8_t *)&((const struct sockaddr_in *)(const void *)&address)->sin_addr;
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < (v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr)); i++) {
    hash = (hash ^ bytes[i]) * 1099511628211u;
  }
  return hash;
}
