/* mexc_parser.h - what mexc_wire.c, mexc_binary.c and mexc_text.c share; for them alone. */
#ifndef TRP_ADAPTERS_MEXC_PARSER_H
#define TRP_ADAPTERS_MEXC_PARSER_H

#include "adapters/json_lejp.h"
#include "adapters/mexc_wire.h"

/* Ten thousand levels take about 1.5 MB in protobuf-c's hands. */
#define TRP_MEXC_ARENA_BYTES (4u << 20)

struct trp_mexc_parser {
  const char *reason;
  char text[TRP_JSON_TEXT_MAX + 1];
  struct trp_level levels[2 * TRP_MEXC_SIDE_MAX];
  struct trp_wire_quote quotes[TRP_MEXC_ITEMS_MAX];
  struct trp_mexc_trade trades[TRP_MEXC_ITEMS_MAX];
  size_t arena_used;
  bool arena_full;
  _Alignas(16) unsigned char arena[TRP_MEXC_ARENA_BYTES];
};

/* mexc_binary.c */
TRP_MUST_USE enum trp_err trp_mexc_binary_frame(struct trp_mexc_parser *parser, const void *bytes,
                                                size_t size, struct trp_mexc_event *out);

/* mexc_text.c */
TRP_MUST_USE enum trp_err trp_mexc_text_frame(struct trp_mexc_parser *parser, const void *bytes,
                                              size_t size, struct trp_mexc_event *out);
TRP_MUST_USE enum trp_err trp_mexc_text_snapshot(struct trp_mexc_parser *parser, const void *bytes,
                                                 size_t size, struct trp_mexc_event *out);
TRP_MUST_USE enum trp_err trp_mexc_text_tickers(struct trp_mexc_parser *parser, const void *bytes,
                                                size_t size, trp_mexc_ticker_fn *each, void *arg);

/* Milliseconds to microseconds; 0 for what is no time. */
static inline int64_t trp_mexc_time_us(int64_t ms) {
  int64_t us;
  return ms > 0 && !__builtin_mul_overflow(ms, 1000, &us) ? us : 0;
}

#endif
