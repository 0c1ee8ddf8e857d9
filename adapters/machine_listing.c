/* Which symbols there are: the exchange's list is asked for once connected, beside everything else,
 * and a symbol that it lacks is told with the nearest that it has. While nobody knows, nothing is
 * refused. */
#include "adapters/machine_inside.h"

#define TELLS_NS                                                                                   \
  (600000 * MS_NS) /* a list older than this is asked for again before it refuses                  \
                    */

static bool is_connected(const struct trp_machine *m) {
  for (uint32_t i = 0; i < m->link_count; i++)
    if (m->links[i].open) return true;
  return m->polling;
}

void trp_machine_pump_listing(struct trp_machine *m) {
  char url[512];
  const struct trp_dialect *d = m->dialect;
  if (m->options.trust_symbols || d->listing_url == NULL || m->listing.sealed) return;
  if (m->now_ns < m->listing_ns || m->count == 0 || !is_connected(m)) return;
  if (!trp_machine_may_ask(m, d->listing_weight)) return;
  if (!d->listing_url(url, sizeof url, m->http_base) ||
      trp_machine_ask(m, ASKED_LISTING, NULL, d->listing_weight, url) == NULL)
    return;
  m->listing_ns = NEVER_NS; /* until it is answered */
}

static void describe(const struct trp_machine *m, const char *symbol, char *text, size_t size) {
  const char *nearest = trp_listing_nearest(&m->listing, symbol);
  struct trp_wire_text out;
  trp_wire_text_begin(&out, text, size);
  trp_wire_put(&out, "no symbol ");
  trp_wire_put(&out, symbol);
  trp_wire_put(&out, "; the nearest is ");
  trp_wire_put(&out, nearest != NULL ? nearest : "-");
}

bool trp_machine_is_unknown(const struct trp_machine *m, const char *symbol, char *text,
                            size_t size) {
  if (!trp_listing_lacks(&m->listing, symbol)) return false;
  describe(m, symbol, text, size);
  return true;
}

bool trp_machine_lacks(struct trp_machine *m, const char *symbol) {
  if (!trp_listing_lacks(&m->listing, symbol)) return false;
  if (trp_machine_since(m, m->listing_ns) < TELLS_NS) return true;
  trp_listing_fini(&m->listing);
  m->listing_ns = 0;
  return false;
}

static void listed(void *arg, const char *symbol) { trp_listing_add(arg, symbol); }

void trp_machine_on_listing(struct trp_machine *m, const void *body, size_t size) {
  enum trp_err err = m->dialect->parse_listing(m->parser, body, size, listed, &m->listing);
  if (err != TRP_OK) {
    trp_machine_listing_failed(m, err, TRP_CLASS_PROTOCOL, m->dialect->parse_reason(m->parser));
    return;
  }
  trp_listing_seal(&m->listing);
  trp_backoff_reset(&m->listing_backoff);
  m->listing_ns = m->now_ns;
  for (uint32_t i = 0; i < m->count; i++) {
    struct symbol *symbol = &m->symbols[i];
    if (!symbol->wanted || symbol->unknown || !trp_listing_lacks(&m->listing, symbol->name))
      continue;
    m->stats.unknown++;
    describe(m, symbol->name, m->unknown_text, sizeof m->unknown_text);
    trp_machine_disown(m, symbol);
    trp_machine_note(m, TRP_NOTICE_UNKNOWN, symbol, TRP_INVALID, TRP_CLASS_FATAL, 0,
                     m->unknown_text);
  }
}

void trp_machine_listing_failed(struct trp_machine *m, enum trp_err err,
                                enum trp_error_class error_class, const char *text) {
  trp_listing_fini(&m->listing);
  /* The first wait of a backoff is none; a failure deserves one. */
  if (m->listing_backoff.attempts == 0) (void)trp_backoff_next_ms(&m->listing_backoff, 0);
  m->listing_ns =
      m->now_ns + trp_backoff_next_ms(&m->listing_backoff, trp_machine_chance(m)) * MS_NS;
  trp_machine_note(m, TRP_NOTICE_LISTING_FAILED, NULL, err, error_class, 0, text);
}
