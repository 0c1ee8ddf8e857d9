/* gateio_parser.h - what gateio_wire.c, gateio_scan.c and gateio_any.c share; for them alone. */
#ifndef TRP_ADAPTERS_GATEIO_PARSER_H
#define TRP_ADAPTERS_GATEIO_PARSER_H

#include "adapters/gateio_wire.h"

struct trp_gateio_parser {
  const char *reason;
  struct trp_level levels[2 * TRP_GATEIO_SIDE_MAX];
};

/* "ob.BTC_USDT.400" apart; false where it is none. */
bool trp_gateio_take_obu_name(const char *name, struct trp_gateio_event *out);

/* Milliseconds with a fraction, as trades have them ("1619093543708.2642"), to microseconds; digits
 * beyond those are dropped. */
bool trp_gateio_take_time(const char *text, int64_t *out_us);

/* Whole milliseconds to microseconds; false beyond the range. */
static inline bool trp_gateio_time_us(uint64_t ms, int64_t *out_us) {
  return !__builtin_mul_overflow(ms, 1000u, out_us);
}

#endif
