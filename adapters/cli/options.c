#include "adapters/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool trp_cli_wrong(const char *command, const char *format, ...) {
  va_list list;
  va_start(list, format);
  fprintf(stderr, "troupe %s: ", command);
  vfprintf(stderr, format, list);
  fprintf(stderr, "\nTry 'troupe %s --help'.\n", command);
  va_end(list);
  return false;
}

bool trp_cli_wrong_option(const char *command, char *const *argv) {
  return trp_cli_wrong(command, "'%s' is no option, or lacks its value", argv[optind - 1]);
}

bool trp_cli_take_number(const char *command, const char *name, const char *text, uint64_t min,
                         uint64_t max, uint64_t *out) {
  char *rest;
  errno = 0;
  unsigned long long n = strtoull(text, &rest, 10);
  /* strtoull takes signs and blanks, we do not */
  if (text[0] < '0' || text[0] > '9' || *rest != '\0' || errno != 0 || n < min || n > max) {
    return trp_cli_wrong(command, "%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
                         name, min, max, text);
  }
  *out = n;
  return true;
}

bool trp_cli_take_real(const char *command, const char *name, const char *text, double min,
                       double max, double *out) {
  char *rest;
  errno = 0;
  double x = strtod(text, &rest);
  if (rest == text || *rest != '\0' || errno != 0 || !(x >= min && x <= max)) {
    return trp_cli_wrong(command, "%s takes a number from %.10g to %.10g, not '%s'", name, min, max,
                         text);
  }
  *out = x;
  return true;
}
