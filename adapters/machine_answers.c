/* What the exchange answered: acknowledgements and refusals find the subscriptions they are about.
 */
#include "adapters/machine_inside.h"

static struct pending *oldest_pending(struct link *l) {
  struct pending *oldest = NULL;
  for (uint32_t i = 0; i < PENDING_MAX; i++)
    if (l->pending[i].id != 0 && (oldest == NULL || l->pending[i].id < oldest->id))
      oldest = &l->pending[i];
  return oldest;
}

/* What an answer is about: one request, or the subscriptions that it names. */
struct answer {
  const char *names; /* NULL: the request */
  uint64_t id;
  bool alone; /* the symbol was alone in it, or is named */
};

static bool is_about(const struct trp_machine *m, const struct answer *answer,
                     const struct symbol *symbol, uint32_t i) {
  const struct leg *leg = &symbol->legs[i];
  if (symbol->link != m->at || leg->request_id == 0) return false;
  if (answer->names == NULL) return leg->request_id == answer->id;
  return m->dialect->names(answer->names, (enum trp_stream)(1u << i), symbol->name);
}

/* Requests whose every subscription was named are answered; where nothing was, false. */
static bool settle_named(struct trp_machine *m) {
  bool any = false;
  for (uint32_t p = 0; p < PENDING_MAX; p++) {
    struct pending *pending = &m->links[m->at].pending[p];
    bool open = pending->id == 0;
    for (uint32_t i = 0; i < m->count && !open; i++)
      for (uint32_t k = 0; k < TRP_STREAM_COUNT; k++)
        open |= m->symbols[i].legs[k].request_id == pending->id;
    if (open) continue;
    pending->id = 0;
    any = true;
  }
  return any;
}

static void on(struct trp_machine *m, struct symbol *symbol) {
  symbol->alone = symbol->bridged = false;
  symbol->data_ns = symbol->on_ns = m->now_ns;
  trp_backoff_reset(&symbol->retry);
  trp_machine_note(m, TRP_NOTICE_SUBSCRIBED, symbol, TRP_OK, TRP_CLASS_TRANSIENT, 0, "");
  trp_machine_want_snapshot(m, symbol);
}

/* A leg has left; a symbol that is wanted all the same asks for it again, with a new book. */
static void left(struct trp_machine *m, struct symbol *symbol, struct leg *leg) {
  leg->state = symbol->wanted ? LEG_WANTED : LEG_OFF;
  if (leg == trp_machine_book_leg(m, symbol)) trp_depth_book_reset(&symbol->book);
}

/* An operator may have changed his mind while the acknowledgement was under way: then the leg is in
 * the request, but LEAVING already. */
static void on_symbol_ack(struct trp_machine *m, const struct answer *answer, uint32_t at) {
  struct symbol *symbol = &m->symbols[at];
  bool came = false, went = false;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++) {
    struct leg *leg = &symbol->legs[i];
    if (!is_about(m, answer, symbol, i)) continue;
    leg->request_id = 0;
    if (leg->state == LEG_ASKED) {
      leg->state = LEG_ON;
      came = true;
    } else if (leg->state == LEG_LEAVE_ASKED) {
      left(m, symbol, leg);
      went = true;
    }
  }
  if (came && trp_machine_is_on(symbol)) on(m, symbol);
  if (went && trp_machine_all_are(symbol, LEG_OFF)) trp_machine_remove_symbol(m, at);
}

void trp_machine_on_ack(struct trp_machine *m, const struct trp_heard *heard) {
  struct answer answer = {.names = heard->answer.names, .id = heard->answer.id};
  struct pending *pending =
      answer.id != 0 ? trp_machine_find_pending(&m->links[m->at], answer.id) : NULL;
  if (pending == NULL && answer.names == NULL) {
    m->stats.other_frames++;
    return;
  }
  if (pending != NULL) pending->id = 0;
  for (uint32_t i = m->count; i-- > 0;) on_symbol_ack(m, &answer, i);
  if (answer.names != NULL && !settle_named(m)) return;
  m->stats.acks++;
  m->changed = true;
}

static void refused(struct trp_machine *m, struct symbol *symbol, enum trp_error_class error_class,
                    const struct trp_heard *heard) {
  bool hopeless = error_class == TRP_CLASS_AUTH || error_class == TRP_CLASS_FATAL;
  /* The first wait of a backoff is none; a refusal deserves one. */
  if (symbol->retry.attempts == 0) (void)trp_backoff_next_ms(&symbol->retry, 0);
  uint32_t wait_ms = trp_backoff_next_ms(&symbol->retry, trp_machine_chance(m));
  symbol->retry_ns = hopeless ? NEVER_NS : m->now_ns + wait_ms * MS_NS;
  trp_machine_note(m, TRP_NOTICE_REFUSED, symbol, TRP_REFUSED, error_class, heard->answer.code,
                   heard->answer.text);
}

/* One bad name may refuse a whole batch: then each of its symbols finds out by itself. */
static void on_symbol_refused(struct trp_machine *m, const struct answer *answer, uint32_t at,
                              enum trp_error_class error_class, const struct trp_heard *heard) {
  struct symbol *symbol = &m->symbols[at];
  bool told = false, news = false, went = false;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++) told |= symbol->legs[i].state == LEG_REFUSED;
  for (uint32_t i = 0; i < TRP_STREAM_COUNT; i++) {
    struct leg *leg = &symbol->legs[i];
    if (!is_about(m, answer, symbol, i)) continue;
    leg->request_id = 0;
    if (leg->state == LEG_LEAVE_ASKED || leg->state == LEG_LEAVING) {
      left(m, symbol, leg);
      went = true;
    } else if (leg->state == LEG_ASKED) {
      leg->state = answer->alone ? LEG_REFUSED : LEG_WANTED;
      symbol->alone |= !answer->alone;
      news |= answer->alone;
    }
  }
  if (news && !told) refused(m, symbol, error_class, heard);
  if (went && trp_machine_all_are(symbol, LEG_OFF)) trp_machine_remove_symbol(m, at);
}

static uint32_t symbols_in(const struct trp_machine *m, const struct answer *answer) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < m->count; i++) {
    bool in = false;
    for (uint32_t k = 0; k < TRP_STREAM_COUNT; k++) in |= is_about(m, answer, &m->symbols[i], k);
    n += in;
  }
  return n;
}

void trp_machine_on_refused(struct trp_machine *m, const struct trp_heard *heard) {
  enum trp_error_class error_class =
      trp_dialect_classify(m->dialect, heard->answer.code, heard->answer.text, 0);
  struct link *l = &m->links[m->at];
  struct answer answer = {.names = heard->answer.names, .id = heard->answer.id};
  struct pending *pending =
      answer.id != 0 ? trp_machine_find_pending(l, answer.id) : oldest_pending(l);
  m->stats.errors[error_class]++;
  if (pending == NULL) {
    trp_machine_note(m, TRP_NOTICE_COMPLAINT, NULL, TRP_REFUSED, error_class, heard->answer.code,
                     heard->answer.text);
    return;
  }
  answer.id = pending->id;
  answer.alone = answer.names != NULL || symbols_in(m, &answer) == 1;
  if (answer.names == NULL) pending->id = 0;
  m->stats.refusals++;
  m->changed = true;
  for (uint32_t i = m->count; i-- > 0;) on_symbol_refused(m, &answer, i, error_class, heard);
  if (answer.names != NULL) (void)settle_named(m);
}
