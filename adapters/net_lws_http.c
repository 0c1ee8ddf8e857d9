/* The HTTP client: one connection a request ("connection: close"), the whole body in one event.
 *
 * libwebsockets says COMPLETED also when the connection ended in the middle of a chunked body, and
 * then fails the read; that is told apart here. A chunk length that overflowed its int arrives as a
 * huge size, which is above any limit. */
#include "adapters/net_lws.h"

#include <stdio.h>
#include <string.h>

#define PIECE_BYTES 16384

enum trp_err trp_net_http_send(struct trp_net *net, const struct trp_net_request *request,
                               uint64_t *link) {
  return trp_net_link_start(trp_net_lws_of(net), request, TRP_NET_LINK_HTTP, link);
}

static int add_headers(struct trp_net_link *link, struct lws *wsi, char **at, size_t room) {
  static const char common[] = "User-Agent: troupe/" TRP_VERSION "\r\nAccept: */*\r\n";
  int n;
  link->handshake_sent = true;
  if (link->body.size > 0) {
    n = snprintf(*at, room, "%sContent-Type: application/json\r\nContent-Length: %zu\r\n", common,
                 link->body.size);
    lws_client_http_body_pending(wsi, 1);
    lws_callback_on_writable(wsi);
  } else if (strcmp(link->method, "POST") == 0 || strcmp(link->method, "PUT") == 0) {
    n = snprintf(*at, room, "%sContent-Length: 0\r\n", common);
  } else {
    n = snprintf(*at, room, "%s", common);
  }
  if (n < 0 || (size_t)n >= room) {
    return -1;
  }
  *at += n;
  return 0;
}

static int write_body(struct trp_net_link *link, struct lws *wsi) {
  uint8_t piece[LWS_PRE + PIECE_BYTES];
  size_t size = link->body.size - link->body_sent;
  if (size == 0) {
    return 0;
  }
  size = size > PIECE_BYTES ? PIECE_BYTES : size;
  memcpy(piece + LWS_PRE, link->body.data + link->body_sent, size);
  link->body_sent += size;
  bool last = link->body_sent == link->body.size;
  if (last) {
    lws_client_http_body_pending(wsi, 0);
  }
  if (lws_write(wsi, piece + LWS_PRE, size, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0) {
    return -1;
  }
  if (!last) {
    lws_callback_on_writable(wsi);
  }
  return 0;
}

/* The body's block goes to the queue, with the event. */
static void finish(struct trp_net_link *link) {
  struct trp_net_lws *net = link->net;
  struct trp_net_event event = {
      .kind = TRP_NET_RESPONSE,
      .link = link->id,
      .status = link->status,
      .retry_after_s = link->retry_after_s,
      .reason = "",
      .bytes = link->in.data,
      .size = link->in.size,
      .at_ns = trp_net_lws_now_ns(),
  };
  link->in = (struct trp_net_buffer){0};
  if (trp_net_queue_push_owned(&net->queue, &event)) {
    trp_net_lws_news(net);
  }
  trp_net_link_drop(link);
}

static int fail(struct trp_net_link *link, enum trp_err err, const char *reason) {
  trp_net_link_detach(link);
  trp_net_link_failed(link, err, reason);
  return -1;
}

static int read_body(struct trp_net_link *link, struct lws *wsi) {
  char piece[LWS_PRE + PIECE_BYTES];
  char *at = piece + LWS_PRE;
  int size = PIECE_BYTES;
  int n = lws_http_client_read(wsi, &at, &size);
  if (lws_get_opaque_user_data(wsi) == NULL) { /* the body's own callback ended the link */
    return -1;
  }
  if (n < 0 && (!link->complete || link->chunked)) {
    return fail(link, TRP_CLOSED, "the connection ended before the response did");
  }
  if (link->complete) {
    trp_net_link_detach(link);
    finish(link);
    return -1;
  }
  return 0;
}

static int take_body(struct trp_net_link *link, const void *bytes, size_t size) {
  enum trp_err err = trp_net_buffer_add(&link->in, bytes, size, link->frame_max);
  if (err == TRP_OK) {
    return 0;
  }
  return fail(link, err,
              err == TRP_TOO_BIG ? "a body larger than the limit" : "cannot take a body");
}

/* Without a body libwebsockets completes outside of a read, keeps the connection warm and would
 * forget it; a timer of its own closes it (see TIMER below). */
static int complete(struct trp_net_link *link, struct lws *wsi) {
  link->complete = true;
  if (link->status < 200 || lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) == 0 ||
      link->in.size > 0) {
    return 0;
  }
  lws_set_timer_usecs(wsi, 1);
  trp_net_link_detach(link);
  finish(link);
  return 0;
}

int trp_net_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                          size_t size) {
  (void)user;
  struct trp_net_link *link = lws_get_opaque_user_data(wsi);
  if (link == NULL) {
    return reason == LWS_CALLBACK_TIMER ? -1 : 0;
  }
  switch ((int)reason) {
    case LWS_CALLBACK_WSI_CREATE:
      link->connected = true;
      return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
      return add_headers(link, wsi, in, size);
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE:
      return write_body(link, wsi);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
      trp_net_link_note_response(link, wsi);
      return 0;
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
      return read_body(link, wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
      return take_body(link, in, size);
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
      return complete(link, wsi);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      return trp_net_link_connect_failed(link, in, size);
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
      fail(link, TRP_CLOSED, "the connection ended before the response did");
      return 0;
    default:
      return 0;
  }
}
