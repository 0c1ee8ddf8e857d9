/* exchange.h - the embedded exchange: an actor that serves a real exchange's dialect over a net,
 * from a market of chance (exchange_walk.h) or from a recording (exchange_replay.h).
 *
 * It is there for the demo and the tests, and a client that nobody here wrote must be able to use
 * it: acknowledgements, errors, pings every 20 s, limits and weights are those of the exchange.
 *
 * It speaks one of the dialects of exchange_dialect.h. Faults on order (FAULT, answered by RESULT,
 * logged and journalled) stand in exchange_faults.h. OPERATOR is answered by RESULT with a text:
 *   stats          the account
 *   faults         what is on, and for how many milliseconds yet; "none"
 *   quote SYMBOL   the truth: the best bid and offer now, with the id of the book's last update
 *   book SYMBOL    the same of the whole book: levels a side, and FNV-1a over them as text, from
 *                  the best outwards: "PRICE SIZE\n" of every bid, then of every ask
 *   halt, resume   the market stands still from its next full second on, so that those who follow
 *                  it can be compared with it; and goes on
 *
 * The net, the listening socket in it and the account belong to the slot; sessions, market and
 * faults to the incarnation. Bounds: sessions, streams, texts, messages a second. A walk's client
 * that does not read is cut when its queue is full; a replay waits for it. Thread: the slot's own.
 */
#ifndef TRP_ADAPTERS_EXCHANGE_H
#define TRP_ADAPTERS_EXCHANGE_H

#include "adapters/net.h"

#define TRP_EXCHANGE_SESSIONS_MAX 1024
#define TRP_EXCHANGE_RATE_MAX 128 /* messages_per_s at most */

struct trp_exchange_dialect;

/* Over all incarnations. Written by the actor alone; others read it after the system has stopped,
 * and the port after the exchange has started. */
struct trp_exchange_stats {
  uint16_t port; /* 0: does not listen yet */
  uint64_t accepted;
  uint64_t refused;         /* connections and requests cut at the door */
  uint64_t closes_proper;   /* ended by a close frame of the client */
  uint64_t closes_improper; /* ended by a dead socket */
  uint64_t cut;             /* ended by us without a close frame: faults, crashes, slow clients */
  uint64_t limited;         /* broke a limit: too many messages or streams, no pong */
  uint64_t expired;         /* closed for their age, their silence, or a shutdown */
  uint64_t slow;            /* did not take what was sent */
  uint64_t frames_sent, frames_received;
  uint64_t requests;
};

/* Zero fields mean the default named beside them. Borrowed for the system's life. */
struct trp_exchange_options {
  struct trp_net *net;                        /* the spec's loop must be &net->loop */
  struct trp_exchange_stats *stats;           /* needed: lives as long as the net */
  const char *host;                           /* 127.0.0.1 */
  uint16_t port;                              /* any */
  const struct trp_exchange_dialect *dialect; /* Binance's */

  /* a market of chance ... */
  uint64_t seed;         /* 1 */
  const char *symbols;   /* "BNBUSDT,SOLUSDT"; BTCUSDT and ETHUSDT come by themselves */
  uint32_t quotes_per_s; /* 20 a symbol */

  /* ... or a recording */
  const char *capture;
  const char *snapshots; /* for REST depth */
  double speed;          /* 0: as fast as it is taken */

  uint64_t wall_ns;      /* Unix time at the system's 0; 0: asked of the machine at start */
  uint32_t sessions_max; /* 64 */

  /* Instead of the dialect's own. */
  uint32_t messages_per_s;
  uint32_t weight_per_min; /* or requests an endpoint and window, where that is what is counted */
  uint32_t attempts_max;   /* connections an address may make within the dialect's time */
  uint32_t ping_ms;
  uint32_t pong_ms;
  uint32_t lifetime_ms;
};

/* `args` is a struct trp_exchange_options. */
extern const struct trp_kind trp_exchange_kind;

/* Listens, so that the port is known before any actor starts; the actor does it itself otherwise.
 * Does nothing where it has been done. Errors as the net's listen. Thread: start-up, or the slot's.
 */
TRP_MUST_USE enum trp_err trp_exchange_listen(const struct trp_exchange_options *options);

#endif
