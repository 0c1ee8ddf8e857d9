/* cli.h - the subcommands of the program `troupe`, for main's table.
 *
 * Each takes its own argv (argv[0] is the subcommand's name) and returns the exit status: 0 fine,
 * 2 wrong use, the rest as the subcommand says. They write to standard output and standard error
 * and are called once, from the main thread. */
#ifndef TRP_ADAPTERS_CLI_CLI_H
#define TRP_ADAPTERS_CLI_CLI_H

/* The embedded exchange, the Binance adapter and the whole company on one machine. */
int trp_cli_demo(int argc, char **argv);

/* Control of a running system over ipc. */
int trp_cli_ctl(int argc, char **argv);

/* The embedded exchange alone. */
int trp_cli_exchange(int argc, char **argv);

/* Are the real exchanges live from here? 1: not all; 3: none was reached. */
int trp_cli_live_check(int argc, char **argv);

/* A capture in, one JSON object a line out. 1: some line was bad. */
int trp_cli_decode(int argc, char **argv);

#endif
