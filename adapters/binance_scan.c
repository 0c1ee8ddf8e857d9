/* The known shapes, exactly as the exchange writes them: members in its order, no whitespace. Any
 * surprise is a no, and LEJP (binance_any.c) decides. */
#include "adapters/binance_parser.h"
#include "adapters/json_scan.h"

#define STREAM_MAX 64

static struct trp_json_scan_levels levels_of(struct trp_binance_parser *parser,
                                             struct trp_binance_event *out) {
  return (struct trp_json_scan_levels){
      .levels = parser->levels, .side_max = TRP_BINANCE_SIDE_MAX, .inexact = &out->inexact};
}

static bool scan_symbol(struct trp_json_scan *scan, struct trp_binance_event *out) {
  return trp_json_scan_text(scan, out->symbol, sizeof out->symbol) &&
         trp_binance_symbol_valid(out->symbol);
}

static bool scan_time(struct trp_json_scan *scan, int64_t *out) {
  uint64_t time;
  if (!trp_json_scan_u64(scan, &time) || time > INT64_MAX) return false;
  *out = trp_binance_time_us(time);
  return true;
}

/* Behind {"u": */
static bool scan_quote(struct trp_json_scan *scan, struct trp_binance_event *out) {
  struct trp_wire_quote *quote = &out->quote;
  out->kind = TRP_BINANCE_QUOTE;
  return trp_json_scan_u64(scan, &quote->update_id) && TRP_JSON_SCAN(scan, ",\"s\":") &&
         scan_symbol(scan, out) && TRP_JSON_SCAN(scan, ",\"b\":") &&
         trp_json_scan_decimal(scan, &quote->bid, &out->inexact) &&
         TRP_JSON_SCAN(scan, ",\"B\":") &&
         trp_json_scan_decimal(scan, &quote->bid_size, &out->inexact) &&
         TRP_JSON_SCAN(scan, ",\"a\":") &&
         trp_json_scan_decimal(scan, &quote->ask, &out->inexact) &&
         TRP_JSON_SCAN(scan, ",\"A\":") &&
         trp_json_scan_decimal(scan, &quote->ask_size, &out->inexact) &&
         trp_json_scan_byte(scan, '}');
}

/* The members that every event with an "e" begins with: behind "e":"..", */
static bool scan_head(struct trp_json_scan *scan, struct trp_binance_event *out) {
  return TRP_JSON_SCAN(scan, "\"E\":") && scan_time(scan, &out->exchange_us) &&
         TRP_JSON_SCAN(scan, ",\"s\":") && scan_symbol(scan, out);
}

/* Behind the id: ,"p":..,"q":.. */
static bool scan_price_and_size(struct trp_json_scan *scan, struct trp_binance_event *out) {
  return TRP_JSON_SCAN(scan, ",\"p\":") &&
         trp_json_scan_decimal(scan, &out->trade.price, &out->inexact) &&
         TRP_JSON_SCAN(scan, ",\"q\":") &&
         trp_json_scan_decimal(scan, &out->trade.size, &out->inexact);
}

/* ,"T":..,"m":..,"M":..} */
static bool scan_trade_tail(struct trp_json_scan *scan, struct trp_binance_event *out) {
  int64_t traded_us;
  bool ignored;
  return TRP_JSON_SCAN(scan, ",\"T\":") && scan_time(scan, &traded_us) &&
         TRP_JSON_SCAN(scan, ",\"m\":") && trp_json_scan_bool(scan, &out->trade.taker_sold) &&
         TRP_JSON_SCAN(scan, ",\"M\":") && trp_json_scan_bool(scan, &ignored) &&
         trp_json_scan_byte(scan, '}');
}

static bool scan_aggregate_trade(struct trp_json_scan *scan, struct trp_binance_event *out) {
  uint64_t first, last;
  out->kind = TRP_BINANCE_TRADE;
  out->trade.aggregate = true;
  return scan_head(scan, out) && TRP_JSON_SCAN(scan, ",\"a\":") &&
         trp_json_scan_u64(scan, &out->trade.id) && scan_price_and_size(scan, out) &&
         TRP_JSON_SCAN(scan, ",\"f\":") && trp_json_scan_u64(scan, &first) &&
         TRP_JSON_SCAN(scan, ",\"l\":") && trp_json_scan_u64(scan, &last) &&
         scan_trade_tail(scan, out);
}

static bool scan_trade(struct trp_json_scan *scan, struct trp_binance_event *out) {
  out->kind = TRP_BINANCE_TRADE;
  return scan_head(scan, out) && TRP_JSON_SCAN(scan, ",\"t\":") &&
         trp_json_scan_u64(scan, &out->trade.id) && scan_price_and_size(scan, out) &&
         scan_trade_tail(scan, out);
}

static bool scan_depth(struct trp_json_scan *scan, struct trp_binance_parser *parser,
                       struct trp_binance_event *out) {
  struct trp_wire_depth *depth = &out->depth;
  struct trp_json_scan_levels into = levels_of(parser, out);
  out->kind = TRP_BINANCE_DEPTH;
  if (!scan_head(scan, out) || !TRP_JSON_SCAN(scan, ",\"U\":") ||
      !trp_json_scan_u64(scan, &depth->first_id) || !TRP_JSON_SCAN(scan, ",\"u\":") ||
      !trp_json_scan_u64(scan, &depth->final_id) || depth->first_id > depth->final_id)
    return false;
  if (!TRP_JSON_SCAN(scan, ",\"b\":[") || !trp_json_scan_side(scan, &into, 1) ||
      !TRP_JSON_SCAN(scan, ",\"a\":[") || !trp_json_scan_side(scan, &into, 2))
    return false;
  depth->levels = parser->levels;
  depth->count = into.count;
  return trp_json_scan_byte(scan, '}');
}

static bool scan_body(struct trp_json_scan *scan, struct trp_binance_parser *parser,
                      struct trp_binance_event *out) {
  if (TRP_JSON_SCAN(scan, "{\"u\":")) return scan_quote(scan, out);
  if (TRP_JSON_SCAN(scan, "{\"e\":\"depthUpdate\",")) return scan_depth(scan, parser, out);
  if (TRP_JSON_SCAN(scan, "{\"e\":\"aggTrade\",")) return scan_aggregate_trade(scan, out);
  if (TRP_JSON_SCAN(scan, "{\"e\":\"trade\",")) return scan_trade(scan, out);
  return false;
}

static void blank(struct trp_binance_event *out) {
  *out = (struct trp_binance_event){.kind = TRP_BINANCE_OTHER};
}

bool trp_binance_scan_frame(struct trp_binance_parser *parser, const void *bytes, size_t size,
                            struct trp_binance_event *out) {
  struct trp_json_scan scan = {.at = bytes, .end = (const char *)bytes + size};
  blank(out);
  bool wrapped = TRP_JSON_SCAN(&scan, "{\"stream\":");
  if (wrapped &&
      (!trp_json_scan_skip_text(&scan, STREAM_MAX) || !TRP_JSON_SCAN(&scan, ",\"data\":")))
    return false;
  if (!scan_body(&scan, parser, out)) return false;
  return (!wrapped || trp_json_scan_byte(&scan, '}')) && scan.at == scan.end;
}

bool trp_binance_scan_snapshot(struct trp_binance_parser *parser, const void *bytes, size_t size,
                               struct trp_binance_event *out) {
  struct trp_json_scan scan = {.at = bytes, .end = (const char *)bytes + size};
  blank(out);
  struct trp_wire_depth *depth = &out->depth;
  struct trp_json_scan_levels into = levels_of(parser, out);
  out->kind = TRP_BINANCE_DEPTH;
  if (!TRP_JSON_SCAN(&scan, "{\"lastUpdateId\":") || !trp_json_scan_u64(&scan, &depth->final_id) ||
      !TRP_JSON_SCAN(&scan, ",\"bids\":[") || !trp_json_scan_side(&scan, &into, 1) ||
      !TRP_JSON_SCAN(&scan, ",\"asks\":[") || !trp_json_scan_side(&scan, &into, 2))
    return false;
  depth->first_id = depth->final_id;
  depth->levels = parser->levels;
  depth->count = into.count;
  return trp_json_scan_byte(&scan, '}') && scan.at == scan.end;
}
