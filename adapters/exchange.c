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
#include "runtime/fault_text.h"

enum {
  TAG_DUE = 1,
  BEAT_MIN_NS = 1000000, /* the market's finest grain: events closer together go out together */
};

/* ---- time -------------------------------------------------------------------------------------
 */

static bool stalled(const struct trp_exchange *exchange) {
  return exchange->now_ns < exchange->stalled_until_ns;
}

static uint64_t next_due(const struct trp_exchange *exchange) {
  if (exchange->stopping) {
    return UINT64_MAX; /* nothing but the net's events */
  }
  if (stalled(exchange)) {
    return exchange->stalled_until_ns;
  }
  if (exchange->market.replay != NULL && exchange->now_ns < exchange->silent_until_ns) {
    return exchange->silent_until_ns;
  }
  uint64_t due_ns = trp_exchange_clients_due(exchange);
  if (exchange->market.walk != NULL && trp_exchange_heard(exchange)) {
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
    trp_walk_advance(exchange->market.walk, exchange->now_ns, trp_exchange_publish, exchange);
  } else {
    trp_exchange_replay(exchange);
  }
}

static void end_stall(struct trp_exchange *exchange) {
  if (exchange->stalled_until_ns != 0) {
    exchange->stalled_until_ns = 0;
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

/* "verb:MS" with the verb given; false where it is something else. */
static bool timed(const char *text, const char *verb, uint64_t *ns) {
  uint64_t ms;
  if (!trp_fault_timed(text, verb, &ms)) return false;
  *ns = ms * TRP_NS_PER_MS;
  return true;
}

static const char *act(struct trp_exchange *exchange, const char *text) {
  uint64_t ns;
  if (strcmp(text, "drop") == 0) {
    trp_exchange_cut_all(exchange);
    return "every connection was cut";
  }
  if (strcmp(text, "gap") == 0) {
    if (exchange->market.walk == NULL) {
      return NULL; /* a recording has the gaps that it has */
    }
    trp_walk_gap(exchange->market.walk);
    return "one update of every book is missing";
  }
  if (timed(text, "silence", &ns)) {
    exchange->silent_until_ns = exchange->now_ns + ns;
    return "nothing is sent";
  }
  if (timed(text, "stall", &ns)) {
    exchange->stalled_until_ns = exchange->now_ns + ns;
    trp_exchange_hold_all(exchange, true);
    return "nothing is read or written";
  }
  if (timed(text, "refuse", &ns)) {
    exchange->refuse_until_ns = exchange->now_ns + ns;
    return "new connections are refused";
  }
  return NULL;
}

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
  const char *done = act(exchange, fault->text);
  trp_log(exchange->self, TRP_LOG_WARN, "exchange.fault", "fault=\"%.63s\" known=%d", fault->text,
          done != NULL);
  if (done != NULL) {
    trp_journal(exchange->self, TRP_FAULT, fault, sizeof *fault);
  }
  reply_result(exchange, msg, done != NULL ? TRP_OK : TRP_INVALID,
               done != NULL ? done : "not a fault of this exchange");
}

static void tell_account(struct trp_exchange *exchange, const struct trp_msg *msg) {
  const struct trp_operator *operator= trp_msg_operator(msg);
  if (operator== NULL || strcmp(operator->text, "stats") != 0) {
    reply_result(exchange, msg, TRP_INVALID, "the exchange knows only \"stats\"");
    return;
  }
  const struct trp_exchange_stats *stats = exchange->stats;
  char text[sizeof((struct trp_result *)0)->text];
  snprintf(text, sizeof text,
           "port=%u sessions=%" PRIu32 " accepted=%" PRIu64 " closes_proper=%" PRIu64
           " closes_improper=%" PRIu64 " cut=%" PRIu64 " refused=%" PRIu64 " limited=%" PRIu64
           " slow=%" PRIu64 " sent=%" PRIu64,
           stats->port, exchange->client_count, stats->accepted, stats->closes_proper,
           stats->closes_improper, stats->cut, stats->refused, stats->limited, stats->slow,
           stats->frames_sent);
  reply_result(exchange, msg, TRP_OK, text);
}

/* ---- the kind ----------------------------------------------------------------------------------
 */

static uint32_t either(uint32_t value, uint32_t usual) { return value != 0 ? value : usual; }

static struct trp_exchange_options with_defaults(const struct trp_exchange_options *given) {
  struct trp_exchange_options options = *given;
  options.host = given->host != NULL ? given->host : "127.0.0.1";
  options.sessions_max = either(given->sessions_max, 64);
  options.messages_per_s = either(given->messages_per_s, 5);
  options.weight_per_min = either(given->weight_per_min, TRP_EXCHANGE_WEIGHT_MAX);
  options.ping_ms = either(given->ping_ms, 20000);
  options.pong_ms = either(given->pong_ms, 60000);
  return options;
}

enum trp_err trp_exchange_listen(const struct trp_exchange_options *options) {
  if (options->stats->port != 0) {
    return TRP_OK;
  }
  uint16_t port = options->port;
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
  enum trp_err err = trp_replay_open(
      &exchange->market.replay,
      &(struct trp_replay_options){
          .capture = options->capture, .snapshots = options->snapshots, .speed = options->speed},
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
  exchange->options = with_defaults(given);
  exchange->weight.max = exchange->options.weight_per_min;
  exchange->now_ns = trp_now_ns(self);
  if (exchange->options.sessions_max > TRP_EXCHANGE_SESSIONS_MAX ||
      exchange->options.messages_per_s > TRP_EXCHANGE_RATE_MAX) {
    return TRP_INVALID;
  }
  trp_net_bind(exchange->net, trp_self_system(self), trp_self_ref(self));
  exchange->clients = calloc(exchange->options.sessions_max, sizeof *exchange->clients);
  enum trp_err err = exchange->clients != NULL ? open_market(exchange) : TRP_NO_MEMORY;
  if (err == TRP_OK) {
    err = trp_exchange_listen(&exchange->options);
  }
  if (err != TRP_OK) {
    trp_log(self, TRP_LOG_ERROR, "exchange.start", "error=\"%s\" host=%s port=%u",
            trp_err_text(err), exchange->options.host, exchange->options.port);
    return err;
  }
  trp_log(self, TRP_LOG_INFO, "exchange.listens", "address=%s:%u market=%s", exchange->options.host,
          exchange->stats->port,
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
      tell_account(exchange, msg);
      return TRP_OK;
    default:
      reply_result(exchange, msg, TRP_INVALID, "not a message for an exchange");
      return TRP_OK;
  }
}

static enum trp_err ready(struct trp_self *self, void *state) {
  (void)self;
  return work(state);
}

/* Close frames to all, and no longer wait for them than a close handshake may take. */
static void stop(struct trp_self *self, void *state) {
  struct trp_exchange *exchange = state;
  exchange->now_ns = trp_now_ns(self);
  exchange->stopping = true;
  exchange->timer_ns = 0; /* timers are cancelled already */
  end_stall(exchange);
  while (!trp_exchange_serve(exchange)) {
    continue; /* what waits in the net is bounded, and nothing new is read in a turn */
  }
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
  trp_exchange_text_free(&exchange->payload);
  trp_exchange_text_free(&exchange->wrapped);
  trp_exchange_text_free(&exchange->reply);
}

const struct trp_kind trp_exchange_kind = {.name = "exchange",
                                           .state_bytes = sizeof(struct trp_exchange),
                                           .own_stall = true,
                                           .start = start,
                                           .receive = receive,
                                           .ready = ready,
                                           .stop = stop,
                                           .end = end};
