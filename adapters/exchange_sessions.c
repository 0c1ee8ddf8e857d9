#include "adapters/exchange_sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
  EVENTS_A_TURN = 256,
  FRAMES_A_TURN = 256, /* of a replay, a client */
  RETRY_MS = 2
};

#define EACH_CLIENT(exchange, client)                                                              \
  for (struct trp_exchange_client *client = (exchange)->clients;                                   \
       client < (exchange)->clients + (exchange)->options.sessions_max; client++)                  \
    if (client->link != 0)

/* ---- coming and going ---------------------------------------------------------------------- */

static void forget(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  trp_exchange_binance_close(&client->session);
  memset(client, 0, sizeof *client);
  exchange->client_count--;
  trp_account(exchange->self, TRP_RES_SOCKET, -1);
}

static void cut(struct trp_exchange *exchange, struct trp_exchange_client *client,
                const char *why) {
  trp_log(exchange->self, TRP_LOG_INFO, "exchange.cut", "link=%" PRIu64 " why=\"%s\"", client->link,
          why);
  exchange->net->ops->cancel(exchange->net, client->link);
  exchange->stats->cut++;
  forget(exchange, client);
}

static void close_client(struct trp_exchange *exchange, struct trp_exchange_client *client,
                         uint16_t code, const char *reason) {
  if (client->closing) {
    return;
  }
  client->closing = true;
  exchange->net->ops->ws_close(exchange->net, client->link, code, reason, TRP_EXCHANGE_CLOSE_MS);
}

/* The client broke a limit: the exchange closes with "policy violation" (RFC 6455, 7.4.1). */
static void limit(struct trp_exchange *exchange, struct trp_exchange_client *client,
                  const char *why) {
  exchange->stats->limited++;
  trp_log(exchange->self, TRP_LOG_WARN, "exchange.limited", "link=%" PRIu64 " why=\"%s\"",
          client->link, why);
  close_client(exchange, client, 1008, why);
}

static struct trp_exchange_client *find(struct trp_exchange *exchange, uint64_t link) {
  EACH_CLIENT(exchange, client) {
    if (client->link == link) {
      return client;
    }
  }
  return NULL;
}

static struct trp_exchange_client *free_slot(struct trp_exchange *exchange) {
  for (uint32_t i = 0; i < exchange->options.sessions_max; i++) {
    if (exchange->clients[i].link == 0) {
      return &exchange->clients[i];
    }
  }
  return NULL;
}

static bool refuses(const struct trp_exchange *exchange) {
  return exchange->now_ns < exchange->refuse_until_ns;
}

static void accept_client(struct trp_exchange *exchange, const struct trp_net_event *event) {
  bool shut = refuses(exchange) || exchange->stopping;
  struct trp_exchange_client *client = shut ? NULL : free_slot(exchange);
  if (client == NULL) {
    exchange->stats->refused++;
    exchange->net->ops->cancel(exchange->net, event->link);
    return;
  }
  struct trp_exchange_session session;
  enum trp_err err =
      trp_exchange_binance_open(&session, &exchange->market, event->path, exchange->now_ns);
  *client = (struct trp_exchange_client){
      .link = event->link,
      .session = session,
      .pong_ns = exchange->now_ns,
      .ping_ns = exchange->now_ns + exchange->options.ping_ms * TRP_NS_PER_MS};
  exchange->client_count++;
  exchange->stats->accepted++;
  trp_account(exchange->self, TRP_RES_SOCKET, 1);
  trp_log(exchange->self, TRP_LOG_DEBUG, "exchange.accepted", "link=%" PRIu64 " path=%.200s",
          event->link, event->path);
  if (err != TRP_OK) {
    limit(exchange, client, err == TRP_LIMIT ? "too many streams" : "unknown path");
  }
}

static void client_closed(struct trp_exchange *exchange, struct trp_exchange_client *client,
                          const struct trp_net_event *event) {
  if (event->proper) {
    exchange->stats->closes_proper++;
  } else {
    exchange->stats->closes_improper++;
  }
  trp_log(exchange->self, event->proper ? TRP_LOG_DEBUG : TRP_LOG_WARN, "exchange.closed",
          "link=%" PRIu64 " code=%u proper=%d reason=\"%s\"", event->link, event->code,
          event->proper, event->reason);
  forget(exchange, client);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* OK also where nothing may be sent; the client may be gone after another error. */
static enum trp_err send_text(struct trp_exchange *exchange, struct trp_exchange_client *client,
                              const char *bytes, size_t size) {
  if (client->closing || exchange->now_ns < exchange->silent_until_ns) {
    return TRP_OK;
  }
  enum trp_err err = exchange->net->ops->ws_send(exchange->net, client->link, false, bytes, size);
  exchange->stats->frames_sent += err == TRP_OK;
  return err;
}

static void send_or_cut(struct trp_exchange *exchange, struct trp_exchange_client *client,
                        const struct trp_exchange_text *text) {
  enum trp_err err =
      text->failed ? TRP_NO_MEMORY : send_text(exchange, client, text->bytes, text->size);
  if (err == TRP_FULL) {
    exchange->stats->slow++;
    cut(exchange, client, "does not take what it is sent");
  } else if (err != TRP_OK && err != TRP_WRONG_STATE) { /* its CLOSED is on the way */
    cut(exchange, client, trp_err_text(err));
  }
}

/* ---- hearing --------------------------------------------------------------------------------- */

/* Everything a client sends counts: messages, pings and pongs. False where it was too much. */
static bool within_rate(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  uint32_t max = exchange->options.messages_per_s;
  uint64_t *oldest = &client->heard[client->heard_count % max];
  bool within = client->heard_count < max || exchange->now_ns - *oldest >= TRP_NS_PER_S;
  *oldest = exchange->now_ns;
  client->heard_count++;
  if (!within) {
    limit(exchange, client, "too many requests");
  }
  return within;
}

static void hear(struct trp_exchange *exchange, struct trp_exchange_client *client,
                 const struct trp_net_event *event) {
  exchange->stats->frames_received++;
  if (client->closing || !within_rate(exchange, client)) {
    return;
  }
  trp_exchange_text_clear(&exchange->reply);
  trp_exchange_binance_handle(&client->session, &exchange->market, event->bytes, event->size,
                              exchange->now_ns, &exchange->reply);
  send_or_cut(exchange, client, &exchange->reply);
}

static void answer_request(struct trp_exchange *exchange, const struct trp_net_event *event) {
  const struct trp_net_ops *ops = exchange->net->ops;
  struct trp_exchange_response response = {.status = 503};
  uint64_t link = event->link;
  if (refuses(exchange)) {
    exchange->stats->refused++;
    ops->cancel(exchange->net, link);
    return;
  }
  exchange->stats->requests++;
  trp_exchange_text_clear(&exchange->reply);
  if (exchange->stopping) {
    trp_exchange_text_add(&exchange->reply,
                          "{\"code\":-1016,\"msg\":\"This service is no longer "
                          "available.\"}");
  } else {
    trp_exchange_binance_rest(&exchange->market, &exchange->weight, event->method, event->path,
                              exchange->now_ns, &response, &exchange->reply);
  }
  enum trp_err err =
      ops->respond(exchange->net, link, response.status, "application/json;charset=UTF-8",
                   response.extra[0] != '\0' ? response.extra : NULL, exchange->reply.bytes,
                   exchange->reply.size);
  if (err != TRP_OK) {
    ops->cancel(exchange->net, link);
  }
}

static void take(struct trp_exchange *exchange, const struct trp_net_event *event) {
  if (event->kind == TRP_NET_ACCEPTED) {
    accept_client(exchange, event);
    return;
  }
  if (event->kind == TRP_NET_REQUEST) {
    answer_request(exchange, event);
    return;
  }
  struct trp_exchange_client *client = find(exchange, event->link);
  if (client == NULL) {
    return; /* a request's link that ended before its answer */
  }
  switch (event->kind) {
    case TRP_NET_FRAME:
      hear(exchange, client, event);
      break;
    case TRP_NET_PONG:
      client->pong_ns = exchange->now_ns;
      (void)within_rate(exchange, client);
      break;
    case TRP_NET_PING:
      (void)within_rate(exchange, client);
      break;
    case TRP_NET_CLOSED:
    case TRP_NET_FAILED:
      client_closed(exchange, client, event);
      break;
    default:
      break;
  }
}

bool trp_exchange_serve(struct trp_exchange *exchange) {
  struct trp_net_event event;
  for (int i = 0; i < EVENTS_A_TURN; i++) {
    if (!exchange->net->ops->next(exchange->net, &event)) {
      return true;
    }
    take(exchange, &event);
  }
  return false;
}

/* ---- the market's voice ------------------------------------------------------------------------
 */

static bool anyone_hears(const struct trp_exchange *exchange, uint32_t channel) {
  EACH_CLIENT(exchange, client) {
    if (trp_exchange_binance_hears(&client->session, channel)) {
      return true;
    }
  }
  return false;
}

/* Made once for all: the payload, and its wrapped form when the first one wants it. */
static void publish_channel(struct trp_exchange *exchange, uint32_t channel,
                            const struct trp_walk_event *event) {
  struct trp_exchange_text *payload = &exchange->payload;
  struct trp_exchange_text *wrapped = &exchange->wrapped;
  trp_exchange_text_clear(payload);
  trp_exchange_text_clear(wrapped);
  trp_exchange_binance_payload(&exchange->market, channel, event, payload);
  EACH_CLIENT(exchange, client) {
    if (!trp_exchange_binance_hears(&client->session, channel)) {
      continue;
    }
    if (client->session.combined && wrapped->size == 0) {
      char name[TRP_EXCHANGE_NAME_MAX + 1];
      trp_exchange_binance_channel_name(exchange->market.walk, channel, name, sizeof name);
      trp_exchange_binance_wrap(name, payload->bytes, payload->size, wrapped);
    }
    send_or_cut(exchange, client, client->session.combined ? wrapped : payload);
  }
}

void trp_exchange_publish(void *arg, const struct trp_walk_event *event) {
  struct trp_exchange *exchange = arg;
  uint32_t channel;
  for (uint32_t i = 0; (channel = trp_exchange_binance_channel(event, i)) != TRP_REPLAY_NONE; i++) {
    if (anyone_hears(exchange, channel)) {
      publish_channel(exchange, channel, event);
    }
  }
}

bool trp_exchange_heard(const struct trp_exchange *exchange) {
  EACH_CLIENT(exchange, client) {
    if (client->session.count > 0) {
      return true;
    }
  }
  return false;
}

/* The subscription whose frame comes next, by due time and then by the capture's order. */
static struct trp_exchange_sub *next_sub(const struct trp_exchange *exchange,
                                         const struct trp_exchange_client *client,
                                         uint64_t *due_ns) {
  const struct trp_replay *replay = exchange->market.replay;
  struct trp_exchange_sub *first = NULL;
  uint64_t first_order = UINT64_MAX;
  *due_ns = UINT64_MAX;
  for (uint32_t i = 0; i < client->session.count; i++) {
    struct trp_exchange_sub *sub = &client->session.subs[i];
    uint64_t due = trp_replay_due_ns(replay, &sub->cursor);
    if (due == UINT64_MAX || due > *due_ns) {
      continue;
    }
    uint64_t order = trp_replay_frame(replay, &sub->cursor).order;
    if (due < *due_ns || order < first_order) {
      first = sub;
      first_order = order;
      *due_ns = due;
    }
  }
  return first;
}

static enum trp_err send_frame(struct trp_exchange *exchange, struct trp_exchange_client *client,
                               const struct trp_exchange_sub *sub) {
  struct trp_replay_frame frame = trp_replay_frame(exchange->market.replay, &sub->cursor);
  if (!client->session.combined) {
    return send_text(exchange, client, frame.data, frame.data_size);
  }
  if (frame.combined) {
    return send_text(exchange, client, frame.bytes, frame.size);
  }
  struct trp_exchange_text *wrapped = &exchange->wrapped;
  trp_exchange_text_clear(wrapped);
  trp_exchange_binance_wrap(sub->name, frame.data, frame.data_size, wrapped);
  return wrapped->failed ? TRP_NO_MEMORY
                         : send_text(exchange, client, wrapped->bytes, wrapped->size);
}

static void replay_client(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  for (int i = 0; i < FRAMES_A_TURN; i++) {
    uint64_t due_ns;
    struct trp_exchange_sub *sub = next_sub(exchange, client, &due_ns);
    if (sub == NULL || due_ns > exchange->now_ns) {
      return;
    }
    enum trp_err err = send_frame(exchange, client, sub);
    if (err == TRP_FULL) { /* its socket decides how fast; the pong rule ends a dead one */
      client->retry_ns = exchange->now_ns + RETRY_MS * TRP_NS_PER_MS;
      return;
    }
    if (err == TRP_WRONG_STATE) {
      client->closing = true; /* its CLOSED is on the way */
      return;
    }
    if (err != TRP_OK) {
      cut(exchange, client, trp_err_text(err));
      return;
    }
    sub->cursor.next++;
  }
}

void trp_exchange_replay(struct trp_exchange *exchange) {
  if (exchange->now_ns < exchange->silent_until_ns) {
    return; /* held back, not lost: the recording goes on afterwards */
  }
  EACH_CLIENT(exchange, client) {
    if (!client->closing && client->retry_ns <= exchange->now_ns) {
      replay_client(exchange, client);
    }
  }
}

/* ---- life -------------------------------------------------------------------------------------
 */

void trp_exchange_beat(struct trp_exchange *exchange) {
  uint64_t patience_ns = exchange->options.pong_ms * TRP_NS_PER_MS;
  EACH_CLIENT(exchange, client) {
    if (client->closing || client->ping_ns > exchange->now_ns) {
      continue;
    }
    if (exchange->now_ns - client->pong_ns >= patience_ns) {
      exchange->stats->limited++;
      cut(exchange, client, "no pong");
      continue;
    }
    client->ping_ns = exchange->now_ns + exchange->options.ping_ms * TRP_NS_PER_MS;
    if (exchange->now_ns >= exchange->silent_until_ns) {
      uint64_t wall_ms = (exchange->market.wall_ns + exchange->now_ns) / TRP_NS_PER_MS;
      char payload[24];
      int size = snprintf(payload, sizeof payload, "%" PRIu64, wall_ms);
      (void)exchange->net->ops->ws_ping(exchange->net, client->link, payload, (size_t)size);
    }
  }
}

uint64_t trp_exchange_clients_due(const struct trp_exchange *exchange) {
  uint64_t due_ns = UINT64_MAX;
  EACH_CLIENT(exchange, client) {
    uint64_t frame_ns = UINT64_MAX;
    if (client->closing) {
      continue;
    }
    if (exchange->market.replay != NULL) {
      (void)next_sub(exchange, client, &frame_ns);
      frame_ns = frame_ns < client->retry_ns ? client->retry_ns : frame_ns;
    }
    due_ns = client->ping_ns < due_ns ? client->ping_ns : due_ns;
    due_ns = frame_ns < due_ns ? frame_ns : due_ns;
  }
  return due_ns;
}

void trp_exchange_cut_all(struct trp_exchange *exchange) {
  EACH_CLIENT(exchange, client) { cut(exchange, client, "everyone"); }
}

void trp_exchange_close_all(struct trp_exchange *exchange, uint16_t code, const char *reason) {
  EACH_CLIENT(exchange, client) { close_client(exchange, client, code, reason); }
}

void trp_exchange_hold_all(struct trp_exchange *exchange, bool held) {
  EACH_CLIENT(exchange, client) { exchange->net->ops->hold(exchange->net, client->link, held); }
}
