/* exchange_dialect.h - the seam between the embedded exchange and the dialects that it speaks.
 *
 * A dialect is a table of pure functions: a session is opened by a path, a request's text goes in
 * and answers come out, an event of the market becomes a payload, a REST call a response. Nothing
 * behind it knows of sockets, clocks or actors, and nothing trusts the client. What differs in
 * limits and heartbeats stands in the table as figures, with 0 for what an exchange does not have.
 *
 * A fourth exchange is one more table, in its own files, named in exchange_dialect.c.
 * Thread: one at a time; the tables are constant. */
#ifndef TRP_ADAPTERS_EXCHANGE_DIALECT_H
#define TRP_ADAPTERS_EXCHANGE_DIALECT_H

#include "adapters/exchange_call.h"
#include "adapters/exchange_subs.h"

#define TRP_EXCHANGE_ANSWERS_MAX 24     /* what one request may bring */
#define TRP_EXCHANGE_UNHEARD UINT64_MAX /* no form: this session is told nothing */

/* Messages one behind the other in one text. */
struct trp_exchange_answers {
  struct trp_exchange_text text;
  size_t ends[TRP_EXCHANGE_ANSWERS_MAX];
  uint32_t count;
};

/* What was added to the text since the last end is a message; nothing where nothing was. */
void trp_exchange_answers_end(struct trp_exchange_answers *answers);
void trp_exchange_answers_clear(struct trp_exchange_answers *answers);

struct trp_exchange_span {
  const char *bytes;
  size_t size;
};

struct trp_exchange_limits {
  uint32_t streams_max;     /* subscriptions a connection */
  uint32_t messages_per_s;  /* of a client, pings and pongs counted */
  uint32_t connections_max; /* at a time, an address */
  uint32_t attempts_max;    /* connections made by an address within attempts_s */
  uint32_t attempts_s;
  uint32_t idle_ms;     /* without a subscription: closed */
  uint32_t quiet_ms;    /* subscribed, but neither data nor a message of the client: closed */
  uint32_t ping_ms;     /* how often the exchange pings */
  uint32_t pong_ms;     /* without a pong for so long: cut */
  uint32_t lifetime_ms; /* of a connection */
};

struct trp_exchange_dialect {
  const char *name;
  const char *ws_path, *rest_path; /* where to begin, for a person */
  const char *content_type;
  bool binary;       /* data frames are */
  bool underscore;   /* symbols are BTC_USDT */
  const char *legal; /* which characters a symbol may have beside A-Z and 0-9 */
  struct trp_exchange_limits limits;

  /* A connection to a path, query included. Errors: INVALID (another path, a bad name), LIMIT,
   * NO_MEMORY; the session is then empty. Freed by trp_exchange_subs_fini. */
  enum trp_err (*open)(struct trp_exchange_session *session,
                       const struct trp_exchange_market *market, const char *path, uint64_t now_ns);

  /* One message of the client; what it brings is added to the answers. These are text, but for
   * those that begin a stream in a binary dialect. */
  void (*hear)(struct trp_exchange_session *session, const struct trp_exchange_market *market,
               const void *bytes, size_t size, uint64_t now_ns,
               struct trp_exchange_answers *answers);

  /* The i-th channel that tells of such an event, as `channel` of a sub; TRP_REPLAY_NONE past the
   * last. */
  uint32_t (*channel)(const struct trp_walk_event *event, uint32_t i);

  /* In which form a session that hears the channel is told: equal forms are equal bytes. */
  uint64_t (*form)(struct trp_exchange_session *session, uint32_t channel,
                   const struct trp_walk_event *event);

  /* The payload that the channel has for the event in a form; "" for nothing. */
  void (*tell)(const struct trp_exchange_market *market, uint32_t channel,
               const struct trp_walk_event *event, uint64_t form, struct trp_exchange_text *out);

  /* How a recording of this exchange is read. */
  const struct trp_replay_grammar *grammar;

  /* What a session is sent for a recorded frame, where not the frame's bytes; they lie in the frame
   * or in `out`. NULL: always the frame's bytes. */
  struct trp_exchange_span (*retell)(const struct trp_exchange_session *session,
                                     const struct trp_exchange_sub *sub,
                                     const struct trp_replay_frame *frame,
                                     struct trp_exchange_text *out);

  /* Answers a call that has begun. */
  void (*rest)(struct trp_exchange_call *call);

  /* Makes a call's answer a refusal, as struct trp_exchange_call says. */
  void (*refuse)(struct trp_exchange_call *call, enum trp_exchange_problem problem,
                 const char *what);

  /* What a session is told before the exchange closes it; NULL where such a notice is unknown. */
  void (*notice)(const struct trp_exchange_session *session, uint64_t wall_ns,
                 struct trp_exchange_text *out);
};

extern const struct trp_exchange_dialect trp_exchange_binance;
extern const struct trp_exchange_dialect trp_exchange_gateio;
extern const struct trp_exchange_dialect trp_exchange_mexc;

/* A REST call from its beginning to its answer. */
void trp_exchange_rest(const struct trp_exchange_dialect *dialect,
                       const struct trp_exchange_market *market, struct trp_exchange_meter *meter,
                       const char *method, const char *path, uint64_t now_ns,
                       struct trp_exchange_response *response, struct trp_exchange_text *body);

/* The same where the call is refused whatever it asks. */
void trp_exchange_rest_refuse(const struct trp_exchange_dialect *dialect,
                              const struct trp_exchange_market *market,
                              enum trp_exchange_problem problem, uint32_t retry_after_s,
                              uint64_t now_ns, struct trp_exchange_response *response,
                              struct trp_exchange_text *body);

/* The i-th dialect, NULL past the last; and the one of a name, NULL where there is none. */
const struct trp_exchange_dialect *trp_exchange_dialect_at(uint32_t i);
const struct trp_exchange_dialect *trp_exchange_dialect_find(const char *name);

#endif
