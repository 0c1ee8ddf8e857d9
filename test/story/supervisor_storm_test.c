/* supervisor_storm_test.c - random trees of supervisors under random crashes, by seed.
 *
 * Members and supervisors of any strategy crash, end, fail to start, hold on when stopped, and get
 * stuck for a while. At every step: a slot has one life at a time, and where order is kept nobody
 * starts while a later sibling lives. Afterwards every permanent one is up, or the root gave up;
 * and the system stops with a ledger that balances.
 *
 *   TRP_SEED=n ./supervisor_storm_test     runs that seed alone and shows its diary */
#include "test/story/family.h"
#include "test/story/seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 1000, PATIENCE_S = 20, BLOWS = 60, LEVELS = 3 };

static struct family f;
static char names[FAMILY_MAX][TRP_NAME_MAX + 1];
static struct trp_restart_policy policies[FAMILY_MAX];
static bool supervises[FAMILY_MAX];
static uint32_t given_up, lives;

static uint32_t draw(uint32_t below) { return (uint32_t)(trp_sim_random(f.system) % below); }

/* ---- the tree ---- */

/* Most are patient, or few trees would outlive the storm. */
static uint32_t intensity(void) { return draw(12) == 0 ? 2 + draw(6) : 60; }

static uint32_t grow_supervisor(const char *parent, uint32_t level) {
  uint32_t me = f.count;
  snprintf(names[me], sizeof names[me], "sup%u.%u_", level, me);
  supervises[me] = true;
  policies[me] = (struct trp_restart_policy){.intensity = intensity(), .window_ms = 10000};
  family_add_supervisor(&f, names[me], parent, (enum trp_strategy)draw(3), policies[me],
                        100 + draw(500));
  return me;
}

static void grow_member(const char *parent) {
  uint32_t me = f.count;
  snprintf(names[me], sizeof names[me], "m%u_", me);
  supervises[me] = false;
  uint32_t kind = draw(6);
  policies[me] = (struct trp_restart_policy){.restart = kind < 4    ? TRP_PERMANENT
                                                        : kind == 4 ? TRP_TRANSIENT
                                                                    : TRP_TEMPORARY,
                                             .intensity = intensity(),
                                             .window_ms = 5000,
                                             .backoff_min_ms = 10,
                                             .backoff_max_ms = 200};
  family_add(&f, names[me], parent, policies[me]);
}

static void grow(uint32_t parent, uint32_t level) {
  uint32_t children = 1 + draw(4);
  for (uint32_t i = 0; i < children && f.count < FAMILY_MAX - 8; i++) {
    bool deeper = level + 1 < LEVELS && draw(2) == 0;
    if (!deeper) {
      grow_member(names[parent]);
    } else {
      grow(grow_supervisor(names[parent], level + 1), level + 1);
    }
  }
}

/* ---- the blows ---- */

static void blow(void) {
  uint32_t i = 1 + draw(f.count - 1); /* the root's end is the end of all, by whatever cause */
  struct manner *manner = &f.manners[i];
  if (supervises[i]) {
    if (draw(4) == 0) family_break(&f, names[i]);
    return;
  }
  switch (draw(8)) {
    case 0:
      family_tell(&f, names[i], LEAVE);
      break;
    case 1:
      manner->failing_starts = 1;
      break;
    case 2:
      manner->early_crashes = 1 + draw(3);
      break;
    case 3:
      manner->holds = !manner->holds;
      break;
    case 4:
      manner->crashes_stopping = !manner->crashes_stopping;
      break;
    case 5:
      family_stall(&f, names[i], draw(300) * MS);
      break;
    default:
      family_tell(&f, names[i], CRASH);
      break;
  }
}

static void calm(void) {
  memset(f.manners, 0, sizeof f.manners);
  family_pass(&f, 120 * TRP_NS_PER_S);
}

/* ---- after the storm ---- */

static void all_are_up(void) {
  for (uint32_t i = 0; i < f.count; i++) {
    if (policies[i].restart != TRP_PERMANENT) continue;
    enum trp_actor_state is = family_look(&f, names[i]).state;
    if (is == TRP_ACTOR_RUNNING) continue;
    fail_msg("%s is %s: \"%s\"", names[i], trp_actor_state_text(is), f.diary);
  }
}

static void storm(uint64_t seed) {
  family_open(&f, seed);
  grow(grow_supervisor(NULL, 0), 0);
  family_start(&f);
  for (uint32_t k = 0; k < BLOWS; k++) {
    blow();
    family_pass(&f, draw(150) * MS);
    if (f.wrong != NULL) fail_msg("%s: \"%s\"", f.wrong, f.diary);
  }
  calm();
  bool stopped = strcmp(trp_system_state(f.system), "stopped") == 0;
  if (!stopped) all_are_up();
  const struct trp_report *report = family_stop(&f);
  assert_true(stopped == report->gave_up);
  /* Who is stuck when the root gives up may be so beyond the end. */
  bool abandoned = stopped && report->verdict == TRP_VERDICT_ABANDONED;
  if (!abandoned) {
    assert_int_equal(report->verdict, stopped ? TRP_VERDICT_GAVE_UP : TRP_VERDICT_CLEAN);
  }
  for (uint32_t i = 0; i < f.count; i++) {
    assert_true(f.alive[i] == 0 || abandoned);
    lives += (uint32_t)family_look(&f, names[i]).incarnation;
  }
  given_up += stopped;
  if (seeds_replaying()) printf("%s\n", f.diary);
  family_close(&f);
}

static void after_the_storm_everybody_is_up_or_the_root_gave_up(void **state) {
  (void)state;
  struct seeds seeds = seeds_begin(SEEDS, PATIENCE_S);
  while (seeds_next(&seeds)) storm(seeds.seed);
  printf("  %llu storms, %u lives; the root gave up in %u\n", (unsigned long long)seeds.count,
         lives, given_up);
}

static int clear(void **state) {
  (void)seeds_tell(state);
  return family_clear(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(after_the_storm_everybody_is_up_or_the_root_gave_up, clear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
