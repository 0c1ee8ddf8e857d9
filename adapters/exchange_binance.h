/* exchange_binance.h - the Binance spot dialect, from the server's side: what a client may say, and
 * what it hears.
 *
 * A session is what one WebSocket connection has subscribed to. Requests come in as text and give
 * a text back; market events give payloads; a REST call gives a response. Nothing here knows of
 * sockets, clocks or actors, and nothing trusts the client: every size has a bound.
 *
 * Source: the exchange's public documentation (web-socket-streams.md, rest-api.md, errors.md).
 * Files: exchange_binance.c (connections and requests), exchange_binance_events.c (payloads),
 * exchange_binance_rest.c, exchange_binance_frames.c (recordings). Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_BINANCE_H
#define TRP_ADAPTERS_EXCHANGE_BINANCE_H

#include "adapters/exchange_dialect.h"

#define TRP_EXCHANGE_WEIGHT_MAX 6000 /* REST weight a minute */

/* ---- connections ---- */

/* A connection to a path: /ws[/stream...], /stream[?streams=a/b], /stream/ws[/stream...]. A name
 * that no stream has is taken and stays silent, as on the exchange.
 * Errors: INVALID (another path), LIMIT (too many streams), NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_exchange_binance_open(struct trp_exchange_session *session,
                                                    const struct trp_exchange_market *market,
                                                    const char *path, uint64_t now_ns);
/* One message of the client; the reply (acknowledgement, list, error) is added to `reply`. */
void trp_exchange_binance_handle(struct trp_exchange_session *session,
                                 const struct trp_exchange_market *market, const void *bytes,
                                 size_t size, uint64_t now_ns, struct trp_exchange_text *reply);

/* ---- events of the walk ---- */

/* The i-th channel that tells of such an event, as `channel` of a sub; TRP_REPLAY_NONE past the
 * last. */
uint32_t trp_exchange_binance_channel(const struct trp_walk_event *event, uint32_t i);

/* The channel of a stream's name ("btcusdt@depth@100ms"); TRP_REPLAY_NONE where there is none. */
uint32_t trp_exchange_binance_channel_find(const struct trp_walk *walk, const char *name);

/* The payload that the channel has for the event; "" for nothing. */
void trp_exchange_binance_payload(const struct trp_exchange_market *market, uint32_t channel,
                                  const struct trp_walk_event *event,
                                  struct trp_exchange_text *out);

/* {"stream":NAME,"data":PAYLOAD} for a channel of the walk or a stream's name. */
void trp_exchange_binance_wrap(const char *stream, const char *payload, size_t size,
                               struct trp_exchange_text *out);
void trp_exchange_binance_channel_name(const struct trp_walk *walk, uint32_t channel, char *out,
                                       size_t size);

/* {"lastUpdateId":..,"bids":[..],"asks":[..]} of the walk's book now; false where memory is out. */
bool trp_exchange_binance_depth(struct trp_exchange_text *out, const struct trp_walk *walk,
                                uint32_t symbol, uint32_t limit);

/* ---- REST ---- */

/* Answers a call: /api/v3/ ping, time, exchangeInfo, depth, ticker/bookTicker, ticker/price,
 * ticker/24hr, aggTrades, trades. With a replay, depth is the recorded answer, whole, whatever the
 * limit, and no trades are told. */
void trp_exchange_binance_rest(struct trp_exchange_call *call);
void trp_exchange_binance_refuse(struct trp_exchange_call *call, enum trp_exchange_problem problem,
                                 const char *what);

#endif
