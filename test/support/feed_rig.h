/* feed_rig.h - the feed, the embedded exchange, the event engine and subscribers on real threads
 * and real sockets of the loopback, for tests.
 *
 *   exchange ~ 127.0.0.1 ~ binance -> event_engine -> consumer, visitor
 *
 * The consumer is the standing company's own; every market event is also given to `on_event` in its
 * turn. The visitor subscribes and unsubscribes on order. The nets count what lives in them when
 * they are asked in their own thread. One rig at a time. Failures are cmocka's.
 *
 * Thread: the test's, but for on_event. */
#ifndef TRP_TEST_SUPPORT_FEED_RIG_H
#define TRP_TEST_SUPPORT_FEED_RIG_H

#include "actors/consumer.h"
#include "actors/feed_state.h"
#include "adapters/binance.h"
#include "adapters/exchange.h"

struct rig_options {
  const char *ws_base;        /* NULL: the embedded exchange */
  const char *http_base;      /* NULL: the embedded exchange */
  const char *servers;        /* where names are asked; NULL: the system's servers */
  const char *const *symbols; /* NULL: BTCUSDT */
  uint32_t symbol_count;
  bool connect; /* at once, instead of on command */
  bool no_consumer;
  const char *capture, *snapshots; /* of the exchange; NULL: a walk */
  uint32_t quotes_per_s;
  void (*on_event)(void *arg, const struct trp_msg *msg);
  void *on_event_arg;
};

/* What lives, all told. Taken at a quiet point. */
struct rig_sample {
  uint64_t blobs;
  int64_t held[TRP_RES_COUNT]; /* of all actors together */
  uint64_t links;              /* of both nets */
  uint64_t sessions;           /* of the exchange */
  uint64_t subscriptions, subscribers;
  uint64_t descriptors, threads;
  uint64_t heap_bytes; /* 0 where it cannot be told: sanitizers, valgrind */
};

void rig_begin(const struct rig_options *options);

/* Stops, and everybody must be clean and nothing left. */
void rig_end(void);

/* Asks the feed: its status, TRP_TIMEOUT where no answer came in time. */
enum trp_err rig_command(const char *verb, uint64_t ms);

/* The feed's state, asked for. */
struct trp_feed_state rig_state(void);
bool rig_until_phase(enum trp_feed_phase phase, uint64_t ms);

/* The visitor takes or takes back a subscription to quotes; returns when the engine has done it. */
void rig_visitor_subscribe(void);
void rig_visitor_unsubscribe(void);

/* Waits until the visitor has heard a quote since its last subscribing. */
bool rig_visitor_hears(uint64_t ms);

/* The consumer's view. */
struct trp_consumer_view *rig_view(void);

/* Waits until nothing moves any more, then takes a sample. */
struct rig_sample rig_sample(void);

/* The name of the first figure that differs, NULL where all are equal. */
const char *rig_difference(const struct rig_sample *a, const struct rig_sample *b);

void rig_print(const char *when, const struct rig_sample *sample);

/* The exchange's account; after rig_end. */
const struct trp_exchange_stats *rig_exchange(void);

/* Runs the program anew with an allocator whose account is exact (no caches of threads). */
void rig_exact_heap(char **argv);

/* Live bytes of the heap; 0 where the account is not exact. */
size_t rig_heap_bytes(void);

uint64_t rig_now_ms(void);

#endif
