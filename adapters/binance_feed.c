#include "adapters/binance_feed.h"

#include <string.h>
#include <time.h>

#include "adapters/binance_feed_actor.h"

enum { CONNECT_MS = 10000, CLOSE_MS = 1000 };

/* ---- commands ---- */

/* "BTCUSDT" of "BTCUSDT" and of "BTCUSDT.BINANCE"; false where it does not fit. */
static bool bare_symbol(const char *text, char out[TRP_BINANCE_SYMBOL_MAX + 1]) {
  size_t n = strcspn(text, ".");
  if (n == 0 || n > TRP_BINANCE_SYMBOL_MAX) return false;
  if (text[n] != '\0' && strcmp(text + n, TRP_BINANCE_VENUE) != 0) return false;
  memcpy(out, text, n);
  out[n] = '\0';
  return true;
}

static bool verb_is(const struct trp_feed_command *command, const char *verb) {
  return strncmp(command->verb, verb, sizeof command->verb) == 0;
}

/* subscribe, unsubscribe, refresh. */
static void on_symbol(struct trp_feed *f, const struct trp_feed_command *command, uint64_t token) {
  char symbol[TRP_BINANCE_SYMBOL_MAX + 1];
  bool all = verb_is(command, "refresh") && command->symbol[0] == '\0';
  if (!all && !bare_symbol(command->symbol, symbol)) {
    trp_feed_answer(f, token, TRP_INVALID, "a symbol reads BTCUSDT or BTCUSDT.BINANCE");
    return;
  }
  uint64_t now = trp_now_ns(f->self);
  enum trp_err err;
  const char *done;
  if (verb_is(command, "refresh")) {
    err = trp_binance_tell_books(f->binance, now, all ? NULL : symbol);
    done = "told";
  } else if (verb_is(command, "subscribe")) {
    err = trp_binance_subscribe(f->binance, now, symbol, NULL);
    done = "subscribed";
  } else {
    err = trp_binance_unsubscribe(f->binance, now, symbol);
    done = "unsubscribed";
  }
  trp_feed_answer(f, token, err, err != TRP_OK ? trp_err_text(err) : done);
}

static enum trp_err on_connect(struct trp_feed *f, uint64_t token) {
  enum trp_err err = trp_feed_connect(f);
  bool busy = err == TRP_BUSY;
  trp_feed_answer(f, token, err, busy ? "it is still disconnecting" : "connecting");
  return busy ? TRP_OK : err;
}

static void on_disconnect(struct trp_feed *f, uint64_t token) {
  if (f->waiter_count == TRP_FEED_WAITERS_MAX) {
    trp_feed_answer(f, token, TRP_BUSY, "too many wait for the disconnect already");
  } else if (trp_feed_disconnect(f, "disconnected on command")) {
    trp_feed_answer(f, token, TRP_OK, "disconnected");
  } else if (token != 0) {
    f->waiters[f->waiter_count++] = token;
  }
}

static enum trp_err on_command(struct trp_feed *f, const struct trp_msg *msg) {
  const struct trp_feed_command *command = trp_msg_feed_command(msg);
  if (command == NULL) {
    trp_feed_answer(f, msg->token, TRP_INVALID, "not a feed command");
  } else if (verb_is(command, "disconnect")) {
    on_disconnect(f, msg->token);
  } else if (trp_self_stopping(f->self)) {
    trp_feed_answer(f, msg->token, TRP_STOPPED, "the feed is stopping");
  } else if (verb_is(command, "connect")) {
    return on_connect(f, msg->token);
  } else if (verb_is(command, "subscribe") || verb_is(command, "unsubscribe") ||
             verb_is(command, "refresh")) {
    on_symbol(f, command, msg->token);
  } else {
    trp_feed_answer(f, msg->token, TRP_INVALID, "unknown feed command");
  }
  return TRP_OK;
}

/* ---- the kind ---- */

static int64_t wall_offset(const struct trp_feed *f, uint64_t now_ns) {
  if (f->options.wall_ns != 0) return (int64_t)f->options.wall_ns;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)((uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec - now_ns);
}

static struct trp_binance_feed_options with_defaults(const struct trp_binance_feed_options *given) {
  struct trp_binance_feed_options o = *given;
  if (o.ws_base == NULL) o.ws_base = "wss://stream.binance.com:9443";
  if (o.http_base == NULL) o.http_base = "https://api.binance.com";
  if (o.events == NULL) o.events = "event_engine";
  if (o.connect_ms == 0) o.connect_ms = CONNECT_MS;
  if (o.close_ms == 0) o.close_ms = CLOSE_MS;
  o.protocol.http_base = o.http_base;
  return o;
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  struct trp_feed *f = state;
  const struct trp_binance_feed_options *given = args;
  CHECK(given != NULL && given->net != NULL);
  f->self = self;
  f->options = with_defaults(given);
  f->options.protocol.seed = trp_random(self);
  f->net = given->net;
  trp_net_bind(f->net, trp_self_system(self), trp_self_ref(self));
  f->wall_offset_ns = wall_offset(f, trp_now_ns(self));
  trp_backoff_init(&f->backoff, &f->options.backoff);
  struct trp_binance_out out = trp_feed_outputs(f);
  enum trp_err err = trp_binance_new(&f->binance, &f->options.protocol, &out);
  if (err == TRP_OK) err = trp_publisher_start(self, &f->publisher, f->options.events);
  uint64_t tick = TRP_BINANCE_TICK_MS * TRP_NS_PER_MS;
  if (err == TRP_OK) err = trp_timer_start(self, tick, tick, TRP_FEED_TIMER_TICK, NULL);
  if (err != TRP_OK || f->options.stay_disconnected) return err;
  return trp_feed_connect(f);
}

static enum trp_err on_timer(struct trp_feed *f, const struct trp_timer *timer) {
  if (timer->tag == TRP_FEED_TIMER_DIAL) return trp_feed_dial(f);
  if (timer->tag == TRP_FEED_TIMER_RESUME) {
    f->resuming = false;
    return trp_feed_take_events(f);
  }
  uint64_t now = trp_now_ns(f->self);
  f->wall_offset_ns = wall_offset(f, now);
  trp_binance_tick(f->binance, now);
  trp_feed_obey_machine(f);
  return TRP_OK;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct trp_feed *f = state;
  struct trp_feed_state now;
  f->self = self;
  switch (msg->type) {
    case TRP_UP:
    case TRP_DOWN:
      trp_publisher_take(self, &f->publisher, msg);
      break;
    case TRP_TIMER:
      return on_timer(f, msg->body);
    case TRP_FEED_COMMAND:
      return on_command(f, msg);
    case TRP_FEED_QUERY:
      trp_feed_fill_state(f, &now);
      if (msg->token != 0) trp_reply(self, msg->token, TRP_FEED_STATE, &now, sizeof now);
      break;
    default:
      break; /* not for a feed */
  }
  return TRP_OK;
}

static enum trp_err ready(struct trp_self *self, void *state) {
  struct trp_feed *f = state;
  f->self = self;
  return trp_feed_take_events(f);
}

static void stop(struct trp_self *self, void *state) {
  struct trp_feed *f = state;
  f->self = self;
  if (f->closing) trp_stop_hold(self); /* begun before the pill: it is to be waited for too */
  trp_feed_disconnect(f, "stopping");
}

static void end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  struct trp_feed *f = state;
  f->self = self;
  if (f->net == NULL) return; /* its arguments were wrong */
  trp_feed_cancel_all(f);
  trp_binance_destroy(&f->binance);
}

const struct trp_kind trp_binance_feed_kind = {.name = "binance_feed",
                                               .state_bytes = sizeof(struct trp_feed),
                                               .start = start,
                                               .receive = receive,
                                               .ready = ready,
                                               .stop = stop,
                                               .end = end};
