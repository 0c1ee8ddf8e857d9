#include "adapters/net_sim_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ABNORMAL 1006 /* RFC 6455 section 7.1.5: closed without a close frame */
#define MESSAGE_TOO_BIG 1009
#define SOCKET_BYTES (1u << 20) /* what the socket buffers of both sides take together */
#define PARCEL_COST 64          /* what each message takes of it beside its bytes */

/* PROTOCOL is what a handshake or a request without an answer fails with, as in the real net. */
static const struct trp_net_event reset = {.err = TRP_PROTOCOL,
                                           .reason = "the connection was reset"};

/* ---- parcels -------------------------------------------------------------------------------- */

struct trp_parcel *trp_parcel_new(enum trp_parcel_kind kind, const void *bytes, size_t size) {
  struct trp_parcel *parcel = malloc(sizeof *parcel + size);
  if (parcel == NULL) return NULL;
  *parcel = (struct trp_parcel){.kind = kind, .event = {.bytes = parcel + 1, .size = size}};
  if (bytes != NULL && size > 0) memcpy(parcel + 1, bytes, size);
  return parcel;
}

void trp_parcel_free(struct trp_parcel *parcel) {
  if (parcel != NULL && !parcel->embedded) free(parcel);
}

/* ---- ends: what travels from them ----------------------------------------------------------- */

struct trp_simend *trp_simend_other(const struct trp_simend *end) {
  return &end->wire->ends[end == &end->wire->ends[0]];
}

static unsigned side_of(const struct trp_simend *end) { return end == &end->wire->ends[1]; }

static bool listens(const struct trp_simend *end) {
  return end->net != NULL && end->state != TRP_SIMEND_OVER;
}

/* What a link's reader does not read: a closing one waits for the answer in any case, and an
 * opening WebSocket is none yet. */
static bool is_blocked(const struct trp_simend *to) {
  bool reads =
      to->state == TRP_SIMEND_CLOSING || (to->state == TRP_SIMEND_OPENING && !to->wire->http);
  return listens(to) && !reads && (to->held || trp_simnet_congested(to->net));
}

static size_t weight(const struct trp_parcel *parcel) { return parcel->event.size + PARCEL_COST; }

/* Moves what waits into the socket, as far as there is room. */
static void write_out(struct trp_simend *end) {
  while (end->unwritten != NULL &&
         (end->socket_bytes == 0 || end->socket_bytes + weight(end->unwritten) <= SOCKET_BYTES)) {
    end->socket_bytes += weight(end->unwritten);
    end->unwritten = end->unwritten->next;
    end->waiting--;
  }
}

static void enqueue(struct trp_simend *end, struct trp_parcel *parcel, uint64_t due_ns) {
  parcel->due_ns = due_ns;
  parcel->number = ++end->wire->hub->number;
  parcel->next = NULL;
  if (end->head == NULL) {
    end->head = parcel;
  } else {
    end->tail->next = parcel;
  }
  end->tail = parcel;
  if (end->unwritten == NULL) end->unwritten = parcel;
  end->waiting++;
  write_out(end);
  if (end->head == parcel) trp_simend_arm(end);
}

static struct trp_parcel *dequeue(struct trp_simend *end) {
  struct trp_parcel *parcel = end->head;
  end->head = parcel->next; /* the first is always written */
  end->socket_bytes -= weight(parcel);
  write_out(end);
  trp_simend_arm(end);
  return parcel;
}

static void discard(struct trp_simend *end) {
  while (end->head != NULL) trp_parcel_free(dequeue(end));
}

void trp_simend_arm(struct trp_simend *end) {
  struct trp_simhub *hub = end->wire->hub;
  if (end->head == NULL || is_blocked(trp_simend_other(end))) {
    trp_agenda_remove(&hub->agenda, &end->arrival);
    return;
  }
  uint64_t at_ns = end->head->due_ns > hub->now_ns ? end->head->due_ns : hub->now_ns;
  trp_agenda_put(&hub->agenda, &end->arrival, at_ns, end->head->number);
}

void trp_simend_send(struct trp_simend *end, struct trp_parcel *parcel) {
  struct trp_simwire *wire = end->wire;
  if (wire->vanished) {
    trp_parcel_free(parcel);
    return;
  }
  const struct trp_simhub_conditions *conditions = trp_simhub_conditions(wire->hub, wire->server);
  uint64_t due_ns = trp_simhub_now(wire->hub) + trp_simhub_delay(wire->hub, conditions);
  uint64_t *latest_ns = &wire->server->last_ns[side_of(end)];
  if (!conditions->reorder && due_ns < *latest_ns) due_ns = *latest_ns;
  if (due_ns > *latest_ns) *latest_ns = due_ns;
  enqueue(end, parcel, due_ns);
}

void trp_simend_look_up(struct trp_simend *end, struct trp_parcel *hello) {
  struct trp_simwire *wire = end->wire;
  hello->kind = TRP_PARCEL_LOOKUP;
  enqueue(end, hello,
          trp_simhub_now(wire->hub) + trp_simhub_conditions(wire->hub, wire->server)->resolve_ns);
}

void trp_simend_deadline(struct trp_simend *end, uint32_t timeout_ms) {
  struct trp_simhub *hub = end->wire->hub;
  uint64_t at_ns = trp_simhub_now(hub) + timeout_ms * TRP_NS_PER_MS;
  if (end->deadline.place != 0 && end->deadline.at_ns <= at_ns) return;
  trp_agenda_put(&hub->agenda, &end->deadline, at_ns, ++hub->number);
}

void trp_simend_part(struct trp_simend *end, enum trp_parcel_kind kind,
                     const struct trp_net_event *event) {
  if (end->parted || trp_simend_other(end)->net == NULL) return;
  end->parted = true;
  if (event->reason != NULL) snprintf(end->said, sizeof end->said, "%s", event->reason);
  end->parting = (struct trp_parcel){.kind = kind, .embedded = true, .event = *event};
  end->parting.event.reason = end->said;
  trp_simend_send(end, &end->parting);
}

/* ---- ends: how they end --------------------------------------------------------------------- */

/* From here on the end hears nothing; what it had not sent anybody yet is taken back. */
static void deafen(struct trp_simend *end) {
  struct trp_simend *other = trp_simend_other(end);
  trp_agenda_remove(&end->wire->hub->agenda, &end->deadline);
  discard(other);
  if (end->state == TRP_SIMEND_OPENING && other->net == NULL) discard(end);
}

void trp_simend_finish(struct trp_simend *end, const struct trp_net_event *event) {
  if (!listens(end)) return;
  deafen(end);
  end->state = TRP_SIMEND_OVER;
  snprintf(end->heard, sizeof end->heard, "%s", event->reason);
  end->last = (struct trp_parcel){.embedded = true, .event = *event};
  end->last.event.reason = end->heard;
  trp_simnet_post(end, event->kind, &end->last);
}

/* The connection is gone: what that is called depends on how far it had come. */
static void finish_cut(struct trp_simend *end, const struct trp_net_event *how) {
  bool opening = end->state == TRP_SIMEND_OPENING;
  trp_simend_finish(end, &(struct trp_net_event){.kind = opening ? TRP_NET_FAILED : TRP_NET_CLOSED,
                                                 .err = opening ? how->err : TRP_CLOSED,
                                                 .code = opening ? 0 : ABNORMAL,
                                                 .status = opening ? how->status : 0,
                                                 .retry_after_s = opening ? how->retry_after_s : 0,
                                                 .reason = how->reason});
}

static void fail(struct trp_simend *end, enum trp_err err, const char *reason) {
  trp_simend_finish(end,
                    &(struct trp_net_event){.kind = TRP_NET_FAILED, .err = err, .reason = reason});
}

void trp_simend_abandon(struct trp_simend *end) {
  if (end->net == NULL) return;
  if (end->state != TRP_SIMEND_OVER) {
    deafen(end);
    trp_simend_part(end, TRP_PARCEL_RESET, &reset);
  }
  trp_simnet_detach(end);
}

void trp_simwire_sever(struct trp_simwire *wire) {
  for (int side = 0; side < 2; side++) discard(&wire->ends[side]);
  for (int side = 0; side < 2; side++) finish_cut(&wire->ends[side], &reset);
}

void trp_simwire_vanish(struct trp_simwire *wire) {
  wire->vanished = true;
  for (int side = 0; side < 2; side++) discard(&wire->ends[side]);
}

static void on_deadline(struct trp_due *due) {
  struct trp_simend *end =
      (struct trp_simend *)((char *)due - offsetof(struct trp_simend, deadline));
  const char *late = end->state == TRP_SIMEND_CLOSING ? "the close handshake took too long"
                                                      : "no answer within the deadline";
  finish_cut(end, &(struct trp_net_event){.err = TRP_TIMEOUT, .reason = late});
  trp_simend_part(end, TRP_PARCEL_RESET, &reset);
  trp_simwire_settle(end->wire);
}

/* ---- arrivals ------------------------------------------------------------------------------- */

static bool is_unresolvable(const char *host) {
  static const char suffix[] = ".invalid";
  size_t bytes = strlen(host);
  return bytes >= sizeof suffix - 1 && strcasecmp(host + bytes - (sizeof suffix - 1), suffix) == 0;
}

static void resolve(struct trp_simend *client, struct trp_parcel *parcel) {
  struct trp_simwire *wire = client->wire;
  if (trp_simhub_conditions(wire->hub, wire->server)->resolve_fails ||
      is_unresolvable(wire->server->host)) {
    fail(client, TRP_RESOLVE, "the name does not resolve");
    trp_parcel_free(parcel);
    return;
  }
  parcel->kind = TRP_PARCEL_HELLO;
  trp_simend_send(client, parcel);
}

/* Why a connection does not come about; err is OK where it does. */
static struct trp_net_event obstacle(const struct trp_simwire *wire,
                                     const struct trp_simhub_conditions *conditions,
                                     const struct trp_simnet *net) {
  uint16_t status = conditions->answer_status;
  if (conditions->door == TRP_SIMHUB_REFUSES || net == NULL) {
    return (struct trp_net_event){.err = TRP_CONNECT, .reason = "the connection was refused"};
  }
  if (wire->tls && conditions->tls_fails) {
    return (struct trp_net_event){.err = TRP_TLS, .reason = "the certificate was not accepted"};
  }
  if (status != 0) {
    return (struct trp_net_event){
        .err = status == 429 || status == 418 ? TRP_RATE_LIMIT : TRP_REFUSED,
        .status = status,
        .retry_after_s = conditions->answer_retry_s,
        .reason = "the handshake was refused"};
  }
  return (struct trp_net_event){.err = TRP_OK};
}

/* A client knocks: at the server's end there is nobody yet. */
static void arrive_hello(struct trp_simend *server_end, struct trp_parcel *hello) {
  struct trp_simwire *wire = server_end->wire;
  struct trp_simserver *any = trp_simhub_find(wire->hub, "0.0.0.0", wire->server->port);
  struct trp_simnet *net = wire->server->net;
  if (net == NULL && any != NULL) net = any->net;
  const struct trp_simhub_conditions *conditions = trp_simhub_conditions(wire->hub, wire->server);
  if (conditions->door == TRP_SIMHUB_BLACK_HOLE) {
    trp_parcel_free(hello);
    return;
  }
  struct trp_net_event why = obstacle(wire, conditions, net);
  struct trp_parcel *welcome = wire->http ? NULL : trp_parcel_new(TRP_PARCEL_WELCOME, NULL, 0);
  bool is_short = welcome == NULL && !wire->http;
  if (why.err == TRP_OK &&
      (is_short || trp_simnet_congested(net) || trp_simnet_attach(net, server_end) != TRP_OK)) {
    why = reset;
    why.status = wire->http ? 503 : 0; /* no room for one more */
  }
  if (why.err != TRP_OK) {
    trp_simend_part(server_end, TRP_PARCEL_RESET, &why);
    trp_parcel_free(welcome);
    trp_parcel_free(hello);
    return;
  }
  server_end->frame_max = TRP_SIM_FRAME_MAX;
  server_end->state = wire->http ? TRP_SIMEND_SERVING : TRP_SIMEND_OPEN;
  if (welcome != NULL) trp_simend_send(server_end, welcome);
  trp_simnet_post(server_end, wire->http ? TRP_NET_REQUEST : TRP_NET_ACCEPTED, hello);
}

static void arrive_welcome(struct trp_simend *end, struct trp_parcel *parcel) {
  trp_agenda_remove(&end->wire->hub->agenda, &end->deadline);
  end->state = TRP_SIMEND_OPEN;
  trp_simnet_post(end, TRP_NET_OPENED, parcel);
}

static void arrive_response(struct trp_simend *end, struct trp_parcel *parcel) {
  if (parcel->event.size > end->frame_max) {
    fail(end, TRP_TOO_BIG, "the body is larger than the request allows");
    trp_parcel_free(parcel);
    return;
  }
  deafen(end);
  end->state = TRP_SIMEND_OVER;
  trp_simnet_post(end, TRP_NET_RESPONSE, parcel);
}

static void arrive_reset(struct trp_simend *end, const struct trp_parcel *parcel) {
  struct trp_net_event event = parcel->event;
  if (end->wire->http && end->state == TRP_SIMEND_OPENING && event.status != 0) {
    event.kind = TRP_NET_RESPONSE;
    event.err = TRP_OK;
    event.bytes = "";
    trp_simend_finish(end, &event);
    return;
  }
  finish_cut(end, &event);
}

static void arrive_message(struct trp_simend *end, struct trp_parcel *parcel) {
  if (parcel->event.size <= end->frame_max) {
    trp_simnet_post(end, TRP_NET_FRAME, parcel);
    return;
  }
  trp_parcel_free(parcel);
  struct trp_net_event why = {.code = MESSAGE_TOO_BIG, .reason = "message too big"};
  fail(end, TRP_TOO_BIG, why.reason);
  trp_simend_part(end, TRP_PARCEL_CLOSE, &why);
}

static void arrive_ping(struct trp_simend *end, struct trp_parcel *parcel) {
  /* A peer that pings but does not read gets no more pongs than the queue holds. */
  if (end->waiting < end->net->options.send_queue_max) {
    struct trp_parcel *pong =
        trp_parcel_new(TRP_PARCEL_PONG, parcel->event.bytes, parcel->event.size);
    if (pong != NULL) trp_simend_send(end, pong);
  }
  parcel->event.size = 0; /* as in the real net, which is not told a ping's bytes */
  trp_simnet_post(end, TRP_NET_PING, parcel);
}

static void arrive_close(struct trp_simend *end, const struct trp_parcel *parcel) {
  struct trp_net_event event = {.kind = TRP_NET_CLOSED,
                                .proper = true,
                                .code = parcel->event.code,
                                .reason = parcel->event.reason};
  trp_simend_part(end, TRP_PARCEL_CLOSE, &event); /* the echo, unless ours is on its way */
  trp_simend_finish(end, &event);
}

/* What reaches an open WebSocket; a closing one waits for the close frame alone. */
static void arrive_open(struct trp_simend *end, struct trp_parcel *parcel) {
  if (end->state != TRP_SIMEND_OPEN) {
    trp_parcel_free(parcel);
  } else if (parcel->kind == TRP_PARCEL_MESSAGE) {
    arrive_message(end, parcel);
  } else if (parcel->kind == TRP_PARCEL_PING) {
    arrive_ping(end, parcel);
  } else {
    trp_simnet_post(end, TRP_NET_PONG, parcel);
  }
}

static void arrive(struct trp_simend *end, struct trp_parcel *parcel) {
  if (parcel->kind == TRP_PARCEL_HELLO) {
    arrive_hello(end, parcel);
    return;
  }
  if (!listens(end)) {
    trp_parcel_free(parcel);
    return;
  }
  switch (parcel->kind) {
    case TRP_PARCEL_WELCOME:
      arrive_welcome(end, parcel);
      return;
    case TRP_PARCEL_RESPONSE:
      arrive_response(end, parcel);
      return;
    case TRP_PARCEL_CLOSE:
      arrive_close(end, parcel);
      return; /* embedded: nothing to free */
    case TRP_PARCEL_RESET:
      arrive_reset(end, parcel);
      return;
    case TRP_PARCEL_LOOKUP:
    case TRP_PARCEL_HELLO:
      return; /* handled before */
    case TRP_PARCEL_MESSAGE:
    case TRP_PARCEL_PING:
    case TRP_PARCEL_PONG:
      arrive_open(end, parcel);
      return;
  }
}

/* True where a silence keeps the first parcel from arriving: it waits or is lost. */
static bool silenced(struct trp_simend *end) {
  struct trp_simhub *hub = end->wire->hub;
  const struct trp_simserver *server = end->wire->server;
  if (server->silent_until_ns <= hub->now_ns) server = &hub->everyone;
  if (server->silent_until_ns <= hub->now_ns) return false;
  enum trp_parcel_kind kind = end->head->kind;
  if (server->silence_loses &&
      (kind == TRP_PARCEL_MESSAGE || kind == TRP_PARCEL_PING || kind == TRP_PARCEL_PONG)) {
    trp_parcel_free(dequeue(end));
  } else {
    trp_agenda_put(&hub->agenda, &end->arrival, server->silent_until_ns, end->head->number);
  }
  return true;
}

static void deliver(struct trp_simend *end) {
  struct trp_simwire *wire = end->wire;
  struct trp_simhub *hub = wire->hub;
  if (end->head->kind == TRP_PARCEL_LOOKUP) {
    resolve(end, dequeue(end));
    return;
  }
  if (silenced(end)) return;
  struct trp_parcel *parcel = dequeue(end);
  const struct trp_simhub_conditions *conditions = trp_simhub_conditions(hub, wire->server);
  if (trp_simhub_chance(hub, conditions->drop_ppm)) {
    trp_parcel_free(parcel);
    trp_simwire_sever(wire);
  } else if (trp_simhub_chance(hub, conditions->half_open_ppm)) {
    trp_parcel_free(parcel);
    trp_simwire_vanish(wire);
  } else {
    arrive(trp_simend_other(end), parcel);
  }
}

static void on_arrival(struct trp_due *due) {
  struct trp_simend *end =
      (struct trp_simend *)((char *)due - offsetof(struct trp_simend, arrival));
  deliver(end);
  trp_simwire_settle(end->wire);
}

/* ---- wires ---------------------------------------------------------------------------------- */

struct trp_simwire *trp_simwire_new(struct trp_simhub *hub, struct trp_simserver *server) {
  size_t dues = (hub->wire_count + 1) * 4; /* two ends, an arrival and a deadline each */
  if (trp_agenda_reserve(&hub->agenda, dues) != TRP_OK) return NULL;
  struct trp_simwire *wire = calloc(1, sizeof *wire);
  if (wire == NULL) return NULL;
  wire->hub = hub;
  wire->server = server;
  for (int side = 0; side < 2; side++) {
    wire->ends[side].wire = wire;
    wire->ends[side].arrival.run = on_arrival;
    wire->ends[side].deadline.run = on_deadline;
  }
  wire->prev = hub->wires_last;
  if (hub->wires_last == NULL) {
    hub->wires = wire;
  } else {
    hub->wires_last->next = wire;
  }
  hub->wires_last = wire;
  hub->wire_count++;
  return wire;
}

void trp_simwire_settle(struct trp_simwire *wire) {
  if (wire->ends[0].net != NULL || wire->ends[1].net != NULL) return;
  struct trp_simhub *hub = wire->hub;
  for (int side = 0; side < 2; side++) {
    discard(&wire->ends[side]);
    trp_agenda_remove(&hub->agenda, &wire->ends[side].deadline);
  }
  if (wire->prev == NULL) {
    hub->wires = wire->next;
  } else {
    wire->prev->next = wire->next;
  }
  if (wire->next == NULL) {
    hub->wires_last = wire->prev;
  } else {
    wire->next->prev = wire->prev;
  }
  hub->wire_count--;
  free(wire);
}
