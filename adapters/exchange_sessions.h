/* exchange_sessions.h - the embedded exchange's private state, and its half that deals with the
 * clients: who is connected, what they say, what they are sent, and how they go.
 *
 * For exchange.c, exchange_sessions.c,
 * exchange_voice.c, exchange_questions.c and exchange_faults.c. A session is a slot of a fixed
 * array; its link is 0 where the slot is free, so ending one while walking over all is safe.
 * Thread: the slot's. */
#ifndef TRP_ADAPTERS_EXCHANGE_SESSIONS_H
#define TRP_ADAPTERS_EXCHANGE_SESSIONS_H

#include "adapters/exchange.h"
#include "adapters/exchange_dialect.h"
#include "adapters/exchange_faults.h"
#include "adapters/exchange_guests.h"

#define TRP_EXCHANGE_CLOSE_MS 1000u /* what a close handshake may take */

struct trp_exchange_client {
  uint64_t link;
  struct trp_exchange_session session;
  uint64_t address;
  bool closing;                  /* our close frame is on its way: nothing more is sent or heard */
  uint64_t ping_ns;              /* when the next ping is due */
  uint64_t pong_ns;              /* when the last pong came */
  uint64_t close_ns;             /* when it has lived long enough; UINT64_MAX: never */
  uint64_t ghost_ns;             /* half-open until then; 0: it is not */
  uint64_t empty_ns;             /* since when it has no subscription */
  uint64_t active_ns;            /* when it was last sent data, or last said something */
  struct trp_exchange_text late; /* a frame that is sent after the next one of its channel */
  uint32_t late_channel;
  uint64_t retry_ns;                     /* a replay's: not before, its queue was full */
  uint64_t heard[TRP_EXCHANGE_RATE_MAX]; /* times of the last messages, a ring */
  uint64_t heard_count;
};

struct trp_exchange {
  struct trp_self *self;
  struct trp_net *net;
  struct trp_exchange_options options; /* defaults filled in */
  const struct trp_exchange_dialect *dialect;
  struct trp_exchange_limits limits; /* the dialect's, or the options' */
  struct trp_exchange_stats *stats;
  struct trp_exchange_market market;
  struct trp_exchange_guests *guests;
  struct trp_exchange_client *clients; /* sessions_max slots */
  uint32_t client_count;
  uint64_t now_ns; /* of this turn */
  struct trp_exchange_faults faults;
  uint64_t halt_ns; /* the market's clock stands there; 0: it goes */
  uint64_t session_number;
  uint64_t timer, timer_ns; /* the one timer, and when it is due; 0: none */
  bool stopping, holding;
  struct trp_exchange_text common, special, spoiled; /* payloads in two forms; a fault's */
  struct trp_exchange_answers answers;
};

static inline bool trp_exchange_faulty(const struct trp_exchange *exchange,
                                       enum trp_exchange_fault fault) {
  return exchange->now_ns < exchange->faults.until_ns[fault];
}

/* Walks over those who are connected; ending one on the way is safe. */
#define TRP_EXCHANGE_EACH(exchange, client)                                                        \
  for (struct trp_exchange_client *client = (exchange)->clients;                                   \
       client < (exchange)->clients + (exchange)->options.sessions_max; client++)                  \
    if (client->link != 0)

/* ---- exchange_voice.c ---- */

/* Sends a frame. OK also where nothing may be sent. Errors as the net's ws_send. */
enum trp_err trp_exchange_send(struct trp_exchange *exchange, struct trp_exchange_client *client,
                               bool binary, const char *bytes, size_t size);

/* What is to be done about a client that was sent something: it may be cut. */
void trp_exchange_sent(struct trp_exchange *exchange, struct trp_exchange_client *client,
                       enum trp_err err);

/* Sends the frame that a fault has kept back. */
void trp_exchange_send_late(struct trp_exchange *exchange, struct trp_exchange_client *client);

/* When a replay's next frame is due to a client; UINT64_MAX for never. */
uint64_t trp_exchange_frame_due(const struct trp_exchange *exchange,
                                const struct trp_exchange_client *client);

/* ---- exchange_sessions.c, and what exchange.c asks of both ---- */

/* Takes what the net has, up to a bound; false where there may be more. */
bool trp_exchange_serve(struct trp_exchange *exchange);

/* Tells one event of the walk to all who hear it. A trp_walk_fn; `arg` is the exchange. */
void trp_exchange_publish(void *arg, const struct trp_walk_event *event);

/* Sends what is due of a replay, to everyone. */
void trp_exchange_replay(struct trp_exchange *exchange);

/* Pings that are due, and the end of who did not answer, is too old or has nothing to say. */
void trp_exchange_beat(struct trp_exchange *exchange);

/* When a client next needs something: a ping, a frame of a replay; UINT64_MAX for never. */
uint64_t trp_exchange_clients_due(const struct trp_exchange *exchange);

/* Does anybody hear the walk? */
bool trp_exchange_heard(const struct trp_exchange *exchange);

/* Ends every connection at once, without a close frame. */
void trp_exchange_cut_all(struct trp_exchange *exchange);

/* The same for one of them, with a word for the log. */
void trp_exchange_cut(struct trp_exchange *exchange, struct trp_exchange_client *client,
                      const char *why);

/* Tells everyone that the exchange will close their connections, where the dialect has words for
 * it, and does so at that time. */
void trp_exchange_expire_all(struct trp_exchange *exchange, bool notice, uint64_t at_ns);

/* Everyone who is connected is half-open until then: neither read nor written, then cut. */
void trp_exchange_ghost_all(struct trp_exchange *exchange, uint64_t until_ns);

/* Sends everyone a close frame. */
void trp_exchange_close_all(struct trp_exchange *exchange, uint16_t code, const char *reason);

/* Answers OPERATOR's words (exchange.h); false where they are none of the exchange's. */
bool trp_exchange_question(struct trp_exchange *exchange, const char *text, char *out, size_t size);

/* Reads nothing from anyone until told otherwise. */
void trp_exchange_hold_all(struct trp_exchange *exchange, bool held);

#endif
