#include "test/story/seeds.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/deadline.h"
#include "runtime/troupe.h"

enum { AT_LEAST = 20 };

static uint64_t current; /* 0: none is under way. Told in a teardown: cmocka fails by a jump */
static bool of_a_storm;

static uint64_t number(const char *name) {
  const char *text = getenv(name);
  return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void read_range(const char *text, struct seeds *seeds) {
  char *end;
  uint64_t first = 1, last = strtoull(text, &end, 10);
  if (*end == '-') {
    first = last;
    last = strtoull(end + 1, NULL, 10);
  }
  if (first == 0 || last < first) return; /* nonsense: the test's own number */
  seeds->seed = first - 1;
  seeds->last = last;
}

bool seeds_replaying(void) { return getenv("TRP_SEED") != NULL; }

struct seeds seeds_begin(uint64_t count, uint64_t patience_s) {
  const char *many = getenv("TRP_SEEDS");
  struct seeds seeds = {.replay = seeds_replaying(), .last = count};
  seeds.until_ns = many != NULL ? UINT64_MAX : trp_deadline_in(patience_s * TRP_NS_PER_S);
  if (many != NULL) read_range(many, &seeds);
  if (!seeds.replay) return seeds;
  seeds.last = number("TRP_SEED");
  seeds.seed = seeds.last - 1;
  return seeds;
}

bool seeds_next(struct seeds *seeds) {
  bool late = seeds->count >= AT_LEAST && trp_deadline_left_ns(seeds->until_ns) == 0;
  current = 0;
  if (late || (seeds->count > 0 && seeds->seed == seeds->last)) return false;
  current = ++seeds->seed;
  of_a_storm = true;
  seeds->count++;
  return true;
}

void seeds_note(uint64_t seed) {
  of_a_storm = of_a_storm && seed == current;
  current = seed;
}

int seeds_tell(void **state) {
  (void)state;
  if (current == 0) return 0;
  printf("  failed under seed %llu", (unsigned long long)current);
  if (of_a_storm) printf("; again: make sim SEED=%llu", (unsigned long long)current);
  printf("\n");
  current = 0;
  return 0;
}
