/* feed.h - the actor that streams an exchange: the machine of machine.h joined to a net, a backoff
 * a link and the event engine. It is one for all exchanges; each has a kind of its own, a few lines
 * in the file of its dialect (binance.h, gateio.h, mexc.h):
 *
 *   static enum trp_err start(struct trp_self *self, void *state, const void *args) {
 *     return trp_feed_start(self, state, args, &trp_NAME_dialect);
 *   }
 *   const struct trp_kind trp_NAME_feed_kind = TRP_FEED_KIND("NAME_feed", start);
 *
 * Publishes QUOTE, TRADE, BOOK, FEED_GAP and FEED_STATE (at each change; also journalled). Takes
 * FEED_COMMAND (connect, disconnect, subscribe, unsubscribe, refresh; answer: RESULT) and
 * FEED_QUERY (answer: FEED_STATE). disconnect is idempotent and bounded in any state: it ends
 * resolving, connecting, a backoff or an HTTP request at once, closes open streams by a close frame
 * within close_ms, and clears subscriptions; connect begins anew with the configured symbols.
 * refresh tells whole books again, for who came late or heard of an EVENT_GAP: subscribe first,
 * then ask; the feed lets the engine catch up before it tells.
 *
 * Events go straight to the subscribers (publisher.h: direct), in this feed's order for each of
 * them; with `ordered` through the engine's mailbox, in one order with all others.
 *
 * Modes: STREAM, POLL, and AUTO, which streams, and polls over HTTP while its breaker is open:
 * after so many lost connections in a minute. Every half minute it tries the stream again, polling
 * on until that is live. What is polled is marked (TRP_POLLED), and goes on in the stream without a
 * gap or a repeat as far as the exchange numbers it. A connection that is to end is renewed before
 * it does. A Retry-After outlives the incarnation: it is kept with the net.
 *
 * While a subscriber that waits, or the engine, has no room, the newest quote of each symbol waits
 * here (the others are counted as conflated), trades and books wait here and in the socket, and
 * none of these is lost. Where that lasts for lag_ms, the stream is read on all the same: trades
 * are let go, their gap told afterwards by FEED_GAP, and books told whole again.
 *
 * The net belongs to the slot: the spec's loop must be trp_net_loop(net), and its placement TRP_IO
 * where the net is a port. Thread: the slot's own. */
#ifndef TRP_ADAPTERS_FEED_H
#define TRP_ADAPTERS_FEED_H

#include "adapters/backoff.h"
#include "adapters/breaker.h"
#include "adapters/machine.h"
#include "adapters/net.h"

/* The args of a feed's kind; borrowed for the system's life. Zero fields mean the default beside;
 * "its own" is the dialect's. */
struct trp_feed_options {
  struct trp_net *net;
  const char *ws_base;        /* its own: "wss://stream.binance.com:9443" */
  const char *http_base;      /* its own: "https://api.binance.com" */
  const char *ca_file;        /* TLS: an own authority; NULL: the system's */
  const char *const *symbols; /* as the exchange writes them */
  uint32_t symbol_count;
  const char *events;      /* the event engine's name: "event_engine" */
  enum trp_feed_mode mode; /* AUTO */
  struct trp_breaker_options breaker;
  bool ordered;           /* publish through the engine's mailbox: one order with all others */
  bool stay_disconnected; /* wait for a connect command */
  uint32_t connect_ms;    /* 10,000: until a stream stands */
  uint32_t close_ms;      /* 1,000: for the closing handshake */
  uint32_t lag_ms;        /* 5,000: that trades and books wait for a consumer */
  struct trp_backoff_options backoff;
  struct trp_machine_options protocol; /* http_base is set from above */
  uint64_t wall_ns;                    /* Unix time at the system's 0; 0: asked of the machine */
};

/* ---- for the kinds -------------------------------------------------------------------------- */

enum trp_err trp_feed_start(struct trp_self *self, void *state, const void *args,
                            const struct trp_dialect *dialect);
enum trp_err trp_feed_receive(struct trp_self *self, void *state, const struct trp_msg *msg);
enum trp_err trp_feed_ready(struct trp_self *self, void *state);
void trp_feed_stop(struct trp_self *self, void *state);
void trp_feed_end(struct trp_self *self, void *state, enum trp_end_reason reason);

#define TRP_FEED_STATE_BYTES 8192 /* of a feed's state; checked where it is defined */

/* The initialiser of an exchange's kind. */
#define TRP_FEED_KIND(kind_name, kind_start)                                                       \
  {                                                                                                \
    .name = (kind_name), .state_bytes = TRP_FEED_STATE_BYTES, .start = (kind_start),               \
    .receive = trp_feed_receive, .ready = trp_feed_ready, .stop = trp_feed_stop,                   \
    .end = trp_feed_end                                                                            \
  }

#endif
