/* troupe demo: embedded exchanges, the adapters that follow them and the whole standing company on
 * one machine, and somebody who watches. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/cli/cli.h"
#include "adapters/cli/demo_company.h"
#include "adapters/cli/demo_screen.h"
#include "adapters/cli/options.h"
#include "adapters/exchange_walk.h"
#include "runtime/report.h"

enum { DURATION_DEFAULT_S = 10 };
static const uint64_t WRITE_NS = 500 * TRP_NS_PER_MS;

#define COMMAND "demo"

static const char usage[] =
    "usage: troupe demo [--duration SECONDS] [--stop-budget SECONDS] [--report json:FILE]\n"
    "                   [--allow-faults] [--symbols A,B] [--rate N] [--seed N] [--name NAME]\n"
    "                   [--log LEVEL] [--outer-limit SECONDS] [--strict-budget] [--check]\n"
    "                   [--exchange NAME,...] [--json]\n"
    "\n"
    "Streams quotes from embedded exchanges, one that speaks as Binance, one as Gate.io and one\n"
    "as MEXC, over real WebSockets through supervised actors to a consumer. On a terminal a live\n"
    "table until Ctrl-C; otherwise lines, for 10 s by default.\n"
    "\n"
    "  --duration S       stop by itself after so long\n"
    "  --stop-budget S    the deadline for stopping (default $TRP_STOP_BUDGET_MS, else 15)\n"
    "  --outer-limit S    when somebody else would kill it: the deadline is kept 2 s before\n"
    "                     (default $TRP_OUTER_LIMIT_MS, else none)\n"
    "  --strict-budget    refuse to start where the longest way to stop does not fit\n"
    "  --check            only say whether it fits: status 0, or 2\n"
    "  --report json:F    also write the shutdown report there\n"
    "  --allow-faults     let 'troupe ctl fault' order panics, stalls and the exchange's faults\n"
    "  --exchange A,B     only these of binance, gateio, mexc; may be repeated\n"
    "  --json             a JSON object a line, and the report as JSON behind them; no table\n"
    "  --symbols A,B      which symbols of each (default BTCUSDT,ETHUSDT,BNBUSDT,SOLUSDT)\n"
    "  --rate N           quotes a second for each symbol (default 20)\n"
    "  --seed N           of the markets (default 1)\n"
    "  --name NAME        the system's name, and its control socket's (default demo)\n"
    "  --log LEVEL        debug, info, warn, error, none (default info; on a terminal warn)\n"
    "\n"
    "Exit status: 0 clean, 1 abandoned, 2 wrong use, 3 late, 4 something left behind,\n"
    "5 ledger out of balance, 6 a supervisor gave up or the start failed.\n";

struct demo {
  struct trp_system_options system_options;
  struct trp_system *system;
  struct trp_demo_company company;
  struct trp_demo_screen screen;
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
  d->company.symbols = text;
  if (text[strspn(text, ",")] == '\0') return trp_cli_wrong(COMMAND, "--symbols names none");
  return can_trade(text);
}

static bool add_market(struct trp_demo_company *c, const struct trp_adapter *adapter) {
  for (uint32_t i = 0; i < c->market_count; i++) {
    if (c->markets[i].adapter == adapter) return true; /* once is enough */
  }
  if (c->market_count == TRP_DEMO_MARKETS_MAX)
    return trp_cli_wrong(COMMAND, "at most %d exchanges", TRP_DEMO_MARKETS_MAX);
  c->markets[c->market_count++].adapter = adapter;
  return true;
}

/* "binance" or "binance,mexc"; of several such options all count. */
static bool take_exchanges(struct demo *d, const char *text) {
  char why[256], name[64];
  for (const char *at = text;; at++) {
    size_t size = strcspn(at, ",");
    snprintf(name, sizeof name, "%.*s", (int)size, at);
    const struct trp_adapter *adapter = trp_adapter_find(name, why, sizeof why);
    if (adapter == NULL) return trp_cli_wrong(COMMAND, "%s", why);
    if (!add_market(&d->company, adapter)) return false;
    at += size;
    if (*at == '\0') return true;
  }
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
  OPT_JSON,
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
      return take_exchanges(d, text);
    case OPT_JSON:
      return d->screen.json = d->system_options.quiet_report = true;
    case OPT_SYMBOLS:
      return take_symbols(d, text);
    case OPT_RATE:
      if (!trp_cli_take_number(COMMAND, "--rate", text, 1, 100000, &number)) return false;
      d->company.quotes_per_s = (uint32_t)number;
      return true;
    case OPT_SEED:
      return trp_cli_take_number(COMMAND, "--seed", text, 0, UINT64_MAX - TRP_DEMO_MARKETS_MAX,
                                 &d->company.seed);
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
                                          {"json", no_argument, NULL, OPT_JSON},
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
  d->company.symbols = "BTCUSDT,ETHUSDT,BNBUSDT,SOLUSDT";
  d->company.seed = 1;
}

/* Every exchange that there is, where none was named. */
static void choose_exchanges(struct demo *d) {
  const struct trp_adapter *adapter;
  if (d->company.market_count > 0) return;
  for (size_t i = 0; (adapter = trp_adapter_at(i)) != NULL; i++)
    if (!add_market(&d->company, adapter)) return;
}

/* A live table needs the terminal for itself: the log goes there only where it is asked for. */
static void choose_screen(struct demo *d) {
  d->screen.live = !d->screen.json && isatty(STDOUT_FILENO) == 1;
  if (!d->screen.live && !d->duration_given) {
    d->screen.duration_ns = DURATION_DEFAULT_S * TRP_NS_PER_S;
  }
  if (d->screen.live && isatty(STDERR_FILENO) == 1) d->system_options.log_fd = -1;
  for (uint32_t i = 0; i < d->company.market_count; i++) {
    const struct trp_adapter *adapter = d->company.markets[i].adapter;
    d->screen.feeds[i] = (struct trp_demo_feed){adapter->name, adapter->dialect->venue};
  }
  d->screen.feed_count = d->company.market_count;
}

/* ---- the run ---- */

/* Async-signal-safe, see on_leave: the terminal and the socket are given back in any case. */
static void leave(void *arg) {
  struct demo *d = arg;
  if (d->screen.live) trp_demo_screen_restore();
  trp_control_ipc_leave(d->company.ipc);
}

static void end_screen(void *arg) { trp_demo_screen_join(arg); }

static void close_demo(struct demo *d) {
  trp_demo_screen_join(&d->screen);
  trp_demo_company_close_control(&d->company);
  trp_system_destroy(&d->system);
  trp_demo_company_close(&d->company);
}

static int fail(struct demo *d, const char *what, const char *why, enum trp_err err) {
  bool more = why != NULL && why[0] != '\0';
  fprintf(stderr, "troupe demo: %s: %s%s%s\n", what, more ? why : "", more ? ": " : "",
          trp_err_text(err));
  close_demo(d);
  return TRP_CLI_WRONG_USE;
}

static int say_whether_it_fits(struct demo *d) {
  char sentence[512];
  enum trp_err err = trp_system_check(d->system, sentence, sizeof sentence);
  if (err != TRP_OK && err != TRP_LIMIT) return fail(d, "the stop could not be planned", NULL, err);
  printf("%s: %s\n", err == TRP_OK ? "it fits" : "it does not fit", sentence);
  close_demo(d);
  return err == TRP_OK ? 0 : TRP_CLI_WRONG_USE;
}

/* How the exchanges saw it. */
static void tell_exchanges(const struct demo *d) {
  const char *format = d->screen.json
                           ? "{\"exchange\":\"%s\",\"connections\":%llu,\"closed_properly\":%llu,"
                             "\"closed_improperly\":%llu,\"cut\":%llu}\n"
                           : "  %s: %llu connections; closed %llu properly, %llu improperly; "
                             "%llu cut\n";
  for (uint32_t i = 0; i < d->company.market_count; i++) {
    const struct trp_demo_market *m = &d->company.markets[i];
    printf(format, m->exchange_name, (unsigned long long)m->stats.accepted,
           (unsigned long long)m->stats.closes_proper, (unsigned long long)m->stats.closes_improper,
           (unsigned long long)m->stats.cut);
  }
}

static int run(struct demo *d) {
  d->screen.system = d->system;
  d->screen.view = &d->company.view;
  enum trp_err err = trp_demo_screen_start(&d->screen);
  if (err != TRP_OK) return fail(d, "the screen could not be started", NULL, err);
  int status = trp_system_run(d->system);
  if (d->screen.json) (void)!trp_report_json(trp_system_report(d->system), STDOUT_FILENO, WRITE_NS);
  tell_exchanges(d);
  close_demo(d);
  return status;
}

int trp_cli_demo(int argc, char **argv) {
  static struct demo d; /* options are borrowed for the system's life; large for a stack */
  char why[512] = "";
  trp_run_hold_signals();
  set_defaults(&d);
  int parsed = parse(&d, argc, argv);
  if (parsed != 0) return parsed - 1;
  choose_exchanges(&d);
  choose_screen(&d);
  enum trp_err err = trp_demo_company_open(&d.company, why, sizeof why);
  if (err != TRP_OK) return fail(&d, "a market could not be opened", why, err);
  if (!d.check) /* one of this name may be running */
    err = trp_demo_company_control(&d.company, d.system_options.name, d.system_options.allow_faults,
                                   why, sizeof why);
  if (err != TRP_OK)
    return fail(&d, "control is not available (--name gives the system another name)", why, err);
  d.system_options.before_report = end_screen;
  d.system_options.before_report_arg = &d.screen;
  d.system_options.on_leave = leave;
  d.system_options.on_leave_arg = &d;
  err = trp_system_new(&d.system, &d.system_options);
  if (err == TRP_OK) err = trp_demo_company_add(&d.company, d.system, why, sizeof why);
  if (err != TRP_OK) return fail(&d, "the system could not be built", why, err);
  return d.check ? say_whether_it_fits(&d) : run(&d);
}
