/* troupe exchange: the embedded exchange alone, for clients of any make. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/supervisor.h"
#include "adapters/cli/cli.h"
#include "adapters/exchange.h"
#include "adapters/exchange_replay.h"
#include "adapters/exchange_walk.h"

enum { USAGE_STATUS = 2 };

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

__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("troupe exchange: ", stderr);
  vfprintf(stderr, format, list);
  fputs("\nTry 'troupe exchange --help'.\n", stderr);
  va_end(list);
  return false;
}

/* ---- the command line --------------------------------------------------------------------------
 */

static bool take_number(const char *name, const char *text, uint64_t max, uint64_t *out) {
  char *rest;
  errno = 0;
  unsigned long long n = strtoull(text, &rest, 10);
  if (text[0] < '0' || text[0] > '9' || *rest != '\0' || errno != 0 || n > max) {
    return wrong("%s takes a number up to %" PRIu64 ", not '%s'", name, max, text);
  }
  *out = n;
  return true;
}

static bool take_speed(struct settings *settings, const char *text) {
  char *rest;
  double speed = strtod(text, &rest);
  if (rest == text || *rest != '\0' || !isfinite(speed) || speed < 0) {
    return wrong("--speed takes a number from 0 up, not '%s'", text);
  }
  settings->exchange.speed = speed;
  settings->speed = true;
  return true;
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
    return wrong("--listen takes HOST:PORT, not '%s'", text);
  }
  if (!take_number("--listen's port", colon + 1, UINT16_MAX, &port)) {
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
      return settings->dialect || wrong("unknown dialect '%s': there is binance", text);
    case 'l':
      return take_listen(settings, text);
    case 's':
      settings->chance = true;
      return take_number("--seed", text, UINT64_MAX, &exchange->seed);
    case 'y':
      settings->chance = true;
      exchange->symbols = text;
      return true;
    case 'r':
      settings->chance = true;
      if (!take_number("--rate", text, 100000, &n)) {
        return false;
      }
      exchange->quotes_per_s = (uint32_t)n;
      return n > 0 || wrong("--rate takes a number from 1 up");
    case 'c':
      exchange->capture = text;
      return true;
    case 'n':
      exchange->snapshots = text;
      return true;
    case 'x':
      return take_speed(settings, text);
    default:
      fputs("Try 'troupe exchange --help'.\n", stderr); /* getopt has named the mistake */
      return false;
  }
}

static bool complete(struct settings *settings) {
  const struct trp_exchange_options *exchange = &settings->exchange;
  if (!settings->dialect) {
    return wrong("--dialect is missing");
  }
  if (!settings->listens) {
    return wrong("--listen is missing");
  }
  if (exchange->capture != NULL && settings->chance) {
    return wrong("--capture plays a recording: --seed, --symbols and --rate have no place there");
  }
  if (exchange->capture == NULL && (exchange->snapshots != NULL || settings->speed)) {
    return wrong("--snapshots and --speed belong to --capture");
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
  *status = USAGE_STATUS;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == 'h') {
      fputs(usage, stdout);
      *status = 0;
      return false;
    }
    if (!take_option(settings, option, optarg)) {
      return false;
    }
  }
  if (optind < argc) {
    return wrong("'%s' is too much", argv[optind]);
  }
  return complete(settings);
}

/* ---- running -----------------------------------------------------------------------------------
 */

static bool show_recording(const struct trp_exchange_options *options) {
  struct trp_replay *replay;
  char why[256];
  if (trp_replay_open(&replay,
                      &(struct trp_replay_options){.capture = options->capture,
                                                   .snapshots = options->snapshots},
                      why, sizeof why) != TRP_OK) {
    return wrong("%s", why);
  }
  printf("symbols:");
  for (uint32_t i = 0; i < trp_replay_symbol_count(replay); i++) {
    printf(" %s", trp_replay_symbol(replay, i));
  }
  printf("\nstreams:");
  for (uint32_t i = 0; i < trp_replay_stream_count(replay); i++) {
    printf(" %s", trp_replay_stream(replay, i));
  }
  printf("\n");
  trp_replay_close(&replay);
  return true;
}

/* What there will be to hear; a market that cannot be made is told here, before anything runs. */
static bool show_market(const struct trp_exchange_options *options) {
  if (options->capture != NULL) {
    return show_recording(options);
  }
  struct trp_walk *walk;
  enum trp_err err = trp_walk_new(&walk, &(struct trp_walk_options){.symbols = options->symbols});
  if (err != TRP_OK) {
    return wrong("--symbols '%s': %s", options->symbols, trp_err_text(err));
  }
  printf("symbols:");
  for (uint32_t i = 0; i < trp_walk_symbol_count(walk); i++) {
    printf(" %s", trp_walk_symbol(walk, i)->name);
  }
  printf("\n");
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

static int run(struct trp_exchange_options *options) {
  struct trp_system *system = NULL;
  enum trp_err err = trp_exchange_listen(options);
  if (err != TRP_OK) {
    wrong("cannot listen on %s:%u: %s", options->host, options->port, trp_err_text(err));
    return USAGE_STATUS;
  }
  printf("listening on %s:%u (ws://%s:%u/stream, http://%s:%u/api/v3)\n", options->host,
         options->stats->port, options->host, options->stats->port, options->host,
         options->stats->port);
  fflush(stdout);
  err = build(&system, options);
  int status = USAGE_STATUS;
  if (err == TRP_OK) {
    status = trp_system_run(system);
  } else {
    wrong("%s", trp_err_text(err));
  }
  trp_system_destroy(&system);
  return status;
}

int trp_cli_exchange(int argc, char **argv) {
  struct trp_exchange_stats stats = {0};
  struct settings settings = {.exchange.stats = &stats};
  int status;
  if (!read_line(&settings, argc, argv, &status)) {
    return status;
  }
  if (!show_market(&settings.exchange)) {
    return USAGE_STATUS;
  }
  enum trp_err err =
      trp_net_lws_new(&settings.exchange.net, &(struct trp_net_options){.links_max = 256});
  if (err != TRP_OK) {
    wrong("no network: %s", trp_err_text(err));
    return USAGE_STATUS;
  }
  status = run(&settings.exchange);
  trp_net_destroy(&settings.exchange.net);
  return status;
}
