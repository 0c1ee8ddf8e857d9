/* adapter.h - the exchanges' adapters by name: "binance" to its dialect, its actor's kind and its
 * defaults, and options as texts, KEY=VALUE, to what the actor takes.
 *
 *   struct trp_adapter_config *config;
 *   const char *options[] = {"symbols=BTCUSDT,ETHUSDT", "stale_ms=5000"};
 *   trp_adapter_config_new(&config, "binance", options, 2, why, sizeof why);
 *   struct trp_spec spec = trp_adapter_spec(config, net);
 *
 * Keys are the fields of struct trp_feed_options and of its protocol (machine.h), under the same
 * names, and have the same defaults where they are not given: symbols and streams are lists with
 * commas, mode is auto, stream or poll, stay_disconnected and trust_symbols are yes or no, ws_base,
 * http_base, ca_file and events are texts, the rest are numbers (breaker_failures is that of
 * `breaker`, and so on). What is wrong is told in a sentence: which key, which value, what is
 * allowed, and what was perhaps meant. Nothing here opens anything.
 *
 * Ownership: a config owns copies of all texts, and must outlive the system that has its spec.
 * Thread: any; a config is the owner's. */
#ifndef TRP_ADAPTERS_ADAPTER_H
#define TRP_ADAPTERS_ADAPTER_H

#include "adapters/dialect.h"
#include "adapters/feed.h"

struct trp_adapter {
  const char *name; /* "binance" */
  const struct trp_dialect *dialect;
  const struct trp_kind *kind;
};

/* The i-th adapter there is; NULL past the last. */
const struct trp_adapter *trp_adapter_at(size_t i);

/* By name; NULL: there is none, and `why` says which there are. */
const struct trp_adapter *trp_adapter_find(const char *name, char *why, size_t why_bytes);

#define TRP_ADAPTER_KEYS_MAX 40

struct trp_adapter_config {
  const struct trp_adapter *adapter;
  struct trp_feed_options feed; /* as the options say; zero where they say nothing */
  char *texts[TRP_ADAPTER_KEYS_MAX];
  const char **symbols;
};

/* Errors: INVALID (`why` says what), NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_adapter_config_new(struct trp_adapter_config **out, const char *name,
                                                 const char *const *options, size_t count,
                                                 char *why, size_t why_bytes);
void trp_adapter_config_destroy(struct trp_adapter_config **config); /* NULL is fine */

/* The spec of its actor over that net, named as the adapter; supervisor, placement and the rest are
 * the caller's to fill in. */
struct trp_spec trp_adapter_spec(struct trp_adapter_config *config, struct trp_net *net);

#endif
