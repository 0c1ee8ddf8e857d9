/* What an operator may ask: the account, the faults, and the market's truth. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange.h"
#include "adapters/exchange_sessions.h"

typedef void answer_fn(const struct trp_exchange *exchange, uint32_t symbol, char *out,
                       size_t size);

static void tell_account(const struct trp_exchange *exchange, uint32_t symbol, char *out,
                         size_t size) {
  (void)symbol;
  const struct trp_exchange_stats *stats = exchange->stats;
  snprintf(out, size,
           "port=%u sessions=%" PRIu32 " accepted=%" PRIu64 " closes_proper=%" PRIu64
           " closes_improper=%" PRIu64 " cut=%" PRIu64 " refused=%" PRIu64 " limited=%" PRIu64
           " slow=%" PRIu64 " expired=%" PRIu64 " sent=%" PRIu64,
           stats->port, exchange->client_count, stats->accepted, stats->closes_proper,
           stats->closes_improper, stats->cut, stats->refused, stats->limited, stats->slow,
           stats->expired, stats->frames_sent);
}

static void tell_faults(const struct trp_exchange *exchange, uint32_t symbol, char *out,
                        size_t size) {
  (void)symbol;
  trp_exchange_fault_list(exchange, out, size);
}

static void tell_quote(const struct trp_exchange *exchange, uint32_t symbol, char *out,
                       size_t size) {
  struct trp_walk_quote best = trp_walk_best(exchange->market.walk, symbol);
  struct trp_exchange_text text = {0};
  trp_exchange_text_add(&text, "id=%" PRIu64 " bid=", best.id);
  trp_exchange_text_fixed(&text, best.bid);
  trp_exchange_text_add(&text, " bid_size=");
  trp_exchange_text_fixed(&text, best.bid_size);
  trp_exchange_text_add(&text, " ask=");
  trp_exchange_text_fixed(&text, best.ask);
  trp_exchange_text_add(&text, " ask_size=");
  trp_exchange_text_fixed(&text, best.ask_size);
  snprintf(out, size, "%s", text.failed ? "" : text.bytes);
  trp_exchange_text_free(&text);
}

/* FNV-1a. */
static uint64_t hash_text(uint64_t hash, const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
  }
  return hash;
}

static uint32_t hash_side(const struct trp_walk *walk, uint32_t symbol, bool bids, uint64_t *hash) {
  enum { MAX = TRP_WALK_LADDER };
  struct trp_walk_level *levels = calloc(MAX, sizeof *levels);
  struct trp_exchange_text text = {0};
  uint32_t count = levels != NULL ? trp_walk_levels(walk, symbol, bids, levels, MAX) : 0;
  for (uint32_t i = 0; i < count; i++) {
    trp_exchange_text_fixed(&text, levels[i].price);
    trp_exchange_text_raw(&text, " ", 1);
    trp_exchange_text_fixed(&text, levels[i].size);
    trp_exchange_text_raw(&text, "\n", 1);
  }
  *hash = hash_text(*hash, text.bytes, text.size);
  trp_exchange_text_free(&text);
  free(levels);
  return count;
}

static void tell_book(const struct trp_exchange *exchange, uint32_t symbol, char *out,
                      size_t size) {
  const struct trp_walk *walk = exchange->market.walk;
  uint64_t hash = 14695981039346656037u;
  uint32_t bids = hash_side(walk, symbol, true, &hash);
  uint32_t asks = hash_side(walk, symbol, false, &hash);
  snprintf(out, size, "id=%" PRIu64 " bids=%" PRIu32 " asks=%" PRIu32 " hash=%016" PRIx64,
           trp_walk_best(walk, symbol).id, bids, asks, hash);
}

/* Those with a symbol ask a market of chance. */
static const struct question {
  const char *word;
  bool symbol;
  answer_fn *answer;
} questions[] = {{"stats", false, tell_account},
                 {"faults", false, tell_faults},
                 {"quote ", true, tell_quote},
                 {"book ", true, tell_book}};

static bool answer_question(struct trp_exchange *exchange, const char *text, char *out,
                            size_t size) {
  for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
    const struct question *question = &questions[i];
    size_t n = strlen(question->word);
    if (strncmp(text, question->word, n) != 0 || (!question->symbol && text[n] != '\0')) {
      continue;
    }
    int32_t symbol = 0;
    if (question->symbol) {
      symbol = exchange->market.walk != NULL ? trp_walk_find(exchange->market.walk, text + n) : -1;
    }
    if (symbol >= 0) {
      question->answer(exchange, (uint32_t)symbol, out, size);
      return true;
    }
  }
  return false;
}

/* halt, resume; false for another word. */
static bool command(struct trp_exchange *exchange, const char *text, char *out, size_t size) {
  if (exchange->market.walk == NULL) {
    return false;
  }
  if (strcmp(text, "halt") == 0) {
    uint64_t at_ns = trp_walk_second_ns(exchange->market.walk);
    exchange->halt_ns = exchange->halt_ns != 0 ? exchange->halt_ns : at_ns;
    uint64_t ms = exchange->halt_ns > exchange->now_ns
                      ? (exchange->halt_ns - exchange->now_ns) / TRP_NS_PER_MS + 1
                      : 0;
    snprintf(out, size, "the market stands still in %" PRIu64 " ms", ms);
    return true;
  }
  if (strcmp(text, "resume") == 0) {
    exchange->halt_ns = 0;
    snprintf(out, size, "the market goes on");
    return true;
  }
  return false;
}

bool trp_exchange_question(struct trp_exchange *exchange, const char *text, char *out,
                           size_t size) {
  return answer_question(exchange, text, out, size) || command(exchange, text, out, size);
}
