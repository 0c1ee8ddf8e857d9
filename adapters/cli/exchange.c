/* troupe exchange: the embedded exchange alone, for clients of any make. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/supervisor.h"
#include "adapters/cli/cli.h"
#include "adapters/cli/options.h"
#include "adapters/exchange.h"
#include "adapters/exchange_replay.h"
#include "adapters/exchange_walk.h"

#define COMMAND "exchange"

static const char usage[] =
    "usage: troupe exchange --dialect binance --listen HOST:PORT\n"
    "                       [--seed N | --capture FILE [--snapshots FILE] [--speed X]]\n"
    "\n"
    "Serves an exchange's WebSocket and REST dialect until it is told to stop (Ctrl-C).\n"
    "\n"
    "  --dialect NAME    binance\n"
    "  --listen H:P      where; port 0 takes any that is free\n"
    "  --seed N          a market of chance: the same seed, the same market (default 1)\n"
    "  --symbols A,B     more symbols for it, besides BTCUSDT and ETHUSDT\n"
    "  --rate N          best bid and offer changes a second for each symbol (default 20)\n"
    "  --capture FILE    a market from a recording instead: its frames, byte by byte\n"
    "  --snapshots FILE  recorded answers for /api/v3/depth\n"
    "  --speed X         of the recording: 1 as it was (default), 0 as fast as it is taken\n"
    "  --help            this text\n";

struct settings {
  struct trp_exchange_options exchange;
  char host[256];
  bool listens, dialect, chance, speed;
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

static bool take_option(struct settings *settings, int option, const char *text) {
  struct trp_exchange_options *exchange = &settings->exchange;
  uint64_t n = 0;
  switch (option) {
    case 'd':
      settings->dialect = strcmp(text, "binance") == 0;
      return settings->dialect ||
             trp_cli_wrong(COMMAND, "unknown dialect '%s': there is binance", text);
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
    case 'x':
      return take_speed(settings, text);
    default:
      return false;
  }
}

static bool complete(struct settings *settings) {
  const struct trp_exchange_options *exchange = &settings->exchange;
  if (!settings->dialect) {
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
                                                   .snapshots = options->snapshots},
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

static enum trp_err build(struct trp_system **system, const struct trp_exchange_options *options) {
  enum trp_err err = trp_system_new(system, &(struct trp_system_options){.name = "exchange"});
  if (err == TRP_OK) {
    err = trp_system_add(*system,
                         &(struct trp_spec){.name = "supervisor", .kind = &trp_supervisor_kind});
  }
  if (err == TRP_OK) {
    err = trp_system_add(*system, &(struct trp_spec){.name = "exchange",
                                                     .kind = &trp_exchange_kind,
                                                     .args = options,
                                                     .loop = &options->net->loop,
                                                     .supervisor = "supervisor",
                                                     .door = true});
  }
  return err;
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

static int run(struct trp_exchange_options *options, const char *market) {
  struct trp_system *system = NULL;
  errno = 0;
  enum trp_err err = trp_exchange_listen(options);
  if (err != TRP_OK) {
    return cannot_listen(options, err, errno);
  }
  printf("%slistening on %s:%u (ws://%s:%u/stream, http://%s:%u/api/v3)\n", market, options->host,
         options->stats->port, options->host, options->stats->port, options->host,
         options->stats->port);
  fflush(stdout);
  err = build(&system, options);
  int status = TRP_CLI_FAILED;
  if (err == TRP_OK) {
    status = trp_system_run(system);
  } else {
    fprintf(stderr, "troupe exchange: %s\n", trp_err_text(err));
  }
  trp_system_destroy(&system);
  return status;
}

static int serve(struct trp_exchange_options *options) {
  char *market = NULL;
  size_t size;
  FILE *out = open_memstream(&market, &size);
  bool fine = out != NULL && show_market(out, options);
  int status = out != NULL ? TRP_CLI_WRONG_USE : TRP_CLI_FAILED;
  if (out != NULL) {
    fine &= fclose(out) == 0;
  }
  if (fine) {
    enum trp_err err = trp_net_lws_new(&options->net, &(struct trp_net_options){.links_max = 256});
    if (err == TRP_OK) {
      status = run(options, market);
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
  struct settings settings = {.exchange.stats = &stats};
  int status;
  trp_run_hold_signals();
  if (!read_line(&settings, argc, argv, &status)) {
    return status;
  }
  return serve(&settings.exchange);
}
