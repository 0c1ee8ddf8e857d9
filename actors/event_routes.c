#include "actors/event_routes.h"

#include <string.h>

void trp_routes_symbol_offsets(uint32_t *offsets) {
  size_t count;
  const struct trp_message *messages = trp_message_list(&count);
  memset(offsets, 0, TRP_ROUTES_TYPES * sizeof *offsets);
  for (size_t i = 0; i < count; i++) {
    for (uint16_t f = 0; f < messages[i].field_count && messages[i].type < TRP_ROUTES_TYPES; f++) {
      const struct trp_field *field = &messages[i].fields[f];
      if (field->kind != TRP_FIELD_U32 || strcmp(field->name, "symbol") != 0) continue;
      offsets[messages[i].type] = field->offset;
    }
  }
  offsets[TRP_SUBSCRIBE] = offsets[TRP_UNSUBSCRIBE] = 0; /* what is wished for, not what it is of */
}

uint32_t trp_routes_symbol(const uint32_t *offsets, uint32_t type, const void *body, size_t bytes) {
  uint32_t offset = type < TRP_ROUTES_TYPES ? offsets[type] : 0, symbol = 0;
  if (offset != 0 && offset + sizeof symbol <= bytes) {
    memcpy(&symbol, (const char *)body + offset, sizeof symbol);
  }
  return symbol;
}

static bool matches(const struct trp_route *item, const struct trp_routes_walk *walk) {
  return (item->event == 0 || item->event == walk->type) &&
         (item->symbol == 0 || item->symbol == walk->symbol);
}

/* Whether an item before this one, in the order of the walk, has brought it to the same one. */
static bool has_had(const struct trp_routes *routes, const struct trp_routes_walk *walk,
                    uint32_t at) {
  uint32_t list = trp_routes_list(walk->type);
  uint32_t end = walk->of_all ? routes->from[list + 1] : at;
  for (uint32_t i = routes->from[list]; i < end; i++) {
    const struct trp_route *item = &routes->items[i];
    if (trp_ref_equal(item->who, routes->items[at].who) && matches(item, walk)) return true;
  }
  for (uint32_t i = routes->from[0]; walk->of_all && i < at; i++) {
    const struct trp_route *item = &routes->items[i];
    if (trp_ref_equal(item->who, routes->items[at].who) && matches(item, walk)) return true;
  }
  return false;
}

void trp_routes_begin(const struct trp_routes *routes, struct trp_routes_walk *walk, uint32_t type,
                      uint32_t symbol) {
  uint32_t list = trp_routes_list(type);
  *walk = (struct trp_routes_walk){.type = type,
                                   .symbol = symbol,
                                   .at = routes->from[list],
                                   .end = routes->from[list + 1],
                                   .of_all = list == 0};
}

bool trp_routes_next(const struct trp_routes *routes, struct trp_routes_walk *walk,
                     struct trp_ref *who) {
  for (;;) {
    if (walk->at == walk->end) {
      if (walk->of_all) return false;
      walk->of_all = true;
      walk->at = routes->from[0];
      walk->end = routes->from[1];
      continue;
    }
    uint32_t at = walk->at++;
    const struct trp_route *item = &routes->items[at];
    if (!matches(item, walk) || (item->again != 0 && has_had(routes, walk, at))) continue;
    *who = item->who;
    return true;
  }
}
