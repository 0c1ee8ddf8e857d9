/* fleet.h - many feeds at once on real threads and sockets of the loopback, all served by one
 * embedded exchange, with the standing company around them; started, ordered about, and stopped
 * with an account of how that went.
 *
 *   exchange ~ 127.0.0.1 ~ feed000 feed001 ... -> event_engine -> consumer
 *   supervisor, thread_monitor, executor, limiter
 *
 * Each feed has a net (and a libwebsockets context) of its own and a thread, or a port on one of a
 * few loops that they share. One fleet at a time; failures to
 * build it are cmocka's. Thread: the test's. */
#ifndef TRP_TEST_SUPPORT_FLEET_H
#define TRP_TEST_SUPPORT_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/exchange.h"
#include "runtime/troupe.h"

enum { FLEET_FEEDS_MAX = 1000, FLEET_LOOPS_MAX = 8 };

struct fleet_options {
  uint32_t feeds;
  uint32_t loops;        /* that the feeds share, in turns; 0: a thread and a net each */
  uint32_t streams;      /* TRP_STREAM_*; 0: the usual ones */
  uint32_t quotes_per_s; /* of the one symbol, to each feed */
  uint32_t budget_ms;    /* of the stop */
  bool allow_faults;
  uint32_t intensity; /* crashes allowed within a second, of each; 0: the default policy */
};

void fleet_begin(const struct fleet_options *options);
struct trp_system *fleet_system(void);

/* "feed007"; good until the next call. */
const char *fleet_feed(uint32_t i);

/* The exchange's account; after fleet_end. */
const struct trp_exchange_stats *fleet_exchange(void);

/* Waits until every feed is LIVE; how many are, at the end. */
uint32_t fleet_until_live(uint64_t timeout_ms);

/* How often the feed has lost its stream and come back; UINT64_MAX where it does not answer. */
uint64_t fleet_reconnects(uint32_t i);

/* Events that the consumer has handled. */
uint64_t fleet_events(void);

/* Sends, whatever becomes of it: OK, or why not. */
enum trp_err fleet_fault(const char *actor, const char *text);

/* Asks a feed to connect or disconnect, or the supervisor to stop or restart a child; the answer's
 * status. */
enum trp_err fleet_command(const char *feed, const char *verb, uint64_t timeout_ms);
enum trp_err fleet_order(const char *child, const char *verb, uint64_t timeout_ms);

/* How a stop went, and what the process has after it that it did not have before the fleet. */
struct fleet_stop {
  uint64_t elapsed_ns; /* the report's: from the pill to the account */
  uint64_t waited_ns;  /* as the test saw it */
  bool stopped, balanced;
  const char *verdict;
  int64_t left[TRP_RES_COUNT]; /* the report's left_behind */
  uint64_t orphans;
  long threads, descriptors; /* after everything was destroyed, more than before */
  char trouble[200];         /* the first actor that was not clean, "" where all were */
};

/* Stops and gives everything back. */
struct fleet_stop fleet_end(void);

/* Whether nothing at all is left. */
bool fleet_left_nothing(const struct fleet_stop *stop);

uint64_t fleet_now_ns(void);
void fleet_nap_ms(unsigned ms);

#endif
