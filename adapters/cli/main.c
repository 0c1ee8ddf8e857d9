/* main.c - the program `troupe`: a table of subcommands. */
#include <stdio.h>
#include <string.h>

#include "adapters/cli/cli.h"
#include "runtime/troupe.h"

enum { WRONG_USE = 2 };

struct command {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *help;
};

static const struct command commands[] = {
    {"demo", trp_cli_demo, "stream quotes from the embedded exchange through supervised actors"},
    {"ctl", trp_cli_ctl, "look at a running system and give it orders"},
    {"exchange", trp_cli_exchange, "serve an exchange's dialect on loopback"},
    {"live-check", trp_cli_live_check, "try the public endpoints of the real exchanges"},
    {"decode", trp_cli_decode, "turn a recorded capture into one JSON object a line"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *out) {
  fprintf(out, "usage: troupe COMMAND [ARGUMENTS]\n\n");
  for (int i = 0; i < COMMANDS; i++) {
    fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
  }
  fprintf(out, "\n  troupe COMMAND --help says more; troupe --version says %s\n", TRP_VERSION);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    usage(stderr);
    return WRONG_USE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
      strcmp(argv[1], "help") == 0) {
    usage(stdout);
    return 0;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("troupe %s\n", TRP_VERSION);
    return 0;
  }
  for (int i = 0; i < COMMANDS; i++) {
    if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
  }
  fprintf(stderr, "troupe: there is no command '%s'\n\n", argv[1]);
  usage(stderr);
  return WRONG_USE;
}
