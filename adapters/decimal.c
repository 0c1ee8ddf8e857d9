#include "adapters/decimal.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_EXACT 15
#define DIGITS_KEPT 19 /* that always fit 64 bits */

static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* strtod follows the process's locale, which belongs to the embedder. */
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* The number taken apart: significand * 10^exponent, trailing zeros of the significand dropped. */
struct parts {
  uint64_t significand; /* of the first DIGITS_KEPT significant digits */
  uint32_t digits;      /* significant ones, without trailing zeros */
  uint32_t zeros;       /* trailing zeros not yet known to be significant */
  int64_t exponent;
  bool negative;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Takes one digit after the first nonzero one has been seen or is this one. */
static void take_digit(struct parts *parts, char c) {
  if (c == '0') {
    if (parts->digits != 0) parts->zeros++;
    return;
  }
  for (; parts->zeros != 0; parts->zeros--)
    if (parts->digits++ < DIGITS_KEPT) parts->significand *= 10;
  if (parts->digits++ < DIGITS_KEPT)
    parts->significand = parts->significand * 10 + (uint64_t)(c - '0');
}

static const char *take_fraction(struct parts *parts, const char *at, const char *end) {
  if (at == end || *at != '.') return at;
  const char *first = ++at;
  for (; at != end && is_digit(*at); at++) {
    take_digit(parts, *at);
    parts->exponent--;
  }
  return at == first ? NULL : at;
}

static const char *take_exponent(struct parts *parts, const char *at, const char *end) {
  if (at == end || (*at != 'e' && *at != 'E')) return at;
  bool negative = false;
  if (++at != end && (*at == '+' || *at == '-')) negative = *at++ == '-';
  const char *first = at;
  int64_t exponent = 0;
  for (; at != end && is_digit(*at); at++)
    if (exponent < 1000000) exponent = exponent * 10 + (*at - '0');
  parts->exponent += negative ? -exponent : exponent;
  return at == first ? NULL : at;
}

static bool take_apart(const char *at, const char *end, struct parts *parts) {
  if (at != end && *at == '-') {
    parts->negative = true;
    at++;
  }
  if (at == end || !is_digit(*at)) return false;
  if (*at == '0' && at + 1 != end && is_digit(at[1])) return false;
  for (; at != end && is_digit(*at); at++) take_digit(parts, *at);
  at = take_fraction(parts, at, end);
  if (at != NULL) at = take_exponent(parts, at, end);
  return at == end;
}

static enum trp_err parse_slowly(const char *text, size_t size, double *out) {
  char copy[TRP_DECIMAL_MAX + 1];
  memcpy(copy, text, size);
  copy[size] = '\0';
  pthread_once(&c_locale_once, make_c_locale);
  *out = c_locale != (locale_t)0 ? strtod_l(copy, NULL, c_locale) : strtod(copy, NULL);
  return isfinite(*out) ? TRP_OK : TRP_TOO_BIG;
}

enum trp_err trp_decimal_parse(const char *text, size_t size, struct trp_decimal *out) {
  if (size > TRP_DECIMAL_MAX) return TRP_TOO_BIG;
  struct parts parts = {0};
  if (!take_apart(text, text + size, &parts)) return TRP_MALFORMED;
  out->inexact = parts.digits > DIGITS_EXACT;
  int64_t exponent = parts.exponent + parts.zeros;
  if (parts.digits == 0) {
    out->value = parts.negative ? -0.0 : 0.0;
    return TRP_OK;
  }
  if (parts.digits > DIGITS_KEPT || parts.significand > (1ull << 53) || exponent < -22 ||
      exponent > 22)
    return parse_slowly(text, size, &out->value);
  double value = (double)parts.significand;
  value = exponent < 0 ? value / power_of_ten[-exponent] : value * power_of_ten[exponent];
  out->value = parts.negative ? -value : value;
  return TRP_OK;
}

/* ---- the short and plain ones, which nearly all are ---- */

#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight digits in one word. Those of a byte are 0x30..0x39: the upper half is 3, and stays so when
 * 6 is added. Then neighbours are joined, pairs, fours, eight. */
static bool take_eight(const char *at, uint64_t *significand) {
  uint64_t word;
  memcpy(&word, at, sizeof word);
  if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) word = __builtin_bswap64(word);
  uint64_t upper = EIGHT(0xf0), digits = EIGHT('0');
  if ((word & upper) != digits || ((word + EIGHT(6)) & upper) != digits) return false;
  word -= digits;
  word = (word * 10 + (word >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
  word = (word * 100 + (word >> 16)) & UINT64_C(0x0000ffff0000ffff);
  word = (word * 10000 + (word >> 32)) & UINT64_C(0xffffffff);
  *significand = *significand * 100000000 + word;
  return true;
}

/* Up to so many digits from here. */
static const char *take_digits(const char *at, const char *end, ptrdiff_t most,
                               uint64_t *significand) {
  const char *stop = end - at > most ? at + most : end;
  if (stop - at >= 8 && take_eight(at, significand)) at += 8;
  for (; at != stop && is_digit(*at); at++) {
    *significand = *significand * 10 + (uint64_t)(*at - '0');
  }
  return at;
}

const char *trp_decimal_scan(const char *at, const char *end, double *out) {
  uint64_t significand = 0;
  const char *first = at;
  at = take_digits(at, end, DIGITS_EXACT, &significand);
  ptrdiff_t whole = at - first, fraction = 0;
  if (whole == 0 || (whole > 1 && *first == '0')) return NULL;
  if (at != end && *at == '.') {
    first = ++at;
    at = take_digits(at, end, DIGITS_EXACT - whole, &significand);
    fraction = at - first;
    if (fraction == 0) return NULL;
  }
  if (at != end && (is_digit(*at) || *at == 'e' || *at == 'E')) return NULL;
  *out = (double)significand / power_of_ten[fraction];
  return at;
}

size_t trp_decimal_print(char out[TRP_DECIMAL_TEXT_MAX], double value) {
  int length = 0;
  pthread_once(&c_locale_once, make_c_locale);
  locale_t before = c_locale != (locale_t)0 ? uselocale(c_locale) : (locale_t)0;
  for (int digits = 15; digits <= 17; digits++) {
    length = snprintf(out, TRP_DECIMAL_TEXT_MAX, "%.*g", digits, value);
    if (strtod(out, NULL) == value) break;
  }
  if (before != (locale_t)0) uselocale(before);
  return (size_t)length;
}
