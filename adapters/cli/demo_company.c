#include "adapters/cli/demo_company.h"

#include <stdio.h>
#include <string.h>

#include "actors/event_engine.h"
#include "adapters/composite.h"
#include "adapters/exchange_dialect.h"
#include "adapters/exchange_walk.h"

enum { ENGINE_MAIL = 8192, SYMBOLS_TEXT_MAX = 1024, COMPANY = 5 };

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- markets ---- */

/* "BTCUSDT,ETHUSDT" as the exchange writes them: "BTC_USDT,ETH_USDT" at some. Which part of a name
 * is which, the market knows. */
static enum trp_err write_symbols(const struct trp_demo_company *c, const struct trp_demo_market *m,
                                  char *out, size_t size) {
  struct trp_walk *walk;
  char names[SYMBOLS_TEXT_MAX], *save = NULL;
  size_t used = (size_t)snprintf(out, size, "symbols=");
  enum trp_err err = trp_walk_new(&walk, &(struct trp_walk_options){.symbols = c->symbols});
  if (err != TRP_OK) return err;
  snprintf(names, sizeof names, "%s", c->symbols);
  for (char *s = strtok_r(names, ",", &save); s != NULL && used < size;
       s = strtok_r(NULL, ",", &save)) {
    int32_t at = trp_walk_find(walk, s);
    if (at < 0) err = TRP_INVALID;
    if (at < 0) break;
    const struct trp_walk_symbol *symbol = trp_walk_symbol(walk, (uint32_t)at);
    used +=
        (size_t)snprintf(out + used, size - used, "%s%s%s%s", s == names ? "" : ",", symbol->base,
                         m->exchange.dialect->underscore ? "_" : "", symbol->quote);
  }
  trp_walk_destroy(&walk);
  return used < size ? err : TRP_INVALID;
}

/* The adapter as anybody makes one: by name, with options as texts. */
static enum trp_err make_feed(struct trp_demo_company *c, struct trp_demo_market *m, char *why,
                              size_t why_bytes) {
  char symbols[SYMBOLS_TEXT_MAX], ws_base[64], http_base[64];
  unsigned port = m->stats.port;
  enum trp_err err = write_symbols(c, m, symbols, sizeof symbols);
  if (err != TRP_OK) snprintf(why, why_bytes, "%s: its symbols", m->adapter->name);
  if (err != TRP_OK) return err;
  snprintf(ws_base, sizeof ws_base, "ws_base=ws://127.0.0.1:%u", port);
  snprintf(http_base, sizeof http_base, "http_base=http://127.0.0.1:%u", port);
  const char *const options[] = {symbols, ws_base, http_base};
  return trp_adapter_config_new(&m->feed, m->adapter->name, options, 3, why, why_bytes);
}

static enum trp_err open_market(struct trp_demo_company *c, uint32_t i, char *why,
                                size_t why_bytes) {
  struct trp_demo_market *m = &c->markets[i];
  struct trp_net_options net = {0};
  const char *name = m->adapter->name;
  snprintf(m->exchange_name, sizeof m->exchange_name, "exchange%s%s", i > 0 ? "_" : "",
           i > 0 ? name : "");
  snprintf(why, why_bytes, "%s: the network", name);
  enum trp_err err = trp_net_lws_new(&m->exchange_net, &net);
  if (err == TRP_OK) err = trp_net_lws_new(&m->feed_net, &net);
  if (err != TRP_OK) return err;
  m->exchange = (struct trp_exchange_options){.net = m->exchange_net,
                                              .stats = &m->stats,
                                              .host = "127.0.0.1",
                                              .dialect = trp_exchange_dialect_find(name),
                                              .seed = c->seed + i,
                                              .symbols = c->symbols,
                                              .quotes_per_s = c->quotes_per_s};
  err = trp_exchange_listen(&m->exchange);
  return err == TRP_OK ? make_feed(c, m, why, why_bytes) : err;
}

enum trp_err trp_demo_company_open(struct trp_demo_company *c, char *why, size_t why_bytes) {
  enum trp_err err = TRP_OK;
  trp_consumer_view_init(&c->view);
  for (uint32_t i = 0; err == TRP_OK && i < c->market_count; i++) {
    c->feeds[i] = c->markets[i].adapter->name;
    err = open_market(c, i, why, why_bytes);
  }
  return err;
}

enum trp_err trp_demo_company_control(struct trp_demo_company *c, const char *system_name,
                                      bool allow_faults, char *why, size_t why_bytes) {
  enum trp_err err = trp_control_ipc_open(&c->ipc, system_name, why, why_bytes);
  if (err != TRP_OK) return err;
  c->control = (struct trp_control_options){.edge = trp_control_ipc_edge(c->ipc),
                                            .supervisor = "supervisor",
                                            .monitor = "thread_monitor",
                                            .feeds = c->feeds,
                                            .feed_count = c->market_count,
                                            .allow_faults = allow_faults};
  return TRP_OK;
}

/* ---- the company ---- */

static struct trp_part feed_part(struct trp_demo_market *m) {
  static const char *const needs[] = {"event_engine", NULL};
  struct trp_part part = {.spec = trp_adapter_spec(m->feed, m->feed_net), .needs = needs};
  part.spec.supervisor = "supervisor";
  return part;
}

static struct trp_part exchange_part(struct trp_demo_market *m) {
  return (struct trp_part){.spec = {.name = m->exchange_name,
                                    .kind = &trp_exchange_kind,
                                    .args = &m->exchange,
                                    .supervisor = "supervisor",
                                    .loop = &m->exchange_net->loop,
                                    .door = true}};
}

static void fill_options(struct trp_demo_company *c) {
  c->supervisor = (struct trp_supervisor_options){.events = "event_engine"};
  c->monitor = (struct trp_thread_monitor_options){.events = "event_engine"};
  c->consumer = (struct trp_consumer_options){.events = "event_engine",
                                              .feeds = c->feeds,
                                              .feed_count = c->market_count,
                                              .view = &c->view,
                                              .books = true};
}

enum trp_err trp_demo_company_add(struct trp_demo_company *c, struct trp_system *system, char *why,
                                  size_t why_bytes) {
  struct trp_part parts[COMPANY + 2 * TRP_DEMO_MARKETS_MAX] = {
      {.spec = {.name = "supervisor",
                .kind = &trp_supervisor_kind,
                .args = &c->supervisor,
                .door = true},
       .tells = NAMES("event_engine")},
      {.spec = {.name = "event_engine",
                .kind = &trp_event_engine_kind,
                .supervisor = "supervisor",
                .mailbox = {.capacity = ENGINE_MAIL, .policy = TRP_WAIT},
                .door = true},
       .tells = NAMES("consumer")},
      {.spec = {.name = "thread_monitor",
                .kind = &trp_thread_monitor_kind,
                .args = &c->monitor,
                .supervisor = "supervisor",
                .door = true,
                .critical = true},
       .tells = NAMES("event_engine")},
      {.spec = {.name = "control",
                .kind = &trp_control_kind,
                .args = &c->control,
                .supervisor = "supervisor",
                .door = true,
                .critical = true}},
      {.spec = {.name = "consumer",
                .kind = &trp_consumer_kind,
                .args = &c->consumer,
                .supervisor = "supervisor",
                .mailbox = {.capacity = ENGINE_MAIL,
                            .policy = TRP_CONFLATE,
                            .key = trp_consumer_key}}},
  };
  size_t count = COMPANY;
  fill_options(c);
  for (uint32_t i = 0; i < c->market_count; i++) parts[count++] = exchange_part(&c->markets[i]);
  for (uint32_t i = 0; i < c->market_count; i++) parts[count++] = feed_part(&c->markets[i]);
  return trp_composite_add(system, parts, count, why, why_bytes);
}

void trp_demo_company_close_control(struct trp_demo_company *c) { trp_control_ipc_close(&c->ipc); }

void trp_demo_company_close(struct trp_demo_company *c) {
  for (uint32_t i = 0; i < c->market_count; i++) {
    trp_net_destroy(&c->markets[i].feed_net);
    trp_net_destroy(&c->markets[i].exchange_net);
    trp_adapter_config_destroy(&c->markets[i].feed);
  }
  trp_consumer_view_fini(&c->view);
}
