/* exchange_subs.h - a session: what one connection to the embedded exchange has subscribed to.
 *
 * A subscription has a name in the dialect's own words, which an unsubscription names again, and
 * leads to a channel of the walk (symbol and kind, as a number of the dialect's) or to a stream of
 * the recording; or to neither, where a dialect takes names that nothing is behind. A bit a channel
 * says in no time who hears what. The owner frees it; zeroed memory is a session without any.
 * Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_SUBS_H
#define TRP_ADAPTERS_EXCHANGE_SUBS_H

#include "adapters/exchange_market.h"

#define TRP_EXCHANGE_STREAMS_MAX 1024 /* a connection's, in any dialect */
#define TRP_EXCHANGE_NAME_MAX 63      /* bytes of a subscription's name */
#define TRP_EXCHANGE_CHANNELS_MAX 32  /* kinds of channels a symbol of the walk */

struct trp_exchange_sub {
  char name[TRP_EXCHANGE_NAME_MAX + 1];
  uint32_t channel; /* of the walk: symbol * CHANNELS_MAX + kind; or TRP_REPLAY_NONE */
  uint64_t told;    /* the update up to which it was told when it began; 0: it begins anywhere */
  struct trp_replay_cursor cursor;
};

struct trp_exchange_session {
  bool combined;   /* Binance: frames are wrapped with the stream's name */
  uint64_t number; /* of the connection, for dialects that tell it */
  uint32_t count, capacity;
  struct trp_exchange_sub *subs; /* in the order of subscribing */
  uint64_t bits[TRP_WALK_SYMBOLS_MAX * TRP_EXCHANGE_CHANNELS_MAX / 64]; /* the walk's channels */
};

/* Adds one, which must not be there yet; NULL with *err where there are `max` (LIMIT) or memory is
 * out. `stream` is the recording's, TRP_REPLAY_NONE for none. Borrowed until the next change. */
struct trp_exchange_sub *trp_exchange_subs_add(struct trp_exchange_session *session,
                                               const char *name, uint32_t channel, uint32_t stream,
                                               uint64_t now_ns, uint32_t max, enum trp_err *err);

/* The subscription of that name, or to that channel; NULL where there is none. */
struct trp_exchange_sub *trp_exchange_subs_find(const struct trp_exchange_session *session,
                                                const char *name);
struct trp_exchange_sub *trp_exchange_subs_of(const struct trp_exchange_session *session,
                                              uint32_t channel);

/* Takes one away; false where there was none of that name. */
bool trp_exchange_subs_remove(struct trp_exchange_session *session, const char *name);

/* Takes the newest ones away until `count` are left. */
void trp_exchange_subs_cut(struct trp_exchange_session *session, uint32_t count);

void trp_exchange_subs_fini(struct trp_exchange_session *session);

/* Whether the session hears this channel of the walk. */
static inline bool trp_exchange_hears(const struct trp_exchange_session *session,
                                      uint32_t channel) {
  return session->bits[channel / 64] >> (channel % 64) & 1;
}

#endif
