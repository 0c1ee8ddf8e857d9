/* WebSocket: the client, and what client and server do alike.
 *
 * Messages go out at once where nothing waits before them, and otherwise when libwebsockets says
 * WRITEABLE. That has a second use: libwebsockets answers a ping by itself and tells nobody, but it
 * leaves the write poll on after the pong, so that one WRITEABLE comes that we did not ask for.
 * That is our PING event (without the ping's bytes). A ping that comes while messages wait for the
 * socket may pass unseen. Close codes 1012 to 1014 reach us as 1002: libwebsockets 4.1.6 overwrites
 * them before its callback.
 *
 * libwebsockets tells of the close frame that starts a close, not of the one that answers ours:
 * when the connection ends after our close frame went out, in order and in time, that counts as
 * proper. */
#include "adapters/net_lws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_MAX 125u
#define WRITES_A_TURN 64

/* ---- receiving ----------------------------------------------------------------------------- */

/* Ends the link here; libwebsockets goes on to tell the other side why, by itself. */
static int refuse_message(struct trp_net_link *link, struct lws *wsi, enum trp_err err) {
  static uint8_t too_big[] = "too big";
  trp_net_link_detach(link);
  lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, too_big, sizeof too_big - 1);
  trp_net_link_failed(
      link, err,
      err == TRP_TOO_BIG ? "a message larger than the limit" : "no memory for a message");
  return -1;
}

int trp_net_ws_receive(struct trp_net_link *link, struct lws *wsi, const void *bytes, size_t size) {
  if (link->state != TRP_NET_LINK_OPEN) {
    return 0;
  }
  size_t rest = lws_remaining_packet_payload(wsi);
  if (rest > link->frame_max || link->in.size + size + rest > link->frame_max) {
    return refuse_message(link, wsi, TRP_TOO_BIG);
  }
  bool last = lws_is_final_fragment(wsi) && rest == 0;
  if (!last || link->in.size > 0) {
    enum trp_err err = trp_net_buffer_add(&link->in, bytes, size, link->frame_max);
    if (err != TRP_OK) {
      return refuse_message(link, wsi, err);
    }
    bytes = link->in.data;
    size = link->in.size;
  }
  if (last) {
    link->in.size = 0;
    if (!trp_net_link_push(link, (struct trp_net_event){.kind = TRP_NET_FRAME,
                                                        .binary = lws_frame_is_binary(wsi) != 0,
                                                        .bytes = bytes,
                                                        .size = size})) {
      return refuse_message(link, wsi, TRP_NO_MEMORY);
    }
  }
  return 0;
}

void trp_net_ws_pong(struct trp_net_link *link, const void *bytes, size_t size) {
  if (link->state == TRP_NET_LINK_OPEN) {
    trp_net_link_push(link,
                      (struct trp_net_event){.kind = TRP_NET_PONG, .bytes = bytes, .size = size});
  }
}

void trp_net_ws_peer_close(struct trp_net_link *link, const uint8_t *bytes, size_t size) {
  size_t text = size > 2 ? size - 2 : 0;
  link->peer_closed = true;
  link->close_code = (uint16_t)(size >= 2 ? (bytes[0] << 8 | bytes[1]) : 1005);
  text = text > TRP_NET_CLOSE_REASON_MAX ? TRP_NET_CLOSE_REASON_MAX : text;
  if (text > 0) {
    memcpy(link->close_reason, bytes + 2, text);
  }
  link->close_reason[text] = '\0';
}

void trp_net_ws_ended(struct trp_net_link *link) {
  if (link->state < TRP_NET_LINK_OPEN) {
    trp_net_link_connect_failed(link, NULL, 0);
    return;
  }
  trp_net_link_detach(link);
  if (link->peer_closed || link->close_sent) {
    trp_net_link_closed(link, link->close_code, true, link->close_reason);
  } else {
    trp_net_link_closed(link, 1006, false, "the connection was lost");
  }
}

/* ---- sending ------------------------------------------------------------------------------- */

void trp_net_ws_discard(struct trp_net_link *link) {
  while (link->send_first != NULL) {
    struct trp_net_message *message = link->send_first;
    link->send_first = message->next;
    free(message);
  }
  link->send_last = NULL;
  link->send_count = 0;
  link->send_bytes = 0;
}

static void take_first(struct trp_net_link *link) {
  struct trp_net_message *message = link->send_first;
  link->send_first = message->next;
  link->send_last = message->next != NULL ? link->send_last : NULL;
  link->send_count--;
  link->send_bytes -= message->size;
  free(message);
}

static void ask(struct trp_net_link *link) {
  link->asked = true;
  lws_callback_on_writable(link->wsi);
}

/* False: the socket is dead. What it does not take now libwebsockets keeps, and asks by itself. */
static bool write_frame(struct trp_net_link *link, uint8_t *data, size_t size,
                        enum lws_write_protocol type) {
  if (lws_write(link->wsi, data, size, type) < 0) {
    return false;
  }
  link->asked = link->asked || lws_partial_buffered(link->wsi);
  return true;
}

static int start_close(struct trp_net_link *link) {
  link->close_sent = true;
  lws_close_reason(link->wsi, (enum lws_close_status)link->close_code,
                   (uint8_t *)link->close_reason, strlen(link->close_reason));
  return -1;
}

int trp_net_ws_writeable(struct trp_net_link *link, struct lws *wsi) {
  bool asked = link->asked;
  link->asked = false;
  if (!asked && link->state == TRP_NET_LINK_OPEN) {
    trp_net_link_push(link, (struct trp_net_event){.kind = TRP_NET_PING});
  }
  for (int i = 0; i < WRITES_A_TURN && link->send_first != NULL; i++) {
    struct trp_net_message *message = link->send_first;
    if (lws_partial_buffered(wsi)) {
      break;
    }
    if (!write_frame(link, message->data + LWS_PRE, message->size, message->type)) {
      return -1;
    }
    take_first(link);
  }
  if (link->send_first != NULL || lws_partial_buffered(wsi)) {
    ask(link);
  } else if (link->state == TRP_NET_LINK_CLOSING && !link->close_sent && !link->peer_closed) {
    return start_close(link);
  }
  return 0;
}

static enum trp_err queue_message(struct trp_net_link *link, enum lws_write_protocol type,
                                  const void *bytes, size_t size) {
  if (link->send_count >= link->net->options.send_queue_max ||
      size > TRP_NET_SEND_MAX - link->send_bytes) {
    return TRP_FULL;
  }
  struct trp_net_message *message = malloc(sizeof *message + LWS_PRE + size);
  if (message == NULL) {
    return TRP_FULL;
  }
  *message = (struct trp_net_message){.type = type, .size = size};
  if (size > 0) {
    memcpy(message->data + LWS_PRE, bytes, size);
  }
  if (link->send_last != NULL) {
    link->send_last->next = message;
  } else {
    link->send_first = message;
  }
  link->send_last = message;
  link->send_count++;
  link->send_bytes += size;
  ask(link);
  return TRP_OK;
}

static enum trp_err send_frame(struct trp_net_link *link, enum lws_write_protocol type,
                               const void *bytes, size_t size) {
  struct trp_net_buffer *scratch = &link->net->on->scratch;
  static const uint8_t headroom[LWS_PRE];
  if (link->send_first != NULL || lws_partial_buffered(link->wsi)) {
    return queue_message(link, type, bytes, size);
  }
  scratch->size = 0;
  if (size > TRP_NET_SEND_MAX ||
      trp_net_buffer_add(scratch, headroom, LWS_PRE, SIZE_MAX) != TRP_OK ||
      trp_net_buffer_add(scratch, bytes, size, SIZE_MAX) != TRP_OK) {
    return TRP_FULL;
  }
  if (!write_frame(link, scratch->data + LWS_PRE, size, type)) {
    /* The end comes as an event, from the loop: libwebsockets closes only what it called itself. */
    lws_set_timeout(link->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
  }
  return TRP_OK;
}

/* ---- operations ---------------------------------------------------------------------------- */

static struct trp_net_link *find_open(struct trp_net *net, uint64_t id) {
  struct trp_net_link *link = trp_net_link_find(trp_net_lws_of(net), id);
  bool websocket =
      link != NULL && (link->kind == TRP_NET_LINK_WS || link->kind == TRP_NET_LINK_PEER);
  return websocket && link->state == TRP_NET_LINK_OPEN && !link->peer_closed && link->wsi != NULL
             ? link
             : NULL;
}

enum trp_err trp_net_ws_open(struct trp_net *net, const struct trp_net_request *request,
                             uint64_t *link) {
  return trp_net_link_start(trp_net_lws_of(net), request, TRP_NET_LINK_WS, link);
}

enum trp_err trp_net_ws_send(struct trp_net *net, uint64_t id, bool binary, const void *bytes,
                             size_t size) {
  struct trp_net_link *link = find_open(net, id);
  if (link == NULL) {
    return TRP_WRONG_STATE;
  }
  return send_frame(link, binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT, bytes, size);
}

enum trp_err trp_net_ws_ping(struct trp_net *net, uint64_t id, const void *bytes, size_t size) {
  struct trp_net_link *link = find_open(net, id);
  if (link == NULL) {
    return TRP_WRONG_STATE;
  }
  if (size > CONTROL_MAX) {
    return TRP_TOO_BIG;
  }
  /* A server of libwebsockets is not told of an empty pong. */
  static const char blank[] = " ";
  bool empty = size == 0;
  return send_frame(link, LWS_WRITE_PING, empty ? blank : bytes, empty ? 1 : size);
}

void trp_net_ws_close(struct trp_net *net, uint64_t id, uint16_t code, const char *reason,
                      uint32_t timeout_ms) {
  struct trp_net_link *link = trp_net_link_find(trp_net_lws_of(net), id);
  if (link == NULL || (link->kind != TRP_NET_LINK_WS && link->kind != TRP_NET_LINK_PEER) ||
      link->state == TRP_NET_LINK_CLOSING) {
    return;
  }
  trp_net_link_due(link, trp_net_lws_now_ns() + timeout_ms * TRP_NS_PER_MS);
  if (link->peer_closed) { /* libwebsockets is answering already */
    link->state = TRP_NET_LINK_CLOSING;
    return;
  }
  if (link->state != TRP_NET_LINK_OPEN) {
    trp_net_link_closed(link, 1006, false, "closed before it was open");
    return;
  }
  link->held = link->held_full = false; /* else the answer would never be read */
  trp_net_link_flow(link);
  link->state = TRP_NET_LINK_CLOSING;
  link->close_code = code != 0 ? code : 1000;
  snprintf(link->close_reason, sizeof link->close_reason, "%s", reason != NULL ? reason : "");
  ask(link);
}

/* ---- the client's callback ------------------------------------------------------------------- */

int trp_net_ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t size) {
  (void)user;
  struct trp_net_link *link = lws_get_opaque_user_data(wsi);
  if (link == NULL) {
    return 0;
  }
  switch ((int)reason) {
    case LWS_CALLBACK_WSI_CREATE:
      link->connected = true;
      return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
      link->handshake_sent = true;
      return 0;
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
      trp_net_link_note_response(link, wsi);
      return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      return trp_net_link_connect_failed(link, in, size);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
      link->state = TRP_NET_LINK_OPEN;
      link->deadline_ns = UINT64_MAX;
      trp_net_link_push(link, (struct trp_net_event){.kind = TRP_NET_OPENED});
      trp_net_link_flow(link);
      ask(link); /* one WRITEABLE may be due from the handshake */
      return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
      return trp_net_ws_receive(link, wsi, in, size);
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
      trp_net_ws_pong(link, in, size);
      return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
      return trp_net_ws_writeable(link, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
      trp_net_ws_peer_close(link, in, size);
      return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
      trp_net_ws_ended(link);
      return 0;
    default:
      return 0;
  }
}
