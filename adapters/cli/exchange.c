/* troupe exchange: the embedded exchange alone, for clients of any make. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/control.h"
#include "actors/supervisor.h"
#include "adapters/cli/cli.h"
#include "adapters/cli/options.h"
#include "adapters/control_ipc.h"
#include "adapters/exchange.h"
#include "adapters/exchange_dialect.h"

#define COMMAND "exchange"

enum { SESSIONS = 512, LINKS = SESSIONS + 128 /* requests on their way */ };

static const char usage[] =
    "usage: troupe exchange --dialect NAME --listen HOST:PORT [--tls-cert FILE --tls-key FILE]\n"
    "                       [--seed N | --capture FILE [--snapshots FILE] [--speed X]]\n"
    "                       [--name NAME]\n"
    "\n"
    "Serves an exchange's WebSocket and REST dialect until it is told to stop (Ctrl-C).\n"
    "\n"
    "  --dialect NAME    binance, gateio or mexc\n"
    "  --listen H:P      where; port 0 takes any that is free\n"
    "  --tls-cert FILE   serve wss:// and https:// with this certificate chain (PEM)\n"
    "  --tls-key FILE    and its private key (PEM)\n"
    "  --name NAME       the system's name, and its control socket's, where 'troupe ctl' looks at\n"
    "                    it, asks it and orders faults (default exchange-PORT)\n"
    "  --seed N          a market of chance: the same seed, the same market (default 1)\n"
    "  --symbols A,B     more symbols for it, besides BTCUSDT and ETHUSDT\n"
    "  --rate N          best bid and offer changes a second for each symbol (default 20)\n"
    "  --capture FILE    a market from a recording instead: its frames, byte by byte\n"
    "  --snapshots FILE  recorded answers for the order book over REST\n"
    "  --speed X         of the recording: 1 as it was (default), 0 as fast as it is taken\n"
    "  --help            this text\n";

struct settings {
  struct trp_exchange_options exchange;
  struct trp_net_options net;
  struct trp_system_options system;
  struct trp_control_options control;
  struct trp_control_ipc *ipc;
  char host[256];
  char name[32];
  bool listens, chance, speed;
};

/* ---- the command line --------------------------------------------------------------------------
 */

static bool take_speed(struct settings *settings, const char *text) {
  settings->speed = true;
  return trp_cli_take_real(COMMAND, "--speed", text, 0, 1e6, &settings->exchange.speed);
}

/* HOST:PORT, the host in brackets where it has colons itself. */
static bool take_listen(struct settings *settings, const char *text) {
  const char *colon = strrchr(text, ':');
  size_t size = colon != NULL ? (size_t)(colon - text) : 0;
  uint64_t port;
  if (size > 2 && text[0] == '[' && text[size - 1] == ']') {
    text++;
    size -= 2;
  }
  if (size == 0 || size >= sizeof settings->host) {
    return trp_cli_wrong(COMMAND, "--listen takes HOST:PORT, not '%s'", text);
  }
  if (!trp_cli_take_number(COMMAND, "--listen's port", colon + 1, 0, UINT16_MAX, &port)) {
    return false;
  }
  memcpy(settings->host, text, size);
  settings->host[size] = '\0';
  settings->exchange.host = settings->host;
  settings->exchange.port = (uint16_t)port;
  settings->listens = true;
  return true;
}

static bool take_dialect(struct settings *settings, const char *text) {
  settings->exchange.dialect = trp_exchange_dialect_find(text);
  return settings->exchange.dialect != NULL ||
         trp_cli_wrong(COMMAND, "unknown dialect '%s': there are binance, gateio and mexc", text);
}

static bool take_option(struct settings *settings, int option, const char *text) {
  struct trp_exchange_options *exchange = &settings->exchange;
  uint64_t n = 0;
  switch (option) {
    case 'd':
      return take_dialect(settings, text);
    case 'l':
      return take_listen(settings, text);
    case 's':
      settings->chance = true;
      return trp_cli_take_number(COMMAND, "--seed", text, 0, UINT64_MAX, &exchange->seed);
    case 'y':
      settings->chance = true;
      exchange->symbols = text;
      return true;
    case 'r':
      settings->chance = true;
      if (!trp_cli_take_number(COMMAND, "--rate", text, 1, 100000, &n)) {
        return false;
      }
      exchange->quotes_per_s = (uint32_t)n;
      return true;
    case 'c':
      exchange->capture = text;
      return true;
    case 'n':
      exchange->snapshots = text;
      return true;
    case 't':
      settings->net.tls_cert = text;
      return true;
    case 'k':
      settings->net.tls_key = text;
      return true;
    case 'm':
      settings->system.name = text;
      return true;
    case 'x':
      return take_speed(settings, text);
    default:
      return false;
  }
}

static bool complete(struct settings *settings) {
  const struct trp_exchange_options *exchange = &settings->exchange;
  if (exchange->dialect == NULL) {
    return trp_cli_wrong(COMMAND, "--dialect is missing");
  }
  if (!settings->listens) {
    return trp_cli_wrong(COMMAND, "--listen is missing");
  }
  if (exchange->capture != NULL && settings->chance) {
    return trp_cli_wrong(
        COMMAND, "--capture plays a recording: --seed, --symbols and --rate have no place there");
  }
  if (exchange->capture == NULL && (exchange->snapshots != NULL || settings->speed)) {
    return trp_cli_wrong(COMMAND, "--snapshots and --speed belong to --capture");
  }
  if ((settings->net.tls_cert == NULL) != (settings->net.tls_key == NULL)) {
    return trp_cli_wrong(COMMAND, "--tls-cert and --tls-key belong together");
  }
  if (!settings->speed) {
    settings->exchange.speed = 1;
  }
  return true;
}

/* False with *status: nothing is to be run. */
static bool read_line(struct settings *settings, int argc, char **argv, int *status) {
  static const struct option options[] = {{"dialect", required_argument, NULL, 'd'},
                                          {"listen", required_argument, NULL, 'l'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"symbols", required_argument, NULL, 'y'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"capture", required_argument, NULL, 'c'},
                                          {"snapshots", required_argument, NULL, 'n'},
                                          {"speed", required_argument, NULL, 'x'},
                                          {"tls-cert", required_argument, NULL, 't'},
                                          {"tls-key", required_argument, NULL, 'k'},
                                          {"name", required_argument, NULL, 'm'},
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
    if (option == '?') {
      return trp_cli_wrong_option(COMMAND, argv);
    }
    if (!take_option(settings, option, optarg)) {
      return false;
    }
  }
  if (optind < argc) {
    return trp_cli_wrong(COMMAND, "'%s' is too much", argv[optind]);
  }
  return complete(settings);
}

/* ---- running -----------------------------------------------------------------------------------
 */

static bool show_recording(FILE *out, const struct trp_exchange_options *options) {
  struct trp_replay *replay;
  char why[256];
  if (trp_replay_open(&replay,
                      &(struct trp_replay_options){.capture = options->capture,
                                                   .snapshots = options->snapshots,
                                                   .grammar = options->dialect->grammar},
                      why, sizeof why) != TRP_OK) {
    return trp_cli_wrong(COMMAND, "%s", why);
  }
  fprintf(out, "symbols:");
  for (uint32_t i = 0; i < trp_replay_symbol_count(replay); i++) {
    fprintf(out, " %s", trp_replay_symbol(replay, i));
  }
  fprintf(out, "\nstreams:");
  for (uint32_t i = 0; i < trp_replay_stream_count(replay); i++) {
    fprintf(out, " %s", trp_replay_stream(replay, i));
  }
  fprintf(out, "\n");
  trp_replay_close(&replay);
  return true;
}

/* What there will be to hear; a market that cannot be made is told here, before anything
 * runs. */
static bool show_market(FILE *out, const struct trp_exchange_options *options) {
  if (options->capture != NULL) {
    return show_recording(out, options);
  }
  struct trp_walk *walk;
  if (trp_walk_new(&walk, &(struct trp_walk_options){.symbols = options->symbols}) != TRP_OK) {
    return trp_cli_wrong(COMMAND,
                         "--symbols takes names like BTCUSDT,ETHUSDT, %d at most, not '%s'",
                         TRP_WALK_SYMBOLS_MAX, options->symbols);
  }
  fprintf(out, "symbols:");
  for (uint32_t i = 0; i < trp_walk_symbol_count(walk); i++) {
    fprintf(out, " %s", trp_walk_symbol(walk, i)->name);
  }
  fprintf(out, "\n");
  trp_walk_destroy(&walk);
  return true;
}

static enum trp_err build(struct trp_system **system, const struct settings *settings) {
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind, .door = true},
      {.name = "control",
       .kind = &trp_control_kind,
       .args = &settings->control,
       .supervisor = "supervisor",
       .door = true},
      {.name = "exchange",
       .kind = &trp_exchange_kind,
       .args = &settings->exchange,
       .loop = &settings->exchange.net->loop,
       .supervisor = "supervisor",
       .door = true},
  };
  enum trp_err err = trp_system_new(system, &settings->system);
  for (size_t i = 0; err == TRP_OK && i < sizeof specs / sizeof *specs; i++) {
    err = trp_system_add(*system, &specs[i]);
  }
  return err;
}

/* An exchange on its own is there to be played with: faults are always allowed. */
static enum trp_err open_control(struct settings *settings) {
  char why[256];
  if (settings->system.name == NULL) {
    snprintf(settings->name, sizeof settings->name, "exchange-%u", settings->exchange.stats->port);
    settings->system.name = settings->name;
  }
  enum trp_err err = trp_control_ipc_open(&settings->ipc, settings->system.name, why, sizeof why);
  if (err != TRP_OK) {
    fprintf(stderr, "troupe exchange: %s\n", why);
    return err;
  }
  settings->control = (struct trp_control_options){.edge = trp_control_ipc_edge(settings->ipc),
                                                   .supervisor = "supervisor",
                                                   .allow_faults = true};
  settings->system.allow_faults = true;
  settings->system.on_leave = trp_control_ipc_leave;
  settings->system.on_leave_arg = settings->ipc;
  return TRP_OK;
}

/* No wrong use, so no word about help: but a host that is no address is. */
static int cannot_listen(const struct trp_exchange_options *options, enum trp_err err, int why) {
  if (err == TRP_INVALID) {
    trp_cli_wrong(COMMAND, "--listen takes a numeric address or localhost, not '%s'",
                  options->host);
    return TRP_CLI_WRONG_USE;
  }
  fprintf(stderr, "troupe exchange: cannot listen on %s:%u: %s\n", options->host, options->port,
          why != 0 ? strerror(why) : trp_err_text(err));
  return TRP_CLI_FAILED;
}

static void show_address(const struct settings *settings, const char *market) {
  const struct trp_exchange_options *options = &settings->exchange;
  const char *s = settings->net.tls_cert != NULL ? "s" : "";
  unsigned port = options->stats->port;
  printf("%slistening on %s:%u (ws%s://%s:%u%s, http%s://%s:%u%s)\n", market, options->host, port,
         s, options->host, port, options->dialect->ws_path, s, options->host, port,
         options->dialect->rest_path);
  fflush(stdout);
}

static int run(struct settings *settings, const char *market) {
  struct trp_system *system = NULL;
  errno = 0;
  enum trp_err err = trp_exchange_listen(&settings->exchange);
  if (err != TRP_OK) {
    return cannot_listen(&settings->exchange, err, errno);
  }
  if (open_control(settings) != TRP_OK) {
    return TRP_CLI_FAILED;
  }
  show_address(settings, market);
  err = build(&system, settings);
  int status = TRP_CLI_FAILED;
  if (err == TRP_OK) {
    status = trp_system_run(system);
  } else {
    fprintf(stderr, "troupe exchange: %s\n", trp_err_text(err));
  }
  trp_control_ipc_close(&settings->ipc); /* before the system, which it tells of requests */
  trp_system_destroy(&system);
  return status;
}

static int serve(struct settings *settings) {
  struct trp_exchange_options *options = &settings->exchange;
  char *market = NULL;
  size_t size;
  FILE *out = open_memstream(&market, &size);
  bool fine = out != NULL && show_market(out, options);
  int status = out != NULL ? TRP_CLI_WRONG_USE : TRP_CLI_FAILED;
  if (out != NULL) {
    fine &= fclose(out) == 0;
  }
  if (fine) {
    enum trp_err err = trp_net_lws_new(&options->net, &settings->net);
    if (err == TRP_OK) {
      status = run(settings, market);
    } else if (err == TRP_INVALID) {
      trp_cli_wrong(COMMAND, "--tls-cert and --tls-key take PEM files that fit, not '%s' and '%s'",
                    settings->net.tls_cert, settings->net.tls_key);
    } else {
      fprintf(stderr, "troupe exchange: no network: %s\n", trp_err_text(err));
      status = TRP_CLI_FAILED;
    }
    trp_net_destroy(&options->net);
  }
  free(market);
  return status;
}

int trp_cli_exchange(int argc, char **argv) {
  struct trp_exchange_stats stats = {0};
  struct settings settings = {.exchange = {.stats = &stats, .sessions_max = SESSIONS},
                              .net.links_max = LINKS};
  int status;
  trp_run_hold_signals();
  if (!read_line(&settings, argc, argv, &status)) {
    return status;
  }
  return serve(&settings);
}
