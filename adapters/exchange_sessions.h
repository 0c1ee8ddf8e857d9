/* exchange_sessions.h - the embedded exchange's private state, and its half that deals with the
 * clients: who is connected, what they say, what they are sent, and how they go.
 *
 * For exchange.c and exchange_sessions.c only. A session is a slot of a fixed array; its link is 0
 * where the slot is free, so ending one while walking over all is safe. Thread: the slot's. */
#ifndef TRP_ADAPTERS_EXCHANGE_SESSIONS_H
#define TRP_ADAPTERS_EXCHANGE_SESSIONS_H

#include "adapters/exchange.h"
#include "adapters/exchange_binance.h"

#define TRP_EXCHANGE_CLOSE_MS 1000u /* what a close handshake may take */

struct trp_exchange_client {
  uint64_t link;
  struct trp_exchange_session session;
  bool closing;      /* our close frame is on its way: nothing more is sent or heard */
  uint64_t ping_ns;  /* when the next ping is due */
  uint64_t pong_ns;  /* when the last pong came */
  uint64_t retry_ns; /* a replay's: not before, its queue was full */
  uint64_t heard[TRP_EXCHANGE_RATE_MAX]; /* times of the last messages, a ring */
  uint64_t heard_count;
};

struct trp_exchange {
  struct trp_self *self;
  struct trp_net *net;
  struct trp_exchange_options options; /* defaults filled in */
  struct trp_exchange_stats *stats;
  struct trp_exchange_market market;
  struct trp_exchange_weight weight;
  struct trp_exchange_client *clients; /* sessions_max slots */
  uint32_t client_count;
  uint64_t now_ns; /* of this turn */
  uint64_t silent_until_ns, stalled_until_ns, refuse_until_ns;
  uint64_t timer, timer_ns; /* the one timer, and when it is due; 0: none */
  bool stopping, holding;
  struct trp_exchange_text payload, wrapped, reply;
};

/* Takes what the net has, up to a bound; false where there may be more. */
bool trp_exchange_serve(struct trp_exchange *exchange);

/* Tells one event of the walk to all who hear it. A trp_walk_fn; `arg` is the exchange. */
void trp_exchange_publish(void *arg, const struct trp_walk_event *event);

/* Sends what is due of a replay, to everyone. */
void trp_exchange_replay(struct trp_exchange *exchange);

/* Pings that are due, and the end of who did not answer. */
void trp_exchange_beat(struct trp_exchange *exchange);

/* When a client next needs something: a ping, a frame of a replay; UINT64_MAX for never. */
uint64_t trp_exchange_clients_due(const struct trp_exchange *exchange);

/* Does anybody hear the walk? */
bool trp_exchange_heard(const struct trp_exchange *exchange);

/* Ends every connection at once, without a close frame. */
void trp_exchange_cut_all(struct trp_exchange *exchange);

/* Sends everyone a close frame. */
void trp_exchange_close_all(struct trp_exchange *exchange, uint16_t code, const char *reason);

/* Reads nothing from anyone until told otherwise. */
void trp_exchange_hold_all(struct trp_exchange *exchange, bool held);

#endif
