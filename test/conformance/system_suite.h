/* system_suite.h - one suite over every scheduler: what actors, asks, timers, watches, supervision
 * and stopping promise must hold with real threads and in simulation alike.
 *
 * A test builds a small world, and its actors write what happens to them into the world's diary, in
 * words; the test thread alone asserts. Times are the system's: real milliseconds or virtual ones.
 *
 * Worlds, and kinds that actors are made of, are static: where a test fails, its actors are stopped
 * after it has left its frame (world_end). What is awaited is a fact, not a time: a machine may be
 * busy. Budgets are wide, but for those tests that wait for a deadline to pass. */
#ifndef TRP_TEST_SYSTEM_SUITE_H
#define TRP_TEST_SYSTEM_SUITE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>

#include "runtime/report.h"
#include "runtime/troupe.h"
#include "test/support/quiet_loop.h"

enum {
  WORD = TRP_USER_FIRST,
  ANSWER,
  WORLD_DIARY_BYTES = 16384,
  WORLD_NUMBERS = 8,
  WORLD_LOOPS = 3
};
#define MS TRP_NS_PER_MS

struct world {
  struct trp_system *system;
  enum trp_sched_kind sched;
  enum trp_placement placement;         /* of whoever may share a thread */
  struct quiet_loop loops[WORLD_LOOPS]; /* in turns, for TRP_IO */
  uint32_t added;
  pthread_mutex_t lock; /* the diary, and the freezing */
  pthread_cond_t thawed;
  bool frozen;
  char diary[WORLD_DIARY_BYTES];
  size_t used;
  _Atomic uint64_t number[WORLD_NUMBERS]; /* a test's own */
  struct trp_ref ref[WORLD_NUMBERS];      /* written before the mail that makes actors read them */
};

/* What a suite runs over. */
struct over {
  const char *title;
  enum trp_sched_kind sched;
  enum trp_placement placement; /* of whoever may share a thread */
};

/* A system over what *state says. */
void world_open(struct world *w, void **state);
void world_open_with(struct world *w, void **state, const struct trp_system_options *options);
void world_add(struct world *w, const struct trp_spec *spec);        /* its args: the world */
void world_add_parent(struct world *w, const struct trp_spec *spec); /* with a thread of its own */
void world_start(struct world *w);
/* Stops it; the report, of which balance and nothing left behind are asserted. */
const struct trp_report *world_stop(struct world *w);
const struct trp_report *world_wait(struct world *w); /* the same for one that stops by itself */
void world_close(struct world *w);
int world_end(void **state); /* after each test: stops what a failed one has left running */

struct trp_ref world_find(struct world *w, const char *name);
void world_tell(struct world *w, const char *name, uint64_t number); /* WORD, from outside */
void world_pass(struct world *w, uint64_t ms);

/* Until the stop's word has reached this actor: its pill, and that it is to drop what is left. */
void world_await_pill(struct world *w, const char *name);
void world_await_cut(struct world *w, const char *name);
void world_await_handled(struct world *w, const char *name, uint64_t messages);
void world_await_state(struct world *w, const char *name, enum trp_actor_state state);

/* The diary. await fails the test where the words do not come in 5 s. */
__attribute__((format(printf, 2, 3))) void world_say(struct world *w, const char *format, ...);
void world_await(struct world *w, const char *words);
unsigned world_count(struct world *w, const char *words);
#define world_said(w, words) (world_count((w), (words)) > 0)
/* Where the words stand in the diary; fails where they do not. */
size_t world_place(struct world *w, const char *words);

/* A frozen actor takes no turn, until thawed: one at a time. Its kind's ready is world_ready. */
void world_freeze(struct world *w, const char *name);
void world_thaw(struct world *w, const char *name);
enum trp_err world_ready(struct trp_self *self, void *state);

/* The snapshot of an actor, and its part of a report. */
struct trp_actor_info world_actor(struct world *w, const char *name);
const struct trp_report_actor *world_verdict(const struct trp_report *report, const char *name);

static inline uint64_t word_of(const struct trp_msg *msg) {
  return msg->bytes >= sizeof(uint64_t) ? *(const uint64_t *)msg->body : 0;
}

/* A root that keeps its children's peace and restarts nobody; and the real supervisor. */
extern const struct trp_kind world_idle_kind;

/* The families of tests; system_test.c runs each over each scheduler. */
struct suite {
  const char *name;
  const struct CMUnitTest *tests;
  size_t count;
};
extern const struct suite suite_mail, suite_waiting, suite_asks, suite_timers, suite_watches,
    suite_links, suite_lives, suite_supervision, suite_stopping, suite_stop_faults, suite_account,
    suite_spawning;

#define SUITE(variable, title, tests_)                                                             \
  const struct suite variable = {title, tests_, sizeof(tests_) / sizeof((tests_)[0])}

#endif
