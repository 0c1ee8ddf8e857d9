/* binance_parser.h - what binance_wire.c, binance_scan.c and binance_any.c share; for them alone.
 */
#ifndef TRP_ADAPTERS_BINANCE_PARSER_H
#define TRP_ADAPTERS_BINANCE_PARSER_H

#include "adapters/binance_wire.h"

struct trp_binance_parser {
  const char *reason;
  struct trp_level levels[2 * TRP_BINANCE_SIDE_MAX];
};

/* The exchange's time in microseconds: it sends milliseconds, or microseconds where the URL asked
 * for them. The two are apart by their size: 10^14 ms is the year 5138, 10^14 us was 1973. */
static inline int64_t trp_binance_time_us(uint64_t time) {
  return (int64_t)(time < 100000000000000ull ? time * 1000 : time);
}

#endif
