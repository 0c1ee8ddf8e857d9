/* trading_floor.h - the embedded exchange and one client that counts what happens to it, in virtual
 * time over the simulated net. Thread: the test's. */
#ifndef TRP_TEST_STORY_TRADING_FLOOR_H
#define TRP_TEST_STORY_TRADING_FLOOR_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "adapters/exchange.h"
#include "adapters/net_sim.h"

#define FLOOR_STREAM "/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms"

/* What the client has seen. */
struct seen {
  struct trp_net *net;
  uint64_t link;
  uint32_t repeats, returns, junk,
      binary;      /* depth updates told twice, or late; unreadable frames */
  uint16_t status; /* of the last response */
  uint32_t retry_after_s;
  char last[512]; /* the last frame that is text, cut */
  uint32_t opened, failed, closed, proper, frames, pings, replies, responses, holes;
  uint16_t code;
  bool waits;        /* when stopping: for the exchange's close frame */
  uint64_t depth_id; /* of the last depth event */
};

struct floor {
  struct trp_system *system;
  struct trp_simhub *hub;
  struct trp_exchange_stats stats;
  struct trp_exchange_options options;
  struct seen seen, *seen_args;
};

extern struct floor trading_floor;

/* A new floor with an exchange of these options (net, account, address and clock are its own). */
void floor_build(const struct trp_exchange_options *options);
void floor_close(void);

/* A new one with a client that hears BTCUSDT in Binance's dialect. */
void floor_begin(void);

void floor_run_ms(uint64_t ms);

/* What the client shall do: "ws PATH", "http PATH", "say TEXT", "hold", "close". */
void floor_order(const char *text);

/* Asks the exchange by FAULT or OPERATOR; a fault that must be taken. */
struct trp_result floor_ask(uint16_t type, const char *text);
void floor_fault(const char *text);

/* Frames that come within so many milliseconds; sockets that the exchange answers for. */
uint32_t floor_frames_in(uint64_t ms);
int64_t floor_sockets(void);

#endif
