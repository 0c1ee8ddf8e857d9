#include "adapters/exchange_faults.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/exchange_sessions.h"
#include "runtime/fault_text.h"

enum {
  MIXED_LEAST_MS = 100, /* a fault of a schedule lasts at least so long */
  MIXED_SPAN_MS = 1900, /* and so much longer at most */
  MIXED_PAUSE_MS = 1000 /* the longest pause before the next */
};

/* Those that last. */
static const struct lasting {
  const char *verb;
  const char *words;
} lasting[TRP_EXCHANGE_FAULTS] = {
    [TRP_EXCHANGE_STALL] = {"stall", "nothing is read or written"},
    [TRP_EXCHANGE_SILENCE] = {"silence", "nothing is sent"},
    [TRP_EXCHANGE_HALF_OPEN] = {"half-open", "who is connected is no longer heard nor answered"},
    [TRP_EXCHANGE_REFUSE] = {"refuse", "new connections are refused"},
    [TRP_EXCHANGE_GARBAGE] = {"garbage", "some frames are unreadable"},
    [TRP_EXCHANGE_REORDER] = {"reorder", "some frames change places"},
    [TRP_EXCHANGE_DUPLICATE] = {"duplicate", "some frames come twice"},
    [TRP_EXCHANGE_429] = {"429", "requests are too many"},
    [TRP_EXCHANGE_418] = {"418", "requests are banned"},
    [TRP_EXCHANGE_SHUTDOWN] = {"shutdown", "connections will be closed"},
};

bool trp_exchange_fault_draw(struct trp_exchange *exchange, uint32_t n) {
  return trp_walk_draw(&exchange->faults.chance) % n == 0;
}

static const char *begin(struct trp_exchange *exchange, enum trp_exchange_fault fault,
                         uint64_t ms) {
  uint64_t until_ns = exchange->now_ns + ms * TRP_NS_PER_MS;
  exchange->faults.until_ns[fault] = until_ns;
  if (fault == TRP_EXCHANGE_STALL) {
    trp_exchange_hold_all(exchange, true);
  } else if (fault == TRP_EXCHANGE_HALF_OPEN) {
    trp_exchange_ghost_all(exchange, until_ns);
  } else if (fault == TRP_EXCHANGE_SHUTDOWN) {
    trp_exchange_expire_all(exchange, true, until_ns);
  }
  return lasting[fault].words;
}

static const char *act_once(struct trp_exchange *exchange, const char *text) {
  if (strcmp(text, "drop") == 0) {
    trp_exchange_cut_all(exchange);
    return "every connection was cut";
  }
  if (strcmp(text, "expire") == 0) {
    trp_exchange_expire_all(exchange, false, exchange->now_ns);
    return "every connection is closed for its age";
  }
  if (strcmp(text, "gap") == 0 && exchange->market.walk != NULL) {
    trp_walk_gap(exchange->market.walk); /* a recording has the gaps that it has */
    return "one update of every book is missing";
  }
  return NULL;
}

/* mixed:SEED:MS */
static bool take_mixed(const char *text, uint64_t *seed, uint64_t *ms) {
  size_t head = strlen("mixed:");
  if (strncmp(text, "mixed:", head) != 0) {
    return false;
  }
  size_t digits = strspn(text + head, "0123456789");
  char rest[32];
  snprintf(rest, sizeof rest, "mixed%s", text + head + digits);
  *seed = strtoull(text + head, NULL, 10);
  return digits > 0 && digits < 20 && trp_fault_timed(rest, "mixed", ms);
}

const char *trp_exchange_fault_act(struct trp_exchange *exchange, const char *text) {
  struct trp_exchange_faults *faults = &exchange->faults;
  uint64_t ms;
  uint64_t seed;
  const char *done = act_once(exchange, text);
  for (int i = 0; i < TRP_EXCHANGE_FAULTS && done == NULL; i++) {
    if (trp_fault_timed(text, lasting[i].verb, &ms)) {
      done = begin(exchange, (enum trp_exchange_fault)i, ms);
    }
  }
  if (done == NULL && take_mixed(text, &seed, &ms)) {
    faults->mixed_chance = faults->chance = seed;
    faults->mixed_next_ns = exchange->now_ns;
    faults->mixed_until_ns = exchange->now_ns + ms * TRP_NS_PER_MS;
    done = "faults come as they are drawn";
  }
  return done;
}

/* One of them, with a length that ends in time. */
static void draw_fault(struct trp_exchange *exchange, char *text, size_t size, uint64_t *ms) {
  static const char *const once[] = {"drop", "expire", "gap"};
  enum { ONCE = sizeof once / sizeof once[0] };
  struct trp_exchange_faults *faults = &exchange->faults;
  uint64_t left_ms = (faults->mixed_until_ns - exchange->now_ns) / TRP_NS_PER_MS;
  uint32_t which = (uint32_t)(trp_walk_draw(&faults->mixed_chance) % (TRP_EXCHANGE_FAULTS + ONCE));
  *ms = MIXED_LEAST_MS + trp_walk_draw(&faults->mixed_chance) % MIXED_SPAN_MS;
  *ms = *ms < left_ms ? *ms : left_ms;
  if (which < ONCE) {
    *ms = 0;
    snprintf(text, size, "%s", once[which]);
  } else {
    snprintf(text, size, "%s:%" PRIu64, lasting[which - ONCE].verb, *ms);
  }
}

void trp_exchange_fault_next(struct trp_exchange *exchange) {
  struct trp_exchange_faults *faults = &exchange->faults;
  if (faults->mixed_until_ns == 0 || exchange->now_ns < faults->mixed_next_ns) {
    return;
  }
  if (exchange->now_ns + TRP_NS_PER_MS > faults->mixed_until_ns) {
    faults->mixed_until_ns = 0;
    trp_log(exchange->self, TRP_LOG_WARN, "exchange.fault", "fault=mixed over=1");
    return;
  }
  char text[32];
  uint64_t ms;
  draw_fault(exchange, text, sizeof text, &ms);
  trp_log(exchange->self, TRP_LOG_WARN, "exchange.fault", "fault=\"%s\" mixed=1", text);
  (void)trp_exchange_fault_act(exchange, text);
  ms += trp_walk_draw(&faults->mixed_chance) % MIXED_PAUSE_MS;
  faults->mixed_next_ns = exchange->now_ns + ms * TRP_NS_PER_MS;
  if (faults->mixed_next_ns > faults->mixed_until_ns) {
    faults->mixed_next_ns = faults->mixed_until_ns;
  }
}

uint64_t trp_exchange_fault_due(const struct trp_exchange *exchange) {
  const struct trp_exchange_faults *faults = &exchange->faults;
  uint64_t due_ns = faults->mixed_until_ns != 0 ? faults->mixed_next_ns : UINT64_MAX;
  for (int i = 0; i < TRP_EXCHANGE_FAULTS; i++) {
    if (faults->until_ns[i] > exchange->now_ns && faults->until_ns[i] < due_ns) {
      due_ns = faults->until_ns[i];
    }
  }
  return due_ns;
}

void trp_exchange_fault_list(const struct trp_exchange *exchange, char *out, size_t size) {
  const struct trp_exchange_faults *faults = &exchange->faults;
  size_t used = 0;
  snprintf(out, size, "none");
  for (int i = 0; i <= TRP_EXCHANGE_FAULTS; i++) {
    uint64_t until_ns = i < TRP_EXCHANGE_FAULTS ? faults->until_ns[i] : faults->mixed_until_ns;
    if (until_ns <= exchange->now_ns || used >= size) {
      continue;
    }
    uint64_t ms = (until_ns - exchange->now_ns) / TRP_NS_PER_MS;
    used += (size_t)snprintf(out + used, size - used, "%s%s:%" PRIu64, used > 0 ? " " : "",
                             i < TRP_EXCHANGE_FAULTS ? lasting[i].verb : "mixed", ms);
  }
}
