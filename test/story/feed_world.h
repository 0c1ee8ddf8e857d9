/* feed_world.h - one market end to end in virtual time, for the feed's stories and storms.
 *
 *   exchange (embedded, any host, port 9000) ~ simulated net ~ binance -> event_engine -> consumer
 *
 * The feed dials ws://stream.test:9000 and http://api.test:9000, so that conditions can be set for
 * each by name. "flaky" is a server of bad manners on port 9001, "clerk" asks the feed on order and
 * keeps the answers. All hang under one supervisor. A spy stands between feed and net and another
 * at the exchange's market: the truth that the consumer's view is compared with.
 *
 * After every step it is checked that what the feed says of its connection is so; what was broken
 * first stays in `broken`. One world at a time. Failures are cmocka's. */
#ifndef TRP_TEST_STORY_FEED_WORLD_H
#define TRP_TEST_STORY_FEED_WORLD_H

#include "adapters/binance.h"
#include "adapters/exchange.h"
#include "adapters/exchange_dialect.h"
#include "adapters/net_sim.h"
#include "runtime/sim.h"
#include "test/story/feed_keeper.h"

#define STREAM_HOST "stream.test:9000"
#define API_HOST "api.test:9000"
#define FLAKY_URL "ws://flaky.test:9001"

enum { WORLD_ATTEMPTS_MAX = 1024, WORLD_REPLIES_MAX = 64, WORLD_STREAMS_MAX = 8 };

struct world_options {
  uint64_t seed;
  uint32_t quotes_per_s; /* 10 */
  const char *ws_base;   /* the exchange; FLAKY_URL */
  bool stay_disconnected;
  uint32_t connect_ms;                        /* 2,000 */
  uint32_t heartbeat_ms;                      /* 3,000 */
  uint32_t stale_ms;                          /* 2,000 */
  uint32_t backoff_max_ms;                    /* 30,000 */
  const char *http_base;                      /* the exchange */
  const char *const *symbols;                 /* BTCUSDT, ETHUSDT; NULL at the end */
  const struct trp_kind *feed_kind;           /* trp_binance_feed_kind */
  const struct trp_exchange_dialect *dialect; /* the exchange's: Binance's */
  uint32_t levels_compared;                   /* of a side with the truth: 200 at most */
  bool usual_times;                           /* the feed's own instead of the four above */
  uint32_t symbols_max;                       /* of the feed */
  uint32_t streams_at_once;                   /* that the feed may have: 1 */
  enum trp_feed_mode mode;                    /* STREAM; AUTO is asked for by `automatic` */
  bool automatic;
  bool check_symbols;
  uint32_t renew_s, probe_ms;
  const struct trp_spec *extra; /* one more actor, started before the feed; NULL */
};

struct world_reply {
  char verb[16];
  uint64_t correlation;
  uint64_t asked_ns, answered_ns; /* 0: not yet */
  uint32_t status;
};

struct world {
  struct trp_system *system;
  struct trp_simhub *hub;
  struct trp_exchange_stats stats;
  struct trp_exchange_options exchange;
  struct trp_feed_options feed;
  struct trp_net *flaky_net;
  struct keeper keeper, *keeper_args;
  uint32_t levels_compared;
  void *market; /* struct trp_exchange of the incarnation that lives; NULL */

  struct {               /* how the flaky server behaves */
    uint64_t hang_up_ms; /* after accepting; 0: never */
    uint64_t accepted;
    uint64_t link; /* the last it accepted */
    /* Plays an exchange: gets all that comes; NULL. */
    void (*serve)(struct trp_net *net, const struct trp_net_event *event);
  } flaky;

  struct {         /* between the feed and its net */
    uint64_t link; /* the stream that was dialled last; 0: it has ended */
    struct {
      uint64_t link;
      bool open;                  /* and the feed knows it */
    } streams[WORLD_STREAMS_MAX]; /* dialled and not ended */
    uint32_t streams_max;         /* how many there may be */
    uint64_t opens;
    uint64_t ended_ms; /* when a stream ended last, or an attempt at one */
    uint64_t attempts[WORLD_ATTEMPTS_MAX];
    bool successor[WORLD_ATTEMPTS_MAX]; /* that attempt was made while a stream stood */
    uint32_t attempt_count;
    uint64_t requests, last_request_ns;
    const char *swallow; /* the next frame that contains this never reaches the feed; NULL */
  } spy;

  struct world_reply replies[WORLD_REPLIES_MAX]; /* what the clerk heard */
  uint32_t reply_count;

  uint32_t mode;
  uint32_t phase;            /* the feed's, as it says in the journal */
  uint64_t backoff_until_ms; /* of its last backoff: when it said that it would try again */
  uint64_t journal_seen;
  const char *broken; /* the first broken promise; NULL */
};

extern struct world world;

/* Two symbols, BTCUSDT and ETHUSDT; SOLUSDT exists and is not subscribed to. */
void world_begin(const struct world_options *options);

/* Stops within 2 s; everybody must be clean, the ledger balanced, nothing left. */
void world_end(void);

/* A cmocka teardown: where TRP_LOUD is set, the log of the world that a failure left. */
int world_tell_trace(void **state);

void world_run_ms(uint64_t ms);
uint64_t world_now_ms(void);

/* True where the feed says so within that time. */
bool world_until_phase(uint32_t phase, uint64_t ms);

/* Asks the feed and waits up to `ms`: its status, TRP_TIMEOUT where no answer came. */
enum trp_err world_command(const char *verb, const char *symbol, uint64_t ms);

/* The clerk asks; the answer comes into world.replies. */
void world_clerk(const char *verb, const char *symbol);

/* FAULT to an actor, obeyed at its next turn. */
void world_fault(const char *actor, const char *text);

void world_conditions(const char *host, const struct trp_simhub_conditions *conditions);

/* The consumer's view of a symbol is the exchange's truth: top of book, and the best 200 levels. */
bool world_matches(const char *symbol);

/* Runs until both symbols match at one time, at most `ms`. */
bool world_settles(uint64_t ms);

/* Streams that the feed has: dialled, and not heard to have ended. */
uint32_t world_streams(void);
bool world_stream_stands(void); /* any */

/* What an actor holds, of the runtime's account. */
int64_t world_held(const char *actor, enum trp_resource what);
struct trp_actor_info world_info(const char *actor);

/* The answer of the event engine to "stats": the number after `key`. */
uint64_t world_engine_stat(const char *key);

#endif
