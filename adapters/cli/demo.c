/* troupe demo: the embedded exchange, an exchange's adapter and the whole standing company on one
 * machine, and somebody who watches. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/consumer.h"
#include "actors/control.h"
#include "actors/event_engine.h"
#include "actors/supervisor.h"
#include "actors/thread_monitor.h"
#include "adapters/adapter.h"
#include "adapters/cli/cli.h"
#include "adapters/cli/demo_screen.h"
#include "adapters/cli/options.h"
#include "adapters/control_ipc.h"
#include "adapters/exchange.h"
#include "adapters/exchange_dialect.h"
#include "adapters/exchange_walk.h"
#include "runtime/report.h"

enum { SYMBOLS_MAX = 32, DURATION_DEFAULT_S = 10 };

#define COMMAND "demo"

static const char usage[] =
    "usage: troupe demo [--duration SECONDS] [--stop-budget SECONDS] [--report json:FILE]\n"
    "                   [--allow-faults] [--symbols A,B] [--rate N] [--seed N] [--name NAME]\n"
    "                   [--log LEVEL] [--outer-limit SECONDS] [--strict-budget] [--check]\n"
    "                   [--exchange NAME]\n"
    "\n"
    "Streams quotes from the embedded exchange over a real WebSocket through supervised actors to "
    "a\n"
    "consumer. On a terminal a live table until Ctrl-C; otherwise lines, for 10 s by default.\n"
    "\n"
    "  --duration S       stop by itself after so long\n"
    "  --stop-budget S    the deadline for stopping (default $TRP_STOP_BUDGET_MS, else 15)\n"
    "  --outer-limit S    when somebody else would kill it: the deadline is kept 2 s before\n"
    "                     (default $TRP_OUTER_LIMIT_MS, else none)\n"
    "  --strict-budget    refuse to start where the longest way to stop does not fit\n"
    "  --check            only say whether it fits: status 0, or 2\n"
    "  --report json:F    also write the shutdown report there\n"
    "  --allow-faults     let 'troupe ctl fault' order panics, stalls and the exchange's faults\n"
    "  --exchange NAME    whose dialect: binance (default), gateio, mexc\n"
    "  --symbols A,B      which symbols (default BTCUSDT,ETHUSDT,BNBUSDT,SOLUSDT)\n"
    "  --rate N           quotes a second for each symbol (default 20)\n"
    "  --seed N           of the market (default 1)\n"
    "  --name NAME        the system's name, and its control socket's (default demo)\n"
    "  --log LEVEL        debug, info, warn, error, none (default info; on a terminal warn)\n"
    "\n"
    "Exit status: 0 clean, 1 abandoned, 2 wrong use, 3 late, 4 something left behind,\n"
    "5 ledger out of balance, 6 a supervisor gave up or the start failed.\n";

struct demo {
  struct trp_system_options system_options;
  struct trp_exchange_options exchange;
  struct trp_exchange_stats exchange_stats;
  struct trp_feed_options feed;
  struct trp_consumer_options consumer;
  struct trp_consumer_view view;
  struct trp_supervisor_options supervisor;
  struct trp_thread_monitor_options monitor;
  struct trp_control_options control;
  struct trp_control_ipc *ipc;
  struct trp_system *system;
  struct trp_net *exchange_net, *feed_net;
  struct trp_demo_screen screen;
  const struct trp_adapter *adapter;
  char symbols_text[512];
  const char *symbols[SYMBOLS_MAX];
  char pairs[SYMBOLS_MAX][TRP_DIALECT_SYMBOL_MAX + 2]; /* as the exchange writes them */
  char ws_base[64], http_base[64];
  bool duration_given, check;
};

/* ---- the command line ---- */

/* The exchange makes a market of whatever is given: what it would refuse is wrong use. */
static bool can_trade(const char *symbols) {
  struct trp_walk *walk;
  enum trp_err err = trp_walk_new(&walk, &(struct trp_walk_options){.symbols = symbols});
  trp_walk_destroy(&walk);
  return err == TRP_OK ||
         trp_cli_wrong(COMMAND, "--symbols takes names like BTCUSDT,ETHUSDT, %d at most, not '%s'",
                       TRP_WALK_SYMBOLS_MAX, symbols);
}

static bool take_symbols(struct demo *d, const char *text) {
  if (strlen(text) >= sizeof d->symbols_text)
    return trp_cli_wrong(COMMAND, "--symbols is too long");
  strcpy(d->symbols_text, text);
  d->exchange.symbols = text;
  d->feed.symbol_count = 0;
  char *save = NULL;
  for (char *s = strtok_r(d->symbols_text, ",", &save); s != NULL; s = strtok_r(NULL, ",", &save)) {
    if (d->feed.symbol_count == SYMBOLS_MAX)
      return trp_cli_wrong(COMMAND, "at most %d symbols", SYMBOLS_MAX);
    d->symbols[d->feed.symbol_count++] = s;
  }
  d->feed.symbols = d->symbols;
  if (d->feed.symbol_count == 0) return trp_cli_wrong(COMMAND, "--symbols names none");
  return can_trade(text);
}

static bool take_exchange(struct demo *d, const char *name) {
  char why[256];
  const struct trp_adapter *adapter = trp_adapter_find(name, why, sizeof why);
  if (adapter == NULL) return trp_cli_wrong(COMMAND, "%s", why);
  d->adapter = adapter;
  d->exchange.dialect = trp_exchange_dialect_find(adapter->name);
  return true;
}

/* "BTCUSDT" is "BTC_USDT" at some exchanges: which part is which, the market knows. */
static enum trp_err write_pairs(struct demo *d) {
  struct trp_walk *walk;
  if (d->exchange.dialect == NULL || !d->exchange.dialect->underscore) return TRP_OK;
  enum trp_err err =
      trp_walk_new(&walk, &(struct trp_walk_options){.symbols = d->exchange.symbols});
  for (uint32_t i = 0; err == TRP_OK && i < d->feed.symbol_count; i++) {
    int32_t at = trp_walk_find(walk, d->symbols[i]);
    if (at < 0) err = TRP_INVALID;
    if (at < 0) break;
    const struct trp_walk_symbol *symbol = trp_walk_symbol(walk, (uint32_t)at);
    snprintf(d->pairs[i], sizeof d->pairs[i], "%s_%s", symbol->base, symbol->quote);
    d->symbols[i] = d->pairs[i];
  }
  trp_walk_destroy(&walk);
  return err;
}

static bool take_report(struct demo *d, const char *text) {
  if (strncmp(text, "json:", 5) != 0 || text[5] == '\0') {
    return trp_cli_wrong(COMMAND, "--report takes json:FILE, not '%s'", text);
  }
  d->system_options.report_json = text + 5;
  return true;
}

/* What the system would refuse, and no file name could hold. */
static bool take_name(struct demo *d, const char *text) {
  size_t fine = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-");
  d->system_options.name = text;
  return (fine > 0 && fine <= TRP_NAME_MAX && text[fine] == '\0') ||
         trp_cli_wrong(COMMAND, "--name takes up to %d of a-z, 0-9, '_', '.' and '-', not '%s'",
                       TRP_NAME_MAX, text);
}

static bool take_level(struct demo *d, const char *text) {
  static const char *const names[] = {"debug", "info", "warn", "error", "none"};
  for (int i = 0; i < 5; i++) {
    if (strcmp(text, names[i]) != 0) continue;
    d->system_options.log_level = TRP_LOG_DEBUG + i;
    return true;
  }
  return trp_cli_wrong(COMMAND, "--log takes debug, info, warn, error or none, not '%s'", text);
}

enum flag {
  OPT_DURATION = 1,
  OPT_BUDGET,
  OPT_REPORT,
  OPT_FAULTS,
  OPT_SYMBOLS,
  OPT_RATE,
  OPT_SEED,
  OPT_NAME,
  OPT_LOG,
  OPT_OUTER,
  OPT_STRICT,
  OPT_CHECK,
  OPT_EXCHANGE,
  OPT_HELP
};

static bool take_option(struct demo *d, int option, const char *text) {
  double seconds;
  uint64_t number;
  switch (option) {
    case OPT_DURATION:
      if (!trp_cli_take_real(COMMAND, "--duration", text, 0.1, 1e6, &seconds)) return false;
      d->screen.duration_ns = (uint64_t)(seconds * 1e9);
      d->duration_given = true;
      return true;
    case OPT_BUDGET:
      if (!trp_cli_take_real(COMMAND, "--stop-budget", text, 0.1, 1e6, &seconds)) return false;
      d->system_options.budget_ms = (uint32_t)(seconds * 1e3);
      return true;
    case OPT_OUTER:
      if (!trp_cli_take_real(COMMAND, "--outer-limit", text, 0.1, 1e6, &seconds)) return false;
      d->system_options.outer_limit_ms = (uint32_t)(seconds * 1e3);
      return true;
    case OPT_STRICT:
      return d->system_options.strict_budget = true;
    case OPT_CHECK:
      return d->check = true;
    case OPT_REPORT:
      return take_report(d, text);
    case OPT_FAULTS:
      d->system_options.allow_faults = true;
      return true;
    case OPT_EXCHANGE:
      return take_exchange(d, text);
    case OPT_SYMBOLS:
      return take_symbols(d, text);
    case OPT_RATE:
      if (!trp_cli_take_number(COMMAND, "--rate", text, 1, 100000, &number)) return false;
      d->exchange.quotes_per_s = (uint32_t)number;
      return true;
    case OPT_SEED:
      return trp_cli_take_number(COMMAND, "--seed", text, 0, UINT64_MAX, &d->exchange.seed);
    case OPT_NAME:
      return take_name(d, text);
    case OPT_LOG:
      return take_level(d, text);
    default:
      return trp_cli_wrong(COMMAND, "see the usage");
  }
}

/* 0: go on; else the exit status + 1. */
static int parse(struct demo *d, int argc, char **argv) {
  static const struct option options[] = {{"duration", required_argument, NULL, OPT_DURATION},
                                          {"stop-budget", required_argument, NULL, OPT_BUDGET},
                                          {"report", required_argument, NULL, OPT_REPORT},
                                          {"allow-faults", no_argument, NULL, OPT_FAULTS},
                                          {"symbols", required_argument, NULL, OPT_SYMBOLS},
                                          {"rate", required_argument, NULL, OPT_RATE},
                                          {"seed", required_argument, NULL, OPT_SEED},
                                          {"name", required_argument, NULL, OPT_NAME},
                                          {"log", required_argument, NULL, OPT_LOG},
                                          {"outer-limit", required_argument, NULL, OPT_OUTER},
                                          {"strict-budget", no_argument, NULL, OPT_STRICT},
                                          {"check", no_argument, NULL, OPT_CHECK},
                                          {"exchange", required_argument, NULL, OPT_EXCHANGE},
                                          {"help", no_argument, NULL, OPT_HELP},
                                          {0}};
  int option;
  opterr = 0;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == OPT_HELP) {
      fputs(usage, stdout);
      return 1;
    }
    if (option == '?') trp_cli_wrong_option(COMMAND, argv);
    if (option == '?' || !take_option(d, option, optarg)) return TRP_CLI_WRONG_USE + 1;
  }
  char why[256];
  if (optind == argc) {
    if (trp_options_from_environment(&d->system_options, why, sizeof why) == TRP_OK) return 0;
    trp_cli_wrong(COMMAND, "%s", why);
    return TRP_CLI_WRONG_USE + 1;
  }
  trp_cli_wrong(COMMAND, "'%s' is not understood", argv[optind]);
  return TRP_CLI_WRONG_USE + 1;
}

static void set_defaults(struct demo *d) {
  d->system_options = (struct trp_system_options){.name = "demo"};
  d->exchange = (struct trp_exchange_options){.stats = &d->exchange_stats, .host = "127.0.0.1"};
  d->feed = (struct trp_feed_options){.events = "event_engine"};
  d->supervisor = (struct trp_supervisor_options){.events = "event_engine"};
  d->monitor = (struct trp_thread_monitor_options){.events = "event_engine"};
  d->consumer =
      (struct trp_consumer_options){.events = "event_engine", .view = &d->view, .books = true};
  trp_consumer_view_init(&d->view);
  d->adapter = trp_adapter_at(0); /* Binance's, as the exchange's own default */
  take_symbols(d, "BTCUSDT,ETHUSDT,BNBUSDT,SOLUSDT");
}

/* A live table needs the terminal for itself: the log goes there only where it is asked for. */
static void choose_screen(struct demo *d) {
  d->screen.live = isatty(STDOUT_FILENO) == 1;
  if (!d->screen.live && !d->duration_given) {
    d->screen.duration_ns = DURATION_DEFAULT_S * TRP_NS_PER_S;
  }
  if (d->screen.live && isatty(STDERR_FILENO) == 1) d->system_options.log_fd = -1;
}

/* ---- the company ---- */

static enum trp_err open_nets(struct demo *d) {
  struct trp_net_options net = {0};
  enum trp_err err = trp_net_lws_new(&d->exchange_net, &net);
  if (err == TRP_OK) err = trp_net_lws_new(&d->feed_net, &net);
  if (err != TRP_OK) return err;
  d->exchange.net = d->exchange_net;
  d->feed.net = d->feed_net;
  err = trp_exchange_listen(&d->exchange);
  if (err != TRP_OK) return err;
  unsigned port = d->exchange_stats.port;
  snprintf(d->ws_base, sizeof d->ws_base, "ws://127.0.0.1:%u", port);
  snprintf(d->http_base, sizeof d->http_base, "http://127.0.0.1:%u", port);
  d->feed.ws_base = d->ws_base;
  d->feed.http_base = d->http_base;
  return TRP_OK;
}

static enum trp_err add_actors(struct demo *d) {
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind, .args = &d->supervisor, .door = true},
      {.name = "event_engine",
       .kind = &trp_event_engine_kind,
       .supervisor = "supervisor",
       .mailbox = {.capacity = 8192, .policy = TRP_WAIT},
       .door = true},
      {.name = "thread_monitor",
       .kind = &trp_thread_monitor_kind,
       .args = &d->monitor,
       .supervisor = "supervisor",
       .door = true,
       .critical = true},
      {.name = "control",
       .kind = &trp_control_kind,
       .args = &d->control,
       .supervisor = "supervisor",
       .door = true,
       .critical = true},
      {.name = "exchange",
       .kind = &trp_exchange_kind,
       .args = &d->exchange,
       .supervisor = "supervisor",
       .loop = &d->exchange_net->loop,
       .door = true},
      {.name = "consumer",
       .kind = &trp_consumer_kind,
       .args = &d->consumer,
       .supervisor = "supervisor",
       .mailbox = {.capacity = 8192, .policy = TRP_CONFLATE, .key = trp_consumer_key}},
      {.name = d->adapter->name,
       .kind = d->adapter->kind,
       .args = &d->feed,
       .supervisor = "supervisor",
       .loop = &d->feed_net->loop,
       .door = true},
  };
  enum trp_err err = TRP_OK;
  for (size_t i = 0; err == TRP_OK && i < sizeof specs / sizeof *specs; i++) {
    err = trp_system_add(d->system, &specs[i]);
  }
  return err;
}

static enum trp_err add_edges(struct demo *d) {
  const char *const edges[][2] = {{"supervisor", "event_engine"},
                                  {"thread_monitor", "event_engine"},
                                  {d->adapter->name, "event_engine"},
                                  {"event_engine", "consumer"}};
  enum trp_err err = TRP_OK;
  for (size_t i = 0; err == TRP_OK && i < sizeof edges / sizeof *edges; i++) {
    err = trp_system_edge(d->system, edges[i][0], edges[i][1]);
  }
  return err;
}

static enum trp_err open_control(struct demo *d) {
  if (d->check) return TRP_OK; /* one of this name may be running */
  char why[256];
  enum trp_err err = trp_control_ipc_open(&d->ipc, d->system_options.name, why, sizeof why);
  if (err != TRP_OK) {
    fprintf(stderr, "troupe demo: %s\n", why);
    return err;
  }
  d->control = (struct trp_control_options){.edge = trp_control_ipc_edge(d->ipc),
                                            .supervisor = "supervisor",
                                            .monitor = "thread_monitor",
                                            .feeds = &d->adapter->name,
                                            .feed_count = 1,
                                            .allow_faults = d->system_options.allow_faults};
  return TRP_OK;
}

/* Async-signal-safe, see on_leave: the terminal and the socket are given back in any case. */
static void leave(void *arg) {
  struct demo *d = arg;
  if (d->screen.live) trp_demo_screen_restore();
  trp_control_ipc_leave(d->ipc);
}

static void end_screen(void *arg) { trp_demo_screen_join(arg); }

static void close_demo(struct demo *d) {
  trp_demo_screen_join(&d->screen);
  trp_control_ipc_close(&d->ipc); /* before the system, which it tells of requests */
  trp_system_destroy(&d->system);
  trp_net_destroy(&d->feed_net);
  trp_net_destroy(&d->exchange_net);
  trp_consumer_view_fini(&d->view);
}

static int fail(struct demo *d, const char *what, enum trp_err err) {
  fprintf(stderr, "troupe demo: %s: %s\n", what, trp_err_text(err));
  close_demo(d);
  return TRP_CLI_WRONG_USE;
}

static int say_whether_it_fits(struct demo *d) {
  char sentence[512];
  enum trp_err err = trp_system_check(d->system, sentence, sizeof sentence);
  if (err != TRP_OK && err != TRP_LIMIT) return fail(d, "the stop could not be planned", err);
  printf("%s: %s\n", err == TRP_OK ? "it fits" : "it does not fit", sentence);
  close_demo(d);
  return err == TRP_OK ? 0 : TRP_CLI_WRONG_USE;
}

int trp_cli_demo(int argc, char **argv) {
  static struct demo d; /* options are borrowed for the system's life; large for a stack */
  trp_run_hold_signals();
  set_defaults(&d);
  int parsed = parse(&d, argc, argv);
  if (parsed != 0) return parsed - 1;
  choose_screen(&d);
  d.consumer.feed = d.adapter->name;
  enum trp_err err = write_pairs(&d);
  if (err == TRP_OK) err = open_nets(&d);
  if (err != TRP_OK) return fail(&d, "the network could not be opened", err);
  err = open_control(&d);
  if (err != TRP_OK)
    return fail(&d, "control is not available (--name gives the system another name)", err);
  d.system_options.before_report = end_screen;
  d.system_options.before_report_arg = &d.screen;
  d.system_options.on_leave = leave;
  d.system_options.on_leave_arg = &d;
  err = trp_system_new(&d.system, &d.system_options);
  if (err == TRP_OK) err = add_actors(&d);
  if (err == TRP_OK) err = add_edges(&d);
  if (err != TRP_OK) return fail(&d, "the system could not be built", err);
  if (d.check) return say_whether_it_fits(&d);
  d.screen.system = d.system;
  d.screen.view = &d.view;
  err = trp_demo_screen_start(&d.screen);
  if (err != TRP_OK) return fail(&d, "the screen could not be started", err);
  int status = trp_system_run(d.system);
  const struct trp_exchange_stats *x = &d.exchange_stats;
  printf("  exchange: %llu connections; closed %llu properly, %llu improperly; %llu cut\n",
         (unsigned long long)x->accepted, (unsigned long long)x->closes_proper,
         (unsigned long long)x->closes_improper, (unsigned long long)x->cut);
  close_demo(&d);
  return status;
}
