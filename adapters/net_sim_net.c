#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapters/net_sim_wire.h"

#define LINKS_MAX 64
#define SEND_QUEUE_MAX 1024
#define EVENT_BYTES_MAX (4u << 20)
#define EVENT_COST 64 /* what an event weighs beside its bytes: empty ones are bounded too */
#define TIMEOUT_MS 10000
#define CONTROL_MAX 125 /* bytes of a ping, RFC 6455 section 5.5 */

/* ---- links ---------------------------------------------------------------------------------- */

static struct trp_simnet *sim(struct trp_net *net) { return (struct trp_simnet *)net; }

static struct trp_simend *find(struct trp_net *net, uint64_t link) {
  struct trp_simnet *self = sim(net);
  struct trp_simend *end = self->links[link % self->options.links_max];
  return end != NULL && end->id == link ? end : NULL;
}

static uint32_t links_of(const struct trp_simnet *net) {
  uint32_t count = 0;
  for (uint32_t slot = 0; slot < net->options.links_max; slot++) count += net->links[slot] != NULL;
  return count;
}

/* The shared net and its ports have together as many links as it may have. */
static bool together_full(const struct trp_simnet *net) {
  const struct trp_net *shared = net->net.shared;
  if (shared == NULL) return false;
  uint32_t count = 0;
  for (const struct trp_simnet *n = net->hub->nets; n != NULL; n = n->next) {
    if (&n->net == shared || n->net.shared == shared) count += links_of(n);
  }
  return count >= ((const struct trp_simnet *)(const void *)shared)->options.links_max;
}

enum trp_err trp_simnet_attach(struct trp_simnet *net, struct trp_simend *end) {
  if (together_full(net)) return TRP_LIMIT;
  for (uint32_t slot = 0; slot < net->options.links_max; slot++) {
    if (net->links[slot] != NULL) continue;
    net->links[slot] = end;
    end->net = net;
    end->id = ++net->serial * net->options.links_max + slot;
    return TRP_OK;
  }
  return TRP_LIMIT;
}

void trp_simnet_detach(struct trp_simend *end) {
  struct trp_simnet *net = end->net;
  net->links[end->id % net->options.links_max] = NULL;
  end->net = NULL;
  end->state = TRP_SIMEND_ABSENT;
}

/* ---- events --------------------------------------------------------------------------------- */

bool trp_simnet_congested(const struct trp_simnet *net) {
  return net->waiting_bytes >= net->options.event_bytes_max;
}

void trp_simnet_post(struct trp_simend *end, enum trp_net_event_kind kind,
                     struct trp_parcel *parcel) {
  struct trp_simnet *net = end->net;
  parcel->event.kind = kind;
  parcel->event.link = end->id;
  parcel->event.at_ns = net->hub->now_ns;
  parcel->next = NULL;
  if (net->head == NULL) {
    net->head = parcel;
  } else {
    net->tail->next = parcel;
  }
  net->tail = parcel;
  net->waiting_bytes += parcel->event.size + EVENT_COST;
  if (trp_simnet_congested(net)) trp_simend_arm(trp_simend_other(end));
  if (net->net.system != NULL) trp_notify(net->net.system, net->net.slot);
}

/* Room was made: what was not read may be read now. */
static void read_again(struct trp_simnet *net) {
  for (uint32_t slot = 0; slot < net->options.links_max; slot++) {
    if (net->links[slot] != NULL) trp_simend_arm(trp_simend_other(net->links[slot]));
  }
}

static void unweigh(struct trp_simnet *net, const struct trp_parcel *parcel) {
  bool congested = trp_simnet_congested(net);
  net->waiting_bytes -= parcel->event.size + EVENT_COST;
  if (congested && !trp_simnet_congested(net)) read_again(net);
}

static bool next(struct trp_net *net, struct trp_net_event *out) {
  struct trp_simnet *self = sim(net);
  trp_parcel_free(self->taken);
  self->taken = NULL;
  struct trp_parcel *parcel = self->head;
  if (parcel == NULL) return false;
  self->head = parcel->next;
  unweigh(self, parcel);
  *out = parcel->event;
  snprintf(self->reason, sizeof self->reason, "%s", out->reason == NULL ? "" : out->reason);
  out->reason = self->reason; /* it may lie in the end, which may go now */
  if (!parcel->embedded) self->taken = parcel;
  if (out->kind == TRP_NET_CLOSED || out->kind == TRP_NET_FAILED || out->kind == TRP_NET_RESPONSE) {
    struct trp_simend *end = find(net, out->link);
    trp_simnet_detach(end);
    trp_simwire_settle(end->wire);
  }
  return true;
}

/* Takes back what waits of a link that was cancelled. */
static void forget(struct trp_simnet *net, uint64_t link) {
  struct trp_parcel *parcel = net->head;
  struct trp_parcel **at = &net->head;
  net->tail = NULL;
  while (parcel != NULL) {
    struct trp_parcel *following = parcel->next;
    if (parcel->event.link == link) {
      *at = following;
      unweigh(net, parcel);
      trp_parcel_free(parcel);
    } else {
      net->tail = parcel;
      at = &parcel->next;
    }
    parcel = following;
  }
}

/* A link that is over does not live, though its last event still waits. */
static size_t live(struct trp_net *net) {
  struct trp_simnet *self = sim(net);
  size_t count = 0;
  for (uint32_t slot = 0; slot < self->options.links_max; slot++) {
    const struct trp_simend *end = self->links[slot];
    count += end != NULL && end->state != TRP_SIMEND_OVER;
  }
  return count;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The request in one piece: target, method and body behind one another. */
static struct trp_parcel *compose(const struct trp_net_request *request,
                                  const struct trp_net_url *url) {
  const char *method = request->method == NULL ? "GET" : request->method;
  size_t method_bytes = strlen(method) + 1;
  size_t target_bytes = strlen(url->path) + 1;
  size_t body_bytes = !url->websocket && request->body != NULL ? request->body_bytes : 0;
  struct trp_parcel *hello =
      trp_parcel_new(TRP_PARCEL_HELLO, NULL, target_bytes + method_bytes + body_bytes);
  if (hello == NULL) return NULL;
  char *at = (char *)(hello + 1);
  hello->event.path = memcpy(at, url->path, target_bytes);
  at += target_bytes;
  memcpy(at, method, method_bytes);
  hello->event.method = url->websocket ? NULL : at;
  at += method_bytes;
  if (body_bytes > 0) memcpy(at, request->body, body_bytes);
  hello->event.bytes = at;
  hello->event.size = body_bytes;
  return hello;
}

static bool is_method(const char *method) {
  return method == NULL || strcmp(method, "GET") == 0 || strcmp(method, "POST") == 0 ||
         strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0;
}

/* A connection whose client's end is a link of this net. Errors: LIMIT, NO_MEMORY, INVALID. */
static enum trp_err connect_to(struct trp_simnet *self, const struct trp_net_url *url,
                               struct trp_simend **out) {
  struct trp_simserver *server = NULL;
  enum trp_err err = trp_simhub_server(self->hub, url->host, strlen(url->host), url->port, &server);
  if (err != TRP_OK) return err;
  struct trp_simwire *wire = trp_simwire_new(self->hub, server);
  if (wire == NULL) return TRP_NO_MEMORY;
  wire->http = !url->websocket;
  wire->tls = url->tls;
  *out = &wire->ends[0];
  err = trp_simnet_attach(self, *out);
  if (err != TRP_OK) trp_simwire_settle(wire);
  return err;
}

static enum trp_err start(struct trp_net *net, const struct trp_net_request *request,
                          bool websocket, uint64_t *link) {
  struct trp_net_url url;
  enum trp_err err = trp_net_url_parse(&url, request->url);
  if (err != TRP_OK) return err;
  if (url.websocket != websocket || !is_method(request->method)) return TRP_INVALID;
  if (request->body_bytes > TRP_SIM_HTTP_MAX) return TRP_LIMIT;
  struct trp_parcel *hello = compose(request, &url);
  if (hello == NULL) return TRP_NO_MEMORY;
  struct trp_simend *end = NULL;
  err = connect_to(sim(net), &url, &end);
  if (err != TRP_OK) {
    trp_parcel_free(hello);
    return err;
  }
  end->state = TRP_SIMEND_OPENING;
  end->frame_max = websocket ? TRP_SIM_FRAME_MAX : TRP_SIM_HTTP_MAX;
  if (request->frame_max != 0) end->frame_max = request->frame_max;
  trp_simend_look_up(end, hello);
  trp_simend_deadline(end, request->timeout_ms == 0 ? TIMEOUT_MS : request->timeout_ms);
  *link = end->id;
  return TRP_OK;
}

static enum trp_err ws_open(struct trp_net *net, const struct trp_net_request *request,
                            uint64_t *link) {
  return start(net, request, true, link);
}

static enum trp_err http_send(struct trp_net *net, const struct trp_net_request *request,
                              uint64_t *link) {
  return start(net, request, false, link);
}

/* A port of the host on which nobody listens, 0 where there is none. */
static uint16_t free_port(struct trp_simhub *hub, const char *host) {
  for (uint32_t tries = 0; tries <= UINT16_MAX; tries++) {
    uint16_t port = hub->port_next++;
    struct trp_simserver *taken = trp_simhub_find(hub, host, port);
    if (port >= 1024 && (taken == NULL || taken->net == NULL)) return port;
  }
  return 0;
}

static enum trp_err listen_on(struct trp_net *net, const char *host, uint16_t *port) {
  struct trp_simnet *self = sim(net);
  if (net->shared != NULL) return TRP_WRONG_STATE;
  if (self->listens != NULL) { /* an earlier incarnation did it */
    bool same = *port == 0 || *port == self->listens->port;
    *port = self->listens->port;
    return same ? TRP_OK : TRP_INVALID;
  }
  if (host == NULL) host = "localhost";
  uint16_t asked = *port == 0 ? free_port(self->hub, host) : *port;
  if (asked == 0) return TRP_CONNECT;
  struct trp_simserver *server = NULL;
  enum trp_err err = trp_simhub_server(self->hub, host, strlen(host), asked, &server);
  if (err != TRP_OK) return err;
  if (server->net != NULL) return TRP_CONNECT;
  server->net = self;
  self->listens = server;
  *port = asked;
  return TRP_OK;
}

/* ---- talking -------------------------------------------------------------------------------- */

static enum trp_err queue(struct trp_net *net, uint64_t link, enum trp_parcel_kind kind,
                          bool binary, const void *bytes, size_t size) {
  struct trp_simend *end = find(net, link);
  if (end == NULL || end->state != TRP_SIMEND_OPEN) return TRP_WRONG_STATE;
  if (end->waiting >= sim(net)->options.send_queue_max) return TRP_FULL;
  struct trp_parcel *parcel = trp_parcel_new(kind, bytes, size);
  if (parcel == NULL) return TRP_NO_MEMORY;
  parcel->event.binary = binary;
  trp_simend_send(end, parcel);
  return TRP_OK;
}

static enum trp_err ws_send(struct trp_net *net, uint64_t link, bool binary, const void *bytes,
                            size_t size) {
  return queue(net, link, TRP_PARCEL_MESSAGE, binary, bytes, size);
}

static enum trp_err ws_ping(struct trp_net *net, uint64_t link, const void *bytes, size_t size) {
  if (size > CONTROL_MAX) return TRP_TOO_BIG;
  return queue(net, link, TRP_PARCEL_PING, false, bytes, size);
}

static void ws_close(struct trp_net *net, uint64_t link, uint16_t code, const char *reason,
                     uint32_t timeout_ms) {
  struct trp_simend *end = find(net, link);
  if (end == NULL) return;
  if (end->state == TRP_SIMEND_OPEN) {
    end->state = TRP_SIMEND_CLOSING;
    trp_simend_part(end, TRP_PARCEL_CLOSE,
                    &(struct trp_net_event){.code = code == 0 ? 1000 : code, .reason = reason});
    trp_simend_arm(trp_simend_other(end)); /* it reads again, were it held */
    trp_simend_deadline(end, timeout_ms);
  } else if (end->state == TRP_SIMEND_CLOSING) {
    trp_simend_deadline(end, timeout_ms);
  } else if (end->state == TRP_SIMEND_OPENING) {
    struct trp_net_event event = {.kind = TRP_NET_CLOSED,
                                  .err = TRP_CLOSED,
                                  .code = 1006,
                                  .reason = "closed before it was open"};
    trp_simend_finish(end, &event);
    trp_simend_part(end, TRP_PARCEL_RESET, &event);
  }
}

static void cancel(struct trp_net *net, uint64_t link) {
  for (uint32_t slot = 0; link == 0 && slot < sim(net)->options.links_max; slot++) {
    if (sim(net)->links[slot] != NULL) cancel(net, sim(net)->links[slot]->id);
  }
  struct trp_simend *end = find(net, link);
  if (end == NULL) return;
  trp_simend_abandon(end);
  forget(sim(net), link);
  trp_simwire_settle(end->wire);
}

static void hold(struct trp_net *net, uint64_t link, bool held) {
  struct trp_simend *end = find(net, link);
  if (end == NULL) return;
  end->held = held;
  trp_simend_arm(trp_simend_other(end));
}

/* The number in a "Retry-After: 3" line of the header lines, 0 where there is none. */
static uint32_t retry_after(const char *extra) {
  static const char name[] = "retry-after:";
  for (const char *line = extra; line != NULL; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncasecmp(line, name, sizeof name - 1) != 0) continue;
    unsigned long seconds = strtoul(line + sizeof name - 1, NULL, 10);
    return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
  }
  return 0;
}

static enum trp_err respond(struct trp_net *net, uint64_t link, uint16_t status,
                            const char *content_type, const char *extra, const void *body,
                            size_t size) {
  (void)content_type; /* no event tells it */
  struct trp_simend *end = find(net, link);
  if (end == NULL || end->state != TRP_SIMEND_SERVING) return TRP_WRONG_STATE;
  if (status < 100 || status > 999) return TRP_INVALID;
  struct trp_parcel *parcel = trp_parcel_new(TRP_PARCEL_RESPONSE, body, size);
  if (parcel == NULL) return TRP_NO_MEMORY;
  parcel->event.status = status;
  parcel->event.retry_after_s = retry_after(extra);
  trp_simend_send(end, parcel);
  forget(sim(net), link);
  trp_simnet_detach(end);
  trp_simwire_settle(end->wire);
  return TRP_OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* The simulated scheduler drives the hub as a source; nobody sleeps in a simulated loop. */
static void loop_run(struct trp_loop *loop, uint64_t until_ns) {
  (void)loop;
  (void)until_ns;
}

static void loop_wake(struct trp_loop *loop) { (void)loop; }

static void destroy(struct trp_net *net) {
  struct trp_simnet *self = sim(net);
  for (uint32_t slot = 0; slot < self->options.links_max; slot++) {
    if (self->links[slot] != NULL) cancel(net, self->links[slot]->id);
  }
  trp_parcel_free(self->taken);
  if (self->listens != NULL) self->listens->net = NULL;
  struct trp_simnet **at = &self->hub->nets;
  while (*at != self) at = &(*at)->next;
  *at = self->next;
  free(self->links);
  free(self);
}

static enum trp_err port(struct trp_net *shared, const struct trp_net_options *options,
                         struct trp_net **out) {
  enum trp_err err = trp_simhub_net_with(sim(shared)->hub, out, options);
  if (err == TRP_OK) (*out)->shared = shared->shared != NULL ? shared->shared : shared;
  return err;
}

static const struct trp_net_ops ops = {.ws_open = ws_open,
                                       .ws_send = ws_send,
                                       .ws_ping = ws_ping,
                                       .ws_close = ws_close,
                                       .http_send = http_send,
                                       .cancel = cancel,
                                       .listen = listen_on,
                                       .respond = respond,
                                       .hold = hold,
                                       .next = next,
                                       .live = live,
                                       .port = port,
                                       .destroy = destroy};

enum trp_err trp_simhub_net_with(struct trp_simhub *hub, struct trp_net **out,
                                 const struct trp_net_options *options) {
  *out = NULL;
  struct trp_simnet *self = calloc(1, sizeof *self);
  if (self == NULL) return TRP_NO_MEMORY;
  if (options != NULL) self->options = *options;
  struct trp_net_options *o = &self->options;
  if (o->links_max == 0) o->links_max = LINKS_MAX;
  if (o->send_queue_max == 0) o->send_queue_max = SEND_QUEUE_MAX;
  if (o->event_bytes_max == 0) o->event_bytes_max = EVENT_BYTES_MAX;
  self->links = calloc(o->links_max, sizeof(struct trp_simend *));
  if (self->links == NULL) {
    free(self);
    return TRP_NO_MEMORY;
  }
  self->hub = hub;
  self->net.ops = &ops;
  self->net.loop = (struct trp_loop){.run = loop_run, .wake = loop_wake};
  struct trp_simnet **at = &hub->nets; /* at the end: the order is the order of making */
  while (*at != NULL) at = &(*at)->next;
  *at = self;
  *out = &self->net;
  return TRP_OK;
}

enum trp_err trp_simhub_net(struct trp_simhub *hub, struct trp_net **out) {
  return trp_simhub_net_with(hub, out, NULL);
}
