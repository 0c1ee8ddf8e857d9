/* decimal.h - decimal text to the nearest double, correctly rounded.
 *
 * Prices and sizes travel as text ("63704.00000000"). Up to 15 significant digits (trailing zeros
 * not counted) read back exactly as they came; a number with more is still rounded correctly but is
 * reported inexact, so that it can be counted.
 *
 * The fast path is exact by Clinger's observation (PLDI 1990): a significand below 2^53 and a power
 * of ten up to 10^22 are both doubles, so one multiplication or division rounds once. Everything
 * else goes to strtod_l in the C locale. Pure. Thread: any. */
#ifndef TRP_ADAPTERS_DECIMAL_H
#define TRP_ADAPTERS_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/errors.h"

#define TRP_DECIMAL_MAX 128     /* bytes of the longest text */
#define TRP_DECIMAL_TEXT_MAX 32 /* bytes that trp_decimal_print needs, NUL included */

struct trp_decimal {
  double value;
  bool inexact; /* more than 15 significant digits */
};

/* Reads the whole of `text`, by JSON's grammar of a number: [-]digits[.digits][e[+-]digits], no
 * leading zeros. Errors: MALFORMED (the grammar), TOO_BIG (longer than TRP_DECIMAL_MAX, or beyond
 * the largest double). */
TRP_MUST_USE enum trp_err trp_decimal_parse(const char *text, size_t size, struct trp_decimal *out);

/* Reads a plain decimal, digits[.digits] of at most 15 digits in all, at the beginning of what is
 * there, and says where it ends. NULL: it is none such, and trp_decimal_parse decides what it is.
 */
const char *trp_decimal_scan(const char *at, const char *end, double *out);

/* Writes the shortest of %.15g, %.16g and %.17g that reads back to the same (finite) value. Returns
 * the length. */
size_t trp_decimal_print(char out[TRP_DECIMAL_TEXT_MAX], double value);

#endif
