/* tale.h - the stage of a story: a small system in simulation, told again under many seeds.
 *
 * Each story names a fault that must stay impossible. Its actors count what happens to them in the
 * tale; the telling asserts. A failure names its seed. */
#ifndef TRP_TEST_TALE_H
#define TRP_TEST_TALE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/report.h"
#include "runtime/sim.h"
#include "runtime/troupe.h"
#include "test/story/seeds.h"

enum { TALE_GO = TRP_USER_FIRST, TALE_WORK, TALE_COUNTERS = 12, TALE_SEEDS = 60 };
#define MS TRP_NS_PER_MS

struct tale {
  struct trp_system *system;
  uint64_t seed;
  unsigned count[TALE_COUNTERS]; /* the story's own */
  struct trp_ref ref[4];
};

void tale_open(struct tale *t, uint64_t seed);
void tale_add(struct tale *t, const char *name, const struct trp_kind *kind, const char *supervisor,
              uint32_t budget_ms);
void tale_start(struct tale *t);
void tale_send(struct tale *t, const char *name, uint16_t type);
/* Stops, and asserts balance and, unless somebody was abandoned, that nothing is left. */
const struct trp_report *tale_stop(struct tale *t);
void tale_close(struct tale *t);
const char *tale_verdict(struct tale *t, const char *name);

/* Tells it under every seed; tale_test makes a test that says which one failed. */
void tale_tell(void (*story)(struct tale *t));
#define tale_test(test) cmocka_unit_test_teardown(test, seeds_tell)

/* The state of an actor in a tale begins with it. */
struct tale_state {
  struct tale *t;
};
enum trp_err tale_begin(struct trp_self *self, void *state, const void *args);
extern const struct trp_kind tale_parent_kind; /* looks after children and does nothing */

#endif
