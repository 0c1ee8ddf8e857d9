#include "adapters/exchange_sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS_A_TURN = 256 };

/* ---- coming and going ---------------------------------------------------------------------- */

static void forget(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  trp_exchange_guest_leave(trp_exchange_guest(exchange->guests, client->address, exchange->now_ns));
  trp_exchange_subs_fini(&client->session);
  trp_exchange_text_free(&client->late);
  memset(client, 0, sizeof *client);
  exchange->client_count--;
  trp_account(exchange->self, TRP_RES_SOCKET, -1);
}

void trp_exchange_cut(struct trp_exchange *exchange, struct trp_exchange_client *client,
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
  trp_exchange_guest_offends(
      trp_exchange_guest(exchange->guests, client->address, exchange->now_ns), exchange->now_ns);
  trp_log(exchange->self, TRP_LOG_WARN, "exchange.limited", "link=%" PRIu64 " why=\"%s\"",
          client->link, why);
  close_client(exchange, client, 1008, why);
}

static struct trp_exchange_client *find(struct trp_exchange *exchange, uint64_t link) {
  TRP_EXCHANGE_EACH(exchange, client) {
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

static void refuse(struct trp_exchange *exchange, uint64_t link, const char *why) {
  exchange->stats->refused++;
  trp_log(exchange->self, TRP_LOG_DEBUG, "exchange.refused", "link=%" PRIu64 " why=\"%s\"", link,
          why);
  exchange->net->ops->cancel(exchange->net, link);
}

static uint64_t after_ms(const struct trp_exchange *exchange, uint32_t ms) {
  return ms != 0 ? exchange->now_ns + ms * TRP_NS_PER_MS : UINT64_MAX;
}

static void accept_client(struct trp_exchange *exchange, const struct trp_net_event *event) {
  bool shut = trp_exchange_faulty(exchange, TRP_EXCHANGE_REFUSE) || exchange->stopping;
  struct trp_exchange_client *client = shut ? NULL : free_slot(exchange);
  if (client == NULL) {
    refuse(exchange, event->link, shut ? "refusing" : "no session is left");
    return;
  }
  struct trp_exchange_guest *guest =
      trp_exchange_guest(exchange->guests, event->peer, exchange->now_ns);
  const char *why = trp_exchange_guest_enter(guest, &exchange->limits, exchange->now_ns);
  if (why != NULL) {
    exchange->stats->limited++;
    refuse(exchange, event->link, why);
    return;
  }
  struct trp_exchange_session session;
  enum trp_err err =
      exchange->dialect->open(&session, &exchange->market, event->path, exchange->now_ns);
  session.number = ++exchange->session_number;
  *client =
      (struct trp_exchange_client){.link = event->link,
                                   .address = event->peer,
                                   .session = session,
                                   .pong_ns = exchange->now_ns,
                                   .empty_ns = exchange->now_ns,
                                   .active_ns = exchange->now_ns,
                                   .close_ns = after_ms(exchange, exchange->limits.lifetime_ms),
                                   .ping_ns = after_ms(exchange, exchange->limits.ping_ms)};
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

/* ---- hearing --------------------------------------------------------------------------------- */

/* Everything a client sends counts: messages, pings and pongs. False where it was too much. */
static bool within_rate(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  uint32_t max = exchange->limits.messages_per_s;
  client->active_ns = exchange->now_ns;
  if (max == 0) {
    return true;
  }
  uint64_t *oldest = &client->heard[client->heard_count % max];
  bool within = client->heard_count < max || exchange->now_ns - *oldest >= TRP_NS_PER_S;
  *oldest = exchange->now_ns;
  client->heard_count++;
  if (!within) {
    limit(exchange, client, "too many requests");
  }
  return within;
}

/* Answers are text; what a binary dialect begins a stream with is not, and begins otherwise. */
static void hear(struct trp_exchange *exchange, struct trp_exchange_client *client,
                 const struct trp_net_event *event) {
  struct trp_exchange_answers *answers = &exchange->answers;
  exchange->stats->frames_received++;
  if (client->closing || client->ghost_ns != 0 || !within_rate(exchange, client)) {
    return;
  }
  trp_exchange_answers_clear(answers);
  exchange->dialect->hear(&client->session, &exchange->market, event->bytes, event->size,
                          exchange->now_ns, answers);
  if (client->session.count == 0) {
    client->empty_ns = exchange->now_ns;
  }
  enum trp_err err = answers->text.failed ? TRP_NO_MEMORY : TRP_OK;
  size_t from = 0;
  for (uint32_t i = 0; i < answers->count && err == TRP_OK; i++) {
    err = trp_exchange_send(exchange, client, false, answers->text.bytes + from,
                            answers->ends[i] - from);
    from = answers->ends[i];
  }
  trp_exchange_sent(exchange, client, err);
}

static uint32_t seconds_left(const struct trp_exchange *exchange, enum trp_exchange_fault fault) {
  uint64_t left_ns = exchange->faults.until_ns[fault] - exchange->now_ns;
  return (uint32_t)((left_ns + TRP_NS_PER_S - 1) / TRP_NS_PER_S);
}

static void make_answer(struct trp_exchange *exchange, const struct trp_net_event *event,
                        struct trp_exchange_response *response, struct trp_exchange_text *body) {
  static const struct {
    enum trp_exchange_fault fault;
    enum trp_exchange_problem problem;
  } ordered[] = {{TRP_EXCHANGE_418, TRP_EXCHANGE_BANNED},
                 {TRP_EXCHANGE_429, TRP_EXCHANGE_TOO_MANY}};
  if (exchange->stopping) {
    trp_exchange_rest_refuse(exchange->dialect, &exchange->market, TRP_EXCHANGE_UNAVAILABLE, 0,
                             exchange->now_ns, response, body);
    return;
  }
  for (size_t i = 0; i < sizeof ordered / sizeof ordered[0]; i++) {
    if (trp_exchange_faulty(exchange, ordered[i].fault)) { /* no limit was broken */
      trp_exchange_rest_refuse(exchange->dialect, &exchange->market, ordered[i].problem,
                               seconds_left(exchange, ordered[i].fault), exchange->now_ns, response,
                               body);
      return;
    }
  }
  struct trp_exchange_guest *guest =
      trp_exchange_guest(exchange->guests, event->peer, exchange->now_ns);
  guest->meter.max = exchange->options.weight_per_min;
  trp_exchange_rest(exchange->dialect, &exchange->market, &guest->meter, event->method, event->path,
                    exchange->now_ns, response, body);
  exchange->stats->limited += response->status == 429 || response->status == 418;
}

static void answer_request(struct trp_exchange *exchange, const struct trp_net_event *event) {
  const struct trp_net_ops *ops = exchange->net->ops;
  struct trp_exchange_response response;
  struct trp_exchange_text *body = &exchange->answers.text;
  uint64_t link = event->link;
  if (trp_exchange_faulty(exchange, TRP_EXCHANGE_REFUSE)) {
    refuse(exchange, link, "refusing");
    return;
  }
  exchange->stats->requests++;
  trp_exchange_answers_clear(&exchange->answers);
  make_answer(exchange, event, &response, body);
  enum trp_err err =
      ops->respond(exchange->net, link, response.status, exchange->dialect->content_type,
                   response.extra[0] != '\0' ? response.extra : NULL, body->bytes, body->size);
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

/* ---- life -------------------------------------------------------------------------------------
 */

static void ping(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  client->ping_ns = after_ms(exchange, exchange->limits.ping_ms);
  if (!trp_exchange_faulty(exchange, TRP_EXCHANGE_SILENCE)) {
    uint64_t wall_ms = (exchange->market.wall_ns + exchange->now_ns) / TRP_NS_PER_MS;
    char payload[24];
    int size = snprintf(payload, sizeof payload, "%" PRIu64, wall_ms);
    (void)exchange->net->ops->ws_ping(exchange->net, client->link, payload, (size_t)size);
  }
}

/* When the client has said nothing worth a connection for too long. */
static uint64_t bored_ns(const struct trp_exchange *exchange,
                         const struct trp_exchange_client *client) {
  bool empty = client->session.count == 0;
  uint32_t ms = empty ? exchange->limits.idle_ms : exchange->limits.quiet_ms;
  uint64_t since_ns = empty ? client->empty_ns : client->active_ns;
  return ms != 0 ? since_ns + ms * TRP_NS_PER_MS : UINT64_MAX;
}

static void expire(struct trp_exchange *exchange, struct trp_exchange_client *client,
                   const char *why) {
  exchange->stats->expired++;
  close_client(exchange, client, 1001, why);
}

static void beat_one(struct trp_exchange *exchange, struct trp_exchange_client *client) {
  uint64_t now_ns = exchange->now_ns;
  if (client->ghost_ns != 0) {
    if (client->ghost_ns <= now_ns) {
      trp_exchange_cut(exchange, client, "half-open for long enough");
    }
    return;
  }
  if (client->close_ns <= now_ns) {
    expire(exchange, client, "it has lived long enough");
  } else if (bored_ns(exchange, client) <= now_ns) {
    expire(exchange, client, client->session.count == 0 ? "no subscription" : "no data");
  } else if (client->ping_ns <= now_ns) {
    if (now_ns - client->pong_ns >= exchange->limits.pong_ms * TRP_NS_PER_MS) {
      exchange->stats->limited++;
      trp_exchange_cut(exchange, client, "no pong");
      return;
    }
    ping(exchange, client);
  }
  if (client->late.size > 0 && !trp_exchange_faulty(exchange, TRP_EXCHANGE_REORDER)) {
    trp_exchange_send_late(exchange, client);
  }
}

void trp_exchange_beat(struct trp_exchange *exchange) {
  TRP_EXCHANGE_EACH(exchange, client) {
    if (!client->closing) {
      beat_one(exchange, client);
    }
  }
}

static uint64_t client_due(const struct trp_exchange *exchange,
                           const struct trp_exchange_client *client) {
  uint64_t frame_ns = UINT64_MAX;
  if (client->ghost_ns != 0) {
    return client->ghost_ns;
  }
  if (exchange->market.replay != NULL) {
    frame_ns = trp_exchange_frame_due(exchange, client);
    frame_ns = frame_ns < client->retry_ns ? client->retry_ns : frame_ns;
  }
  uint64_t bored = bored_ns(exchange, client);
  uint64_t due_ns = client->ping_ns < client->close_ns ? client->ping_ns : client->close_ns;
  due_ns = bored < due_ns ? bored : due_ns;
  return frame_ns < due_ns ? frame_ns : due_ns;
}

uint64_t trp_exchange_clients_due(const struct trp_exchange *exchange) {
  uint64_t due_ns = UINT64_MAX;
  TRP_EXCHANGE_EACH(exchange, client) {
    uint64_t one_ns = client->closing ? UINT64_MAX : client_due(exchange, client);
    due_ns = one_ns < due_ns ? one_ns : due_ns;
  }
  return due_ns;
}

void trp_exchange_expire_all(struct trp_exchange *exchange, bool notice, uint64_t at_ns) {
  uint64_t wall_ns = exchange->market.wall_ns + exchange->now_ns;
  TRP_EXCHANGE_EACH(exchange, client) {
    client->close_ns = at_ns < client->close_ns ? at_ns : client->close_ns;
    if (!notice || exchange->dialect->notice == NULL) {
      continue;
    }
    trp_exchange_text_clear(&exchange->common);
    exchange->dialect->notice(&client->session, wall_ns, &exchange->common);
    trp_exchange_sent(
        exchange, client,
        trp_exchange_send(exchange, client, false, exchange->common.bytes, exchange->common.size));
  }
}

void trp_exchange_ghost_all(struct trp_exchange *exchange, uint64_t until_ns) {
  TRP_EXCHANGE_EACH(exchange, client) {
    client->ghost_ns = until_ns;
    exchange->net->ops->hold(exchange->net, client->link, true);
  }
}

void trp_exchange_cut_all(struct trp_exchange *exchange) {
  TRP_EXCHANGE_EACH(exchange, client) { trp_exchange_cut(exchange, client, "everyone"); }
}

void trp_exchange_close_all(struct trp_exchange *exchange, uint16_t code, const char *reason) {
  TRP_EXCHANGE_EACH(exchange, client) {
    if (client->ghost_ns != 0) {
      trp_exchange_cut(exchange, client, "half-open"); /* a close frame would not be read */
    } else {
      close_client(exchange, client, code, reason);
    }
  }
}

void trp_exchange_hold_all(struct trp_exchange *exchange, bool held) {
  TRP_EXCHANGE_EACH(exchange, client) {
    exchange->net->ops->hold(exchange->net, client->link, held || client->ghost_ns != 0);
  }
}
