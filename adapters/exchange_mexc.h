/* exchange_mexc.h - the MEXC spot v3 dialect, from the server's side; see exchange_dialect.h.
 *
 * One path, /ws. Data are protobuf frames (adapters/mexc.proto), answers JSON: an acknowledgement
 * repeats the channels, and a refusal carries code 0 as well and says so in its text alone. A
 * connection has at most 30 subscriptions, and is closed where it has none for 30 s, or neither
 * gets nor says anything for 60 s. Channels of the old JSON kind (without .pb) are refused.
 *
 * What the exchange gathers in 10 ms or 100 ms is told here as it comes (trades, and quotes of the
 * fast channel) or every 100 ms (quotes of the slow one, and depth).
 *
 * Source: the exchange's public documentation and recorded frames. Neither tells the words of a
 * refusal above 30 subscriptions. Files: exchange_mexc.c (connections and requests),
 * exchange_mexc_events.c (payloads and recordings), exchange_mexc_rest.c. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_MEXC_H
#define TRP_ADAPTERS_EXCHANGE_MEXC_H

#include "adapters/exchange_dialect.h"

#define TRP_EXCHANGE_MEXC_STREAMS_MAX 30

extern const struct trp_replay_grammar trp_replay_mexc;

/* The channel of a name ("spot@public.aggre.deals.v3.api.pb@100ms@BTCUSDT"); NONE where there is
 * none. */
uint32_t trp_exchange_mexc_channel_find(const struct trp_walk *walk, const char *name);

/* The same as a name of fixed room. */
void trp_exchange_mexc_channel_name(const struct trp_walk *walk, uint32_t channel, char *out,
                                    size_t size);

uint32_t trp_exchange_mexc_channel(const struct trp_walk_event *event, uint32_t i);
void trp_exchange_mexc_tell(const struct trp_exchange_market *market, uint32_t channel,
                            const struct trp_walk_event *event, uint64_t form,
                            struct trp_exchange_text *out);

void trp_exchange_mexc_rest(struct trp_exchange_call *call);
void trp_exchange_mexc_refuse(struct trp_exchange_call *call, enum trp_exchange_problem problem,
                              const char *what);

#endif
