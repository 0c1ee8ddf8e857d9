/* exchange_gateio.h - the Gate.io spot v4 dialect, from the server's side; see exchange_dialect.h.
 *
 * One path, /ws/v4/; requests name a channel, an event and a payload, and the answer repeats them.
 * The time of a request must be within a minute of the exchange's. An order book by spot.obu begins
 * with the whole book in a frame that comes before the acknowledgement.
 *
 * Source: the exchange's public documentation (WebSocket v4, API v4) and recorded frames. What
 * neither tells is the text of the refusal for a time that is off. Files: exchange_gateio.c
 * (connections and requests), exchange_gateio_events.c (payloads and recordings),
 * exchange_gateio_rest.c. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_GATEIO_H
#define TRP_ADAPTERS_EXCHANGE_GATEIO_H

#include "adapters/exchange_dialect.h"

#define TRP_EXCHANGE_GATEIO_SKEW_S 60 /* how far a request's time may be off */

extern const struct trp_replay_grammar trp_replay_gateio;

/* The channel that a subscription's words lead to, as `channel` of a sub: the name of the channel,
 * a pair, and what else its payload says ("100ms", "50"). NONE where there is none. */
uint32_t trp_exchange_gateio_channel_find(const struct trp_walk *walk, const char *channel,
                                          const char *pair, const char *detail);

/* Whether there is such a channel at all, and whether its payload is a list of pairs. */
bool trp_exchange_gateio_channel_known(const char *channel, bool *list);

uint32_t trp_exchange_gateio_channel(const struct trp_walk_event *event, uint32_t i);
void trp_exchange_gateio_tell(const struct trp_exchange_market *market, uint32_t channel,
                              const struct trp_walk_event *event, uint64_t form,
                              struct trp_exchange_text *out);

/* The whole book, which begins a subscription of spot.obu; nothing for another channel. */
void trp_exchange_gateio_full(const struct trp_exchange_market *market, uint32_t channel,
                              uint64_t now_ns, struct trp_exchange_text *out);

void trp_exchange_gateio_rest(struct trp_exchange_call *call);
void trp_exchange_gateio_refuse(struct trp_exchange_call *call, enum trp_exchange_problem problem,
                                const char *what);

#endif
