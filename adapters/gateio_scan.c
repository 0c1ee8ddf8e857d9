/* The usual shapes, exactly as the exchange writes them: members in its order, no whitespace. Any
 * surprise is a no, and LEJP (gateio_any.c) decides. */
#include "adapters/gateio_parser.h"
#include "adapters/json_scan.h"

#define CHANNEL_MAX 32
#define NAME_MAX 64

static bool scan_time(struct trp_json_scan *scan, struct trp_gateio_event *out) {
  uint64_t ms;
  return trp_json_scan_u64(scan, &ms) && trp_gateio_time_us(ms, &out->exchange_us);
}

static bool scan_symbol(struct trp_json_scan *scan, struct trp_gateio_event *out) {
  return trp_json_scan_text(scan, out->symbol, sizeof out->symbol) &&
         trp_gateio_symbol_valid(out->symbol);
}

static bool scan_quote(struct trp_json_scan *scan, struct trp_gateio_event *out) {
  struct trp_wire_quote *quote = &out->quote;
  out->kind = TRP_GATEIO_QUOTE;
  return TRP_JSON_SCAN(scan, "{\"t\":") && scan_time(scan, out) && TRP_JSON_SCAN(scan, ",\"u\":") &&
         trp_json_scan_u64(scan, &quote->update_id) && TRP_JSON_SCAN(scan, ",\"s\":") &&
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

static bool scan_taker(struct trp_json_scan *scan, bool *sold) {
  *sold = TRP_JSON_SCAN(scan, "\"sell\"");
  return *sold || TRP_JSON_SCAN(scan, "\"buy\"");
}

/* "create_time":SECONDS,"create_time_ms":"MS.FRACTION" */
static bool scan_created(struct trp_json_scan *scan, struct trp_gateio_event *out) {
  char text[NAME_MAX];
  uint64_t seconds;
  return TRP_JSON_SCAN(scan, "\"create_time\":") && trp_json_scan_u64(scan, &seconds) &&
         TRP_JSON_SCAN(scan, ",\"create_time_ms\":") &&
         trp_json_scan_text(scan, text, sizeof text) &&
         trp_gateio_take_time(text, &out->exchange_us);
}

static bool scan_trade(struct trp_json_scan *scan, struct trp_gateio_event *out) {
  struct trp_wire_trade *trade = &out->trade;
  uint64_t market_id;
  out->kind = TRP_GATEIO_TRADE;
  if (!TRP_JSON_SCAN(scan, "{\"id\":") || !trp_json_scan_u64(scan, &trade->id)) return false;
  if (!TRP_JSON_SCAN(scan, ",")) return false;
  if (TRP_JSON_SCAN(scan, "\"id_market\":") &&
      (!trp_json_scan_u64(scan, &market_id) || !TRP_JSON_SCAN(scan, ",")))
    return false;
  return scan_created(scan, out) && TRP_JSON_SCAN(scan, ",\"side\":") &&
         scan_taker(scan, &trade->taker_sold) && TRP_JSON_SCAN(scan, ",\"currency_pair\":") &&
         scan_symbol(scan, out) && TRP_JSON_SCAN(scan, ",\"amount\":") &&
         trp_json_scan_decimal(scan, &trade->size, &out->inexact) &&
         TRP_JSON_SCAN(scan, ",\"price\":") &&
         trp_json_scan_decimal(scan, &trade->price, &out->inexact) && trp_json_scan_byte(scan, '}');
}

/* ,"b":[..],"a":[..]} where obu leaves out a side that did not change. */
static bool scan_sides(struct trp_json_scan *scan, struct trp_gateio_parser *parser,
                       struct trp_gateio_event *out) {
  struct trp_json_scan_levels into = {
      .levels = parser->levels, .side_max = TRP_GATEIO_SIDE_MAX, .inexact = &out->inexact};
  if (TRP_JSON_SCAN(scan, ",\"b\":[") && !trp_json_scan_side(scan, &into, 1)) return false;
  if (TRP_JSON_SCAN(scan, ",\"a\":[") && !trp_json_scan_side(scan, &into, 2)) return false;
  out->depth.levels = parser->levels;
  out->depth.count = into.count;
  return trp_json_scan_byte(scan, '}');
}

static bool scan_update(struct trp_json_scan *scan, struct trp_gateio_parser *parser,
                        struct trp_gateio_event *out) {
  uint64_t seconds;
  out->kind = TRP_GATEIO_DEPTH;
  return TRP_JSON_SCAN(scan, "{\"t\":") && scan_time(scan, out) &&
         TRP_JSON_SCAN(scan, ",\"e\":\"depthUpdate\",\"E\":") &&
         trp_json_scan_u64(scan, &seconds) && TRP_JSON_SCAN(scan, ",\"s\":") &&
         scan_symbol(scan, out) && TRP_JSON_SCAN(scan, ",\"U\":") &&
         trp_json_scan_u64(scan, &out->depth.first_id) && TRP_JSON_SCAN(scan, ",\"u\":") &&
         trp_json_scan_u64(scan, &out->depth.final_id) &&
         out->depth.first_id <= out->depth.final_id && scan_sides(scan, parser, out);
}

static bool scan_obu(struct trp_json_scan *scan, struct trp_gateio_parser *parser,
                     struct trp_gateio_event *out) {
  char name[NAME_MAX];
  out->kind = TRP_GATEIO_DEPTH;
  if (!TRP_JSON_SCAN(scan, "{\"t\":") || !scan_time(scan, out)) return false;
  out->full = TRP_JSON_SCAN(scan, ",\"full\":true");
  if (!TRP_JSON_SCAN(scan, ",\"s\":") || !trp_json_scan_text(scan, name, sizeof name) ||
      !trp_gateio_take_obu_name(name, out) || !TRP_JSON_SCAN(scan, ",\"u\":") ||
      !trp_json_scan_u64(scan, &out->depth.final_id))
    return false;
  out->depth.first_id = out->depth.final_id;
  if (!out->full &&
      (!TRP_JSON_SCAN(scan, ",\"U\":") || !trp_json_scan_u64(scan, &out->depth.first_id)))
    return false;
  return out->depth.first_id <= out->depth.final_id && scan_sides(scan, parser, out);
}

static bool scan_result(struct trp_json_scan *scan, struct trp_gateio_parser *parser,
                        struct trp_gateio_event *out) {
  switch (out->channel) {
    case TRP_GATEIO_BOOK_TICKER:
      return scan_quote(scan, out);
    case TRP_GATEIO_TRADES:
      return scan_trade(scan, out);
    case TRP_GATEIO_ORDER_BOOK_UPDATE:
      return scan_update(scan, parser, out);
    case TRP_GATEIO_OBU:
      return scan_obu(scan, parser, out);
    default:
      return false;
  }
}

/* Behind the opening bracket: "time" and "time_ms", each of them, if it is there, with its comma.
 */
static bool scan_head(struct trp_json_scan *scan) {
  uint64_t ignored;
  if (TRP_JSON_SCAN(scan, "\"time\":") &&
      (!trp_json_scan_u64(scan, &ignored) || !trp_json_scan_byte(scan, ',')))
    return false;
  return !TRP_JSON_SCAN(scan, "\"time_ms\":") ||
         (trp_json_scan_u64(scan, &ignored) && trp_json_scan_byte(scan, ','));
}

bool trp_gateio_scan_frame(struct trp_gateio_parser *parser, const void *bytes, size_t size,
                           struct trp_gateio_event *out) {
  struct trp_json_scan scan = {.at = bytes, .end = (const char *)bytes + size};
  char channel[CHANNEL_MAX];
  uint64_t ignored;
  *out = (struct trp_gateio_event){.kind = TRP_GATEIO_OTHER};
  if (!trp_json_scan_byte(&scan, '{') || !scan_head(&scan)) return false;
  if (!TRP_JSON_SCAN(&scan, "\"channel\":") || !trp_json_scan_text(&scan, channel, sizeof channel))
    return false;
  out->channel = trp_gateio_channel_of(channel);
  bool event_first = TRP_JSON_SCAN(&scan, ",\"event\":\"update\"");
  if (!TRP_JSON_SCAN(&scan, ",\"result\":") || !scan_result(&scan, parser, out)) return false;
  if (TRP_JSON_SCAN(&scan, ",\"time_ms\":") && !trp_json_scan_u64(&scan, &ignored)) return false;
  if (!event_first && !TRP_JSON_SCAN(&scan, ",\"event\":\"update\"")) return false;
  return trp_json_scan_byte(&scan, '}') && scan.at == scan.end;
}
