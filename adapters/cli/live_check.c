/* troupe live-check: do the real exchanges answer, from here and today? Certificates and host names
 * are verified as always. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/event_engine.h"
#include "actors/supervisor.h"
#include "adapters/adapter.h"
#include "adapters/cli/cli.h"
#include "adapters/cli/options.h"
#include "adapters/composite.h"
#include "adapters/feed_scope.h"

#define COMMAND "live-check"

enum { OPTIONS_MAX = 30, ADAPTERS_MAX = 8, UNREACHABLE = 3, WHY_BYTES = 1024 };

static const char usage[] =
    "usage: troupe live-check [--exchange NAME]... [--timeout S] [--option KEY=VALUE]...\n"
    "\n"
    "Connects to the public endpoints of each exchange, with certificate and host name verified,\n"
    "subscribes to one symbol, fetches its book over HTTP and waits until it is live.\n"
    "\n"
    "  --exchange NAME   this one alone (binance, gateio, mexc); again for more\n"
    "  --timeout S       for each exchange (default 10)\n"
    "  --option K=V      of the adapters: ws_base, http_base, ca_file, symbols, ...\n"
    "  --help            this text\n"
    "\n"
    "Exit status: 0 all are live; 1 one was reached and is not live, or one of several was not\n"
    "reached; 2 wrong use; 3 none was reached: there is no internet here, or it is closed.\n";

enum verdict { LIVE, NOT_LIVE, NOT_REACHED };

struct settings {
  const struct trp_adapter *adapters[ADAPTERS_MAX];
  size_t adapter_count;
  const char *options[OPTIONS_MAX];
  size_t option_count;
  uint64_t timeout_s;
  bool has_symbols;
};

/* ---- the command line --------------------------------------------------------------------- */

static bool take_exchange(struct settings *s, const char *name) {
  char why[WHY_BYTES];
  const struct trp_adapter *adapter = trp_adapter_find(name, why, sizeof why);
  if (adapter == NULL) return trp_cli_wrong(COMMAND, "%s", why);
  if (s->adapter_count == ADAPTERS_MAX) return trp_cli_wrong(COMMAND, "too many exchanges");
  s->adapters[s->adapter_count++] = adapter;
  return true;
}

static bool take_option(struct settings *s, int option, const char *text) {
  if (option == 'e') return take_exchange(s, text);
  if (option == 't') return trp_cli_take_number(COMMAND, "--timeout", text, 1, 600, &s->timeout_s);
  if (s->option_count == OPTIONS_MAX) return trp_cli_wrong(COMMAND, "too many options");
  s->options[s->option_count++] = text;
  s->has_symbols |= strncmp(text, "symbols=", strlen("symbols=")) == 0;
  return true;
}

/* False with *status: nothing is to be run. */
static bool read_line(struct settings *s, int argc, char **argv, int *status) {
  static const struct option options[] = {{"exchange", required_argument, NULL, 'e'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"option", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  int option;
  optind = 0; /* glibc: begin anew, also where main has used getopt */
  opterr = 0;
  *status = TRP_CLI_WRONG_USE;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == 'h') {
      fputs(usage, stdout);
      *status = 0;
      return false;
    }
    if (option == '?') return trp_cli_wrong_option(COMMAND, argv);
    if (!take_option(s, option, optarg)) return false;
  }
  if (optind < argc) return trp_cli_wrong(COMMAND, "'%s' is too much", argv[optind]);
  for (size_t i = 0; s->adapter_count == i && trp_adapter_at(i) != NULL; i++)
    s->adapters[s->adapter_count++] = trp_adapter_at(i);
  return true;
}

/* ---- one exchange ------------------------------------------------------------------------- */

static struct trp_adapter_config *configure(const struct settings *s,
                                            const struct trp_adapter *adapter) {
  char symbols[64], why[WHY_BYTES];
  const char *options[OPTIONS_MAX + 2];
  size_t count = s->option_count;
  memcpy(options, s->options, count * sizeof *options);
  snprintf(symbols, sizeof symbols, "symbols=%s", adapter->dialect->example);
  if (!s->has_symbols) options[count++] = symbols;
  options[count++] = "stay_disconnected=yes";
  struct trp_adapter_config *config;
  enum trp_err err =
      trp_adapter_config_new(&config, adapter->name, options, count, why, sizeof why);
  if (err != TRP_OK) trp_cli_wrong(COMMAND, "%s", why[0] != '\0' ? why : trp_err_text(err));
  return config;
}

/* Refused, unheard, unknown: nobody was reached. What was reached and did not do is another matter.
 */
static enum verdict judge(const struct trp_feed_scope *feed) {
  if (feed->err == TRP_OK) return LIVE;
  bool stands = feed->state.state == TRP_FEED_SYNCING || feed->state.state == TRP_FEED_STALE;
  bool nobody = feed->state.error == TRP_RESOLVE || feed->state.error == TRP_CONNECT ||
                feed->state.error == TRP_TIMEOUT || feed->state.error == TRP_OK;
  return !stands && nobody ? NOT_REACHED : NOT_LIVE;
}

static const char *how_safe(const char *base, const char *usual) {
  const char *used = base != NULL ? base : usual;
  bool tls = strncmp(used, "wss:", 4) == 0 || strncmp(used, "https:", 6) == 0;
  return tls ? "TLS verified" : "no TLS";
}

static enum verdict tell(const struct trp_adapter_config *config,
                         const struct trp_feed_scope *feed) {
  const struct trp_feed_options *options = &config->feed;
  const struct trp_dialect *dialect = config->adapter->dialect;
  enum verdict verdict = judge(feed);
  if (verdict == LIVE)
    printf("%-8s live: stream (%s), HTTP (%s), %" PRIu64 " updates, %s\n", dialect->name,
           how_safe(options->ws_base, dialect->ws_base),
           how_safe(options->http_base, dialect->http_base), feed->state.updates,
           feed->state.reason);
  else
    printf("%-8s %s: %s: %s (%s)\n", dialect->name,
           verdict == NOT_LIVE ? "not live" : "not reached", trp_feed_state_text(feed->state.state),
           feed->state.reason, trp_err_text((enum trp_err)feed->state.error));
  fflush(stdout);
  return verdict;
}

static enum trp_err build(struct trp_system *system, struct trp_adapter_config *config,
                          struct trp_net *net, char *why, size_t why_bytes) {
  static const char *const engine[] = {"event_engine", NULL};
  struct trp_part parts[] = {
      {.spec = trp_adapter_spec(config, net), .needs = engine},
      {.spec = {.name = "event_engine",
                .kind = &trp_event_engine_kind,
                .supervisor = "supervisor",
                .mailbox = {.capacity = 8192, .policy = TRP_WAIT}}},
      {.spec = {.name = "supervisor", .kind = &trp_supervisor_kind}},
  };
  parts[0].spec.supervisor = "supervisor";
  parts[0].spec.door = false;
  enum trp_err err = trp_composite_add(system, parts, sizeof parts / sizeof *parts, why, why_bytes);
  return err == TRP_OK ? trp_system_start(system, why, why_bytes) : err;
}

static enum verdict run(struct trp_system *system, struct trp_adapter_config *config,
                        uint64_t timeout_s) {
  TRP_FEED_SCOPE feed = trp_feed_scope(
      system, &(struct trp_feed_scope_options){.feed = config->adapter->name,
                                               .live_ms = (uint32_t)(timeout_s * 1000)});
  return tell(config, &feed);
}

static enum verdict check(struct trp_adapter_config *config, uint64_t timeout_s) {
  char why[WHY_BYTES] = "";
  struct trp_net *net = NULL;
  struct trp_system *system = NULL;
  enum verdict verdict = NOT_LIVE;
  enum trp_err err = trp_net_lws_new(&net, &(struct trp_net_options){0});
  if (err == TRP_OK)
    err = trp_system_new(&system, &(struct trp_system_options){.name = COMMAND, .log_fd = -1});
  if (err == TRP_OK) err = build(system, config, net, why, sizeof why);
  if (err == TRP_OK)
    verdict = run(system, config, timeout_s);
  else
    fprintf(stderr, "troupe " COMMAND ": %s: %s\n", config->adapter->name,
            why[0] != '\0' ? why : trp_err_text(err));
  trp_system_destroy(&system);
  trp_net_destroy(&net);
  return verdict;
}

int trp_cli_live_check(int argc, char **argv) {
  struct settings s = {.timeout_s = 10};
  int status;
  size_t count[NOT_REACHED + 1] = {0};
  if (!read_line(&s, argc, argv, &status)) return status;
  for (size_t i = 0; i < s.adapter_count; i++) {
    struct trp_adapter_config *config = configure(&s, s.adapters[i]);
    if (config == NULL) return TRP_CLI_WRONG_USE;
    count[check(config, s.timeout_s)]++;
    trp_adapter_config_destroy(&config);
  }
  if (count[NOT_REACHED] == s.adapter_count) {
    printf("No exchange was reached: there is no internet here, or it is closed.\n");
    return UNREACHABLE;
  }
  return count[LIVE] == s.adapter_count ? 0 : TRP_CLI_FAILED;
}
