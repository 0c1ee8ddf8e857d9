/* demo_company.h - who is in the demo: for each market an embedded exchange and the adapter that
 * follows it over loopback, and once the standing company around them.
 *
 *   exchange ~ WebSocket, HTTP ~ binance --.
 *   exchange_gateio ~ ~ ~ ~ ~ ~ ~ gateio --+--> event_engine --> consumer
 *   exchange_mexc ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ mexc --'
 *
 * The first market's exchange is `exchange`; each further one has its dialect behind its name.
 * Ownership: the company's options are borrowed by the system, so it must outlive it; close gives
 * back what open took, also half of it. Thread: start-up. */
#ifndef TRP_ADAPTERS_CLI_DEMO_COMPANY_H
#define TRP_ADAPTERS_CLI_DEMO_COMPANY_H

#include "actors/consumer.h"
#include "actors/control.h"
#include "actors/supervisor.h"
#include "actors/thread_monitor.h"
#include "adapters/adapter.h"
#include "adapters/control_ipc.h"
#include "adapters/exchange.h"

enum { TRP_DEMO_MARKETS_MAX = 8 };

struct trp_demo_market {
  const struct trp_adapter *adapter;
  char exchange_name[TRP_NAME_MAX + 1];
  struct trp_exchange_options exchange;
  struct trp_exchange_stats stats;
  struct trp_adapter_config *feed;
  struct trp_net *exchange_net, *feed_net;
};

struct trp_demo_company {
  struct trp_demo_market markets[TRP_DEMO_MARKETS_MAX];
  uint32_t market_count;
  const char *feeds[TRP_DEMO_MARKETS_MAX]; /* their names */
  const char *symbols;                     /* "BTCUSDT,ETHUSDT": of every market */
  uint32_t quotes_per_s;                   /* a symbol; 0: the exchange's usual */
  uint64_t seed;                           /* of the first market; the next has the next */
  struct trp_consumer_options consumer;
  struct trp_consumer_view view;
  struct trp_supervisor_options supervisor;
  struct trp_thread_monitor_options monitor;
  struct trp_control_options control;
  struct trp_control_ipc *ipc;
};

/* Opens the nets, has the exchanges listen and makes the feeds' options. Errors: INVALID and those
 * of the nets; `why` says what. */
TRP_MUST_USE enum trp_err trp_demo_company_open(struct trp_demo_company *company, char *why,
                                                size_t why_bytes);

/* Opens the control socket of a system of that name. Errors: of trp_control_ipc_open. */
TRP_MUST_USE enum trp_err trp_demo_company_control(struct trp_demo_company *company,
                                                   const char *system_name, bool allow_faults,
                                                   char *why, size_t why_bytes);

/* Adds everybody. Errors: of trp_composite_add. */
TRP_MUST_USE enum trp_err trp_demo_company_add(struct trp_demo_company *company,
                                               struct trp_system *system, char *why,
                                               size_t why_bytes);

/* The control socket must go before the system, which it tells of requests; the rest after it. */
void trp_demo_company_close_control(struct trp_demo_company *company);
void trp_demo_company_close(struct trp_demo_company *company);

#endif
