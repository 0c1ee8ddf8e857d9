/* binance_feed.h - the actor that streams Binance spot: the state machine of binance.h joined to a
 * net, a backoff and the event engine.
 *
 * Publishes QUOTE, TRADE, BOOK, FEED_GAP and FEED_STATE (at each change; also journalled). Takes
 * FEED_COMMAND (connect, disconnect, subscribe, unsubscribe, refresh; answer: RESULT) and
 * FEED_QUERY (answer: FEED_STATE). disconnect is idempotent and bounded in any state: it ends
 * resolving, connecting, a backoff or an HTTP request at once, closes an open stream by a close
 * frame within close_ms, and clears subscriptions; connect begins anew with the configured symbols.
 * refresh tells whole books again, for who came late or heard of an EVENT_GAP: subscribe first,
 * then ask.
 *
 * While the event engine has no room, events wait here and in the socket; none is lost.
 *
 * The net belongs to the slot: the spec's loop must be &net->loop. Thread: the slot's own. */
#ifndef TRP_ADAPTERS_BINANCE_FEED_H
#define TRP_ADAPTERS_BINANCE_FEED_H

#include "adapters/backoff.h"
#include "adapters/binance.h"
#include "adapters/net.h"

/* The args of the kind; borrowed for the system's life. Zero fields mean the default beside. */
struct trp_binance_feed_options {
  struct trp_net *net;
  const char *ws_base;        /* "wss://stream.binance.com:9443" */
  const char *http_base;      /* "https://api.binance.com" */
  const char *ca_file;        /* TLS: an own authority; NULL: the system's */
  const char *const *symbols; /* as the exchange writes them */
  uint32_t symbol_count;
  const char *events;     /* the event engine's name: "event_engine" */
  bool stay_disconnected; /* wait for a connect command */
  uint32_t connect_ms;    /* 10,000: until the stream stands */
  uint32_t close_ms;      /* 1,000: for the closing handshake */
  struct trp_backoff_options backoff;
  struct trp_binance_options protocol; /* http_base is set from above */
  uint64_t wall_ns;                    /* Unix time at the system's 0; 0: asked of the machine */
};

extern const struct trp_kind trp_binance_feed_kind;

#endif
