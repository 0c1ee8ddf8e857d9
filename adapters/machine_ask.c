/* HTTP requests that are not snapshots, and their answers: within the same budget, and not before
 * the exchange allows. */
#include "adapters/machine_inside.h"

#define POLL_TIMEOUT_MS 5000
#define LISTING_TIMEOUT_MS 30000
#define POLL_BODY_MAX (4u << 20)
#define LISTING_BODY_MAX (32u << 20)

uint64_t trp_machine_not_before(const struct trp_machine *m) { return m->paused_until_ns; }

static struct asked *find_ticket(struct trp_machine *m, uint64_t ticket) {
  for (uint32_t i = 0; i < ASKED_MAX; i++)
    if (m->asked[i].what != ASKED_NOTHING && m->asked[i].ticket == ticket) return &m->asked[i];
  return NULL;
}

static struct asked *find_free(struct trp_machine *m) {
  for (uint32_t i = 0; i < ASKED_MAX; i++)
    if (m->asked[i].what == ASKED_NOTHING) return &m->asked[i];
  return NULL;
}

bool trp_machine_may_ask(struct trp_machine *m, uint32_t weight) {
  trp_machine_refill(m);
  return m->out.request != NULL && m->now_ns >= m->paused_until_ns && m->weight >= weight &&
         find_free(m) != NULL;
}

struct asked *trp_machine_ask(struct trp_machine *m, enum asked_what what,
                              const struct symbol *symbol, uint32_t weight, const char *url) {
  bool listing = what == ASKED_LISTING;
  struct asked *asked = find_free(m);
  struct trp_machine_request request = {
      .ticket = m->next_ticket,
      .url = url,
      .timeout_ms = listing ? LISTING_TIMEOUT_MS : POLL_TIMEOUT_MS,
      .body_max = listing ? LISTING_BODY_MAX : POLL_BODY_MAX};
  if (asked == NULL || m->out.request(m->out.arg, &request) != TRP_OK) return NULL;
  *asked = (struct asked){.what = what,
                          .ticket = m->next_ticket++,
                          .number = symbol != NULL ? symbol->number : 0,
                          .at_ns = m->now_ns,
                          .deadline_ns = m->now_ns + 2 * request.timeout_ms * MS_NS};
  m->weight -= weight;
  return asked;
}

/* ---- answers ------------------------------------------------------------------------------ */

static void failed(struct trp_machine *m, const struct asked *asked, enum trp_err err,
                   enum trp_error_class error_class, int64_t code, const char *text) {
  m->stats.errors[error_class]++;
  if (asked->what == ASKED_LISTING)
    trp_machine_listing_failed(m, err, error_class, text);
  else
    trp_machine_poll_failed(m, asked, err, error_class, code, text);
}

/* The exchange's words about a refusal, where its body has some. */
struct refusal {
  int64_t code;
  const char *text;
};

static void hear_refusal(void *arg, const struct trp_heard *heard) {
  struct refusal *refusal = arg;
  if (heard->kind != TRP_HEARD_REFUSED) return;
  refusal->code = heard->answer.code;
  refusal->text = heard->answer.text; /* the parser's event is gone, so only its presence counts */
}

static void on_refusal(struct trp_machine *m, const struct asked *asked, uint16_t status,
                       uint32_t retry_after_s, const void *body, size_t size) {
  struct refusal refusal = {.text = NULL};
  enum trp_err err = m->dialect->parse_snapshot(m->parser, body, size, hear_refusal, &refusal);
  (void)err; /* a body that says nothing: then the status speaks */
  enum trp_error_class error_class = trp_dialect_classify(m->dialect, refusal.code, "", status);
  bool limit = error_class == TRP_CLASS_RATE_LIMIT;
  if (limit) trp_machine_pause(m, status, retry_after_s);
  failed(m, asked, limit ? TRP_RATE_LIMIT : TRP_REFUSED, error_class, refusal.code,
         "refused by the exchange");
}

void trp_machine_answered(struct trp_machine *m, uint64_t now_ns, uint64_t ticket, uint16_t status,
                          uint32_t retry_after_s, const void *body, size_t size) {
  m->now_ns = now_ns;
  struct asked *asked = find_ticket(m, ticket);
  if (asked == NULL) return;
  struct asked done = *asked;
  asked->what = ASKED_NOTHING;
  m->from_poll = true;
  if (status < 200 || status >= 300)
    on_refusal(m, &done, status, retry_after_s, body, size);
  else if (done.what == ASKED_LISTING)
    trp_machine_on_listing(m, body, size);
  else
    trp_machine_on_polled(m, &done, body, size);
  m->from_poll = false;
  trp_machine_pump_polls(m);
  trp_machine_update_state(m);
}

void trp_machine_unanswered(struct trp_machine *m, uint64_t now_ns, uint64_t ticket,
                            enum trp_err err) {
  m->now_ns = now_ns;
  struct asked *asked = find_ticket(m, ticket);
  if (asked == NULL) return;
  struct asked done = *asked;
  asked->what = ASKED_NOTHING;
  failed(m, &done, err, TRP_CLASS_TRANSIENT, 0, trp_err_text(err));
  trp_machine_update_state(m);
}

/* The owner answers each in time; one of which nothing is heard is not waited for for ever. */
void trp_machine_tick_asked(struct trp_machine *m) {
  for (uint32_t i = 0; i < ASKED_MAX; i++) {
    struct asked done = m->asked[i];
    if (done.what == ASKED_NOTHING || m->now_ns < done.deadline_ns) continue;
    m->asked[i].what = ASKED_NOTHING;
    failed(m, &done, TRP_TIMEOUT, TRP_CLASS_TRANSIENT, 0, "no answer in time");
  }
}
