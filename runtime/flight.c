#include "runtime/flight.h"

#include <string.h>

enum { WORDS = sizeof(struct trp_flight_event) / sizeof(uint64_t) };
_Static_assert(sizeof(struct trp_flight_event) % sizeof(uint64_t) == 0, "made of whole words");

/* `sequence` is 2 n + 2 while the n-th event stands in the record, odd while it is written. */
struct record {
  _Atomic uint64_t sequence;
  _Atomic uint64_t words[WORDS];
};

static struct {
  _Atomic uint64_t count;
  struct record records[TRP_FLIGHT_EVENTS];
} flight;

const char *trp_flight_turn_name(uint16_t what) {
  static const char *const own[] = {"start()", "ready()", "stop()", "end()"};
  if (what >= TRP_USER_FIRST) return NULL;
  return what >= TRP_FLIGHT_START ? own[what - TRP_FLIGHT_START] : trp_type_name(what);
}

void trp_flight_note(const struct trp_flight_event *event) {
  uint64_t words[WORDS];
  memcpy(words, event, sizeof words);
  uint64_t n = atomic_fetch_add_explicit(&flight.count, 1, memory_order_relaxed);
  struct record *record = &flight.records[n % TRP_FLIGHT_EVENTS];
  uint64_t before = atomic_load_explicit(&record->sequence, memory_order_relaxed);
  /* A later event stands there, or somebody is writing: this event is given up. Acquire: partner is
   * the last release of whoever wrote before. */
  if (before % 2 != 0 || before > 2 * n ||
      !atomic_compare_exchange_strong_explicit(&record->sequence, &before, 2 * n + 1,
                                               memory_order_acq_rel, memory_order_relaxed)) {
    return;
  }
  for (size_t i = 0; i < WORDS; i++) {
    /* Release: who reads this word also reads the odd number, see trp_flight_at. */
    atomic_store_explicit(&record->words[i], words[i], memory_order_release);
  }
  /* Release: partner is the first acquire in trp_flight_at. */
  atomic_store_explicit(&record->sequence, 2 * n + 2, memory_order_release);
}

uint64_t trp_flight_count(void) {
  return atomic_load_explicit(&flight.count, memory_order_relaxed);
}

bool trp_flight_at(uint64_t n, struct trp_flight_event *out) {
  struct record *record = &flight.records[n % TRP_FLIGHT_EVENTS];
  uint64_t words[WORDS];
  /* Acquire: partner is the last release of the writer. */
  if (atomic_load_explicit(&record->sequence, memory_order_acquire) != 2 * n + 2) return false;
  for (size_t i = 0; i < WORDS; i++) {
    /* Acquire: partner is the writer's; a newer word makes the sequence below a newer one too. */
    words[i] = atomic_load_explicit(&record->words[i], memory_order_acquire);
  }
  if (atomic_load_explicit(&record->sequence, memory_order_relaxed) != 2 * n + 2) return false;
  memcpy(out, words, sizeof words);
  return true;
}
