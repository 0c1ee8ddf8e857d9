#include "adapters/feed.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adapters/feed_actor.h"

enum { CONNECT_MS = 10000, CLOSE_MS = 1000, LAG_MS = 5000 };

/* ---- commands ---- */

/* As the exchange writes it, of that, of that with the venue, and of the house's name of a symbol
 * that is wanted ("BTC_USDT", "BTC_USDT.GATEIO", "BTCUSDT.GATEIO"); false where it is none. */
static bool bare_symbol(const struct trp_feed *f, const char *text,
                        char out[TRP_DIALECT_SYMBOL_MAX + 1]) {
  const char *known = trp_machine_symbol_named(f->machine, text);
  if (known != NULL) text = known;
  size_t n = strcspn(text, ".");
  if (n == 0 || n > TRP_DIALECT_SYMBOL_MAX) return false;
  if (text[n] != '\0' && strcmp(text + n, f->dialect->venue) != 0) return false;
  memcpy(out, text, n);
  out[n] = '\0';
  return f->dialect->symbol_valid(out);
}

static bool verb_is(const struct trp_feed_command *command, const char *verb) {
  return strncmp(command->verb, verb, sizeof command->verb) == 0;
}

static void tell_books(struct trp_feed *f, const char *symbol, uint64_t token) {
  bool all = symbol[0] == '\0';
  enum trp_err err = trp_machine_tell_books(f->machine, trp_now_ns(f->self), all ? NULL : symbol);
  trp_feed_answer(f, token, err, err != TRP_OK ? trp_err_text(err) : "told");
}

/* Who asks has mostly subscribed just before, and is to hear it. */
static void refresh(struct trp_feed *f, const char *symbol, uint64_t token) {
  struct trp_feed_refresh *wait = f->refreshes, *end = wait + TRP_FEED_REFRESHES_MAX;
  while (wait < end && wait->correlation != 0) wait++;
  if (wait == end) {
    trp_feed_answer(f, token, TRP_BUSY, "too many refreshes at once");
    return;
  }
  wait->correlation = trp_publisher_settle(f->self, &f->publisher);
  wait->token = token;
  snprintf(wait->symbol, sizeof wait->symbol, "%s", symbol);
  if (wait->correlation == 0) tell_books(f, symbol, token);
}

/* The engine has caught up, or does not answer. */
static void on_settled(struct trp_feed *f, uint64_t correlation) {
  for (int i = 0; i < TRP_FEED_REFRESHES_MAX; i++) {
    struct trp_feed_refresh *wait = &f->refreshes[i];
    if (correlation == 0 || wait->correlation != correlation) continue;
    wait->correlation = 0;
    tell_books(f, wait->symbol, wait->token);
  }
}

/* subscribe, unsubscribe, refresh. */
static void on_symbol(struct trp_feed *f, const struct trp_feed_command *command, uint64_t token) {
  char symbol[TRP_DIALECT_SYMBOL_MAX + 1];
  bool all = verb_is(command, "refresh") && command->symbol[0] == '\0';
  if (!all && !bare_symbol(f, command->symbol, symbol)) {
    char text[sizeof((struct trp_result *)0)->text];
    snprintf(text, sizeof text, "a symbol reads %s or %s%s", f->dialect->example,
             f->dialect->example, f->dialect->venue);
    trp_feed_answer(f, token, TRP_INVALID, text);
    return;
  }
  if (verb_is(command, "refresh")) {
    refresh(f, all ? "" : symbol, token);
    return;
  }
  uint64_t now = trp_now_ns(f->self);
  enum trp_err err;
  const char *done;
  if (verb_is(command, "subscribe")) {
    err = trp_machine_subscribe(f->machine, now, symbol, NULL);
    done = "subscribed";
  } else {
    err = trp_machine_unsubscribe(f->machine, now, symbol);
    done = "unsubscribed";
  }
  char unknown[sizeof((struct trp_result *)0)->text];
  bool lacks =
      err == TRP_INVALID && trp_machine_is_unknown(f->machine, symbol, unknown, sizeof unknown);
  trp_feed_answer(f, token, err, lacks ? unknown : err != TRP_OK ? trp_err_text(err) : done);
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

/* ---- the kinds ---- */

static int64_t wall_offset(const struct trp_feed *f, uint64_t now_ns) {
  if (f->options.wall_ns != 0) return (int64_t)f->options.wall_ns;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)((uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec - now_ns);
}

static struct trp_feed_options with_defaults(const struct trp_feed_options *given,
                                             const struct trp_dialect *dialect) {
  struct trp_feed_options o = *given;
  if (o.ws_base == NULL) o.ws_base = dialect->ws_base;
  if (o.http_base == NULL) o.http_base = dialect->http_base;
  if (o.events == NULL) o.events = "event_engine";
  if (o.connect_ms == 0) o.connect_ms = CONNECT_MS;
  if (o.close_ms == 0) o.close_ms = CLOSE_MS;
  if (o.lag_ms == 0) o.lag_ms = LAG_MS;
  o.protocol.http_base = o.http_base;
  return o;
}

/* What the clock on the wall says, for the events' offsets and the machine's texts. */
static void look_at_the_wall(struct trp_feed *f, uint64_t now_ns) {
  f->wall_offset_ns = wall_offset(f, now_ns);
  trp_machine_wall(f->machine, now_ns, ((int64_t)now_ns + f->wall_offset_ns) / 1000);
}

static enum trp_err start_publishing(struct trp_feed *f) {
  const char *engine = f->options.events;
  return f->options.ordered ? trp_publisher_start(f->self, &f->publisher, engine)
                            : trp_publisher_start_direct(f->self, &f->publisher, engine);
}

enum trp_err trp_feed_start(struct trp_self *self, void *state, const void *args,
                            const struct trp_dialect *dialect) {
  struct trp_feed *f = state;
  const struct trp_feed_options *given = args;
  CHECK(given != NULL && given->net != NULL);
  f->self = self;
  f->dialect = dialect;
  f->options = with_defaults(given, dialect);
  f->options.protocol.seed = trp_random(self);
  f->options.protocol.not_before_ns = given->net->http_not_before_ns;
  f->net = given->net;
  trp_net_bind(f->net, trp_self_system(self), trp_self_ref(self));
  for (int i = 0; i < TRP_MACHINE_LINKS_MAX; i++)
    trp_backoff_init(&f->links[i].backoff, &f->options.backoff);
  trp_breaker_init(&f->breaker, &f->options.breaker);
  trp_backlog_init(&f->backlog, TRP_MACHINE_SYMBOLS_MAX);
  struct trp_machine_out out = trp_feed_outputs(f);
  enum trp_err err = trp_machine_new(&f->machine, dialect, &f->options.protocol, &out);
  if (err == TRP_OK) err = start_publishing(f);
  uint64_t tick = TRP_MACHINE_TICK_MS * TRP_NS_PER_MS;
  if (err == TRP_OK) err = trp_timer_start(self, tick, tick, TRP_FEED_TIMER_TICK, NULL);
  if (err != TRP_OK) return err;
  look_at_the_wall(f, trp_now_ns(self));
  return f->options.stay_disconnected ? TRP_OK : trp_feed_connect(f);
}

static enum trp_err on_timer(struct trp_feed *f, const struct trp_timer *timer) {
  uint64_t kind = timer->tag & ((1u << TRP_FEED_TIMER_BITS) - 1);
  if (kind == TRP_FEED_TIMER_DIAL)
    return trp_feed_dial(f, (uint32_t)(timer->tag >> TRP_FEED_TIMER_BITS));
  if (kind == TRP_FEED_TIMER_RESUME) {
    f->resuming = false;
    return trp_feed_take_events(f);
  }
  uint64_t now = trp_now_ns(f->self);
  look_at_the_wall(f, now);
  trp_machine_tick(f->machine, now);
  f->net->http_not_before_ns = trp_machine_not_before(f->machine);
  return trp_feed_mend_links(f);
}

enum trp_err trp_feed_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
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
    case TRP_RESULT:
    case TRP_ASK_FAILED:
      on_settled(f, msg->correlation);
      break;
    case TRP_FEED_QUERY:
      trp_feed_fill_state(f, &now);
      if (msg->token != 0) trp_reply(self, msg->token, TRP_FEED_STATE, &now, sizeof now);
      break;
    default:
      break; /* not for a feed */
  }
  return TRP_OK;
}

enum trp_err trp_feed_ready(struct trp_self *self, void *state) {
  struct trp_feed *f = state;
  f->self = self;
  return trp_feed_take_events(f);
}

void trp_feed_stop(struct trp_self *self, void *state) {
  struct trp_feed *f = state;
  f->self = self;
  trp_feed_hold_closing(f); /* begun before the pill, to be waited for too */
  trp_feed_disconnect(f, "stopping");
}

void trp_feed_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  struct trp_feed *f = state;
  f->self = self;
  trp_publisher_end(&f->publisher);
  if (f->net == NULL) return; /* its arguments were wrong */
  trp_feed_cancel_all(f);
  trp_backlog_fini(&f->backlog);
  trp_machine_destroy(&f->machine);
}
