/* The actor: its start and end, its one timer, faults, and how it stops.
 *
 * One timer is armed for whatever comes next: the walk's next change, a frame of a recording, a
 * ping, the end of a stall. A market that nobody hears stands still and wakes nobody. */
#include "adapters/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/exchange_sessions.h"

enum {
  TAG_DUE = 1,
  BEAT_MIN_NS = 1000000, /* the market's finest grain: events closer together go out together */
};

/* ---- time -------------------------------------------------------------------------------------
 */

static bool stalled(const struct trp_exchange *exchange) {
  return trp_exchange_faulty(exchange, TRP_EXCHANGE_STALL);
}

/* The market's clock: it stands while the market is halted. */
static uint64_t market_ns(const struct trp_exchange *exchange) {
  bool halted = exchange->halt_ns != 0 && exchange->halt_ns < exchange->now_ns;
  return halted ? exchange->halt_ns : exchange->now_ns;
}

static uint64_t next_due(const struct trp_exchange *exchange) {
  if (exchange->stopping) {
    return UINT64_MAX; /* nothing but the net's events */
  }
  if (stalled(exchange)) {
    return exchange->faults.until_ns[TRP_EXCHANGE_STALL];
  }
  if (exchange->market.replay != NULL && trp_exchange_faulty(exchange, TRP_EXCHANGE_SILENCE)) {
    return exchange->faults.until_ns[TRP_EXCHANGE_SILENCE];
  }
  uint64_t fault_ns = trp_exchange_fault_due(exchange);
  uint64_t due_ns = trp_exchange_clients_due(exchange);
  due_ns = fault_ns < due_ns ? fault_ns : due_ns;
  if (market_ns(exchange) == exchange->now_ns && exchange->market.walk != NULL &&
      trp_exchange_heard(exchange)) {
    uint64_t walk_ns = trp_walk_next_ns(exchange->market.walk);
    due_ns = walk_ns < due_ns ? walk_ns : due_ns;
  }
  return due_ns;
}

/* Sets the timer to what comes next. One that is due earlier stays: it only wakes for nothing. */
static enum trp_err arm(struct trp_exchange *exchange) {
  uint64_t due_ns = next_due(exchange);
  if (due_ns == UINT64_MAX || (exchange->timer_ns != 0 && exchange->timer_ns <= due_ns)) {
    return TRP_OK;
  }
  if (exchange->timer_ns != 0) {
    trp_timer_cancel(exchange->self, exchange->timer);
  }
  uint64_t earliest_ns = exchange->now_ns + BEAT_MIN_NS;
  exchange->timer_ns = due_ns < earliest_ns ? earliest_ns : due_ns;
  return trp_timer_start(exchange->self, exchange->timer_ns - exchange->now_ns, 0, TAG_DUE,
                         &exchange->timer);
}

/* Lets the market catch up with the clock and everyone hear of it. */
static void play(struct trp_exchange *exchange) {
  if (exchange->stopping) {
    return;
  }
  if (exchange->market.walk != NULL) {
    trp_walk_advance(exchange->market.walk, market_ns(exchange), trp_exchange_publish, exchange);
  } else {
    trp_exchange_replay(exchange);
  }
}

static void end_stall(struct trp_exchange *exchange) {
  if (exchange->faults.until_ns[TRP_EXCHANGE_STALL] != 0) {
    exchange->faults.until_ns[TRP_EXCHANGE_STALL] = 0;
    trp_exchange_hold_all(exchange, false);
  }
}

/* A whole turn's work: the market first, since what the net lends would not survive its sends. */
static enum trp_err work(struct trp_exchange *exchange) {
  exchange->now_ns = trp_now_ns(exchange->self);
  if (stalled(exchange)) {
    return arm(exchange);
  }
  end_stall(exchange);
  if (!exchange->stopping) {
    trp_exchange_fault_next(exchange);
  }
  play(exchange);
  if (!trp_exchange_serve(exchange)) {
    trp_notify(trp_self_system(exchange->self), trp_self_ref(exchange->self));
  }
  if (!exchange->stopping) {
    trp_exchange_beat(exchange);
  }
  if (exchange->holding && exchange->client_count == 0) {
    exchange->holding = false;
    trp_stop_release(exchange->self);
  }
  return arm(exchange);
}

/* ---- faults -----------------------------------------------------------------------------------
 */

static void reply_result(struct trp_exchange *exchange, const struct trp_msg *msg,
                         enum trp_err status, const char *text) {
  struct trp_result result = {.status = (uint32_t)status};
  snprintf(result.text, sizeof result.text, "%s", text);
  if (msg->token != 0) {
    (void)trp_reply(exchange->self, msg->token, TRP_RESULT, &result, sizeof result);
  }
}

static void obey(struct trp_exchange *exchange, const struct trp_msg *msg) {
  const struct trp_fault *fault = trp_msg_fault(msg);
  if (fault == NULL) {
    return;
  }
  if (exchange->stopping) {
    reply_result(exchange, msg, TRP_STOPPED, "the exchange is stopping");
    return;
  }
  const char *done = trp_exchange_fault_act(exchange, fault->text);
  trp_log(exchange->self, TRP_LOG_WARN, "exchange.fault", "fault=\"%.63s\" known=%d", fault->text,
          done != NULL);
  if (done != NULL) {
    trp_journal(exchange->self, TRP_FAULT, fault, sizeof *fault);
  }
  reply_result(exchange, msg, done != NULL ? TRP_OK : TRP_INVALID,
               done != NULL ? done : "not a fault of this exchange");
}

static void obey_operator(struct trp_exchange *exchange, const struct trp_msg *msg) {
  const struct trp_operator *operator= trp_msg_operator(msg);
  char text[sizeof((struct trp_result *)0)->text];
  bool known = operator!= NULL &&
      trp_exchange_question(exchange, operator->text, text, sizeof text);
  reply_result(exchange, msg, known ? TRP_OK : TRP_INVALID,
               known ? text
                     : "the exchange knows \"stats\", \"faults\", \"quote SYMBOL\", \"book "
                       "SYMBOL\", \"halt\" and \"resume\"");
}

/* ---- the kind ----------------------------------------------------------------------------------
 */

static uint32_t either(uint32_t value, uint32_t usual) { return value != 0 ? value : usual; }

static void take_options(struct trp_exchange *exchange, const struct trp_exchange_options *given) {
  struct trp_exchange_options *options = &exchange->options;
  struct trp_exchange_limits *limits = &exchange->limits;
  *options = *given;
  options->host = given->host != NULL ? given->host : "127.0.0.1";
  options->sessions_max = either(given->sessions_max, 64);
  exchange->dialect = given->dialect != NULL ? given->dialect : &trp_exchange_binance;
  *limits = exchange->dialect->limits;
  limits->messages_per_s = either(given->messages_per_s, limits->messages_per_s);
  limits->attempts_max = either(given->attempts_max, limits->attempts_max);
  limits->ping_ms = either(given->ping_ms, limits->ping_ms);
  limits->pong_ms = either(given->pong_ms, limits->pong_ms);
  limits->lifetime_ms = either(given->lifetime_ms, limits->lifetime_ms);
}

/* Also where an earlier incarnation did it: its end has taken the listener away from the loop. */
enum trp_err trp_exchange_listen(const struct trp_exchange_options *options) {
  uint16_t port = options->stats->port != 0 ? options->stats->port : options->port;
  enum trp_err err = options->net->ops->listen(
      options->net, options->host != NULL ? options->host : "127.0.0.1", &port);
  if (err == TRP_OK) {
    options->stats->port = port;
  }
  return err;
}

/* Reading a capture blocks this turn, once, bounded by TRP_REPLAY_BYTES_MAX and the handshake's
 * deadline: nobody is served before start has returned. */
static enum trp_err open_market(struct trp_exchange *exchange) {
  const struct trp_exchange_options *options = &exchange->options;
  struct timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  uint64_t wall_ns = (uint64_t)wall.tv_sec * TRP_NS_PER_S + (uint64_t)wall.tv_nsec;
  exchange->market.wall_ns = options->wall_ns != 0 ? options->wall_ns : wall_ns - exchange->now_ns;
  if (options->capture == NULL) {
    return trp_walk_new(&exchange->market.walk,
                        &(struct trp_walk_options){.seed = options->seed,
                                                   .symbols = options->symbols,
                                                   .quotes_per_s = options->quotes_per_s,
                                                   .start_ns = exchange->now_ns});
  }
  char why[256];
  enum trp_err err =
      trp_replay_open(&exchange->market.replay,
                      &(struct trp_replay_options){.capture = options->capture,
                                                   .snapshots = options->snapshots,
                                                   .speed = options->speed,
                                                   .grammar = exchange->dialect->grammar},
                      why, sizeof why);
  if (err != TRP_OK) {
    trp_log(exchange->self, TRP_LOG_ERROR, "exchange.capture", "why=\"%s\"", why);
  }
  return err;
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct trp_exchange *exchange = state;
  const struct trp_exchange_options *given = args;
  CHECK(given != NULL && given->net != NULL && given->stats != NULL);
  exchange->self = self;
  exchange->net = given->net;
  exchange->stats = given->stats;
  take_options(exchange, given);
  exchange->faults.chance = exchange->options.seed;
  exchange->now_ns = trp_now_ns(self);
  if (exchange->options.sessions_max > TRP_EXCHANGE_SESSIONS_MAX ||
      exchange->limits.messages_per_s > TRP_EXCHANGE_RATE_MAX) {
    return TRP_INVALID;
  }
  trp_net_bind(exchange->net, trp_self_system(self), trp_self_ref(self));
  exchange->clients = calloc(exchange->options.sessions_max, sizeof *exchange->clients);
  exchange->guests = calloc(1, sizeof *exchange->guests);
  bool room = exchange->clients != NULL && exchange->guests != NULL;
  enum trp_err err = room ? open_market(exchange) : TRP_NO_MEMORY;
  if (err == TRP_OK) {
    err = trp_exchange_listen(&exchange->options);
  }
  if (err != TRP_OK) {
    trp_log(self, TRP_LOG_ERROR, "exchange.start", "error=\"%s\" host=%s port=%u",
            trp_err_text(err), exchange->options.host, exchange->options.port);
    return err;
  }
  trp_log(self, TRP_LOG_INFO, "exchange.listens", "address=%s:%u dialect=%s market=%s",
          exchange->options.host, exchange->stats->port, exchange->dialect->name,
          exchange->market.walk != NULL ? "walk" : exchange->options.capture);
  trp_notify(trp_self_system(self), trp_self_ref(self)); /* who came before this incarnation */
  return TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  struct trp_exchange *exchange = state;
  exchange->now_ns = trp_now_ns(exchange->self);
  switch (msg->type) {
    case TRP_TIMER:
      exchange->timer_ns = 0;
      return work(exchange);
    case TRP_FAULT:
      obey(exchange, msg);
      return arm(exchange);
    case TRP_OPERATOR:
      obey_operator(exchange, msg);
      return arm(exchange);
    default:
      reply_result(exchange, msg, TRP_INVALID, "not a message for an exchange");
      return TRP_OK;
  }
}

static enum trp_err ready(struct trp_self *self, void *state) {
  (void)self;
  return work(state);
}

/* Close frames to all, also to those who stand and were not taken in yet, and no longer wait for
 * them than a close handshake may take. */
static void stop(struct trp_self *self, void *state) {
  struct trp_exchange *exchange = state;
  exchange->now_ns = trp_now_ns(self);
  exchange->timer_ns = 0; /* timers are cancelled already */
  end_stall(exchange);
  while (!trp_exchange_serve(exchange)) {
    continue; /* what waits in the net is bounded, and nothing new is read in a turn */
  }
  exchange->stopping = true;
  trp_exchange_close_all(exchange, 1001, "going away");
  if (exchange->client_count > 0) {
    exchange->holding = true;
    trp_stop_hold(self);
  }
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)self;
  (void)reason;
  struct trp_exchange *exchange = state;
  if (exchange->clients != NULL) {
    trp_exchange_cut_all(exchange);
  }
  if (exchange->net != NULL) {
    exchange->net->ops->cancel(exchange->net, 0); /* who was at the door, and was not let in yet */
  }
  free(exchange->clients);
  trp_walk_destroy(&exchange->market.walk);
  trp_replay_close(&exchange->market.replay);
  free(exchange->guests);
  trp_exchange_text_free(&exchange->common);
  trp_exchange_text_free(&exchange->special);
  trp_exchange_text_free(&exchange->spoiled);
  trp_exchange_text_free(&exchange->answers.text);
}

const struct trp_kind trp_exchange_kind = {.name = "exchange",
                                           .state_bytes = sizeof(struct trp_exchange),
                                           .own_stall = true,
                                           .start = start,
                                           .receive = receive,
                                           .ready = ready,
                                           .stop = stop,
                                           .end = end};
