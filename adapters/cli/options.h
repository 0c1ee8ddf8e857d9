/* options.h - what the subcommands share in reading their command lines: numbers within bounds, and
 * one manner of saying that something is wrong.
 *
 * `command` is the subcommand's name ("demo"). Every function that returns a bool says what is
 * wrong on standard error before it returns false. Thread: the main thread. */
#ifndef TRP_ADAPTERS_CLI_OPTIONS_H
#define TRP_ADAPTERS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { TRP_CLI_FAILED = 1, TRP_CLI_WRONG_USE = 2 };

/* "troupe COMMAND: ..." and where help is. Always false, for `return trp_cli_wrong(...)`. */
__attribute__((format(printf, 2, 3))) bool trp_cli_wrong(const char *command, const char *format,
                                                         ...);

/* What getopt_long has just refused, opterr being 0. Always false. */
bool trp_cli_wrong_option(const char *command, char *const *argv);

/* `name` is the option's, as it is typed. */
bool trp_cli_take_number(const char *command, const char *name, const char *text, uint64_t min,
                         uint64_t max, uint64_t *out);
bool trp_cli_take_real(const char *command, const char *name, const char *text, double min,
                       double max, double *out);

#endif
